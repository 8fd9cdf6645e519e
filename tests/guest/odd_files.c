/* SPDX-License-Identifier: Apache-2.0 */
/* Files of kinds that a call was not made for: what ioctl(2), lseek(2), splice(2), mmap(2) and
 * fcntl(2) say to them. */
#include "case.h"

#include <linux/fs.h>
#include <netinet/in.h>
#include <linux/sockios.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/utsname.h>
#include <termios.h>
#include <elf.h>

#ifndef F_CREATED_QUERY
#define F_CREATED_QUERY 1028
#endif

CASE(lseek_in_proc)
{
	static const char *const names[] = {"cmdline", "environ", "auxv", "oom_score_adj",
		"coredump_filter", "status", "fd", ".", "../sys/kernel/ostype"};
	char path[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
		int fd = open(path, O_RDONLY);

		NOTE("%s", names[i]);
		CALL(lseek(fd, 0, SEEK_END));
		CALL(lseek(fd, 0, SEEK_DATA));
		CALL(lseek(fd, 0, SEEK_HOLE));
		CALL(lseek(fd, 0x7fffffff, SEEK_SET));
		CALL(lseek(fd, 0x80000000, SEEK_SET));
		CALL(lseek(fd, -1, SEEK_SET));
		CALL(fsync(fd));
		CALL(fdatasync(fd));
		close(fd);
	}
}

CASE(syncs_of_what_has_none)
{
	static const char *const names[] = {
		"/proc/self/mem", "/proc/self/ns/uts", "/proc/version", "/proc", "/dev/null", "."};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = open(names[i], O_RDONLY);

		NOTE("%s", names[i]);
		CALL(fsync(fd));
		CALL(sync_file_range(fd, 0, 0, 7));
		CALL(sendfile(open("/dev/null", O_WRONLY), fd, NULL, 0));
		close(fd);
	}
	CALL(sendfile(open("/dev/null", O_WRONLY), eventfd(0, 0), NULL, 0));
}

CASE(proc_of_a_zombie)
{
	static const char *const names[] = {"smaps_rollup", "environ", "auxv", "mounts",
		"mountinfo", "mem", "maps", "cmdline", "coredump_filter"};
	siginfo_t info;
	pid_t child = fork();
	char path[64], byte;

	if (child == 0)
		_exit(3);
	CALL(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT));
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		NOTE("%s", names[i]);
		snprintf(path, sizeof(path), "/proc/%d/%s", child, names[i]);
		int fd = OK(open(path, O_RDONLY));

		if (fd >= 0)
			CALL(read(fd, &byte, 1));
		close(fd);
	}
	note_wait("child", child);
}

static void write_to(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	NOTE("%s <- %s", path, text);
	CALL(write(fd, text, strlen(text)));
	close(fd);
}

CASE(proc_that_takes_writes)
{
	CALL(prctl(PR_SET_TIMERSLACK, 70000));
	write_to("/proc/self/timerslack_ns", "60000\n");
	note_file("/proc/self/timerslack_ns");
	CALL(prctl(PR_GET_TIMERSLACK));
	write_to("/proc/self/timerslack_ns", "0");
	CALL(prctl(PR_GET_TIMERSLACK));
	write_to("/proc/self/timerslack_ns", "-1");
	write_to("/proc/self/timerslack_ns", "12x");
	write_to("/proc/self/timerslack_ns", "99999999999999999999999");
	write_to("/proc/self/oom_adj", "15");
	note_file("/proc/self/oom_score_adj");
	note_file("/proc/self/oom_adj");
	write_to("/proc/self/oom_score_adj", "1000");
	write_to("/proc/self/oom_adj", "16");
	write_to("/proc/self/oom_adj", "-18");
	write_to("/proc/self/oom_adj", "x");
	write_to("/proc/self/comm", "a\nb\n");
	note_file("/proc/self/comm");
}

