/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sentry needs: runs of `sentry run` beside each other, each with one --inject. A run is a success
 * when it ends as the first, undisturbed one did (exit code and standard output), or when the
 * command given by --check says so. What the first run used is known by its coverage.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "cmd/commands.h"
#include "cmd/observe/coverage.h"
#include "cmd/observe/needs.h"
#include "cmd/options.h"
#include "sentry/syscall_table.h"

#define JOBS_MAX       64u
#define RUN_OPTIONS    64
#define TIMEOUT_FACTOR 10
#define TIMEOUT_LEAST  5000000000ull /* ns */

static const char usage[] =
	"usage: sentry needs [--check CMD] [--values] [--files] [--jobs N] [--timeout TIME]\n"
	"                    [--format table|json|csv] [-o FILE] [-O RUN-OPTION]... -- COMMAND "
	"[ARG...]\n"
	"\n"
	"Runs COMMAND again and again, each time with one call refused, stubbed or faked, and "
	"tells\n"
	"which it needs. --values and --files do the same with flags, requests and pseudo-files.\n"
	"CMD gets the run's standard output as its input and its exit code as $STATUS; it exits\n"
	"with 0 when all is well. Without it, exit code and output have to be those of the first\n"
	"run. -O passes an option on to 'sentry run'.\n";

struct attempt {
	struct need *need;
	enum need_way way;
	pid_t pid; /* 0: free */
	int output;
};

struct needs_run {
	const char *check, *format, *output;
	bool values, files;
	unsigned jobs;
	uint64_t timeout_ns;
	char *options[RUN_OPTIONS];
	int option_count;
	char **command;
	/* The first run. */
	int first_status, first_output;
	struct need *needs;
	size_t need_count;
	struct attempt attempts[JOBS_MAX];
};

static int wrong_usage(void)
{
	fputs(usage, stderr);
	return 125;
}

/* ---- one run --------------------------------------------------------------------------------- */

static _Noreturn void become(char *const *argv, int output)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || dup2(null, 0) < 0 || dup2(output, 1) < 0 || dup2(null, 2) < 0)
		_exit(125);
	execv("/proc/self/exe", argv);
	_exit(125);
}

/* `sentry run [@extra...] OPTIONS -- COMMAND`, its output into @output. */
static pid_t start(const struct needs_run *run, const char *const *extra, int output)
{
	size_t words = 4, count = 0;
	char timeout[32], **argv;
	pid_t pid;

	for (size_t i = 0; extra[i]; i++)
		words++;
	for (size_t i = 0; run->command[i]; i++)
		words++;
	argv = calloc(words + (size_t)run->option_count + 3, sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	argv[count++] = (char *)"sentry";
	argv[count++] = (char *)"run";
	if (run->timeout_ns) {
		(void)snprintf(timeout, sizeof(timeout), "%llums",
			(unsigned long long)(run->timeout_ns / 1000000 + 1));
		argv[count++] = (char *)"--timeout";
		argv[count++] = timeout;
	}
	for (size_t i = 0; extra[i]; i++)
		argv[count++] = (char *)extra[i];
	for (int i = 0; i < run->option_count; i++)
		argv[count++] = run->options[i];
	argv[count++] = (char *)"--";
	for (size_t i = 0; run->command[i]; i++)
		argv[count++] = run->command[i];
	pid = fork();
	if (pid == 0)
		become(argv, output);
	free(argv);
	return pid < 0 ? -errno : pid;
}

static int code_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return code_of(status);
}

/* The test's exit code is 0. */
static bool checked(const struct needs_run *run, int code, int output)
{
	char status[16];
	pid_t pid;

	(void)snprintf(status, sizeof(status), "%d", code);
	pid = fork();
	if (pid == 0) {
		int null = open("/dev/null", O_WRONLY);

		if (lseek(output, 0, SEEK_SET) < 0 || dup2(output, 0) < 0 || null < 0 ||
			dup2(null, 1) < 0 || setenv("STATUS", status, 1) < 0)
			_exit(125);
		execl("/bin/sh", "sh", "-c", run->check, (char *)NULL);
		_exit(125);
	}
	return pid > 0 && wait_for(pid) == 0;
}

