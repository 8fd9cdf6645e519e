/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that came with Linux 6.8 to 6.17, and what else few programs know yet. */
#include "ns.h"

#include <sys/epoll.h>
#include <sys/quota.h>

#define NR_quotactl_fd	     443
#define NR_lsm_get_self_attr 459
#define NR_lsm_set_self_attr 460
#define NR_lsm_list_modules  461
#define NR_open_tree_attr    467
#define NR_file_getattr	     468
#define NR_file_setattr	     469

/* A kernel without the call says nothing about it. */
#define NEEDS(nr, ...)                                                                             \
	do {                                                                                       \
		if (SYS(nr, ##__VA_ARGS__) < 0 && errno == ENOSYS)                                 \
			SKIP("no such call");                                                      \
	} while (0)

/* ---- quotactl_fd ----------------------------------------------------------------------------- */

CASE(quota_of_a_pipe)
{
	int pipes[2], shm = open("/dev/shm", O_RDONLY | O_DIRECTORY);
	char buffer[256];

	CALL(pipe(pipes));
	CALL(SYS(NR_quotactl_fd, -1, QCMD(Q_SYNC, USRQUOTA), 0, NULL));
	CALL(SYS(NR_quotactl_fd, pipes[0], QCMD(Q_SYNC, USRQUOTA), 0, NULL));
	CALL(SYS(NR_quotactl_fd, pipes[0], QCMD(Q_GETQUOTA, USRQUOTA), 0, buffer));
	CALL(SYS(NR_quotactl_fd, pipes[0], QCMD(Q_GETQUOTA, 3), 0, buffer));
	CALL(SYS(NR_quotactl_fd, shm, QCMD(Q_GETINFO, GRPQUOTA), 0, BAD_ADDRESS));
}

CASE(quota_wrong_type)
{
	CALL(SYS(NR_quotactl_fd, 0, QCMD(Q_SYNC, 7), 0, NULL));
	CALL(SYS(NR_quotactl_fd, -1, QCMD(Q_SYNC, 7), 0, NULL));
}

CASE(quota_of_proc)
{
	int fd = open("/proc", O_PATH);

	CALL(SYS(NR_quotactl_fd, fd, QCMD(Q_GETFMT, USRQUOTA), 0, BAD_ADDRESS));
	close(fd);
	CALL(SYS(NR_quotactl_fd, fd, QCMD(Q_GETFMT, USRQUOTA), 0, BAD_ADDRESS));
}

/* ---- security modules -------------------------------------------------------------------------
 */

CASE(modules_listed)
{
	uint64_t ids[64] = {0};
	uint32_t size = sizeof(ids);
	bool capability = false;
	long n;

	NEEDS(NR_lsm_list_modules, ids, &size, 0);
	size = sizeof(ids);
	n = SYS(NR_lsm_list_modules, ids, &size, 0);
	TRUTH(n > 0 && size == n * 8);
	for (long i = 0; i < n; i++)
		capability |= ids[i] == 100;
	TRUTH(capability);
	size = 4;
	CALL(SYS(NR_lsm_list_modules, ids, &size, 0));
	TRUTH(size == n * 8);
}

CASE(modules_refused)
{
	uint64_t ids[64];
	uint32_t size = sizeof(ids);

	NEEDS(NR_lsm_list_modules, ids, &size, 0);
	CALL(SYS(NR_lsm_list_modules, ids, &size, 1));
	CALL(SYS(NR_lsm_list_modules, ids, BAD_ADDRESS, 0));
	CALL(SYS(NR_lsm_list_modules, ids, NULL, 0));
	size = sizeof(ids);
	CALL(SYS(NR_lsm_list_modules, BAD_ADDRESS, &size, 0));
}

CASE(modules_twice)
{
	uint64_t ids[64], again[64];
	uint32_t size = sizeof(ids), size2 = sizeof(again);
	long n;

	NEEDS(NR_lsm_list_modules, ids, &size, 0);
	size = sizeof(ids);
	n = SYS(NR_lsm_list_modules, ids, &size, 0);
	TRUTH(SYS(NR_lsm_list_modules, again, &size2, 0) == n);
	TRUTH(n > 0 && memcmp(ids, again, (size_t)n * 8) == 0);
}

struct module_context {
	uint64_t id, flags, len, ctx_len;
};

CASE(own_attributes)
{
	struct module_context context = {0};
	uint32_t size = sizeof(context);

	NEEDS(NR_lsm_get_self_attr, 100, &context, &size, 0);
	size = sizeof(context);
	CALL(SYS(NR_lsm_get_self_attr, 0, &context, &size, 0));
	CALL(SYS(NR_lsm_get_self_attr, 100, &context, NULL, 0));
	CALL(SYS(NR_lsm_get_self_attr, 100, &context, BAD_ADDRESS, 0));
	CALL(SYS(NR_lsm_get_self_attr, 100, &context, &size, 2));
}

CASE(own_attributes_of_one)
{
	struct module_context context = {0};
	uint32_t size = sizeof(context);

	NEEDS(NR_lsm_get_self_attr, 100, &context, &size, 0);
	CALL(SYS(NR_lsm_get_self_attr, 100, NULL, &size, 1));
	CALL(SYS(NR_lsm_get_self_attr, 100, BAD_ADDRESS, &size, 1));
	CALL(SYS(NR_lsm_get_self_attr, 100, &context, &size, 1));
}

CASE(own_attributes_of_capability)
{
	struct module_context context = {.id = 100};
	uint32_t size = sizeof(context);

	NEEDS(NR_lsm_get_self_attr, 100, &context, &size, 1);
	size = sizeof(context);
	CALL(SYS(NR_lsm_get_self_attr, 100, &context, &size, 1));
	NOTE("size %u", size);
}

CASE(attributes_cannot_be_set)
{
	struct module_context context = {.id = 100, .len = sizeof(context)};

	NEEDS(NR_lsm_set_self_attr, 100, &context, sizeof(context), 0);
	CALL(SYS(NR_lsm_set_self_attr, 100, &context, sizeof(context), 0));
}

CASE(attributes_set_wrongly)
{
	struct module_context context = {.id = 100, .len = sizeof(context)};

	NEEDS(NR_lsm_set_self_attr, 100, &context, sizeof(context), 0);
	CALL(SYS(NR_lsm_set_self_attr, 100, &context, sizeof(context), 1));
	CALL(SYS(NR_lsm_set_self_attr, 100, &context, sizeof(context) - 1, 0));
	CALL(SYS(NR_lsm_set_self_attr, 100, &context, 4097, 0));
	CALL(SYS(NR_lsm_set_self_attr, 100, BAD_ADDRESS, sizeof(context), 0));
}

CASE(attributes_of_wrong_size)
{
	struct module_context context = {.id = 100, .len = sizeof(context) + 8};

	NEEDS(NR_lsm_set_self_attr, 100, &context, sizeof(context), 0);
	CALL(SYS(NR_lsm_set_self_attr, 100, &context, sizeof(context), 0));
	context.len = sizeof(context);
	context.ctx_len = 1;
	CALL(SYS(NR_lsm_set_self_attr, 100, &context, sizeof(context), 0));
	context.ctx_len = ~0ull;
	CALL(SYS(NR_lsm_set_self_attr, 100, &context, sizeof(context), 0));
}

/* ---- open_tree_attr ----------------------------------------------------------------------------
 */

struct tree_attr {
	uint64_t set, clear, propagation, userns_fd;
};
#define CLONE_TREE 1
#define READ_ONLY  1

CASE(tree_without_attributes)
{
	struct tree_attr attr = {0};

	NEEDS(NR_open_tree_attr, AT_FDCWD, ".", 0, NULL, 0);
	OK(SYS(NR_open_tree_attr, AT_FDCWD, ".", 0, NULL, 0));
	CALL(SYS(NR_open_tree_attr, AT_FDCWD, ".", 0, NULL, 32));
	CALL(SYS(NR_open_tree_attr, AT_FDCWD, "nowhere", 0, NULL, 0));
	CALL(SYS(NR_open_tree_attr, AT_FDCWD, ".", 0x80, NULL, 0));
	CALL(SYS(NR_open_tree_attr, AT_FDCWD, ".", AT_RECURSIVE, NULL, 0));
	CALL(SYS(NR_open_tree_attr, AT_FDCWD, ".", 0, &attr, 31));
	CALL(SYS(NR_open_tree_attr, AT_FDCWD, ".", 0, &attr, 4097));
	CALL(SYS(NR_open_tree_attr, AT_FDCWD, ".", 0, BAD_ADDRESS, 0));
}

CASE(tree_with_attributes)
{
	struct tree_attr attr = {.set = READ_ONLY};
	int fd;

	NEEDS(NR_open_tree_attr, AT_FDCWD, ".", 0, NULL, 0);
	own_mounts();
	mkdir("m", 0700);
	CALL(mount("none", "m", "tmpfs", 0, NULL));
	write_file("m/f", "text");
	fd = OK(SYS(NR_open_tree_attr, AT_FDCWD, "m", CLONE_TREE | O_CLOEXEC, &attr, sizeof(attr)));
	OK(openat(fd, "f", O_RDONLY));
	OK(openat(fd, "f", O_RDWR));
	OK(open("m/f", O_RDWR));
	TRUTH(fcntl(fd, F_GETFD) == FD_CLOEXEC);
	OK(SYS(NR_open_tree_attr, AT_FDCWD, "m/f", 0, &attr, sizeof(attr)));
	attr.set = 1ull << 50;
	OK(SYS(NR_open_tree_attr, AT_FDCWD, "m", CLONE_TREE, &attr, sizeof(attr)));
	attr.set = 0;
	OK(SYS(NR_open_tree_attr, AT_FDCWD, "m", CLONE_TREE, &attr, sizeof(attr)));
	OK(SYS(NR_open_tree_attr, AT_FDCWD, "m", CLONE_TREE, BAD_ADDRESS, sizeof(attr)));
}

CASE(tree_of_somebody_else)
{
	struct tree_attr attr = {.set = READ_ONLY};

	NEEDS(NR_open_tree_attr, AT_FDCWD, ".", 0, NULL, 0);
	if (geteuid() == 0 && setresuid(1000, 1000, 1000) < 0)
		SKIP("cannot become somebody else");
	OK(SYS(NR_open_tree_attr, AT_FDCWD, "/", 0, NULL, 0));
	OK(SYS(NR_open_tree_attr, AT_FDCWD, "/", CLONE_TREE, NULL, 0));
	OK(SYS(NR_open_tree_attr, AT_FDCWD, "/", 0, &attr, sizeof(attr)));
}

/* ---- file_getattr, file_setattr ---------------------------------------------------------------
 */

struct file_attributes {
	uint64_t xflags;
	uint32_t extsize, nextents, projid, cowextsize;
};

CASE(attributes_of_a_memfd)
{
	struct file_attributes attr = {0}, big[2];
	int fd = memfd_create("m", 0);

	NEEDS(NR_file_getattr, fd, "", &attr, sizeof(attr), AT_EMPTY_PATH);
	CALL(SYS(NR_file_getattr, fd, "", &attr, sizeof(attr), AT_EMPTY_PATH));
	NOTE("flags %llx", (long long)attr.xflags);
	attr.xflags = 0x80;
	CALL(SYS(NR_file_setattr, fd, NULL, &attr, sizeof(attr), AT_EMPTY_PATH));
	memset(big, 0x55, sizeof(big));
	CALL(SYS(NR_file_getattr, fd, NULL, big, sizeof(big), AT_EMPTY_PATH));
	NOTE("flags %llx %x %x, then %llx", (long long)big[0].xflags, big[0].extsize, big[0].projid,
		(long long)big[1].xflags);
	attr.xflags = 0xc0;
	CALL(SYS(NR_file_setattr, fd, "", &attr, sizeof(attr), AT_EMPTY_PATH));
	CALL(SYS(NR_file_getattr, fd, "", &attr, sizeof(attr), AT_EMPTY_PATH));
	NOTE("flags %llx", (long long)attr.xflags);
}

CASE(attributes_refused)
{
	struct file_attributes attr = {0};
	int fd = memfd_create("m", 0);

	NEEDS(NR_file_getattr, fd, "", &attr, sizeof(attr), AT_EMPTY_PATH);
	CALL(SYS(NR_file_getattr, fd, "", &attr, 23, AT_EMPTY_PATH));
	CALL(SYS(NR_file_getattr, fd, "", &attr, 4097, AT_EMPTY_PATH));
	CALL(SYS(NR_file_getattr, fd, "", &attr, sizeof(attr), AT_EMPTY_PATH | 1));
	CALL(SYS(NR_file_getattr, fd, "", BAD_ADDRESS, sizeof(attr), AT_EMPTY_PATH));
	CALL(SYS(NR_file_getattr, fd, "", &attr, sizeof(attr), 0));
	CALL(SYS(NR_file_getattr, -1, NULL, &attr, sizeof(attr), AT_EMPTY_PATH));
	CALL(SYS(NR_file_getattr, 99, NULL, &attr, sizeof(attr), AT_EMPTY_PATH));
	CALL(SYS(NR_file_getattr, AT_FDCWD, "nowhere", &attr, sizeof(attr), 0));
	CALL(SYS(NR_file_getattr, AT_FDCWD, "/proc/self/stat", &attr, sizeof(attr), 0));
	CALL(SYS(NR_file_setattr, fd, "", &attr, 23, AT_EMPTY_PATH));
	CALL(SYS(NR_file_setattr, fd, "", BAD_ADDRESS, sizeof(attr), AT_EMPTY_PATH));
	attr.xflags = 1ull << 40;
	CALL(SYS(NR_file_setattr, fd, "", &attr, sizeof(attr), AT_EMPTY_PATH));
	attr.xflags = 4;
	CALL(SYS(NR_file_setattr, fd, "", &attr, sizeof(attr), AT_EMPTY_PATH));
	attr = (struct file_attributes){.projid = 5};
	CALL(SYS(NR_file_setattr, fd, "", &attr, sizeof(attr), AT_EMPTY_PATH));
	attr = (struct file_attributes){0};
	CALL(SYS(NR_file_setattr, AT_FDCWD, "/proc/self/stat", &attr, sizeof(attr), 0));
	CALL(SYS(NR_file_setattr, AT_FDCWD, "nowhere", &attr, sizeof(attr), 0));
}

CASE(attributes_by_name)
{
	struct file_attributes attr = {0};
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/dev/shm/attributes-%d", (int)getpid());
	fd = open(name, O_CREAT | O_EXCL | O_RDWR, 0644);
	NEEDS(NR_file_getattr, fd, "", &attr, sizeof(attr), AT_EMPTY_PATH);
	attr.xflags = 0x40;
	CALL(SYS(NR_file_setattr, AT_FDCWD, name, &attr, sizeof(attr), 0));
	if (geteuid() == 0 && setresuid(1000, 1000, 1000) < 0)
		NOTE("stays root");
	else
		CALL(SYS(
			NR_file_setattr, AT_FDCWD, name, &attr, sizeof(attr), AT_SYMLINK_NOFOLLOW));
	CALL(SYS(NR_file_getattr, AT_FDCWD, name, &attr, sizeof(attr), AT_SYMLINK_NOFOLLOW));
	NOTE("flags %llx", (long long)attr.xflags);
	(void)setresuid(0, 0, 0);
	(void)ftruncate(fd, 0);
	(void)unlink(name);
}

/* ---- kcmp of what epoll watches ----------------------------------------------------------------
 */

struct epoll_slot {
	uint32_t efd, tfd, toff;
};
#define EPOLL_TFD 7

CASE(watched_files_compared)
{
	struct epoll_event event = {.events = EPOLLIN};
	struct epoll_slot slot = {0};
	int epoll = epoll_create1(0), pipes[2];

	CALL(pipe(pipes));
	CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event));
	slot.efd = (uint32_t)epoll;
	slot.tfd = (uint32_t)pipes[0];
	if (SYS(SYS_kcmp, getpid(), getpid(), EPOLL_TFD, pipes[0], &slot) < 0 &&
		(errno == EOPNOTSUPP || errno == ENOSYS))
		SKIP("not known");
	CALL(SYS(SYS_kcmp, getpid(), getpid(), EPOLL_TFD, pipes[0], &slot));
	TRUTH(SYS(SYS_kcmp, getpid(), getpid(), EPOLL_TFD, pipes[1], &slot) > 0);
	CALL(SYS(SYS_kcmp, getpid(), getpid(), EPOLL_TFD, -1, &slot));
	CALL(SYS(SYS_kcmp, getpid(), getpid(), EPOLL_TFD, pipes[0], BAD_ADDRESS));
	slot.toff = 1;
	CALL(SYS(SYS_kcmp, getpid(), getpid(), EPOLL_TFD, pipes[0], &slot));
	slot.toff = 0;
	slot.tfd = (uint32_t)pipes[1];
	CALL(SYS(SYS_kcmp, getpid(), getpid(), EPOLL_TFD, pipes[0], &slot));
	slot.efd = (uint32_t)pipes[1];
	CALL(SYS(SYS_kcmp, getpid(), getpid(), EPOLL_TFD, pipes[0], &slot));
	slot.efd = 99;
	CALL(SYS(SYS_kcmp, getpid(), getpid(), EPOLL_TFD, pipes[0], &slot));
}
