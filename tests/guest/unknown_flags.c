/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flags that Linux does not know, one by one, with arguments that are good otherwise: which are
 * refused, and how. tests/cli/reports.py runs this, too, and looks for them in the audit stream.
 */
#include <linux/openat2.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/xattr.h>

#include "case.h"

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_futex_wake
#define SYS_futex_wake 454
#define SYS_futex_wait 455
#endif
#ifndef SYS_cachestat
#define SYS_cachestat 451
#endif
#ifndef SYS_setxattrat
#define SYS_setxattrat	  463
#define SYS_getxattrat	  464
#define SYS_listxattrat	  465
#define SYS_removexattrat 466
#endif

struct row {
	const char *name;
	int nr, flag; /* the number of the argument */
	unsigned long bits;
	long args[6];
	bool returns_fd;
};

static char buffer[8192] __attribute__((aligned(4096)));

/* Prints the bits by what they were answered with. */
static void probe(const struct row *row)
{
	int errors[64];
	long args[6];

	for (int bit = 0; bit < 64; bit++) {
		long r;

		errors[bit] = -1;
		if (!(row->bits >> bit & 1))
			continue;
		memcpy(args, row->args, sizeof(args));
		args[row->flag] |= (long)(1ul << bit);
		errno = 0;
		r = syscall(row->nr, args[0], args[1], args[2], args[3], args[4], args[5]);
		errors[bit] = r < 0 && r > -4096 ? errno : 0;
		if (r >= 0 && row->returns_fd)
			close((int)r);
	}
	for (int first = 0; first < 64; first++) {
		unsigned long same = 0;

		if (errors[first] < 0)
			continue;
		for (int bit = first + 1; bit < 64; bit++) {
			if (errors[bit] != errors[first])
				continue;
			same |= 1ul << bit;
			errors[bit] = -1;
		}
		NOTE("%s %#lx: %s", row->name, same | 1ul << first,
			errors[first] ? errno_name(errors[first]) : "ok");
	}
}

static void probe_all(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		probe(&rows[i]);
}

#define PROBE(...)                                                                                 \
	do {                                                                                       \
		const struct row rows[] = {__VA_ARGS__};                                           \
		probe_all(rows, sizeof(rows) / sizeof(rows[0]));                                   \
	} while (0)

#define A(value) ((long)(value))
#define HIGH	 0xff800000ul
#define AT_BITS	 0xffff00fful

static int file(void)
{
	write_file("file", "content");
	mkdir("dir", 0755);
	return open("file", O_RDWR);
}

CASE(transfers)
{
	struct iovec iov = {buffer, 16};
	int fd = file(), other = open("other", O_RDWR | O_CREAT, 0600), p[2], q[2];

	if (pipe(p) < 0 || pipe(q) < 0 || write(p[1], "abcdef", 6) != 6)
		exit(1);
	PROBE({"preadv2", SYS_preadv2, 5, 0xffffff00, {fd, A(&iov), 1, 0, 0, 0}, false},
		{"pwritev2", SYS_pwritev2, 5, 0xffffff00, {fd, A(&iov), 1, 0, 0, 0}, false},
		{"copy_file_range", SYS_copy_file_range, 5, 0xffffffff, {fd, 0, other, 0, 4, 0},
			false},
		{"splice", SYS_splice, 5, 0xfffffff0, {p[0], 0, other, 0, 1, 0}, false},
		{"tee", SYS_tee, 3, 0xfffffff0, {p[0], q[1], 1, 0}, false},
		{"vmsplice", SYS_vmsplice, 3, 0xfffffff0, {q[1], A(&iov), 1, 0}, false},
		{"fallocate", SYS_fallocate, 1, 0xffffff80, {fd, 0, 0, 16}, false},
		{"sync_file_range", SYS_sync_file_range, 3, 0xfffffff8, {fd, 0, 16, 0}, false},
		{"cachestat", SYS_cachestat, 3, 0xffffffff, {-1, A(buffer), A(buffer), 0}, false});
}

