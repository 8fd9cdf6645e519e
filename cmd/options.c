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

#include "base/checked.h"
#include "base/cleanup.h"
#include "cmd/observe/observer.h"
#include "cmd/observe/select.h"
#include "cmd/policy.h"
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
	"\n"
	"Network\n"
	"      --network none|gateway|tap:IF|packet:IF\n"
	"                                 loopback only (the default); what rules allow; frames to "
	"a "
	"TAP or\n"
	"                                 another Ethernet interface of the host "
	"(docs/network.md)\n"
	"      --allow-egress RULE        PROTO:HOST:PORTS, as tcp:pypi.org:443, "
	"tcp:*.example.org:80,443,\n"
	"                                 udp:192.0.2.0/24:*, 'tcp:[2001:db8::1]:22'; turns the "
	"gateway on\n"
	"  -p, --publish [IP:]HOST:GUEST[/udp]\n"
	"                                 a port of the host leads to one of the program; "
	"likewise\n"
	"      --dns ADDRESS[:PORT]       name server to ask (default: the host's; none with tap, "
	"packet)\n"
	"      --ip, --ip6 ADDRESS/LENGTH with tap, packet: the program's addresses (default for "
	"IPv6: as\n"
	"                                 routers announce)\n"
	"      --gateway ADDRESS          with tap, packet: the default router, of IPv4 and of "
	"IPv6\n"
	"      --mac-address ADDRESS      with tap, packet (default: one made of IF's)\n"
	"\n"
	"Policy\n"
	"      --policy FILE              options from a file (docs/policy.md); those given here "
	"beat "
	"it\n"
	"      --profile NAME             limits for a kind of program; agent: 30 s, 10 s of CPU, "
	"512 MiB,\n"
	"                                 64 tasks, 8 MiB of output\n"
	"\n"
	"Limits\n"
	"  -m, --memory SIZE              resident memory, as 512m or 2g (default: 1g)\n"
	"      --cpus N                   processors (default: all that sentry may use)\n"
	"      --pids-limit N             tasks (default: 128)\n"
	"      --ulimit nofile=N          open files of a process (default: 1024)\n"
	"      --timeout TIME             end everything after TIME, as 30 or 1.5 or 500ms or 2m; "
	"exit code 124\n"
	"      --cpu-time TIME            end everything after so much CPU time; exit code 124\n"
	"      --output-limit SIZE        end everything after so much on stdout and stderr; exit "
	"code "
	"124\n"
	"\n"
	"Watching\n"
	"      --strace[=FILE]            print each system call (default: to stderr)\n"
	"      --stats[=FILE]             print at the end how system calls were caught\n"
	"      --trace FILE               record each call: JSON lines, or what --trace-format "
	"says\n"
	"      --trace LIST               only these: 'file,net,!futex', names and classes of "
	"calls\n"
	"      --trace-all                also what is answered within the guest, at some cost\n"
	"      --trace-format FORMAT      json, binary (for 'sentry trace cat') or text\n"
	"      --coverage FILE            add up which calls, flags and requests were used\n"
	"      --inject SET:WHAT[:WHEN]   change calls: 'openat:error=ENOSPC:when=3+2', as strace "
	"has it\n"
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

/* Where usage errors go instead of stderr, while a policy file is read. */
static struct {
	char *why; /* NULL: stderr */
	size_t size;
} error_sink;

