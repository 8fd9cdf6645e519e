/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fragments become packets again (RFC 815; RFC 8200 section 4.5). Of each packet under way the
 * pieces are kept in order; one that overlaps another spoils the packet, for IPv4 as for IPv6 (RFC
 * 5722; nobody who is honest overlaps), an exact repetition is ignored.
 *
 * Anybody can send pieces of packets that never become whole. All pieces of the sandbox together
 * are bounded (MEMORY_MAX), those of one sender more tightly (SOURCE_MEMORY_MAX); beyond a bound
 * the oldest packet of that sender, or of all, is given up. So one flood spoils its sender's
 * packets alone, and one from everywhere leaves a packet the time in which MEMORY_MAX comes in.
 */
#include "netstack/ip_private.h"

#include <stdlib.h>

#include "base/checked.h"

#define SEC		  INT64_C(1000000000)
#define TIMEOUT4	  (30 * SEC)
#define TIMEOUT6	  (60 * SEC)
#define MEMORY_MAX	  (4u << 20)
#define SOURCE_MEMORY_MAX (1u << 20)
#define PIECES_MAX	  512u
#define ASSEMBLIES_MAX	  1024u /* of a stack */
#define OVERHEAD	  256u

struct piece {
	struct list_head link;
	uint32_t start; /* of the packet's payload */
	uint32_t charge;
	struct netbuf_queue data;
};

struct assembly {
	struct list_head link; /* in stack->ip.assemblies, oldest first */
	struct netstack *stack;
	struct hash_entry node;
	struct inet_address from, to;
	uint32_t id;
	uint8_t protocol;
	bool spoiled; /* an overlap: what still comes is dropped with it */
	unsigned netif_index;
	int64_t expires_at;
	struct list_head pieces; /* of struct piece, by start, disjoint */
	unsigned piece_count;
	uint32_t charge, have, whole; /* whole: payload size, 0 while not known */
	struct netbuf_queue header;   /* everything before the payload of the first piece */
	struct ip_info first;	      /* what that piece's header said */
};

static uint32_t memory; /* of all stacks */

/* ---- the table ----------------------------------------------------------------------------------
 */

static uint64_t hash_of(const struct ip_info *info, const struct ip_fragment *fragment)
{
	uint8_t key[38];

	memcpy(key, info->from.bytes, 16);
	memcpy(key + 16, info->to.bytes, 16);
	put32(key + 32, fragment->id);
	/* RFC 8200 does not count the protocol, RFC 791 does. */
	put16(key + 36, info->v4 ? info->protocol : 0);
	return hash_bytes(key, sizeof(key));
}

static struct assembly *find(
	struct netstack *stack, const struct ip_info *info, const struct ip_fragment *fragment)
{
	struct assembly *assembly;

	hash_for_each_match(assembly, &stack->ip.assembly_table, hash_of(info, fragment), node)
	{
		if (assembly->id == fragment->id && inet_equal(&assembly->from, &info->from) &&
			inet_equal(&assembly->to, &info->to) &&
			(!info->v4 || assembly->protocol == info->protocol) &&
			/* Link-local addresses are those of a link. */
			(!inet_is_link_local(&info->from) ||
				assembly->netif_index == info->netif->index))
			return assembly;
	}
	return NULL;
}

static void charge(struct assembly *assembly, uint32_t size)
{
	assembly->charge += size;
	memory += size;
}

static void drop_pieces(struct assembly *assembly)
{
	struct piece *piece, *next;

	list_for_each_entry_safe (piece, next, &assembly->pieces, link) {
		list_remove(&piece->link);
		assembly->charge -= piece->charge;
		memory -= piece->charge;
		netbuf_queue_clear(&piece->data);
		free(piece);
	}
}

static void assembly_free(struct assembly *assembly)
{
	hash_remove(&assembly->stack->ip.assembly_table, &assembly->node);
	list_remove(&assembly->link);
	assembly->stack->ip.assembly_count--;
	drop_pieces(assembly);
	netbuf_queue_clear(&assembly->header);
	memory -= assembly->charge;
	free(assembly);
}

static void set_timer(struct netstack *stack)
{
	struct assembly *oldest;

	if (list_empty(&stack->ip.assemblies)) {
		timer_cancel(&stack->ip.assembly_timer);
		return;
	}
	oldest = list_first(&stack->ip.assemblies, struct assembly, link);
	(void)timer_arm(&stack->ip.assembly_timer, (uint64_t)oldest->expires_at);
}

static void give_up(struct assembly *assembly)
{
	struct netstack *stack = assembly->stack;

	stack->counters.ip[ip_family(inet_is_v4(&assembly->to))].reassembly_fails++;
	assembly_free(assembly);
}

