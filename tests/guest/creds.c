/* SPDX-License-Identifier: Apache-2.0 */
/* User and group ids, capabilities, signalfd. */
#include "case.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/fsuid.h>
#include <sys/signalfd.h>

static void note_ids(const char *what)
{
	uid_t r, e, s;
	gid_t gr, ge, gs;

	getresuid(&r, &e, &s);
	getresgid(&gr, &ge, &gs);
	NOTE("%s: uid %d %d %d fs %d gid %d %d %d fs %d", what, r, e, s, setfsuid((uid_t)-1), gr,
		ge, gs, setfsgid((gid_t)-1));
}

static void need_root(void)
{
	if (geteuid() != 0)
		SKIP("needs to be root");
}

CASE(ids_agree)
{
	uid_t r, e, s;

	CALL(getresuid(&r, &e, &s));
	TRUTH(r == getuid() && e == geteuid());
	CALL(SYS(SYS_getresuid, BAD_ADDRESS, &e, &s));
	CALL(SYS(SYS_getresgid, &r, BAD_ADDRESS, &s));
}

CASE(setuid_as_root)
{
	need_root();
	CALL(SYS(SYS_setuid, 1000));
	note_ids("after");
	CALL(SYS(SYS_setuid, 0));
	CALL(SYS(SYS_setuid, 1000));
	CALL(SYS(SYS_setuid, -1));
}

CASE(seteuid_and_back)
{
	need_root();
	CALL(SYS(SYS_setresuid, -1, 1000, -1));
	note_ids("dropped");
	CALL(SYS(SYS_setresuid, -1, 1001, -1));
	CALL(SYS(SYS_setresuid, -1, 0, -1));
	note_ids("back");
}

CASE(setreuid_rules)
{
	need_root();
	CALL(SYS(SYS_setreuid, 1000, 1001));
	note_ids("after");
	CALL(SYS(SYS_setreuid, 1001, 1000));
	note_ids("swapped");
	CALL(SYS(SYS_setreuid, 0, -1));
	CALL(SYS(SYS_setreuid, -1, 0));
}

CASE(setgid_rules)
{
	need_root();
	CALL(SYS(SYS_setregid, 100, 101));
	CALL(SYS(SYS_setresgid, 102, 103, 104));
	CALL(SYS(SYS_setresuid, 5, 5, 5));
	note_ids("after");
	CALL(SYS(SYS_setgid, 104));
	note_ids("set to saved");
	CALL(SYS(SYS_setgid, 0));
	CALL(SYS(SYS_setresgid, 104, 102, -1));
	CALL(SYS(SYS_setresgid, 9, -1, -1));
}

CASE(setfsuid_rules)
{
	need_root();
	CALL(setfsuid(1000));
	CALL(setfsuid((uid_t)-1));
	CALL(setfsuid(0));
	CALL(setfsgid(1000));
	CALL(setfsgid((gid_t)-1));
}

CASE(groups)
{
	need_root();
	gid_t list[4] = {30, 10, 20, 10}, out[8] = {0};

	CALL(SYS(SYS_setgroups, 4, list));
	CALL(SYS(SYS_getgroups, 0, NULL));
	CALL(SYS(SYS_getgroups, 2, out));
	CALL(SYS(SYS_getgroups, -1, out));
	CALL(SYS(SYS_getgroups, 8, out));
	NOTE("%d %d %d %d", out[0], out[1], out[2], out[3]);
	CALL(SYS(SYS_getgroups, 8, BAD_ADDRESS));
	CALL(SYS(SYS_setgroups, 70000, list));
	CALL(SYS(SYS_setgroups, 1, BAD_ADDRESS));
	CALL(SYS(SYS_setgroups, 0, NULL));
	CALL(SYS(SYS_getgroups, 0, NULL));
	SYS(SYS_setresuid, 1, 1, 1);
	CALL(SYS(SYS_setgroups, 0, NULL));
}

CASE(capabilities_follow_uid)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	need_root();
	CALL(SYS(SYS_setresuid, -1, 1000, -1));
	CALL(SYS(SYS_capget, &header, data));
	NOTE("effective %x permitted %d", data[0].effective, data[0].permitted != 0);
	CALL(SYS(SYS_setresuid, -1, 0, -1));
	CALL(SYS(SYS_capget, &header, data));
	NOTE("effective is permitted %d", data[0].effective == data[0].permitted);
	CALL(SYS(SYS_setresuid, 1000, 1000, 1000));
	CALL(SYS(SYS_capget, &header, data));
	NOTE("effective %x permitted %x", data[0].effective, data[0].permitted);
}

CASE(keepcaps)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2];

	need_root();
	CALL(prctl(PR_SET_KEEPCAPS, 1));
	CALL(SYS(SYS_setresuid, 1000, 1000, 1000));
	CALL(SYS(SYS_capget, &header, data));
	NOTE("effective %x permitted %d", data[0].effective, data[0].permitted != 0);
}

