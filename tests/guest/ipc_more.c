/* SPDX-License-Identifier: Apache-2.0 */
/* semop, msgget's errors, notification of queues, the ends of asynchronous requests. */
#include "case.h"

#include <linux/aio_abi.h>
#include <mqueue.h>
#include <sys/eventfd.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>

static int make_set(int count)
{
	int id = semget(IPC_PRIVATE, count, IPC_CREAT | 0600);

	if (id < 0)
		_exit(96);
	return id;
}

CASE(semop_up_and_down)
{
	struct sembuf up = {0, 3, 0}, down = {0, -2, IPC_NOWAIT}, zero = {0, 0, IPC_NOWAIT};
	int id = make_set(1);

	CALL(SYS(SYS_semop, id, &up, 1));
	CALL(SYS(SYS_semop, id, &down, 1));
	CALL(SYS(SYS_semop, id, &down, 1));
	CALL(SYS(SYS_semop, id, &zero, 1));
	CALL(semctl(id, 0, GETVAL));
	CALL(semctl(id, 0, IPC_RMID));
	CALL(SYS(SYS_semop, id, &up, 1));
}

CASE(semop_is_atomic)
{
	struct sembuf both[2] = {{0, 1, 0}, {1, -1, IPC_NOWAIT}};
	int id = make_set(2);

	CALL(SYS(SYS_semop, id, both, 2));
	CALL(semctl(id, 0, GETVAL));
	both[1].sem_op = 1;
	CALL(SYS(SYS_semop, id, both, 2));
	CALL(semctl(id, 0, GETVAL));
	semctl(id, 0, IPC_RMID);
}

CASE(semop_errors)
{
	struct sembuf op = {0, 1, 0}, far = {5, 1, 0}, big = {0, 32767, 0};
	int id = make_set(1);

	CALL(SYS(SYS_semop, id, &op, 0));
	CALL(SYS(SYS_semop, id, &op, 501));
	CALL(SYS(SYS_semop, id, BAD_ADDRESS, 1));
	CALL(SYS(SYS_semop, -1, &op, 1));
	CALL(SYS(SYS_semop, id, &far, 1));
	CALL(SYS(SYS_semop, id, &big, 1));
	CALL(SYS(SYS_semop, id, &big, 1));
	semctl(id, 0, IPC_RMID);
}

CASE(semop_waits)
{
	struct sembuf up = {0, 1, 0}, down = {0, -1, 0};
	int id = make_set(1);
	pid_t pid = fork();

	if (pid == 0) {
		sleep_ms(20);
		_exit(SYS(SYS_semop, id, &up, 1) != 0);
	}
	CALL(SYS(SYS_semop, id, &down, 1));
	note_wait("child", pid);
	semctl(id, 0, IPC_RMID);
}

CASE(semop_of_a_set_that_goes)
{
	struct sembuf down = {0, -1, 0};
	int id = make_set(1), gone;
	pid_t pid = fork();

	if (pid == 0) {
		CALL(SYS(SYS_semop, id, &down, 1));
		_exit(0);
	}
	while (semctl(id, 0, GETNCNT) == 0)
		sleep_ms(1);
	gone = semctl(id, 0, IPC_RMID);
	note_wait("child", pid);
	NOTE("%d", gone);
}

CASE(msgget_errors)
{
	key_t key = ftok(".", getpid() & 0xff) ^ getpid();
	int id;

	CALL(SYS(SYS_msgget, key, 0));
	id = OK(SYS(SYS_msgget, key, IPC_CREAT | 0600));
	CALL(SYS(SYS_msgget, key, IPC_CREAT | IPC_EXCL | 0600));
	TRUTH(SYS(SYS_msgget, key, 0) == id);
	CALL(msgctl(id, IPC_RMID, NULL));
	CALL(SYS(SYS_msgget, key, 0600));
}

CASE(msgget_permission)
{
	key_t key = ftok(".", getpid() & 0xff) ^ getpid();
	int id = OK(SYS(SYS_msgget, key, IPC_CREAT | 0600));
	pid_t pid = fork();

	if (pid == 0) {
		if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
			_exit(97);
		if (getuid() != 65534)
			_exit(0);
		if (SYS(SYS_msgget, key, 0600) == -1 && errno != EACCES)
			NOTE("errno %s", errno_name(errno));
		_exit(0);
	}
	note_wait("child", pid);
	msgctl(id, IPC_RMID, NULL);
}

