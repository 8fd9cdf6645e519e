/* SPDX-License-Identifier: Apache-2.0 */
#include "vfs_test.h"

/* The tree that the table walks in. */
static void make_tree(void)
{
	struct super_block *sb;
	struct mount *mount;
	struct path at;
	char name[32], target[32];

	make_dir("/d");
	make_dir("/d/e");
	make_dir("/d/e/f");
	make_dir("/secret");
	make_dir("/secret/in");
	make_dir("/mnt");
	make_file("/file", "x");
	make_file("/d/file", "y");
	make_link("d", "/to_d");
	make_link("/d/e", "/d/abs");
	make_link("../file", "/d/up");
	make_link("file/", "/slash_file");
	make_link("d/", "/slash_d");
	make_link("loop", "/loop");
	make_link("nowhere", "/dangling");
	make_link("..", "/d/e/parent");
	make_link("/", "/root");
	for (int i = 0; i < 45; i++) {
		snprintf(name, sizeof(name), "/chain%d", i);
		snprintf(target, sizeof(target), i ? "chain%d" : "file", i - 1);
		make_link(target, name);
	}
	cr_assert_eq(path_walk(&root_ctx, NULL, "/secret", 0, &at), 0);
	cr_assert_eq(
		vfs_setattr(&root_ctx, &at, &(struct iattr){.valid = IATTR_MODE, .mode = 0700}), 0);
	path_unref(&at);
	cr_assert_eq(tmpfs_new(0, 0, 0755, &sb), 0);
	cr_assert_eq(path_walk(&root_ctx, NULL, "/mnt", 0, &at), 0);
	cr_assert_eq(mount_attach(sb, sb->root, &at, "tmpfs", &mount), 0);
	path_unref(&at);
	make_dir("/mnt/sub");
	make_file("/mnt/x", "");
}

VFS_TEST(walk, table)
{
	static const struct {
		const char *name;
		unsigned flags;
		int err;
		const char *result;
	} cases[] = {
		{"/", 0, 0, "/"},
		{"//", 0, 0, "/"},
		{"/..", 0, 0, "/"},
		{"/../../d", 0, 0, "/d"},
		{".", 0, 0, "/"},
		{"", 0, -ENOENT, NULL},
		{"", WALK_EMPTY, 0, "/"},
		{"d/e/f", 0, 0, "/d/e/f"},
		{"d//e///f/", 0, 0, "/d/e/f"},
		{"d/./e/../e/f/.", 0, 0, "/d/e/f"},
		{"d/nothing", 0, -ENOENT, NULL},
		{"nothing/..", 0, -ENOENT, NULL},
		{"file", 0, 0, "/file"},
		{"file/", 0, -ENOTDIR, NULL},
		{"file/.", 0, -ENOTDIR, NULL},
		{"file/..", 0, -ENOTDIR, NULL},
		{"file/x", 0, -ENOTDIR, NULL},
		{"file", WALK_DIRECTORY, -ENOTDIR, NULL},
		{"to_d", 0, 0, "/to_d"},
		{"to_d", WALK_FOLLOW, 0, "/d"},
		{"to_d/", 0, 0, "/d"},
		{"to_d/e", 0, 0, "/d/e"},
		{"to_d/abs/f", 0, 0, "/d/e/f"},
		{"to_d/up", WALK_FOLLOW, 0, "/file"},
		{"d/up/", WALK_FOLLOW, -ENOTDIR, NULL},
		{"slash_file", WALK_FOLLOW, -ENOTDIR, NULL},
		{"slash_file", 0, 0, "/slash_file"},
		{"slash_d", WALK_FOLLOW, 0, "/d"},
		{"slash_d/e", 0, 0, "/d/e"},
		{"loop", WALK_FOLLOW, -ELOOP, NULL},
		{"loop", 0, 0, "/loop"},
		{"loop/x", 0, -ELOOP, NULL},
		{"dangling", WALK_FOLLOW, -ENOENT, NULL},
		{"dangling/", 0, -ENOENT, NULL},
		{"root/root/root/d", 0, 0, "/d"},
		{"d/e/parent/e/parent/file", 0, 0, "/d/file"},
		{"chain39", WALK_FOLLOW, 0, "/file"},
		{"chain40", WALK_FOLLOW, -ELOOP, NULL},
		{"mnt", 0, 0, "/mnt"},
		{"mnt/sub/..", 0, 0, "/mnt"},
		{"mnt/..", 0, 0, "/"},
		{"mnt/sub/../../d", 0, 0, "/d"},
		{"mnt/sub", WALK_NO_XDEV, -EXDEV, NULL},
		{"d/e", WALK_BENEATH, 0, "/d/e"},
		{"..", WALK_BENEATH, -EXDEV, NULL},
		{"/d", WALK_BENEATH, -EXDEV, NULL},
		{"d/abs", WALK_BENEATH | WALK_FOLLOW, -EXDEV, NULL},
		{"d/e/../..", WALK_BENEATH, 0, "/"},
		{"/d/e", WALK_IN_ROOT, 0, "/d/e"},
		{"to_d", WALK_NO_SYMLINK | WALK_FOLLOW, -ELOOP, NULL},
		{"to_d", WALK_NO_SYMLINK, 0, "/to_d"},
		{"to_d/e", WALK_NO_SYMLINK, -ELOOP, NULL},
	};

	make_tree();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct path path;
		char buffer[LX_PATH_MAX];
		int err = path_walk(&root_ctx, NULL, cases[i].name, cases[i].flags, &path);

		cr_expect_eq(err, cases[i].err, "%s (%#x): %d", cases[i].name, cases[i].flags, err);
		if (err < 0)
			continue;
		cr_expect(path_name(&path, &fs->root, buffer, sizeof(buffer)) > 0);
		if (cases[i].result)
			cr_expect_str_eq(
				buffer, cases[i].result, "%s gave %s", cases[i].name, buffer);
		path_unref(&path);
	}
}

