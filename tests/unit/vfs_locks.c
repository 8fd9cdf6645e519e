/* SPDX-License-Identifier: Apache-2.0 */
#include "abi/errno.h"
#include "vfs_test.h"

static int owner_a, owner_b; /* stand-ins for descriptor tables */

static int set_lock(struct file *file, const void *owner, int type, int64_t start, int64_t end)
{
	struct record_lock lock = {
		.type = type, .start = start, .end = end, .pid = 1, .owner = owner};

	return file_record_lock(file, &lock, false);
}

static unsigned held;

static void count_lock(const struct lock_info *info, void *arg)
{
	held++;
}

static unsigned locks_held(void)
{
	held = 0;
	locks_for_each(count_lock, NULL);
	return held;
}

VFS_TEST(locks, ranges_split_and_merge)
{
	struct record_lock test = {
		.type = LX_F_WRLCK, .start = 0, .end = INT64_MAX, .owner = &owner_b};
	struct file *file;

	make_file("/f", "");
	file = test_open("/f", LX_O_RDWR, 0);
	cr_expect_eq(set_lock(file, &owner_a, LX_F_WRLCK, 0, 99), 0);
	cr_expect_eq(set_lock(file, &owner_b, LX_F_RDLCK, 50, 60), -EAGAIN);
	cr_expect_eq(set_lock(file, &owner_b, LX_F_RDLCK, 100, 200), 0);
	cr_expect_eq(set_lock(file, &owner_a, LX_F_UNLCK, 40, 49), 0);
	cr_expect_eq(locks_held(), 3);
	cr_expect_eq(set_lock(file, &owner_b, LX_F_WRLCK, 40, 49), 0);
	cr_expect_eq(set_lock(file, &owner_b, LX_F_UNLCK, 40, 49), 0);
	cr_expect_eq(set_lock(file, &owner_a, LX_F_WRLCK, 40, 49), 0);
	cr_expect_eq(locks_held(), 2, "neighbours of one kind are one lock");
	file_record_lock_test(file, &test);
	cr_expect_eq(test.start, 0);
	cr_expect_eq(test.end, 99);
	cr_expect_eq(test.pid, 1);
	cr_expect_eq(set_lock(file, &owner_a, LX_F_RDLCK, 10, 19), 0);
	cr_expect_eq(locks_held(), 4);
	cr_expect_eq(set_lock(file, &owner_a, LX_F_UNLCK, 0, INT64_MAX), 0);
	cr_expect_eq(locks_held(), 1);
	file_unref(file);
}

VFS_TEST(locks, flock_conflicts)
{
	struct file *a, *b;

	make_file("/f", "");
	a = test_open("/f", LX_O_RDWR, 0);
	b = test_open("/f", LX_O_RDWR, 0);
	cr_expect_eq(file_flock(a, LX_LOCK_SH), 0);
	cr_expect_eq(file_flock(b, LX_LOCK_SH), 0);
	cr_expect_eq(file_flock(b, LX_LOCK_EX | LX_LOCK_NB), -EWOULDBLOCK);
	cr_expect_eq(file_flock(a, LX_LOCK_UN), 0);
	cr_expect_eq(file_flock(b, LX_LOCK_EX | LX_LOCK_NB), 0);
	cr_expect_eq(file_flock(a, LX_LOCK_SH | LX_LOCK_NB), -EWOULDBLOCK);
	file_unref(b);
	cr_expect_eq(file_flock(a, LX_LOCK_EX | LX_LOCK_NB), 0);
	file_unref(a);
	cr_expect_eq(locks_held(), 0);
}

static struct file *shared;
static int waited = 1;

static void wait_for_first(void *arg)
{
	struct record_lock lock = {.type = LX_F_WRLCK, .start = 0, .end = 9, .owner = &owner_b};

	waited = file_record_lock(shared, &lock, true);
}

VFS_TEST(locks, waiting_and_deadlock)
{
	struct record_lock second = {.type = LX_F_WRLCK, .start = 10, .end = 19, .owner = &owner_a};
	struct fiber *fiber;

	make_file("/f", "");
	shared = test_open("/f", LX_O_RDWR, 0);
	cr_assert_eq(set_lock(shared, &owner_a, LX_F_WRLCK, 0, 9), 0);
	cr_assert_eq(set_lock(shared, &owner_b, LX_F_WRLCK, 10, 19), 0);
	cr_assert_eq(fiber_create(&fiber, "waiter", wait_for_first, NULL), 0);
	fiber_yield();
	cr_expect_eq(waited, 1);
	cr_expect_eq(file_record_lock(shared, &second, true), -EDEADLK);
	cr_assert_eq(set_lock(shared, &owner_a, LX_F_UNLCK, 0, 9), 0);
	fiber_yield();
	fiber_yield();
	cr_expect_eq(waited, 0);
	file_unref(shared);
}

VFS_TEST(locks, interrupted_wait)
{
	struct fiber *fiber;

	make_file("/f", "");
	shared = test_open("/f", LX_O_RDWR, 0);
	waited = 1;
	cr_assert_eq(set_lock(shared, &owner_a, LX_F_WRLCK, 0, 9), 0);
	cr_assert_eq(fiber_create(&fiber, "waiter", wait_for_first, NULL), 0);
	fiber_yield();
	fiber_set_interrupted(fiber, true);
	fiber_yield();
	fiber_yield();
	cr_expect_eq(waited, -ERESTARTSYS);
	file_unref(shared);
}
