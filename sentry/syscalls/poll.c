/* SPDX-License-Identifier: Apache-2.0 */
/*
 * poll(2), ppoll(2), select(2), pselect6(2); kernel fs/select.c.
 *
 * Interruption: poll is restarted through its restart block when no handler ran (a stop and
 * continue), with the deadline it began with; ppoll, select and pselect6 restart from the beginning
 * then, with the time that is left, which they write back in every case. When a handler ran all of
 * them answer EINTR, whatever SA_RESTART says.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/limits.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/syscalls/timeout.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"
#include "vfs/anon.h"

#define FDS_ON_STACK 16

/* ---- the time that is left ---- */

enum timeout_kind { TIMEOUT_TIMEVAL, TIMEOUT_TIMESPEC };

/*
 * Ends a call with a time-out argument: gives the mask back unless a handler shall see it, and
 * writes the time that is left. kernel: poll_select_finish()
 */
static int64_t finish(struct task *t, int64_t ret, uint64_t deadline, gaddr_t addr,
	enum timeout_kind kind, bool masked)
{
	struct lx_timespec left = {0};
	uint64_t ns;
	int err;

	if (masked && ret != -ERESTARTNOHAND)
		signal_restore_mask(t);
	if (gaddr_is_null(addr) || deadline == 0)
		return ret;
	ns = deadline_remaining(deadline);
	left.tv_sec = (int64_t)(ns / 1000000000u);
	left.tv_nsec = (int64_t)(ns % 1000000000u);
	/* struct timeval has the same layout, with microseconds. */
	if (kind == TIMEOUT_TIMEVAL)
		left.tv_nsec /= 1000;
	err = guest_write(t, addr, &left, sizeof(left));
	/* Without it written a restart would wait for the whole time again. */
	if (err < 0 && ret == -ERESTARTNOHAND)
		return -EINTR;
	return ret;
}

static int read_timespec(struct task *t, gaddr_t addr, uint64_t *ret_deadline)
{
	struct lx_timespec ts;
	int err;

	*ret_deadline = WAIT_FOREVER;
	if (gaddr_is_null(addr))
		return 0;
	err = guest_read_value(t, &ts, addr);
	return err < 0 ? err : deadline_from_timespec(&ts, ret_deadline);
}

/* select(2) takes microseconds beyond a second. */
static int read_timeval(struct task *t, gaddr_t addr, uint64_t *ret_deadline)
{
	struct lx_timeval tv;
	struct lx_timespec ts;
	int err;

	*ret_deadline = WAIT_FOREVER;
	if (gaddr_is_null(addr))
		return 0;
	err = guest_read_value(t, &tv, addr);
	if (err < 0)
		return err;
	if (tv.tv_sec < 0 || tv.tv_usec < 0 || tv.tv_sec > INT64_MAX - tv.tv_usec / 1000000)
		return -EINVAL;
	ts.tv_sec = tv.tv_sec + tv.tv_usec / 1000000;
	ts.tv_nsec = tv.tv_usec % 1000000 * 1000;
	return deadline_from_timespec(&ts, ret_deadline);
}

/* ---- poll ---- */

static void unref_targets(struct poll_target *targets, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (targets[i].file)
			file_unref(targets[i].file);
	}
}

/* Fills revents. Returns how many are not zero. */
static int64_t poll_descriptors(struct task *t, struct lx_pollfd *fds, struct poll_target *targets,
	size_t count, uint64_t deadline)
{
	int64_t invalid = 0, ready;

	for (size_t i = 0; i < count; i++) {
		targets[i] = (struct poll_target){
			.events = (uint16_t)fds[i].events | LX_POLLERR | LX_POLLHUP};
		if (fds[i].fd < 0)
			continue;
		targets[i].file = fd_get(t->files, fds[i].fd);
		if (!targets[i].file)
			invalid++;
	}
	ready = poll_files(targets, count, invalid ? 0 : deadline);
	for (size_t i = 0; i < count; i++) {
		if (fds[i].fd >= 0 && !targets[i].file)
			fds[i].revents = LX_POLLNVAL;
		else
			fds[i].revents = (int16_t)targets[i].revents;
	}
	unref_targets(targets, count);
	if (invalid)
		return max_of(ready, (int64_t)0) + invalid;
	return ready;
}

