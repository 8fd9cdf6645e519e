/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_SOCKET_H
#define SENTRY_ABI_SOCKET_H

#include <stdint.h>

#define LX_AF_UNSPEC  0
#define LX_AF_UNIX    1
#define LX_AF_INET    2
#define LX_AF_INET6   10
#define LX_AF_NETLINK 16
#define LX_AF_PACKET  17
#define LX_AF_VSOCK   40
#define LX_AF_MAX     46

#define LX_SOCK_STREAM	  1
#define LX_SOCK_DGRAM	  2
#define LX_SOCK_RAW	  3
#define LX_SOCK_RDM	  4
#define LX_SOCK_SEQPACKET 5
#define LX_SOCK_PACKET	  10
#define LX_SOCK_TYPE_MASK 0xf
#define LX_SOCK_CLOEXEC	  02000000
#define LX_SOCK_NONBLOCK  04000

#define LX_IPPROTO_IP	   0
#define LX_IPPROTO_ICMP	   1
#define LX_IPPROTO_TCP	   6
#define LX_IPPROTO_UDP	   17
#define LX_IPPROTO_IPV6	   41
#define LX_IPPROTO_ICMPV6  58
#define LX_IPPROTO_UDPLITE 136
#define LX_IPPROTO_RAW	   255
#define LX_IPPROTO_MAX	   263

#define LX_SOL_SOCKET  1
#define LX_SOL_IP      0
#define LX_SOL_TCP     6
#define LX_SOL_IPV6    41
#define LX_SOL_RAW     255
#define LX_SOL_NETLINK 270
#define LX_SOL_UDP     17
#define LX_SOMAXCONN   4096
#define LX_SHUT_RD     0
#define LX_SHUT_WR     1
#define LX_SHUT_RDWR   2

#define LX_MSG_OOB	    0x1
#define LX_MSG_PEEK	    0x2
#define LX_MSG_DONTROUTE    0x4
#define LX_MSG_CTRUNC	    0x8
#define LX_MSG_PROXY	    0x10
#define LX_MSG_TRUNC	    0x20
#define LX_MSG_DONTWAIT	    0x40
#define LX_MSG_EOR	    0x80
#define LX_MSG_WAITALL	    0x100
#define LX_MSG_FIN	    0x200
#define LX_MSG_SYN	    0x400
#define LX_MSG_CONFIRM	    0x800
#define LX_MSG_RST	    0x1000
#define LX_MSG_ERRQUEUE	    0x2000
#define LX_MSG_NOSIGNAL	    0x4000
#define LX_MSG_MORE	    0x8000
#define LX_MSG_WAITFORONE   0x10000
#define LX_MSG_BATCH	    0x40000
#define LX_MSG_ZEROCOPY	    0x4000000
#define LX_MSG_FASTOPEN	    0x20000000
#define LX_MSG_CMSG_CLOEXEC 0x40000000
#define LX_MSG_CMSG_COMPAT  0x80000000u