/* RFC 792, RFC 4443 section 3.3: the sender hears of it if the first piece is there. */
static void expire(struct assembly *assembly)
{
	struct netstack *stack = assembly->stack;
	struct ip_info info = assembly->first;
	struct netbuf_queue packet = {0};

	stack->counters.ip[ip_family(inet_is_v4(&assembly->to))].reassembly_timeouts++;
	info.netif = netif_by_index(stack, assembly->netif_index);
	if (assembly->header.size > 0 && info.netif && !assembly->spoiled &&
		!list_empty(&assembly->pieces)) {
		struct piece *piece = list_first(&assembly->pieces, struct piece, link);

		netbuf_move(&packet, &assembly->header);
		if (piece->start == 0)
			netbuf_move(&packet, &piece->data);
		info.packet = &packet;
		icmp_reassembly_timeout(stack, &info);
		netbuf_queue_clear(&packet);
	}
	give_up(assembly);
}

static void timer_expired(struct timer *timer)
{
	struct netstack *stack = timer->data;
	int64_t now = max_of((int64_t)loop_monotonic(), (int64_t)timer->deadline);

	while (!list_empty(&stack->ip.assemblies)) {
		struct assembly *oldest = list_first(&stack->ip.assemblies, struct assembly, link);

		if (oldest->expires_at > now)
			break;
		expire(oldest);
	}
	set_timer(stack);
	netstack_run(stack);
}

void ip_reassembly_init(struct netstack *stack)
{
	list_init(&stack->ip.assemblies);
	timer_init(&stack->ip.assembly_timer, timer_expired, stack);
}

void ip_reassembly_fini(struct netstack *stack)
{
	while (!list_empty(&stack->ip.assemblies))
		assembly_free(list_first(&stack->ip.assemblies, struct assembly, link));
	timer_cancel(&stack->ip.assembly_timer);
	hash_fini(&stack->ip.assembly_table);
}

/* ---- bounds -------------------------------------------------------------------------------------
 */

static uint32_t source_memory(
	struct netstack *stack, const struct inet_address *from, struct assembly **ret_oldest)
{
	struct assembly *assembly;
	uint32_t sum = 0;

	*ret_oldest = NULL;
	list_for_each_entry (assembly, &stack->ip.assemblies, link) {
		if (!inet_equal(&assembly->from, from))
			continue;
		sum += assembly->charge;
		if (!*ret_oldest)
			*ret_oldest = assembly;
	}
	return sum;
}

/* Room for @size more from @from, at the cost of others' oldest but not of @keep. */
static bool make_room(struct netstack *stack, const struct inet_address *from, uint32_t size,
	const struct assembly *keep)
{
	struct assembly *oldest;

	while (source_memory(stack, from, &oldest) + size > SOURCE_MEMORY_MAX) {
		if (!oldest || oldest == keep)
			return false;
		give_up(oldest);
	}
	while (memory + size > MEMORY_MAX ||
		(!keep && stack->ip.assembly_count >= ASSEMBLIES_MAX)) {
		oldest = list_first(&stack->ip.assemblies, struct assembly, link);
		/* Another stack's pieces are not ours to give up. */
		if (list_empty(&stack->ip.assemblies) || oldest == keep)
			return false;
		give_up(oldest);
	}
	return true;
}

/* ---- pieces -------------------------------------------------------------------------------------
 */

static struct assembly *assembly_new(
	struct netstack *stack, const struct ip_info *info, const struct ip_fragment *fragment)
{
	struct list_head *at = &stack->ip.assemblies;
	struct assembly *assembly;

	if (!make_room(stack, &info->from, sizeof(*assembly), NULL))
		return NULL;
	assembly = calloc(1, sizeof(*assembly));
	if (!assembly)
		return NULL;
	assembly->stack = stack;
	assembly->from = info->from;
	assembly->to = info->to;
	assembly->id = fragment->id;
	assembly->protocol = info->protocol;
	assembly->netif_index = info->netif->index;
	assembly->expires_at = (int64_t)loop_monotonic() + (info->v4 ? TIMEOUT4 : TIMEOUT6);
	list_init(&assembly->pieces);
	if (hash_insert(&stack->ip.assembly_table, &assembly->node, hash_of(info, fragment)) < 0) {
		free(assembly);
		return NULL;
	}
	/* IPv6 waits longer: the list is by expiry. */
	while (at->prev != &stack->ip.assemblies &&
		list_entry(at->prev, struct assembly, link)->expires_at > assembly->expires_at)
		at = at->prev;
	list_add_tail(&assembly->link, at);
	stack->ip.assembly_count++;
	charge(assembly, sizeof(*assembly));
	set_timer(stack);
	return assembly;
}

enum place { PLACE_FREE, PLACE_KNOWN, PLACE_OVERLAP };

/* Where [@start, @end) goes: behind *@ret_after. */
static enum place find_place(
	struct assembly *assembly, uint32_t start, uint32_t end, struct list_head **ret_after)
{
	struct list_head *at = assembly->pieces.prev;

	for (; at != &assembly->pieces; at = at->prev) {
		const struct piece *piece = list_entry(at, struct piece, link);
		uint32_t piece_end = piece->start + piece->data.size;

		if (piece_end <= start)
			break;
		if (piece->start < end)
			return piece->start == start && piece_end == end ? PLACE_KNOWN
									 : PLACE_OVERLAP;
	}
	*ret_after = at;
	return PLACE_FREE;
}

