/* plugin_new.h: a new plugin's folder from the template that is installed beside the header. */
#ifndef CORE_CLI_PLUGIN_NEW_H
#define CORE_CLI_PLUGIN_NEW_H

/* Writes NAME/plugin.c, NAME/Makefile and NAME/README.md. Returns an exit code. */
int plugin_new(const char *name);

#endif
