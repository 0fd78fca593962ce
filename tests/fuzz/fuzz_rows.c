/* CSV and NDJSON from outside, as plugins read them. Promises: any bytes give rows, rejects or a
 * refusal with a reason; what comes out as text is UTF-8, what is called JSON is JSON, and what is
 * written of it is read back the same. The first byte says how it is read. */
#include "core/base/json_scan.h"
#include "core/base/mem.h"
#include "core/base/str.h"
#include "sluice/kit/rows.h"
#include "tests/fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static slu_rc on_reject(slu_run *run, const struct ArrowSchema *schema,
    const struct ArrowArray *array, int64_t row, const char *column, const char *code,
    const char *msg)
{
	(void)run, (void)schema, (void)array, (void)row;
	FUZZ_DEMAND(column != NULL && code != NULL && msg != NULL && msg[0] != 0);
	return SLU_OK;
}

static slu_in *open_bytes(const void *p, size_t n)
{
	slu_err err = {.size = sizeof(err)};
	int fd = memfd_create("rows", MFD_CLOEXEC);
	slu_in *in = NULL;

	FUZZ_DEMAND(fd >= 0 && write(fd, p, n) == (ssize_t)n && lseek(fd, 0, SEEK_SET) == 0);
	if (slu_in_fd(fd, "fuzz", &in, &err) != SLU_OK)
		FUZZ_DEMAND(err.message[0] != 0);
	return in;
}

static void check_text(const slu_field *f, const slu_col *c, int64_t row)
{
	const char *s;
	size_t n;

	if (slu_is_null(c, row))
		return;
	s = slu_get_bytes(c, row, &n);
	FUZZ_DEMAND(str_utf8_valid(s, n));
	FUZZ_DEMAND(!f->json || json_scan(s, n, NULL) == 0);
}

static void check_batch(const slu_fields *fields, const struct ArrowArray *a, struct str *out)
{
	const slu_format nd = {.kind = SLU_NDJSON};
	slu_col *cols = mem_calloc(fields->n, sizeof(*cols));
	slu_err err = {.size = sizeof(err)};
	slu_buf line;

	slu_buf_init(&line, 16u << 20);
	FUZZ_DEMAND(slu_batch_read(a, fields, cols, &err) == SLU_OK);
	for (size_t i = 0; i < fields->n; i++) {
		for (int64_t row = 0; fields->v[i].type == SLU_UTF8 && row < a->length; row++)
			check_text(&fields->v[i], &cols[i], row);
	}
	FUZZ_DEMAND(slu_rows_write(&nd, fields, cols, 0, a->length, &line, &err) == SLU_OK);
	str_addn(out, slu_buf_text(&line), line.len);
	slu_buf_done(&line);
	mem_free(cols);
}

/* Rows as NDJSON behind out; the columns that it had in *ret, where asked for. */
static bool read_all(const slu_format *format, const slu_fields *wanted, const void *p, size_t n,
    struct str *out, slu_fields *ret)
{
	const slu_host host = {.size = sizeof(host), .reject = on_reject};
	slu_rejects rejects = {&host, NULL, 0};
	slu_err err = {.size = sizeof(err)};
	slu_in *in = open_bytes(p, n);
	slu_parser *parser = NULL;
	slu_builder *b = NULL;
	slu_rc rc = in == NULL ? SLU_E_DATA : SLU_OK;
	int done = 0;

	if (rc == SLU_OK)
		rc = slu_parser_new(format, in, wanted, &rejects, &parser, &err);
	if (rc == SLU_OK)
		b = slu_builder_new(slu_parser_fields(parser), 0);
	while (rc == SLU_OK && !done) {
		struct ArrowArray a = {0};

		rc = slu_parser_fill(parser, b, &done, &err);
		if (rc == SLU_OK)
			rc = slu_builder_take(b, &a, &err);
		if (rc == SLU_OK)
			check_batch(slu_parser_fields(parser), &a, out);
		if (a.release != NULL)
			a.release(&a);
	}
	FUZZ_DEMAND(rc == SLU_OK || in == NULL || err.message[0] != 0);
	if (rc == SLU_OK && ret != NULL)
		FUZZ_DEMAND(slu_fields_copy(ret, slu_parser_fields(parser), &err) == SLU_OK);
	slu_builder_free(b);
	slu_parser_free(parser);
	slu_in_close(in);
	return rc == SLU_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	slu_format format = {.kind = SLU_CSV}, nd = {.kind = SLU_NDJSON};
	slu_fields wanted = {0}, had = {0};
	struct str rows, again;
	uint8_t how;

	if (n == 0 || n > 65536)
		return 0;
	how = data[0];
	format.kind = (how & 1) != 0 ? SLU_NDJSON : SLU_CSV;
	format.rest = how / 2 % 3;
	format.ragged = how / 8 % 3;
	format.no_header = how >> 7;
	format.delimiter = (how & 64) != 0 ? ';' : 0;
	(void)slu_fields_add(&wanted, "a", SLU_INT64, NULL);
	(void)slu_fields_add(&wanted, "b", SLU_UTF8, NULL);
	slu_fields_add(&wanted, "j", SLU_UTF8, NULL)->json = 1;
	(void)slu_fields_add(&wanted, "t", SLU_TIMESTAMP, NULL);
	str_init(&rows, 64u << 20);
	str_init(&again, 64u << 20);
	if (read_all(&format, (how & 32) != 0 ? &wanted : NULL, data + 1, n - 1, &rows, &had) &&
	    rows.len > 0 && rows.len < 8u << 20) {
		FUZZ_DEMAND(read_all(&nd, &had, str_peek(&rows), rows.len, &again, NULL));
		FUZZ_DEMAND(again.len == rows.len && memcmp(again.s, rows.s, rows.len) == 0);
	}
	str_done(&rows);
	str_done(&again);
	slu_fields_done(&wanted);
	slu_fields_done(&had);
	return 0;
}
