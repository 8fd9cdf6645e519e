/* SPDX-License-Identifier: Apache-2.0 */
/* Interrupted: calls that wait for descriptors, children, futexes, time, messages, signals. See
 * restart.h. */
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>

#include "restart.h"

static void setup_nothing(void)
{
}

/* ---- waiting for descriptors ---- */

static long poll_a(void)
{
	struct pollfd fd = {.fd = a, .events = POLLIN};

	return poll(&fd, 1, -1);
}

static long poll_a_timed(void)
{
	struct pollfd fd = {.fd = a, .events = POLLIN};

	return poll(&fd, 1, TIMEOUT_MS);
}

static long ppoll_a(void)
{
	struct pollfd fd = {.fd = a, .events = POLLIN};
	struct timespec time = {.tv_nsec = TIMEOUT_MS * 1000000l};
	sigset_t none;

	sigemptyset(&none);
	return ppoll(&fd, 1, &time, &none);
}

static long select_a(void)
{
	fd_set set;

	FD_ZERO(&set);
	FD_SET(a, &set);
	return select(a + 1, &set, NULL, NULL, NULL);
}

static long select_a_timed(void)
{
	struct timeval time = {.tv_usec = TIMEOUT_MS * 1000};
	fd_set set;

	FD_ZERO(&set);
	FD_SET(a, &set);
	return select(a + 1, &set, NULL, NULL, &time);
}

static long pselect_a(void)
{
	sigset_t none;
	fd_set set;

	sigemptyset(&none);
	FD_ZERO(&set);
	FD_SET(a, &set);
	return pselect(a + 1, &set, NULL, NULL, NULL, &none);
}

static void make_epoll(void)
{
	struct epoll_event event = {.events = EPOLLIN};

	make_pipe();
	c = epoll_create1(0);
	epoll_ctl(c, EPOLL_CTL_ADD, a, &event);
}

static long epoll_c(void)
{
	struct epoll_event event;

	return epoll_wait(c, &event, 1, -1);
}

static long epoll_c_timed(void)
{
	struct epoll_event event;

	return epoll_wait(c, &event, 1, TIMEOUT_MS);
}

static long epoll_pwait2_c(void)
{
	struct timespec time = {.tv_nsec = TIMEOUT_MS * 1000000l};
	struct epoll_event event;

	return SYS(441 /* epoll_pwait2 */, c, &event, 1, &time, NULL, 8);
}

ROW(poll_forever, make_pipe, poll_a, write_b)
ROW(poll_timed, make_pipe, poll_a_timed, NULL)
ROW(ppoll_timed, make_pipe, ppoll_a, NULL)
ROW(select_forever, make_pipe, select_a, write_b)
ROW(select_timed, make_pipe, select_a_timed, NULL)
ROW(pselect_forever, make_pipe, pselect_a, write_b)
ROW(epoll_wait_forever, make_epoll, epoll_c, write_b)
ROW(epoll_wait_timed, make_epoll, epoll_c_timed, NULL)
ROW(epoll_pwait2_timed, make_epoll, epoll_pwait2_c, NULL)

/* ---- children ---- */

static void make_child(void)
{
	fflush(stdout);
	other = fork();
	if (other == 0)
		for (;;)
			pause();
}

static long wait4_other(void)
{
	return wait4(other, NULL, 0, NULL) == other ? 0 : -1;
}

static long waitid_other(void)
{
	siginfo_t info;

	return waitid(P_PID, (id_t)other, &info, WEXITED | WNOWAIT);
}

ROW(wait4_child, make_child, wait4_other, kill_other)
ROW(waitid_child, make_child, waitid_other, kill_other)

/* ---- futexes ---- */

static long futex(int operation, int value, const struct timespec *time)
{
	return SYS(SYS_futex, &shared->word, operation, value, time, NULL, ~0u);
}

static long futex_forever(void)
{
	return futex(FUTEX_WAIT, 0, NULL);
}

static long futex_timed(void)
{
	struct timespec time = {.tv_nsec = TIMEOUT_MS * 1000000l};

	return futex(FUTEX_WAIT, 0, &time);
}

static long futex_absolute(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_nsec += TIMEOUT_MS * 1000000l;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return futex(FUTEX_WAIT_BITSET, 0, &time);
}

static void futex_wake(void)
{
	futex(FUTEX_WAKE, 1, NULL);
}

ROW(futex_wait, setup_nothing, futex_forever, futex_wake)
ROW(futex_wait_timed, setup_nothing, futex_timed, NULL)
ROW(futex_wait_absolute, setup_nothing, futex_absolute, NULL)

static int private_word;

static long futex_private(void)
{
	struct timespec time = {.tv_nsec = TIMEOUT_MS * 1000000l};

	return SYS(SYS_futex, &private_word, FUTEX_WAIT_PRIVATE, 0, &time, NULL, 0);
}

ROW(futex_wait_private, setup_nothing, futex_private, NULL)

/* ---- time ---- */

/* -1 and what is left, which must be plausible. */
static long sleep_left(long result, const struct timespec *left)
{
	if (result != 0)
		NOTE("left: %s", left->tv_sec == 0 && left->tv_nsec > 0 &&
						 left->tv_nsec < TIMEOUT_MS * 1000000l
					 ? "some"
					 : "odd");
	return result;
}

static long nanosleep_timed(void)
{
	struct timespec time = {.tv_nsec = TIMEOUT_MS * 1000000l}, left = {0};

	return sleep_left(SYS(SYS_nanosleep, &time, &left), &left);
}

static long clock_nanosleep_relative(void)
{
	struct timespec time = {.tv_nsec = TIMEOUT_MS * 1000000l}, left = {0};

	return sleep_left(SYS(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &time, &left), &left);
}

