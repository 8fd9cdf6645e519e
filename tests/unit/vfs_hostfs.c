/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/vfs_fixture.h"

static struct mount *mount_host(bool read_only)
{
	struct super_block *sb;

	cr_assert_eq(hostfs_new(fx_root_fd(), read_only, &sb), 0);
	return fx_mount(sb);
}

static void read_only_tree(void)
{
	struct kstat stat;

	mount_host(true);
	cr_expect_str_eq(fx_read("/file"), "lower data\n");
	cr_expect_str_eq(fx_read("/link"), "lower data\n");
	cr_expect_str_eq(fx_read("/dir/sub/deep"), "deep\n");
	cr_expect_str_eq(fx_read("/dir/sub/../inner"), "inner\n");
	cr_expect_str_eq(fx_read("/none"), strerror(ENOENT));
	cr_expect_str_eq(fx_read("/file/x"), strerror(ENOTDIR));
	cr_expect_str_eq(fx_list("/"), "dir empty file link");
	cr_expect_str_eq(fx_list("/dir"), "inner sub");
	cr_expect_str_eq(fx_list("/empty"), "");
	cr_expect_str_eq(fx_read("/fifo"), strerror(ENOENT), "a host FIFO is not there");
	cr_expect_eq(fx_stat("/file", &stat), 0);
	cr_expect_eq(stat.size, 11);
	cr_expect(LX_S_ISREG(stat.mode));
	cr_expect_eq(fx_stat("/link", &stat), 0);
	cr_expect(LX_S_ISLNK(stat.mode));
	cr_expect_eq(fx_write_at("/file", 0, "x"), -EROFS);
	cr_expect_eq(vfs_mkdir(&fx_ctx, NULL, "/new", 0755), -EROFS);
	cr_expect_eq(vfs_unlink(&fx_ctx, NULL, "/file"), -EROFS);
}

Test(hostfs, read_only_tree)
{
	fx_run(read_only_tree);
}

/* Links that lead out of the tree are resolved in the guest's own tree. */
static void no_way_out(void)
{
	cr_assert_eq(symlink("/etc/passwd", fx_host("absolute")), 0);
	cr_assert_eq(symlink("../../../../../../etc/passwd", fx_host("dir/relative")), 0);
	cr_assert_eq(symlink("/", fx_host("root")), 0);
	mount_host(true);
	cr_expect_str_eq(fx_read("/absolute"), strerror(ENOENT));
	cr_expect_str_eq(fx_read("/dir/relative"), strerror(ENOENT));
	cr_expect_str_eq(fx_read("/root/file"), "lower data\n");
	cr_expect_str_eq(fx_read("/../../file"), "lower data\n");
}

Test(hostfs, no_way_out)
{
	fx_run(no_way_out);
}

/* A directory of the host becomes a link to elsewhere after we looked it up. */
static void planted_link(void)
{
	struct kstat stat;

	mount_host(false);
	cr_expect_eq(fx_stat("/dir/sub/deep", &stat), 0);
	cr_assert_eq(rename(fx_host("dir/sub"), fx_host("dir/moved")), 0);
	cr_assert_eq(symlink("/etc", fx_host("dir/sub")), 0);
	cr_expect_str_eq(fx_read("/dir/sub/passwd"), strerror(ENOENT));
	cr_expect_eq(vfs_mkdir(&fx_ctx, NULL, "/dir/sub/new", 0755), -ENOENT);
	cr_expect_str_eq(fx_read("/dir/moved/deep"), "deep\n");
}

Test(hostfs, planted_link)
{
	fx_run(planted_link);
}

