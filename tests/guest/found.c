/* SPDX-License-Identifier: Apache-2.0 */
/* What the differential fuzzer found in corners that belong to no one family. */
#include "case.h"

#include <linux/landlock.h>
#include <net/if.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

#include "ns.h"
#include "ptrace.h"

/* ---- a process whose first thread is gone ---------------------------------------------------- */

static void *look_after_the_leader(void *unused)
{
	char buffer[4096];
	int fd;

	(void)unused;
	while (state_of(getpid()) != 'Z')
		sleep_ms(1);
	OK(readlink("/proc/self/exe", buffer, sizeof(buffer)));
	OK(open("/proc/self/exe", O_RDONLY));
	OK(open("/proc/self/exe", O_PATH));
	OK(readlink("/proc/self/cwd", buffer, sizeof(buffer)));
	OK(readlink("/proc/self/root", buffer, sizeof(buffer)));
	OK(open("/proc/self/cwd", O_PATH));
	OK(readlink("/proc/thread-self/exe", buffer, sizeof(buffer)));
	OK(open("/proc/thread-self/exe", O_RDONLY));
	OK(readlink("/proc/thread-self/cwd", buffer, sizeof(buffer)));
	fd = open("/proc/self/maps", O_RDONLY);
	NOTE("maps open %d", fd >= 0);
	CALL(read(fd, buffer, sizeof(buffer)));
	OK(open("/proc/self/fd/0", O_PATH));
	exit(4);
}

CASE(links_after_the_leader_left)
{
	pid_t pid = fork();

	if (pid == 0) {
		pthread_t thread;

		alarm(10);
		pthread_create(&thread, NULL, look_after_the_leader, NULL);
		syscall(SYS_exit, 0);
	}
	note_wait("child", pid);
}

/* ---- a datagram from bad memory -------------------------------------------------------------- */

CASE(datagram_from_bad_memory)
{
	struct sockaddr_un nobody = {.sun_family = AF_UNIX, .sun_path = "nobody"};
	struct iovec parts[2] = {{"ab", 2}, {BAD_ADDRESS, 3}};
	struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
	int sv[2], one;

	CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
	close(sv[1]);
	CALL(writev(sv[0], parts, 2));
	CALL(write(sv[0], BAD_ADDRESS, 3));
	CALL(write(sv[0], "abc", 3));
	CALL(write(sv[0], "abc", 3));
	one = OK(socket(AF_UNIX, SOCK_DGRAM, 0));
	CALL(sendto(one, BAD_ADDRESS, 3, 0, (void *)&nobody, sizeof(nobody)));
	CALL(sendto(one, "abc", 3, 0, (void *)&nobody, sizeof(nobody)));
	message.msg_name = &nobody;
	message.msg_namelen = sizeof(nobody);
	CALL(sendmsg(one, &message, 0));
	CALL(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sv));
	close(sv[1]);
	CALL(sendmsg(sv[0], &(struct msghdr){.msg_iov = parts, .msg_iovlen = 2}, MSG_NOSIGNAL));
	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	close(sv[1]);
	CALL(sendmsg(sv[0], &(struct msghdr){.msg_iov = parts, .msg_iovlen = 2}, MSG_NOSIGNAL));
}

CASE(interfaces_without_a_size)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq rows[16];
	struct ifconf conf = {.ifc_len = -559038737};

	CALL(ioctl(fd, SIOCGIFCONF, &conf));
	TRUTH(conf.ifc_len > 0 && conf.ifc_len % sizeof(rows[0]) == 0);
	conf = (struct ifconf){.ifc_len = -1, .ifc_req = rows};
	CALL(ioctl(fd, SIOCGIFCONF, &conf));
	NOTE("size %d", conf.ifc_len);
}

CASE(options_of_no_protocol)
{
	int value = 1, sv[2];

	CALL(socketpair(AF_UNIX, SOCK_STREAM, 0, sv));
	CALL(setsockopt(sv[0], 99, 31, NULL, 3));
	CALL(setsockopt(sv[0], 99, 31, &value, 4));
	CALL(setsockopt(sv[0], 99, 31, &value, -1));
	CALL(setsockopt(sv[0], SOL_SOCKET, 9999, NULL, 4));
	CALL(setsockopt(sv[0], SOL_SOCKET, SO_KEEPALIVE, NULL, 4));
}

