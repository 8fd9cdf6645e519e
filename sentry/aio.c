/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linux' native asynchronous I/O (io_submit(2); kernel fs/aio.c).
 *
 * On Linux what is not O_DIRECT on a good file system is done within io_submit(), and so is
 * everything here: a request is carried out, its result waits in the context for io_getevents().
 * The caller sees what it would see on tmpfs. A context's id is the address of a page of the
 * caller, since libaio looks at it for a ring (which it knows by a magic number that is not there).
 *
 * IOCB_CMD_POLL alone stays under way: an entry in the queue of its file, which notes that it was
 * woken. Whether the file is ready then is looked at from outside of the wake-up: by whoever wants
 * events, or by a timer that has expired already, since a waiter or an eventfd has to hear of it.
 */
#include "sentry/aio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/uio.h"
#include "abi/aio.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/mman.h"
#include "abi/poll.h"
#include "abi/time.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm.h"
#include "sentry/syscalls/path.h"
#include "sentry/syscalls/timeout.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"
#include "vfs/vfs.h"

#define EVENTS_TURN 64 /* copied out at once */

struct aio_context {
	struct refcount refs; /* the address space's list, calls in progress */
	struct aio_context *next;
	uint64_t id;
	unsigned capacity; /* requests that may be unclaimed */
	unsigned first, count;
	unsigned pending; /* under way: room is kept for them */
	bool destroyed;
	struct list_head polls; /* under way */
	struct list_head over;	/* polls that are, and still hold their files */
	struct timer woken;	/* looks at polls */
	struct wait_queue queue;
	struct lx_io_event events[]; /* a ring of @capacity */
};

/* An IOCB_CMD_POLL that waits. */
struct aio_poll {
	struct list_head link;
	struct aio_context *context; /* whose list it is on */
	struct wait_entry entry;
	struct file *file, *resfd; /* owned; resfd may be NULL */
	struct lx_iocb iocb;
	uint64_t address; /* of the iocb, which names it */
	bool woken, gone;
};

static uint64_t total_capacity; /* of the sandbox */

static void polls_end(struct aio_context *context);

static void context_unref(struct aio_context *context)
{
	if (!refcount_put(&context->refs))
		return;
	polls_end(context);
	(void)timer_cancel(&context->woken);
	total_capacity -= context->capacity;
	wait_queue_destroy(&context->queue);
	free(context);
}
DEFINE_CLEANUP(context_unref, struct aio_context *)

void aio_release(struct aio_context *contexts)
{
	while (contexts) {
		struct aio_context *next = contexts->next;

		polls_end(contexts);
		context_unref(contexts);
		contexts = next;
	}
}

/* An owned reference, or NULL. */
static struct aio_context *find_context(const struct task *t, uint64_t id)
{
	struct aio_context *context;

	for (context = t->mm->aio; context; context = context->next) {
		if (context->id != id)
			continue;
		refcount_get(&context->refs);
		return context;
	}
	return NULL;
}

static void signal_eventfd(struct file *eventfd)
{
	struct uio_segment segment;
	uint64_t one = 1;
	struct uio uio;

	uio_init_kernel(&uio, &segment, &one, sizeof(one));
	uio.nonblock = true;
	(void)eventfd->ops->write(eventfd, &uio, NULL, NULL);
}

static void complete(
	struct aio_context *context, const struct lx_iocb *iocb, uint64_t address, int64_t result)
{
	unsigned at = (context->first + context->count) % context->capacity;

	context->events[at] =
		(struct lx_io_event){.data = iocb->aio_data, .obj = address, .res = result};
	context->count++;
	wait_queue_wake(&context->queue, ~0u);
}

/* ---- IOCB_CMD_POLL --------------------------------------------------------------------------- */

/* Frees what is over. Files are closed here and not where polls end, which must not sleep. */
static void polls_forget(struct aio_context *context)
{
	while (!list_empty(&context->over)) {
		struct aio_poll *poll = list_first(&context->over, struct aio_poll, link);

		list_remove(&poll->link);
		file_unref(poll->file);
		if (poll->resfd)
			file_unref(poll->resfd);
		free(poll);
	}
}

