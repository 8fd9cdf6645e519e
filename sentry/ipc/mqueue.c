/* SPDX-License-Identifier: Apache-2.0 */
/*
 * POSIX message queues (mq_overview(7); kernel ipc/mqueue.c).
 *
 * A queue is an inode of its namespace's file system (mqueue_fs.c); names are looked up in a table
 * of our own. Messages are kept in lists by priority. Room for them is not set aside: a queue's
 * capacity counts against its owner's RLIMIT_MSGQUEUE, and what is in all queues against the
 * sandbox's bound.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "abi/stat.h"
#include "abi/time.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/ipc/mqueue_private.h"
#include "sentry/pid_ns.h"
#include "sentry/socket/socket.h"
#include "sentry/syscalls/anon_fd.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task_private.h"

#define MQUEUE_FILE_SIZE 80 /* FILENT_SIZE: what stat(2) shows */
#define MESSAGE_COST	 48 /* sizeof(struct msg_msg), and of its tree's node: for the limit */

struct mq_message {
	struct list_head link;
	unsigned priority;
	uint64_t size;
	char text[];
};

struct mqueue {
	struct hash_entry by_name;
	struct inode *inode; /* borrowed: we are its private part */
	char *name;	     /* owned; NULL: unlinked */
	struct ipc_ns *home; /* borrowed; NULL: it is gone */
	uint64_t max_count, max_size, charged;
	uint32_t owner; /* whose limit it counts against */
	uint64_t count, bytes;
	struct list_head messages; /* highest priority first, oldest first */
	struct wait_queue queue;   /* LX_POLLIN, LX_POLLOUT */
	struct list_head all;
	unsigned receivers; /* asleep for a message */
	struct pid *notify; /* owned: the process that asked for it; NULL nobody */
	struct lx_sigevent sigevent;
	struct file *notify_socket; /* owned: SIGEV_THREAD, where the cookie goes */
	char cookie[LX_NOTIFY_COOKIE_LEN];
};

static struct list_head queues = LIST_HEAD_INIT(queues);
static unsigned queue_total;

static void message_free(struct mq_message *message)
{
	message_memory_uncharge(sizeof(*message) + message->size);
	free(message);
}
DEFINE_CLEANUP(message_free, struct mq_message *)

