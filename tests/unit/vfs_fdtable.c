/* SPDX-License-Identifier: Apache-2.0 */
#include "vfs_test.h"

VFS_TEST(fdtable, lowest_first)
{
	struct fd_table *table, *copy;
	struct file *file;

	make_file("/f", "");
	cr_assert_eq(fd_table_new(&table), 0);
	for (int i = 0; i < 200; i++)
		cr_assert_eq(fd_install(table, test_open("/f", 0, 0), 0, 1024, i % 2), i);
	cr_expect_eq(fd_close(table, 7, NULL), 0);
	cr_expect_eq(fd_close(table, 7, NULL), -EBADF);
	cr_expect_eq(fd_close(table, 130, NULL), 0);
	cr_expect_eq(fd_install(table, test_open("/f", 0, 0), 100, 1024, false), 130);
	cr_expect_eq(fd_install(table, test_open("/f", 0, 0), 0, 1024, false), 7);
	cr_expect_eq(fd_get_flags(table, 7), 0);
	cr_expect_eq(fd_get_flags(table, 9), LX_FD_CLOEXEC);
	cr_expect_eq(fd_get_flags(table, 200), -EBADF);
	file = test_open("/f", 0, 0);
	cr_expect_eq(fd_install(table, file, 0, 200, false), -EMFILE);
	cr_expect_eq(fd_install(table, file, 300, 200, false), -EINVAL);
	cr_expect_eq(fd_install_at(table, file, 5, 200, false), 5);
	cr_expect_eq(fd_get(table, -1), NULL);
	cr_expect_eq(fd_get(table, 100000), NULL);
	cr_assert_eq(fd_table_copy(table, &copy), 0);
	fd_close_on_exec(copy);
	cr_expect_eq(fd_next(copy, 8), 8);
	cr_expect_eq(fd_next(copy, 9), 10);
	fd_close_range(copy, 0, UINT32_MAX, false);
	cr_expect_eq(fd_next(copy, 0), -1);
	cr_expect_eq(fd_next(table, 0), 0);
	fd_table_unref(copy);
	fd_table_unref(table);
}

VFS_TEST(fdtable, path_only_descriptors)
{
	struct fd_table *table;
	struct file *file;

	make_file("/f", "");
	cr_assert_eq(fd_table_new(&table), 0);
	cr_assert_eq(fd_install(table, test_open("/f", LX_O_PATH, 0), 0, 16, false), 0);
	cr_expect_eq(fd_get(table, 0), NULL);
	file = fd_get_any(table, 0);
	cr_expect(file != NULL);
	file_unref(file);
	fd_table_unref(table);
}
