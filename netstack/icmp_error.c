/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ICMP errors tell (RFC 1122 section 3.2.2.1, 4.2.3.9; RFC 4443 section 3): the packet that
 * each quotes leads to the endpoint that sent it. Anybody can send such a thing, so it counts only
 * if it quotes what is under way: of TCP a sequence number that is not acknowledged yet (RFC 5927
 * section 4.1), of UDP the pair of a connected socket or a bound one. The path MTU is learnt the
 * same way (RFC 1191, RFC 8201).
 */
#include "netstack/icmp_private.h"

#include <errno.h>

#include "base/checked.h"

/* icmp_err_convert and icmpv6_err_convert(): by code of destination unreachable. Soft ones are
 * told to those who ask for the error queue only. */
static const struct {
	int error;
	bool hard;
} unreachable4[] =
	{
		{ENETUNREACH, false},
		{EHOSTUNREACH, false},
		{ENOPROTOOPT, true},
		{ECONNREFUSED, true},
		{EMSGSIZE, false},
		{EOPNOTSUPP, false},
		{ENETUNREACH, true},
		{EHOSTDOWN, true},
		{ENONET, true},
		{ENETUNREACH, true},
		{EHOSTUNREACH, true},
		{ENETUNREACH, false},
		{EHOSTUNREACH, false},
		{EHOSTUNREACH, true},
		{EHOSTUNREACH, true},
		{EHOSTUNREACH, true},
},
  unreachable6[] = {
	  {ENETUNREACH, false},
	  {EACCES, true},
	  {EHOSTUNREACH, false},
	  {EHOSTUNREACH, false},
	  {ECONNREFUSED, true},
	  {EACCES, true},
	  {EACCES, true},
};

static bool classify4(const uint8_t *header, struct inet_report *ret)
{
	if (header[0] == ICMP4_PARAMETER) {
		ret->error = EPROTO;
		ret->hard = true;
	} else if (header[0] == ICMP4_TIME) {
		ret->error = EHOSTUNREACH;
	} else if (header[1] < sizeof(unreachable4) / sizeof(*unreachable4)) {
		ret->error = unreachable4[header[1]].error;
		ret->hard = unreachable4[header[1]].hard;
	} else {
		return false;
	}
	ret->too_big = header[0] == ICMP4_UNREACHABLE && header[1] == ICMP4_TOO_BIG;
	if (ret->too_big)
		ret->info = get16(header + 6);
	return true;
}

static bool classify6(const uint8_t *header, struct inet_report *ret)
{
	ret->hard = true;
	if (header[0] == ICMP6_PARAMETER) {
		ret->error = EPROTO;
	} else if (header[0] == ICMP6_TIME) {
		ret->error = EHOSTUNREACH;
		ret->hard = false;
	} else if (header[0] == ICMP6_TOO_BIG) {
		ret->error = EMSGSIZE;
		ret->too_big = true;
		ret->info = get32(header + 4);
	} else if (header[1] < sizeof(unreachable6) / sizeof(*unreachable6)) {
		ret->error = unreachable6[header[1]].error;
		ret->hard = unreachable6[header[1]].hard;
	} else {
		return false;
	}
	return true;
}

/* The quoted packet's names; ret->offset is where its transport begins. */
struct quote {
	struct inet_name from, to;
	uint8_t protocol;
	uint32_t size;	 /* what its header says */
	uint32_t offset; /* of the transport, in the message */
	uint32_t seq;
};

static bool read_quote4(struct netbuf_queue *packet, uint32_t at, struct quote *ret)
{
	uint8_t header[IP4_HEADER];
	unsigned size;

	if (packet->size - at < IP4_HEADER)
		return false;
	netbuf_peek(packet, at, header, sizeof(header));
	size = (header[0] & 0xf) * 4u;
	/* Later fragments name no ports. */
	if (header[0] >> 4 != 4 || size < IP4_HEADER || (get16(header + 6) & 0x1fff) != 0)
		return false;
	ret->from.address = inet_from_v4(header + 12);
	ret->to.address = inet_from_v4(header + 16);
	ret->protocol = header[9];
	ret->size = get16(header + 2);
	ret->offset = at + size;
	return true;
}

static bool read_quote6(struct netbuf_queue *packet, uint32_t at, struct quote *ret)
{
	uint8_t header[IP6_HEADER], fragment[8];

	if (packet->size - at < IP6_HEADER)
		return false;
	netbuf_peek(packet, at, header, sizeof(header));
	if (header[0] >> 4 != 6)
		return false;
	ret->from.address = get_address6(header + 8);
	ret->to.address = get_address6(header + 24);
	ret->protocol = header[6];
	ret->size = IP6_HEADER + get16(header + 4);
	ret->offset = at + IP6_HEADER;
	/* We send no other extension headers before a transport. */
	if (ret->protocol == PROTO_FRAGMENT && packet->size - ret->offset >= sizeof(fragment)) {
		netbuf_peek(packet, ret->offset, fragment, sizeof(fragment));
		if (get16(fragment + 2) & 0xfff8)
			return false;
		ret->protocol = fragment[0];
		ret->offset += sizeof(fragment);
	}
	return true;
}

