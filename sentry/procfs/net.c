/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/net. The network code registers what it can show; until then the files have their heads
 * and no rows.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "sentry/procfs/procfs_private.h"

static procfs_net_show *shows[48];

static const struct {
	const char *name, *head;
} files[] = {
	{"arp", "IP address       HW type     Flags       HW address            Mask     Device\n"},
	{"dev", ""},
	{"dev_mcast", ""},
	{"icmp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
		 "retrnsmt   uid  timeout inode ref pointer drops\n"},
	{"icmp6", "  sl  local_address                         remote_address"
		  "                        st tx_queue rx_queue tr tm->when retrnsmt"
		  "   uid  timeout inode ref pointer drops\n"},
	{"if_inet6", ""},
	{"igmp", ""},
	{"igmp6", ""},
	{"ipv6_route", ""},
	{"netlink", ""},
	{"netstat", ""},
	{"packet", "sk               RefCnt Type Proto  Iface R Rmem   User   Inode\n"},
	{"raw", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when "
		"retrnsmt   uid  timeout inode ref pointer drops\n"},
	{"raw6", "  sl  local_address                         remote_address"
		 "                        st tx_queue rx_queue tr tm->when retrnsmt"
		 "   uid  timeout inode ref pointer drops\n"},
	{"route", ""},
	{"snmp", ""},
	{"snmp6", ""},
	{"sockstat", ""},
	{"sockstat6", ""},
	{"tcp", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
		"  timeout inode                                                     \n"},
	{"tcp6", "  sl  local_address                         remote_address                       "
		 " st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"},
	{"udp", "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid"
		"  timeout inode ref pointer drops            \n"},
	{"udp6", "  sl  local_address                         remote_address                       "
		 " st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer "
		 "drops\n"},
	{"unix", "Num       RefCount Protocol Flags    Type St Inode Path\n"},
};

static int show_net(const struct pseudo_node *node, struct seq *seq)
{
	size_t i = (size_t)node->number;

	if (shows[i])
		return shows[i](seq);
	seq_puts(seq, files[i].head);
	return 0;
}

static const struct pseudo_entry net_entry = {
	.name = "net/NAME",
	.mode = LX_S_IFREG | 0444,
	.show = show_net,
};

int procfs_register_net(const char *name, procfs_net_show *show)
{
	for (size_t i = 0; i < array_size(files); i++) {
		if (strcmp(files[i].name, name) == 0) {
			shows[i] = show;
			return 0;
		}
	}
	return -ENOENT;
}

static int lookup_net(const struct pseudo_node *dir, const char *name, struct pseudo_node *ret)
{
	for (size_t i = 0; i < array_size(files); i++) {
		if (strcmp(files[i].name, name) != 0)
			continue;
		*ret = *dir;
		ret->entry = &net_entry;
		ret->number = (int)i;
		return 0;
	}
	return -ENOENT;
}

static bool next_net(
	const struct pseudo_node *dir, int64_t *cursor, char name[32], struct pseudo_node *ret)
{
	if (*cursor < 0 || *cursor >= (int64_t)array_size(files))
		return false;
	*ret = *dir;
	ret->entry = &net_entry;
	ret->number = (int)*cursor;
	(void)snprintf(name, 32, "%s", files[(*cursor)++].name);
	return true;
}

const struct pseudo_dynamic proc_net_names = {.lookup = lookup_net, .next = next_net};
