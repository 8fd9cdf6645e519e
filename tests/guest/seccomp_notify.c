/* SPDX-License-Identifier: Apache-2.0 */
/* Filters that ask another process: seccomp_unotify(2). */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>

#include "case.h"

#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV 0x20
#endif
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND 2
#endif

/* Calls of umask, getsid and openat are asked about. Returns the listener. */
static int listen_with(unsigned flags)
{
	struct sock_filter program[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_umask, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getsid, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_dup, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
	};
	struct sock_fprog prog = {6, program};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)SYS(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

/* The child's listener, by its descriptor's number in a table that both share. */
struct shared {
	int listener;
};

static struct shared *shared;
static int go[2];
static volatile sig_atomic_t signals;

/* What the child has to say comes when the parent has said everything. */
static void tell(const char *what, long result)
{
	int error = errno;
	char byte;

	if (read(go[0], &byte, 1) != 1)
		_exit(2);
	NOTE("%s = %ld %s, %d signals", what, result, result < 0 ? errno_name(error) : "",
		(int)signals);
}

static void finish(pid_t pid)
{
	if (write(go[1], "xx", 2) != 2)
		exit(2);
	note_wait("child", pid);
}

static void begin(void)
{
	shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

/* A child that shares our descriptors, has a listener, and then runs @fn. */
static pid_t child_with(unsigned flags, void (*fn)(void))
{
	int ready[2];
	char byte;
	pid_t pid;

	begin();
	if (pipe(ready) < 0 || pipe(go) < 0)
		exit(1);
	fflush(NULL);
	pid = (pid_t)syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		shared->listener = listen_with(flags);
		if (write(ready[1], "x", 1) < 0)
			_exit(1);
		fn();
		fflush(NULL);
		_exit(0);
	}
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	return pid;
}

static long receive(struct seccomp_notif *notif)
{
	memset(notif, 0, sizeof(*notif));
	return ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_RECV, notif);
}

static long respond(uint64_t id, long value, int error, unsigned flags)
{
	struct seccomp_notif_resp response = {
		.id = id, .val = value, .error = error, .flags = flags};

	return ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
}

static void call_umask(void)
{
	tell("umask", SYS(SYS_umask, 0123));
}

CASE(value)
{
	pid_t pid = child_with(SECCOMP_FILTER_FLAG_NEW_LISTENER, call_umask);
	struct seccomp_notif notif;

	CALL(receive(&notif));
	TRUTH(notif.pid == (unsigned)pid);
	NOTE("call %d with %#llo flags %u", notif.data.nr, notif.data.args[0], notif.flags);
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notif.id));
	CALL(respond(notif.id, 4711, 0, 0));
	finish(pid);
	CALL(respond(notif.id, 4711, 0, 0));
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notif.id));
}

CASE(error)
{
	pid_t pid = child_with(SECCOMP_FILTER_FLAG_NEW_LISTENER, call_umask);
	struct seccomp_notif notif;

	CALL(receive(&notif));
	CALL(respond(notif.id, 1, -EUSERS, 0));
	finish(pid);
}

static void call_twice(void)
{
	long first = SYS(SYS_umask, 0123), second = SYS(SYS_umask, 0);

	tell("first", first);
	tell("second", second);
}

CASE(goes_on)
{
	pid_t pid = child_with(SECCOMP_FILTER_FLAG_NEW_LISTENER, call_twice);
	struct seccomp_notif notif;

	umask(022);
	for (int i = 0; i < 2; i++) {
		CALL(receive(&notif));
		CALL(respond(notif.id, 1, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
		CALL(respond(notif.id, 0, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE));
	}
	finish(pid);
}

CASE(bad_answers)
{
	pid_t pid = child_with(SECCOMP_FILTER_FLAG_NEW_LISTENER, call_umask);
	struct seccomp_notif notif;

	CALL(respond(12345, 0, 0, 0));
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_RECV, BAD_ADDRESS));
	memset(&notif, 0, sizeof(notif));
	notif.pid = 1;
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_RECV, &notif));
	CALL(receive(&notif));
	CALL(respond(notif.id + 1, 0, 0, 0));
	CALL(respond(notif.id, 0, 0, 2));
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_SEND, BAD_ADDRESS));
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, BAD_ADDRESS));
	CALL(ioctl(shared->listener, 0x2199, 0));
	CALL(ioctl(shared->listener, 0x40082104, 2));
	CALL(ioctl(shared->listener, 0x40082104, 1));
	CALL(read(shared->listener, &notif, 1));
	CALL(respond(notif.id, 0, 0, 0));
	finish(pid);
}

