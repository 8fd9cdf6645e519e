/* SPDX-License-Identifier: Apache-2.0 */
/* Ancillary data of datagrams: where a packet came to, with which fields of its header (ip(7),
 * ipv6(7), socket(7)). */
#include "sentry/socket/inet_socket.h"

#include <errno.h>
#include <string.h>

#include "abi/time.h"

#define LO_INDEX 1

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

static int note_pktinfo(const struct scm_note *note, struct inet_send *ret)
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
	return index == 0 || index == LO_INDEX ? 0 : -ENODEV;
}

int inet_read_control(
	const struct inet_socket *socket, const struct scm *scm, struct inet_send *ret)
{
	for (unsigned i = 0; i < scm->note_count; i++) {
		const struct scm_note *note = &scm->notes[i];
		int err = -EINVAL;

		if (note->level == LX_SOL_IPV6 && !socket->v6)
			continue; /* ip_cmsg_send() passes over other levels */
		if (note->level == LX_SOL_IP && socket->v6)
			continue;
		if (note->type == (socket->v6 ? LX_IPV6_PKTINFO : LX_IP_PKTINFO))
			err = note_pktinfo(note, ret);
		else if (note->type == (socket->v6 ? LX_IPV6_HOPLIMIT : LX_IP_TTL))
			err = note_int(note, socket->v6 ? -1 : 1, &ret->ttl);
		else if (note->type == (socket->v6 ? LX_IPV6_TCLASS : LX_IP_TOS))
			err = note_int(note, socket->v6 ? -1 : 0, &ret->tos);
		if (err < 0)
			return err;
	}
	return 0;
}

/* ---- received
 * ------------------------------------------------------------------------------------ */

static void write_stamp(
	const struct inet_socket *socket, const struct inet_datagram *datagram, struct scm *scm)
{
	struct lx_timespec nano = {.tv_sec = datagram->received_at / 1000000000,
		.tv_nsec = datagram->received_at % 1000000000};
	struct lx_timeval micro = {.tv_sec = nano.tv_sec, .tv_usec = nano.tv_nsec / 1000};

	if (socket->want_stamp == INET_STAMP_MICRO)
		scm_note(scm, LX_SOL_SOCKET, LX_SO_TIMESTAMP, &micro, sizeof(micro));
	else if (socket->want_stamp == INET_STAMP_NANO)
		scm_note(scm, LX_SOL_SOCKET, LX_SO_TIMESTAMPNS, &nano, sizeof(nano));
}

static void write_pktinfo(
	const struct inet_socket *socket, const struct inet_datagram *datagram, struct scm *scm)
{
	struct lx_in6_pktinfo info6 = {.ipi6_ifindex = LO_INDEX};
	struct lx_in_pktinfo info = {.ipi_ifindex = LO_INDEX};

	if (socket->v6) {
		memcpy(info6.ipi6_addr, datagram->to.address.bytes, sizeof(info6.ipi6_addr));
		scm_note(scm, LX_SOL_IPV6, LX_IPV6_PKTINFO, &info6, sizeof(info6));
	} else {
		memcpy(&info.ipi_addr, datagram->to.address.bytes + 12, sizeof(info.ipi_addr));
		info.ipi_spec_dst = info.ipi_addr;
		scm_note(scm, LX_SOL_IP, LX_IP_PKTINFO, &info, sizeof(info));
	}
}

void inet_write_control(
	const struct inet_socket *socket, const struct inet_datagram *datagram, struct scm *scm)
{
	int ttl = datagram->ttl, tos = datagram->tos;

	write_stamp(socket, datagram, scm);
	if (socket->want_pktinfo)
		write_pktinfo(socket, datagram, scm);
	if (socket->want_ttl) {
		if (socket->v6)
			scm_note(scm, LX_SOL_IPV6, LX_IPV6_HOPLIMIT, &ttl, sizeof(ttl));
		else
			scm_note(scm, LX_SOL_IP, LX_IP_TTL, &ttl, sizeof(ttl));
	}
	if (socket->want_tos) {
		if (socket->v6)
			scm_note(scm, LX_SOL_IPV6, LX_IPV6_TCLASS, &tos, sizeof(tos));
		else
			scm_note(scm, LX_SOL_IP, LX_IP_TOS, &datagram->tos, 1);
	}
}