static long clock_nanosleep_absolute(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_nsec += TIMEOUT_MS * 1000000l;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return SYS(SYS_clock_nanosleep, CLOCK_REALTIME, TIMER_ABSTIME, &time, NULL);
}

ROW(nanosleep_relative, setup_nothing, nanosleep_timed, NULL)
ROW(clock_nanosleep_for, setup_nothing, clock_nanosleep_relative, NULL)
ROW(clock_nanosleep_until, setup_nothing, clock_nanosleep_absolute, NULL)

/* ---- System V and POSIX message queues and semaphores ---- */

static int id;

static void make_semaphore(void)
{
	id = semget(IPC_PRIVATE, 1, 0600);
}

static long semop_down(void)
{
	struct sembuf down = {.sem_op = -1};
	long result = semop(id, &down, 1);
	int error = errno;

	semctl(id, 0, IPC_RMID);
	errno = error;
	return result;
}

static long semtimedop_down(void)
{
	struct timespec time = {.tv_nsec = TIMEOUT_MS * 1000000l};
	struct sembuf down = {.sem_op = -1};
	long result = semtimedop(id, &down, 1, &time);
	int error = errno;

	semctl(id, 0, IPC_RMID);
	errno = error;
	return result;
}

static void semop_up(void)
{
	struct sembuf up = {.sem_op = 1};

	semop(id, &up, 1);
}

static struct {
	long type;
	char text[1024];
} letter = {1, ""};

static void make_queue(void)
{
	id = msgget(IPC_PRIVATE, 0600);
}

static void make_full_queue(void)
{
	make_queue();
	while (msgsnd(id, &letter, sizeof(letter.text), IPC_NOWAIT) == 0)
		;
}

static long queue_done(long result)
{
	int error = errno;

	msgctl(id, IPC_RMID, NULL);
	errno = error;
	return result;
}

static long msgrcv_any(void)
{
	return queue_done(msgrcv(id, &letter, sizeof(letter.text), 0, 0));
}

static long msgsnd_one(void)
{
	return queue_done(msgsnd(id, &letter, sizeof(letter.text), 0));
}

static void msgsnd_release(void)
{
	msgsnd(id, &letter, 5, 0);
}

static void msgrcv_release(void)
{
	msgrcv(id, &letter, sizeof(letter.text), 0, 0);
}

static void make_posix_queue(void)
{
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 16};
	char name[32];

	(void)snprintf(name, sizeof(name), "/restart-%d", (int)getpid());
	a = mq_open(name, O_CREAT | O_RDWR, 0600, &attr);
	mq_unlink(name);
}

static void make_full_posix_queue(void)
{
	make_posix_queue();
	mq_send(a, "x", 1, 0);
}

static long mq_receive_a(void)
{
	return mq_receive(a, buffer, 16, NULL);
}

static long mq_timedreceive_a(void)
{
	struct timespec time;

	clock_gettime(CLOCK_REALTIME, &time);
	time.tv_nsec += TIMEOUT_MS * 1000000l;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return mq_timedreceive(a, buffer, 16, NULL, &time);
}

static long mq_send_a(void)
{
	return mq_send(a, "y", 1, 0);
}

static void mq_send_release(void)
{
	mq_send(a, "z", 1, 0);
}

static void mq_receive_release(void)
{
	mq_receive(a, buffer, 16, NULL);
}

ROW(sysv_semop, make_semaphore, semop_down, semop_up)
ROW(sysv_semtimedop, make_semaphore, semtimedop_down, NULL)
ROW(sysv_msgrcv, make_queue, msgrcv_any, msgsnd_release)
ROW(sysv_msgsnd, make_full_queue, msgsnd_one, msgrcv_release)
ROW(mq_receive_forever, make_posix_queue, mq_receive_a, mq_send_release)
ROW(mq_receive_timed, make_posix_queue, mq_timedreceive_a, NULL)
ROW(mq_send_forever, make_full_posix_queue, mq_send_a, mq_receive_release)

/* ---- signals ---- */

static void block_usr2(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
}

static long sigwaitinfo_usr2(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigwaitinfo(&set, NULL);
}

static long sigtimedwait_usr2(void)
{
	struct timespec time = {.tv_nsec = TIMEOUT_MS * 1000000l};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	return sigtimedwait(&set, NULL, &time);
}

static void send_usr2(void)
{
	kill(caller, SIGUSR2);
}

static void handle_usr2(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};

	sigaction(SIGUSR2, &action, NULL);
}

static long pause_for_any(void)
{
	return pause();
}

static long suspend_for_any(void)
{
	sigset_t none;

	sigemptyset(&none);
	return sigsuspend(&none);
}

ROW(sigwaitinfo_forever, block_usr2, sigwaitinfo_usr2, send_usr2)
ROW(sigtimedwait_timed, block_usr2, sigtimedwait_usr2, NULL)
ROW(pause_forever, handle_usr2, pause_for_any, send_usr2)
ROW(sigsuspend_forever, handle_usr2, suspend_for_any, send_usr2)

/* ---- asynchronous I/O ---- */

static aio_context_t context;

static void make_aio(void)
{
	context = 0;
	SYS(SYS_io_setup, 4, &context);
}

static long io_getevents_timed(void)
{
	struct timespec time = {.tv_nsec = TIMEOUT_MS * 1000000l};
	struct io_event event;
	long result = SYS(SYS_io_getevents, context, 1, 1, &event, &time);
	int error = errno;

	SYS(SYS_io_destroy, context);
	errno = error;
	return result;
}

ROW(io_getevents_for, make_aio, io_getevents_timed, NULL)
