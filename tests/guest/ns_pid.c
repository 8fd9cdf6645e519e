/* SPDX-License-Identifier: Apache-2.0 */
/* PID, UTS, IPC and the other namespaces; setns(2); /proc/PID/ns. */
#include <mqueue.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/utsname.h>

#include "ns.h"

/* Without the right to, the case ends here: kill() of a child that is not there would be
 * everybody's end. */
static pid_t new_child(int flags)
{
	pid_t pid;

	fflush(NULL);
	pid = (pid_t)syscall(SYS_clone, flags | SIGCHLD, 0, 0, 0, 0);
	if (pid < 0) {
		NOTE("clone(0x%x): %s", (unsigned)flags, errno_name(errno));
		fflush(NULL);
		_exit(0);
	}
	return pid;
}

static void need_rights(void)
{
	if (geteuid() != 0)
		SKIP("namespaces are root's to make");
}

CASE(init_of_a_namespace)
{
	pid_t pid = new_child(CLONE_NEWPID);

	if (pid == 0) {
		NOTE("pid %d tid %d ppid %d", getpid(), (int)gettid(), getppid());
		NOTE("pgid %d sid %d", getpgid(0), getsid(0));
		CALL(setsid());
		NOTE("pgid %d sid %d", getpgid(0), getsid(0));
		pid = fork();
		if (pid == 0) {
			NOTE("pid %d ppid %d", getpid(), getppid());
			fflush(NULL);
			_exit(4);
		}
		note_wait("child", pid);
		NOTE("child was %d", pid);
		fflush(NULL);
		_exit(5);
	}
	note_wait("init", pid);
	TRUTH(pid > 2);
}

CASE(init_takes_all_along)
{
	int fds[2];
	pid_t pid;
	char c;

	pipe(fds);
	pid = new_child(CLONE_NEWPID);
	if (pid == 0) {
		for (int i = 0; i < 3; i++)
			if (fork() == 0) {
				setsid();
				for (;;)
					pause();
			}
		close(fds[1]);
		_exit(0);
	}
	close(fds[1]);
	note_wait("init", pid);
	/* All of them had it open: they are gone now. */
	CALL(read(fds[0], &c, 1));
}

CASE(orphans_inside)
{
	pid_t pid = new_child(CLONE_NEWPID);

	if (pid == 0) {
		int status;

		pid = fork();
		if (pid == 0) {
			if (fork() == 0) {
				sleep_ms(50);
				NOTE("orphan's parent: %d", getppid());
				fflush(NULL);
				_exit(7);
			}
			_exit(6);
		}
		NOTE("waited for %d", waitpid(2, &status, 0));
		note_status("child", status);
		NOTE("waited for %d", wait(&status));
		note_status("orphan", status);
		fflush(NULL);
		_exit(0);
	}
	note_wait("init", pid);
}

CASE(init_is_safe_from_its_own)
{
	pid_t pid = new_child(CLONE_NEWPID);

	if (pid == 0) {
		pid = fork();
		if (pid == 0) {
			CALL(kill(1, SIGKILL));
			CALL(kill(1, SIGTERM));
			CALL(kill(1, SIGSTOP));
			fflush(NULL);
			_exit(0);
		}
		note_wait("child", pid);
		CALL(kill(1, SIGKILL));
		CALL(raise(SIGTERM));
		NOTE("alive");
		fflush(NULL);
		for (;;)
			pause();
	}
	sleep_ms(200);
	CALL(kill(pid, SIGTERM));
	sleep_ms(50);
	CALL(waitpid(pid, NULL, WNOHANG));
	CALL(kill(pid, SIGKILL));
	note_wait("init", pid);
}

static volatile sig_atomic_t got_pid = -1, got_uid = -1;

static void handler(int signo, siginfo_t *info, void *context)
{
	got_pid = info->si_pid;
	got_uid = (int)info->si_uid;
}

