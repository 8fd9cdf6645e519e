/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that are answered at once and told with the thread's next request, whatever that is.
 *
 * What decides: the result is certain before the kernel has heard of the call; what it changes
 * nobody but this thread can see, so that nobody can tell when it was done; and everything else
 * that the thread asks of the kernel comes behind it. A signal, a fault and an exit are requests,
 * too. Each slot of the list holds one call, or several that amount to one: of seeks in one file
 * the last, of the heap's ends the last, of equal actions the set of their signals.
 *
 * Seeks and closes are of descriptors whose open(2) said that the thread is alone with the open
 * file: a regular file, to any position of which a seek leads, or one whose end nobody waits for.
 * Calls that may give it to others, or something else its number, come by stub_told_note();
 * inguest.files_epoch tells of those that others make.
 *
 * The heap's end moves where the Sentry says that there is room, and no farther: the host call is
 * made here, the Sentry changes its list. Only for who is alone in his address space.
 *
 * An action may be told later when it cannot matter before: that of a signal which is blocked,
 * until it is unblocked (which waits for the list to be told, then), or one that does what the old
 * one does and only looks different.
 */
#include "abi/limits.h"
#include "abi/signal.h"
#include "abi/syscall_nr.h"
#include "platform/systrap/stub/stub.h"

#define KNOWN_FDS	64u
#define SEEK_POSITION	(1ull << 40) /* all file systems here have larger files */
#define EINVAL		22
#define F_SETFL		4u
#define F_DUPFD_CLOEXEC 1030u
#define SIGCHLD_INDEX	(17u - 1)
#define PROT_READ_WRITE 3u
#define MAP_HEAP	0x100022u /* FIXED_NOREPLACE, ANONYMOUS, PRIVATE */
/* Who writes much may leave much to be freed. */
#define WRITE_LITTLE 0x4000u

struct platform_told *stub_tell(struct stub_thread *self, uint32_t nr)
{
	struct platform_told *told = self->slot->told;

	if (stub_tell_room(self) == 0)
		return 0;
	if (self->closed) {
		told[0].nr = LX_NR_close;
		told[0].args[0] = self->closed - 1u;
		self->told_count = 1;
		self->closed = 0;
	}
	told += self->told_count++;
	told->nr = nr;
	return told;
}

unsigned stub_tell_room(const struct stub_thread *self)
{
	return PLATFORM_TOLD_MAX - self->told_count - (self->closed ? 1u : 0u);
}

uint8_t stub_tell_all(struct stub_thread *self)
{
	uint8_t closed = self->closed;

	self->closed = 0;
	if (self->told_count == 0)
		return closed & 15;
	self->slot->told_count = self->told_count;
	self->told_count = 0;
	self->told_actions = false;
	return CHANNEL_CLOSED_TOLD;
}

/* The last call that is to be told, if it is an @nr. */
static struct platform_told *last_told(struct stub_thread *self, uint32_t nr)
{
	struct platform_told *last;

	if (self->told_count == 0)
		return 0;
	last = &self->slot->told[self->told_count - 1];
	return last->nr == nr ? last : 0;
}

/* ---- descriptors ---- */

static uint64_t fd_bit(uint64_t fd)
{
	return (uint32_t)fd < KNOWN_FDS ? 1ull << (uint32_t)fd : 0;
}

/* Calls beside those that opened.c calls harmless which leave descriptors what they are. */
static bool leaves_descriptors(uint32_t nr)
{
	switch (nr) {
	case LX_NR_unlink:
	case LX_NR_unlinkat:
	case LX_NR_link:
	case LX_NR_linkat:
	case LX_NR_symlink:
	case LX_NR_rename:
	case LX_NR_renameat:
	case LX_NR_renameat2:
	case LX_NR_mkdir:
	case LX_NR_mkdirat:
	case LX_NR_rmdir:
	case LX_NR_chmod:
	case LX_NR_chdir:
	case LX_NR_umask:
	case LX_NR_statfs:
	case LX_NR_statx:
	case LX_NR_sysinfo:
	case LX_NR_getrusage:
	case LX_NR_uname:
	case LX_NR_times:
	case LX_NR_mremap:
	case LX_NR_pipe:
	case LX_NR_pipe2:
	case LX_NR_dup:
	case LX_NR_fadvise64:
	case LX_NR_getrlimit:
	case LX_NR_prlimit64:
	case LX_NR_sigaltstack:
	case LX_NR_rt_sigreturn:
	case LX_NR_wait4:
		return true;
	default:
		return false;
	}
}

