/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How the zygote comes up: from exec to its first SIGSYS, in which it stays for ever as if it were
 * a guest thread whose call is never answered. Address spaces are forked from there.
 *
 * Before this runs, the Sentry's child has already set limits, dropped privileges and joined the
 * stubs' process group. Here: channel, stub stack, handlers, a clean address space, the filter. The
 * filter lets nobody send a descriptor, so a helper thread, made before and thus unfiltered, passes
 * the listener to the Sentry, closes it and ends.
 */
#include "platform/systrap/stub/stub.h"
#include "platform/systrap/stub/offsets.h"

struct kernel_sigaction {
	void (*handler)(int);
	uint64_t flags;
	void (*restorer)(void);
	uint64_t mask;
};

struct kernel_sock_fprog {
	uint16_t len;
	const void *filter;
};

struct kernel_iovec {
	void *base;
	uint64_t size;
};

struct kernel_msghdr {
	void *name;
	uint32_t name_size, pad0;
	struct kernel_iovec *iov;
	uint64_t iov_count;
	void *control;
	uint64_t control_size;
	int32_t flags, pad1;
};

struct kernel_cmsg_fd {
	uint64_t size;
	int32_t level, type;
	int32_t fd, pad;
};

#define HELPER_STACK                                                                               \
	(STUB_STACK_BASE + STUB_STACK_SIZE) /* of the second thread, not yet in use                \
					     */

#define FILTER_FLAGS (8u /* NEW_LISTENER */ | 32u /* WAIT_KILLABLE_RECV */)

enum {
	AT_NULL = 0,
	AT_SYSINFO_EHDR = 33,
};

static struct channel_slot *const first_slot = (struct channel_slot *)STUB_CHANNEL_BASE;

static struct stub_boot *boot(void)
{
	return (struct stub_boot *)first_slot->data;
}

__attribute__((noreturn)) static void fail(uint32_t step, int64_t error)
{
	boot()->error_step = step;
	boot()->error = (int32_t)error;
	for (;;)
		stub_call3(STUB_NR_EXIT_GROUP, 1, 0, 0);
}

static void map_anonymous(uint64_t addr, uint64_t size, uint32_t step)
{
	/* MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS */
	int64_t ret = stub_call6(STUB_NR_MMAP, addr, size, 3, 0x32, ~0ull, 0);

	if (ret != (int64_t)addr)
		fail(step, ret);
}

static void handle(int signo, void (*entry)(int))
{
	/* SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER; without SA_RESTART, a futex wait ends
	 * at a kick. */
	struct kernel_sigaction action = {
		entry, 0x4 | 0x04000000 | 0x08000000 | 0x40000000, stub_restorer, 0};
	int64_t ret =
		stub_call6(STUB_NR_RT_SIGACTION, (uint64_t)signo, (uint64_t)&action, 0, 8, 0, 0);

	if (ret < 0)
		fail(3, ret);
}

static void unmap(uint64_t from, uint64_t to)
{
	if (from < to)
		stub_call3(STUB_NR_MUNMAP, from, to - from, 0);
}

/* [from, to) without [start, end), which may lie anywhere. */
static void unmap_around(uint64_t from, uint64_t to, uint64_t start, uint64_t end)
{
	if (end <= from || start >= to) {
		unmap(from, to);
		return;
	}
	unmap(from, start);
	unmap(end, to);
}

/*
 * The vDSO and its data pages move to STUB_VDSO_BASE as one block (the code finds the data relative
 * to itself), one mapping after the other; everything that is not the stub's goes. A sealed vDSO
 * stays where it is.
 */
static void arrange_memory(uint64_t vdso)
{
	struct stub_boot *config = boot();
	uint32_t count = vdso ? config->part_count : 0;
	uint64_t start = STUB_END, end = STUB_END, done = 0;

	for (uint32_t i = 0; i < count && i < STUB_BOOT_PARTS_MAX; i++) {
		uint64_t from = vdso + (uint64_t)config->parts[i].offset;
		uint64_t to;

		if (i == 0)
			start = from;
		end = from + config->parts[i].size;
		to = STUB_VDSO_BASE + (from - start);
		/* MREMAP_MAYMOVE | MREMAP_FIXED */
		if (stub_call6(STUB_NR_MREMAP, from, config->parts[i].size, config->parts[i].size,
			    3, to, 0) == (int64_t)to)
			done++;
	}
	config->vdso_moved = count && done == count;
	unmap_around(0, STUB_BASE, start, end);
	unmap_around(STUB_REGION_END, STUB_END, start, end);
}

/* Until *@word, which may lie in shared memory, is not @value any more. Asleep, so that whoever
 * changes it finds a CPU. */
static void wait_word(const void *word, uint32_t value)
{
	while (__atomic_load_n((const uint32_t *)word, __ATOMIC_ACQUIRE) == value)
		stub_call3(STUB_NR_FUTEX, word, 0 /* FUTEX_WAIT */, value);
}

static void set_word(void *word, uint32_t value)
{
	__atomic_store_n((uint32_t *)word, value, __ATOMIC_RELEASE);
	stub_call3(STUB_NR_FUTEX, word, 1 /* FUTEX_WAKE */, 1);
}

_Static_assert(STUB_FD_END <= STUB_FILES_MAX, "room for all descriptors of a stub");

