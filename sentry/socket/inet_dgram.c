/* SPDX-License-Identifier: Apache-2.0 */
/* SOCK_DGRAM: UDP (udp(7)). */
#include "sentry/socket/inet_socket.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/ioctl.h"
#include "abi/poll.h"
#include "base/checked.h"

static const struct socket_ops dgram_ops;

static void notify(struct inet_endpoint *endpoint, uint32_t events)
{
	struct inet_socket *socket = endpoint->owner;

	if (events & INET_EVENT_ERROR) {
		socket->base.error = socket->udp->error;
		socket->udp->error = 0;
		wait_queue_wake(&socket->base.queue, LX_POLLERR | LX_POLLIN | LX_POLLOUT);
	}
	if (events & INET_EVENT_READABLE)
		wait_queue_wake(&socket->base.queue, LX_POLLIN | LX_POLLRDNORM);
}

int inet_dgram_create(int family, int protocol, struct socket **ret)
{
	struct inet_socket *socket;
	struct inet_udp *udp;
	int err = inet_socket_new(&dgram_ops, family, LX_SOCK_DGRAM, protocol, &socket);

	if (err < 0)
		return err;
	err = inet_udp_new(inet_stack(&socket->base), (uint8_t)protocol, socket->v6, &udp);
	if (err < 0) {
		inet_socket_free(socket);
		return err;
	}
	socket->udp = udp;
	udp->endpoint.owner = socket;
	udp->endpoint.notify = notify;
	*ret = &socket->base;
	return 0;
}

static int dgram_connect(
	struct socket *base, struct task *task, const struct socket_address *address, bool nonblock)
{
	struct inet_socket *socket = inet_of(base);
	struct inet_name peer;
	int err;

	if (address->size < 2)
		return -EINVAL;
	if (inet_is_unspec(address)) {
		inet_disconnect(socket->endpoint);
		socket->state = INET_NEW;
		return 0;
	}
	err = inet_read_name(socket, address, &peer);
	if (err < 0)
		return err;
	if (inet_is_multicast(&peer.address))
		return -ENETUNREACH;
	inet_apply_options(socket);
	socket->endpoint->uid = task->cred->euid;
	err = inet_set_peer(socket->endpoint, &peer);
	if (err == 0)
		socket->state = INET_CONNECTED;
	return err;
}

static int dgram_listen(struct socket *base, struct task *task, int backlog)
{
	return -EOPNOTSUPP;
}

static int dgram_accept(struct socket *base, bool nonblock, struct socket **ret)
{
	return -EOPNOTSUPP;
}

static int dgram_shutdown(struct socket *base, int how)
{
	struct inet_socket *socket = inet_of(base);

	if (socket->state != INET_CONNECTED)
		return -ENOTCONN;
	socket->read_shut |= how != LX_SHUT_WR;
	socket->write_shut |= how != LX_SHUT_RD;
	wait_queue_wake(&base->queue, ~0u & ~WAIT_QUEUE_GONE);
	return 0;
}

static void dgram_release(struct socket *base)
{
	struct inet_socket *socket = inet_of(base);

	inet_udp_release(socket->udp);
	inet_socket_free(socket);
}

/* ---- data ---------------------------------------------------------------------------------------
 */

static ssize_t dgram_send(struct socket *base, struct task *task, struct socket_message *message)
{
	struct inet_socket *socket = inet_of(base);
	uint64_t size = message->uio->resid;
	struct inet_send send = {.ttl = (uint8_t)(socket->ttl < 0 ? 64 : socket->ttl),
		.tos = (uint8_t)socket->tos,
		.coverage = socket->send_coverage};
	struct netbuf_queue data = {0};
	int err;

	if (size > UINT16_MAX)
		return -EMSGSIZE;
	if (message->flags & LX_MSG_OOB)
		return -EOPNOTSUPP;
	if (message->name && !inet_is_unspec(message->name)) {
		err = inet_read_name(socket, message->name, &send.to);
		if (err < 0)
			return err;
		if (send.to.port == 0)
			return -EINVAL;
	} else if (socket->state != INET_CONNECTED) {
		return message->name ? -EINVAL : -EDESTADDRREQ;
	} else {
		send.to = socket->endpoint->remote;
	}
	err = socket_take_error(base);
	if (err < 0)
		return err;
	if (socket->write_shut)
		return -EPIPE;
	if (size > INET_DATAGRAM_MAX + (inet_is_v4(&send.to.address) ? 0 : 20))
		return -EMSGSIZE;
	if (message->scm) {
		err = inet_read_control(socket, message->scm, &send);
		if (err < 0)
			return err;
	}
	for (uint64_t left = size; left > 0;) {
		size_t room;
		ssize_t n;
		void *at;

		if (netbuf_reserve(&data, left, &at, &room) < 0) {
			netbuf_queue_clear(&data);
			return -ENOBUFS;
		}
		n = uio_copy_from(message->uio, at, room);
		if (n < 0 || (size_t)n < room) {
			netbuf_queue_clear(&data);
			return n < 0 ? n : -EFAULT;
		}
		netbuf_commit(&data, room);
		left -= room;
	}
	inet_apply_options(socket);
	socket->endpoint->uid = task->cred->euid;
	err = inet_udp_send(socket->udp, &send, &data);
	return err < 0 ? err : (ssize_t)size;
}

