/* test_store_help.h: a state folder of its own for each test, and a store in it. */
#ifndef TESTS_UNIT_TEST_STORE_HELP_H
#define TESTS_UNIT_TEST_STORE_HELP_H

#include "core/store/store.h"

struct temp_store {
	char dir[64];
	struct store *store;
};
/* Makes the folder; opens the store when `open`. */
void temp_store_make(struct temp_store *t, bool open);
void temp_store_open(struct temp_store *t);
void temp_store_close(struct temp_store *t);
void temp_store_remove(struct temp_store *t);

#endif
