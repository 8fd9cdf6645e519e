/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/observe/coverage.h"
#include "cmd/observe/observer.h"
#include "cmd/observe/otlp.h"
#include "cmd/observe/unwinder.h"
#include "cmd/account.h"
#include "cmd/audit_log.h"
#include "cmd/commands.h"
#include "cmd/gateway.h"
#include "cmd/launcher.h"
#include "cmd/link.h"
#include "cmd/live/log_file.h"
#include "cmd/live/state.h"
#include "cmd/options.h"
#include "cmd/resolve.h"
#include "cmd/status.h"
#include "vfs/guard.h"

/* Everything that a run's configuration borrows. */
struct run {
	struct run_options options;
	struct kernel_config config;
	struct view_volume *volumes;
	struct view_tmpfs *tmpfs;
	struct string_list strings; /* pieces that were split off options */
	struct string_list env;
	char resolv_conf[256];
	char *cwd, *prefix, *bin, *home;
	struct guard *guard;
	struct audit_log *audit; /* NULL: off */
	struct unwinder unwinder;
	struct observer_config observed;
	struct observer observer;
	struct state_own state;
	pid_t otlp_sender;    /* 0: there is none */
	struct log_file *log; /* NULL: off */
	char *audit_path;     /* absolute, for who reads it later */
};

static const char *keep_string(struct run *run, const char *text, size_t size)
{
	_cleanup_free_ char *copy = strndup(text, size);

	if (!copy || string_list_add(&run->strings, copy) < 0)
		return NULL;
	return run->strings.items[run->strings.count - 1];
}

static int bad_value(const char *option, const char *value, const char *why)
{
	log_error("%s: '%s': %s", option, value, why);
	return -EINVAL;
}

/* The root itself: "/", "//", "/..". */
static bool is_root(const char *target, size_t size)
{
	return strspn(target, "/.") >= size;
}

/* SRC:DST[:ro|rw]; SRC may be relative to where we stand. */
static int parse_volume(struct run *run, const char *text, struct view_volume *ret)
{
	const char *colon = strchr(text, ':'), *target = colon + 1, *mode = strchr(target, ':');
	_cleanup_free_ char *source = strndup(text, (size_t)(colon - text)), *real = NULL;
	size_t target_size = mode ? (size_t)(mode - target) : strlen(target);

	if (!source)
		return -ENOMEM;
	if (!*source || target[0] != '/')
		return bad_value("--volume", text, "is not SRC:DST[:ro|rw] with an absolute DST");
	if (is_root(target, target_size))
		return bad_value("--volume", text, "cannot be the root; --rootfs can");
	if (mode && strcmp(mode, ":ro") != 0 && strcmp(mode, ":rw") != 0)
		return bad_value("--volume", text, "the mode is neither ro nor rw");
	real = realpath(source, NULL);
	if (!real)
		return bad_value("--volume", source, strerror(errno));
	ret->source = keep_string(run, real, strlen(real));
	ret->target = keep_string(run, target, target_size);
	ret->writable = mode && strcmp(mode, ":rw") == 0;
	return ret->source && ret->target ? 0 : -ENOMEM;
}

static int parse_tmpfs(struct run *run, const char *text, struct view_tmpfs *ret)
{
	const char *colon = strchr(text, ':');

	size_t size = colon ? (size_t)(colon - text) : strlen(text);

	if (is_root(text, size))
		return bad_value("--tmpfs", text, "cannot be the root");
	ret->target = keep_string(run, text, size);
	ret->size_limit = 0;
	if (!ret->target)
		return -ENOMEM;
	if (colon && (strncmp(colon, ":size=", 6) != 0 ||
			     parse_size(colon + 6, &ret->size_limit) < 0 || !ret->size_limit))
		return bad_value("--tmpfs", text, "is not DST[:size=SIZE]");
	return 0;
}