/* One line that names the problem and points at the help. */
__attribute__((format(printf, 1, 2))) static int usage_error(const char *format, ...)
{
	va_list args;

	if (error_sink.why) {
		va_start(args, format);
		vsnprintf(error_sink.why, error_sink.size, format, args);
		va_end(args);
		return -EINVAL;
	}
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
		value = value * units[i].seconds * 1e3 + 0.5;
		if (!(value >= 0 && value < 1e12)) /* some thirty years */
			return -ERANGE;
		*ret = (uint64_t)value * 1000000;
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

/* A list of calls, or a file: what is both is a list ("./file" is a file). */
static int take_trace(struct run_options *options, const char *arg)
{
	const char *bad;

	if (select_is_list(arg)) {
		options->trace_chosen = true;
		(void)select_parse(arg, options->trace_calls, &bad);
		return 0;
	}
	/* With these it is no name that anybody would give to a file. */
	if (strpbrk(arg, ",!") && select_parse(arg, options->trace_calls, &bad) < 0)
		return usage_error(
			"--trace: '%s': no call or class of calls begins at '%s'", arg, bad);
	options->trace_file = arg;
	return 0;
}

static int take_trace_format(struct run_options *options, const char *arg)
{
	static const char *const names[] = {
		[TRACE_JSON] = "json", [TRACE_BINARY] = "binary", [TRACE_TEXT] = "text"};

	for (size_t i = 0; i < array_size(names); i++) {
		if (strcmp(arg, names[i]) == 0) {
			options->trace_format = (uint8_t)i;
			return 0;
		}
	}
	return usage_error("--trace-format: '%s' is not json, binary or text", arg);
}

static int take_inject(struct run_options *options, const char *arg)
{
	const char *bad, *why;

	if (options->inject_count == INJECT_RULES_MAX)
		return usage_error("--inject: there are %u rules already", INJECT_RULES_MAX);
	if (inject_parse(arg, &options->inject[options->inject_count], &bad, &why) < 0)
		return usage_error(
			"--inject: '%s': at character %zu: %s", arg, (size_t)(bad - arg) + 1, why);
	options->inject_count++;
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

/* A pattern of names; ./NAME is below where we stand. */
static int parse_pattern(const char *what, const char *text, struct string_list *list)
{
	_cleanup_free_ char *here = NULL, *whole = NULL;
	const char *wrong;

	if (strncmp(text, "./", 2) == 0) {
		here = getcwd(NULL, 0);
		if (!here)
			return usage_error("%s: the current directory cannot be named", what);
		if (asprintf(&whole, "%s%s", strcmp(here, "/") == 0 ? "" : here, text + 1) < 0) {
			whole = NULL;
			return -ENOMEM;
		}
		text = whole;
	}
	wrong = guard_pattern_error(text);
	if (wrong)
		return usage_error("%s: '%s' %s", what, text, wrong);
	return string_list_add(list, text);
}

/* "@default" stands for the built-in list. */
static int parse_guarded(
	const char *what, const char *text, const char *const *defaults, struct string_list *list)
{
	int r = 0;

	if (strcmp(text, "@default") != 0)
		return parse_pattern(what, text, list);
	for (size_t i = 0; defaults[i] && r == 0; i++)
		r = string_list_add(list, defaults[i]);
	return r;
}

static int parse_network(const char *text, struct run_options *options)
{
	const char *wrong = network_parse(text, &options->network, &options->link);

	return wrong ? usage_error("--network: '%s' %s", text, wrong) : 0;
}

int run_option_rule(
	struct run_options *options, const struct gate_rule *rule, char *why, size_t why_size)
{
	int r = gate_rules_add(&options->egress, rule);

	if (r != -E2BIG)
		return r;
	(void)snprintf(why, why_size, "more than %u rules", GATE_RULES_MAX);
	return -EINVAL;
}

static int parse_egress(const char *text, struct run_options *options)
{
	struct gate_rule rule;
	char why[512];
	int r = gate_rule_parse(text, &rule, why, sizeof(why));

	r = r < 0 ? r : run_option_rule(options, &rule, why, sizeof(why));
	return r == -EINVAL ? usage_error("--allow-egress: %s", why) : r;
}

static int parse_publish(const char *text, struct run_options *options)
{
	struct string_list *texts = &options->publish_texts;
	char why[512];

	if (texts->count == GATE_PUBLISH_MAX)
		return usage_error("--publish: more than %u ports", GATE_PUBLISH_MAX);
	if (gate_publish_parse(text, &options->publish[texts->count], why, sizeof(why)) < 0)
		return usage_error("--publish: %s", why);
	return string_list_add(texts, text);
}

static int parse_dns(const char *text, struct run_options *options)
{
	struct gate_name name;

	if (gate_server_parse(text, &name) < 0)
		return usage_error("--dns: '%s' is not ADDRESS[:PORT]", text);
	if (options->dns.count == 8)
		return usage_error("--dns: more than 8 name servers");
	return string_list_add(&options->dns, text);
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

/* ---- limits ---------------------------------------------------------------------------------- */

static uint64_t *limit_of(struct run_options *options, enum option_limit limit)
{
	switch (limit) {
	case LIMIT_MEMORY:
		return &options->memory_limit;
	case LIMIT_CPUS:
		return &options->cpus;
	case LIMIT_PIDS:
		return &options->pids_limit;
	case LIMIT_NOFILE:
		return &options->nofile_limit;
	case LIMIT_TIMEOUT:
		return &options->timeout_ns;
	case LIMIT_CPU_TIME:
		return &options->cpu_time_ns;
	default:
		return &options->output_limit;
	}
}

static int set_limit(struct run_options *options, enum option_limit limit, uint64_t value,
	enum option_level level)
{
	if (level >= options->levels[limit]) {
		options->levels[limit] = (uint8_t)level;
		*limit_of(options, limit) = value;
	}
	return 0;
}

static const struct {
	const char *name;
	uint64_t limits[LIMIT_COUNT]; /* 0: none of its own */
} profiles[] = {
	{"agent",
		{
			[LIMIT_TIMEOUT] = 30000000000ull,
			[LIMIT_CPU_TIME] = 10000000000ull,
			[LIMIT_MEMORY] = 512ull << 20,
			[LIMIT_PIDS] = 64,
			[LIMIT_OUTPUT] = 8ull << 20,
		}},
};

static int parse_profile(const char *text, struct run_options *options, enum option_level level)
{
	level = level == OPTION_FILE ? OPTION_FILE_PROFILE : OPTION_PROFILE;
	for (size_t i = 0; i < sizeof(profiles) / sizeof(profiles[0]); i++) {
		if (strcmp(text, profiles[i].name) != 0)
			continue;
		for (unsigned limit = 0; limit < LIMIT_COUNT; limit++)
			if (profiles[i].limits[limit])
				(void)set_limit(options, limit, profiles[i].limits[limit], level);
		return 0;
	}
	return usage_error("--profile: '%s': only agent is known", text);
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
	OPT_TRACE,
	OPT_TRACE_ALL,
	OPT_TRACE_FORMAT,
	OPT_COVERAGE,
	OPT_INJECT,
	OPT_AUDIT,
	OPT_STATUS,
	OPT_PLATFORM,
	OPT_INTERACTIVE,
	OPT_NO_PATCH,
	OPT_STATS,
	OPT_POLICY,
	OPT_PROFILE,
	OPT_OUTPUT,
	OPT_HIDDEN,
	OPT_PROTECTED,
	OPT_ALLOWED,
	OPT_NOFILE,
	OPT_EGRESS,
	OPT_DNS,
	OPT_IP,
	OPT_IP6,
	OPT_GATEWAY,
	OPT_MAC,
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
	{"allow-egress", required_argument, NULL, OPT_EGRESS},
	{"publish", required_argument, NULL, 'p'},
	{"dns", required_argument, NULL, OPT_DNS},
	{"ip", required_argument, NULL, OPT_IP},
	{"ip6", required_argument, NULL, OPT_IP6},
	{"gateway", required_argument, NULL, OPT_GATEWAY},
	{"mac-address", required_argument, NULL, OPT_MAC},
	{"memory", required_argument, NULL, 'm'},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"pids-limit", required_argument, NULL, OPT_PIDS},
	{"ulimit", required_argument, NULL, OPT_ULIMIT},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"cpu-time", required_argument, NULL, OPT_CPU_TIME},
	{"trace", required_argument, NULL, OPT_TRACE},
	{"trace-all", no_argument, NULL, OPT_TRACE_ALL},
	{"trace-format", required_argument, NULL, OPT_TRACE_FORMAT},
	{"coverage", required_argument, NULL, OPT_COVERAGE},
	{"inject", required_argument, NULL, OPT_INJECT},
	{"strace", optional_argument, NULL, OPT_STRACE},
	{"stats", optional_argument, NULL, OPT_STATS},
	{"audit", required_argument, NULL, OPT_AUDIT},
	{"status-json", required_argument, NULL, OPT_STATUS},
	{"platform", required_argument, NULL, OPT_PLATFORM},
	{"no-patch", no_argument, NULL, OPT_NO_PATCH},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"profile", required_argument, NULL, OPT_PROFILE},
	{"output-limit", required_argument, NULL, OPT_OUTPUT},
	{"help", no_argument, NULL, 'h'},
	{0},
};

