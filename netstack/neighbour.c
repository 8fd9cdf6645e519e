/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who is on an Ethernet: the cache of hardware addresses for both ARP (arp.c) and neighbour
 * discovery (nd.c), with the states of RFC 4861 section 7.3.2. A neighbour that is not known is
 * asked for, and the latest few packets for it wait; one that does not answer is given up, and who
 * sent these packets hears of it.
 *
 * The cache is bounded, and nothing that only comes in fills it: who asks for us gets an entry, for
 * we will answer him, but beyond half of the places only in place of another that is not in use.
 */
#include "netstack/ip_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/random.h"

#define SEC	      INT64_C(1000000000)
#define RETRANSMIT    SEC	/* RetransTimer */
#define DELAY_FIRST   (5 * SEC) /* DELAY_FIRST_PROBE_TIME */
#define REACHABLE     (30 * SEC)
#define PROBES	      3u	   /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
#define WAITING_BYTES (256u << 10) /* of all packets that wait for a neighbour, and one more */

static void tell(struct neighbour *neighbour, enum netstack_event event)
{
	struct netstack *stack = neighbour->netif->stack;

	if (stack->changed)
		stack->changed(stack, event, neighbour);
}

static void set_state(struct neighbour *neighbour, uint16_t state)
{
	if (neighbour->state == state)
		return;
	neighbour->state = state;
	tell(neighbour, NETSTACK_NEIGHBOUR_NEW);
}

static void arm(struct neighbour *neighbour, int64_t after)
{
	(void)timer_arm(&neighbour->timer, loop_monotonic() + (uint64_t)after);
}

static uint64_t hash_of(const struct netif *netif, const struct inet_address *address)
{
	return hash_u64_bytes(netif->index, address, sizeof(*address));
}

struct neighbour *neighbour_find(const struct netif *netif, const struct inet_address *address)
{
	struct neighbour *neighbour;

	hash_for_each_match(
		neighbour, &netif->stack->ip.neighbour_table, hash_of(netif, address), node)
	{
		if (neighbour->netif == netif && inet_equal(&neighbour->address, address))
			return neighbour;
	}
	return NULL;
}

/* ---- packets that wait --------------------------------------------------------------------------
 */

static void drop_waiting(struct neighbour *neighbour, bool complain)
{
	struct netstack *stack = neighbour->netif->stack;
	unsigned count = neighbour->waiting_count;

	neighbour->waiting_count = 0;
	for (unsigned i = 0; i < count; i++) {
		if (complain)
			icmp_own_unreachable(stack, &neighbour->waiting[i].packet);
		stack->ip.waiting_bytes -= neighbour->waiting[i].packet.size;
		netbuf_queue_clear(&neighbour->waiting[i].packet);
		neighbour->netif->counters.tx_dropped++;
	}
}

static void drop_first(struct neighbour *neighbour)
{
	struct netstack *stack = neighbour->netif->stack;

	stack->ip.waiting_bytes -= neighbour->waiting[0].packet.size;
	netbuf_queue_clear(&neighbour->waiting[0].packet);
	neighbour->netif->counters.tx_dropped++;
	neighbour->waiting_count--;
	memmove(neighbour->waiting, neighbour->waiting + 1,
		neighbour->waiting_count * sizeof(*neighbour->waiting));
}

/* RFC 4861 section 7.2.2: when there are too many the oldest goes. */
static void wait_for(struct neighbour *neighbour, struct netbuf_queue *packet,
	const struct netif_offload *offload)
{
	struct netstack *stack = neighbour->netif->stack;
	struct neighbour_packet *place;

	if (neighbour->waiting_count == NEIGHBOUR_WAITING_MAX)
		drop_first(neighbour);
	if (stack->ip.waiting_bytes > WAITING_BYTES) {
		neighbour->netif->counters.tx_dropped++;
		netbuf_queue_clear(packet);
		return;
	}
	place = &neighbour->waiting[neighbour->waiting_count++];
	*place = (struct neighbour_packet){.offload = *offload};
	stack->ip.waiting_bytes += packet->size;
	netbuf_move(&place->packet, packet);
}

static uint16_t type_of(const struct neighbour *neighbour)
{
	return inet_is_v4(&neighbour->address) ? ETHERTYPE_IP4 : ETHERTYPE_IP6;
}

