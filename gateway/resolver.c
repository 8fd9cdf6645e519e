/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's name server. A name that no rule allows is answered NXDOMAIN without asking anybody,
 * so that nothing leaves in names either. For the others the host's name servers are asked, each
 * time by a new socket (whose port the kernel draws), with a random id and random case; answers
 * that are not public are dropped unless a rule wants them, and the rest is pinned: only to
 * addresses that were given out here do domain rules apply.
 *
 * Addresses alone are looked up. Other records of an allowed name do not exist: what comes in them
 * (HTTPS, SRV, TXT) leads around the rules, or out.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/random.h"
#include "gateway/gateway_private.h"

#define LOOKUPS_MAX   256u
#define LOOKUPS_EACH  32u /* of one flow */
#define ATTEMPT_NS    1500000000ll
#define ATTEMPTS_MAX  4u
#define STREAM_NS     4000000000ll
#define UDP_ANSWER    512u /* RFC 1035 section 2.3.4: guests do not say more, we do not ask more */
#define TTL_SHOWN_MAX 300u /* seconds: less than the least time of a pin */

/* A question under way. */
struct lookup {
	struct list_head link;
	uint32_t flow; /* its number; it may be gone */
	struct gate_dns_query query;
	char asked[GATE_DOMAIN_MAX];
	uint16_t id;
	unsigned attempt;
	bool wants_private, stream, written;
	struct gate_watch watch;
	struct timer timer;
	uint8_t *message; /* of the stream: length and answer so far */
	size_t message_size;
};

static struct list_head lookups = LIST_HEAD_INIT(lookups);
static unsigned lookup_count;
static uint8_t buffer[GATE_DNS_MESSAGE_MAX + 2];

/* ---- answers --------------------------------------------------------------------------------- */

static void send_answer(struct gate_flow *flow, const struct gate_dns_query *query,
	const struct gate_dns_answer *answer)
{
	bool stream = flow->kind == GATE_FLOW_NAMES_STREAM;
	uint8_t out[2 + 4096];
	size_t size = gate_dns_write_answer(
		query, answer, out + 2, stream ? sizeof(out) - 2 : (size_t)UDP_ANSWER);

	if (stream) {
		out[0] = (uint8_t)(size >> 8);
		out[1] = (uint8_t)size;
		/* A guest that does not read its answers loses them. */
		if (send(flow->pair.loop.fd, out, size + 2, MSG_NOSIGNAL) != (ssize_t)size + 2)
			flow->up.ended = true;
	} else {
		out[1] = 0;
		(void)send(flow->pair.loop.fd, out + 1, size + 1, MSG_NOSIGNAL);
	}
}

static void send_rcode(struct gate_flow *flow, const struct gate_dns_query *query, uint8_t rcode)
{
	const struct gate_dns_answer answer = {.rcode = rcode};

	send_answer(flow, query, &answer);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void lookup_free(struct lookup *lookup)
{
	struct gate_flow *flow = gate_flow_find(lookup->flow);

	if (flow && flow->questions)
		flow->questions--;
	(void)timer_cancel(&lookup->timer);
	gate_watch_close(&lookup->watch);
	list_remove(&lookup->link);
	lookup_count--;
	free(lookup->message);
	free(lookup);
}

/* Drops what the name may not mean, and pins the rest. */
static void judge_answer(struct lookup *lookup, struct gate_dns_answer *answer)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < answer->count; i++) {
		const struct gate_address *address = &answer->addresses[i];
		const char *special = gate_address_special(address);

		if ((special || gate_is_own(address)) &&
			!(lookup->wants_private && special && strcmp(special, "private") == 0)) {
			gate_report_private(lookup->query.name, address);
			continue;
		}
		if (gate_pins_add(&gateway.pins, address, lookup->query.name, answer->ttl,
			    gate_now()) == 0)
			answer->addresses[kept++] = *address;
	}
	answer->count = kept;
	answer->ttl = min_of(answer->ttl, TTL_SHOWN_MAX);
}

static void finish(struct lookup *lookup, struct gate_dns_answer *answer)
{
	struct gate_flow *flow = gate_flow_find(lookup->flow);

	if (answer->rcode == GATE_DNS_NOERROR)
		judge_answer(lookup, answer);
	else
		answer->count = 0;
	answer->truncated = false;
	gate_report_answer(lookup->query.name, lookup->query.type, answer->count);
	if (flow && (flow->kind == GATE_FLOW_NAMES || flow->kind == GATE_FLOW_NAMES_STREAM))
		send_answer(flow, &lookup->query, answer);
	lookup_free(lookup);
}

