/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What waits in netlink sockets, and how messages get there (netlink(7)).
 *
 * A message to a group goes to each member, and each may have a filter of thousands of steps. So
 * long as that stays below a budget it is done at once. What is left then waits in `pending` and is
 * gone on with in later turns of the main loop, in order: while something waits there, later
 * messages to groups get behind it. Sockets are numbered in the order in which they were made, and
 * a message remembers the last one that has had it, so it does not matter who comes and goes
 * meanwhile. Whoever causes messages from a call waits until nothing is pending, which bounds it by
 * the number of tasks; what the network itself announces is dropped beyond PENDING_MAX, and the
 * members learn of it (ENOBUFS).
 */
#include "sentry/socket/filter.h"
#include "sentry/socket/netlink.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/poll.h"
#include "base/checked.h"
#include "base/fiber.h"
#include "base/loop.h"

#define QUEUED_TOTAL_MAX (32u << 20)  /* bytes in all sockets: groups multiply what is sent */
#define STEPS_MAX	 (256u << 10) /* of filters, in one turn */
#define STEPS_SOCKET	 16u	      /* what a member without a filter counts */
#define PENDING_MAX	 256u

static size_t queued_total;

/* What was sent, once for all who are to have it. */
struct netlink_payload {
	uint32_t refs;
	uint8_t bytes[];
};

/* A message to a group. */
struct delivery {
	struct list_head link;
	const struct ns *net; /* to be compared: those who are meant keep it */
	const struct netlink_protocol *protocol;
	struct netlink_payload *payload; /* owned */
	size_t size;
	unsigned group;
	uint32_t from;
	struct lx_ucred cred;
	uint64_t but;	     /* the number of the sender, who gets none */
	uint64_t done, last; /* numbers: who had it last, who will */
};

static struct list_head pending = LIST_HEAD_INIT(pending);
static unsigned pending_count;
static struct timer go_on;

/* ---- queues ---------------------------------------------------------------------------------- */

/* How much of a message gets by the socket's filter (sk_filter() in netlink_unicast() and
 * do_one_broadcast()). */
static size_t passing(const struct netlink_socket *socket, const void *bytes, size_t size)
{
	struct netbuf_queue packet = {0};
	const struct filter_packet view = {.bytes = &packet};
	uint32_t keep = 0;

	if (!socket->base.filter)
		return size;
	if (netbuf_append(&packet, bytes, (uint32_t)size) == 0)
		keep = socket_filter_run(socket->base.filter, &view);
	netbuf_queue_clear(&packet);
	return min_of(size, (size_t)keep);
}

static struct netlink_payload *payload_new(const void *bytes, size_t size)
{
	struct netlink_payload *payload = malloc(sizeof(*payload) + size);

	if (payload) {
		payload->refs = 1;
		memcpy(payload->bytes, bytes, size);
	}
	return payload;
}

static struct netlink_payload *payload_get(struct netlink_payload *payload)
{
	payload->refs++;
	return payload;
}

static void payload_put(struct netlink_payload *payload)
{
	if (payload && --payload->refs == 0)
		free(payload);
}

/* @payload may be NULL: no memory. Each queue counts all of it. */
static int enqueue_payload(struct netlink_socket *socket, struct netlink_payload *payload,
	size_t size, uint32_t from, unsigned group, const struct lx_ucred *cred)
{
	struct netlink_datagram *datagram;
	size_t whole = size;

	if (!payload)
		return -ENOMEM;
	size = passing(socket, payload->bytes, size);
	if (size == 0 && whole > 0)
		return 0;
	/* One more than fits, as sk_rcvbuf is compared before a packet is added. */
	if (socket->queued > socket->base.receive_size || queued_total > QUEUED_TOTAL_MAX)
		return -ENOBUFS;
	datagram = malloc(sizeof(*datagram));
	/* What is charged is what is kept. */
	payload = size < whole ? payload_new(payload->bytes, size) : payload_get(payload);
	if (!datagram || !payload) {
		free(datagram);
		payload_put(payload);
		return -ENOMEM;
	}
	datagram->from = from;
	datagram->group = group;
	datagram->cred = cred ? *cred : (struct lx_ucred){0};
	datagram->size = size;
	datagram->payload = payload;
	list_add_tail(&datagram->link, &socket->datagrams);
	socket->queued += sizeof(*datagram) + size;
	queued_total += sizeof(*datagram) + size;
	wait_queue_wake(&socket->base.queue, LX_POLLIN | LX_POLLRDNORM);
	return 0;
}

int netlink_enqueue(struct netlink_socket *socket, const void *bytes, size_t size, uint32_t from,
	unsigned group, const struct lx_ucred *cred)
{
	struct netlink_payload *payload = payload_new(bytes, size);
	int err = enqueue_payload(socket, payload, size, from, group, cred);

	payload_put(payload);
	return err;
}

const uint8_t *netlink_datagram_bytes(const struct netlink_datagram *datagram)
{
	return datagram->payload->bytes;
}

void netlink_datagram_free(struct netlink_datagram *datagram)
{
	payload_put(datagram->payload);
	free(datagram);
}

