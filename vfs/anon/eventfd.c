/* SPDX-License-Identifier: Apache-2.0 */
/* eventfd(2): a 64-bit counter that can be waited for (kernel fs/eventfd.c). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "vfs/anon.h"

#define EVENTFD_MAX (UINT64_MAX - 1) /* the largest value a write may leave */

struct eventfd {
	uint64_t count;
	bool semaphore;
	unsigned id; /* for fdinfo */
	struct wait_queue queue;
};

static ssize_t eventfd_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct eventfd *eventfd = file->private;
	uint64_t value;
	int err;

	(void)pos;
	if (uio->resid < sizeof(value))
		return -EINVAL;
	while (eventfd->count == 0) {
		if ((file->flags & LX_O_NONBLOCK) || uio->nonblock)
			return -EAGAIN;
		err = wait_sleep(&eventfd->queue, LX_POLLIN, WAIT_FOREVER, true, true);
		if (err < 0)
			return err;
	}
	value = eventfd->semaphore ? 1 : eventfd->count;
	eventfd->count -= value;
	wait_queue_wake(&eventfd->queue, LX_POLLOUT);
	/* As in Linux the value is gone even if the caller's memory cannot take it. */
	if (uio_copy_to(uio, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	return sizeof(value);
}

static ssize_t eventfd_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	struct eventfd *eventfd = file->private;
	uint64_t value;
	int err;

	(void)pos;
	(void)ctx;
	if (uio->resid != sizeof(value))
		return -EINVAL;
	if (uio_copy_from(uio, &value, sizeof(value)) != sizeof(value))
		return -EFAULT;
	if (value == UINT64_MAX)
		return -EINVAL;
	while (value > EVENTFD_MAX - eventfd->count) {
		if ((file->flags & LX_O_NONBLOCK) || uio->nonblock)
			return -EAGAIN;
		err = wait_sleep(&eventfd->queue, LX_POLLOUT, WAIT_FOREVER, true, true);
		if (err < 0)
			return err;
	}
	eventfd->count += value;
	/* Each write is an event, although the counter was not zero before. */
	wait_queue_wake(&eventfd->queue, LX_POLLIN);
	return sizeof(value);
}

static uint32_t eventfd_poll(struct file *file)
{
	const struct eventfd *eventfd = file->private;

	return (eventfd->count > 0 ? LX_POLLIN : 0) |
	       (eventfd->count < EVENTFD_MAX ? LX_POLLOUT : 0);
}

static struct wait_queue *eventfd_poll_queue(struct file *file)
{
	return &((struct eventfd *)file->private)->queue;
}

static void eventfd_release(struct file *file)
{
	struct eventfd *eventfd = file->private;

	wait_queue_destroy(&eventfd->queue);
	free(eventfd);
}

static size_t eventfd_show_fdinfo(struct file *file, char *buffer, size_t size)
{
	const struct eventfd *eventfd = file->private;

	return (size_t)snprintf(buffer, size,
		"eventfd-count: %16llx\neventfd-id: %u\neventfd-semaphore: %d\n",
		(unsigned long long)eventfd->count, eventfd->id, eventfd->semaphore);
}

static const struct file_ops eventfd_ops = {
	.name = "eventfd",
	.read = eventfd_read,
	.write = eventfd_write,
	.seek = file_no_seek,
	.poll = eventfd_poll,
	.poll_queue = eventfd_poll_queue,
	.release = eventfd_release,
	.show_fdinfo = eventfd_show_fdinfo,
};

int eventfd_new(unsigned initial, bool semaphore, int flags, struct file **ret)
{
	static unsigned last_id;
	struct eventfd *eventfd = calloc(1, sizeof(*eventfd));
	int err;

	if (!eventfd)
		return -ENOMEM;
	eventfd->count = initial;
	eventfd->semaphore = semaphore;
	eventfd->id = last_id++;
	wait_queue_init(&eventfd->queue);
	err = file_new_anonymous("anon_inode:[eventfd]", &eventfd_ops, eventfd,
		LX_O_RDWR | (flags & LX_O_NONBLOCK), 0600, ret);
	if (err < 0) {
		free(eventfd);
		return err;
	}
	(*ret)->stream = true;
	return 0;
}
