/* tree.h: removes a folder with all that is in it, never following a link out of it. */
#ifndef CORE_POOL_TREE_H
#define CORE_POOL_TREE_H

/* Best effort; a missing folder is fine. */
void tree_remove(const char *path);

#endif
