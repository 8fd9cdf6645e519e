/* SPDX-License-Identifier: Apache-2.0 */
/* AF_PACKET sockets: which frames they see, and what they send. */
#include "sentry/socket/packet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "abi/time.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/procfs/procfs.h"
#include "sentry/procfs/pseudo.h"
#include "sentry/socket/net_device.h"
#include "sentry/socket/netlink_diag.h"

#define LX_SOL_PACKET		  263
#define LX_PACKET_ADD_MEMBERSHIP  1
#define LX_PACKET_DROP_MEMBERSHIP 2
#define LX_PACKET_RX_RING	  5
#define LX_PACKET_STATISTICS	  6
#define LX_PACKET_AUXDATA	  8
#define LX_PACKET_ORIGDEV	  9
#define LX_PACKET_VERSION	  10
#define LX_PACKET_HDRLEN	  11
#define LX_PACKET_RESERVE	  12
#define LX_PACKET_IGNORE_OUTGOING 23

#define LX_PACKET_MR_MULTICAST 0
#define LX_PACKET_MR_PROMISC   1
#define LX_PACKET_MR_ALLMULTI  2
#define LX_PACKET_MR_UNICAST   3

enum { TO_US, TO_ALL, TO_GROUP, TO_OTHERS, FROM_US }; /* PACKET_HOST... */

#define ETHERNET_HEADER 14u
#define ETHERTYPE_ALL	0x0003u
#define ETHERTYPE_IP4	0x0800u
#define ETHERTYPE_IP6	0x86ddu
#define FRAME_OVERHEAD	512u
#define SOCKETS_MAX	1024u
#define QUEUED_MAX	(64u << 20) /* in all sockets */

_Static_assert(sizeof(struct packet_name) == 20, "struct sockaddr_ll");

static struct list_head sockets = LIST_HEAD_INIT(sockets);
static unsigned socket_count;
static uint64_t queued_total;

const struct packet_socket *packet_next(const struct packet_socket *socket)
{
	const struct list_head *at = socket ? socket->link.next : sockets.next;

	return at == &sockets ? NULL : list_entry(at, struct packet_socket, link);
}

static struct net_ns *net_of(const struct packet_socket *socket)
{
	return container_of(socket->base.net, struct net_ns, ns);
}

/* ---- frames that are seen -------------------------------------------------------------------- */

static void frame_free(struct packet_frame *frame)
{
	netbuf_queue_clear(&frame->data);
	free(frame);
}

static uint16_t type_of_ip(struct netbuf_queue *packet)
{
	uint8_t first = 0;

	if (packet->size)
		netbuf_peek(packet, 0, &first, 1);
	return first >> 4 == 6 ? ETHERTYPE_IP6 : ETHERTYPE_IP4;
}

static void name_frame(const struct netif *netif, const uint8_t header[ETHERNET_HEADER],
	uint16_t type, bool outgoing, struct packet_name *ret)
{
	bool ethernet = netif->type == NETIF_ETHERNET;

	*ret = (struct packet_name){
		.family = LX_AF_PACKET,
		.protocol = htons(type),
		.index = (int32_t)netif->index,
		.hardware_type = net_device_type(netif),
		.address_size = netif->type == NETIF_POINT ? 0 : 6,
		.type = TO_US,
	};
	if (ethernet)
		memcpy(ret->address, header + 6, 6);
	if (outgoing)
		ret->type = FROM_US;
	else if (ethernet && (header[0] & 1))
		ret->type = memcmp(header, "\xff\xff\xff\xff\xff\xff", 6) == 0 ? TO_ALL : TO_GROUP;
	else if (ethernet && memcmp(header, netif->hardware, 6) != 0)
		ret->type = TO_OTHERS;
}

/* The frame as this socket has it: with a link's header or without one. On the loopback there is
 * one of zeroes, as on Linux. */
