/* SPDX-License-Identifier: Apache-2.0 */
/* POSIX message queues (mq_overview(7)). */
#include <mqueue.h>
#include <dirent.h>
#include <sys/socket.h>
#include <sys/resource.h>

#include "memory.h"
#include "ns.h"

static char queue_name[64];

static const char *name_of(int n)
{
	snprintf(queue_name, sizeof(queue_name), "/sentry-test-%d-%d", (int)getpid(), n);
	return queue_name;
}

static mqd_t queue_of(int n, long count, long size, int flags)
{
	struct mq_attr attr = {.mq_maxmsg = count, .mq_msgsize = size};
	mqd_t q = mq_open(name_of(n), O_CREAT | O_RDWR | flags, 0600, &attr);

	if (q < 0) {
		if (errno == ENOSYS)
			SKIP("no message queues");
		NOTE("mq_open: %s", errno_name(errno));
		exit(1);
	}
	return q;
}

static void note_attr(mqd_t q)
{
	struct mq_attr attr;

	if (mq_getattr(q, &attr) < 0)
		NOTE("mq_getattr: %s", errno_name(errno));
	else
		NOTE("flags %lx max %ld size %ld now %ld", attr.mq_flags, attr.mq_maxmsg,
			attr.mq_msgsize, attr.mq_curmsgs);
}

/* What was not sent takes no room: more of it than there is. */
CASE(unsent_messages_are_forgotten)
{
	mqd_t q = queue_of(1, 1, 8192, O_NONBLOCK);
	static char text[8192];
	int full = 0, faults = 0;

	mq_unlink(queue_name);
	CALL(mq_send(q, text, sizeof(text), 0));
	for (int i = 0; i < 4500; i++) {
		full += mq_send(q, text, sizeof(text), 0) < 0 && errno == EAGAIN;
		faults += SYS(SYS_mq_timedsend, q, BAD_ADDRESS, sizeof(text), 0, NULL) < 0 &&
			  errno == EFAULT;
	}
	NOTE("full %d faults %d", full, faults);
	CALL(mq_receive(q, text, sizeof(text), NULL));
	CALL(mq_send(q, text, sizeof(text), 0));
}

CASE(mq_open_errors)
{
	struct mq_attr bad = {.mq_maxmsg = 0, .mq_msgsize = 10},
		       huge = {.mq_maxmsg = 70000, .mq_msgsize = 10};
	char longest[300];

	CALL(mq_open("/sentry-nobody-made-this", O_RDWR));
	CALL(SYS(SYS_mq_open, "", O_RDWR, 0600, NULL));
	CALL(SYS(SYS_mq_open, "a/b", O_RDWR | O_CREAT, 0600, NULL));
	CALL(SYS(SYS_mq_open, ".", O_RDWR | O_CREAT, 0600, NULL));
	CALL(SYS(SYS_mq_open, "..", O_RDWR, 0600, NULL));
	CALL(SYS(SYS_mq_open, BAD_ADDRESS, O_RDWR, 0600, NULL));
	CALL(SYS(SYS_mq_open, "x", O_RDWR, 0600, BAD_ADDRESS));
	memset(longest, 'a', sizeof(longest));
	longest[256] = 0;
	CALL(SYS(SYS_mq_open, longest, O_RDWR | O_CREAT, 0600, NULL));
	name_of(1);
	CALL(mq_open(queue_name, O_RDWR | O_CREAT, 0600, &bad));
	CALL(mq_open(queue_name, O_RDWR | O_CREAT, 0600, &huge));
	bad.mq_maxmsg = 1;
	bad.mq_msgsize = -1;
	CALL(mq_open(queue_name, O_RDWR | O_CREAT, 0600, &bad));
	CALL(mq_unlink(queue_name));
	CALL(SYS(SYS_mq_unlink, "a/b"));
	CALL(SYS(SYS_mq_unlink, ""));
}

CASE(mq_create_and_unlink)
{
	mqd_t q = queue_of(2, 5, 100, 0);
	struct stat st;

	note_attr(q);
	CALL(fcntl(q, F_GETFD));
	CALL(fstat(q, &st));
	NOTE("mode %o size %lld links %d", st.st_mode, (long long)st.st_size, (int)st.st_nlink);
	CALL(mq_open(queue_name, O_CREAT | O_EXCL | O_RDWR, 0600, NULL));
	OK(mq_open(queue_name, O_RDONLY));
	CALL(mq_unlink(queue_name));
	CALL(mq_unlink(queue_name));
	CALL(mq_open(queue_name, O_RDONLY));
	CALL(mq_send(q, "a", 1, 0));
	note_attr(q);
	CALL(mq_close(q));
	CALL(mq_send(q, "a", 1, 0));
}