static int64_t do_poll(struct task *t, gaddr_t addr, unsigned count, uint64_t deadline)
{
	struct lx_pollfd fds_on_stack[FDS_ON_STACK], *fds = fds_on_stack;
	struct poll_target targets_on_stack[FDS_ON_STACK], *targets = targets_on_stack;
	_cleanup_free_ void *allocated = NULL;
	int64_t ready;
	int err;

	if (count > task_rlimit(t, LX_RLIMIT_NOFILE) || count > SENTRY_MAX_POLL_FDS)
		return -EINVAL;
	if (count > FDS_ON_STACK) {
		allocated = calloc(count, sizeof(*fds) + sizeof(*targets));
		if (!allocated)
			return -ENOMEM;
		targets = allocated;
		fds = (struct lx_pollfd *)(targets + count);
	}
	err = count ? guest_read(t, fds, addr, count * sizeof(*fds)) : 0;
	if (err < 0)
		return err;
	ready = poll_descriptors(t, fds, targets, count, deadline);
	/* As in Linux, revents are stored even when the call was interrupted. */
	err = count ? guest_write_result(t, addr, fds, count * sizeof(*fds)) : 0;
	return err < 0 ? err : ready;
}

static int64_t poll_or_restart(struct task *t, gaddr_t fds, unsigned nfds, uint64_t deadline);

static int poll_restart(struct task *t)
{
	return (int)poll_or_restart(
		t, t->restart.addr, (unsigned)t->restart.value, t->restart.deadline);
}

static int64_t poll_or_restart(struct task *t, gaddr_t fds, unsigned nfds, uint64_t deadline)
{
	int64_t ret = do_poll(t, fds, nfds, deadline);

	if (ret != -ERESTARTNOHAND)
		return ret;
	t->restart.fn = poll_restart;
	t->restart.addr = fds;
	t->restart.value = nfds;
	t->restart.deadline = deadline;
	return -ERESTART_RESTARTBLOCK;
}

int64_t sys_poll(struct task *t, gaddr_t fds, unsigned nfds, int timeout)
{
	return poll_or_restart(t, fds, nfds, deadline_from_ms(timeout));
}

int64_t sys_ppoll(struct task *t, gaddr_t fds, unsigned nfds, gaddr_t tmo, gaddr_t sigmask,
	uint64_t sigsetsize)
{
	bool masked = !gaddr_is_null(sigmask);
	uint64_t deadline;
	int err = read_timespec(t, tmo, &deadline);

	if (err < 0)
		return err;
	if (masked) {
		err = signal_set_temporary_mask(t, sigmask, sigsetsize);
		if (err < 0)
			return err;
	}
	return finish(t, do_poll(t, fds, nfds, deadline), deadline, tmo, TIMEOUT_TIMESPEC, masked);
}

/* ---- select ---- */

enum { SET_IN, SET_OUT, SET_EX, SETS };

/* What makes a descriptor ready in each set (kernel: POLLIN_SET ...). */
static const uint32_t set_events[SETS] = {
	[SET_IN] = LX_POLLRDNORM | LX_POLLRDBAND | LX_POLLIN | LX_POLLHUP | LX_POLLERR,
	[SET_OUT] = LX_POLLWRBAND | LX_POLLWRNORM | LX_POLLOUT | LX_POLLERR,
	[SET_EX] = LX_POLLPRI,
};

struct select_call {
	struct task *task;
	gaddr_t addr[SETS];
	uint64_t *bits[SETS]; /* words each; NULL for an absent set */
	size_t words;
	int n;
	struct poll_target *targets;
	int *fds; /* of each target; one without a file is O_PATH (EPOLLNVAL: ready for all) */
	size_t count;
	bool invalid; /* there is such a one */
};

static bool test_bit(const uint64_t *bits, int bit)
{
	return bits && (bits[bit / 64] >> (bit % 64) & 1);
}

static int select_read_sets(struct select_call *call, uint64_t *memory)
{
	for (int set = 0; set < SETS; set++) {
		int err;

		if (gaddr_is_null(call->addr[set]))
			continue;
		call->bits[set] = memory + (size_t)set * call->words;
		err = guest_read(call->task, call->bits[set], call->addr[set], call->words * 8);
		if (err < 0)
			return err;
	}
	return 0;
}

static unsigned select_interest(const struct select_call *call, int fd)
{
	uint32_t events = 0;

	for (int set = 0; set < SETS; set++)
		events |= test_bit(call->bits[set], fd) ? set_events[set] : 0;
	return events;
}

