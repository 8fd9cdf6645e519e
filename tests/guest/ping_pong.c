/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two sides that wait for each other, through each kind of object that can wake: in processes and
 * in threads, one pair and many at a time. Each side counts what it hands on, so a lost, a doubled
 * or an overtaken wake-up shows, as a wrong sum or as the alarm.
 */
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <termios.h>

#include "case.h"

#define ROUNDS	    600
#define PAIRS	    12
#define PAIR_ROUNDS 80

enum waiting { BY_READ, BY_POLL, BY_EPOLL, BY_SPINNING };

struct side {
	int in, out;
	enum waiting waiting;
	long rounds;
	bool first;
	uint64_t sum;
};

static void wait_readable(const struct side *side, int epoll_fd)
{
	struct pollfd pollfd = {.fd = side->in, .events = POLLIN};
	struct epoll_event event;

	switch (side->waiting) {
	case BY_READ:
		break;
	case BY_POLL:
		poll(&pollfd, 1, -1);
		break;
	case BY_EPOLL:
		epoll_wait(epoll_fd, &event, 1, -1);
		break;
	case BY_SPINNING:
		while (poll(&pollfd, 1, 0) == 0)
			sched_yield();
		break;
	}
}

static void play(struct side *side)
{
	struct epoll_event event = {.events = EPOLLIN};
	uint64_t value = 1;
	int epoll_fd = -1;

	if (side->waiting == BY_EPOLL) {
		epoll_fd = epoll_create1(0);
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, side->in, &event);
	}
	for (long round = 0; round < side->rounds; round++) {
		if ((!side->first || round > 0)) {
			wait_readable(side, epoll_fd);
			if (read(side->in, &value, sizeof(value)) != sizeof(value))
				break;
			side->sum += value;
			value++;
		}
		if (write(side->out, &value, sizeof(value)) != sizeof(value))
			break;
	}
	close(epoll_fd);
}

static void *play_thread(void *arg)
{
	play(arg);
	return NULL;
}

/* The kinds of object; each makes the descriptors of both sides. */
static void make_pipes(struct side sides[2])
{
	int there[2], back[2];

	pipe(there);
	pipe(back);
	sides[0].in = back[0];
	sides[0].out = there[1];
	sides[1].in = there[0];
	sides[1].out = back[1];
}

static void make_sockets(struct side sides[2], int type)
{
	int pair[2];

	socketpair(AF_UNIX, type, 0, pair);
	for (int i = 0; i < 2; i++)
		sides[i].in = sides[i].out = pair[i];
}

static void make_stream(struct side sides[2])
{
	make_sockets(sides, SOCK_STREAM);
}

static void make_datagram(struct side sides[2])
{
	make_sockets(sides, SOCK_DGRAM);
}

static void make_seqpacket(struct side sides[2])
{
	make_sockets(sides, SOCK_SEQPACKET);
}

static void make_eventfds(struct side sides[2])
{
	int there = eventfd(0, 0), back = eventfd(0, 0);

	sides[0].in = sides[1].out = back;
	sides[0].out = sides[1].in = there;
}

static void make_pty(struct side sides[2])
{
	int master = posix_openpt(O_RDWR | O_NOCTTY), slave;
	struct termios termios;

	grantpt(master);
	unlockpt(master);
	slave = open(ptsname(master), O_RDWR | O_NOCTTY);
	tcgetattr(slave, &termios);
	cfmakeraw(&termios);
	termios.c_cc[VMIN] = sizeof(uint64_t);
	tcsetattr(slave, TCSANOW, &termios);
	sides[0].in = sides[0].out = master;
	sides[1].in = sides[1].out = slave;
}

typedef void maker(struct side sides[2]);

static void processes(maker *make, enum waiting waiting, int pairs, long rounds)
{
	struct side sides[PAIRS][2] = {0};
	uint64_t total = 0;
	pid_t pids[PAIRS];
	int status;

	for (int i = 0; i < pairs; i++) {
		make(sides[i]);
		sides[i][0].first = true;
		for (int s = 0; s < 2; s++) {
			sides[i][s].waiting = waiting;
			sides[i][s].rounds = rounds;
		}
	}
	for (int i = 0; i < pairs; i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			play(&sides[i][1]);
			_exit(sides[i][1].sum == (uint64_t)rounds * (uint64_t)rounds ? 0 : 1);
		}
	}
	/* All pairs at once: each has a process for its first side too, but one. */
	for (int i = 1; i < pairs; i++) {
		if (fork() == 0) {
			play(&sides[i][0]);
			_exit(0);
		}
	}
	play(&sides[0][0]);
	NOTE("sum %llu", (unsigned long long)sides[0][0].sum);
	for (int i = 0; i < pairs; i++) {
		waitpid(pids[i], &status, 0);
		total += (uint64_t)status;
	}
	while (wait(&status) > 0)
		total += (uint64_t)status;
	NOTE("statuses %llu", (unsigned long long)total);
}

