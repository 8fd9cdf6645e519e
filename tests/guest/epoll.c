/* SPDX-License-Identifier: Apache-2.0 */
/* epoll(7) */
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "case.h"

static int control(int ep, int op, int fd, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.u64 = (uint64_t)fd * 1000 + 7};

	return epoll_ctl(ep, op, fd, &e);
}

static void show(int ep, int max, int timeout)
{
	struct epoll_event e[8];
	int n = epoll_wait(ep, e, max, timeout);

	NOTE("wait = %d%s%s", n, n < 0 ? " " : "", n < 0 ? errno_name(errno) : "");
	for (int i = 0; i < n; i++)
		NOTE("  %x data %llu", e[i].events, (unsigned long long)e[i].data.u64);
}

static void bump(int fd)
{
	uint64_t one = 1;

	OK(write(fd, &one, 8));
}

static void drain(int fd)
{
	uint64_t value;

	OK(read(fd, &value, 8));
}

CASE(create)
{
	int fd;

	CALL(epoll_create(0));
	CALL(epoll_create(-1));
	CALL(epoll_create1(2));
	fd = OK(epoll_create1(EPOLL_CLOEXEC));
	NOTE("%d", fcntl(fd, F_GETFD));
	fd = OK(epoll_create(1));
	NOTE("%d %o", fcntl(fd, F_GETFD), fcntl(fd, F_GETFL));
}

CASE(control_errors)
{
	int ep = epoll_create1(0), ev = eventfd(0, 0), file = open(".", O_RDONLY);
	int regular = open("r", O_RDWR | O_CREAT, 0600);

	CALL(control(ep, EPOLL_CTL_ADD, file, EPOLLIN));
	CALL(control(ep, EPOLL_CTL_ADD, regular, EPOLLIN));
	CALL(control(ep, EPOLL_CTL_ADD, ep, EPOLLIN));
	CALL(control(ep, EPOLL_CTL_ADD, 99, EPOLLIN));
	CALL(control(99, EPOLL_CTL_ADD, ev, EPOLLIN));
	CALL(control(ev, EPOLL_CTL_ADD, ep, EPOLLIN));
	CALL(control(ep, 9, ev, EPOLLIN));
	CALL(control(ep, EPOLL_CTL_MOD, ev, EPOLLIN));
	CALL(control(ep, EPOLL_CTL_DEL, ev, 0));
	CALL(control(ep, EPOLL_CTL_ADD, ev, EPOLLIN));
	CALL(control(ep, EPOLL_CTL_ADD, ev, EPOLLIN));
	CALL(epoll_ctl(ep, EPOLL_CTL_MOD, ev, NULL));
	CALL(epoll_ctl(ep, EPOLL_CTL_MOD, ev, BAD_ADDRESS));
	CALL(epoll_ctl(ep, EPOLL_CTL_DEL, ev, NULL));
}

CASE(wait_errors)
{
	int ep = epoll_create1(0), ev = eventfd(1, 0);
	struct epoll_event e;

	CALL(epoll_wait(ep, &e, 0, 0));
	CALL(epoll_wait(ep, &e, -1, 0));
	CALL(epoll_wait(ep, &e, 0x7fffffff, 0));
	CALL(epoll_wait(ev, &e, 1, 0));
	CALL(epoll_wait(99, &e, 1, 0));
	OK(control(ep, EPOLL_CTL_ADD, ev, EPOLLIN));
	CALL(epoll_wait(ep, BAD_ADDRESS, 1, 0));
	CALL(epoll_wait(ep, &e, 1, 0));
}

CASE(level)
{
	int ep = epoll_create1(0), ev = eventfd(0, 0);

	OK(control(ep, EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLOUT));
	show(ep, 8, 0);
	bump(ev);
	show(ep, 8, 0);
	show(ep, 8, 0);
	drain(ev);
	show(ep, 8, 0);
	OK(control(ep, EPOLL_CTL_MOD, ev, EPOLLIN));
	show(ep, 8, 0);
}

