/* SPDX-License-Identifier: Apache-2.0 */
/* SOCK_STREAM: TCP (tcp(7)). Sleeping and waking around an endpoint, which never sleeps. */
#include "sentry/socket/filter.h"
#include "sentry/socket/inet_socket.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/ioctl.h"
#include "abi/poll.h"
#include "base/checked.h"
#include "sentry/sigio.h"

#define CHUNK_SIZE (256u << 10) /* copied before the connection is given what there is */

static const struct socket_ops stream_ops;

static int64_t now_ns(void)
{
	return (int64_t)loop_monotonic();
}

/* sk_stream_is_writeable(): not at each byte of room, or writers would wake for nothing. */
static bool writable(const struct inet_socket *socket)
{
	const struct tcp *tcp = &socket->tcp->tcp;
	uint32_t space = tcp_send_space(tcp), sent = tcp->snd_nxt - tcp->send_start;

	if (socket->unsent_limit && tcp->send.size > sent &&
		tcp->send.size - sent >= socket->unsent_limit)
		return false;
	return space > 0 && space >= tcp->send.size / 2;
}

static bool readable(const struct inet_socket *socket, unsigned flags)
{
	uint32_t skip;

	return tcp_receivable(&socket->tcp->tcp, &skip) > socket_peek_offset(&socket->base, flags);
}

/* SO_RCVLOWAT: enough to be told of (tcp_stream_is_readable()); a full buffer is enough, or its
 * reader would wait for ever. */
static bool worth_reading(const struct inet_socket *socket)
{
	const struct tcp *tcp = &socket->tcp->tcp;
	uint32_t skip, size = tcp_receivable(tcp, &skip);

	return size > 0 && (size >= (uint32_t)socket->base.receive_low ||
				   tcp->receive.size >= tcp->config.receive_buffer / 2);
}

static void notify(struct inet_endpoint *endpoint, uint32_t events)
{
	struct inet_socket *socket = endpoint->owner;
	uint32_t bits = 0;

	if (events & TCP_EVENT_CONNECTED) {
		socket->state = INET_CONNECTED;
		bits |= LX_POLLOUT | LX_POLLWRNORM;
	}
	if (events & TCP_EVENT_READABLE)
		bits |= LX_POLLIN | LX_POLLRDNORM |
			(socket->tcp->tcp.fin_received ? LX_POLLRDHUP : 0);
	if ((events & TCP_EVENT_READABLE) &&
		(socket->want_stamping || socket->want_stamp != INET_STAMP_NONE))
		socket->stamp = (int64_t)loop_realtime_now();
	if ((events & TCP_EVENT_WRITABLE) && writable(socket))
		bits |= LX_POLLOUT | LX_POLLWRNORM;
	if (events & TCP_EVENT_URGENT) {
		bits |= LX_POLLPRI;
		/* It is announced first and may come later: one signal for both. */
		if (socket->base.file && socket->urgent_told != socket->tcp->tcp.urgent_seq)
			sigio_urgent(socket->base.file);
		socket->urgent_told = socket->tcp->tcp.urgent_seq;
	}
	if (events & TCP_EVENT_ERROR) {
		socket->base.error = socket->tcp->tcp.error;
		bits |= LX_POLLERR;
	}
	if (events & TCP_EVENT_CLOSED)
		bits |= LX_POLLHUP | LX_POLLIN | LX_POLLOUT | LX_POLLRDHUP;
	if (bits)
		wait_queue_wake(&socket->base.queue, bits);
}

#define ETHERTYPE_IP4 0x0800u
#define ETHERTYPE_IP6 0x86ddu

#define IP4_HEADER_SIZE 20u /* ours has no options */

uint32_t inet_stream_filter(
	const struct inet_tcp *endpoint, struct netbuf_queue *packet, uint32_t start)
{
	const struct inet_socket *socket = endpoint->endpoint.owner;
	const struct filter_packet view = {.bytes = packet,
		.start = start,
		.protocol = start == IP4_HEADER_SIZE ? ETHERTYPE_IP4 : ETHERTYPE_IP6,
		.interface = endpoint->endpoint.netif_index ? endpoint->endpoint.netif_index : 1};

	return socket_filter_packet(socket->base.filter, &view);
}

