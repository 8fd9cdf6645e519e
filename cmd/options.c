/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vfs/guard.h"

static const char usage_text[] =
	"usage: sentry run [OPTIONS] -- COMMAND [ARG...]\n"
	"\n"
	"Runs COMMAND in a sandbox: its system calls are answered by sentry's own kernel. It sees "
	"the\n"
	"host's programs and libraries and the current directory, all read-only (its changes are "
	"kept in\n"
	"memory), and nothing else.\n"
	"\n"
	"Files\n"
	"  -v, --volume SRC:DST[:ro|rw]   show a host file or directory (default: ro)\n"
	"      --tmpfs DST[:size=SIZE]    an empty memory file system\n"
	"      --rootfs DIR               use DIR as the root file system instead of the host's "
	"programs\n"
	"  -w, --workdir DIR              start there (default: the current directory)\n"
	"      --commit                   keep the changes made in the current directory\n"
	"      --allow-path PATTERN       show and let change what is hidden or protected by name "
	"(.env,\n"
	"                                 .git/hooks...: 'sentry policy show')\n"
	"\n"
	"Program\n"
	"  -e, --env NAME[=VALUE]         set, or pass on, an environment variable\n"
	"  -u, --user UID[:GID]           run as this user of the sandbox\n"
	"      --hostname NAME            (default: sandbox)\n"
	"  -i, --interactive[=false]      keep standard input attached (the default)\n"
	"  -t, --tty                      give it a virtual terminal\n"
	"      --network none             loopback only (the default)\n"
	"\n"
	"Limits\n"
	"  -m, --memory SIZE              resident memory, as 512m or 2g (default: 1g)\n"
	"      --cpus N                   processors (default: all that sentry may use)\n"
	"      --pids-limit N             tasks (default: 128)\n"
	"      --ulimit nofile=N          open files of a process (default: 1024)\n"
	"      --timeout TIME             end everything after TIME, as 30 or 1.5 or 500ms or 2m; "
	"exit code 124\n"
	"      --cpu-time TIME            end everything after so much CPU time; exit code 124\n"
	"\n"
	"Watching\n"
	"      --strace[=FILE]            print each system call (default: to stderr)\n"
	"      --stats[=FILE]             print at the end how system calls were caught\n"
	"      --audit FILE               JSON lines: what was refused and why\n"
	"      --status-json FILE         how it ended\n"
	"      --no-patch                 leave the program's code alone: every system call traps\n"
	"      --platform systrap|ptrace  how system calls are caught (default: the first that "
	"this host can)\n"
	"\n"
	"Exit codes: the command's own; 128+n when signal n ended it; 124 time limit; 125 sentry "
	"failed;\n"
	"126 the command cannot be executed; 127 it was not found.\n";

int string_list_add(struct string_list *list, const char *string)
{
	char **items = reallocarray(list->items, list->count + 2, sizeof(*items));
	char *copy;

	if (!items)
		return -ENOMEM;
	list->items = items;
	items[list->count] = NULL;
	copy = strdup(string);
	if (!copy)
		return -ENOMEM;
	items[list->count++] = copy;
	items[list->count] = NULL;
	return 0;
}

void string_list_free(struct string_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->items[i]);
	free(list->items);
	*list = (struct string_list){0};
}

/* One line that names the problem and points at the help. */
__attribute__((format(printf, 1, 2))) static int usage_error(const char *format, ...)
{
	va_list args;

	fputs("sentry run: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("; see 'sentry run --help'\n", stderr);
	return -EINVAL;
}

/* Digits only: strtoull would take signs and spaces. */
static int parse_number(const char *text, const char **ret_end, uint64_t *ret)
{
	char *end;
	unsigned long long value;

	if (!isdigit((unsigned char)*text))
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 10);
	if (errno)
		return -ERANGE;
	*ret_end = end;
	*ret = value;
	return 0;
}

int parse_size(const char *text, uint64_t *ret)
{
	static const char suffixes[] = "bkmgt";
	const char *end, *suffix;
	uint64_t value;
	int r = parse_number(text, &end, &value);

	if (r < 0)
		return r;
	if (*end) {
		suffix = strchr(suffixes, tolower((unsigned char)*end));
		if (!suffix || (end[1] && (tolower((unsigned char)end[1]) != 'b' || end[2])))
			return -EINVAL;
		if (__builtin_mul_overflow(value, 1ull << (10 * (suffix - suffixes)), &value))
			return -ERANGE;
	}
	*ret = value;
	return 0;
}

int parse_duration(const char *text, uint64_t *ret)
{
	static const struct {
		const char *suffix;
		double seconds;
	} units[] = {{"", 1}, {"s", 1}, {"ms", 1e-3}, {"m", 60}, {"h", 3600}};
	char *end;
	double value;

	if (!isdigit((unsigned char)*text) && *text != '.')
		return -EINVAL;
	value = strtod(text, &end);
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(end, units[i].suffix) != 0)
			continue;
		value *= units[i].seconds * 1e9;
		if (!(value >= 0 && value < 9e18))
			return -ERANGE;
		*ret = (uint64_t)value;
		return 0;
	}
	return -EINVAL;
}

