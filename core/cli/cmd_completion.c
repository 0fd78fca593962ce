/* cmd_completion.c: `sluice completion bash|zsh|fish`: scripts made from the commands' own tables.
 * What stands in a synopsis says what may follow: lower-case words are words, RUN, DAG, FILE, PATH
 * and DIR are looked up. Names of DAGs and runs come from the daemon at completion time
 * (`sluice completion dags|runs`): within a second, and silently nothing where it is down. */
#include "core/base/mem.h"
#include "core/cli/args.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define ANSWER_S 1
#define WORDS_MAX (1u << 16)

static const struct cli_opt opts[] = {
    {NULL, NULL, NULL, 0},
};

/* ---- what may stand behind a command ---- */

struct behind {
	struct str words; /* "list show new" */
	bool dags, runs, files;
};

static bool is_word(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!islower((unsigned char)s[i]))
			return false;
	return n > 1;
}

static void take_token(struct behind *b, const char *s, size_t n)
{
	static const struct {
		const char *name;
		int what;
	} known[] = {{"DAG", 'd'}, {"RUN", 'r'}, {"FILE", 'f'}, {"PATH", 'f'}, {"DIR", 'f'}};
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (strlen(known[i].name) > n ||
		    memcmp(s, known[i].name, strlen(known[i].name)) != 0)
			continue;
		b->dags |= known[i].what == 'd';
		b->runs |= known[i].what == 'r';
		b->files |= known[i].what == 'f';
		return;
	}
	if (is_word(s, n)) {
		str_add(&b->words, b->words.len ? " " : "");
		str_addn(&b->words, s, n);
	}
}

/* Tokens of a synopsis but options and their values. */
static void behind_init(struct behind *b, const char *synopsis)
{
	static const char *const apart = " |[]";
	bool value = false;
	memset(b, 0, sizeof(*b));
	str_init(&b->words, WORDS_MAX);
	for (const char *p = synopsis; *p;) {
		size_t n = strcspn(p, apart);
		if (n && p[0] == '-') {
			value = p[n] == ' ' && !strchr("|[-", p[n + 1]);
		} else if (n) {
			if (!value)
				take_token(b, p, n);
			value = value && p[n] == '|'; /* --state succeeded|failed */
		}
		p += n;
		value = value && p[0] != ']';
		p += *p != '\0';
	}
}

/* The values of an option as words, where its table names them: "each|once|none". */
static bool value_words(const struct cli_opt *o, struct str *out)
{
	if (str_eq(o->name, "output")) {
		str_add(out, "text json ndjson");
		return true;
	}
	if (!o->value || !strchr(o->value, '|'))
		return false;
	for (const char *p = o->value; *p; p++)
		str_addn(out, *p == '|' ? " " : p, 1);
	return true;
}

static const char *value_kind(const struct cli_opt *o)
{
	if (!o->value || o->value[0] == '[')
		return NULL;
	if (str_eq(o->value, "DAG"))
		return "dags";
	if (str_eq(o->value, "RUN"))
		return "runs";
	return str_eq(o->value, "FILE") ? "files" : "none";
}

/* ---- bash and zsh ---- */

static void print_options(const struct cli_opt *table)
{
	for (; table && table->name; table++)
		printf(" --%s", table->name);
}

/* `case $previous in -o | --output) values=… ;;` */
static void print_values(const struct cli_opt *table)
{
	for (; table && table->name; table++) {
		const char *kind = value_kind(table);
		struct str words;
		str_init(&words, WORDS_MAX);
		bool choices = value_words(table, &words);
		if (choices || kind)
			fputs("\t\t", stdout);
		if ((choices || kind) && table->letter)
			printf("-%c | ", table->letter);
		if (choices)
			printf("--%s) values='%s' ;;\n", table->name, str_peek(&words));
		else if (kind)
			printf("--%s) kinds=%s options='' words='' ;;\n", table->name, kind);
		str_done(&words);
	}
}

static void print_names_of_commands(void)
{
	for (const struct command *const *c = commands; *c; c++)
		printf("%s ", (*c)->name);
}

static void print_case(const struct command *c)
{
	struct behind b;
	behind_init(&b, c->synopsis);
	printf("\t%s)\n\t\toptions='", c->name);
	print_options(c->opts);
	print_options(global_opts);
	printf("' words='%s' kinds='%s%s%s'\n\t\tcase $previous in\n", str_peek(&b.words),
	    b.dags ? "dags " : "", b.runs ? "dags runs " : "", b.files ? "files" : "");
	print_values(c->opts);
	print_values(global_opts);
	puts("\t\tesac ;;");
	str_done(&b.words);
}

