/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words become frames. Layers stand one after another, each with its own words; lengths, next
 * headers and checksums are filled in from the inside out unless a word says otherwise.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frames.h"
#include "netstack/ip.h"

#define LAYERS_MAX 16

enum layer_type { LAYER_IP4, LAYER_IP6, LAYER_EXT, LAYER_TRANSPORT };

struct layer {
	enum layer_type type;
	size_t at;	 /* of its first byte */
	size_t next_at;	 /* of the byte that names what follows */
	int checksum_at; /* from its first byte; -1: none */
	bool pseudo, no_length, wrong_sum, no_sum;
	uint8_t protocol;
	long length;	 /* said by a word; -1: as it is */
	bool next_given; /* likewise what follows */
	uint32_t coverage;
	struct inet_address from, to; /* of the IP layer before it */
};

struct builder {
	struct frame_context *context;
	char **words;
	unsigned at, count;
	const char *error;
	struct frame *frame;
	struct layer layers[LAYERS_MAX];
	unsigned layer_count;
	struct inet_address from, to;
	bool part;
	size_t part_from, part_to, cut, pad;
};

static void put(struct builder *b, const void *bytes, size_t size)
{
	if (b->frame->size + size > FRAME_MAX) {
		b->error = "too long";
		return;
	}
	memcpy(b->frame->bytes + b->frame->size, bytes, size);
	b->frame->size += size;
}

static void put_number(struct builder *b, uint64_t value, unsigned size)
{
	uint8_t bytes[32] = {0};

	for (unsigned i = 0; i < size && i < 8; i++)
		bytes[size - 1 - i] = (uint8_t)(value >> 8 * i);
	put(b, bytes, size);
}

static const char *next(struct builder *b)
{
	if (b->at < b->count)
		return b->words[b->at++];
	b->error = b->error ? b->error : "a word is missing";
	return "";
}

/* The next word is @word: it is taken. */
static bool word_is(struct builder *b, const char *word)
{
	if (b->at < b->count && strcmp(b->words[b->at], word) == 0) {
		b->at++;
		return true;
	}
	return false;
}

static long number(struct builder *b)
{
	const char *word = next(b);
	char *end;
	long value = strtol(word, &end, 0);

	if (*end || !*word)
		b->error = b->error ? b->error : "not a number";
	return value;
}

static struct inet_address address(struct builder *b)
{
	struct inet_address ret = {{0}};

	if (!frame_address(next(b), &ret, NULL))
		b->error = b->error ? b->error : "not an address";
	return ret;
}

static void hardware(struct builder *b, uint8_t ret[6])
{
	unsigned x[6];

	if (sscanf(next(b), "%x:%x:%x:%x:%x:%x", x, x + 1, x + 2, x + 3, x + 4, x + 5) != 6)
		b->error = b->error ? b->error : "not a hardware address";
	else
		for (unsigned i = 0; i < 6; i++)
			ret[i] = (uint8_t)x[i];
}

static void put_hex(struct builder *b)
{
	const char *word = next(b);
	unsigned value;

	for (; sscanf(word, "%2x", &value) == 1; word += 2)
		put_number(b, value, 1);
	if (*word)
		b->error = b->error ? b->error : "not hexadecimal";
}

static void put_pattern(struct builder *b, size_t size)
{
	for (size_t i = 0; i < size && !b->error; i++)
		put_number(b, (uint8_t)(i * 31 + (i >> 8) + 7), 1);
}

static struct layer *begin(struct builder *b, enum layer_type type, uint8_t protocol)
{
	struct layer *layer = &b->layers[b->layer_count];

	if (b->layer_count == LAYERS_MAX - 1)
		b->error = "too many layers";
	else
		b->layer_count++;
	*layer = (struct layer){.type = type,
		.at = b->frame->size,
		.protocol = protocol,
		.checksum_at = -1,
		.length = -1,
		.from = b->from,
		.to = b->to};
	return layer;
}

