/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Advisory locks: flock(2), POSIX record locks and open file description locks (fcntl_locking(2)).
 *
 * All locks of an inode hang on inode->locks: whole-file locks owned by an open file, and ranges
 * owned by a descriptor table (POSIX) or an open file (OFD). A blocked request sleeps on the
 * inode's queue and tries again whenever a lock there goes away. While it sleeps it is on a global
 * list that says who waits for whom, and a POSIX request that would close a circle is -EDEADLK; as
 * in the kernel, the search gives up after a few steps.
 */
#include <errno.h>
#include <stdlib.h>

#include "vfs/internal.h"

#define DEADLOCK_STEPS_MAX 10 /* MAX_DEADLK_ITERATIONS */

struct lock {
	struct list_head link;	   /* on file_locks.flocks or .records */
	struct record_lock record; /* a flock is a record over the whole file */
};

struct file_locks {
	struct list_head flocks;
	struct list_head records; /* by owner, then start */
	struct wait_queue queue;
	struct list_head link; /* on all_locks */
	struct inode *inode;   /* borrowed: it owns us */
	unsigned waiters;
};

struct waiter {
	struct list_head link;
	const void *owner, *blocked_by;
};

static struct list_head all_locks = LIST_HEAD_INIT(all_locks);
static struct list_head waiters = LIST_HEAD_INIT(waiters);
static unsigned lock_count;

static int locks_get(struct inode *inode, struct file_locks **ret)
{
	struct file_locks *locks = inode->locks;

	if (!locks) {
		locks = calloc(1, sizeof(*locks));
		if (!locks)
			return -ENOLCK;
		list_init(&locks->flocks);
		list_init(&locks->records);
		wait_queue_init(&locks->queue);
		locks->inode = inode;
		list_add_tail(&locks->link, &all_locks);
		inode->locks = locks;
	}
	*ret = locks;
	return 0;
}

static struct lock *lock_new(const struct record_lock *record)
{
	struct lock *lock;

	if (lock_count >= SENTRY_MAX_FILE_LOCKS)
		return NULL;
	lock = malloc(sizeof(*lock));
	if (!lock)
		return NULL;
	lock->record = *record;
	list_init(&lock->link);
	lock_count++;
	return lock;
}

static void lock_free(struct lock *lock)
{
	list_remove(&lock->link);
	free(lock);
	lock_count--;
}

void locks_free(struct inode *inode)
{
	struct file_locks *locks = inode->locks;
	struct lock *lock, *tmp;

	if (!locks)
		return;
	list_for_each_entry_safe (lock, tmp, &locks->flocks, link)
		lock_free(lock);
	list_for_each_entry_safe (lock, tmp, &locks->records, link)
		lock_free(lock);
	list_remove(&locks->link);
	wait_queue_destroy(&locks->queue);
	free(locks);
	inode->locks = NULL;
}

static bool overlaps(const struct record_lock *a, const struct record_lock *b)
{
	return a->start <= b->end && b->start <= a->end;
}

static const struct lock *conflict(const struct list_head *list, const struct record_lock *want)
{
	const struct lock *lock;

	list_for_each_entry (lock, list, link) {
		if (lock->record.owner != want->owner && overlaps(&lock->record, want) &&
			(lock->record.type == LX_F_WRLCK || want->type == LX_F_WRLCK))
			return lock;
	}
	return NULL;
}

/* posix_locks_deadlock(): does whoever blocks us wait, in the end, for us? */
static bool would_deadlock(const void *owner, const void *blocked_by)
{
	for (int step = 0; step < DEADLOCK_STEPS_MAX; step++) {
		const struct waiter *waiter;
		const void *next = NULL;

		list_for_each_entry (waiter, &waiters, link) {
			if (waiter->owner == blocked_by) {
				next = waiter->blocked_by;
				break;
			}
		}
		if (!next)
			return false;
		if (next == owner)
			return true;
		blocked_by = next;
	}
	return false;
}

/* One sleep until something on the inode is unlocked. 0 or -ERESTARTSYS. */
static int wait_for_unlock(struct file_locks *locks, const void *owner, const void *blocked_by)
{
	struct waiter waiter = {.owner = owner, .blocked_by = blocked_by};
	int err;

	list_add(&waiter.link, &waiters);
	err = wait_sleep(&locks->queue, ~0u, WAIT_FOREVER, true, false);
	list_remove(&waiter.link);
	return err;
}

/* ---- flock(2) ---- */

static bool flock_drop(struct file_locks *locks, const struct file *file)
{
	struct lock *lock, *tmp;
	bool found = false;

	list_for_each_entry_safe (lock, tmp, &locks->flocks, link) {
		if (lock->record.owner == file) {
			lock_free(lock);
			found = true;
		}
	}
	if (found)
		wait_queue_wake(&locks->queue, ~0u);
	return found;
}

int file_flock(struct file *file, int operation)
{
	struct record_lock want = {.end = INT64_MAX, .owner = file};
	bool wait = !(operation & LX_LOCK_NB);
	struct file_locks *locks;
	const struct lock *held;
	struct lock *lock;
	int err;

	operation &= ~LX_LOCK_NB;
	if (operation == LX_LOCK_UN) {
		if (file->inode->locks)
			(void)flock_drop(file->inode->locks, file);
		return 0;
	}
	if (operation != LX_LOCK_SH && operation != LX_LOCK_EX)
		return -EINVAL;
	want.type = operation == LX_LOCK_EX ? LX_F_WRLCK : LX_F_RDLCK;
	err = locks_get(file->inode, &locks);
	if (err < 0)
		return err;
	list_for_each_entry (held, &locks->flocks, link) {
		if (held->record.owner == file && held->record.type == want.type)
			return 0;
	}
	/* A conversion is not atomic: the old lock goes first (flock(2)). */
	(void)flock_drop(locks, file);
	while ((held = conflict(&locks->flocks, &want))) {
		if (!wait)
			return -EWOULDBLOCK;
		err = wait_for_unlock(locks, file, NULL);
		if (err < 0)
			return err;
	}
	lock = lock_new(&want);
	if (!lock)
		return -ENOLCK;
	list_add_tail(&lock->link, &locks->flocks);
	return 0;
}

