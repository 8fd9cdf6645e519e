/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/net/{snmp,snmp6,netstat} (proc_pid_net(5), RFC 1213): what the stack has counted, by the
 * names of the kernel's tables.
 *
 * TCP segments and UDP datagrams on the loopback link are never IP packets, and not counted as
 * those; what this stack has no such thing for is 0.
 */
#include <stddef.h>

#include "base/checked.h"
#include "sentry/procfs/procfs.h"
#include "sentry/procfs/pseudo.h"
#include "sentry/socket/inet_socket.h"
#include "sentry/socket/net_proc.h"
#include "sentry/nsproxy.h"

struct item {
	const char *name;
	uint64_t value;
};

static void show_table(struct seq *seq, const char *table, const struct item *items, size_t count)
{
	seq_printf(seq, "%s:", table);
	for (size_t i = 0; i < count; i++)
		seq_printf(seq, " %s", items[i].name);
	seq_printf(seq, "\n%s:", table);
	for (size_t i = 0; i < count; i++)
		seq_printf(seq, " %lld", (long long)items[i].value);
	seq_puts(seq, "\n");
}

static void show_rows(struct seq *seq, const char *table, const struct item *items, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t start = seq->size;

		seq_printf(seq, "%s%s", table, items[i].name);
		seq_pad(seq, start, 32);
		seq_printf(seq, "\t%lld\n", (long long)items[i].value);
	}
}

static const struct netstack *stack_here(void)
{
	const struct task *task = task_current();
	const struct nsproxy *proxy = task && task->nsproxy ? task->nsproxy : nsproxy_first();

	return &container_of(proxy->ns[NS_NET], struct net_ns, ns)->stack;
}

/* ---- IPv4 ------------------------------------------------------------------------------------ */

static void show_ip(struct seq *seq, const struct ip_counters *ip)
{
	const struct item items[] = {{"Forwarding", 2}, {"DefaultTTL", 64},
		{"InReceives", ip->in_receives}, {"InHdrErrors", ip->in_header_errors},
		{"InAddrErrors", ip->in_address_errors}, {"ForwDatagrams", 0},
		{"InUnknownProtos", ip->in_unknown_protocols}, {"InDiscards", ip->in_discards},
		{"InDelivers", ip->in_delivers}, {"OutRequests", ip->out_requests},
		{"OutDiscards", ip->out_discards}, {"OutNoRoutes", ip->out_no_routes},
		{"ReasmTimeout", ip->reassembly_timeouts}, {"ReasmReqds", ip->reassembly_requests},
		{"ReasmOKs", ip->reassembly_oks}, {"ReasmFails", ip->reassembly_fails},
		{"FragOKs", ip->fragment_oks}, {"FragFails", ip->fragment_fails},
		{"FragCreates", ip->fragment_creates}, {"OutTransmits", ip->out_requests}};

	show_table(seq, "Ip", items, array_size(items));
}

static void show_icmp(struct seq *seq, const struct icmp_counters *icmp)
{
	const uint32_t *in = icmp->in_types, *out = icmp->out_types;
	const struct item items[] = {{"InMsgs", icmp->in_messages}, {"InErrors", icmp->in_errors},
		{"InCsumErrors", icmp->in_checksum_errors}, {"InDestUnreachs", in[3]},
		{"InTimeExcds", in[11]}, {"InParmProbs", in[12]}, {"InSrcQuenchs", in[4]},
		{"InRedirects", in[5]}, {"InEchos", in[8]}, {"InEchoReps", in[0]},
		{"InTimestamps", in[13]}, {"InTimestampReps", in[14]}, {"InAddrMasks", in[17]},
		{"InAddrMaskReps", in[18]}, {"OutMsgs", icmp->out_messages},
		{"OutErrors", icmp->out_errors}, {"OutRateLimitGlobal", icmp->out_limited},
		{"OutRateLimitHost", 0}, {"OutDestUnreachs", out[3]}, {"OutTimeExcds", out[11]},
		{"OutParmProbs", out[12]}, {"OutSrcQuenchs", out[4]}, {"OutRedirects", out[5]},
		{"OutEchos", out[8]}, {"OutEchoReps", out[0]}, {"OutTimestamps", out[13]},
		{"OutTimestampReps", out[14]}, {"OutAddrMasks", out[17]},
		{"OutAddrMaskReps", out[18]}};

	show_table(seq, "Icmp", items, array_size(items));
}