static bool same_output(int a, int b)
{
	char one[16384], two[16384];
	off_t at = 0;

	for (;;) {
		ssize_t got = pread(a, one, sizeof(one), at);

		if (got < 0 || pread(b, two, sizeof(two), at) != got)
			return false;
		if (got == 0)
			return true;
		if (memcmp(one, two, (size_t)got) != 0)
			return false;
		at += got;
	}
}

/* ---- attempts -------------------------------------------------------------------------------- */

static const char *error_of(const struct need *need, enum need_way way)
{
	if (way == WAY_FAKED)
		return "retval=0";
	if (way == WAY_STUBBED)
		return "error=ENOSYS";
	return need->kind == NEED_CALL	 ? "error=EPERM"
	       : need->kind == NEED_FILE ? "error=ENOENT"
					 : "error=EINVAL";
}

/* The options that disturb; a pseudo-file is about every call that takes its name. */
static unsigned inject_options(const struct need *need, enum need_way way, char (*ret)[320])
{
	const char *error = error_of(need, way), *value;
	char pattern[128];
	unsigned count = 0;
	size_t used = 0;

	if (need->kind == NEED_CALL) {
		(void)snprintf(ret[0], sizeof(ret[0]), "%s:%s", need->name, error);
		return 1;
	}
	if (need->kind == NEED_VALUE) {
		const char *argument = strchr(need->name, ' ');

		value = argument ? strchr(argument + 1, ' ') : NULL;
		if (!value)
			return 0;
		(void)snprintf(ret[0], sizeof(ret[0]), "%.*s:%.*s=%s:%s",
			(int)(argument - need->name), need->name, (int)(value - argument - 1),
			argument + 1, value + 1, error);
		return 1;
	}
	/* "file /proc/N/maps": any number; "/dev/shm/" and a star: any name. */
	for (const char *at = need->name + 5; *at && used + 3 < sizeof(pattern); at++) {
		bool any = (*at == 'N' && at[-1] == '/' && (at[1] == '/' || !at[1])) ||
			   (*at == '*' && at[-1] == '/' && !at[1]);

		if (any || *at == '*' || *at == '[' || *at == '\\' || *at == ':')
			pattern[used++] = any ? '*' : '?';
		else
			pattern[used++] = *at;
	}
	pattern[used] = '\0';
	for (size_t i = 0; i < 12; i++) {
		static const char *const calls[] = {"open", "openat", "openat2", "stat", "lstat",
			"newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink",
			"readlinkat"};

		(void)snprintf(ret[count++], sizeof(ret[0]), "%s:pathname=%s:%s", calls[i], pattern,
			error);
	}
	return count;
}

static int begin_attempt(
	struct needs_run *run, struct attempt *attempt, struct need *need, enum need_way way)
{
	char rules[12][320];
	const char *extra[26] = {NULL};
	unsigned count = inject_options(need, way, rules);
	pid_t pid;

	if (count == 0)
		return -EINVAL;
	for (unsigned i = 0; i < count; i++) {
		extra[2 * i] = "--inject";
		extra[2 * i + 1] = rules[i];
	}
	attempt->output = memfd_create("output", MFD_CLOEXEC);
	if (attempt->output < 0)
		return -errno;
	pid = start(run, extra, attempt->output);
	if (pid < 0) {
		close(attempt->output);
		return pid;
	}
	attempt->pid = pid;
	attempt->need = need;
	attempt->way = way;
	return 0;
}

static void end_attempt(struct needs_run *run, struct attempt *attempt, int code)
{
	struct need *need = attempt->need;
	char *why = need->evidence[attempt->way];
	size_t room = sizeof(need->evidence[0]);
	bool good;

	if (run->check) {
		good = checked(run, code, attempt->output);
		if (!good)
			(void)snprintf(why, room, "the check failed; exit code %d", code);
	} else if (code != run->first_status) {
		good = false;
		(void)snprintf(why, room, code == 124 ? "it does not end" : "exit code %d, not %d",
			code, run->first_status);
	} else {
		good = same_output(attempt->output, run->first_output);
		if (!good)
			(void)snprintf(why, room, "its output differs");
	}
	need->answers[attempt->way] = good ? ANSWER_WORKS : ANSWER_FAILS;
	close(attempt->output);
	attempt->pid = 0;
}

