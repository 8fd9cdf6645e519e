/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/options.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/options_private.h"
#include "cmd/policy.h"
#include "vfs/guard.h"

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
	OPT_STACKS,
	OPT_TRACE_FORMAT,
	OPT_COVERAGE,
	OPT_INJECT,
	OPT_AUDIT,
	OPT_NAME,
	OPT_LOG,
	OPT_OTLP,
	OPT_LOG_SIZE,
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
	{"stacks", no_argument, NULL, OPT_STACKS},
	{"trace-format", required_argument, NULL, OPT_TRACE_FORMAT},
	{"coverage", required_argument, NULL, OPT_COVERAGE},
	{"inject", required_argument, NULL, OPT_INJECT},
	{"strace", optional_argument, NULL, OPT_STRACE},
	{"stats", optional_argument, NULL, OPT_STATS},
	{"audit", required_argument, NULL, OPT_AUDIT},
	{"name", required_argument, NULL, OPT_NAME},
	{"log", required_argument, NULL, OPT_LOG},
	{"otlp", required_argument, NULL, OPT_OTLP},
	{"log-size", required_argument, NULL, OPT_LOG_SIZE},
	{"status-json", required_argument, NULL, OPT_STATUS},
	{"platform", required_argument, NULL, OPT_PLATFORM},
	{"no-patch", no_argument, NULL, OPT_NO_PATCH},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"profile", required_argument, NULL, OPT_PROFILE},
	{"output-limit", required_argument, NULL, OPT_OUTPUT},
	{"help", no_argument, NULL, 'h'},
	{0},
};

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
		r = option_count("--cpus", text, 1, CPU_SETSIZE, &value);
		return r < 0 ? r : set_limit(options, LIMIT_CPUS, value, level);
	case OPT_PIDS:
		r = option_count("--pids-limit", text, 1, 4096, &value);
		return r < 0 ? r : set_limit(options, LIMIT_PIDS, value, level);
	case OPT_ULIMIT:
	case OPT_NOFILE:
		if (option == OPT_ULIMIT && strncmp(text, "nofile=", 7) != 0)
			return usage_error("--ulimit: '%s': only nofile=N is known", text);
		text += option == OPT_ULIMIT ? 7 : 0;
		r = option_count("--ulimit nofile", text, 16, 65536, &value);
		return r < 0 ? r : set_limit(options, LIMIT_NOFILE, value, level);
	case OPT_TIMEOUT:
		r = option_time("--timeout", text, &value);
		return r < 0 ? r : set_limit(options, LIMIT_TIMEOUT, value, level);
	default:
		r = option_time("--cpu-time", text, &value);
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
		return option_pattern("--allow-path", arg, &options->allowed);
	case OPT_HIDDEN:
		return option_guarded("hidden", arg, guard_default_hidden, &options->hidden);
	case OPT_PROTECTED:
		return option_guarded(
			"protected", arg, guard_default_protected, &options->protected);
	case OPT_ALLOWED:
		return option_guarded("allowed", arg, guard_default_allowed, &options->allowed);
	case OPT_POLICY:
		return 0; /* read before all others */
	case OPT_PROFILE:
		return parse_profile(arg, options, level);
	case 'e':
		return option_env(arg, options);
	case 'u':
		return option_user(arg, options);
	case OPT_HOSTNAME:
		return option_hostname(arg, options);
	case 'i':
	case OPT_INTERACTIVE:
		r = option_bool("--interactive", option == 'i' ? NULL : arg, &interactive);
		options->no_stdin = r == 0 && !interactive;
		return r;
	case 't':
		options->terminal = true;
		return 0;
	case OPT_NETWORK:
		return option_network(arg, options);
	case OPT_EGRESS:
		options->egress_asked |= level == OPTION_FLAG;
		return option_egress(arg, options);
	case 'p':
		options->egress_asked |= level == OPTION_FLAG;
		return option_publish(arg, options);
	case OPT_DNS:
		return option_dns(arg, options);
	case OPT_IP:
	case OPT_IP6:
	case OPT_GATEWAY:
	case OPT_MAC:
		return parse_link(option, arg, &options->link);
	case OPT_TRACE:
		return option_trace(options, arg);
	case OPT_STACKS:
		options->stacks = true;
		return 0;
	case OPT_TRACE_ALL:
		options->trace_all = true;
		return 0;
	case OPT_TRACE_FORMAT:
		return option_trace_format(options, arg);
	case OPT_COVERAGE:
		options->coverage_file = arg;
		return 0;
	case OPT_INJECT:
		return option_inject(options, arg);
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
	case OPT_OTLP:
		options->otlp = arg;
		return 0;
	case OPT_LOG:
		options->log_place = arg;
		return 0;
	case OPT_LOG_SIZE:
		return option_log_size(options, arg);
	case OPT_NAME:
		return option_name(options, arg);
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
	why[0] = '\0';
	usage_errors_to(why, why_size);
	r = parse_one(option, text, options, level);
	usage_errors_to(NULL, 0);
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
			fputs(run_usage, stdout);
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
