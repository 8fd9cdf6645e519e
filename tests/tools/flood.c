/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flood of IPv4 packets to a host beyond a link, at a steady rate:
 *
 *	flood KIND PACKETS-A-SECOND SECONDS ADDRESS PORT
 *
 *	syn		connections that nobody goes on with, from addresses of 198.18.0.0/15
 *	fragments	first pieces of datagrams of which no more ever comes, from likewise
 *	out-of-order	segments beyond a hole, of 32 connections to PORT
 *	tiny		32 connections to PORT that take the stream they are sent in segments of 88
 *bytes
 *
 * Prints "begun" when it does, and at the end how many packets it sent (tiny: how many it got).
 *Needs CAP_NET_RAW; out-of-order asks for sequence numbers, which takes CAP_NET_ADMIN (TCP_REPAIR),
 *and connections without timestamps.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BATCH	    64u
#define CONNECTIONS 32u
#define PACKET_MAX  1400u
#define TINY	    88

static uint64_t state = 88172645463325252ull;
static struct in_addr target;
static uint16_t port;
static struct connection {
	int fd;
	uint16_t port;
	uint32_t seq, ack;
	struct in_addr from;
} connections[CONNECTIONS];

static void die(const char *what)
{
	fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint32_t number(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16);
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static uint32_t add_words(const void *bytes, size_t size, uint32_t sum)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)(at[i] << 8 | at[i + 1]);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~sum);
}

static struct in_addr stranger(void)
{
	return (struct in_addr){htonl(0xc6120000 | (number() & 0x1ffff))};
}

/* The IP header in front of @size bytes; its checksum is the host's to write. */
static size_t put_ip(unsigned char *packet, struct in_addr from, uint8_t protocol, size_t size)
{
	struct iphdr ip = {.version = 4,
		.ihl = 5,
		.tot_len = htons((uint16_t)(sizeof(ip) + size)),
		.id = (uint16_t)number(),
		.ttl = 64,
		.protocol = protocol,
		.saddr = from.s_addr,
		.daddr = target.s_addr};

	memcpy(packet, &ip, sizeof(ip));
	return sizeof(ip) + size;
}

static size_t put_tcp(unsigned char *packet, struct in_addr from, struct tcphdr *tcp, size_t data)
{
	unsigned char *at = packet + sizeof(struct iphdr);
	size_t size = sizeof(*tcp) + data;
	uint32_t sum = IPPROTO_TCP + (uint32_t)size;

	tcp->doff = sizeof(*tcp) / 4;
	memset(at, 'f', size);
	memcpy(at, tcp, sizeof(*tcp));
	sum = add_words(&from, sizeof(from), sum);
	sum = add_words(&target, sizeof(target), sum);
	sum = add_words(at, size, sum);
	((struct tcphdr *)at)->check = fold(sum);
	return put_ip(packet, from, IPPROTO_TCP, size);
}

static size_t put_syn(unsigned char *packet)
{
	struct tcphdr tcp = {.source = (uint16_t)number(),
		.dest = htons(port),
		.seq = number(),
		.syn = 1,
		.window = 0xffff};

	return put_tcp(packet, stranger(), &tcp, 0);
}

static size_t put_fragment(unsigned char *packet)
{
	size_t size = put_ip(packet, stranger(), IPPROTO_UDP, 1024);

	memset(packet + sizeof(struct iphdr), 'f', 1024);
	((struct iphdr *)packet)->frag_off = htons(IP_MF | ((number() % 8) * 128));
	return size;
}

static size_t put_out_of_order(unsigned char *packet)
{
	const struct connection *to = &connections[number() % CONNECTIONS];
	struct tcphdr tcp = {.source = htons(to->port),
		.dest = htons(port),
		.seq = htonl(to->seq + 1 + number() % 60000),
		.ack_seq = htonl(to->ack),
		.ack = 1,
		.window = 0xffff};

	return put_tcp(packet, to->from, &tcp, 100);
}

