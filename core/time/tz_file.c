/* tz_file.c: TZif files (RFC 9636): the 64-bit block and the footer of versions 2 to 4. Every count
 * is checked against the bytes that are there before it is used. */
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "core/time/tz_impl.h"

#include <pthread.h>
#include <string.h>

#define ZONE_FOLDER "/usr/share/zoneinfo"
#define TRANS_MAX 4096
#define CACHE_MAX 2048 /* tzdata has about 600 names */
#define HEADER_BYTES 44
#define SECONDS_MAX INT64_C(4000000000000) /* 126,000 years: microseconds have room */
#define RULE_FROM_YEAR 1900		   /* where a file has a footer alone */

struct header {
	uint32_t isut_n, isstd_n, leap_n, trans_n, types_n, chars_n;
};

/* What is left of the bytes. */
struct view {
	const uint8_t *p; /* borrowed */
	size_t n;
};

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t be64(const uint8_t *p)
{
	return (int64_t)((uint64_t)be32(p) << 32 | be32(p + 4));
}

static const uint8_t *take(struct view *v, size_t n)
{
	const uint8_t *p = v->p;

	if (n > v->n)
		return NULL;
	v->p += n;
	v->n -= n;
	return p;
}

static int read_header(struct view *v, struct header *h)
{
	const uint8_t *p = take(v, HEADER_BYTES);

	if (p == NULL || memcmp(p, "TZif", 4) != 0 || p[4] < '2')
		return ERR_PARSE;
	h->isut_n = be32(p + 20);
	h->isstd_n = be32(p + 24);
	h->leap_n = be32(p + 28);
	h->trans_n = be32(p + 32);
	h->types_n = be32(p + 36);
	h->chars_n = be32(p + 40);
	if (h->trans_n > TRANS_MAX || h->types_n > TZ_TYPES_MAX || h->chars_n > TZ_CHARS_MAX ||
	    h->leap_n > TRANS_MAX || h->isut_n > TZ_TYPES_MAX || h->isstd_n > TZ_TYPES_MAX)
		return ERR_LIMIT;
	return 0;
}

/* Bytes of a block behind its header; time is 4 or 8. */
static size_t block_bytes(const struct header *h, size_t time)
{
	return h->trans_n * (time + 1) + h->types_n * 6 + h->chars_n + h->leap_n * (time + 4) +
	       h->isstd_n + h->isut_n;
}

static int read_types(struct tz *zone, const uint8_t *p, const struct header *h)
{
	size_t i;
	int32_t offset;

	for (i = 0; i < h->types_n; i++, p += 6) {
		offset = (int32_t)be32(p);
		if (offset < -93599 || offset > 93599 || p[4] > 1 || p[5] >= h->chars_n)
			return ERR_PARSE;
		zone->types[i] =
		    (struct tz_type){.offset_s = offset, .dst = p[4] == 1, .name = p[5]};
	}
	zone->types_n = h->types_n;
	return 0;
}

static int read_trans(struct tz *zone, const uint8_t *at, const uint8_t *type, size_t n)
{
	size_t i;
	int64_t s;

	zone->trans = mem_calloc(n, sizeof(*zone->trans));
	for (i = 0; i < n; i++) {
		s = be64(at + 8 * i);
		/* Some files begin with the big bang, which is no instant in microseconds. */
		if (i == 0 && s < -SECONDS_MAX)
			s = -SECONDS_MAX;
		if (s < -SECONDS_MAX || s > SECONDS_MAX)
			return ERR_PARSE;
		zone->trans[i].at_s = s;
		zone->trans[i].type = type[i];
		if (type[i] >= zone->types_n)
			return ERR_PARSE;
		if (i > 0 && zone->trans[i].at_s <= zone->trans[i - 1].at_s)
			return ERR_PARSE;
	}
	zone->trans_n = n;
	return 0;
}

static int read_block(struct tz *zone, struct view *v, const struct header *h, struct err *err)
{
	const uint8_t *at, *type, *types, *chars;
	int rc;

	if (h->leap_n != 0)
		return err_set(err, ERR_UNSUPPORTED,
		    "zone %s counts leap seconds: use the one without \"right/\"", zone->name);
	at = take(v, 8 * (size_t)h->trans_n);
	type = take(v, h->trans_n);
	types = take(v, 6 * (size_t)h->types_n);
	chars = take(v, h->chars_n);
	/* The length of the block was checked; the indicators behind it are not needed. */
	take(v, (size_t)h->isstd_n + h->isut_n);
	if (h->types_n == 0 || h->chars_n == 0 || chars[h->chars_n - 1] != '\0')
		return err_set(
		    err, ERR_PARSE, "zone %s: its file has no local time types", zone->name);
	memcpy(zone->chars, chars, h->chars_n);
	zone->chars_n = h->chars_n;
	rc = read_types(zone, types, h);
	if (rc == 0)
		rc = read_trans(zone, at, type, h->trans_n);
	return rc == 0 ? 0 : err_set(err, rc, "zone %s: its file is damaged", zone->name);
}