static int view_frame(const struct packet_socket *socket, const struct netif *netif,
	struct netbuf_queue *from, const uint8_t header[ETHERNET_HEADER], struct netbuf_queue *ret)
{
	bool ethernet = netif->type == NETIF_ETHERNET;
	bool with = socket->base.type != LX_SOCK_DGRAM && netif->type != NETIF_POINT;
	uint32_t skip = ethernet && !with ? ETHERNET_HEADER : 0;

	if (with && !ethernet) {
		int err = netbuf_append(ret, header, ETHERNET_HEADER);

		if (err < 0)
			return err;
	}
	return from->size > skip ? netbuf_slice(from, skip, from->size - skip, ret) : 0;
}

static void enqueue(struct packet_socket *socket, struct packet_frame *frame)
{
	uint32_t charge = frame->data.size + FRAME_OVERHEAD;
	bool room;

	socket->seen++;
	if (socket->ring) {
		if (!packet_ring_put(socket, frame)) {
			socket->dropped++;
			socket->losing = true;
		} else {
			wait_queue_wake(&socket->base.queue, LX_POLLIN | LX_POLLRDNORM);
		}
		frame_free(frame);
		return;
	}
	room = socket->queued <= socket->base.receive_size && queued_total < QUEUED_MAX;
	if (!room) {
		socket->dropped++;
		socket->losing = true;
		frame_free(frame);
		return;
	}
	if (socket->losing)
		frame->status |= LX_TP_STATUS_LOSING;
	socket->losing = false;
	socket->queued += charge;
	queued_total += charge;
	list_add_tail(&frame->link, &socket->frames);
	wait_queue_wake(&socket->base.queue, LX_POLLIN | LX_POLLRDNORM);
}

/* @header is the frame's, or what stands for it where the link has none. */
static void see_frame(struct packet_socket *socket, struct netif *netif, struct netbuf_queue *bytes,
	const uint8_t header[ETHERNET_HEADER], bool outgoing, const struct netif_offload *offload)
{
	uint16_t type = (uint16_t)(header[12] << 8 | header[13]);
	struct packet_frame *frame;
	struct filter_packet view;
	uint32_t size;

	if ((socket->index && socket->index != netif->index) ||
		(outgoing && (socket->protocol != ETHERTYPE_ALL || socket->ignore_outgoing)) ||
		(socket->protocol != ETHERTYPE_ALL && socket->protocol != type))
		return;
	frame = calloc(1, sizeof(*frame));
	if (!frame)
		return;
	list_init(&frame->link);
	name_frame(netif, header, type, outgoing, &frame->from);
	if (view_frame(socket, netif, bytes, header, &frame->data) < 0) {
		frame_free(frame);
		return;
	}
	frame->network = socket->base.type == LX_SOCK_DGRAM || netif->type == NETIF_POINT
				 ? 0
				 : ETHERNET_HEADER;
	frame->size = frame->data.size;
	frame->received_at = (int64_t)loop_realtime_now();
	frame->status =
		LX_TP_STATUS_USER |
		(offload && offload->needs_checksum ? LX_TP_STATUS_CSUMNOTREADY : 0) |
		(offload && offload->checksum_valid && !outgoing ? LX_TP_STATUS_CSUM_VALID : 0);
	view = (struct filter_packet){.bytes = &frame->data,
		.network_offset = frame->network,
		.protocol = type,
		.type = frame->from.type,
		.hardware_type = frame->from.hardware_type,
		.interface = netif->index};
	size = socket_filter_packet(socket->base.filter, &view);
	if (size == 0) {
		frame_free(frame);
		return;
	}
	if (size < frame->data.size)
		netbuf_truncate(&frame->data, size);
	enqueue(socket, frame);
}

