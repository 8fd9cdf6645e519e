/* SPDX-License-Identifier: Apache-2.0 */
/* UDP endpoints (RFC 768): queues of datagrams, bounded by the receiver's buffer. */
#include "netstack/ip_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"

#define DATAGRAM_OVERHEAD                                                                          \
	512u /* what each is charged for besides its bytes, about as Linux does                    \
	      */
#define RECEIVE_LIMIT 212992u

#define AT_WORK_NS 5000000u /* since it took a datagram */

static uint64_t queued_total; /* what all receivers are charged for */
static bool crowds_reader;    /* since inet_udp_crowds_reader() was asked */

int inet_udp_new(struct netstack *stack, uint8_t protocol, bool ipv6, struct inet_udp **ret)
{
	struct inet_udp *endpoint = calloc(1, sizeof(*endpoint));
	int err;

	if (!endpoint)
		return -ENOMEM;
	err = inet_endpoint_init(&endpoint->endpoint, stack, protocol, ipv6);
	if (err < 0) {
		free(endpoint);
		return err;
	}
	list_init(&endpoint->datagrams);
	list_init(&endpoint->errors);
	list_init(&endpoint->groups);
	endpoint->group_all4 = !ipv6; /* as inet6_create() leaves it */
	endpoint->group_all6 = true;
	endpoint->limit = RECEIVE_LIMIT;
	*ret = endpoint;
	return 0;
}

void inet_datagram_free(struct inet_udp *endpoint, struct inet_datagram *datagram)
{
	if (endpoint) {
		endpoint->queued -= datagram->charge;
		queued_total -= datagram->charge;
		endpoint->taken_at = loop_monotonic_now();
	}
	netbuf_queue_clear(&datagram->data);
	free(datagram);
}

struct inet_error *inet_error_new(void)
{
	/* They wait like empty datagrams: for all sockets together there is a bound. */
	struct inet_error *error =
		queued_total <= NETBUF_MEMORY_MAX ? calloc(1, sizeof(*error)) : NULL;

	if (!error)
		return NULL;
	list_init(&error->link);
	queued_total += DATAGRAM_OVERHEAD;
	return error;
}

void inet_error_free(struct inet_error *error)
{
	queued_total -= DATAGRAM_OVERHEAD;
	netbuf_queue_clear(&error->payload);
	free(error);
}

void inet_udp_release(struct inet_udp *endpoint)
{
	while (!list_empty(&endpoint->datagrams)) {
		struct inet_datagram *datagram =
			list_first(&endpoint->datagrams, struct inet_datagram, link);

		list_remove(&datagram->link);
		inet_datagram_free(endpoint, datagram);
	}
	while (!list_empty(&endpoint->errors)) {
		struct inet_error *error = list_first(&endpoint->errors, struct inet_error, link);

		list_remove(&error->link);
		inet_error_free(error);
	}
	inet_group_leave_all(endpoint);
	inet_endpoint_fini(&endpoint->endpoint);
	free(endpoint);
}

uint32_t inet_udp_charge(uint32_t size)
{
	return size + DATAGRAM_OVERHEAD;
}

/* A datagram of @size bytes goes to @to in one piece, or may be cut. */
static bool fits(const struct inet_endpoint *ends, const struct route_result *route,
	const struct inet_address *to, uint32_t size)
{
	size += (inet_is_v4(to) ? IP4_HEADER : IP6_HEADER) + 8;
	if (route->local)
		return true;
	if (ends->mtu_discover == INET_MTU_DO)
		return size <= route->mtu;
	return ends->mtu_discover != INET_MTU_PROBE || size <= route->netif->mtu;
}

/* Both addresses of a datagram with @size bytes. */
static int choose_names(struct inet_udp *endpoint, const struct inet_send *send, uint32_t size,
	struct inet_name *ret_from, struct inet_name *ret_to)
{
	struct inet_endpoint *ends = &endpoint->endpoint;
	struct route_result route;
	int err = inet_autobind(ends);

	*ret_to = send->to;
	if (inet_is_any(&ret_to->address))
		ret_to->address = inet_is_v4(&ret_to->address) ? inet_loopback4 : inet_loopback;
	err = err < 0 ? err : inet_lookup(ends, &ret_to->address, send->netif_index, &route);
	if (err < 0)
		return err;
	if (route.broadcast && !send->may_broadcast)
		return -EACCES;
	if (!fits(ends, &route, &ret_to->address, size))
		return -EMSGSIZE;
	ret_from->address = route.source;
	ret_from->port = ends->local.port;
	if (!inet_is_any(&send->from)) {
		if (!ends->free_bind && !ends->transparent &&
			!netstack_is_local(ends->stack, &send->from))
			return -EINVAL;
		ret_from->address = send->from;
	} else if (!inet_is_any(&ends->local.address) && !inet_is_multicast(&ends->local.address)) {
		ret_from->address = ends->local.address;
	}
	/* IPv4 sends from 0.0.0.0 when there is nothing else (DHCP does), IPv6 does not. */
	return inet_equal(&ret_from->address, &inet_any) ? -EADDRNOTAVAIL : 0;
}

