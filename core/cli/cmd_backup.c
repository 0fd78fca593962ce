/* cmd_backup.c: `sluice backup FILE|-`: a proven copy of the running store. */
#include "core/base/io.h"
#include "core/base/mem.h"
#include "core/cli/cli.h"
#include "core/cli/client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

struct receiver {
	int fd;
	uint64_t bytes;
	struct err err;
};

static bool on_piece(void *arg, const char *p, size_t n)
{
	struct receiver *r = arg;
	r->bytes += n;
	return io_write_all(r->fd, p, n, &r->err) == 0;
}

static int refused(int status, const struct str *text)
{
	struct json *j = NULL;
	if (json_parse(str_peek(text), text->len, 1 << 16, &j, NULL) != 0)
		j = NULL;
	int code = cli_problem(j, status);
	json_free(j);
	return code;
}

static int fetch(struct cli *cli, struct receiver *r)
{
	struct client_stream handler = {.arg = r, .piece = on_piece};
	struct str problem;
	struct err err = {0};
	int status = 0, code = EXIT_OK;
	str_init(&problem, 1 << 16);
	int rc = client_stream(cli->client, "/v1/backup", &handler, &status, &problem, &err);
	if (r->err.code != 0)
		code = cli_error(EXIT_TRY_AGAIN, "%s", r->err.text);
	else if (rc)
		code = cli_error(EXIT_UNREACHABLE, "%s", err.text);
	else if (status >= 300)
		code = refused(status, &problem);
	str_done(&problem);
	return code;
}

/* The name appears only when all of it is on the disk. */
static int to_file(struct cli *cli, const char *file)
{
	struct receiver r = {.fd = -1};
	struct err err = {0};
	struct str tmp;
	str_init(&tmp, 1 << 16);
	str_addf(&tmp, "%s.tmp", file);
	r.fd = open(str_peek(&tmp), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int code =
	    r.fd < 0 ? cli_error(EXIT_USAGE, "cannot write %s: %s", str_peek(&tmp), strerror(errno))
		     : fetch(cli, &r);
	if (code == EXIT_OK && (fsync(r.fd) != 0 || rename(str_peek(&tmp), file) != 0))
		code = cli_error(EXIT_TRY_AGAIN, "cannot write %s: %s", file, strerror(errno));
	if (code != EXIT_OK && r.fd >= 0)
		unlink(str_peek(&tmp));
	io_close(&r.fd);
	char *dir = io_path_dir(file);
	if (code == EXIT_OK && io_fsync_dir(dir, &err) != 0)
		code = cli_error(EXIT_TRY_AGAIN, "%s", err.text);
	mem_free(dir);
	str_done(&tmp);
	if (code == EXIT_OK && cli->output == OUTPUT_TEXT) {
		printf("%s: %llu bytes\n", file, (unsigned long long)r.bytes);
	} else if (code == EXIT_OK) {
		struct json *j = json_new_object();
		json_put(j, "file", json_new_str(file));
		json_put(j, "bytes", json_new_i64((int64_t)r.bytes));
		cli_print_json(cli, j, NULL);
		json_free(j);
	}
	return code;
}

static int run(struct cli *cli, const struct args *a)
{
	struct receiver r = {.fd = STDOUT_FILENO};
	struct err err = {0};
	if (!args_expect(a, 1, 1))
		return EXIT_USAGE;
	const char *file = a->pos[0];
	if (str_eq(file, "-") && isatty(STDOUT_FILENO))
		return cli_error(EXIT_USAGE, "a backup is not for a terminal: name a FILE");
	if (client_new(cli, &cli->client, &err) != 0)
		return cli_error(EXIT_USAGE, "%s", err.text);
	return str_eq(file, "-") ? fetch(cli, &r) : to_file(cli, file);
}

const struct command cmd_backup = {
    .name = "backup",
    .synopsis = "FILE | -",
    .summary = "Copy the running store, proven, to a file",
    .help =
	"The daemon goes on working. The copy is compacted, proven by fsck, and names its "
	"store, epoch\n"
	"and instant. Logs, rejects and the files of DAGs are not in it.\n"
	"\nExamples:\n  sluice backup /var/backups/sluice.mdb\n  sluice backup - | zstd > b.zst",
    .opts = opts,
    .run = run,
};
