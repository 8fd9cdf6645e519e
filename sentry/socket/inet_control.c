/* SPDX-License-Identifier: Apache-2.0 */
/* Ancillary data of datagrams: where a packet came to, with which fields of its header (ip(7),
 * ipv6(7), socket(7)). */
#include "sentry/socket/inet_socket.h"

#include <errno.h>
#include <string.h>

#include "abi/time.h"
#include "base/checked.h"

/* ---- to be sent
 * ---------------------------------------------------------------------------------- */

static int note_int(const struct scm_note *note, int least, uint8_t *ret)
{
	int value;

	/* IP_TOS may be one byte. */
	if (note->size == 1 && note->level == LX_SOL_IP) {
		value = note->bytes[0];
	} else {
		if (note->size != sizeof(value))
			return -EINVAL;
		memcpy(&value, note->bytes, sizeof(value));
	}
	if (value < least || value > 255)
		return -EINVAL;
	if (value >= 0) /* -1: as the socket has it */
		*ret = (uint8_t)value;
	return 0;
}

static int note_pktinfo(
	const struct inet_socket *socket, const struct scm_note *note, struct inet_send *ret)
{
	struct lx_in6_pktinfo info6;
	struct lx_in_pktinfo info;
	int index;

	if (note->level == LX_SOL_IP) {
		if (note->size != sizeof(info))
			return -EINVAL;
		memcpy(&info, note->bytes, sizeof(info));
		index = info.ipi_ifindex;
		if (info.ipi_spec_dst)
			ret->from = inet_from_v4((const uint8_t *)&info.ipi_spec_dst);
	} else {
		if (note->size < sizeof(info6))
			return -EINVAL;
		memcpy(&info6, note->bytes, sizeof(info6));
		index = info6.ipi6_ifindex;
		memcpy(ret->from.bytes, info6.ipi6_addr, sizeof(ret->from.bytes));
	}
	if (index && !netif_by_index(inet_stack(&socket->base), (unsigned)index))
		return -ENODEV;
	if (index)
		ret->netif_index = (unsigned)index;
	return 0;
}

/* What goes to an IPv4 address listens to the options of IPv4, on a socket of either family (kernel
 * ip_cmsg_send(), ip6_datagram_send_ctl()). */
static int read_note(const struct inet_socket *socket, const struct scm_note *note, bool v4,
	struct inet_send *ret)
{
	bool v6_level = note->level == LX_SOL_IPV6;

	switch (note->level) {
	case LX_SOL_IP:
		if (note->type == LX_IP_PKTINFO)
			return note_pktinfo(socket, note, ret);
		if (note->type == LX_IP_TTL)
			return note_int(note, 1, &ret->ttl);
		if (note->type == LX_IP_TOS)
			return note_int(note, 0, &ret->tos);
		return -EINVAL;
	case LX_SOL_IPV6:
		/* An IPv4 packet takes the address from here, and no more. */
		if (note->type == LX_IPV6_PKTINFO)
			return note_pktinfo(socket, note, ret);
		if (v4 && v6_level)
			return 0;
		if (note->type == LX_IPV6_HOPLIMIT)
			return note_int(note, -1, &ret->ttl);
		if (note->type == LX_IPV6_TCLASS)
			return note_int(note, -1, &ret->tos);
		return -EINVAL;
	case LX_SOL_UDP:
		if (note->type != LX_UDP_SEGMENT || note->size != sizeof(ret->segment_size))
			return -EINVAL;
		memcpy(&ret->segment_size, note->bytes, sizeof(ret->segment_size));
		return 0;
	default:
		return 0;
	}
}

int inet_read_control(
	const struct inet_socket *socket, const struct scm *scm, struct inet_send *ret)
{
	bool v4 = inet_is_v4(&ret->to.address);

	for (unsigned i = 0; i < scm->note_count; i++) {
		int err;

		/* Other levels are passed over. */
		if (scm->notes[i].level == (v4 ? LX_SOL_IPV6 : LX_SOL_IP) &&
			!(v4 && socket->v6 && scm->notes[i].type == LX_IPV6_PKTINFO))
			continue;
		err = read_note(socket, &scm->notes[i], v4, ret);
		if (err < 0)
			return err;
	}
	return 0;
}

/* ---- received
 * ------------------------------------------------------------------------------------ */

