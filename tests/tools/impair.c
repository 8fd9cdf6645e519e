/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A bad cable: carries Ethernet frames between two interfaces and loses, doubles, delays and
 * damages some of them, as a seed says.
 *
 *	impair [--seed N] [--loss P] [--duplicate P] [--reorder P] [--corrupt P] END END
 *
 * END is tap:IF, a TAP interface that this makes or takes, or packet:IF, an existing Ethernet
 * interface. P is a chance in percent, for each frame and direction. Prints "ready" and runs until
 * its standard input ends; says then on stderr what it did.
 *
 * A frame that is delayed is let go behind the next few of its direction, or after DELAY_MS. Damage
 * is one bit of an IP packet: every checksum there is finds that, while ARP has none.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define FRAME_MAX 65600
#define HELD_MAX  16
#define DELAY_MS  10

struct held {
	unsigned char *bytes;
	size_t size;
	unsigned behind;      /* frames that go first */
	uint64_t deadline_ms; /* but not longer */
};

struct direction {
	int from, to;
	uint64_t random;
	struct held held[HELD_MAX];
	unsigned passed, lost, doubled, delayed, damaged;
};

static double loss, duplicate, reorder, corrupt;

static void die(const char *what)
{
	fprintf(stderr, "impair: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* xorshift64* */
static uint64_t next_random(struct direction *direction)
{
	uint64_t x = direction->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	direction->random = x;
	return x * 0x2545f4914f6cdd1dull;
}

static bool chance(struct direction *direction, double percent)
{
	return (double)(next_random(direction) >> 11) / (double)(1ull << 53) * 100 < percent;
}

/* ---- ends ------------------------------------------------------------------------------------ */

static int open_tap(const char *name)
{
	struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK);

	strncpy(request.ifr_name, name, IFNAMSIZ - 1);
	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		die(name);
	return fd;
}

static int open_packet(const char *name)
{
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
	struct packet_mreq all = {.mr_type = PACKET_MR_PROMISC};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0), one = 1, size = 4 << 20;

	address.sll_ifindex = all.mr_ifindex = (int)if_nametoindex(name);
	if (fd < 0 || !address.sll_ifindex ||
		setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof(one)) < 0 ||
		setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof(all)) < 0 ||
		bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die(name);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	return fd;
}

static int open_end(const char *text)
{
	if (strncmp(text, "tap:", 4) == 0)
		return open_tap(text + 4);
	if (strncmp(text, "packet:", 7) == 0)
		return open_packet(text + 7);
	fprintf(stderr, "impair: '%s' is neither tap:IF nor packet:IF\n", text);
	exit(1);
}

/* ---- frames ---------------------------------------------------------------------------------- */

/* What the other end cannot take is lost: it is that kind of cable. */
static void pass(struct direction *direction, const unsigned char *bytes, size_t size)
{
	if (write(direction->to, bytes, size) == (ssize_t)size)
		direction->passed++;
	else
		direction->lost++;
}

/* One frame went by, or none and time did. */
static void release(struct direction *direction, bool frame)
{
	uint64_t now = now_ms();

	for (unsigned i = 0; i < HELD_MAX; i++) {
		struct held *held = &direction->held[i];

		if (!held->bytes)
			continue;
		if (frame && held->behind > 0)
			held->behind--;
		if (held->behind > 0 && now < held->deadline_ms)
			continue;
		pass(direction, held->bytes, held->size);
		free(held->bytes);
		held->bytes = NULL;
	}
}

static bool hold(struct direction *direction, const unsigned char *bytes, size_t size)
{
	for (unsigned i = 0; i < HELD_MAX; i++) {
		struct held *held = &direction->held[i];

		if (held->bytes)
			continue;
		held->bytes = malloc(size);
		if (!held->bytes)
			return false;
		memcpy(held->bytes, bytes, size);
		held->size = size;
		held->behind = 1 + (unsigned)(next_random(direction) % 8);
		held->deadline_ms = now_ms() + DELAY_MS;
		direction->delayed++;
		return true;
	}
	return false;
}

static void damage(struct direction *direction, unsigned char *bytes, size_t size)
{
	uint16_t type = (uint16_t)(bytes[12] << 8 | bytes[13]);
	size_t bit;

	if (type != ETH_P_IP && type != ETH_P_IPV6)
		return;
	bit = next_random(direction) % ((size - ETH_HLEN) * 8);
	bytes[ETH_HLEN + bit / 8] ^= (unsigned char)(1 << bit % 8);
	direction->damaged++;
}

static void carry(struct direction *direction)
{
	static unsigned char bytes[FRAME_MAX];
	ssize_t size;

	while ((size = read(direction->from, bytes, sizeof(bytes))) > ETH_HLEN) {
		if (chance(direction, loss)) {
			direction->lost++;
			continue;
		}
		if (chance(direction, corrupt))
			damage(direction, bytes, (size_t)size);
		if (chance(direction, reorder) && hold(direction, bytes, (size_t)size))
			continue;
		pass(direction, bytes, (size_t)size);
		if (chance(direction, duplicate)) {
			pass(direction, bytes, (size_t)size);
			direction->doubled++;
		}
		release(direction, true);
	}
}

static bool any_held(const struct direction *direction)
{
	for (unsigned i = 0; i < HELD_MAX; i++) {
		if (direction->held[i].bytes)
			return true;
	}
	return false;
}

static void report(const char *name, const struct direction *direction)
{
	fprintf(stderr, "impair: %s: %u passed, %u lost, %u doubled, %u delayed, %u damaged\n",
		name, direction->passed, direction->lost, direction->doubled, direction->delayed,
		direction->damaged);
}

int main(int argc, char **argv)
{
	static struct direction there, back;
	struct pollfd fds[3];
	uint64_t seed = 1;
	int at = 1;

	for (; at + 1 < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
		double value = atof(argv[at + 1]);

		if (strcmp(argv[at], "--seed") == 0)
			seed = strtoull(argv[at + 1], NULL, 0);
		else if (strcmp(argv[at], "--loss") == 0)
			loss = value;
		else if (strcmp(argv[at], "--duplicate") == 0)
			duplicate = value;
		else if (strcmp(argv[at], "--reorder") == 0)
			reorder = value;
		else if (strcmp(argv[at], "--corrupt") == 0)
			corrupt = value;
		else
			break;
	}
	if (argc - at != 2) {
		fprintf(stderr, "usage: impair [--seed N] [--loss P] [--duplicate P] [--reorder P] "
				"[--corrupt P] END END\n");
		return 1;
	}
	there.from = back.to = open_end(argv[at]);
	there.to = back.from = open_end(argv[at + 1]);
	there.random = seed * 2 + 1;
	back.random = seed * 2 + 0x9e3779b97f4a7c15ull;
	fds[0] = (struct pollfd){.fd = there.from, .events = POLLIN};
	fds[1] = (struct pollfd){.fd = back.from, .events = POLLIN};
	fds[2] = (struct pollfd){.fd = 0, .events = POLLIN};
	puts("ready");
	(void)fflush(stdout);
	while (poll(fds, 3, any_held(&there) || any_held(&back) ? DELAY_MS : -1) >= 0 ||
		errno == EINTR) {
		if (fds[0].revents)
			carry(&there);
		if (fds[1].revents)
			carry(&back);
		release(&there, false);
		release(&back, false);
		if (fds[2].revents)
			break;
	}
	report("there", &there);
	report("back", &back);
	return 0;
}
