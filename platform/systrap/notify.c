/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listener: doorbells, clones to approve, and calls that no stub of ours makes.
 *
 * A notification's pid is the kernel's word (the thread's id in our pid namespace) and therefore
 * who a request comes from; everything else in it came from the guest. Notifications may vanish at
 * any time (ENOENT) because their thread died.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"

/* Rings with nothing new in the slot, between two requests. One is normal; a stub that does not see
 * its reply would go on for ever. */
#define IDLE_RINGS_MAX 1000u

/* False when nobody waits for it any more. */
static bool respond(uint64_t id, int64_t value, int error, uint32_t flags)
{
	struct seccomp_notif_resp response = {
		.id = id, .val = value, .error = error, .flags = flags};

	/* A stop of ours, or somebody who looks at us, may come in between. */
	while (ioctl(systrap.listener.fd, SECCOMP_IOCTL_NOTIF_SEND, &response) < 0) {
		if (errno == EINTR)
			continue;
		/* ENOENT: the thread is gone, or a signal took it out of the call before we
		 * received it. After anything else a thread would sleep for ever. */
		if (errno != ENOENT && errno != EINPROGRESS && !systrap.stopping)
			systrap.upcalls->fatal("the seccomp listener takes no answers");
		return false;
	}
	return true;
}

void systrap_notification_answer(uint64_t id, int64_t value)
{
	(void)respond(id, value, 0, 0);
}

void systrap_doorbell_answer(struct systrap_thread *thread)
{
	bool there = thread->state == SYSTRAP_IN_GUEST && systrap_place(thread);
	uint64_t id = thread->notification;

	thread->notification = 0;
	if (there)
		systrap_spin_sync_wake(false);
	(void)respond(id, 0, 0, 0);
	if (there)
		systrap_spin_sync_wake(true);
}

int systrap_notification_addfd(uint64_t id, int fd, unsigned slot)
{
	struct seccomp_notif_addfd addfd = {
		.id = id,
		.flags = SECCOMP_ADDFD_FLAG_SETFD,
		.srcfd = (uint32_t)fd,
		.newfd = STUB_FD_TRANSFER + slot,
	};

	while (ioctl(systrap.listener.fd, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

int systrap_transfer(struct systrap_thread *thread, int fd, unsigned slot)
{
	int err;

	if (slot == 0)
		thread->as->kept = 0;
	err = systrap_notification_addfd(thread->notification, fd, slot);
	return err == -ENOENT ? -ESRCH : err;
}

static void doorbell(struct systrap_thread *thread, uint64_t id)
{
	thread->notification = id;
	switch (thread->state) {
	case SYSTRAP_IN_GUEST:
	case SYSTRAP_IN_COMMAND: {
		int ret = systrap_channel_poll(thread);

		if (ret > 0)
			systrap_spin_event(thread, true, __builtin_ia32_rdtsc());
		else if (ret == 0 && ++thread->idle_rings > IDLE_RINGS_MAX)
			systrap_as_kill((struct platform_as *)thread->as);
		else if (ret == 0)
			systrap_doorbell_answer(thread); /* late: the reply is in the slot */
		break;
	}
	case SYSTRAP_STOPPED:
		/* Its request was seen while it still spun; it sleeps until we reply. */
		if (thread->awaits_doorbell && thread->waiter)
			fiber_wake(thread->waiter);
		break;
	case SYSTRAP_LEAVING:
		systrap_doorbell_answer(thread);
		break;
	case SYSTRAP_RETIRED: /* sleeps there until its process ends */
	case SYSTRAP_DEAD:
		break;
	}
}

static bool is_child_process(pid_t pid)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

/* The first ring of a new host thread. False when it has no business here. */
static bool claim_clone(const struct seccomp_notif *notif)
{
	struct systrap_clone *clone;

	if (notif->data.nr != STUB_DOORBELL_NR || notif->data.args[1] != STUB_DOORBELL_CHILD)
		return false;
	list_for_each_entry (clone, &systrap.clones, link) {
		pid_t pid = (pid_t)notif->pid;

		if (clone->token != notif->data.args[0] || clone->tid != 0)
			continue;
		if (clone->new_as ? !is_child_process(pid)
				  : syscall(SYS_tgkill, clone->as->pid, pid, 0) != 0)
			return false;
		clone->tid = pid;
		clone->notification = notif->id;
		wait_queue_wake(&clone->queue, ~0u);
		return true;
	}
	return false;
}

static bool approve_clone(struct systrap_thread *thread, const struct seccomp_notif *notif)
{
	struct systrap_clone *clone;

	list_for_each_entry (clone, &systrap.clones, link) {
		if (clone->parent != thread || clone->flags != notif->data.args[0])
			continue;
		/* A signal makes the kernel restart clone, which asks again: a few times is normal.
		 * One that came before our answer let nothing through, however slow we are: it does
		 * not count. */
		if (clone->approvals_left == 0)
			return false;
		if (respond(notif->id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE))
			clone->approvals_left--;
		return true;
	}
	return false;
}

static void handle(const struct seccomp_notif *notif)
{
	struct systrap_thread *thread = systrap_thread_find((pid_t)notif->pid);

	if (!thread) {
		if (claim_clone(notif))
			return;
		/* Nobody we know. The notification pins it, so the id cannot have been reused. */
		log_debug("systrap: killing stray thread %u (call %d)", notif->pid, notif->data.nr);
		(void)kill((pid_t)notif->pid, SIGKILL);
		return;
	}
	if (notif->data.nr == STUB_DOORBELL_NR) {
		thread->rang_cpu = (unsigned)notif->data.args[0] % CPU_SETSIZE;
		thread->rang_at = __builtin_ia32_rdtsc();
		doorbell(thread, notif->id);
		return;
	}
	if (notif->data.nr == SYS_clone && approve_clone(thread, notif))
		return;
	if (thread->head.kernel_data && thread->state != SYSTRAP_LEAVING &&
		thread->state != SYSTRAP_RETIRED) {
		uint64_t args[6];

		memcpy(args, notif->data.args, sizeof(args));
		systrap.upcalls->violation(&thread->head, (uint32_t)notif->data.nr, args);
	}
	systrap_as_kill((struct platform_as *)thread->as);
}

void systrap_listener_ready(struct loop_fd *fd, uint32_t events)
{
	struct seccomp_notif notif;

	(void)events;
	memset(&notif, 0, sizeof(notif));
	if (ioctl(fd->fd, SECCOMP_IOCTL_NOTIF_RECV, &notif) == 0) {
		handle(&notif);
		return;
	}
	if (errno == ENOENT || errno == EINTR)
		return;
	if (!systrap.stopping)
		systrap.upcalls->fatal("the seccomp listener broke");
	loop_set_bell(NULL);
}
