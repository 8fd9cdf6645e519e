/* SPDX-License-Identifier: Apache-2.0 */
/* Frames become words, with everything checked that can be: lengths, checksums, the payload's
 * pattern. */
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "frames.h"
#include "netstack/ip.h"

struct reader {
	struct frame_context *context;
	const struct frame *frame;
	size_t at, end;
	char *text;
	size_t room, used;
	struct inet_address from, to;
	bool fragment; /* checksums cannot be checked */
	bool quoted;   /* likewise: cut off */
};

static void __attribute__((format(printf, 2, 3))) say(struct reader *r, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(r->text + r->used, r->room - r->used, format, args);
	va_end(args);
	r->used += (size_t)n < r->room - r->used ? (size_t)n : r->room - r->used - 1;
}

static unsigned get16(const struct reader *r, size_t at)
{
	return (unsigned)(r->frame->bytes[at] << 8 | r->frame->bytes[at + 1]);
}

static uint32_t get32(const struct reader *r, size_t at)
{
	return (uint32_t)get16(r, at) << 16 | get16(r, at + 2);
}

static void say_address(struct reader *r, const struct inet_address *address)
{
	char text[64];

	if (inet_is_v4(address))
		inet_ntop(AF_INET, address->bytes + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, address->bytes, text, sizeof(text));
	say(r, " %s", text);
}

static void say_hardware(struct reader *r, const char *word, size_t at)
{
	const uint8_t *b = r->frame->bytes + at;

	say(r, " %s %02x:%02x:%02x:%02x:%02x:%02x", word, b[0], b[1], b[2], b[3], b[4], b[5]);
}

static void check_pattern(struct reader *r, size_t start, size_t first)
{
	for (size_t i = start; i < r->end; i++) {
		size_t k = i - start + first;

		if (r->frame->bytes[i] != (uint8_t)(k * 31 + (k >> 8) + 7)) {
			say(r, " baddata");
			return;
		}
	}
}

static void check_sum(
	struct reader *r, size_t start, size_t covered, size_t whole, uint8_t protocol)
{
	unsigned first = inet_is_v4(&r->from) ? 12 : 0;
	bool pseudo = protocol != 1 && protocol != 2;
	uint32_t sum = 0;

	if (r->quoted || r->fragment)
		return;
	if (pseudo) {
		sum = protocol + (uint32_t)whole;
		sum = ip_checksum_bytes(r->from.bytes + first, 16 - first, sum);
		sum = ip_checksum_bytes(r->to.bytes + first, 16 - first, sum);
	}
	if (r->frame->needs_checksum) {
		say(r, " partial");
		if (r->frame->checksum_start != start ||
			get16(r, start + r->frame->checksum_offset) !=
				(uint16_t)~ip_checksum_end(sum))
			say(r, " badsum");
		return;
	}
	if (ip_checksum_end(ip_checksum_bytes(r->frame->bytes + start, covered, sum)) != 0)
		say(r, " badsum");
}

static void describe_ip(struct reader *r);

static void describe_tcp(struct reader *r)
{
	size_t at = r->at, header;
	uint8_t flags = r->frame->bytes[at + 13];
	uint32_t seq = get32(r, at + 4);
	char letters[8];
	unsigned count = 0;

	if (r->end - at < 20) {
		say(r, " tcp %u > %u", get16(r, at), get16(r, at + 2));
		return;
	}
	header = (r->frame->bytes[at + 12] >> 4) * 4u;
	for (unsigned i = 0; i < 6; i++)
		if (flags & (1u << i))
			letters[count++] = "FSRP.U"[i];
	letters[count] = '\0';
	if ((flags & 0x02) && !r->quoted && !r->context->own_iss_known) {
		r->context->own_iss = seq;
		r->context->own_iss_known = true;
	}
	say(r, " tcp %u > %u %s seq %u", get16(r, at), get16(r, at + 2), letters,
		seq - (r->context->own_iss_known ? r->context->own_iss : 0));
	if (flags & 0x10)
		say(r, " ack %u", get32(r, at + 8) - r->context->peer_iss);
	for (size_t i = at + 20; i + 1 < at + header && r->frame->bytes[i];) {
		const uint8_t *option = r->frame->bytes + i;

		if (option[0] == 2)
			say(r, " mss %u", get16(r, i + 2));
		else if (option[0] == 3)
			say(r, " wscale %u", option[2]);
		else if (option[0] == 4)
			say(r, " sackok");
		else if (option[0] == 8)
			say(r, " ts");
		else if (option[0] == 5)
			say(r, " sack %u", get32(r, i + 2) - r->context->peer_iss);
		i += option[0] == 1 ? 1 : option[1] ? option[1] : 40;
	}
	if (r->end > at + header)
		say(r, " size %zu", r->end - at - header);
	check_sum(r, at, r->end - at, r->end - at, 6);
}