static void threads(maker *make, enum waiting waiting, int pairs, long rounds)
{
	struct side sides[PAIRS][2] = {0};
	pthread_t ids[PAIRS][2];
	uint64_t total = 0;

	for (int i = 0; i < pairs; i++) {
		make(sides[i]);
		sides[i][0].first = true;
		for (int s = 0; s < 2; s++) {
			sides[i][s].waiting = waiting;
			sides[i][s].rounds = rounds;
			pthread_create(&ids[i][s], NULL, play_thread, &sides[i][s]);
		}
	}
	for (int i = 0; i < pairs; i++) {
		for (int s = 0; s < 2; s++) {
			pthread_join(ids[i][s], NULL);
			total += sides[i][s].sum;
		}
	}
	NOTE("sum %llu", (unsigned long long)total);
}

#define KIND(kind)                                                                                 \
	CASE(kind##_processes)                                                                     \
	{                                                                                          \
		processes(make_##kind, BY_READ, 1, ROUNDS);                                        \
	}                                                                                          \
	CASE(kind##_threads)                                                                       \
	{                                                                                          \
		threads(make_##kind, BY_READ, 1, ROUNDS);                                          \
	}                                                                                          \
	CASE(kind##_poll)                                                                          \
	{                                                                                          \
		processes(make_##kind, BY_POLL, 1, ROUNDS);                                        \
	}                                                                                          \
	CASE(kind##_epoll)                                                                         \
	{                                                                                          \
		processes(make_##kind, BY_EPOLL, 1, ROUNDS);                                       \
	}                                                                                          \
	CASE(kind##_many)                                                                          \
	{                                                                                          \
		processes(make_##kind, BY_READ, PAIRS, PAIR_ROUNDS);                               \
		threads(make_##kind, BY_EPOLL, PAIRS, PAIR_ROUNDS);                                \
	}

KIND(pipes)
KIND(stream)
KIND(datagram)
KIND(seqpacket)
KIND(eventfds)
KIND(pty)

/* Both sides stay awake: many calls that need not wait, more threads than CPUs. */
CASE(spinning)
{
	processes(make_pipes, BY_SPINNING, 1, PAIR_ROUNDS);
	threads(make_stream, BY_SPINNING, 4, PAIR_ROUNDS);
}

/* A chain: what each passes on wakes the next. */
CASE(ring)
{
	struct side sides[PAIRS] = {0};
	int pipes[PAIRS][2];
	uint64_t value = 1;
	int status;

	for (int i = 0; i < PAIRS; i++)
		pipe(pipes[i]);
	for (int i = 1; i < PAIRS; i++) {
		sides[i] = (struct side){
			.in = pipes[i - 1][0], .out = pipes[i][1], .rounds = PAIR_ROUNDS};
		if (fork() == 0) {
			play(&sides[i]);
			_exit(0);
		}
	}
	for (int i = 0; i < PAIR_ROUNDS; i++) {
		write(pipes[0][1], &value, sizeof(value));
		read(pipes[PAIRS - 1][0], &value, sizeof(value));
	}
	NOTE("value %llu", (unsigned long long)value);
	while (wait(&status) > 0)
		NOTE("status %d", status);
}

/* Short sleeps between quick calls: the other side is asleep now and awake then. */
CASE(with_pauses)
{
	struct side sides[2] = {0};
	uint64_t value = 1, sum = 0;
	pid_t pid;

	make_stream(sides);
	sides[1].rounds = 400;
	pid = fork();
	if (pid == 0) {
		play(&sides[1]);
		_exit(0);
	}
	for (int i = 0; i < 400; i++) {
		if (i % 16 == 0)
			usleep((useconds_t)(i / 16 * 20));
		write(sides[0].out, &value, sizeof(value));
		read(sides[0].in, &value, sizeof(value));
		sum += value;
	}
	NOTE("sum %llu", (unsigned long long)sum);
	note_wait("child", pid);
}

/* A periodic timer wakes one side, which wakes the other. */
CASE(timer_drives)
{
	struct itimerspec spec = {.it_interval.tv_nsec = 300000, .it_value.tv_nsec = 300000};
	struct side sides[2] = {0};
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	uint64_t value = 1, ticks;
	pid_t pid;

	make_eventfds(sides);
	sides[1].rounds = 100;
	pid = fork();
	if (pid == 0) {
		play(&sides[1]);
		_exit(0);
	}
	timerfd_settime(timer, 0, &spec, NULL);
	for (int i = 0; i < 100; i++) {
		read(timer, &ticks, sizeof(ticks));
		write(sides[0].out, &value, sizeof(value));
		read(sides[0].in, &value, sizeof(value));
	}
	NOTE("value %llu", (unsigned long long)value);
	note_wait("child", pid);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int signo)
{
	(void)signo;
	alarms++;
}

/* Signals all the time, to a side that is mostly waiting. */
CASE(under_signals)
{
	const struct itimerval often = {.it_interval.tv_usec = 500, .it_value.tv_usec = 500};
	const struct itimerval never = {0};
	struct sigaction action = {.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct side sides[2] = {0};
	pid_t pid;

	make_pipes(sides);
	sides[0].first = true;
	sides[0].rounds = sides[1].rounds = 2000;
	pid = fork();
	if (pid == 0) {
		play(&sides[1]);
		_exit(0);
	}
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	play(&sides[0]);
	setitimer(ITIMER_REAL, &never, NULL);
	NOTE("sum %llu", (unsigned long long)sides[0].sum);
	note_wait("child", pid);
}
