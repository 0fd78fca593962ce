/* mime.c: a mail: headers of RFC 5322, words of RFC 2047, a body as quoted-printable. Every line
 * ends with CRLF and has at most 76 characters. */
#include "plugins/notify/notify.h"

#include "sluice/kit/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define WORD_BYTES 42 /* of text in one encoded word: "=?UTF-8?B?" + 56 + "?=" is 68 */
#define LINE_MAX_QP 75

static int is_plain(const char *s)
{
	for (; *s != 0; s++) {
		if ((unsigned char)*s < ' ' || (unsigned char)*s > '~')
			return 0;
	}
	return 1;
}

/* Folded at blanks where it is plain, else in encoded words that break between characters. */
void mime_subject(const char *text, slu_buf *out)
{
	char word[64];
	size_t n;

	if (is_plain(text) && strlen(text) < 60 && strstr(text, "=?") == NULL) {
		slu_buf_add(out, text);
		return;
	}
	for (int first = 1; *text != 0; text += n, first = 0) {
		n = strlen(text);
		if (n > WORD_BYTES) {
			n = WORD_BYTES;
			while (n > 1 && ((unsigned char)text[n] & 0xc0) == 0x80)
				n--;
		}
		slu_base64_put(text, n, word);
		word[slu_base64_len(n)] = 0;
		slu_buf_addf(out, "%s=?UTF-8?B?%s?=", first ? "" : "\r\n ", word);
	}
}

static void add_date(slu_buf *out, int64_t us)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {
	    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t t = (time_t)(us / 1000000);
	struct tm tm;

	(void)gmtime_r(&t, &tm);
	slu_buf_addf(out, "Date: %s, %02d %s %d %02d:%02d:%02d +0000\r\n", days[tm.tm_wday],
	    tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900, tm.tm_hour, tm.tm_min, tm.tm_sec);
}

/* "Ops <ops@example.jp>" -> example.jp */
static void add_domain(slu_buf *out, const char *from)
{
	const char *at = strrchr(from, '@') + 1;

	slu_buf_addn(out, at, strcspn(at, "> \t"));
}

static void add_qp(slu_buf *out, const char *s)
{
	size_t col = 0;

	for (; *s != 0; s++) {
		unsigned char c = (unsigned char)*s;
		int last = s[1] == 0 || s[1] == '\n';
		int plain = (c > ' ' && c <= '~' && c != '=' && !(c == '.' && col == 0)) ||
			    ((c == ' ' || c == '\t') && !last);

		if (c == '\n') {
			slu_buf_add(out, "\r\n");
			col = 0;
			continue;
		}
		if (c == '\r')
			continue;
		if (col + (plain ? 1 : 3) > LINE_MAX_QP) {
			slu_buf_add(out, "=\r\n");
			col = 0;
			plain = plain && c != '.';
		}
		if (plain)
			slu_buf_addc(out, *s);
		else
			slu_buf_addf(out, "=%02X", c);
		col += plain ? 1 : 3;
	}
	slu_buf_add(out, "\r\n");
}

void mime_message(const struct endpoint *e, const struct message *m, int64_t now_us, slu_buf *out)
{
	slu_buf body;

	slu_buf_addf(out, "From: %s\r\nTo: ", e->from);
	for (size_t i = 0; i < e->n_to; i++)
		slu_buf_addf(out, "%s%s", i > 0 ? ",\r\n " : "", e->to[i]);
	slu_buf_add(out, "\r\nSubject: ");
	mime_subject(slu_buf_text(&m->title), out);
	slu_buf_add(out, "\r\n");
	add_date(out, now_us);
	slu_buf_addf(out, "Message-ID: <%s@", m->id);
	add_domain(out, e->from);
	slu_buf_add(out, ">\r\nAuto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
			 "Content-Type: text/plain; charset=UTF-8\r\n"
			 "Content-Transfer-Encoding: quoted-printable\r\n\r\n");
	slu_buf_init(&body, NOTIFY_MESSAGE_MAX / 4);
	slu_buf_add(&body, slu_buf_text(&m->text));
	if (m->link.len > 0)
		slu_buf_addf(&body, "\n%s", slu_buf_text(&m->link));
	if (m->log.len > 0)
		slu_buf_addf(&body, "\n\nThe end of its log:\n\n%s", slu_buf_text(&m->log));
	add_qp(out, slu_buf_text(&body));
	slu_buf_done(&body);
}
