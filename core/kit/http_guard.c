/* http_guard.c: which addresses are not the public internet. */
#include "sluice/kit/http.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

struct net {
	uint8_t addr[16];
	unsigned bits;
};

/* IANA's special-purpose registry; what is globally reachable there is left out. */
static const struct net nets4[] = {{{0}, 8}, {{10}, 8}, {{100, 64}, 10}, {{127}, 8},
    {{169, 254}, 16}, {{172, 16}, 12}, {{192, 0, 0}, 24}, {{192, 0, 2}, 24}, {{192, 88, 99}, 24},
    {{192, 168}, 16}, {{198, 18}, 15}, {{198, 51, 100}, 24}, {{203, 0, 113}, 24}, {{224}, 4},
    {{240}, 4}};
static const struct net nets6[] = {{{0}, 96}, {{0x00, 0x64, 0xff, 0x9b, 0, 1}, 48}, {{0x01}, 64},
    {{0x20, 0x01, 0, 0}, 23}, {{0x20, 0x01, 0x0d, 0xb8}, 32}, {{0x3f, 0xff}, 20},
    {{0x5f, 0x00}, 16}, {{0xfc}, 7}, {{0xfe, 0x80}, 10}, {{0xfe, 0xc0}, 10}, {{0xff}, 8}};

static int is_in(const uint8_t *a, const struct net *n)
{
	unsigned whole = n->bits / 8, rest = n->bits % 8;

	if (memcmp(a, n->addr, whole) != 0)
		return 0;
	return rest == 0 || (a[whole] ^ n->addr[whole]) >> (8 - rest) == 0;
}

static int is_private4(const uint8_t *a)
{
	for (size_t i = 0; i < sizeof(nets4) / sizeof(nets4[0]); i++) {
		if (is_in(a, &nets4[i]))
			return 1;
	}
	return 0;
}

static int is_private6(const uint8_t *a)
{
	static const struct net mapped = {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96},
				nat64 = {{0x00, 0x64, 0xff, 0x9b}, 96},
				six_to_four = {{0x20, 0x02}, 16};

	if (is_in(a, &mapped) || is_in(a, &nat64))
		return is_private4(a + 12);
	if (is_in(a, &six_to_four))
		return is_private4(a + 2);
	for (size_t i = 0; i < sizeof(nets6) / sizeof(nets6[0]); i++) {
		if (is_in(a, &nets6[i]))
			return 1;
	}
	return 0;
}

int slu_http_is_private(const void *sa, size_t n)
{
	struct sockaddr_in6 six;
	struct sockaddr_in four;
	sa_family_t family;

	if (n < offsetof(struct sockaddr, sa_family) + sizeof(family))
		return 1;
	memcpy(&family, (const char *)sa + offsetof(struct sockaddr, sa_family), sizeof(family));
	if (family == AF_INET && n >= sizeof(four)) {
		memcpy(&four, sa, sizeof(four));
		return is_private4((const uint8_t *)&four.sin_addr);
	}
	if (family == AF_INET6 && n >= sizeof(six)) {
		memcpy(&six, sa, sizeof(six));
		return is_private6(six.sin6_addr.s6_addr);
	}
	return 1; /* a unix socket, or what nobody knows */
}
