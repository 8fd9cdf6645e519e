/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SOCKET_NETLINK_H
#define SENTRY_SENTRY_SOCKET_NETLINK_H

#include "abi/netlink.h"
#include "sentry/nsproxy.h"
#include "sentry/socket/socket.h"

/*
 * AF_NETLINK (netlink(7)), private to sentry/socket/netlink*.c: sockets and queues, messages, and
 * the families behind the protocols.
 *
 * A request is handled while it is sent. A dump is not: it is a cursor on the socket, which makes
 * the next datagram when the last one was taken, so that a table of any size needs one datagram's
 * memory. A cursor counts entries; whoever changes a table during a dump may make it miss one or
 * show one twice, as on Linux.
 */

/* ---- messages (netlink_message.c) ------------------------------------------------------------ */

#define NL_DATAGRAM_SIZE 3776  /* of a dump, about what Linux uses until it knows the reader */
#define NL_BUILDER_SIZE	 16384 /* the largest datagram of ours */

/*
 * A datagram that is being written. What does not fit is left out and remembered: the message is
 * then taken back by nl_end().
 */
struct nl_builder {
	size_t size, limit;
	bool overflown;
	uint8_t bytes[NL_BUILDER_SIZE];
};
struct nl_builder *nl_builder_new(size_t limit); /* NULL: no memory */
/* Appends, padded with zeroes to four bytes. */
void nl_put(struct nl_builder *builder, const void *data, size_t size);
void nl_attribute(struct nl_builder *builder, uint16_t type, const void *data, size_t size);
void nl_u8(struct nl_builder *builder, uint16_t type, uint8_t value);
void nl_u16(struct nl_builder *builder, uint16_t type, uint16_t value);
void nl_u32(struct nl_builder *builder, uint16_t type, uint32_t value);
void nl_string(struct nl_builder *builder, uint16_t type, const char *text);
/* An attribute of attributes, between begin (its place) and end. */
size_t nl_nest(struct nl_builder *builder, uint16_t type);
void nl_nest_end(struct nl_builder *builder, size_t start);
/* A message with @header's type, flags, sequence number and port. */
size_t nl_begin(struct nl_builder *builder, const struct lx_nlmsghdr *header);
/* -EMSGSIZE: it did not fit, and is not in the datagram. */
int nl_end(struct nl_builder *builder, size_t start);

static inline size_t nl_padded(size_t size)
{
	return (size + 3) & ~(size_t)3; /* NLMSG_ALIGN() */
}

struct nl_attribute {
	const uint8_t *data; /* NULL: not there */
	size_t size;
};

uint32_t nl_get_u32(const struct nl_attribute *attribute); /* four bytes at least */

/* ---- requests -------------------------------------------------------------------------------- */

struct netlink_socket;

struct nl_request {
	struct netlink_socket *socket;
	struct task *task;
	struct lx_nlmsghdr header;
	const uint8_t *body; /* behind the header */
	size_t size;
	/* For an extended acknowledgement. */
	const char *complaint;
	uint32_t offset; /* of the attribute that is wrong, from the header; 0: none */
};

/* Sets the complaint; returns @error. */
int nl_complain(struct nl_request *request, int error, const char *complaint);
int nl_complain_at(struct nl_request *request, int error, const char *complaint,
	const struct nl_attribute *attribute);

/*
 * The attributes behind the first @fixed bytes of the body, by type; others than 1..@max are passed
 * over, and of equals the last counts. @least: how long each has to be, indexed by type, or NULL.
 * -EINVAL when the fixed part is not there, -ERANGE for a short attribute.
 */
int nl_parse(struct nl_request *request, size_t fixed, struct nl_attribute *ret, unsigned max,
	const uint8_t *least);
/* The same for the attributes in @nest. */
int nl_parse_nested(struct nl_request *request, const struct nl_attribute *nest,
	struct nl_attribute *ret, unsigned max, const uint8_t *least);

struct nl_dump {
	/* Writes messages from `at` on, and moves it. 1: the datagram is full, there is more;
	 * NL_DUMP_LATER: enough for one turn of the kernel's, there is more; 0: that was all;
	 * -errno ends the dump with it. */
	int (*fill)(
		struct netlink_socket *socket, struct nl_dump *dump, struct nl_builder *builder);
	struct lx_nlmsghdr header; /* of the answers */
	size_t at[3];
	uint8_t family;	    /* 0: all */
	uint32_t index;	    /* of the interface; 0: all */
	uint8_t filter[96]; /* as the protocol wants */
	uint8_t *more;	    /* owned, or NULL */
	size_t more_size;
	bool filtered;
	int error; /* of a dump that fails: it says so at its end */
	const char *complaint;
};

