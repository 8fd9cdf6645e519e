/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_NETLINK_H
#define SENTRY_ABI_NETLINK_H

#include <stdint.h>

/* netlink(7), rtnetlink(7), sock_diag(7): as include/uapi/linux/{netlink,rtnetlink,if_link,if_addr,
 * neighbour,fib_rules,sock_diag,inet_diag,unix_diag,genetlink}.h have them. */

#define LX_NETLINK_USERSOCK  2
#define LX_NETLINK_SOCK_DIAG 4
#define LX_NETLINK_PROTOCOLS 32 /* MAX_LINKS */

#define LX_NLMSG_NOOP	  1
#define LX_NLMSG_ERROR	  2
#define LX_NLMSG_DONE	  3
#define LX_NLMSG_MIN_TYPE 16

#define LX_NLM_F_REQUEST       0x1
#define LX_NLM_F_MULTI	       0x2
#define LX_NLM_F_ACK	       0x4
#define LX_NLM_F_ECHO	       0x8
#define LX_NLM_F_DUMP_INTR     0x10
#define LX_NLM_F_DUMP_FILTERED 0x20
#define LX_NLM_F_DUMP	       0x300
#define LX_NLM_F_REPLACE       0x100
#define LX_NLM_F_EXCL	       0x200
#define LX_NLM_F_CREATE	       0x400
#define LX_NLM_F_APPEND	       0x800
#define LX_NLM_F_CAPPED	       0x100
#define LX_NLM_F_ACK_TLVS      0x200

#define LX_NLMSGERR_ATTR_MSG  1
#define LX_NLMSGERR_ATTR_OFFS 2

#define LX_NLA_TYPE_MASK 0x3fffu
#define LX_NLA_F_NESTED	 0x8000u

#define LX_NETLINK_ADD_MEMBERSHIP   1
#define LX_NETLINK_DROP_MEMBERSHIP  2
#define LX_NETLINK_PKTINFO	    3
#define LX_NETLINK_BROADCAST_ERROR  4
#define LX_NETLINK_NO_ENOBUFS	    5
#define LX_NETLINK_LISTEN_ALL_NSID  8
#define LX_NETLINK_LIST_MEMBERSHIPS 9
#define LX_NETLINK_CAP_ACK	    10
#define LX_NETLINK_EXT_ACK	    11
#define LX_NETLINK_GET_STRICT_CHK   12

/* rtnetlink: messages come in fours, new, del, get, set */
#define LX_RTM_NEWLINK	16
#define LX_RTM_DELLINK	17
#define LX_RTM_GETLINK	18
#define LX_RTM_SETLINK	19
#define LX_RTM_NEWADDR	20
#define LX_RTM_DELADDR	21
#define LX_RTM_GETADDR	22
#define LX_RTM_NEWROUTE 24
#define LX_RTM_DELROUTE 25
#define LX_RTM_GETROUTE 26
#define LX_RTM_NEWNEIGH 28
#define LX_RTM_DELNEIGH 29
#define LX_RTM_GETNEIGH 30
#define LX_RTM_NEWRULE	32
#define LX_RTM_DELRULE	33
#define LX_RTM_GETRULE	34
#define LX_RTM_MAX	123

#define LX_RTNLGRP_LINK	       1
#define LX_RTNLGRP_NEIGH       3
#define LX_RTNLGRP_IPV4_IFADDR 5
#define LX_RTNLGRP_IPV4_ROUTE  7
#define LX_RTNLGRP_IPV6_IFADDR 9
#define LX_RTNLGRP_IPV6_ROUTE  11

struct lx_ifinfomsg {
	uint8_t family, pad;
	uint16_t type;
	int32_t index;
	uint32_t flags, change;
};

struct lx_ifaddrmsg {
	uint8_t family, prefix, flags, scope;
	uint32_t index;
};

struct lx_rtmsg {
	uint8_t family, dst_len, src_len, tos;
	uint8_t table, protocol, scope, type;
	uint32_t flags;
};

struct lx_ndmsg {
	uint8_t family, pad1;
	uint16_t pad2;
	int32_t index;
	uint16_t state;
	uint8_t flags, type;
};

struct lx_fib_rule_hdr {
	uint8_t family, dst_len, src_len, tos;
	uint8_t table, res1, res2, action;
	uint32_t flags;
};