static void own(struct inet_socket *socket, struct inet_tcp *tcp)
{
	socket->tcp = tcp;
	tcp->endpoint.owner = socket;
	tcp->endpoint.notify = notify;
	tcp->filter = socket->base.filter ? inet_stream_filter : NULL;
}

int inet_stream_create(int family, struct socket **ret)
{
	struct inet_socket *socket;
	struct inet_tcp *tcp;
	int err = inet_socket_new(&stream_ops, family, LX_SOCK_STREAM, LX_IPPROTO_TCP, &socket);

	if (err < 0)
		return err;
	err = inet_tcp_new(inet_stack(&socket->base), socket->v6, &tcp);
	if (err < 0) {
		inet_socket_free(socket);
		return err;
	}
	own(socket, tcp);
	/* net.ipv4.tcp_wmem and tcp_rmem: what is shown until somebody sets it. */
	socket->base.send_size = 16384;
	socket->base.receive_size = 131072;
	*ret = &socket->base;
	return 0;
}

/* ---- connections --------------------------------------------------------------------------------
 */

/* The handshake is over, well or not. */
static bool settled(const struct inet_socket *socket)
{
	return socket->state != INET_CONNECTING || socket->tcp->tcp.state == TCP_CLOSED;
}

/* What a connection attempt came to; after a failure the socket is as before it. */
static int connect_result(struct inet_socket *socket)
{
	int err = socket_take_error(&socket->base);

	if (socket->tcp->tcp.state != TCP_CLOSED || socket->state == INET_CONNECTED) {
		socket->connect_told = true;
		return err;
	}
	socket->state = INET_NEW;
	socket->last_port = socket->endpoint->local.port;
	inet_tcp_disconnect(socket->tcp);
	return err ? err : -ECONNABORTED;
}

static int wait_connected(struct inet_socket *socket, uint64_t deadline)
{
	int err = wait_event_deadline(&socket->base.queue, settled(socket), deadline);

	if (err == -ETIMEDOUT)
		return -EINPROGRESS; /* socket(7), SO_SNDTIMEO */
	if (err < 0)
		return socket_wait_error(err, deadline);
	return connect_result(socket);
}

/* tcp_need_reset(), and a handshake under way: who breaks one off finds ECONNRESET afterwards. */
static bool breaks_off(const struct inet_socket *socket)
{
	switch (socket->tcp->tcp.state) {
	case TCP_SYN_SENT:
	case TCP_SYN_RECEIVED:
	case TCP_ESTABLISHED:
	case TCP_FIN_WAIT_1:
	case TCP_FIN_WAIT_2:
	case TCP_CLOSE_WAIT:
		return true;
	default:
		return false;
	}
}

/* connect() with AF_UNSPEC: tcp_disconnect(). */
static void disconnect(struct inet_socket *socket)
{
	bool broken = breaks_off(socket);

	socket->base.listening = false;
	socket->state = INET_NEW;
	socket->read_shut = socket->write_shut = false;
	socket->last_port = socket->endpoint->local.port;
	inet_tcp_disconnect(socket->tcp);
	if (broken)
		socket->base.error = ECONNRESET;
	wait_queue_wake(&socket->base.queue, ~0u & ~WAIT_QUEUE_GONE);
}

static int stream_connect(
	struct socket *base, struct task *task, const struct socket_address *address, bool nonblock)
{
	struct inet_socket *socket = inet_of(base);
	uint64_t deadline =
		base->send_timeout ? loop_monotonic_now() + base->send_timeout : WAIT_FOREVER;
	struct inet_name peer;
	unsigned scope;
	int err;