CASE(pipe_into_bad_memory)
{
	static char data[16384], in[8200];
	struct iovec parts[3] = {{in, 8192}, {in, 5}, {BAD_ADDRESS, 100}};
	struct iovec small[2] = {{in, 5}, {BAD_ADDRESS, 100}};
	int pipes[2];

	CALL(pipe2(pipes, O_NONBLOCK));
	CALL(write(pipes[1], data, sizeof(data)));
	CALL(readv(pipes[0], parts, 3));
	CALL(read(pipes[0], in, 5));
	CALL(readv(pipes[0], small, 2));
	CALL(readv(pipes[0], parts, 3));
	CALL(read(pipes[0], in, sizeof(in)));
	CALL(pipe2(pipes, O_DIRECT | O_NONBLOCK));
	CALL(write(pipes[1], data, 100));
	CALL(readv(pipes[0], small, 2));
	CALL(read(pipes[0], in, sizeof(in)));
	CALL(getsockopt(socket(AF_UNIX, SOCK_STREAM, 0), SOL_SOCKET, SO_BINDTODEVICE, in,
		&(socklen_t){sizeof(in)}));
}

CASE(counts_of_vectors)
{
	struct iovec part = {BAD_ADDRESS, 1};
	const unsigned long many = 0xdead00000001;
	int pipes[2];

	CALL(pipe(pipes));
	CALL(SYS(SYS_vmsplice, pipes[1], NULL, many, 0));
	CALL(SYS(SYS_vmsplice, pipes[1], &part, many, 0));
	CALL(SYS(SYS_writev, pipes[1], &part, many));
	CALL(SYS(SYS_process_vm_readv, getpid(), NULL, many, &part, 1ul, 0ul));
	CALL(SYS(SYS_process_vm_readv, getpid(), &part, 1ul, &part, many, 0ul));
	CALL(SYS(SYS_process_vm_readv, getpid(), NULL, many << 32, &part, many, 0ul));
}

CASE(select_of_a_path)
{
	int fd = open(".", O_PATH), pipes[2];
	fd_set in, out, except;

	CALL(pipe(pipes));
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&except);
	FD_SET(fd, &in);
	FD_SET(pipes[0], &in);
	FD_SET(fd, &out);
	FD_SET(fd, &except);
	CALL(select(20, &in, &out, &except, NULL));
	NOTE("%d %d %d %d", FD_ISSET(fd, &in), FD_ISSET(pipes[0], &in), FD_ISSET(fd, &out),
		FD_ISSET(fd, &except));
	close(fd);
	CALL(select(20, &in, NULL, NULL, NULL));
}

/* ---- whose number a signal is sent to -------------------------------------------------------- */

static pid_t taker;

static void take(int sig)
{
	taker = (pid_t)syscall(SYS_gettid);
}

static void *be_killed(void *unused)
{
	pid_t self = (pid_t)syscall(SYS_gettid);
	union sigval value = {.sival_int = 1};
	siginfo_t info = {.si_code = SI_QUEUE, .si_value = value};

	CALL(kill(self, SIGUSR1));
	NOTE("by kill of its number: itself %d", taker == self);
	CALL(syscall(SYS_rt_sigqueueinfo, self, SIGUSR1, &info));
	NOTE("by sigqueue of its number: itself %d", taker == self);
	return NULL;
}

CASE(signal_to_the_number_of_a_thread)
{
	struct sigaction action = {.sa_handler = take};
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	if (pthread_create(&thread, NULL, be_killed, NULL) == 0)
		pthread_join(thread, NULL);
}

CASE(datagram_of_a_name_that_came_later)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "later"}, from;
	socklen_t size = sizeof(from);
	int sv[2];
	char c;

	CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
	CALL(send(sv[1], "1", 1, 0));
	CALL(send(sv[1], "2", 1, 0));
	CALL(recvfrom(sv[0], &c, 1, 0, (void *)&from, &size));
	NOTE("size %u", size);
	CALL(bind(sv[1], (void *)&name, sizeof(name)));
	close(sv[1]);
	size = sizeof(from);
	CALL(recvfrom(sv[0], &c, 1, 0, (void *)&from, &size));
	NOTE("size %u %.5s", size, from.sun_path);
}

CASE(datagram_after_shutdown)
{
	int sv[2];

	signal(SIGPIPE, SIG_IGN);
	CALL(socketpair(AF_UNIX, SOCK_DGRAM, 0, sv));
	CALL(shutdown(sv[0], SHUT_WR));
	CALL(write(sv[0], "x", 1));
	CALL(write(sv[0], BAD_ADDRESS, 1));
	CALL(send(sv[0], "x", 1, MSG_NOSIGNAL));
	close(sv[1]);
	CALL(write(sv[0], "x", 1));
}