static void show_tcp(struct seq *seq, const struct netstack *stack)
{
	const struct transport_counters *tcp = stack->counters.tcp;
	const struct inet_endpoint *endpoint;
	uint64_t open = 0, retransmitted = 0;

	list_for_each_entry (endpoint, &stack->endpoints, list) {
		const struct inet_tcp *one = container_of(endpoint, struct inet_tcp, endpoint);

		if (endpoint->protocol != INET_TCP)
			continue;
		open += one->tcp.state == TCP_ESTABLISHED || one->tcp.state == TCP_CLOSE_WAIT;
		retransmitted += one->tcp.counters.retransmitted;
	}
	{
		const struct item items[] = {{"RtoAlgorithm", 1}, {"RtoMin", 200},
			{"RtoMax", 120000}, {"MaxConn", (uint64_t)-1}, {"ActiveOpens", 0},
			{"PassiveOpens", 0}, {"AttemptFails", 0}, {"EstabResets", 0},
			{"CurrEstab", open}, {"InSegs", tcp[0].in + tcp[1].in},
			{"OutSegs", tcp[0].out + tcp[1].out}, {"RetransSegs", retransmitted},
			{"InErrs", tcp[0].in_errors + tcp[1].in_errors}, {"OutRsts", 0},
			{"InCsumErrors", tcp[0].in_checksum_errors + tcp[1].in_checksum_errors}};

		show_table(seq, "Tcp", items, array_size(items));
	}
}

static void show_udp(struct seq *seq, const char *name, const struct transport_counters *udp)
{
	const struct item items[] = {{"InDatagrams", udp->in}, {"NoPorts", udp->no_ports},
		{"InErrors", udp->in_errors}, {"OutDatagrams", udp->out}, {"RcvbufErrors", 0},
		{"SndbufErrors", 0}, {"InCsumErrors", udp->in_checksum_errors}, {"IgnoredMulti", 0},
		{"MemErrors", 0}};

	show_table(seq, name, items, array_size(items));
}

static int show_snmp(struct seq *seq)
{
	const struct netstack *stack = stack_here();

	show_ip(seq, &stack->counters.ip[0]);
	show_icmp(seq, &stack->counters.icmp[0]);
	show_tcp(seq, stack);
	show_udp(seq, "Udp", &stack->counters.udp[0]);
	show_udp(seq, "UdpLite", &stack->counters.udplite[0]);
	return 0;
}

/* Of the many counters of "TcpExt" and "IpExt" those that there is something to count for. */
static int show_netstat(struct seq *seq)
{
	const struct netstack *stack = stack_here();
	const struct ip_counters *ip = &stack->counters.ip[0];
	const struct inet_endpoint *endpoint;
	uint64_t waiting = 0;

	list_for_each_entry (endpoint, &stack->endpoints, list)
		waiting += endpoint->protocol == INET_TCP &&
			   container_of(endpoint, struct inet_tcp, endpoint)->tcp.state ==
				   TCP_TIME_WAIT;
	{
		const struct item tcp[] = {{"TW", waiting}};
		const struct item more[] = {{"InNoRoutes", 0}, {"InOctets", ip->in_octets},
			{"OutOctets", ip->out_octets}};

		show_table(seq, "TcpExt", tcp, array_size(tcp));
		show_table(seq, "IpExt", more, array_size(more));
	}
	return 0;
}

/* ---- IPv6: a row each ------------------------------------------------------------------------ */

static void show_ip6(struct seq *seq, const struct ip_counters *ip)
{
	const struct item items[] = {{"InReceives", ip->in_receives},
		{"InHdrErrors", ip->in_header_errors}, {"InTooBigErrors", 0}, {"InNoRoutes", 0},
		{"InAddrErrors", ip->in_address_errors},
		{"InUnknownProtos", ip->in_unknown_protocols}, {"InTruncatedPkts", 0},
		{"InDiscards", ip->in_discards}, {"InDelivers", ip->in_delivers},
		{"OutForwDatagrams", 0}, {"OutRequests", ip->out_requests},
		{"OutDiscards", ip->out_discards}, {"OutNoRoutes", ip->out_no_routes},
		{"ReasmTimeout", ip->reassembly_timeouts}, {"ReasmReqds", ip->reassembly_requests},
		{"ReasmOKs", ip->reassembly_oks}, {"ReasmFails", ip->reassembly_fails},
		{"FragOKs", ip->fragment_oks}, {"FragFails", ip->fragment_fails},
		{"FragCreates", ip->fragment_creates}, {"InOctets", ip->in_octets},
		{"OutOctets", ip->out_octets}};

	show_rows(seq, "Ip6", items, array_size(items));
}

