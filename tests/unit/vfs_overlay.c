/* SPDX-License-Identifier: Apache-2.0 */
#include "abi/xattr.h"
#include "tests/unit/vfs_fixture.h"

static struct super_block *overlay;

static void mount_overlay(void)
{
	struct super_block *lower;

	cr_assert_eq(hostfs_new(fx_root_fd(), true, &lower), 0);
	cr_assert_eq(overlay_new(lower, &overlay), 0);
	fx_mount(overlay);
}

static char changes[4096];

static int note_change(const struct overlay_change *change, void *arg)
{
	static const char letters[] = "CMDA";
	char line[512];

	(void)snprintf(line, sizeof(line), "%s%c %s", changes[0] ? "; " : "", letters[change->kind],
		change->name);
	strcat(changes, line);
	return 0;
}

static const char *all_changes(void)
{
	changes[0] = '\0';
	cr_expect_eq(overlay_for_each_change(overlay, note_change, NULL), 0);
	return changes;
}

static void copy_up(void)
{
	struct file *early;
	uint64_t ino;

	mount_overlay();
	ino = fx_ino("/file");
	cr_expect_str_eq(all_changes(), "");
	cr_assert_eq(fx_open("/file", LX_O_RDONLY, &early), 0);
	cr_expect_str_eq(fx_file_text(early), "lower data\n");
	cr_expect_eq(fx_write_at("/file", LX_O_APPEND, "more\n"), 5);
	cr_expect_str_eq(fx_read("/file"), "lower data\nmore\n");
	cr_expect_str_eq(fx_file_text(early), "lower data\nmore\n", "an earlier open file sees it");
	file_unref(early);
	cr_expect_eq(fx_ino("/file"), ino);
	cr_expect_str_eq(fx_host_read("file"), "lower data\n");
	cr_expect_str_eq(all_changes(), "M file");
	cr_expect_eq(fx_write_at("/dir/sub/deep", LX_O_TRUNC, "new"), 3);
	cr_expect_str_eq(fx_read("/dir/sub/deep"), "new");
	cr_expect_str_eq(all_changes(), "M file; M dir/sub/deep");
}

Test(overlay, copy_up)
{
	fx_run(copy_up);
}

static void names(void)
{
	mount_overlay();
	cr_expect_str_eq(fx_list("/"), "dir empty file link");
	cr_expect_eq(vfs_unlink(&fx_ctx, NULL, "/file"), 0);
	cr_expect_str_eq(fx_list("/"), "dir empty link");
	cr_expect_str_eq(fx_read("/file"), strerror(ENOENT));
	cr_expect_str_eq(all_changes(), "D file");
	cr_expect_eq(fx_write_at("/file", LX_O_CREAT | LX_O_EXCL, "again"), 5);
	cr_expect_str_eq(fx_list("/"), "dir empty file link");
	cr_expect_str_eq(all_changes(), "M file");
	cr_expect_eq(vfs_mkdir(&fx_ctx, NULL, "/d", 0755), 0);
	cr_expect_eq(fx_write_at("/d/x", LX_O_CREAT, "x"), 1);
	cr_expect_eq(vfs_rmdir(&fx_ctx, NULL, "/d"), -ENOTEMPTY);
	cr_expect_eq(vfs_rmdir(&fx_ctx, NULL, "/dir"), -ENOTEMPTY);
	cr_expect_str_eq(all_changes(), "M file; C d; C d/x");
	cr_expect_eq(vfs_unlink(&fx_ctx, NULL, "/d/x"), 0);
	cr_expect_eq(vfs_rmdir(&fx_ctx, NULL, "/d"), 0);
	cr_expect_str_eq(all_changes(), "M file");
	cr_expect_str_eq(fx_host_read("file"), "lower data\n");
}

Test(overlay, names)
{
	fx_run(names);
}

/* A directory that is removed and made again is empty. */
static void opaque(void)
{
	mount_overlay();
	cr_expect_eq(vfs_unlink(&fx_ctx, NULL, "/dir/sub/deep"), 0);
	cr_expect_str_eq(fx_list("/dir/sub"), "");
	cr_expect_eq(vfs_rmdir(&fx_ctx, NULL, "/dir/sub"), 0);
	cr_expect_str_eq(all_changes(), "D dir/sub");
	cr_expect_eq(vfs_mkdir(&fx_ctx, NULL, "/dir/sub", 0755), 0);
	cr_expect_str_eq(fx_list("/dir/sub"), "");
	cr_expect_str_eq(fx_read("/dir/sub/deep"), strerror(ENOENT));
	cr_expect_str_eq(all_changes(), "D dir/sub; C dir/sub");
}