#define LX_IFLA_ADDRESS		1
#define LX_IFLA_BROADCAST	2
#define LX_IFLA_IFNAME		3
#define LX_IFLA_MTU		4
#define LX_IFLA_LINK		5
#define LX_IFLA_QDISC		6
#define LX_IFLA_STATS		7
#define LX_IFLA_MASTER		10
#define LX_IFLA_TXQLEN		13
#define LX_IFLA_MAP		14
#define LX_IFLA_OPERSTATE	16
#define LX_IFLA_LINKMODE	17
#define LX_IFLA_LINKINFO	18
#define LX_IFLA_NET_NS_PID	19
#define LX_IFLA_STATS64		23
#define LX_IFLA_AF_SPEC		26
#define LX_IFLA_GROUP		27
#define LX_IFLA_NET_NS_FD	28
#define LX_IFLA_EXT_MASK	29
#define LX_IFLA_PROMISCUITY	30
#define LX_IFLA_NUM_TX_QUEUES	31
#define LX_IFLA_NUM_RX_QUEUES	32
#define LX_IFLA_CARRIER		33
#define LX_IFLA_CARRIER_CHANGES 35
#define LX_IFLA_LINK_NETNSID	37
#define LX_IFLA_PROTO_DOWN	39
#define LX_IFLA_GSO_MAX_SEGS	40
#define LX_IFLA_GSO_MAX_SIZE	41
#define LX_IFLA_XDP		43
#define LX_IFLA_CARRIER_UP	47
#define LX_IFLA_CARRIER_DOWN	48
#define LX_IFLA_MIN_MTU		50
#define LX_IFLA_MAX_MTU		51
#define LX_IFLA_ALT_IFNAME	53
#define LX_IFLA_GRO_MAX_SIZE	58
#define LX_IFLA_TSO_MAX_SIZE	59
#define LX_IFLA_TSO_MAX_SEGS	60
#define LX_IFLA_ALLMULTI	61

#define LX_IFLA_INFO_KIND	    1
#define LX_IFLA_INFO_DATA	    2
#define LX_VETH_INFO_PEER	    1
#define LX_IFLA_INET6_FLAGS	    1
#define LX_IFLA_INET6_ADDR_GEN_MODE 8
#define LX_RTEXT_FILTER_SKIP_STATS  8

#define LX_IFA_ADDRESS	 1
#define LX_IFA_LOCAL	 2
#define LX_IFA_LABEL	 3
#define LX_IFA_BROADCAST 4
#define LX_IFA_CACHEINFO 6
#define LX_IFA_FLAGS	 8

#define LX_IFA_F_PERMANENT     0x80u
#define LX_IFA_F_NOPREFIXROUTE 0x200u

#define LX_RTA_DST	 1
#define LX_RTA_SRC	 2
#define LX_RTA_IIF	 3
#define LX_RTA_OIF	 4
#define LX_RTA_GATEWAY	 5
#define LX_RTA_PRIORITY	 6
#define LX_RTA_PREFSRC	 7
#define LX_RTA_METRICS	 8
#define LX_RTA_MULTIPATH 9
#define LX_RTA_CACHEINFO 12
#define LX_RTA_TABLE	 15
#define LX_RTA_VIA	 18
#define LX_RTA_PREF	 20
#define LX_RTA_UID	 25
#define LX_RTA_NH_ID	 30

#define LX_RTAX_MTU 2

#define LX_RTN_UNSPEC	   0
#define LX_RTN_UNICAST	   1
#define LX_RTN_LOCAL	   2
#define LX_RTN_BROADCAST   3
#define LX_RTN_ANYCAST	   4
#define LX_RTN_MULTICAST   5
#define LX_RTN_BLACKHOLE   6
#define LX_RTN_UNREACHABLE 7
#define LX_RTN_PROHIBIT	   8
#define LX_RTN_MAX	   11

#define LX_RTPROT_KERNEL 2
#define LX_RTPROT_BOOT	 3

#define LX_RT_SCOPE_UNIVERSE 0
#define LX_RT_SCOPE_LINK     253
#define LX_RT_SCOPE_HOST     254
#define LX_RT_SCOPE_NOWHERE  255

#define LX_RT_TABLE_DEFAULT 253
#define LX_RT_TABLE_MAIN    254
#define LX_RT_TABLE_LOCAL   255

#define LX_RTM_F_CLONED	   0x200
#define LX_RTM_F_FIB_MATCH 0x2000
#define LX_RTNH_F_LINKDOWN 16

#define LX_NDA_DST	 1
#define LX_NDA_LLADDR	 2
#define LX_NDA_CACHEINFO 3
#define LX_NDA_PROBES	 4
#define LX_NDA_IFINDEX	 8

#define LX_FRA_PRIORITY	       6
#define LX_FRA_SUPPRESS_PREFIX 14
#define LX_FRA_TABLE	       15
#define LX_FRA_PROTOCOL	       21
#define LX_FR_ACT_TO_TBL       1