static void see(struct netif_tap *tap, struct netif *netif, struct netbuf_queue *bytes,
	bool outgoing, const struct netif_offload *offload)
{
	struct packet_socket *socket = container_of(tap, struct packet_socket, tap);
	uint8_t header[ETHERNET_HEADER] = {0};
	uint16_t type;

	if (netif->type == NETIF_ETHERNET) {
		if (bytes->size < ETHERNET_HEADER)
			return;
		netbuf_peek(bytes, 0, header, sizeof(header));
	} else {
		type = type_of_ip(bytes);
		header[12] = (uint8_t)(type >> 8);
		header[13] = (uint8_t)type;
	}
	see_frame(socket, netif, bytes, header, outgoing, offload);
}

static void update_tap(struct packet_socket *socket)
{
	bool wanted = socket->protocol != 0;

	if (wanted && !socket->tapped)
		list_add_tail(&socket->tap.link, &net_of(socket)->stack.taps);
	if (!wanted && socket->tapped)
		list_remove(&socket->tap.link);
	socket->tapped = wanted;
}

/* ---- names ----------------------------------------------------------------------------------- */

static int read_name(const struct socket_address *address, size_t least, struct packet_name *ret)
{
	*ret = (struct packet_name){0};
	if (address->size < least)
		return -EINVAL;
	memcpy(ret, address->bytes, min_of((size_t)address->size, sizeof(*ret)));
	return ret->family == LX_AF_PACKET ? 0 : -EINVAL;
}

static int packet_bind(struct socket *base, struct task *task, const struct socket_address *address)
{
	struct packet_socket *socket = packet_of(base);
	struct packet_name name;
	struct netif *netif = NULL;
	int err = read_name(address, sizeof(name), &name);

	if (err < 0)
		return err;
	if (name.index) {
		netif = netif_by_index(&net_of(socket)->stack, (unsigned)name.index);
		if (!netif)
			return -ENODEV;
	}
	socket->index = (unsigned)name.index;
	if (name.protocol)
		socket->protocol = ntohs(name.protocol);
	update_tap(socket);
	/* packet_do_bind(): it is told that the interface sleeps, and bound all the same. */
	if (netif && !(netif->flags & NETIF_UP))
		base->error = ENETDOWN;
	return 0;
}

static int packet_connect(
	struct socket *base, struct task *task, const struct socket_address *address, bool nonblock)
{
	return -EOPNOTSUPP;
}

static int packet_listen(struct socket *base, struct task *task, int backlog)
{
	return -EOPNOTSUPP;
}

static int packet_accept(struct socket *base, bool nonblock, struct socket **ret)
{
	return -EOPNOTSUPP;
}

static int packet_shutdown(struct socket *base, int how)
{
	return -EOPNOTSUPP;
}

static int packet_getname(struct socket *base, bool peer, struct socket_address *ret)
{
	const struct packet_socket *socket = packet_of(base);
	const struct netif *netif =
		socket->index ? netif_by_index(&net_of(socket)->stack, socket->index) : NULL;
	struct packet_name name = {.family = LX_AF_PACKET,
		.protocol = htons(socket->protocol),
		.index = (int32_t)socket->index};

	if (peer)
		return -EOPNOTSUPP;
	if (netif) {
		name.hardware_type = net_device_type(netif);
		name.address_size = netif->type == NETIF_POINT ? 0 : 6;
		memcpy(name.address, netif->hardware, sizeof(netif->hardware));
	}
	*ret = (struct socket_address){
		.size = (uint32_t)(offsetof(struct packet_name, address) + name.address_size)};
	memcpy(ret->bytes, &name, sizeof(name));
	return 0;
}

/* ---- sending --------------------------------------------------------------------------------- */

/* Over the loopback device a frame comes back at once: an IP packet is received, what is something
 * else is for packet sockets alone. */
static void loop_back(const struct packet_socket *sender, struct netif *netif, uint16_t protocol,
	struct netbuf_queue *frame)
{
	static const struct netif_offload whole = {.checksum_valid = false};
	uint8_t header[ETHERNET_HEADER] = {0};
	struct packet_socket *socket;
	uint16_t type;