CASE(signals_across)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
	int fds[2], printed[2];
	pid_t pid;
	char c;

	pipe(fds);
	pipe(printed);
	sigaction(SIGUSR1, &action, NULL);
	pid = new_child(CLONE_NEWPID);
	if (pid == 0) {
		write(fds[1], "", 1);
		while (got_pid == -1)
			sleep_ms(5);
		read(printed[0], &c, 1);
		NOTE("from above: pid %d uid %d", got_pid, got_uid);
		got_pid = -1;
		CALL(kill(1, SIGUSR1));
		NOTE("from itself: pid %d", got_pid);
		CALL(kill(0, 0));
		CALL(kill(12345, 0));
		CALL(kill(-1, 0));
		fflush(NULL);
		_exit(0);
	}
	read(fds[0], &c, 1);
	CALL(kill(pid, SIGUSR1));
	write(printed[1], "", 1);
	note_wait("init", pid);
}

CASE(proc_of_a_namespace)
{
	pid_t pid = new_child(CLONE_NEWPID | CLONE_NEWNS);

	if (pid == 0) {
		char text[64] = "";
		ssize_t size;

		mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
		size = readlink("/proc/self", text, sizeof(text) - 1);
		TRUTH(size > 0 && strcmp(text, "1") != 0);
		CALL(mount("p", "/proc", "proc", 0, NULL));
		memset(text, 0, sizeof(text));
		CALL(readlink("/proc/self", text, sizeof(text) - 1));
		NOTE("self -> %s", text);
		CALL(access("/proc/1/status", R_OK));
		CALL(access("/proc/2/status", R_OK));
		fflush(NULL);
		system("grep -E '^(NS|Pid|PPid|Tgid)' /proc/1/status");
		_exit(0);
	}
	note_wait("init", pid);
}

CASE(old_proc_knows_nobody)
{
	pid_t pid;

	need_rights();
	CALL(unshare(CLONE_NEWPID));
	pid = new_child(0);
	if (pid == 0) {
		char text[64];

		NOTE("pid %d", getpid());
		/* The /proc of the namespace above still shows it by its number there. */
		TRUTH(readlink("/proc/self", text, sizeof(text)) > 0);
		fflush(NULL);
		_exit(0);
	}
	note_wait("first", pid);
	/* Its init is gone. */
	CALL(fork());
	NOTE("own pid: %s", getpid() > 2 ? "as before" : "changed");
}

CASE(unshare_pid_twice)
{
	need_rights();
	CALL(unshare(CLONE_NEWPID));
	CALL(unshare(CLONE_NEWPID));
	CALL(syscall(SYS_clone, CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0));
}

CASE(nested_numbers)
{
	pid_t pid = new_child(CLONE_NEWPID);

	if (pid == 0) {
		if (fork() == 0)
			_exit(0);
		wait(NULL);
		pid = new_child(CLONE_NEWPID);
		if (pid == 0) {
			NOTE("inner %d %d", getpid(), getppid());
			fflush(NULL);
			system("grep NSpid /proc/self/status | wc -w");
			_exit(0);
		}
		note_wait("inner", pid);
		NOTE("inner was %d here", pid);
		fflush(NULL);
		_exit(0);
	}
	note_wait("outer", pid);
}

CASE(set_tid)
{
	struct {
		uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls,
			set_tid, set_tid_size, cgroup;
	} args = {.flags = CLONE_NEWPID, .exit_signal = SIGCHLD};
	pid_t tids[2] = {1, 0}, wrong[1] = {17};
	pid_t pid;

	args.set_tid = (uint64_t)(uintptr_t)wrong;
	args.set_tid_size = 1;
	fflush(NULL);
	CALL(syscall(SYS_clone3, &args, sizeof(args)));
	args.set_tid = (uint64_t)(uintptr_t)tids;
	fflush(NULL);
	pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
	if (pid == 0) {
		pid_t want[1] = {42};

		NOTE("pid %d", getpid());
		args.flags = 0;
		args.set_tid = (uint64_t)(uintptr_t)want;
		fflush(NULL);
		pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
		if (pid == 0)
			_exit(0);
		NOTE("child %d", pid);
		note_wait("child", pid);
		CALL(syscall(SYS_clone3, &args, sizeof(args)) == 0 ? (_exit(0), 0) : 0);
		fflush(NULL);
		_exit(0);
	}
	note_wait("init", pid);
}

