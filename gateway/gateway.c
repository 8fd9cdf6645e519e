/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gateway's conversation with the Sentry, and its flows. One thread on the main loop of base/;
 * no call sleeps but the ones that tell the Sentry something, which always listens (and if it does
 * not, it hurts only itself).
 */
#include "gateway/gateway_private.h"

#include <errno.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"

#define SWEEP_NS	   5000000000ll
#define DATAGRAM_IDLE_NS   120000000000ll /* RFC 4787 section 4.3, REQ-5 */
#define NAMES_IDLE_NS	   30000000000ll
#define HELLO_NS	   30000000000ll
#define DATAGRAM_FLOWS_MAX (GATE_FLOWS_MAX / 2)
#define NAMES_MAX	   64u /* names of one address */
#define NAMES_TOLD	   512u

struct gateway gateway;

int64_t gate_now(void)
{
	return (int64_t)loop_monotonic();
}

/* ---- descriptors ----------------------------------------------------------------------------- */

void gate_watch_init(
	struct gate_watch *watch, int fd, void (*ready)(struct loop_fd *, uint32_t), void *data)
{
	*watch = (struct gate_watch){.loop = {.fd = fd, .ready = ready, .data = data}};
}

void gate_watch_want(struct gate_watch *watch, uint32_t events)
{
	if (watch->loop.fd < 0)
		return;
	if (events && watch->in_set) {
		(void)loop_fd_modify(&watch->loop, events);
	} else if (events) {
		watch->loop.events = events;
		watch->in_set = loop_fd_add(&watch->loop) == 0;
	} else if (watch->in_set) {
		loop_fd_remove(&watch->loop);
		watch->in_set = false;
	}
}

void gate_watch_close(struct gate_watch *watch)
{
	if (watch->loop.fd < 0)
		return;
	gate_watch_want(watch, 0);
	close(watch->loop.fd);
	watch->loop.fd = -1;
}

/* ---- messages -------------------------------------------------------------------------------- */

void gate_send(const struct gate_message *message, int fd)
{
	struct iovec iov = {(void *)(uintptr_t)message, sizeof(*message)};
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = {0};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control.bytes);
		control.header = (struct cmsghdr){.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(sizeof(int))};
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	}
	/* The socket blocks: no message is lost, and the Sentry never waits for us. */
	if (sendmsg(gateway.control.fd, &header, MSG_NOSIGNAL) < 0)
		loop_stop(0);
}

void gate_refuse(uint32_t id, int error)
{
	struct gate_message message = {.kind = GATE_REFUSED, .id = id, .error = error};

	/* What we lack is none of connect(2)'s business. */
	if (error == EMFILE || error == ENFILE || error == ENOMEM)
		message.error = ENOBUFS;

	gate_send(&message, -1);
}

/* ---- flows ----------------------------------------------------------------------------------- */

struct gate_flow *gate_flow_find(uint32_t id)
{
	struct gate_flow *flow;

	hash_for_each_match(flow, &gateway.flows, hash_u64(id), by_id)
	{
		if (flow->id == id)
			return flow;
	}
	return NULL;
}

static bool is_datagrams(const struct gate_flow *flow)
{
	return flow->kind != GATE_FLOW_STREAM && flow->kind != GATE_FLOW_NAMES_STREAM;
}

/* The one of UDP that nobody has used for longest goes. */
static void evict_datagrams(void)
{
	struct gate_flow *flow;

	list_for_each_entry (flow, &gateway.list, link) {
		if (is_datagrams(flow) && !flow->questions) {
			gate_flow_reset(flow, 0, "evicted");
			return;
		}
	}
}

int gate_flow_new(enum gate_flow_kind kind, uint32_t id, struct gate_flow **ret)
{
	struct gate_flow *flow;
	int err;

	if (gateway.datagram_count >= DATAGRAM_FLOWS_MAX || gateway.flow_count >= GATE_FLOWS_MAX)
		evict_datagrams();
	if (gateway.flow_count >= GATE_FLOWS_MAX)
		return -ENOBUFS;
	flow = calloc(1, sizeof(*flow));
	if (!flow)
		return -ENOMEM;
	*flow = (struct gate_flow){.kind = kind,
		.id = id,
		.host = {.loop = {.fd = -1}},
		.pair = {.loop = {.fd = -1}},
		.started = gate_now(),
		.used = gate_now()};
	err = hash_insert(&gateway.flows, &flow->by_id, hash_u64(id));
	if (err < 0) {
		free(flow);
		return err;
	}
	list_add_tail(&flow->link, &gateway.list);
	gateway.flow_count++;
	gateway.datagram_count += is_datagrams(flow);
	*ret = flow;
	return 0;
}