static void writable_tree(void)
{
	struct kstat stat;
	struct stat host;
	struct iattr attr = {.valid = IATTR_MODE, .mode = 0600};
	struct path path;

	mount_host(false);
	cr_expect_eq(fx_write_at("/new", LX_O_CREAT | LX_O_EXCL, "hello"), 5);
	cr_expect_str_eq(fx_host_read("new"), "hello");
	cr_expect_eq(fx_write_at("/new", LX_O_APPEND, " again"), 6);
	cr_expect_str_eq(fx_host_read("new"), "hello again");
	cr_expect_eq(fx_write_at("/new", LX_O_TRUNC, "x"), 1);
	cr_expect_str_eq(fx_host_read("new"), "x");
	cr_expect_eq(fx_write_at("/new", LX_O_CREAT | LX_O_EXCL, "x"), -EEXIST);
	cr_expect_eq(vfs_mkdir(&fx_ctx, NULL, "/d", 0750), 0);
	cr_expect_eq(lstat(fx_host("d"), &host), 0);
	cr_expect_eq(host.st_mode & 07777, 0750);
	cr_expect_eq(vfs_symlink(&fx_ctx, "new", NULL, "/d/l"), 0);
	cr_expect_eq(vfs_rename(&fx_ctx, NULL, "/new", NULL, "/d/new", 0), 0);
	cr_expect_str_eq(fx_read("/d/l"), "x");
	cr_expect_str_eq(fx_host_read("d/new"), "x");
	cr_expect_eq(fx_stat("/new", &stat), -ENOENT);
	cr_expect_eq(vfs_rename(&fx_ctx, NULL, "/d", NULL, "/dir/e", 0), 0);
	cr_expect_str_eq(fx_read("/dir/e/new"), "x");
	cr_expect_eq(vfs_rmdir(&fx_ctx, NULL, "/dir/e"), -ENOTEMPTY);
	cr_expect_eq(path_walk(&fx_ctx, NULL, "/file", 0, &path), 0);
	cr_expect_eq(vfs_setattr(&fx_ctx, &path, &attr), 0);
	cr_expect_eq(vfs_link(&fx_ctx, &path, NULL, "/file2"), 0);
	cr_expect_eq(lstat(fx_host("file2"), &host), 0);
	cr_expect_eq(host.st_mode & 07777, 0600);
	cr_expect_eq(host.st_nlink, 2);
	attr.valid = IATTR_MODE;
	attr.mode = 04755;
	cr_expect_eq(vfs_setattr(&fx_ctx, &path, &attr), -EPERM, "no set-id programs on the host");
	cr_expect_eq(vfs_truncate(&fx_ctx, &path, 5), 0);
	path_unref(&path);
	cr_expect_str_eq(fx_read("/file2"), "lower");
	cr_expect_eq(fx_ino("/file"), fx_ino("/file2"));
	cr_expect_eq(vfs_unlink(&fx_ctx, NULL, "/file"), 0);
	cr_expect_str_eq(fx_read("/file2"), "lower");
}

Test(hostfs, writable_tree)
{
	fx_run(writable_tree);
}

/* What the host changes on a writable mount is seen. */
static void shared_with_host(void)
{
	struct kstat stat;
	struct file *file;

	mount_host(false);
	cr_expect_eq(fx_stat("/later", &stat), -ENOENT);
	fx_host_write("later", "abc");
	cr_expect_eq(fx_stat("/later", &stat), 0);
	cr_expect_eq(stat.size, 3);
	cr_expect_eq(fx_open("/later", LX_O_RDWR, &file), 0);
	(void)unlink(fx_host("later"));
	cr_expect_eq(fx_stat("/later", &stat), -ENOENT);
	cr_expect_str_eq(fx_file_text(file), "abc");
	file_unref(file);
}

Test(hostfs, shared_with_host)
{
	fx_run(shared_with_host);
}

static void large_file(void)
{
	struct super_block *sb;
	struct uio_segment segment;
	struct uio uio;
	struct file *file;
	size_t size = (1u << 20) + 17;
	unsigned char *out = malloc(size), *in = malloc(size);

	cr_assert_eq(hostfs_new(fx_root_fd(), false, &sb), 0);
	fx_mount(sb);
	for (size_t i = 0; i < size; i++)
		out[i] = (unsigned char)(i * 7 + i / 251);
	cr_assert_eq(fx_open("/big", LX_O_RDWR | LX_O_CREAT, &file), 0);
	uio_init_kernel(&uio, &segment, out, size);
	cr_expect_eq(file_write(file, &uio, &fx_ctx), (ssize_t)size);
	cr_expect_eq(file_seek(file, 0, LX_SEEK_END), (int64_t)size);
	cr_expect_eq(file_seek(file, 0, LX_SEEK_SET), 0);
	uio_init_kernel(&uio, &segment, in, size);
	cr_expect_eq(file_read(file, &uio, &fx_ctx), (ssize_t)size);
	cr_expect(memcmp(in, out, size) == 0);
	file_unref(file);
	free(in);
	free(out);
}