#define LX_SO_DEBUG	       1
#define LX_SO_REUSEADDR	       2
#define LX_SO_TYPE	       3
#define LX_SO_ERROR	       4
#define LX_SO_DONTROUTE	       5
#define LX_SO_BROADCAST	       6
#define LX_SO_SNDBUF	       7
#define LX_SO_RCVBUF	       8
#define LX_SO_KEEPALIVE	       9
#define LX_SO_OOBINLINE	       10
#define LX_SO_NO_CHECK	       11
#define LX_SO_PRIORITY	       12
#define LX_SO_LINGER	       13
#define LX_SO_BSDCOMPAT	       14
#define LX_SO_REUSEPORT	       15
#define LX_SO_PASSCRED	       16
#define LX_SO_PEERCRED	       17
#define LX_SO_RCVLOWAT	       18
#define LX_SO_SNDLOWAT	       19
#define LX_SO_RCVTIMEO	       20
#define LX_SO_SNDTIMEO	       21
#define LX_SO_BINDTODEVICE     25
#define LX_SO_ATTACH_FILTER    26
#define LX_SO_DETACH_FILTER    27
#define LX_SO_PEERNAME	       28
#define LX_SO_TIMESTAMP	       29
#define LX_SO_ACCEPTCONN       30
#define LX_SO_PEERSEC	       31
#define LX_SO_SNDBUFFORCE      32
#define LX_SO_RCVBUFFORCE      33
#define LX_SO_PASSSEC	       34
#define LX_SO_TIMESTAMPNS      35
#define LX_SO_MARK	       36
#define LX_SO_TIMESTAMPING     37
#define LX_SO_PROTOCOL	       38
#define LX_SO_DOMAIN	       39
#define LX_SO_RXQ_OVFL	       40
#define LX_SO_PEEK_OFF	       42
#define LX_SO_LOCK_FILTER      44
#define LX_SO_BUSY_POLL	       46
#define LX_SO_INCOMING_CPU     49
#define LX_SO_ATTACH_BPF       50
#define LX_SO_COOKIE	       57
#define LX_SO_PEERGROUPS       59
#define LX_SO_ZEROCOPY	       60
#define LX_SO_BINDTOIFINDEX    62
#define LX_SO_TIMESTAMP_NEW    63
#define LX_SO_TIMESTAMPNS_NEW  64
#define LX_SO_TIMESTAMPING_NEW 65
#define LX_SO_RCVMARK	       75
#define LX_SO_PASSPIDFD	       76
#define LX_SO_PEERPIDFD	       77

#define LX_TCP_NODELAY		    1
#define LX_TCP_MAXSEG		    2
#define LX_TCP_CORK		    3
#define LX_TCP_KEEPIDLE		    4
#define LX_TCP_KEEPINTVL	    5
#define LX_TCP_KEEPCNT		    6
#define LX_TCP_SYNCNT		    7
#define LX_TCP_LINGER2		    8
#define LX_TCP_DEFER_ACCEPT	    9
#define LX_TCP_WINDOW_CLAMP	    10
#define LX_TCP_INFO		    11
#define LX_TCP_QUICKACK		    12
#define LX_TCP_CONGESTION	    13
#define LX_TCP_THIN_LINEAR_TIMEOUTS 16
#define LX_TCP_THIN_DUPACK	    17
#define LX_TCP_USER_TIMEOUT	    18
#define LX_TCP_FASTOPEN		    23
#define LX_TCP_NOTSENT_LOWAT	    25
#define LX_TCP_FASTOPEN_CONNECT	    30
#define LX_TCP_INQ		    36

#define LX_UDPLITE_SEND_CSCOV 10
#define LX_UDPLITE_RECV_CSCOV 11

#define LX_IP_TOS		     1
#define LX_IP_TTL		     2
#define LX_IP_HDRINCL		     3
#define LX_IP_OPTIONS		     4
#define LX_IP_ROUTER_ALERT	     5
#define LX_IP_RECVOPTS		     6
#define LX_IP_RETOPTS		     7
#define LX_IP_PKTINFO		     8
#define LX_IP_PKTOPTIONS	     9
#define LX_IP_MTU_DISCOVER	     10
#define LX_IP_RECVERR		     11
#define LX_IP_RECVTTL		     12
#define LX_IP_RECVTOS		     13
#define LX_IP_MTU		     14
#define LX_IP_FREEBIND		     15
#define LX_IP_PASSSEC		     18
#define LX_IP_TRANSPARENT	     19
#define LX_IP_RECVORIGDSTADDR	     20
#define LX_IP_MINTTL		     21
#define LX_IP_NODEFRAG		     22
#define LX_IP_CHECKSUM		     23
#define LX_IP_BIND_ADDRESS_NO_PORT   24
#define LX_IP_RECVFRAGSIZE	     25
#define LX_IP_RECVERR_RFC4884	     26
#define LX_IP_MULTICAST_IF	     32
#define LX_IP_MULTICAST_TTL	     33
#define LX_IP_MULTICAST_LOOP	     34
#define LX_IP_ADD_MEMBERSHIP	     35
#define LX_IP_DROP_MEMBERSHIP	     36
#define LX_IP_UNBLOCK_SOURCE	     37
#define LX_IP_BLOCK_SOURCE	     38
#define LX_IP_ADD_SOURCE_MEMBERSHIP  39
#define LX_IP_DROP_SOURCE_MEMBERSHIP 40
#define LX_IP_MSFILTER		     41
#define LX_IP_MULTICAST_ALL	     49
#define LX_IP_UNICAST_IF	     50
#define LX_IP_LOCAL_PORT_RANGE	     51
#define LX_IP_PROTOCOL		     52

