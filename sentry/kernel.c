/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/kernel.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <signal.h>
#include <stdarg.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "abi/mman.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/clock_set.h"
#include "base/log.h"
#include "sentry/confine.h"
#include "sentry/control.h"
#include "sentry/gateway_link.h"
#include "sentry/host_calls.h"
#include "sentry/kernel_private.h"
#include "sentry/link.h"
#include "sentry/live.h"
#include "sentry/oom_score.h"
#include "sentry/scout.h"
#include "sentry/procfs/procfs.h"
#include "sentry/nsproxy.h"
#include "sentry/shared_names.h"
#include "sentry/strace.h"
#include "sentry/task_private.h"
#include "sentry/held.h"
#include "sentry/tty/tty.h"

/*
 * The Sentry's life: take what is needed of the host, give up the rest, boot, loop, report.
 *
 * The order is the design's (start-up order): limits and descriptors; host files opened; privileges
 * dropped; Landlock; the platform's zygote, which comes up by itself meanwhile; helper threads;
 * then a fiber mounts the view; the platform's start is finished, the seccomp filter installed; and
 * another fiber starts the program as pid 2.
 */

struct kernel kernel;

static struct boot {
	const struct kernel_config *config;
	struct kernel_result *result;
	struct view *view;
	struct loop_fd control;
	size_t platform_index;
	struct path root; /* of the guest, until the program has it */
	bool mounted;
	bool writable; /* some of the host's files may be written */
	uint64_t confining_ns;
} boot;

void kernel_fail(int exit_code, const char *format, ...)
{
	va_list args;

	/* The first failure is the cause; what follows from it is not news. */
	if (boot.result->message[0])
		return;
	va_start(args, format);
	vsnprintf(boot.result->message, sizeof(boot.result->message), format, args);
	va_end(args);
	boot.result->exit_code = exit_code;
}

/* ---- host side ---- */

static int set_up_descriptors(void)
{
	const struct kernel_config *config = boot.config;
	int keep[] = {config->control_fd, config->commit_fd, config->strace_fd, config->audit_fd,
		config->observe.record_fd, config->observe.stacks_fd, config->stats_fd,
		config->death_fd, config->stdio[0], config->stdio[1], config->stdio[2],
		config->namespaces.root_fd, config->namespaces.proc_fd, config->link.fd,
		config->gateway_fd};
	const char *why;
	int r = confine_descriptors(keep, array_size(keep), &why);

	if (r < 0)
		kernel_fail(125, "%s failed: %s", why, strerror(-r));
	return r;
}

static void platform_violation(struct platform_thread *thread, uint64_t nr, const uint64_t args[6])
{
	struct task *task = thread ? thread->kernel_data : NULL;
	char number[24], where[24], words[6 * 20] = "";

	snprintf(number, sizeof(number), "%llu", (unsigned long long)nr);
	snprintf(where, sizeof(where), "%d", task && task->pid ? task->pid->nr : 0);
	for (size_t i = 0, used = 0; i < 6; i++)
		used += (size_t)snprintf(words + used, sizeof(words) - used, "%s%#llx",
			i ? " " : "", (unsigned long long)args[i]);
	audit_event("containment-violation", "call", number, "args", words, "task", where, "rule",
		"the stub's text may issue only the calls of its list", "allow", "nothing does",
		NULL);
	log_warning("task %s made host call %s from the stub's text, which is not on its list; the "
		    "task was ended",
		where, number);
}

static void platform_fatal(const char *why)
{
	kernel_fail(125, "the platform failed: %s", why);
	loop_stop(0);
}

static const struct platform_upcalls upcalls = {
	.violation = platform_violation,
	.fatal = platform_fatal,
};

static const struct platform_ops *const platforms[] = {&platform_systrap, &platform_ptrace};

/* Platform @index failed; the next one takes its place when the user named none. */
static bool try_next_platform(size_t index, int error, const char *why)
{
	const struct platform_ops *failed = platforms[index];

	if (!boot.config->platform_name && index + 1 < array_size(platforms)) {
		log_warning("platform %s cannot run here (%s: %s); using %s, which is slower",
			failed->name, why, strerror(-error), platforms[index + 1]->name);
		return true;
	}
	kernel_fail(
		125, "platform %s cannot run here: %s: %s", failed->name, why, strerror(-error));
	return false;
}