Test(hostfs, large_file)
{
	fx_run(large_file);
}

/* More files than descriptors may be open one after the other. */
static void descriptors_are_bounded(void)
{
	unsigned open_fds = 0;

	for (unsigned i = 0; i < 400; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "empty/%u", i);
		fx_host_write(name, "x");
	}
	mount_host(true);
	for (unsigned i = 0; i < 400; i++) {
		char name[32];

		(void)snprintf(name, sizeof(name), "/empty/%u", i);
		cr_expect_str_eq(fx_read(name), "x");
	}
	for (int fd = 0; fd < 1024; fd++)
		open_fds += fcntl(fd, F_GETFD) >= 0;
	cr_expect_lt(open_fds, 200);
}

Test(hostfs, descriptors_are_bounded)
{
	fx_run(descriptors_are_bounded);
}

static void single_file(void)
{
	struct super_block *sb;

	cr_assert_eq(hostfs_new_file(open(fx_host("file"), O_RDONLY), true, &sb), 0);
	fx_mount(sb);
	cr_expect_str_eq(fx_read("/"), "lower data\n");
}

Test(hostfs, single_file)
{
	fx_run(single_file);
}

static bool is_common(const char *name)
{
	struct file *file;
	bool common;

	cr_assert_eq(fx_open(name, LX_O_RDONLY, &file), 0);
	common = vfs_file_is_common(file);
	file_unref(file);
	return common;
}

/* What some could not open by name is not for all, whatever its own mode says. */
static void common_files(void)
{
	struct mount *again;
	struct super_block *sb;
	struct path at;

	cr_assert_eq(chmod(fx_host("."), 0755), 0);
	cr_assert_eq(chmod(fx_host("file"), 0644), 0);
	cr_assert_eq(chmod(fx_host("dir"), 0700), 0);
	cr_assert_eq(chmod(fx_host("dir/sub"), 0755), 0);
	cr_assert_eq(chmod(fx_host("dir/inner"), 0644), 0);
	cr_assert_eq(chmod(fx_host("dir/sub/deep"), 0644), 0);
	fx_host_write("hidden", "x");
	cr_assert_eq(chmod(fx_host("hidden"), 0604), 0);
	mount_host(true);
	cr_expect(is_common("/file"));
	cr_expect(!is_common("/hidden"), "not for its group");
	cr_expect(!is_common("/dir/inner"));
	cr_expect(!is_common("/dir/sub/deep"));
	/* The same tree again, where only its own directories or those above it hide something. */
	cr_assert_eq(hostfs_new(fx_root_fd(), true, &sb), 0);
	cr_assert_eq(path_walk(&fx_ctx, NULL, "/empty", WALK_FOLLOW, &at), 0);
	cr_assert_eq(mount_attach(sb, sb->root, &at, "host", &again), 0);
	path_unref(&at);
	cr_expect(is_common("/empty/file"));
	cr_expect(!is_common("/empty/dir/inner"));
	cr_assert_eq(hostfs_new(fx_root_fd(), true, &sb), 0);
	cr_assert_eq(path_walk(&fx_ctx, NULL, "/dir/sub", WALK_FOLLOW, &at), 0);
	cr_assert_eq(mount_attach(sb, sb->root, &at, "host", &again), 0);
	path_unref(&at);
	cr_expect(!is_common("/dir/sub/file"));
}

Test(hostfs, common_files)
{
	fx_run(common_files);
}

/* Others may write it. */
static void writable_files_are_not_common(void)
{
	cr_assert_eq(chmod(fx_host("."), 0755), 0);
	cr_assert_eq(chmod(fx_host("file"), 0644), 0);
	mount_host(false);
	cr_expect(!is_common("/file"));
}

Test(hostfs, writable_files_are_not_common)
{
	fx_run(writable_files_are_not_common);
}
