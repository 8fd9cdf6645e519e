/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mapping operations: the stub makes the host call itself.
 *
 * A host descriptor travels over one socket pair that all stubs share. The shared end is safe
 * because no guest can make a host call: only an injected recvmsg() reads from it, and from the
 * send to the int3 behind the mapping one fiber holds socket_lock. recvmsg, mmap and close are one
 * injected sequence, so a mapping of a file costs one stop like any other. The message header lies
 * in the mailbox, where other threads of the guest can scribble: what they can reach is that no
 * descriptor arrives, and then the slot is empty and mmap answers EBADF. A message that nobody took
 * is drained before the lock is given up.
 */
#include "platform/ptrace/tracee.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "platform/ptrace/stub_calls.h"

#define PROT_BITS (PROT_READ | PROT_WRITE | PROT_EXEC)

/* The kernel has checked the range; a mistake there must not reach the stub's own pages. */
static bool range_ok(gaddr_t addr, uint64_t size)
{
	uint64_t end;

	return add_checked(addr.v, size, &end) && end <= PT_GUEST_END;
}

static int result_of(int64_t result)
{
	return result < 0 && result >= -4095 ? (int)result : 0;
}

static int send_fd(int fd)
{
	char byte = 0;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {0};
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	if (sendmsg(pt.socket_send, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

/* Reading without room for control data makes the host drop the descriptor. */
static void drain_socket(void)
{
	char byte;

	while (recv(pt.socket_receive, &byte, 1, MSG_DONTWAIT) > 0)
		;
}

static int map_file(struct tracee *t, const struct platform_map *map, int flags)
{
	struct injected_call call = {
		.nr = SYS_recvmsg,
		.args = {PT_STUB_SOCKET, PT_MAILBOX, MSG_DONTWAIT, (uint64_t)flags, PT_STUB_SLOT,
			map->offset},
	};
	int err;

	fiber_mutex_lock(&pt.socket_lock);
	err = send_fd(map->fd);
	if (err < 0)
		goto unlock;
	t->host.r12 = map->addr.v;
	t->host.r13 = map->size;
	t->host.r14 = (uint64_t)map->prot;
	err = tracee_call_begin(t, PT_INJECT_MAP, &call);
	if (err == 0 && !tracee_call_finish(t, false))
		err = -ESRCH;
	if (err < 0 || t->injected.rbx != 1) {
		drain_socket();
		if (err == 0)
			err = -ENOMEM;
	} else {
		err = result_of((int64_t)t->injected.r15);
	}
unlock:
	fiber_mutex_unlock(&pt.socket_lock);
	return err;
}

int ptrace_map(struct platform_thread *thread, const struct platform_map *map)
{
	struct tracee *t = tracee_of(thread);
	int flags = MAP_FIXED | (map->shared ? MAP_SHARED : MAP_PRIVATE) |
		    (map->noreserve ? MAP_NORESERVE : 0);
	struct injected_call call = {.nr = SYS_mmap};

	if (!range_ok(map->addr, map->size) || (map->prot & ~PROT_BITS))
		return -EINVAL;
	if (map->fd >= 0) {
		struct user_regs_struct saved = t->host;
		int err = map_file(t, map, flags);

		t->host = saved;
		return err;
	}
	if (map->shared)
		return -EINVAL;
	call.args[0] = map->addr.v;
	call.args[1] = map->size;
	call.args[2] = (uint64_t)map->prot;
	call.args[3] = (uint64_t)(flags | MAP_ANONYMOUS);
	call.args[4] = UINT64_MAX;
	return result_of(tracee_call(t, &call));
}

int ptrace_unmap(struct platform_thread *thread, gaddr_t addr, uint64_t size)
{
	struct injected_call call = {.nr = SYS_munmap, .args = {addr.v, size}};

	if (!range_ok(addr, size))
		return -EINVAL;
	return result_of(tracee_call(tracee_of(thread), &call));
}

int ptrace_protect(struct platform_thread *thread, gaddr_t addr, uint64_t size, int prot)
{
	struct injected_call call = {.nr = SYS_mprotect, .args = {addr.v, size, (uint64_t)prot}};

	if (!range_ok(addr, size) || (prot & ~PROT_BITS))
		return -EINVAL;
	return result_of(tracee_call(tracee_of(thread), &call));
}

int ptrace_remap(struct platform_thread *thread, gaddr_t old_addr, uint64_t old_size,
	uint64_t new_size, gaddr_t new_addr)
{
	bool in_place = old_addr.v == new_addr.v;
	struct injected_call call = {
		.nr = SYS_mremap,
		.args = {old_addr.v, old_size, new_size,
			in_place ? 0 : MREMAP_MAYMOVE | MREMAP_FIXED, in_place ? 0 : new_addr.v},
	};

	if (!range_ok(old_addr, old_size) || !range_ok(new_addr, new_size))
		return -EINVAL;
	return result_of(tracee_call(tracee_of(thread), &call));
}

int ptrace_advise(struct platform_thread *thread, gaddr_t addr, uint64_t size, int advice)
{
	static const int allowed[] = STUB_ADVICE;
	struct injected_call call = {.nr = SYS_madvise, .args = {addr.v, size, (uint64_t)advice}};

	_Static_assert(array_size(allowed) == STUB_ADVICE_COUNT, "the filter's count");
	if (!range_ok(addr, size))
		return -EINVAL;
	for (size_t i = 0; i < array_size(allowed); i++) {
		if (allowed[i] == advice)
			return result_of(tracee_call(tracee_of(thread), &call));
	}
	return -EINVAL;
}

/* ---- restartable sequences: the tracee's own (rseq(2)) ---- */

#define RSEQ_UNREGISTER 1

int ptrace_rseq(
	struct platform_thread *thread, gaddr_t area, uint32_t size, uint32_t flags, uint32_t sig)
{
	struct injected_call call = {.nr = SYS_rseq, .args = {area.v, size, flags, sig}};

	return result_of(tracee_call(tracee_of(thread), &call));
}

void ptrace_rseq_end(struct platform_thread *thread, gaddr_t area, uint32_t size, uint32_t sig)
{
	(void)ptrace_rseq(thread, area, size, RSEQ_UNREGISTER, sig);
}