static void show_icmp6(struct seq *seq, const struct icmp_counters *icmp)
{
	const uint32_t *in = icmp->in_types, *out = icmp->out_types;
	const struct item items[] = {{"InMsgs", icmp->in_messages}, {"InErrors", icmp->in_errors},
		{"OutMsgs", icmp->out_messages}, {"OutErrors", icmp->out_errors},
		{"InCsumErrors", icmp->in_checksum_errors}, {"OutRateLimitHost", icmp->out_limited},
		{"InDestUnreachs", in[1]}, {"InPktTooBigs", in[2]}, {"InTimeExcds", in[3]},
		{"InParmProblems", in[4]}, {"InEchos", in[128]}, {"InEchoReplies", in[129]},
		{"InRouterSolicits", in[133]}, {"InRouterAdvertisements", in[134]},
		{"InNeighborSolicits", in[135]}, {"InNeighborAdvertisements", in[136]},
		{"InRedirects", in[137]}, {"InMLDv2Reports", in[143]}, {"OutDestUnreachs", out[1]},
		{"OutPktTooBigs", out[2]}, {"OutTimeExcds", out[3]}, {"OutParmProblems", out[4]},
		{"OutEchos", out[128]}, {"OutEchoReplies", out[129]},
		{"OutRouterSolicits", out[133]}, {"OutRouterAdvertisements", out[134]},
		{"OutNeighborSolicits", out[135]}, {"OutNeighborAdvertisements", out[136]},
		{"OutRedirects", out[137]}, {"OutMLDv2Reports", out[143]}};

	show_rows(seq, "Icmp6", items, array_size(items));
}

static void show_udp6(struct seq *seq, const char *name, const struct transport_counters *udp)
{
	const struct item items[] = {{"InDatagrams", udp->in}, {"NoPorts", udp->no_ports},
		{"InErrors", udp->in_errors}, {"OutDatagrams", udp->out}, {"RcvbufErrors", 0},
		{"SndbufErrors", 0}, {"InCsumErrors", udp->in_checksum_errors}, {"MemErrors", 0}};

	show_rows(seq, name, items, array_size(items));
}

static int show_snmp6(struct seq *seq)
{
	const struct netstack *stack = stack_here();

	show_ip6(seq, &stack->counters.ip[1]);
	show_icmp6(seq, &stack->counters.icmp[1]);
	show_udp6(seq, "Udp6", &stack->counters.udp[1]);
	show_udp6(seq, "UdpLite6", &stack->counters.udplite[1]);
	return 0;
}

/* ---- neighbours ------------------------------------------------------------------------------ */

/* arp_format_neigh_entry(): ATF_COM is a known address, ATF_PERM one that was given. */
static int show_arp(struct seq *seq)
{
	const struct netstack *stack = stack_here();
	const struct neighbour *neighbour;

	seq_puts(seq, "IP address       HW type     Flags       HW address            Mask     "
		      "Device\n");
	list_for_each_entry (neighbour, &stack->ip.neighbours, link) {
		const uint8_t *ip = neighbour->address.bytes + 12, *mac = neighbour->hardware;
		bool known = !(neighbour->state & (NEIGHBOUR_INCOMPLETE | NEIGHBOUR_FAILED));
		size_t start = seq->size;

		if (!inet_is_v4(&neighbour->address))
			continue;
		seq_printf(seq, "%u.%u.%u.%u", ip[0], ip[1], ip[2], ip[3]);
		seq_pad(seq, start, 16);
		seq_printf(seq, "0x%-10x0x%-10x%02x:%02x:%02x:%02x:%02x:%02x     *        %s\n", 1,
			(known ? 2 : 0) | (neighbour->state & NEIGHBOUR_PERMANENT ? 4 : 0),
			known ? mac[0] : 0, known ? mac[1] : 0, known ? mac[2] : 0,
			known ? mac[3] : 0, known ? mac[4] : 0, known ? mac[5] : 0,
			neighbour->netif->name);
	}
	return 0;
}

void net_snmp_register(void)
{
	(void)procfs_register_net("arp", show_arp);
	(void)procfs_register_net("netstat", show_netstat);
	(void)procfs_register_net("snmp", show_snmp);
	(void)procfs_register_net("snmp6", show_snmp6);
}
