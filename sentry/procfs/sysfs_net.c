/* SPDX-License-Identifier: Apache-2.0 */
/* /sys/class/net: the interfaces of the reader's network (sysfs-class-net). A node's number is the
 * interface's. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "abi/limits.h"
#include "base/checked.h"
#include "sentry/procfs/procfs_private.h"
#include "sentry/socket/net_device.h"

#define TX_QUEUE_LENGTH 1000

static const struct netstack *stack_here(void)
{
	const struct task *task = task_current();
	const struct nsproxy *proxy = task && task->nsproxy ? task->nsproxy : nsproxy_first();

	return &container_of(proxy->ns[NS_NET], struct net_ns, ns)->stack;
}

static const struct netif *netif_of(const struct pseudo_node *node)
{
	return netif_by_index(stack_here(), (unsigned)node->number);
}

/* A file that says @...; -ENODEV once the interface is gone. */
#define FIELD(name_, ...)                                                                          \
	static int show_##name_(const struct pseudo_node *node, struct seq *seq)                   \
	{                                                                                          \
		const struct netif *netif = netif_of(node);                                        \
                                                                                                   \
		if (!netif)                                                                        \
			return -ENODEV;                                                            \
		seq_printf(seq, __VA_ARGS__);                                                      \
		return 0;                                                                          \
	}

static const char *const states[] = {
	"unknown", "notpresent", "down", "lowerlayerdown", "testing", "dormant", "up"};

FIELD(index, "%u\n", netif->index)
FIELD(mtu, "%u\n", netif->mtu)
FIELD(flags, "0x%x\n", net_device_flags(netif) & 0xffffu & ~(unsigned)LX_IFF_RUNNING)
FIELD(type, "%u\n", net_device_type(netif))
FIELD(state, "%s\n", states[net_device_state(netif)])
FIELD(address, "%02x:%02x:%02x:%02x:%02x:%02x\n", netif->hardware[0], netif->hardware[1],
	netif->hardware[2], netif->hardware[3], netif->hardware[4], netif->hardware[5])
FIELD(length, "%u\n", netif->type == NETIF_POINT ? 0u : 6u)
FIELD(queue, "%d\n", TX_QUEUE_LENGTH)
FIELD(peer, "%u\n", net_device_peer(netif) ? net_device_peer(netif)->index : netif->index)
FIELD(uevent, "INTERFACE=%s\nIFINDEX=%u\n", netif->name, netif->index)
FIELD(broadcast, "%s\n", netif->type == NETIF_LOOPBACK ? "00:00:00:00:00:00" : "ff:ff:ff:ff:ff:ff")

static int show_carrier(const struct pseudo_node *node, struct seq *seq)
{
	const struct netif *netif = netif_of(node);

	if (!netif)
		return -ENODEV;
	if (!(netif->flags & NETIF_UP))
		return -EINVAL;
	seq_printf(seq, "%d\n", !!(net_device_flags(netif) & LX_IFF_LOWER_UP));
	return 0;
}

static int show_zero(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "0\n");
	return 0;
}

#define COUNTER(name_) FIELD(name_, "%llu\n", (unsigned long long)netif->counters.name_)

COUNTER(rx_bytes)
COUNTER(rx_dropped)
COUNTER(rx_errors)
COUNTER(rx_packets)
COUNTER(tx_bytes)
COUNTER(tx_dropped)
COUNTER(tx_errors)
COUNTER(tx_packets)
COUNTER(multicast)

static const struct pseudo_entry statistics_entries[] = {
	PSEUDO_FILE("collisions", 0444, show_zero),
	PSEUDO_FILE("multicast", 0444, show_multicast),
	PSEUDO_FILE("rx_bytes", 0444, show_rx_bytes),
	PSEUDO_FILE("rx_dropped", 0444, show_rx_dropped),
	PSEUDO_FILE("rx_errors", 0444, show_rx_errors),
	PSEUDO_FILE("rx_packets", 0444, show_rx_packets),
	PSEUDO_FILE("tx_bytes", 0444, show_tx_bytes),
	PSEUDO_FILE("tx_dropped", 0444, show_tx_dropped),
	PSEUDO_FILE("tx_errors", 0444, show_tx_errors),
	PSEUDO_FILE("tx_packets", 0444, show_tx_packets),
};

