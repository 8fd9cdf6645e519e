/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages that a guest sends to the kernel over a netlink socket, on a kernel without guests
 * (booted.c), each input in a network namespace of its own. The first byte says who sends and how
 * the answers are read; each following part, of a size that two bytes say, is one datagram. Then
 * all answers are read. A datagram of a real program is a corpus entry.
 *
 * What must hold: nothing the sanitizers see, no assertion, and answers that are well-formed: whole
 * messages whose sizes add up.
 */
#include <stdlib.h>
#include <string.h>

#include "abi/syscall_nr.h"
#include "base/checked.h"
#include "platform/null/null.h"
#include "sentry/task.h"
#include "tests/fuzz/booted.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FAMILY	     16 /* AF_NETLINK */
#define RAW	     3
#define DONTWAIT     0x40
#define NEWNET	     0x40000000
#define DATAGRAMS    8
#define SIZE_MAX_ONE 0x3000u
#define ANSWERS_MAX  4096

#define FLAG_UNPRIVILEGED 1u
#define FLAG_SHORT_READS  2u
#define FLAG_PEEK	  4u
#define FLAG_OTHER_KIND	  8u /* not NETLINK_ROUTE */

static void check_answer(size_t size)
{
	static uint8_t bytes[BOOTED_SIZE];
	size_t at = 0;

	(void)null_memory_read(booted_task->thread->as, GADDR(BOOTED_REGION), bytes, size);
	while (at < size) {
		uint32_t length;

		if (size - at < 16)
			abort();
		memcpy(&length, bytes + at, sizeof(length));
		if (length < 16 || length > size - at)
			abort();
		at += (length + 3) & ~3u;
	}
}

static void read_answers(uint64_t fd, unsigned flags)
{
	const uint64_t room = flags & FLAG_SHORT_READS ? 20 : BOOTED_SIZE;

	for (unsigned i = 0; i < ANSWERS_MAX; i++) {
		int64_t got;

		if (flags & FLAG_PEEK && i == 0)
			(void)booted_call(LX_NR_recvfrom, (const uint64_t[6]){fd, BOOTED_REGION,
								  room, DONTWAIT | 2 /* PEEK */});
		got = booted_call(
			LX_NR_recvfrom, (const uint64_t[6]){fd, BOOTED_REGION, room, DONTWAIT});
		/* ENOBUFS once, when answers were lost. */
		if (got < 0 && got != -105)
			return;
		if (got > 0 && !(flags & (FLAG_SHORT_READS | FLAG_OTHER_KIND)))
			check_answer((size_t)got);
	}
}

static void give_up_privileges(void)
{
	struct cred *cred;

	if (cred_copy(booted_task->cred, 0, &cred) < 0)
		return;
	cred->cap_effective = cred->cap_permitted = 0;
	cred_unref(booted_task->cred);
	booted_task->cred = cred;
}

static void run_input(const uint8_t *data, size_t size)
{
	static struct cred *first;
	unsigned flags = size ? *data : 0;
	int64_t fd;

	if (!first)
		first = cred_ref(booted_task->cred);
	booted_revive();
	cred_unref(booted_task->cred);
	booted_task->cred = cred_ref(first);
	(void)booted_call3(LX_NR_unshare, NEWNET, 0, 0);
	fd = booted_call3(LX_NR_socket, FAMILY, RAW, flags & FLAG_OTHER_KIND ? flags >> 4 : 0);
	if (fd < 0 || !size)
		return;
	if (flags & FLAG_UNPRIVILEGED)
		give_up_privileges();
	data++;
	size--;
	for (unsigned i = 0; i < DATAGRAMS && size > 2; i++) {
		size_t one = min_of((size_t)(data[0] | data[1] << 8) % SIZE_MAX_ONE, size - 2);

		(void)null_memory_write(
			booted_task->thread->as, GADDR(BOOTED_REGION), data + 2, one);
		(void)booted_call(LX_NR_sendto,
			(const uint64_t[6]){(uint64_t)fd, BOOTED_REGION, one, DONTWAIT});
		data += 2 + one;
		size -= 2 + one;
		if (flags & FLAG_PEEK)
			read_answers((uint64_t)fd, flags);
	}
	read_answers((uint64_t)fd, flags);
	(void)booted_call3(LX_NR_close, (uint64_t)fd, 0, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	booted_run(run_input, data, size);
	return 0;
}
