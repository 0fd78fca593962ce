#include "core/http/hook.h"
#include "tests/unit/leak.h"

#include "core/base/mem.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define NOW (INT64_C(1614265330) * US_PER_S)
#define BODY "{\"test\": 2432232314}"
#define GOOD "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
#define OTHER "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static void add_secret(struct hook *k, const char *text)
{
	k->secrets[k->n_secrets].p = mem_dup(text, strlen(text));
	k->secrets[k->n_secrets++].n = strlen(text);
}

static int verify(struct hook *k, const char *id, const char *seconds, const char *signature,
    wall_us now, struct hook_fact *fact)
{
	static struct http_req q;
	struct str scratch;
	struct err err;

	memset(&q, 0, sizeof(q));
	q.headers[0] = (struct header){"Webhook-Id", id, 10, (uint32_t)strlen(id)};
	q.headers[1] = (struct header){"Webhook-Timestamp", seconds, 17, (uint32_t)strlen(seconds)};
	q.headers[2] =
	    (struct header){"Webhook-Signature", signature, 17, (uint32_t)strlen(signature)};
	q.n_headers = 3;
	q.body = BODY;
	q.body_n = strlen(BODY);
	str_init(&scratch, 1 << 20);
	int rc = hook_standard.verify(k, &q, now, &scratch, fact, &err);
	str_done(&scratch);
	return rc;
}

static void begin(struct hook *k)
{
	struct err err = {0};

	memset(k, 0, sizeof(*k));
	add_secret(k, "whsec_c2VjcmV0LW9mLWEtcm90YXRlZC1lbmRwb2ludA==");
	add_secret(k, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
	cr_assert_eq(hook_standard.load(k, &err), 0, "%s", err.text);
}

static const struct {
	const char *name, *id, *seconds, *signature;
	int64_t later_s;
	int want;
} cases[] = {
    {"the published vector", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", GOOD, 0, 0},
    {"behind another one", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", OTHER " " GOOD, 0, 0},
    {"before another one", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", GOOD " " OTHER, 0, 0},
    {"beside an asymmetric one", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", "v1a,AAAA " GOOD, 0,
	0},
    {"300 s late", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", GOOD, 300, 0},
    {"300 s early", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", GOOD, -300, 0},
    {"301 s late", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", GOOD, 301, ERR_AUTH},
    {"301 s early", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", GOOD, -301, ERR_AUTH},
    {"another id", "msg_p5jXN8AQM9LWM0D4loKWxJeK", "1614265330", GOOD, 0, ERR_AUTH},
    {"another time", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265331", GOOD, 0, ERR_AUTH},
    {"the time with a zero before it", "msg_p5jXN8AQM9LWM0D4loKWxJek", "01614265330", GOOD, 0,
	ERR_AUTH},
    {"a negative time", "msg_p5jXN8AQM9LWM0D4loKWxJek", "-1614265330", GOOD, 0, ERR_AUTH},
    {"no version", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
	"g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", 0, ERR_AUTH},
    {"version v2", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
	"v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=", 0, ERR_AUTH},
    {"a short signature", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330",
	"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ", 0, ERR_AUTH},
    {"comma for blank", "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", OTHER "," GOOD, 0, ERR_AUTH},
    {"an empty id", "", "1614265330", GOOD, 0, ERR_AUTH},
};

Test(http_hook_standard, takes_the_vector_and_nothing_beside_it)
{
	struct hook k;

	begin(&k);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct hook_fact fact = {.time = TIME_NONE};
		int rc = verify(&k, cases[i].id, cases[i].seconds, cases[i].signature,
		    NOW + cases[i].later_s * US_PER_S, &fact);
		cr_expect_eq(rc, cases[i].want, "%s: %d", cases[i].name, rc);
		if (rc == 0) {
			cr_expect_str_eq(fact.id, cases[i].id);
			cr_expect_eq(fact.time, NOW);
		}
	}
	hook_free(&k);
	LEAK_CHECK();
}

Test(http_hook_standard, looks_at_eight_signatures_at_most)
{
	struct hook_fact fact;
	struct hook k;
	char text[1024] = "";

	begin(&k);
	for (int i = 0; i < 7; i++)
		strncat(text, OTHER " ", sizeof(text) - strlen(text) - 1);
	size_t n = strlen(text);
	snprintf(text + n, sizeof(text) - n, "%s", GOOD);
	cr_assert_eq(verify(&k, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", text, NOW, &fact), 0);
	snprintf(text + n, sizeof(text) - n, "%s %s", OTHER, GOOD);
	cr_assert_eq(
	    verify(&k, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", text, NOW, &fact), ERR_AUTH);
	hook_free(&k);
	LEAK_CHECK();
}

Test(http_hook_standard, a_secret_is_whsec_and_24_to_64_bytes)
{
	static const struct {
		size_t bytes;
		const char *prefix;
		int want;
	} t[] = {{23, "whsec_", ERR_CONFIG}, {24, "whsec_", 0}, {64, "whsec_", 0},
	    {65, "whsec_", ERR_CONFIG}, {32, "", ERR_CONFIG}, {32, "whsec-", ERR_CONFIG}};

	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		uint8_t key[65] = {1, 2, 3};
		char text[128];
		struct hook k = {.name = "a"};
		struct err err = {0};
		int n = snprintf(text, sizeof(text), "%s", t[i].prefix);
		hash_to_base64(key, t[i].bytes, text + n);
		add_secret(&k, text);
		cr_expect_eq(hook_standard.load(&k, &err), t[i].want, "%zu bytes", t[i].bytes);
		if (t[i].want == 0)
			cr_expect_eq(k.secrets[0].n, t[i].bytes);
		else
			cr_expect_not(strstr(err.text, text), "no secret in a message");
		hook_free(&k);
	}
	LEAK_CHECK();
}