#define LX_MCAST_JOIN_GROUP	    42
#define LX_MCAST_BLOCK_SOURCE	    43
#define LX_MCAST_UNBLOCK_SOURCE	    44
#define LX_MCAST_LEAVE_GROUP	    45
#define LX_MCAST_JOIN_SOURCE_GROUP  46
#define LX_MCAST_LEAVE_SOURCE_GROUP 47
#define LX_MCAST_MSFILTER	    48

#define LX_IPV6_ADDRFORM	1
#define LX_IPV6_UNICAST_HOPS	16
#define LX_IPV6_MULTICAST_IF	17
#define LX_IPV6_MULTICAST_HOPS	18
#define LX_IPV6_MULTICAST_LOOP	19
#define LX_IPV6_JOIN_GROUP	20
#define LX_IPV6_LEAVE_GROUP	21
#define LX_IPV6_MTU_DISCOVER	23
#define LX_IPV6_MTU		24
#define LX_IPV6_RECVERR		25
#define LX_IPV6_V6ONLY		26
#define LX_IPV6_MULTICAST_ALL	29
#define LX_IPV6_RECVPKTINFO	49
#define LX_IPV6_PKTINFO		50
#define LX_IPV6_RECVHOPLIMIT	51
#define LX_IPV6_HOPLIMIT	52
#define LX_IPV6_RECVPATHMTU	60
#define LX_IPV6_DONTFRAG	62
#define LX_IPV6_RECVTCLASS	66
#define LX_IPV6_TCLASS		67
#define LX_IPV6_MINHOPCOUNT	73
#define LX_IPV6_RECVORIGDSTADDR 74
#define LX_IPV6_TRANSPARENT	75
#define LX_IPV6_UNICAST_IF	76
#define LX_IPV6_FREEBIND	78

#define LX_IP_PMTUDISC_DONT	 0
#define LX_IP_PMTUDISC_WANT	 1
#define LX_IP_PMTUDISC_DO	 2
#define LX_IP_PMTUDISC_PROBE	 3
#define LX_IP_PMTUDISC_INTERFACE 4
#define LX_IP_PMTUDISC_OMIT	 5

#define LX_UDP_CORK    1
#define LX_UDP_SEGMENT 103
#define LX_UDP_GRO     104

struct lx_ip_mreqn {
	uint32_t imr_multiaddr, imr_address;
	int32_t imr_ifindex;
};
struct lx_ip_mreq_source {
	uint32_t imr_multiaddr, imr_interface, imr_sourceaddr;
};
struct lx_ipv6_mreq {
	uint8_t ipv6mr_multiaddr[16];
	int32_t ipv6mr_ifindex;
};

/* IP_RECVERR, IPV6_RECVERR, MSG_ERRQUEUE: an address follows */
struct lx_sock_extended_err {
	uint32_t ee_errno;
	uint8_t ee_origin, ee_type, ee_code, ee_pad;
	uint32_t ee_info, ee_data;
};
#define LX_SO_EE_ORIGIN_NONE	      0
#define LX_SO_EE_ORIGIN_LOCAL	      1
#define LX_SO_EE_ORIGIN_ICMP	      2
#define LX_SO_EE_ORIGIN_ICMP6	      3
#define LX_SO_EE_ORIGIN_TIMESTAMPING  4
#define LX_SO_EE_ORIGIN_ZEROCOPY      5
#define LX_SO_EE_CODE_ZEROCOPY_COPIED 1