static uint8_t *byte_at(struct builder *b, size_t at)
{
	return b->frame->bytes + at;
}

static void set16(struct builder *b, size_t at, uint16_t value)
{
	b->frame->bytes[at] = (uint8_t)(value >> 8);
	b->frame->bytes[at + 1] = (uint8_t)value;
}

/* ---- layers -------------------------------------------------------------------------------------
 */

static void build_arp(struct builder *b)
{
	static const uint8_t start[] = {0, 1, 8, 0, 6, 4};
	uint8_t sender[6], target[6] = {0};
	struct inet_address from, to;
	bool reply = strcmp(next(b), "reply") == 0;

	memcpy(sender, b->context->peer, 6);
	from = address(b);
	if (word_is(b, "at"))
		hardware(b, sender);
	if (!word_is(b, "for"))
		b->error = b->error ? b->error : "for is missing";
	to = address(b);
	if (reply)
		memcpy(target, b->context->own, 6);
	put(b, start, sizeof(start));
	put_number(b, reply ? 2 : 1, 2);
	put(b, sender, 6);
	put(b, from.bytes + 12, 4);
	put(b, target, 6);
	put(b, to.bytes + 12, 4);
}

static void build_ip4(struct builder *b)
{
	struct layer *layer = begin(b, LAYER_IP4, 0);
	unsigned ttl = 64, tos = 0, id = 0, fragment = 0, version = 4;
	long ihl = -1;

	b->from = address(b);
	if (!word_is(b, ">"))
		b->error = b->error ? b->error : "> is missing";
	b->to = address(b);
	layer->next_at = layer->at + 9;
	put_number(b, 0, 20);
	for (;;) {
		if (word_is(b, "ttl"))
			ttl = (unsigned)number(b);
		else if (word_is(b, "tos"))
			tos = (unsigned)number(b);
		else if (word_is(b, "id"))
			id = (unsigned)number(b);
		else if (word_is(b, "at"))
			fragment |= (unsigned)number(b) / 8;
		else if (word_is(b, "more"))
			fragment |= 0x2000;
		else if (word_is(b, "df"))
			fragment |= 0x4000;
		else if (word_is(b, "version"))
			version = (unsigned)number(b);
		else if (word_is(b, "ihl"))
			ihl = number(b);
		else if (word_is(b, "length"))
			layer->length = number(b);
		else if (word_is(b, "badsum"))
			layer->wrong_sum = true;
		else if (word_is(b, "options"))
			put_hex(b);
		else if (word_is(b, "proto")) {
			*byte_at(b, layer->next_at) = (uint8_t)number(b);
			layer->next_given = true;
		} else
			break;
	}
	if (ihl < 0)
		ihl = (long)(b->frame->size - layer->at) / 4;
	*byte_at(b, layer->at) = (uint8_t)(version << 4 | (unsigned)ihl);
	*byte_at(b, layer->at + 1) = (uint8_t)tos;
	set16(b, layer->at + 4, (uint16_t)id);
	set16(b, layer->at + 6, (uint16_t)fragment);
	*byte_at(b, layer->at + 8) = (uint8_t)ttl;
	memcpy(byte_at(b, layer->at + 12), b->from.bytes + 12, 4);
	memcpy(byte_at(b, layer->at + 16), b->to.bytes + 12, 4);
}

static void build_ip6(struct builder *b)
{
	struct layer *layer = begin(b, LAYER_IP6, 0);
	unsigned hops = 64, class = 0;

	b->from = address(b);
	if (!word_is(b, ">"))
		b->error = b->error ? b->error : "> is missing";
	b->to = address(b);
	layer->next_at = layer->at + 6;
	put_number(b, 0, 8);
	put(b, b->from.bytes, 16);
	put(b, b->to.bytes, 16);
	for (;;) {
		if (word_is(b, "hops"))
			hops = (unsigned)number(b);
		else if (word_is(b, "class"))
			class = (unsigned)number(b);
		else if (word_is(b, "length"))
			layer->length = number(b);
		else if (word_is(b, "proto")) {
			*byte_at(b, layer->next_at) = (uint8_t)number(b);
			layer->next_given = true;
		} else
			break;
	}
	*byte_at(b, layer->at) = (uint8_t)(0x60 | class >> 4);
	*byte_at(b, layer->at + 1) = (uint8_t)(class << 4);
	*byte_at(b, layer->at + 7) = (uint8_t)hops;
}

