/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ioctl.h"
#include "abi/poll.h"
#include "base/checked.h"
#include "sentry/socket/filter.h"
#include "sentry/socket/unix.h"

/*
 * Data through AF_UNIX sockets. A packet is a datagram, a record, or up to 36 KiB of a stream; it
 * is charged to its sender until it was read, and a sender whose charge reaches SO_SNDBUF waits.
 * Ancillary data rides on the first packet of a send; a stream read stops where it meets files or
 * another sender's credentials (unix(7)).
 */

/* Linux' buffers: a head of a power of 2, whose end is the kernel's, and pages (linux/skbuff.h). */
#define BUFFER_HEAD_END	  320u /* sizeof(struct skb_shared_info), aligned */
#define BUFFER_HEAD_MIN	  512u /* the smallest allocation for one */
#define BUFFER_OVERHEAD	  256u /* sizeof(struct sk_buff), aligned */
#define BUFFER_PAGE	  4096u
#define STREAM_HEAD_MAX	  (BUFFER_PAGE - BUFFER_HEAD_END)     /* SKB_MAX_HEAD(0) */
#define STREAM_PACKET_MAX (STREAM_HEAD_MAX + 8 * BUFFER_PAGE) /* UNIX_SKB_FRAGS_SZ */
#define DATAGRAM_HEAD_MAX (4 * BUFFER_PAGE - BUFFER_HEAD_END) /* SKB_MAX_ALLOC */
#define DATAGRAM_PAGES	  17u				      /* MAX_SKB_FRAGS */
#define DATAGRAM_QUEUE	  10u				      /* net.unix.max_dgram_qlen */
#define FILES_IN_FLIGHT	  4096u /* of all sockets: sent and not yet received */

#define PACKET_MEMORY_MAX (64ull << 20) /* of all sockets: charged and not yet received */

static uint64_t packet_memory;

/*
 * Closing a file that lies in a packet may close a socket with packets with files, and so on, as
 * deep as a guest likes: dead packets queue up here, and the outermost of the nested calls frees
 * them all.
 */
static struct list_head dead_packets = {&dead_packets, &dead_packets};
static bool burying;

static void packet_free(struct unix_packet *packet)
{
	if (packet->sender) {
		packet->sender->sent -= packet->charge;
		unix_wake(packet->sender, LX_POLLOUT | LX_POLLWRNORM);
		unix_unref(packet->sender);
	}
	packet_memory -= packet->charge;
	unix_files_in_flight(&packet->scm, -1);
	list_add_tail(&packet->link, &dead_packets);
	if (burying)
		return;
	burying = true;
	while (!list_empty(&dead_packets)) {
		packet = list_first(&dead_packets, struct unix_packet, link);
		list_remove(&packet->link);
		scm_fini(&packet->scm);
		free(packet);
	}
	burying = false;
}

static void dequeue(struct unix_socket *socket, struct unix_packet *packet)
{
	list_remove(&packet->link);
	socket->queued -= packet->size - packet->start;
	socket->queued_count--;
	/* Datagram senders wait for room in our queue. */
	if (socket->base.type == LX_SOCK_DGRAM)
		unix_wake(socket, LX_POLLOUT);
	packet_free(packet);
}

void unix_drop_packets(struct unix_socket *socket)
{
	while (!list_empty(&socket->packets))
		dequeue(socket, list_first(&socket->packets, struct unix_packet, link));
}

/* ---- sending ---- */

static bool has_room(const struct unix_socket *socket)
{
	return socket->sent < socket->base.send_size;
}

/* Sleeps until this socket may send; the peer may go meanwhile. */
static int wait_for_room(struct unix_socket *socket, const struct socket_message *message)
{
	int r;

	if (has_room(socket))
		return 0;
	if (message->flags & LX_MSG_DONTWAIT)
		return -EAGAIN;
	r = wait_event_deadline(
		&socket->base.queue, has_room(socket) || socket->write_shut, message->deadline);
	return socket_wait_error(r, message->deadline);
}

/* What Linux charges a sender for @size bytes (skb->truesize): how much fits into a socket is seen
 * by programs. */
