/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V message queues (msgop(2), msgctl(2); kernel ipc/msg.c).
 *
 * Messages wait in order of arrival. Who finds none, or no room, sleeps and looks again whenever
 * the queue changed: first come, first served, since wake-ups go in order and nobody runs between.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/errno.h"
#include "abi/limits.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/ipc/ipc.h"
#include "sentry/syscalls_gen.h"
#include "sentry/task.h"

struct message {
	struct list_head link;
	uint64_t size; /* of the text */
	struct {
		int64_t type;
		char text[];
	} body; /* as struct msgbuf */
};

struct msg_queue {
	struct ipc_object ipc;
	struct list_head messages;
	struct wait_queue senders, receivers;
	uint64_t bytes, count, limit;
	int64_t stime, rtime, ctime; /* s */
	int last_sender, last_receiver;
};

static uint64_t total_bytes, total_count;

static void message_free(struct message *message)
{
	message_memory_uncharge(sizeof(*message) + message->size);
	free(message);
}

static void unlink_message(struct msg_queue *queue, struct message *message)
{
	list_remove(&message->link);
	queue->bytes -= message->size;
	queue->count--;
	total_bytes -= message->size;
	total_count--;
}

static void empty_queue(struct msg_queue *queue)
{
	while (!list_empty(&queue->messages)) {
		struct message *message = list_first(&queue->messages, struct message, link);

		unlink_message(queue, message);
		message_free(message);
	}
}

static void queue_destroy(struct ipc_object *object)
{
	struct msg_queue *queue = container_of(object, struct msg_queue, ipc);

	empty_queue(queue);
	wait_queue_destroy(&queue->senders);
	wait_queue_destroy(&queue->receivers);
	free(queue);
}

static struct msg_queue *queue_of(struct ipc_object *object)
{
	return container_of(object, struct msg_queue, ipc);
}

int64_t sys_msgget(struct task *t, int key, unsigned flags)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	struct msg_queue *queue;
	int id, err = ipc_get(&ipc_here()->msg, key, flags, &object);

	if (err < 0)
		return err;
	if (object)
		return ipc_permitted(object, t->cred, flags) ? object->id : -EACCES;
	queue = calloc(1, sizeof(*queue));
	if (!queue)
		return -ENOMEM;
	queue->ipc.refs = REFCOUNT_ONE;
	queue->ipc.destroy = queue_destroy;
	list_init(&queue->messages);
	wait_queue_init(&queue->senders);
	wait_queue_init(&queue->receivers);
	queue->limit = LX_MSGMNB;
	queue->ctime = ktime_now().sec;
	id = ipc_add(&ipc_here()->msg, &queue->ipc, key, flags, t->cred);
	ipc_unref(&queue->ipc);
	return id;
}

/* ---- msgsnd ---------------------------------------------------------------------------------- */

/* Type and text in one read; what is wrong with them in Linux' order. One that waits for room is
 * charged as one that has it: so do many senders'. */
static int read_message(
	struct task *t, gaddr_t msgp, uint64_t size, bool valid, struct message **ret)
{
	struct message *message;
	int64_t type;
	int err;

	if (!valid) {
		err = guest_read_value(t, &type, msgp);
		return err < 0 ? err : -EINVAL;
	}
	if (!message_memory_charge(sizeof(*message) + size))
		return -ENOMEM;
	message = malloc(sizeof(*message) + size);
	if (!message) {
		message_memory_uncharge(sizeof(*message) + size);
		return -ENOMEM;
	}
	message->size = size;
	err = guest_read(t, &message->body, msgp, sizeof(message->body) + size);
	if (err < 0) {
		message_free(message);
		/* A bad type goes before a bad text. */
		if (guest_read_value(t, &type, msgp) == 0 && type < 1)
			return -EINVAL;
		return err;
	}
	if (message->body.type < 1) {
		message_free(message);
		return -EINVAL;
	}
	*ret = message;
	return 0;
}

static bool fits(const struct msg_queue *queue, uint64_t size)
{
	return size + queue->bytes <= queue->limit && 1 + queue->count <= queue->limit;
}

/* Waits for room. */
static int wait_for_room(struct task *t, struct msg_queue *queue, uint64_t size, unsigned flags)
{
	for (;;) {
		int err;

		if (queue->ipc.removed)
			return -EIDRM;
		if (!ipc_permitted(&queue->ipc, t->cred, 0222))
			return -EACCES;
		if (fits(queue, size))
			return 0;
		if (flags & LX_IPC_NOWAIT)
			return -EAGAIN;
		err = wait_sleep(&queue->senders, ~0u, WAIT_FOREVER, true, false);
		if (err < 0 && !queue->ipc.removed)
			return -ERESTARTNOHAND;
	}
}