CASE(futexes_that_are_both_wrong)
{
	static int word[2];
	char *odd = (char *)word + 2;

	CALL(SYS(SYS_futex, BAD_ADDRESS, 3, 1, 1, odd, 0));
	CALL(SYS(SYS_futex, BAD_ADDRESS, 3 | 128, 1, 1, odd, 0));
	CALL(SYS(SYS_futex, word, 3, 1, 1, odd, 0));
	CALL(SYS(SYS_futex, odd, 3, 1, 1, BAD_ADDRESS, 0));
	CALL(SYS(SYS_futex, BAD_ADDRESS, 4, 1, 1, odd, 0));
	CALL(SYS(SYS_futex, BAD_ADDRESS, 5, 1, 1, odd, 0));
}

/* ---- linkat -------------------------------------------------------------------------------------
 */

CASE(linkat_of_anothers_descriptor)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE};
	int file = open("f", O_CREAT | O_RDWR, 0600), dir = open(".", O_PATH), ruleset;

	CALL(linkat(file, "", AT_FDCWD, "g", AT_EMPTY_PATH));
	CALL(linkat(file, "x", AT_FDCWD, "g", AT_EMPTY_PATH));
	CALL(linkat(-1, "x", AT_FDCWD, "g", AT_EMPTY_PATH));
	if (geteuid() == 0 && (setresgid(1000, 1000, 1000) < 0 || setresuid(1000, 1000, 1000) < 0))
		SKIP("cannot become somebody else");
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		SKIP("no landlock");
	CALL(syscall(SYS_landlock_restrict_self, ruleset, 0));
	CALL(linkat(file, "", AT_FDCWD, "h", AT_EMPTY_PATH));
	CALL(linkat(file, "x", AT_FDCWD, "h", AT_EMPTY_PATH));
	CALL(linkat(file, "x", AT_FDCWD, "h", 0));
	CALL(linkat(dir, "f", AT_FDCWD, "h", AT_EMPTY_PATH));
	CALL(linkat(dir, "nowhere", AT_FDCWD, "h", 0));
	CALL(linkat(dir, "", AT_FDCWD, "h", AT_EMPTY_PATH));
	CALL(linkat(AT_FDCWD, "", AT_FDCWD, "h", AT_EMPTY_PATH));
	CALL(linkat(AT_FDCWD, "nowhere", AT_FDCWD, "h", AT_EMPTY_PATH));
	CALL(linkat(file, "/nowhere", AT_FDCWD, "h", AT_EMPTY_PATH));
	CALL(linkat(-1, "x", AT_FDCWD, "g", AT_EMPTY_PATH));
}

/* ---- O_DIRECT
 * ------------------------------------------------------------------------------------
 */

static void set_direct(int fd)
{
	CALL(fcntl(fd, F_SETFL, O_DIRECT));
	NOTE("direct: %d", (fcntl(fd, F_GETFL) & O_DIRECT) != 0);
	CALL(fcntl(fd, F_SETFL, 0));
}

