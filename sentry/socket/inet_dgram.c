/* SPDX-License-Identifier: Apache-2.0 */
/* SOCK_DGRAM: UDP (udp(7)). */
#include "sentry/socket/filter.h"
#include "sentry/socket/inet_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "abi/ioctl.h"
#include "abi/poll.h"
#include "base/checked.h"

#define ETHERTYPE_IP4 0x0800u
#define ETHERTYPE_IP6 0x86ddu
#define TO_GROUP      2u /* PACKET_MULTICAST */

#define READER_TURN_NS 20000u

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

uint32_t inet_dgram_filter(const struct inet_udp *endpoint, const struct inet_datagram *datagram,
	struct netbuf_queue *packet, uint32_t start)
{
	const struct inet_socket *socket = endpoint->endpoint.owner;
	const struct filter_packet view = {.bytes = packet,
		.start = start,
		.protocol = inet_is_v4(&datagram->to.address) ? ETHERTYPE_IP4 : ETHERTYPE_IP6,
		.type = inet_is_multicast(&datagram->to.address) ? TO_GROUP : 0,
		.interface = datagram->netif_index};

	return socket_filter_packet(socket->base.filter, &view);
}

int inet_dgram_new(
	const struct socket_ops *ops, int family, int type, int protocol, struct inet_socket **ret)
{
	struct inet_socket *socket;
	struct inet_udp *udp;
	int err = inet_socket_new(ops, family, type, protocol, &socket);

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
	*ret = socket;
	return 0;
}

int inet_dgram_create(int family, int protocol, struct socket **ret)
{
	struct inet_socket *socket;
	int err = inet_dgram_new(&inet_dgram_ops, family, LX_SOCK_DGRAM, protocol, &socket);

	if (err == 0)
		*ret = &socket->base;
	return err;
}

static int dgram_connect(
	struct socket *base, struct task *task, const struct socket_address *address, bool nonblock)
{
	struct inet_socket *socket = inet_of(base);
	struct inet_name peer;
	unsigned scope;
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
	err = inet_read_scope(socket, address, &peer, &scope);
	if (err < 0)
		return err;
	if (scope)
		socket->endpoint->netif_index = scope;
	inet_apply_options(socket);
	socket->endpoint->uid = task->cred->euid;
	err = inet_set_peer(socket->endpoint, &peer);
	if (err == -ENETUNREACH)
		inet_tell_unreachable(socket, &peer);
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

	/* Marked in any case: inet_shutdown(). */
	socket->read_shut |= how != LX_SHUT_WR;
	socket->write_shut |= how != LX_SHUT_RD;
	wait_queue_wake(&base->queue, ~0u & ~WAIT_QUEUE_GONE);
	return socket->state == INET_CONNECTED ? 0 : -ENOTCONN;
}

static void dgram_release(struct socket *base)
{
	struct inet_socket *socket = inet_of(base);

	inet_udp_release(socket->udp);
	inet_socket_free(socket);
}

/* ---- data ---------------------------------------------------------------------------------------
 */

void inet_dgram_set_header(const struct inet_socket *socket, struct inet_send *send)
{
	bool v4 = inet_is_v4(&send->to.address);
	int ttl = v4 ? socket->ttl : socket->hops;

	if (inet_is_multicast(&send->to.address)) {
		ttl = v4 ? socket->group_ttl : socket->group_hops;
		send->netif_index = v4 ? socket->group_netif : socket->group_netif6;
		send->no_loop = !(socket->wants & (v4 ? INET_GROUP_LOOP : INET_GROUP_LOOP6));
		if (v4 && !inet_is_any(&socket->group_source) &&
			!inet_equal(&socket->group_source, &(struct inet_address){{0}}))
			send->from = socket->group_source;
	}

	send->ttl = (uint8_t)(ttl < 0 ? 64 : ttl);
	send->tos = (uint8_t)(v4 ? socket->tos : socket->tclass);
}

