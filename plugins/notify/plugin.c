/* plugin.c: notify: tells people and other services: signed webhooks, Slack, mail. The endpoints of
 * sluice.yaml's `notify:` are its connections, and a step may use them too. */
#include "plugins/notify/notify.h"

#include "sluice/kit/plugin.h"

static const slu_kind kinds[] = {{.type = "webhook",
				     .doc = "A signed HTTP request (Standard Webhooks).",
				     .needs = SLU_N_NET | SLU_N_FILES, /* ca_file */
				     .connection = &webhook_connection,
				     .task = &notify_task},
    {.type = "slack",
	.doc = "A message for Slack, or what reads its incoming webhooks.",
	.needs = SLU_N_NET | SLU_N_FILES,
	.connection = &slack_connection,
	.task = &notify_task},
    {.type = "mail",
	.doc = "A mail, by SMTP or by a sendmail command.",
	.needs = SLU_N_NET | SLU_N_FILES | SLU_N_EXEC,
	.connection = &mail_connection,
	.task = &notify_task}};

SLU_PLUGIN("notify", "0.1.0", "same as Sluice", kinds)