/* ---- mq_notify(2) ---- */

static mqd_t make_queue(char *name)
{
	struct mq_attr attr = {.mq_maxmsg = 2, .mq_msgsize = 16};
	mqd_t queue;

	sprintf(name, "/case-%d", getpid());
	queue = mq_open(name, O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr);
	if (queue == (mqd_t)-1)
		SKIP("no queues");
	mq_unlink(name);
	return queue;
}

CASE(mq_notify_once)
{
	struct sigevent event = {.sigev_notify = SIGEV_NONE};
	char name[32];
	mqd_t queue = make_queue(name);

	CALL(SYS(SYS_mq_notify, queue, &event));
	CALL(SYS(SYS_mq_notify, queue, &event));
	CALL(SYS(SYS_mq_notify, queue, NULL));
	CALL(SYS(SYS_mq_notify, queue, NULL));
	CALL(SYS(SYS_mq_notify, queue, &event));
}

CASE(mq_notify_errors)
{
	struct sigevent event = {.sigev_notify = 99};
	char name[32];
	mqd_t queue = make_queue(name);

	CALL(SYS(SYS_mq_notify, queue, &event));
	event = (struct sigevent){.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
	CALL(SYS(SYS_mq_notify, queue, &event));
	CALL(SYS(SYS_mq_notify, queue, BAD_ADDRESS));
	event.sigev_signo = SIGUSR1;
	CALL(SYS(SYS_mq_notify, 99, &event));
	CALL(SYS(SYS_mq_notify, 0, &event));
}

CASE(mq_notify_by_a_wrong_socket)
{
	char cookie[32] = {0}, name[32];
	struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_signo = 99};
	mqd_t queue = make_queue(name);

	event.sigev_value.sival_ptr = BAD_ADDRESS;
	CALL(SYS(SYS_mq_notify, queue, &event));
	event.sigev_value.sival_ptr = cookie;
	CALL(SYS(SYS_mq_notify, queue, &event));
}

CASE(mq_notify_signal_says_who)
{
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1, .sigev_value.sival_int = 42};
	uint64_t mask = 1ul << (SIGUSR1 - 1);
	siginfo_t info;
	char name[32];
	mqd_t queue = make_queue(name);

	SYS(SYS_rt_sigprocmask, SIG_BLOCK, &mask, NULL, 8);
	CALL(SYS(SYS_mq_notify, queue, &event));
	CALL(mq_send(queue, "x", 1, 0));
	CALL(SYS(SYS_rt_sigtimedwait, &mask, &info, NULL, 8));
	NOTE("code %d value %d", info.si_code, info.si_value.sival_int);
	CALL(SYS(SYS_mq_notify, queue, &event));
}

/* ---- asynchronous I/O ---- */

CASE(io_destroy_errors)
{
	aio_context_t context = 0;

	CALL(SYS(SYS_io_destroy, 0));
	CALL(SYS(SYS_io_destroy, BAD_ADDRESS));
	CALL(SYS(SYS_io_setup, 1, &context));
	CALL(SYS(SYS_io_destroy, context));
	CALL(SYS(SYS_io_destroy, context));
}

CASE(io_destroy_with_events)
{
	struct iocb iocb = {0}, *list = &iocb;
	aio_context_t context = 0;
	struct io_event event;
	char byte = 'x';

	iocb.aio_fildes = (unsigned)open("f", O_CREAT | O_RDWR, 0600);
	iocb.aio_lio_opcode = IOCB_CMD_PWRITE;
	iocb.aio_buf = (uint64_t)&byte;
	iocb.aio_nbytes = 1;
	CALL(SYS(SYS_io_setup, 4, &context));
	CALL(SYS(SYS_io_submit, context, 1, &list));
	CALL(SYS(SYS_io_destroy, context));
	CALL(SYS(SYS_io_getevents, context, 0, 1, &event, NULL));
	note_file("f");
}

CASE(io_cancel_errors)
{
	struct iocb iocb = {0};
	struct io_event event;
	aio_context_t context = 0;

	CALL(SYS(SYS_io_setup, 1, &context));
	CALL(SYS(SYS_io_cancel, context, &iocb, &event));
	CALL(SYS(SYS_io_cancel, context, BAD_ADDRESS, &event));
	CALL(SYS(SYS_io_cancel, 0, &iocb, &event));
}