static void send_waiting(struct neighbour *neighbour)
{
	struct netstack *stack = neighbour->netif->stack;
	unsigned count = neighbour->waiting_count;

	neighbour->waiting_count = 0;
	for (unsigned i = 0; i < count; i++) {
		stack->ip.waiting_bytes -= neighbour->waiting[i].packet.size;
		ethernet_frame(neighbour->netif, neighbour->hardware, type_of(neighbour),
			&neighbour->waiting[i].packet, &neighbour->waiting[i].offload);
	}
}

/* ---- asking -------------------------------------------------------------------------------------
 */

static void solicit(struct neighbour *neighbour)
{
	const uint8_t *hardware = neighbour->state == NEIGHBOUR_PROBE ? neighbour->hardware : NULL;
	struct inet_address from =
		route_source(neighbour->netif->stack, neighbour->netif, &neighbour->address);

	/* The sender of what waits, if it is ours. */
	if (inet_is_v4(&neighbour->address))
		arp_request(neighbour->netif, &from, &neighbour->address, hardware);
	else
		nd_solicit(neighbour->netif, &from, &neighbour->address, hardware);
	neighbour->probes++;
	arm(neighbour, RETRANSMIT);
}

static void begin(struct neighbour *neighbour, uint16_t state)
{
	neighbour->probes = 0;
	set_state(neighbour, state);
	solicit(neighbour);
}

static void expired(struct timer *timer)
{
	struct neighbour *neighbour = timer->data;
	struct netstack *stack = neighbour->netif->stack;

	switch (neighbour->state) {
	case NEIGHBOUR_DELAY:
		begin(neighbour, NEIGHBOUR_PROBE);
		break;
	case NEIGHBOUR_INCOMPLETE:
	case NEIGHBOUR_PROBE:
		if (neighbour->probes < PROBES) {
			solicit(neighbour);
			break;
		}
		set_state(neighbour, NEIGHBOUR_FAILED);
		drop_waiting(neighbour, true);
		break;
	default:
		break;
	}
	netstack_run(stack);
}

/* ---- entries ------------------------------------------------------------------------------------
 */

static void neighbour_free(struct neighbour *neighbour)
{
	struct netstack *stack = neighbour->netif->stack;

	tell(neighbour, NETSTACK_NEIGHBOUR_GONE);
	drop_waiting(neighbour, false);
	timer_cancel(&neighbour->timer);
	hash_remove(&stack->ip.neighbour_table, &neighbour->node);
	list_remove(&neighbour->link);
	stack->ip.neighbour_count--;
	free(neighbour);
}

/* The one that was used longest ago and that nobody waits for. */
static bool evict(struct netstack *stack)
{
	struct neighbour *neighbour;

	list_for_each_entry (neighbour, &stack->ip.neighbours, link) {
		if (neighbour->state &
			(NEIGHBOUR_INCOMPLETE | NEIGHBOUR_PERMANENT | NEIGHBOUR_PROBE))
			continue;
		neighbour_free(neighbour);
		return true;
	}
	list_for_each_entry (neighbour, &stack->ip.neighbours, link) {
		if (neighbour->state & NEIGHBOUR_PERMANENT)
			continue;
		neighbour_free(neighbour);
		return true;
	}
	return false;
}

static struct neighbour *neighbour_new(struct netif *netif, const struct inet_address *address)
{
	struct netstack *stack = netif->stack;
	struct neighbour *neighbour;

	if (stack->ip.neighbour_count >= NEIGHBOURS_MAX && !evict(stack))
		return NULL;
	neighbour = calloc(1, sizeof(*neighbour));
	if (!neighbour)
		return NULL;
	neighbour->netif = netif;
	neighbour->address = *address;
	timer_init(&neighbour->timer, expired, neighbour);
	if (hash_insert(&stack->ip.neighbour_table, &neighbour->node, hash_of(netif, address)) <
		0) {
		free(neighbour);
		return NULL;
	}
	list_add_tail(&neighbour->link, &stack->ip.neighbours);
	stack->ip.neighbour_count++;
	return neighbour;
}

static void used(struct neighbour *neighbour)
{
	struct netstack *stack = neighbour->netif->stack;

	list_remove(&neighbour->link);
	list_add_tail(&neighbour->link, &stack->ip.neighbours);
}

void neighbour_send(struct netif *netif, const struct inet_address *hop,
	struct netbuf_queue *packet, const struct netif_offload *offload)
{
	struct neighbour *neighbour = neighbour_find(netif, hop);

