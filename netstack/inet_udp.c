/* SPDX-License-Identifier: Apache-2.0 */
/* UDP endpoints (RFC 768): queues of datagrams, bounded by the receiver's buffer. */
#include "netstack/inet_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"

#define DATAGRAM_OVERHEAD                                                                          \
	512u /* what each is charged for besides its bytes, about as Linux does                    \
	      */
#define RECEIVE_LIMIT 212992u

/* What the network says of a port that nobody has (RFC 792, RFC 4443 section 3.1). */
#define ORIGIN_ICMP	  2 /* SO_EE_ORIGIN_* */
#define ORIGIN_ICMP6	  3
#define ICMP_UNREACHABLE  3
#define ICMP_PORT	  3
#define ICMP6_UNREACHABLE 1
#define ICMP6_PORT	  4

static uint64_t queued_total; /* what all receivers are charged for */

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
	}
	netbuf_queue_clear(&datagram->data);
	free(datagram);
}

void inet_error_free(struct inet_error *error)
{
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

/* Both addresses of a datagram. */
static int choose_names(struct inet_udp *endpoint, const struct inet_send *send,
	struct inet_name *ret_from, struct inet_name *ret_to)
{
	struct inet_endpoint *ends = &endpoint->endpoint;
	unsigned netif_index = send->netif_index ? send->netif_index : ends->netif_index;
	int err = inet_autobind(ends);

	*ret_to = send->to;
	if (inet_is_any(&ret_to->address))
		ret_to->address = inet_is_v4(&ret_to->address) ? inet_loopback4 : inet_loopback;
	if (err == 0 && inet_is_multicast(&ret_to->address) && netif_index)
		err = inet_group_source_address(
			ends->stack, netif_index, &ret_to->address, &ret_from->address);
	else
		err = err < 0 ? err : inet_route(ends, &ret_to->address, &ret_from->address);
	if (err < 0)
		return err;
	ret_from->port = ends->local.port;
	if (!inet_is_any(&send->from)) {
		if (!ends->free_bind && !netstack_is_local(ends->stack, &send->from))
			return -EINVAL;
		ret_from->address = send->from;
	} else if (!inet_is_any(&ends->local.address)) {
		ret_from->address = ends->local.address;
	}
	return 0;
}

int inet_udp_send(
	struct inet_udp *endpoint, const struct inet_send *send, struct netbuf_queue *data)
{
	struct netstack *stack = endpoint->endpoint.stack;
	struct inet_datagram *datagram = NULL;
	struct inet_packet *packet = NULL;
	struct inet_name from, to;
	int err = choose_names(endpoint, send, &from, &to);

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
		.charge = data->size + DATAGRAM_OVERHEAD,
	};
	list_init(&datagram->link);
	netbuf_move_compact(&datagram->data, data);
	*packet = (struct inet_packet){.protocol = endpoint->endpoint.protocol,
		.coverage = send->coverage,
		.ttl = send->ttl,
		.tos = send->tos,
		.netif_index =
			send->netif_index ? send->netif_index : endpoint->endpoint.netif_index,
		.from = from,
		.to = to,
		.datagram = datagram};
	netstack_queue(stack, packet);
	netstack_run(stack);
	return 0;
}

/* Whose packet it was: the one connected with that port, or bound where it came from. */
static struct inet_endpoint *find_sender(
	struct netstack *stack, const struct inet_packet *packet, bool *ret_connected)
{
	struct inet_endpoint *sender =
		inet_find_pair(stack, packet->protocol, &packet->from, &packet->to);

	*ret_connected = sender != NULL;
	return sender ? sender
		      : inet_find_bound(stack, packet->protocol, false, &packet->from, &packet->to);
}

/* Keeps the error for MSG_ERRQUEUE; what cannot be kept is lost, as is an ICMP packet. */
static void keep_error(struct inet_udp *sender, struct inet_packet *packet, bool v4)
{
	struct inet_error *error;

	if (sender->error_count >= INET_ERRORS_MAX)
		return;
	error = calloc(1, sizeof(*error));
	if (!error)
		return;
	error->to = packet->to;
	error->offender = packet->to.address;
	error->error = ECONNREFUSED;
	error->origin = v4 ? ORIGIN_ICMP : ORIGIN_ICMP6;
	error->type = v4 ? ICMP_UNREACHABLE : ICMP6_UNREACHABLE;
	error->code = v4 ? ICMP_PORT : ICMP6_PORT;
	if (packet->datagram)
		netbuf_move(&error->payload, &packet->datagram->data);
	list_add_tail(&error->link, &sender->errors);
	sender->error_count++;
}

/* ICMP's port unreachable reaches a sender that is connected with that port, and who asked for all
 * errors (udp(7), ip(7)). */
static void tell_unreachable(struct netstack *stack, struct inet_packet *packet)
{
	bool connected, v4 = inet_is_v4(&packet->to.address);
	struct inet_endpoint *sender = find_sender(stack, packet, &connected);
	bool keeps = sender &&
		     (v4 ? inet_udp_of(sender)->keep_errors4 : inet_udp_of(sender)->keep_errors6);

	if (!sender || (!connected && !keeps))
		return;
	if (keeps)
		keep_error(inet_udp_of(sender), packet, v4);
	inet_udp_of(sender)->error = ECONNREFUSED;
	if (sender->notify)
		sender->notify(sender, INET_EVENT_ERROR);
}

/* Takes @datagram. */
static void enqueue(struct inet_udp *receiver, struct inet_datagram *datagram)
{
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
	found = inet_find_bound(stack, packet->protocol, false, &packet->to, &packet->from);
	if (!found) {
		tell_unreachable(stack, packet);
		return;
	}
	receiver = inet_udp_of(found);
	if (packet->coverage && packet->coverage < receiver->least_coverage)
		return;
	packet->datagram = NULL;
	deliver(receiver, datagram);
}
