/* plugin.c: notify: tells people and other services: signed webhooks, Slack, mail. The endpoints of
 * sluice.yaml's `notify:` are its connections, and a step may use them too. */
#include "plugins/notify/notify.h"

static const slu_kind kinds[] = {{.type = "webhook",
				     .doc = "A signed HTTP request (Standard Webhooks).",
				     .needs = SLU_N_NET,
				     .connection = &webhook_connection,
				     .task = &notify_task},
    {.type = "slack",
	.doc = "A message for Slack, or what reads its incoming webhooks.",
	.needs = SLU_N_NET,
	.connection = &slack_connection,
	.task = &notify_task},
    {.type = "mail",
	.doc = "A mail, by SMTP or by a sendmail command.",
	.needs = SLU_N_NET | SLU_N_EXEC,
	.connection = &mail_connection,
	.task = &notify_task}};

static const slu_plugin plugin = {.magic = SLU_MAGIC,
    .size = sizeof(plugin),
    .abi_major = SLU_ABI_MAJOR,
    .abi_minor = SLU_ABI_MINOR,
    .name = "notify",
    .version = "0.1.0",
    .license = "same as Sluice",
    .n_kinds = 3,
    .kind_stride = sizeof(slu_kind),
    .kinds = kinds};

const slu_plugin *sluice_plugin_v1(uint32_t host_major, uint32_t host_minor, slu_err *err)
{
	(void)host_minor;
	if (host_major == SLU_ABI_MAJOR)
		return &plugin;
	(void)slu_fail(
	    err, SLU_E_CONFIG, "NOTIFY.ABI", "notify is built for plugin ABI %u", SLU_ABI_MAJOR);
	return NULL;
}