	if (address->size < 2)
		return -EINVAL;
	if (inet_is_unspec(address)) {
		if (socket->state == INET_NEW)
			return 0;
		disconnect(socket);
		return 0;
	}
	switch (socket->state) {
	case INET_CONNECTED:
		if (!socket->connect_told && !base->error) {
			socket->connect_told = true;
			return 0;
		}
		return -EISCONN;
	case INET_LISTENING:
		return -EISCONN;
	case INET_CONNECTING:
		if (settled(socket))
			return connect_result(socket);
		return nonblock ? -EALREADY : wait_connected(socket, deadline);
	case INET_NEW:
		break;
	}
	err = inet_read_name(socket, address, &peer);
	if (err < 0)
		return err;
	if (inet_is_multicast(&peer.address))
		return -ENETUNREACH;
	err = inet_read_scope(socket, address, &peer, &scope);
	if (err < 0)
		return err;
	if (scope)
		socket->endpoint->netif_index = scope;
	base->error = 0;
	socket->state = INET_CONNECTING;
	socket->connect_told = false;
	inet_apply_options(socket);
	socket->endpoint->uid = task->cred->euid;
	err = inet_tcp_connect(socket->tcp, &peer);
	if (err == -ENETUNREACH)
		inet_tell_unreachable(socket, &peer);
	if (err < 0) {
		socket->state = INET_NEW;
		return err;
	}
	/* A nonblocking call never says more, even where the other end has answered already. */
	return nonblock ? -EINPROGRESS : wait_connected(socket, deadline);
}

static int stream_listen(struct socket *base, struct task *task, int backlog)
{
	struct inet_socket *socket = inet_of(base);
	int err;

	if (socket->state != INET_NEW && socket->state != INET_LISTENING)
		return -EINVAL;
	inet_apply_options(socket);
	err = inet_tcp_listen(socket->tcp,
		backlog < 0 || backlog > LX_SOMAXCONN ? LX_SOMAXCONN : (unsigned)backlog);
	if (err < 0)
		return err;
	socket->state = INET_LISTENING;
	base->listening = true;
	wait_queue_wake(&base->queue, LX_POLLOUT | LX_POLLHUP);
	return 0;
}

/* A socket for a connection that @listener's endpoint made. */
static int adopt(struct inet_socket *listener, struct inet_tcp *child, struct socket **ret)
{
	struct socket *base = &listener->base;
	struct inet_socket *socket;
	int err =
		inet_socket_new(&stream_ops, base->family, LX_SOCK_STREAM, LX_IPPROTO_TCP, &socket);

	if (err < 0) {
		inet_tcp_release(child, true);
		return err;
	}
	socket->base.filter = socket_filter_ref(base->filter);
	socket->base.filter_locked = base->filter_locked;
	own(socket, child);
	socket->state = INET_CONNECTED;
	socket->connect_told = true;
	socket->tos = listener->tos;
	socket->ttl = listener->ttl;
	socket->tclass = listener->tclass;
	socket->hops = listener->hops;
	socket->path_discovery = listener->path_discovery;
	socket->path_discovery6 = listener->path_discovery6;
	socket->wants = listener->wants;
	socket->want_stamp = listener->want_stamp;
	socket->want_stamping = listener->want_stamping;
	socket->unsent_limit = listener->unsent_limit;
	socket->zero_copy = listener->zero_copy;
	socket->base.mark = base->mark;
	socket->base.busy_poll = base->busy_poll;
	socket->base.incoming_cpu = base->incoming_cpu;
	socket->base.reuse_port = base->reuse_port;
	socket->base.oob_inline = base->oob_inline;
	socket->base.receive_timeout = base->receive_timeout;
	socket->base.send_timeout = base->send_timeout;
	socket->base.receive_low = base->receive_low;
	socket->base.send_size = base->send_size;
	socket->base.receive_size = base->receive_size;
	socket->base.linger = base->linger;
	socket->base.keep_alive = base->keep_alive;
	socket->base.reuse_address = base->reuse_address;
	socket->base.error = child->tcp.error;
	*ret = &socket->base;
	return 0;
}