CASE(cap_versions)
{
	struct __user_cap_header_struct header = {0, 0};
	struct __user_cap_data_struct data[2];

	CALL(SYS(SYS_capget, &header, NULL));
	NOTE("preferred %x", header.version);
	header.version = 5;
	CALL(SYS(SYS_capget, &header, data));
	header.version = _LINUX_CAPABILITY_VERSION_1;
	CALL(SYS(SYS_capget, &header, data));
	header.version = _LINUX_CAPABILITY_VERSION_3;
	header.pid = -1;
	CALL(SYS(SYS_capget, &header, data));
	header.pid = 999999;
	CALL(SYS(SYS_capget, &header, data));
	header.pid = getppid();
	CALL(SYS(SYS_capset, &header, data));
	CALL(SYS(SYS_capget, BAD_ADDRESS, data));
}

CASE(capset_cannot_grow)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct none[2] = {{0}}, all[2] = {{~0u, ~0u, 0}, {~0u, ~0u, 0}};

	CALL(SYS(SYS_capset, &header, none));
	CALL(SYS(SYS_capset, &header, all));
	all[0].effective = all[1].effective = 0;
	CALL(SYS(SYS_capset, &header, all));
}

CASE(kill_permission)
{
	int fds[2];
	char c;

	need_root();
	pipe(fds);
	pid_t pid = fork();
	if (pid == 0) {
		/* Nobody may kill it: it ends with the last writer. */
		close(fds[1]);
		read(fds[0], &c, 1);
		_exit(0);
	}
	SYS(SYS_setresuid, 1000, 1000, 1000);
	CALL(kill(pid, 0));
	CALL(kill(pid, SIGKILL));
	CALL(kill(pid, SIGCONT));
	pid_t other = fork();
	if (other == 0)
		for (;;)
			pause();
	CALL(kill(other, SIGKILL));
	note_wait("other", other);
	exit(0);
}

/* ---- signalfd ---- */

static int make_signalfd(int signo, int flags)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signo);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return (int)OK(signalfd(-1, &set, flags));
}

CASE(signalfd_reads)
{
	struct signalfd_siginfo info;
	int fd = make_signalfd(SIGUSR1, SFD_NONBLOCK | SFD_CLOEXEC);

	CALL(read(fd, &info, sizeof(info)));
	raise(SIGUSR1);
	CALL(read(fd, &info, sizeof(info)));
	NOTE("signo %d code %d", info.ssi_signo, info.ssi_code);
	TRUTH(info.ssi_pid == (uint32_t)getpid());
	CALL(read(fd, &info, sizeof(info)));
	CALL(read(fd, &info, 64));
	CALL(fcntl(fd, F_GETFD));
}

CASE(signalfd_many_at_once)
{
	struct signalfd_siginfo info[4];
	union sigval v = {.sival_int = 7};
	int fd = make_signalfd(SIGRTMIN, SFD_NONBLOCK);

	for (int i = 0; i < 3; i++) {
		v.sival_int = i;
		sigqueue(getpid(), SIGRTMIN, v);
	}
	CALL(read(fd, info, sizeof(info)));
	NOTE("%d %d %d", info[0].ssi_int, info[1].ssi_int, info[2].ssi_int);
}

CASE(signalfd_poll)
{
	int fd = make_signalfd(SIGUSR1, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};

	CALL(poll(&p, 1, 0));
	pid_t parent = getpid();
	if (fork() == 0) {
		sleep_ms(30);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	CALL(poll(&p, 1, 5000));
	NOTE("revents %x", p.revents);
}

CASE(signalfd_blocking_read)
{
	struct signalfd_siginfo info;
	int fd = make_signalfd(SIGUSR1, 0);
	pid_t parent = getpid();

	if (fork() == 0) {
		sleep_ms(30);
		kill(parent, SIGUSR1);
		_exit(0);
	}
	CALL(read(fd, &info, sizeof(info)));
	NOTE("signo %d", info.ssi_signo);
}

CASE(signalfd_change_mask)
{
	struct signalfd_siginfo info;
	sigset_t set;
	int fd = make_signalfd(SIGUSR1, SFD_NONBLOCK);

	raise(SIGUSR1);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	TRUTH(signalfd(fd, &set, 0) == fd);
	CALL(read(fd, &info, sizeof(info)));
	CALL(signalfd(1, &set, 0));
	CALL(signalfd(-2, &set, 0));
	CALL(signalfd(-1, &set, 1));
	CALL(SYS(SYS_signalfd4, -1, &set, 4, 0));
	CALL(SYS(SYS_signalfd4, -1, BAD_ADDRESS, 8, 0));
}

CASE(signalfd_sigchld)
{
	struct signalfd_siginfo info;
	int fd = make_signalfd(SIGCHLD, 0);
	pid_t pid = fork();

	if (pid == 0)
		_exit(13);
	CALL(read(fd, &info, sizeof(info)));
	NOTE("signo %d code %d status %d", info.ssi_signo, info.ssi_code, info.ssi_status);
	TRUTH(info.ssi_pid == (uint32_t)pid);
	note_wait("child", pid);
}
