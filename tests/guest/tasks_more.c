/* SPDX-License-Identifier: Apache-2.0 */
/* fork by its number, thread addresses, signals to threads, robust lists, bases of segments,
 * futexes moved. */
#include "case.h"

#include <asm/prctl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

static void fault_ends(int sig, siginfo_t *info, void *context)
{
	_exit(info->si_code == SEGV_MAPERR && info->si_addr == BAD_ADDRESS ? 42 : 43);
}

CASE(fork_by_number)
{
	pid_t pid = (pid_t)SYS(SYS_fork);

	if (pid == 0)
		_exit(3);
	TRUTH(pid > 0);
	note_wait("child", pid);
}

CASE(fork_ignores_arguments)
{
	pid_t pid = (pid_t)SYS(SYS_fork, -1, -1, -1, -1);

	if (pid == 0)
		_exit(4);
	note_wait("child", pid);
}

CASE(fork_copies_memory)
{
	volatile int value = 1;
	pid_t pid = (pid_t)SYS(SYS_fork);

	if (pid == 0) {
		value = 2;
		_exit(value);
	}
	note_wait("child", pid);
	NOTE("%d", value);
}

CASE(fork_beyond_the_limit)
{
	struct rlimit limit = {1, 1};

	if (geteuid() != 0)
		SKIP("needs root");
	if (setresuid(64999, 64999, 64999) < 0)
		_exit(97);
	CALL(setrlimit(RLIMIT_NPROC, &limit));
	CALL(SYS(SYS_fork));
}

CASE(set_tid_address_returns)
{
	static int word;

	TRUTH(SYS(SYS_set_tid_address, &word) == getpid());
	TRUTH(SYS(SYS_set_tid_address, NULL) == getpid());
}

CASE(set_tid_address_takes_anything)
{
	TRUTH(SYS(SYS_set_tid_address, BAD_ADDRESS) == getpid());
	TRUTH(SYS(SYS_set_tid_address, -1) == getpid());
}

CASE(arch_prctl_bases)
{
	unsigned long base = 0, other = 0;

	CALL(SYS(SYS_arch_prctl, ARCH_GET_FS, &base));
	TRUTH(base != 0);
	CALL(SYS(SYS_arch_prctl, ARCH_SET_FS, base));
	CALL(SYS(SYS_arch_prctl, ARCH_GET_GS, &other));
	NOTE("%lx", other);
	CALL(SYS(SYS_arch_prctl, ARCH_SET_GS, 0x12340000));
	CALL(SYS(SYS_arch_prctl, ARCH_GET_GS, &other));
	NOTE("%lx", other);
	CALL(SYS(SYS_arch_prctl, ARCH_SET_GS, 0));
}

CASE(arch_prctl_errors)
{
	CALL(SYS(SYS_arch_prctl, ARCH_GET_FS, BAD_ADDRESS));
	CALL(SYS(SYS_arch_prctl, ARCH_GET_GS, NULL));
	CALL(SYS(SYS_arch_prctl, ARCH_SET_FS, 1ul << 63));
	CALL(SYS(SYS_arch_prctl, ARCH_SET_GS, 1ul << 62));
	CALL(SYS(SYS_arch_prctl, 0x9999, 0));
}