CASE(descriptors)
{
	int fd = file();

	PROBE({"open", SYS_open, 1, 0xff80003c, {A("file"), O_RDONLY, 0}, true},
		{"openat", SYS_openat, 2, 0xff80003c, {AT_FDCWD, A("file"), O_RDONLY, 0}, true},
		{"close_range", SYS_close_range, 2, 0xfffffff9, {900, 901, 0}, false},
		{"dup3", SYS_dup3, 2, 0xff80003c, {fd, 100, 0}, false},
		{"flock", SYS_flock, 1, 0xffffff10, {fd, LOCK_SH}, false},
		{"memfd_create", SYS_memfd_create, 1, 0xffffffe0 & ~(0x3ful << 26), {A("m"), 0},
			true},
		{"epoll_create1", SYS_epoll_create1, 0, 0xff80003c, {0}, true},
		{"pipe2", SYS_pipe2, 1, 0xff80003c, {A(buffer), 0}, false},
		{"eventfd2", SYS_eventfd2, 1, 0xfff7f7fe, {0, 0}, true},
		{"signalfd4", SYS_signalfd4, 3, 0xff80003c, {-1, A(buffer), 8, 0}, true},
		{"timerfd_create", SYS_timerfd_create, 1, 0xff80003c, {CLOCK_MONOTONIC, 0}, true},
		{"inotify_init1", SYS_inotify_init1, 0, 0xff80003c, {0}, true},
		{"pidfd_open", SYS_pidfd_open, 1, HIGH, {getpid(), 0}, true});
}

CASE(openat2_how)
{
	struct open_how how = {.flags = O_RDONLY};

	file();
	for (int bit = 0; bit < 64; bit++) {
		long r;

		if (1ull << bit & 0x7fffc3)
			continue;
		how = (struct open_how){.flags = 1ull << bit};
		r = syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof(how));
		NOTE("flags bit %d: %s", bit, r < 0 ? errno_name(errno) : "ok");
		if (r >= 0)
			close((int)r);
	}
	for (int bit = 6; bit < 64; bit++) {
		how = (struct open_how){.resolve = 1ull << bit};
		if (syscall(SYS_openat2, AT_FDCWD, "file", &how, sizeof(how)) >= 0 ||
			errno != EINVAL)
			NOTE("resolve bit %d: %s", bit, errno_name(errno));
	}
}

CASE(names)
{
	file();
	PROBE({"newfstatat", SYS_newfstatat, 3, AT_BITS, {AT_FDCWD, A("file"), A(buffer), 0},
		      false},
		{"statx", SYS_statx, 2, AT_BITS & 0xffff00ff,
			{AT_FDCWD, A("file"), 0, 0x7ff, A(buffer)}, false},
		{"statx mask", SYS_statx, 3, 0xff000000, {AT_FDCWD, A("file"), 0, 0, A(buffer)},
			false},
		{"access", SYS_access, 1, 0xfffffff8, {A("file"), 0}, false},
		{"faccessat", SYS_faccessat, 2, 0xfffffff8, {AT_FDCWD, A("file"), 0}, false},
		{"faccessat2", SYS_faccessat2, 2, 0xfffffff8, {AT_FDCWD, A("file"), 0, 0}, false},
		{"faccessat2 flags", SYS_faccessat2, 3, AT_BITS, {AT_FDCWD, A("file"), 0, 0},
			false},
		{"fchmodat2", SYS_fchmodat2, 3, AT_BITS, {AT_FDCWD, A("file"), 0600, 0}, false},
		{"fchownat", SYS_fchownat, 4, AT_BITS, {AT_FDCWD, A("file"), -1, -1, 0}, false},
		{"utimensat", SYS_utimensat, 3, AT_BITS, {AT_FDCWD, A("file"), A(buffer), 0},
			false},
		{"renameat2", SYS_renameat2, 4, 0xfffffff8,
			{AT_FDCWD, A("file"), AT_FDCWD, A("file"), 0}, false},
		{"linkat", SYS_linkat, 4, AT_BITS, {AT_FDCWD, A("file"), AT_FDCWD, A("file"), 0},
			false},
		{"unlinkat", SYS_unlinkat, 2, 0xfffffdff, {AT_FDCWD, A("nothing"), 0}, false},
		{"execveat", SYS_execveat, 4, AT_BITS,
			{AT_FDCWD, A("nothing"), A(buffer), A(buffer), 0}, false},
		{"name_to_handle_at", SYS_name_to_handle_at, 4, AT_BITS & ~3ul & 0xfffff0ff,
			{AT_FDCWD, A("nothing"), A(buffer), A(buffer + 256), 0}, false});
}

