/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "abi/stat.h"
#include "base/random.h"
#include "sentry/mm.h"
#include "sentry/observe.h"
#include "sentry/pid_ns.h"
#include "sentry/shared_names.h"
#include "sentry/task_private.h"
#include "sentry/held.h"

/*
 * What threads may answer themselves (platform/inguest.h): the words that they answer from are
 * written here, whenever what they stand for changes.
 *
 * Ids: the own ones change by the thread's own calls; the process group's and the parent's by
 * others', for all threads of the process. Each word is stored at once, so a thread that runs
 * meanwhile reads the old or the new one, as if its call had come a moment earlier or later.
 * Whoever learns of the change from the Sentry (the return of setpgid, the end of the parent)
 * learns of it after the words were written.
 *
 * Names: an answer that the VFS says will last is kept by the thread (stub/names.c) and given again
 * until the epoch moves on. Whoever makes it void (creates the name, say) gets his own answer after
 * the new epoch was stored for everybody. A change of identity or root counts as one.
 *
 * The file that was opened last: only for a thread that is alone with its descriptors, since it
 * judges by its own calls how long the words are true (stub/opened.c). Whoever gets hold of the
 * open file from outside (pidfd_getfd) moves the epoch on.
 *
 * The signal mask: while a thread is in guest, it changes the word `blocked` alone, and whoever
 * wants to know its mask reads that word (task_blocked()). While it is stopped, task->blocked is
 * the mask; task_lend() and task_take() carry it over. The guest may write anything there
 * at any time: that is a mask that it could have set. SIGKILL and SIGSTOP are taken out of what is
 * read.
 *
 * A sender must not miss that the thread has just unblocked the signal, nor the thread that there
 * is one. Sender: put it on the pending set; raise the thread's `pending` word; full fence; read
 * the mask. Thread: store the new mask; full fence; read `pending`. Either the sender sees the new
 * mask and wakes the thread as any other, or the thread sees the signal and brings the call to us,
 * where unblocking looks at the pending sets. For a process's signal the words of all its threads
 * are raised before the first mask is read.
 *
 * A sender may see a mask that is about to change, and choose a thread that blocks the signal
 * before it comes here. Its own signal then stays pending, as one that came a moment after the
 * mask. A process's signal is offered to the other threads when the chosen one arrives
 * (task_take(), the kernel's retarget_shared_pending()): by the mask that it arrives with,
 * since what its mask was between can no longer be known.
 *
 * `pending` is made exact when a thread goes to the guest and when a signal is added. A signal that
 * another thread took leaves a bit behind, which costs the next unblocking a turn here. A signal
 * that is ignored is dropped by the mask of the moment; a blocked one is kept, and dropped when it
 * is unblocked.
 */

_Static_assert(sizeof(((struct platform_inguest *)0)->limits) ==
		       sizeof(((struct thread_group *)0)->rlimits),
	"as prlimit(2) says them");

static struct list_head published = LIST_HEAD_INIT(published);
static uint32_t files_epoch; /* tasks_files_shared() */

static void names_epoch_publish(struct task *task);

static void store(uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELAXED);
}

/*
 * Signals whose action is all zeroes: programs ask for each one's at their start, and after a fork.
 * What another process shares (CLONE_SIGHAND without CLONE_THREAD) may change without our knowing
 * whose words to write.
 */
static uint64_t default_actions(const struct thread_group *group)
{
	static const struct lx_sigaction zero;
	uint64_t set = 0;

	if (group->sighand->refs.count > 1)
		return 0;
	for (int i = 0; i < LX_NSIG; i++)
		if (memcmp(&group->sighand->action[i], &zero, sizeof(zero)) == 0)
			set |= 1ull << i;
	return set;
}

void group_publish_action(struct thread_group *group, int signo)
{
	struct task *task;

	list_for_each_entry (task, &group->tasks, group_link) {
		struct platform_inguest *inguest = task->thread ? task->thread->inguest : NULL;

		if (inguest && !task->exited)
			__atomic_fetch_and(
				&inguest->default_actions, ~LX_SIGMASK(signo), __ATOMIC_RELAXED);
	}
}