CASE(arch_prctl_bases_are_inherited)
{
	unsigned long base = 0;
	pid_t pid;

	CALL(SYS(SYS_arch_prctl, ARCH_SET_GS, 0x56780000));
	pid = fork();
	if (pid == 0) {
		SYS(SYS_arch_prctl, ARCH_GET_GS, &base);
		NOTE("%lx", base);
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(tkill_errors)
{
	CALL(SYS(SYS_tkill, 0, 0));
	CALL(SYS(SYS_tkill, -1, 0));
	CALL(SYS(SYS_tkill, 0x7ffffff, 0));
	CALL(SYS(SYS_tkill, getpid(), 65));
	CALL(SYS(SYS_tkill, getpid(), -1));
	CALL(SYS(SYS_tkill, getpid(), 0));
}

CASE(tkill_says_so)
{
	uint64_t mask = 1ul << (SIGUSR1 - 1);
	siginfo_t info;

	SYS(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, 8);
	CALL(SYS(SYS_tkill, getpid(), SIGUSR1));
	CALL(SYS(SYS_rt_sigtimedwait, &mask, &info, NULL, 8));
	NOTE("code %d", info.si_code);
}

CASE(robust_list_size)
{
	char head[24] = {0};

	CALL(SYS(SYS_set_robust_list, head, 23));
	CALL(SYS(SYS_set_robust_list, head, 0));
	CALL(SYS(SYS_set_robust_list, BAD_ADDRESS, 25));
	CALL(SYS(SYS_set_robust_list, NULL, 24));
}

CASE(robust_list_is_told)
{
	unsigned long head = 7, size = 7;

	CALL(SYS(SYS_set_robust_list, 0x1000, 24));
	CALL(SYS(SYS_get_robust_list, 0, &head, &size));
	NOTE("%lx %lu", head, size);
	CALL(SYS(SYS_get_robust_list, getpid(), &head, &size));
	NOTE("%lx", head);
	CALL(SYS(SYS_set_robust_list, NULL, 24));
}

CASE(robust_list_errors)
{
	unsigned long head, size;

	CALL(SYS(SYS_get_robust_list, 0x7ffffff, &head, &size));
	CALL(SYS(SYS_get_robust_list, -1, &head, &size));
	CALL(SYS(SYS_get_robust_list, 0, BAD_ADDRESS, &size));
	CALL(SYS(SYS_get_robust_list, 0, &head, BAD_ADDRESS));
}

CASE(robust_list_of_a_child)
{
	unsigned long head = 0, size;
	pid_t pid = fork();
	int fds[2];

	pipe(fds);
	if (pid == 0) {
		pause();
		_exit(0);
	}
	CALL(SYS(SYS_get_robust_list, pid, &head, &size));
	kill(pid, SIGKILL);
	note_wait("child", pid);
	CALL(SYS(SYS_get_robust_list, pid, &head, &size));
}

struct waiter {
	uint64_t val, uaddr;
	uint32_t flags, reserved;
};

CASE(futex_requeue_nobody)
{
	static uint32_t a = 1, b = 2;
	struct waiter pair[2] = {{1, (uint64_t)&a, 0x82, 0}, {0, (uint64_t)&b, 0x82, 0}};

	CALL(SYS(456, pair, 0, 1, 1));
	pair[0].val = 5;
	CALL(SYS(456, pair, 0, 1, 1));
}

CASE(futex_requeue_errors)
{
	static uint32_t a = 1, b = 2;
	struct waiter pair[2] = {{1, (uint64_t)&a, 0x82, 0}, {0, (uint64_t)&b, 0x82, 0}};

	CALL(SYS(456, pair, 1, 1, 1));
	CALL(SYS(456, NULL, 0, 1, 1));
	CALL(SYS(456, BAD_ADDRESS, 0, 1, 1));
	CALL(SYS(456, pair, 0, -1, 1));
	pair[0].reserved = 1;
	CALL(SYS(456, pair, 0, 1, 1));
	pair[0].reserved = 0;
	pair[1].uaddr += 1;
	CALL(SYS(456, pair, 0, 1, 1));
}

static uint32_t first_word = 1, second_word = 2;

static void *wait_for_it(void *data)
{
	SYS(SYS_futex, &first_word, FUTEX_WAIT_PRIVATE, 1, NULL, NULL, 0);
	return data;
}

CASE(futex_requeue_moves)
{
	struct waiter pair[2] = {
		{1, (uint64_t)&first_word, 0x82, 0}, {0, (uint64_t)&second_word, 0x82, 0}};
	pthread_t thread;
	long moved;

	RC(pthread_create(&thread, NULL, wait_for_it, NULL));
	do {
		sleep_ms(1);
		moved = SYS(456, pair, 0, 0, 1);
	} while (moved == 0);
	NOTE("%ld", moved);
	CALL(SYS(SYS_futex, &first_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	CALL(SYS(SYS_futex, &second_word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0));
	RC(pthread_join(thread, NULL));
}

CASE(futex_order_of_errors)
{
	struct timespec bad = {0, -1};
	char *odd = (char *)&first_word + 2;

	CALL(SYS(SYS_futex, odd, 99, 1, NULL, NULL, 0));
	CALL(SYS(SYS_futex, odd, FUTEX_WAIT, 1, BAD_ADDRESS, NULL, 0));
	CALL(SYS(SYS_futex, odd, FUTEX_LOCK_PI, 1, BAD_ADDRESS, NULL, 0));
	CALL(SYS(SYS_futex, odd, FUTEX_WAIT, 1, &bad, NULL, 0));
	CALL(SYS(SYS_futex, &first_word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 1, &bad, NULL, 0));
	CALL(SYS(SYS_futex, &first_word, FUTEX_LOCK_PI | FUTEX_CLOCK_REALTIME, 1, NULL, NULL, 0));
	CALL(SYS(SYS_futex, odd, FUTEX_UNLOCK_PI, 0, NULL, NULL, 0));
	CALL(SYS(SYS_futex, &first_word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
	CALL(SYS(SYS_futex, odd, FUTEX_WAKE, 1, NULL, NULL, 0));
}

CASE(restart_syscall_of_nothing)
{
	CALL(SYS(SYS_restart_syscall));
	CALL(SYS(SYS_restart_syscall, 1, 2, 3));
}

CASE(setns_errors)
{
	int fd;

	write_file("f", "x");
	fd = open("f", O_RDONLY);
	CALL(SYS(SYS_setns, fd, 0));
	CALL(SYS(SYS_setns, 99, 0));
	CALL(SYS(SYS_setns, fd, CLONE_VM));
}

CASE(setns_of_pipes)
{
	int fds[2];

	pipe(fds);
	CALL(SYS(SYS_setns, fds[0], 0));
	CALL(SYS(SYS_setns, fds[0], CLONE_NEWUTS));
	CALL(SYS(SYS_setns, -1, CLONE_NEWUTS));
}

/* ---- what fuzzing found ---- */

CASE(waitid_clears_its_answer)
{
	siginfo_t info;

	memset(&info, 0x55, sizeof(info));
	CALL(waitid(P_ALL, 0, &info, WEXITED | WNOHANG));
	NOTE("%x %x %x %x", info.si_signo, info.si_code, info.si_pid, info.si_status);
	memset(&info, 0x55, sizeof(info));
	CALL(waitid(P_ALL, 0, &info, 0));
	NOTE("%x %x %x", info.si_signo, info.si_code, info.si_pid);
	memset(&info, 0x55, sizeof(info));
	CALL(waitid(99, 0, &info, WEXITED));
	NOTE("%x", info.si_signo);
	CALL(waitid(P_ALL, 0, BAD_ADDRESS, WEXITED));
}

CASE(timer_numbers_are_used_up)
{
	struct sigevent bad = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65},
			good = {.sigev_notify = SIGEV_NONE};
	int id = 77;

	CALL(SYS(SYS_timer_create, CLOCK_MONOTONIC, &good, &id));
	NOTE("%d", id);
	CALL(SYS(SYS_timer_create, CLOCK_MONOTONIC, &bad, &id));
	CALL(SYS(SYS_timer_create, CLOCK_MONOTONIC, &good, &id));
	NOTE("%d", id);
	CALL(SYS(SYS_timer_delete, id));
	CALL(SYS(SYS_timer_create, CLOCK_MONOTONIC, &good, &id));
	NOTE("%d", id);
	CALL(SYS(SYS_timer_create, 99, BAD_ADDRESS, &id));
}

CASE(pidfd_signal_flags)
{
	int fd = OK(SYS(434, getpid(), 0));

	CALL(SYS(424, 99, 0, NULL, 4));
	CALL(SYS(424, 99, 0, NULL, 8));
	CALL(SYS(424, 99, 0, NULL, 3));
	CALL(SYS(424, fd, 0, NULL, 2));
	CALL(SYS(424, fd, 0, NULL, 1));
	CALL(SYS(424, fd, 65, NULL, 0));
}

CASE(pidfd_signal_to_a_group)
{
	pid_t pid = fork();
	int fd;

	if (pid == 0) {
		setpgid(0, 0);
		pause();
		_exit(0);
	}
	setpgid(pid, pid);
	fd = OK(SYS(434, pid, 0));
	CALL(SYS(424, fd, SIGTERM, NULL, 4));
	note_wait("child", pid);
	CALL(SYS(424, fd, SIGTERM, NULL, 0));
}

CASE(socketpair_tells_before_it_makes)
{
	int fds[2] = {77, 77};

	CALL(SYS(SYS_socketpair, 1, 99, 0, fds));
	NOTE("%s", fds[0] == 77 ? "untouched" : "numbers");
	CALL(SYS(SYS_socketpair, 1, 99, 0, BAD_ADDRESS));
	CALL(SYS(SYS_socketpair, 0, 1, 0, BAD_ADDRESS));
	fds[0] = 77;
	CALL(SYS(SYS_socketpair, 1, 1 | 0x10, 0, fds));
	NOTE("%d", fds[0]);
}

CASE(accept4_order_of_errors)
{
	CALL(SYS(SYS_accept4, 99, NULL, NULL, 1));
	CALL(SYS(SYS_accept4, 0, NULL, NULL, 1));
	CALL(SYS(SYS_accept4, 0, NULL, NULL, 0));
}

CASE(write_hints_are_kept)
{
	uint64_t hint = 3;
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	CALL(fcntl(fd, 1036, &hint));
	hint = 77;
	CALL(fcntl(fd, 1035, &hint));
	NOTE("%lu", (unsigned long)hint);
	hint = 6;
	CALL(fcntl(fd, 1036, &hint));
	CALL(fcntl(fd, 1036, BAD_ADDRESS));
	CALL(fcntl(fd, 1035, BAD_ADDRESS));
}

CASE(owner_uids)
{
	uint32_t uids[2] = {7, 7};
	int fds[2];

	pipe(fds);
	CALL(fcntl(fds[0], 17, uids));
	NOTE("%u %u", uids[0], uids[1]);
	CALL(fcntl(fds[0], F_SETOWN, getpid()));
	CALL(fcntl(fds[0], 17, uids));
	TRUTH(uids[0] == getuid());
	CALL(fcntl(fds[0], 17, BAD_ADDRESS));
}

CASE(async_flag_needs_signals)
{
	int null = open("/dev/null", O_RDWR), fds[2];

	pipe(fds);
	CALL(fcntl(null, F_SETFL, O_ASYNC));
	CALL(fcntl(null, F_GETFL) & O_ASYNC);
	CALL(fcntl(fds[0], F_SETFL, O_ASYNC));
	CALL(fcntl(fds[0], F_GETFL) & O_ASYNC);
}

CASE(modes_of_pipes_and_sockets)
{
	struct stat st;
	int fds[2];

	pipe(fds);
	CALL(fchmod(fds[0], 0640));
	CALL(fstat(fds[1], &st));
	NOTE("%o", st.st_mode);
	CALL(fchmod(OK(SYS(SYS_eventfd, 0)), 0640));
}

CASE(signals_to_nobody_first)
{
	CALL(SYS(SYS_tgkill, 0x7ffffff, getpid(), -1));
	CALL(SYS(SYS_tgkill, getpid(), getpid(), -1));
	CALL(SYS(SYS_tkill, 0x7ffffff, 99));
	CALL(SYS(SYS_tkill, getpid(), 99));
	CALL(SYS(SYS_tgkill, 0, getpid(), 99));
	CALL(kill(0x7ffffff, -1));
	CALL(kill(getpid(), -1));
	CALL(kill(-0x7ffffff, 99));
}

CASE(owner_of_a_socket)
{
	int fds[2], who = getpid();

	SYS(SYS_socketpair, 1, 1, 0, fds);
	CALL(ioctl(fds[0], 0x8903, &who));
	NOTE("%d", who);
	who = getpid();
	CALL(ioctl(fds[0], 0x8902, &who));
	TRUTH(fcntl(fds[0], F_GETOWN) == getpid());
	who = 0x7ffffff;
	CALL(ioctl(fds[0], 0x8901, &who));
	CALL(ioctl(fds[0], 0x8901, BAD_ADDRESS));
	CALL(ioctl(0, 0x8903, &who));
}

CASE(direct_flag_of_what_has_no_cache)
{
	int null = open("/dev/null", O_RDWR), fds[2];

	pipe(fds);
	CALL(fcntl(null, F_SETFL, O_DIRECT));
	CALL(fcntl(fds[1], F_SETFL, O_DIRECT));
	CALL(fcntl(fds[1], F_GETFL) & O_DIRECT);
	SYS(SYS_socketpair, 1, 1, 0, fds);
	CALL(fcntl(fds[1], F_SETFL, O_DIRECT));
}

CASE(lock_questions)
{
	struct flock lock = {
		.l_type = 9, .l_whence = SEEK_SET, .l_start = 100, .l_len = 0x7fffffffffffffff};
	int fd = open("f", O_CREAT | O_RDWR, 0600), fds[2];

	CALL(fcntl(fd, F_GETLK, &lock));
	CALL(fcntl(fd, F_SETLK, &lock));
	lock.l_len = 1;
	CALL(fcntl(fd, F_SETLK, &lock));
	lock.l_type = F_UNLCK;
	CALL(fcntl(fd, F_GETLK, &lock));
	lock.l_type = F_WRLCK;
	lock.l_pid = 5;
	CALL(fcntl(fd, F_OFD_SETLK, &lock));
	pipe(fds);
	CALL(fcntl(fds[0], F_OFD_SETLK, &lock));
	CALL(SYS(SYS_flock, fd, 32));
	CALL(SYS(SYS_flock, 99, 32 | LOCK_SH));
}

CASE(copies_beyond_the_limit)
{
	struct rlimit limit = {1000, 1000};
	int fd = open("f", O_CREAT | O_RDWR, 0600), out = open("g", O_CREAT | O_RDWR, 0600);
	loff_t pos = 0, to = 1000;

	setrlimit(RLIMIT_FSIZE, &limit);
	signal(SIGXFSZ, SIG_IGN);
	CALL(SYS(SYS_copy_file_range, fd, &pos, out, &to, 10, 0));
	CALL(SYS(SYS_copy_file_range, fd, &pos, out, &to, 0, 0));
	to = 999;
	CALL(SYS(SYS_copy_file_range, fd, &pos, out, &to, 10, 0));
	signal(SIGXFSZ, SIG_DFL);
	to = 1000;
	CALL(SYS(SYS_copy_file_range, fd, &pos, out, &to, 10, 0));
}

CASE(faults_tell_more_than_the_limit)
{
	struct rlimit none = {0, 0};
	pid_t pid;

	setrlimit(RLIMIT_SIGPENDING, &none);
	pid = fork();
	if (pid == 0) {
		struct sigaction action = {.sa_sigaction = fault_ends, .sa_flags = SA_SIGINFO};

		sigaction(SIGSEGV, &action, NULL);
		*(volatile int *)BAD_ADDRESS = 1;
	}
	note_wait("child", pid);
}

CASE(zombies_are_no_stops)
{
	pid_t pid = fork();
	siginfo_t info;

	if (pid == 0)
		_exit(3);
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	CALL(waitid(P_PID, (id_t)pid, &info, WCONTINUED));
	CALL(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG));
	note_wait("child", pid);
}

CASE(pipes_open_for_neither)
{
	char name[40];
	int fds[2];

	pipe(fds);
	sprintf(name, "/proc/self/fd/%d", fds[0]);
	CALL(open(name, O_ACCMODE));
	mkfifo("p", 0600);
	CALL(open("p", O_ACCMODE));
}

static void *makes_a_child(void *arg)
{
	pid_t *child = arg;

	*child = fork();
	if (*child == 0) {
		usleep(1000);
		_exit(0);
	}
	for (;;)
		pause();
}

/* The thread that made a child ends with its process, while others of its threads are still on
 * their way: the child's end is told to who is left. */
CASE(maker_of_a_child_ends_with_its_process)
{
	for (int i = 0; i < 60; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			static pid_t children[4];
			pthread_t threads[4];

			for (int j = 0; j < 4; j++)
				pthread_create(&threads[j], NULL, makes_a_child, &children[j]);
			usleep((unsigned)(500 + i * 40));
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	NOTE("over");
}

/* ---- signals of timers ------------------------------------------------------------------------
 */

static void make_timer(int notify)
{
	struct sigevent event = {.sigev_notify = notify, .sigev_signo = SIGUSR1};
	timer_t timer;

	CALL(timer_create(CLOCK_MONOTONIC, &event, &timer));
}

CASE(timers_count_as_pending_signals)
{
	struct rlimit none = {0, 0};

	make_timer(SIGEV_SIGNAL);
	make_timer(3);
	setrlimit(RLIMIT_SIGPENDING, &none);
	make_timer(SIGEV_SIGNAL);
	make_timer(SIGEV_NONE);
	make_timer(3);
}