int64_t sys_msgsnd(struct task *t, int id, gaddr_t msgp, uint64_t size, unsigned flags)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	struct message *message;
	struct msg_queue *queue;
	int err;

	err = read_message(t, msgp, size, size <= LX_MSGMAX && id >= 0, &message);
	if (err < 0)
		return err;
	object = ipc_find(&ipc_here()->msg, id);
	queue = object ? queue_of(object) : NULL;
	err = object ? wait_for_room(t, queue, size, flags) : -EINVAL;
	if (err < 0) {
		message_free(message);
		return err;
	}
	list_add_tail(&message->link, &queue->messages);
	queue->bytes += size;
	queue->count++;
	total_bytes += size;
	total_count++;
	queue->stime = ktime_now().sec;
	queue->last_sender = t->group->pid->nr;
	wait_queue_wake(&queue->receivers, ~0u);
	return 0;
}

/* ---- msgrcv ---------------------------------------------------------------------------------- */

/* find_msg(): what @type and the flags ask for (msgop(2)). */
static struct message *find_message(struct msg_queue *queue, int64_t type, unsigned flags)
{
	struct message *message, *best = NULL;
	int64_t index = 0;

	list_for_each_entry (message, &queue->messages, link) {
		if (flags & LX_MSG_COPY) {
			if (index++ == type)
				return message;
		} else if (type == 0) {
			return message;
		} else if (type > 0) {
			if ((message->body.type == type) == !(flags & LX_MSG_EXCEPT))
				return message;
		} else if (message->body.type <= (type == INT64_MIN ? INT64_MAX : -type) &&
			   (!best || message->body.type < best->body.type)) {
			best = message;
			if (best->body.type == 1)
				break;
		}
	}
	return best;
}

static int take_message(struct task *t, struct msg_queue *queue, uint64_t size, int64_t type,
	unsigned flags, struct message **ret)
{
	for (;;) {
		struct message *message;
		int err;

		if (queue->ipc.removed)
			return -EIDRM;
		if (!ipc_permitted(&queue->ipc, t->cred, 0444))
			return -EACCES;
		message = find_message(queue, type, flags);
		if (message && message->size > size && !(flags & LX_MSG_NOERROR))
			return -E2BIG;
		if (message) {
			*ret = message;
			return 0;
		}
		if (flags & LX_IPC_NOWAIT)
			return -ENOMSG;
		err = wait_sleep(&queue->receivers, ~0u, WAIT_FOREVER, true, false);
		if (err < 0 && !queue->ipc.removed)
			return -ERESTARTNOHAND;
	}
}

static int64_t give_message(
	struct task *t, const struct message *message, gaddr_t msgp, uint64_t size)
{
	uint64_t given = min_of(size, message->size);
	int err = guest_write(t, msgp, &message->body, sizeof(message->body) + given);

	return err < 0 ? err : (int64_t)given;
}

/* MSG_COPY: the message stays. Writing sleeps, so it is a copy that is written. */
static int64_t give_copy(struct task *t, const struct message *message, gaddr_t msgp, uint64_t size)
{
	_cleanup_free_ struct message *copy = malloc(sizeof(*copy) + message->size);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, message, sizeof(*copy) + message->size);
	return give_message(t, copy, msgp, size);
}

int64_t sys_msgrcv(
	struct task *t, int id, gaddr_t msgp, uint64_t size, int64_t type, unsigned flags)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	struct message *message;
	struct msg_queue *queue;
	int64_t r;

	if (id < 0 || (int64_t)size < 0)
		return -EINVAL;
	if ((flags & LX_MSG_COPY) && ((flags & LX_MSG_EXCEPT) || !(flags & LX_IPC_NOWAIT)))
		return -EINVAL;
	object = ipc_find(&ipc_here()->msg, id);
	if (!object)
		return -EINVAL;
	queue = queue_of(object);
	r = take_message(t, queue, size, type, flags, &message);
	if (r < 0)
		return r;
	if (flags & LX_MSG_COPY)
		return give_copy(t, message, msgp, size);
	unlink_message(queue, message);
	queue->rtime = ktime_now().sec;
	queue->last_receiver = t->group->pid->nr;
	wait_queue_wake(&queue->senders, ~0u);
	r = give_message(t, message, msgp, size);
	message_free(message);
	return r;
}

