/* SPDX-License-Identifier: Apache-2.0 */
/* Packet sockets on the loopback device of a network of the case's own (packet(7)). */
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>

#include "inet.h"
#include "netlink.h"

static void loopback_network(void)
{
	int fd;

	own_network();
	fd = netlink_socket(NETLINK_ROUTE);
	link_up(fd, 1, true);
	close(fd);
}

static int packet(int type, int protocol)
{
	struct timeval limit = {.tv_sec = 5};
	int fd = socket(AF_PACKET, type, htons((uint16_t)protocol));

	if (fd < 0) {
		NOTE("no packet socket: %s", errno_name(errno));
		exit(1);
	}
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	return fd;
}

/* One datagram over the loopback device. */
static void send_udp(const char *text)
{
	int server = bound(AF_INET, SOCK_DGRAM), fd = socket(AF_INET, SOCK_DGRAM, 0);
	union address to = loopback(AF_INET, port_of(server));

	sendto(fd, text, strlen(text), 0, &to.any, sizeof(to.in));
	close(fd);
	close(server);
}

static void note_frame(const char *what, int fd, size_t header)
{
	struct sockaddr_ll from = {0};
	socklen_t size = sizeof(from);
	uint8_t bytes[256] = {0};
	ssize_t got = recvfrom(fd, bytes, sizeof(bytes), 0, (void *)&from, &size);

	if (got < 0) {
		NOTE("%s: %s", what, errno_name(errno));
		return;
	}
	NOTE("%s: %zd bytes, name of %u, protocol %#x index %d type %d hardware %d of %d, "
	     "version %d protocol %d, %s",
		what, got, size, ntohs(from.sll_protocol), from.sll_ifindex, from.sll_pkttype,
		from.sll_hatype, from.sll_halen, bytes[header] >> 4, bytes[header + 9],
		(char *)bytes + header + 28);
}

CASE(frames_out_and_in)
{
	int fd;

	loopback_network();
	fd = packet(SOCK_RAW, ETH_P_ALL);
	send_udp("both ways");
	note_frame("first", fd, 14);
	note_frame("second", fd, 14);
	CALL(recv(fd, NULL, 0, MSG_DONTWAIT));
}

CASE(only_one_protocol)
{
	int fd, none, other;

	loopback_network();
	fd = packet(SOCK_DGRAM, ETH_P_IP);
	other = packet(SOCK_DGRAM, ETH_P_IPV6);
	none = packet(SOCK_DGRAM, 0);
	send_udp("once");
	note_frame("IPv4", fd, 0);
	CALL(recv(fd, NULL, 0, MSG_DONTWAIT));
	CALL(recv(other, NULL, 0, MSG_DONTWAIT));
	CALL(recv(none, NULL, 0, MSG_DONTWAIT));
}

CASE(bound_to_an_interface)
{
	struct sockaddr_ll name = {.sll_family = AF_PACKET,
				   .sll_protocol = htons(ETH_P_IP),
				   .sll_ifindex = 1},
			   got = {0};
	socklen_t size = sizeof(got);
	int fd;

	loopback_network();
	fd = packet(SOCK_RAW, 0);
	CALL(bind(fd, (void *)&name, sizeof(name)));
	CALL(getsockname(fd, (void *)&got, &size));
	NOTE("size %u protocol %#x index %d hardware %d of %d", size, ntohs(got.sll_protocol),
		got.sll_ifindex, got.sll_hatype, got.sll_halen);
	send_udp("bound");
	note_frame("frame", fd, 14);
	name.sll_ifindex = 99;
	CALL(bind(fd, (void *)&name, sizeof(name)));
	CALL(bind(fd, (void *)&name, 8));
	name.sll_family = AF_INET;
	CALL(bind(fd, (void *)&name, sizeof(name)));
	CALL(getpeername(fd, (void *)&got, &size));
	CALL(connect(fd, (void *)&name, sizeof(name)));
	CALL(listen(fd, 1));
	CALL(accept(fd, NULL, NULL));
	CALL(shutdown(fd, SHUT_RD));
}

CASE(filter)
{
	/* Protocol 17 of IPv4, and of that 30 bytes. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 9),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 17, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 30),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = {.len = 4, .filter = code}, bad = program;
	int fd, on = 1;

	loopback_network();
	fd = packet(SOCK_RAW, 0);
	CALL(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &on, sizeof(on)));
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, 4));
	bad.len = 0;
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &bad, sizeof(bad)));
	bad.len = 3; /* jumps out of itself */
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &bad, sizeof(bad)));
	bad = program;
	bad.filter = BAD_ADDRESS;
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &bad, sizeof(bad)));
	{
		struct sockaddr_ll name = {
			.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = 1};

		CALL(bind(fd, (void *)&name, sizeof(name)));
	}
	send_udp("cut to thirty bytes");
	note_frame("frame", fd, 14);
	code[1].k = 6;
	CALL(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)));
	send_udp("no TCP");
	CALL(recv(fd, NULL, 0, MSG_DONTWAIT));
	CALL(setsockopt(fd, SOL_SOCKET, SO_DETACH_FILTER, &on, sizeof(on)));
	send_udp("all");
	note_frame("frame", fd, 14);
}

