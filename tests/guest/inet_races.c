/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads use one socket in ways that undo each other while data is being copied. What each
 * call returns depends on who is faster; that all end, and that nothing impossible comes out, does
 * not.
 */
#include <pthread.h>

#include "inet.h"

#define ROUNDS 150
#define PART   30000

static char buffer[1 << 18];

static void *read_to_the_end(void *arg)
{
	int fd = *(int *)arg;
	static char bytes[1 << 18];

	while (recv(fd, bytes, sizeof(bytes), 0) > 0)
		;
	return NULL;
}

CASE(disconnect_while_another_reads)
{
	union address none = {.any.sa_family = AF_UNSPEC}, address;
	int server = listener(AF_INET, 5);

	address = loopback(AF_INET, port_of(server));
	for (int i = 0; i < ROUNDS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0), peer;
		pthread_t thread;

		connect(fd, &address.any, address_size(AF_INET));
		peer = accept(server, NULL, NULL);
		send(peer, buffer, sizeof(buffer), MSG_DONTWAIT | MSG_NOSIGNAL);
		pthread_create(&thread, NULL, read_to_the_end, &fd);
		for (int j = 0; j < i % 16; j++)
			sched_yield();
		(void)connect(fd, &none.any, sizeof(none.any));
		/* Whoever began to wait in the meantime has nobody to wait for. */
		close(peer);
		shutdown(fd, SHUT_RDWR);
		pthread_join(thread, NULL);
		close(fd);
	}
	NOTE("over");
}

struct sending {
	int fd, flags;
};

static void *send_parts(void *arg)
{
	const struct sending *sending = arg;

	for (int i = 0; i < 4 * ROUNDS; i++)
		(void)send(sending->fd, buffer, PART, sending->flags | MSG_NOSIGNAL);
	return NULL;
}

/* MSG_MORE of several at once: a datagram is never larger than one can be, and goes where it was
 * sent to. */
CASE(corked_by_several)
{
	int receiver = OK(bound(AF_INET, SOCK_DGRAM)), fd = OK(socket(AF_INET, SOCK_DGRAM, 0));
	union address address = loopback(AF_INET, port_of(receiver)), from;
	struct sending more = {fd, MSG_MORE}, last = {fd, 0};
	pthread_t threads[4];
	bool too_large = false, odd = false, stranger = false;
	socklen_t size;

	OK(connect(fd, &address.any, address_size(AF_INET)));
	for (int i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, send_parts, i % 2 ? &last : &more);
	for (int i = 0; i < 4; i++) {
		pthread_join(threads[i], NULL);
	}
	for (;;) {
		ssize_t n;

		size = sizeof(from);
		n = recvfrom(receiver, buffer, sizeof(buffer), MSG_DONTWAIT, &from.any, &size);
		if (n < 0)
			break;
		too_large |= n > 65507;
		odd |= n % PART != 0;
		stranger |= from.in.sin_addr.s_addr != htonl(INADDR_LOOPBACK) ||
			    ntohs(from.in.sin_port) != port_of(fd);
	}
	TRUTH(too_large);
	TRUTH(odd);
	TRUTH(stranger);
}
