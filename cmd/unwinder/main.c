/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <linux/seccomp.h>
#include <unistd.h>

#include "base/host_filter.h"
#include "cmd/unwinder/unwinder.h"

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#define MEMORY_MAX (1ull << 30)

static int confine(void)
{
	static struct sock_filter program[HOST_FILTER_MAX];
	struct sock_fprog filter = {.filter = program};
	unsigned when = UNWINDER_ALWAYS;
	int r;

#ifdef SANITIZED
	when |= UNWINDER_SANITIZER;
#else
	const struct rlimit memory = {MEMORY_MAX, MEMORY_MAX};

	if (setrlimit(RLIMIT_AS, &memory) < 0)
		return -errno;
#endif
	r = host_filter_build(unwinder_calls, unwinder_call_count, when, program, HOST_FILTER_MAX);
	if (r < 0)
		return r;
	filter.len = (unsigned short)r;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
		return -errno;
	return 0;
}

static void tell(struct stack *stack)
{
	static unsigned char bytes[RECORD_STACK_MAX];
	const struct {
		uint32_t frame_count, site;
	} head = {stack->frame_count, stack->site};
	size_t frames = stack->frame_count * sizeof(stack->frames[0]);

	memcpy(bytes, &head, sizeof(head));
	memcpy(bytes + sizeof(head), stack->frames, frames);
	memcpy(bytes + sizeof(head) + frames, stack->names, stack->names_size);
	ask_done(bytes, sizeof(head) + frames + stack->names_size);
}

int main(void)
{
	static const uint32_t hello = UNWINDER_HELLO;
	static struct stack stack;
	const struct stack_begin *begin;
	int r;

	if (!unwind_init() || !site_init()) {
		fprintf(stderr, "sentry-unwinder: cannot start: out of memory\n");
		return 125;
	}
	symbols_init();
	/* What the libraries opened for themselves is for processes that look at themselves. */
	(void)close_range(0, 1, 0);
	(void)close_range(UNWINDER_FD + 1, ~0u, 0);
	r = confine();
	if (r < 0) {
		fprintf(stderr, "sentry-unwinder: cannot be confined: %s\n", strerror(-r));
		return 125;
	}
	if (write(UNWINDER_FD, &hello, sizeof(hello)) != sizeof(hello))
		return 125;
	while (ask_next(&begin)) {
		stack.frame_count = 0;
		stack.names_size = 0;
		stack.site = UINT32_MAX;
		unwind(begin, &stack);
		tell(&stack);
	}
	_exit(0);
}