Test(overlay, opaque)
{
	fx_run(opaque);
}

static void rename_directory(void)
{
	uint64_t ino;

	mount_overlay();
	ino = fx_ino("/dir/sub/deep");
	cr_expect_eq(vfs_rename(&fx_ctx, NULL, "/dir", NULL, "/empty/moved", 0), 0);
	cr_expect_str_eq(fx_list("/"), "empty file link");
	cr_expect_str_eq(fx_read("/empty/moved/sub/deep"), "deep\n");
	cr_expect_eq(fx_ino("/empty/moved/sub/deep"), ino);
	cr_expect_eq(fx_write_at("/empty/moved/inner", LX_O_TRUNC, "i"), 1);
	cr_expect_str_eq(all_changes(), "D dir; C empty/moved; C empty/moved/inner; C "
					"empty/moved/sub; C empty/moved/sub/deep");
	cr_expect_eq(vfs_rename(&fx_ctx, NULL, "/empty/moved", NULL, "/dir", 0), 0);
	cr_expect_str_eq(all_changes(), "M dir/inner", "moved back: only the change is left");
	cr_expect_str_eq(fx_host_read("dir/inner"), "inner\n");
}

Test(overlay, rename_directory)
{
	fx_run(rename_directory);
}

static void rename_files(void)
{
	mount_overlay();
	cr_expect_eq(fx_write_at("/tmp", LX_O_CREAT, "new"), 3);
	cr_expect_eq(vfs_rename(&fx_ctx, NULL, "/tmp", NULL, "/file", 0), 0);
	cr_expect_str_eq(fx_read("/file"), "new");
	cr_expect_str_eq(all_changes(), "M file");
	cr_expect_eq(vfs_rename(&fx_ctx, NULL, "/file", NULL, "/dir/inner", LX_RENAME_NOREPLACE),
		-EEXIST);
	cr_expect_eq(vfs_rename(&fx_ctx, NULL, "/file", NULL, "/dir/inner", LX_RENAME_EXCHANGE), 0);
	cr_expect_str_eq(fx_read("/file"), "inner\n");
	cr_expect_str_eq(fx_read("/dir/inner"), "new");
	cr_expect_eq(vfs_rename(&fx_ctx, NULL, "/dir/sub", NULL, "/empty", 0), 0);
	cr_expect_str_eq(fx_read("/empty/deep"), "deep\n");
	cr_expect_str_eq(fx_list("/dir"), "inner");
	cr_expect_eq(vfs_rename(&fx_ctx, NULL, "/empty", NULL, "/dir", 0), -ENOTEMPTY);
}

Test(overlay, rename_files)
{
	fx_run(rename_files);
}

static void hard_links(void)
{
	struct path path;
	struct kstat stat;

	cr_assert_eq(link(fx_host("file"), fx_host("dir/other")), 0);
	mount_overlay();
	cr_expect_eq(fx_ino("/file"), fx_ino("/dir/other"));
	cr_expect_eq(fx_write_at("/dir/other", LX_O_TRUNC, "both"), 4);
	cr_expect_str_eq(fx_read("/file"), "both");
	cr_expect_eq(path_walk(&fx_ctx, NULL, "/file", 0, &path), 0);
	cr_expect_eq(vfs_link(&fx_ctx, &path, NULL, "/third"), 0);
	path_unref(&path);
	cr_expect_eq(fx_stat("/third", &stat), 0);
	cr_expect_eq(stat.nlink, 3);
	cr_expect_eq(vfs_unlink(&fx_ctx, NULL, "/file"), 0);
	cr_expect_eq(vfs_unlink(&fx_ctx, NULL, "/dir/other"), 0);
	cr_expect_str_eq(fx_read("/third"), "both");
}

Test(overlay, hard_links)
{
	fx_run(hard_links);
}

static void metadata(void)
{
	struct iattr attr = {.valid = IATTR_MODE, .mode = 0600};
	struct kstat stat;
	struct path path;

	mount_overlay();
	cr_expect_eq(path_walk(&fx_ctx, NULL, "/file", 0, &path), 0);
	cr_expect_eq(vfs_setattr(&fx_ctx, &path, &attr), 0);
	path_unref(&path);
	cr_expect_eq(fx_stat("/file", &stat), 0);
	cr_expect_eq(stat.mode & 07777, 0600);
	cr_expect_str_eq(all_changes(), "A file");
	cr_expect_eq(vfs_symlink(&fx_ctx, "dir/inner", NULL, "/new-link"), 0);
	cr_expect_str_eq(fx_read("/new-link"), "inner\n");
	cr_expect_eq(vfs_mknod(&fx_ctx, NULL, "/pipe", LX_S_IFIFO | 0644, 0), 0);
	cr_expect_str_eq(all_changes(), "C new-link; C pipe; A file");
}

