/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/launcher.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/audit_log.h"
#include "cmd/cgroup.h"
#include "cmd/commit_apply.h"
#include "cmd/gateway.h"
#include "cmd/live/output.h"
#include "cmd/live/state.h"
#include "cmd/terminal.h"
#include "sentry/control.h"
#include "sentry/namespaces.h"

/*
 * The launcher: parent of the Sentry, owner of the terminal, forwarder of signals. It enforces
 * nothing. The Sentry is a fork of it in a session of its own, so that signals from the host's
 * terminal reach the launcher alone.
 *
 * Neither outlives the other: the Sentry holds the read end of a pipe whose only write end is ours,
 * armed so that its closing kills the Sentry (whose own death kills the stubs); when the Sentry
 * dies first, we see it as its parent.
 */

/* What the Sentry may need behind the time limit: the grace, --commit's changes. */
#define OVERDUE_NS 10000000000ull
/* Of the kernel process and the platform, besides the guests'. */
#define GROUP_TASKS 64

struct launcher {
	pid_t sentry;
	struct cgroup group; /* around it; empty: limits are its own to keep */
	int control, signals, terminal_socket;
	struct terminal terminal;
	struct audit_log *audit;	 /* borrowed; NULL: off */
	int audit_pipe;			 /* read end, or -1 */
	struct gateway_process *gateway; /* borrowed; NULL: off */
	struct state_own *state;	 /* borrowed */
	struct log_file *log;		 /* borrowed; NULL: none */
	struct output output;
	char gateway_died[200]; /* how; "": it did not */
	bool has_terminal, has_result;
	bool overdue;	      /* the Sentry was killed by us */
	uint64_t deadline_ns; /* when it is, on CLOCK_MONOTONIC; 0: never */
	struct kernel_result *result;
};

static const int forwarded_signals[] = {
	SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGTSTP, SIGCONT, SIGWINCH};

