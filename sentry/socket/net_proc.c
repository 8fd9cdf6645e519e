/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/net (proc_pid_net(5)): interfaces, addresses and routes of the reader's network, and
 * what the protocols count. What Linux counts and this stack has no such thing for is 0. */
#include "sentry/socket/net_proc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/procfs/procfs.h"
#include "sentry/procfs/pseudo.h"
#include "sentry/socket/inet_socket.h"
#include "sentry/socket/netlink_route.h"
#include "sentry/socket/raw.h"
#include "sentry/socket/unix.h"

static struct netstack *stack_here(void)
{
	const struct task *task = task_current();
	const struct nsproxy *proxy = task && task->nsproxy ? task->nsproxy : nsproxy_first();

	return &container_of(proxy->ns[NS_NET], struct net_ns, ns)->stack;
}

/* ---- interfaces ------------------------------------------------------------------------------ */

static int show_dev(struct seq *seq)
{
	const struct netif *netif;

	seq_puts(seq,
		"Inter-|   Receive                                                |  Transmit\n"
		" face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
		"packets errs drop fifo colls carrier compressed\n");
	list_for_each_entry (netif, &stack_here()->netifs, link) {
		const struct netif_counters *count = &netif->counters;

		seq_printf(seq,
			"%6s: %7llu %7llu %4llu %4llu %4u %5u %10u %9llu "
			"%8llu %7llu %4llu %4llu %4u %5u %7u %10u\n",
			netif->name, (unsigned long long)count->rx_bytes,
			(unsigned long long)count->rx_packets, (unsigned long long)count->rx_errors,
			(unsigned long long)count->rx_dropped, 0u, 0u, 0u,
			(unsigned long long)count->multicast, (unsigned long long)count->tx_bytes,
			(unsigned long long)count->tx_packets, (unsigned long long)count->tx_errors,
			(unsigned long long)count->tx_dropped, 0u, 0u, 0u, 0u);
	}
	return 0;
}

static void put_hex(struct seq *seq, const struct inet_address *address)
{
	for (unsigned i = 0; i < sizeof(address->bytes); i++)
		seq_printf(seq, "%02x", address->bytes[i]);
}

/* IPV6_ADDR_*: the kind of address, not RT_SCOPE_*. */
static unsigned scope_of(const struct netif_address *address)
{
	return address->scope == NETSCOPE_HOST	 ? 0x10
	       : address->scope == NETSCOPE_LINK ? 0x20
	       : address->scope == NETSCOPE_SITE ? 0x40
						 : 0;
}

static int show_if_inet6(struct seq *seq)
{
	const struct netif_address *address;
	const struct netif *netif;

	list_for_each_entry (netif, &stack_here()->netifs, link) {
		list_for_each_entry (address, &netif->addresses, link) {
			if (inet_is_v4(&address->address))
				continue;
			put_hex(seq, &address->address);
			seq_printf(seq, " %02x %02x %02x %02x %8s\n", netif->index, address->prefix,
				scope_of(address), address->flags, netif->name);
		}
	}
	return 0;
}

/* ---- routes ---------------------------------------------------------------------------------- */

#define RTF_UP	    0x1u
#define RTF_GATEWAY 0x2u
#define RTF_HOST    0x4u
#define RTF_REJECT  0x200u
#define RTF_LOCAL   0x80000000u
#define RTF_NONEXT  0x00200000u

static uint32_t word_of(const struct inet_address *address)
{
	uint32_t word;

	memcpy(&word, address->bytes + 12, sizeof(word));
	return word;
}

static bool refuses(const struct route *route)
{
	return route->type >= LX_RTN_BLACKHOLE && route->type <= LX_RTN_PROHIBIT;
}

/* fib_route_seq_show(): the table "main". */
static void show_route4(struct seq *seq, const struct route *route)
{
	unsigned flags = RTF_UP | (refuses(route) ? RTF_REJECT : 0) |
			 (inet_is_any(&route->gateway) ? 0 : RTF_GATEWAY) |
			 (route->prefix == 32 ? RTF_HOST : 0);
	uint32_t mask = route->prefix ? __builtin_bswap32(UINT32_MAX << (32 - route->prefix)) : 0;
	char line[128];

	(void)snprintf(line, sizeof(line), "%s\t%08X\t%08X\t%04X\t%d\t%u\t%u\t%08X\t%d\t%u\t%u",
		route->netif ? route->netif->name : "*", word_of(&route->destination),
		inet_is_any(&route->gateway) ? 0 : word_of(&route->gateway), flags, 0, 0u,
		route->metric, mask, route->mtu ? (int)route->mtu + 40 : 0, 0u, 0u);
	seq_printf(seq, "%-127s\n", line);
}