void gate_flow_free(struct gate_flow *flow)
{
	if (flow->kind == GATE_FLOW_PUBLISHED)
		gate_published_gone(flow);
	gate_watch_close(&flow->host);
	gate_watch_close(&flow->pair);
	hash_remove(&gateway.flows, &flow->by_id);
	list_remove(&flow->link);
	gateway.flow_count--;
	gateway.datagram_count -= is_datagrams(flow);
	free(flow->up.rest);
	free(flow->down.rest);
	free(flow->domain);
	free(flow->names);
	free(flow->hello);
	free(flow->message);
	free(flow);
}

void gate_flow_end(struct gate_flow *flow, const char *end)
{
	if (flow->kind != GATE_FLOW_NAMES && flow->kind != GATE_FLOW_NAMES_STREAM)
		gate_report_flow(flow, end);
	gate_flow_free(flow);
}

void gate_flow_reset(struct gate_flow *flow, int error, const char *end)
{
	static const struct linger now = {.l_onoff = 1};
	struct gate_message message = {.kind = GATE_RESET, .id = flow->id, .error = error};

	gate_send(&message, -1);
	if (flow->kind == GATE_FLOW_STREAM && flow->host.loop.fd >= 0)
		(void)setsockopt(flow->host.loop.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	gate_flow_end(flow, end);
}

int gate_flow_pair(struct gate_flow *flow, void (*ready)(struct loop_fd *, uint32_t))
{
	bool stream = !is_datagrams(flow);
	int ends[2];

	if (socketpair(AF_UNIX,
		    (stream ? SOCK_STREAM : SOCK_SEQPACKET) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
		    ends) < 0)
		return -errno;
	gate_watch_init(&flow->pair, ends[0], ready, flow);
	return ends[1];
}

void gate_flow_used(struct gate_flow *flow)
{
	flow->used = gate_now();
	list_remove(&flow->link);
	list_add_tail(&flow->link, &gateway.list);
}

uint32_t gate_new_id(void)
{
	gateway.next_id += 2;
	return gateway.next_id | 1;
}

static void sweep(struct timer *timer)
{
	int64_t now = gate_now();
	struct gate_flow *flow, *next;

	list_for_each_entry_safe (flow, next, &gateway.list, link) {
		int64_t idle = now - flow->used;

		if (flow->kind == GATE_FLOW_STREAM) {
			if (flow->checking && flow->hello_size && idle > HELLO_NS)
				gate_flow_reset(flow, 0, "no server name in time");
		} else if (idle > (flow->kind == GATE_FLOW_NAMES ||
							  flow->kind == GATE_FLOW_NAMES_STREAM
						  ? NAMES_IDLE_NS
						  : DATAGRAM_IDLE_NS) &&
			   !flow->questions) {
			gate_flow_end(flow, "idle");
		}
	}
	(void)timer_arm(timer, (uint64_t)(now + SWEEP_NS));
}

/* ---- what the Sentry says -------------------------------------------------------------------- */

static bool is_own_name(const struct gate_name *name)
{
	return gate_same(&name->address, &gateway.own[0]) ||
	       gate_same(&name->address, &gateway.own[1]);
}

/* The rules' answer. What a rule allows is asked again once the host says that it is its own. */
static void ask(const struct gate_name *to, uint8_t protocol, const char **names,
	struct gate_question *question, struct gate_answer *answer)
{
	size_t count = gate_pins_find(&gateway.pins, &to->address, gate_now(), names, NAMES_MAX);

	gate_question_init(question, protocol, to, names, count);
	gate_rules_ask(&gateway.config->rules, question, answer);
	if (!answer->allowed || question->special || !gate_is_own(&to->address))
		return;
	question->special = "this host's own";
	gate_rules_ask(&gateway.config->rules, question, answer);
}

static void open_names(const struct gate_message *message)
{
	bool stream = message->protocol == GATE_TCP;
	struct gate_flow *flow;
	int err = gate_flow_new(
		stream ? GATE_FLOW_NAMES_STREAM : GATE_FLOW_NAMES, message->id, &flow);

	if (err < 0) {
		gate_refuse(message->id, -err);
		return;
	}
	gate_names_open(flow);
}

/* Names of one address, for the audit stream; so many as fit. */
static char *join_names(const char *const *names, size_t count)
{
	char text[NAMES_TOLD] = "";
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		size_t size = strlen(names[i]);

		if (used + size + 2 > sizeof(text))
			break;
		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%s%s", used ? "," : "", names[i]);
	}
	return used && audit_wanted() ? strdup(text) : NULL;
}