/* ---- record locks ---- */

/* Could two pieces be one? */
static bool adjoins(const struct record_lock *a, const struct record_lock *b)
{
	return (a->end != INT64_MAX && a->end + 1 == b->start) ||
	       (b->end != INT64_MAX && b->end + 1 == a->start) || overlaps(a, b);
}

/*
 * Replaces what @want's owner holds in its range (posix_lock_inode()). At most two new pieces are
 * needed: the lock itself and the rest of a lock that it cuts in two; they are allocated first.
 */
static int record_set(struct file_locks *locks, const struct record_lock *want)
{
	struct record_lock merged = *want;
	struct lock *lock, *tmp, *fresh = NULL, *rest = NULL;
	/* Locks of one owner lie together by start, owners in the order in which they came: so
	 * F_GETLK reports the conflict that Linux does (posix_lock_inode()). */
	struct list_head *behind = &locks->records;

	list_for_each_entry (lock, &locks->records, link)
		if (lock->record.owner == want->owner)
			behind = lock->link.next;
	if (want->type != LX_F_UNLCK)
		fresh = lock_new(want);
	rest = lock_new(want);
	/* Removing a whole lock must work without memory. */
	if (want->type != LX_F_UNLCK && (!fresh || !rest)) {
		if (fresh)
			lock_free(fresh);
		if (rest)
			lock_free(rest);
		return -ENOLCK;
	}
	list_for_each_entry_safe (lock, tmp, &locks->records, link) {
		struct record_lock *held = &lock->record;

		if (held->owner != want->owner)
			continue;
		if (held->type == want->type && adjoins(held, &merged)) {
			if (held->start < merged.start)
				merged.start = held->start;
			if (held->end > merged.end)
				merged.end = held->end;
			lock_free(lock);
			continue;
		}
		if (!overlaps(held, want))
			continue;
		if (held->start < want->start && held->end > want->end) {
			if (!rest)
				return -ENOLCK;
			rest->record = *held;
			rest->record.start = want->end + 1;
			held->end = want->start - 1;
			list_add(&rest->link, &lock->link);
			rest = NULL;
		} else if (held->start < want->start) {
			held->end = want->start - 1;
		} else if (held->end > want->end) {
			held->start = want->end + 1;
		} else {
			lock_free(lock);
		}
	}
	if (rest)
		lock_free(rest);
	if (fresh) {
		fresh->record = merged;
		list_for_each_entry (lock, &locks->records, link) {
			if (lock->record.owner == want->owner &&
				lock->record.start > merged.start) {
				behind = &lock->link;
				break;
			}
		}
		list_add_tail(&fresh->link, behind);
	}
	/* Downgrades and cuts may let somebody in, too. */
	wait_queue_wake(&locks->queue, ~0u);
	return 0;
}

int file_record_lock(struct file *file, const struct record_lock *want, bool wait)
{
	struct file_locks *locks;
	const struct lock *held;
	int err;

	if (want->type == LX_F_UNLCK && !file->inode->locks)
		return 0;
	err = locks_get(file->inode, &locks);
	if (err < 0)
		return err;
	while (want->type != LX_F_UNLCK && (held = conflict(&locks->records, want))) {
		if (!wait)
			return -EAGAIN;
		if (!want->ofd && would_deadlock(want->owner, held->record.owner))
			return -EDEADLK;
		err = wait_for_unlock(locks, want->owner, held->record.owner);
		if (err < 0)
			return err;
	}
	return record_set(locks, want);
}

void file_record_lock_test(struct file *file, struct record_lock *lock)
{
	const struct lock *held = NULL;

	if (file->inode->locks)
		held = conflict(&file->inode->locks->records, lock);
	if (held)
		*lock = held->record;
	else
		lock->type = LX_F_UNLCK;
}

/* ---- ends ---- */

static void drop_records(struct file_locks *locks, const void *owner)
{
	struct lock *lock, *tmp;
	bool found = false;

	list_for_each_entry_safe (lock, tmp, &locks->records, link) {
		if (lock->record.owner == owner) {
			lock_free(lock);
			found = true;
		}
	}
	if (found)
		wait_queue_wake(&locks->queue, ~0u);
}

void locks_release_owner(struct inode *inode, const void *owner)
{
	if (inode->locks && owner)
		drop_records(inode->locks, owner);
}

void locks_release_file(struct file *file)
{
	if (!file->inode->locks)
		return;
	(void)flock_drop(file->inode->locks, file);
	drop_records(file->inode->locks, file);
}

void locks_for_each(void (*fn)(const struct lock_info *info, void *arg), void *arg)
{
	const struct file_locks *locks;
	const struct lock *lock;

	list_for_each_entry (locks, &all_locks, link) {
		struct lock_info info = {.inode = locks->inode};

		list_for_each_entry (lock, &locks->flocks, link) {
			info.kind = "FLOCK";
			info.type = lock->record.type;
			info.pid = lock->record.pid;
			info.start = lock->record.start;
			info.end = lock->record.end;
			fn(&info, arg);
		}
		list_for_each_entry (lock, &locks->records, link) {
			info.kind = lock->record.ofd ? "OFDLCK" : "POSIX";
			info.type = lock->record.type;
			info.pid = lock->record.pid;
			info.start = lock->record.start;
			info.end = lock->record.end;
			fn(&info, arg);
		}
	}
}
