/* SPDX-License-Identifier: Apache-2.0 */
/* epoll_create(2), epoll_ctl(2), epoll_wait(2) */
#include <errno.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/signal.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "sentry/syscalls/anon_fd.h"
#include "sentry/syscalls/timeout.h"
#include "sentry/syscalls_gen.h"
#include "sentry/held.h"
#include "vfs/anon.h"

/* Events that fit on the stack: the usual case needs no allocation. */
#define EVENTS_ON_STACK 64
/* kernel: EP_MAX_EVENTS */
#define EVENTS_MAX (INT32_MAX / (int)sizeof(struct lx_epoll_event))

static int64_t do_epoll_create(struct task *t, unsigned flags)
{
	struct file *file;
	int err;

	if (flags & ~(unsigned)LX_EPOLL_CLOEXEC)
		return -EINVAL;
	err = epoll_new(&file);
	if (err < 0)
		return err;
	return install_new_file(t, file, flags & LX_EPOLL_CLOEXEC);
}

int64_t sys_epoll_create(struct task *t, int size)
{
	return size <= 0 ? -EINVAL : do_epoll_create(t, 0);
}

int64_t sys_epoll_create1(struct task *t, unsigned flags)
{
	return do_epoll_create(t, flags);
}

int64_t sys_epoll_ctl(struct task *t, int epfd, int op, int fd, gaddr_t event_addr)
{
	_cleanup_(cleanup_file_unref) struct file *epoll = NULL, *target = NULL;
	struct lx_epoll_event event = {0};
	int64_t ret;

	if (op != LX_EPOLL_CTL_DEL) {
		int err = guest_read_value(t, &event, event_addr);

		if (err < 0)
			return err;
	}
	epoll = fd_get(t->files, epfd);
	target = fd_get(t->files, fd);
	if (!epoll || !target)
		return -EBADF;
	if (!cred_capable(t->cred, LX_CAP_BLOCK_SUSPEND))
		event.events &= ~LX_EPOLLWAKEUP;
	ret = epoll_control(epoll, op, target, fd, &event);
	if (ret == 0)
		held_epoll_ctl(t, epoll, target, epfd, op, fd, &event);
	return ret;
}

static int64_t do_epoll_wait(
	struct task *t, int epfd, gaddr_t addr, int max_events, uint64_t deadline)
{
	_cleanup_(cleanup_file_unref) struct file *epoll = NULL;
	_cleanup_free_ struct lx_epoll_event *allocated = NULL;
	struct lx_epoll_event on_stack[EVENTS_ON_STACK], *events = on_stack;
	int64_t found;
	int err;

	epoll = fd_get(t->files, epfd);
	if (!epoll)
		return -EBADF;
	if (max_events <= 0 || max_events > EVENTS_MAX)
		return -EINVAL;
	if (!file_is_epoll(epoll))
		return -EINVAL;
	max_events = min_of(max_events, SENTRY_MAX_EPOLL_EVENTS);
	if (max_events > EVENTS_ON_STACK) {
		allocated = malloc((size_t)max_events * sizeof(*allocated));
		if (!allocated)
			return -ENOMEM;
		events = allocated;
	}
	found = epoll_wait_events(epoll, events, (size_t)max_events, deadline);
	if (found <= 0)
		return found;
	err = guest_write_result(t, addr, events, (size_t)found * sizeof(*events));
	return err < 0 ? err : found;
}

static int64_t epoll_wait_masked(struct task *t, int epfd, gaddr_t events, int max_events,
	uint64_t deadline, gaddr_t sigmask, uint64_t sigsetsize)
{
	int64_t ret;

	if (!gaddr_is_null(sigmask)) {
		int err = signal_set_temporary_mask(t, sigmask, sigsetsize);

		if (err < 0)
			return err;
	}
	ret = do_epoll_wait(t, epfd, events, max_events, deadline);
	if (!gaddr_is_null(sigmask) && ret != -EINTR)
		signal_restore_mask(t);
	return ret;
}

int64_t sys_epoll_wait(struct task *t, int epfd, gaddr_t events, int maxevents, int timeout)
{
	return do_epoll_wait(t, epfd, events, maxevents, deadline_from_ms(timeout));
}

int64_t sys_epoll_pwait(struct task *t, int epfd, gaddr_t events, int maxevents, int timeout,
	gaddr_t sigmask, uint64_t sigsetsize)
{
	return epoll_wait_masked(
		t, epfd, events, maxevents, deadline_from_ms(timeout), sigmask, sigsetsize);
}

int64_t sys_epoll_pwait2(struct task *t, int epfd, gaddr_t events, int maxevents, gaddr_t timeout,
	gaddr_t sigmask, uint64_t sigsetsize)
{
	uint64_t deadline = WAIT_FOREVER;

	if (!gaddr_is_null(timeout)) {
		struct lx_timespec ts;
		int err = guest_read_value(t, &ts, timeout);

		if (err == 0)
			err = deadline_from_timespec(&ts, &deadline);
		if (err < 0)
			return err;
	}
	return epoll_wait_masked(t, epfd, events, maxevents, deadline, sigmask, sigsetsize);
}
