/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inotify(7); kernel fs/notify/inotify.
 *
 * A watch belongs to an instance and an inode (never two for the same pair), holds a reference on
 * the inode, and ends with inotify_rm_watch(), with the file (IN_DELETE_SELF), with IN_ONESHOT or
 * with the instance. The core reports changes to vfs_notify(); an event that equals the last one in
 * the queue is dropped, and a full queue gets one IN_Q_OVERFLOW.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/limits.h"
#include "base/cleanup.h"
#include "vfs/anon.h"
#include "vfs/anon/anon_private.h"

#define INSTANCES_MAX 128u /* fs.inotify.max_user_instances */
/* Events in all queues: what they hold of our memory. Beyond it every queue counts as full. */
#define EVENTS_MAX 131072u
#define NAME_ALIGN sizeof(struct lx_inotify_event)

struct inotify {
	struct hash_table watches; /* by wd */
	struct list_head events;   /* inotify_event, oldest first */
	uint32_t event_count;
	int last_wd;
	struct wait_queue queue;
};

struct inotify_watch {
	struct hash_entry hash;
	struct vfs_mark mark;
	struct inotify *inotify;
	struct inode *inode; /* owned */
	int wd;
	uint32_t mask;
};

struct inotify_event {
	struct list_head link;
	int wd;
	uint32_t mask, cookie;
	uint32_t name_size; /* with its NUL; 0 = none */
	char name[];
};

static uint32_t instance_count, watch_count, events_queued;
static const struct file_ops inotify_ops;

bool file_is_inotify(const struct file *file)
{
	return file->ops == &inotify_ops;
}

/* ---- events ---- */

static size_t event_size(const struct inotify_event *event)
{
	size_t padded = (event->name_size + NAME_ALIGN - 1) / NAME_ALIGN * NAME_ALIGN;

	return sizeof(struct lx_inotify_event) + padded;
}

static bool same_event(const struct inotify_event *a, const struct inotify_event *b)
{
	return a->wd == b->wd && a->mask == b->mask && a->cookie == b->cookie &&
	       a->name_size == b->name_size && !memcmp(a->name, b->name, a->name_size);
}

static void queue_event(
	struct inotify *inotify, int wd, uint32_t mask, const char *name, uint32_t cookie)
{
	size_t name_size = name ? strlen(name) + 1 : 0;
	struct inotify_event *event;

	if (inotify->event_count >= SENTRY_MAX_INOTIFY_QUEUE || events_queued >= EVENTS_MAX) {
		if (inotify->event_count > 0 &&
			list_last(&inotify->events, struct inotify_event, link)->mask ==
				LX_IN_Q_OVERFLOW)
			return;
		wd = -1;
		mask = LX_IN_Q_OVERFLOW;
		name_size = cookie = 0;
	}
	event = calloc(1, sizeof(*event) + name_size);
	if (!event)
		return;
	event->wd = wd;
	event->mask = mask;
	event->cookie = cookie;
	event->name_size = (uint32_t)name_size;
	if (name_size)
		memcpy(event->name, name, name_size);
	if (inotify->event_count > 0 &&
		same_event(event, list_last(&inotify->events, struct inotify_event, link))) {
		free(event);
		return;
	}
	list_add_tail(&event->link, &inotify->events);
	inotify->event_count++;
	events_queued++;
	wait_queue_wake(&inotify->queue, LX_POLLIN | LX_POLLRDNORM);
}

static void event_free(struct inotify *inotify, struct inotify_event *event)
{
	list_remove(&event->link);
	inotify->event_count--;
	events_queued--;
	free(event);
}

/* ---- watches ---- */

static void watch_free(struct inotify_watch *watch)
{
	list_remove(&watch->mark.on_inode);
	hash_remove(&watch->inotify->watches, &watch->hash);
	inode_unref(watch->inode);
	free(watch);
	watch_count--;
}

static struct inotify_watch *watch_find(struct inotify *inotify, int wd)
{
	struct inotify_watch *watch;

