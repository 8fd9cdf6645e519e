/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets in flight within sockets in flight, as many as the kernel takes; then the last
 * descriptor is closed and all of them go at once.
 */
#include "armed.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static int send_descriptor(int socket, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};

	control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
	memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
	return (int)sendmsg(socket, &message, MSG_DONTWAIT);
}

int main(void)
{
	int pair[2], last = dup(0), depth = 0;

	while (depth < 100000 && socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0) {
		if (send_descriptor(pair[0], last) < 0)
			break;
		close(last);
		close(pair[0]);
		last = pair[1];
		depth++;
	}
	close(last);
	printf("chain: %s\n", depth > 500 ? "long" : "short");
	puts("alive");
	return 0;
}