CASE(edge_eventfd)
{
	int ep = epoll_create1(0), ev = eventfd(0, 0);

	OK(control(ep, EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLET));
	show(ep, 8, 0);
	bump(ev);
	show(ep, 8, 0);
	show(ep, 8, 0);
	bump(ev);
	show(ep, 8, 0);
	OK(control(ep, EPOLL_CTL_MOD, ev, EPOLLIN | EPOLLET));
	show(ep, 8, 0);
	show(ep, 8, 0);
}

CASE(edge_pipe_reader)
{
	int ep = epoll_create1(0), p[2];
	char c;

	OK(pipe(p));
	OK(control(ep, EPOLL_CTL_ADD, p[0], EPOLLIN | EPOLLET));
	OK(write(p[1], "a", 1));
	show(ep, 8, 0);
	OK(write(p[1], "b", 1)); /* a new edge although it was readable */
	show(ep, 8, 0);
	show(ep, 8, 0);
	OK(read(p[0], &c, 1));
	show(ep, 8, 0);
	close(p[1]);
	show(ep, 8, 0);
	show(ep, 8, 0);
}

CASE(edge_pipe_writer)
{
	static char big[70000];
	int ep = epoll_create1(0), p[2];

	OK(pipe2(p, O_NONBLOCK));
	OK(control(ep, EPOLL_CTL_ADD, p[1], EPOLLOUT | EPOLLET));
	show(ep, 8, 0);
	OK(write(p[1], "a", 1));
	show(ep, 8, 0);
	OK(write(p[1], big, sizeof(big)));
	show(ep, 8, 0);
	OK(read(p[0], big, 100)); /* no slot is free yet */
	show(ep, 8, 0);
	OK(read(p[0], big, 60000));
	show(ep, 8, 0);
	OK(read(p[0], big, 1000));
	show(ep, 8, 0);
	close(p[0]);
	show(ep, 8, 0);
}

CASE(oneshot)
{
	int ep = epoll_create1(0), ev = eventfd(1, 0);

	OK(control(ep, EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLONESHOT));
	show(ep, 8, 0);
	show(ep, 8, 0);
	bump(ev);
	show(ep, 8, 0);
	OK(control(ep, EPOLL_CTL_MOD, ev, EPOLLIN | EPOLLONESHOT));
	show(ep, 8, 0);
	show(ep, 8, 0);
	OK(control(ep, EPOLL_CTL_DEL, ev, 0));
}

CASE(oneshot_hangup)
{
	int ep = epoll_create1(0), p[2];

	OK(pipe(p));
	OK(control(ep, EPOLL_CTL_ADD, p[0], EPOLLONESHOT));
	close(p[1]);
	show(ep, 8, 0);
	show(ep, 8, 0);
}

CASE(hangup_without_asking)
{
	int ep = epoll_create1(0), p[2];

	OK(pipe(p));
	OK(control(ep, EPOLL_CTL_ADD, p[0], 0));
	show(ep, 8, 0);
	close(p[1]);
	show(ep, 8, 0);
	OK(pipe(p));
	OK(control(ep, EPOLL_CTL_ADD, p[1], EPOLLIN));
	close(p[0]);
	show(ep, 8, 0);
}

CASE(rdhup)
{
	int ep = epoll_create1(0), s[2];

	OK(socketpair(AF_UNIX, SOCK_STREAM, 0, s));
	OK(control(ep, EPOLL_CTL_ADD, s[0], EPOLLIN | EPOLLRDHUP));
	show(ep, 8, 0);
	OK(shutdown(s[1], SHUT_WR));
	show(ep, 8, 0);
	close(s[1]);
	show(ep, 8, 0);
}