CASE(oom_score_goes_up_and_down)
{
	if (geteuid() == 0) {
		CALL(setresgid(777, 777, 777));
		CALL(setresuid(777, 777, 777));
		CALL(prctl(PR_SET_DUMPABLE, 1));
	}
	write_to("/proc/self/oom_score_adj", "1000");
	write_to("/proc/self/oom_score_adj", "5");
	write_to("/proc/self/oom_score_adj", "0");
	write_to("/proc/self/oom_score_adj", "-1");
	note_file("/proc/self/oom_score_adj");
	write_to("/proc/self/oom_score_adj", "500");
	write_to("/proc/self/oom_adj", "3");
}

static void note_table_size(pid_t pid)
{
	char path[64], text[2048], *line;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	int fd = open(path, O_RDONLY);
	text[read(fd, text, sizeof(text) - 1)] = '\0';
	line = strstr(text, "FDSize:");
	NOTE("%.*s", (int)strcspn(line, "\n"), line);
	close(fd);
}

CASE(sizes_of_descriptor_tables)
{
	siginfo_t info;
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	note_table_size(child);
	note_wait("child", child);
	note_table_size(getpid());
	CALL(dup2(0, 64));
	note_table_size(getpid());
	CALL(dup2(0, 200));
	note_table_size(getpid());
	CALL(dup2(0, 900));
	note_table_size(getpid());
}

CASE(timer_slack_of_a_child)
{
	CALL(prctl(PR_SET_TIMERSLACK, 70000));
	pid_t child = fork();

	if (child == 0) {
		CALL(prctl(PR_SET_TIMERSLACK, 1));
		CALL(prctl(PR_SET_TIMERSLACK, 0));
		CALL(prctl(PR_GET_TIMERSLACK));
		_exit(0);
	}
	note_wait("child", child);
}

CASE(sizes_in_proc)
{
	static const char *const names[] = {"exe", "cwd", "root", "fd/0", "ns/uts", "task"};
	char path[64];
	struct stat st;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "/proc/self/%s", names[i]);
		NOTE("%s", names[i]);
		CALL(lstat(path, &st));
		NOTE("size %lld", (long long)st.st_size);
	}
	CALL(stat("/proc/self/fd", &st));
	int before = (int)st.st_size;

	close(dup(0));
	int fd = dup(0);

	CALL(stat("/proc/self/fd", &st));
	NOTE("one more: %d", (int)st.st_size - before);
	close(fd);
	CALL(stat("/proc/self/ns", &st));
	NOTE("mode %o", st.st_mode);
}

static void note_mode_of_link(int fd)
{
	struct stat st = {0};
	char path[64];
	int link;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	link = open(path, O_PATH | O_NOFOLLOW);
	CALL(fstat(link, &st));
	NOTE("mode %o", st.st_mode);
	close(fd);
	CALL(fstat(link, &st));
	NOTE("mode %o once it is closed", st.st_mode);
	close(link);
}

CASE(modes_of_descriptors)
{
	note_mode_of_link(open(".", O_PATH));
	note_mode_of_link(open(".", O_RDONLY));
	note_mode_of_link(open("f", O_RDWR | O_CREAT, 0600));
	note_mode_of_link(open("f", O_WRONLY));
	note_mode_of_link(open("f", O_PATH));
}

static void note_flags(int fd)
{
	char path[64], text[512], *line;
	int info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY);
	text[read(info, text, sizeof(text) - 1)] = '\0';
	line = strstr(text, "flags:");
	NOTE("%.*s", (int)strcspn(line, "\n"), line);
	close(info);
	close(fd);
}

CASE(flags_in_fdinfo)
{
	int fds[2];

	note_flags(open("f", O_RDWR | O_CREAT | O_CLOEXEC, 0600));
	note_flags(eventfd(0, 0));
	note_flags(epoll_create1(EPOLL_CLOEXEC));
	note_flags(inotify_init1(IN_NONBLOCK));
	CALL(pipe(fds));
	note_flags(fds[0]);
	note_flags(fds[1]);
	note_flags(open(".", O_PATH));
	note_flags(socket(AF_UNIX, SOCK_STREAM, 0));
}

