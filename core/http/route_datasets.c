/* route_datasets.c: data sets: list, one with its versions, touch. A '/' in a name is %2F. */
#include "core/http/route.h"

#include "core/sched/show.h"

#include <string.h>

void get_datasets(struct http_req *q)
{
	route_list_reply(q, "datasets", list_datasets);
}

void get_dataset(struct http_req *q)
{
	struct dataset_rec rec;
	struct err err = {0};
	const struct view *v = route_view(q);

	if (v == NULL)
		return;
	int rc = find_dataset(v, q->params[0], &rec);
	if (rc == ERR_NOT_FOUND)
		err_set(&err, rc, "no data set is called \"%s\"", q->params[0]);
	if (rc == 0)
		rc = show_dataset(v, rec.no, true, reply_begin(q->h));
	route_view_end(q);
	if (rc != 0)
		reply_err(q->conn, rc, &err);
	else
		reply_json(q->conn, 200);
}

void post_touch(struct http_req *q)
{
	struct json *body;
	wall_us upto;

	if (!route_body(q, "partition:string complete_through:string?", &body))
		return;
	if (!route_time(q, body, "complete_through", &upto)) {
		json_free(body);
		return;
	}
	const char *partition = json_get_str(body, "partition", "");
	if (!str_is_dataset(q->params[0]) || strlen(partition) >= PLAN_PARTITION_MAX) {
		reply_problem(q->conn, 400, "usage",
		    "a data set is CONNECTION/NAME, a partition at most 255 bytes");
		json_free(body);
		return;
	}
	struct call *call = call_new(q, OP_TOUCH, 1024);
	call->json = body;
	call->op->op.u.touch.dataset = call_str(call, q->params[0]);
	call->op->op.u.touch.partition = call_str(call, partition);
	call->op->op.u.touch.actor = call_str(call, q->auth.actor);
	call->op->op.u.touch.complete_through = upto;
	call_submit(call, route_reply_count);
}