CASE(attributes)
{
	int fd = file();

	PROBE({"setxattr", SYS_setxattr, 4, 0xfffffffc, {A("file"), A("user.a"), A("v"), 1, 0},
		      false},
		{"lsetxattr", SYS_lsetxattr, 4, 0xfffffffc, {A("file"), A("user.a"), A("v"), 1, 0},
			false},
		{"fsetxattr", SYS_fsetxattr, 4, 0xfffffffc, {fd, A("user.a"), A("v"), 1, 0}, false},
		{"setxattrat", SYS_setxattrat, 2, AT_BITS,
			{AT_FDCWD, A("file"), 0, A("user.a"), A(buffer), 16}, false},
		{"getxattrat", SYS_getxattrat, 2, AT_BITS,
			{AT_FDCWD, A("file"), 0, A("user.a"), A(buffer), 16}, false},
		{"listxattrat", SYS_listxattrat, 2, AT_BITS, {AT_FDCWD, A("file"), 0, A(buffer), 0},
			false},
		{"removexattrat", SYS_removexattrat, 2, AT_BITS,
			{AT_FDCWD, A("file"), 0, A("user.b")}, false});
}

CASE(memory)
{
	char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const unsigned long protections = 0xf0fffff0ul;

	PROBE({"mmap", SYS_mmap, 3, 0x7fffffff00000000,
		      {0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}, false},
		{"mmap validated", SYS_mmap, 3, 0x70000000,
			{0, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_ANONYMOUS, -1, 0}, false},
		{"mprotect", SYS_mprotect, 2, protections, {A(page), 4096, PROT_READ}, false},
		{"pkey_mprotect", SYS_pkey_mprotect, 2, protections, {A(page), 4096, PROT_READ, -1},
			false},
		{"mremap", SYS_mremap, 3, 0xfffffffffffffff8, {A(page), 4096, 4096, 0, 0}, false},
		{"msync", SYS_msync, 2, 0xfffffff8, {A(page), 4096, 0}, false},
		{"mlock2", SYS_mlock2, 2, 0xfffffffe, {A(page), 4096, 0}, false},
		{"mlockall", SYS_mlockall, 0, 0xfffffff8, {0}, false},
		{"membarrier", SYS_membarrier, 0, 0xfffffe00, {0, 0, 0}, false},
		{"membarrier flags", SYS_membarrier, 1, 0xffffffff, {0, 0, 0}, false},
		{"process_mrelease", SYS_process_mrelease, 1, 0xffffffff, {-1, 0}, false},
		{"getrandom", SYS_getrandom, 2, 0xfffffff8, {A(buffer), 8, 0}, false});
	for (int advice = 26; advice < 100; advice++)
		if (madvise(page, 4096, advice) == 0 || errno != EINVAL)
			NOTE("madvise %d: %s", advice, errno_name(errno));
}

