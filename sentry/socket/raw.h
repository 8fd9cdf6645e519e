/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SOCKET_RAW_H
#define SENTRY_SENTRY_SOCKET_RAW_H

#include "sentry/socket/filter.h"
#include "sentry/socket/inet_socket.h"
#include "sentry/socket/netlink.h"

/*
 * SOCK_RAW of the Internet's families (raw(7), ipv6(7)), and sockets for echoes: SOCK_DGRAM with
 * IPPROTO_ICMP or IPPROTO_ICMPV6 (icmp(7)).
 *
 * They are datagram sockets whose endpoint is bound to no port: options, ancillary data, errors and
 * the queue are those of inet_dgram.c. What arrives is a hook's of the stack.
 */
struct raw {
	struct list_head link; /* all of them */
	struct inet_socket *socket;
	struct raw_hook hook;
	bool hooked, ping;
	bool include_header;	   /* IP_HDRINCL */
	uint32_t icmp_filter;	   /* ICMP_FILTER: types that are dropped */
	uint32_t icmp6_filter[8];  /* ICMP6_FILTER: likewise */
	int checksum_offset;	   /* IPV6_CHECKSUM; -1: none */
	struct inet_address bound; /* by bind(); any: not */
	uint16_t peer_port;
};

/* -EPERM, -EACCES (no group that may), -EPROTONOSUPPORT, -ENOBUFS, -ENOMEM. */
int raw_create(struct task *task, int family, int type, int protocol, struct socket **ret);
/* NULL begins and ends. */
const struct raw *raw_next(const struct raw *raw);
int raw_diag_fill(struct netlink_socket *asker, struct nl_dump *dump, struct nl_builder *builder);
/* raw_proc.c: /proc/net/{raw,raw6,icmp,icmp6}. */
void raw_proc_register(void);

#endif