static int parse_time(const char *option, const char *text, uint64_t *ret)
{
	if (parse_duration(text, ret) < 0 || !*ret)
		return usage_error("%s: '%s' is not a time (as 30, 1.5, 500ms, 2m)", option, text);
	return 0;
}

static int parse_limit(
	int option, const char *text, struct run_options *options, enum option_level level)
{
	uint64_t value;
	int r;

	switch (option) {
	case 'm':
		if (parse_size(text, &value) < 0)
			return usage_error("--memory: '%s' is not a size (as 512m or 2g)", text);
		if (value < 16ull << 20)
			return usage_error(
				"--memory: %s is less than the least that works, 16m", text);
		return set_limit(options, LIMIT_MEMORY, value, level);
	case OPT_OUTPUT:
		if (parse_size(text, &value) < 0 || !value)
			return usage_error(
				"--output-limit: '%s' is not a size (as 64k or 8m)", text);
		return set_limit(options, LIMIT_OUTPUT, value, level);
	case OPT_CPUS:
		r = parse_count("--cpus", text, 1, CPU_SETSIZE, &value);
		return r < 0 ? r : set_limit(options, LIMIT_CPUS, value, level);
	case OPT_PIDS:
		r = parse_count("--pids-limit", text, 1, 4096, &value);
		return r < 0 ? r : set_limit(options, LIMIT_PIDS, value, level);
	case OPT_ULIMIT:
	case OPT_NOFILE:
		if (option == OPT_ULIMIT && strncmp(text, "nofile=", 7) != 0)
			return usage_error("--ulimit: '%s': only nofile=N is known", text);
		text += option == OPT_ULIMIT ? 7 : 0;
		r = parse_count("--ulimit nofile", text, 16, 65536, &value);
		return r < 0 ? r : set_limit(options, LIMIT_NOFILE, value, level);
	case OPT_TIMEOUT:
		r = parse_time("--timeout", text, &value);
		return r < 0 ? r : set_limit(options, LIMIT_TIMEOUT, value, level);
	default:
		r = parse_time("--cpu-time", text, &value);
		return r < 0 ? r : set_limit(options, LIMIT_CPU_TIME, value, level);
	}
}