static const struct pseudo_entry device_entries[] = {
	PSEUDO_FILE("addr_assign_type", 0444, show_zero),
	PSEUDO_FILE("addr_len", 0444, show_length),
	PSEUDO_FILE("address", 0444, show_address),
	PSEUDO_FILE("broadcast", 0444, show_broadcast),
	PSEUDO_FILE("carrier", 0444, show_carrier),
	PSEUDO_FILE("dev_id", 0444, show_zero),
	PSEUDO_FILE("dormant", 0444, show_zero),
	PSEUDO_FILE("flags", 0444, show_flags),
	PSEUDO_FILE("ifindex", 0444, show_index),
	PSEUDO_FILE("iflink", 0444, show_peer),
	PSEUDO_FILE("link_mode", 0444, show_zero),
	PSEUDO_FILE("mtu", 0444, show_mtu),
	PSEUDO_FILE("netdev_group", 0444, show_zero),
	PSEUDO_FILE("operstate", 0444, show_state),
	PSEUDO_DIR("statistics", statistics_entries),
	PSEUDO_FILE("tx_queue_len", 0444, show_queue),
	PSEUDO_FILE("type", 0444, show_type),
	PSEUDO_FILE("uevent", 0444, show_uevent),
};

static const struct pseudo_entry device_dir = PSEUDO_DIR("net/NAME", device_entries);

static ssize_t read_link(const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer)
{
	const struct netif *netif = netif_of(node);

	return netif ? snprintf(buffer, LX_PATH_MAX, "../../devices/virtual/net/%s", netif->name)
		     : -ENOENT;
}

static const struct pseudo_entry link_entry = {
	.name = "net/LINK", .mode = LX_S_IFLNK | 0777, .readlink = read_link};

static int lookup(const char *name, const struct pseudo_entry *entry, struct pseudo_node *ret)
{
	const struct netif *netif = netif_by_name(stack_here(), name);

	if (!netif)
		return -ENOENT;
	*ret = (struct pseudo_node){.entry = entry, .number = (int)netif->index};
	return 0;
}

static bool next(
	int64_t *cursor, const struct pseudo_entry *entry, char name[32], struct pseudo_node *ret)
{
	const struct netif *netif;

	list_for_each_entry (netif, &stack_here()->netifs, link) {
		if (*cursor < 0 || (int64_t)netif->index <= *cursor)
			continue;
		*ret = (struct pseudo_node){.entry = entry, .number = (int)netif->index};
		*cursor = netif->index;
		(void)snprintf(name, 32, "%s", netif->name);
		return true;
	}
	return false;
}

static int lookup_device(const struct pseudo_node *dir, const char *name, struct pseudo_node *ret)
{
	return lookup(name, &device_dir, ret);
}

static bool next_device(
	const struct pseudo_node *dir, int64_t *cursor, char name[32], struct pseudo_node *ret)
{
	return next(cursor, &device_dir, name, ret);
}

static int lookup_link(const struct pseudo_node *dir, const char *name, struct pseudo_node *ret)
{
	return lookup(name, &link_entry, ret);
}

static bool next_link(
	const struct pseudo_node *dir, int64_t *cursor, char name[32], struct pseudo_node *ret)
{
	return next(cursor, &link_entry, name, ret);
}

const struct pseudo_dynamic sysfs_net_devices = {.lookup = lookup_device, .next = next_device};
const struct pseudo_dynamic sysfs_net_links = {.lookup = lookup_link, .next = next_link};
