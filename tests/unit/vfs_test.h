/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_UNIT_VFS_TEST_H
#define SENTRY_TESTS_UNIT_VFS_TEST_H

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/fiber.h"
#include "vfs/vfs.h"

/* A file system of its own for each test; the body runs on a fiber, as kernel code does. */
static struct fs_context *fs;
static struct cred *user_cred;
static struct vfs_ctx root_ctx, user_ctx;
static bool test_done;

static void (*test_body)(void);

static void test_fiber(void *arg)
{
	struct super_block *sb;
	struct mount *mount;
	struct path root;

	cr_assert_eq(tmpfs_new(0, 0, 0755, &sb), 0);
	cr_assert_eq(mount_attach(sb, sb->root, NULL, "tmpfs", &mount), 0);
	root = (struct path){mount, sb->root};
	cr_assert_eq(fs_context_new(&root, &root, 022, &fs), 0);
	cr_assert_eq(cred_new(1000, 1000, &user_cred), 0);
	root_ctx = (struct vfs_ctx){.cred = cred_kernel(), .fs = fs, .fsize_limit = UINT64_MAX};
	user_ctx = root_ctx;
	user_ctx.cred = user_cred;
	test_body();
	test_done = true;
}

static inline void run_vfs_test(void (*body)(void))
{
	struct fiber *fiber;

	test_body = body;
	cr_assert_eq(fiber_create(&fiber, "test", test_fiber, NULL), 0);
	while (fiber_any_ready())
		fiber_run_ready();
	cr_assert(test_done);
}

#define VFS_TEST(suite, name)                                                                      \
	static void body_##suite##_##name(void);                                                   \
	Test(suite, name)                                                                          \
	{                                                                                          \
		run_vfs_test(body_##suite##_##name);                                               \
	}                                                                                          \
	static void body_##suite##_##name(void)

static inline struct file *test_open(const char *name, int flags, uint32_t mode)
{
	struct file *file = NULL;
	int err = vfs_open(&root_ctx, NULL, name, flags, mode, 0, &file);

	cr_assert_eq(err, 0, "open %s: %d", name, err);
	return file;
}

static inline int try_open(const struct vfs_ctx *ctx, const char *name, int flags)
{
	struct file *file;
	int err = vfs_open(ctx, NULL, name, flags, 0644, 0, &file);

	if (err >= 0)
		file_unref(file);
	return err;
}

static inline void make_file(const char *name, const char *text)
{
	struct file *file = test_open(name, LX_O_CREAT | LX_O_WRONLY | LX_O_TRUNC, 0644);
	struct uio_segment segment;
	struct uio uio;

	uio_init_kernel(&uio, &segment, (void *)(uintptr_t)text, strlen(text));
	cr_assert_eq(file_write(file, &uio, &root_ctx), (ssize_t)strlen(text));
	file_unref(file);
}

static inline ssize_t write_at(struct file *file, const void *data, size_t size, int64_t pos)
{
	struct uio_segment segment;
	struct uio uio;

	uio_init_kernel(&uio, &segment, (void *)(uintptr_t)data, size);
	return file_pwrite(file, &uio, pos, &root_ctx);
}

static inline ssize_t read_at(struct file *file, void *data, size_t size, int64_t pos)
{
	struct uio_segment segment;
	struct uio uio;

	uio_init_kernel(&uio, &segment, data, size);
	return file_pread(file, &uio, pos, &root_ctx);
}

static inline void make_dir(const char *name)
{
	int err = vfs_mkdir(&root_ctx, NULL, name, 0755);

	cr_assert_eq(err, 0, "mkdir %s: %d", name, err);
}

static inline void make_link(const char *target, const char *name)
{
	int err = vfs_symlink(&root_ctx, target, NULL, name);

	cr_assert_eq(err, 0, "symlink %s: %d", name, err);
}

#endif