/* The Sentry's side of the death pipe: closing the last write end raises SIGKILL for the reader. */
static int arm_death_pipe(int fd)
{
	if (fcntl(fd, F_SETOWN, getpid()) < 0 || fcntl(fd, F_SETSIG, SIGKILL) < 0 ||
		fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static void send_result(int control, const struct kernel_result *result)
{
	struct control_message message = {.kind = CONTROL_RESULT, .result = *result};

	(void)send(control, &message, sizeof(message), MSG_NOSIGNAL);
}

static _Noreturn void sentry_process(
	struct kernel_config *config, struct cgroup *group, int death_read, int death_write)
{
	struct kernel_result result = {.wait_status = -1, .exit_code = 125};
	struct pollfd launcher = {.fd = death_read, .events = POLLIN};
	sigset_t none;
	int r = cgroup_enter(group);

	if (r < 0) {
		snprintf(result.message, sizeof(result.message),
			"cannot enter the sandbox's control group: %s", strerror(-r));
		send_result(config->control_fd, &result);
		_exit(125);
	}
	close(death_write);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (setsid() < 0 || arm_death_pipe(death_read) < 0) {
		snprintf(result.message, sizeof(result.message),
			"cannot tie the kernel's life to the launcher's: %s", strerror(errno));
		send_result(config->control_fd, &result);
		_exit(125);
	}
	/* The launcher may have died before the pipe was armed. */
	if (poll(&launcher, 1, 0) != 0)
		_exit(125);
	signal(SIGPIPE, SIG_IGN);
	/* One arena, and with it no look at the processors and no mprotect once we are confined. */
	(void)mallopt(M_ARENA_MAX, 1);
	kernel_run(config, &result);
	send_result(config->control_fd, &result);
	_exit(0);
}

static void forward_signal(struct launcher *launcher, int signo)
{
	struct control_message message = {.kind = CONTROL_SIGNAL, .value = signo};

	if (signo == SIGWINCH) {
		if (!launcher->has_terminal || !terminal_window(&message.rows, &message.columns))
			return;
		message.kind = CONTROL_WINDOW;
	}
	(void)send(launcher->control, &message, sizeof(message), MSG_NOSIGNAL | MSG_DONTWAIT);
	/* Ctrl-Z stops the guest's processes and then us, as a shell expects of a job. */
	if (signo == SIGTSTP && !launcher->has_terminal)
		raise(SIGSTOP);
}

static void read_signals(struct launcher *launcher)
{
	struct signalfd_siginfo info;

	while (read(launcher->signals, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			forward_signal(launcher, (int)info.ssi_signo);
	}
}

static void read_control(struct launcher *launcher)
{
	struct control_message message;
	ssize_t n = recv(launcher->control, &message, sizeof(message), MSG_DONTWAIT);

	if (n == 0) {
		close(launcher->control);
		launcher->control = -1;
		return;
	}
	if (n != sizeof(message) || message.kind != CONTROL_RESULT)
		return;
	message.result.message[sizeof(message.result.message) - 1] = '\0';
	*launcher->result = message.result;
	launcher->has_result = true;
}

/* Events that cannot be recorded end the sandbox: nothing happens unseen. */
static void read_audit(struct launcher *launcher)
{
	if (launcher->audit_pipe < 0 ||
		audit_log_feed(launcher->audit, AUDIT_SENTRY, launcher->audit_pipe) > 0)
		return;
	close(launcher->audit_pipe);
	launcher->audit_pipe = -1;
	if (launcher->audit->error)
		kill(launcher->sentry, SIGKILL);
}

static void read_gateway_audit(void *context)
{
	struct launcher *launcher = context;
	int *pipe = &launcher->gateway->audit_pipe;

	if (audit_log_feed(launcher->audit, AUDIT_GATEWAY, *pipe) > 0)
		return;
	close(*pipe);
	*pipe = -1;
	if (launcher->audit->error)
		kill(launcher->sentry, SIGKILL);
}

/* Without it the sandbox has not the network that was asked for: it is ended. */
static void check_gateway(struct launcher *launcher)
{
	if (launcher->gateway && gateway_process_check(launcher->gateway, launcher->gateway_died,
					 sizeof(launcher->gateway_died)) > 0)
		kill(launcher->sentry, SIGKILL);
}

static uint64_t monotonic_now(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* True when the Sentry is gone; its result is then complete. */
static bool reap_sentry(struct launcher *launcher)
{
	int status;

	if (waitpid(launcher->sentry, &status, WNOHANG) != launcher->sentry)
		return false;
	while (!launcher->has_result && launcher->control >= 0)
		read_control(launcher);
	read_audit(launcher);
	if (launcher->has_result)
		return true;
	*launcher->result = (struct kernel_result){.wait_status = -1, .exit_code = 125};
	if (launcher->overdue) {
		launcher->result->exit_code = 124;
		launcher->result->timed_out = true;
		snprintf(launcher->result->message, sizeof(launcher->result->message),
			"the kernel process did not end at its time limit and was killed; every "
			"guest task died with it");
	} else if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		snprintf(launcher->result->message, sizeof(launcher->result->message),
			"the kernel process was killed by SIGSYS: it made a host call that is not "
			"on "
			"its list ('sentry surface'; the host's audit log names it); every guest "
			"task died with it");
	else if (WIFSIGNALED(status))
		snprintf(launcher->result->message, sizeof(launcher->result->message),
			"the kernel process was killed by signal %d (%s); every guest task died "
			"with it",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		snprintf(launcher->result->message, sizeof(launcher->result->message),
			"the kernel process ended without a result (status %d)",
			WEXITSTATUS(status));
	return true;
}

/*
 * The kernel process ends everybody at --timeout, and itself soon after. Should it not come to
 * that, for whatever reason, it is killed, which takes everybody along. Returns how long poll(2)
 * may sleep, in ms.
 */
static int watchdog_wait(struct launcher *launcher)
{
	uint64_t now;

	if (!launcher->deadline_ns)
		return -1;
	now = monotonic_now();
	if (now >= launcher->deadline_ns) {
		launcher->deadline_ns = 0;
		launcher->overdue = true;
		(void)kill(launcher->sentry, SIGKILL);
		return -1;
	}
	return (int)min_of((launcher->deadline_ns - now) / 1000000 + 1, (uint64_t)INT_MAX);
}

/* How long to sleep, in ms: until the first thing is due. */
static int next_wait(struct launcher *launcher)
{
	const int watchdog = watchdog_wait(launcher), state = state_wait(launcher->state);

	return watchdog < 0 ? state : state < 0 ? watchdog : min_of(watchdog, state);
}

static void serve(struct launcher *launcher)
{
	struct relay *in = &launcher->terminal.input, *out = &launcher->terminal.output;

	while (!reap_sentry(launcher)) {
		struct pollfd fds[8 + 2 * LOG_STREAMS] = {
			{.fd = launcher->signals, .events = POLLIN},
			{.fd = launcher->control, .events = POLLIN},
			{.fd = -1},
			{.fd = -1},
			{.fd = -1},
			{.fd = -1},
			{.fd = launcher->audit_pipe, .events = POLLIN},
			{.fd = launcher->gateway ? launcher->gateway->audit_pipe : -1,
				.events = POLLIN},
		};

		if (launcher->has_terminal) {
			bool in_full = in->start < in->end, out_full = out->start < out->end;

			fds[2] = (struct pollfd){.fd = in_full ? -1 : in->from, .events = POLLIN};
			fds[3] = (struct pollfd){.fd = in_full ? in->to : -1, .events = POLLOUT};
			fds[4] = (struct pollfd){.fd = out_full ? -1 : out->from, .events = POLLIN};
			fds[5] = (struct pollfd){.fd = out_full ? out->to : -1, .events = POLLOUT};
		}
		output_poll(&launcher->output, fds + 8);
		if (poll(fds, array_size(fds), next_wait(launcher)) < 0)
			continue;
		check_gateway(launcher);
		if (fds[7].revents)
			read_gateway_audit(launcher);
		if (fds[6].revents)
			read_audit(launcher);
		if (fds[0].revents)
			read_signals(launcher);
		if (fds[1].revents && launcher->control >= 0)
			read_control(launcher);
		relay_step(in, fds[2].revents, fds[3].revents);
		relay_step(out, fds[4].revents, fds[5].revents);
		output_step(&launcher->output, fds + 8);
	}
	if (launcher->has_terminal)
		relay_drain(out);
}

static int block_forwarded_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof(forwarded_signals) / sizeof(forwarded_signals[0]); i++)
		sigaddset(&set, forwarded_signals[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd < 0 ? -errno : fd;
}

static int make_pair(int type, int pair[2])
{
	return socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, pair) < 0 ? -errno : 0;
}

/* The three descriptors that the guest starts with; the terminal's are one socket to us. */
static int guest_stdio(
	struct launcher *launcher, struct kernel_config *config, bool no_stdin, int terminal_guest)
{
	int logged[LOG_STREAMS];

	if (launcher->log && !config->terminal) {
		int r = output_open(&launcher->output, launcher->log, logged);

		if (r < 0)
			return r;
	}
	for (int i = 0; i < 3; i++) {
		config->stdio[i] = -1;
		if (config->terminal && i > 0)
			continue;
		if (config->terminal)
			config->stdio[i] = terminal_guest;
		else if (i == 0 && no_stdin)
			config->stdio[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		else if (i > 0 && launcher->output.log)
			config->stdio[i] = logged[i - 1];
		else
			config->stdio[i] = fcntl(i, F_DUPFD_CLOEXEC, 3);
	}
	return 0;
}

/*
 * What the guest changed, once the kernel process is dead and cannot write any more. Nothing when
 * sentry itself failed: the changes may be incomplete then.
 */
static void commit_changes(
	struct launcher *launcher, const struct kernel_config *config, int spool, int directory)
{
	struct kernel_result *result = launcher->result;
	const struct commit_guard guard = {config->view.guard, config->view.cwd};
	struct commit_counts counts = {0};
	int r;

	if (!launcher->has_result || result->exit_code == 125 || !result->changed_files)
		return;
	r = commit_apply(spool, directory, &guard, &counts);
	result->refused_changes = counts.refused;
	if (counts.refused)
		log_warning("%llu change%s not kept", (unsigned long long)counts.refused,
			counts.refused == 1 ? " was" : "s were");
	if (r == 0 && !counts.failed) {
		log_info("%llu change%s kept", (unsigned long long)counts.applied,
			counts.applied == 1 ? "" : "s");
		return;
	}
	result->exit_code = 125;
	if (r < 0)
		snprintf(result->message, sizeof(result->message),
			"--commit: nothing was changed: %s", strerror(-r));
	else
		snprintf(result->message, sizeof(result->message),
			"--commit: %llu of %llu changes could not be kept",
			(unsigned long long)counts.failed,
			(unsigned long long)(counts.failed + counts.applied));
}

/* The Sentry's way to the audit file. */
static int open_audit_pipe(struct launcher *launcher, struct kernel_config *config)
{
	int ends[2];

	if (!launcher->audit)
		return 0;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	launcher->audit_pipe = ends[0];
	config->audit_fd = ends[1];
	return 0;
}

/* The host's own limit where it grants one; where not, the kernel process keeps it by sampling. */
static void begin_group(struct launcher *launcher, const struct kernel_config *config)
{
	const uint64_t memory = config->memory_limit;
	const char *why;
	int r;

	cgroup_init(&launcher->group);
	/* A guest's task is one of the host's; those that just died, or are about to begin, count
	 * there as well. */
	r = cgroup_create(&launcher->group, memory ? cgroup_memory_for(memory) : 0,
		2 * config->pids_limit + GROUP_TASKS, &why);
	if (r < 0)
		log_debug("no control group (%s: %s): memory is sampled", why, strerror(-r));
}

/* Everything in it is dead or about to be. */
static void end_group(struct launcher *launcher, const struct kernel_config *config)
{
	struct kernel_result *result = launcher->result;
	struct cgroup_counts counts = cgroup_count(&launcher->group);

	result->memory_by_group = launcher->group.memory_fd >= 0;
	result->memory_peak = counts.peak;
	if (counts.oom_kills) {
		char count[24];

		snprintf(count, sizeof(count), "%llu", (unsigned long long)counts.oom_kills);
		audit_event("limit", "limit", "memory", "killed-by-host", count, "allow",
			"--memory", NULL);
		log_warning("memory limit of %llu MiB reached: the host killed %s process%s "
			    "(--memory raises it)",
			(unsigned long long)(config->memory_limit >> 20), count,
			counts.oom_kills == 1 ? "" : "es");
		result->memory_hit = true;
	}
	cgroup_remove(&launcher->group);
}

/* With -t both streams are one. */
static void keep_terminal(void *context, const char *bytes, size_t size)
{
	log_file_put(context, LOG_STDOUT, bytes, size);
}

int launch(struct kernel_config *config, bool no_stdin, bool commit, const char *cwd,
	struct audit_log *audit, struct gateway_process *gateway, struct state_own *state,
	struct log_file *log, struct kernel_result *ret_result)
{
	struct launcher launcher = {.control = -1,
		.signals = -1,
		.terminal_socket = -1,
		.result = ret_result,
		.audit = audit,
		.audit_pipe = -1,
		.gateway = gateway,
		.state = state,
		.log = log};
	int control[2], tty[2] = {-1, -1}, death[2];
	_cleanup_close_ int spool = -1, directory = -1;
	int r = make_pair(SOCK_SEQPACKET, control);

	if (r < 0)
		return r;
	if (commit) {
		directory = open(cwd, O_PATH | O_DIRECTORY | O_CLOEXEC);
		spool = directory < 0 ? -errno : commit_spool_new();
		if (spool < 0)
			return spool;
		config->commit_fd = spool;
	}
	if (config->terminal) {
		r = make_pair(SOCK_STREAM, tty);
		if (r < 0)
			return r;
	}
	if (pipe2(death, O_CLOEXEC) < 0)
		return -errno;
	r = open_audit_pipe(&launcher, config);
	if (r < 0)
		return r;
	r = block_forwarded_signals();
	if (r < 0)
		return r;
	launcher.signals = r;
	r = guest_stdio(&launcher, config, no_stdin, tty[0]);
	if (r < 0)
		return r;
	config->control_fd = control[0];
	config->death_fd = death[0];
	if (config->terminal) {
		uint8_t keys[NCCS];

		terminal_window(&config->rows, &config->columns);
		config->keys_known = terminal_keys(keys, &config->utf8);
		memcpy(config->keys, keys, sizeof(config->keys));
	}

	begin_group(&launcher, config);
	r = namespaces_fork(&config->namespaces, launcher.group.clone_fd, &launcher.sentry);
	if (r < 0) {
		cgroup_remove(&launcher.group);
		return r;
	}
	if (launcher.sentry == 0) {
		config->view.partial_ids = config->namespaces.partial_ids;
		close(control[1]);
		close(launcher.signals);
		if (tty[1] >= 0)
			close(tty[1]);
		/* The file is the launcher's alone. */
		if (audit) {
			close(launcher.audit_pipe);
			audit_log_use(NULL);
			audit_log_free(audit);
		}
		sentry_process(config, &launcher.group, death[0], death[1]);
	}
	cgroup_entered(&launcher.group);
	close(control[0]);
	close(death[0]);
	if (config->audit_fd >= 0)
		close(config->audit_fd);
	if (config->link.fd >= 0)
		close(config->link.fd);
	if (config->observe.record_fd >= 0)
		close(config->observe.record_fd);
	if (config->observe.stacks_fd >= 0)
		close(config->observe.stacks_fd);
	if (config->gateway_fd >= 0)
		close(config->gateway_fd);
	for (int i = 0; i < 3; i++) {
		if (config->stdio[i] >= 0)
			close(config->stdio[i]);
	}
	launcher.control = control[1];
	if (config->terminal) {
		launcher.has_terminal = true;
		terminal_open(&launcher.terminal, tty[1]);
		launcher.terminal.output.tap = log ? keep_terminal : NULL;
		launcher.terminal.output.tap_context = log;
	}
	if (config->timeout_ns && config->timeout_ns < UINT64_MAX / 2)
		launcher.deadline_ns = monotonic_now() + config->timeout_ns + OVERDUE_NS;
	state_started(state, launcher.sentry);
	serve(&launcher);
	terminal_restore(&launcher.terminal);
	close(death[1]);
	end_group(&launcher, config);
	/* Whoever could have held the other ends is gone. */
	output_drain(&launcher.output, launcher.signals);
	output_close(&launcher.output);
	if (launcher.audit_pipe >= 0)
		close(launcher.audit_pipe);
	if (gateway)
		gateway_process_end(gateway, read_gateway_audit, &launcher);
	if (launcher.gateway_died[0]) {
		ret_result->exit_code = 125;
		memcpy(ret_result->message, launcher.gateway_died, sizeof(launcher.gateway_died));
	}
	if (audit && audit->error) {
		ret_result->exit_code = 125;
		snprintf(ret_result->message, sizeof(ret_result->message),
			"--audit: cannot write to %s: %s; the sandbox was ended", audit->name,
			strerror(-audit->error));
	}
	if (commit)
		commit_changes(&launcher, config, spool, directory);
	return 0;
}
