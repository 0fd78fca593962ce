/* JSON: what is taken prints to a text that parses to the same. */
#include "core/base/json.h"
#include "tests/fuzz/fuzz.h"

#define TEXT_MAX (16u << 20)

static struct json *parse(const char *text, size_t n)
{
	struct json *j = NULL;
	struct err e = {0};

	if (json_parse(text, n, TEXT_MAX, &j, &e) == 0)
		return j;
	FUZZ_DEMAND(j == NULL && e.code != 0 && e.text[0] != '\0');
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct json *a = parse((const char *)data, n), *b;
	struct str text;

	if (a == NULL)
		return 0;
	str_init(&text, TEXT_MAX);
	json_print(a, &text);
	FUZZ_DEMAND(!text.failed && str_utf8_valid(text.s, text.len));
	b = parse(text.s, text.len);
	FUZZ_DEMAND(b != NULL && json_equal(a, b));
	str_reset(&text);
	json_print_pretty(b, &text);
	json_free(a);
	a = parse(text.s, text.len);
	FUZZ_DEMAND(a != NULL && json_equal(a, b));
	json_free(a);
	json_free(b);
	str_done(&text);
	return 0;
}