static uint32_t buffer_charge(bool stream, uint32_t size)
{
	uint32_t head_max = stream ? STREAM_HEAD_MAX : DATAGRAM_HEAD_MAX;
	uint32_t pages = size > head_max ? size - head_max : 0;
	uint32_t head = BUFFER_HEAD_MIN;

	if (!stream)
		pages = min_of(pages, DATAGRAM_PAGES * BUFFER_PAGE);
	pages = (pages + BUFFER_PAGE - 1) & ~(BUFFER_PAGE - 1);
	while (head < size - min_of(pages, size) + BUFFER_HEAD_END)
		head *= 2;
	return BUFFER_OVERHEAD + head + pages;
}

/* A packet with the next @size bytes of the message. -EFAULT when they are not all
 * readable. May sleep. */
static int packet_new(struct unix_socket *sender, struct socket_message *message, uint32_t size,
	struct unix_packet **ret)
{
	uint32_t charge = buffer_charge(sender->base.type == LX_SOCK_STREAM, size);
	struct unix_packet *packet;
	ssize_t n;

	if (packet_memory + charge > PACKET_MEMORY_MAX)
		return -ENOBUFS;
	packet = malloc(sizeof(*packet) + size);
	if (!packet)
		return -ENOMEM;
	packet_memory += charge; /* before the copy, which may sleep */
	*packet = (struct unix_packet){.sender = unix_ref(sender)};
	n = size ? uio_copy_from(message->uio, packet->data, size) : 0;
	if (n < 0 || (uint32_t)n < size) {
		packet_memory -= charge;
		unix_unref(packet->sender);
		free(packet);
		return n < 0 ? (int)n : -EFAULT;
	}
	packet->size = (uint32_t)n;
	packet->charge = charge;
	sender->sent += packet->charge;
	list_init(&packet->link);
	*ret = packet;
	return 0;
}

/* unix_may_passcred() */
static bool wants_creds(const struct unix_socket *socket)
{
	return socket->base.pass_cred || socket->base.pass_pidfd;
}

/* Moves the message's ancillary data into the packet, once. */
static int attach_scm(struct unix_packet *packet, const struct unix_socket *receiver,
	struct task *task, struct socket_message *message)
{
	if (message->scm) {
		if (message->scm->file_count &&
			unix_files_in_flight_count() + message->scm->file_count > FILES_IN_FLIGHT)
			return -ETOOMANYREFS;
		packet->scm = *message->scm;
		*message->scm = (struct scm){0};
		unix_files_in_flight(&packet->scm, 1);
	}
	/* Credentials that nobody asked for when they were sent stay unknown; who is not accepted
	 * yet may still ask (unix_maybe_add_creds). */
	if (wants_creds(packet->sender) || wants_creds(receiver) ||
		!list_empty(&receiver->backlog_link))
		scm_fill_cred(&packet->scm, task);
	return 0;
}

static void enqueue(struct unix_socket *receiver, struct unix_packet *packet)
{
	list_add_tail(&packet->link, &receiver->packets);
	receiver->queued += packet->size;
	receiver->queued_count++;
	unix_wake(receiver, LX_POLLIN | LX_POLLRDNORM);
}

/* sk_filter() in unix_dgram_sendmsg(): cuts it. False: it is thrown away. */
static bool passes_filter(const struct unix_socket *receiver, struct unix_packet *packet)
{
	struct netbuf_queue bytes = {0};
	const struct filter_packet view = {.bytes = &bytes};
	uint32_t keep = 0;

	if (!receiver->base.filter)
		return true;
	if (netbuf_append(&bytes, packet->data, packet->size) == 0)
		keep = socket_filter_packet(receiver->base.filter, &view);
	netbuf_queue_clear(&bytes);
	packet->size = min_of(packet->size, keep);
	return keep > 0;
}

/* To its receiver, if that wants it. */
static void hand_over(struct unix_socket *receiver, struct unix_packet *packet)
{
	if (passes_filter(receiver, packet))
		enqueue(receiver, packet);
	else
		packet_free(packet);
}

/* So that two of them fit (unix_stream_sendmsg()). */
static uint64_t stream_packet_max(const struct unix_socket *socket)
{
	uint64_t half = socket->base.send_size / 2;

	return half > 64 ? min_of(half - 64, (uint64_t)STREAM_PACKET_MAX) : 1;
}

static ssize_t send_stream(
	struct unix_socket *socket, struct task *task, struct socket_message *message)
{
	ssize_t done = 0;