static void describe_udp(struct reader *r, uint8_t protocol)
{
	size_t at = r->at, whole = r->end - at, covered = whole;
	unsigned length = get16(r, at + 4);

	say(r, " %s %u > %u %zu", protocol == 17 ? "udp" : "udplite", get16(r, at),
		get16(r, at + 2), r->fragment || r->quoted ? (size_t)length - 8 : whole - 8);
	if (protocol == 136 && length) {
		say(r, " coverage %u", length);
		covered = length;
	} else if (protocol == 17 && length != whole && !r->fragment && !r->quoted) {
		say(r, " badlength");
	}
	check_sum(r, at, covered, whole, protocol);
	check_pattern(r, at + 8, 0);
}

static void describe_options(struct reader *r, size_t at)
{
	while (at + 8 <= r->end) {
		const uint8_t *option = r->frame->bytes + at;

		if (option[0] == 1 || option[0] == 2)
			say_hardware(r, "at", at + 2);
		at += option[1] ? option[1] * 8u : 1000;
	}
}

static void describe_icmp(struct reader *r, uint8_t protocol)
{
	size_t at = r->at;
	uint8_t type = r->frame->bytes[at], code = r->frame->bytes[at + 1];
	struct inet_address target;

	check_sum(r, at, r->end - at, r->end - at, protocol);
	if (protocol == 58 && (type == 135 || type == 136)) {
		uint8_t flags = r->frame->bytes[at + 4];

		say(r, type == 135 ? " ns" : " na");
		memcpy(target.bytes, r->frame->bytes + at + 8, 16);
		say_address(r, &target);
		say(r, "%s%s%s", flags & 0x80 ? " router" : "", flags & 0x40 ? " solicited" : "",
			flags & 0x20 ? " override" : "");
		describe_options(r, at + 24);
		return;
	}
	if (protocol == 58 && type == 133) {
		say(r, " rs");
		describe_options(r, at + 8);
		return;
	}
	if (protocol == 58 && type == 143) {
		memcpy(target.bytes, r->frame->bytes + at + 12, 16);
		say(r, " mld %u", r->frame->bytes[at + 8]);
		say_address(r, &target);
		return;
	}
	say(r, " %s %u %u", protocol == 1 ? "icmp" : "icmp6", type, code);
	if (protocol == 1 ? type == 0 || type == 8 : type >= 128) {
		say(r, " word %08x data %zu", get32(r, at + 4), r->end - at - 8);
		check_pattern(r, at + 8, 0);
		return;
	}
	if (get32(r, at + 4))
		say(r, " word %08x", get32(r, at + 4));
	say(r, " about");
	r->quoted = true;
	r->at += 8;
	describe_ip(r);
}

static void describe_transport(struct reader *r, uint8_t protocol)
{
	struct inet_address group;

	if (r->end - r->at < 8)
		say(r, " data %zu", r->end - r->at);
	else if (protocol == 6)
		describe_tcp(r);
	else if (protocol == 17 || protocol == 136)
		describe_udp(r, protocol);
	else if (protocol == 1 || protocol == 58)
		describe_icmp(r, protocol);
	else if (protocol == 2 && r->end - r->at >= 16) {
		group = inet_from_v4(r->frame->bytes + r->at + 12);
		check_sum(r, r->at, r->end - r->at, r->end - r->at, 2);
		say(r, " igmp %u", r->frame->bytes[r->at + 8]);
		say_address(r, &group);
	} else
		say(r, " proto %u data %zu", protocol, r->end - r->at);
}