CASE(mq_default_attr)
{
	mqd_t q = mq_open(name_of(3), O_CREAT | O_RDWR, 0640, NULL);
	struct stat st;

	if (q < 0)
		SKIP("no message queues");
	note_attr(q);
	CALL(fstat(q, &st));
	NOTE("mode %o", st.st_mode);
	mq_unlink(queue_name);
}

CASE(mq_priorities)
{
	mqd_t q = queue_of(4, 8, 32, 0);
	char text[33] = {0};
	unsigned priority;

	CALL(mq_send(q, "low", 3, 1));
	CALL(mq_send(q, "high", 4, 30));
	CALL(mq_send(q, "low2", 4, 1));
	CALL(mq_send(q, "highest", 7, 32767));
	CALL(mq_send(q, "", 0, 30));
	CALL(mq_send(q, "x", 1, 32768));
	note_attr(q);
	for (int i = 0; i < 5; i++) {
		memset(text, 0, sizeof(text));
		ssize_t n = mq_receive(q, text, 32, &priority);

		NOTE("%zd %s priority %u", n, text, priority);
	}
	mq_unlink(queue_name);
}

CASE(mq_sizes)
{
	mqd_t q = queue_of(5, 2, 8, O_NONBLOCK);
	char text[16];

	CALL(mq_send(q, "123456789", 9, 0));
	CALL(mq_send(q, "12345678", 8, 0));
	CALL(mq_receive(q, text, 7, NULL));
	CALL(mq_receive(q, text, 8, NULL));
	CALL(mq_receive(q, text, 8, NULL));
	CALL(mq_send(q, BAD_ADDRESS, 4, 0));
	CALL(mq_send(q, "a", 1, 0));
	CALL(mq_receive(q, BAD_ADDRESS, 8, NULL));
	note_attr(q);
	CALL(mq_send(q, "a", 1, 0));
	CALL(mq_send(q, "b", 1, 0));
	CALL(mq_send(q, "c", 1, 0));
	mq_unlink(queue_name);
}

CASE(mq_access)
{
	mqd_t q = queue_of(6, 2, 8, O_NONBLOCK), r, w;
	char text[8];

	r = mq_open(queue_name, O_RDONLY);
	w = mq_open(queue_name, O_WRONLY | O_NONBLOCK);
	CALL(mq_send(r, "a", 1, 0));
	CALL(mq_send(w, "a", 1, 0));
	CALL(mq_receive(w, text, 8, NULL));
	CALL(mq_receive(r, text, 8, NULL));
	CALL(mq_send(0, "a", 1, 0));
	CALL(mq_receive(-1, text, 8, NULL));
	CALL(mq_getattr(0, (struct mq_attr *)text));
	note_attr(q);
	note_attr(r);
	mq_unlink(queue_name);
}

CASE(mq_permissions)
{
	mqd_t q = queue_of(7, 2, 8, 0);
	pid_t pid;

	if (geteuid() != 0)
		SKIP("needs root");
	CALL(fchmod(q, 0644));
	pid = fork();
	if (pid == 0) {
		struct mq_attr attr = {.mq_maxmsg = 11, .mq_msgsize = 8};
		char other[80];

		drop();
		OK(mq_open(queue_name, O_RDONLY));
		CALL(mq_open(queue_name, O_RDWR));
		CALL(mq_open(queue_name, O_CREAT | O_WRONLY, 0600, NULL));
		CALL(mq_unlink(queue_name));
		snprintf(other, sizeof(other), "%s-other", queue_name);
		CALL(mq_open(other, O_CREAT | O_RDWR, 0600, &attr));
		attr.mq_maxmsg = 10;
		attr.mq_msgsize = 8193;
		CALL(mq_open(other, O_CREAT | O_RDWR, 0600, &attr));
		_exit(0);
	}
	note_wait("child", pid);
	mq_unlink(queue_name);
}

CASE(mq_rlimit)
{
	struct rlimit small = {5000, 5000};
	struct mq_attr attr = {.mq_maxmsg = 10, .mq_msgsize = 1000};

	name_of(8);
	setrlimit(RLIMIT_MSGQUEUE, &small);
	CALL(mq_open(queue_name, O_CREAT | O_RDWR, 0600, &attr));
}