/* The first one from @first on that starts. */
static int start_platform(size_t first)
{
	const struct kernel_config *config = boot.config;
	const struct platform_config platform_config = {
		.max_threads = (unsigned)config->pids_limit + 8,
		.patch_sites = !config->no_patch,
	};

	for (size_t i = first; i < array_size(platforms); i++) {
		const char *why = "";
		int r;

		if (config->platform_name && strcmp(platforms[i]->name, config->platform_name) != 0)
			continue;
		oom_score_raise();
		r = platforms[i]->start(&platform_config, &upcalls, &why);
		oom_score_restore();
		if (r == 0) {
			platform = platforms[i];
			boot.platform_index = i;
			return 0;
		}
		if (!try_next_platform(i, r, why))
			return r;
	}
	kernel_fail(125, "there is no platform %s", config->platform_name);
	return -EINVAL;
}

static int finish_platform(void)
{
	while (platform->start_finish) {
		const char *why = "";
		int r = platform->start_finish(&why);

		if (r == 0)
			break;
		if (!try_next_platform(boot.platform_index, r, why))
			return r;
		r = start_platform(boot.platform_index + 1);
		if (r < 0)
			return r;
	}
	return 0;
}

/* What everything else stands on, named before something far away fails for the lack of it. */
static int check_host(void)
{
	struct open_how how = {.flags = O_PATH | O_CLOEXEC};
	int fd = (int)syscall(SYS_openat2, AT_FDCWD, "/", &how, sizeof(how));

	if (fd < 0) {
		kernel_fail(125, "this host lacks openat2 (Linux 5.6): %s", strerror(errno));
		return -errno;
	}
	close(fd);
	return 0;
}

/*
 * --cpus: the sandbox as a whole, the kernel process included, runs on the first so many of the
 * processors that it may use: their numbers are then those that the guest is told, which programs
 * take getcpu(2) for an index below. Fewer than asked for are all that there are.
 */
static int limit_processors(uint64_t count)
{
	cpu_set_t usable, some;

	if (!count || sched_getaffinity(0, sizeof(usable), &usable) < 0)
		return 0;
	CPU_ZERO(&some);
	for (unsigned cpu = 0; cpu < CPU_SETSIZE && (uint64_t)CPU_COUNT(&some) < count; cpu++)
		if (CPU_ISSET(cpu, &usable))
			CPU_SET(cpu, &some);
	if (sched_setaffinity(0, sizeof(some), &some) < 0) {
		kernel_fail(125, "cannot choose processors (--cpus): %s", strerror(errno));
		return -errno;
	}
	return 0;
}