CASE(who_may_look)
{
	int ready[2], go[2];
	char byte, path[64];

	if (geteuid() != 0)
		SKIP("needs root");
	CALL(pipe(ready));
	CALL(pipe(go));
	pid_t child = fork();

	if (child == 0) {
		close(go[1]);
		setresgid(777, 777, 777);
		setresuid(777, 777, 777);
		NOTE("dumpable %d", prctl(PR_GET_DUMPABLE));
		close(open("/proc/self/comm", O_RDWR) >= 0 ? write(ready[1], "y", 1)
							   : write(ready[1], "n", 1));
		read(go[0], &byte, 1);
		_exit(0);
	}
	close(go[0]);
	read(ready[0], &byte, 1);
	NOTE("its own comm: %c", byte);
	CALL(setresgid(888, 888, 888));
	CALL(setresuid(888, 888, 888));
	for (const char *const *name = (const char *const[]){"fd", "fdinfo", "ns", "comm",
		     "mountstats", "oom_adj", NULL};
		*name; name++) {
		struct stat st;

		snprintf(path, sizeof(path), "/proc/%d/%s", child, *name);
		NOTE("%s", *name);
		CALL(stat(path, &st));
		NOTE("mode %o owner %u", st.st_mode, st.st_uid);
		CALL(access(path, R_OK));
		OK(open(path, O_RDONLY));
	}
	close(go[1]);
	/* It is another user's, but still the caller's child. */
	note_wait("child", child);
}

CASE(created_by_open)
{
	CALL(fcntl(open("f", O_RDWR | O_CREAT, 0600), F_CREATED_QUERY));
	CALL(fcntl(open("f", O_RDWR | O_CREAT, 0600), F_CREATED_QUERY));
	CALL(fcntl(open("g", O_RDWR | O_CREAT | O_EXCL, 0600), F_CREATED_QUERY));
	CALL(fcntl(open("g", O_RDONLY), F_CREATED_QUERY));
	CALL(fcntl(open("g", O_PATH), F_CREATED_QUERY));
	CALL(fcntl(open("/tmp", O_TMPFILE | O_RDWR, 0600), F_CREATED_QUERY));
	CALL(fcntl(-1, F_CREATED_QUERY));
}

CASE(clones_and_copies)
{
	int file = open("f", O_RDWR | O_CREAT, 0600), reader = open("f", O_RDONLY);
	int dir = open(".", O_RDONLY), fds[2];
	struct file_clone_range range = {.src_fd = -1};

	CALL(pipe(fds));
	CALL(ioctl(reader, FICLONE, file));
	CALL(ioctl(dir, FICLONE, dir));
	CALL(ioctl(fds[1], FICLONE, fds[0]));
	CALL(ioctl(file, FICLONE, -1));
	CALL(ioctl(file, FICLONERANGE, &range));
	CALL(ioctl(file, FICLONERANGE, BAD_ADDRESS));
	CALL(ioctl(file, FIDEDUPERANGE, BAD_ADDRESS));
}

CASE(random_is_waited_for)
{
	int random = open("/dev/random", O_RDONLY), urandom = open("/dev/urandom", O_RDONLY), size;
	int epoll = epoll_create1(0);
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT};
	struct pollfd poll_random = {.fd = random, .events = 0xffff};

	CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, urandom, &event));
	CALL(epoll_ctl(epoll, EPOLL_CTL_ADD, random, &event));
	CALL(epoll_wait(epoll, &event, 1, 0));
	NOTE("events %x", event.events);
	CALL(poll(&poll_random, 1, 0));
	NOTE("events %x", poll_random.revents);
	CALL(ioctl(random, FIONREAD, &size));
	CALL(ioctl(urandom, TCGETS, &size));
}

