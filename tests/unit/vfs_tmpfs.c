/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/resource.h>

#include "abi/mman.h"
#include "abi/xattr.h"
#include "vfs_test.h"

VFS_TEST(tmpfs, open_errors)
{
	static const struct {
		const char *name;
		int flags, err;
	} cases[] = {
		{"nowhere", LX_O_RDONLY, -ENOENT},
		{"nowhere/x", LX_O_CREAT, -ENOENT},
		{"file/x", LX_O_CREAT, -ENOTDIR},
		{"file", LX_O_CREAT | LX_O_EXCL, -EEXIST},
		{"file", LX_O_DIRECTORY, -ENOTDIR},
		{"file/", LX_O_CREAT, -EISDIR},
		{"new/", LX_O_CREAT, -EISDIR},
		{".", LX_O_CREAT, -EISDIR},
		{"..", LX_O_CREAT, -EISDIR},
		{"/", LX_O_CREAT, -EISDIR},
		{"dir", LX_O_CREAT, -EISDIR},
		{"dir", LX_O_WRONLY, -EISDIR},
		{"dir", LX_O_RDWR, -EISDIR},
		{"dir", LX_O_TRUNC, -EISDIR},
		{"dir", LX_O_RDONLY, 0},
		{"dir", LX_O_CREAT | LX_O_EXCL, -EEXIST},
		{"dir", LX_O_CREAT | LX_O_DIRECTORY, -EINVAL},
		{"link", LX_O_NOFOLLOW, -ELOOP},
		{"link", LX_O_PATH | LX_O_NOFOLLOW, 0},
		{"link", LX_O_CREAT | LX_O_EXCL, -EEXIST},
		{"link", LX_O_CREAT, 0},
		{"dangling", LX_O_CREAT | LX_O_EXCL, -EEXIST},
		{"loop", LX_O_CREAT, -ELOOP},
		{"dir", LX_O_TMPFILE, -EINVAL},
		{"dir", LX_O_TMPFILE | LX_O_RDWR, 0},
		{"file", LX_O_TMPFILE | LX_O_RDWR, -ENOTDIR},
		{"dir", LX_O_TMPFILE_BIT | LX_O_RDWR, -EINVAL},
	};

	make_dir("dir");
	make_file("file", "x");
	make_link("file", "link");
	make_link("target", "dangling");
	make_link("loop", "loop");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int err = try_open(&root_ctx, cases[i].name, cases[i].flags);

		cr_expect_eq(err, cases[i].err, "%s %#o: %d", cases[i].name, cases[i].flags, err);
	}
	cr_expect_eq(try_open(&root_ctx, "dangling", LX_O_CREAT), 0);
	cr_expect_eq(try_open(&root_ctx, "target", LX_O_RDONLY), 0);
}

VFS_TEST(tmpfs, contents_cross_from_heap_to_memfd)
{
	struct file *file = test_open("f", LX_O_CREAT | LX_O_RDWR, 0644);
	static char data[40000], back[40000];
	struct kstat stat;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 7 + i / 256);
	for (size_t at = 0; at < sizeof(data); at += 1000)
		cr_assert_eq(write_at(file, data + at, 1000, (int64_t)at), 1000);
	cr_expect_eq(read_at(file, back, sizeof(back), 0), sizeof(back));
	cr_expect_arr_eq(data, back, sizeof(data));
	cr_expect_eq(read_at(file, back, 10, 39995), 5);
	cr_expect_eq(read_at(file, back, 10, 40000), 0);
	cr_expect_eq(vfs_getattr(&file->path, &stat), 0);
	cr_expect_eq(stat.size, 40000);
	cr_expect_eq(stat.blocks, 80);
	file_unref(file);
}