static void describe_ip4(struct reader *r)
{
	const uint8_t *header = r->frame->bytes + r->at;
	size_t size = (header[0] & 0xf) * 4u, length = get16(r, r->at + 2);
	unsigned fragment = get16(r, r->at + 6);

	r->from = inet_from_v4(header + 12);
	r->to = inet_from_v4(header + 16);
	say(r, " ip4");
	say_address(r, &r->from);
	say(r, " >");
	say_address(r, &r->to);
	say(r, " ttl %u", header[8]);
	if (header[1])
		say(r, " tos %u", header[1]);
	if (fragment & 0x1fff)
		say(r, " at %u", (fragment & 0x1fff) * 8);
	if (fragment & 0x2000)
		say(r, " more");
	if (fragment & 0x4000)
		say(r, " df");
	if (ip_checksum_end(ip_checksum_bytes(header, size, 0)) != 0)
		say(r, " badsum");
	if (!r->quoted && length != r->end - r->at)
		say(r, " badlength");
	if (size > 20)
		say(r, " options");
	r->fragment = fragment & 0x3fff;
	r->at += size;
	if (fragment & 0x1fff)
		say(r, " data %zu", r->end - r->at);
	else
		describe_transport(r, header[9]);
}

static void describe_ip6(struct reader *r)
{
	const uint8_t *header = r->frame->bytes + r->at;
	uint8_t next = header[6];
	bool later = false;

	memcpy(r->from.bytes, header + 8, 16);
	memcpy(r->to.bytes, header + 24, 16);
	say(r, " ip6");
	say_address(r, &r->from);
	say(r, " >");
	say_address(r, &r->to);
	say(r, " hops %u", header[7]);
	if (!r->quoted && get16(r, r->at + 4) + 40u != r->end - r->at)
		say(r, " badlength");
	r->at += 40;
	while (next == 0 || next == 60 || next == 44) {
		const uint8_t *extension = r->frame->bytes + r->at;

		if (next == 44) {
			unsigned offset = get16(r, r->at + 2);

			say(r, " fragment at %u%s", offset & 0xfff8, offset & 1 ? " more" : "");
			later = offset & 0xfff8;
			r->fragment = true;
			r->at += 8;
		} else {
			say(r, next == 0 ? " hop" : " dest");
			r->at += extension[1] * 8u + 8;
		}
		next = extension[0];
	}
	if (later)
		say(r, " data %zu", r->end - r->at);
	else
		describe_transport(r, next);
}

static void describe_ip(struct reader *r)
{
	if (r->end - r->at >= 20 && r->frame->bytes[r->at] >> 4 == 4)
		describe_ip4(r);
	else if (r->end - r->at >= 40 && r->frame->bytes[r->at] >> 4 == 6)
		describe_ip6(r);
	else
		say(r, " what");
}

static void describe_arp(struct reader *r)
{
	size_t at = r->at;
	struct inet_address from = inet_from_v4(r->frame->bytes + at + 14);
	struct inet_address to = inet_from_v4(r->frame->bytes + at + 24);

	say(r, " arp %s", get16(r, at + 6) == 1 ? "request" : "reply");
	say_address(r, &from);
	say_hardware(r, "at", at + 8);
	say(r, " for");
	say_address(r, &to);
}

void frame_describe(
	struct frame_context *context, const struct frame *frame, char *text, size_t size)
{
	struct reader r = {
		.context = context, .frame = frame, .text = text, .room = size, .end = frame->size};

	text[0] = '\0';
	if (context->ethernet) {
		say_hardware(&r, "to", 0);
		r.at = 14;
		if (get16(&r, 12) == 0x806) {
			describe_arp(&r);
			return;
		}
	}
	describe_ip(&r);
	if (frame->segment_size)
		say(&r, " pieces %u", frame->segment_size);
}
