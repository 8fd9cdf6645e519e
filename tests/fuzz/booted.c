/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kernel without guests for harnesses of what lies behind system calls: it boots once, on the
 * null platform, whose memory holds what a guest would have there, and goes on from input to input.
 * The work is done on the fiber of its only task. Sleeps end at once: the fiber counts as
 * interrupted.
 */
#include "tests/fuzz/booted.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <unistd.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/syscall_nr.h"
#include "base/checked.h"
#include "base/fiber.h"
#include "base/log.h"
#include "base/loop.h"
#include "platform/null/null.h"
#include "sentry/kernel_private.h"
#include "sentry/mm.h"
#include "sentry/namespaces.h"
#include "sentry/nsproxy.h"
#include "sentry/procfs/procfs.h"
#include "sentry/task.h"
#include "sentry/task_private.h"
#include "sentry/tty/tty.h"
#include "sentry/view.h"

struct task *booted_task;

#define AGAIN_NS 20000000ull

static struct timer again;
static booted_fn *present_fn;
static const uint8_t *present_data;
static size_t present_size;

static void must(int64_t result, const char *what)
{
	if (result < 0) {
		(void)fprintf(stderr, "booted: %s: %d\n", what, (int)result);
		abort();
	}
}

/* Timers and descriptors can send any signal, and filters end a task: it goes on as if nothing had
 * been. */
void booted_revive(void)
{
	struct task *task = booted_task;

	if (!task->killed)
		return;
	task->killed = task->signal_wake = false;
	if (task->group->exiting)
		(void)timer_cancel(&task->group->kill_timer);
	task->group->exiting = false;
	task->group->exit_code = task->exit_code = 0;
}

int64_t booted_call(uint64_t nr, const uint64_t args[6])
{
	struct task *task = booted_task;

	task->event = (struct platform_event){.kind = PLATFORM_SYSCALL, .syscall.nr = nr};
	memcpy(task->event.syscall.args, args, sizeof(task->event.syscall.args));
	task->thread->regs.orig_rax = nr;
	fiber_set_interrupted(task->fiber, true);
	dispatch_syscall(task);
	booted_revive();
	return (int64_t)task->thread->regs.rax;
}

int64_t booted_call3(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
	return booted_call(nr, (const uint64_t[6]){a, b, c});
}

/* ---- the kernel ---- */

/* On the program's own fiber; never returns. */
static noreturn int drive(struct task *task, void *data)
{
	struct platform_as *as;
	(void)data;

	booted_task = task;
	must(platform->as_create(&as, &task->thread), "as_create");
	task->thread->kernel_data = task;
	must(mm_new(platform->guest_end().v, &task->mm), "mm_new");
	task->mm->user_ns = user_ns_ref(&user_ns_first);
	must(do_mmap(task, BOOTED_REGION, BOOTED_SIZE, LX_PROT_READ | LX_PROT_WRITE,
		     LX_MAP_PRIVATE | LX_MAP_ANONYMOUS | LX_MAP_FIXED, NULL, 0),
		"memory");
	task->group->unkillable = true; /* timers and the like send signals */
	loop_stop(0);
	for (;;) {
		while (!present_fn)
			fiber_park();
		present_fn(present_data, present_size);
		present_fn = NULL;
		loop_stop(0);
	}
}

static struct view *view;
static struct kernel_config config = {
	.pids_limit = 64,
	.nofile_limit = 256,
	.memory_limit = 64 << 20,
	.hostname = "fuzz",
	.stdio = {-1, -1, -1},
	.control_fd = -1,
	.commit_fd = -1,
	.death_fd = -1,
	.strace_fd = -1,
	.audit_fd = -1,
	.stats_fd = -1,
};

static void boot_fiber(void *arg)
{
	struct task_init init = {.config = &config, .start = drive};
	const struct cred none = {.refs = REFCOUNT_ONE, .user_ns = &user_ns_first};
	char message[256];
	struct task *program;
	struct path root;
	(void)arg;

	must(view_mount(view, &root, message, sizeof(message)), "view_mount");
	must(cred_copy(&none, 0, &init.cred), "cred");
	init.cred->cap_bounding = init.cred->cap_effective = init.cred->cap_permitted =
		(1ull << 41) - 1;
	must(tty_init(), "tty_init");
	must(fs_context_new(&root, &root, 022, &init.fs), "fs_context_new");
	must(fd_table_new(&init.files), "fd_table_new");
	must(task_create_init(&init, &program), "task_create_init");
}

static void boot(void)
{
	const struct platform_config platform_config = {.max_threads = 72};
	char message[256] = "", empty[] = "/var/tmp/sentry-fuzz-XXXXXX";
	static struct kernel_result result;
	const char *why;
	struct fiber *fiber;

	log_set_level(LOG_ERROR);
	kernel.config = &config;
	(void)result;
	if (!mkdtemp(empty))
		abort();
	/* Nothing of the host's files but an empty directory. */
	config.view = (struct view_config){.rootfs = empty, .hostname = "fuzz"};
	nsproxy_init_first("fuzz");
	must(loop_init(), "loop_init");
	must(workers_init(1), "workers_init");
	pipe_syscalls_init();
	tmpfs_set_memory_limit(32 << 20);
	must(view_open(&config.view, &view, message, sizeof(message)), "view_open");
	must(procfs_capture_host(), "procfs_capture_host");
	(void)rmdir(empty);
	sched_init(2);
	must(platform_null.start(&platform_config, NULL, &why), "platform");
	platform = &platform_null;
	must(workers_start(1), "workers_start");
	kernel.boot_time_mono = loop_monotonic_now();
	must(fiber_create(&fiber, "boot", boot_fiber, NULL), "fiber");
	(void)loop_run();
	if (!booted_task)
		abort();
}

/* A call with a signal mask of its own ends the interruption. */
static void interrupt_again(struct timer *timer)
{
	if (!present_fn)
		return;
	fiber_set_interrupted(booted_task->fiber, true);
	(void)timer_arm(timer, loop_monotonic_now() + AGAIN_NS);
}

void booted_run(booted_fn *fn, const uint8_t *data, size_t size)
{
	if (!booted_task)
		boot();
	if (!again.expired)
		timer_init(&again, interrupt_again, NULL);
	(void)timer_arm(&again, loop_monotonic_now() + AGAIN_NS);
	present_fn = fn;
	present_data = data;
	present_size = size;
	fiber_wake(booted_task->fiber);
	(void)loop_run();
}
