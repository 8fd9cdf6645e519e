/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/net/{igmp,igmp6,dev_mcast}: the groups that interfaces listen to (kernel net/ipv4/igmp.c,
 * net/ipv6/mcast.c, net/core/net-procfs.c). The youngest is shown first, and what everybody is in,
 * which the stack does not keep, last.
 */
#include "sentry/socket/net_proc.h"

#include <string.h>

#include "sentry/nsproxy.h"
#include "sentry/procfs/procfs.h"
#include "sentry/procfs/pseudo.h"
#include "sentry/socket/inet_socket.h"

/* MAF_*: how a group of IPv6 stands. */
#define LOADED	  0x4u /* the hardware knows */
#define NO_REPORT 0x8u /* routers do not hear of it */

static const struct inet_address everybody4 = {{[10] = 0xff, [11] = 0xff, 224, 0, 0, 1}};
static const struct inet_address everybody6 = {{0xff, 0x02, [15] = 1}};
static const struct inet_address host6 = {{0xff, 0x01, [15] = 1}};

struct line {
	struct seq *seq;
	const struct netif *netif;
	unsigned count;
};

static const struct netstack *stack_of_reader(void)
{
	const struct task *task = task_current();
	const struct nsproxy *proxy = task && task->nsproxy ? task->nsproxy : nsproxy_first();

	return &container_of(proxy->ns[NS_NET], struct net_ns, ns)->stack;
}

/* ---- IPv4 ------------------------------------------------------------------------------------ */

static void count4(void *context, const struct inet_address *group, unsigned users)
{
	((struct line *)context)->count += inet_is_v4(group);
}

static void show4(void *context, const struct inet_address *group, unsigned users)
{
	const struct line *line = context;
	uint32_t word;

	if (!inet_is_v4(group))
		return;
	memcpy(&word, group->bytes + 12, sizeof(word));
	seq_printf(line->seq, "\t\t\t\t%08X %5u 0:%08X\t\t0\n", word, users, 0u);
}

static int show_igmp(struct seq *seq)
{
	struct line line = {.seq = seq};

	seq_puts(seq, "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n");
	list_for_each_entry (line.netif, &stack_of_reader()->netifs, link) {
		if (!(line.netif->flags & NETIF_UP))
			continue;
		line.count = 1;
		netif_groups_each(line.netif, count4, &line);
		seq_printf(seq, "%u\t%-10s: %5u %7s\n", line.netif->index, line.netif->name,
			line.count, "V3");
		netif_groups_each(line.netif, show4, &line);
		show4(&line, &everybody4, 1);
	}
	return 0;
}

/* ---- IPv6 ------------------------------------------------------------------------------------ */

static void put_group6(
	const struct line *line, const struct inet_address *group, unsigned users, unsigned flags)
{
	seq_printf(line->seq, "%-4u %-15s ", line->netif->index, line->netif->name);
	for (unsigned i = 0; i < sizeof(group->bytes); i++)
		seq_printf(line->seq, "%02x", group->bytes[i]);
	seq_printf(line->seq, " %5u %08X 0\n", users, flags);
}

static void show6(void *context, const struct inet_address *group, unsigned users)
{
	if (!inet_is_v4(group))
		put_group6(context, group, users, LOADED);
}

/* RFC 4291 section 2.7.1 */
static struct inet_address solicited_by(const struct inet_address *address)
{
	struct inet_address group = {{0xff, 0x02, [11] = 1, 0xff}};

	memcpy(group.bytes + 13, address->bytes + 13, 3);
	return group;
}

static int show_igmp6(struct seq *seq)
{
	const struct netif_address *address;
	struct line line = {.seq = seq};

	list_for_each_entry (line.netif, &stack_of_reader()->netifs, link) {
		netif_groups_each(line.netif, show6, &line);
		list_for_each_entry (address, &line.netif->addresses, link) {
			struct inet_address group = solicited_by(&address->address);

			if (!inet_is_v4(&address->address) && line.netif->type != NETIF_LOOPBACK)
				put_group6(&line, &group, 1, LOADED);
		}
		put_group6(&line, &everybody6, 1, LOADED | NO_REPORT);
		put_group6(&line, &host6, 1, NO_REPORT);
	}
	return 0;
}

/* ---- Ethernet -------------------------------------------------------------------------------- */

/* RFC 1112 section 6.4, RFC 2464 section 7 */
static void show_hardware(void *context, const struct inet_address *group, unsigned users)
{
	const struct line *line = context;
	const uint8_t *end = group->bytes + 12;

	seq_printf(
		line->seq, "%-4u %-15s %-5u %-5u ", line->netif->index, line->netif->name, 1u, 0u);
	if (inet_is_v4(group))
		seq_printf(line->seq, "01005e%02x%02x%02x\n", end[1] & 0x7fu, end[2], end[3]);
	else
		seq_printf(line->seq, "3333%02x%02x%02x%02x\n", end[0], end[1], end[2], end[3]);
}

static int show_dev_mcast(struct seq *seq)
{
	const struct netif_address *address;
	struct line line = {.seq = seq};

	list_for_each_entry (line.netif, &stack_of_reader()->netifs, link) {
		if (line.netif->type == NETIF_LOOPBACK)
			continue;
		show_hardware(&line, &everybody6, 1);
		if (line.netif->flags & NETIF_UP)
			show_hardware(&line, &everybody4, 1);
		list_for_each_entry (address, &line.netif->addresses, link) {
			struct inet_address group = solicited_by(&address->address);

			if (!inet_is_v4(&address->address))
				show_hardware(&line, &group, 1);
		}
		netif_groups_each(line.netif, show_hardware, &line);
	}
	return 0;
}

void net_proc_group_register(void)
{
	(void)procfs_register_net("igmp", show_igmp);
	(void)procfs_register_net("igmp6", show_igmp6);
	(void)procfs_register_net("dev_mcast", show_dev_mcast);
}
