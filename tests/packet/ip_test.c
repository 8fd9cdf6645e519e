/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays scripts of frames and socket calls against one stack with one interface, in virtual time.
 *
 * usage: ip_test FILE...	the language: docs/packet-scripts.md
 *
 * Every frame that the stack sends has to be in the script, in order, and has the words that the
 * script's line has, in that order; what a frame says of lengths and checksums is always checked.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/timer_private.h"
#include "frames.h"
#include "netstack/inet.h"

#define SEC	  UINT64_C(1000000000)
#define WORDS_MAX 64
#define QUEUE_MAX 512
#define PEER_ISS  0xfffffe80u

static uint64_t now = 1000 * SEC;

uint64_t loop_monotonic(void)
{
	return now;
}

uint64_t loop_monotonic_now(void)
{
	return now;
}

uint64_t loop_realtime_now(void)
{
	return now;
}

static struct player {
	const char *file;
	char test[128];
	int line;
	bool failed, open;
	struct frame_context context;
	struct netstack stack;
	struct netif netif;
	struct inet_udp *udp;
	struct inet_tcp *tcp, *listener;
	struct frame *sent[QUEUE_MAX];
	unsigned first, count;
} p;

static unsigned passed, failed;

static void __attribute__((format(printf, 1, 2))) fail(const char *format, ...)
{
	va_list args;

	if (p.failed)
		return;
	p.failed = true;
	printf("FAIL %s:%d (%s): ", p.file, p.line, p.test);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* ---- the interface ------------------------------------------------------------------------------
 */

static void transmit(
	struct netif *netif, struct netbuf_queue *bytes, const struct netif_offload *offload)
{
	struct frame *frame = calloc(1, sizeof(*frame));

	if (p.count == QUEUE_MAX || bytes->size > FRAME_MAX || !frame) {
		fail("sends without end");
		free(frame);
		netbuf_queue_clear(bytes);
		return;
	}
	frame->size = bytes->size;
	netbuf_peek(bytes, 0, frame->bytes, bytes->size);
	frame->needs_checksum = offload->needs_checksum;
	frame->checksum_start = offload->checksum_start;
	frame->checksum_offset = offload->checksum_offset;
	frame->segment_size = offload->segment_size;
	p.sent[(p.first + p.count++) % QUEUE_MAX] = frame;
	netbuf_queue_clear(bytes);
}

static const struct netif_ops ops = {.transmit = transmit};

static void notify(struct inet_endpoint *endpoint, uint32_t events)
{
}

static void close_test(void)
{
	if (!p.open)
		return;
	if (p.udp)
		inet_udp_release(p.udp);
	if (p.tcp)
		inet_tcp_release(p.tcp, true);
	if (p.listener)
		inet_tcp_release(p.listener, true);
	netstack_fini(&p.stack);
	while (p.count) {
		free(p.sent[p.first]);
		p.first = (p.first + 1) % QUEUE_MAX;
		p.count--;
	}
	p.udp = NULL;
	p.tcp = p.listener = NULL;
	p.open = false;
}

static void forget_frames(void)
{
	for (; p.count; p.count--) {
		free(p.sent[p.first]);
		p.first = (p.first + 1) % QUEUE_MAX;
	}
}

/* interface ethernet|point [mtu N] [checksum] [segments] [nora] */
static void open_test(char **words, unsigned count)
{
	static const uint8_t own[6] = {2, 0, 0, 0, 0, 5}, peer[6] = {2, 0, 0, 0, 0, 9};

	close_test();
	netstack_init(&p.stack);
	(void)netif_set_up(&p.stack.loopback, true);
	p.open = true;
	p.netif = (struct netif){.ops = &ops, .type = NETIF_POINT, .name = "if0", .mtu = 1500};
	p.context = (struct frame_context){.peer_iss = PEER_ISS};
	memcpy(p.context.own, own, 6);
	memcpy(p.context.peer, peer, 6);
	memcpy(p.netif.hardware, own, 6);
	for (unsigned i = 1; i < count; i++) {
		if (strcmp(words[i], "ethernet") == 0)
			p.netif.type = NETIF_ETHERNET;
		else if (strcmp(words[i], "checksum") == 0)
			p.netif.flags |= NETIF_TX_CHECKSUM;
		else if (strcmp(words[i], "segments") == 0)
			p.netif.flags |= NETIF_TX_SEGMENTS;
		else if (strcmp(words[i], "mtu") == 0 && i + 1 < count)
			p.netif.mtu = (uint32_t)atoi(words[++i]);
	}
	p.context.ethernet = p.netif.type == NETIF_ETHERNET;
	p.netif.flags |= NETIF_RUNNING | NETIF_NO_RA;
	for (unsigned i = 1; i < count; i++)
		if (strcmp(words[i], "routers") == 0)
			p.netif.flags &= ~NETIF_NO_RA;
	if (netif_add(&p.stack, &p.netif) < 0 || netif_set_up(&p.netif, true) < 0)
		fail("the interface does not come up");
}

/* ---- commands -----------------------------------------------------------------------------------
 */

static void inject(char **words, unsigned count)
{
	static struct frame frame;
	struct netbuf_queue bytes = {0};
	struct netif_offload offload = {0};
	const char *error = frame_build(&p.context, words, count, &frame);

	if (error) {
		fail("%s", error);
		return;
	}
	offload.checksum_valid = frame.checksum_valid;
	if (netbuf_append(&bytes, frame.bytes, frame.size) < 0)
		fail("no memory");
	netif_receive(&p.netif, &bytes, &offload);
	if (bytes.size)
		fail("the frame was not consumed");
}

static void expect(char **words, unsigned count)
{
	static char text[4096], whole[4096];
	char *at, *save = NULL;
	unsigned i = 0;

	if (p.count == 0) {
		fail("nothing was sent");
		return;
	}
	frame_describe(&p.context, p.sent[p.first], text, sizeof(text));
	strcpy(whole, text);
	for (at = strtok_r(text, " ", &save); at; at = strtok_r(NULL, " ", &save)) {
		if (i < count && strcmp(at, words[i]) == 0)
			i++;
		if (strncmp(at, "bad", 3) == 0)
			i = UINT32_MAX / 2;
	}
	if (i != count)
		fail("sent:%s", whole);
	free(p.sent[p.first]);
	p.first = (p.first + 1) % QUEUE_MAX;
	p.count--;
}

static void nothing_left(void)
{
	static char text[4096];

	if (!p.open || p.failed || p.count == 0)
		return;
	frame_describe(&p.context, p.sent[p.first], text, sizeof(text));
	fail("also sent:%s", text);
}

static void pass_time(double seconds)
{
	uint64_t until = now + (uint64_t)(seconds * 1e9);
	unsigned turns = 0;

	while (timers_next_deadline() <= until && ++turns < 10000) {
		now = timers_next_deadline() > now ? timers_next_deadline() : now;
		(void)timers_expire(now);
	}
	now = until;
	if (turns == 10000)
		fail("its timers never rest");
}

static void set_address(char **words, unsigned count)
{
	struct netif_address own = {.preferred_until = INT64_MAX, .valid_until = INT64_MAX};
	unsigned prefix = 0;
	int err;

	if (!frame_address(words[1], &own.address, &prefix))
		fail("not an address");
	own.prefix = (uint8_t)prefix;
	own.flags = NETADDR_PERMANENT | (count > 2 ? 0 : NETADDR_NO_DAD);
	own.peer = own.broadcast = inet_is_v4(&own.address) ? inet_any4 : inet_any;
	err = netif_address_add(&p.netif, &own);
	if (err < 0)
		fail("netif_address_add: %s", strerror(-err));
	/* The announcement is a test of its own. */
	if (count <= 2)
		forget_frames();
}

static struct inet_address parse(const char *word)
{
	struct inet_address address = inet_any4;

	if (!frame_address(word, &address, NULL))
		fail("%s is no address", word);
	return address;
}

static void set_route(char **words, unsigned count)
{
	struct route route = {.netif = &p.netif,
		.type = NETROUTE_UNICAST,
		.source = inet_any,
		.gateway = inet_any,
		.valid_until = INT64_MAX};
	unsigned prefix = 0;
	int err;

	if (!frame_address(words[1], &route.destination, &prefix))
		fail("not a route");
	route.prefix = (uint8_t)prefix;
	if (count > 3)
		route.gateway = parse(words[3]);
	err = route_add(&p.stack, &route);
	if (err < 0)
		fail("route_add: %s", strerror(-err));
}

static void set_neighbour(char **words)
{
	struct inet_address address = parse(words[1]);

	if (neighbour_set(&p.netif, &address, p.context.peer, true) < 0)
		fail("neighbour_set");
}

/* The word after @word, or NULL. */
static const char *after(char **words, unsigned count, const char *word)
{
	for (unsigned i = 0; i + 1 < count; i++)
		if (strcmp(words[i], word) == 0)
			return words[i + 1];
	return NULL;
}

static void expect_error(int err, char **words, unsigned count)
{
	const char *want = after(words, count, "is");

	if (!want ? err < 0 : strcmp(want, strerrorname_np(-err)) != 0)
		fail("it is %s", err < 0 ? strerrorname_np(-err) : "no error");
}

static void fill(struct netbuf_queue *data, unsigned size)
{
	for (unsigned i = 0; i < size; i++) {
		uint8_t byte = (uint8_t)(i * 31 + (i >> 8) + 7);

		if (netbuf_append(data, &byte, 1) < 0)
			fail("no memory");
	}
}

static bool holds_pattern(struct netbuf_queue *data)
{
	for (uint32_t i = 0; i < data->size; i++) {
		uint8_t byte;

		netbuf_peek(data, i, &byte, 1);
		if (byte != (uint8_t)(i * 31 + (i >> 8) + 7))
			return false;
	}
	return true;
}

/* udp reads SIZE [from A] | nothing */
static void udp_reads(char **words, unsigned count)
{
	const char *from = after(words, count, "from");
	struct inet_datagram *datagram;
	struct inet_address address;

	if (list_empty(&p.udp->datagrams)) {
		if (strcmp(words[2], "nothing") != 0)
			fail("nothing has arrived");
		return;
	}
	datagram = list_first(&p.udp->datagrams, struct inet_datagram, link);
	if (strcmp(words[2], "nothing") == 0 || datagram->data.size != (uint32_t)atoi(words[2]))
		fail("%u bytes have arrived", datagram->data.size);
	else if (!holds_pattern(&datagram->data))
		fail("the bytes are not those that were sent");
	if (from) {
		address = parse(from);
		if (!inet_equal(&datagram->from.address, &address))
			fail("it is from somebody else");
	}
	list_remove(&datagram->link);
	inet_datagram_free(p.udp, datagram);
}

static void udp_send(char **words, unsigned count)
{
	struct inet_send send = {
		.to = {parse(words[2]), (uint16_t)atoi(words[3])}, .from = inet_any};
	struct netbuf_queue data = {0};

	fill(&data, (unsigned)atoi(words[4]));
	send.may_broadcast = after(words, count, "as") == NULL;
	if (after(words, count, "coverage"))
		send.coverage = (uint16_t)atoi(after(words, count, "coverage"));
	expect_error(inet_udp_send(p.udp, &send, &data), words, count);
}

static void udp_command(char **words, unsigned count)
{
	struct inet_name name = {inet_any4, 0};
	const char *verb = words[1];
	bool lite = strcmp(words[0], "udplite") == 0;
	int err;

	if (count > 3 && (strcmp(verb, "bind") == 0 || strcmp(verb, "connect") == 0))
		name = (struct inet_name){parse(words[2]), (uint16_t)atoi(words[3])};
	if (!p.udp) {
		if (inet_udp_new(&p.stack, lite ? INET_UDPLITE : INET_UDP,
			    !inet_is_v4(&name.address), &p.udp) < 0)
			fail("no socket");
		p.udp->endpoint.notify = notify;
	}
	if (strcmp(verb, "bind") == 0)
		expect_error(inet_bind(&p.udp->endpoint, &name), words, count);
	else if (strcmp(verb, "connect") == 0)
		expect_error(inet_set_peer(&p.udp->endpoint, &name), words, count);
	else if (strcmp(verb, "send") == 0 && count >= 5)
		udp_send(words, count);
	else if (strcmp(verb, "reads") == 0 && count >= 3)
		udp_reads(words, count);
	else if (strcmp(verb, "discover") == 0 && count >= 3)
		p.udp->endpoint.mtu_discover = strcmp(words[2], "dont") == 0 ? INET_MTU_DONT
					       : strcmp(words[2], "do") == 0 ? INET_MTU_DO
									     : INET_MTU_PROBE;
	else if (strcmp(verb, "join") == 0 && count >= 3) {
		name.address = parse(words[2]);
		expect_error(inet_group_join(p.udp, &name.address, p.netif.index), words, count);
	} else if (strcmp(verb, "leave") == 0 && count >= 3) {
		name.address = parse(words[2]);
		expect_error(inet_group_leave(p.udp, &name.address, p.netif.index), words, count);
	} else if (strcmp(verb, "error") == 0 && count >= 3) {
		err = p.udp->error;
		p.udp->error = 0;
		if (strcmp(words[2], err ? strerrorname_np(err) : "none") != 0)
			fail("the error is %s", err ? strerrorname_np(err) : "none");
	} else
		fail("what is this");
}

static void tcp_open(char **words)
{
	struct inet_name name = {parse(words[2]), (uint16_t)atoi(words[3])};
	struct inet_name local = {inet_is_v4(&name.address) ? inet_any4 : inet_any, 1000};
	struct inet_tcp *endpoint;
	int err;

	if (inet_tcp_new(&p.stack, !inet_is_v4(&name.address), &endpoint) < 0) {
		fail("no socket");
		return;
	}
	endpoint->endpoint.notify = notify;
	if (strcmp(words[1], "listen") == 0) {
		p.listener = endpoint;
		err = inet_bind(&endpoint->endpoint, &name);
		err = err < 0 ? err : inet_tcp_listen(endpoint, 4);
	} else {
		p.tcp = endpoint;
		err = inet_bind(&endpoint->endpoint, &local);
		err = err < 0 ? err : inet_tcp_connect(endpoint, &name);
	}
	if (err < 0)
		fail("%s", strerror(-err));
}

static void tcp_command(char **words, unsigned count)
{
	const char *verb = words[1];
	struct netbuf_queue data = {0};
	int err;

	if ((strcmp(verb, "listen") == 0 || strcmp(verb, "connect") == 0) && count >= 4) {
		tcp_open(words);
		return;
	}
	if (strcmp(verb, "accept") == 0) {
		p.tcp = p.listener ? inet_tcp_accept(p.listener) : NULL;
		if (!p.tcp)
			fail("nobody is there");
		else
			p.tcp->endpoint.notify = notify;
		return;
	}
	if (!p.tcp) {
		fail("there is no connection");
		return;
	}
	if (strcmp(verb, "send") == 0) {
		fill(&data, (unsigned)atoi(words[2]));
		if (tcp_send(&p.tcp->tcp, &data, false, false, (int64_t)now) < 0)
			fail("tcp_send");
		netbuf_queue_clear(&data);
		inet_tcp_push(p.tcp);
	} else if (strcmp(verb, "reads") == 0) {
		if (p.tcp->tcp.receive.size != (uint32_t)atoi(words[2]))
			fail("%u bytes have arrived", p.tcp->tcp.receive.size);
	} else if (strcmp(verb, "state") == 0) {
		if (strcmp(tcp_state_name(p.tcp->tcp.state), words[2]) != 0)
			fail("the state is %s", tcp_state_name(p.tcp->tcp.state));
	} else if (strcmp(verb, "error") == 0) {
		err = p.tcp->tcp.error;
		if (strcmp(words[2], err ? strerrorname_np(err) : "none") != 0)
			fail("the error is %s", err ? strerrorname_np(err) : "none");
	} else
		fail("what is this");
}

#define IP_ROW(family, name)                                                                       \
	{                                                                                          \
		"ip" #family "." #name,                                                            \
			offsetof(struct netstack_counters, ip[family == 4 ? 0 : 1].name)           \
	}
#define TRANSPORT_ROW(which, name)                                                                 \
	{                                                                                          \
#which "." #name, offsetof(struct netstack_counters, which[0].name)                \
	}

static const struct {
	const char *name;
	size_t offset;
} counters[] = {
	IP_ROW(4, in_receives),
	IP_ROW(4, in_header_errors),
	IP_ROW(4, in_address_errors),
	IP_ROW(4, in_unknown_protocols),
	IP_ROW(4, in_delivers),
	IP_ROW(4, reassembly_oks),
	IP_ROW(4, reassembly_fails),
	IP_ROW(4, reassembly_timeouts),
	IP_ROW(4, fragment_creates),
	IP_ROW(4, fragment_fails),
	IP_ROW(4, out_no_routes),
	IP_ROW(6, in_header_errors),
	IP_ROW(6, in_address_errors),
	IP_ROW(6, in_delivers),
	IP_ROW(6, reassembly_oks),
	IP_ROW(6, reassembly_fails),
	IP_ROW(6, fragment_creates),
	TRANSPORT_ROW(tcp, in_errors),
	TRANSPORT_ROW(udp, in_errors),
	TRANSPORT_ROW(udp, no_ports),
	TRANSPORT_ROW(icmp, in_errors),
	TRANSPORT_ROW(icmp, out_limited),
};

static void check_count(char **words)
{
	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
		uint64_t value;

		if (strcmp(counters[i].name, words[1]) != 0)
			continue;
		memcpy(&value, (const char *)&p.stack.counters + counters[i].offset, sizeof(value));
		if (value != (uint64_t)atoll(words[2]))
			fail("%s is %" PRIu64, words[1], value);
		return;
	}
	fail("there is no such counter");
}