static int parse_count(
	const char *option, const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
	const char *end;
	uint64_t value;

	if (parse_number(text, &end, &value) < 0 || *end)
		return usage_error("%s: '%s' is not a number", option, text);
	if (value < min || value > max)
		return usage_error("%s: %s is out of range (%llu to %llu)", option, text,
			(unsigned long long)min, (unsigned long long)max);
	*ret = value;
	return 0;
}

static int parse_user(const char *text, struct run_options *options)
{
	const char *end;
	uint64_t uid, gid;

	if (parse_number(text, &end, &uid) < 0 || uid > UINT32_MAX - 1)
		return usage_error("--user: '%s' is not UID[:GID] in numbers", text);
	gid = uid;
	if (*end == ':' && (parse_number(end + 1, &end, &gid) < 0 || gid > UINT32_MAX - 1))
		return usage_error("--user: '%s' is not UID[:GID] in numbers", text);
	if (*end)
		return usage_error("--user: '%s' is not UID[:GID] in numbers", text);
	options->has_user = true;
	options->uid = (uint32_t)uid;
	options->gid = (uint32_t)gid;
	return 0;
}

static int parse_env(const char *text, struct run_options *options)
{
	char *word;
	const char *value;
	int r;

	if (!*text || *text == '=')
		return usage_error("--env: '%s' has no name", text);
	if (strchr(text, '='))
		return string_list_add(&options->env, text);
	value = getenv(text);
	if (!value)
		return 0; /* as docker: a variable that is not set here is not set there */
	if (asprintf(&word, "%s=%s", text, value) < 0)
		return -ENOMEM;
	r = string_list_add(&options->env, word);
	free(word);
	return r;
}

static int parse_allowed(const char *text, struct run_options *options)
{
	const char *wrong = guard_pattern_error(text);

	if (wrong)
		return usage_error("--allow-path: '%s' %s", text, wrong);
	return string_list_add(&options->allowed, text);
}

static int parse_hostname(const char *text, struct run_options *options)
{
	size_t size = strlen(text);

	if (size < 1 || size > 64 ||
		strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") !=
			size)
		return usage_error("--hostname: '%s' is not a host name", text);
	options->hostname = text;
	return 0;
}

static int parse_bool_flag(const char *option, const char *text, bool *ret)
{
	if (!text || strcmp(text, "true") == 0)
		*ret = true;
	else if (strcmp(text, "false") == 0)
		*ret = false;
	else
		return usage_error("%s: '%s' is neither true nor false", option, text);
	return 0;
}

enum {
	OPT_TMPFS = 256,
	OPT_ROOTFS,
	OPT_COMMIT,
	OPT_ALLOW_PATH,
	OPT_HOSTNAME,
	OPT_NETWORK,
	OPT_CPUS,
	OPT_PIDS,
	OPT_ULIMIT,
	OPT_TIMEOUT,
	OPT_CPU_TIME,
	OPT_STRACE,
	OPT_AUDIT,
	OPT_STATUS,
	OPT_PLATFORM,
	OPT_INTERACTIVE,
	OPT_NO_PATCH,
	OPT_STATS,
};

static const struct option long_options[] = {
	{"volume", required_argument, NULL, 'v'},
	{"tmpfs", required_argument, NULL, OPT_TMPFS},
	{"rootfs", required_argument, NULL, OPT_ROOTFS},
	{"workdir", required_argument, NULL, 'w'},
	{"commit", no_argument, NULL, OPT_COMMIT},
	{"allow-path", required_argument, NULL, OPT_ALLOW_PATH},
	{"env", required_argument, NULL, 'e'},
	{"user", required_argument, NULL, 'u'},
	{"hostname", required_argument, NULL, OPT_HOSTNAME},
	{"interactive", optional_argument, NULL, OPT_INTERACTIVE},
	{"tty", no_argument, NULL, 't'},
	{"network", required_argument, NULL, OPT_NETWORK},
	{"memory", required_argument, NULL, 'm'},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"pids-limit", required_argument, NULL, OPT_PIDS},
	{"ulimit", required_argument, NULL, OPT_ULIMIT},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"cpu-time", required_argument, NULL, OPT_CPU_TIME},
	{"strace", optional_argument, NULL, OPT_STRACE},
	{"stats", optional_argument, NULL, OPT_STATS},
	{"audit", required_argument, NULL, OPT_AUDIT},
	{"status-json", required_argument, NULL, OPT_STATUS},
	{"platform", required_argument, NULL, OPT_PLATFORM},
	{"no-patch", no_argument, NULL, OPT_NO_PATCH},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static int parse_limit(int option, const char *text, struct run_options *options)
{
	uint64_t value;

	switch (option) {
	case 'm':
		if (parse_size(text, &value) < 0)
			return usage_error("--memory: '%s' is not a size (as 512m or 2g)", text);
		if (value < 16ull << 20)
			return usage_error(
				"--memory: %s is less than the least that works, 16m", text);
		options->memory_limit = value;
		return 0;
	case OPT_CPUS:
		return parse_count("--cpus", text, 1, CPU_SETSIZE, &options->cpus);
	case OPT_PIDS:
		return parse_count("--pids-limit", text, 1, 4096, &options->pids_limit);
	case OPT_ULIMIT:
		if (strncmp(text, "nofile=", 7) != 0)
			return usage_error("--ulimit: '%s': only nofile=N is known", text);
		return parse_count("--ulimit nofile", text + 7, 16, 65536, &options->nofile_limit);
	case OPT_TIMEOUT:
		if (parse_duration(text, &options->timeout_ns) < 0 || !options->timeout_ns)
			return usage_error(
				"--timeout: '%s' is not a time (as 30, 1.5, 500ms, 2m)", text);
		return 0;
	default:
		if (parse_duration(text, &options->cpu_time_ns) < 0 || !options->cpu_time_ns)
			return usage_error(
				"--cpu-time: '%s' is not a time (as 30, 1.5, 500ms, 2m)", text);
		return 0;
	}
}