	memcpy(header + 12, &protocol, sizeof(protocol));
	if (sender->base.type != LX_SOCK_DGRAM) {
		netbuf_peek(frame, 0, header, sizeof(header));
		netbuf_drop(frame, sizeof(header));
	}
	type = (uint16_t)(header[12] << 8 | header[13]);
	if (type == ETHERTYPE_IP4 || type == ETHERTYPE_IP6) {
		netif_receive(netif, frame, &whole);
		return;
	}
	list_for_each_entry (socket, &sockets, link) {
		if (!socket->tapped || net_of(socket) != net_of(sender))
			continue;
		if (socket != sender)
			see_frame(socket, netif, frame, header, true, &whole);
		see_frame(socket, netif, frame, header, false, &whole);
	}
	netbuf_queue_clear(frame);
}

static int transmit(struct packet_socket *socket, struct netif *netif, const struct packet_name *to,
	struct netbuf_queue *data)
{
	bool with = socket->base.type != LX_SOCK_DGRAM;
	uint8_t header[ETHERNET_HEADER] = {0};
	struct netbuf_queue frame = {0};
	int err = 0;

	if (netif->type == NETIF_LOOPBACK) {
		loop_back(socket, netif, to->protocol, data);
		return 0;
	}
	if (!netif->ops->transmit)
		return -ENXIO;
	if (netif->type == NETIF_ETHERNET && !with) {
		memcpy(header, to->address, 6);
		memcpy(header + 6, netif->hardware, 6);
		memcpy(header + 12, &to->protocol, 2);
		err = netbuf_append(&frame, header, sizeof(header));
		if (err < 0)
			return err;
	}
	netbuf_move(&frame, data);
	netif->counters.tx_packets++;
	netif->counters.tx_bytes += frame.size;
	netif->ops->transmit(netif, &frame, &(struct netif_offload){0});
	netbuf_queue_clear(&frame);
	return 0;
}

static int gather(struct uio *uio, size_t size, struct netbuf_queue *ret)
{
	_cleanup_free_ uint8_t *bytes = malloc(size + 1);
	ssize_t got;

	if (!bytes)
		return -ENOMEM;
	got = uio_copy_from(uio, bytes, size);
	if (got < 0 || (size_t)got < size)
		return got < 0 ? (int)got : -EFAULT;
	return netbuf_append(ret, bytes, size);
}

static ssize_t packet_send(struct socket *base, struct task *task, struct socket_message *message)
{
	struct packet_socket *socket = packet_of(base);
	struct packet_name to = {
		.protocol = htons(socket->protocol), .index = (int32_t)socket->index};
	struct netbuf_queue data = {0};
	size_t size = message->uio->resid;
	struct netif *netif;
	uint32_t most;
	int err;

	if (message->name && message->name->size) {
		err = read_name(message->name, 12, &to);
		if (err < 0)
			return err;
	} else if (base->type == LX_SOCK_DGRAM && !socket->index) {
		return -ENXIO;
	}
	netif = netif_by_index(&net_of(socket)->stack, (unsigned)to.index);
	if (!netif)
		return -ENXIO;
	if (!(netif->flags & NETIF_UP))
		return -ENETDOWN;
	most = netif->mtu +
	       (base->type != LX_SOCK_DGRAM && netif->type != NETIF_POINT ? ETHERNET_HEADER : 0);
	if (size > most)
		return -EMSGSIZE;
	if (base->type != LX_SOCK_DGRAM && netif->type != NETIF_POINT && size < ETHERNET_HEADER)
		return -EINVAL;
	err = size ? gather(message->uio, size, &data) : 0;
	/* Copying may have slept. */
	netif = netif_by_index(&net_of(socket)->stack, (unsigned)to.index);
	if (err == 0 && !netif)
		err = -ENXIO;
	if (err == 0)
		err = transmit(socket, netif, &to, &data);
	netbuf_queue_clear(&data);
	netstack_run(&net_of(socket)->stack);
	return err < 0 ? err : (ssize_t)size;
}

