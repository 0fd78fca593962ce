/* keys_common.c: the keys that stand in DAG files and in sluice.yaml alike. Data only. */
#include "core/dagfile/keys_table.h"

const struct key KEY_TEXT = {.name = "text", .shape = K_TEXT};
const struct key KEY_NAME = {.name = "name", .shape = K_NAME};

static const struct key CLASS_ELEM = {
    .name = "class", .shape = K_CHOICE, .choices = "transient|timeout|quota|lost"};
static const struct key RETRY[] = {
    {.name = "attempts",
	.shape = K_INT,
	RANGE(1, 1000),
	.def = "1",
	.doc = "How often a step is tried in all."},
    {.name = "delay",
	.shape = K_DURATION,
	.def = "30s",
	.doc = "The wait before the second attempt."},
    {.name = "backoff",
	.shape = K_NUMBER,
	RANGE(1, 100),
	.def = "2",
	.doc = "Each further wait is so much longer."},
    {.name = "jitter",
	.shape = K_NUMBER,
	RANGE(0, 1),
	.def = "0.2",
	.doc = "The part of a wait that is left to chance."},
    {.name = "max_delay", .shape = K_DURATION, .def = "10m", .doc = "No wait is longer."},
    {.name = "classes",
	.shape = K_LIST,
	.elem = &CLASS_ELEM,
	.def = "[transient, timeout, quota, lost]",
	.doc = "The classes of error that are tried again."},
};
const struct keys KEYS_RETRY = {"retry", RETRY, sizeof(RETRY) / sizeof(RETRY[0]), NULL};