static void poll_end(struct aio_poll *poll, uint32_t mask)
{
	struct aio_context *context = poll->context;

	wait_entry_remove(&poll->entry);
	list_remove(&poll->link);
	list_add_tail(&poll->link, &context->over);
	context->pending--;
	complete(context, &poll->iocb, poll->address, mask);
	if (poll->resfd)
		signal_eventfd(poll->resfd);
}

/* Ends those whose files have become ready. */
static void polls_look(struct aio_context *context)
{
	struct aio_poll *poll, *next;

	list_for_each_entry_safe (poll, next, &context->polls, link) {
		uint32_t mask;

		if (!poll->woken)
			continue;
		poll->woken = false;
		mask = poll->gone ? LX_POLLERR | LX_POLLHUP : file_poll(poll->file);
		mask &= poll->entry.events;
		if (mask)
			poll_end(poll, mask);
	}
}

static void woken_expired(struct timer *timer)
{
	polls_look(container_of(timer, struct aio_context, woken));
}

static bool poll_notify(struct wait_entry *entry, uint32_t events)
{
	struct aio_poll *poll = entry->data;

	poll->woken = true;
	poll->gone |= (events & WAIT_QUEUE_GONE) != 0;
	/* Without memory the next who asks for events finds it. */
	if (!timer_armed(&poll->context->woken))
		(void)timer_arm(&poll->context->woken, loop_monotonic());
	return false;
}

static void polls_end(struct aio_context *context)
{
	while (!list_empty(&context->polls)) {
		struct aio_poll *poll = list_first(&context->polls, struct aio_poll, link);

		wait_entry_remove(&poll->entry);
		list_remove(&poll->link);
		list_add_tail(&poll->link, &context->over);
		context->pending--;
	}
	polls_forget(context);
}

/* aio_poll(). Takes the references on success. */
static int poll_begin(struct aio_context *context, const struct lx_iocb *iocb, uint64_t address,
	struct file *file, struct file *resfd)
{
	uint32_t events = (uint32_t)iocb->aio_buf | LX_POLLERR | LX_POLLHUP, mask;
	struct wait_queue *queue;
	struct aio_poll *poll;

	if (iocb->aio_buf != (uint16_t)iocb->aio_buf || iocb->aio_offset || iocb->aio_nbytes ||
		iocb->aio_rw_flags)
		return -EINVAL;
	mask = file_poll(file) & events;
	queue = file->ops->poll_queue ? file->ops->poll_queue(file) : NULL;
	if (!mask && !queue)
		return -EINVAL; /* it would never be ready */
	poll = calloc(1, sizeof(*poll));
	if (!poll)
		return -EAGAIN;
	*poll = (struct aio_poll){
		.context = context,
		.entry = {.events = events, .notify = poll_notify, .data = poll},
		.file = file,
		.resfd = resfd,
		.iocb = *iocb,
		.address = address,
	};
	list_add(&poll->link, &context->polls); /* who came last hears of it first, as on Linux */
	context->pending++;
	if (mask)
		poll_end(poll, mask);
	else
		wait_entry_add(queue, &poll->entry);
	return 0;
}

/* ---- io_setup, io_destroy -------------------------------------------------------------------- */

static int new_context(unsigned capacity, struct aio_context **ret)
{
	struct aio_context *context;

	if (capacity > SENTRY_MAX_AIO_EVENTS - total_capacity)
		return -EAGAIN;
	context = calloc(1, sizeof(*context) + capacity * sizeof(context->events[0]));
	if (!context)
		return -ENOMEM;
	context->refs = REFCOUNT_ONE;
	context->capacity = capacity;
	list_init(&context->polls);
	list_init(&context->over);
	timer_init(&context->woken, woken_expired, NULL);
	total_capacity += capacity;
	wait_queue_init(&context->queue);
	*ret = context;
	return 0;
}

int64_t sys_io_setup(struct task *t, unsigned nr_events, gaddr_t ctx_idp)
{
	struct aio_context *context;
	int64_t address;
	uint64_t id;
	int err;

	err = guest_read_value(t, &id, ctx_idp);
	if (err < 0)
		return err;
	if (id || nr_events == 0 || nr_events > 0x10000000 / sizeof(struct lx_io_event))
		return -EINVAL;
	err = new_context(nr_events, &context);
	if (err < 0)
		return err;
	address = do_mmap(t, 0, LX_PAGE_SIZE, LX_PROT_READ | LX_PROT_WRITE,
		LX_MAP_PRIVATE | LX_MAP_ANONYMOUS, NULL, 0);
	if (address < 0) {
		context_unref(context);
		return address;
	}
	context->id = (uint64_t)address;
	err = guest_write(t, ctx_idp, &context->id, sizeof(context->id));
	if (err < 0) {
		(void)do_munmap(t, (uint64_t)address, LX_PAGE_SIZE);
		context_unref(context);
		return err;
	}
	context->next = t->mm->aio;
	t->mm->aio = context;
	return 0;
}