Test(overlay, metadata)
{
	fx_run(metadata);
}

static void large_copy_up(void)
{
	struct uio_segment segment;
	struct uio uio;
	struct file *file;
	size_t size = (3u << 20) + 5;
	char *out = malloc(size), *in = malloc(size);
	FILE *host;

	for (size_t i = 0; i < size; i++)
		out[i] = i > (1u << 20) && i < (2u << 20) ? 0 : (char)(i * 13 + i / 509);
	host = fopen(fx_host("big"), "w");
	cr_assert_eq(fwrite(out, 1, size, host), size);
	(void)fclose(host);
	mount_overlay();
	out[size / 2] = 'x';
	cr_assert_eq(fx_open("/big", LX_O_RDWR, &file), 0);
	uio_init_kernel(&uio, &segment, out + size / 2, 1);
	cr_expect_eq(file_pwrite(file, &uio, (int64_t)(size / 2), &fx_ctx), 1);
	uio_init_kernel(&uio, &segment, in, size);
	cr_expect_eq(file_pread(file, &uio, 0, &fx_ctx), (ssize_t)size);
	cr_expect(memcmp(in, out, size) == 0);
	file_unref(file);
	free(in);
	free(out);
}

Test(overlay, large_copy_up)
{
	fx_run(large_copy_up);
}

/* A deep tree costs no stack when it is told or removed. */
static void deep_tree(void)
{
	struct path cwd, next;

	mount_overlay();
	cr_assert_eq(path_walk(&fx_ctx, NULL, "/", 0, &cwd), 0);
	for (unsigned i = 0; i < 3000; i++) {
		cr_assert_eq(vfs_mkdir(&fx_ctx, &cwd, "d", 0755), 0);
		cr_assert_eq(path_walk(&fx_ctx, &cwd, "d", 0, &next), 0);
		path_unref(&cwd);
		cwd = next;
	}
	cr_expect_eq(vfs_mkdir(&fx_ctx, &cwd, "end", 0755), 0);
	path_unref(&cwd);
	dcache_shrink(100000);
}

Test(overlay, deep_tree)
{
	fx_run(deep_tree);
}

static void attributes(void)
{
	struct path path;
	char value[16];

	mount_overlay();
	cr_assert_eq(path_walk(&fx_ctx, NULL, "/file", WALK_FOLLOW, &path), 0);
	cr_expect_eq(vfs_listxattr(&fx_ctx, &path, NULL, 0), 0);
	cr_expect_eq(vfs_getxattr(&fx_ctx, &path, "user.a", value, sizeof(value)), -ENODATA);
	cr_expect_eq(vfs_removexattr(&fx_ctx, &path, "user.a"), -ENODATA);
	cr_expect_eq(vfs_setxattr(&fx_ctx, &path, "user.a", "1", 1, LX_XATTR_REPLACE), -ENODATA);
	cr_expect_eq(vfs_setxattr(&fx_ctx, &path, "user.a", "one", 3, 0), 0);
	path_unref(&path);
	/* The file is pinned: what was set is found again, and the data are the lower ones. */
	dcache_shrink(1000);
	cr_assert_eq(path_walk(&fx_ctx, NULL, "/file", WALK_FOLLOW, &path), 0);
	cr_expect_eq(vfs_getxattr(&fx_ctx, &path, "user.a", value, sizeof(value)), 3);
	cr_expect_eq(memcmp(value, "one", 3), 0);
	cr_expect_eq(vfs_listxattr(&fx_ctx, &path, value, sizeof(value)), 7);
	cr_expect_str_eq(value, "user.a");
	cr_expect_eq(vfs_removexattr(&fx_ctx, &path, "user.a"), 0);
	cr_expect_eq(vfs_listxattr(&fx_ctx, &path, NULL, 0), 0);
	path_unref(&path);
	cr_expect_str_eq(all_changes(), "A file");
	cr_expect_str_eq(fx_read("/file"), "lower data\n");
}

Test(overlay, attributes)
{
	fx_run(attributes);
}