static int parse_one(int option, const char *arg, struct run_options *options)
{
	bool interactive;
	int r;

	switch (option) {
	case 'v':
		if (!strchr(arg, ':'))
			return usage_error("--volume: '%s' is not SRC:DST[:ro|rw]", arg);
		return string_list_add(&options->volumes, arg);
	case OPT_TMPFS:
		if (*arg != '/')
			return usage_error("--tmpfs: '%s' is not an absolute path", arg);
		return string_list_add(&options->tmpfs, arg);
	case OPT_ROOTFS:
		options->rootfs = arg;
		return 0;
	case 'w':
		options->workdir = arg;
		return 0;
	case OPT_COMMIT:
		options->commit = true;
		return 0;
	case OPT_ALLOW_PATH:
		return parse_allowed(arg, options);
	case 'e':
		return parse_env(arg, options);
	case 'u':
		return parse_user(arg, options);
	case OPT_HOSTNAME:
		return parse_hostname(arg, options);
	case 'i':
	case OPT_INTERACTIVE:
		r = parse_bool_flag("--interactive", option == 'i' ? NULL : arg, &interactive);
		options->no_stdin = r == 0 && !interactive;
		return r;
	case 't':
		options->terminal = true;
		return 0;
	case OPT_NETWORK:
		if (strcmp(arg, "none") != 0)
			return usage_error("--network: '%s': only none is available", arg);
		return 0;
	case OPT_STRACE:
		options->strace = true;
		options->strace_file = arg;
		return 0;
	case OPT_STATS:
		options->stats = true;
		options->stats_file = arg;
		return 0;
	case OPT_AUDIT:
		options->audit_file = arg;
		return 0;
	case OPT_STATUS:
		options->status_file = arg;
		return 0;
	case OPT_NO_PATCH:
		options->no_patch = true;
		return 0;
	case OPT_PLATFORM:
		if (strcmp(arg, "systrap") != 0 && strcmp(arg, "ptrace") != 0)
			return usage_error("--platform: '%s' is neither systrap nor ptrace", arg);
		options->platform = arg;
		return 0;
	default:
		return parse_limit(option, arg, options);
	}
}

int run_options_parse(int argc, char **argv, struct run_options *ret)
{
	struct run_options options = {
		.hostname = "sandbox",
		.memory_limit = 1ull << 30,
		.pids_limit = 128,
		.nofile_limit = 1024,
	};
	int option, r;

	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:v:w:e:u:m:ith", long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			r = 1;
			goto fail;
		}
		if (option == '?' || option == ':') {
			const char *word = argv[optind - 1];

			if (option == ':')
				r = usage_error("option '%s' needs a value", word);
			else if (optopt && optopt < 256)
				r = usage_error("unknown option '-%c'", optopt);
			else
				r = usage_error("unknown option '%s'", word);
			goto fail;
		}
		r = parse_one(option, optarg, &options);
		if (r == -ENOMEM)
			usage_error("out of memory");
		if (r < 0)
			goto fail;
	}
	if (optind >= argc) {
		r = usage_error("no command given");
		goto fail;
	}
	if (!argv[optind][0]) {
		r = usage_error("the command is empty");
		goto fail;
	}
	options.argv = argv + optind;
	*ret = options;
	return 0;
fail:
	run_options_free(&options);
	return r;
}

void run_options_free(struct run_options *options)
{
	string_list_free(&options->volumes);
	string_list_free(&options->tmpfs);
	string_list_free(&options->env);
	string_list_free(&options->allowed);
}
