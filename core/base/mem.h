/* mem.h: allocation. mem_* aborts when memory is out and is for small bounded objects; what input
 * sizes uses mem_try_* with a stated maximum. */
#ifndef CORE_BASE_MEM_H
#define CORE_BASE_MEM_H

#include <stddef.h>

void *mem_alloc(size_t n) __attribute__((malloc, returns_nonnull));
void *mem_zalloc(size_t n) __attribute__((malloc, returns_nonnull));
void *mem_calloc(size_t n, size_t size)
    __attribute__((malloc, returns_nonnull)); /* checks n*size */
void *mem_realloc(void *p, size_t n) __attribute__((returns_nonnull));
char *mem_strdup(const char *s) __attribute__((malloc, returns_nonnull));
char *mem_strndup(const char *s, size_t n) __attribute__((malloc, returns_nonnull));
void *mem_dup(const void *p, size_t n) __attribute__((malloc, returns_nonnull));
/* NULL when n > max or memory is out. */
void *mem_try_alloc(size_t n, size_t max);
void *mem_try_realloc(void *p, size_t n, size_t max);
void mem_free(void *p); /* accepts NULL */

#define MEM_NEW(type) ((type *)mem_zalloc(sizeof(type)))

#endif