void inet_write_stamp(const struct inet_socket *socket, int64_t at, struct scm *scm)
{
	struct lx_timespec nano = {.tv_sec = at / 1000000000, .tv_nsec = at % 1000000000};
	struct lx_timeval micro = {.tv_sec = nano.tv_sec, .tv_usec = nano.tv_nsec / 1000};

	switch (socket->want_stamp) {
	case INET_STAMP_NONE:
		break;
	case INET_STAMP_MICRO:
		scm_note(scm, LX_SOL_SOCKET, LX_SO_TIMESTAMP, &micro, sizeof(micro));
		break;
	case INET_STAMP_MICRO_NEW:
		scm_note(scm, LX_SOL_SOCKET, LX_SO_TIMESTAMP_NEW, &micro, sizeof(micro));
		break;
	case INET_STAMP_NANO:
		scm_note(scm, LX_SOL_SOCKET, LX_SO_TIMESTAMPNS, &nano, sizeof(nano));
		break;
	case INET_STAMP_NANO_NEW:
		scm_note(scm, LX_SOL_SOCKET, LX_SO_TIMESTAMPNS_NEW, &nano, sizeof(nano));
		break;
	}
	if ((socket->want_stamping & LX_SOF_TIMESTAMPING_SOFTWARE) &&
		(socket->want_stamping & LX_SOF_TIMESTAMPING_RX_SOFTWARE)) {
		struct lx_timespec three[3] = {nano}; /* by software, -, by hardware */

		scm_note(scm, LX_SOL_SOCKET,
			socket->wants & INET_STAMPING_NEW ? LX_SO_TIMESTAMPING_NEW
							  : LX_SO_TIMESTAMPING,
			three, sizeof(three));
	}
}

static void write_pktinfo6(const struct inet_datagram *datagram, struct scm *scm)
{
	struct lx_in6_pktinfo info = {.ipi6_ifindex = (int)datagram->netif_index};

	memcpy(info.ipi6_addr, datagram->to.address.bytes, sizeof(info.ipi6_addr));
	scm_note(scm, LX_SOL_IPV6, LX_IPV6_PKTINFO, &info, sizeof(info));
}

static void write_pktinfo(const struct inet_datagram *datagram, struct scm *scm)
{
	struct lx_in_pktinfo info = {.ipi_ifindex = (int)datagram->netif_index};

	memcpy(&info.ipi_addr, datagram->to.address.bytes + 12, sizeof(info.ipi_addr));
	info.ipi_spec_dst = info.ipi_addr;
	scm_note(scm, LX_SOL_IP, LX_IP_PKTINFO, &info, sizeof(info));
}

static void write_origin(const struct inet_datagram *datagram, bool v4, struct scm *scm)
{
	struct socket_address address;

	inet_write_name_as(v4 ? LX_AF_INET : LX_AF_INET6, &datagram->to, &address);
	scm_note(scm, v4 ? LX_SOL_IP : LX_SOL_IPV6,
		v4 ? LX_IP_RECVORIGDSTADDR : LX_IPV6_RECVORIGDSTADDR, address.bytes, address.size);
}

/* In the order of ip_cmsg_recv_offset(). */
static void write_ip(
	const struct inet_socket *socket, const struct inet_datagram *datagram, struct scm *scm)
{
	int ttl = datagram->ttl;

	if (socket->wants & INET_WANT_PKTINFO)
		write_pktinfo(datagram, scm);
	if (socket->wants & INET_WANT_TTL)
		scm_note(scm, LX_SOL_IP, LX_IP_TTL, &ttl, sizeof(ttl));
	if (socket->wants & INET_WANT_TOS)
		scm_note(scm, LX_SOL_IP, LX_IP_TOS, &datagram->tos, 1);
	if (socket->wants & INET_WANT_ORIGDST)
		write_origin(datagram, true, scm);
}

/* ip6_datagram_recv_specific_ctl() */
static void write_ipv6(
	const struct inet_socket *socket, const struct inet_datagram *datagram, struct scm *scm)
{
	int hops = datagram->ttl, tclass = datagram->tos;

	if (socket->wants & INET_WANT_HOPS6)
		scm_note(scm, LX_SOL_IPV6, LX_IPV6_HOPLIMIT, &hops, sizeof(hops));
	if (socket->wants & INET_WANT_TCLASS6)
		scm_note(scm, LX_SOL_IPV6, LX_IPV6_TCLASS, &tclass, sizeof(tclass));
	if (socket->wants & INET_WANT_ORIGDST6)
		write_origin(datagram, false, scm);
}

void inet_write_control(
	const struct inet_socket *socket, const struct inet_datagram *datagram, struct scm *scm)
{
	inet_write_stamp(socket, datagram->received_at, scm);
	if ((socket->wants & INET_WANT_DROPS) && datagram->dropped)
		scm_note(scm, LX_SOL_SOCKET, LX_SO_RXQ_OVFL, &datagram->dropped,
			sizeof(datagram->dropped));
	if (socket->wants & INET_WANT_MARK)
		scm_note(scm, LX_SOL_SOCKET, LX_SO_MARK, &datagram->mark, sizeof(datagram->mark));
	if (socket->udp->coalesce && datagram->segment_size) {
		int segment = datagram->segment_size;

		scm_note(scm, LX_SOL_UDP, LX_UDP_GRO, &segment, sizeof(segment));
	}
	if (socket->v6 && (socket->wants & INET_WANT_PKTINFO6))
		write_pktinfo6(datagram, scm);
	if (inet_is_v4(&datagram->to.address))
		write_ip(socket, datagram, scm);
	else
		write_ipv6(socket, datagram, scm);
}