CASE(direct_where_it_cannot_be)
{
	int fd = memfd_create("m", 0), pipes[2];
	char path[64];

	set_direct(fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	OK(open(path, O_RDWR | O_DIRECT));
	set_direct(OK(open(path, O_RDWR)));
	set_direct(OK(open("f", O_CREAT | O_RDWR, 0600)));
	set_direct(OK(open("/proc/self/maps", O_RDONLY)));
	OK(open("/proc/self/maps", O_RDONLY | O_DIRECT));
	set_direct(OK(open(".", O_RDONLY)));
	OK(open(".", O_RDONLY | O_DIRECT));
	set_direct(OK(open("/dev/null", O_RDWR)));
	OK(open("/dev/null", O_RDWR | O_DIRECT));
	CALL(pipe(pipes));
	set_direct(pipes[0]);
}

/* ---- SIGCONT and SIGSTOP of a tracee ----------------------------------------------------------
 */

static void pause_for_ever(void)
{
	for (;;)
		pause();
}

/* Until it sleeps or is stopped, and stays so. */
static void settle(pid_t pid)
{
	for (int still = 0; still < 10; sleep_ms(1))
		still = strchr("tTSZ", state_of(pid)) ? still + 1 : 0;
}

static void say_two(const char *what, pid_t pid)
{
	int status;

	for (int i = 0; i < 3; i++) {
		pid_t got;

		settle(pid);
		got = waitpid(pid, &status, __WALL | WNOHANG);
		if (got <= 0) {
			NOTE("%s: nothing more", what);
			return;
		}
		say_status(what, status);
		say_siginfo(what, pid);
	}
}

CASE(continued_with_a_stop)
{
	pid_t pid = traced(pause_for_ever);

	CALL(pt(PTRACE_CONT, pid, 0, 0));
	CALL(kill(pid, SIGCONT));
	say_two("sent SIGCONT", pid);
	CALL(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	say_two("continued with SIGSTOP", pid);
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	say_two("and so", pid);
	CALL(kill(pid, SIGCONT));
	say_two("SIGCONT again", pid);
	finish(pid);
}

CASE(stopped_and_continued_with_a_stop)
{
	pid_t pid = traced(pause_for_ever);

	CALL(kill(pid, SIGCONT));
	CALL(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	say_two("SIGCONT while stopped, SIGSTOP given", pid);
	CALL(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	say_two("SIGSTOP given again", pid);
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	say_two("nothing given", pid);
	finish(pid);
}

CASE(seized_and_continued_with_a_stop)
{
	pid_t pid = child(pause_for_ever);

	CALL(pt(PTRACE_SEIZE, pid, 0, 0));
	CALL(kill(pid, SIGCONT));
	say_two("SIGCONT", pid);
	CALL(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	say_two("SIGSTOP given", pid);
	CALL(kill(pid, SIGCONT));
	say_two("SIGCONT in the group stop", pid);
	CALL(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	say_two("SIGSTOP given again", pid);
	CALL(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	say_two("and again", pid);
	CALL(pt(PTRACE_LISTEN, pid, 0, 0));
	CALL(kill(pid, SIGCONT));
	say_two("SIGCONT to a listener", pid);
	CALL(pt(PTRACE_CONT, pid, 0, SIGSTOP));
	say_two("SIGSTOP given", pid);
	finish(pid);
}

/* More room than an int can count is none. */
CASE(listing_with_much_room)
{
	static const unsigned sizes[] = {0x7fffffff, 0x80000000, 0xffffffff};
	char room[1024];
	int fd;

	mkdir("d", 0755);
	for (int i = 0; i < 3; i++) {
		fd = open("d", O_RDONLY | O_DIRECTORY);
		CALL(SYS(SYS_getdents, fd, BAD_ADDRESS, sizes[i]));
		CALL(SYS(SYS_getdents64, fd, BAD_ADDRESS, sizes[i]));
		while (SYS(SYS_getdents64, fd, room, sizeof(room)) > 0)
			;
		CALL(SYS(SYS_getdents, fd, BAD_ADDRESS, sizes[i]));
		CALL(SYS(SYS_getdents64, fd, BAD_ADDRESS, sizes[i]));
		close(fd);
	}
	write_file("f", "text");
	CALL(SYS(SYS_getdents64, open("f", O_RDONLY), room, 0xffffffffu));
}

/* What a rename leaves belongs to who renamed, or to the directory's group. */
CASE(owner_of_a_whiteout)
{
	struct stat stat;

	own_mounts();
	mkdir("m", 0755);
	if (mount("t", "m", "tmpfs", 0, "mode=777") < 0)
		exit(9);
	become(1234);
	if (chdir("m") < 0)
		exit(9);
	write_file("f", "x");
	CALL(renameat2(AT_FDCWD, "f", AT_FDCWD, "g", RENAME_WHITEOUT));
	CALL(lstat("f", &stat));
	NOTE("%o %u %u %llx", stat.st_mode, stat.st_uid, stat.st_gid,
		(unsigned long long)stat.st_rdev);
	CALL(lstat("g", &stat));
	NOTE("%o %u %u", stat.st_mode, stat.st_uid, stat.st_gid);
}

/* Each page that vmsplice takes from fills a slot of the pipe, whatever it takes; the pipe's size
 * counts these. */
CASE(slots_of_vmsplice)
{
	static char pages[4 * 4096] __attribute__((aligned(4096)));
	struct iovec small[20], across = {pages + 4000, 200}, all = {pages, sizeof(pages)};
	struct pollfd poll_out;
	int fds[2], have;

	pipe(fds);
	poll_out = (struct pollfd){fds[1], POLLOUT, 0};
	for (int i = 0; i < 20; i++)
		small[i] = (struct iovec){pages + i, 1};
	CALL(vmsplice(fds[1], small, 3, 0));
	CALL(fcntl(fds[1], F_SETPIPE_SZ, 8192));
	CALL(fcntl(fds[1], F_SETPIPE_SZ, 16384));
	CALL(vmsplice(fds[1], small, 3, 0));
	CALL(poll(&poll_out, 1, 0));
	CALL(vmsplice(fds[1], small, 3, SPLICE_F_NONBLOCK));
	CALL(fcntl(fds[1], F_SETPIPE_SZ, 65536));
	CALL(vmsplice(fds[1], &across, 1, 0));
	CALL(vmsplice(fds[1], small, 20, 0));
	CALL(ioctl(fds[0], FIONREAD, &have));
	NOTE("%d", have);
	CALL(read(fds[0], pages, 6));
	CALL(vmsplice(fds[1], &all, 1, 0));
	CALL(fcntl(fds[1], F_SETPIPE_SZ, 4096));
	CALL(read(fds[0], pages, sizeof(pages)));
}

/* vmsplice does not look at O_NONBLOCK, nor stop at packets; a fault ends it at a page. */
CASE(flags_and_faults_of_vmsplice)
{
	char *pages =
		mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct iovec into = {pages, 100}, from = {pages + 4000, 8192},
		     far = {(void *)(1ul << 62), 1};
	int fds[2];

	munmap(pages + 8192, 4096);
	memset(pages, 'p', 8192);
	if (pipe2(fds, O_DIRECT | O_NONBLOCK) < 0)
		exit(9);
	CALL(vmsplice(fds[0], &into, 1, SPLICE_F_NONBLOCK));
	CALL(write(fds[1], "abcdef", 6));
	CALL(write(fds[1], "ghi", 3));
	CALL(vmsplice(fds[0], &into, 1, 0));
	NOTE("%.10s", pages);
	CALL(write(fds[1], "abcdef", 6));
	into.iov_len = 2;
	CALL(vmsplice(fds[0], &into, 1, 0));
	CALL(read(fds[0], pages, 100));
	CALL(vmsplice(fds[1], &from, 1, 0));
	CALL(read(fds[0], pages, 5000));
	CALL(vmsplice(fds[1], &far, 1, 0));
	close(fds[0]);
	signal(SIGPIPE, SIG_IGN);
	from.iov_len = 1;
	CALL(vmsplice(fds[1], &from, 1, 0));
}

/* Who asks for a descriptor's status by no name is not asked about other flags. */
CASE(status_of_a_descriptor_with_unknown_flags)
{
	static const int unknown[] = {0x1, 0x200, 0x8000, 0x6000, 0x40000000};
	struct stat stat;
	struct statx statx;
	int fd;

	write_file("f", "text");
	fd = open("f", O_RDONLY);
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		int flags = AT_EMPTY_PATH | unknown[i];

		CALL(SYS(SYS_newfstatat, fd, NULL, &stat, flags));
		CALL(SYS(SYS_newfstatat, fd, "", &stat, flags));
		CALL(SYS(SYS_newfstatat, fd, "f", &stat, flags));
		CALL(SYS(SYS_newfstatat, AT_FDCWD, "", &stat, flags));
		CALL(SYS(SYS_newfstatat, fd, BAD_ADDRESS, &stat, flags));
		CALL(SYS(SYS_newfstatat, fd, "", &stat, unknown[i]));
		CALL(SYS(SYS_newfstatat, 99, NULL, &stat, flags));
		CALL(SYS(SYS_statx, fd, NULL, flags, STATX_BASIC_STATS, &statx));
		CALL(SYS(SYS_statx, fd, "", flags, STATX_BASIC_STATS, &statx));
		CALL(SYS(SYS_statx, AT_FDCWD, "", flags, STATX_BASIC_STATS, &statx));
		CALL(SYS(SYS_statx, 99, NULL, flags, STATX_BASIC_STATS, &statx));
	}
}

/* How large a file may be comes before whether anything can be allocated for it. */
CASE(room_for_what_has_none)
{
	int fd = open("/proc/self/comm", O_RDWR);

	CALL(fallocate(fd, 0, 0, 1));
	CALL(fallocate(fd, 0, 0, 0x7fffffff));
	CALL(fallocate(fd, 0, 0, 0x80000000));
	CALL(fallocate(fd, 0, 0, LONG_MAX));
	CALL(fallocate(fd, 0, 1, LONG_MAX));
}