VFS_TEST(tmpfs, holes_and_truncation)
{
	static const uint64_t ends[] = {9000, 100000};
	char byte;

	for (int i = 0; i < 2; i++) {
		struct file *file = test_open("f", LX_O_CREAT | LX_O_RDWR | LX_O_TRUNC, 0644);

		cr_assert_eq(write_at(file, "a", 1, (int64_t)ends[i]), 1);
		cr_expect_eq(file_seek(file, 0, LX_SEEK_DATA), (int64_t)(ends[i] & ~4095ull));
		cr_expect_eq(file_seek(file, 0, LX_SEEK_HOLE), 0);
		cr_expect_eq(file_seek(file, (int64_t)ends[i] + 1, LX_SEEK_DATA), -ENXIO);
		cr_assert_eq(file_truncate(file, 5, &root_ctx), 0);
		cr_assert_eq(file_truncate(file, ends[i] + 1, &root_ctx), 0);
		cr_assert_eq(read_at(file, &byte, 1, (int64_t)ends[i]), 1);
		cr_expect_eq(byte, 0, "old data came back");
		cr_expect_eq(file_seek(file, 0, LX_SEEK_DATA), -ENXIO);
		file_unref(file);
	}
}

VFS_TEST(tmpfs, beyond_four_gigabytes)
{
	struct file *file = test_open("big", LX_O_CREAT | LX_O_RDWR, 0644);
	char byte = 0;

	cr_assert_eq(write_at(file, "z", 1, 5ll << 30), 1);
	cr_assert_eq(read_at(file, &byte, 1, 5ll << 30), 1);
	cr_expect_eq(byte, 'z');
	cr_expect_eq(file_seek(file, 0, LX_SEEK_END), (5ll << 30) + 1);
	cr_expect_eq(write_at(file, "z", 1, INT64_MAX), -EINVAL);
	file_unref(file);
}

VFS_TEST(tmpfs, size_limits)
{
	bool hit = false;
	struct file *file = test_open("f", LX_O_CREAT | LX_O_RDWR, 0644);
	struct uio_segment segment;
	struct uio uio;
	char data[100] = {0};

	root_ctx.fsize_limit = 50;
	root_ctx.fsize_hit = &hit;
	uio_init_kernel(&uio, &segment, data, 100);
	cr_expect_eq(file_write(file, &uio, &root_ctx), 50);
	cr_expect(!hit);
	cr_expect_eq(write_at(file, data, 1, 50), -EFBIG);
	cr_expect(hit);
	cr_expect_eq(file_truncate(file, 51, &root_ctx), -EFBIG);
	cr_expect_eq(file_truncate(file, 10, &root_ctx), 0);
	file_unref(file);
}

VFS_TEST(tmpfs, space_limit)
{
	static char data[3 * 4096];
	struct super_block *sb;
	struct mount *mount;
	struct path at;
	struct file *file;

	make_dir("/small");
	cr_assert_eq(tmpfs_new(2 * 4096, 4, 0755, &sb), 0);
	cr_assert_eq(path_walk(&root_ctx, NULL, "/small", 0, &at), 0);
	cr_assert_eq(mount_attach(sb, sb->root, &at, "tmpfs", &mount), 0);
	file = test_open("/small/f", LX_O_CREAT | LX_O_RDWR, 0644);
	cr_expect_eq(write_at(file, data, sizeof(data), 0), 8192);
	cr_expect_eq(write_at(file, data, 1, 8192), -ENOSPC);
	cr_expect_eq(write_at(file, data, 1, 0), 1, "an overwrite needs no space");
	cr_expect_eq(file_truncate(file, 4096, &root_ctx), 0);
	cr_expect_eq(write_at(file, data, 8192, 4096), 4096);
	cr_expect_eq(vfs_mkdir(&root_ctx, NULL, "/small/a", 0755), 0);
	cr_expect_eq(vfs_mkdir(&root_ctx, NULL, "/small/b", 0755), 0);
	cr_expect_eq(vfs_mkdir(&root_ctx, NULL, "/small/c", 0755), -ENOSPC);
	cr_expect_eq(vfs_rename(&root_ctx, NULL, "/small/f", NULL, "/f", 0), -EXDEV);
	cr_expect_eq(vfs_rmdir(&root_ctx, NULL, "/small"), -EBUSY);
	file_unref(file);
}