static struct mqueue *inode_queue(const struct inode *inode)
{
	return inode->private;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* The last byte of the cookie says why it comes. */
static void send_cookie(struct mqueue *queue, char why)
{
	queue->cookie[sizeof(queue->cookie) - 1] = why;
	(void)netlink_deliver(
		socket_of_file(queue->notify_socket), queue->cookie, sizeof(queue->cookie));
	file_unref(TAKE(queue->notify_socket));
}

static void forget_notify(struct mqueue *queue)
{
	if (!queue->notify)
		return;
	if (queue->notify_socket)
		send_cookie(queue, LX_NOTIFY_REMOVED);
	pid_unref(queue->notify);
	queue->notify = NULL;
}

void mqueue_destroy(struct inode *inode)
{
	struct mqueue *queue = inode_queue(inode);

	/* The directory. */
	if (!queue)
		return;

	while (!list_empty(&queue->messages)) {
		struct mq_message *message = list_first(&queue->messages, struct mq_message, link);

		list_remove(&message->link);
		message_free(message);
	}
	forget_notify(queue);
	list_remove(&queue->all);
	queue_total--;
	if (queue->home)
		queue->home->queue_count--;
	wait_queue_destroy(&queue->queue);
}

static uint32_t mqueue_poll(struct file *file)
{
	const struct mqueue *queue = inode_queue(file->inode);

	return (queue->count ? LX_POLLIN | LX_POLLRDNORM : 0) |
	       (queue->count < queue->max_count ? LX_POLLOUT | LX_POLLWRNORM : 0);
}

static struct wait_queue *mqueue_poll_queue(struct file *file)
{
	return &inode_queue(file->inode)->queue;
}

static ssize_t mqueue_read(struct file *file, struct uio *uio, int64_t *pos)
{
	const struct mqueue *queue = inode_queue(file->inode);
	bool told = queue->notify != NULL;
	char text[128];
	ssize_t copied;
	int length;

	length = snprintf(text, sizeof(text),
		"QSIZE:%-10llu NOTIFY:%-5d SIGNO:%-5d NOTIFY_PID:%-6d\n",
		(unsigned long long)queue->bytes, told ? queue->sigevent.notify : 0,
		told && queue->sigevent.notify == LX_SIGEV_SIGNAL ? queue->sigevent.signo : 0,
		told ? pid_vnr(queue->notify) : 0);
	if (*pos < 0)
		return -EINVAL;
	if (*pos >= length)
		return 0;
	copied = uio_copy_to(uio, text + *pos, (size_t)(length - *pos));
	if (copied == 0 && uio->resid)
		return -EFAULT;
	if (copied > 0)
		*pos += copied;
	return copied;
}

/* default_llseek() does not look for a negative position before the end. */
static int64_t mqueue_seek(struct file *file, int64_t offset, int whence)
{
	if (offset < 0 && whence == LX_SEEK_DATA)
		return -EINVAL;
	if (offset < 0 && whence == LX_SEEK_HOLE)
		offset = 0;
	return file_generic_seek(file, offset, whence, MQUEUE_FILE_SIZE, INT64_MAX);
}

/* Closing any descriptor of it ends the process' wish to be told (mq_notify(3)). */
static int mqueue_flush(struct file *file)
{
	struct mqueue *queue = inode_queue(file->inode);
	const struct task *task = task_current();

	if (task && queue->notify == task->group->pid)
		forget_notify(queue);
	return 0;
}

static int mqueue_sync(struct file *file, bool data_only)
{
	return -EINVAL;
}

static const struct file_ops mqueue_file_ops = {
	.name = "mqueue",
	.read = mqueue_read,
	.seek = mqueue_seek,
	.poll = mqueue_poll,
	.poll_queue = mqueue_poll_queue,
	.flush = mqueue_flush,
	.sync = mqueue_sync,
};

static int mqueue_setattr(struct inode *inode, const struct iattr *attr)
{
	if (attr->valid & IATTR_SIZE)
		return -EINVAL;
	inode_apply_attr(inode, attr);
	return 0;
}

static const struct inode_ops mqueue_inode_ops = {.setattr = mqueue_setattr};

/* ---- making, finding, unlinking -------------------------------------------------------------- */

static int read_name(struct task *t, gaddr_t addr, char name[LX_NAME_MAX + 1])
{
	ssize_t length = guest_read_string(t, name, addr, LX_NAME_MAX + 1);

	if (length < 0)
		return (int)length;
	if (length == 0)
		return -ENOENT;
	/* lookup_one_len(): one component. */
	if (strchr(name, '/') || !strcmp(name, ".") || !strcmp(name, ".."))
		return -EACCES;
	return 0;
}

static struct mqueue *find_queue(struct ipc_ns *ns, const char *name)
{
	struct mqueue *queue;

	hash_for_each_match(queue, &ns->queue_names, hash_bytes(name, strlen(name)), by_name)
	{
		if (!strcmp(queue->name, name))
			return queue;
	}
	return NULL;
}

struct inode *mqueue_find(struct ipc_ns *ns, const char *name)
{
	struct mqueue *queue = find_queue(ns, name);

	return queue ? queue->inode : NULL;
}

struct inode *mqueue_nth(struct ipc_ns *ns, int64_t skip, const char **ret_name)
{
	struct mqueue *queue;

	list_for_each_entry (queue, &queues, all) {
		if (queue->home != ns || !queue->name || skip-- > 0)
			continue;
		*ret_name = queue->name;
		return queue->inode;
	}
	return NULL;
}

/* The capacity in bytes that counts against RLIMIT_MSGQUEUE. -EINVAL, -EOVERFLOW. */
static int check_attr(const struct cred *cred, const struct lx_mq_attr *attr, uint64_t *ret)
{
	bool may = cred_capable(cred, LX_CAP_SYS_RESOURCE);
	uint64_t count = (uint64_t)attr->mq_maxmsg, size = (uint64_t)attr->mq_msgsize;

	if (attr->mq_maxmsg <= 0 || attr->mq_msgsize <= 0)
		return -EINVAL;
	if (count > (may ? LX_MQ_HARD_MSG_MAX : LX_MQ_MSG_MAX) ||
		size > (may ? LX_MQ_HARD_MSGSIZE_MAX : LX_MQ_MSGSIZE_MAX))
		return -EINVAL;
	*ret = count * size + count * MESSAGE_COST +
	       min_of(count, (uint64_t)LX_MQ_PRIO_MAX) * MESSAGE_COST;
	return 0;
}

static uint64_t charged_to(uint32_t owner)
{
	const struct mqueue *queue;
	uint64_t sum = 0;

	list_for_each_entry (queue, &queues, all)
		if (queue->owner == owner)
			sum += queue->charged;
	return sum;
}

static int new_inode(struct ipc_ns *ns, uint32_t mode, struct inode **ret)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	int err = mqueue_super(ns, &sb);