	if (message->name)
		return socket->state == UNIX_CONNECTED ? -EISCONN : -EOPNOTSUPP;
	if (socket->state != UNIX_CONNECTED)
		return -ENOTCONN;
	if (socket->write_shut)
		return -EPIPE;
	while (message->uio->resid > 0) {
		struct unix_packet *packet;
		int r = socket->write_shut ? -EPIPE : wait_for_room(socket, message);

		if (r == 0 && socket->write_shut)
			r = -EPIPE;
		r = r < 0 ? r
			  : packet_new(socket, message,
				    (uint32_t)min_of(
					    message->uio->resid, stream_packet_max(socket)),
				    &packet);
		if (r < 0)
			return done ? done : r;
		/* Copying may have slept: the other end can be gone. */
		r = socket->write_shut ? -EPIPE : attach_scm(packet, socket->peer, task, message);
		if (r < 0) {
			packet_free(packet);
			return done ? done : r;
		}
		done += packet->size;
		enqueue(socket->peer, packet);
	}
	return done;
}

/* Where a datagram goes. Owned. */
static int datagram_target(struct unix_socket *socket, struct task *task,
	struct socket_message *message, struct unix_socket **ret)
{
	if (message->name)
		return unix_find(task, message->name, socket->base.type, ret);
	if (!socket->peer)
		return -ENOTCONN;
	*ret = unix_ref(socket->peer);
	return 0;
}

static int check_target(struct unix_socket *socket, struct unix_socket *target)
{
	if (target->state == UNIX_CLOSED) {
		if (socket->peer == target) {
			unix_unref(socket->peer);
			socket->peer = NULL;
			socket->state = UNIX_NEW;
		}
		return -ECONNREFUSED;
	}
	if (target->peer && target->peer != socket)
		return -EPERM;
	return target->read_shut || socket->write_shut ? -EPIPE : 0;
}

static bool queue_has_room(const struct unix_socket *socket, const struct unix_socket *target)
{
	return target->peer == socket || target->queued_count <= DATAGRAM_QUEUE ||
	       target->state == UNIX_CLOSED;
}

static int wait_for_queue(struct unix_socket *socket, struct unix_socket *target,
	const struct socket_message *message)
{
	int r;

	if (queue_has_room(socket, target))
		return 0;
	if (message->flags & LX_MSG_DONTWAIT)
		return -EAGAIN;
	r = wait_event_deadline(&target->base.queue,
		queue_has_room(socket, target) || target->read_shut, message->deadline);
	return socket_wait_error(r, message->deadline);
}

static ssize_t send_datagram(
	struct unix_socket *socket, struct task *task, struct socket_message *message)
{
	uint64_t size = message->uio->resid;
	struct unix_socket *target;
	struct unix_packet *packet;
	int r;

	if (size > socket->base.send_size - 32)
		return -EMSGSIZE;
	/* The data first: bad memory is found before a bad target (unix_dgram_sendmsg()). */
	r = socket->write_shut ? -EPIPE : wait_for_room(socket, message);
	r = r < 0 ? r : packet_new(socket, message, (uint32_t)size, &packet);
	if (r < 0)
		return r;
	r = datagram_target(socket, task, message, &target);
	if (r < 0) {
		packet_free(packet);
		return r;
	}
	r = check_target(socket, target);
	r = r < 0 ? r : wait_for_queue(socket, target, message);
	/* That may have slept. */
	r = r < 0 ? r : check_target(socket, target);
	if (r == 0 && socket->peer != target)
		r = unix_check_scope(task, target);
	r = r < 0 ? r : attach_scm(packet, target, task, message);
	if (r < 0) {
		packet_free(packet);
		goto out;
	}
	hand_over(target, packet);
out:
	unix_unref(target);
	return r < 0 ? r : (ssize_t)size;
}

static ssize_t send_record(
	struct unix_socket *socket, struct task *task, struct socket_message *message)
{
	uint64_t size = message->uio->resid;
	struct unix_packet *packet;
	int r;

	if (socket->state != UNIX_CONNECTED)
		return -ENOTCONN;
	if (size > socket->base.send_size - 32)
		return -EMSGSIZE;
	r = socket->write_shut ? -EPIPE : wait_for_room(socket, message);
	r = r < 0 ? r : packet_new(socket, message, (uint32_t)size, &packet);
	if (r < 0)
		return r;
	r = socket->write_shut ? -EPIPE : attach_scm(packet, socket->peer, task, message);
	if (r < 0) {
		packet_free(packet);
		return r;
	}
	hand_over(socket->peer, packet);
	return (ssize_t)size;
}

