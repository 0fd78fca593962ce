/* text.c: comparing, checking and converting text. Declared in str.h. */
#include "core/base/str.h"

#include <stdio.h>
#include <string.h>

bool str_eq(const char *a, const char *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_starts(const char *s, const char *prefix)
{
	return s != NULL && prefix != NULL && strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n, m;

	if (s == NULL || suffix == NULL)
		return false;
	n = strlen(s);
	m = strlen(suffix);
	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_copy(char *to, size_t size, const char *from)
{
	size_t n = strlen(from);
	bool fits = n < size;

	if (size == 0)
		return false;
	if (!fits)
		n = size - 1;
	memcpy(to, from, n);
	to[n] = '\0';
	return fits;
}

/* Length of the UTF-8 sequence at s, 0 if there is none (overlong forms, surrogates and values
 * beyond U+10FFFF are none). */
static size_t utf8_len(const unsigned char *s, size_t n)
{
	unsigned char c = s[0], low = 0x80, high = 0xbf;
	size_t need, i;

	if (c < 0x80)
		return 1;
	if (c < 0xc2 || c > 0xf4)
		return 0;
	need = c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
	if (n < need)
		return 0;
	if (c == 0xe0)
		low = 0xa0;
	else if (c == 0xed)
		high = 0x9f;
	else if (c == 0xf0)
		low = 0x90;
	else if (c == 0xf4)
		high = 0x8f;
	if (s[1] < low || s[1] > high)
		return 0;
	for (i = 2; i < need; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return need;
}

size_t str_utf8_len(const char *s, size_t n)
{
	return n == 0 ? 0 : utf8_len((const unsigned char *)s, n);
}

bool str_utf8_valid(const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	uint64_t eight;
	size_t i = 0, len;

	while (i < n) {
		while (n - i >= 8) {
			memcpy(&eight, p + i, 8);
			if ((eight & UINT64_C(0x8080808080808080)) != 0)
				break;
			i += 8;
		}
		if (i >= n)
			break;
		len = utf8_len(p + i, n - i);
		if (len == 0)
			return false;
		i += len;
	}
	return true;
}

int str_to_u64(const char *s, uint64_t *ret_v)
{
	uint64_t v = 0;
	unsigned d;

	if (s == NULL || *s == '\0')
		return ERR_PARSE;
	for (; *s != '\0'; s++) {
		if (*s < '0' || *s > '9')
			return ERR_PARSE;
		d = (unsigned)(*s - '0');
		if (v > (UINT64_MAX - d) / 10)
			return ERR_LIMIT;
		v = v * 10 + d;
	}
	*ret_v = v;
	return 0;
}

int str_to_i64(const char *s, int64_t *ret_v)
{
	bool negative = s != NULL && *s == '-';
	uint64_t v;
	int rc = str_to_u64(negative ? s + 1 : s, &v);

	if (rc != 0)
		return rc;
	if (v > (uint64_t)INT64_MAX + negative)
		return ERR_LIMIT;
	*ret_v = negative ? (int64_t)(0 - v) : (int64_t)v;
	return 0;
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* Decimal digits, then the name of a unit; the product must not pass max. */
static int with_unit(
    const char *s, const struct unit *units, size_t n, uint64_t max, uint64_t *ret_v)
{
	char digits[24];
	size_t len, i;
	uint64_t v;
	int rc;

	if (s == NULL)
		return ERR_PARSE;
	len = strspn(s, "0123456789");
	if (len == 0)
		return ERR_PARSE;
	if (len >= sizeof(digits))
		return ERR_LIMIT;
	memcpy(digits, s, len);
	digits[len] = '\0';
	rc = str_to_u64(digits, &v);
	if (rc != 0)
		return rc;
	for (i = 0; i < n; i++) {
		if (strcmp(s + len, units[i].name) != 0)
			continue;
		if (v > max / units[i].factor)
			return ERR_LIMIT;
		*ret_v = v * units[i].factor;
		return 0;
	}
	return ERR_PARSE;
}

int str_to_duration_ms(const char *s, int64_t *ret_ms)
{
	static const struct unit units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000},
	    {"d", 86400000}, {"w", 7 * 86400000}};
	/* A thousand years: their microseconds can be added to any time without a second thought.
	 */
	uint64_t v, max = UINT64_C(365250) * 86400000;
	int rc = with_unit(s, units, sizeof(units) / sizeof(units[0]), max, &v);

	if (rc != 0)
		return rc;
	*ret_ms = (int64_t)v;
	return 0;
}

int str_to_bytes(const char *s, uint64_t *ret_bytes)
{
	static const struct unit units[] = {{"", 1}, {"B", 1}, {"kB", 1000}, {"MB", 1000000},
	    {"GB", 1000000000}, {"TB", UINT64_C(1000000000000)}, {"KiB", UINT64_C(1) << 10},
	    {"MiB", UINT64_C(1) << 20}, {"GiB", UINT64_C(1) << 30}, {"TiB", UINT64_C(1) << 40}};

	return with_unit(s, units, sizeof(units) / sizeof(units[0]), UINT64_MAX, ret_bytes);
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool str_is_ident(const char *s)
{
	size_t i;

	if (s == NULL || !(is_lower(s[0]) || s[0] == '_'))
		return false;
	for (i = 1; s[i] != '\0'; i++)
		if (i >= 63 || !(is_lower(s[i]) || is_digit(s[i]) || s[i] == '_'))
			return false;
	return true;
}

bool str_is_name(const char *s)
{
	size_t i;

	if (s == NULL || !(is_lower(s[0]) || is_digit(s[0])))
		return false;
	for (i = 1; s[i] != '\0'; i++)
		if (i >= 63 || !(is_lower(s[i]) || is_digit(s[i]) || s[i] == '_' || s[i] == '-'))
			return false;
	return true;
}

bool str_is_dataset(const char *s)
{
	char connection[64];
	const char *slash = s == NULL ? NULL : strchr(s, '/');
	size_t n, i;

	if (slash == NULL || (size_t)(slash - s) >= sizeof(connection))
		return false;
	n = (size_t)(slash - s);
	memcpy(connection, s, n);
	connection[n] = '\0';
	if (!str_is_name(connection) || slash[1] == '\0')
		return false;
	if (strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0)
		return false; /* a lake makes folders of names: these lie outside */
	for (i = 1; slash[i] != '\0'; i++)
		if (i > 255 ||
		    !(is_lower(slash[i]) || is_digit(slash[i]) ||
			(slash[i] >= 'A' && slash[i] <= 'Z') || strchr("_.-", slash[i]) != NULL))
			return false;
	return true;
}

#define NEAREST_MAX 64

/* Edit distance with neighbours swapped counting one; at most limit + 1. Texts up to NEAREST_MAX.
 */
static size_t distance(const char *a, size_t n, const char *b, size_t m)
{
	size_t rows[3][NEAREST_MAX + 1], i, j, v;
	size_t *before = rows[0], *above = rows[1], *row = rows[2], *spare;

	for (j = 0; j <= m; j++)
		above[j] = j;
	for (i = 1; i <= n; i++) {
		row[0] = i;
		for (j = 1; j <= m; j++) {
			v = above[j - 1] + (a[i - 1] != b[j - 1]);
			v = above[j] + 1 < v ? above[j] + 1 : v;
			v = row[j - 1] + 1 < v ? row[j - 1] + 1 : v;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < v)
				v = before[j - 2] + 1;
			row[j] = v;
		}
		spare = before;
		before = above;
		above = row;
		row = spare;
	}
	return above[m];
}

const char *str_nearest(const char *s, const char *const *candidates, size_t n)
{
	const char *best = NULL;
	size_t len = strlen(s), limit, best_d, i, m, d;

	if (len == 0 || len > NEAREST_MAX)
		return NULL;
	limit = len < 3 ? 1 : (len + 2) / 3;
	best_d = limit + 1;
	for (i = 0; i < n; i++) {
		m = strlen(candidates[i]);
		if (m > NEAREST_MAX)
			continue;
		d = distance(s, len, candidates[i], m);
		if (d < best_d && d < len) {
			best_d = d;
			best = candidates[i];
		}
	}
	return best;
}

void str_add_visible(struct str *b, const char *s, size_t n)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t i = 0, from = 0, len;

	while (i < n) {
		len = utf8_len(p + i, n - i);
		/* C1 controls are two bytes, 0xc2 0x80-0x9f. */
		if (len > 0 && p[i] >= 0x20 && p[i] != 0x7f && !(p[i] == 0xc2 && p[i + 1] < 0xa0)) {
			i += len;
			continue;
		}
		str_addn(b, s + from, i - from);
		len = len == 0 ? 1 : len;
		for (from = i; from < i + len; from++)
			str_addf(b, "\\x%02X", p[from]);
		i = from;
	}
	str_addn(b, s + from, n - from);
}