CASE(mq_timeouts)
{
	mqd_t q = queue_of(9, 1, 8, 0);
	struct timespec t, bad = {0, 1000000000}, past = {1, 0};
	char text[8];
	long long start = now_ms();

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += 30000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	CALL(mq_timedreceive(q, text, 8, NULL, &t));
	TRUTH(now_ms() - start >= 28);
	CALL(mq_timedreceive(q, text, 8, NULL, &past));
	CALL(mq_timedreceive(q, text, 8, NULL, &bad));
	CALL(mq_timedsend(q, "a", 1, 0, &bad));
	CALL(mq_timedsend(q, "a", 1, 0, &past));
	CALL(mq_timedsend(q, "a", 1, 0, &past));
	CALL(mq_timedreceive(q, text, 8, NULL, &past));
	CALL(mq_timedsend(q, "a", 1, 0, BAD_ADDRESS));
	mq_unlink(queue_name);
}

static void on_signal(int signo)
{
}

CASE(mq_interrupted)
{
	struct sigaction sa = {.sa_handler = on_signal};
	mqd_t q = queue_of(10, 1, 8, 0);
	char text[8];

	sigaction(SIGALRM, &sa, NULL);
	ualarm(20000, 0);
	CALL(mq_receive(q, text, 8, NULL));
	mq_unlink(queue_name);
}

CASE(mq_waiting)
{
	mqd_t q = queue_of(11, 1, 8, 0);
	char text[8];
	pid_t pid = fork();

	if (pid == 0)
		_exit(mq_receive(q, text, 8, NULL) == 2 ? 0 : 1);
	sleep_ms(20);
	CALL(mq_send(q, "ab", 2, 0));
	note_wait("receiver", pid);
	CALL(mq_send(q, "full", 4, 0));
	pid = fork();
	if (pid == 0)
		_exit(mq_send(q, "next", 4, 0) == 0 ? 0 : 1);
	sleep_ms(20);
	CALL(mq_receive(q, text, 8, NULL));
	note_wait("sender", pid);
	NOTE("%.4s", text);
	CALL(mq_receive(q, text, 8, NULL));
	mq_unlink(queue_name);
}

CASE(mq_poll)
{
	mqd_t q = queue_of(12, 1, 8, 0);
	struct pollfd p = {q, POLLIN | POLLOUT, 0};
	char text[8];

	CALL(poll(&p, 1, 0));
	NOTE("%x", p.revents);
	CALL(mq_send(q, "a", 1, 0));
	CALL(poll(&p, 1, 0));
	NOTE("%x", p.revents);
	CALL(mq_receive(q, text, 8, NULL));
	CALL(poll(&p, 1, 0));
	NOTE("%x", p.revents);
	mq_unlink(queue_name);
}

static volatile sig_atomic_t told, told_code, told_value, told_self;

static void on_notify(int signo, siginfo_t *info, void *context)
{
	told++;
	told_code = info->si_code;
	told_value = info->si_value.sival_int;
	told_self = info->si_pid == getpid();
}

CASE(mq_notify_signal)
{
	mqd_t q = queue_of(13, 4, 8, 0);
	struct sigaction sa = {.sa_sigaction = on_notify, .sa_flags = SA_SIGINFO};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
	char text[8];

	event.sigev_value.sival_int = 77;
	sigaction(SIGUSR1, &sa, NULL);
	CALL(mq_notify(q, &event));
	CALL(mq_notify(q, &event));
	CALL(mq_send(q, "a", 1, 0));
	NOTE("told %d code %d value %d self %d", told, told_code, told_value, told_self);
	CALL(mq_notify(q, &event));
	CALL(mq_send(q, "b", 1, 0));
	NOTE("told %d: it was not empty", told);
	CALL(mq_receive(q, text, 8, NULL));
	CALL(mq_receive(q, text, 8, NULL));
	CALL(mq_send(q, "c", 1, 0));
	NOTE("told %d", told);
	CALL(mq_receive(q, text, 8, NULL));
	CALL(mq_send(q, "d", 1, 0));
	NOTE("told %d: once only", told);
	mq_unlink(queue_name);
}

