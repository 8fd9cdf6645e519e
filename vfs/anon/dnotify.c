/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Directory notification (fcntl(2), F_NOTIFY; kernel fs/notify/dnotify): a signal to the owner of
 * an open directory when something happens in it. One mark for each open file; it ends with the
 * first event unless DN_MULTISHOT was asked for, with the descriptor table's close, or the file.
 */
#include <errno.h>
#include <stdlib.h>

#include "abi/fcntl.h"
#include "abi/inotify.h"
#include "abi/stat.h"
#include "vfs/anon.h"

struct dnotify {
	struct vfs_mark mark;
	struct file *file; /* borrowed: ours ends with it */
	int fd;
	uint32_t mask; /* LX_IN_* */
	bool multishot;
	const void *owner; /* the descriptor table whose closing ends it */
};

static dnotify_send_fn *send_fn;

void dnotify_register(dnotify_send_fn *send)
{
	send_fn = send;
}

void dnotify_end(struct file *file)
{
	struct dnotify *dnotify = file->dnotify;

	if (!dnotify)
		return;
	list_remove(&dnotify->mark.on_inode);
	file->dnotify = NULL;
	free(dnotify);
}

void dnotify_end_of(struct file *file, const void *owner)
{
	if (file->dnotify && file->dnotify->owner == owner)
		dnotify_end(file);
}

static void happened(struct vfs_mark *mark, uint32_t mask, const char *name, uint32_t cookie)
{
	struct dnotify *dnotify = container_of(mark, struct dnotify, mark);

	/* What happens in the directory, not to it. */
	if (!name || !(mask & dnotify->mask))
		return;
	if (send_fn)
		send_fn(dnotify->file, dnotify->fd);
	if (!dnotify->multishot)
		dnotify_end(dnotify->file);
}

static uint32_t events_of(unsigned flags)
{
	return (flags & LX_DN_ACCESS ? LX_IN_ACCESS : 0) |
	       (flags & LX_DN_MODIFY ? LX_IN_MODIFY : 0) |
	       (flags & LX_DN_CREATE ? LX_IN_CREATE | LX_IN_MOVED_TO : 0) |
	       (flags & LX_DN_DELETE ? LX_IN_DELETE | LX_IN_MOVED_FROM : 0) |
	       (flags & LX_DN_RENAME ? LX_IN_MOVED_FROM : 0) |
	       (flags & LX_DN_ATTRIB ? LX_IN_ATTRIB : 0);
}

int dnotify_set(struct file *file, int fd, unsigned flags, const void *owner)
{
	struct dnotify *dnotify = file->dnotify;

	if ((flags & ~(unsigned)LX_DN_MULTISHOT) == 0) {
		dnotify_end(file);
		return 0;
	}
	if (!LX_S_ISDIR(file->inode->mode))
		return -ENOTDIR;
	if (!dnotify) {
		dnotify = calloc(1, sizeof(*dnotify));
		if (!dnotify)
			return -ENOMEM;
		dnotify->mark.event = happened;
		dnotify->file = file;
		dnotify->owner = owner;
		file->dnotify = dnotify;
		list_add_tail(&dnotify->mark.on_inode, &file->inode->marks);
	}
	dnotify->fd = fd;
	dnotify->mask |= events_of(flags);
	dnotify->multishot = flags & LX_DN_MULTISHOT;
	return 0;
}