static void command(char **words, unsigned count)
{
	unsigned times = 1;

	if (strcmp(words[0], "interface") == 0) {
		open_test(words, count);
		return;
	}
	if (!p.open) {
		fail("there is no interface");
		return;
	}
	if (strcmp(words[0], "<") == 0) {
		inject(words + 1, count - 1);
	} else if (strcmp(words[0], "repeat") == 0 && count > 3) {
		for (times = (unsigned)atoi(words[1]); times > 0; times--)
			command(words + 2, count - 2);
	} else if (strcmp(words[0], ">") == 0) {
		expect(words + 1, count - 1);
	} else if (strcmp(words[0], "drop") == 0) {
		forget_frames();
	} else if (strcmp(words[0], "none") == 0) {
		nothing_left();
	} else if (strcmp(words[0], "+") == 0 && count > 1) {
		pass_time(atof(words[1]));
	} else if (strcmp(words[0], "address") == 0 && count > 1) {
		set_address(words, count);
	} else if (strcmp(words[0], "route") == 0 && count > 1) {
		set_route(words, count);
	} else if (strcmp(words[0], "neighbour") == 0 && count > 1) {
		set_neighbour(words);
	} else if ((strcmp(words[0], "udp") == 0 || strcmp(words[0], "udplite") == 0) &&
		   count > 1) {
		udp_command(words, count);
	} else if (strcmp(words[0], "tcp") == 0 && count > 1) {
		tcp_command(words, count);
	} else if (strcmp(words[0], "count") == 0 && count > 2) {
		check_count(words);
	} else {
		fail("what is this");
	}
}

static void end_of_test(void)
{
	if (p.test[0]) {
		nothing_left();
		if (p.failed)
			failed++;
		else
			passed++;
	}
	close_test();
	p.failed = false;
}

static void play(FILE *file)
{
	static char line[8192];
	char *words[WORDS_MAX], *save, *hash;
	unsigned count;

	p.test[0] = '\0';
	for (p.line = 1; fgets(line, sizeof(line), file); p.line++) {
		hash = strchr(line, '#');
		if (hash)
			*hash = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, "test ", 5) == 0) {
			end_of_test();
			snprintf(p.test, sizeof(p.test), "%.100s", line + 5);
			continue;
		}
		count = 0;
		for (char *at = strtok_r(line, " \t", &save); at && count < WORDS_MAX;
			at = strtok_r(NULL, " \t", &save))
			words[count++] = at;
		if (count > 0 && !p.failed)
			command(words, count);
	}
	end_of_test();
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "r");

		if (!file) {
			perror(argv[i]);
			return 2;
		}
		p.file = strrchr(argv[i], '/') ? strrchr(argv[i], '/') + 1 : argv[i];
		play(file);
		fclose(file);
	}
	printf("%u passed, %u failed\n", passed, failed);
	return failed > 0;
}
