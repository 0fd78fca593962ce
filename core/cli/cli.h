/* cli.h: what every command of `sluice` is given: options, the connection to the daemon, the way to
 * print.
 *
 * One command, one file cmd_<verb>.c, one entry in the table of main.c. Exit codes are CONTRACT's.
 */
#ifndef CORE_CLI_CLI_H
#define CORE_CLI_CLI_H

#include "core/base/err.h"
#include "core/base/json.h"
#include "core/base/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum exit_code {
	EXIT_OK = 0,
	EXIT_RUN_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_REFUSED = 3,
	EXIT_UNREACHABLE = 4,
	EXIT_NOT_FOUND = 5,
	EXIT_INTERNAL = 70,
	EXIT_TRY_AGAIN = 75
};

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_NDJSON };

struct cli_opt {
	const char *name; /* long name without dashes; NULL ends the table */
	const char *
	    value; /* name of its argument, NULL for a switch; "[=NAME]" where it may be left out */
	const char *doc; /* one sentence */
	char letter;	 /* or 0 */
};

struct cli;
struct args;
struct command {
	const char *name;
	const char *synopsis; /* behind the name */
	const char *summary;  /* one line of the list, without a full stop */
	const char *help;     /* paragraphs and examples */
	const struct cli_opt *opts;
	int (*run)(struct cli *cli, const struct args *a); /* returns an exit code */
};
extern const struct command *const commands[]; /* ends with NULL */

/* ---- arguments (args.c) ---- */
#define ARGS_MAX 64
struct args {
	const struct command *command;
	struct {
		const struct cli_opt *opt;
		const char *value; /* NULL for a switch */
	} v[ARGS_MAX];
	size_t n;
	const char *pos[ARGS_MAX]; /* borrowed from argv */
	size_t n_pos;
};
bool args_has(const struct args *a, const char *name);
const char *args_get(
    const struct args *a, const char *name, const char *fallback); /* the last one given */
const char *args_nth(
    const struct args *a, const char *name, size_t i); /* i-th one given, or NULL */
/* Exactly min to max positional arguments; prints usage and gives false otherwise. */
bool args_expect(const struct args *a, size_t min, size_t max);

/* ---- the program's state ---- */
struct cli {
	enum output output;
	const char *config; /* -c or NULL */
	const char *url;    /* --url or SLUICE_URL or NULL */
	const char *token_file;
	bool tty, color;
	int width;	       /* columns; 80 where it is no terminal */
	struct client *client; /* owned, made at first use */
};

/* Path of the configuration file by CONTRACT's order, or NULL. Caller frees. */
char *cli_config_path(const struct cli *cli);
/* The compiled configuration (owned by the caller), by `sluice-worker --compile-config`. */
int cli_config_load(const struct cli *cli, struct json **ret, struct err *err) CHECK_RESULT;

/* ---- what others said (visible.c) ---- */
/* json_parse; for a person control characters become visible. */
int cli_parse(const struct cli *cli, const char *p, size_t n, size_t max, struct json **ret,
    struct err *err) CHECK_RESULT;

/* ---- requests (request.c): print their own errors, return an exit code ---- */
/* body NULL for none. *ret is the parsed reply (owned by the caller) or NULL; ret and ret_status
 * may be NULL. */
int cli_request(struct cli *cli, const char *method, const char *path, const char *body,
    struct json **ret, int *ret_status);
/* As above, but a refusal is not printed: *ret then holds the problem object. */
int cli_try(struct cli *cli, const char *method, const char *path, const char *body,
    struct json **ret, int *ret_status);
/* Prints the problem of a refused request and gives its exit code. */
int cli_problem(const struct json *problem, int status);
/* Percent-encodes a path segment into b. */
void cli_add_segment(struct str *b, const char *text);
/* Appends "?name=value" or "&name=value" where value is not NULL. */
void cli_add_query(struct str *b, const char *name, const char *value);
/* Prints a reply as the output mode says: JSON on one line, NDJSON element by element of member
 * `list`. */