/* An extension header: its first byte is what follows, the second its length, the rest is said. */
static void build_extension(struct builder *b, uint8_t protocol)
{
	struct layer *layer = begin(b, LAYER_EXT, protocol);

	layer->next_at = layer->at;
	put_number(b, 0, 2);
	put_hex(b);
	while ((b->frame->size - layer->at) % 8 != 0)
		put_number(b, 0, 1);
	*byte_at(b, layer->at + 1) = (uint8_t)((b->frame->size - layer->at) / 8 - 1);
	if (word_is(b, "proto")) {
		*byte_at(b, layer->at) = (uint8_t)number(b);
		layer->next_given = true;
	}
}

static void build_fragment(struct builder *b)
{
	struct layer *layer = begin(b, LAYER_EXT, 44);
	unsigned offset = 0, more = 0;
	long id = 0;

	layer->next_at = layer->at;
	for (;;) {
		if (word_is(b, "id"))
			id = number(b);
		else if (word_is(b, "at"))
			offset = (unsigned)number(b);
		else if (word_is(b, "more"))
			more = 1;
		else
			break;
	}
	put_number(b, 0, 2);
	put_number(b, offset | more, 2);
	put_number(b, (uint64_t)id, 4);
	if (word_is(b, "proto")) {
		*byte_at(b, layer->at) = (uint8_t)number(b);
		layer->next_given = true;
	}
}

static void build_udp(struct builder *b, uint8_t protocol)
{
	struct layer *layer = begin(b, LAYER_TRANSPORT, protocol);
	long size;

	layer->checksum_at = 6;
	layer->pseudo = true;
	put_number(b, (uint64_t)number(b), 2);
	if (!word_is(b, ">"))
		b->error = b->error ? b->error : "> is missing";
	put_number(b, (uint64_t)number(b), 2);
	size = number(b);
	put_number(b, (uint64_t)size + 8, 2);
	put_number(b, 0, 2);
	put_pattern(b, (size_t)size);
	for (;;) {
		if (word_is(b, "length"))
			set16(b, layer->at + 4, (uint16_t)number(b));
		else if (word_is(b, "coverage")) {
			layer->coverage = (uint32_t)number(b);
			set16(b, layer->at + 4, (uint16_t)layer->coverage);
		} else if (word_is(b, "badsum"))
			layer->wrong_sum = true;
		else if (word_is(b, "nosum"))
			layer->no_sum = true;
		else
			break;
	}
}

static uint8_t tcp_flags(const char *word)
{
	uint8_t flags = 0;

	for (; *word; word++) {
		const char *at = strchr("FSRP.U", *word);

		flags |= at ? (uint8_t)(1u << (at - "FSRP.U")) : 0;
	}
	return flags;
}