int inet_dgram_gather(struct uio *uio, uint64_t size, struct netbuf_queue *to)
{
	struct netbuf_queue data = {0};

	while (size > 0) {
		size_t room;
		ssize_t n;
		void *at;

		if (netbuf_reserve(&data, size, &at, &room) < 0) {
			netbuf_queue_clear(&data);
			return -ENOBUFS;
		}
		n = uio_copy_from(uio, at, room);
		if (n < 0 || (size_t)n < room) {
			netbuf_queue_clear(&data);
			return n < 0 ? (int)n : -EFAULT;
		}
		netbuf_commit(&data, room);
		size -= room;
	}
	netbuf_move_compact(to, &data);
	return 0;
}

/* A dual-stack socket has a choice for each version (ip(7), ipv6(7)). */
static void choose_discovery(struct inet_socket *socket, const struct inet_address *to)
{
	static const uint8_t choices[] = {
		[LX_IP_PMTUDISC_DONT] = INET_MTU_DONT,
		[LX_IP_PMTUDISC_WANT] = INET_MTU_WANT,
		[LX_IP_PMTUDISC_DO] = INET_MTU_DO,
		[LX_IP_PMTUDISC_PROBE] = INET_MTU_PROBE,
		[LX_IP_PMTUDISC_INTERFACE] = INET_MTU_DONT,
		[LX_IP_PMTUDISC_OMIT] = INET_MTU_DONT,
	};

	socket->endpoint->mtu_discover =
		choices[inet_is_v4(to) ? socket->path_discovery : socket->path_discovery6];
}

/* Consumes @data. Who asked hears when it left. */
static int send_now(
	struct inet_socket *socket, const struct inet_send *send, struct netbuf_queue *data)
{
	const uint32_t stamps = LX_SOF_TIMESTAMPING_TX_SOFTWARE | LX_SOF_TIMESTAMPING_TX_SCHED;
	struct netbuf_queue image = {0};
	struct inet_send stamped = *send;
	int err;

	choose_discovery(socket, &send->to.address);
	if (!(socket->want_stamping & stamps))
		return inet_udp_send(socket->udp, send, data);
	stamped.image = &image;
	err = inet_udp_send(socket->udp, &stamped, data);
	if (err == 0)
		inet_note_sent(socket, &image);
	netbuf_queue_clear(&image);
	return err;
}

int inet_dgram_uncork(struct inet_socket *socket)
{
	struct netbuf_queue data = socket->corked;

	if (!socket->has_corked)
		return 0;
	socket->corked = (struct netbuf_queue){0};
	socket->has_corked = false;
	return send_now(socket, &socket->corked_send, &data);
}

static int read_destination(const struct inet_socket *socket, const struct socket_address *address,
	struct inet_name *ret)
{
	struct socket_address fixed = *address;
	struct lx_sockaddr_in in;
	int err;

	memcpy(&in, fixed.bytes, sizeof(in));
	if (!socket->v6 && inet_is_unspec(address)) {
		in.sin_family = LX_AF_INET;
		memcpy(fixed.bytes, &in, sizeof(in));
	} else if (socket->v6 && address->size >= sizeof(in) && in.sin_family == LX_AF_INET) {
		/* An IPv6 socket takes names of IPv4 as well. */
		if (socket->endpoint->v6only)
			return -ENETUNREACH;
		ret->address = inet_from_v4((const uint8_t *)&in.sin_addr);
		ret->port = ntohs(in.sin_port);
		return 0;
	}
	err = inet_read_name(socket, &fixed, ret);
	return socket->v6 && err == -EAFNOSUPPORT ? -EINVAL : err;
}

/* Where a message goes, and with what. */
static int prepare(
	struct inet_socket *socket, struct socket_message *message, struct inet_send *send)
{
	int err;