/* The unfiltered helper thread. */
static void helper(struct stub_thread *self)
{
	struct stub_boot *config = boot();
	struct kernel_cmsg_fd cmsg = {
		.size = 20, .level = 1 /* SOL_SOCKET */, .type = 1 /* SCM_RIGHTS */};
	const uint64_t limit[2] = {STUB_FILES_MAX, STUB_FILES_MAX};
	char byte = 'L';
	struct kernel_iovec iov = {&byte, 1};
	struct kernel_msghdr message = {
		.iov = &iov, .iov_count = 1, .control = &cmsg, .control_size = sizeof(cmsg)};
	int64_t ret;

	(void)self;
	wait_word(&config->listener, ~0u);
	cmsg.fd = config->listener;
	ret = stub_call3(STUB_NR_SENDMSG, STUB_FD_SOCKET, &message, 0x4000 /* MSG_NOSIGNAL */);
	if (ret != 1)
		fail(6, ret);
	/* Not before: a sender's limit bounds what all processes of its user have in flight
	 * together (too_many_unix_fds()). */
	ret = stub_call3(STUB_NR_SETRLIMIT, 7 /* RLIMIT_NOFILE */, limit, 0);
	if (ret < 0)
		fail(7, ret);
	stub_call3(STUB_NR_CLOSE, cmsg.fd, 0, 0);
	stub_call3(STUB_NR_CLOSE, STUB_FD_SOCKET, 0, 0);
	set_word(&config->sent, 1);
	for (;;)
		stub_call3(STUB_NR_EXIT, 0, 0, 0);
}

static void install_filter(void)
{
	struct stub_boot *config = boot();
	struct kernel_sock_fprog program = {(uint16_t)config->filter_count, config->filter};
	int64_t ret;

	map_anonymous(HELPER_STACK, STUB_STACK_SIZE, 4);
	config->listener = -1;
	config->sent = 0;
	ret = stub_clone_thread(STUB_CLONE_THREAD, (void *)(HELPER_STACK + STUB_STACK_SIZE - 64),
		(void (*)(struct stub_thread *))helper);
	if (ret < 0)
		fail(4, ret);
	ret = stub_call3(STUB_NR_SECCOMP, 1 /* SET_MODE_FILTER */, FILTER_FLAGS, &program);
	if (ret < 0)
		fail(5, ret);
	set_word(&config->listener, (uint32_t)ret);
	wait_word(&config->sent, 0);
}

/* On the stub stack: exec's own may go. */
__attribute__((noreturn)) static void on_stub_stack(void)
{
	struct stub_thread *self = (struct stub_thread *)STUB_STACK_BASE;
	const struct {
		uint64_t sp;
		uint32_t flags, pad;
		uint64_t size;
	} stack = {
		STUB_STACK_BASE + STUB_STACK_RESERVED, 0, 0, STUB_STACK_SIZE - STUB_STACK_RESERVED};
	static const uint8_t faults[] = {
		4 /* ILL */, 5 /* TRAP */, 7 /* BUS */, 8 /* FPE */, 11 /* SEGV */};
	int64_t ret;

	self->magic = THREAD_MAGIC;
	self->fast_stack = (uint64_t)self + STUB_FAST_STACK;
	self->slot = first_slot;
	self->seq = 0;
	arrange_memory(self->token);
	for (unsigned i = 0; i < sizeof(faults); i++)
		handle(faults[i], stub_enter_fault);
	/* We stand on it already: the first frame then lands below us, where it stays. */
	ret = stub_call3(STUB_NR_SIGALTSTACK, &stack, 0, 0);
	if (ret < 0)
		fail(3, ret);
	handle(31 /* SYS */, stub_enter_sigsys);
	handle(STUB_KICK_SIGNAL, stub_enter_kick);
	install_filter();
	stub_gate();
}

void stub_main(uint64_t *stack)
{
	struct stub_thread *self = (struct stub_thread *)STUB_STACK_BASE;
	uint64_t *word = stack + 1 + stack[0] + 1, vdso = 0;
	int64_t ret;

	while (*word)
		word++;
	for (word++; word[0] != AT_NULL; word += 2) {
		if (word[0] == AT_SYSINFO_EHDR)
			vdso = word[1];
	}
	ret = stub_call6(
		STUB_NR_MMAP, STUB_CHANNEL_BASE, CHANNEL_SEGMENT_SIZE, 3, 0x11, STUB_FD_CHANNEL, 0);
	if (ret != (int64_t)STUB_CHANNEL_BASE)
		stub_call3(STUB_NR_EXIT_GROUP, 2, 0, 0);
	stub_call3(STUB_NR_MADVISE, STUB_CHANNEL_BASE, CHANNEL_SEGMENT_SIZE, 10 /* DONTFORK */);
	stub_call3(STUB_NR_CLOSE, STUB_FD_CHANNEL, 0, 0);
	boot()->version = STUB_LAYOUT_VERSION;
	map_anonymous(STUB_STACK_BASE, STUB_STACK_SIZE, 1);
	self->token = vdso; /* nobody's yet: carries it over */
	stub_switch_stack((void *)(STUB_STACK_BASE + STUB_STACK_SIZE - 64), on_stub_stack);
}
