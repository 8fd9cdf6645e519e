/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ptrace platform: start, stop, the loop source and the table of operations. The theory is in
 * docs/ptrace.md.
 *
 * Tracer and tracees share one core, chosen at start: a wake-up across cores costs ten times what
 * one on the same core does.
 */
#include "platform/ptrace/tracee.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"

#define STOP_DEADLINE_MS 2000

/*
 * SIGCHLD is blocked for good and read from a descriptor, which the main loop watches as well: no
 * handler, and none of the calls that go with one. Blocked signals stay pending although their
 * action is to be ignored.
 */
static bool take_sigchld(void)
{
	struct signalfd_siginfo info;

	return read(pt.sigchld.fd, &info, sizeof(info)) == sizeof(info);
}

static void sigchld_ready(struct loop_fd *self, uint32_t events)
{
	if (take_sigchld())
		pt.poll_needed = true;
}

static unsigned source_poll(struct loop_source *self)
{
	if (pt.running == 0 || (!pt.poll_needed && !take_sigchld()))
		return 0;
	return tracees_poll();
}

/* What stops from here on raises SIGCHLD, which ends the sleep. */
static bool source_prepare_sleep(struct loop_source *self)
{
	return source_poll(self) == 0;
}

static int start_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	pt.sigchld = (struct loop_fd){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
		.events = EPOLLIN,
		.ready = sigchld_ready};
	return pt.sigchld.fd < 0 ? -errno : loop_fd_add(&pt.sigchld);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void kill_group(void)
{
	unsigned waited = 0;
	int status;

	if (pt.group <= 0)
		return;
	(void)kill(-pt.group, SIGKILL);
	while (waited < STOP_DEADLINE_MS) {
		pid_t tid = waitpid(-pt.group, &status, WNOHANG | __WALL);

		if (tid > 0)
			continue;
		if (tid < 0 && errno == ECHILD)
			break;
		(void)kill(-pt.group, SIGKILL);
		/* libc's poll() is another host call, which is not on our list. */
		(void)ppoll(NULL, 0, &(struct timespec){.tv_nsec = 1000000}, NULL);
		waited++;
	}
	pt.group = 0;
}

static void ptrace_stop(void)
{
	bool was_started = pt.started;

	pt.started = false;
	kill_group();
	affinity_stop();
	newborns_kill();
	tracees_forget();
	close_fd(&pt.socket_send);
	close_fd(&pt.socket_receive);
	close_fd(&pt.kill_pipe);
	pt.proc_fd = -1; /* borrowed */
	free(pt.fpu_initial);
	pt.fpu_initial = NULL;
	pt.fpu_size = pt.fpu_host_size = 0;
	if (!was_started)
		return;
	loop_source_remove(&pt.source);
	loop_fd_remove(&pt.sigchld);
	close_fd(&pt.sigchld.fd);
}

static int ptrace_start(const struct platform_config *config,
	const struct platform_upcalls *upcalls, const char **ret_why)
{
	int err;

	pt.config = *config;
	pt.config.max_threads++; /* the zygote */
	pt.upcalls = upcalls;
	fiber_mutex_init(&pt.zygote_lock);
	fiber_mutex_init(&pt.socket_lock);
	affinity_start();
	err = zygote_start(ret_why);
	if (err < 0) {
		ptrace_stop();
		return err;
	}
	*ret_why = "ptrace: SIGCHLD";
	err = start_signals();
	if (err < 0) {
		ptrace_stop();
		return err;
	}
	pt.source = (struct loop_source){
		.poll = source_poll,
		.prepare_sleep = source_prepare_sleep,
	};
	loop_source_add(&pt.source);
	pt.started = true;
	return 0;
}

static void ptrace_vdso(struct platform_as *as, gaddr_t *ret_addr, uint64_t *ret_size)
{
	*ret_addr = pt.vdso_addr;
	*ret_size = pt.vdso_size;
}

static gaddr_t ptrace_guest_end(void)
{
	return GADDR(PT_GUEST_END);
}

static void ptrace_thread_release(struct platform_thread *thread)
{
	tracee_release(tracee_of(thread));
}

const struct platform_ops platform_ptrace = {
	.name = "ptrace",
	.probe = ptrace_probe,
	.start = ptrace_start,
	.stop = ptrace_stop,
	.as_create = ptrace_as_create,
	.as_kill = as_sigkill,
	.thread_clone = ptrace_thread_clone,
	.thread_release = ptrace_thread_release,
	.run = ptrace_run,
	.interrupt = ptrace_interrupt,
	.fpu_get = ptrace_fpu_get,
	.fpu_set = ptrace_fpu_set,
	.fpu_reset = ptrace_fpu_reset,
	.copy_in = ptrace_copy_in,
	.copy_out = ptrace_copy_out,
	.copy_out_deferred = ptrace_copy_out_deferred,
	.map = ptrace_map,
	.unmap = ptrace_unmap,
	.protect = ptrace_protect,
	.remap = ptrace_remap,
	.advise = ptrace_advise,
	.rseq = ptrace_rseq,
	.rseq_end = ptrace_rseq_end,
	.futex = ptrace_futex,
	.vdso = ptrace_vdso,
	.guest_end = ptrace_guest_end,
	.cpu_time = ptrace_cpu_time,
	.usage = ptrace_usage,
	.resident_size = ptrace_resident_size,
	.memory_use = ptrace_memory_use,
	.stub_call = ptrace_stub_call,
};