	*send = (struct inet_send){.coverage = socket->send_coverage,
		.mark = socket->base.mark,
		.may_broadcast = socket->base.broadcast,
		.segment_size = socket->segment_size};
	/* To IPv6 no family means no name, to IPv4 it means IPv4 (udpv6_sendmsg(), udp_sendmsg()).
	 */
	if (message->name && !(socket->v6 && inet_is_unspec(message->name))) {
		err = read_destination(socket, message->name, &send->to);
		if (err == 0)
			err = inet_read_scope(socket, message->name, &send->to, &send->netif_index);
		if (err < 0)
			return err;
		if (send->to.port == 0)
			return -EINVAL;
	} else if (socket->state != INET_CONNECTED) {
		return -EDESTADDRREQ;
	} else {
		send->to = socket->endpoint->remote;
	}
	return 0;
}

#define SEGMENTS_MAX 128u /* UDP_MAX_SEGMENTS */

static int check_size(const struct inet_send *send, uint64_t size)
{
	if (size > INET_DATAGRAM_MAX + (inet_is_v4(&send->to.address) ? 0 : 20))
		return -EMSGSIZE;
	if (send->segment_size && size > (uint64_t)send->segment_size * SEGMENTS_MAX)
		return -EINVAL;
	return 0;
}

/* Its header and size, or whether what is held back has room for as much more. */
static int compose(struct inet_socket *socket, struct socket_message *message, uint64_t size,
	struct inet_send *send)
{
	int err;

	if (socket->has_corked)
		return check_size(&socket->corked_send, socket->corked.size + size);
	inet_dgram_set_header(socket, send);
	err = check_size(send, size);
	return err == 0 && message->scm ? inet_read_control(socket, message->scm, send) : err;
}

/* Copying has slept: others may have held something back meanwhile, or sent what was. */
static int compose_again(struct inet_socket *socket, struct socket_message *message, uint64_t size,
	bool was_corked, struct inet_send *send)
{
	int err;

	if (was_corked == socket->has_corked && !was_corked)
		return 0;
	err = socket->has_corked ? 0 : prepare(socket, message, send);
	return err < 0 ? err : compose(socket, message, size, send);
}

/*
 * Sender and reader often share a CPU, as another one answers their calls. Without a word the
 * sender would go on for the rest of its time slice, which is more datagrams than any queue holds,
 * and nearly all would be lost. It is answered a little later: it waits awake, but gives its CPU
 * to whoever wants it.
 */
static void let_reader_run(void)
{
	if (inet_udp_crowds_reader())
		(void)wait_sleep(NULL, 0, loop_monotonic_now() + READER_TURN_NS, true, false);
}