CASE(splice_positions_of_streams)
{
	int ends[2], event = eventfd(0, EFD_NONBLOCK), fds[2];
	off_t pos = 0;

	CALL(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
	CALL(pipe2(fds, O_NONBLOCK));
	CALL(write(fds[1], "abc", 3));
	CALL(splice(fds[0], NULL, ends[0], &pos, 3, 0));
	CALL(splice(ends[0], &pos, fds[1], NULL, 3, 0));
	CALL(splice(event, &pos, fds[1], NULL, 8, 0));
	CALL(splice(fds[0], &pos, ends[0], NULL, 3, 0));
	CALL(splice(open(".", O_RDONLY), NULL, fds[1], NULL, 3, 0));
	CALL(sendfile(open("/dev/null", O_WRONLY), ends[0], NULL, 0));
	CALL(sendfile(open("/dev/null", O_WRONLY), fds[0], NULL, 0));
	CALL(sendfile(fds[1], ends[0], NULL, 4));
	CALL(write(ends[1], "xyz", 3));
	CALL(sendfile(fds[1], ends[0], NULL, 4));
}

static void try_map(int fd, int prot, int flags, off_t offset)
{
	void *p = mmap(NULL, 8192, prot, flags, fd, offset);

	NOTE("prot %d flags %#x offset %llx: %s", prot, flags, (long long)offset,
		p == MAP_FAILED ? errno_name(errno) : "ok");
}

CASE(maps_of_streams)
{
	int fds[2], socket = open("f", O_RDWR | O_CREAT, 0600);

	CALL(pipe(fds));
	try_map(socket, PROT_READ, MAP_PRIVATE | MAP_GROWSDOWN, 0);
	try_map(socket, PROT_READ, MAP_SHARED | MAP_GROWSDOWN, 0);
	try_map(socket, PROT_READ, MAP_PRIVATE, 0x7ffffffffffff000);
	try_map(fds[0], PROT_READ, MAP_PRIVATE, 0x7ffffffffffff000);
	try_map(fds[1], PROT_READ, MAP_PRIVATE, 0x7ffffffffffff000);
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, fds));
	try_map(fds[0], PROT_READ, MAP_PRIVATE, 0);
	try_map(fds[0], PROT_READ | PROT_EXEC, MAP_PRIVATE, 0);
	try_map(fds[0], PROT_READ, MAP_PRIVATE, 0x7ffffffffffff000);
}

CASE(names_of_other_personalities)
{
	struct utsname name;

	CALL(syscall(SYS_personality, 8));
	CALL(uname(&name));
	NOTE("%s", name.machine);
	CALL(syscall(SYS_personality, 0x20000));
	CALL(uname(&name));
	NOTE("%s %.4s", name.machine, name.release);
}

CASE(ticks_of_a_timerfd)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
	uint64_t ticks = 5;
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	CALL(ioctl(fd, 0x40085400, &ticks));
	CALL(poll(&poll_fd, 1, 0));
	ticks = 0;
	CALL(read(fd, &ticks, 8));
	NOTE("%llu", (unsigned long long)ticks);
	ticks = 0;
	CALL(ioctl(fd, 0x40085400, &ticks));
	CALL(ioctl(fd, 0x40085400, BAD_ADDRESS));
	CALL(ioctl(fd, 0x40085401, &ticks));
}

CASE(options_that_unix_sockets_keep)
{
	static const int options[] = {SO_DEBUG, SO_DONTROUTE, SO_NO_CHECK, SO_BSDCOMPAT, SO_MARK};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		int value = 3;
		socklen_t size = sizeof(value);

		NOTE("option %d", options[i]);
		CALL(setsockopt(fd, SOL_SOCKET, options[i], &value, sizeof(value)));
		value = -1;
		CALL(getsockopt(fd, SOL_SOCKET, options[i], &value, &size));
		NOTE("%d", value);
		value = 0;
		CALL(setsockopt(fd, SOL_SOCKET, options[i], &value, sizeof(value)));
		CALL(getsockopt(fd, SOL_SOCKET, options[i], &value, &size));
		NOTE("%d", value);
		CALL(setsockopt(fd, SOL_SOCKET, options[i], &value, 3));
	}
}

