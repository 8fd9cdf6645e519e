/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/helper.h"

#include <errno.h>
#include <poll.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

static int add_rules(scmp_filter_ctx filter, const int *calls, size_t count, bool inet)
{
	static const int families[] = {AF_INET, AF_INET6};
	int r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));

	for (size_t i = 0; inet && i < 2 && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
			SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i]));
	for (size_t i = 0; i < count && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return r;
}

int helper_confine(const int *calls, size_t count, bool inet)
{
	scmp_filter_ctx filter;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	r = add_rules(filter, calls, count, inet);
	r = r == 0 ? seccomp_load(filter) : r;
	seccomp_release(filter);
	return r;
}

int64_t helper_now_ms(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

bool helper_wait(int fd, short events, int64_t until)
{
	struct pollfd wait = {.fd = fd, .events = events};
	int64_t left = until - helper_now_ms();

	return left > 0 && poll(&wait, 1, (int)left) > 0;
}