static int show_route(struct seq *seq)
{
	_cleanup_free_ struct route *routes = NULL;
	size_t count;
	char head[128];
	int err = route_collect(stack_here(), &routes, &count);

	if (err < 0)
		return err;
	(void)snprintf(head, sizeof(head),
		"Iface\tDestination\tGateway "
		"\tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
	seq_printf(seq, "%-127s\n", head);
	for (size_t i = 0; i < count; i++)
		if (inet_is_v4(&routes[i].destination) && routes[i].type != LX_RTN_LOCAL &&
			routes[i].type != LX_RTN_BROADCAST)
			show_route4(seq, &routes[i]);
	return 0;
}

/* rt6_info_route() */
static void show_route6(struct seq *seq, const struct route *route)
{
	unsigned flags = RTF_UP | (refuses(route) ? RTF_REJECT | RTF_NONEXT : 0) |
			 (inet_is_any(&route->gateway) ? 0 : RTF_GATEWAY) |
			 (route->prefix == 128 && route->type != LX_RTN_LOCAL ? RTF_HOST : 0);

	if (route->type == LX_RTN_LOCAL)
		flags |= RTF_NONEXT | RTF_LOCAL;
	put_hex(seq, &route->destination);
	seq_printf(seq, " %02x ", route->prefix);
	put_hex(seq, &inet_any);
	seq_puts(seq, " 00 ");
	put_hex(seq, &route->gateway);
	seq_printf(seq, " %08x %08x %08x %08x %8s\n", route->metric, 1, 0, flags,
		route->netif ? route->netif->name : "");
}

static int show_ipv6_route(struct seq *seq)
{
	struct netstack *stack = stack_here();
	const struct route none = {
		.metric = UINT32_MAX, .type = LX_RTN_UNREACHABLE, .netif = &stack->loopback};
	_cleanup_free_ struct route *routes = NULL;
	size_t count;
	int err = route_collect(stack, &routes, &count);

	if (err < 0)
		return err;
	for (size_t i = 0; i < count; i++)
		if (!inet_is_v4(&routes[i].destination))
			show_route6(seq, &routes[i]);
	/* What has no way at all (fib6_null_entry). */
	show_route6(seq, &none);
	return 0;
}

/* ---- sockets --------------------------------------------------------------------------------- */

struct usage {
	unsigned tcp[2], wait, orphans, udp[2], udplite[2], raw[2], total;
	uint64_t bytes;
};

static void count_sockets(struct usage *ret)
{
	const struct netstack *stack = stack_here();
	const struct inet_endpoint *endpoint;

	*ret = (struct usage){0};
	list_for_each_entry (endpoint, &stack->endpoints, list) {
		const struct tcp *tcp;

		if (endpoint->protocol == INET_UDP) {
			ret->udp[endpoint->ipv6]++;
		} else if (endpoint->protocol == INET_UDPLITE) {
			ret->udplite[endpoint->ipv6]++;
		} else {
			tcp = &container_of(endpoint, struct inet_tcp, endpoint)->tcp;
			ret->bytes += tcp->send.size + tcp->receive.size;
			if (tcp->state == TCP_TIME_WAIT) {
				ret->wait++;
				continue;
			}
			ret->tcp[endpoint->ipv6]++;
			ret->orphans += !endpoint->owner;
		}
		ret->total += endpoint->owner != NULL;
	}
	for (const struct raw *raw = raw_next(NULL); raw; raw = raw_next(raw))
		if (!raw->ping && inet_stack(&raw->socket->base) == stack)
			ret->raw[raw->socket->v6]++;
	for (const struct unix_socket *one = unix_next(NULL); one; one = unix_next(one))
		ret->total += one->state != UNIX_CLOSED &&
			      &container_of(one->base.net, struct net_ns, ns)->stack == stack;
}

static int show_sockstat(struct seq *seq)
{
	struct usage usage;

	count_sockets(&usage);
	seq_printf(seq,
		"sockets: used %u\nTCP: inuse %u orphan %u tw %u alloc %u mem %llu\n"
		"UDP: inuse %u mem 0\nUDPLITE: inuse %u\nRAW: inuse %u\nFRAG: inuse 0 memory 0\n",
		usage.total, usage.tcp[0], usage.orphans, usage.wait, usage.tcp[0] + usage.tcp[1],
		(unsigned long long)(usage.bytes + 4095) / 4096, usage.udp[0], usage.udplite[0],
		usage.raw[0]);
	return 0;
}

static int show_sockstat6(struct seq *seq)
{
	struct usage usage;

	count_sockets(&usage);
	seq_printf(seq,
		"TCP6: inuse %u\nUDP6: inuse %u\nUDPLITE6: inuse %u\nRAW6: inuse %u\n"
		"FRAG6: inuse 0 memory 0\n",
		usage.tcp[1], usage.udp[1], usage.udplite[1], usage.raw[1]);
	return 0;
}

static int show_netlink(struct seq *seq)
{
	const struct netstack *stack = stack_here();

	seq_puts(seq, "sk               Eth Pid        Groups   Rmem     Wmem     Dump  Locks    "
		      "Drops    Inode\n");
	for (const struct netlink_socket *socket = netlink_next(NULL); socket;
		socket = netlink_next(socket)) {
		const struct file *file = socket->base.file;

		if (&netlink_net(socket)->stack != stack)
			continue;
		seq_printf(seq, "%016x %-3d %-10u %08x %-8d %-8d %-5d %-8d %-8u %-8llu\n", 0,
			socket->base.protocol, socket->port, (unsigned)socket->groups,
			(int)socket->queued, 0, socket->dump != NULL, 2, 0u,
			(unsigned long long)(file ? file->inode->ino : 0));
	}
	return 0;
}

void net_proc_register(void)
{
	static bool done;

	if (done)
		return;
	done = true;
	net_snmp_register();
	(void)procfs_register_net("dev", show_dev);
	(void)procfs_register_net("if_inet6", show_if_inet6);
	(void)procfs_register_net("route", show_route);
	(void)procfs_register_net("ipv6_route", show_ipv6_route);
	(void)procfs_register_net("sockstat", show_sockstat);
	(void)procfs_register_net("sockstat6", show_sockstat6);
	(void)procfs_register_net("netlink", show_netlink);
	net_proc_group_register();
}