VFS_TEST(tmpfs, names)
{
	struct path path;

	make_dir("/d");
	make_dir("/d/e");
	make_file("/f", "1");
	cr_expect_eq(vfs_mkdir(&root_ctx, NULL, "/d", 0755), -EEXIST);
	cr_expect_eq(vfs_mkdir(&root_ctx, NULL, "/", 0755), -EEXIST);
	cr_expect_eq(vfs_mkdir(&root_ctx, NULL, "/x/", 0755), 0);
	cr_expect_eq(vfs_rmdir(&root_ctx, NULL, "/d"), -ENOTEMPTY);
	cr_expect_eq(vfs_rmdir(&root_ctx, NULL, "/d/."), -EINVAL);
	cr_expect_eq(vfs_rmdir(&root_ctx, NULL, "/d/.."), -ENOTEMPTY);
	cr_expect_eq(vfs_rmdir(&root_ctx, NULL, "/"), -EBUSY);
	cr_expect_eq(vfs_rmdir(&root_ctx, NULL, "/f"), -ENOTDIR);
	cr_expect_eq(vfs_unlink(&root_ctx, NULL, "/d"), -EISDIR);
	cr_expect_eq(vfs_unlink(&root_ctx, NULL, "/f/"), -ENOTDIR);
	cr_expect_eq(vfs_unlink(&root_ctx, NULL, "/none"), -ENOENT);
	cr_expect_eq(vfs_symlink(&root_ctx, "", NULL, "/s"), -ENOENT);
	cr_expect_eq(vfs_symlink(&root_ctx, "f", NULL, "/s/"), -ENOENT);
	cr_expect_eq(vfs_mknod(&user_ctx, NULL, "/p", LX_S_IFIFO | 0644, 0), -EACCES);
	cr_expect_eq(vfs_mknod(&root_ctx, NULL, "/p", LX_S_IFIFO | 0644, 0), 0);
	cr_assert_eq(path_walk(&root_ctx, NULL, "/f", 0, &path), 0);
	cr_expect_eq(vfs_link(&root_ctx, &path, NULL, "/g"), 0);
	cr_expect_eq(path.dentry->inode->nlink, 2);
	cr_expect_eq(vfs_link(&root_ctx, &path, NULL, "/g"), -EEXIST);
	cr_expect_eq(vfs_rename(&root_ctx, NULL, "/f", NULL, "/g", 0), 0);
	cr_expect_eq(path.dentry->inode->nlink, 2,
		"renaming onto another name of the file does nothing");
	cr_expect_eq(vfs_unlink(&root_ctx, NULL, "/f"), 0);
	cr_expect_eq(vfs_unlink(&root_ctx, NULL, "/g"), 0);
	cr_expect_eq(path.dentry->inode->nlink, 0);
	cr_expect_eq(vfs_link(&root_ctx, &path, NULL, "/h"), -ENOENT);
	path_unref(&path);
}

VFS_TEST(tmpfs, renames)
{
	static const struct {
		const char *from, *to;
		unsigned flags;
		int err;
	} cases[] = {
		{"/none", "/x", 0, -ENOENT},
		{"/f", "/d", 0, -EISDIR},
		{"/d", "/f", 0, -ENOTDIR},
		{"/d", "/d/e/x", 0, -EINVAL},
		{"/d", "/d/e", 0, -EINVAL},
		{"/d/e", "/d", 0, -ENOTEMPTY},
		{"/d/e", "/d", LX_RENAME_EXCHANGE, -EINVAL},
		{"/f/", "/x", 0, -ENOTDIR},
		{"/f", "/x/", 0, -ENOTDIR},
		{"/.", "/x", 0, -EBUSY},
		{"/f", "/..", 0, -EBUSY},
		{"/f", "/d/.", LX_RENAME_NOREPLACE, -EEXIST},
		{"/f", "/g", LX_RENAME_NOREPLACE, -EEXIST},
		{"/f", "/none", LX_RENAME_EXCHANGE, -ENOENT},
		{"/f", "/g", LX_RENAME_NOREPLACE | LX_RENAME_EXCHANGE, -EINVAL},
		{"/f", "/g", 8, -EINVAL},
		{"/empty", "/d", 0, -ENOTEMPTY},
		{"/d", "/empty", 0, 0},
		{"/empty/e", "/top", 0, 0},
		{"/f", "/top", LX_RENAME_EXCHANGE, 0},
		{"/g", "/h", LX_RENAME_WHITEOUT, 0},
	};
	struct path path;

	make_dir("/d");
	make_dir("/d/e");
	make_dir("/empty");
	make_file("/f", "1");
	make_file("/g", "2");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int err = vfs_rename(
			&root_ctx, NULL, cases[i].from, NULL, cases[i].to, cases[i].flags);

		cr_expect_eq(err, cases[i].err, "%s -> %s (%u): %d", cases[i].from, cases[i].to,
			cases[i].flags, err);
	}
	cr_expect_eq(try_open(&root_ctx, "/f", LX_O_DIRECTORY), 0);
	cr_expect_eq(try_open(&root_ctx, "/top", LX_O_DIRECTORY), -ENOTDIR);
	cr_assert_eq(path_walk(&root_ctx, NULL, "/g", 0, &path), 0);
	cr_expect(LX_S_ISCHR(path.dentry->inode->mode));
	path_unref(&path);
	cr_expect_eq(fs->root.dentry->inode->nlink, 4);
}