static bool sizes_are_fine(struct assembly *assembly, uint32_t end, bool more)
{
	const struct piece *last;

	if (!more) {
		if (assembly->whole && assembly->whole != end)
			return false;
		last = list_last(&assembly->pieces, struct piece, link);
		return list_empty(&assembly->pieces) || last->start + last->data.size <= end;
	}
	return !assembly->whole || end <= assembly->whole;
}

/* Puts @info's payload into the assembly. False: the packet is spoiled, or there is no room. */
static bool insert(
	struct assembly *assembly, struct ip_info *info, const struct ip_fragment *fragment)
{
	struct netbuf_queue *packet = info->packet, header = {0};
	uint32_t size = packet->size - info->offset, end = fragment->start + size;
	struct list_head *after;
	struct piece *piece;

	switch (find_place(assembly, fragment->start, end, &after)) {
	case PLACE_KNOWN:
		return true;
	case PLACE_OVERLAP:
		return false;
	case PLACE_FREE:
		break;
	}
	if (!sizes_are_fine(assembly, end, fragment->more) || assembly->piece_count == PIECES_MAX ||
		!make_room(assembly->stack, &info->from, size + OVERHEAD, assembly))
		return false;
	piece = calloc(1, sizeof(*piece));
	if (!piece)
		return false;
	if (fragment->start == 0) {
		if (netbuf_slice(packet, 0, info->offset, &header) < 0) {
			free(piece);
			return false;
		}
		netbuf_move_compact(&assembly->header, &header);
		assembly->first = *info;
	}
	netbuf_drop(packet, info->offset);
	netbuf_move_compact(&piece->data, packet);
	piece->start = fragment->start;
	piece->charge = size + OVERHEAD;
	list_add(&piece->link, after);
	assembly->piece_count++;
	assembly->have += size;
	if (!fragment->more)
		assembly->whole = end;
	charge(assembly, piece->charge);
	return true;
}

/* Raw sockets are shown a header that says what the packet is now. */
static void mend_header4(struct netbuf_queue *packet, uint32_t header_size)
{
	uint8_t header[IP4_HEADER_MAX];
	struct netbuf_queue whole = {0};

	netbuf_peek(packet, 0, header, header_size);
	put16(header + 2, (uint16_t)packet->size);
	put16(header + 6, 0);
	put16(header + 10, 0);
	put16(header + 10, ip_checksum_end(ip_checksum_bytes(header, header_size, 0)));
	if (netbuf_append(&whole, header, header_size) < 0)
		return;
	netbuf_drop(packet, header_size);
	netbuf_move(&whole, packet);
	netbuf_move(packet, &whole);
}

/* Everything is there: @info becomes the packet. */
static bool finish(struct assembly *assembly, struct ip_info *info)
{
	struct netstack *stack = assembly->stack;
	struct ip_counters *counters = &stack->counters.ip[ip_family(info->v4)];
	struct netbuf_queue *packet = info->packet;
	bool broadcast = info->link_broadcast || assembly->first.link_broadcast;
	struct netif *netif = info->netif;
	struct piece *piece;

	/* IPv6 does not count its own header (RFC 8200 section 3, Payload Length). */
	if (assembly->header.size + assembly->whole > IP_PACKET_MAX + (info->v4 ? 0 : IP6_HEADER)) {
		counters->reassembly_fails++;
		assembly_free(assembly);
		return false;
	}
	netbuf_queue_clear(packet);
	*info = assembly->first;
	info->packet = packet;
	info->netif = netif;
	info->link_broadcast = broadcast;
	info->reassembled = true;
	info->checksum_valid = false;
	netbuf_move(packet, &assembly->header);
	list_for_each_entry (piece, &assembly->pieces, link)
		netbuf_move(packet, &piece->data);
	if (info->v4)
		mend_header4(packet, info->offset);
	counters->reassembly_oks++;
	assembly_free(assembly);
	set_timer(stack);
	return true;
}

bool ip_reassemble(struct netstack *stack, struct ip_info *info, const struct ip_fragment *fragment)
{
	struct ip_counters *counters = &stack->counters.ip[ip_family(info->v4)];
	uint32_t size = info->packet->size - info->offset;
	struct assembly *assembly;

	counters->reassembly_requests++;
	if (size == 0 || (fragment->more && size % 8 != 0) ||
		fragment->start + size > IP_PACKET_MAX - (info->v4 ? info->offset : 0)) {
		counters->reassembly_fails++;
		netbuf_queue_clear(info->packet);
		return false;
	}
	assembly = find(stack, info, fragment);
	if (!assembly)
		assembly = assembly_new(stack, info, fragment);
	if (!assembly || assembly->spoiled) {
		counters->reassembly_fails += !assembly;
		netbuf_queue_clear(info->packet);
		return false;
	}
	if (!insert(assembly, info, fragment)) {
		counters->reassembly_fails++;
		assembly->spoiled = true;
		drop_pieces(assembly);
	}
	if (!assembly->spoiled && assembly->whole && assembly->have == assembly->whole &&
		assembly->header.size > 0)
		return finish(assembly, info);
	netbuf_queue_clear(info->packet);
	return false;
}