	return err < 0 ? err
		       : inode_new(sb, &mqueue_inode_ops, LX_S_IFREG | mode, sizeof(struct mqueue),
				 ret);
}

int mqueue_create(struct task *t, struct ipc_ns *ns, const char *name, uint32_t mode,
	const struct lx_mq_attr *attr, struct inode **ret)
{
	const struct lx_mq_attr defaults = {
		.mq_maxmsg = LX_MQ_MSG_MAX, .mq_msgsize = LX_MQ_MSGSIZE_MAX};
	const struct cred *cred = t->cred;
	struct mqueue *queue;
	struct inode *inode;
	uint64_t charge;
	int err;

	if (queue_total >= SENTRY_MAX_MQUEUES ||
		(ns->queue_count >= LX_MQ_QUEUES_MAX && !cred_capable(cred, LX_CAP_SYS_RESOURCE)))
		return -ENOSPC;
	if (!attr)
		attr = &defaults;
	err = check_attr(cred, attr, &charge);
	if (err < 0)
		return err;
	if (charged_to(cred->uid) + charge > task_rlimit(t, LX_RLIMIT_MSGQUEUE))
		return -EMFILE;
	err = new_inode(ns, mode & 07777, &inode);
	if (err < 0)
		return err;
	queue = inode_queue(inode);
	list_init(&queue->messages);
	wait_queue_init(&queue->queue);
	list_add(&queue->all, &queues);
	queue_total++;
	queue->home = ns;
	ns->queue_count++;
	queue->inode = inode;
	queue->max_count = (uint64_t)attr->mq_maxmsg;
	queue->max_size = (uint64_t)attr->mq_msgsize;
	queue->charged = charge;
	queue->owner = cred->uid;
	queue->name = strdup(name);
	inode->uid = cred->fsuid;
	inode->gid = cred->fsgid;
	inode->size = MQUEUE_FILE_SIZE;
	inode->file_ops = &mqueue_file_ops;
	err = queue->name ? hash_insert(&ns->queue_names, &queue->by_name,
				    hash_bytes(name, strlen(name)))
			  : -ENOMEM;
	if (err < 0) {
		free(TAKE(queue->name));
		inode_unref(inode);
		return err;
	}
	*ret = inode_ref(inode); /* beside the name's */
	return 0;
}

static int open_inode(struct task *t, struct inode *inode, const char *name, int flags)
{
	_cleanup_(cleanup_dentry_unref) struct dentry *dentry = NULL;
	char full[LX_NAME_MAX + 2];
	struct file *file;
	struct path path;
	int err;

	(void)snprintf(full, sizeof(full), "/%s", name);
	err = dentry_new_anonymous(inode, full, &dentry);
	if (err < 0)
		return err;
	path = (struct path){.dentry = dentry};
	err = file_new(&path, &mqueue_file_ops,
		flags & (LX_O_ACCMODE | LX_O_NONBLOCK | LX_O_LARGEFILE), t->cred, &file);
	return err < 0 ? err : (int)install_new_file(t, file, true);
}

/* An owned reference to the queue's inode. */
static int find_or_create(struct task *t, const char *name, int flags, uint32_t mode,
	const struct lx_mq_attr *attr, struct inode **ret)
{
	static const int may[] = {VFS_MAY_READ, VFS_MAY_WRITE, VFS_MAY_READ | VFS_MAY_WRITE};
	struct mqueue *queue = find_queue(ipc_here(), name);
	struct vfs_ctx ctx = task_vfs_ctx(t);
	int err;

	if (!queue) {
		if (!(flags & LX_O_CREAT))
			return -ENOENT;
		return mqueue_create(t, ipc_here(), name, mode & ~t->fs->umask, attr, ret);
	}
	if ((flags & LX_O_CREAT) && (flags & LX_O_EXCL))
		return -EEXIST;
	if ((flags & LX_O_ACCMODE) == LX_O_ACCMODE)
		return -EINVAL;
	err = inode_permission(queue->inode, may[flags & LX_O_ACCMODE], &ctx);
	if (err < 0)
		return err;
	*ret = inode_ref(queue->inode);
	return 0;
}