static void build_tcp(struct builder *b)
{
	struct layer *layer = begin(b, LAYER_TRANSPORT, 6);
	uint32_t seq = 0, ack = 0;
	long size = 0, window = 65535, offset = -1;
	bool ours = false;
	uint8_t flags;

	layer->checksum_at = 16;
	layer->pseudo = true;
	put_number(b, (uint64_t)number(b), 2);
	if (!word_is(b, ">"))
		b->error = b->error ? b->error : "> is missing";
	put_number(b, (uint64_t)number(b), 2);
	flags = tcp_flags(next(b));
	put_number(b, 0, 16);
	for (;;) {
		if (word_is(b, "seq"))
			seq = (uint32_t)number(b);
		else if (word_is(b, "ack"))
			ack = (uint32_t)number(b);
		else if (word_is(b, "win"))
			window = number(b);
		else if (word_is(b, "ours"))
			ours = true;
		else if (word_is(b, "offset"))
			offset = number(b);
		else if (word_is(b, "options"))
			put_hex(b);
		else if (word_is(b, "mss")) {
			put_number(b, 0x0204, 2);
			put_number(b, (uint64_t)number(b), 2);
		} else if (word_is(b, "size"))
			size = number(b);
		else if (word_is(b, "badsum"))
			layer->wrong_sum = true;
		else
			break;
	}
	while ((b->frame->size - layer->at) % 4 != 0)
		put_number(b, 0, 1);
	if (offset < 0)
		offset = (long)(b->frame->size - layer->at) / 4;
	*byte_at(b, layer->at + 12) = (uint8_t)(offset << 4);
	*byte_at(b, layer->at + 13) = flags;
	set16(b, layer->at + 14, (uint16_t)window);
	seq += ours ? b->context->own_iss : b->context->peer_iss;
	ack += b->context->own_iss;
	set16(b, layer->at + 4, (uint16_t)(seq >> 16));
	set16(b, layer->at + 6, (uint16_t)seq);
	if (flags & 0x10) {
		set16(b, layer->at + 8, (uint16_t)(ack >> 16));
		set16(b, layer->at + 10, (uint16_t)ack);
	}
	put_pattern(b, (size_t)size);
}

/* icmp TYPE CODE [word HEX8] then layers or data; icmp6 likewise. */
static void build_icmp(struct builder *b, uint8_t protocol)
{
	struct layer *layer = begin(b, LAYER_TRANSPORT, protocol);

	layer->checksum_at = 2;
	layer->pseudo = protocol == 58;
	put_number(b, (uint64_t)number(b), 1);
	put_number(b, (uint64_t)number(b), 1);
	put_number(b, 0, 2);
	if (word_is(b, "word"))
		put_hex(b);
	else
		put_number(b, 0, 4);
	if (word_is(b, "badsum"))
		layer->wrong_sum = true;
}

static void build_nd(struct builder *b, uint8_t type)
{
	struct layer *layer = begin(b, LAYER_TRANSPORT, 58);
	struct inet_address target;
	uint8_t mac[6], flags = 0;

	layer->checksum_at = 2;
	layer->pseudo = true;
	target = address(b);
	put_number(b, type, 1);
	put_number(b, 0, 7);
	put(b, target.bytes, 16);
	for (;;) {
		if (word_is(b, "router"))
			flags |= 0x80;
		else if (word_is(b, "solicited"))
			flags |= 0x40;
		else if (word_is(b, "override"))
			flags |= 0x20;
		else if (word_is(b, "at")) {
			hardware(b, mac);
			put_number(b, type == 135 ? 0x0101 : 0x0201, 2);
			put(b, mac, 6);
		} else if (word_is(b, "option"))
			put_hex(b);
		else
			break;
	}
	*byte_at(b, layer->at + 4) = flags;
}

static void build_ra(struct builder *b)
{
	struct layer *layer = begin(b, LAYER_TRANSPORT, 58);
	long lifetime = 1800;

	layer->checksum_at = 2;
	layer->pseudo = true;
	put_number(b, 134, 1);
	put_number(b, 0, 15);
	for (;;) {
		if (word_is(b, "lifetime")) {
			lifetime = number(b);
		} else if (word_is(b, "hops")) {
			*byte_at(b, layer->at + 4) = (uint8_t)number(b);
		} else if (word_is(b, "mtu")) {
			put_number(b, 0x0501, 2);
			put_number(b, (uint64_t)number(b), 6);
		} else if (word_is(b, "option")) {
			put_hex(b);
		} else if (word_is(b, "prefix")) {
			struct inet_address prefix = {{0}};
			unsigned bits = 64;
			long valid, preferred;
			const char *flags;

			if (!frame_address(next(b), &prefix, &bits))
				b->error = "not a prefix";
			flags = next(b);
			valid = number(b);
			preferred = number(b);
			put_number(b, 0x0304, 2);
			put_number(b, bits, 1);
			put_number(b,
				(strchr(flags, 'L') ? 0x80u : 0) | (strchr(flags, 'A') ? 0x40u : 0),
				1);
			put_number(b, (uint64_t)valid, 4);
			put_number(b, (uint64_t)preferred, 4);
			put_number(b, 0, 4);
			put(b, prefix.bytes, 16);
		} else {
			break;
		}
	}
	set16(b, layer->at + 6, (uint16_t)lifetime);
}

