/* mem.c: allocation that aborts, and allocation that is bounded and may fail. */
#include "core/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(void) __attribute__((noreturn));

void *mem_alloc(size_t n)
{
	void *p = malloc(n > 0 ? n : 1);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *mem_zalloc(size_t n)
{
	return mem_calloc(1, n);
}

void *mem_calloc(size_t n, size_t size)
{
	void *p = n == 0 || size == 0 ? calloc(1, 1) : calloc(n, size);

	if (p == NULL)
		out_of_memory();
	return p;
}

void *mem_realloc(void *p, size_t n)
{
	void *q = realloc(p, n > 0 ? n : 1);

	if (q == NULL)
		out_of_memory();
	return q;
}

char *mem_strdup(const char *s)
{
	return mem_dup(s, strlen(s) + 1);
}

char *mem_strndup(const char *s, size_t n)
{
	size_t len = strnlen(s, n);
	char *p = mem_alloc(len + 1);

	memcpy(p, s, len);
	p[len] = '\0';
	return p;
}

void *mem_dup(const void *p, size_t n)
{
	void *q = mem_alloc(n);

	if (n > 0)
		memcpy(q, p, n);
	return q;
}

void *mem_try_alloc(size_t n, size_t max)
{
	return n > max ? NULL : malloc(n > 0 ? n : 1);
}

void *mem_try_realloc(void *p, size_t n, size_t max)
{
	return n > max ? NULL : realloc(p, n > 0 ? n : 1);
}

void mem_free(void *p)
{
	free(p);
}

static void out_of_memory(void)
{
	fputs("level=error msg=\"out of memory\"\n", stderr);
	abort();
}