VFS_TEST(walk, permission)
{
	struct path path;

	make_tree();
	cr_expect_eq(path_walk(&user_ctx, NULL, "/secret/in", 0, &path), -EACCES);
	cr_expect_eq(path_walk(&user_ctx, NULL, "/secret/nothing", 0, &path), -EACCES);
	cr_expect_eq(path_walk(&user_ctx, NULL, "/secret/..", 0, &path), -EACCES);
	cr_expect_eq(path_walk(&user_ctx, NULL, "/secret", 0, &path), 0);
	path_unref(&path);
	cr_expect_eq(try_open(&user_ctx, "/new", LX_O_CREAT | LX_O_WRONLY), -EACCES);
	cr_expect_eq(try_open(&user_ctx, "/file", LX_O_WRONLY), -EACCES);
	cr_expect_eq(try_open(&user_ctx, "/file", LX_O_RDONLY), 0);
}

VFS_TEST(walk, long_names)
{
	static char name[LX_NAME_MAX + 8];
	struct path path;

	memset(name, 'n', LX_NAME_MAX + 1);
	cr_expect_eq(path_walk(&root_ctx, NULL, name, 0, &path), -ENAMETOOLONG);
	cr_expect_eq(vfs_mkdir(&root_ctx, NULL, name, 0755), -ENAMETOOLONG);
	name[LX_NAME_MAX] = '\0';
	cr_expect_eq(path_walk(&root_ctx, NULL, name, 0, &path), -ENOENT);
	cr_expect_eq(vfs_mkdir(&root_ctx, NULL, name, 0755), 0);
	cr_expect_eq(path_walk(&root_ctx, NULL, name, 0, &path), 0);
	path_unref(&path);
}

VFS_TEST(walk, scoped_to_a_directory)
{
	struct path base, path;
	char buffer[64];

	make_tree();
	make_link("/file", "/d/e/link");
	make_dir("/d/e/sub");
	cr_assert_eq(path_walk(&root_ctx, NULL, "/d/e", 0, &base), 0);
	cr_expect_eq(path_walk(&root_ctx, &base, "../../file", WALK_BENEATH, &path), -EXDEV);
	cr_expect_eq(path_walk(&root_ctx, &base, "../../file", WALK_IN_ROOT, &path), -ENOENT);
	cr_expect_eq(
		path_walk(&root_ctx, &base, "link", WALK_IN_ROOT | WALK_FOLLOW, &path), -ENOENT);
	cr_expect_eq(path_walk(&root_ctx, &base, "/../sub", WALK_IN_ROOT, &path), 0);
	cr_expect(path_name(&path, &fs->root, buffer, sizeof(buffer)) > 0);
	cr_expect_str_eq(buffer, "/d/e/sub");
	path_unref(&path);
	path_unref(&base);
}

VFS_TEST(walk, names_of_removed_and_unreachable)
{
	struct path path, jail;
	char buffer[64];

	make_dir("/gone");
	make_dir("/jail");
	cr_assert_eq(path_walk(&root_ctx, NULL, "/gone", 0, &path), 0);
	cr_assert_eq(path_walk(&root_ctx, NULL, "/jail", 0, &jail), 0);
	cr_expect(path_name(&path, &jail, buffer, sizeof(buffer)) > 0);
	cr_expect_str_eq(buffer, "(unreachable)/gone");
	cr_assert_eq(vfs_rmdir(&root_ctx, NULL, "/gone"), 0);
	cr_expect(path_name(&path, &fs->root, buffer, sizeof(buffer)) > 0);
	cr_expect_str_eq(buffer, "/gone (deleted)");
	cr_expect_eq(path_name(&path, &fs->root, buffer, 6), -ENAMETOOLONG);
	cr_expect_eq(vfs_mkdir(&root_ctx, &path, "new", 0755), -ENOENT);
	path_unref(&path);
	path_unref(&jail);
}