int64_t sys_mq_open(
	struct task *t, gaddr_t name_addr, unsigned flags, unsigned mode, gaddr_t attr_addr)
{
	_cleanup_(cleanup_inode_unref) struct inode *inode = NULL;
	char name[LX_NAME_MAX + 1];
	struct lx_mq_attr attr;
	bool given = !gaddr_is_null(attr_addr);
	int err = 0;

	if (given)
		err = guest_read_value(t, &attr, attr_addr);
	if (err == 0)
		err = read_name(t, name_addr, name);
	if (err < 0)
		return err;
	if (!fd_available(t->files, task_rlimit(t, LX_RLIMIT_NOFILE)))
		return -EMFILE;
	err = find_or_create(t, name, (int)flags, mode, given ? &attr : NULL, &inode);
	return err < 0 ? err : open_inode(t, inode, name, (int)flags);
}

void mqueue_unlink(struct inode *inode)
{
	struct mqueue *queue = inode_queue(inode);

	hash_remove(&queue->home->queue_names, &queue->by_name);
	free(TAKE(queue->name));
	inode->nlink = 0;
	inode_touch_ctime(inode);
	inode_unref(inode);
}

void mqueue_ns_clear(struct ipc_ns *ns)
{
	struct mqueue *queue, *next;

	list_for_each_entry_safe (queue, next, &queues, all) {
		if (queue->home != ns)
			continue;
		(void)inode_ref(queue->inode);
		if (queue->name)
			mqueue_unlink(queue->inode);
		queue->home = NULL;
		inode_unref(queue->inode);
	}
	hash_fini(&ns->queue_names);
	mqueue_super_end(ns);
}

int64_t sys_mq_unlink(struct task *t, gaddr_t name_addr)
{
	char name[LX_NAME_MAX + 1];
	struct mqueue *queue;
	int err = read_name(t, name_addr, name);

	if (err < 0)
		return err;
	queue = find_queue(ipc_here(), name);
	if (!queue)
		return -ENOENT;
	/* Their directory is root's, and sticky. */
	if (queue->inode->uid != t->cred->fsuid &&
		t->cred->fsuid != user_ns_make_uid(ipc_here()->ns.user_ns, 0) &&
		!cred_ns_capable(t->cred, ipc_here()->ns.user_ns, LX_CAP_FOWNER))
		return -EPERM;
	mqueue_unlink(queue->inode);
	return 0;
}

/* ---- sending and receiving ------------------------------------------------------------------- */

/* *ret_file is owned by the caller. */
static int get_queue(struct task *t, int fd, struct file **ret_file, struct mqueue **ret)
{
	struct file *file = fd_get(t->files, fd);

	if (!file)
		return -EBADF;
	if (file->ops != &mqueue_file_ops) {
		file_unref(file);
		return -EBADF;
	}
	*ret_file = file;
	*ret = inode_queue(file->inode);
	return 0;
}

/* An absolute time of CLOCK_REALTIME as a deadline. */
static int read_deadline(struct task *t, gaddr_t addr, uint64_t *ret)
{
	struct lx_timespec ts;
	uint64_t ns, now = loop_realtime_now();
	int err;

	*ret = WAIT_FOREVER;
	if (gaddr_is_null(addr))
		return 0;
	err = guest_read_value(t, &ts, addr);
	if (err < 0)
		return err;
	if (ts.tv_sec < 0 || ts.tv_nsec < 0 || ts.tv_nsec >= 1000000000)
		return -EINVAL;
	if (!mul_checked((uint64_t)ts.tv_sec, 1000000000u, &ns) ||
		!add_checked(ns, (uint64_t)ts.tv_nsec, &ns))
		return 0;
	if (ns <= now)
		*ret = 0;
	else if (!add_checked(loop_monotonic_now(), ns - now, ret))
		*ret = WAIT_FOREVER;
	return 0;
}

/* A message that waits for room counts as one that has it: so do many senders' large ones. */
static int read_message(struct task *t, gaddr_t text, uint64_t size, struct mq_message **ret)
{
	_cleanup_(cleanup_message_free) struct mq_message *message = NULL;
	int err;

	if (!message_memory_charge(sizeof(*message) + size))
		return -ENOMEM;
	message = malloc(sizeof(*message) + size);
	if (!message) {
		message_memory_uncharge(sizeof(*message) + size);
		return -ENOMEM;
	}
	message->size = size;
	err = guest_read(t, message->text, text, size);
	if (err == 0)
		*ret = TAKE(message);
	return err;
}

