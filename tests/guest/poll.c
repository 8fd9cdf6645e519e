/* SPDX-License-Identifier: Apache-2.0 */
/* poll(2), ppoll(2), select(2), pselect6(2) */
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/select.h>

#include "case.h"

static volatile sig_atomic_t got;

static void count_signal(int signo)
{
	got++;
}

static void alarm_soon(int flags)
{
	struct sigaction sa = {.sa_handler = count_signal, .sa_flags = flags};
	struct itimerval timer = {.it_value = {0, 20000}};

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

CASE(nothing_to_wait_for)
{
	long long start = now_ms();

	CALL(poll(NULL, 0, 0));
	CALL(poll(NULL, 0, 20));
	TRUTH(now_ms() - start >= 20);
	CALL(poll(BAD_ADDRESS, 0, 0));
	CALL(poll(BAD_ADDRESS, 1, 0));
}

CASE(bad_descriptors)
{
	struct pollfd p[3] = {{99, POLLIN, 7}, {-1, POLLIN, 7}, {-5, POLLOUT, 7}};

	CALL(poll(p, 3, -1));
	NOTE("%x %x %x", p[0].revents, p[1].revents, p[2].revents);
	CALL(poll(p + 1, 2, 10));
	NOTE("%x %x", p[1].revents, p[2].revents);
}

CASE(path_descriptor)
{
	struct pollfd p = {open(".", O_PATH), POLLIN, 0};

	CALL(poll(&p, 1, 0));
	NOTE("%x", p.revents);
}

CASE(too_many)
{
	static struct pollfd p[70];
	struct rlimit limit = {64, 64};

	for (int i = 0; i < 70; i++)
		p[i].fd = -1;
	OK(setrlimit(RLIMIT_NOFILE, &limit));
	CALL(poll(p, 64, 0));
	CALL(poll(p, 65, 0));
	CALL(poll(p, -1, 0));
}

CASE(regular_file_and_directory)
{
	struct pollfd p[2];

	p[0] = (struct pollfd){
		open("f", O_RDWR | O_CREAT, 0600), POLLIN | POLLOUT | POLLPRI | POLLRDNORM, 0};
	p[1] = (struct pollfd){open(".", O_RDONLY), POLLIN | POLLOUT, 0};
	CALL(poll(p, 2, 0));
	NOTE("%x %x", p[0].revents, p[1].revents);
}

CASE(dev_null)
{
	struct pollfd p = {open("/dev/null", O_RDWR), POLLIN | POLLOUT, 0};

	CALL(poll(&p, 1, 0));
	NOTE("%x", p.revents);
}

CASE(same_descriptor_twice)
{
	int ev = eventfd(1, 0);
	struct pollfd p[2] = {{ev, POLLIN, 0}, {ev, POLLOUT, 0}};

	CALL(poll(p, 2, -1));
	NOTE("%x %x", p[0].revents, p[1].revents);
}

CASE(is_woken)
{
	int fds[2];
	pid_t pid;
	struct pollfd p[2];

	OK(pipe(fds));
	pid = fork();
	if (pid == 0) {
		sleep_ms(30);
		_exit(write(fds[1], "x", 1) != 1);
	}
	p[0] = (struct pollfd){-1, POLLIN, 0};
	p[1] = (struct pollfd){fds[0], POLLIN, 0};
	CALL(poll(p, 2, 5000));
	NOTE("%x", p[1].revents);
	note_wait("child", pid);
}

CASE(interrupted)
{
	struct pollfd p = {eventfd(0, 0), POLLIN, 0};

	alarm_soon(0);
	CALL(poll(&p, 1, 5000));
	alarm_soon(SA_RESTART); /* poll is never restarted when a handler ran */
	CALL(poll(&p, 1, 5000));
	NOTE("signals %d", (int)got);
}

/* Without a handler it goes on after a stop. */
CASE(stopped_and_continued)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		long long start = now_ms();
		int r = poll(NULL, 0, 200);

		_exit(r == 0 && now_ms() - start >= 200 ? 0 : 1);
	}
	sleep_ms(30);
	OK(kill(pid, SIGSTOP));
	OK(waitpid(pid, &status, WUNTRACED));
	note_status("child", status);
	OK(kill(pid, SIGCONT));
	note_wait("child", pid);
}

CASE(ppoll_mask_and_time)
{
	struct pollfd p = {eventfd(0, 0), POLLIN, 0};
	struct timespec ts = {5, 0};
	sigset_t blocked, open;

	signal(SIGUSR1, count_signal);
	sigemptyset(&open);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	raise(SIGUSR1);
	CALL(SYS(SYS_ppoll, &p, 1, &ts, &open, 8));
	NOTE("signals %d", (int)got);
	TRUTH(ts.tv_sec == 4 || (ts.tv_sec == 5 && ts.tv_nsec == 0));
	ts = (struct timespec){0, 20000000};
	CALL(SYS(SYS_ppoll, &p, 1, &ts, NULL, 0));
	NOTE("left %lld %ld", (long long)ts.tv_sec, ts.tv_nsec);
	p.fd = eventfd(1, 0);
	ts = (struct timespec){5, 0};
	CALL(SYS(SYS_ppoll, &p, 1, &ts, NULL, 0));
	NOTE("left about %lld", (long long)ts.tv_sec + (ts.tv_nsec > 0));
}