/* ---- the whole ----------------------------------------------------------------------------------
 */

static void finish_transport(struct builder *b, const struct layer *layer, size_t end)
{
	size_t size = end - layer->at, covered = size;
	uint32_t sum = 0;
	uint16_t checksum;

	if (layer->coverage && layer->coverage < covered)
		covered = layer->coverage;
	if (layer->pseudo) {
		unsigned first = inet_is_v4(&layer->from) ? 12 : 0;

		sum = layer->protocol + (uint32_t)size;
		sum = ip_checksum_bytes(layer->from.bytes + first, 16 - first, sum);
		sum = ip_checksum_bytes(layer->to.bytes + first, 16 - first, sum);
	}
	set16(b, layer->at + (size_t)layer->checksum_at, 0);
	sum = ip_checksum_bytes(byte_at(b, layer->at), covered, sum);
	checksum = ip_checksum_end(sum);
	if (layer->protocol != 6 && checksum == 0)
		checksum = 0xffff;
	if (layer->wrong_sum)
		checksum ^= 0x1234;
	set16(b, layer->at + (size_t)layer->checksum_at, layer->no_sum ? 0 : checksum);
}

static void finish_ip(struct builder *b, unsigned i, size_t end)
{
	const struct layer *layer = &b->layers[i];
	size_t size = end - layer->at;

	if (layer->type == LAYER_IP4) {
		size_t header = (b->frame->bytes[layer->at] & 0xfu) * 4u;
		uint16_t sum;

		header = header < 20 ? 20 : header;
		set16(b, layer->at + 2,
			(uint16_t)(layer->length >= 0 ? (size_t)layer->length : size));
		sum = ip_checksum_end(ip_checksum_bytes(byte_at(b, layer->at), header, 0));
		set16(b, layer->at + 10, layer->wrong_sum ? sum ^ 0x1234 : sum);
	} else if (layer->type == LAYER_IP6) {
		set16(b, layer->at + 4,
			(uint16_t)(layer->length >= 0 ? (size_t)layer->length : size - 40));
	}
}

/* Only bytes [from, to) of what is behind the last IP or fragment header go into the frame. */
static void take_part(struct builder *b)
{
	size_t start = 0, end = b->frame->size;

	for (unsigned i = 0; i < b->layer_count; i++) {
		if (b->layers[i].type == LAYER_TRANSPORT) {
			start = b->layers[i].at;
			break;
		}
	}
	if (start + b->part_to > end || b->part_from > b->part_to) {
		b->error = "part is outside of the packet";
		return;
	}
	memmove(byte_at(b, start), byte_at(b, start + b->part_from), b->part_to - b->part_from);
	b->frame->size = start + b->part_to - b->part_from;
}