CASE(waits)
{
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	timer_t posix_timer;

	memset(buffer, 0, sizeof(buffer));
	if (timer_create(CLOCK_MONOTONIC, NULL, &posix_timer) < 0)
		exit(1);
	PROBE({"wait4", SYS_wait4, 2, 0x1efffff0, {-1, 0, 0, 0}, false},
		{"waitid", SYS_waitid, 3, 0x1efffff0, {P_ALL, 0, A(buffer), WEXITED, 0}, false},
		{"pidfd_send_signal", SYS_pidfd_send_signal, 3, 0xfffffff8, {-1, 0, 0, 0}, false},
		{"pidfd_getfd", SYS_pidfd_getfd, 2, 0xffffffff, {-1, 0, 0}, false},
		{"futex_wake", SYS_futex_wake, 3, 0xffffff78, {A(buffer), 1, 1, 2}, false},
		{"futex_wait", SYS_futex_wait, 3, 0xffffff78, {A(buffer), 1, 1, 2, 0, 1}, false},
		{"timerfd_settime", SYS_timerfd_settime, 1, 0xfffffffc, {timer, 0, A(buffer), 0},
			false},
		{"timer_settime", SYS_timer_settime, 1, 0xfffffffe,
			{A(posix_timer), 0, A(buffer), 0}, false},
		{"clock_nanosleep", SYS_clock_nanosleep, 1, 0xfffffffe,
			{CLOCK_MONOTONIC, 0, A(buffer), 0}, false},
		{"sched_setscheduler", SYS_sched_setscheduler, 1, 0xbfffff00, {0, 0, A(buffer)},
			false},
		{"sched_get_priority_max", SYS_sched_get_priority_max, 0, 0xffffff00, {0}, false},
		{"unshare", SYS_unshare, 0, 0xfffffffc00000000 | 0x1000000, {0}, false},
		{"setns", SYS_setns, 1, 0x1ff, {timer, 0}, false});
}

CASE(sockets)
{
	int pair[2], listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "socket"};
	struct msghdr message = {0};

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) < 0 ||
		bind(listener, (void *)&name, sizeof(name)) < 0 || listen(listener, 1) < 0)
		exit(1);
	PROBE({"socket", SYS_socket, 1, 0xfff7f7f0, {AF_UNIX, SOCK_STREAM, 0}, true},
		{"socketpair", SYS_socketpair, 1, 0xfff7f7f0, {AF_UNIX, SOCK_STREAM, 0, A(buffer)},
			false},
		{"accept4", SYS_accept4, 3, 0xfff7f7f0, {listener, 0, 0, 0}, true},
		{"sendto", SYS_sendto, 3, 0x9bfe1600, {pair[0], A("x"), 0, 0, 0, 0}, false},
		{"sendmsg", SYS_sendmsg, 2, 0x9bfe1600, {pair[0], A(&message), 0}, false},
		{"recvfrom", SYS_recvfrom, 3, 0x9bfe1600,
			{listener, A(buffer), 8, MSG_DONTWAIT, 0, 0}, false},
		{"recvmsg", SYS_recvmsg, 2, 0x9bfe1600, {listener, A(&message), MSG_DONTWAIT},
			false});
	for (int option = 84; option < 200; option++)
		if (setsockopt(pair[0], SOL_SOCKET, option, buffer, 4) == 0 || errno != ENOPROTOOPT)
			NOTE("option %d: %s", option, errno_name(errno));
	for (int level = 2; level < 300; level += 7)
		if (setsockopt(pair[0], level, 1, buffer, 4) == 0 || errno != EOPNOTSUPP)
			NOTE("level %d: %s", level, errno_name(errno));
	TRUTH(socket(AF_UNIX, 7, 0) < 0);
	CALL(socket(AF_UNIX, 11, 0));
	CALL(socket(AF_UNIX, SOCK_STREAM, 5));
	CALL(socket(60, SOCK_STREAM, 0));
}