/* SO_TIMESTAMPING */
#define LX_SOF_TIMESTAMPING_TX_HARDWARE	 0x1u
#define LX_SOF_TIMESTAMPING_TX_SOFTWARE	 0x2u
#define LX_SOF_TIMESTAMPING_RX_HARDWARE	 0x4u
#define LX_SOF_TIMESTAMPING_RX_SOFTWARE	 0x8u
#define LX_SOF_TIMESTAMPING_SOFTWARE	 0x10u
#define LX_SOF_TIMESTAMPING_SYS_HARDWARE 0x20u
#define LX_SOF_TIMESTAMPING_RAW_HARDWARE 0x40u
#define LX_SOF_TIMESTAMPING_OPT_ID	 0x80u
#define LX_SOF_TIMESTAMPING_TX_SCHED	 0x100u
#define LX_SOF_TIMESTAMPING_OPT_TSONLY	 0x800u
#define LX_SOF_TIMESTAMPING_OPT_TX_SWHW	 0x4000u
#define LX_SOF_TIMESTAMPING_MASK	 0xfffffu
#define LX_SCM_TSTAMP_SND		 0
#define LX_SCM_TSTAMP_SCHED		 1

/* IP_PKTINFO, IPV6_PKTINFO */
struct lx_in_pktinfo {
	int32_t ipi_ifindex;
	uint32_t ipi_spec_dst, ipi_addr;
};
struct lx_in6_pktinfo {
	uint8_t ipi6_addr[16];
	int32_t ipi6_ifindex;
};

struct lx_sockaddr {
	uint16_t sa_family;
	uint8_t sa_data[14];
};

#define LX_SOCKADDR_STORAGE_SIZE 128
#define LX_UNIX_PATH_MAX	 108

struct lx_sockaddr_un {
	uint16_t sun_family;
	char sun_path[LX_UNIX_PATH_MAX];
};

/* Ports and addresses in network byte order */
struct lx_sockaddr_in {
	uint16_t sin_family;
	uint16_t sin_port;
	uint32_t sin_addr;
	uint8_t sin_zero[8];
};

struct lx_sockaddr_in6 {
	uint16_t sin6_family;
	uint16_t sin6_port;
	uint32_t sin6_flowinfo;
	uint8_t sin6_addr[16];
	uint32_t sin6_scope_id;
};
#define LX_SIN6_LEN_RFC2133 24

struct lx_sockaddr_nl {
	uint16_t nl_family;
	uint16_t nl_pad;
	uint32_t nl_pid;
	uint32_t nl_groups;
};

struct lx_msghdr {
	uint64_t msg_name;
	int32_t msg_namelen;
	int32_t pad0;
	uint64_t msg_iov;
	uint64_t msg_iovlen;
	uint64_t msg_control;
	uint64_t msg_controllen;
	uint32_t msg_flags;
	uint32_t pad1;
};

struct lx_mmsghdr {
	struct lx_msghdr msg_hdr;
	uint32_t msg_len;
	uint32_t pad0;
};

/* Data follows, aligned to 8 */
struct lx_cmsghdr {
	uint64_t cmsg_len;
	int32_t cmsg_level;
	int32_t cmsg_type;
};
#define LX_CMSG_ALIGN(len) (((uint64_t)(len) + 7) & ~7ull)
#define LX_CMSG_LEN(len)   (sizeof(struct lx_cmsghdr) + (len))
#define LX_CMSG_SPACE(len) (sizeof(struct lx_cmsghdr) + LX_CMSG_ALIGN(len))