CASE(ppoll_errors)
{
	struct pollfd p = {eventfd(0, 0), POLLIN, 0};
	struct timespec bad = {0, -1}, negative = {-1, 0}, good = {0, 0};
	sigset_t set;

	sigemptyset(&set);
	CALL(SYS(SYS_ppoll, &p, 1, &bad, NULL, 0));
	CALL(SYS(SYS_ppoll, &p, 1, &negative, NULL, 0));
	CALL(SYS(SYS_ppoll, &p, 1, BAD_ADDRESS, NULL, 0));
	CALL(SYS(SYS_ppoll, &p, 1, &good, &set, 16));
	CALL(SYS(SYS_ppoll, &p, 1, &good, BAD_ADDRESS, 8));
	CALL(SYS(SYS_ppoll, &p, 1, &good, NULL, 99));
}

/* ---- select ---- */

static void show_set(const char *name, const fd_set *set, int n)
{
	char text[65] = "";

	for (int i = 0; i < n; i++)
		text[i] = FD_ISSET(i, set) ? '1' : '0';
	NOTE("%s %s", name, text);
}

CASE(select_basic)
{
	int fds[2];
	fd_set in, out, ex;
	struct timeval tv = {0, 0};

	OK(pipe(fds));
	dup2(fds[0], 20);
	dup2(fds[1], 21);
	FD_ZERO(&in);
	FD_ZERO(&out);
	FD_ZERO(&ex);
	FD_SET(20, &in);
	FD_SET(21, &out);
	FD_SET(20, &ex);
	CALL(select(22, &in, &out, &ex, &tv));
	show_set("in", &in, 24);
	show_set("out", &out, 24);
	show_set("ex", &ex, 24);
	OK(write(21, "x", 1));
	FD_SET(20, &in);
	FD_SET(20, &ex);
	CALL(select(22, &in, &out, &ex, NULL));
	show_set("in", &in, 24);
	show_set("out", &out, 24);
}

/* Hang-up makes a pipe readable but does not end the wait of who asks for exceptions only. */
CASE(select_hangup)
{
	int fds[2];
	fd_set in, ex;
	struct timeval tv = {0, 20000};

	OK(pipe(fds));
	close(fds[1]);
	FD_ZERO(&in);
	FD_ZERO(&ex);
	FD_SET(fds[0], &ex);
	CALL(select(fds[0] + 1, NULL, NULL, &ex, &tv));
	FD_SET(fds[0], &in);
	CALL(select(fds[0] + 1, &in, NULL, NULL, NULL));
}

CASE(select_errors)
{
	fd_set set;
	struct timeval tv = {0, 0}, bad = {-1, 0}, bad_usec = {0, -1};

	FD_ZERO(&set);
	CALL(select(-1, &set, NULL, NULL, &tv));
	CALL(select(0, NULL, NULL, NULL, &bad));
	CALL(select(0, NULL, NULL, NULL, &bad_usec));
	CALL(select(1, BAD_ADDRESS, NULL, NULL, &tv));
	FD_SET(50, &set);
	CALL(select(51, &set, NULL, NULL, &tv));
	show_set("kept", &set, 52);
	CALL(select(50, &set, NULL, NULL, &tv));
	CALL(SYS(SYS_select, 0, NULL, NULL, NULL, BAD_ADDRESS));
}

CASE(select_time_left)
{
	struct timeval tv = {0, 1500000}, zero = {0, 0};
	fd_set set;
	int ev = eventfd(1, 0);

	FD_ZERO(&set);
	FD_SET(ev, &set);
	CALL(SYS(SYS_select, ev + 1, &set, NULL, NULL, &tv));
	TRUTH(tv.tv_sec == 1 && tv.tv_usec > 0 && tv.tv_usec <= 500000);
	tv = (struct timeval){0, 20000};
	CALL(SYS(SYS_select, 0, NULL, NULL, NULL, &tv));
	NOTE("%ld %ld", (long)tv.tv_sec, (long)tv.tv_usec);
	CALL(SYS(SYS_select, 0, NULL, NULL, NULL, &zero));
}

CASE(select_interrupted)
{
	struct timeval tv = {5, 0};

	alarm_soon(SA_RESTART);
	CALL(SYS(SYS_select, 0, NULL, NULL, NULL, &tv));
	NOTE("signals %d", (int)got);
	TRUTH(tv.tv_sec == 4);
}

CASE(pselect_mask)
{
	struct timespec ts = {5, 0}, bad = {0, 1000000000};
	sigset_t blocked, open;
	struct {
		const void *set;
		size_t size;
	} pack = {&open, 8}, bad_pack = {&open, 7};

	signal(SIGUSR1, count_signal);
	sigemptyset(&open);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	raise(SIGUSR1);
	CALL(SYS(SYS_pselect6, 0, NULL, NULL, NULL, &ts, &pack));
	NOTE("signals %d", (int)got);
	ts = (struct timespec){0, 10000000};
	CALL(SYS(SYS_pselect6, 0, NULL, NULL, NULL, &ts, &bad_pack));
	CALL(SYS(SYS_pselect6, 0, NULL, NULL, NULL, &bad, NULL));
	CALL(SYS(SYS_pselect6, 0, NULL, NULL, NULL, &ts, BAD_ADDRESS));
	CALL(SYS(SYS_pselect6, 0, NULL, NULL, NULL, &ts, NULL));
	NOTE("%lld %ld", (long long)ts.tv_sec, ts.tv_nsec);
}

CASE(closed_while_waiting)
{
	int fds[2];
	pid_t pid;
	struct pollfd p;

	OK(pipe(fds));
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		sleep_ms(30);
		_exit(0); /* the last writer goes */
	}
	close(fds[1]);
	p = (struct pollfd){fds[0], POLLIN, 0};
	CALL(poll(&p, 1, 5000));
	NOTE("%x", p.revents);
	note_wait("child", pid);
}