static void wait_one(struct needs_run *run)
{
	int status;
	pid_t pid = waitpid(-1, &status, 0);

	for (unsigned i = 0; i < run->jobs && pid > 0; i++)
		if (run->attempts[i].pid == pid)
			end_attempt(run, &run->attempts[i], code_of(status));
}

static struct attempt *free_attempt(struct needs_run *run)
{
	for (;;) {
		for (unsigned i = 0; i < run->jobs; i++)
			if (run->attempts[i].pid == 0)
				return &run->attempts[i];
		wait_one(run);
	}
}

static bool any_attempt(const struct needs_run *run)
{
	for (unsigned i = 0; i < run->jobs; i++)
		if (run->attempts[i].pid)
			return true;
	return false;
}

static void try_all(struct needs_run *run)
{
	for (size_t i = 0; i < run->need_count; i++) {
		for (int way = 0; way < WAY_COUNT; way++) {
			/* What does not come by cannot be disturbed: it was never there. */
			if (begin_attempt(
				    run, free_attempt(run), &run->needs[i], (enum need_way)way) < 0)
				run->needs[i].answers[way] = ANSWER_UNTRIED;
		}
	}
	while (any_attempt(run))
		wait_one(run);
}

/* ---- the first run --------------------------------------------------------------------------- */

static int number_of(const char *name)
{
	for (int nr = 0; nr < LX_NR_COUNT; nr++)
		if (syscall_info[nr].name && strcmp(syscall_info[nr].name, name) == 0)
			return nr;
	return -1;
}

static bool is_wanted(
	const struct needs_run *run, const struct coverage_item *item, struct need *ret)
{
	bool file = strncmp(item->name, "file ", 5) == 0;
	bool value = !file && strchr(item->name, ' ');

	/* The program's own start is a call of who starts it. */
	if (strcmp(item->name, "execve") == 0 && item->count <= 1)
		return false;
	*ret = (struct need){.kind = file    ? NEED_FILE
				     : value ? NEED_VALUE
					     : NEED_CALL,
		.count = item->count,
		.nr = file || value ? -1 : number_of(item->name)};
	(void)snprintf(ret->name, sizeof(ret->name), "%s", item->name);
	if (file)
		return run->files;
	return value ? run->values : ret->nr >= 0;
}

static int collect(struct needs_run *run, const struct coverage *coverage)
{
	_cleanup_free_ struct coverage_item **items = coverage_sorted(coverage);
	size_t count = 0;

	while (items && items[count])
		count++;
	run->needs = calloc(count + 1, sizeof(*run->needs));
	if (!items || !run->needs)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		if (is_wanted(run, items[i], &run->needs[run->need_count]))
			run->need_count++;
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int read_coverage(struct needs_run *run, const char *file)
{
	FILE *in = fopen(file, "re");
	struct coverage *coverage = NULL;
	char *why = NULL;
	int r = in ? coverage_read(in, &coverage, &why) : -errno;

	if (in)
		(void)fclose(in);
	r = r < 0 ? r : collect(run, coverage);
	coverage_free(coverage);
	free(why);
	return r;
}

static int first_run(struct needs_run *run)
{
	char file[] = "/tmp/sentry-needs.XXXXXX";
	const char *extra[] = {"--coverage", file, NULL};
	_cleanup_close_ int fd = mkostemp(file, O_CLOEXEC);
	uint64_t begin = now_ns();
	pid_t pid;
	int r;

	if (fd < 0)
		return -errno;
	run->first_output = memfd_create("output", MFD_CLOEXEC);
	pid = run->first_output < 0 ? -errno : start(run, extra, run->first_output);
	run->first_status = pid < 0 ? pid : wait_for(pid);
	if (!run->timeout_ns)
		run->timeout_ns =
			max_of((now_ns() - begin) * TIMEOUT_FACTOR, (uint64_t)TIMEOUT_LEAST);
	r = run->first_status < 0 ? run->first_status : read_coverage(run, file);
	(void)unlink(file);
	return r;
}

/* ---- the command ----------------------------------------------------------------------------- */

static int parse_number_option(const char *text, unsigned *ret)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || value < 1 || value > JOBS_MAX)
		return -EINVAL;
	*ret = (unsigned)value;
	return 0;
}

