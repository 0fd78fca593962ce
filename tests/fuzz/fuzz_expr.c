/* Expressions: whatever the text, checking and evaluating end with a value or an error; what the
 * check knows of the type is true. */
#include "core/dag/expr.h"

#include "core/base/mem.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>

static const char ENV[] = "{\"params\":{\"n\":3,\"s\":\"abc\",\"b\":true},\"run\":{\"id\":\"R\","
			  "\"dag\":\"d\",\"key\":\"k\",\"window\":{\"start\":"
			  "\"2026-11-20T15:00:00Z\",\"end\":\"2026-11-21T15:00:00Z\"},\"logical_"
			  "time\":\"2026-11-21\",\"attempt\":1},"
			  "\"trigger\":{\"name\":\"t\",\"kind\":\"cron\",\"events\":[],\"missing\":"
			  "[]},\"event\":{\"id\":\"1\",\"seq\":\"1\","
			  "\"source\":\"s\",\"type\":\"t\",\"subject\":\"u\",\"time\":\"2026-11-"
			  "21\",\"body\":{\"a\":[1,2]}},\"partition\":\"p\","
			  "\"item\":{\"x\":1},\"steps\":{\"a\":{\"outputs\":{\"x\":1}}}}";
static const char PARAMS[] = "{\"n\":\"integer\",\"s\":\"string\",\"b\":\"boolean\"}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	static const char *const STEPS[] = {"a"};
	struct expr_scope scope = {.roots = 0x7f, .steps = STEPS, .n_steps = 1};
	struct json *env = NULL, *params = NULL, *v = NULL;
	enum json_type type = JSON_NULL;
	struct err err = {0};
	bool known = false;
	size_t at = 0;
	char *text;

	if (n > 1u << 12 || memchr(data, 0, n) != NULL || !str_utf8_valid((const char *)data, n))
		return 0;
	text = mem_strndup((const char *)data, n);
	FUZZ_DEMAND(json_parse(ENV, strlen(ENV), sizeof(ENV), &env, NULL) == 0);
	FUZZ_DEMAND(json_parse(PARAMS, strlen(PARAMS), sizeof(PARAMS), &params, NULL) == 0);
	scope.params = params;
	if (expr_check(text, &scope, &at, &type, &known, &err) != 0) {
		FUZZ_DEMAND(at <= n && err.text[0] != '\0');
		known = false;
	}
	if (expr_eval(text, env, &v, &err) == 0) {
		FUZZ_DEMAND(v != NULL);
		FUZZ_DEMAND(!known || json_is(v, type) || json_is(v, JSON_NULL));
	}
	json_free(v);
	json_free(env);
	json_free(params);
	mem_free(text);
	return 0;
}