static void fail(struct lookup *lookup)
{
	struct gate_dns_answer answer = {.rcode = GATE_DNS_SERVFAIL};

	finish(lookup, &answer);
}

static void lookup_ready(struct loop_fd *self, uint32_t events);

/* To the next server, by a new socket under a new id. False: there is none to be asked. */
static bool ask_once(struct lookup *lookup)
{
	const struct gateway_config *config = gateway.config;
	uint8_t bits[32], query[GATE_DOMAIN_MAX + 32], *at = query + 2;
	const struct gate_name *server;
	size_t size;
	bool pending;
	int fd;

	gate_watch_close(&lookup->watch);
	server = &config->servers[lookup->attempt % config->server_count];
	fd = gate_connect(server, lookup->stream ? SOCK_STREAM : SOCK_DGRAM, &pending);
	if (fd < 0)
		return false;
	random_bytes(bits, sizeof(bits));
	random_bytes(&lookup->id, sizeof(lookup->id));
	size = gate_dns_write_query(lookup->query.name, lookup->query.type, lookup->id, bits,
		lookup->asked, at, sizeof(query) - 2);
	gate_watch_init(&lookup->watch, fd, lookup_ready, lookup);
	lookup->written = !lookup->stream;
	lookup->message_size = 0;
	gate_watch_want(&lookup->watch, lookup->stream ? EPOLLOUT : EPOLLIN);
	if (!size || (!lookup->stream && send(fd, at, size, MSG_NOSIGNAL) < 0))
		return false;
	return timer_arm(&lookup->timer,
		       (uint64_t)(gate_now() + (lookup->stream ? STREAM_NS : ATTEMPT_NS))) == 0;
}

static void ask_next(struct lookup *lookup)
{
	while (++lookup->attempt < ATTEMPTS_MAX) {
		if (ask_once(lookup))
			return;
	}
	fail(lookup);
}

static void lookup_expired(struct timer *timer)
{
	ask_next(timer->data);
}

/* The question goes out as soon as the connection stands: the same again, as its id is drawn. */
static void write_stream(struct lookup *lookup)
{
	uint8_t query[GATE_DOMAIN_MAX + 34], bits[32];
	size_t size;

	random_bytes(bits, sizeof(bits));
	size = gate_dns_write_query(lookup->query.name, lookup->query.type, lookup->id, bits,
		lookup->asked, query + 2, sizeof(query) - 2);
	query[0] = (uint8_t)(size >> 8);
	query[1] = (uint8_t)size;
	if (send(lookup->watch.loop.fd, query, size + 2, MSG_NOSIGNAL) != (ssize_t)size + 2) {
		ask_next(lookup);
		return;
	}
	lookup->written = true;
	gate_watch_want(&lookup->watch, EPOLLIN);
}

static void read_stream(struct lookup *lookup)
{
	struct gate_dns_answer answer;
	size_t wanted;
	ssize_t n;

	if (!lookup->message)
		lookup->message = malloc(GATE_DNS_MESSAGE_MAX + 2);
	if (!lookup->message) {
		fail(lookup);
		return;
	}
	n = recv(lookup->watch.loop.fd, lookup->message + lookup->message_size,
		GATE_DNS_MESSAGE_MAX + 2 - lookup->message_size, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		ask_next(lookup);
		return;
	}
	lookup->message_size += (size_t)n;
	if (lookup->message_size < 2)
		return;
	wanted = (size_t)lookup->message[0] << 8 | lookup->message[1];
	if (lookup->message_size < wanted + 2)
		return;
	if (gate_dns_read_answer(lookup->message + 2, wanted, lookup->asked, lookup->query.type,
		    lookup->id, &answer) < 0)
		ask_next(lookup);
	else
		finish(lookup, &answer);
}

static void read_datagram(struct lookup *lookup)
{
	ssize_t n = recv(lookup->watch.loop.fd, buffer, sizeof(buffer), 0);
	struct gate_dns_answer answer;

	if (n < 0) {
		if (errno != EAGAIN && errno != EINTR)
			ask_next(lookup);
		return;
	}
	/* What does not fit is somebody's guess: the real answer may still come. */
	if (gate_dns_read_answer(
		    buffer, (size_t)n, lookup->asked, lookup->query.type, lookup->id, &answer) < 0)
		return;
	if (answer.truncated) {
		lookup->stream = true;
		if (!ask_once(lookup))
			fail(lookup);
		return;
	}
	/* A server that cannot is not the last word. */
	if (answer.rcode != GATE_DNS_NOERROR && answer.rcode != GATE_DNS_NXDOMAIN)
		ask_next(lookup);
	else
		finish(lookup, &answer);
}