static int set_up_host(void)
{
	char message[sizeof(boot.result->message)] = "";
	struct namespaces own;
	const char *why;
	uint64_t begin;
	int r = check_host();

	r = r < 0 ? r : limit_processors(boot.config->cpus);

	r = r < 0 ? r : set_up_descriptors();
	if (r < 0)
		return r;
	own = boot.config->namespaces;
	scout_start(&own);
	r = loop_init();
	clock_set_init();
	r = r < 0 ? r : workers_init(KERNEL_WORKERS);
	if (r < 0) {
		kernel_fail(125, "cannot set up the main loop: %s", strerror(-r));
		return r;
	}
	pipe_syscalls_init();
	vfs_lasting_register(names_changed);
	fd_table_register_full(shared_names_full);
	held_init();
	/* Files in memory count beside the processes, up to the same limit. */
	tmpfs_set_memory_limit(boot.config->memory_limit
				       ? boot.config->memory_limit
				       : (uint64_t)sysconf(_SC_PHYS_PAGES) / 2 * LX_PAGE_SIZE);
	r = view_open(&boot.config->view, &boot.view, message, sizeof(message));
	if (r < 0) {
		kernel_fail(125, "%s", message[0] ? message : strerror(-r));
		return r;
	}
	r = scout_host();
	if (r < 0) {
		kernel_fail(125, "cannot look at the host's processors: %s", strerror(-r));
		return r;
	}
	sched_init(procfs_cpu_count());
	rseq_init(procfs_cpu_count());
	platform_capture_host();
	oom_score_open();
	begin = loop_monotonic_now();
	r = namespaces_leave_host(&own, boot.view, &why);
	/* Where the host grants no network namespace the rest holds all the same. */
	(void)scout_finish();
	r = r < 0 ? r : confine_privileges(&why);
	r = r < 0 ? r : confine_files(boot.view, &why);
	if (r < 0) {
		kernel_fail(125, "cannot confine the kernel process: %s: %s", why, strerror(-r));
		return r;
	}
	boot.confining_ns = loop_monotonic_now() - begin;
	boot.writable = confine_any_writable(boot.view); /* mounting takes the roots away */
	r = start_platform(0);
	if (r < 0)
		return r;
	/* Behind what is a thread's own (Landlock, capabilities), before the filter knows no clone.
	 */
	r = workers_start(KERNEL_WORKERS);
	if (r < 0)
		kernel_fail(125, "cannot start the helper threads: %s", strerror(-r));
	return r;
}

static int confine_host_calls(void)
{
	unsigned when = platform == &platform_systrap ? HOST_SYSTRAP : HOST_PTRACE;
	uint64_t begin = loop_monotonic_now();
	const char *why;
	int r;

	if (boot.writable)
		when |= HOST_WRITABLE;
	if (boot.config->gateway_fd >= 0)
		when |= HOST_GATEWAY;
	r = confine_calls(when, &why);
	boot.confining_ns += loop_monotonic_now() - begin;
	if (r < 0)
		kernel_fail(125, "cannot confine the kernel process: %s: %s", why, strerror(-r));
	return r;
}

/* ---- the launcher's messages ---- */

static void control_ready(struct loop_fd *self, uint32_t events)
{
	struct control_message message;
	ssize_t n = recv(self->fd, &message, sizeof(message), MSG_DONTWAIT);

	if (n < 0)
		return;
	if (n == 0) {
		/* The launcher is gone; the death pipe normally is quicker. */
		loop_fd_remove(self);
		tasks_kill_all();
		return;
	}
	if (n != sizeof(message))
		return;
	if (message.kind == CONTROL_SIGNAL)
		kernel_forward_signal(message.value);
	else if (message.kind == CONTROL_WINDOW)
		kernel_window_changed(message.rows, message.columns);
}

static int watch_launcher(void)
{
	boot.control = (struct loop_fd){
		.fd = boot.config->control_fd, .events = EPOLLIN, .ready = control_ready};
	return loop_fd_add(&boot.control);
}

/* ---- the end ---- */

/* Summary and commit read files, which may sleep: on a fiber of its own. */
static void finish_fiber(void *arg)
{
	link_flush();
	kernel_finish(boot.view, boot.result);
	loop_stop(0);
}

static void program_gone(int wait_status)
{
	struct kernel_result *result = boot.result;
	struct fiber *fiber;

	kernel_limits_stop();
	/* Everybody was reaped by pid 1 in the end. */
	if (kernel.reaper) {
		result->user_ns = kernel.reaper->dead_children.user_ns;
		result->system_ns = kernel.reaper->dead_children.system_ns;
		result->max_resident_size = kernel.reaper->dead_children.max_rss;
	}
	if (!result->message[0] && result->wait_status < 0) {
		result->wait_status = wait_status;
		if (WIFSIGNALED(wait_status))
			result->exit_code = 128 + WTERMSIG(wait_status);
		else
			result->exit_code = WEXITSTATUS(wait_status);
	}
	if (result->timed_out || result->cpu_time_hit || result->output_hit)
		result->exit_code = 124;
	if (fiber_create(&fiber, "finish", finish_fiber, NULL) < 0)
		loop_stop(0);
}

/* Mounting sleeps; what comes between it and the program must not be on a fiber (platforms park the
 * one that they are called on). */