	if (!neighbour)
		neighbour = neighbour_new(netif, hop);
	if (!neighbour) {
		netif->counters.tx_dropped++;
		netbuf_queue_clear(packet);
		return;
	}
	used(neighbour);
	if (neighbour->state == NEIGHBOUR_REACHABLE &&
		(int64_t)loop_monotonic() >= neighbour->stale_at)
		neighbour->state = NEIGHBOUR_STALE;
	switch (neighbour->state) {
	case NEIGHBOUR_STALE:
		set_state(neighbour, NEIGHBOUR_DELAY);
		arm(neighbour, DELAY_FIRST);
		break;
	case NEIGHBOUR_INCOMPLETE:
		wait_for(neighbour, packet, offload);
		return;
	case 0:
	case NEIGHBOUR_FAILED:
		wait_for(neighbour, packet, offload);
		begin(neighbour, NEIGHBOUR_INCOMPLETE);
		return;
	default:
		break;
	}
	ethernet_frame(netif, neighbour->hardware, type_of(neighbour), packet, offload);
}

/* ---- what is heard ------------------------------------------------------------------------------
 */

void neighbour_confirm(struct neighbour *neighbour)
{
	uint64_t random;

	if (neighbour->state == NEIGHBOUR_PERMANENT)
		return;
	/* Between half and one and a half of it (RFC 4861 section 6.3.2). */
	random_bytes(&random, sizeof(random));
	neighbour->stale_at =
		(int64_t)loop_monotonic() + REACHABLE / 2 + (int64_t)(random % (uint64_t)REACHABLE);
	timer_cancel(&neighbour->timer);
	set_state(neighbour, NEIGHBOUR_REACHABLE);
	send_waiting(neighbour);
}

void neighbour_heard(struct neighbour *neighbour, const uint8_t hardware[6])
{
	bool waiting = neighbour->state & (NEIGHBOUR_INCOMPLETE | NEIGHBOUR_FAILED);

	if (neighbour->state == NEIGHBOUR_PERMANENT)
		return;
	if (!waiting && neighbour->state && memcmp(neighbour->hardware, hardware, 6) == 0)
		return;
	memcpy(neighbour->hardware, hardware, 6);
	timer_cancel(&neighbour->timer);
	neighbour->state = 0; /* the address is new: told even if it was stale before */
	set_state(neighbour, NEIGHBOUR_STALE);
	send_waiting(neighbour);
}

void neighbour_learn(
	struct netif *netif, const struct inet_address *address, const uint8_t hardware[6])
{
	struct netstack *stack = netif->stack;
	struct neighbour *neighbour = neighbour_find(netif, address);

	if (!neighbour && stack->ip.neighbour_count >= NEIGHBOURS_MAX / 2 && !evict(stack))
		return;
	if (!neighbour)
		neighbour = neighbour_new(netif, address);
	if (neighbour)
		neighbour_heard(neighbour, hardware);
}

/* ---- by hand ------------------------------------------------------------------------------------
 */

int neighbour_set(struct netif *netif, const struct inet_address *address,
	const uint8_t hardware[6], bool permanent)
{
	struct neighbour *neighbour;

	if (netif->type != NETIF_ETHERNET || inet_is_multicast(address) || inet_is_any(address))
		return -EINVAL;
	neighbour = neighbour_find(netif, address);
	if (!neighbour)
		neighbour = neighbour_new(netif, address);
	if (!neighbour)
		return -ENOBUFS;
	memcpy(neighbour->hardware, hardware, 6);
	timer_cancel(&neighbour->timer);
	set_state(neighbour, permanent ? NEIGHBOUR_PERMANENT : NEIGHBOUR_STALE);
	send_waiting(neighbour);
	return 0;
}

int neighbour_remove(struct netif *netif, const struct inet_address *address)
{
	struct neighbour *neighbour = neighbour_find(netif, address);

	if (!neighbour)
		return -ENOENT;
	neighbour_free(neighbour);
	return 0;
}

void neighbour_flush(struct netif *netif)
{
	struct netstack *stack = netif->stack;
	struct neighbour *neighbour, *next;

	list_for_each_entry_safe (neighbour, next, &stack->ip.neighbours, link) {
		if (neighbour->netif == netif)
			neighbour_free(neighbour);
	}
}