static void finish(struct builder *b)
{
	for (unsigned i = 0; i + 1 < b->layer_count; i++) {
		struct layer *layer = &b->layers[i];

		if (layer->type != LAYER_TRANSPORT && !layer->next_given)
			*byte_at(b, layer->next_at) = b->layers[i + 1].protocol;
	}
	for (unsigned i = b->layer_count; i-- > 0;) {
		if (b->layers[i].type == LAYER_TRANSPORT)
			finish_transport(b, &b->layers[i], b->frame->size);
		else if (!b->part)
			finish_ip(b, i, b->frame->size);
	}
	if (b->part) {
		take_part(b);
		for (unsigned i = b->layer_count; i-- > 0 && !b->error;)
			finish_ip(b, i, b->frame->size);
	}
	for (; b->pad; b->pad--)
		put_number(b, 0xee, 1);
	if (b->cut && b->cut < b->frame->size)
		b->frame->size = b->cut;
}

static void build_layer(struct builder *b)
{
	if (word_is(b, "arp"))
		build_arp(b);
	else if (word_is(b, "ip4"))
		build_ip4(b);
	else if (word_is(b, "ip6"))
		build_ip6(b);
	else if (word_is(b, "hop"))
		build_extension(b, 0);
	else if (word_is(b, "dest"))
		build_extension(b, 60);
	else if (word_is(b, "routing"))
		build_extension(b, 43);
	else if (word_is(b, "fragment"))
		build_fragment(b);
	else if (word_is(b, "udp"))
		build_udp(b, 17);
	else if (word_is(b, "udplite"))
		build_udp(b, 136);
	else if (word_is(b, "tcp"))
		build_tcp(b);
	else if (word_is(b, "icmp"))
		build_icmp(b, 1);
	else if (word_is(b, "icmp6"))
		build_icmp(b, 58);
	else if (word_is(b, "ns"))
		build_nd(b, 135);
	else if (word_is(b, "na"))
		build_nd(b, 136);
	else if (word_is(b, "ra"))
		build_ra(b);
	else if (word_is(b, "data"))
		put_pattern(b, (size_t)number(b));
	else if (word_is(b, "hex"))
		put_hex(b);
	else if (word_is(b, "valid"))
		b->frame->checksum_valid = true;
	else if (word_is(b, "cut"))
		b->cut = (size_t)number(b);
	else if (word_is(b, "pad"))
		b->pad = (size_t)number(b);
	else if (word_is(b, "part")) {
		b->part = true;
		b->part_from = (size_t)number(b);
		b->part_to = (size_t)number(b);
	} else
		b->error = "what is this";
}

const char *frame_build(
	struct frame_context *context, char **words, unsigned count, struct frame *ret)
{
	struct builder b = {.context = context, .words = words, .count = count, .frame = ret};
	uint8_t from[6], to[6];
	const char *first;
	uint16_t type;

	ret->size = 0;
	ret->checksum_valid = ret->needs_checksum = false;
	ret->segment_size = 0;
	memcpy(from, context->peer, 6);
	memcpy(to, context->own, 6);
	if (word_is(&b, "from"))
		hardware(&b, from);
	if (word_is(&b, "to"))
		hardware(&b, to);
	if (context->ethernet && count > b.at) {
		first = words[b.at];
		type = strcmp(first, "arp") == 0   ? 0x806
		       : strcmp(first, "ip6") == 0 ? 0x86dd
						   : 0x800;
		if (word_is(&b, "type"))
			type = (uint16_t)number(&b);
		put(&b, to, 6);
		put(&b, from, 6);
		put_number(&b, type, 2);
	}
	while (b.at < b.count && !b.error)
		build_layer(&b);
	if (!b.error)
		finish(&b);
	return b.error;
}

bool frame_address(const char *text, struct inet_address *ret, unsigned *ret_prefix)
{
	char copy[64], *slash;
	uint8_t v4[4];

	snprintf(copy, sizeof(copy), "%s", text);
	slash = strchr(copy, '/');
	if (slash) {
		*slash = '\0';
		if (ret_prefix)
			*ret_prefix = (unsigned)atoi(slash + 1);
	}
	if (inet_pton(AF_INET, copy, v4) == 1) {
		*ret = inet_from_v4(v4);
		return true;
	}
	return inet_pton(AF_INET6, copy, ret->bytes) == 1;
}