/* Words stand directly behind the command. */
static void print_cases(const char *first)
{
	puts("\tcase $command in");
	for (const struct command *const *c = commands; *c; c++)
		print_case(*c);
	fputs("\thelp) words='", stdout);
	print_names_of_commands();
	printf("' ;;\n\tesac\n\t%s || words=''\n", first);
}

static void print_bash(void)
{
	printf("# bash completion of sluice, made by: sluice completion bash\n"
	       "_sluice() {\n"
	       "\tlocal current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}\n"
	       "\tlocal command=${COMP_WORDS[1]-} options='' words='' kinds='' values='' kind\n"
	       "\tCOMPREPLY=()\n"
	       "\tif [ \"$COMP_CWORD\" -le 1 ]; then\n"
	       "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	print_names_of_commands();
	puts("help' -- \"$current\")\n\t\treturn\n\tfi");
	print_cases("[ \"$COMP_CWORD\" = 2 ]");
	puts("\tif [ -n \"$values\" ]; then\n"
	     "\t\tmapfile -t COMPREPLY < <(compgen -W \"$values\" -- \"$current\")\n"
	     "\t\treturn\n"
	     "\tfi\n"
	     "\tcase $current in\n"
	     "\t-*) words=$options kinds='' ;;\n"
	     "\tesac\n"
	     "\tfor kind in $kinds; do\n"
	     "\t\tcase $kind in\n"
	     "\t\tdags | runs) words=\"$words $(command \"${COMP_WORDS[0]}\" completion \"$kind\" "
	     "2>/dev/null)\" ;;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$current\")\n"
	     "\tcase \" $kinds \" in\n"
	     "\t*' files '*)\n"
	     "\t\tmapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- \"$current\")\n"
	     "\t\tcompopt -o filenames 2>/dev/null ;;\n"
	     "\tesac\n"
	     "}\n"
	     "complete -F _sluice sluice");
}

/* Within single quotes, and without what _describe and fish take for their own. */
static void print_quoted(const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", stdout);
		else if (*s == ':')
			fputs("\\:", stdout);
		else
			putchar(*s);
	}
}

static void print_zsh(void)
{
	puts("#compdef sluice\n"
	     "# zsh completion of sluice, made by: sluice completion zsh\n"
	     "_sluice() {\n"
	     "\tlocal command=${words[2]-} previous=${words[CURRENT-1]-} "
	     "current=${words[CURRENT]-}\n"
	     "\tlocal self=${words[1]} at=$CURRENT options= kinds= values= kind\n"
	     "\tlocal -a commands names\n"
	     "\tcommands=(");
	for (const struct command *const *c = commands; *c; c++) {
		printf("\t\t'%s:", (*c)->name);
		print_quoted((*c)->summary);
		puts("'");
	}
	puts("\t\t'help:Print the help of a command'\n"
	     "\t)\n"
	     "\tif (( CURRENT == 2 )); then\n"
	     "\t\t_describe command commands\n"
	     "\t\treturn\n"
	     "\tfi\n"
	     "\tlocal words=");
	print_cases("(( at == 3 ))");
	puts("\tif [[ -n $values ]]; then\n"
	     "\t\tcompadd -- ${=values}\n"
	     "\t\treturn\n"
	     "\tfi\n"
	     "\tif [[ $current == -* ]]; then\n"
	     "\t\tcompadd -- ${=options}\n"
	     "\t\treturn\n"
	     "\tfi\n"
	     "\tfor kind in ${=kinds}; do\n"
	     "\t\tcase $kind in\n"
	     "\t\tdags|runs) names+=(${(f)\"$(command $self completion $kind 2>/dev/null)\"}) ;;\n"
	     "\t\tfiles) _files ;;\n"
	     "\t\tesac\n"
	     "\tdone\n"
	     "\tcompadd -- ${=words} $names\n"
	     "}\n"
	     "if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n"
	     "\t_sluice \"$@\"\n"
	     "else\n"
	     "\tcompdef _sluice sluice\n"
	     "fi");
}

/* ---- fish ---- */

static void print_fish_text(const char *s)
{
	putchar('\'');
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('\'');
}