static int wait_datagram(struct inet_socket *socket, const struct socket_message *message)
{
	while (list_empty(&socket->udp->datagrams)) {
		int err = socket_take_error(&socket->base);

		if (err < 0)
			return err;
		/* The end is there only for those who would wait. */
		if (socket->read_shut && !(message->flags & LX_MSG_DONTWAIT))
			return 1;
		if (message->flags & LX_MSG_DONTWAIT)
			return -EAGAIN;
		err = wait_event_deadline(&socket->base.queue,
			!list_empty(&socket->udp->datagrams) || socket->read_shut ||
				socket->base.error,
			message->deadline);
		if (err < 0)
			return socket_wait_error(err, message->deadline);
	}
	return 0;
}

static ssize_t dgram_receive(struct socket *base, struct task *task, struct socket_message *message)
{
	struct inet_socket *socket = inet_of(base);
	bool peek = message->flags & LX_MSG_PEEK;
	struct inet_datagram *datagram;
	uint32_t size;
	ssize_t n = 0;
	int err;

	if (message->flags & LX_MSG_ERRQUEUE)
		return -EAGAIN;
	err = wait_datagram(socket, message);
	if (err != 0)
		return err < 0 ? err : 0;
	datagram = list_first(&socket->udp->datagrams, struct inet_datagram, link);
	size = (uint32_t)min_of((uint64_t)datagram->data.size, message->uio->resid);
	/* Ours while the copy sleeps; a peek puts it back. */
	list_remove(&datagram->link);
	for (struct netbuf *buf = datagram->data.first; buf && (uint32_t)n < size;
		buf = buf->next) {
		uint32_t part = min_of(buf->size, size - (uint32_t)n);
		ssize_t did = uio_copy_to(message->uio, buf->block->bytes + buf->offset, part);

		if (did < 0 || (uint32_t)did < part) {
			n = did < 0 ? did : -EFAULT;
			break;
		}
		n += did;
	}
	if (n >= 0) {
		if (message->name)
			inet_write_name(socket, &datagram->from, message->name);
		if (message->scm)
			inet_write_control(socket, datagram, message->scm);
		if (datagram->data.size > size)
			message->out_flags |= LX_MSG_TRUNC;
		if (message->flags & LX_MSG_TRUNC)
			n = datagram->data.size;
	}
	if (peek)
		list_add(&datagram->link, &socket->udp->datagrams);
	else
		inet_datagram_free(socket->udp, datagram);
	return n;
}

/* ---- state --------------------------------------------------------------------------------------
 */

static uint32_t dgram_poll(struct socket *base)
{
	struct inet_socket *socket = inet_of(base);
	uint32_t events = LX_POLLOUT | LX_POLLWRNORM | LX_POLLWRBAND;

	if (base->error)
		events |= LX_POLLERR;
	if (socket->read_shut)
		events |= LX_POLLIN | LX_POLLRDNORM | LX_POLLRDHUP;
	if (socket->read_shut && socket->write_shut)
		events |= LX_POLLHUP;
	if (!list_empty(&socket->udp->datagrams))
		events |= LX_POLLIN | LX_POLLRDNORM;
	return events;
}

static int64_t dgram_ioctl(struct socket *base, struct task *task, unsigned request, gaddr_t arg)
{
	struct inet_socket *socket = inet_of(base);
	int32_t value = 0;

	switch (request) {
	case LX_FIONREAD:
		if (!list_empty(&socket->udp->datagrams))
			value = (int32_t)list_first(
				&socket->udp->datagrams, struct inet_datagram, link)
					->data.size;
		break;
	case LX_TIOCOUTQ:
		break;
	default:
		return -ENOTTY;
	}
	return guest_write_value(task, arg, &value);
}

static const struct socket_ops dgram_ops = {
	.bind = inet_bind_socket,
	.connect = dgram_connect,
	.listen = dgram_listen,
	.accept = dgram_accept,
	.getname = inet_getname,
	.send = dgram_send,
	.receive = dgram_receive,
	.shutdown = dgram_shutdown,
	.setsockopt = inet_setsockopt,
	.getsockopt = inet_getsockopt,
	.ioctl = dgram_ioctl,
	.poll = dgram_poll,
	.release = dgram_release,
};