CASE(takes_turns)
{
	int ep = epoll_create1(0);

	for (int i = 0; i < 4; i++)
		OK(control(ep, EPOLL_CTL_ADD, eventfd(1, 0), EPOLLIN));
	for (int i = 0; i < 5; i++)
		show(ep, 1, 0);
	show(ep, 3, 0);
	show(ep, 3, 0);
}

CASE(closed_files_leave)
{
	int ep = epoll_create1(0), ev = eventfd(1, 0), copy = dup(ev);

	OK(control(ep, EPOLL_CTL_ADD, ev, EPOLLIN));
	show(ep, 8, 0);
	close(ev); /* the file lives on in its copy, and so does the interest */
	show(ep, 8, 0);
	CALL(control(ep, EPOLL_CTL_DEL, ev, 0));
	close(copy);
	show(ep, 8, 0);
}

CASE(same_file_two_numbers)
{
	int ep = epoll_create1(0), ev = eventfd(1, 0), copy = dup(ev);

	OK(control(ep, EPOLL_CTL_ADD, ev, EPOLLIN));
	OK(control(ep, EPOLL_CTL_ADD, copy, EPOLLIN));
	show(ep, 8, 0);
	OK(control(ep, EPOLL_CTL_DEL, ev, 0));
	show(ep, 8, 0);
}

CASE(nested)
{
	int in = epoll_create1(0), out = epoll_create1(0), ev = eventfd(0, 0);
	struct pollfd p = {out, POLLIN, 0};

	OK(control(in, EPOLL_CTL_ADD, ev, EPOLLIN));
	OK(control(out, EPOLL_CTL_ADD, in, EPOLLIN));
	CALL(control(in, EPOLL_CTL_ADD, out, EPOLLIN));
	show(out, 8, 0);
	bump(ev);
	CALL(poll(&p, 1, 0));
	NOTE("%x", p.revents);
	show(out, 8, 0);
	show(in, 8, 0);
	drain(ev);
	CALL(poll(&p, 1, 0));
	show(out, 8, 0);
}

CASE(nested_edge)
{
	int in = epoll_create1(0), out = epoll_create1(0), ev = eventfd(0, 0);

	OK(control(in, EPOLL_CTL_ADD, ev, EPOLLIN));
	OK(control(out, EPOLL_CTL_ADD, in, EPOLLIN | EPOLLET));
	bump(ev);
	show(out, 8, 0);
	show(out, 8, 0);
	bump(ev);
	show(out, 8, 0);
	show(in, 8, 0);
	show(out, 8, 0);
}

CASE(nested_depth)
{
	int ep[8];

	for (int i = 0; i < 8; i++)
		ep[i] = epoll_create1(0);
	for (int i = 1; i < 8; i++)
		CALL(control(ep[i], EPOLL_CTL_ADD, ep[i - 1], EPOLLIN));
	CALL(control(ep[0], EPOLL_CTL_ADD, ep[2], EPOLLIN));
}

CASE(exclusive_rules)
{
	int ep = epoll_create1(0), ev = eventfd(0, 0), other = epoll_create1(0);

	CALL(control(ep, EPOLL_CTL_ADD, ev, EPOLLEXCLUSIVE | EPOLLIN | EPOLLONESHOT));
	CALL(control(ep, EPOLL_CTL_ADD, ev, EPOLLEXCLUSIVE | EPOLLIN | EPOLLRDHUP));
	CALL(control(ep, EPOLL_CTL_ADD, other, EPOLLEXCLUSIVE | EPOLLIN));
	CALL(control(ep, EPOLL_CTL_ADD, ev, EPOLLEXCLUSIVE | EPOLLIN | EPOLLET));
	CALL(control(ep, EPOLL_CTL_MOD, ev, EPOLLIN));
	CALL(control(ep, EPOLL_CTL_MOD, ev, EPOLLEXCLUSIVE | EPOLLIN));
	CALL(control(ep, EPOLL_CTL_DEL, ev, EPOLLEXCLUSIVE));
}