/* ---- receiving ------------------------------------------------------------------------------- */

static void write_notes(
	const struct packet_socket *socket, const struct packet_frame *frame, struct scm *scm)
{
	struct {
		uint32_t status, size, snapped;
		uint16_t mac, network, vlan, vlan_protocol;
	} auxiliary = {
		frame->status, frame->size, frame->data.size, 0, (uint16_t)frame->network, 0, 0};
	struct lx_timespec nano = {.tv_sec = frame->received_at / 1000000000,
		.tv_nsec = frame->received_at % 1000000000};
	struct lx_timeval micro = {.tv_sec = nano.tv_sec, .tv_usec = nano.tv_nsec / 1000};

	if (socket->want_stamp == LX_SO_TIMESTAMP)
		scm_note(scm, LX_SOL_SOCKET, LX_SO_TIMESTAMP, &micro, sizeof(micro));
	else if (socket->want_stamp == LX_SO_TIMESTAMPNS)
		scm_note(scm, LX_SOL_SOCKET, LX_SO_TIMESTAMPNS, &nano, sizeof(nano));
	if (socket->want_auxdata)
		scm_note(scm, LX_SOL_PACKET, LX_PACKET_AUXDATA, &auxiliary, sizeof(auxiliary));
}

static ssize_t copy_frame(struct socket_message *message, struct packet_frame *frame)
{
	uint32_t size = (uint32_t)min_of((uint64_t)frame->data.size, message->uio->resid), done = 0;

	while (done < size) {
		uint32_t run;
		const void *at = netbuf_at(&frame->data, done, &run);
		ssize_t did;

		run = min_of(run, size - done);
		did = uio_copy_to(message->uio, at, run);
		if (did < 0 || (uint32_t)did < run)
			return did < 0 ? did : -EFAULT;
		done += run;
	}
	return size;
}

static ssize_t packet_receive(
	struct socket *base, struct task *task, struct socket_message *message)
{
	struct packet_socket *socket = packet_of(base);
	struct packet_frame *frame;
	ssize_t result;
	int err;

	if (message->flags & LX_MSG_ERRQUEUE)
		return -EAGAIN;
	while (list_empty(&socket->frames)) {
		err = socket_take_error(base);
		if (err < 0)
			return err;
		if (message->flags & LX_MSG_DONTWAIT)
			return -EAGAIN;
		err = wait_event_deadline(&base->queue, !list_empty(&socket->frames) || base->error,
			message->deadline);
		if (err < 0)
			return socket_wait_error(err, message->deadline);
	}
	frame = list_first(&socket->frames, struct packet_frame, link);
	/* Ours while the copy sleeps; a peek puts it back. */
	list_remove(&frame->link);
	result = copy_frame(message, frame);
	if (result >= 0) {
		if ((uint32_t)result < frame->data.size)
			message->out_flags |= LX_MSG_TRUNC;
		if (message->name) {
			*message->name = (struct socket_address){.size = sizeof(frame->from)};
			memcpy(message->name->bytes, &frame->from, sizeof(frame->from));
		}
		if (message->scm)
			write_notes(socket, frame, message->scm);
		if (message->flags & LX_MSG_TRUNC)
			result = frame->data.size;
	}
	if (message->flags & LX_MSG_PEEK) {
		list_add(&frame->link, &socket->frames);
		return result;
	}
	socket->queued -= frame->data.size + FRAME_OVERHEAD;
	queued_total -= frame->data.size + FRAME_OVERHEAD;
	frame_free(frame);
	return result;
}

static uint32_t packet_poll(struct socket *base)
{
	const struct packet_socket *socket = packet_of(base);
	bool readable =
		socket->ring ? packet_ring_is_readable(socket->ring) : !list_empty(&socket->frames);

	return LX_POLLOUT | LX_POLLWRNORM | LX_POLLWRBAND | (base->error ? LX_POLLERR : 0) |
	       (readable ? LX_POLLIN | LX_POLLRDNORM : 0);
}