static int collect_mounts(struct run *run)
{
	const struct run_options *options = &run->options;
	int r;

	run->volumes = calloc(options->volumes.count + 1, sizeof(*run->volumes));
	run->tmpfs = calloc(options->tmpfs.count + 1, sizeof(*run->tmpfs));
	if (!run->volumes || !run->tmpfs)
		return -ENOMEM;
	for (size_t i = 0; i < options->volumes.count; i++) {
		r = parse_volume(run, options->volumes.items[i], &run->volumes[i]);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < options->tmpfs.count; i++) {
		r = parse_tmpfs(run, options->tmpfs.items[i], &run->tmpfs[i]);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Sets NAME=VALUE unless the list has the name already. */
static int env_default(struct string_list *env, const char *name, const char *value)
{
	_cleanup_free_ char *word = NULL;
	size_t size = strlen(name);

	for (size_t i = 0; i < env->count; i++) {
		if (strncmp(env->items[i], name, size) == 0 && env->items[i][size] == '=')
			return 0;
	}
	if (asprintf(&word, "%s=%s", name, value) < 0) {
		word = NULL;
		return -ENOMEM;
	}
	return string_list_add(env, word);
}

/* -e wins; a name given twice: the last. */
static int collect_environment(struct run *run)
{
	const struct string_list *given = &run->options.env;
	const char *lang = getenv("LANG"), *term = getenv("TERM"), *zone = getenv("TZ");
	_cleanup_free_ char *path = NULL;
	int r = 0;

	for (size_t i = given->count; i-- > 0;) {
		const char *word = given->items[i];
		_cleanup_free_ char *name = strndup(word, strcspn(word, "="));

		r = r < 0  ? r
		    : name ? env_default(&run->env, name, strchr(word, '=') + 1)
			   : -ENOMEM;
	}
	if (asprintf(&path, "%s%s%s", run->bin ? run->bin : "", run->bin ? ":" : "", GUEST_PATH) <
		0) {
		path = NULL;
		return -ENOMEM;
	}
	r = r < 0 ? r : env_default(&run->env, "PATH", path);
	r = r < 0 ? r : env_default(&run->env, "HOME", run->home);
	r = r < 0 ? r : env_default(&run->env, "LANG", lang ? lang : "C.UTF-8");
	if (term && run->options.terminal)
		r = r < 0 ? r : env_default(&run->env, "TERM", term);
	if (zone)
		r = r < 0 ? r : env_default(&run->env, "TZ", zone);
	return r;
}

/* A file for our own output, or stderr. Never inherited by anyone. */
static int open_output(const char *option, const char *file, int *ret_fd)
{
	int fd = file ? open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOCTTY, 0644)
		      : fcntl(2, F_DUPFD_CLOEXEC, 3);

	if (fd < 0) {
		log_error("%s: '%s': %s", option, file ? file : "stderr", strerror(errno));
		return -EINVAL;
	}
	*ret_fd = fd;
	return 0;
}

/* A trace is written by one run: a file that another one writes is not taken away from it. "-":
 * standard output. */
static int open_trace(const char *file, int *ret_fd)
{
	struct stat stat;
	int fd;

	if (!file || strcmp(file, "-") == 0) {
		fd = fcntl(file ? 1 : 2, F_DUPFD_CLOEXEC, 3);
		if (fd < 0)
			return bad_value("--trace", file ? file : "stderr", strerror(errno));
		*ret_fd = fd;
		return 0;
	}
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
	if (fd < 0)
		return bad_value("--trace", file, strerror(errno));
	if (fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode) &&
		(flock(fd, LOCK_EX | LOCK_NB) < 0 || ftruncate(fd, 0) < 0)) {
		int r = bad_value("--trace", file,
			errno == EWOULDBLOCK ? "another run writes it" : strerror(errno));

		close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

/* Is @path @directory or below it? Both without links. */
static bool is_below(const char *path, const char *directory)
{
	size_t size = strlen(directory);

	while (size > 0 && directory[size - 1] == '/')
		size--;
	return strncmp(path, directory, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

/* A record that the guest can write is none. */
static int check_place(const struct run *run, const char *option, const char *file, int fd)
{
	_cleanup_free_ char *real = realpath(file, NULL);
	struct stat stat, volume;

	if (!real || fstat(fd, &stat) < 0)
		return bad_value(option, file, strerror(errno));
	for (size_t i = 0; i < run->options.volumes.count; i++) {
		const struct view_volume *at = &run->volumes[i];

		if (!at->writable || lstat(at->source, &volume) < 0)
			continue;
		if (is_below(real, at->source) ||
			(volume.st_dev == stat.st_dev && volume.st_ino == stat.st_ino))
			return bad_value(option, file,
				"lies in a writable volume, within the guest's reach");
	}
	if (run->options.commit && is_below(real, run->cwd))
		return bad_value(
			option, file, "lies in the current directory, which --commit changes");
	return 0;
}

static int open_audit(struct run *run)
{
	_cleanup_free_ char *command = NULL;
	int fd, r = open_output("--audit", run->options.audit_file, &fd);
	size_t size = 0;

	if (r < 0)
		return r;
	run->audit = malloc(sizeof(*run->audit));
	if (!run->audit) {
		close(fd);
		return -ENOMEM;
	}
	audit_log_init(run->audit, fd, run->options.audit_file);
	r = check_place(run, "--audit", run->options.audit_file, fd);
	if (r < 0)
		return r;
	audit_log_use(run->audit);
	for (size_t i = 0; run->options.argv[i]; i++)
		size += strlen(run->options.argv[i]) + 1;
	command = malloc(size);
	if (!command)
		return -ENOMEM;
	size = 0;
	for (size_t i = 0; run->options.argv[i]; i++) {
		size_t length = strlen(run->options.argv[i]) + 1;

		memcpy(command + size, run->options.argv[i], length);
		size += length;
	}
	audit_event_strings("start", "command", command, size, "version", SENTRY_VERSION,
		"directory", run->cwd, NULL);
	if (run->audit->error)
		return bad_value("--audit", run->audit->name, strerror(-run->audit->error));
	return 0;
}

static int find_places(struct run *run)
{
	int r;

	run->cwd = getcwd(NULL, 0);
	if (!run->cwd) {
		log_error("the current directory cannot be named: %s", strerror(errno));
		return -EINVAL;
	}
	run->home = account_home(getuid());
	if (!run->home)
		return -ENOMEM;
	if (run->options.rootfs)
		return 0;
	r = resolve_prefix(run->options.argv[0], run->cwd, run->home, &run->prefix, &run->bin);
	if (r == -EINVAL)
		log_error("%s lies in or above the home directory, which is not shown unasked; "
			  "name its tree with -v",
			run->options.argv[0]);
	return r;
}

/* What is excepted by default, and what the user excepts. */
static int collect_guard(struct run *run)
{
	const struct run_options *options = &run->options;
	struct guard_lists lists = {
		.hidden = guard_default_hidden, .protected = guard_default_protected};
	_cleanup_(string_list_free) struct string_list allowed = {0};
	int r = 0;

	for (size_t i = 0; !options->has_allowed && guard_default_allowed[i] && r == 0; i++)
		r = string_list_add(&allowed, guard_default_allowed[i]);
	for (size_t i = 0; i < options->allowed.count && r == 0; i++)
		r = string_list_add(&allowed, options->allowed.items[i]);
	if (options->has_hidden)
		lists.hidden = (const char *const *)options->hidden.items;
	if (options->has_protected)
		lists.protected = (const char *const *)options->protected.items;
	lists.allowed = (const char *const *)allowed.items;
	return r < 0 ? r : guard_new(&lists, &run->guard);
}

/* The command, for people who find the trace later. */
static const char *command_line(struct run *run)
{
	char text[256];
	size_t used = 0;

	for (char **word = run->options.argv; *word && used < sizeof(text); word++)
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%s%s", used ? " " : "", *word);
	return keep_string(run, text, strlen(text));
}

/* A file, or a collector's URL, to which a process of its own sends. */
static int open_otlp(struct run *run)
{
	const char *place = run->options.otlp;
	int *fd = &run->observed.otlp_fd, r;

	if (getrandom(run->observed.otlp_random, sizeof(run->observed.otlp_random), 0) < 0)
		return -errno;
	if (!strstr(place, "://")) {
		r = open_output("--otlp", place, fd);
		return r < 0 ? r : check_place(run, "--otlp", place, *fd);
	}
	if (otlp_url_error(place))
		return bad_value("--otlp", place, otlp_url_error(place));
	r = otlp_send_start(place, fd);
	run->otlp_sender = r > 0 ? r : 0;
	return r < 0 ? r : 0;
}

static int open_observed(struct run *run)
{
	const struct run_options *options = &run->options;
	struct observe_config *observe = &run->config.observe;
	bool traced = options->trace_file || options->trace_chosen || options->trace_all ||
		      (options->stacks && !options->coverage_file);
	int r = 0;

	observe->rules = options->inject;
	observe->rule_count = options->inject_count;
	/* What is counted must come by, or its flags would stay unknown. */
	observe->record_all = options->trace_all || options->coverage_file;
	observe->calls = options->trace_calls;
	/* Spans need no calls. */
	observe->record_tasks = options->otlp;
	if (options->otlp && !traced && !options->coverage_file)
		memset(run->options.trace_calls, 0, sizeof(run->options.trace_calls));
	else if (!options->trace_chosen || options->coverage_file)
		memset(run->options.trace_calls, 0xff, sizeof(run->options.trace_calls));
	observe->command = command_line(run);
	if (!observe->command)
		return -ENOMEM;
	run->observed = (struct observer_config){
		.trace_fd = -1, .coverage_fd = -1, .otlp_fd = -1, .format = options->trace_format};
	if (traced)
		r = open_trace(options->trace_file, &run->observed.trace_fd);
	if (r == 0 && options->trace_file && strcmp(options->trace_file, "-") != 0)
		r = check_place(run, "--trace", options->trace_file, run->observed.trace_fd);
	if (r == 0 && options->otlp)
		r = open_otlp(run);
	if (r < 0 || !options->coverage_file)
		return r;
	run->observed.coverage_fd = memfd_create("coverage", MFD_CLOEXEC);
	return run->observed.coverage_fd < 0 ? -errno : 0;
}

static int configure(struct run *run)
{
	const struct run_options *options = &run->options;
	struct kernel_config *config = &run->config;
	int r;

	r = find_places(run);
	r = r < 0 ? r : collect_mounts(run);
	r = r < 0 ? r : collect_environment(run);
	r = r < 0 ? r : collect_guard(run);
	if (r < 0)
		return r;
	network_resolv_conf(options->network, (const char *const *)options->dns.items,
		options->dns.count, run->resolv_conf, sizeof(run->resolv_conf));
	*config = (struct kernel_config){
		.argv = options->argv,
		.envp = run->env.items,
		.workdir = options->workdir  ? options->workdir
			   : options->rootfs ? "/"
					     : run->cwd,
		.hostname = options->hostname,
		.uid = options->has_user ? options->uid : getuid(),
		.gid = options->has_user ? options->gid : getgid(),
		.memory_limit = options->memory_limit,
		.cpus = options->cpus,
		.pids_limit = options->pids_limit,
		.nofile_limit = options->nofile_limit,
		.nice = getpriority(PRIO_PROCESS, 0),
		.terminal = options->terminal,
		.control_fd = -1,
		.commit_fd = -1,
		.platform_name = options->platform,
		.strace_fd = -1,
		.observe = {.record_fd = -1, .stacks_fd = -1},
		.audit_fd = -1,
		.stats_fd = -1,
		.no_patch = options->no_patch,
		.gateway_fd = -1,
		.timeout_ns = options->timeout_ns,
		.cpu_time_ns = options->cpu_time_ns,
		.output_limit = options->output_limit,
	};
	config->view = (struct view_config){
		.volumes = run->volumes,
		.volume_count = options->volumes.count,
		.tmpfs = run->tmpfs,
		.tmpfs_count = options->tmpfs.count,
		.rootfs = options->rootfs,
		.cwd = options->rootfs ? NULL : run->cwd,
		.prefix = run->prefix,
		.home = run->home,
		.guard = run->guard,
		.uid = config->uid,
		.gid = config->gid,
		.hostname = options->hostname,
		.resolv_conf = run->resolv_conf,
	};
	r = link_open(&options->link, &config->link);
	if (r == 0 && options->strace)
		r = open_output("--strace", options->strace_file, &config->strace_fd);
	if (r == 0)
		r = open_observed(run);
	if (r == 0 && options->stats)
		r = open_output("--stats", options->stats_file, &config->stats_fd);
	if (r == 0 && options->audit_file)
		r = open_audit(run);
	return r;
}

static int open_log(struct run *run)
{
	const struct run_options *options = &run->options;
	int r;

	run->log = malloc(sizeof(*run->log));
	if (!run->log)
		return -ENOMEM;
	run->log->path = NULL;
	r = log_file_open(run->log, options->log_place, run->state.id,
		options->log_size ? options->log_size : LOG_SIZE_DEFAULT);
	if (r < 0)
		return bad_value("--log", options->log_place, strerror(-r));
	run->state.facts.log = run->log->path;
	return check_place(run, "--log", run->log->path, run->log->fd);
}

/* What `sentry ps` shows of it. Before anything is forked: the counters are shared memory. */
static void begin_state(struct run *run)
{
	static const char *const networks[] = {[NETWORK_UNSAID] = "none",
		[NETWORK_NONE] = "none",
		[NETWORK_GATEWAY] = "gateway",
		[NETWORK_TAP] = "tap",
		[NETWORK_PACKET] = "packet"};
	const struct run_options *options = &run->options;

	if (options->audit_file)
		run->audit_path = realpath(options->audit_file, NULL);
	state_begin(&run->state, &(struct state_facts){
					 .name = options->name,
					 .argv = options->argv,
					 .directory = run->cwd,
					 .network = networks[options->network],
					 .audit = run->audit_path,
					 .memory_limit = options->memory_limit,
					 .pids_limit = options->pids_limit,
					 .cpus = options->cpus,
					 .timeout_ns = options->timeout_ns,
				 });
}

static int start_observer(struct run *run)
{
	int r;

	if (run->observed.trace_fd < 0 && run->observed.coverage_fd < 0 &&
		run->observed.otlp_fd < 0)
		return 0;
	run->observed.sandbox_id = run->state.id;
	run->observed.sandbox_name = run->options.name ? run->options.name : "";
	run->observed.gateway = run->options.network == NETWORK_GATEWAY;
	run->observed.view = &run->config.view;
	run->observed.allowed = &run->options.allowed;
	run->observed.workdir = run->config.workdir;
	r = observer_start(&run->observed, &run->observer, &run->config.observe.record_fd);
	if (run->observed.trace_fd >= 0)
		close(run->observed.trace_fd);
	if (run->observed.otlp_fd >= 0)
		close(run->observed.otlp_fd);
	if (r == 0 && run->options.stacks)
		r = unwinder_start(&run->unwinder, &run->config.observe.stacks_fd);
	return r;
}

/* What was asked for and could not be written is a failure. */
static int end_observer(struct run *run)
{
	int r = observer_finish(&run->observer);

	/* It has read its end, and waits for nobody long. */
	if (run->otlp_sender)
		(void)waitpid(run->otlp_sender, NULL, 0);
	if (r == 0 && run->observed.coverage_fd >= 0)
		r = coverage_update(run->options.coverage_file, run->observed.coverage_fd);
	return r;
}

static void report(const struct run *run, const struct kernel_result *result)
{
	unsigned long long changed = result->changed_files;

	if (result->message[0])
		log_error("%s", result->message);
	if (changed > 0 && !run->options.commit)
		log_info("%llu file%s in %s would have changed; --commit keeps the changes",
			changed, changed == 1 ? "" : "s", run->cwd);
}

static void run_free(struct run *run)
{
	run_options_free(&run->options);
	string_list_free(&run->strings);
	string_list_free(&run->env);
	free(run->volumes);
	free(run->tmpfs);
	free(run->cwd);
	free(run->prefix);
	free(run->bin);
	free(run->home);
	guard_free(run->guard);
	audit_log_use(NULL);
	if (run->audit)
		audit_log_free(run->audit);
	free(run->audit);
	free(run->log);
	free(run->audit_path);
}

static void end_audit(struct run *run, struct kernel_result *result)
{
	bool failed = run->audit->error; /* told by the launcher */
	int r = audit_log_end(run->audit, result->exit_code, status_reason(result));

	if (r == 0 || failed)
		return;
	result->exit_code = 125;
	log_error("--audit: cannot write to %s: %s", run->audit->name, strerror(-r));
}

int command_run(int argc, char **argv)
{
	struct run run = {.observer.events = -1};
	struct kernel_result result = {.exit_code = 125};
	struct gateway_process gateway = {0};
	int status_fd = -1;
	int r = run_options_parse(argc, argv, &run.options);

	if (r != 0)
		return r > 0 ? 0 : 125;
	log_set_level(LOG_INFO);
	r = configure(&run);
	if (r == 0 && run.options.status_file)
		r = open_output("--status-json", run.options.status_file, &status_fd);
	if (r == 0)
		begin_state(&run);
	if (r == 0 && run.options.log_place)
		r = open_log(&run);
	r = r < 0 ? r : start_observer(&run);
	if (r == 0 && run.options.network == NETWORK_GATEWAY) {
		r = gateway_process_start(&run.options, run.audit, run.observer.events, &gateway);
		run.config.gateway_fd = r == 0 ? gateway.link : -1;
		if (run.observer.events >= 0)
			close(run.observer.events);
	}
	if (r == 0) {
		r = launch(&run.config, run.options.no_stdin, run.options.commit, run.cwd,
			run.audit, gateway.pid ? &gateway : NULL, &run.state, run.log, &result);
		if (r < 0)
			log_error("cannot start: %s", strerror(-r));
		else
			report(&run, &result);
	} else if (r == -ENOMEM) {
		log_error("out of memory");
	}
	unwinder_end(&run.unwinder);
	if (r == 0 && end_observer(&run) < 0)
		result.exit_code = 125;
	if (r == 0 && run.audit)
		end_audit(&run, &result);
	if (r == 0 && status_fd >= 0 && status_write(status_fd, &result, run.audit) < 0)
		log_error("--status-json: cannot write: %s", strerror(errno));
	if (run.log)
		log_file_close(run.log);
	state_end(&run.state);
	run_free(&run);
	return r < 0 ? 125 : result.exit_code;
}
