/* SPDX-License-Identifier: Apache-2.0 */
/* What waits in UDP sockets is bounded for all of them together, also when it has no bytes. */
#include <criterion/criterion.h>
#include <string.h>

#include "netstack/inet.h"

#define RECEIVERS  800u
#define FIRST_PORT 2000u
#define CHARGE	   512u /* of an empty datagram */
#define ALL	   (NETBUF_MEMORY_MAX / CHARGE + 1)

static struct netstack stack;
static struct inet_udp *sender, *receivers[RECEIVERS];
static const uint8_t loopback[4] = {127, 0, 0, 1};

static struct inet_name name(uint16_t port)
{
	return (struct inet_name){.address = inet_from_v4(loopback), .port = port};
}

static void setup(void)
{
	netstack_init(&stack);
	cr_assert(netif_set_up(&stack.loopback, true) == 0);
	cr_assert(inet_udp_new(&stack, INET_UDP, false, &sender) == 0);
	for (unsigned i = 0; i < RECEIVERS; i++) {
		struct inet_name local = name((uint16_t)(FIRST_PORT + i));

		cr_assert(inet_udp_new(&stack, INET_UDP, false, &receivers[i]) == 0);
		cr_assert(inet_bind(&receivers[i]->endpoint, &local) == 0);
	}
}

static void teardown(void)
{
	inet_udp_release(sender);
	for (unsigned i = 0; i < RECEIVERS; i++)
		inet_udp_release(receivers[i]);
	netstack_fini(&stack);
}

static void send_empty(uint16_t port)
{
	const struct inet_send send = {.to = name(port)};
	struct netbuf_queue nothing = {0};

	cr_assert(inet_udp_send(sender, &send, &nothing) == 0);
}

static unsigned waiting(const struct inet_udp *receiver)
{
	unsigned count = 0;

	for (const struct list_head *at = receiver->datagrams.next; at != &receiver->datagrams;
		at = at->next)
		count++;
	return count;
}

static unsigned fill(void)
{
	unsigned total = 0;

	for (unsigned i = 0; i < RECEIVERS; i++) {
		uint64_t dropped = receivers[i]->dropped;

		while (receivers[i]->dropped == dropped)
			send_empty((uint16_t)(FIRST_PORT + i));
		total += waiting(receivers[i]);
	}
	return total;
}

TestSuite(netstack_udp, .init = setup, .fini = teardown);

Test(netstack_udp, empty_datagrams_are_bounded)
{
	struct inet_datagram *datagram;
	unsigned total = fill();

	cr_assert(waiting(receivers[0]) > 1, "one socket has room");
	cr_expect(total == ALL, "%u wait, not %u", total, ALL);
	cr_expect(waiting(receivers[RECEIVERS - 1]) == 0, "the last ones find no room");
	/* Who takes one makes room for one, anywhere. */
	datagram = list_first(&receivers[0]->datagrams, struct inet_datagram, link);
	list_remove(&datagram->link);
	inet_datagram_free(receivers[0], datagram);
	send_empty(FIRST_PORT + RECEIVERS - 1);
	send_empty(FIRST_PORT + RECEIVERS - 1);
	cr_expect(waiting(receivers[RECEIVERS - 1]) == 1);
}

/* IP_RECVERR: errors that nobody reads wait as well, and count. */
Test(netstack_udp, kept_errors_are_bounded)
{
	unsigned kept;

	sender->keep_errors4 = true;
	for (unsigned i = 0; i < 2 * INET_ERRORS_MAX; i++)
		send_empty(9);
	cr_assert(sender->error_count == INET_ERRORS_MAX, "%u errors", sender->error_count);
	kept = sender->error_count;
	cr_expect(fill() + kept == ALL);
	while (!list_empty(&sender->errors)) {
		struct inet_error *error = list_first(&sender->errors, struct inet_error, link);

		list_remove(&error->link);
		sender->error_count--;
		inet_error_free(error);
	}
	/* The datagrams may have the room now; then there is none for errors. */
	(void)fill();
	send_empty(9);
	cr_expect(sender->error_count == 0);
}
