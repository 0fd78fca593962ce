/* slack.c: a message as Slack's incoming webhooks take it: one text for notifications, blocks for
 * reading. */
#include "plugins/notify/notify.h"

#include <string.h>

#define SECTION_MAX 2900 /* Slack takes 3000 characters */
#define HEADER_MAX 140	 /* 150 */

/* In Slack's markup only these three mean something everywhere. */
static void add_escaped(slu_buf *b, const char *s)
{
	for (; *s != 0; s++) {
		if (*s == '&')
			slu_buf_add(b, "&amp;");
		else if (*s == '<')
			slu_buf_add(b, "&lt;");
		else if (*s == '>')
			slu_buf_add(b, "&gt;");
		else
			slu_buf_addc(b, *s);
	}
}

static void add_json(slu_buf *out, const slu_buf *text)
{
	slu_buf_add_json(out, slu_buf_text(text), text->len);
}

static void section(slu_buf *out, const slu_buf *text)
{
	slu_buf_add(out, ",{\"type\":\"section\",\"text\":{\"type\":\"mrkdwn\",\"text\":");
	add_json(out, text);
	slu_buf_add(out, "}}");
}

static void log_section(slu_buf *out, const char *log)
{
	slu_buf escaped, text;
	const char *at;

	slu_buf_init(&escaped, 64u << 10);
	slu_buf_init(&text, 8192);
	add_escaped(&escaped, log);
	at = slu_buf_text(&escaped);
	if (escaped.len > SECTION_MAX - 10) { /* its end, from the beginning of a line */
		at = slu_buf_text(&escaped) + escaped.len - (SECTION_MAX - 10);
		at = strchr(at, '\n') != NULL ? strchr(at, '\n') + 1 : at;
	}
	slu_buf_add(&text, "```\n");
	for (; *at != 0; at++) { /* what would end the block is broken up */
		if (strncmp(at, "```", 3) == 0) {
			slu_buf_add(&text, "'''");
			at += 2;
		} else {
			slu_buf_addc(&text, *at);
		}
	}
	slu_buf_add(&text, "```");
	section(out, &text);
	slu_buf_done(&escaped);
	slu_buf_done(&text);
}

void slack_body(const struct message *m, slu_buf *out)
{
	slu_buf text, cut;

	slu_buf_init(&text, 64u << 10);
	slu_buf_init(&cut, 64u << 10);
	add_escaped(&text, slu_buf_text(&m->title));
	slu_buf_add(out, "{\"text\":");
	add_json(out, &text);
	text_cut(&cut, slu_buf_text(&m->title), HEADER_MAX);
	slu_buf_add(
	    out, ",\"blocks\":[{\"type\":\"header\",\"text\":{\"type\":\"plain_text\",\"text\":");
	add_json(out, &cut);
	slu_buf_add(out, "}}");
	slu_buf_reset(&text);
	slu_buf_reset(&cut);
	add_escaped(&text, slu_buf_text(&m->text));
	if (m->link.len > 0) {
		slu_buf_add(&text, "\n<");
		add_escaped(&text, slu_buf_text(&m->link));
		slu_buf_addc(&text, '>');
	}
	text_cut(&cut, slu_buf_text(&text), SECTION_MAX);
	if (cut.len > 0)
		section(out, &cut);
	if (m->log.len > 0)
		log_section(out, slu_buf_text(&m->log));
	slu_buf_add(out, "]}");
	slu_buf_done(&text);
	slu_buf_done(&cut);
}

slu_rc slack_send(const struct endpoint *e, struct message *m, slu_err *err)
{
	static const char *const headers[] = {"Content-Type: application/json"};
	slu_buf body;
	slu_rc rc;

	slu_buf_init(&body, NOTIFY_MESSAGE_MAX);
	slack_body(m, &body);
	rc = notify_post(e, m, &body, headers, 1, err);
	slu_buf_done(&body);
	return rc;
}
