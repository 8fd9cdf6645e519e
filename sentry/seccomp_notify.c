/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp_unotify(2): a filter that lets another process decide (kernel/seccomp.c:
 * seccomp_do_user_notification()).
 *
 * A call that is asked about is a request on the stack of its task's fiber, which sleeps until the
 * listener has answered, a signal comes, or the listener is closed. The listener's file knows
 * requests by numbers that are never used again.
 */
#include "sentry/seccomp_notify.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/pid_ns.h"
#include "sentry/syscalls/anon_fd.h"

#define KILL_LOOK_NS 20000000ull /* how late a kill is seen of who waits for nothing else */

enum request_state { REQUEST_NEW, REQUEST_SENT, REQUEST_ANSWERED };

struct request {
	struct list_head link;
	uint64_t id;
	struct task *task; /* borrowed: it sleeps in here */
	struct lx_seccomp_data data;
	enum request_state state;
	int64_t result; /* what the call returns, negative errno included */
	bool go_on;	/* it is made after all */
	struct wait_queue queue;
};

struct seccomp_listener {
	struct refcount refs; /* its file, its filter, who asks */
	struct list_head requests;
	struct wait_queue queue; /* for those who hold the file */
	bool wait_killable;
	bool closed; /* nobody holds the file */
	bool orphan; /* nobody has the filter */
};

static uint64_t last_id;

static void listener_unref(struct seccomp_listener *listener)
{
	if (!refcount_put(&listener->refs))
		return;
	wait_queue_destroy(&listener->queue);
	free(listener);
}

void listener_orphan(struct seccomp_listener *listener)
{
	if (!listener)
		return;
	listener->orphan = true;
	wait_queue_wake_all(&listener->queue, LX_POLLHUP);
	listener_unref(listener);
}

/* ---- who is asked about ---------------------------------------------------------------------- */

static void answer(struct request *request, int64_t result, bool go_on)
{
	request->state = REQUEST_ANSWERED;
	request->result = result;
	request->go_on = go_on;
	wait_queue_wake_all(&request->queue, ~0u);
}

static int wait_for_answer(const struct seccomp_listener *listener, struct request *request)
{
	while (request->state != REQUEST_ANSWERED) {
		bool steady = listener->wait_killable && request->state == REQUEST_SENT;
		int err = wait_sleep(&request->queue, ~0u,
			steady ? loop_monotonic_now() + KILL_LOOK_NS : WAIT_FOREVER, !steady,
			false);

		if (request->task->killed)
			return -EINTR;
		if (err == -ERESTARTSYS && request->state != REQUEST_ANSWERED &&
			!(listener->wait_killable && request->state == REQUEST_SENT))
			return err;
	}
	return 0;
}

bool listener_ask(struct seccomp_listener *listener, struct task *task,
	const struct lx_seccomp_data *data, int64_t *ret_result)
{
	struct request request = {.id = ++last_id, .task = task, .data = *data};
	int err;

	*ret_result = -ENOSYS;
	if (listener->closed)
		return false;
	refcount_get(&listener->refs);
	wait_queue_init(&request.queue);
	list_add_tail(&request.link, &listener->requests);
	wait_queue_wake(&listener->queue, LX_POLLIN | LX_POLLRDNORM);
	err = wait_for_answer(listener, &request);
	list_remove(&request.link);
	wait_queue_destroy(&request.queue);
	listener_unref(listener);
	*ret_result = err < 0 ? err : request.result;
	return err == 0 && request.go_on;
}

/* ---- who answers ----------------------------------------------------------------------------- */

static struct request *find_request(const struct seccomp_listener *listener, uint64_t id)
{
	struct request *request;

	list_for_each_entry (request, &listener->requests, link)
		if (request->id == id)
			return request;
	return NULL;
}

static struct request *find_in_state(
	const struct seccomp_listener *listener, enum request_state state)
{
	struct request *request;

	list_for_each_entry (request, &listener->requests, link)
		if (request->state == state)
			return request;
	return NULL;
}