CASE(mq_notify_rules)
{
	mqd_t q = queue_of(14, 4, 8, 0), other;
	struct sigevent event = {.sigev_notify = SIGEV_NONE};
	struct sigevent bad = {.sigev_notify = 99},
			signo = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 65};
	char text[128];
	pid_t pid;

	CALL(SYS(SYS_mq_notify, q, &bad));
	CALL(SYS(SYS_mq_notify, q, &signo));
	CALL(SYS(SYS_mq_notify, q, BAD_ADDRESS));
	CALL(SYS(SYS_mq_notify, 0, &event));
	CALL(mq_notify(q, NULL));
	CALL(mq_notify(q, &event));
	pid = fork();
	if (pid == 0) {
		CALL(mq_notify(q, &event));
		CALL(mq_notify(q, NULL));
		CALL(mq_notify(q, &event));
		_exit(0);
	}
	note_wait("child", pid);
	CALL(mq_notify(q, NULL));
	CALL(mq_notify(q, &event));
	other = mq_open(queue_name, O_RDWR);
	CALL(mq_notify(other, &event));
	mq_close(other);
	CALL(mq_notify(q, &event));
	CALL(mq_send(q, "abc", 3, 0));
	ssize_t n = pread(q, text, sizeof(text) - 1, 0);
	text[n > 0 ? n : 0] = 0;
	NOTE("%s", text);
	mq_unlink(queue_name);
}

CASE(mq_setattr)
{
	mqd_t q = queue_of(15, 1, 8, 0);
	struct mq_attr attr = {.mq_flags = O_NONBLOCK}, bad = {.mq_flags = O_APPEND}, old;
	char text[8];

	CALL(mq_setattr(q, &bad, NULL));
	CALL(mq_setattr(q, &attr, &old));
	NOTE("old flags %lx", old.mq_flags);
	note_attr(q);
	CALL(mq_receive(q, text, 8, NULL));
	CALL(SYS(SYS_mq_getsetattr, q, BAD_ADDRESS, NULL));
	CALL(SYS(SYS_mq_getsetattr, q, NULL, BAD_ADDRESS));
	mq_unlink(queue_name);
}

CASE(mqueue_positions)
{
	mqd_t q = queue_of(1, 4, 16, 0);
	static const long offsets[] = {-5, -1, 0, 79, 80, 81};

	for (int whence = SEEK_SET; whence <= SEEK_HOLE + 1; whence++)
		for (unsigned i = 0; i < sizeof(offsets) / sizeof(*offsets); i++)
			CALL(lseek(q, offsets[i], whence));
	mq_unlink(name_of(1));
}

/* ---- SIGEV_THREAD ---------------------------------------------------------------------------- */

static int thread_pipe[2];

static void arrived(union sigval value)
{
	char byte = (char)value.sival_int;

	if (write(thread_pipe[1], &byte, 1) < 0)
		abort();
}

CASE(notify_by_thread)
{
	struct sigevent event = {.sigev_notify = SIGEV_THREAD,
		.sigev_notify_function = arrived,
		.sigev_value.sival_int = 'a'};
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 16};
	char name[32], text[16] = "";
	mqd_t queue;

	if (pipe(thread_pipe) < 0)
		exit(1);
	snprintf(name, sizeof(name), "/thread-%d", getpid());
	queue = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
	mq_unlink(name);
	CALL(mq_notify(queue, &event));
	CALL(mq_notify(queue, &event));
	CALL(mq_send(queue, "x", 1, 0));
	CALL(read(thread_pipe[0], text, 1));
	NOTE("told %s", text);
	/* Once. */
	CALL(mq_receive(queue, text, sizeof(text), NULL));
	event.sigev_value.sival_int = 'b';
	CALL(mq_notify(queue, &event));
	CALL(mq_notify(queue, NULL));
	CALL(mq_notify(queue, &event));
	CALL(mq_send(queue, "y", 1, 0));
	CALL(read(thread_pipe[0], text, 1));
	NOTE("told %c", text[0]);
}

CASE(notify_by_socket)
{
	char cookie[32] = "a cookie", got[64];
	struct sigevent event = {.sigev_notify = SIGEV_THREAD, .sigev_value.sival_ptr = cookie};
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 16};
	int netlink = OK(socket(AF_NETLINK, SOCK_RAW, 0)), pair[2];
	char name[32];
	mqd_t queue;

	snprintf(name, sizeof(name), "/socket-%d", getpid());
	queue = mq_open(name, O_RDWR | O_CREAT, 0600, &attr);
	mq_unlink(name);
	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	event.sigev_signo = pair[0];
	CALL(SYS(SYS_mq_notify, queue, &event));
	event.sigev_signo = 0;
	CALL(SYS(SYS_mq_notify, queue, &event));
	event.sigev_signo = -1;
	CALL(SYS(SYS_mq_notify, queue, &event));
	event.sigev_signo = netlink;
	event.sigev_value.sival_ptr = BAD_ADDRESS;
	CALL(SYS(SYS_mq_notify, queue, &event));
	event.sigev_value.sival_ptr = cookie;
	CALL(SYS(SYS_mq_notify, 0, &event));
	CALL(SYS(SYS_mq_notify, queue, &event));
	CALL(recv(netlink, got, sizeof(got), MSG_DONTWAIT));
	CALL(mq_send(queue, "x", 1, 0));
	CALL(recv(netlink, got, sizeof(got), MSG_DONTWAIT));
	NOTE("%s %d", got, got[31]);
	CALL(SYS(SYS_mq_notify, queue, &event));
	CALL(SYS(SYS_mq_notify, queue, NULL));
	CALL(recv(netlink, got, sizeof(got), MSG_DONTWAIT));
	NOTE("%s %d", got, got[31]);
	CALL(SYS(SYS_mq_notify, queue, &event));
	close(queue);
	CALL(recv(netlink, got, sizeof(got), MSG_DONTWAIT));
	NOTE("%s %d", got, got[31]);
}