/* Everybody's who may ask meanwhile, so with a version (answer_limit() of stub/answer.c). */
static void publish_limits(struct platform_inguest *inguest, const struct thread_group *group)
{
	uint32_t version = inguest->limits_version | 1;

	if (memcmp(inguest->limits, group->rlimits, sizeof(inguest->limits)) == 0 &&
		inguest->limits_version != 0)
		return;
	__atomic_store_n(&inguest->limits_version, version, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	memcpy(inguest->limits, group->rlimits, sizeof(inguest->limits));
	__atomic_store_n(&inguest->limits_version, version + 1, __ATOMIC_RELEASE);
}

void task_publish_brk(struct task *task)
{
	struct platform_inguest *inguest = task->thread ? task->thread->inguest : NULL;
	const struct thread_group *group = task->group;
	const struct mm *mm = task->mm;
	const bool alone = group->tasks.next == group->tasks.prev;
	uint32_t told = 0;

	if (!inguest)
		return;
	task->brk_changes = mm ? mm->changes : 0;
	inguest->brk = mm && refcount_is_one(&mm->refs) ? mm->brk : 0;
	if (alone && refcount_is_one(&group->sighand->refs))
		told |= PLATFORM_TOLD_ACTIONS;
	/* Who looks at calls sees these: only what changes nothing is answered unseen. */
	if (observing) {
		inguest->brk_low = inguest->brk_high = inguest->brk;
		store(&inguest->told, 0);
		return;
	}
	if (inguest->brk) {
		mm_brk_room(task, &inguest->brk_low, &inguest->brk_high);
		mm_map_room(task, inguest);
		if (inguest->map_high > inguest->map_low)
			told |= PLATFORM_TOLD_MAPS;
	}
	store(&inguest->told, told);
}

void task_publish_random(struct task *task)
{
	if (task->thread && task->thread->inguest)
		task->thread->inguest->random = random_u64();
}

/* The kernel's own view, as the calls in sentry/session.c and sentry/syscalls/cred.c have it. */
void task_publish(struct task *task)
{
	struct platform_inguest *inguest = task->thread ? task->thread->inguest : NULL;
	const struct thread_group *group = task->group;
	const struct cred *cred = task->cred;
	const struct pid_ns *ns = task_pid_ns(task);
	uint32_t features = 0;
	uint32_t *ids;

	if (!inguest)
		return;
	ids = inguest->ids;
	names_epoch_publish(task);
	store(&inguest->files_epoch, files_epoch);
	if (list_empty(&task->inguest_link))
		list_add(&task->inguest_link, &published);
	store(&ids[PLATFORM_ID_TGID], (uint32_t)pid_nr_in(group->pid, ns));
	store(&ids[PLATFORM_ID_TID], (uint32_t)pid_nr_in(task->pid, ns));
	store(&ids[PLATFORM_ID_PPID],
		group->parent ? (uint32_t)pid_nr_in(group->parent->pid, ns) : 0);
	store(&ids[PLATFORM_ID_PGID], (uint32_t)pid_nr_in(group->pgrp, ns));
	store(&ids[PLATFORM_ID_SID], (uint32_t)pid_nr_in(group->session, ns));
	store(&ids[PLATFORM_ID_UID], user_ns_uid(cred->user_ns, cred->uid));
	store(&ids[PLATFORM_ID_EUID], user_ns_uid(cred->user_ns, cred->euid));
	store(&ids[PLATFORM_ID_GID], user_ns_gid(cred->user_ns, cred->gid));
	store(&ids[PLATFORM_ID_EGID], user_ns_gid(cred->user_ns, cred->egid));
	/* What --strace and tracers show and what a filter judges has to come by; CPU numbers have
	 * to be of those that were asked for.
	 */
	if (!observe_needs_all() && !task->seccomp_mode && !task->tracer) {
		features = PLATFORM_INGUEST_IDS | PLATFORM_INGUEST_FUTEX | PLATFORM_INGUEST_MASK |
			   PLATFORM_INGUEST_TIME | PLATFORM_INGUEST_YIELD | PLATFORM_INGUEST_OWN |
			   PLATFORM_INGUEST_SIGRETURN | PLATFORM_INGUEST_HELD;
		if (task_runs_anywhere(task))
			features |= PLATFORM_INGUEST_CPU;
		if (rseq_offered())
			features |= PLATFORM_INGUEST_RSEQ;
	}
	__atomic_store_n(&inguest->default_actions, default_actions(group), __ATOMIC_RELAXED);
	publish_limits(inguest, group);
	task_publish_brk(task);
	store(&inguest->features, features);
	if (!(features & PLATFORM_INGUEST_HELD))
		held_take_back(task);
}

void task_forget_content(struct task *task)
{
	if (platform->forget_content)
		platform->forget_content(task->thread);
}

void tasks_ids_changed(const struct user_ns *ns)
{
	struct task *task;

	vfs_lasting_end();
	list_for_each_entry (task, &published, inguest_link)
		if (!task->exited && task->cred && user_ns_is_below(task->cred->user_ns, ns))
			task_publish(task);
}

void group_publish(struct thread_group *group)
{
	struct task *task;

	list_for_each_entry (task, &group->tasks, group_link)
		if (!task->exited)
			task_publish(task);
}

/* ---- the signal mask ------------------------------------------------------------------------- */

static uint64_t all_pending(const struct task *task)
{
	return task->pending.set | task->group->pending.set;
}

uint64_t task_blocked(const struct task *task)
{
	if (!task->mask_shared)
		return task->blocked;
	return __atomic_load_n(&task->thread->inguest->blocked, __ATOMIC_RELAXED) &
	       ~SIGNALS_UNBLOCKABLE;
}

gaddr_t task_robust_list(const struct task *task)
{
	if (!task->mask_shared)
		return task->robust_list;
	return GADDR(__atomic_load_n(&task->thread->inguest->robust_list, __ATOMIC_RELAXED));
}

/* Who is told of files opens them himself, in the lowest place that is free. */
static uint64_t known_fds(const struct task *task, const struct platform_inguest *inguest)
{
	if (observing || !inguest->names_shared || !task->files || fd_table_shared(task->files) ||
		task->group->tasks.next != task->group->tasks.prev || task->cred->landlock)
		return UINT64_MAX;
	return fd_first_used(task->files);
}

/* Read from the guest's word while it may change there; nobody else has this struct fs_context. */
uint32_t task_umask(const struct task *task)
{
	if (!task->mask_shared || !task->umask_lent)
		return task->fs->umask;
	return __atomic_load_n(&task->thread->inguest->umask, __ATOMIC_RELAXED) & 0777;
}

static void lend_umask(struct task *task)
{
	uint32_t *shared = &task->thread->inguest->umask;
	uint32_t word = 0;

	if (refcount_is_one(&task->fs->refs))
		word = PLATFORM_UMASK_KNOWN | (task->fs->umask & 0777);
	if (*shared != word)
		__atomic_store_n(shared, word, __ATOMIC_RELAXED);
	task->umask_lent = word != 0;
}

void task_lend(struct task *task)
{
	struct platform_inguest *inguest = task->thread->inguest;
	uint64_t pending = all_pending(task), fds;

	if (!inguest)
		return;
	fds = known_fds(task, inguest);
	if (inguest->fds != fds)
		inguest->fds = fds;
	if (task->mm && task->brk_changes != task->mm->changes)
		task_publish_brk(task);
	/* Only what changed: both sides read these lines much more often than they write them. */
	if (inguest->blocked != task->blocked)
		__atomic_store_n(&inguest->blocked, task->blocked, __ATOMIC_RELAXED);
	if (memcmp(inguest->altstack, &task->sigaltstack, sizeof(inguest->altstack)) != 0)
		memcpy(inguest->altstack, &task->sigaltstack, sizeof(inguest->altstack));
	if (inguest->robust_list != task->robust_list.v)
		inguest->robust_list = task->robust_list.v;
	if (inguest->clear_child_tid != task->clear_child_tid.v)
		inguest->clear_child_tid = task->clear_child_tid.v;
	if (inguest->rseq != task->rseq.v) {
		inguest->rseq = task->rseq.v;
		inguest->rseq_size = task->rseq_size;
		inguest->rseq_sig = task->rseq_sig;
	}
	if (inguest->pending != pending)
		__atomic_store_n(&inguest->pending, pending, __ATOMIC_RELAXED);
	lend_umask(task);
	task->mask_shared = true;
}

static void task_take_rseq(struct task *task)
{
	const struct platform_inguest *inguest = task->thread->inguest;

	task->rseq = GADDR(__atomic_load_n(&inguest->rseq, __ATOMIC_RELAXED));
	task->rseq_size = __atomic_load_n(&inguest->rseq_size, __ATOMIC_RELAXED);
	task->rseq_sig = __atomic_load_n(&inguest->rseq_sig, __ATOMIC_RELAXED);
}

void task_take(struct task *task)
{
	if (!task->mask_shared)
		return;
	task->blocked = task_blocked(task);
	task->fs->umask = task_umask(task);
	task->robust_list = task_robust_list(task);
	task->clear_child_tid =
		GADDR(__atomic_load_n(&task->thread->inguest->clear_child_tid, __ATOMIC_RELAXED));
	task_take_rseq(task);
	task->mask_shared = false;
	if (task->signal_wake)
		signal_retarget(task, task->blocked);
	else if (all_pending(task) & ~task->blocked)
		signal_recalculate(
			task); /* sent while a mask was tried that the call brings here */
}

static void hint(struct task *task)
{
	if (task->mask_shared)
		__atomic_store_n(
			&task->thread->inguest->pending, all_pending(task), __ATOMIC_RELAXED);
}

void task_hint_pending(struct task *task, bool to_group)
{
	struct task *other;

	if (to_group) {
		list_for_each_entry (other, &task->group->tasks, group_link)
			hint(other);
	} else {
		hint(task);
	}
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* ---- answers about names ----------------------------------------------------------------------
 */

/* Counted here in 32 bits, never 0; it moves on only when somebody was promised something. */
static uint32_t names_epoch = 1;
static bool names_promised;

static void names_epoch_publish(struct task *task)
{
	/* As with the other answers: who wants to see or judge each call has to. */
	const bool shown = observe_needs_all() || task->tracer || task->seccomp_mode;

	store(&task->thread->inguest->names_epoch, shown ? 0 : names_epoch);
	store(&task->thread->inguest->names_shared, !shown && shared_names_are_for(task));
}

void names_changed(bool everybody)
{
	struct task *task;

	if (everybody)
		shared_names_changed();
	if (!names_promised && !everybody)
		return;
	names_promised = false;
	if (++names_epoch == 0)
		names_epoch = 1;
	list_for_each_entry (task, &published, inguest_link)
		if (task->thread && task->thread->inguest)
			names_epoch_publish(task);
}

uint32_t task_names_epoch(struct task *task)
{
	if (observe_needs_all() || task->tracer || task->seccomp_mode)
		return 0;
	names_promised = true;
	return names_epoch;
}

void task_answer_lasts(struct task *task)
{
	task->thread->answer_lasts = true;
	names_promised = true;
}

/* ---- the file that was opened last ----------------------------------------------------------- */

_Static_assert(sizeof(struct lx_stat) == sizeof(((struct platform_opened *)0)->stat), "as in it");

void task_forget_opened(struct task *task)
{
	if (task->opened_told)
		store(&task->thread->inguest->opened.flags, 0);
	task->opened_told = false;
}

void tasks_files_shared(void)
{
	struct task *task;

	files_epoch++;
	list_for_each_entry (task, &published, inguest_link)
		if (task->thread && task->thread->inguest)
			store(&task->thread->inguest->files_epoch, files_epoch);
}

void tasks_forget_opened(void)
{
	struct task *task;

	list_for_each_entry (task, &published, inguest_link)
		if (task->thread && task->thread->inguest)
			store(&task->thread->inguest->opened.flags, 0);
	shared_files_watched();
	tasks_files_shared();
	held_forget_devices();
}

bool task_may_know_opened(const struct task *task)
{
	return task->thread && task->thread->inguest && !observe_needs_all() &&
	       !task->seccomp_mode && !task->tracer &&
	       task->group->tasks.next == task->group->tasks.prev && !fd_table_shared(task->files);
}

#define READS_WORTH 8u

bool task_should_tell_again(struct task *task, int fd)
{
	static uint32_t epoch; /* of the last such read: the count is of reads in one */

	if (!task->opened_told || task->opened_fd != fd || task->opened_epoch == names_epoch)
		return false;
	task->opened_reads = epoch == names_epoch ? task->opened_reads + 1 : 0;
	epoch = names_epoch;
	if (task->opened_reads < READS_WORTH)
		return false;
	task->opened_reads = 0;
	return task_may_know_opened(task);
}

void task_tell_opened(
	struct task *task, int fd, uint32_t flags, int file_flags, const struct lx_stat *stat)
{
	struct platform_opened *opened = &task->thread->inguest->opened;

	opened->fd = fd;
	opened->file_flags = (uint32_t)file_flags;
	opened->epoch = names_epoch;
	if (flags & PLATFORM_OPENED_STAT)
		memcpy(opened->stat, stat, sizeof(opened->stat));
	store(&opened->flags, flags);
	task->thread->opened_flags = observing ? 0 : (uint16_t)flags;
	task->opened_told = true;
	task->opened_fd = fd;
	task->opened_epoch = names_epoch;
	names_promised = true;
}