/* What must be zero, so that it can mean something some day. */
static int check_zeroed(struct task *t, gaddr_t arg)
{
	struct lx_seccomp_notif notif;
	const uint8_t *bytes = (const uint8_t *)&notif;
	int err = guest_read_value(t, &notif, arg);

	if (err < 0)
		return err;
	for (size_t i = 0; i < sizeof(notif); i++)
		if (bytes[i])
			return -EINVAL;
	return 0;
}

static int64_t receive(struct seccomp_listener *listener, struct task *t, gaddr_t arg)
{
	struct lx_seccomp_notif notif = {0};
	struct request *request;
	int err = check_zeroed(t, arg);

	while (err == 0 && !find_in_state(listener, REQUEST_NEW)) {
		if (listener->orphan)
			return -ENOENT;
		err = wait_sleep(
			&listener->queue, LX_POLLIN | LX_POLLHUP, WAIT_FOREVER, true, true);
		if (err == -ERESTARTSYS && find_in_state(listener, REQUEST_NEW))
			err = 0;
	}
	if (err < 0)
		return err;
	request = find_in_state(listener, REQUEST_NEW);
	notif.id = request->id;
	notif.pid = (uint32_t)pid_vnr(request->task->pid);
	notif.data = request->data;
	request->state = REQUEST_SENT;
	wait_queue_wake(&listener->queue, LX_POLLOUT | LX_POLLWRNORM);
	err = guest_write_value(t, arg, &notif);
	/* Writing has slept. */
	request = err < 0 ? find_request(listener, notif.id) : NULL;
	if (request && request->state == REQUEST_SENT) {
		request->state = REQUEST_NEW;
		wait_queue_wake(&listener->queue, LX_POLLIN | LX_POLLRDNORM);
	}
	return err;
}

static int64_t send_answer(struct seccomp_listener *listener, struct task *t, gaddr_t arg)
{
	struct lx_seccomp_notif_resp response;
	struct request *request;
	bool go_on;
	int err = guest_read_value(t, &response, arg);

	if (err < 0)
		return err;
	if (response.flags & ~(uint32_t)LX_SECCOMP_USER_NOTIF_FLAG_CONTINUE)
		return -EINVAL;
	go_on = response.flags & LX_SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	if (go_on && (response.error || response.val))
		return -EINVAL;
	request = find_request(listener, response.id);
	if (!request)
		return -ENOENT;
	if (request->state != REQUEST_SENT)
		return -EINPROGRESS;
	answer(request, response.error ? response.error : response.val, go_on);
	return 0;
}

static int64_t id_valid(const struct seccomp_listener *listener, struct task *t, gaddr_t arg)
{
	const struct request *request;
	uint64_t id;
	int err = guest_read_value(t, &id, arg);

	if (err < 0)
		return err;
	request = find_request(listener, id);
	return request && request->state == REQUEST_SENT ? 0 : -ENOENT;
}

/* receive_fd(), receive_fd_replace(): takes over @file on success. */
static int give_file(struct task *task, struct file *file, const struct lx_seccomp_notif_addfd *add)
{
	const uint64_t limit = task_rlimit(task, LX_RLIMIT_NOFILE);
	bool cloexec = add->newfd_flags & LX_O_CLOEXEC;

	if (!task->files)
		return -ESRCH;
	if (!(add->flags & LX_SECCOMP_ADDFD_FLAG_SETFD))
		return fd_install(task->files, file, 0, limit, cloexec);
	if (add->newfd >= limit)
		return -EBADF;
	return fd_install_at(task->files, file, (int)add->newfd, limit, cloexec);
}