/* ---- setns ---- */

static int open_ns(pid_t pid, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", pid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

static bool same_ns(pid_t a, pid_t b, const char *name)
{
	char path[64];
	struct stat x, y;

	snprintf(path, sizeof(path), "/proc/%d/ns/%s", a, name);
	stat(path, &x);
	snprintf(path, sizeof(path), "/proc/%d/ns/%s", b, name);
	stat(path, &y);
	return x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

static pid_t sleeper(int flags)
{
	int fds[2];
	pid_t pid;
	char c;

	pipe(fds);
	pid = new_child(flags);
	if (pid == 0) {
		if (flags & CLONE_NEWUTS)
			sethostname("other", 5);
		write(fds[1], "", 1);
		for (;;)
			pause();
	}
	read(fds[0], &c, 1);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	note_wait("sleeper", pid);
}

CASE(setns_uts)
{
	pid_t pid = sleeper(CLONE_NEWUTS);
	struct utsname name;
	int fd = OK(open_ns(pid, "uts"));

	TRUTH(same_ns(getpid(), pid, "uts"));
	CALL(setns(fd, CLONE_NEWIPC));
	CALL(setns(fd, CLONE_NEWUTS));
	uname(&name);
	NOTE("%s", name.nodename);
	TRUTH(same_ns(getpid(), pid, "uts"));
	end(pid);
}

CASE(setns_pid)
{
	pid_t pid = sleeper(CLONE_NEWPID), child;
	int fd = OK(open_ns(pid, "pid")), own = OK(open_ns(getpid(), "pid"));

	CALL(setns(fd, 0));
	TRUTH(same_ns(getpid(), pid, "pid"));
	TRUTH(same_ns(getpid(), pid, "pid_for_children"));
	child = new_child(0);
	if (child == 0) {
		NOTE("inside %d, parent %d", getpid(), getppid());
		CALL(setns(own, CLONE_NEWPID));
		fflush(NULL);
		_exit(0);
	}
	note_wait("child", child);
	CALL(setns(own, CLONE_NEWPID));
	end(pid);
}

CASE(setns_mnt)
{
	pid_t pid;
	int fd;

	own_mounts();
	mkdir("m", 0755);
	pid = sleeper(CLONE_NEWNS);
	fd = OK(open_ns(pid, "mnt"));
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	note_mounts();
	char dir[PATH_MAX];
	getcwd(dir, sizeof(dir));
	CALL(setns(fd, CLONE_NEWNS));
	NOTE("%s", getcwd((char[PATH_MAX]){0}, PATH_MAX));
	CALL(chdir(dir));
	note_mounts();
	end(pid);
}

CASE(setns_user)
{
	pid_t pid = sleeper(CLONE_NEWUSER);
	int fd = OK(open_ns(pid, "user")), own = OK(open_ns(getpid(), "user"));

	CALL(setns(own, 0));
	CALL(setns(fd, 0));
	NOTE("%u", getuid());
	CALL(setns(fd, 0));
	CALL(setns(own, 0));
	end(pid);
}

CASE(setns_pidfd)
{
	pid_t pid = sleeper(CLONE_NEWUTS | CLONE_NEWIPC);
	int fd = OK(syscall(SYS_pidfd_open, pid, 0));

	CALL(setns(fd, 0));
	CALL(setns(fd, CLONE_NEWUTS | CLONE_VM));
	CALL(setns(fd, CLONE_NEWUTS | CLONE_NEWIPC));
	TRUTH(same_ns(getpid(), pid, "uts"));
	TRUTH(same_ns(getpid(), pid, "ipc"));
	TRUTH(same_ns(getpid(), pid, "mnt"));
	end(pid);
	CALL(setns(fd, CLONE_NEWUTS));
}

CASE(setns_without_rights)
{
	pid_t pid = sleeper(CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWNS);
	int uts = open_ns(pid, "uts"), pid_ns = open_ns(pid, "pid"), mnt = open_ns(pid, "mnt");

	become(1234);
	CALL(setns(uts, 0));
	CALL(setns(pid_ns, 0));
	CALL(setns(mnt, 0));
	own_user_ns(0);
	CALL(setns(uts, 0));
	CALL(setns(mnt, 0));
}

CASE(ioctls)
{
	pid_t pid = sleeper(CLONE_NEWUSER | CLONE_NEWPID);
	int user = open_ns(pid, "user"), pid_ns = open_ns(pid, "pid"), fd;
	struct stat a, b;
	uid_t uid = 99;

	CALL(ioctl(user, NS_GET_NSTYPE));
	CALL(ioctl(pid_ns, NS_GET_NSTYPE));
	CALL(ioctl(user, NS_GET_OWNER_UID, &uid));
	NOTE("%u", uid);
	CALL(ioctl(pid_ns, NS_GET_OWNER_UID, &uid));
	fd = OK(ioctl(pid_ns, NS_GET_USERNS));
	fstat(fd, &a);
	fstat(user, &b);
	TRUTH(a.st_ino == b.st_ino);
	fd = OK(ioctl(pid_ns, NS_GET_PARENT));
	CALL(ioctl(fd, NS_GET_NSTYPE));
	CALL(ioctl(fd, NS_GET_PARENT));
	fd = OK(ioctl(user, NS_GET_PARENT));
	CALL(ioctl(fd, NS_GET_PARENT));
	CALL(ioctl(fd, NS_GET_USERNS));
	CALL(ioctl(user, 0xb799));
	CALL(read(user, &uid, 1));
	end(pid);
}

CASE(links)
{
	static const char *const names[] = {"cgroup", "ipc", "mnt", "net", "pid",
		"pid_for_children", "time", "time_for_children", "user", "uts"};
	char path[64], text[64];
	struct stat stat;
	int fd;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		ssize_t size;
		unsigned long number = 0;
		char kind[32] = "";

		snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
		size = readlink(path, text, sizeof(text) - 1);
		text[size > 0 ? size : 0] = '\0';
		sscanf(text, "%31[a-z]:[%lu]", kind, &number);
		fd = open(path, O_RDONLY);
		fstat(fd, &stat);
		NOTE("%s is %s: %s, %o", names[i], kind,
			stat.st_ino == number ? "same number" : "other number", stat.st_mode);
		close(fd);
	}
	CALL(open("/proc/self/ns/user", O_RDWR));
	CALL(chmod("/proc/self/ns/user", 0777));
}

/* A file that a namespace is mounted on keeps it. */
CASE(bound_namespace)
{
	struct utsname name;
	pid_t pid;
	char path[64];
	int fd;

	own_mounts();
	write_file("ns", "");
	pid = sleeper(CLONE_NEWUTS);
	snprintf(path, sizeof(path), "/proc/%d/ns/uts", pid);
	CALL(mount(path, "ns", NULL, MS_BIND, NULL));
	end(pid);
	fd = OK(open("ns", O_RDONLY));
	CALL(setns(fd, CLONE_NEWUTS));
	uname(&name);
	NOTE("%s", name.nodename);
	close(fd);
	CALL(umount("ns"));
	note_file("ns");
}

/* ---- uts, ipc, net ---- */

static void rename_host(void)
{
	struct utsname name;

	CALL(unshare(CLONE_NEWUTS));
	CALL(sethostname("inner", 5));
	CALL(setdomainname("domain", 6));
	uname(&name);
	NOTE("%s %s", name.nodename, name.domainname);
	note_file("/proc/sys/kernel/hostname");
}

CASE(uts)
{
	struct utsname before, after;

	need_rights();
	uname(&before);
	in_child(rename_host);
	uname(&after);
	TRUTH(strcmp(before.nodename, after.nodename) == 0);
}

static int shm_id, msg_id;

static void other_ipc(void)
{
	struct msqid_ds ds;
	struct shmid_ds shm;

	CALL(shmctl(shm_id, IPC_STAT, &shm) < 0 ? -1 : 0);
	CALL(unshare(CLONE_NEWIPC));
	CALL(shmget(0x5e11, 4096, 0600));
	CALL(shmctl(shm_id, IPC_STAT, &shm) < 0 ? -1 : 0);
	CALL(msgctl(msg_id, IPC_STAT, &ds) < 0 ? -1 : 0);
	TRUTH(shmget(0x5e11, 4096, IPC_CREAT | IPC_EXCL | 0600) >= 0);
	TRUTH(semget(0x5e11, 1, IPC_CREAT | 0600) >= 0);
	CALL(mq_open("/case-queue", O_RDWR) < 0 ? -1 : 0);
}

CASE(ipc)
{
	mqd_t queue;

	need_rights();
	shm_id = shmget(0x5e11, 4096, IPC_CREAT | 0600);
	msg_id = msgget(0x5e11, IPC_CREAT | 0600);
	queue = mq_open("/case-queue", O_RDWR | O_CREAT, 0600, NULL);
	TRUTH(queue != (mqd_t)-1);
	in_child(other_ipc);
	CALL(semget(0x5e11, 1, 0600));
	mq_unlink("/case-queue");
	shmctl(shm_id, IPC_RMID, NULL);
	msgctl(msg_id, IPC_RMID, NULL);
}

static int bind_abstract(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "\0case-abstract"};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return bind(fd, (struct sockaddr *)&address, 2 + 14);
}