ssize_t unix_send(struct socket *base, struct task *task, struct socket_message *message)
{
	struct unix_socket *socket = unix_of(base);
	ssize_t n;
	int r = base->type == LX_SOCK_DGRAM ? socket_take_error(base) : 0;

	if (r < 0)
		return r;
	if (base->type == LX_SOCK_SEQPACKET && socket->state != UNIX_CONNECTED)
		return -ENOTCONN;
	if (message->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	/* Sleeping must not let the memory go. */
	unix_ref(socket);
	if (base->type == LX_SOCK_STREAM)
		n = send_stream(socket, task, message);
	else if (base->type == LX_SOCK_DGRAM)
		n = send_datagram(socket, task, message);
	else
		n = send_record(socket, task, message);
	unix_unref(socket);
	return n;
}

/* ---- receiving ---- */

/* The packet that holds the byte @skip bytes behind the start of the queue, and where in it. NULL:
 * there is none yet. */
static struct unix_packet *packet_at(struct unix_socket *socket, uint64_t skip, uint32_t *ret_start)
{
	struct unix_packet *packet;

	list_for_each_entry (packet, &socket->packets, link) {
		uint32_t size = packet->size - packet->start;

		if (skip < size) {
			*ret_start = packet->start + (uint32_t)skip;
			return packet;
		}
		skip -= size;
	}
	return NULL;
}

/* @beyond: of a stream's bytes so many are not enough. What another reader has in hands is not in
 * the list, so the list alone counts. */
static bool has_packet(struct unix_socket *socket, uint64_t beyond)
{
	uint32_t start;

	return beyond ? packet_at(socket, beyond, &start) != NULL : !list_empty(&socket->packets);
}

static int wait_for_packet(
	struct unix_socket *socket, const struct socket_message *message, uint64_t beyond)
{
	bool stream = socket->base.type != LX_SOCK_DGRAM;
	int r;

	while (!has_packet(socket, beyond)) {
		r = socket_take_error(&socket->base);
		if (r < 0)
			return r;
		if (stream && socket->state != UNIX_CONNECTED)
			return socket->base.type == LX_SOCK_STREAM ? -EINVAL : -ENOTCONN;
		/* A shut datagram socket is at its end only for those who would wait. */
		if (socket->read_shut && (stream || !(message->flags & LX_MSG_DONTWAIT)))
			return 1; /* end of file */
		if (message->flags & LX_MSG_DONTWAIT)
			return -EAGAIN;
		r = wait_event_deadline(&socket->base.queue,
			has_packet(socket, beyond) || socket->read_shut || socket->base.error,
			message->deadline);
		if (r < 0)
			return socket_wait_error(r, message->deadline);
	}
	return 0;
}

#define OVERFLOW_ID 65534u /* kernel.overflowuid */

static struct lx_ucred cred_of_packet(const struct unix_packet *packet)
{
	return packet->scm.has_cred ? ucred_here(&packet->scm.cred)
				    : (struct lx_ucred){.uid = OVERFLOW_ID, .gid = OVERFLOW_ID};
}

/* Hands the packet's ancillary data over; a peek gets copies. */
static int take_scm(struct unix_packet *packet, struct socket_message *message)
{
	struct scm *scm = message->scm;
	bool peek = message->flags & LX_MSG_PEEK;

	if (!scm)
		return 0;
	scm->has_cred = true;
	scm->cred = cred_of_packet(packet);
	if (!scm->pid && packet->scm.pid)
		scm->pid = pid_ref(packet->scm.pid);
	if (!packet->scm.file_count || scm->file_count)
		return 0;
	if (!peek) {
		unix_files_in_flight(&packet->scm, -1);
		scm->files = packet->scm.files;
		scm->file_count = packet->scm.file_count;
		packet->scm.files = NULL;
		packet->scm.file_count = 0;
		return 0;
	}
	scm->files = calloc(packet->scm.file_count, sizeof(*scm->files));
	if (!scm->files)
		return -ENOMEM;
	for (size_t i = 0; i < packet->scm.file_count; i++)
		scm->files[i] = file_ref(packet->scm.files[i]);
	scm->file_count = packet->scm.file_count;
	return 0;
}

/* As recvfrom(2) tells it: nobody's is empty. */
static struct socket_address name_of(const struct unix_socket *socket)
{
	return socket->name.size > 2 ? socket->name : (struct socket_address){0};
}

/* The one to be read, and with SO_PEEK_OFF where in it a peek begins
 * (__skb_try_recv_from_queue()). NULL: the offset lies behind all of them. */
static struct unix_packet *choose_packet(
	struct unix_socket *socket, unsigned flags, uint32_t *ret_skip)
{
	uint32_t offset = socket_peek_offset(&socket->base, flags);
	struct unix_packet *packet;

	list_for_each_entry (packet, &socket->packets, link) {
		if (offset == 0 || offset < packet->size) {
			*ret_skip = offset;
			return packet;
		}
		offset -= packet->size;
	}
	return NULL;
}

/* Behind @at, if that is still there: others may have read meanwhile. */
static void put_back(
	struct unix_socket *socket, struct unix_packet *packet, const struct list_head *at)
{
	struct list_head *pos = &socket->packets;

	do {
		if (pos == at) {
			list_add(&packet->link, pos);
			return;
		}
		pos = pos->next;
	} while (pos != &socket->packets);
	list_add(&packet->link, &socket->packets);
}

/* A datagram or record: whole, the rest of it is cut off. */
static ssize_t receive_packet(struct unix_socket *socket, struct socket_message *message)
{
	struct unix_packet *packet;
	bool peek = message->flags & LX_MSG_PEEK;
	uint32_t size, total, skip = 0;
	struct list_head *at;
	ssize_t n = 0;
	int r = wait_for_packet(socket, message, 0);

	if (r != 0)
		return r < 0 ? r : 0;
	packet = choose_packet(socket, message->flags, &skip);
	if (!packet)
		return -EAGAIN;
	/* Ours while the copy sleeps; a peek puts it back. */
	at = packet->link.prev;
	list_remove(&packet->link);
	total = packet->size - skip;
	size = (uint32_t)min_of((uint64_t)total, message->uio->resid);
	if (size)
		n = uio_copy_to(message->uio, packet->data + skip, size);
	if (n >= 0 && (uint32_t)n < size)
		n = -EFAULT;
	if (n >= 0) {
		r = take_scm(packet, message);
		if (message->name)
			*message->name = socket->base.type == LX_SOCK_DGRAM
						 ? name_of(packet->sender)
						 : (struct socket_address){0};
		if (total > size)
			message->out_flags |= LX_MSG_TRUNC;
		if (r == 0)
			socket_move_peek_offset(&socket->base, peek ? n : -(int64_t)packet->size);
		n = r < 0 ? r : message->flags & LX_MSG_TRUNC ? (ssize_t)total : n;
	}
	put_back(socket, packet, at);
	if (!peek && n != -EFAULT)
		dequeue(socket, packet);
	return n;
}

/* Copies from one packet, which is taken and freed as far as it was read, unless @peek. */
static ssize_t read_packet(struct unix_socket *socket, struct unix_packet *packet, uint32_t start,
	struct socket_message *message)
{
	uint32_t size = (uint32_t)min_of((uint64_t)(packet->size - start), message->uio->resid);
	ssize_t n = 0;

	if (message->flags & LX_MSG_PEEK) {
		_cleanup_free_ uint8_t *copy = malloc(size + 1);

		/* The packet may be read by another while the copy to the guest sleeps. */
		if (!copy)
			return -ENOMEM;
		memcpy(copy, packet->data + start, size);
		n = size ? uio_copy_to(message->uio, copy, size) : 0;
		return n == 0 && size ? -EFAULT : n;
	}
	/* Ours while the copy sleeps. It was the first. */
	list_remove(&packet->link);
	n = size ? uio_copy_to(message->uio, packet->data + start, size) : 0;
	list_add(&packet->link, &socket->packets);
	if (n <= 0)
		return n == 0 && size ? -EFAULT : n;
	packet->start += (uint32_t)n;
	socket->queued -= (uint32_t)n;
	if (packet->start == packet->size)
		dequeue(socket, packet);
	return n;
}

/* One read: stops behind a packet with files, and before one of another sender when credentials
 * are wanted (unix_stream_read_generic). */
static ssize_t read_stream(struct unix_socket *socket, struct socket_message *message)
{
	bool peek = message->flags & LX_MSG_PEEK;
	/* sock_rcvlowat() */
	uint64_t least = message->flags & LX_MSG_WAITALL
				 ? message->uio->resid
				 : min_of(message->uio->resid, (uint64_t)socket->base.receive_low);
	uint64_t offset = socket_peek_offset(&socket->base, message->flags);
	struct scm *scm = message->scm;
	ssize_t done = 0, n;

	do {
		struct unix_packet *packet;
		struct lx_ucred cred;
		uint32_t start = 0;
		int r;

		packet = packet_at(socket, peek ? offset + (uint64_t)done : 0, &start);
		if (!packet) {
			if (done && (peek || (uint64_t)done >= least))
				break;
			r = wait_for_packet(socket, message, offset);
			if (r < 0)
				return done ? done : r;
			scm->has_cred = true;
			if (r > 0)
				return done;
			continue;
		}
		cred = cred_of_packet(packet);
		if (done && wants_creds(socket) && memcmp(&cred, &scm->cred, sizeof(cred)) != 0)
			break;
		r = take_scm(packet, message);
		if (r < 0)
			return done ? done : r;
		n = read_packet(socket, packet, start, message);
		if (n < 0)
			return done ? done : n;
		done += n;
		socket_move_peek_offset(&socket->base, peek ? n : -(int64_t)n);
	} while (message->uio->resid > 0 && !scm->file_count);
	return done;
}

static ssize_t receive_stream(struct unix_socket *socket, struct socket_message *message)
{
	struct scm unwanted = {0};
	ssize_t n;

	if (message->flags & LX_MSG_OOB)
		return -EINVAL;
	if (message->scm)
		return read_stream(socket, message);
	/* Files that were read past are gone (unix(7)). */
	message->scm = &unwanted;
	n = read_stream(socket, message);
	message->scm = NULL;
	scm_fini(&unwanted);
	return n;
}

ssize_t unix_receive(struct socket *base, struct task *task, struct socket_message *message)
{
	struct unix_socket *socket = unix_of(base);
	ssize_t n;

	if (base->type != LX_SOCK_STREAM && (message->flags & LX_MSG_OOB))
		return -EOPNOTSUPP;
	unix_ref(socket);
	if (base->type == LX_SOCK_STREAM)
		n = receive_stream(socket, message);
	else
		n = receive_packet(socket, message);
	unix_unref(socket);
	return n;
}

/* ---- state ---- */

uint32_t unix_poll(struct socket *base)
{
	struct unix_socket *socket = unix_of(base);
	bool datagram = base->type == LX_SOCK_DGRAM;
	uint32_t events = 0;

	if (base->error)
		events |= LX_POLLERR;
	if (socket->read_shut && socket->write_shut)
		events |= LX_POLLHUP;
	if (socket->read_shut)
		events |= LX_POLLRDHUP | LX_POLLIN | LX_POLLRDNORM;
	if (!list_empty(&socket->packets) || !list_empty(&socket->backlog))
		events |= LX_POLLIN | LX_POLLRDNORM;
	if (!datagram && socket->state == UNIX_NEW)
		events |= LX_POLLHUP;
	if (has_room(socket) && socket->state != UNIX_LISTENING &&
		(!datagram || !socket->peer || queue_has_room(socket, socket->peer)))
		events |= LX_POLLOUT | LX_POLLWRNORM | LX_POLLWRBAND;
	return events;
}

int64_t unix_ioctl(struct socket *base, struct task *task, unsigned request, gaddr_t arg)
{
	struct unix_socket *socket = unix_of(base);
	int32_t value;

	switch (request) {
	case LX_FIONREAD:
		if (socket->state == UNIX_LISTENING)
			return -EINVAL;
		value = (int32_t)socket->queued;
		if (base->type == LX_SOCK_DGRAM)
			value = list_empty(&socket->packets) ? 0
							     : (int32_t)list_first(&socket->packets,
								       struct unix_packet, link)
								       ->size;
		break;
	case LX_TIOCOUTQ:
		value = (int32_t)socket->sent;
		break;
	default:
		return -ENOTTY;
	}
	return guest_write_value(task, arg, &value);
}