int64_t sys_io_destroy(struct task *t, uint64_t ctx_id)
{
	struct aio_context **link = &t->mm->aio, *context;

	while (*link && (*link)->id != ctx_id)
		link = &(*link)->next;
	context = *link;
	if (!context)
		return -EINVAL;
	*link = context->next;
	context->destroyed = true;
	polls_end(context);
	wait_queue_wake_all(&context->queue, ~0u);
	context_unref(context);
	(void)do_munmap(t, ctx_id, LX_PAGE_SIZE);
	return 0;
}

/* ---- io_submit ------------------------------------------------------------------------------- */

/* aio_setup_rw(): where the data is has to make sense when the request is given. */
static int check_buffers(struct task *t, const struct lx_iocb *iocb)
{
	_cleanup_free_ struct uio_segment *segments = NULL;
	struct uio uio;
	int err;

	if (iocb->aio_lio_opcode == LX_IOCB_CMD_PREAD || iocb->aio_lio_opcode == LX_IOCB_CMD_PWRITE)
		return guest_range_ok(GADDR(iocb->aio_buf), iocb->aio_nbytes) ? 0 : -EFAULT;
	err = guest_read_iovec(
		t, GADDR(iocb->aio_buf), (uint32_t)iocb->aio_nbytes, &segments, &uio);
	if (err < 0)
		return err;
	for (size_t i = 0; i < uio.segment_count; i++)
		if (!guest_range_ok(segments[i].guest, segments[i].size))
			return -EFAULT;
	return 0;
}

/* What makes io_submit() itself fail. What is returned is owned; *ret_resfd may be NULL. */
static int check_request(
	struct task *t, const struct lx_iocb *iocb, struct file **ret_file, struct file **ret_resfd)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL, *resfd = NULL;
	bool vector;

	if (iocb->aio_reserved2)
		return -EINVAL;
	if ((int64_t)iocb->aio_nbytes < 0)
		return -EINVAL;
	file = fd_get(t->files, (int)iocb->aio_fildes);
	if (!file)
		return -EBADF;
	if (iocb->aio_flags & LX_IOCB_FLAG_RESFD) {
		resfd = fd_get(t->files, (int)iocb->aio_resfd);
		if (!resfd)
			return -EBADF;
		if (strcmp(resfd->ops->name, "eventfd") != 0)
			return -EINVAL;
	}
	if (iocb->aio_lio_opcode == LX_IOCB_CMD_POLL)
		goto out;
	vector = iocb->aio_lio_opcode == LX_IOCB_CMD_PREADV ||
		 iocb->aio_lio_opcode == LX_IOCB_CMD_PWRITEV;
	/* Of a plain transfer's flags only the one that asks for polling means nothing here. */
	if ((iocb->aio_rw_flags & ~LX_RWF_HIPRI) && !vector)
		return -EOPNOTSUPP;
	if (iocb->aio_offset < 0 && iocb->aio_lio_opcode != LX_IOCB_CMD_FSYNC &&
		iocb->aio_lio_opcode != LX_IOCB_CMD_FDSYNC)
		return -EINVAL; /* rw_verify_area() */
	switch (iocb->aio_lio_opcode) {
	case LX_IOCB_CMD_PREAD:
	case LX_IOCB_CMD_PREADV:
		if (!file->readable)
			return -EBADF;
		if (!file->ops->read)
			return -EINVAL;
		break;
	case LX_IOCB_CMD_PWRITE:
	case LX_IOCB_CMD_PWRITEV:
		if (!file->writable)
			return -EBADF;
		/* eventfd has a plain write alone (no write_iter). */
		if (!file->ops->write || strcmp(file->ops->name, "eventfd") == 0)
			return -EINVAL;
		break;
	case LX_IOCB_CMD_FSYNC:
	case LX_IOCB_CMD_FDSYNC:
		if (iocb->aio_buf || iocb->aio_offset || iocb->aio_nbytes)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (iocb->aio_lio_opcode != LX_IOCB_CMD_FSYNC &&
		iocb->aio_lio_opcode != LX_IOCB_CMD_FDSYNC) {
		int err = check_buffers(t, iocb);

		if (err < 0)
			return err;
	}
out:
	*ret_file = TAKE(file);
	*ret_resfd = TAKE(resfd);
	return 0;
}