static bool read_quote(struct ip_info *info, struct quote *ret)
{
	uint32_t at = info->offset + ICMP_HEADER;
	uint8_t ports[8];

	*ret = (struct quote){0};
	if (!(info->v4 ? read_quote4(info->packet, at, ret) : read_quote6(info->packet, at, ret)))
		return false;
	if (ret->offset > info->packet->size || info->packet->size - ret->offset < sizeof(ports))
		return false;
	netbuf_peek(info->packet, ret->offset, ports, sizeof(ports));
	ret->from.port = get16(ports);
	ret->to.port = get16(ports + 2);
	ret->seq = get32(ports + 4);
	return true;
}

/* RFC 1191 section 3: an old router does not say; the next of the usual sizes below is tried. */
static uint32_t believed_mtu(const struct ip_info *info, const struct quote *quote, uint32_t said)
{
	static const uint16_t plateaus[] = {32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296};

	if (!info->v4 || said >= INET_MTU_MIN4)
		return said;
	for (unsigned i = 0; i < sizeof(plateaus) / sizeof(*plateaus); i++)
		if (plateaus[i] < quote->size)
			return plateaus[i];
	return INET_MTU_MIN4;
}

static void to_tcp(struct netstack *stack, struct ip_info *info, const struct quote *quote,
	struct inet_report *error)
{
	struct inet_endpoint *found = inet_find_pair(stack, INET_TCP, &quote->from, &quote->to);
	const struct tcp *tcp;

	if (!found)
		return;
	tcp = &inet_tcp_of(found)->tcp;
	if (quote->seq - tcp->snd_una >= max_of(tcp->snd_nxt - tcp->snd_una, 1u))
		return;
	if (error->too_big) {
		error->info = believed_mtu(info, quote, error->info);
		error->info = path_mtu_learn(stack, &quote->to.address, error->info);
		inet_tcp_path_mtu(inet_tcp_of(found), error->info);
		return;
	}
	inet_tcp_unreachable(inet_tcp_of(found), error->error);
}

static void to_udp(struct netstack *stack, struct ip_info *info, const struct quote *quote,
	struct inet_report *error)
{
	struct inet_endpoint *found =
		inet_find_pair(stack, quote->protocol, &quote->from, &quote->to);

	if (!found)
		found = inet_find_bound(stack, quote->protocol, false, &quote->from, &quote->to,
			info->netif->index);
	if (!found)
		return;
	if (error->too_big) {
		error->info = believed_mtu(info, quote, error->info);
		error->info = path_mtu_learn(stack, &quote->to.address, error->info);
		error->hard = found->mtu_discover != INET_MTU_DONT;
	}
	inet_udp_report(inet_udp_of(found), error);
}

/* raw_icmp_error(), ping_err(). */
static void to_raw(
	struct netstack *stack, const struct quote *quote, const struct inet_report *error)
{
	struct raw_hook *hook, *next;

	list_for_each_entry_safe (hook, next, &stack->raw, link) {
		if (hook->endpoint && hook->protocol == quote->protocol &&
			hook->ipv6 == !inet_is_v4(&quote->to.address) &&
			(hook->id < 0 || (uint32_t)hook->id == quote->seq >> 16))
			inet_udp_report(hook->endpoint, error);
	}
}

void icmp_error_input(struct netstack *stack, struct ip_info *info, const uint8_t *header)
{
	struct quote quote;
	struct inet_report error = {
		.origin = info->v4 ? INET_ORIGIN_ICMP : INET_ORIGIN_ICMP6,
		.type = header[0],
		.code = header[1],
		.offender = info->from,
	};

	if (!read_quote(info, &quote) ||
		!(info->v4 ? classify4(header, &error) : classify6(header, &error)) ||
		!netstack_is_local(stack, &quote.from.address)) {
		stack->counters.icmp[ip_family(info->v4)].in_errors++;
		return;
	}
	error.from = quote.from;
	error.to = quote.to;
	error.quote = info->packet;
	error.quote_offset = quote.offset + (quote.protocol == INET_TCP ? 20 : 8);
	error.quote_offset = min_of(error.quote_offset, info->packet->size);
	if (quote.protocol == INET_TCP)
		to_tcp(stack, info, &quote, &error);
	else if (quote.protocol == INET_UDP || quote.protocol == INET_UDPLITE)
		to_udp(stack, info, &quote, &error);
	else
		to_raw(stack, &quote, &error);
}