static uint32_t queue_seq(int fd, int queue)
{
	uint32_t seq = 0;
	socklen_t size = sizeof(seq);

	if (setsockopt(fd, IPPROTO_TCP, TCP_REPAIR_QUEUE, &queue, sizeof(queue)) < 0 ||
		getsockopt(fd, IPPROTO_TCP, TCP_QUEUE_SEQ, &seq, &size) < 0)
		die("TCP_REPAIR_QUEUE");
	return seq;
}

static void open_connection(struct connection *connection, int tiny)
{
	struct sockaddr_in name = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = target};
	int on = 1, off = -1, mss = TINY;
	socklen_t size = sizeof(name);

	connection->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (tiny)
		setsockopt(connection->fd, IPPROTO_TCP, TCP_MAXSEG, &mss, sizeof(mss));
	if (connect(connection->fd, (struct sockaddr *)&name, size) < 0)
		die("connect");
	getsockname(connection->fd, (struct sockaddr *)&name, &size);
	connection->port = ntohs(name.sin_port);
	connection->from = name.sin_addr;
	if (tiny)
		return;
	if (setsockopt(connection->fd, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
		die("TCP_REPAIR");
	connection->seq = queue_seq(connection->fd, TCP_SEND_QUEUE);
	connection->ack = queue_seq(connection->fd, TCP_RECV_QUEUE);
	if (setsockopt(connection->fd, IPPROTO_TCP, TCP_REPAIR, &off, sizeof(off)) < 0)
		die("TCP_REPAIR");
}

/* Up to BATCH packets: how many. */
static unsigned send_batch(int fd, size_t (*put)(unsigned char *packet), unsigned count)
{
	static unsigned char packets[BATCH][PACKET_MAX];
	static struct mmsghdr messages[BATCH];
	static struct iovec pieces[BATCH];
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr = target};
	int done;

	for (unsigned i = 0; i < count; i++) {
		pieces[i] = (struct iovec){packets[i], put(packets[i])};
		messages[i].msg_hdr = (struct msghdr){.msg_name = &to,
			.msg_namelen = sizeof(to),
			.msg_iov = &pieces[i],
			.msg_iovlen = 1};
	}
	done = sendmmsg(fd, messages, count, 0);
	if (done < 0 && errno != ENOBUFS)
		die("send");
	return done < 0 ? 0 : (unsigned)done;
}

static unsigned receive_batch(unsigned count)
{
	unsigned char bytes[TINY];
	unsigned done = 0;

	for (unsigned i = 0; i < count; i++)
		done += recv(connections[number() % CONNECTIONS].fd, bytes, sizeof(bytes),
				MSG_DONTWAIT) > 0;
	return done;
}

int main(int argc, char **argv)
{
	size_t (*put)(unsigned char *packet) = NULL;
	double rate, begin, seconds;
	uint64_t tried = 0, done = 0;
	int tiny, fd;

	if (argc != 6 || !inet_aton(argv[4], &target)) {
		fprintf(stderr, "usage: flood syn|fragments|out-of-order|tiny PACKETS-A-SECOND "
				"SECONDS ADDRESS PORT\n");
		return 1;
	}
	tiny = strcmp(argv[1], "tiny") == 0;
	rate = atof(argv[2]);
	seconds = atof(argv[3]);
	port = (uint16_t)atoi(argv[5]);
	put = strcmp(argv[1], "syn") == 0	  ? put_syn
	      : strcmp(argv[1], "fragments") == 0 ? put_fragment
						  : put_out_of_order;
	if (tiny || put == put_out_of_order)
		for (unsigned i = 0; i < CONNECTIONS; i++)
			open_connection(&connections[i], tiny);
	fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
	if (fd < 0)
		die("socket");
	printf("begun\n");
	fflush(stdout);
	for (begin = now(); now() - begin < seconds;) {
		uint64_t due = (uint64_t)((now() - begin) * rate);

		if (due <= tried) {
			usleep(500);
			continue;
		}
		if (due - tried > BATCH * 64) /* not there for a while: not all of it at once */
			tried = due - BATCH;
		due = due - tried > BATCH ? BATCH : due - tried;
		done += tiny ? receive_batch((unsigned)due) : send_batch(fd, put, (unsigned)due);
		tried += due;
	}
	printf("%.0f\n", (double)done / (now() - begin));
	return 0;
}