/* TCP_INFO (include/uapi/linux/tcp.h, 6.12) */
struct lx_tcp_info {
	uint8_t state, ca_state, retransmits, probes, backoff, options;
	uint8_t wscales; /* send in the lower half, receive in the upper */
	uint8_t delivery_rate_app_limited;
	uint32_t rto, ato, snd_mss, rcv_mss;
	uint32_t unacked, sacked, lost, retrans, fackets;
	uint32_t last_data_sent, last_ack_sent, last_data_recv, last_ack_recv;
	uint32_t pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering;
	uint32_t rcv_rtt, rcv_space, total_retrans;
	uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
	uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
	uint32_t delivered, delivered_ce;
	uint64_t bytes_sent, bytes_retrans;
	uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd;
};

#define LX_SCM_RIGHTS	   1
#define LX_SCM_CREDENTIALS 2
#define LX_SCM_SECURITY	   3
#define LX_SCM_PIDFD	   4
#define LX_SCM_MAX_FD	   253

struct lx_ucred {
	int32_t pid;
	uint32_t uid;
	uint32_t gid;
};

struct lx_linger {
	int32_t l_onoff;
	int32_t l_linger;
};

#define LX_SIOCATMARK	  0x8905
#define LX_SIOCADDRT	  0x890b
#define LX_SIOCDELRT	  0x890c
#define LX_SIOCGIFNAME	  0x8910
#define LX_SIOCGIFCONF	  0x8912
#define LX_SIOCGIFFLAGS	  0x8913
#define LX_SIOCSIFFLAGS	  0x8914
#define LX_SIOCGIFADDR	  0x8915
#define LX_SIOCSIFADDR	  0x8916
#define LX_SIOCGIFDSTADDR 0x8917
#define LX_SIOCSIFDSTADDR 0x8918
#define LX_SIOCGIFBRDADDR 0x8919
#define LX_SIOCSIFBRDADDR 0x891a
#define LX_SIOCGIFNETMASK 0x891b
#define LX_SIOCSIFNETMASK 0x891c
#define LX_SIOCGIFMETRIC  0x891d
#define LX_SIOCSIFMETRIC  0x891e
#define LX_SIOCGIFMTU	  0x8921
#define LX_SIOCSIFMTU	  0x8922
#define LX_SIOCSIFNAME	  0x8923
#define LX_SIOCSIFHWADDR  0x8924
#define LX_SIOCGIFHWADDR  0x8927
#define LX_SIOCGIFINDEX	  0x8933
#define LX_SIOCDIFADDR	  0x8936
#define LX_SIOCGIFTXQLEN  0x8942
#define LX_SIOCSIFTXQLEN  0x8943
#define LX_SIOCETHTOOL	  0x8946
#define LX_SIOCGIFMAP	  0x8970
#define LX_SIOCINQ	  0x541b
#define LX_SIOCOUTQ	  0x5411

#define LX_IFF_UP	   0x1
#define LX_IFF_BROADCAST   0x2
#define LX_IFF_LOOPBACK	   0x8
#define LX_IFF_POINTOPOINT 0x10
#define LX_IFF_RUNNING	   0x40
#define LX_IFF_MULTICAST   0x1000
#define LX_IFNAMSIZ	   16

/* 40 bytes; the union is struct ifmap's size */
struct lx_ifreq {
	char name[LX_IFNAMSIZ];
	union {
		uint8_t bytes[24];
		struct lx_sockaddr addr;
		int16_t flags;
		int32_t value; /* index, metric, mtu, queue length */
	};
};

struct lx_ifconf {
	int32_t len;
	int32_t pad0;
	uint64_t buf;
};

#define LX_NETLINK_ROUTE	  0
#define LX_NETLINK_KOBJECT_UEVENT 15
#define LX_NETLINK_GENERIC	  16
struct lx_nlmsghdr {
	uint32_t nlmsg_len;
	uint16_t nlmsg_type;
	uint16_t nlmsg_flags;
	uint32_t nlmsg_seq;
	uint32_t nlmsg_pid;
};

#endif