struct lx_link_stats64 {
	uint64_t rx_packets, tx_packets, rx_bytes, tx_bytes, rx_errors, tx_errors, rx_dropped,
		tx_dropped, multicast, collisions;
	uint64_t rx_details[6]; /* length, over, crc, frame, fifo, missed */
	uint64_t tx_details[5]; /* aborted, carrier, fifo, heartbeat, window */
	uint64_t rx_compressed, tx_compressed, rx_nohandler, rx_otherhost_dropped;
};

struct lx_cacheinfo {
	uint32_t preferred, valid, created, updated; /* seconds; hundredths of them */
};

/* sock_diag(7) */
#define LX_SOCK_DIAG_BY_FAMILY 20
#define LX_SOCK_DESTROY	       21

struct lx_inet_diag_sockid {
	uint16_t sport, dport; /* network order, as the addresses */
	uint8_t src[16], dst[16];
	uint32_t interface, cookie[2];
};

struct lx_inet_diag_req {
	uint8_t family, protocol, extensions, raw_protocol;
	uint32_t states;
	struct lx_inet_diag_sockid id;
};

struct lx_inet_diag_msg {
	uint8_t family, state, timer, retransmits;
	struct lx_inet_diag_sockid id;
	uint32_t expires, receiving, sending, uid, inode;
};

#define LX_INET_DIAG_REQ_BYTECODE 1
#define LX_INET_DIAG_REQ_PROTOCOL 3

#define LX_INET_DIAG_MEMINFO   1
#define LX_INET_DIAG_INFO      2
#define LX_INET_DIAG_CONG      4
#define LX_INET_DIAG_TOS       5
#define LX_INET_DIAG_TCLASS    6
#define LX_INET_DIAG_SKMEMINFO 7
#define LX_INET_DIAG_SHUTDOWN  8
#define LX_INET_DIAG_PROTOCOL  10
#define LX_INET_DIAG_SKV6ONLY  11

struct lx_unix_diag_req {
	uint8_t family, protocol;
	uint16_t pad;
	uint32_t states, inode, show, cookie[2];
};

struct lx_unix_diag_msg {
	uint8_t family, type, state, pad;
	uint32_t inode, cookie[2];
};

#define LX_UDIAG_SHOW_NAME    0x01u
#define LX_UDIAG_SHOW_VFS     0x02u
#define LX_UDIAG_SHOW_PEER    0x04u
#define LX_UDIAG_SHOW_ICONS   0x08u
#define LX_UDIAG_SHOW_RQLEN   0x10u
#define LX_UDIAG_SHOW_MEMINFO 0x20u
#define LX_UDIAG_SHOW_UID     0x40u

#define LX_UNIX_DIAG_NAME     0
#define LX_UNIX_DIAG_VFS      1
#define LX_UNIX_DIAG_PEER     2
#define LX_UNIX_DIAG_ICONS    3
#define LX_UNIX_DIAG_RQLEN    4
#define LX_UNIX_DIAG_MEMINFO  5
#define LX_UNIX_DIAG_SHUTDOWN 6
#define LX_UNIX_DIAG_UID      7

struct lx_netlink_diag_req {
	uint8_t family, protocol;
	uint16_t pad;
	uint32_t inode, show, cookie[2];
};

struct lx_netlink_diag_msg {
	uint8_t family, type, protocol, state;
	uint32_t port, peer_port, peer_group, inode, cookie[2];
};

struct lx_packet_diag_msg {
	uint8_t family, type;
	uint16_t number; /* the packets' protocol, host order */
	uint32_t inode, cookie[2];
};

#define LX_PACKET_DIAG_INFO 0
#define LX_PACKET_DIAG_UID  4

/* generic netlink */
struct lx_genlmsghdr {
	uint8_t command, version;
	uint16_t reserved;
};

#define LX_GENL_ID_CTRL		  16
#define LX_CTRL_CMD_NEWFAMILY	  1
#define LX_CTRL_CMD_GETFAMILY	  3
#define LX_CTRL_ATTR_FAMILY_ID	  1
#define LX_CTRL_ATTR_FAMILY_NAME  2
#define LX_CTRL_ATTR_VERSION	  3
#define LX_CTRL_ATTR_HDRSIZE	  4
#define LX_CTRL_ATTR_MAXATTR	  5
#define LX_CTRL_ATTR_OPS	  6
#define LX_CTRL_ATTR_MCAST_GROUPS 7
#define LX_CTRL_ATTR_OP_ID	  1
#define LX_CTRL_ATTR_OP_FLAGS	  2
#define LX_CTRL_ATTR_MCAST_NAME	  1
#define LX_CTRL_ATTR_MCAST_ID	  2

#endif