static ssize_t dgram_send(struct socket *base, struct task *task, struct socket_message *message)
{
	struct inet_socket *socket = inet_of(base);
	uint64_t size = message->uio->resid;
	bool more = (message->flags & LX_MSG_MORE) || (socket->wants & INET_CORK);
	struct netbuf_queue data = {0};
	struct inet_send send = {0};
	bool was_corked;
	int err;

	if (size > UINT16_MAX)
		return -EMSGSIZE;
	if (!socket->v6 && (message->flags & LX_MSG_OOB))
		return -EOPNOTSUPP;
	/* What is held back goes where its first part went. */
	err = socket->has_corked ? 0 : prepare(socket, message, &send);
	if (err < 0)
		return err;
	if (!socket->has_corked && socket->v6 && (message->flags & LX_MSG_OOB) &&
		inet_is_v4(&send.to.address))
		return -EOPNOTSUPP;
	err = compose(socket, message, size, &send);
	if (err < 0)
		return err;
	/* As sock_alloc_send_pskb() has it. */
	err = socket_take_error(base);
	if (err < 0)
		return err;
	if (socket->write_shut)
		return -EPIPE;
	inet_apply_options(socket);
	socket->endpoint->uid = task->cred->euid;
	was_corked = socket->has_corked;
	err = inet_dgram_gather(message->uio, size, &data);
	if (err < 0)
		return err;
	err = compose_again(socket, message, size, was_corked, &send);
	if (err < 0) {
		netbuf_queue_clear(&data);
		return err;
	}
	if (more || socket->has_corked) {
		if (!socket->has_corked)
			socket->corked_send = send;
		socket->has_corked = true;
		netbuf_move(&socket->corked, &data);
		err = more ? 0 : inet_dgram_uncork(socket);
	} else {
		err = send_now(socket, &send, &data);
		if (err == -ENETUNREACH)
			inet_tell_unreachable(socket, &send.to);
	}
	if (err == 0 && socket->zero_copy && (message->flags & LX_MSG_ZEROCOPY) && size > 0)
		inet_note_copied(socket);
	let_reader_run();
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

/* The datagram to be read, and with SO_PEEK_OFF where in it a peek begins
 * (__skb_try_recv_from_queue()). NULL: the offset lies behind all of them. */
static struct inet_datagram *choose(struct inet_socket *socket, bool peek, uint32_t *ret_skip)
{
	uint32_t offset = socket_peek_offset(&socket->base, peek ? LX_MSG_PEEK : 0);
	struct inet_datagram *datagram;

	list_for_each_entry (datagram, &socket->udp->datagrams, link) {
		if (offset == 0 || offset < datagram->data.size) {
			*ret_skip = offset;
			return datagram;
		}
		offset -= datagram->data.size;
	}
	return NULL;
}

/* Behind @at, if that is still there: others may have read meanwhile. */
static void put_back(
	struct inet_socket *socket, struct inet_datagram *datagram, const struct list_head *at)
{
	struct list_head *pos = &socket->udp->datagrams;

	do {
		if (pos == at) {
			list_add(&datagram->link, pos);
			return;
		}
		pos = pos->next;
	} while (pos != &socket->udp->datagrams);
	list_add(&datagram->link, &socket->udp->datagrams);
}

static ssize_t dgram_receive(struct socket *base, struct task *task, struct socket_message *message)
{
	struct inet_socket *socket = inet_of(base);
	bool peek = message->flags & LX_MSG_PEEK;
	struct inet_datagram *datagram;
	struct list_head *at;
	uint32_t size, skip = 0, total;
	ssize_t n = 0;
	int err;

	if (message->flags & LX_MSG_ERRQUEUE)
		return inet_receive_error(socket, message);
	err = wait_datagram(socket, message);
	if (err != 0)
		return err < 0 ? err : 0;
	datagram = choose(socket, peek, &skip);
	if (!datagram)
		return -EAGAIN;
	total = datagram->data.size - skip;
	size = (uint32_t)min_of((uint64_t)total, message->uio->resid);
	/* Ours while the copy sleeps; a peek puts it back. */
	at = datagram->link.prev;
	list_remove(&datagram->link);
	for (struct netbuf *buf = datagram->data.first; buf && (uint32_t)n < size;
		buf = buf->next) {
		uint32_t past = min_of(skip, buf->size);
		uint32_t part = min_of(buf->size - past, size - (uint32_t)n);
		ssize_t did =
			uio_copy_to(message->uio, buf->block->bytes + buf->offset + past, part);

		skip -= past;

		if (did < 0 || (uint32_t)did < part) {
			n = did < 0 ? did : -EFAULT;
			break;
		}
		n += did;
	}
	if (n >= 0) {
		if (message->name) {
			inet_write_name(socket, &datagram->from, message->name);
			inet_write_scope(datagram->netif_index, message->name);
		}
		if (message->scm)
			inet_write_control(socket, datagram, message->scm);
		if (total > size)
			message->out_flags |= LX_MSG_TRUNC;
		socket_move_peek_offset(base, peek ? n : -(int64_t)datagram->data.size);
		if (message->flags & LX_MSG_TRUNC)
			n = total;
	}
	if (peek)
		put_back(socket, datagram, at);
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

	if (base->error || !list_empty(&socket->udp->errors))
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

const struct socket_ops inet_dgram_ops = {
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
