/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Leases: fcntl(2), F_SETLEASE (kernel fs/locks.c).
 *
 * Who has a lease on a file is told by a signal before somebody else opens it in a way that
 * conflicts, and that one waits until the lease is given back, or taken after a while. A lease
 * belongs to an open file and goes with it.
 */
#include <errno.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "base/loop.h"
#include "vfs/internal.h"

#define BREAK_NS (45ull * 1000000000u) /* fs.lease-break-time */

struct lease {
	struct list_head link;
	struct list_head in_all; /* all_leases */
	int pid;		 /* who set it, for /proc/locks */
	struct file *file;	 /* borrowed: the lease goes with it */
	int fd;			 /* what the signal names */
	int type;		 /* LX_F_RDLCK, LX_F_WRLCK */
	int wanted;	   /* what it is to become: the same, or less while it is being broken */
	uint64_t deadline; /* when it becomes that by itself */
};

struct lease_list {
	struct list_head leases;
	struct wait_queue queue; /* those who wait for them */
};

static unsigned lease_count;
static struct list_head all_leases = LIST_HEAD_INIT(all_leases);
static lease_signal_fn *signal_holder;

void lease_register(lease_signal_fn *signal)
{
	signal_holder = signal;
}

static int list_get(struct inode *inode, struct lease_list **ret)
{
	if (!inode->leases) {
		inode->leases = calloc(1, sizeof(*inode->leases));
		if (!inode->leases)
			return -ENOMEM;
		list_init(&inode->leases->leases);
		wait_queue_init(&inode->leases->queue);
	}
	*ret = inode->leases;
	return 0;
}

void leases_free(struct inode *inode)
{
	if (!inode->leases)
		return;
	wait_queue_destroy(&inode->leases->queue);
	free(inode->leases);
	inode->leases = NULL;
}

static struct lease *find_lease(const struct file *file)
{
	struct lease *lease;

	if (!file->inode->leases)
		return NULL;
	list_for_each_entry (lease, &file->inode->leases->leases, link)
		if (lease->file == file)
			return lease;
	return NULL;
}

/* lease_modify() */
static void change(struct lease *lease, int type)
{
	struct lease_list *list = lease->file->inode->leases;

	lease->type = lease->wanted = type;
	if (type == LX_F_UNLCK) {
		list_remove(&lease->link);
		list_remove(&lease->in_all);
		free(lease);
		lease_count--;
	}
	wait_queue_wake_all(&list->queue, ~0u);
}

static void time_out(struct lease_list *list)
{
	struct lease *lease, *next;

	list_for_each_entry_safe (lease, next, &list->leases, link)
		if (lease->wanted != lease->type && lease->deadline <= loop_monotonic_now())
			change(lease, lease->wanted);
}

void leases_release_file(struct file *file)
{
	struct lease *lease = find_lease(file);

	if (lease)
		change(lease, LX_F_UNLCK);
}

int file_get_lease(const struct file *file)
{
	const struct lease *lease;

	if (file->inode->leases)
		time_out(file->inode->leases);
	lease = find_lease(file);
	return lease ? lease->wanted : LX_F_UNLCK;
}

/* check_conflicting_open() */
static bool is_open_elsewhere(const struct file *file, int type)
{
	const struct inode *inode = file->inode;

	if (type == LX_F_RDLCK)
		return inode->write_count > 0;
	return inode->open_count > (file->counted_open ? 1 : 0);
}

/* generic_add_lease() */
static int add_lease(struct file *file, int fd, int type, int pid)
{
	struct lease *lease, *own = NULL;
	struct lease_list *list;
	int err = list_get(file->inode, &list);

	if (err < 0)
		return err;
	time_out(list);
	if (is_open_elsewhere(file, type))
		return -EAGAIN;
	list_for_each_entry (lease, &list->leases, link) {
		if (lease->file == file)
			own = lease;
		else if (type == LX_F_WRLCK || lease->wanted == LX_F_UNLCK)
			return -EAGAIN;
	}
	if (own) {
		change(own, type);
		return 0;
	}
	if (lease_count >= SENTRY_MAX_FILE_LOCKS)
		return -ENOLCK;
	lease = calloc(1, sizeof(*lease));
	if (!lease)
		return -ENOMEM;
	*lease = (struct lease){.file = file, .fd = fd, .type = type, .wanted = type, .pid = pid};
	list_add_tail(&lease->link, &list->leases);
	list_add_tail(&lease->in_all, &all_leases);
	lease_count++;
	return 1;
}

int file_set_lease(struct file *file, int fd, int type, const struct cred *cred, int pid)
{
	if (type != LX_F_RDLCK && type != LX_F_WRLCK && type != LX_F_UNLCK)
		return -EINVAL;
	if (cred->fsuid != file->inode->uid && !cred_capable(cred, LX_CAP_LEASE))
		return -EACCES;
	if (!LX_S_ISREG(file->inode->mode))
		return -EINVAL;
	if (type != LX_F_UNLCK)
		return add_lease(file, fd, type, pid);
	if (!find_lease(file))
		return -EAGAIN;
	leases_release_file(file);
	return 0;
}

void leases_for_each(void (*fn)(const struct lock_info *info, void *arg), void *arg)
{
	const struct lease *lease;

	list_for_each_entry (lease, &all_leases, in_all) {
		const struct lock_info info = {
			.kind = "LEASE",
			.state = lease->wanted != lease->type ? "BREAKING" : "ACTIVE",
			.type = lease->wanted,
			.pid = lease->pid,
			.inode = lease->file->inode,
			.end = INT64_MAX,
		};

		fn(&info, arg);
	}
}

static bool conflicts(const struct lease *lease, bool write)
{
	return write || lease->type == LX_F_WRLCK;
}

/* Tells all that are in the way, once. Returns the time when the first one of them ends, or 0. */
static uint64_t ask_holders(struct lease_list *list, bool write)
{
	const int wanted = write ? LX_F_UNLCK : LX_F_RDLCK;
	struct lease *lease;
	uint64_t first = 0;

	list_for_each_entry (lease, &list->leases, link) {
		if (!conflicts(lease, write))
			continue;
		if (lease->wanted == lease->type ||
			(wanted == LX_F_UNLCK && lease->wanted != LX_F_UNLCK)) {
			lease->wanted = wanted;
			lease->deadline = loop_monotonic_now() + BREAK_NS;
			if (signal_holder)
				signal_holder(lease->file, lease->fd);
		}
		if (!first || lease->deadline < first)
			first = lease->deadline;
	}
	return first;
}

int leases_break(struct inode *inode, bool write, bool nonblock)
{
	struct lease_list *list = inode->leases;

	if (!list)
		return 0;
	for (;;) {
		uint64_t first;
		int err;

		time_out(list);
		first = ask_holders(list, write);
		if (!first)
			return 0;
		if (nonblock)
			return -EWOULDBLOCK;
		err = wait_sleep(&list->queue, ~0u, first, true, false);
		if (err == -ERESTARTSYS)
			return err;
	}
}