void netlink_dequeue(struct netlink_socket *socket, struct netlink_datagram *datagram)
{
	list_remove(&datagram->link);
	socket->queued -= sizeof(*datagram) + datagram->size;
	queued_total -= sizeof(*datagram) + datagram->size;
}

/* netlink_overrun(): who does not read learns that he missed something. */
void netlink_overrun(struct netlink_socket *socket)
{
	if (socket->no_overrun_error)
		return;
	socket->base.error = ENOBUFS;
	wait_queue_wake(&socket->base.queue, LX_POLLERR | LX_POLLIN);
}

int netlink_deliver(struct socket *base, const void *bytes, size_t size)
{
	return netlink_enqueue(netlink_of(base), bytes, size, 0, 0, NULL);
}

/* ---- groups ---------------------------------------------------------------------------------- */

static bool is_member(const struct netlink_socket *socket, const struct ns *net,
	const struct netlink_protocol *protocol, unsigned group)
{
	return socket->protocol == protocol && socket->base.net == net &&
	       (socket->groups >> (group - 1) & 1);
}

bool netlink_has_members(
	const struct net_ns *net, const struct netlink_protocol *protocol, unsigned group)
{
	for (const struct netlink_socket *socket = netlink_next(NULL); socket;
		socket = netlink_next(socket)) {
		if (is_member(socket, &net->ns, protocol, group))
			return true;
	}
	return false;
}

/* Goes on with @delivery while there are steps left; false: there are none, and it is not done. */
static bool deliver(struct delivery *delivery, size_t *steps)
{
	for (struct netlink_socket *socket = netlink_next(NULL); socket;
		socket = netlink_next(socket)) {
		if (socket->number <= delivery->done)
			continue;
		if (socket->number > delivery->last)
			break;
		if (*steps > STEPS_MAX)
			return false;
		delivery->done = socket->number;
		if (socket->number == delivery->but ||
			!is_member(socket, delivery->net, delivery->protocol, delivery->group))
			continue;
		*steps += STEPS_SOCKET + socket_filter_steps(socket->base.filter);
		if (enqueue_payload(socket, delivery->payload, delivery->size, delivery->from,
			    delivery->group, &delivery->cred) < 0)
			netlink_overrun(socket);
	}
	return true;
}

static void deliver_pending(struct timer *timer)
{
	size_t steps = 0;

	while (!list_empty(&pending)) {
		struct delivery *delivery = list_first(&pending, struct delivery, link);

		if (!deliver(delivery, &steps)) {
			(void)timer_arm(timer, loop_monotonic_now());
			return;
		}
		list_remove(&delivery->link);
		pending_count--;
		payload_put(delivery->payload);
		free(delivery);
	}
}

/* It cannot wait: all who have not had it missed something. */
static void give_up(struct delivery *delivery)
{
	for (struct netlink_socket *socket = netlink_next(NULL); socket;
		socket = netlink_next(socket)) {
		if (socket->number > delivery->done && socket->number <= delivery->last &&
			socket->number != delivery->but &&
			is_member(socket, delivery->net, delivery->protocol, delivery->group))
			netlink_overrun(socket);
	}
}

/* Takes the payload of @delivery. */
static void begin(struct delivery *delivery)
{
	struct delivery *kept;
	size_t steps = 0;

	for (const struct netlink_socket *socket = netlink_next(NULL); socket;
		socket = netlink_next(socket))
		delivery->last = socket->number;
	if (list_empty(&pending) && deliver(delivery, &steps)) {
		payload_put(delivery->payload);
		return;
	}
	if (!go_on.expired)
		timer_init(&go_on, deliver_pending, NULL);
	kept = pending_count < PENDING_MAX ? malloc(sizeof(*kept)) : NULL;
	if (!kept || (!timer_armed(&go_on) && timer_arm(&go_on, loop_monotonic_now()) < 0)) {
		give_up(delivery);
		payload_put(delivery->payload);
		free(kept);
		return;
	}
	*kept = *delivery;
	list_add_tail(&kept->link, &pending);
	pending_count++;
}

void netlink_multicast(const struct net_ns *net, const struct netlink_protocol *protocol,
	unsigned group, const void *bytes, size_t size)
{
	struct delivery delivery = {
		.net = &net->ns, .protocol = protocol, .size = size, .group = group};

	if (!netlink_has_members(net, protocol, group))
		return;
	delivery.payload = payload_new(bytes, size);
	begin(&delivery);
}

void netlink_send_group(struct netlink_socket *socket, unsigned group, const void *bytes,
	size_t size, const struct lx_ucred *cred)
{
	struct delivery delivery = {.net = socket->base.net,
		.protocol = socket->protocol,
		.size = size,
		.group = group,
		.from = socket->port,
		.cred = *cred,
		.but = socket->number,
		.payload = payload_new(bytes, size)};

	netlink_wait_groups();
	begin(&delivery);
	netlink_wait_groups();
}

void netlink_wait_groups(void)
{
	while (!list_empty(&pending))
		fiber_yield();
}