CASE(socketpair_makes_them_first)
{
	int fds[2];

	CALL(socketpair(AF_INET, SOCK_STREAM, 0, fds));
	CALL(socketpair(AF_INET, SOCK_RDM, 0, fds));
	CALL(socketpair(AF_INET6, SOCK_STREAM, IPPROTO_UDP, fds));
	CALL(socketpair(AF_INET, SOCK_SEQPACKET, 0, fds));
	CALL(socketpair(AF_NETLINK, SOCK_RAW, 0, fds));
	CALL(socket(-1, 15, 0));
	CALL(socket(1000, 15, 0));
	CALL(socket(AF_UNSPEC, 15, 0));
}

CASE(names_of_inet_sockets)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_addr.s_addr = INADDR_BROADCAST},
			   peer;
	socklen_t size = sizeof(peer);

	CALL(bind(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr *)&name, sizeof(name)));
	CALL(bind(socket(AF_INET, SOCK_STREAM, 0), (struct sockaddr *)&name, sizeof(name)));
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CALL(connect(fd, (struct sockaddr *)&name, sizeof(name)));
	CALL(getpeername(fd, (struct sockaddr *)&peer, &size));
}

CASE(mlock_of_what_nobody_may_touch)
{
	char *p = mmap(NULL, 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CALL(mlock(p, 4096));
	CALL(mlock(p, 8192));
	CALL(syscall(SYS_mlock2, p, 8192, 1));
	CALL(mprotect(p, 4096, PROT_READ));
	CALL(mlock(p, 4096));
	CALL(mlock(p, 8192));
	CALL(munlock(p, 8192));
}

CASE(number_of_a_call_is_an_int)
{
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(0xdeadbeef00000000ul | SYS_getppid)
			 : "rcx", "r11", "memory");
	TRUTH(result == getppid());
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(0x100000000ul | 100000)
			 : "rcx", "r11", "memory");
	NOTE("%ld", result);
}

CASE(parts_of_register_sets)
{
	struct user_fpregs_struct fp;
	struct user_regs_struct regs;
	struct iovec vector = {.iov_base = &fp, .iov_len = sizeof(fp)};
	pid_t child = fork();

	if (child == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		syscall(-1);
		_exit(0);
	}
	waitpid(child, NULL, WUNTRACED);
	CALL(ptrace(PTRACE_GETREGSET, child, NT_PRFPREG, &vector));
	CALL(ptrace(PTRACE_SETREGSET, child, NT_PRFPREG, &vector));
	vector.iov_len = 8;
	CALL(ptrace(PTRACE_SETREGSET, child, NT_PRFPREG, &vector));
	vector.iov_len = 0;
	CALL(ptrace(PTRACE_SETREGSET, child, NT_PRFPREG, &vector));
	/* Out of raise(), into and out of the call that there is not. */
	for (int i = 0; i < 8; i++) {
		CALL(ptrace(PTRACE_SYSCALL, child, 0, 0));
		waitpid(child, NULL, 0);
		if (ptrace(PTRACE_GETREGS, child, 0, &regs) == 0 && (long long)regs.orig_rax == -1)
			NOTE("call -1");
	}
	kill(child, SIGKILL);
	note_wait("child", child);
}

static void ask_for_lock(int fd)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	CALL(fcntl(fd, F_GETLK, &lock));
	NOTE("type %d start %lld length %lld", lock.l_type, (long long)lock.l_start,
		(long long)lock.l_len);
}