struct listing {
	struct dir_context context;
	char names[4096];
	unsigned room, count;
};

static bool list_entry_name(struct dir_context *context, const char *name, size_t size,
	uint64_t ino, unsigned type, int64_t next_pos)
{
	struct listing *listing = container_of(context, struct listing, context);

	if (!listing->room)
		return false;
	listing->room--;
	listing->count++;
	strncat(listing->names, name, size);
	strcat(listing->names, " ");
	return true;
}

VFS_TEST(tmpfs, directory_positions_survive_changes)
{
	struct listing listing = {.context.emit = list_entry_name, .room = 5};
	struct file *dir;
	char name[32];

	make_dir("/d");
	for (int i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "/d/%d", i);
		make_file(name, "");
	}
	dir = test_open("/d", LX_O_RDONLY, 0);
	cr_assert_eq(file_read_dir(dir, &listing.context, &root_ctx), 0);
	cr_expect_str_eq(listing.names, ". .. 0 1 2 ");
	for (int i = 0; i < 10; i++) {
		if (i == 3 || i == 8)
			continue;
		snprintf(name, sizeof(name), "/d/%d", i);
		cr_assert_eq(vfs_unlink(&root_ctx, NULL, name), 0);
	}
	make_file("/d/new", "");
	listing.names[0] = '\0';
	listing.room = 100;
	cr_assert_eq(file_read_dir(dir, &listing.context, &root_ctx), 0);
	cr_expect_str_eq(listing.names, "3 8 new ");
	cr_assert_eq(file_seek(dir, 0, LX_SEEK_SET), 0);
	listing.names[0] = '\0';
	cr_assert_eq(file_read_dir(dir, &listing.context, &root_ctx), 0);
	cr_expect_str_eq(listing.names, ". .. 3 8 new ");
	file_unref(dir);
}

VFS_TEST(tmpfs, sticky_and_setgid)
{
	struct path path;
	struct kstat stat;
	struct file *file;

	make_dir("/tmp");
	cr_assert_eq(path_walk(&root_ctx, NULL, "/tmp", 0, &path), 0);
	cr_assert_eq(
		vfs_setattr(&root_ctx, &path, &(struct iattr){.valid = IATTR_MODE, .mode = 03777}),
		0);
	cr_assert_eq(
		vfs_setattr(&root_ctx, &path, &(struct iattr){.valid = IATTR_GID, .gid = 77}), 0);
	path_unref(&path);
	make_file("/tmp/roots", "");
	cr_expect_eq(vfs_unlink(&user_ctx, NULL, "/tmp/roots"), -EPERM);
	cr_expect_eq(vfs_rename(&user_ctx, NULL, "/tmp/roots", NULL, "/tmp/x", 0), -EPERM);
	cr_assert_eq(
		vfs_open(&user_ctx, NULL, "/tmp/mine", LX_O_CREAT | LX_O_WRONLY, 0666, 0, &file),
		0);
	cr_assert_eq(vfs_getattr(&file->path, &stat), 0);
	cr_expect_eq(stat.gid, 77);
	cr_expect_eq(stat.mode, LX_S_IFREG | 0644);
	file_unref(file);
	cr_expect_eq(vfs_mkdir(&user_ctx, NULL, "/tmp/sub", 0777), 0);
	cr_assert_eq(path_walk(&user_ctx, NULL, "/tmp/sub", 0, &path), 0);
	cr_expect_eq(path.dentry->inode->mode, (uint32_t)(LX_S_IFDIR | LX_S_ISGID | 0755));
	path_unref(&path);
	cr_expect_eq(vfs_unlink(&user_ctx, NULL, "/tmp/mine"), 0);
}