	hash_for_each_match(watch, &inotify->watches, hash_u64((unsigned)wd), hash)
	{
		if (watch->wd == wd)
			return watch;
	}
	return NULL;
}

/* The core's hook. The caller holds the inode, so the list outlives what is taken off it. */
static void inotify_happened(
	struct vfs_mark *mark, uint32_t mask, const char *name, uint32_t cookie)
{
	struct inotify_watch *watch = container_of(mark, struct inotify_watch, mark);
	uint32_t wanted = watch->mask & mask & LX_IN_ALL_EVENTS;
	bool ends = (mask & (LX_IN_DELETE_SELF | LX_IN_UNMOUNT)) != 0;

	if (wanted || (mask & LX_IN_UNMOUNT))
		queue_event(watch->inotify, watch->wd, mask, name, cookie);
	if (ends || (wanted && (watch->mask & LX_IN_ONESHOT))) {
		queue_event(watch->inotify, watch->wd, LX_IN_IGNORED, NULL, 0);
		watch_free(watch);
	}
}

static struct inotify_watch *watch_on(const struct inotify *inotify, const struct inode *inode)
{
	struct vfs_mark *mark;

	list_for_each_entry (mark, &inode->marks, on_inode) {
		struct inotify_watch *watch = container_of(mark, struct inotify_watch, mark);

		if (mark->event == inotify_happened && watch->inotify == inotify)
			return watch;
	}
	return NULL;
}

static int watch_update(struct inotify_watch *watch, uint32_t mask)
{
	if (mask & LX_IN_MASK_CREATE)
		return -EEXIST;
	if (mask & LX_IN_MASK_ADD)
		watch->mask |= mask;
	else
		watch->mask = mask;
	return watch->wd;
}

/* Numbers go up and are used again only after all others (idr_alloc_cyclic()). */
static int next_wd(struct inotify *inotify)
{
	do {
		inotify->last_wd = inotify->last_wd == INT32_MAX ? 1 : inotify->last_wd + 1;
	} while (watch_find(inotify, inotify->last_wd));
	return inotify->last_wd;
}