/* What is configured of an interface. */
static int parse_link(int option, const char *arg, struct network_link *link)
{
	static const struct {
		int option;
		const char *name;
		const char *(*parse)(const char *text, struct network_link *link);
	} parsers[] = {
		{OPT_IP, "ip", network_parse_ip},
		{OPT_IP6, "ip6", network_parse_ip6},
		{OPT_GATEWAY, "gateway", network_parse_gateway},
		{OPT_MAC, "mac-address", network_parse_hardware},
	};
	const char *wrong;

	for (size_t i = 0; i < sizeof(parsers) / sizeof(parsers[0]); i++) {
		if (parsers[i].option != option)
			continue;
		wrong = parsers[i].parse(arg, link);
		return wrong ? usage_error("--%s: '%s' %s", parsers[i].name, arg, wrong) : 0;
	}
	return -EINVAL;
}

static int parse_one(
	int option, const char *arg, struct run_options *options, enum option_level level)
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
		return parse_pattern("--allow-path", arg, &options->allowed);
	case OPT_HIDDEN:
		return parse_guarded("hidden", arg, guard_default_hidden, &options->hidden);
	case OPT_PROTECTED:
		return parse_guarded(
			"protected", arg, guard_default_protected, &options->protected);
	case OPT_ALLOWED:
		return parse_guarded("allowed", arg, guard_default_allowed, &options->allowed);
	case OPT_POLICY:
		return 0; /* read before all others */
	case OPT_PROFILE:
		return parse_profile(arg, options, level);
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
		return parse_network(arg, options);
	case OPT_EGRESS:
		options->egress_asked |= level == OPTION_FLAG;
		return parse_egress(arg, options);
	case 'p':
		options->egress_asked |= level == OPTION_FLAG;
		return parse_publish(arg, options);
	case OPT_DNS:
		return parse_dns(arg, options);
	case OPT_IP:
	case OPT_IP6:
	case OPT_GATEWAY:
	case OPT_MAC:
		return parse_link(option, arg, &options->link);
	case OPT_TRACE:
		return take_trace(options, arg);
	case OPT_TRACE_ALL:
		options->trace_all = true;
		return 0;
	case OPT_TRACE_FORMAT:
		return take_trace_format(options, arg);
	case OPT_COVERAGE:
		options->coverage_file = arg;
		return 0;
	case OPT_INJECT:
		return take_inject(options, arg);
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
		return parse_limit(option, arg, options, level);
	}
}

/* Names that only policy files have. */
static const struct option file_options[] = {
	{"hidden", required_argument, NULL, OPT_HIDDEN},
	{"protected", required_argument, NULL, OPT_PROTECTED},
	{"allowed", required_argument, NULL, OPT_ALLOWED},
	{"nofile", required_argument, NULL, OPT_NOFILE},
	{0},
};