static int64_t add_descriptor(struct seccomp_listener *listener, struct task *t, gaddr_t arg)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct lx_seccomp_notif_addfd add;
	struct request *request;
	int fd, err = guest_read_value(t, &add, arg);

	if (err < 0)
		return err;
	if (add.newfd_flags & ~(uint32_t)LX_O_CLOEXEC)
		return -EINVAL;
	if (add.flags & ~(uint32_t)(LX_SECCOMP_ADDFD_FLAG_SETFD | LX_SECCOMP_ADDFD_FLAG_SEND))
		return -EINVAL;
	if (add.newfd && !(add.flags & LX_SECCOMP_ADDFD_FLAG_SETFD))
		return -EINVAL;
	file = fd_get(t->files, (int)add.srcfd);
	if (!file)
		return -EBADF;
	request = find_request(listener, add.id);
	if (!request)
		return -ENOENT;
	if (request->state != REQUEST_SENT)
		return -EINPROGRESS;
	fd = give_file(request->task, file, &add);
	if (fd < 0)
		return fd;
	(void)TAKE(file);
	/* A descriptor that it replaced was closed, which may have taken a while. */
	request = find_request(listener, add.id);
	if (request && request->state == REQUEST_SENT && (add.flags & LX_SECCOMP_ADDFD_FLAG_SEND))
		answer(request, fd, false);
	return fd;
}

static int64_t set_flags(struct task *t, uint64_t flags)
{
	(void)t;
	/* Whom the host's scheduler wakes first is its affair. */
	return flags & ~(uint64_t)LX_SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP ? -EINVAL : 0;
}

static int64_t listener_ioctl(
	struct file *file, unsigned request, gaddr_t arg, const struct vfs_ctx *ctx)
{
	struct seccomp_listener *listener = file->private;
	struct task *task = ctx->task;

	switch (request) {
	case LX_SECCOMP_IOCTL_NOTIF_RECV:
		return receive(listener, task, arg);
	case LX_SECCOMP_IOCTL_NOTIF_SEND:
		return send_answer(listener, task, arg);
	case LX_SECCOMP_IOCTL_NOTIF_ID_VALID:
	case LX_SECCOMP_IOCTL_NOTIF_ID_VALID_WRONG_DIR:
		return id_valid(listener, task, arg);
	case LX_SECCOMP_IOCTL_NOTIF_ADDFD:
		return add_descriptor(listener, task, arg);
	case LX_SECCOMP_IOCTL_NOTIF_SET_FLAGS:
		return set_flags(task, arg.v);
	default:
		return -EINVAL;
	}
}

static uint32_t listener_poll(struct file *file)
{
	const struct seccomp_listener *listener = file->private;

	return (find_in_state(listener, REQUEST_NEW) ? LX_POLLIN | LX_POLLRDNORM : 0) |
	       (find_in_state(listener, REQUEST_SENT) ? LX_POLLOUT | LX_POLLWRNORM : 0) |
	       (listener->orphan ? LX_POLLHUP : 0);
}

static struct wait_queue *listener_poll_queue(struct file *file)
{
	struct seccomp_listener *listener = file->private;

	return &listener->queue;
}

static void listener_release(struct file *file)
{
	struct seccomp_listener *listener = file->private;
	struct request *request;

	listener->closed = true;
	list_for_each_entry (request, &listener->requests, link)
		if (request->state != REQUEST_ANSWERED)
			answer(request, -ENOSYS, false);
	listener_unref(listener);
}

static const struct file_ops listener_ops = {
	.name = "seccomp notify",
	.ioctl = listener_ioctl,
	.poll = listener_poll,
	.poll_queue = listener_poll_queue,
	.release = listener_release,
};

int64_t listener_new(struct task *t, bool wait_killable, struct seccomp_listener **ret)
{
	struct seccomp_listener *listener = calloc(1, sizeof(*listener));
	struct file *file;
	int64_t fd;

	if (!listener)
		return -ENOMEM;
	listener->refs = REFCOUNT_ONE;
	listener->wait_killable = wait_killable;
	list_init(&listener->requests);
	wait_queue_init(&listener->queue);
	fd = file_new_anonymous(
		"anon_inode:seccomp notify", &listener_ops, listener, LX_O_RDWR, 0600, &file);
	if (fd < 0) {
		listener_unref(listener);
		return fd;
	}
	/* Beside the file's. */
	refcount_get(&listener->refs);
	fd = install_new_file(t, file, true);
	if (fd < 0)
		listener_unref(listener);
	else
		*ret = listener;
	return fd;
}
