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

void inet_udp_release(struct inet_udp *endpoint)
{
	while (!list_empty(&endpoint->datagrams)) {
		struct inet_datagram *datagram =
			list_first(&endpoint->datagrams, struct inet_datagram, link);

		list_remove(&datagram->link);
		inet_datagram_free(endpoint, datagram);
	}
	inet_endpoint_fini(&endpoint->endpoint);
	free(endpoint);
}

/* Both addresses of a datagram. */
static int choose_names(struct inet_udp *endpoint, const struct inet_send *send,
	struct inet_name *ret_from, struct inet_name *ret_to)
{
	struct inet_endpoint *ends = &endpoint->endpoint;
	int err = inet_autobind(ends);

	*ret_to = send->to;
	if (inet_is_any(&ret_to->address))
		ret_to->address = inet_is_v4(&ret_to->address) ? inet_loopback4 : inet_loopback;
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

/* ICMP's port unreachable reaches only a sender that is connected with that port (udp(7)). */
static void tell_unreachable(struct netstack *stack, const struct inet_packet *packet)
{
	struct inet_endpoint *sender =
		inet_find_pair(stack, packet->protocol, &packet->from, &packet->to);

	if (!sender)
		return;
	inet_udp_of(sender)->error = ECONNREFUSED;
	if (sender->notify)
		sender->notify(sender, INET_EVENT_ERROR);
}

void inet_udp_arrives(struct netstack *stack, struct inet_packet *packet)
{
	struct inet_endpoint *found =
		inet_find_bound(stack, packet->protocol, false, &packet->to, &packet->from);
	struct inet_udp *receiver;
	struct inet_datagram *datagram = packet->datagram;

	if (!found) {
		tell_unreachable(stack, packet);
		return;
	}
	receiver = inet_udp_of(found);
	if (packet->coverage && packet->coverage < receiver->least_coverage)
		return;
	/* One more than fits, as sk_rcvbuf is compared before the packet is added. Empty datagrams
	 * have no block that would count, so there is a bound for all together. */
	if (receiver->queued > receiver->limit || queued_total > NETBUF_MEMORY_MAX) {
		receiver->dropped++;
		return;
	}
	packet->datagram = NULL;
	datagram->netif_index = packet->netif_index ? packet->netif_index : 1;
	receiver->queued += datagram->charge;
	queued_total += datagram->charge;
	list_add_tail(&datagram->link, &receiver->datagrams);
	if (found->notify)
		found->notify(found, INET_EVENT_READABLE);
}