static int option_number(const struct option *options, const char *name)
{
	for (; options->name; options++)
		if (strcmp(options->name, name) == 0)
			return options->val;
	return -1;
}

int run_option_set(struct run_options *options, const char *name, const char *text,
	enum option_level level, char *why, size_t why_size)
{
	int option = option_number(long_options, name), r;

	if (option < 0)
		option = option_number(file_options, name);
	if (option < 0)
		return -EINVAL;
	error_sink.why = why;
	error_sink.size = why_size;
	why[0] = '\0';
	r = parse_one(option, text, options, level);
	error_sink.why = NULL;
	return r;
}

void run_option_list_begin(struct run_options *options, const char *name)
{
	if (strcmp(name, "hidden") == 0)
		options->has_hidden = true;
	else if (strcmp(name, "protected") == 0)
		options->has_protected = true;
	else if (strcmp(name, "allowed") == 0)
		options->has_allowed = true;
}

void run_options_init(struct run_options *options)
{
	*options = (struct run_options){
		.hostname = "sandbox",
		.memory_limit = 1ull << 30,
		.pids_limit = 128,
		.nofile_limit = 1024,
	};
}

static int next_option(int argc, char **argv)
{
	return getopt_long(argc, argv, "+:v:w:e:u:m:p:ith", long_options, NULL);
}

/* The policy file comes first, wherever it is named: what is given beside it beats it. */
static int read_policy(int argc, char **argv, struct run_options *options)
{
	char message[1024];
	int option, r;

	optind = 0; /* glibc: start afresh */
	opterr = 0;
	while ((option = next_option(argc, argv)) != -1) {
		if (option != OPT_POLICY)
			continue;
		if (options->has_policy)
			return usage_error("--policy: there can be one only");
		options->has_policy = true;
		r = policy_read(optarg, options, message, sizeof(message));
		if (r == -EINVAL)
			fprintf(stderr, "sentry: %s\n", message);
		if (r < 0)
			return r;
	}
	return 0;
}

static int bad_option(int option, const char *word)
{
	if (option == ':')
		return usage_error("option '%s' needs a value", word);
	if (optopt && optopt < 256)
		return usage_error("unknown option '-%c'", optopt);
	return usage_error("unknown option '%s'", word);
}

/* Rules and published ports need the gateway. `--network none` beats those of a policy file. */
static int settle_network(struct run_options *options)
{
	bool wanted = options->egress.count || options->publish_texts.count;
	const char *wrong;

	if (options->network == NETWORK_UNSAID)
		options->network = wanted ? NETWORK_GATEWAY : NETWORK_NONE;
	if (options->network == NETWORK_NONE && options->egress_asked)
		return usage_error("--allow-egress and --publish need --network gateway");
	wrong = network_check(options->network, &options->link,
		(const char *const *)options->dns.items, options->dns.count);
	return wrong ? usage_error("%s", wrong) : 0;
}

/* Options up to the command. 1: help was asked for. */
static int parse_words(int argc, char **argv, struct run_options *options)
{
	int option, r = read_policy(argc, argv, options);

	optind = 0;
	opterr = 0;
	while (r == 0 && (option = next_option(argc, argv)) != -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			return 1;
		}
		if (option == '?' || option == ':')
			return bad_option(option, argv[optind - 1]);
		r = parse_one(option, optarg, options, OPTION_FLAG);
	}
	if (r == -ENOMEM)
		usage_error("out of memory");
	return r == 0 ? settle_network(options) : r;
}

int run_options_parse_only(int argc, char **argv, struct run_options *ret)
{
	struct run_options options;
	int r;

	run_options_init(&options);
	r = parse_words(argc, argv, &options);
	if (r == 0 && optind < argc)
		r = usage_error("'%s' is not an option", argv[optind]);
	if (r == 0)
		*ret = options;
	else
		run_options_free(&options);
	return r;
}

int run_options_parse(int argc, char **argv, struct run_options *ret)
{
	struct run_options options;
	int r;

	run_options_init(&options);
	r = parse_words(argc, argv, &options);
	if (r != 0)
		goto fail;
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
	string_list_free(&options->hidden);
	string_list_free(&options->protected);
	string_list_free(&options->allowed);
	string_list_free(&options->publish_texts);
	string_list_free(&options->dns);
	gate_rules_free(&options->egress);
}
