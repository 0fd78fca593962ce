/* report.c: see report.h. Owner: pool. */
#include "core/pool/report.h"

#include "core/base/json.h"
#include "core/pool/frame.h"

void report_make(struct str *out, const char *class_, const char *code, const char *message)
{
	struct jw w;

	jw_init(&w, out);
	jw_object(&w);
	jw_kstr(&w, "class", class_);
	jw_kstr(&w, "code", code);
	jw_kstr(&w, "message", message);
	jw_end_object(&w);
}

void report_mask(const struct mask *m, const char *report, size_t n, struct str *out)
{
	struct json *j = NULL;

	if (!mask_text(m, report, n, out))
		return;
	if (json_parse(str_peek(out), out->len, FRAME_REPORT_MAX, &j, NULL) == 0) {
		json_free(j);
		return;
	}
	/* A secret that looks like JSON: what is left of the report cannot be trusted. */
	str_reset(out);
	report_make(out, "internal", "masked",
	    "the report held a secret where its own punctuation stands and was dropped");
}
