/* SPDX-License-Identifier: Apache-2.0 */
/* Capabilities of files, and who does not get them: capabilities(7), execve(2). */
#include <linux/capability.h>
#include <sys/xattr.h>

#include "ns.h"

#define NAME "security.capability"

/* A file system of the case's own, with a program that prints its own status. */
static void place(unsigned long flags)
{
	own_mounts();
	/* Not everybody has it natively. */
	prctl(PR_CAPBSET_DROP, CAP_SYS_RESOURCE, 0, 0, 0);
	mkdir("d", 0755);
	if (mount("t", "d", "tmpfs", flags, NULL) < 0)
		SKIP("no tmpfs");
	if (system("cp /usr/bin/grep d/grep && chmod 755 d d/grep . ") != 0)
		exit(3);
}

static void fill(
	struct vfs_ns_cap_data *data, unsigned revision, unsigned permitted, bool effective)
{
	memset(data, 0, sizeof(*data));
	data->magic_etc = revision | (effective ? VFS_CAP_FLAGS_EFFECTIVE : 0);
	data->data[0].permitted = permitted;
}

static int give(const char *path, unsigned permitted, bool effective)
{
	struct vfs_ns_cap_data data;

	fill(&data, VFS_CAP_REVISION_2, permitted, effective);
	return setxattr(path, NAME, &data, XATTR_CAPS_SZ_2, 0);
}

static void show(void)
{
	CALL(execl("d/grep", "grep", "-E", "^(Uid|Gid|CapPrm|CapEff|CapAmb)", "/proc/self/status",
		NULL));
}

static void show_as_user(void)
{
	become(1000);
	show();
}

static void show_without_new_rights(void)
{
	CALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	show_as_user();
}

static void show_without_bounding(void)
{
	CALL(prctl(PR_CAPBSET_DROP, CAP_NET_RAW, 0, 0, 0));
	show_as_user();
}

CASE(file_capabilities_are_given)
{
	place(0);
	CALL(give("d/grep", 1 << CAP_NET_RAW | 1 << CAP_CHOWN, true));
	in_child(show_as_user);
	CALL(give("d/grep", 1 << CAP_NET_RAW, false));
	in_child(show_as_user);
	CALL(removexattr("d/grep", NAME));
	in_child(show_as_user);
	CALL(removexattr("d/grep", NAME));
}

CASE(file_capabilities_not_given)
{
	place(0);
	CALL(give("d/grep", 1 << CAP_NET_RAW, true));
	in_child(show_without_new_rights);
	in_child(show_without_bounding);
	CALL(give("d/grep", 1 << CAP_NET_RAW, false));
	in_child(show_without_bounding);
	CALL(mount(NULL, "d", NULL, MS_REMOUNT | MS_NOSUID, NULL));
	in_child(show_as_user);
}

CASE(file_capabilities_beside_set_user_id)
{
	place(0);
	CALL(chmod("d/grep", 04755));
	CALL(give("d/grep", 1 << CAP_NET_RAW, true));
	in_child(show_as_user);
}

CASE(file_capabilities_that_cannot_be_read)
{
	struct vfs_ns_cap_data data;
	char bytes[64] = {0};

	place(0);
	CALL(setxattr("d/grep", NAME, bytes, 0, 0));
	in_child(show_as_user);
	CALL(setxattr("d/grep", NAME, bytes, 20, 0));
	CALL(setxattr("d/grep", NAME, bytes, 64, 0));
	fill(&data, VFS_CAP_REVISION_1, 1, true);
	CALL(setxattr("d/grep", NAME, &data, XATTR_CAPS_SZ_1, 0));
	fill(&data, VFS_CAP_REVISION_3, 1, true);
	CALL(setxattr("d/grep", NAME, &data, XATTR_CAPS_SZ_2, 0));
	become(1000);
	fill(&data, VFS_CAP_REVISION_2, 1, true);
	CALL(setxattr("d/grep", NAME, &data, XATTR_CAPS_SZ_2, 0));
	CALL(setxattr("d/grep", NAME, bytes, 64, 0));
	CALL(removexattr("d/grep", NAME));
}

CASE(file_capabilities_as_they_are_read)
{
	struct vfs_ns_cap_data data;

	place(0);
	CALL(give("d/grep", 5, true));
	CALL(getxattr("d/grep", NAME, NULL, 0));
	CALL(getxattr("d/grep", NAME, &data, 4));
	CALL(getxattr("d/grep", NAME, &data, sizeof(data)));
	NOTE("magic %x permitted %u", data.magic_etc, data.data[0].permitted);
	fill(&data, VFS_CAP_REVISION_3, 5, true);
	data.rootid = 1000;
	CALL(setxattr("d/grep", NAME, &data, XATTR_CAPS_SZ_3, 0));
	CALL(getxattr("d/grep", NAME, &data, sizeof(data)));
	NOTE("magic %x root %u", data.magic_etc, data.rootid);
	in_child(show_as_user);
}

CASE(file_capabilities_go_with_the_content)
{
	place(0);
	CALL(give("d/grep", 1, true));
	int fd = OK(open("d/grep", O_WRONLY | O_APPEND));
	CALL(write(fd, "x", 1));
	close(fd);
	CALL(getxattr("d/grep", NAME, NULL, 0));
	CALL(give("d/grep", 1, true));
	CALL(chmod("d/grep", 0700));
	CALL(getxattr("d/grep", NAME, NULL, 0));
	CALL(chown("d/grep", 1000, 1000));
	CALL(getxattr("d/grep", NAME, NULL, 0));
	CALL(give("d/grep", 1, true));
	CALL(truncate("d/grep", 100));
	CALL(getxattr("d/grep", NAME, NULL, 0));
}

static int show_shared(void *arg)
{
	show_as_user();
	return 0;
}

/* LSM_UNSAFE_SHARE: the other one could change the root directory under the program. */
CASE(set_user_id_with_a_shared_root)
{
	char *stack = malloc(65536);
	pid_t pid;

	place(0);
	CALL(chmod("d/grep", 04755));
	in_child(show_as_user);
	fflush(NULL);
	pid = clone(show_shared, stack + 65536, CLONE_FS | SIGCHLD, NULL);
	note_wait("shared", pid);
	CALL(chmod("d/grep", 0755));
	CALL(give("d/grep", 1 << CAP_NET_RAW, false));
	pid = clone(show_shared, stack + 65536, CLONE_FS | SIGCHLD, NULL);
	note_wait("shared", pid);
}

CASE(set_user_id_with_a_root_that_was_shared)
{
	place(0);
	CALL(chmod("d/grep", 06755));
	CALL(unshare(CLONE_FS));
	in_child(show_as_user);
}

CASE(file_capabilities_of_a_user_namespace)
{
	struct vfs_ns_cap_data data;

	place(0);
	CALL(chmod("d", 0777));
	become(1000);
	own_user_ns(CLONE_NEWNS);
	if (mount("t", "d", "tmpfs", 0, NULL) < 0)
		SKIP("no tmpfs in a namespace");
	if (system("cp /usr/bin/grep d/grep") != 0)
		exit(3);
	CALL(give("d/grep", 1 << CAP_NET_RAW, true));
	CALL(getxattr("d/grep", NAME, &data, sizeof(data)));
	NOTE("magic %x permitted %u", data.magic_etc, data.data[0].permitted);
	show();
}