/* ---- options --------------------------------------------------------------------------------- */

/* An interface sees more as long as somebody wants it to (dev_set_promiscuity()). */
static void refresh_netif(struct net_ns *net, unsigned index)
{
	struct netif *netif = netif_by_index(&net->stack, index);
	const struct packet_socket *socket;
	bool promiscuous = false, all = false;

	list_for_each_entry (socket, &sockets, link) {
		for (size_t i = 0; i < PACKET_MEMBERS_MAX; i++) {
			const struct packet_member *member = &socket->members[i];

			if (!member->count || member->index != index || net_of(socket) != net)
				continue;
			promiscuous |= member->type == LX_PACKET_MR_PROMISC;
			all |= member->type != LX_PACKET_MR_PROMISC;
		}
	}
	if (netif && netif->type == NETIF_ETHERNET)
		(void)net_device_set_flags(netif,
			(promiscuous ? LX_IFF_PROMISC : 0) | (all ? LX_IFF_ALLMULTI : 0),
			LX_IFF_PROMISC | LX_IFF_ALLMULTI);
}

static int change_membership(
	struct packet_socket *socket, int option, const void *value, size_t size)
{
	struct {
		int32_t index;
		uint16_t type, address_size;
		uint8_t address[8];
	} wanted;
	struct packet_member *member = NULL, *spare = NULL;

	if (size < sizeof(wanted))
		return -EINVAL;
	memcpy(&wanted, value, sizeof(wanted));
	if (wanted.type > LX_PACKET_MR_UNICAST)
		return -EINVAL;
	if (option == LX_PACKET_ADD_MEMBERSHIP &&
		!netif_by_index(&net_of(socket)->stack, (unsigned)wanted.index))
		return -ENODEV;
	for (size_t i = 0; i < PACKET_MEMBERS_MAX; i++) {
		struct packet_member *at = &socket->members[i];

		if (!at->count)
			spare = at;
		else if (at->index == (unsigned)wanted.index && at->type == wanted.type)
			member = at;
	}
	if (option == LX_PACKET_ADD_MEMBERSHIP) {
		if (!member && !spare)
			return -ENOBUFS;
		if (!member) {
			member = spare;
			*member = (struct packet_member){(unsigned)wanted.index, wanted.type, 0};
		}
		member->count++;
	} else if (member) {
		member->count--;
	}
	refresh_netif(net_of(socket), (unsigned)wanted.index);
	return 0;
}

static int set_packet_option(
	struct packet_socket *socket, struct task *task, int option, const void *value, size_t size)
{
	int number = 0;

	if (option == LX_PACKET_ADD_MEMBERSHIP || option == LX_PACKET_DROP_MEMBERSHIP)
		return change_membership(socket, option, value, size);
	if (option == LX_PACKET_RX_RING)
		return packet_ring_set(socket, task, value, size);
	if (option != LX_PACKET_AUXDATA && option != LX_PACKET_ORIGDEV &&
		option != LX_PACKET_VERSION && option != LX_PACKET_RESERVE &&
		option != LX_PACKET_IGNORE_OUTGOING)
		return -ENOPROTOOPT;
	if (size < sizeof(number))
		return -EINVAL;
	memcpy(&number, value, sizeof(number));
	switch (option) {
	case LX_PACKET_AUXDATA:
		socket->want_auxdata = number != 0;
		return 0;
	case LX_PACKET_ORIGDEV:
		socket->original_device = number != 0;
		return 0;
	case LX_PACKET_VERSION:
		/* TPACKET_V1 and its successor, but not the blocks of V3. */
		if (number < 0 || number > 1)
			return -EINVAL;
		if (socket->ring)
			return -EBUSY;
		socket->version = number;
		return 0;
	case LX_PACKET_RESERVE:
		if (number < 0 || number > 4096)
			return -EINVAL;
		if (socket->ring)
			return -EBUSY;
		socket->reserve = (unsigned)number;
		return 0;
	default:
		if (number < 0 || number > 1)
			return -EINVAL;
		socket->ignore_outgoing = number != 0;
		return 0;
	}
}