static void other_net(void)
{
	CALL(bind_abstract());
	CALL(unshare(CLONE_NEWNET));
	CALL(bind_abstract());
}

CASE(abstract_sockets)
{
	CALL(bind_abstract());
	in_child(other_net);
}

CASE(unshare_all)
{
	CALL(unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET |
		     CLONE_NEWCGROUP | CLONE_NEWUSER));
	TRUTH(same_ns(getpid(), getppid(), "net"));
	TRUTH(same_ns(getpid(), getppid(), "cgroup"));
	TRUTH(same_ns(getpid(), getppid(), "mnt"));
	TRUTH(same_ns(getpid(), getppid(), "user"));
	TRUTH(same_ns(getpid(), getppid(), "pid"));
	TRUTH(same_ns(getpid(), getppid(), "pid_for_children"));
}

/* A mount namespace must not hold itself. */
CASE(bound_own_namespace)
{
	pid_t pid;
	char path[64];

	own_mounts();
	write_file("ns", "");
	CALL(mount("/proc/self/ns/mnt", "ns", NULL, MS_BIND, NULL));
	CALL(mount("/proc/self/ns/uts", "ns", NULL, MS_BIND, NULL));
	CALL(umount("ns"));
	pid = sleeper(CLONE_NEWNS);
	snprintf(path, sizeof(path), "/proc/%d/ns/mnt", pid);
	CALL(mount(path, "ns", NULL, MS_BIND, NULL));
	CALL(unshare(CLONE_NEWNS));
	note_file("ns");
	end(pid);
}

CASE(loopback)
{
	struct {
		char name[16];
		short flags;
		char rest[22];
	} ifreq = {.name = "lo"};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	CALL(unshare(CLONE_NEWNET));
	CALL(ioctl(fd, 0x8913, &ifreq));
	NOTE("%x", ifreq.flags);
	close(fd);
	fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	CALL(ioctl(fd, 0x8913, &ifreq));
	NOTE("%x", ifreq.flags);
	ifreq.flags |= 1;
	CALL(ioctl(fd, 0x8914, &ifreq));
	CALL(ioctl(fd, 0x8913, &ifreq));
	NOTE("%x", ifreq.flags);
	CALL(ioctl(fd, 0x8933, &ifreq));
	strcpy(ifreq.name, "none");
	CALL(ioctl(fd, 0x8913, &ifreq));
	become(1234);
	strcpy(ifreq.name, "lo");
	CALL(ioctl(fd, 0x8914, &ifreq));
}