static int select_get_targets(struct select_call *call)
{
	for (int pass = 0; pass < 2; pass++) {
		size_t count = 0;

		for (int fd = 0; fd < call->n; fd++) {
			uint32_t events = select_interest(call, fd);

			if (!events)
				continue;
			if (pass == 1) {
				struct file *file = fd_get(call->task->files, fd);

				if (!file && fd_get_flags(call->task->files, fd) < 0)
					return -EBADF;
				call->invalid |= !file;
				call->targets[count] =
					(struct poll_target){.file = file, .events = events};
				call->fds[count] = fd;
				call->count = count + 1;
			}
			count++;
		}
		if (pass == 0 && count > 0) {
			call->targets = calloc(count, sizeof(*call->targets));
			call->fds = calloc(count, sizeof(*call->fds));
			if (!call->targets || !call->fds)
				return -ENOMEM;
		}
	}
	return 0;
}

/* Turns the sets into the results; the sum of their bits. */
static int64_t select_results(struct select_call *call)
{
	int64_t sum = 0;

	for (size_t i = 0; i < call->count; i++) {
		int fd = call->fds[i];

		for (int set = 0; set < SETS; set++) {
			if (!test_bit(call->bits[set], fd))
				continue;
			if (!call->targets[i].file || (call->targets[i].revents & set_events[set]))
				sum++;
			else
				call->bits[set][fd / 64] &= ~(1ull << (fd % 64));
		}
	}
	return sum;
}

/* Bits beyond n in the last word are not the caller's question: their results are 0. */
static void select_trim(struct select_call *call)
{
	for (int set = 0; set < SETS; set++) {
		if (call->bits[set] && call->n % 64)
			call->bits[set][call->words - 1] &= (1ull << (call->n % 64)) - 1;
	}
}

static int64_t select_run(struct select_call *call, uint64_t deadline)
{
	int64_t ret;
	int err = select_get_targets(call);

	if (err < 0)
		return err;
	ret = poll_files(call->targets, call->count, call->invalid ? 0 : deadline);
	if (ret < 0)
		return ret;
	select_trim(call);
	ret = select_results(call);
	for (int set = 0; set < SETS; set++) {
		if (!call->bits[set])
			continue;
		err = guest_write_result(
			call->task, call->addr[set], call->bits[set], call->words * 8);
		if (err < 0)
			return err;
	}
	return ret;
}

static int64_t do_select(struct task *t, int n, gaddr_t readfds, gaddr_t writefds,
	gaddr_t exceptfds, uint64_t deadline)
{
	_cleanup_free_ uint64_t *memory = NULL;
	struct select_call call = {.task = t, .addr = {readfds, writefds, exceptfds}};
	int64_t ret;

	if (n < 0)
		return -EINVAL;
	call.n = min_of(n, SENTRY_MAX_FDS);
	call.words = ((size_t)call.n + 63) / 64;
	memory = calloc(SETS * call.words + 1, 8);
	if (!memory)
		return -ENOMEM;
	ret = call.words ? select_read_sets(&call, memory) : 0;
	if (ret == 0)
		ret = select_run(&call, deadline);
	unref_targets(call.targets, call.count);
	free(call.targets);
	free(call.fds);
	return ret;
}

int64_t sys_select(struct task *t, int n, gaddr_t readfds, gaddr_t writefds, gaddr_t exceptfds,
	gaddr_t timeout)
{
	uint64_t deadline;
	int err = read_timeval(t, timeout, &deadline);

	if (err < 0)
		return err;
	return finish(t, do_select(t, n, readfds, writefds, exceptfds, deadline), deadline, timeout,
		TIMEOUT_TIMEVAL, false);
}

int64_t sys_pselect6(struct task *t, int n, gaddr_t readfds, gaddr_t writefds, gaddr_t exceptfds,
	gaddr_t timeout, gaddr_t sigmask)
{
	struct lx_sigset_argpack pack = {0};
	uint64_t deadline = WAIT_FOREVER;
	int err = 0;

	if (!gaddr_is_null(sigmask))
		err = guest_read_value(t, &pack, sigmask);
	if (err == 0)
		err = read_timespec(t, timeout, &deadline);
	if (err == 0 && pack.sigmask)
		err = signal_set_temporary_mask(t, GADDR(pack.sigmask), pack.size);
	if (err < 0)
		return err;
	return finish(t, do_select(t, n, readfds, writefds, exceptfds, deadline), deadline, timeout,
		TIMEOUT_TIMESPEC, pack.sigmask != 0);
}