int tz_add_type(struct tz *zone, int32_t offset_s, bool dst, const char *name, uint8_t *ret)
{
	size_t i, n = strlen(name) + 1;
	struct tz_type *t;

	for (i = 0; i < zone->types_n; i++) {
		t = &zone->types[i];
		if (t->offset_s == offset_s && t->dst == dst &&
		    strcmp(zone->chars + t->name, name) == 0) {
			*ret = (uint8_t)i;
			return 0;
		}
	}
	if (zone->types_n == TZ_TYPES_MAX || zone->chars_n + n > TZ_CHARS_MAX)
		return ERR_LIMIT;
	t = &zone->types[zone->types_n];
	*t = (struct tz_type){.offset_s = offset_s, .dst = dst, .name = (uint16_t)zone->chars_n};
	memcpy(zone->chars + zone->chars_n, name, n);
	zone->chars_n += n;
	*ret = (uint8_t)zone->types_n++;
	return 0;
}

static int64_t year_of(int64_t at_s)
{
	int64_t year;
	int month, day;

	clock_civil_from_days((at_s - (at_s % 86400 + 86400) % 86400) / 86400, &year, &month, &day);
	return year;
}

static void append(struct tz *zone, int64_t at_s, uint8_t type)
{
	if (zone->trans_n > 0 && at_s <= zone->trans[zone->trans_n - 1].at_s)
		return;
	zone->trans[zone->trans_n++] = (struct tz_trans){.at_s = at_s, .type = type};
}

/* Writes the footer's changes out for a little over 400 years behind the last change of the file.
 */
static int expand_rule(struct tz *zone, const struct tz_rule *rule)
{
	int64_t from = RULE_FROM_YEAR, year, start, end;
	uint8_t std, dst;

	if (zone->trans_n > 0)
		from = year_of(zone->trans[zone->trans_n - 1].at_s);
	if (from < -100000 || from > 100000)
		return ERR_PARSE;
	if (tz_add_type(zone, rule->std_s, false, rule->std_name, &std) != 0 ||
	    tz_add_type(zone, rule->dst_s, true, rule->dst_name, &dst) != 0)
		return ERR_LIMIT;
	zone->trans = mem_realloc(zone->trans, (zone->trans_n + 2 * 403) * sizeof(*zone->trans));
	for (year = from; year < from + 403; year++) {
		tz_rule_year(rule, year, &start, &end);
		if (start < end) {
			append(zone, start, dst);
			append(zone, end, std);
		} else {
			append(zone, end, std);
			append(zone, start, dst);
		}
	}
	zone->wrap_s = clock_days_from_civil(from + 402, 1, 1) * 86400;
	return 0;
}

/* A footer without summer time says again what the last change said, or all that is said. */
static int plain_rule(struct tz *zone, const struct tz_rule *rule)
{
	uint8_t std;

	if (zone->trans_n > 0)
		return 0;
	if (tz_add_type(zone, rule->std_s, false, rule->std_name, &std) != 0)
		return ERR_LIMIT;
	if (std == 0)
		return 0;
	zone->trans = mem_realloc(zone->trans, sizeof(*zone->trans));
	append(zone, clock_days_from_civil(RULE_FROM_YEAR, 1, 1) * 86400, std);
	return 0;
}

static int read_footer(struct tz *zone, struct view *v)
{
	char text[128];
	struct tz_rule rule;
	const uint8_t *end;
	size_t n;

	if (v->n < 2 || v->p[0] != '\n')
		return ERR_PARSE;
	end = memchr(v->p + 1, '\n', v->n - 1);
	if (end == NULL)
		return ERR_PARSE;
	n = (size_t)(end - v->p) - 1;
	if (n == 0)
		return 0;
	if (n >= sizeof(text) || memchr(v->p + 1, '\0', n) != NULL)
		return ERR_PARSE;
	memcpy(text, v->p + 1, n);
	text[n] = '\0';
	if (tz_rule_parse(text, &rule) != 0)
		return ERR_PARSE;
	return rule.has_dst ? expand_rule(zone, &rule) : plain_rule(zone, &rule);
}