/* As it is on the loopback device, whose addresses are zeroes. Without memory there is less. */
static void make_image(struct netstack *stack, struct inet_packet *packet, struct netbuf_queue *ret)
{
	bool v4 = inet_is_v4(&packet->to.address);
	const uint8_t header[14] = {[12] = v4 ? 0x08 : 0x86, [13] = v4 ? 0x00 : 0xdd};
	struct netbuf_queue bytes = {0};

	if (netbuf_append(ret, header, sizeof(header)) == 0 &&
		ip_serialise(stack, packet, &bytes) == 0)
		netbuf_move(ret, &bytes);
	netbuf_queue_clear(&bytes);
}

int inet_udp_send(
	struct inet_udp *endpoint, const struct inet_send *send, struct netbuf_queue *data)
{
	struct netstack *stack = endpoint->endpoint.stack;
	struct inet_datagram *datagram = NULL;
	struct inet_packet *packet = NULL;
	struct inet_name from, to;
	uint32_t piece =
		send->segment_size ? min_of(data->size, (uint32_t)send->segment_size) : data->size;
	int err = choose_names(endpoint, send, piece, &from, &to);

	if (err == 0) {
		packet = malloc(sizeof(*packet));
		datagram = malloc(sizeof(*datagram));
		err = packet && datagram ? 0 : -ENOMEM;
	}
	if (err < 0) {
		free(packet);
		free(datagram);
		netbuf_queue_clear(data);
		return err;
	}
	*datagram = (struct inet_datagram){
		.from = from,
		.to = to,
		.ttl = send->ttl,
		.tos = send->tos,
		.mark = send->mark,
		.segment_size = send->segment_size < data->size ? send->segment_size : 0,
		.received_at = (int64_t)loop_realtime_now(),
		.charge = inet_udp_charge(data->size),
	};
	list_init(&datagram->link);
	netbuf_move_compact(&datagram->data, data);
	*packet = (struct inet_packet){.protocol = endpoint->endpoint.protocol,
		.coverage = send->coverage,
		.mtu_discover = endpoint->endpoint.mtu_discover,
		.no_loop = send->no_loop,
		.ttl = send->ttl,
		.tos = send->tos,
		.netif_index =
			send->netif_index ? send->netif_index : endpoint->endpoint.netif_index,
		.from = from,
		.to = to,
		.datagram = datagram};
	if (send->image)
		make_image(stack, packet, send->image);
	netstack_queue(stack, packet);
	netstack_run(stack);
	return 0;
}

/* Keeps the error for MSG_ERRQUEUE; what cannot be kept is lost, as is an ICMP packet. */
static void keep_error(struct inet_udp *sender, const struct inet_report *report)
{
	struct inet_error *error;

	error = sender->error_count < INET_ERRORS_MAX ? inet_error_new() : NULL;
	if (!error)
		return;
	error->to = report->to;
	error->offender = report->offender;
	error->error = report->error;
	error->origin = report->origin;
	error->type = report->type;
	error->code = report->code;
	error->info = report->info;
	if (report->quote && report->quote->size > report->quote_offset)
		(void)netbuf_slice(report->quote, report->quote_offset,
			report->quote->size - report->quote_offset, &error->payload);
	list_add_tail(&error->link, &sender->errors);
	sender->error_count++;
}

/* udp(7): who did not ask for all errors hears of them when he is connected, and not of those that
 * may pass. */
void inet_udp_report(struct inet_udp *sender, const struct inet_report *report)
{
	struct inet_endpoint *ends = &sender->endpoint;
	bool keeps = inet_is_v4(&report->to.address) ? sender->keep_errors4 : sender->keep_errors6;

	if (keeps)
		keep_error(sender, report);
	else if (!report->hard || !ends->has_pair)
		return;
	sender->error = report->error;
	if (ends->notify)
		ends->notify(ends, INET_EVENT_ERROR);
}

static struct transport_counters *counters_of(
	struct netstack *stack, const struct inet_packet *packet)
{
	unsigned family = ip_family(inet_is_v4(&packet->to.address));

	return packet->protocol == INET_UDPLITE ? &stack->counters.udplite[family]
						: &stack->counters.udp[family];
}

#define HEADER 8u