static void open_flow(const struct gate_message *message)
{
	const char *names[NAMES_MAX];
	struct gate_name to = {.port = message->to_port};
	struct gate_question question;
	struct gate_answer answer;
	struct gate_flow *flow;
	int err;

	memcpy(to.address.bytes, message->to, sizeof(to.address.bytes));
	if (is_own_name(&to)) {
		if (to.port == 53)
			open_names(message);
		else
			gate_refuse(message->id, ECONNREFUSED);
		return;
	}
	ask(&to, message->protocol, names, &question, &answer);
	if (!answer.allowed) {
		gate_report_denied(&question, answer.rule);
		gate_refuse(message->id, ECONNREFUSED);
		return;
	}
	err = gate_flow_new(message->protocol == GATE_TCP ? GATE_FLOW_STREAM : GATE_FLOW_DATAGRAMS,
		message->id, &flow);
	if (err < 0) {
		gate_refuse(message->id, -err);
		return;
	}
	flow->protocol = message->protocol;
	flow->to = to;
	flow->from.port = message->from_port;
	memcpy(flow->from.address.bytes, message->from, sizeof(flow->from.address.bytes));
	flow->rule = answer.rule;
	flow->domain = answer.name ? strdup(answer.name) : NULL;
	flow->names = join_names(names, question.name_count);
	flow->checking = answer.name && flow->protocol == GATE_TCP;
	if (answer.name && !flow->domain) {
		gate_flow_free(flow);
		gate_refuse(message->id, ENOMEM);
	} else if (flow->protocol == GATE_TCP) {
		gate_stream_open(flow);
	} else {
		gate_datagrams_open(flow);
	}
}

static void take_message(const struct gate_message *message)
{
	struct gate_flow *flow = gate_flow_find(message->id);

	if (message->kind == GATE_OPEN) {
		/* A number in use: the Sentry is not what it was. */
		if (flow)
			loop_stop(1);
		else
			open_flow(message);
		return;
	}
	/* RESET. It may cross our own end of the flow. */
	if (!flow)
		return;
	if (flow->host.loop.fd >= 0 && flow->kind == GATE_FLOW_STREAM) {
		static const struct linger now = {.l_onoff = 1};

		(void)setsockopt(flow->host.loop.fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	}
	gate_flow_end(flow, "reset by the program");
}

/* Nobody sends us descriptors; whoever does has them closed. */
static unsigned close_received(struct msghdr *header)
{
	unsigned count = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
		size_t size = c->cmsg_len - CMSG_LEN(0);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < size / sizeof(int); i++, count++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			close(fd);
		}
	}
	return count + !!(header->msg_flags & MSG_CTRUNC);
}

#define MESSAGES_A_TURN 64

/* False: there is no more. */
static bool take_one(int fd)
{
	char control[CMSG_SPACE(4 * sizeof(int))], bytes[sizeof(struct gate_message) + 1];
	struct iovec iov = {bytes, sizeof(bytes)};
	struct msghdr header = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct gate_message message;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		loop_stop(0); /* the Sentry is gone */
		return false;
	}
	if (gate_message_check(
		    bytes, (size_t)n, close_received(&header), GATE_BY_SENTRY, &message) < 0) {
		log_error("the kernel process sent the gateway what is no message");
		loop_stop(1);
		return false;
	}
	take_message(&message);
	return true;
}

static void control_ready(struct loop_fd *self, uint32_t events)
{
	static bool busy; /* a message's consequences may come back here */

	if (busy)
		return;
	busy = true;
	for (unsigned i = 0; i < MESSAGES_A_TURN && take_one(self->fd); i++)
		;
	busy = false;
}

void gate_take_messages(void)
{
	control_ready(&gateway.control, EPOLLIN);
}

/* ---- the process ----------------------------------------------------------------------------- */

int gateway_run(const struct gateway_config *config)
{
	int r, status;

	gateway.config = config;
	list_init(&gateway.list);
	timer_init(&gateway.sweep, sweep, NULL);
	sentry_assert(gate_address_parse(GATE_OWN_V4, &gateway.own[0]) == 0 &&
		      gate_address_parse(GATE_OWN_V6, &gateway.own[1]) == 0);
	gateway.control = (struct loop_fd){
		.fd = config->control_fd, .events = EPOLLIN, .ready = control_ready};
	r = loop_fd_add(&gateway.control);
	r = r < 0 ? r : gate_published_start();
	r = r < 0 ? r : timer_arm(&gateway.sweep, (uint64_t)gate_now() + SWEEP_NS);
	if (r < 0)
		return 1;
	status = loop_run();
	while (!list_empty(&gateway.list))
		gate_flow_end(
			list_first(&gateway.list, struct gate_flow, link), "the sandbox ended");
	return status;
}
