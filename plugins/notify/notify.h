/* notify.h: inside the plugin: where messages go, what a message is, and one function a kind. */
#ifndef PLUGINS_NOTIFY_NOTIFY_H
#define PLUGINS_NOTIFY_NOTIFY_H

#include "sluice/kit/buf.h"
#include "sluice/kit/error.h"
#include "sluice/kit/http.h"
#include "sluice/kit/json.h"

#define NOTIFY_TEXT_MAX 3500		/* bytes of a text that the plugin writes itself */
#define NOTIFY_MESSAGE_MAX (512u << 10) /* of what goes over the wire */
#define NOTIFY_RCPT_MAX 50
#define NOTIFY_ARG_MAX 32

enum notify_kind { NOTIFY_WEBHOOK, NOTIFY_SLACK, NOTIFY_MAIL };

struct endpoint { /* a connection: all texts owned */
	enum notify_kind kind;
	int private_ok;
	int64_t timeout_ms;
	char *url, *ca_file, *link;
	char *secret, *token;	  /* webhook */
	char *from, *host, *user; /* mail */
	char *password, *tls;
	char *to[NOTIFY_RCPT_MAX], *command[NOTIFY_ARG_MAX + 1];
	size_t n_to;
	int64_t port;
};

struct message {
	const slu_host *host; /* borrowed, of the task */
	slu_run *run;
	slu_http *http; /* owned */
	char id[128];	/* "msg_…": the same in each retry */
	const char *event;
	int64_t at_us;
	slu_json *data; /* owned, or NULL */
	slu_buf title, text, log;
	slu_buf link;
};

extern const slu_connection webhook_connection, slack_connection, mail_connection;
extern const slu_task notify_task;

/* message.c */
slu_rc message_read(
    struct message *m, const struct endpoint *e, const slu_host *host, slu_run *run, slu_err *err);
void message_done(struct message *m);
/* Adds at most max bytes of s to b, cut at a character, with an ellipsis. */
void text_cut(slu_buf *b, const char *s, size_t max);

slu_rc webhook_send(const struct endpoint *e, struct message *m, slu_err *err);
slu_rc slack_send(const struct endpoint *e, struct message *m, slu_err *err);
slu_rc mail_send(const struct endpoint *e, struct message *m, slu_err *err);
/* One POST of JSON to the endpoint's url. */
slu_rc notify_post(const struct endpoint *e, struct message *m, const slu_buf *body,
    const char *const *headers, uint32_t n, slu_err *err);

/* slack.c: the body; webhook.c: the signature's text; pure, for the tests. */
void slack_body(const struct message *m, slu_buf *out);
slu_rc webhook_sign(const char *secret, const char *id, int64_t at_s, const slu_buf *body,
    char *out, size_t n, slu_err *err);

/* mime.c: the whole mail with CRLF line ends; pure. */
void mime_message(const struct endpoint *e, const struct message *m, int64_t now_us, slu_buf *out);
void mime_subject(const char *text, slu_buf *out);
/* command.c: a sendmail that reads it. */
slu_rc command_send(const struct endpoint *e, struct message *m, const slu_buf *mail, slu_err *err);

#endif