int inotify_add(struct file *file, struct inode *inode, uint32_t mask)
{
	struct inotify *inotify = file->private;
	struct inotify_watch *watch;
	int err;

	if (file->ops != &inotify_ops)
		return -EINVAL;
	watch = watch_on(inotify, inode);
	if (watch)
		return watch_update(watch, mask);
	if (watch_count >= SENTRY_MAX_INOTIFY_WATCHES)
		return -ENOSPC;
	watch = calloc(1, sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	watch->wd = next_wd(inotify);
	watch->mask = mask;
	watch->inotify = inotify;
	err = hash_insert(&inotify->watches, &watch->hash, hash_u64((unsigned)watch->wd));
	if (err < 0) {
		free(watch);
		return err;
	}
	watch->inode = inode_ref(inode);
	watch->mark.event = inotify_happened;
	list_add_tail(&watch->mark.on_inode, &inode->marks);
	watch_count++;
	return watch->wd;
}

int inotify_remove(struct file *file, int wd)
{
	struct inotify *inotify = file->private;
	struct inotify_watch *watch;

	if (file->ops != &inotify_ops)
		return -EINVAL;
	watch = watch_find(inotify, wd);
	if (!watch)
		return -EINVAL;
	queue_event(inotify, wd, LX_IN_IGNORED, NULL, 0);
	watch_free(watch);
	return 0;
}

/* ---- the instance as a file ---- */

/* One event into the caller's memory; it is off the queue already. */
static int copy_event(struct uio *uio, const struct inotify_event *event)
{
	union {
		struct lx_inotify_event header;
		char bytes[sizeof(struct lx_inotify_event) + LX_NAME_MAX + 1 + NAME_ALIGN];
	} out;
	size_t size = event_size(event);

	memset(&out, 0, sizeof(out));
	if (size > sizeof(out))
		return -EINVAL;
	out.header = (struct lx_inotify_event){
		.wd = event->wd,
		.mask = event->mask,
		.cookie = event->cookie,
		.len = (uint32_t)(size - sizeof(out.header)),
	};
	memcpy(out.bytes + sizeof(out.header), event->name, event->name_size);
	return uio_copy_to(uio, &out, size) == (ssize_t)size ? 0 : -EFAULT;
}

static int wait_for_event(struct inotify *inotify, bool nonblock)
{
	while (list_empty(&inotify->events)) {
		int err;

		if (nonblock)
			return -EAGAIN;
		err = wait_sleep(&inotify->queue, LX_POLLIN, WAIT_FOREVER, true, false);
		if (err < 0)
			return err;
	}
	return 0;
}

static ssize_t inotify_read(struct file *file, struct uio *uio, int64_t *pos)
{
	struct inotify *inotify = file->private;
	size_t done = 0;
	int err = wait_for_event(inotify, (file->flags & LX_O_NONBLOCK) || uio->nonblock);

	(void)pos;
	if (err < 0)
		return err;
	while (!list_empty(&inotify->events)) {
		struct inotify_event *event =
			list_first(&inotify->events, struct inotify_event, link);
		size_t size = event_size(event);

		if (size > uio->resid)
			return done ? (ssize_t)done : -EINVAL;
		list_remove(&event->link); /* the copy sleeps: another reader must not get it too */
		inotify->event_count--;
		events_queued--;
		err = copy_event(uio, event);
		free(event);
		if (err < 0)
			return done ? (ssize_t)done : err;
		done += size;
	}
	return (ssize_t)done;
}

static uint32_t inotify_poll(struct file *file)
{
	const struct inotify *inotify = file->private;

	return list_empty(&inotify->events) ? 0 : LX_POLLIN | LX_POLLRDNORM;
}

static struct wait_queue *inotify_poll_queue(struct file *file)
{
	return &((struct inotify *)file->private)->queue;
}

static int64_t inotify_ioctl(
	struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx)
{
	struct inotify *inotify = file->private;
	struct inotify_event *event;
	int32_t count = 0;

	if (request != LX_FIONREAD || !ctx->thread)
		return -ENOTTY;
	list_for_each_entry (event, &inotify->events, link)
		count += (int32_t)event_size(event);
	if (platform->copy_out(ctx->thread, arg, &count, sizeof(count)) != sizeof(count))
		return -EFAULT;
	return 0;
}

static void inotify_release(struct file *file)
{
	struct inotify *inotify = file->private;
	struct hash_entry *entry;

	while ((entry = hash_first(&inotify->watches)) != NULL)
		watch_free(list_entry(entry, struct inotify_watch, hash));
	while (!list_empty(&inotify->events))
		event_free(inotify, list_first(&inotify->events, struct inotify_event, link));
	hash_fini(&inotify->watches);
	wait_queue_destroy(&inotify->queue);
	free(inotify);
	instance_count--;
}

static const struct file_ops inotify_ops = {
	.name = "inotify",
	.read = inotify_read,
	.seek = file_no_seek,
	.poll = inotify_poll,
	.poll_queue = inotify_poll_queue,
	.ioctl = inotify_ioctl,
	.release = inotify_release,
};

int inotify_new(int flags, struct file **ret)
{
	struct inotify *inotify;
	int err;

	if (instance_count >= INSTANCES_MAX)
		return -EMFILE;
	inotify = calloc(1, sizeof(*inotify));
	if (!inotify)
		return -ENOMEM;
	list_init(&inotify->events);
	wait_queue_init(&inotify->queue);
	err = file_new_anonymous("anon_inode:inotify", &inotify_ops, inotify,
		LX_O_RDONLY | (flags & LX_O_NONBLOCK), 0600, ret);
	if (err < 0) {
		free(inotify);
		return err;
	}
	(*ret)->stream = true;
	instance_count++;
	return 0;
}

void inotify_init_hook(void)
{
}