void cli_print_json(const struct cli *cli, const struct json *j, const char *list);
int cli_error(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* "/v1/runs/", "a b", "/cancel" -> /v1/runs/a%20b/cancel. Caller frees. */
char *cli_path(const char *prefix, const char *name, const char *suffix);
/* A request with its reply shown: JSON is printed here as the mode says; for text *ret is the reply
 * (owned by the caller), NULL otherwise. body (may be NULL) is taken. */
int cli_ask(
    struct cli *cli, const char *method, const char *path, struct json *body, struct json **ret);

/* ---- text (text.c) ---- */
/* Columns a text takes on a terminal (wide characters two). */
size_t text_width(const char *s);
/* The text cut to `width` columns with … at the end; b is appended to. */
void text_cut(struct str *b, const char *s, size_t width);
/* The text in lines of `width` columns (0: one line): `at` are taken on the first, the further ones
 * begin with `indent` blanks. A word that is longer than a line stands alone on its own. */
void text_wrap(struct str *b, const char *text, size_t at, size_t indent, size_t width);
/* Each time in it (2026-11-21T17:30:00.000Z) as text_time has it. */
void text_local(struct str *b, const char *text);
/* Columns of what is printed for people: those of the terminal, 0 (no limit) elsewhere. */
size_t text_columns(const struct cli *cli);
/* "3.2 s", "4 min 10 s", "2 h 5 min", "3 d". */
void text_duration(struct str *b, double seconds);
void text_count(struct str *b, int64_t n); /* 1,234,567 */
void text_bytes(struct str *b, int64_t n); /* 12.3 MB */
/* "2026-11-21 17:30:00" in the terminal's zone from RFC 3339; "" for NULL. */
void text_time(struct str *b, const char *rfc3339);
enum paint { PAINT_NONE, PAINT_GOOD, PAINT_BAD, PAINT_BUSY, PAINT_DIM, PAINT_BOLD, PAINT_WARN };
enum paint text_state_paint(const char *state);
void text_paint(const struct cli *cli, struct str *b, enum paint p, const char *s);

/* ---- tables (table.c) ---- */
struct table_column {
	const char *title;
	bool right;	  /* numbers */
	bool shrink;	  /* may be cut when the terminal is narrow */
	bool paint_state; /* paint by the value as a state */
};
struct text_table;
struct text_table *table_new(const struct table_column *columns, size_t n);
void table_cell(struct text_table *t, const char *text); /* row by row, left to right; NULL is "" */
void table_cellf(struct text_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void table_int(struct text_table *t, int64_t n);
void table_time(struct text_table *t, const char *rfc3339); /* as text_time */
/* Prints to standard output within cli->width and frees. `empty` is the sentence where there is no
 * row. */
void table_print(struct text_table *take, const struct cli *cli, const char *empty);

/* ---- lists (list.c) ---- */
struct list {
	const char *path; /* "/v1/runs" */
	const char *noun; /* the member of a page that holds the rows */
	const struct table_column *columns;
	size_t n_columns;
	void (*row)(struct text_table *t, const struct json *j); /* a cell for each column */
	const char *empty; /* the sentence where there is no row */
	void (*foot)(const struct cli *cli, const struct json *page); /* printed below; or NULL */
};
/* A list command: GET with those of its options that were given (limit after dag state since
 * unmatched), a page as the output mode says, and how to see more. */
int cli_list(struct cli *cli, const struct args *a, const struct list *l);
/* All elements of a list, page after page, until `each` gives false. path may have a query. */
int cli_each(struct cli *cli, const char *path, const char *noun,
    bool (*each)(void *ctx, const struct json *j), void *ctx);

/* ---- following a run (follow.c, tree.c) ---- */
/* Follows a run until it ends: live tree on a terminal, plain lines elsewhere, JSON as the mode
 * says. Exit code 0, 1. */
int follow_run(struct cli *cli, const char *run_id);
/* The same without showing anything. */
int follow_quietly(struct cli *cli, const char *run_id);
/* The tree of a run object as lines, for `show` and the live tree; progress may be NULL (object
 * step name -> progress). */
void tree_print(const struct cli *cli, struct str *out, const struct json *run,
    const struct json *progress, double now_s);

/* The live tree (live.c): drawn over itself, on a terminal. */
struct live {
	const struct cli *cli; /* borrowed */
	size_t lines;	       /* drawn last time */
};
void live_draw(struct live *l, const struct json *run, const struct json *progress);
/* Prints text above the tree, which is drawn anew by the next live_draw. */
void live_above(struct live *l, const char *text);
/* A run of a file without a daemon, watched as a live tree (local.c): argv of `sluiced --once …
 * -o ndjson`. Gives its exit status. */
int local_run(struct cli *cli, char *const argv[]);

/* ---- other programs (exec.c) ---- */
struct child {
	int pid;
	int out; /* reads what it prints; owned */
};
int exec_start(
    const char *program, char *const argv[], struct child *ret, struct err *err) CHECK_RESULT;
int exec_wait(struct child *c); /* closes out; its exit status, 128 for a signal */
/* Runs a helper program and collects its standard output (at most max bytes); *ret_status is its
 * exit status. */
int exec_collect(const char *program, char *const argv[], size_t max, struct str *out,
    int *ret_status, struct err *err) CHECK_RESULT;
/* Replaces this process; returns an exit code only on failure. */
int exec_replace(const char *program, char *const argv[]);
/* The same by `sluiced -c CONFIG OPTION [VALUE]` in this output mode; value may be NULL. */
int exec_daemon(const struct cli *cli, const char *option, const char *value);

/* clang-format off */
#define COMMAND_LIST(X) \
	X(init) X(check) X(plan) X(apply) X(run) X(trigger) X(dags) X(runs) X(show) X(logs) X(why) \
	X(cancel) X(rerun) X(backfill) X(backfills) X(mark) X(next) X(pause) X(resume) X(events) \
	X(hook) X(notify) X(datasets) X(cursor) X(pools) X(plugin) X(schema) X(token) X(audit) \
	X(doctor) X(completion) X(fsck) X(backup) X(restore) X(compact) X(shutdown)
/* clang-format on */
#define COMMAND_DECLARE(name) extern const struct command cmd_##name;
COMMAND_LIST(COMMAND_DECLARE)
#undef COMMAND_DECLARE

#endif