static void note_poll(const char *what)
{
	struct pollfd poller = {.fd = shared->listener, .events = POLLIN | POLLOUT};
	int ready = poll(&poller, 1, 10000);

	NOTE("%s: %d %#x", what, ready, poller.revents);
}

CASE(polling)
{
	pid_t pid = child_with(SECCOMP_FILTER_FLAG_NEW_LISTENER, call_umask);
	struct seccomp_notif notif;

	note_poll("new");
	CALL(receive(&notif));
	note_poll("received");
	CALL(respond(notif.id, 0, 0, 0));
	finish(pid);
	note_poll("over");
}

static void call_dup(void)
{
	tell("dup", SYS(SYS_dup, 0));
}

CASE(descriptors)
{
	struct seccomp_notif_addfd add = {.srcfd = 0};
	struct seccomp_notif notif;
	pid_t pid;

	pid = child_with(SECCOMP_FILTER_FLAG_NEW_LISTENER, call_dup);
	CALL(receive(&notif));
	add.id = notif.id + 1;
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
	add.id = notif.id;
	add.srcfd = 900;
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
	add.srcfd = 0;
	add.newfd = 50;
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
	add.flags = SECCOMP_ADDFD_FLAG_SETFD;
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
	CALL(fcntl(50, F_GETFD));
	add.newfd_flags = O_CLOEXEC;
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
	CALL(fcntl(50, F_GETFD));
	add.newfd_flags = O_APPEND;
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
	add.newfd_flags = 0;
	add.flags = 4;
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
	add.flags = SECCOMP_ADDFD_FLAG_SETFD | SECCOMP_ADDFD_FLAG_SEND;
	add.newfd = 60;
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
	finish(pid);
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add));
}

CASE(listener_is_closed)
{
	pid_t pid = child_with(SECCOMP_FILTER_FLAG_NEW_LISTENER, call_twice);
	struct seccomp_notif notif;

	CALL(receive(&notif));
	CALL(close(shared->listener));
	finish(pid);
}

static void handler(int signo)
{
	signals++;
}

static void call_with_handler(void)
{
	struct sigaction action = {.sa_handler = handler};

	sigaction(SIGUSR1, &action, NULL);
	tell("umask", SYS(SYS_umask, 0123));
}

CASE(interrupted)
{
	pid_t pid = child_with(SECCOMP_FILTER_FLAG_NEW_LISTENER, call_with_handler);
	struct seccomp_notif notif;

	CALL(receive(&notif));
	kill(pid, SIGUSR1);
	finish(pid);
	CALL(respond(notif.id, 0, 0, 0));
}

CASE(killed_while_it_waits)
{
	pid_t pid = child_with(
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		call_with_handler);
	struct seccomp_notif notif;

	CALL(receive(&notif));
	kill(pid, SIGUSR1);
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notif.id));
	kill(pid, SIGKILL);
	finish(pid);
	CALL(ioctl(shared->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &notif.id));
}

CASE(not_interrupted_once_received)
{
	pid_t pid = child_with(
		SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
		call_with_handler);
	struct seccomp_notif notif;

	CALL(receive(&notif));
	kill(pid, SIGUSR1);
	CALL(respond(notif.id, 33, 0, 0));
	finish(pid);
}

CASE(flags)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;
	struct seccomp_notif_sizes sizes = {0};

	CALL(SYS(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action));
	CALL(SYS(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes));
	NOTE("%u %u %u", sizes.seccomp_notif, sizes.seccomp_notif_resp, sizes.seccomp_data);
	CALL(SYS(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 1, &sizes));
	CALL(SYS(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, BAD_ADDRESS));
	CALL(listen_with(SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV));
	CALL(listen_with(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC));
	OK(listen_with(SECCOMP_FILTER_FLAG_NEW_LISTENER | SECCOMP_FILTER_FLAG_TSYNC |
		       SECCOMP_FILTER_FLAG_TSYNC_ESRCH));
	CALL(listen_with(SECCOMP_FILTER_FLAG_NEW_LISTENER));
}

CASE(nobody_listens)
{
	CALL(listen_with(0));
	CALL(SYS(SYS_umask, 0));
}