CASE(statistics_and_auxiliary_data)
{
	struct tpacket_stats statistics;
	socklen_t size = sizeof(statistics);
	char control[256], bytes[256];
	struct iovec iov = {bytes, 20};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct tpacket_auxdata auxiliary;
	struct cmsghdr *header;
	int fd, on = 1;

	loopback_network();
	fd = packet(SOCK_RAW, ETH_P_IP);
	CALL(setsockopt(fd, SOL_PACKET, PACKET_AUXDATA, &on, sizeof(on)));
	NOTE("auxdata %d", int_option(fd, SOL_PACKET, PACKET_AUXDATA));
	send_udp("one");
	send_udp("two");
	CALL(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size));
	NOTE("%u seen, %u dropped", statistics.tp_packets, statistics.tp_drops);
	size = sizeof(statistics);
	CALL(getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size));
	NOTE("%u seen, %u dropped", statistics.tp_packets, statistics.tp_drops);
	CALL(recvmsg(fd, &message, 0));
	NOTE("flags %#x", message.msg_flags);
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == PACKET_AUXDATA) {
		memcpy(&auxiliary, CMSG_DATA(header), sizeof(auxiliary));
		NOTE("of %u bytes %u, network at %u", auxiliary.tp_len, auxiliary.tp_snaplen,
			auxiliary.tp_net);
	}
	CALL(recv(fd, bytes, 5, MSG_TRUNC));
	NOTE("no such option: %d", int_option(fd, SOL_PACKET, 999));
}

CASE(memberships)
{
	struct packet_mreq wanted = {.mr_ifindex = 1, .mr_type = PACKET_MR_PROMISC};
	int fd;

	loopback_network();
	fd = packet(SOCK_RAW, 0);
	CALL(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wanted, sizeof(wanted)));
	CALL(setsockopt(fd, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &wanted, sizeof(wanted)));
	CALL(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wanted, 4));
	wanted.mr_ifindex = 99;
	CALL(setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &wanted, sizeof(wanted)));
}

CASE(ring)
{
	struct tpacket_req req = {
		.tp_block_size = 4096, .tp_block_nr = 4, .tp_frame_size = 2048, .tp_frame_nr = 8};
	struct tpacket_req bad = req;
	int fd, version = TPACKET_V2, value = TPACKET_V2;
	socklen_t size = sizeof(value);
	struct tpacket2_hdr *header;
	struct sockaddr_ll *name;
	char *ring;

	loopback_network();
	fd = packet(SOCK_RAW, 0);
	CALL(getsockopt(fd, SOL_PACKET, PACKET_HDRLEN, &value, &size));
	NOTE("header of %d", value);
	CALL(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)));
	bad.tp_frame_nr = 7;
	CALL(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &bad, sizeof(bad)));
	bad = req;
	bad.tp_block_size = 5000;
	CALL(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &bad, sizeof(bad)));
	bad = req;
	bad.tp_frame_size = 40;
	CALL(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &bad, sizeof(bad)));
	CALL(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, 4));
	CALL(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)));
	CALL(setsockopt(fd, SOL_PACKET, PACKET_VERSION, &version, sizeof(version)));
	TRUTH(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	ring = mmap(NULL, 16384, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	TRUTH(ring != MAP_FAILED);
	CALL(setsockopt(fd, SOL_PACKET, PACKET_RX_RING, &req, sizeof(req)));
	{
		struct sockaddr_ll where = {
			.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP), .sll_ifindex = 1};

		CALL(bind(fd, (void *)&where, sizeof(where)));
	}
	note_poll("empty", fd);
	send_udp("into the ring");
	await_poll("one", fd, POLLIN);
	header = (void *)ring;
	name = (void *)(ring + TPACKET_ALIGN(sizeof(*header)));
	NOTE("status %d, of %u bytes %u at %u, network at %u", header->tp_status & 1,
		header->tp_len, header->tp_snaplen, header->tp_mac, header->tp_net);
	NOTE("protocol %#x index %d, %.13s", ntohs(name->sll_protocol), name->sll_ifindex,
		ring + header->tp_net + 28);
	header->tp_status = TP_STATUS_KERNEL;
	note_poll("given back", fd);
	for (int i = 0; i < 10; i++)
		send_udp("more than fit");
	{
		struct tpacket_stats statistics;

		size = sizeof(statistics);
		getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &statistics, &size);
		NOTE("%u seen, %u dropped", statistics.tp_packets, statistics.tp_drops);
	}
}

CASE(send_a_frame)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_IP),
		.sll_ifindex = 1,
		.sll_halen = 6};
	uint8_t frame[64] = {0};
	int fd, listener;

	loopback_network();
	fd = packet(SOCK_RAW, 0);
	listener = packet(SOCK_RAW, 0x88b5); /* for local experiments */
	frame[12] = 0x88;
	frame[13] = 0xb5;
	memcpy(frame + 14, "hello", 5);
	CALL(sendto(fd, frame, 40, 0, (void *)&to, sizeof(to)));
	CALL(sendto(fd, frame, 10, 0, (void *)&to, sizeof(to)));
	to.sll_ifindex = 99;
	CALL(sendto(fd, frame, 40, 0, (void *)&to, sizeof(to)));
	CALL(send(fd, frame, 40, 0));
	CALL(recv(listener, frame, sizeof(frame), 0));
}