static int stream_accept(struct socket *base, bool nonblock, struct socket **ret)
{
	struct inet_socket *socket = inet_of(base);
	uint64_t deadline =
		base->receive_timeout ? loop_monotonic_now() + base->receive_timeout : WAIT_FOREVER;
	struct inet_tcp *child;

	for (;;) {
		int err;

		if (socket->state != INET_LISTENING)
			return -EINVAL;
		child = inet_tcp_accept(socket->tcp);
		if (child)
			return adopt(socket, child, ret);
		if (nonblock)
			return -EAGAIN;
		err = wait_event_deadline(&base->queue,
			socket->state != INET_LISTENING || !list_empty(&socket->tcp->accept_queue),
			deadline);
		if (err < 0)
			return socket_wait_error(err, deadline);
	}
}

static void mark_shut(struct inet_socket *socket, int how)
{
	socket->read_shut |= how != LX_SHUT_WR;
	socket->write_shut |= how != LX_SHUT_RD;
	socket->tcp->tcp.no_reader = socket->read_shut;
}

static int stream_shutdown(struct socket *base, int how)
{
	struct inet_socket *socket = inet_of(base);
	int err = 0;

	switch (socket->state) {
	case INET_NEW:
		err = -ENOTCONN;
		mark_shut(socket, how);
		break;
	case INET_LISTENING:
		if (how == LX_SHUT_WR)
			break;
		base->listening = false;
		socket->state = INET_NEW;
		inet_tcp_disconnect(socket->tcp);
		break;
	case INET_CONNECTING:
		socket->state = INET_NEW;
		inet_tcp_disconnect(socket->tcp);
		break;
	case INET_CONNECTED:
		mark_shut(socket, how);
		if (inet_tcp_is_over(socket)) {
			err = -ENOTCONN;
			break;
		}
		if (how != LX_SHUT_RD) {
			tcp_shutdown(&socket->tcp->tcp, now_ns());
			inet_tcp_push(socket->tcp);
		}
		break;
	}
	wait_queue_wake(&base->queue, ~0u & ~WAIT_QUEUE_GONE);
	return err;
}

/* Something of ours is still on its way (sk_stream_closing()). */
static bool is_closing(const struct inet_socket *socket)
{
	enum tcp_state state = socket->tcp->tcp.state;

	return state == TCP_FIN_WAIT_1 || state == TCP_CLOSING || state == TCP_LAST_ACK;
}

/* SO_LINGER: the last close() waits until the peer has everything, or the time is over. */
static void stream_linger(struct socket *base)
{
	struct inet_socket *socket = inet_of(base);
	uint64_t deadline;

	if (!base->linger.l_onoff || !base->linger.l_linger || socket->state != INET_CONNECTED ||
		socket->tcp->tcp.receive.size > 0)
		return;
	deadline = loop_monotonic_now() + (uint64_t)(uint32_t)base->linger.l_linger * 1000000000;
	tcp_shutdown(&socket->tcp->tcp, now_ns());
	inet_tcp_push(socket->tcp);
	(void)wait_event_deadline(&base->queue, !is_closing(socket), deadline);
}

static void stream_release(struct socket *base)
{
	struct inet_socket *socket = inet_of(base);

	inet_tcp_release(socket->tcp, base->linger.l_onoff && base->linger.l_linger == 0);
	inet_socket_free(socket);
}

/* ---- sending ------------------------------------------------------------------------------------
 */

/* 0 when the connection may be written to: tcp_sendmsg() up to its loop. */
static int wait_sendable(struct inet_socket *socket, const struct socket_message *message)
{
	int err;

	while (socket->state == INET_CONNECTING && !settled(socket)) {
		if (message->flags & LX_MSG_DONTWAIT)
			return -EAGAIN;
		err = wait_event_deadline(&socket->base.queue, settled(socket), message->deadline);
		if (err < 0)
			return socket_wait_error(err, message->deadline);
	}
	err = socket_take_error(&socket->base);
	if (err < 0)
		return err;
	return socket->state != INET_CONNECTED || socket->write_shut ||
			       socket->tcp->tcp.state == TCP_CLOSED
		       ? -EPIPE
		       : 0;
}

static bool can_go_on(const struct inet_socket *socket)
{
	return writable(socket) || socket->base.error || socket->write_shut ||
	       socket->tcp->tcp.state == TCP_CLOSED || socket->state != INET_CONNECTED;
}