/* Begins a dump; answers come when they are read. -EBUSY while another is under way, -ENOMEM.
 * Takes @dump->more. The handler returns what this returns. */
int nl_dump_start(struct nl_request *request, struct nl_dump *dump);
/* What is wrong with a dump is told by its end, as if it had begun (netlink_dump()). */
int nl_dump_fail(struct nl_request *request, int error, const char *complaint);
/* Header of an answer to @request. */
struct lx_nlmsghdr nl_answer_header(const struct nl_request *request, uint16_t type);
/* One datagram to who asked. -ENOBUFS, -ENOMEM. */
int nl_answer(struct nl_request *request, const struct nl_builder *builder);

#define NL_DUMP_LATER 2
#define NL_STARTED    1 /* a handler's: a dump answers, no acknowledgement */

/* ---- protocols ------------------------------------------------------------------------------- */

struct netlink_protocol {
	const char *name;
	unsigned groups;       /* of multicast */
	bool anybody_receives; /* groups without CAP_NET_ADMIN (NL_CFG_F_NONROOT_RECV) */
	bool anybody_sends;    /* to groups and to others than the kernel */
	/* 0, -errno, or NL_STARTED. May sleep. Missing: nobody answers. */
	int (*request)(struct nl_request *request);
};

extern const struct netlink_protocol netlink_route, netlink_diag, netlink_generic, netlink_uevent,
	netlink_usersock;

struct netlink_socket {
	struct socket base; /* first */
	const struct netlink_protocol *protocol;
	struct list_head link; /* all of them, by number */
	uint64_t number;       /* counted up, from 1 */
	uint32_t port;
	bool bound;
	uint32_t peer_port, peer_groups; /* connect(2) */
	uint64_t groups;		 /* bit 0 is group 1 */
	struct list_head datagrams;
	size_t queued;
	struct nl_dump *dump; /* owned; under way */
	bool want_group, cap_ack, ext_ack, strict, no_overrun_error, broadcast_error, all_nsid;
};

static inline struct netlink_socket *netlink_of(struct socket *base)
{
	return container_of(base, struct netlink_socket, base);
}

static inline struct net_ns *netlink_net(const struct netlink_socket *socket)
{
	return container_of(socket->base.net, struct net_ns, ns);
}

/* CAP_NET_ADMIN over the socket's network. */
bool netlink_may_administer(const struct nl_request *request);

/* Every socket; NULL begins and ends. */
struct netlink_socket *netlink_next(const struct netlink_socket *socket);

/* ---- queues (netlink_queue.c) ---------------------------------------------------------------- */

struct netlink_payload;

struct netlink_datagram {
	struct list_head link;
	uint32_t from, group; /* 0: the kernel; none */
	struct lx_ucred cred;
	size_t size;
	struct netlink_payload *payload;
};
const uint8_t *netlink_datagram_bytes(const struct netlink_datagram *datagram);
void netlink_datagram_free(struct netlink_datagram *datagram);

/* One message to one socket, if its filter lets it by. -ENOBUFS, -ENOMEM. */
int netlink_enqueue(struct netlink_socket *socket, const void *bytes, size_t size, uint32_t from,
	unsigned group, const struct lx_ucred *cred);
void netlink_dequeue(struct netlink_socket *socket, struct netlink_datagram *datagram);
/* The socket learns that it missed something. */
void netlink_overrun(struct netlink_socket *socket);

/* To all members of @group (from 1) in @net, from the kernel. Does not sleep: what takes long is
 * done in the turns that follow. */
void netlink_multicast(const struct net_ns *net, const struct netlink_protocol *protocol,
	unsigned group, const void *bytes, size_t size);
/* The same from @socket, which gets none. May sleep until all have it. */
void netlink_send_group(struct netlink_socket *socket, unsigned group, const void *bytes,
	size_t size, const struct lx_ucred *cred);
/* Sleeps until no message to a group waits for a turn of the kernel's. */
void netlink_wait_groups(void);
bool netlink_has_members(
	const struct net_ns *net, const struct netlink_protocol *protocol, unsigned group);

#endif
