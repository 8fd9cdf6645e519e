/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/view.h"
#include "tests/unit/vfs_fixture.h"

static struct view_config config;
static struct view *view;

/* Opens and mounts the view; afterwards fx_ctx looks into it. */
static int set_up(char *message, size_t size)
{
	struct path root;
	int status = view_open(&config, &view, message, size);

	if (status == 0)
		status = view_mount(view, &root, message, size);
	if (status < 0)
		return status;
	fx_ctx = (struct vfs_ctx){.cred = cred_kernel(), .fsize_limit = UINT64_MAX};
	cr_assert_eq(fs_context_new(&root, &root, 0, &fx_ctx.fs), 0);
	path_unref(&root);
	return 0;
}

static void default_view(void)
{
	char message[256], path[128];
	struct kstat stat;

	config = (struct view_config){
		.cwd = fx_dir, .home = "/home/tester", .uid = 1234, .gid = 1234, .hostname = "box"};
	cr_assert_eq(set_up(message, sizeof(message)), 0, "%s", message);
	cr_expect_eq(fx_stat("/usr/bin/env", &stat), 0);
	cr_expect_eq(fx_stat("/bin/sh", &stat), 0);
	cr_expect_eq(fx_stat("/etc/passwd", &stat), 0);
	cr_expect(strstr(fx_read("/etc/passwd"), ":x:1234:1234:"));
	cr_expect(strstr(fx_read("/etc/hosts"), "box"));
	cr_expect_str_eq(fx_read("/etc/shadow"), strerror(ENOENT));
	cr_expect_eq(fx_stat("/home/tester", &stat), 0);
	cr_expect_eq(stat.uid, 1234);
	cr_expect_str_eq(fx_list("/home"), "tester");
	cr_expect_str_eq(fx_list("/var/tmp"), "");
	cr_expect_eq(fx_stat("/tmp", &stat), 0);
	cr_expect_eq(stat.mode & 07777, 01777);
	cr_expect_eq(fx_stat("/dev/null", &stat), 0);
	cr_expect(LX_S_ISCHR(stat.mode));
	cr_expect_eq(fx_write_at("/usr/bin/new", LX_O_CREAT, "x"), -EROFS);
	/* The working directory lies below /tmp, at its own place. */
	cr_expect_str_eq(view_workdir(view), fx_dir);
	(void)snprintf(path, sizeof(path), "%s/file", fx_dir);
	cr_expect_str_eq(fx_read(path), "lower data\n");
	cr_expect_eq(fx_write_at(path, LX_O_TRUNC, "x"), 1);
	cr_expect_str_eq(fx_host_read("file"), "lower data\n");
	cr_expect(view_overlay(view));
}

Test(view, default_view)
{
	fx_run(default_view);
}

static void volumes(void)
{
	char message[256], source[128], file[128];
	struct view_volume volume[] = {
		{.source = source, .target = "/data/rw", .writable = true},
		{.source = file, .target = "/data/one", .writable = false},
	};
	struct view_tmpfs tmpfs = {.target = "/data", .size_limit = 8192};

	(void)snprintf(source, sizeof(source), "%s/dir", fx_dir);
	(void)snprintf(file, sizeof(file), "%s/file", fx_dir);
	config = (struct view_config){
		.volumes = volume, .volume_count = 2, .tmpfs = &tmpfs, .tmpfs_count = 1};
	cr_assert_eq(set_up(message, sizeof(message)), 0, "%s", message);
	cr_expect_str_eq(fx_read("/data/one"), "lower data\n");
	cr_expect_str_eq(fx_list("/data/rw"), "inner sub");
	cr_expect_eq(fx_write_at("/data/rw/new", LX_O_CREAT, "out"), 3);
	cr_expect_str_eq(fx_host_read("dir/new"), "out");
	cr_expect_eq(fx_write_at("/data/one", 0, "x"), -EROFS);
	cr_expect_str_eq(view_workdir(view), "/");
}

Test(view, volumes)
{
	fx_run(volumes);
}

static void missing_volume(void)
{
	char message[256];
	struct view_volume volume = {.source = "/no/such/place", .target = "/x"};

	config = (struct view_config){.volumes = &volume, .volume_count = 1};
	cr_expect_eq(view_open(&config, &view, message, sizeof(message)), -ENOENT);
	cr_expect(strstr(message, "/no/such/place"), "%s", message);
}

Test(view, missing_volume)
{
	fx_run(missing_volume);
}

static void root_file_system(void)
{
	char message[256];

	config = (struct view_config){.rootfs = fx_dir};
	cr_assert_eq(set_up(message, sizeof(message)), 0, "%s", message);
	cr_expect_str_eq(fx_read("/file"), "lower data\n");
	cr_expect_eq(fx_write_at("/file", LX_O_TRUNC, "x"), 1);
	cr_expect_str_eq(fx_host_read("file"), "lower data\n");
	cr_expect_null(view_overlay(view));
}

Test(view, root_file_system)
{
	fx_run(root_file_system);
}