/* The next bytes of the message, @size at most, in a queue of their own: copying may sleep. */
static ssize_t gather(struct uio *uio, uint32_t size, struct netbuf_queue *ret)
{
	uint32_t done = 0;

	while (done < size) {
		size_t room;
		ssize_t n;
		void *to;

		if (netbuf_reserve(ret, size - done, &to, &room) < 0)
			return done ? (ssize_t)done : -ENOBUFS;
		n = uio_copy_from(uio, to, room);
		if (n <= 0)
			return done ? (ssize_t)done : n < 0 ? n : -EFAULT;
		netbuf_commit(ret, (size_t)n);
		done += (uint32_t)n;
		if ((size_t)n < room)
			break;
	}
	return (ssize_t)done;
}

/* MSG_FASTOPEN: a connect() and a send() in one. Nothing travels with the SYN: set_fast_open(). */
static int connect_to_send(struct socket *base, struct task *task, struct socket_message *message)
{
	const struct socket_address nobody = {0};
	const struct socket_address *to = message->name ? message->name : &nobody;

	if (to->size >= 2 && inet_is_unspec(to))
		return -EOPNOTSUPP;
	if (inet_of(base)->state == INET_CONNECTED)
		return -EISCONN;
	return stream_connect(base, task, to, message->flags & LX_MSG_DONTWAIT);
}

static ssize_t stream_send(struct socket *base, struct task *task, struct socket_message *message)
{
	struct inet_socket *socket = inet_of(base);
	bool urgent = message->flags & LX_MSG_OOB, more = message->flags & LX_MSG_MORE;
	ssize_t done = 0;
	int err;

	/* Two messages of one call are two segments. */
	if (inet_tcp_is_late(socket->tcp))
		inet_tcp_push(socket->tcp);
	err = message->flags & LX_MSG_FASTOPEN ? connect_to_send(base, task, message) : 0;
	err = err < 0 ? err : wait_sendable(socket, message);
	while (err == 0 && message->uio->resid > 0) {
		struct netbuf_queue data = {0};
		ssize_t n;

		if (!writable(socket)) {
			if (message->flags & LX_MSG_DONTWAIT)
				err = -EAGAIN;
			else
				err = socket_wait_error(
					wait_event_deadline(
						&base->queue, can_go_on(socket), message->deadline),
					message->deadline);
			err = err < 0 ? err : wait_sendable(socket, message);
			if (err < 0)
				break;
			continue;
		}
		n = gather(message->uio,
			(uint32_t)min_of(message->uio->resid,
				(uint64_t)min_of(tcp_send_space(&socket->tcp->tcp), CHUNK_SIZE)),
			&data);
		if (n < 0) {
			netbuf_queue_clear(&data);
			err = (int)n;
			break;
		}
		/* Copying may have slept. */
		err = wait_sendable(socket, message);
		if (err == 0)
			err = tcp_send(&socket->tcp->tcp, &data, urgent && message->uio->resid == 0,
				more || message->uio->resid > 0, now_ns());
		if (err < 0) {
			netbuf_queue_clear(&data);
			break;
		}
		done += n;
		/* The last part goes on its way when the sender has its answer. */
		if (message->uio->resid == 0)
			inet_tcp_push_late(socket->tcp);
		else
			inet_tcp_push(socket->tcp);
	}
	if (done && socket->zero_copy && (message->flags & LX_MSG_ZEROCOPY))
		inet_note_copied(socket);
	return done ? done : err;
}

/* ---- receiving ----------------------------------------------------------------------------------
 */

static ssize_t receive_urgent(struct inet_socket *socket, struct socket_message *message)
{
	uint8_t byte;
	int rc;

	if (socket->state == INET_LISTENING)
		return -ENOTCONN;
	rc = tcp_receive_urgent(&socket->tcp->tcp, message->flags & LX_MSG_PEEK, &byte);
	if (rc < 0)
		return rc;
	message->out_flags |= LX_MSG_OOB;
	if (message->uio->resid == 0) {
		message->out_flags |= LX_MSG_TRUNC;
		return 0;
	}
	if (message->flags & LX_MSG_TRUNC)
		return 1;
	return uio_copy_to(message->uio, &byte, 1) == 1 ? 1 : -EFAULT;
}