/* ---- the file system ------------------------------------------------------------------------- */

CASE(mounted)
{
	struct mq_attr attr = {.mq_maxmsg = 4, .mq_msgsize = 16};
	struct dirent *entry;
	struct statfs fs;
	struct stat st;
	mqd_t queue;
	DIR *dir;

	own_mounts();
	if (unshare(CLONE_NEWIPC) < 0)
		SKIP("no IPC namespaces");
	mkdir("q", 0755);
	queue = mq_open("/before", O_RDWR | O_CREAT, 0620, &attr);
	CALL(mount("mqueue", "q", "mqueue", 0, NULL));
	stat("q", &st);
	NOTE("root mode %o", st.st_mode);
	statfs("q", &fs);
	NOTE("type %lx", (long)fs.f_type);
	stat("q/before", &st);
	NOTE("mode %o size %lld", st.st_mode, (long long)st.st_size);
	CALL(stat("q/later", &st));
	mq_open("/later", O_RDWR | O_CREAT, 0600, &attr);
	CALL(stat("q/later", &st));
	CALL(mq_send(queue, "text", 4, 3));
	note_file("q/before");
	dir = opendir("q");
	for (int seen = 0; (entry = readdir(dir)) != NULL;)
		if (entry->d_name[0] != '.')
			NOTE("entry %d type %d", ++seen, entry->d_type);
	closedir(dir);
	queue = OK(open("q/made", O_RDWR | O_CREAT | O_EXCL, 0666));
	CALL(mq_getattr(queue, &attr));
	NOTE("%ld messages of %ld", attr.mq_maxmsg, attr.mq_msgsize);
	CALL(mq_send(queue, "x", 1, 0));
	CALL(open("q/made", O_RDWR | O_CREAT | O_EXCL, 0666));
	CALL(unlink("q/made"));
	CALL(mq_open("/made", O_RDWR));
	CALL(mq_unlink("/later"));
	CALL(stat("q/later", &st));
	CALL(unlink("q/later"));
	CALL(mkdir("q/dir", 0700));
	CALL(rename("q/before", "q/other"));
	CALL(symlink("a", "q/link"));
	CALL(link("q/before", "q/other"));
	CALL(chmod("q/before", 0600));
	stat("q/before", &st);
	NOTE("mode %o", st.st_mode);
	CALL(mount("mqueue", "q", "mqueue", 0, "nothing"));
	CALL(umount("q"));
	CALL(mq_open("/before", O_RDWR | O_CREAT | O_EXCL, 0600, NULL));
	CALL(mount("mqueue", "q", "mqueue", 0, NULL));
	CALL(stat("q/before", &st));
}

static void other_namespace(void)
{
	struct stat st;

	CALL(unshare(CLONE_NEWIPC));
	CALL(stat("q/mine", &st));
	CALL(mq_open("/mine", O_RDWR));
	mkdir("p", 0755);
	CALL(mount("mqueue", "p", "mqueue", 0, NULL));
	CALL(stat("p/mine", &st));
	OK(open("p/theirs", O_RDWR | O_CREAT, 0600));
}

CASE(mounted_for_another_namespace)
{
	mqd_t queue;

	own_mounts();
	if (unshare(CLONE_NEWIPC) < 0)
		SKIP("no IPC namespaces");
	mkdir("q", 0755);
	CALL(mount("mqueue", "q", "mqueue", 0, NULL));
	queue = mq_open("/mine", O_RDWR | O_CREAT, 0600, NULL);
	in_child(other_namespace);
	CALL(open("p/more", O_RDWR | O_CREAT, 0600));
	CALL(umount("p"));
	mq_close(queue);
}
