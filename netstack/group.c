/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups: what an interface listens to beside its own addresses. Which sockets asked for it is in
 * inet_group.c. Routers hear of it by IGMPv3 (RFC 9776) and MLDv2 (RFC 9777): a report when a group
 * is joined or left, and all of them when somebody asks, once in REPORT_GAP. Source filters are not
 * there: a report says "everything but nothing", the way to say that of a whole group.
 */
#include "netstack/icmp_private.h"

#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"

#define SEC	   INT64_C(1000000000)
#define REPORT_GAP SEC

#define RECORD_EXCLUDE	  2u /* MODE_IS_EXCLUDE */
#define RECORD_TO_INCLUDE 3u
#define RECORD_TO_EXCLUDE 4u

#define IGMP_QUERY   0x11u
#define IGMP_REPORT2 0x16u
#define IGMP_REPORT3 0x22u

struct group {
	struct list_head link; /* in netif->groups */
	struct inet_address address;
	unsigned users;
};

static const struct inet_address igmp_routers = {{[10] = 0xff, [11] = 0xff, 224, 0, 0, 22}};
static const struct inet_address mld_routers = {{0xff, 0x02, [15] = 0x16}};

/* Everybody is in these and no router has to know (RFC 9776 section 5, RFC 9777 section 6). */
static bool is_everybody(const struct inet_address *group)
{
	static const struct inet_address all4 = {{[10] = 0xff, [11] = 0xff, 224, 0, 0, 1}};
	static const struct inet_address all6 = {{0xff, 0x02, [15] = 1}};

	return inet_equal(group, &all4) || inet_equal(group, &all6) ||
	       (!inet_is_v4(group) && (group->bytes[1] & 0xf) < 2);
}

static struct group *find(const struct netif *netif, const struct inet_address *address)
{
	struct group *group;

	list_for_each_entry (group, &netif->groups, link) {
		if (inet_equal(&group->address, address))
			return group;
	}
	return NULL;
}

bool group_is_joined(const struct netif *netif, const struct inet_address *address)
{
	return is_everybody(address) || (netif->flags & NETIF_ALLMULTI) || find(netif, address);
}

/* ---- reports ------------------------------------------------------------------------------------
 */

static void report4(struct netif *netif, const struct inet_address *group, uint8_t record)
{
	uint8_t bytes[16] = {IGMP_REPORT3, [7] = 1, [8] = record};
	struct ip_meta meta = {
		.from = inet_any4,
		.to = igmp_routers,
		.protocol = PROTO_IGMP,
		.ttl = 1,
		.tos = 0xc0,
		.router_alert = true,
		.netif = netif,
	};
	struct netbuf_queue message = {0};

	memcpy(bytes + 12, group->bytes + 12, 4);
	put16(bytes + 2, ip_checksum_end(ip_checksum_bytes(bytes, sizeof(bytes), 0)));
	if (netbuf_append(&message, bytes, sizeof(bytes)) == 0)
		(void)ip_send(netif->stack, &meta, &message);
}

static void report6(struct netif *netif, const struct inet_address *group, uint8_t record)
{
	uint8_t bytes[28] = {ICMP6_LISTENER_REPORT2, [7] = 1, [8] = record};
	struct ip_meta meta = {
		.from = route_source(netif->stack, netif, &mld_routers),
		.to = mld_routers,
		.ttl = 1,
		.router_alert = true,
		.unspecified = true, /* RFC 9777 section 5.2.14: while there is no address */
		.netif = netif,
	};
	struct netbuf_queue message = {0};

	memcpy(bytes + 12, group->bytes, 16);
	if (netbuf_append(&message, bytes, sizeof(bytes)) == 0)
		icmp_send(netif->stack, &meta, &message);
}

static void report(struct netif *netif, const struct inet_address *group, uint8_t record)
{
	if (netif->type == NETIF_LOOPBACK || !(netif->flags & NETIF_UP) || is_everybody(group))
		return;
	if (inet_is_v4(group))
		report4(netif, group, record);
	else
		report6(netif, group, record);
}

static void report_all(struct netif *netif, bool v4)
{
	int64_t now = (int64_t)loop_monotonic();
	struct group *group;

	/* A second query soon after is answered by what the first one was. */
	if (netif->reported_at && now - netif->reported_at < REPORT_GAP)
		return;
	netif->reported_at = now;
	list_for_each_entry (group, &netif->groups, link) {
		if (inet_is_v4(&group->address) == v4)
			report(netif, &group->address, RECORD_EXCLUDE);
	}
}

void igmp_input(struct netstack *stack, struct ip_info *info)
{
	uint32_t size = info->packet->size - info->offset;
	uint8_t type = 0;

	if (size >= 8 &&
		ip_checksum_end(ip_checksum_queue(info->packet, info->offset, size, 0)) == 0)
		netbuf_peek(info->packet, info->offset, &type, 1);
	/* RFC 9776 section 9.1: a query comes from the link, and asks for attention. */
	if (type == IGMP_QUERY && info->ttl == 1 && info->multicast)
		report_all(info->netif, true);
	netbuf_queue_clear(info->packet);
}

void group_query6(struct netstack *stack, struct ip_info *info)
{
	if (info->ttl == 1 && inet_is_link_local(&info->from) &&
		info->packet->size - info->offset >= 24)
		report_all(info->netif, false);
}

/* ---- interfaces ---------------------------------------------------------------------------------
 */

int netif_group_join(struct netif *netif, const struct inet_address *address)
{
	struct group *group = find(netif, address);

	if (!inet_is_multicast(address))
		return -EINVAL;
	if (!group) {
		if (netif->group_count >= NETIF_GROUPS_MAX)
			return -ENOBUFS;
		group = malloc(sizeof(*group));
		if (!group)
			return -ENOMEM;
		*group = (struct group){.address = *address};
		list_add(&group->link, &netif->groups);
		netif->group_count++;
		report(netif, address, RECORD_TO_EXCLUDE);
	}
	group->users++;
	return 0;
}

void netif_group_leave(struct netif *netif, const struct inet_address *address)
{
	struct group *group = find(netif, address);

	if (!group || --group->users > 0)
		return;
	report(netif, address, RECORD_TO_INCLUDE);
	list_remove(&group->link);
	netif->group_count--;
	free(group);
}

void netif_groups_each(const struct netif *netif,
	void (*each)(void *context, const struct inet_address *group, unsigned users),
	void *context)
{
	const struct group *group;

	list_for_each_entry (group, &netif->groups, link)
		each(context, &group->address, group->users);
}

void group_report_joined(struct netif *netif)
{
	struct group *group;

	list_for_each_entry (group, &netif->groups, link)
		report(netif, &group->address, RECORD_TO_EXCLUDE);
}

void group_forget_all(struct netif *netif)
{
	struct group *group, *next;

	list_for_each_entry_safe (group, next, &netif->groups, link) {
		list_remove(&group->link);
		free(group);
	}
	netif->group_count = 0;
}