void stub_told_note(struct stub_thread *self, uint32_t nr, const uint64_t args[6], bool harmless)
{
	if (!(self->seekable | self->closeable))
		return;
	switch (nr) {
	case LX_NR_write:
		if (args[2] > WRITE_LITTLE)
			self->closeable &= ~fd_bit(args[0]);
		return;
	case LX_NR_writev:
	case LX_NR_pwrite64:
	case LX_NR_ftruncate:
		self->closeable &= ~fd_bit(args[0]);
		return;
	case LX_NR_fcntl:
		/* With locks, leases and the like somebody may wait for the end; they are the
		 * file's, whichever descriptor is used. */
		if ((uint32_t)args[1] > F_SETFL && (uint32_t)args[1] != F_DUPFD_CLOEXEC)
			self->closeable = 0;
		return;
	case LX_NR_close:
		self->seekable &= ~fd_bit(args[0]);
		self->closeable &= ~fd_bit(args[0]);
		return;
	default:
		if (!harmless && !leaves_descriptors(nr))
			self->seekable = self->closeable = 0;
	}
}

void stub_told_fd(struct stub_thread *self, int64_t fd, uint32_t flags)
{
	const uint32_t epoch = __atomic_load_n(&self->slot->inguest.files_epoch, __ATOMIC_RELAXED);
	const uint64_t bit = fd_bit((uint64_t)fd);

	if (self->files_epoch != epoch)
		self->seekable = self->closeable = 0;
	self->files_epoch = epoch;
	self->seekable = (self->seekable & ~bit) | (flags & PLATFORM_OPENED_START ? bit : 0);
	self->closeable = (self->closeable & ~bit) | (flags & PLATFORM_OPENED_CLOSE ? bit : 0);
}

/* inguest.opened says the same, in a cache line that need not come for it. */
void stub_told_opened(struct stub_thread *self, int64_t fd)
{
	self->known_library = 0;
	self->known_begin = 0;
	stub_told_fd(self, fd, self->slot->reply.head.opened);
}

static bool is_known(const struct stub_thread *self, uint64_t set, uint64_t fd)
{
	return (set & fd_bit(fd)) &&
	       __atomic_load_n(&self->slot->inguest.files_epoch, __ATOMIC_RELAXED) ==
		       self->files_epoch &&
	       (self->slot->inguest.features & PLATFORM_INGUEST_OWN);
}

bool stub_told_seek(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	struct platform_told *told = last_told(self, LX_NR_lseek);

	if ((uint32_t)args[2] != 0 /* SEEK_SET */ || args[1] > SEEK_POSITION ||
		!is_known(self, self->seekable, args[0]))
		return false;
	if (!told || told->args[0] != (uint32_t)args[0])
		told = stub_tell(self, LX_NR_lseek);
	if (!told)
		return false;
	told->args[0] = (uint32_t)args[0];
	told->args[1] = args[1];
	if (self->opened != OPENED_NOTHING && self->opened_fd == (int32_t)args[0])
		self->position = args[1];
	*ret = (int64_t)args[1];
	return true;
}

/* All bits: nothing is to be opened here. */
static void free_fd(struct stub_thread *self, uint32_t fd)
{
	uint64_t *fds = &self->slot->inguest.fds;

	if (*fds != UINT64_MAX)
		*fds &= ~fd_bit(fd);
}

void stub_tell_close(struct stub_thread *self, uint32_t fd)
{
	self->seekable &= ~fd_bit(fd);
	self->closeable &= ~fd_bit(fd);
	free_fd(self, fd);
	self->closed = (uint8_t)(fd + 1);
}

