/* arrow.h: the structs of the Arrow C Data and C Stream interfaces. Their layout is a published ABI
 * (arrow.apache.org, format/CDataInterface and CStreamInterface), guarded so that the headers of
 * other Arrow users can stand beside it.
 *
 * A struct is moved by copying it and setting the source's release to NULL; release() sets itself
 * to NULL; a released struct is not touched again. Calls on one stream are serialized. */
#ifndef SLUICE_ARROW_H
#define SLUICE_ARROW_H
#include <stdint.h>
#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
	const char *format; /* "l", "u", "tsu:UTC", "d:38,9", "+s" … */
	const char *name;
	const char *metadata; /* int32 n, then n times (int32 length, key, int32 length, value),
				 native byte order */
	int64_t flags;
	int64_t n_children;
	struct ArrowSchema **children;
	struct ArrowSchema *dictionary;
	void (*release)(struct ArrowSchema *);
	void *private_data;
};

struct ArrowArray {
	int64_t length;
	int64_t null_count; /* -1: not counted */
	int64_t offset;
	int64_t n_buffers;
	int64_t n_children;
	const void **buffers;
	struct ArrowArray **children;
	struct ArrowArray *dictionary;
	void (*release)(struct ArrowArray *);
	void *private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
	/* 0 or an errno; the schema is the same for the whole stream */
	int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
	/* 0 or an errno; at the end out->release is NULL */
	int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
	/* text of the last error, or NULL; lives until the next call */
	const char *(*get_last_error)(struct ArrowArrayStream *);
	void (*release)(struct ArrowArrayStream *);
	void *private_data;
};

#endif /* ARROW_C_STREAM_INTERFACE */

#ifdef __cplusplus
}
#endif
#endif
