/* vec.h: typed growing arrays by macro. `struct vec_T { T *v; size_t n, cap; }`; memory by mem_*,
 * so for bounded counts. */
#ifndef CORE_BASE_VEC_H
#define CORE_BASE_VEC_H

#include "core/base/mem.h"

#include <stddef.h>

#define VEC(type)                                                                                  \
	struct {                                                                                   \
		type *v;                                                                           \
		size_t n, cap;                                                                     \
	}

/* Room for one more at the end; evaluates to a pointer to it (not zeroed). */
#define VEC_PUSH(a)                                                                                \
	((a)->n == (a)->cap                                                                        \
		? ((a)->cap = (a)->cap ? (a)->cap * 2 : 8,                                         \
		      (a)->v = mem_realloc((a)->v, (a)->cap * sizeof(*(a)->v)), &(a)->v[(a)->n++]) \
		: &(a)->v[(a)->n++])
#define VEC_ADD(a, item) (*VEC_PUSH(a) = (item))
#define VEC_CLEAR(a) ((a)->n = 0)
#define VEC_DONE(a) (mem_free((a)->v), (a)->v = NULL, (a)->n = (a)->cap = 0)

#endif