CASE(io_cancel_of_what_is_over)
{
	struct iocb iocb = {0}, *list = &iocb;
	struct io_event event;
	aio_context_t context = 0;
	char byte = 'x';

	iocb.aio_fildes = (unsigned)open("f", O_CREAT | O_RDWR, 0600);
	iocb.aio_lio_opcode = IOCB_CMD_PWRITE;
	iocb.aio_buf = (uint64_t)&byte;
	iocb.aio_nbytes = 1;
	CALL(SYS(SYS_io_setup, 1, &context));
	CALL(SYS(SYS_io_submit, context, 1, &list));
	CALL(SYS(SYS_io_cancel, context, &iocb, &event));
	CALL(SYS(SYS_io_getevents, context, 1, 1, &event, NULL));
}

CASE(io_cancel_without_context)
{
	struct iocb iocb = {0};
	struct io_event event;

	CALL(SYS(SYS_io_cancel, 12345, &iocb, &event));
	CALL(SYS(SYS_io_cancel, BAD_ADDRESS, &iocb, BAD_ADDRESS));
}

CASE(io_pgetevents_errors)
{
	struct {
		uint64_t *mask;
		uint64_t size;
	} sig = {NULL, 8};
	struct timespec none = {0, 0};
	struct io_event event;
	uint64_t mask = 0;
	aio_context_t context = 0;

	CALL(SYS(SYS_io_setup, 1, &context));
	CALL(SYS(SYS_io_pgetevents, context, 0, 1, &event, &none, NULL));
	CALL(SYS(SYS_io_pgetevents, context, 0, 1, &event, &none, &sig));
	sig.mask = &mask;
	CALL(SYS(SYS_io_pgetevents, context, 1, 1, &event, &none, &sig));
	sig.size = 4;
	CALL(SYS(SYS_io_pgetevents, context, 1, 1, &event, &none, &sig));
	CALL(SYS(SYS_io_pgetevents, context, 1, 1, &event, &none, BAD_ADDRESS));
	CALL(SYS(SYS_io_pgetevents, 0, 1, 1, &event, &none, NULL));
	CALL(SYS(SYS_io_pgetevents, context, 2, 1, &event, &none, NULL));
}

static void nothing(int sig)
{
}

CASE(io_pgetevents_takes_a_signal)
{
	struct sigaction action = {.sa_handler = nothing};
	uint64_t none = 0, block = 1ul << (SIGUSR1 - 1);
	struct {
		uint64_t *mask;
		uint64_t size;
	} sig = {&none, 8};
	struct io_event event;
	aio_context_t context = 0;

	sigaction(SIGUSR1, &action, NULL);
	SYS(SYS_rt_sigprocmask, SIG_BLOCK, &block, NULL, 8);
	CALL(SYS(SYS_io_setup, 1, &context));
	kill(getpid(), SIGUSR1);
	CALL(SYS(SYS_io_pgetevents, context, 1, 1, &event, NULL, &sig));
}

CASE(io_pgetevents_gets)
{
	struct iocb iocb = {0}, *list = &iocb;
	struct io_event event = {0};
	aio_context_t context = 0;
	char byte = 'x';

	iocb.aio_data = 7;
	iocb.aio_fildes = (unsigned)open("f", O_CREAT | O_RDWR, 0600);
	iocb.aio_lio_opcode = IOCB_CMD_PWRITE;
	iocb.aio_buf = (uint64_t)&byte;
	iocb.aio_nbytes = 1;
	CALL(SYS(SYS_io_setup, 1, &context));
	CALL(SYS(SYS_io_submit, context, 1, &list));
	CALL(SYS(SYS_io_pgetevents, context, 1, 1, &event, NULL, NULL));
	NOTE("%ld %ld", (long)event.data, (long)event.res);
}

CASE(aio_to_an_eventfd)
{
	uint64_t value = 1;
	struct iocb iocb = {0}, *list = &iocb;
	aio_context_t context = 0;

	iocb.aio_fildes = (unsigned)eventfd(0, 0);
	iocb.aio_lio_opcode = IOCB_CMD_PWRITE;
	iocb.aio_buf = (uint64_t)&value;
	iocb.aio_nbytes = 8;
	CALL(SYS(SYS_io_setup, 1, &context));
	CALL(SYS(SYS_io_submit, context, 1, &list));
}