static int parse(int argc, char **argv, struct needs_run *run)
{
	static const struct option options[] = {{"check", required_argument, NULL, 'c'},
		{"values", no_argument, NULL, 'v'}, {"files", no_argument, NULL, 'p'},
		{"jobs", required_argument, NULL, 'j'}, {"timeout", required_argument, NULL, 't'},
		{"format", required_argument, NULL, 'f'}, {"output", required_argument, NULL, 'o'},
		{"run-option", required_argument, NULL, 'O'}, {NULL, 0, NULL, 0}};
	int option;

	while ((option = getopt_long(argc, argv, "+c:vpj:t:f:o:O:", options, NULL)) >= 0) {
		switch (option) {
		case 'c':
			run->check = optarg;
			break;
		case 'v':
			run->values = true;
			break;
		case 'p':
			run->files = true;
			break;
		case 'j':
			if (parse_number_option(optarg, &run->jobs) < 0) {
				fprintf(stderr, "sentry needs: --jobs: '%s' is not 1 to %u\n",
					optarg, JOBS_MAX);
				return -EINVAL;
			}
			break;
		case 't':
			if (parse_duration(optarg, &run->timeout_ns) < 0 || !run->timeout_ns) {
				fprintf(stderr, "sentry needs: --timeout: '%s' is not a time\n",
					optarg);
				return -EINVAL;
			}
			break;
		case 'f':
			run->format = optarg;
			break;
		case 'o':
			run->output = optarg;
			break;
		case 'O':
			if (run->option_count == RUN_OPTIONS)
				return -EINVAL;
			run->options[run->option_count++] = optarg;
			break;
		default:
			return -EINVAL;
		}
	}
	run->command = argv + optind;
	if (optind == argc)
		return -EINVAL;
	if (strcmp(run->format, "table") != 0 && strcmp(run->format, "json") != 0 &&
		strcmp(run->format, "csv") != 0) {
		fprintf(stderr, "sentry needs: --format: '%s' is not table, json or csv\n",
			run->format);
		return -EINVAL;
	}
	return 0;
}

static int print(const struct needs_run *run)
{
	FILE *out = run->output ? fopen(run->output, "we") : stdout;
	int r;

	if (!out)
		return -errno;
	r = needs_print(out, run->format, run->needs, run->need_count, run->command[0]);
	if (out != stdout && fclose(out) != 0 && r == 0)
		r = -errno;
	return r;
}

int command_needs(int argc, char **argv)
{
	static struct needs_run run;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int r;

	run.format = "table";
	run.jobs = (unsigned)min_of(max_of(cpus, 1L), (long)JOBS_MAX);
	if (parse(argc, argv, &run) < 0)
		return wrong_usage();
	r = first_run(&run);
	if (r < 0) {
		fprintf(stderr, "sentry needs: the first run failed: %s\n", strerror(-r));
		return 125;
	}
	if (run.first_status >= 124 && run.first_status <= 127) {
		fprintf(stderr,
			"sentry needs: %s does not run undisturbed, exit code %d: try 'sentry "
			"run'\n",
			run.command[0], run.first_status);
		return 125;
	}
	if (run.check && !checked(&run, run.first_status, run.first_output)) {
		fprintf(stderr, "sentry needs: --check fails for the undisturbed run already\n");
		return 125;
	}
	try_all(&run);
	r = print(&run);
	if (r < 0)
		fprintf(stderr, "sentry needs: '%s': %s\n", run.output ? run.output : "stdout",
			strerror(-r));
	free(run.needs);
	return r < 0 ? 125 : 0;
}