static int parse_file(struct tz *zone, struct view v, struct err *err)
{
	struct header h;
	int rc;

	if (read_header(&v, &h) != 0 || take(&v, block_bytes(&h, 4)) == NULL)
		return err_set(err, ERR_PARSE,
		    "zone %s: its file is no TZif file of version 2 or later", zone->name);
	if (read_header(&v, &h) != 0 || block_bytes(&h, 8) > v.n)
		return err_set(err, ERR_PARSE, "zone %s: its file is damaged", zone->name);
	rc = read_block(zone, &v, &h, err);
	if (rc != 0)
		return rc;
	if (read_footer(zone, &v) != 0)
		return err_set(err, ERR_PARSE,
		    "zone %s: the rule at the end of its file is damaged", zone->name);
	return 0;
}

int tz_parse(const char *name, const void *p, size_t n, struct tz **ret, struct err *err)
{
	struct tz *zone = MEM_NEW(struct tz);
	struct err mine = {0};
	int rc;

	str_copy(zone->name, sizeof(zone->name), name);
	zone->wrap_s = INT64_MAX;
	rc = parse_file(zone, (struct view){p, n}, &mine);
	if (rc != 0) {
		tz_free(zone);
		return err_set(err, rc, "%s", mine.text);
	}
	*ret = zone;
	return 0;
}

void tz_free(struct tz *zone)
{
	if (zone == NULL)
		return;
	mem_free(zone->trans);
	mem_free(zone);
}

/* ---- the cache ---- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct tz *cache; /* newest first; held until the program ends */
static size_t cache_n;

static const struct tz utc = {
    .name = "UTC",
    .types_n = 1,
    .chars = "UTC",
    .chars_n = 4,
    .wrap_s = INT64_MAX,
};

const struct tz *tz_utc(void)
{
	return &utc;
}

/* Letters, digits and _+- between slashes: nothing that leaves the folder. */
static bool name_is_safe(const char *name)
{
	size_t i;
	char c;

	if (strlen(name) >= TZ_NAME_MAX)
		return false;
	for (i = 0; name[i] != '\0'; i++) {
		c = name[i];
		if (c == '/' && (i == 0 || name[i - 1] == '/' || name[i + 1] == '\0'))
			return false;
		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			strchr("_+-/", c) != NULL))
			return false;
	}
	return i > 0;
}

static int read_zone(const char *name, struct tz **ret, struct err *err)
{
	struct err why = {0};
	struct str bytes;
	char *path;
	int rc;

	if (!name_is_safe(name))
		return err_set(err, ERR_NOT_FOUND,
		    "no time zone is called \"%.80s\": use an IANA name such as Europe/Berlin",
		    name);
	path = io_path_join(ZONE_FOLDER, name);
	str_init(&bytes, TZ_FILE_MAX);
	rc = io_read_file(path, TZ_FILE_MAX, &bytes, &why);
	if (rc != 0)
		rc = err_set(err, ERR_NOT_FOUND,
		    "no time zone is called \"%s\" (%s): use an IANA name such as Europe/Berlin; "
		    "the package is tzdata",
		    name, why.text);
	else
		rc = tz_parse(name, bytes.s, bytes.len, ret, err);
	str_done(&bytes);
	mem_free(path);
	return rc;
}

static struct tz *find_cached(const char *name)
{
	struct tz *zone = cache;

	while (zone != NULL && strcmp(zone->name, name) != 0)
		zone = zone->next;
	return zone;
}

static int load_locked(const char *name, struct tz **ret, struct err *err)
{
	int rc;

	*ret = find_cached(name);
	if (*ret != NULL)
		return 0;
	if (cache_n == CACHE_MAX)
		return err_set(err, ERR_LIMIT, "more than %d time zones are in use", CACHE_MAX);
	rc = read_zone(name, ret, err);
	if (rc != 0)
		return rc;
	(*ret)->next = cache;
	cache = *ret;
	cache_n++;
	return 0;
}

int tz_load(const char *name, const struct tz **ret, struct err *err)
{
	struct tz *zone;
	int rc;

	if (strcmp(name, "UTC") == 0) {
		*ret = &utc;
		return 0;
	}
	pthread_mutex_lock(&lock);
	rc = load_locked(name, &zone, err);
	pthread_mutex_unlock(&lock);
	if (rc == 0)
		*ret = zone;
	return rc;
}