/* As the call of that name; streams have no position. */
static int64_t perform(struct task *t, const struct lx_iocb *iocb)
{
	int fd = (int)iocb->aio_fildes;
	gaddr_t buffer = GADDR(iocb->aio_buf);
	uint64_t size = iocb->aio_nbytes;
	int64_t r;

	switch (iocb->aio_lio_opcode) {
	case LX_IOCB_CMD_PREAD:
		r = sys_pread64(t, fd, buffer, size, iocb->aio_offset);
		return r == -ESPIPE ? sys_read(t, fd, buffer, size) : r;
	case LX_IOCB_CMD_PWRITE:
		r = sys_pwrite64(t, fd, buffer, size, iocb->aio_offset);
		return r == -ESPIPE ? sys_write(t, fd, buffer, size) : r;
	case LX_IOCB_CMD_PREADV:
		r = sys_preadv2(t, fd, buffer, size, iocb->aio_offset, 0, iocb->aio_rw_flags);
		return r == -ESPIPE ? sys_preadv2(t, fd, buffer, size, -1, UINT64_MAX,
					      iocb->aio_rw_flags)
				    : r;
	case LX_IOCB_CMD_PWRITEV:
		r = sys_pwritev2(t, fd, buffer, size, iocb->aio_offset, 0, iocb->aio_rw_flags);
		return r == -ESPIPE ? sys_pwritev2(t, fd, buffer, size, -1, UINT64_MAX,
					      iocb->aio_rw_flags)
				    : r;
	case LX_IOCB_CMD_FSYNC:
		return sys_fsync(t, fd);
	default:
		return sys_fdatasync(t, fd);
	}
}

static int submit_one(struct task *t, struct aio_context *context, gaddr_t address)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL, *resfd = NULL;
	const uint32_t key = 0;
	struct lx_iocb iocb;
	int64_t result;
	int err;

	err = guest_read_value(t, &iocb, address);
	if (err < 0)
		return err;
	if (iocb.aio_reserved2)
		return -EINVAL;
	if (context->count + context->pending >= context->capacity)
		return -EAGAIN;
	err = check_request(t, &iocb, &file, &resfd);
	if (err == 0)
		err = guest_write(t, gaddr_add(address, offsetof(struct lx_iocb, aio_key)), &key,
			sizeof(key));
	if (err < 0)
		return err;
	if (iocb.aio_lio_opcode == LX_IOCB_CMD_POLL) {
		err = poll_begin(context, &iocb, address.v, file, resfd);
		if (err == 0) {
			(void)TAKE(file);
			(void)TAKE(resfd);
		}
		return err;
	}
	context->pending++;
	result = perform(t, &iocb);
	context->pending--;
	/* Not restarted: the request is over (aio_complete_rw()). */
	if (result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND ||
		result == -ERESTART_RESTARTBLOCK)
		result = -EINTR;
	complete(context, &iocb, address.v, result);
	if (resfd)
		signal_eventfd(resfd);
	return 0;
}

int64_t sys_io_submit(struct task *t, uint64_t ctx_id, int64_t nr, gaddr_t iocbpp)
{
	_cleanup_(cleanup_context_unref) struct aio_context *context = NULL;
	int64_t done;
	int err = 0;

	if (nr < 0)
		return -EINVAL;
	context = find_context(t, ctx_id);
	if (!context)
		return -EINVAL;
	polls_forget(context);
	nr = min_of(nr, (int64_t)context->capacity);
	for (done = 0; done < nr; done++) {
		uint64_t address;

		err = guest_read_value(t, &address, gaddr_add(iocbpp, (uint64_t)done * 8));
		if (err == 0)
			err = submit_one(t, context, GADDR(address));
		if (err < 0 || t->killed)
			break;
		fiber_yield();
	}
	return done ? done : err;
}

