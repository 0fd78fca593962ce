/* Codes and messages. */
#include "core/base/err.h"

#include "tests/unit/leak.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(base_err, sets_code_and_text_and_returns_the_code)
{
	struct err e = {0};

	cr_assert_eq(err_set(&e, ERR_PARSE, "line %d", 7), ERR_PARSE);
	cr_assert_eq(e.code, ERR_PARSE);
	cr_assert_str_eq(e.text, "line 7");
	cr_assert_eq(err_set(NULL, ERR_IO, "x"), ERR_IO);
	cr_assert_eq(err_errno(NULL, ERR_IO, ENOENT, "x"), ERR_IO);
	LEAK_CHECK();
}

Test(base_err, names_the_system_error)
{
	struct err e = {0};

	cr_assert_eq(err_errno(&e, ERR_IO, ENOENT, "cannot open %s", "f"), ERR_IO);
	cr_assert_str_eq(e.text, "cannot open f: No such file or directory");
	LEAK_CHECK();
}

Test(base_err, puts_context_in_front)
{
	struct err e = {0};

	err_set(&e, ERR_LIMIT, "too long");
	cr_assert_eq(err_prefix(&e, "file %s", "a"), ERR_LIMIT);
	cr_assert_str_eq(e.text, "file a: too long");
	LEAK_CHECK();
}

Test(base_err, cuts_long_texts_and_terminates_them)
{
	char big[2 * ERR_TEXT_MAX];
	struct err e = {0};

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	err_set(&e, ERR_IO, "%s", big);
	cr_assert_eq(strlen(e.text), ERR_TEXT_MAX - 1);
	err_prefix(&e, "%s", big);
	cr_assert_eq(strlen(e.text), ERR_TEXT_MAX - 1);
	err_errno(&e, ERR_IO, ENOENT, "%s", big);
	cr_assert_eq(strlen(e.text), ERR_TEXT_MAX - 1);
	LEAK_CHECK();
}

Test(base_err, clears)
{
	struct err e = {0};

	err_set(&e, ERR_IO, "x");
	err_clear(&e);
	cr_assert_eq(e.code, 0);
	cr_assert_str_eq(e.text, "");
	err_clear(NULL);
	LEAK_CHECK();
}

Test(base_err, every_code_has_its_name_and_text)
{
#define ERR_ROW(name, value, text)                                                                 \
	cr_assert_str_eq(err_name(ERR_##name), #name);                                             \
	cr_assert_str_eq(err_text(value), text);                                                   \
	cr_assert_lt(value, 0);
	ERR_LIST(ERR_ROW)
	cr_assert_str_eq(err_name(0), "OK");
	cr_assert_str_eq(err_name(1), "UNKNOWN");
	cr_assert_str_eq(err_name(-999), "UNKNOWN");
	cr_assert_str_eq(err_text(-999), "unknown error");
	LEAK_CHECK();
}

Test(base_err, values_of_stored_codes_never_change)
{
	cr_assert_eq(ERR_NOMEM, -1);
	cr_assert_eq(ERR_NOT_FOUND, -6);
	cr_assert_eq(ERR_CLOSED, -19);
	LEAK_CHECK();
}