CASE(wait_is_woken)
{
	int ep = epoll_create1(0), ev = eventfd(0, 0);
	pid_t pid;

	OK(control(ep, EPOLL_CTL_ADD, ev, EPOLLIN));
	pid = fork();
	if (pid == 0) {
		uint64_t one = 1;

		sleep_ms(30);
		_exit(write(ev, &one, 8) != 8);
	}
	show(ep, 8, 5000);
	note_wait("child", pid);
}

CASE(wait_times_out)
{
	int ep = epoll_create1(0);
	long long start = now_ms();

	show(ep, 8, 30);
	TRUTH(now_ms() - start >= 30);
	TRUTH(now_ms() - start < 2000);
}

static volatile sig_atomic_t got;

static void count_signal(int signo)
{
	got++;
}

/* signal(7): epoll_wait is never restarted. */
CASE(wait_is_interrupted)
{
	struct sigaction sa = {.sa_handler = count_signal, .sa_flags = SA_RESTART};
	struct itimerval timer = {.it_value = {0, 20000}};
	int ep = epoll_create1(0);

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	show(ep, 8, 5000);
	NOTE("signals %d", (int)got);
}

CASE(pwait_mask)
{
	int ep = epoll_create1(0);
	struct epoll_event e;
	sigset_t blocked, open;

	signal(SIGUSR1, count_signal);
	sigemptyset(&open);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	raise(SIGUSR1);
	NOTE("signals %d", (int)got);
	CALL(epoll_pwait(ep, &e, 1, 5000, &open));
	NOTE("signals %d", (int)got);
	sigprocmask(SIG_SETMASK, NULL, &open);
	NOTE("blocked again %d", sigismember(&open, SIGUSR1));
	CALL(SYS(SYS_epoll_pwait, ep, &e, 1, 0, &open, 4));
	CALL(SYS(SYS_epoll_pwait, ep, &e, 1, 0, NULL, 4));
	CALL(SYS(SYS_epoll_pwait, ep, &e, 1, 0, BAD_ADDRESS, 8));
}

CASE(pwait2_timeout)
{
	int ep = epoll_create1(0);
	struct epoll_event e;
	struct timespec ts = {0, 20000000}, bad = {0, 1000000000};

	CALL(SYS(SYS_epoll_pwait2, ep, &e, 1, &ts, NULL, 0));
	CALL(SYS(SYS_epoll_pwait2, ep, &e, 1, &bad, NULL, 0));
	CALL(SYS(SYS_epoll_pwait2, ep, &e, 1, BAD_ADDRESS, NULL, 0));
}

CASE(one_event_one_waiter)
{
	int ep = epoll_create1(0), ev = eventfd(0, 0), done[2], woken = 0;
	struct epoll_event e;
	char c;

	OK(pipe2(done, O_NONBLOCK));
	OK(control(ep, EPOLL_CTL_ADD, ev, EPOLLIN | EPOLLET));
	for (int i = 0; i < 3; i++) {
		if (fork() == 0) {
			if (epoll_wait(ep, &e, 1, 400) == 1)
				_exit(write(done[1], "w", 1) != 1);
			_exit(0);
		}
	}
	sleep_ms(150);
	bump(ev);
	while (wait(NULL) > 0)
		;
	while (read(done[0], &c, 1) == 1)
		woken++;
	NOTE("%d woken", woken);
}

CASE(inherited_by_fork)
{
	int ep = epoll_create1(0), ev = eventfd(1, 0);
	pid_t pid;

	OK(control(ep, EPOLL_CTL_ADD, ev, EPOLLIN));
	pid = fork();
	if (pid == 0) {
		show(ep, 8, 0);
		_exit(0);
	}
	note_wait("child", pid);
	close(ev);
	show(ep, 8, 0);
}

CASE(not_a_stream)
{
	int ep = epoll_create1(0);
	char c;

	CALL(read(ep, &c, 1));
	CALL(write(ep, &c, 1));
	CALL(lseek(ep, 0, SEEK_SET));
}
