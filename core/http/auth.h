/* auth.h: who may do what: the peer's user on the unix socket, a token elsewhere; Host, Origin and
 * Sec-Fetch-Site against browsers that were lured. Private to the folder. */
#ifndef CORE_HTTP_AUTH_H
#define CORE_HTTP_AUTH_H

#include "core/http/server.h"

/* true: the request may come from where it says. false: refused and answered. Hooks are held to it
 * as well. */
bool auth_origin(struct http_req *q);
/* Fills q->auth: unix peers that are trusted get admin, others what their token holds. false:
 * answered 401. Without a token and `demand` false, scopes stay 0. */
bool auth_identify(struct http_req *q, bool demand);
/* true: q->auth holds one of the scopes (SCOPE_*; admin always does). SCOPE_RUN: for DAG `object`
 * (NULL: the handler looks). */
bool auth_allows(const struct http_req *q, uint32_t scopes, const char *object);
/* "read", "admin", "run:DAG", "ingest:NAME" -> bits and object. */
int auth_scope_parse(
    const char *text, uint32_t *scopes, char object[PLAN_NAME_MAX], struct err *err) CHECK_RESULT;
/* The names of http.hosts, lower case, and the three of loopback. */
void auth_set_hosts(struct http *h, const struct conf *conf);
void auth_free_hosts(struct http *h);
#define AUTH_TOKEN_MAX 256

#endif