static void lookup_ready(struct loop_fd *self, uint32_t events)
{
	struct lookup *lookup = self->data;

	if (!lookup->stream)
		read_datagram(lookup);
	else if (!lookup->written)
		write_stream(lookup);
	else
		read_stream(lookup);
}

static int look_up(struct gate_flow *flow, const struct gate_dns_query *query, bool private)
{
	struct lookup *lookup;

	if (lookup_count >= LOOKUPS_MAX || flow->questions >= LOOKUPS_EACH ||
		!gateway.config->server_count)
		return -EAGAIN;
	lookup = calloc(1, sizeof(*lookup));
	if (!lookup)
		return -ENOMEM;
	*lookup = (struct lookup){.flow = flow->id,
		.query = *query,
		.wants_private = private,
		.watch = {.loop = {.fd = -1}}};
	timer_init(&lookup->timer, lookup_expired, lookup);
	list_add_tail(&lookup->link, &lookups);
	lookup_count++;
	flow->questions++;
	if (!ask_once(lookup))
		ask_next(lookup);
	return 0;
}

/* ---- what guests ask ------------------------------------------------------------------------- */

static void take_query(struct gate_flow *flow, const uint8_t *data, size_t size)
{
	const struct gate_rule *rule;
	struct gate_dns_query query;
	bool private;
	int r = gate_dns_read_query(data, size, &query);

	if (r < 0)
		return;
	if (r > 0) {
		send_rcode(flow, &query, (uint8_t)r);
		return;
	}
	if (!gate_rules_resolve(&gateway.config->rules, query.name, &private, &rule)) {
		gate_report_name(query.name, query.type, rule);
		send_rcode(flow, &query, GATE_DNS_NXDOMAIN);
	} else if (query.type != GATE_DNS_A && query.type != GATE_DNS_AAAA) {
		send_rcode(flow, &query, GATE_DNS_NOERROR);
	} else if (look_up(flow, &query, private) < 0) {
		send_rcode(flow, &query, GATE_DNS_SERVFAIL);
	}
}

static void names_ready(struct loop_fd *self, uint32_t events)
{
	struct gate_flow *flow = self->data;
	ssize_t n = recv(self->fd, buffer, sizeof(buffer), 0);

	gate_flow_used(flow);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		gate_flow_free(flow);
	else
		take_query(flow, buffer + 1, (size_t)n - 1); /* see forward_up() */
}

/* The messages that are there in full (RFC 1035 section 4.2.2). */
static void take_messages(struct gate_flow *flow)
{
	size_t at = 0;

	while (flow->message_size - at >= 2) {
		size_t size = (size_t)flow->message[at] << 8 | flow->message[at + 1];

		if (flow->message_size - at - 2 < size)
			break;
		take_query(flow, flow->message + at + 2, size);
		at += 2 + size;
	}
	memmove(flow->message, flow->message + at, flow->message_size - at);
	flow->message_size -= at;
}

static void names_stream_ready(struct loop_fd *self, uint32_t events)
{
	struct gate_flow *flow = self->data;
	ssize_t n;

	gate_flow_used(flow);
	if (!flow->message)
		flow->message = malloc(GATE_DNS_MESSAGE_MAX + 2);
	n = flow->message ? recv(self->fd, flow->message + flow->message_size,
				    GATE_DNS_MESSAGE_MAX + 2 - flow->message_size, 0)
			  : 0;
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		flow->message_size += (size_t)n;
		take_messages(flow);
	}
	if (n <= 0 || flow->up.ended)
		gate_flow_free(flow);
}

void gate_names_open(struct gate_flow *flow)
{
	struct gate_message message = {.kind = GATE_OPENED, .id = flow->id};
	_cleanup_close_ int other = gate_flow_pair(
		flow, flow->kind == GATE_FLOW_NAMES ? names_ready : names_stream_ready);

	if (other < 0) {
		gate_refuse(flow->id, -other);
		gate_flow_free(flow);
		return;
	}
	gate_watch_want(&flow->pair, EPOLLIN);
	gate_send(&message, other);
}

/* ---- name servers ---------------------------------------------------------------------------- */

void gateway_read_servers(const char *file, struct gateway_config *config)
{
	FILE *stream = fopen(file, "re");
	char line[512];

	while (stream && config->server_count < GATE_SERVERS_MAX &&
		fgets(line, sizeof(line), stream)) {
		struct gate_name server = {.port = 53};
		char address[64];

		if (sscanf(line, " nameserver %63s", address) == 1 &&
			gate_address_parse(address, &server.address) == 0)
			config->servers[config->server_count++] = server;
	}
	if (stream)
		(void)fclose(stream);
}