/* Behind those that are as urgent. */
static void insert_message(struct mqueue *queue, struct mq_message *message)
{
	struct list_head *at = queue->messages.prev;

	while (at != &queue->messages &&
		list_entry(at, struct mq_message, link)->priority < message->priority)
		at = at->prev;
	list_add(&message->link, at);
	queue->count++;
	queue->bytes += message->size;
}

/* __do_notify(): the first message of an empty queue that nobody waits for; once. */
static void notify_arrival(struct mqueue *queue, const struct task *sender)
{
	struct lx_siginfo info = {
		.signo = queue->sigevent.signo,
		.code = LX_SI_MESGQ,
		.rt = {.pid = pid_nr_in(sender->group->pid,
			       queue->notify ? queue->notify->ns : pid_ns_here()),
			.uid = sender->cred->uid,
			.value = queue->sigevent.value},
	};

	if (!queue->notify || queue->count != 1 || queue->receivers)
		return;
	if (queue->sigevent.notify == LX_SIGEV_SIGNAL && info.signo && queue->notify->group)
		(void)signal_send_group(queue->notify->group, &info);
	if (queue->notify_socket)
		send_cookie(queue, LX_NOTIFY_WOKENUP);
	forget_notify(queue);
}

static int wait_for_room(struct mqueue *queue, bool nonblock, uint64_t deadline)
{
	while (queue->count >= queue->max_count) {
		int err = nonblock ? -EAGAIN
				   : wait_sleep(&queue->queue, LX_POLLOUT, deadline, true, false);

		if (err < 0 && queue->count >= queue->max_count)
			return err;
	}
	return 0;
}

static int send_message(struct task *t, struct file *file, struct mqueue *queue, gaddr_t text,
	uint64_t size, unsigned priority, uint64_t deadline)
{
	_cleanup_(cleanup_message_free) struct mq_message *message = NULL;
	int err;

	if (!file->writable)
		return -EBADF;
	if (size > queue->max_size)
		return -EMSGSIZE;
	err = read_message(t, text, size, &message);
	if (err == 0)
		err = wait_for_room(queue, file->flags & LX_O_NONBLOCK, deadline);
	if (err < 0)
		return err;
	message->priority = priority;
	insert_message(queue, TAKE(message));
	notify_arrival(queue, t);
	inode_touch_mtime(queue->inode);
	wait_queue_wake(&queue->queue, LX_POLLIN | LX_POLLRDNORM);
	return 0;
}

int64_t sys_mq_timedsend(
	struct task *t, int fd, gaddr_t text, uint64_t size, unsigned priority, gaddr_t abs_timeout)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct mqueue *queue;
	uint64_t deadline;
	int err;

	err = read_deadline(t, abs_timeout, &deadline);
	if (err < 0)
		return err;
	if (priority >= LX_MQ_PRIO_MAX)
		return -EINVAL;
	err = get_queue(t, fd, &file, &queue);
	return err < 0 ? err : send_message(t, file, queue, text, size, priority, deadline);
}

static int wait_for_message(struct mqueue *queue, bool nonblock, uint64_t deadline)
{
	while (!queue->count) {
		int err;

		if (nonblock)
			return -EAGAIN;
		queue->receivers++;
		err = wait_sleep(&queue->queue, LX_POLLIN, deadline, true, false);
		queue->receivers--;
		if (err < 0 && !queue->count)
			return err;
	}
	return 0;
}

