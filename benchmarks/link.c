/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ends of a stream over a link, one on the host, one in a sandbox.
 *
 *	link serve ADDRESS                   prints its port, and serves until it is killed
 *	link send|receive|pingpong ADDRESS PORT COUNT
 *
 * The latter move COUNT times 64 KiB, or one byte there and back, and print the nanoseconds of one.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PIECE 65536

struct order {
	uint32_t what; /* the word's first letter */
	uint32_t count;
};

static char buffer[PIECE];

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static void read_all(int fd, void *to, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = read(fd, (char *)to + done, size - done);

		if (n <= 0)
			die("read");
		done += (size_t)n;
	}
}

static void write_all(int fd, const void *from, size_t size)
{
	for (size_t done = 0; done < size;) {
		ssize_t n = write(fd, (const char *)from + done, size - done);

		if (n <= 0)
			die("write");
		done += (size_t)n;
	}
}

static void bytes_in(int fd, uint32_t count)
{
	for (uint64_t left = (uint64_t)count * PIECE; left > 0;) {
		ssize_t n = read(fd, buffer, left < PIECE ? left : PIECE);

		if (n <= 0)
			die("read");
		left -= (uint64_t)n;
	}
}

static void bytes_out(int fd, uint32_t count)
{
	while (count-- > 0)
		write_all(fd, buffer, PIECE);
}

static void serve_one(int fd)
{
	struct order order;

	read_all(fd, &order, sizeof(order));
	if (order.what == 's') {
		bytes_in(fd, order.count);
		write_all(fd, buffer, 1);
	} else if (order.what == 'r') {
		bytes_out(fd, order.count);
	} else {
		while (order.count-- > 0) {
			read_all(fd, buffer, 1);
			write_all(fd, buffer, 1);
		}
	}
	close(fd);
}

static int tcp_socket(const char *address, const char *port, struct sockaddr_in *name)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	*name = (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port))};
	if (fd < 0 || inet_pton(AF_INET, address, &name->sin_addr) != 1)
		die(address);
	return fd;
}

static void no_delay(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

static void serve(const char *address)
{
	struct sockaddr_in name;
	socklen_t size = sizeof(name);
	int fd = tcp_socket(address, "0", &name);

	if (bind(fd, (struct sockaddr *)&name, sizeof(name)) < 0 || listen(fd, 16) < 0 ||
		getsockname(fd, (struct sockaddr *)&name, &size) < 0)
		die("listen");
	printf("%u\n", ntohs(name.sin_port));
	(void)fflush(stdout);
	for (;;) {
		int one = accept(fd, NULL, NULL);

		if (one < 0)
			die("accept");
		no_delay(one);
		serve_one(one);
	}
}

static double seconds(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	struct sockaddr_in name;
	struct order order;
	double begin;
	int fd;

	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	if (argc != 5) {
		fprintf(stderr,
			"usage: link serve ADDRESS | link send|receive|pingpong ADDRESS PORT "
			"COUNT\n");
		return 1;
	}
	fd = tcp_socket(argv[2], argv[3], &name);
	if (connect(fd, (struct sockaddr *)&name, sizeof(name)) < 0)
		die("connect");
	no_delay(fd);
	order = (struct order){(uint32_t)argv[1][0], (uint32_t)atoi(argv[4])};
	write_all(fd, &order, sizeof(order));
	begin = seconds();
	if (order.what == 's') {
		bytes_out(fd, order.count);
		read_all(fd, buffer, 1);
	} else if (order.what == 'r') {
		bytes_in(fd, order.count);
	} else {
		for (uint32_t i = 0; i < order.count; i++) {
			write_all(fd, buffer, 1);
			read_all(fd, buffer, 1);
		}
	}
	printf("%.0f\n", (seconds() - begin) / order.count * 1e9);
	return 0;
}
