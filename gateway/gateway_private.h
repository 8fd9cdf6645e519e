/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_GATEWAY_GATEWAY_PRIVATE_H
#define SENTRY_GATEWAY_GATEWAY_PRIVATE_H

#include <sys/socket.h>

#include "base/hash.h"
#include "base/loop.h"
#include "gateway/dns.h"
#include "gateway/gateway.h"
#include "gateway/pins.h"
#include "gateway/wire.h"

/* One process, one of each. */
struct gateway {
	const struct gateway_config *config;
	struct loop_fd control;
	struct hash_table flows; /* by id */
	struct list_head list;	 /* all of them, the longest unused first */
	unsigned flow_count, datagram_count;
	struct gate_pins pins;
	struct gate_address own[2]; /* GATE_OWN_V4, GATE_OWN_V6 */
	struct timer sweep;
	uint32_t next_id;
};
extern struct gateway gateway;

/* A descriptor in the loop that may rest: without anything to wait for it is not in the set, where
 * EPOLLHUP would come again and again. */
struct gate_watch {
	struct loop_fd loop; /* fd -1: closed */
	bool in_set;
};
void gate_watch_init(
	struct gate_watch *watch, int fd, void (*ready)(struct loop_fd *, uint32_t), void *data);
void gate_watch_want(struct gate_watch *watch, uint32_t events);
void gate_watch_close(struct gate_watch *watch);

/* Bytes that were read and could not be written yet. */
struct gate_stream {
	uint8_t *rest;
	size_t rest_at, rest_size;
	bool ended;  /* the reading side is at its end ... */
	bool passed; /* ... and the other was told, behind the last byte */
	uint64_t bytes;
};

enum gate_flow_kind {
	GATE_FLOW_STREAM,	/* TCP */
	GATE_FLOW_DATAGRAMS,	/* UDP */
	GATE_FLOW_PUBLISHED,	/* a peer of a published UDP port, whose socket is the listener's */
	GATE_FLOW_NAMES,	/* UDP to our resolver */
	GATE_FLOW_NAMES_STREAM, /* TCP to it */
};

struct gate_flow {
	struct hash_entry by_id;
	struct list_head link;
	enum gate_flow_kind kind;
	uint32_t id;
	uint8_t protocol;
	struct gate_name from, to; /* as the guest sees them; published: `to` is the peer */
	bool inward, connecting;
	struct gate_watch host, pair; /* the host's socket; our end of the flow's pair */
	struct gate_stream up, down;  /* from the guest, to the guest */
	int64_t started, used;	      /* CLOCK_MONOTONIC, ns */
	/* By which the flow is allowed. */
	const struct gate_rule *rule;
	char *domain; /* owned; NULL: by its address */
	char *names;  /* that its address was looked up by, separated by commas; or NULL */
	/* The client's first bytes, until it is clear whom they name. */
	bool checking;
	uint8_t *hello;
	size_t hello_size;
	/* Of GATE_FLOW_NAMES_STREAM: the message that is coming in. */
	uint8_t *message;
	size_t message_size;
	unsigned questions; /* under way for this flow */
	/* Of GATE_FLOW_PUBLISHED */
	unsigned listener;
};

int64_t gate_now(void);

/* gateway.c */
/* @fd, or -1, goes along and stays the caller's. */
void gate_send(const struct gate_message *message, int fd);
void gate_refuse(uint32_t id, int error);
/* -ENOMEM, -ENOBUFS. Not in the tables yet. */
int gate_flow_new(enum gate_flow_kind kind, uint32_t id, struct gate_flow **ret);
struct gate_flow *gate_flow_find(uint32_t id);
/* What the Sentry has said so far. Any flow may be gone after it. */
void gate_take_messages(void);
/* The last of it; says nothing to anybody. */
void gate_flow_free(struct gate_flow *flow);
/* The same, with a line in the audit stream: @end says how. */
void gate_flow_end(struct gate_flow *flow, const char *end);
void gate_flow_reset(struct gate_flow *flow, int error, const char *end);
/* A pair for @flow: ours becomes flow->pair, the other is returned. -errno. */
int gate_flow_pair(struct gate_flow *flow, void (*ready)(struct loop_fd *, uint32_t));
void gate_flow_used(struct gate_flow *flow);
uint32_t gate_new_id(void);

/* flow.c: to the host. OPEN, allowed. Consumes @flow. */
void gate_stream_open(struct gate_flow *flow);
void gate_datagrams_open(struct gate_flow *flow);
/* A socket to @name: connected, or being connected (*ret_pending). -errno. */
int gate_connect(const struct gate_name *name, int type, bool *ret_pending);
socklen_t gate_sockaddr(const struct gate_name *name, void *ret);
int gate_from_sockaddr(const void *address, struct gate_name *ret);
/* Begins to relay between flow->host, connected, and a new pair, which is announced by @kind. */
int gate_stream_start(struct gate_flow *flow, enum gate_kind kind);
/* Whether the host takes @address for one of its own. */
bool gate_is_own(const struct gate_address *address);

/* published.c */
int gate_published_start(void);
void gate_published_gone(struct gate_flow *flow);
void gate_published_ready(struct loop_fd *fd, uint32_t events);

/* resolver.c: OPEN to our own name server. Consumes @flow. */
void gate_names_open(struct gate_flow *flow);

/* report.c */
void gate_question_init(struct gate_question *question, uint8_t protocol,
	const struct gate_name *to, const char *const *names, size_t name_count);
void gate_report_denied(const struct gate_question *question, const struct gate_rule *rule);
/* TLS: @server is what the client named, NULL: nothing. */
void gate_report_server(const struct gate_flow *flow, const char *server);
void gate_report_name(const char *name, uint16_t type, const struct gate_rule *rule);
/* A name's answers that were private. */
void gate_report_private(const char *name, const struct gate_address *address);
/* One that was asked for was answered with so many addresses. */
void gate_report_answer(const char *name, uint16_t type, unsigned count);
void gate_report_flow(const struct gate_flow *flow, const char *end);

#endif