static int packet_setsockopt(struct socket *base, struct task *task, int level, int option,
	const void *value, size_t size)
{
	struct packet_socket *socket = packet_of(base);
	int number;

	if (level == LX_SOL_PACKET)
		return set_packet_option(socket, task, option, value, size);
	if (level != LX_SOL_SOCKET)
		return -ENOPROTOOPT;
	switch (option) {
	case LX_SO_TIMESTAMP:
	case LX_SO_TIMESTAMPNS:
		if (size < sizeof(number))
			return -EINVAL;
		memcpy(&number, value, sizeof(number));
		socket->want_stamp = number ? option : 0;
		return 0;
	default:
		return socket_set_option(base, task, option, value, size);
	}
}

static int return_header_size(void *value, size_t size)
{
	int version;

	if (size < sizeof(version))
		return -EINVAL;
	memcpy(&version, value, sizeof(version));
	if (version < 0 || version > 1)
		return -EINVAL;
	return socket_return_int(version == 0 ? 32 : 32, value, size);
}

static int packet_getsockopt(
	struct socket *base, struct task *task, int level, int option, void *value, size_t size)
{
	struct packet_socket *socket = packet_of(base);
	uint32_t statistics[2];

	if (level == LX_SOL_SOCKET) {
		if (option == LX_SO_TIMESTAMP || option == LX_SO_TIMESTAMPNS)
			return socket_return_int(socket->want_stamp == option, value, size);
		return socket_get_option(base, task, option, value, size);
	}
	if (level != LX_SOL_PACKET)
		return -ENOPROTOOPT;
	switch (option) {
	case LX_PACKET_STATISTICS:
		statistics[0] = socket->seen;
		statistics[1] = socket->dropped;
		socket->seen = socket->dropped = 0;
		return socket_return_bytes(statistics, sizeof(statistics), value, size);
	case LX_PACKET_AUXDATA:
		return socket_return_int(socket->want_auxdata, value, size);
	case LX_PACKET_ORIGDEV:
		return socket_return_int(socket->original_device, value, size);
	case LX_PACKET_VERSION:
		return socket_return_int(socket->version, value, size);
	case LX_PACKET_HDRLEN:
		return return_header_size(value, size);
	case LX_PACKET_RESERVE:
		return socket_return_int((int)socket->reserve, value, size);
	case LX_PACKET_IGNORE_OUTGOING:
		return socket_return_int(socket->ignore_outgoing, value, size);
	default:
		return -ENOPROTOOPT;
	}
}

static int64_t packet_ioctl(struct socket *base, struct task *task, unsigned request, gaddr_t arg)
{
	const struct packet_socket *socket = packet_of(base);
	int32_t size = 0;

	if (request == LX_FIONREAD && !list_empty(&socket->frames))
		size = (int32_t)list_first(&socket->frames, struct packet_frame, link)->data.size;
	else if (request != LX_FIONREAD && request != LX_TIOCOUTQ)
		return -ENOTTY;
	return guest_write_value(task, arg, &size);
}

/* ---- the socket ------------------------------------------------------------------------------ */

static int packet_map(struct socket *base, struct file_map *map)
{
	struct packet_socket *socket = packet_of(base);

	return socket->ring ? packet_ring_map(socket->ring, map) : -EINVAL;
}

static void packet_release(struct socket *base)
{
	struct packet_socket *socket = packet_of(base);

	socket->protocol = 0;
	update_tap(socket);
	while (!list_empty(&socket->frames)) {
		struct packet_frame *frame = list_first(&socket->frames, struct packet_frame, link);

		list_remove(&frame->link);
		queued_total -= frame->data.size + FRAME_OVERHEAD;
		frame_free(frame);
	}
	list_remove(&socket->link);
	socket_count--;
	for (size_t i = 0; i < PACKET_MEMBERS_MAX; i++)
		if (socket->members[i].count)
			refresh_netif(net_of(socket), socket->members[i].index);
	packet_ring_free(socket->ring);
	wait_queue_wake(&base->queue, ~0u & ~WAIT_QUEUE_GONE);
	wait_queue_destroy(&base->queue);
	socket_fini(base);
	free(socket);
}