static void mount_fiber(void *arg)
{
	char message[sizeof(boot.result->message)] = "";
	int r = view_mount(boot.view, &boot.root, message, sizeof(message));

	if (r < 0)
		kernel_fail(125, "%s", message[0] ? message : strerror(-r));
	boot.mounted = r == 0;
	loop_stop(0);
}

static void program_fiber(void *arg)
{
	int r = kernel_start_program(boot.config, &boot.root, program_gone);

	path_unref(&boot.root);
	if (r < 0) {
		kernel_fail(125, "cannot start the first task: %s", strerror(-r));
		loop_stop(0);
		return;
	}
	kernel_limits_start(boot.config, boot.result);
}

/* Runs the loop until @fn, on a fiber, or something later stops it. */
static int run_fiber(const char *name, fiber_fn *fn)
{
	struct fiber *fiber;
	int r = fiber_create(&fiber, name, fn, NULL);

	if (r < 0)
		kernel_fail(125, "cannot boot: %s", strerror(-r));
	else
		loop_run();
	return r;
}

static void boot_and_run(void)
{
	int r = watch_launcher();

	if (r < 0)
		kernel_fail(125, "cannot boot: %s", strerror(-r));
	if (r < 0 || run_fiber("mount", mount_fiber) < 0 || !boot.mounted)
		return;
	/* Everything of the host is open: from here on it is asked for little, and no guest has
	 * run. */
	r = link_start(&boot.config->link);
	r = r < 0 ? r : gateway_link_start(boot.config->gateway_fd);
	r = r < 0 ? r : finish_platform();
	oom_score_close();
	workers_wait_begun();
	r = r < 0 ? r : confine_host_calls();
	if (r < 0)
		path_unref(&boot.root);
	else
		(void)run_fiber("program", program_fiber);
}

/* A line for each call; losing some to a full disk must not stop the guest. */
static void write_strace(struct strace_sink *sink, const char *text, size_t size)
{
	while (size > 0) {
		ssize_t n = write(kernel.config->strace_fd, text, size);

		if (n <= 0)
			return;
		text += n;
		size -= (size_t)n;
	}
}

/* Plain write(): what stdio asks of a descriptor is not on our list of host calls. */
static void write_stat_line(const char *text)
{
	size_t size = strlen(text);

	if (write(kernel.config->stats_fd, text, size) != (ssize_t)size)
		log_debug("statistics were not written");
}

static void put_stat(const char *name, uint64_t value)
{
	char line[128];

	(void)snprintf(line, sizeof(line), "%-52s %10" PRIu64 "\n", name, value);
	write_stat_line(line);
}

static void write_stats(void)
{
	put_stat("start: us to be born into namespaces", kernel.config->namespaces.made_ns / 1000);
	put_stat("start: us to leave the host's files and calls", boot.confining_ns / 1000);
	if (platform->stats)
		platform->stats(put_stat);
	else
		write_stat_line("this platform keeps no statistics\n");
}

void kernel_run(const struct kernel_config *config, struct kernel_result *ret_result)
{
	static struct strace_sink strace = {.write = write_strace};
	uint64_t start;

	*ret_result = (struct kernel_result){.wait_status = -1, .exit_code = 125};
	boot = (struct boot){.config = config, .result = ret_result};
	kernel.config = config;
	nsproxy_init_first(config->hostname);
	if (config->audit_fd >= 0)
		audit_set_fd(config->audit_fd);
	if (config->strace_fd >= 0)
		observe_strace(&strace);
	if (set_up_host() < 0)
		return;
	observe_start(&config->observe, platform->name);
	live_set_platform(platform->name);
	start = kernel.boot_time_mono = loop_monotonic_now();
	boot_and_run();
	console_drain();
	ret_result->output_size = output_size();
	ret_result->wall_ns = loop_monotonic_now() - start;
	platform->stop();
	if (platform->answered)
		platform->answered(observe_count);
	observe_end(kernel_memory_peak(), ret_result->user_ns + ret_result->system_ns,
		ret_result->output_size);
	if (config->stats_fd >= 0)
		write_stats();
}