VFS_TEST(tmpfs, tmpfile_gets_a_name)
{
	struct file *file = test_open("/", LX_O_TMPFILE | LX_O_RDWR, 0600);

	cr_expect_eq(file->inode->nlink, 0);
	cr_expect_eq(vfs_link(&root_ctx, &file->path, NULL, "/named"), 0);
	cr_expect_eq(file->inode->nlink, 1);
	file_unref(file);
	cr_expect_eq(try_open(&root_ctx, "/named", LX_O_RDWR), 0);
	file = test_open("/", LX_O_TMPFILE | LX_O_RDWR | LX_O_EXCL, 0600);
	cr_expect_eq(vfs_link(&root_ctx, &file->path, NULL, "/other"), -ENOENT);
	file_unref(file);
}

VFS_TEST(tmpfs, attributes)
{
	struct path path;
	char value[16];

	make_file("/f", "x");
	cr_assert_eq(path_walk(&root_ctx, NULL, "/f", 0, &path), 0);
	cr_expect_eq(vfs_setxattr(&root_ctx, &path, "user.a", "12", 2, LX_XATTR_REPLACE), -ENODATA);
	cr_expect_eq(vfs_setxattr(&root_ctx, &path, "user.a", "12", 2, 0), 0);
	cr_expect_eq(vfs_setxattr(&root_ctx, &path, "user.a", "12", 2, LX_XATTR_CREATE), -EEXIST);
	cr_expect_eq(vfs_setxattr(&root_ctx, &path, "user.", "12", 2, 0), -EINVAL);
	cr_expect_eq(vfs_setxattr(&root_ctx, &path, "other.a", "12", 2, 0), -EOPNOTSUPP);
	cr_expect_eq(vfs_setxattr(&root_ctx, &path, "trusted.t", "1", 1, 0), 0);
	cr_expect_eq(vfs_getxattr(&root_ctx, &path, "user.a", value, sizeof(value)), 2);
	cr_expect_eq(vfs_getxattr(&root_ctx, &path, "user.a", value, 1), -ERANGE);
	cr_expect_eq(vfs_getxattr(&root_ctx, &path, "user.b", value, 1), -ENODATA);
	cr_expect_eq(vfs_getxattr(&user_ctx, &path, "trusted.t", value, 1), -ENODATA);
	cr_expect_eq(vfs_setxattr(&user_ctx, &path, "trusted.t", "1", 1, 0), -EPERM);
	cr_expect_eq(vfs_setxattr(&user_ctx, &path, "user.a", "1", 1, 0), -EACCES);
	cr_expect_eq(vfs_listxattr(&root_ctx, &path, value, 3), -ERANGE);
	cr_expect_eq(vfs_listxattr(&user_ctx, &path, value, sizeof(value)), -ERANGE);
	cr_expect_eq(vfs_removexattr(&root_ctx, &path, "trusted.t"), 0);
	cr_expect_eq(vfs_listxattr(&user_ctx, &path, value, sizeof(value)), 7);
	cr_expect_eq(vfs_removexattr(&root_ctx, &path, "user.b"), -ENODATA);
	path_unref(&path);
}