/* Copies what @slice refers to out to the caller. */
static ssize_t scatter(struct uio *uio, struct netbuf_queue *slice)
{
	ssize_t done = 0;

	for (struct netbuf *buf = slice->first; buf; buf = buf->next) {
		ssize_t n = uio_copy_to(uio, buf->block->bytes + buf->offset, buf->size);

		if (n <= 0)
			return done ? done : n < 0 ? n : -EFAULT;
		done += n;
		if ((uint32_t)n < buf->size)
			break;
	}
	return done;
}

/*
 * One portion of what is there. The bytes are referred to and not taken while the copy sleeps, so
 * that a bad address costs nothing; `reading` keeps other readers away meanwhile.
 */
static ssize_t take(struct inet_socket *socket, struct socket_message *message)
{
	struct tcp *tcp = &socket->tcp->tcp;
	struct netbuf_queue slice = {0};
	uint32_t skip, size = tcp_receivable(tcp, &skip), from = tcp->read_seq;
	uint32_t offset = socket_peek_offset(&socket->base, message->flags);
	ssize_t n;

	skip += offset;
	size -= min_of(offset, size);
	size = (uint32_t)min_of((uint64_t)size, message->uio->resid);
	if (message->flags & LX_MSG_TRUNC) { /* tcp(7): thrown away, not copied */
		n = size;
		message->uio->resid -= size;
	} else {
		if (netbuf_slice(&tcp->receive, skip, size, &slice) < 0)
			return -ENOBUFS;
		n = scatter(message->uio, &slice);
		netbuf_queue_clear(&slice);
	}
	/* While the copy slept the connection may have been given up, and another one begun. */
	if (n > 0 && !(message->flags & LX_MSG_PEEK) && tcp->read_seq == from &&
		skip + (uint32_t)n <= tcp->receive.size) {
		tcp_received(tcp, skip + (uint32_t)n, now_ns());
		inet_tcp_push(socket->tcp);
	}
	if (n > 0)
		socket_move_peek_offset(
			&socket->base, message->flags & LX_MSG_PEEK ? (int64_t)n : -(int64_t)n);
	return n;
}

/* Nothing can be read now: 1 to try again, 0 at the end of the stream. */
static int wait_readable(struct inet_socket *socket, const struct socket_message *message)
{
	const struct tcp *tcp = &socket->tcp->tcp;
	int err;

	if (tcp->fin_received)
		return 0;
	err = socket_take_error(&socket->base);
	if (err < 0)
		return err;
	if (socket->read_shut)
		return 0;
	if (socket->state == INET_NEW || socket->state == INET_LISTENING)
		return -ENOTCONN;
	if (tcp->state == TCP_CLOSED)
		return 0;
	if (message->flags & LX_MSG_DONTWAIT)
		return -EAGAIN;
	err = wait_event_deadline(&socket->base.queue,
		readable(socket, message->flags) || tcp->fin_received || tcp->state == TCP_CLOSED ||
			socket->base.error || socket->read_shut,
		message->deadline);
	return err < 0 ? socket_wait_error(err, message->deadline) : 1;
}

/* tcp_recv_timestamp() and TCP_INQ. */
static void write_control(const struct inet_socket *socket, struct scm *scm)
{
	uint32_t skip;

	if (socket->stamp)
		inet_write_stamp(socket, socket->stamp, scm);
	if (socket->wants & INET_WANT_INQ) {
		const struct tcp *tcp = &socket->tcp->tcp;
		int left = (int)tcp_receivable(tcp, &skip);

		if (left == 0 && tcp->fin_received)
			left = 1;
		scm_note(scm, LX_SOL_TCP, LX_TCP_INQ, &left, sizeof(left));
	}
}

static ssize_t stream_receive(
	struct socket *base, struct task *task, struct socket_message *message)
{
	struct inet_socket *socket = inet_of(base);
	bool peek = message->flags & LX_MSG_PEEK;
	/* sock_rcvlowat() */
	uint64_t least = message->flags & LX_MSG_WAITALL
				 ? message->uio->resid
				 : min_of(message->uio->resid, (uint64_t)base->receive_low);
	ssize_t done = 0, n;
	int err;

