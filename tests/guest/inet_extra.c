/* SPDX-License-Identifier: Apache-2.0 */
/* What few programs ask of sockets: filters of many members, error queues, marks, ports. */
#include <time.h>

#include <linux/errqueue.h>
#include <linux/filter.h>
#include <linux/net_tstamp.h>
#include <stdint.h>
#include <sys/un.h>

#include "inet.h"
#include "netlink.h"

#define LONG_FILTER 4000
#define MEMBERS	    120

/* ---- filters ---- */

static struct sock_fprog long_filter(void)
{
	static struct sock_filter program[LONG_FILTER];

	for (int i = 0; i < LONG_FILTER - 1; i++)
		program[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, (unsigned)i);
	program[LONG_FILTER - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 5);
	return (struct sock_fprog){.len = LONG_FILTER, .filter = program};
}

/* More work than is done in one go: all members have all messages all the same, in order. */
CASE(filter_many_members)
{
	struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_groups = 1};
	const struct sock_fprog filter = long_filter();
	int fds[MEMBERS], sender, right = 0;

	own_network();
	for (int i = 0; i < MEMBERS; i++) {
		fds[i] = socket(AF_NETLINK, SOCK_DGRAM | SOCK_NONBLOCK, NETLINK_USERSOCK);
		if (bind(fds[i], (struct sockaddr *)&name, sizeof(name)) < 0 ||
			setsockopt(fds[i], SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) <
				0) {
			NOTE("member: %s", errno_name(errno));
			return;
		}
	}
	sender = socket(AF_NETLINK, SOCK_DGRAM, NETLINK_USERSOCK);
	CALL(sendto(sender, "first message", 13, 0, (struct sockaddr *)&name, sizeof(name)));
	CALL(sendto(sender, "other", 5, 0, (struct sockaddr *)&name, sizeof(name)));
	for (int i = 0; i < MEMBERS; i++) {
		char first[16] = "", second[16] = "";

		right += recv(fds[i], first, sizeof(first), 0) == 5 &&
			 recv(fds[i], second, sizeof(second), 0) == 5 &&
			 strcmp(first, "first") == 0 && strcmp(second, "other") == 0;
	}
	NOTE("%d of %d had both", right, MEMBERS);
	CALL(recv(fds[MEMBERS - 1], fds, 1, 0));
}