bool stub_told_close(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	const uint32_t fd = (uint32_t)args[0];
	struct platform_told *told;

	if (!is_known(self, self->closeable, fd))
		return false;
	if (self->told_count == 0 && self->closed == 0 && fd < CHANNEL_CLOSED_MAX) {
		stub_tell_close(self, fd);
	} else {
		told = stub_tell(self, LX_NR_close);
		if (!told)
			return false;
		told->args[0] = fd;
		free_fd(self, fd);
		self->seekable &= ~fd_bit(fd);
		self->closeable &= ~fd_bit(fd);
	}
	stub_held_forget(self, (int32_t)fd);
	stub_ahead_note(self, LX_NR_close, args, false);
	if (self->opened != OPENED_NOTHING && self->opened_fd == (int32_t)fd) {
		self->opened = OPENED_NOTHING;
		self->content = false;
	}
	*ret = 0;
	return true;
}

/* ---- the heap ---- */

uint64_t stub_page_end(uint64_t addr)
{
	return (addr + 4095) & ~4095ull;
}

bool stub_told_brk(struct stub_thread *self, uint64_t end, int64_t *ret)
{
	struct platform_inguest *known = &self->slot->inguest;
	struct platform_told *told = last_told(self, LX_NR_brk);
	const uint64_t old = stub_page_end(known->brk), new = stub_page_end(end);
	int64_t result = 0;

	if (end < known->brk_low || end > known->brk_high || (!told && stub_tell_room(self) == 0))
		return false;
	if (new > old && stub_call6(STUB_NR_MMAP, old, new - old, PROT_READ_WRITE, MAP_HEAP,
				 UINT64_MAX, 0) != (int64_t)old)
		return false;
	if (new < old)
		result = stub_call3(STUB_NR_MUNMAP, new, old - new, 0);
	if (result != 0)
		return false;
	if (!told)
		told = stub_tell(self, LX_NR_brk);
	told->args[0] = end;
	known->brk = end;
	*ret = (int64_t)end;
	return true;
}

/* ---- signal actions ---- */

/* The fields of struct sigaction. */
enum { ACTION_HANDLER, ACTION_FLAGS, ACTION_RESTORER, ACTION_MASK, ACTION_WORDS };

/* An equal action of another signal. */
static bool same_action(const struct platform_told *told, const uint64_t action[ACTION_WORDS])
{
	for (unsigned i = 0; i < ACTION_WORDS; i++)
		if (told->args[1 + i] != action[i])
			return false;
	return true;
}

/* rt_sigaction(2) with a new action: its number and size are right. */
bool stub_told_action(struct stub_thread *self, const uint64_t args[6], int64_t *ret)
{
	struct platform_inguest *known = &self->slot->inguest;
	struct platform_told *told = last_told(self, LX_NR_rt_sigaction);
	const uint32_t index = (uint32_t)args[0] - 1;
	const uint64_t bit = index < LX_NSIG ? 1ull << index : 0;
	const bool was_default = __atomic_load_n(&known->default_actions, __ATOMIC_RELAXED) & bit;
	uint64_t action[ACTION_WORDS];
	bool quiet;

	if (!bit || args[3] != sizeof(uint64_t) || !(known->told & PLATFORM_TOLD_ACTIONS) ||
		(args[2] && !was_default))
		return false;
	for (unsigned i = 0; i < ACTION_WORDS; i++)
		if (stub_load8(&action[i], (const void *)(args[1] + 8 * i)))
			return false;
	*ret = -EINVAL;
	if (PLATFORM_UNBLOCKABLE & bit)
		return true;
	quiet = was_default && action[ACTION_HANDLER] == LX_SIG_DFL &&
		!(action[ACTION_FLAGS] & (LX_SA_NOCLDSTOP | LX_SA_NOCLDWAIT));
	if (!quiet && (!(known->blocked & bit) || index == SIGCHLD_INDEX))
		return false;
	if (args[2] &&
		(stub_store16((void *)args[2], 0, 0) || stub_store16((void *)(args[2] + 16), 0, 0)))
		return false;
	if (!told || !same_action(told, action)) {
		told = stub_tell(self, LX_NR_rt_sigaction);
		if (!told)
			return false;
		told->args[0] = 0;
		for (unsigned i = 0; i < ACTION_WORDS; i++)
			told->args[1 + i] = action[i];
	}
	told->args[0] |= bit;
	__atomic_fetch_and(&known->default_actions, ~bit, __ATOMIC_RELAXED);
	self->told_actions |= !quiet;
	*ret = 0;
	return true;
}