int64_t sys_mq_timedreceive(struct task *t, int fd, gaddr_t text, uint64_t size,
	gaddr_t priority_addr, gaddr_t abs_timeout)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	_cleanup_(cleanup_message_free) struct mq_message *message = NULL;
	struct mqueue *queue;
	uint64_t deadline;
	uint32_t priority;
	int err;

	err = read_deadline(t, abs_timeout, &deadline);
	if (err == 0)
		err = get_queue(t, fd, &file, &queue);
	if (err < 0)
		return err;
	if (!file->readable)
		return -EBADF;
	if (size < queue->max_size)
		return -EMSGSIZE;
	err = wait_for_message(queue, file->flags & LX_O_NONBLOCK, deadline);
	if (err < 0)
		return err;
	message = list_first(&queue->messages, struct mq_message, link);
	list_remove(&message->link);
	queue->count--;
	queue->bytes -= message->size;
	inode_touch_atime(queue->inode);
	wait_queue_wake(&queue->queue, LX_POLLOUT | LX_POLLWRNORM);
	priority = message->priority;
	if (!gaddr_is_null(priority_addr)) {
		err = guest_write(t, priority_addr, &priority, sizeof(priority));
		if (err < 0)
			return err;
	}
	err = guest_write(t, text, message->text, message->size);
	return err < 0 ? err : (int64_t)message->size;
}

/* ---- mq_notify, mq_getsetattr ---------------------------------------------------------------- */

/* What mq_notify(2) was asked for. */
struct notify_request {
	struct lx_sigevent event;
	struct file *socket; /* owned; NULL: no SIGEV_THREAD */
	char cookie[LX_NOTIFY_COOKIE_LEN];
};

static int set_notify(struct task *t, struct mqueue *queue, struct notify_request *request)
{
	struct pid *self = t->group->pid;

	if (!request) {
		if (queue->notify == self)
			forget_notify(queue);
		return 0;
	}
	if (queue->notify)
		return -EBUSY;
	queue->notify = pid_ref(self);
	queue->sigevent = request->event;
	queue->notify_socket = TAKE(request->socket);
	memcpy(queue->cookie, request->cookie, sizeof(queue->cookie));
	return 0;
}

/*
 * SIGEV_THREAD: a cookie of the program's comes back through a netlink socket (sigev_signo), on
 * which its C library has a thread that waits.
 */
static int read_socket(struct task *t, struct notify_request *request)
{
	const struct socket *socket;
	int err = guest_read(
		t, request->cookie, GADDR(request->event.value), sizeof(request->cookie));

	if (err < 0)
		return err;
	request->socket = fd_get(t->files, request->event.signo);
	if (!request->socket)
		return -EBADF;
	socket = socket_of_file(request->socket);
	if (!socket)
		return -ENOTSOCK;
	return socket->family == LX_AF_NETLINK ? 0 : -EINVAL;
}

static int read_request(struct task *t, gaddr_t sevp, struct notify_request *request)
{
	const struct lx_sigevent *event = &request->event;
	int err = guest_read_value(t, &request->event, sevp);

	if (err < 0)
		return err;
	if (event->notify == LX_SIGEV_THREAD)
		return read_socket(t, request);
	if (event->notify != LX_SIGEV_NONE && event->notify != LX_SIGEV_SIGNAL)
		return -EINVAL;
	if (event->notify == LX_SIGEV_SIGNAL && (event->signo < 0 || event->signo > LX_NSIG))
		return -EINVAL;
	return 0;
}

int64_t sys_mq_notify(struct task *t, int fd, gaddr_t sevp)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	bool given = !gaddr_is_null(sevp);
	struct notify_request request = {0};
	struct mqueue *queue;
	int err = given ? read_request(t, sevp, &request) : 0;

	if (err == 0)
		err = get_queue(t, fd, &file, &queue);
	if (err == 0)
		err = set_notify(t, queue, given ? &request : NULL);
	if (request.socket)
		file_unref(request.socket);
	return err;
}

int64_t sys_mq_getsetattr(struct task *t, int fd, gaddr_t new_addr, gaddr_t old_addr)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct lx_mq_attr attr, old = {0};
	bool set = !gaddr_is_null(new_addr);
	struct mqueue *queue;
	int err;

	if (set) {
		err = guest_read_value(t, &attr, new_addr);
		if (err < 0)
			return err;
		if (attr.mq_flags & ~(int64_t)LX_O_NONBLOCK)
			return -EINVAL;
	}
	err = get_queue(t, fd, &file, &queue);
	if (err < 0)
		return err;
	old.mq_flags = file->flags & LX_O_NONBLOCK;
	old.mq_maxmsg = (int64_t)queue->max_count;
	old.mq_msgsize = (int64_t)queue->max_size;
	old.mq_curmsgs = (int64_t)queue->count;
	if (set)
		file->flags = (file->flags & ~LX_O_NONBLOCK) | (int)attr.mq_flags;
	return gaddr_is_null(old_addr) ? 0 : guest_write_value(t, old_addr, &old);
}
