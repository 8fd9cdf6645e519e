/* SPDX-License-Identifier: Apache-2.0 */
/*
 * IPv6's extension headers (RFC 8200 section 4): walked one after another, at most HEADERS_MAX of
 * them with OPTIONS_MAX options in all (RFC 8504 section 5.3), up to a fragment header or what the
 * packet carries.
 */
#include "netstack/ip_private.h"

#include "base/checked.h"

#define HEADERS_MAX	8u
#define OPTIONS_MAX	16u
#define HEADER_SIZE_MAX 2048u

#define OPTION_PAD1	    0u
#define OPTION_PADN	    1u
#define OPTION_ROUTER_ALERT 5u

static void drop(struct netstack *stack, struct ip_info *info)
{
	stack->counters.ip[1].in_header_errors++;
	netbuf_queue_clear(info->packet);
}

/* What to do with an option that is not known is in its first two bits (section 4.2). False: the
 * packet was dropped. */
static bool unknown_option(struct netstack *stack, struct ip_info *info, uint8_t type, uint32_t at)
{
	switch (type >> 6) {
	case 0:
		return true;
	case 1:
		break;
	case 2:
		icmp_parameter_problem(stack, info, 2, at);
		break;
	default:
		if (!info->multicast)
			icmp_parameter_problem(stack, info, 2, at);
		break;
	}
	drop(stack, info);
	return false;
}

static bool walk_options(
	struct netstack *stack, struct ip_info *info, uint32_t size, unsigned *count)
{
	uint32_t at = info->offset + 2, end = info->offset + size;

	while (at < end) {
		uint8_t head[2] = {0};

		netbuf_peek(info->packet, at, head, min_of(2u, end - at));
		if (head[0] == OPTION_PAD1) {
			at++;
			continue;
		}
		if (end - at < 2 || head[1] > end - at - 2 || ++*count > OPTIONS_MAX) {
			drop(stack, info);
			return false;
		}
		if (head[0] == OPTION_ROUTER_ALERT)
			info->router_alert = true;
		else if (head[0] != OPTION_PADN && !unknown_option(stack, info, head[0], at))
			return false;
		at += 2u + head[1];
	}
	return true;
}

/* False: consumed. */
static bool take_fragment(struct netstack *stack, struct ip_info *info)
{
	uint8_t header[8];
	struct ip_fragment fragment;

	if (info->packet->size - info->offset < sizeof(header)) {
		drop(stack, info);
		return false;
	}
	netbuf_peek(info->packet, info->offset, header, sizeof(header));
	fragment = (struct ip_fragment){
		.id = get32(header + 4),
		.start = get16(header + 2) & 0xfff8u,
		.more = header[3] & 1,
		.next = header[0],
	};
	info->protocol = header[0];
	info->offset += sizeof(header);
	/* One that is the whole packet stands for itself (RFC 6946). */
	if (fragment.start == 0 && !fragment.more)
		return true;
	/* RFC 8200 section 4.5: other than the last ones are multiples of 8 long. */
	if (fragment.more && (info->packet->size - info->offset) % 8 != 0) {
		icmp_parameter_problem(stack, info, 0, 4);
		drop(stack, info);
		return false;
	}
	return ip_reassemble(stack, info, &fragment);
}

void ip6_walk(struct netstack *stack, struct ip_info *info)
{
	unsigned options = 0;

	for (unsigned i = 0; i <= HEADERS_MAX; i++) {
		uint8_t header[4] = {0};
		uint32_t there = info->packet->size - info->offset, size;

		if (info->protocol == PROTO_FRAGMENT) {
			info->next_offset = info->offset;
			if (!take_fragment(stack, info))
				return;
			continue;
		}
		if (info->protocol != PROTO_HOP_BY_HOP && info->protocol != PROTO_DESTINATIONS &&
			info->protocol != PROTO_ROUTING) {
			ip_deliver(stack, info);
			return;
		}
		if (there < 8)
			break;
		netbuf_peek(info->packet, info->offset, header, sizeof(header));
		size = (header[1] + 1u) * 8;
		if (size > there || size > HEADER_SIZE_MAX)
			break;
		/* Section 4.1: it stands first, or nowhere. */
		if (info->protocol == PROTO_HOP_BY_HOP && info->offset != IP6_HEADER) {
			icmp_parameter_problem(stack, info, 1, info->next_offset);
			break;
		}
		if (info->protocol == PROTO_ROUTING) {
			/* We are on nobody's way (RFC 5095); one that is done is skipped. */
			if (header[3] != 0) {
				icmp_parameter_problem(stack, info, 0, info->offset + 2);
				break;
			}
		} else if (!walk_options(stack, info, size, &options)) {
			return;
		}
		info->next_offset = info->offset;
		info->protocol = header[0];
		info->offset += size;
	}
	drop(stack, info);
}