static void print_fish_options(const char *when, const struct cli_opt *table)
{
	for (; table && table->name; table++) {
		const char *kind = value_kind(table);
		struct str words;
		str_init(&words, WORDS_MAX);
		printf("complete -c sluice -n %s -l %s", when, table->name);
		if (table->letter)
			printf(" -s %c", table->letter);
		if (value_words(table, &words))
			printf(" -xa '%s'", str_peek(&words));
		else if (str_eq(kind, "files"))
			fputs(" -rF", stdout);
		else if (kind && !str_eq(kind, "none"))
			printf(" -xa '(sluice completion %s 2>/dev/null)'", kind);
		else if (kind)
			fputs(" -x", stdout);
		fputs(" -d ", stdout);
		print_fish_text(table->doc);
		putchar('\n');
		str_done(&words);
	}
}

static void print_fish(void)
{
	puts("# fish completion of sluice, made by: sluice completion fish\ncomplete -c sluice -f");
	for (const struct command *const *c = commands; *c; c++) {
		struct behind b;
		struct str when;
		behind_init(&b, (*c)->synopsis);
		str_init(&when, 256);
		str_addf(&when, "'__fish_seen_subcommand_from %s'", (*c)->name);
		printf("complete -c sluice -n __fish_use_subcommand -a %s -d ", (*c)->name);
		print_fish_text((*c)->summary);
		putchar('\n');
		if (b.words.len)
			printf("complete -c sluice -n '__fish_seen_subcommand_from %s; and test "
			       "(count (commandline -opc)) = 2' -a '%s'\n",
			    (*c)->name, str_peek(&b.words));
		if (b.dags || b.runs)
			printf(
			    "complete -c sluice -n %s -a '(sluice completion dags 2>/dev/null)'\n",
			    str_peek(&when));
		if (b.runs)
			printf(
			    "complete -c sluice -n %s -a '(sluice completion runs 2>/dev/null)'\n",
			    str_peek(&when));
		if (b.files)
			printf("complete -c sluice -n %s -F\n", str_peek(&when));
		print_fish_options(str_peek(&when), (*c)->opts);
		print_fish_options(str_peek(&when), global_opts);
		str_done(&when);
		str_done(&b.words);
	}
	fputs("complete -c sluice -n __fish_use_subcommand -a help\n"
	      "complete -c sluice -n '__fish_seen_subcommand_from help' -a '",
	    stdout);
	print_names_of_commands();
	puts("'");
}

/* ---- names from the daemon ---- */

static void on_alarm(int number)
{
	(void)number;
	_exit(EXIT_OK);
}

static int print_names(struct cli *cli, const char *path, const char *noun, const char *key)
{
	struct json *page = NULL;
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_alarm}, NULL);
	alarm(ANSWER_S); /* a shell waits for this */
	if (!freopen("/dev/null", "w", stderr))
		return EXIT_OK;
	if (cli_try(cli, "GET", path, NULL, &page, NULL) == EXIT_OK)
		for (const struct json *j = json_first(json_get(page, noun)); j; j = json_next(j))
			puts(json_get_str(j, key, ""));
	json_free(page);
	return EXIT_OK;
}

static int run(struct cli *cli, const struct args *a)
{
	if (!args_expect(a, 1, 1))
		return EXIT_USAGE;
	if (str_eq(a->pos[0], "bash"))
		print_bash();
	else if (str_eq(a->pos[0], "zsh"))
		print_zsh();
	else if (str_eq(a->pos[0], "fish"))
		print_fish();
	else if (str_eq(a->pos[0], "dags"))
		return print_names(cli, "/v1/dags?limit=1000", "dags", "dag");
	else if (str_eq(a->pos[0], "runs"))
		return print_names(cli, "/v1/runs?limit=50", "runs", "id");
	else
		return cli_error(
		    EXIT_USAGE, "completion is for bash, zsh or fish, not \"%s\"", a->pos[0]);
	return EXIT_OK;
}

const struct command cmd_completion = {
    .name = "completion",
    .synopsis = "bash | zsh | fish | dags | runs",
    .summary = "Print a completion script for a shell",
    .help = "Names of DAGs and runs are asked of the daemon while completing; `dags` and `runs`\n"
	    "print them, or nothing where no daemon answers within a second.\n"
	    "\nExamples:\n  . <(sluice completion bash)\n"
	    "  sluice completion fish > ~/.config/fish/completions/sluice.fish",
    .opts = opts,
    .run = run,
};