CASE(ipc)
{
	int shm = shmget(IPC_PRIVATE, 4096, 0600), queue = msgget(IPC_PRIVATE, 0600);

	*(long *)buffer = 1;
	PROBE({"shmget", SYS_shmget, 2, 0xffff0000 & ~0x7c000000ul, {0x7a31, 4096, 0}, false},
		{"shmat", SYS_shmat, 2, 0xffff0fff, {-1, 0, 0}, false},
		{"semget", SYS_semget, 2, 0xfffff000, {0x7a31, 1, 0}, false},
		{"msgget", SYS_msgget, 2, 0xfffff000, {0x7a31, 0}, false},
		{"msgrcv", SYS_msgrcv, 4, 0xfffff000 & ~0x7000ul,
			{queue, A(buffer), 8, 0, IPC_NOWAIT}, false});
	for (int command = 20; command < 60; command++) {
		if (msgctl(queue, command, (void *)buffer) == 0 || errno != EINVAL)
			NOTE("msgctl %d: %s", command, errno_name(errno));
		if (shmctl(shm, command, (void *)buffer) == 0 || errno != EINVAL)
			NOTE("shmctl %d: %s", command, errno_name(errno));
	}
	shmctl(shm, IPC_RMID, NULL);
	msgctl(queue, IPC_RMID, NULL);
}

CASE(mounts)
{
	PROBE({"umount2", SYS_umount2, 1, 0xfffffff0, {A("nothing"), 0}, false},
		{"open_tree", SYS_open_tree, 2, 0xfff70000 & ~0x80000ul,
			{AT_FDCWD, A("nothing"), 0}, true},
		{"mount_setattr", SYS_mount_setattr, 2, AT_BITS & 0xffff00ff & ~0x8000ul,
			{AT_FDCWD, A("nothing"), 0, A(buffer), 32}, false},
		{"inotify_add_watch", SYS_inotify_add_watch, 2, 0x8ff1000,
			{inotify_init(), A("nothing"), 2}, false});
}

static void commands(const char *what, int nr, long first, int from, int to, int usual)
{
	for (int command = from; command < to; command++)
		if (syscall(nr, first, command, buffer, 0, 0) >= 0 || errno != usual)
			NOTE("%s %d: %s", what, command, errno_name(errno));
}

CASE(commands)
{
	int fd = file(), p[2], pair[2], master = posix_openpt(O_RDWR | O_NOCTTY);

	if (pipe(p) < 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		exit(1);
	commands("fcntl", SYS_fcntl, fd, 40, 300, EINVAL);
	commands("fcntl", SYS_fcntl, fd, 1050, 1100, EINVAL);
	commands("ioctl of a file", SYS_ioctl, fd, 0x5600, 0x5700, ENOTTY);
	commands("ioctl of a pipe", SYS_ioctl, p[0], 0x5600, 0x5700, ENOTTY);
	commands("ioctl of a socket", SYS_ioctl, pair[0], 0x5600, 0x5700, ENOTTY);
	commands("ioctl of a terminal", SYS_ioctl, master, 0x5470, 0x54ff, ENOTTY);
	commands("epoll_ctl", SYS_epoll_ctl, epoll_create1(0), 4, 40, EBADF);
	for (int option = 90; option < 200; option++)
		if (syscall(SYS_prctl, option, 1, 0, 0, 0) >= 0 || errno != EINVAL)
			NOTE("prctl %d: %s", option, errno_name(errno));
	for (int code = 0x3000; code < 0x3040; code++)
		if (syscall(SYS_arch_prctl, code, buffer) >= 0 || errno != EINVAL)
			NOTE("arch_prctl %#x: %s", code, errno_name(errno));
	for (int clock = 12; clock < 40; clock++)
		if (syscall(SYS_clock_gettime, clock, buffer) >= 0 || errno != EINVAL)
			NOTE("clock %d: %s", clock, errno_name(errno));
	CALL(lseek(fd, 0, 9));
	CALL(syscall(SYS_futex, buffer, 99, 0, 0, 0, 0));
	CALL(syscall(SYS_seccomp, 77, 0, 0));
	CALL(syscall(SYS_landlock_create_ruleset, buffer, 8, 2));
	CALL(syscall(SYS_ptrace, 0x4fff, 0, 0, 0));
	CALL(syscall(SYS_quotactl, 0x12345600, 0, 0, 0));
	CALL(syscall(SYS_kcmp, getpid(), getpid(), 99, 0, 0));
	CALL(syscall(600));
	CALL(syscall(5000));
}