static const struct socket_ops packet_ops = {
	.bind = packet_bind,
	.connect = packet_connect,
	.listen = packet_listen,
	.accept = packet_accept,
	.getname = packet_getname,
	.send = packet_send,
	.receive = packet_receive,
	.shutdown = packet_shutdown,
	.setsockopt = packet_setsockopt,
	.getsockopt = packet_getsockopt,
	.ioctl = packet_ioctl,
	.poll = packet_poll,
	.map = packet_map,
	.release = packet_release,
};

static int show_packet(struct seq *seq)
{
	const struct task *task = task_current();
	const struct nsproxy *proxy = task && task->nsproxy ? task->nsproxy : nsproxy_first();

	seq_puts(seq, "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n");
	for (const struct packet_socket *socket = packet_next(NULL); socket;
		socket = packet_next(socket)) {
		const struct file *file = socket->base.file;

		if (socket->base.net != proxy->ns[NS_NET])
			continue;
		seq_printf(seq, "%016x %-6d %-4d %04x   %-5u %d %-6u %-6u %-6llu\n", 0, 3,
			socket->base.type, socket->protocol, socket->index, socket->tapped,
			socket->queued, file ? uid_here(file->inode->uid) : 0,
			(unsigned long long)(file ? file->inode->ino : 0));
	}
	return 0;
}

int packet_create(struct task *task, int type, int protocol, struct socket **ret)
{
	struct packet_socket *socket;

	if (!cred_ns_capable(task->cred, task->nsproxy->ns[NS_NET]->user_ns, LX_CAP_NET_RAW))
		return -EPERM;
	if (type != LX_SOCK_RAW && type != LX_SOCK_DGRAM)
		return -ESOCKTNOSUPPORT; /* SOCK_PACKET is of Linux 2.0 */
	if (socket_count >= SOCKETS_MAX)
		return -ENOBUFS;
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return -ENOMEM;
	socket_init(&socket->base, &packet_ops, LX_AF_PACKET, type, protocol);
	socket->protocol = ntohs((uint16_t)protocol);
	socket->tap.see = see;
	list_init(&socket->frames);
	list_add_tail(&socket->link, &sockets);
	socket_count++;
	(void)procfs_register_net("packet", show_packet);
	update_tap(socket);
	*ret = &socket->base;
	return 0;
}

int packet_diag_fill(struct netlink_socket *asker, struct nl_dump *dump, struct nl_builder *builder)
{
	size_t place = 0, start;

	for (const struct packet_socket *socket = packet_next(NULL); socket;
		socket = packet_next(socket)) {
		const struct file *file = socket->base.file;
		const struct lx_packet_diag_msg message = {.family = LX_AF_PACKET,
			.type = (uint8_t)socket->base.type,
			.number = socket->protocol,
			.inode = diag_inode(file),
			.cookie = {diag_inode(file), 0}};
		const uint32_t info[6] = {socket->index, (uint32_t)socket->version, socket->reserve,
			0, 0, (socket->tapped ? 1u : 0)};

		if (place++ < dump->at[0])
			continue;
		if (socket->base.net == asker->base.net) {
			start = nl_begin(builder, &dump->header);
			nl_put(builder, &message, sizeof(message));
			nl_attribute(builder, LX_PACKET_DIAG_INFO, info, sizeof(info));
			nl_u32(builder, LX_PACKET_DIAG_UID, file ? uid_here(file->inode->uid) : 0);
			if (nl_end(builder, start) < 0)
				return 1;
		}
		dump->at[0] = place;
	}
	return 0;
}