/* ---- msgctl ---------------------------------------------------------------------------------- */

static int64_t msg_info(struct task *t, int cmd, gaddr_t buf)
{
	struct lx_msginfo info = {
		.msgpool = LX_MSGMNI * (LX_MSGMNB / 1024),
		.msgmap = LX_MSGMNB,
		.msgmax = LX_MSGMAX,
		.msgmnb = LX_MSGMNB,
		.msgmni = LX_MSGMNI,
		.msgssz = 16, /* MSGSSZ, MSGSEG: never used */
		.msgtql = LX_MSGMNB,
		.msgseg = 0xffff,
	};
	int err;

	if (cmd == LX_MSG_INFO) {
		info.msgpool = (int32_t)ipc_here()->msg.count;
		info.msgmap = (int32_t)total_count;
		info.msgtql = (int32_t)total_bytes;
	}
	err = guest_write_value(t, buf, &info);
	return err < 0 ? err : ipc_last_index(&ipc_here()->msg);
}

void msg_fill(const struct ipc_object *object, struct lx_msqid_ds *ret)
{
	const struct msg_queue *queue = container_of(object, const struct msg_queue, ipc);

	*ret = (struct lx_msqid_ds){
		.msg_stime = queue->stime,
		.msg_rtime = queue->rtime,
		.msg_ctime = queue->ctime,
		.msg_cbytes = queue->bytes,
		.msg_qnum = queue->count,
		.msg_qbytes = queue->limit,
		.msg_lspid = pid_nr_here(queue->last_sender),
		.msg_lrpid = pid_nr_here(queue->last_receiver),
	};
	ipc_fill_perm(object, &ret->msg_perm);
}

static int64_t msg_stat(struct task *t, int id, int cmd, gaddr_t buf)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	struct lx_msqid_ds ds;
	int err;

	err = ipc_find_stat(
		&ipc_here()->msg, t, id, cmd != LX_IPC_STAT, cmd == LX_MSG_STAT_ANY, &object);
	if (err < 0)
		return err;
	msg_fill(object, &ds);
	err = guest_write_value(t, buf, &ds);
	if (err < 0)
		return err;
	return cmd == LX_IPC_STAT ? 0 : object->id;
}

static int64_t msg_set(struct task *t, int id, gaddr_t buf)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	struct msg_queue *queue;
	struct lx_msqid_ds ds;
	int err;

	err = guest_read_value(t, &ds, buf);
	if (err < 0)
		return err;
	err = ipc_find_owned(&ipc_here()->msg, t, id, &object);
	if (err < 0)
		return err;
	if (ds.msg_qbytes > LX_MSGMNB && !cred_capable(t->cred, LX_CAP_SYS_RESOURCE))
		return -EPERM;
	err = ipc_set_perm(object, &ds.msg_perm);
	if (err < 0)
		return err;
	queue = queue_of(object);
	queue->limit = ds.msg_qbytes;
	queue->ctime = ktime_now().sec;
	/* Rights and room are looked at anew. */
	wait_queue_wake(&queue->receivers, ~0u);
	wait_queue_wake(&queue->senders, ~0u);
	return 0;
}

static int64_t msg_remove(struct task *t, int id)
{
	_cleanup_(cleanup_ipc_unref) struct ipc_object *object = NULL;
	int err = ipc_find_owned(&ipc_here()->msg, t, id, &object);

	if (err < 0)
		return err;
	ipc_remove(object);
	empty_queue(queue_of(object));
	wait_queue_wake_all(&queue_of(object)->receivers, ~0u);
	wait_queue_wake_all(&queue_of(object)->senders, ~0u);
	return 0;
}

int64_t sys_msgctl(struct task *t, int id, int cmd, gaddr_t buf)
{
	if (id < 0 || cmd < 0)
		return -EINVAL;
	switch (cmd) {
	case LX_IPC_INFO:
	case LX_MSG_INFO:
		return msg_info(t, cmd, buf);
	case LX_IPC_STAT:
	case LX_MSG_STAT:
	case LX_MSG_STAT_ANY:
		return msg_stat(t, id, cmd, buf);
	case LX_IPC_SET:
		return msg_set(t, id, buf);
	case LX_IPC_RMID:
		return msg_remove(t, id);
	default:
		return -EINVAL;
	}
}