CASE(first_conflict_is_the_first_owners)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600), done[2];
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 20, .l_len = 5};
	char byte;

	CALL(pipe(done));
	CALL(fcntl(fd, F_SETLK, &lock));
	pid_t child = fork();

	if (child == 0) {
		lock.l_start = 0;
		CALL(fcntl(fd, F_SETLK, &lock));
		lock.l_start = 40;
		CALL(fcntl(fd, F_SETLK, &lock));
		write(done[1], "x", 1);
		pause();
	}
	read(done[0], &byte, 1);
	pid_t asker = fork();

	if (asker == 0) {
		ask_for_lock(fd);
		_exit(0);
	}
	note_wait("asker", asker);
	lock.l_start = 10;
	CALL(fcntl(fd, F_SETLK, &lock));
	lock.l_type = F_UNLCK;
	lock.l_start = 20;
	CALL(fcntl(fd, F_SETLK, &lock));
	asker = fork();
	if (asker == 0) {
		ask_for_lock(fd);
		_exit(0);
	}
	note_wait("asker", asker);
	kill(child, SIGKILL);
	note_wait("child", child);
}

CASE(flags_of_both_ends_of_a_terminal)
{
	int master = open("/dev/ptmx", O_RDWR | O_NOCTTY), unlock = 0, slave;

	CALL(ioctl(master, TIOCSPTLCK, &unlock));
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY);
	for (int i = 0; i < 2; i++) {
		int fd = i ? slave : master, value = -1;
		struct termios modes;

		CALL(ioctl(fd, TIOCGEXCL, &value));
		CALL(ioctl(fd, TIOCEXCL));
		CALL(ioctl(master, TIOCGEXCL, &value));
		NOTE("master %d", value);
		CALL(ioctl(slave, TIOCGEXCL, &value));
		NOTE("slave %d", value);
		CALL(ioctl(fd, TIOCNXCL));
		CALL(ioctl(fd, TIOCGEXCL, &value));
		NOTE("%d", value);
		CALL(ioctl(fd, TIOCGSOFTCAR, &value));
		NOTE("carrier %d", value);
		value = 1;
		CALL(ioctl(fd, TIOCSSOFTCAR, &value));
		CALL(tcgetattr(slave, &modes));
		NOTE("local %d", (modes.c_cflag & CLOCAL) != 0);
		value = 0;
		CALL(ioctl(fd, TIOCSSOFTCAR, &value));
		CALL(ioctl(fd, TIOCSSOFTCAR, BAD_ADDRESS));
		CALL(ioctl(fd, TIOCGSOFTCAR, &value));
		NOTE("carrier %d", value);
	}
}

/* ---- how much fits into a socket --------------------------------------------------------------
 */

static void fill(int type, int size)
{
	static char bytes[70000];
	int pair[2], count = 0, queued = 0;
	long long total = 0;
	ssize_t n;

	if (socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, pair) < 0)
		return;
	while ((n = send(pair[0], bytes, (size_t)size, MSG_NOSIGNAL)) > 0) {
		total += n;
		count++;
	}
	ioctl(pair[0], SIOCOUTQ, &queued);
	NOTE("type %d: %d by %d are %lld, charged %d", type, count, size, total, queued);
	close(pair[0]);
	close(pair[1]);
}

CASE(room_in_unix_sockets)
{
	static const int sizes[] = {1, 192, 193, 704, 705, 2000, 3776, 3777, 4096, 10000, 16064,
		16065, 36544, 36545, 60000};

	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		fill(SOCK_STREAM, sizes[i]);
		fill(SOCK_SEQPACKET, sizes[i]);
	}
}

/* ---- positions of devices ---------------------------------------------------------------------
 */

CASE(devices_have_no_positions)
{
	static const char *const names[] = {"/dev/zero", "/dev/full", "/dev/urandom", "/dev/null"};
	int pipes[2], out = open("f", O_RDWR | O_CREAT, 0600);

	CALL(pipe(pipes));
	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		int fd = open(names[i], O_RDONLY);
		off_t at = 5;

		CALL(sendfile(out, fd, &at, 7));
		NOTE("%s: at %lld", names[i], (long long)at);
		CALL(sendfile(pipes[1], fd, NULL, 7));
		CALL(splice(fd, &at, pipes[1], NULL, 7, 0));
		NOTE("at %lld", (long long)at);
		CALL(lseek(fd, 0, SEEK_CUR));
		close(fd);
	}
}