/* Only polls are ever under way; one that is cancelled ends with no events. */
int64_t sys_io_cancel(struct task *t, uint64_t ctx_id, gaddr_t iocb, gaddr_t result)
{
	_cleanup_(cleanup_context_unref) struct aio_context *context = NULL;
	struct aio_poll *poll;
	uint32_t key;
	int err = guest_read(
		t, &key, gaddr_add(iocb, offsetof(struct lx_iocb, aio_key)), sizeof(key));

	if (err < 0)
		return err;
	context = find_context(t, ctx_id);
	if (!context || key != 0)
		return -EINVAL;
	polls_look(context);
	list_for_each_entry (poll, &context->polls, link) {
		if (poll->address != iocb.v)
			continue;
		poll_end(poll, 0);
		polls_forget(context);
		return -EINPROGRESS;
	}
	return -EINVAL;
}

/* ---- io_getevents ---------------------------------------------------------------------------- */

/* Moves up to @wanted events to the caller. Returns how many, or -EFAULT, with those lost. */
static int64_t take_events(
	struct task *t, struct aio_context *context, gaddr_t events, int64_t wanted)
{
	struct lx_io_event turn[EVENTS_TURN];
	int64_t done = 0;

	while (done < wanted && context->count) {
		unsigned count = 0;
		int err;

		while (count < EVENTS_TURN && done + count < wanted && context->count) {
			turn[count++] = context->events[context->first];
			context->first = (context->first + 1) % context->capacity;
			context->count--;
		}
		err = guest_write(t, gaddr_add(events, (uint64_t)done * sizeof(turn[0])), turn,
			count * sizeof(turn[0]));
		if (err < 0)
			return err;
		done += count;
	}
	return done;
}

static int64_t get_events(struct task *t, uint64_t ctx_id, int64_t least, int64_t most,
	gaddr_t events, uint64_t deadline)
{
	_cleanup_(cleanup_context_unref) struct aio_context *context = find_context(t, ctx_id);
	int64_t done = 0;

	if (!context || least < 0 || least > most)
		return -EINVAL;
	for (;;) {
		int64_t got;
		int err;

		polls_look(context);
		polls_forget(context);
		got = take_events(t, context,
			gaddr_add(events, (uint64_t)done * sizeof(struct lx_io_event)),
			most - done);
		if (got < 0)
			return done ? done : got;
		done += got;
		if (done >= least || deadline == 0 || context->destroyed)
			return done;
		err = wait_sleep(&context->queue, ~0u, deadline, true, false);
		if (err == -ETIMEDOUT)
			return done;
		if (err < 0)
			return done ? done : -EINTR;
	}
}

static int read_deadline(struct task *t, gaddr_t timeout, uint64_t *ret)
{
	struct lx_timespec ts;
	int err;

	*ret = WAIT_FOREVER;
	if (gaddr_is_null(timeout))
		return 0;
	err = guest_read_value(t, &ts, timeout);
	/* Nonsense is not refused: what is below zero has passed. */
	if (err == 0 && deadline_from_timespec(&ts, ret) < 0)
		*ret = ts.tv_sec < 0 ? 0 : WAIT_FOREVER;
	return err;
}

int64_t sys_io_getevents(struct task *t, uint64_t ctx_id, int64_t least, int64_t most,
	gaddr_t events, gaddr_t timeout)
{
	uint64_t deadline;
	int err = read_deadline(t, timeout, &deadline);

	return err < 0 ? err : get_events(t, ctx_id, least, most, events, deadline);
}

int64_t sys_io_pgetevents(struct task *t, uint64_t ctx_id, int64_t least, int64_t most,
	gaddr_t events, gaddr_t timeout, gaddr_t sig)
{
	struct lx_aio_sigset set = {0};
	uint64_t deadline;
	int64_t r;
	int err = read_deadline(t, timeout, &deadline);

	if (err == 0 && !gaddr_is_null(sig))
		err = guest_read_value(t, &set, sig);
	if (err == 0 && set.sigmask)
		err = signal_set_temporary_mask(t, GADDR(set.sigmask), set.sigsetsize);
	if (err < 0)
		return err;
	r = get_events(t, ctx_id, least, most, events, deadline);
	if (set.sigmask && r != -EINTR)
		signal_restore_mask(t);
	return r;
}