/* sk_filter_trim_cap() with the UDP header kept: false when @datagram is not wanted. */
static bool passes_filter(struct inet_udp *receiver, struct inet_datagram *datagram)
{
	struct inet_packet packet = {.protocol = receiver->endpoint.protocol,
		.ttl = datagram->ttl,
		.tos = datagram->tos,
		.from = datagram->from,
		.to = datagram->to,
		.datagram = datagram};
	uint32_t start = inet_is_v4(&datagram->to.address) ? IP4_HEADER : IP6_HEADER, keep;
	struct netbuf_queue bytes = {0};

	if (!receiver->filter)
		return true;
	if (ip_serialise(receiver->endpoint.stack, &packet, &bytes) < 0)
		return false;
	keep = receiver->filter(receiver, datagram, &bytes, start);
	netbuf_queue_clear(&bytes);
	if (keep && max_of(keep, HEADER) - HEADER < datagram->data.size)
		netbuf_truncate(&datagram->data, max_of(keep, HEADER) - HEADER);
	return keep > 0;
}

/* Takes @datagram. */
static void enqueue(struct inet_udp *receiver, struct inet_datagram *datagram)
{
	if (!passes_filter(receiver, datagram)) {
		receiver->dropped++;
		inet_datagram_free(NULL, datagram);
		return;
	}
	/* One more than fits, as sk_rcvbuf is compared before the packet is added. Empty datagrams
	 * have no block that would count, so there is a bound for all together. */
	if (receiver->queued > receiver->limit || queued_total > NETBUF_MEMORY_MAX) {
		receiver->dropped++;
		inet_datagram_free(NULL, datagram);
		return;
	}
	datagram->dropped = (uint32_t)receiver->dropped;
	receiver->queued += datagram->charge;
	queued_total += datagram->charge;
	list_add_tail(&datagram->link, &receiver->datagrams);
	if (receiver->queued > receiver->limit / 2 &&
		loop_monotonic_now() - receiver->taken_at < AT_WORK_NS)
		crowds_reader = true;
}

bool inet_udp_crowds_reader(void)
{
	bool crowds = crowds_reader;

	crowds_reader = false;
	return crowds;
}

/* Another with the bytes [@offset, @offset + @size) of @from. NULL without memory: it is lost. */
static struct inet_datagram *copy_part(
	struct inet_datagram *from, uint32_t offset, uint32_t size, uint16_t segment_size)
{
	struct inet_datagram *part = malloc(sizeof(*part));

	if (!part)
		return NULL;
	*part = *from;
	list_init(&part->link);
	part->data = (struct netbuf_queue){0};
	part->segment_size = segment_size;
	part->charge = size + DATAGRAM_OVERHEAD;
	if (size > 0 && netbuf_slice(&from->data, offset, size, &part->data) < 0) {
		free(part);
		return NULL;
	}
	return part;
}

/* What was sent as one is cut for those who did not ask for it in one piece. Takes @datagram. */
static void deliver(struct inet_udp *receiver, struct inet_datagram *datagram)
{
	uint32_t step = datagram->segment_size, size = datagram->data.size;

	if (!step || receiver->coalesce) {
		enqueue(receiver, datagram);
	} else {
		for (uint32_t at = 0; at < size; at += step) {
			struct inet_datagram *part =
				copy_part(datagram, at, min_of(step, size - at), 0);

			if (part)
				enqueue(receiver, part);
		}
		inet_datagram_free(NULL, datagram);
	}
	if (receiver->endpoint.notify)
		receiver->endpoint.notify(&receiver->endpoint, INET_EVENT_READABLE);
}

void inet_udp_take(struct inet_udp *endpoint, struct inet_datagram *datagram)
{
	datagram->charge = inet_udp_charge(datagram->data.size);
	deliver(endpoint, datagram);
}

void inet_udp_deliver_copy(struct inet_udp *receiver, struct inet_datagram *datagram)
{
	struct inet_datagram *copy =
		copy_part(datagram, 0, datagram->data.size, datagram->segment_size);

	if (copy)
		deliver(receiver, copy);
}

void inet_udp_arrives(struct netstack *stack, struct inet_packet *packet)
{
	struct inet_datagram *datagram = packet->datagram;
	struct inet_endpoint *found;
	struct inet_udp *receiver;

	datagram->netif_index = packet->netif_index ? packet->netif_index : 1;
	if (inet_is_multicast(&packet->to.address)) {
		inet_group_deliver(stack, packet);
		return;
	}
	if (packet->to_many) {
		inet_for_each_receiver(stack, packet, datagram);
		return;
	}
	found = inet_find_bound(
		stack, packet->protocol, false, &packet->to, &packet->from, packet->netif_index);
	if (!found) {
		counters_of(stack, packet)->no_ports++;
		icmp_port_unreachable(stack, packet);
		return;
	}
	counters_of(stack, packet)->in++;
	receiver = inet_udp_of(found);
	if (packet->coverage && packet->coverage < receiver->least_coverage)
		return;
	packet->datagram = NULL;
	deliver(receiver, datagram);
}