	if (message->flags & LX_MSG_ERRQUEUE)
		return inet_receive_error(socket, message);
	if (message->flags & LX_MSG_OOB)
		return receive_urgent(socket, message);
	err = fiber_mutex_lock_interruptible(&socket->reading);
	if (err < 0)
		return socket_wait_error(err, message->deadline);
	do {
		while (!readable(socket, message->flags) &&
			(err = wait_readable(socket, message)) > 0)
			;
		if (!readable(socket, message->flags)) {
			done = done ? done : err;
			break;
		}
		if (message->uio->resid == 0)
			break;
		n = take(socket, message);
		if (n < 0) {
			done = done ? done : n;
			break;
		}
		done += n;
		/* A mark ends a read. */
	} while (message->uio->resid > 0 && !peek && !tcp_at_mark(&socket->tcp->tcp) &&
		 ((uint64_t)done < least || readable(socket, 0)));
	if (done >= 0 && message->scm)
		write_control(socket, message->scm);
	fiber_mutex_unlock(&socket->reading);
	return done;
}

/* ---- state --------------------------------------------------------------------------------------
 */

/* tcp_poll(). */
static uint32_t stream_poll(struct socket *base)
{
	struct inet_socket *socket = inet_of(base);
	const struct tcp *tcp = &socket->tcp->tcp;
	bool closed = tcp->state == TCP_CLOSED ||
		      (socket->state != INET_CONNECTED && socket->state != INET_CONNECTING);
	bool read_end =
		tcp->fin_received || socket->read_shut || (closed && socket->state != INET_NEW);
	bool write_end = socket->write_shut || (closed && socket->state != INET_NEW);
	uint32_t events = 0;

	if (socket->state == INET_LISTENING)
		return list_empty(&socket->tcp->accept_queue) ? 0 : LX_POLLIN | LX_POLLRDNORM;
	if (base->error || inet_has_notices(socket))
		events |= LX_POLLERR;
	if ((read_end && write_end) || closed)
		events |= LX_POLLHUP;
	if (read_end)
		events |= LX_POLLIN | LX_POLLRDNORM | LX_POLLRDHUP;
	if (socket->state == INET_CONNECTING && !closed)
		return events;
	if (worth_reading(socket))
		events |= LX_POLLIN | LX_POLLRDNORM;
	if (write_end || writable(socket))
		events |= LX_POLLOUT | LX_POLLWRNORM;
	if (tcp->urgent_state == TCP_URGENT_VALID)
		events |= LX_POLLPRI;
	return events;
}

static int64_t stream_ioctl(struct socket *base, struct task *task, unsigned request, gaddr_t arg)
{
	struct inet_socket *socket = inet_of(base);
	const struct tcp *tcp = &socket->tcp->tcp;
	uint32_t skip;
	int32_t value;

	switch (request) {
	case LX_FIONREAD:
		if (socket->state == INET_LISTENING)
			return -EINVAL;
		/* Up to the mark, as tcp_inq() has it. */
		value = (int32_t)tcp_receivable(tcp, &skip);
		break;
	case LX_TIOCOUTQ:
		if (socket->state == INET_LISTENING)
			return -EINVAL;
		value = socket->state == INET_CONNECTED ? (int32_t)tcp->send.size : 0;
		break;
	case LX_SIOCATMARK:
		value = tcp_at_mark(tcp);
		break;
	default:
		return -ENOTTY;
	}
	return guest_write_value(task, arg, &value);
}

static const struct socket_ops stream_ops = {
	.bind = inet_bind_socket,
	.connect = stream_connect,
	.listen = stream_listen,
	.accept = stream_accept,
	.getname = inet_getname,
	.send = stream_send,
	.receive = stream_receive,
	.shutdown = stream_shutdown,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.ioctl = stream_ioctl,
	.poll = stream_poll,
	.linger = stream_linger,
	.release = stream_release,
};