VFS_TEST(tmpfs, maps_and_seals)
{
	struct file_map map = {.size = 4096, .prot = LX_PROT_READ, .shared = true};
	struct file *file, *reader;
	unsigned seals;

	make_file("/f", "x");
	file = test_open("/f", LX_O_RDWR, 0);
	reader = test_open("/f", LX_O_RDONLY, 0);
	cr_expect_eq(file_map(reader, &map, &root_ctx), 0);
	cr_expect_eq(map.max_prot, LX_PROT_READ | LX_PROT_EXEC);
	int read_fd = map.host_fd;
	cr_expect_eq(file_map(file, &map, &root_ctx), 0);
	cr_expect_neq(map.host_fd, read_fd);
	cr_expect_eq(tmpfs_get_seals(file->inode, &seals), 0);
	cr_expect_eq(seals, LX_F_SEAL_SEAL);
	cr_expect_eq(tmpfs_add_seals(file, LX_F_SEAL_GROW), -EPERM);
	cr_expect_eq(tmpfs_set_seals(file->inode, 0), 0);
	cr_expect_eq(tmpfs_add_seals(reader, LX_F_SEAL_GROW), -EPERM);
	cr_expect_eq(tmpfs_add_seals(file, LX_F_SEAL_GROW | LX_F_SEAL_SHRINK), 0);
	cr_expect_eq(file_truncate(file, 0, &root_ctx), -EPERM);
	cr_expect_eq(file_truncate(file, 9, &root_ctx), -EPERM);
	cr_expect_eq(write_at(file, "ab", 2, 1), -EPERM);
	cr_expect_eq(write_at(file, "y", 1, 0), 1);
	cr_expect_eq(tmpfs_add_seals(file, LX_F_SEAL_WRITE | LX_F_SEAL_SEAL), 0);
	cr_expect_eq(write_at(file, "y", 1, 0), -EPERM);
	cr_expect_eq(tmpfs_add_seals(file, LX_F_SEAL_EXEC), -EPERM);
	map.prot = LX_PROT_READ | LX_PROT_WRITE;
	cr_expect_eq(file_map(file, &map, &root_ctx), -EPERM);
	file_unref(file);
	file_unref(reader);
}

VFS_TEST(tmpfs, deep_tree_is_freed_without_recursion)
{
	struct super_block *sb;
	struct mount *mount;
	struct path at, next;

	make_dir("/deep");
	cr_assert_eq(tmpfs_new(0, 0, 0755, &sb), 0);
	cr_assert_eq(path_walk(&root_ctx, NULL, "/deep", 0, &at), 0);
	cr_assert_eq(mount_attach(sb, sb->root, &at, "tmpfs", &mount), 0);
	super_block_unref(sb);
	path_unref(&at);
	cr_assert_eq(path_walk(&root_ctx, NULL, "/deep", 0, &at), 0);
	for (int i = 0; i < 20000; i++) {
		cr_assert_eq(vfs_mkdir(&root_ctx, &at, "d", 0755), 0);
		cr_assert_eq(path_walk(&root_ctx, &at, "d", 0, &next), 0);
		path_unref(&at);
		at = next;
	}
	path_unref(&at);
	cr_expect_eq(mount_detach(mount, false), 0);
}

static void body_many_files(void)
{
	static char data[100000], back[100000];
	struct file *files[100];
	char name[32];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 13 + i / 512);
	/* More than there are descriptors. */
	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "/f%d", i);
		files[i] = test_open(name, LX_O_CREAT | LX_O_RDWR, 0644);
		cr_assert_eq(write_at(files[i], data, sizeof(data), 200000), sizeof(data));
	}
	for (int i = 0; i < 100; i++) {
		struct kstat stat;

		cr_assert_eq(read_at(files[i], back, sizeof(back), 200000), sizeof(back));
		cr_expect_arr_eq(data, back, sizeof(data));
		cr_expect_eq(file_seek(files[i], 0, LX_SEEK_DATA), 196608);
		cr_assert_eq(vfs_getattr(&files[i]->path, &stat), 0);
		cr_expect_eq(stat.blocks, 208, "%lu", (unsigned long)stat.blocks);
		cr_assert_eq(file_truncate(files[i], 250000, &root_ctx), 0);
		cr_assert_eq(file_truncate(files[i], 5u << 20, &root_ctx), 0);
		cr_assert_eq(read_at(files[i], back, 1, 250000), 1);
		cr_expect_eq(back[0], 0);
		file_unref(files[i]);
		snprintf(name, sizeof(name), "/f%d", i);
		cr_assert_eq(vfs_unlink(&root_ctx, NULL, name), 0);
	}
}

Test(tmpfs, more_files_than_descriptors)
{
	struct rlimit limit = {64, 64};

	cr_assert_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	run_vfs_test(body_many_files);
}
