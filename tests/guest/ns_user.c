/* SPDX-License-Identifier: Apache-2.0 */
/* User namespaces: maps of ids, capabilities, what ids look like from inside. */
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <sys/socket.h>

#include <sys/ptrace.h>

#include "ns.h"

static uint64_t effective(void)
{
	struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
	struct __user_cap_data_struct data[2] = {0};

	syscall(SYS_capget, &header, data);
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static void note_ids(void)
{
	NOTE("uid %u %u, gid %u %u", getuid(), geteuid(), getgid(), getegid());
}

CASE(without_map)
{
	become(1234);
	CALL(unshare(CLONE_NEWUSER));
	note_ids();
	TRUTH(effective() != 0);
	note_file("/proc/self/uid_map");
	note_file("/proc/self/gid_map");
	note_file("/proc/self/setgroups");
	CALL(setuid(0));
	CALL(setuid(1234));
	CALL(setgid(0));
	CALL(setgroups(0, NULL));
	CALL(chown(".", 0, 0));
	CALL(open("x", O_CREAT | O_WRONLY, 0600));
}

CASE(own_map)
{
	become(1234);
	CALL(unshare(CLONE_NEWUSER));
	CALL(write_text("/proc/self/uid_map", "0 1234 1"));
	note_ids();
	CALL(write_text("/proc/self/gid_map", "0 1234 1"));
	CALL(write_text("/proc/self/setgroups", "deny"));
	CALL(write_text("/proc/self/gid_map", "0 1234 1"));
	note_ids();
	note_file("/proc/self/uid_map");
	note_file("/proc/self/setgroups");
	CALL(write_text("/proc/self/uid_map", "0 1234 1"));
	CALL(write_text("/proc/self/setgroups", "allow"));
	CALL(setgroups(0, NULL));
	CALL(setuid(0));
	CALL(setuid(1));
	CALL(setresuid(0, 0, 0));
	CALL(setfsuid(7));
}

CASE(map_errors)
{
	become(1234);
	CALL(unshare(CLONE_NEWUSER));
	CALL(write_text("/proc/self/uid_map", ""));
	CALL(write_text("/proc/self/uid_map", "nonsense"));
	CALL(write_text("/proc/self/uid_map", "0 1234"));
	CALL(write_text("/proc/self/uid_map", "0 1234 0"));
	CALL(write_text("/proc/self/uid_map", "0 1234 1 1"));
	CALL(write_text("/proc/self/uid_map", "4294967295 1234 1"));
	CALL(write_text("/proc/self/uid_map", "0 1234 4294967295"));
	CALL(write_text("/proc/self/uid_map", "0 1234 5000000000"));
	CALL(write_text("/proc/self/uid_map", "0 1235 1"));
	CALL(write_text("/proc/self/uid_map", "0 0 1"));
	CALL(write_text("/proc/self/uid_map", "0 1234 2"));
	CALL(write_text("/proc/self/uid_map", "0 1234 1\n1 1234 1"));
	CALL(write_text("/proc/self/uid_map", "  5\t1234   1  \n"));
	note_file("/proc/self/uid_map");
	note_ids();
}

static int pipes[2][2];

static void tell(int i)
{
	write(pipes[i][1], "", 1);
}

static void await(int i)
{
	char c;

	read(pipes[i][0], &c, 1);
}

/* A child in a new user namespace whose maps the parent, root outside, writes. */
static void with_child(int flags, void (*child)(void), const char *uids, const char *gids)
{
	char name[64];
	pid_t pid;

	pipe(pipes[0]);
	pipe(pipes[1]);
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | flags) < 0)
			_exit(9);
		tell(0);
		await(1);
		child();
		fflush(NULL);
		_exit(0);
	}
	await(0);
	snprintf(name, sizeof(name), "/proc/%d/uid_map", pid);
	NOTE("uid_map: %s", write_text(name, uids) == 0 ? "written" : errno_name(errno));
	snprintf(name, sizeof(name), "/proc/%d/gid_map", pid);
	NOTE("gid_map: %s", write_text(name, gids) == 0 ? "written" : errno_name(errno));
	fflush(NULL);
	tell(1);
	note_wait("child", pid);
}

static void look_around(void)
{
	struct stat stat;

	note_file("/proc/self/uid_map");
	note_file("/proc/self/gid_map");
	CALL(setresgid(0, 0, 0));
	CALL(setgroups(0, NULL));
	CALL(setresuid(0, 0, 0));
	note_ids();
	write_file("mine", "x");
	lstat("mine", &stat);
	NOTE("mine %u %u", stat.st_uid, stat.st_gid);
	lstat("by-0", &stat);
	NOTE("by-0 %u %u", stat.st_uid, stat.st_gid);
	lstat("by-1005", &stat);
	NOTE("by-1005 %u %u", stat.st_uid, stat.st_gid);
	CALL(chown("mine", 5, 6));
	lstat("mine", &stat);
	NOTE("mine %u %u", stat.st_uid, stat.st_gid);
	CALL(chown("mine", 500, 0));
	CALL(chown("by-0", 0, 0));
	CALL(chmod("by-0", 0666));
	CALL(chmod("by-1005", 0600));
	CALL(open("secret-0", O_RDONLY));
	OK(open("secret-1005", O_RDONLY));
	CALL(unlink("secret-1005"));
}

CASE(mapped_by_the_parent)
{
	struct stat stat;

	chmod(".", 0777);
	write_file("by-0", "");
	write_file("by-1005", "");
	chown("by-1005", 1005, 1005);
	write_file("secret-0", "");
	chmod("secret-0", 0600);
	write_file("secret-1005", "");
	chown("secret-1005", 1005, 1005);
	chmod("secret-1005", 0600);
	with_child(0, look_around, "0 1000 100", "0 1000 50\n50 2000 10");
	lstat("mine", &stat);
	NOTE("mine outside %u %u", stat.st_uid, stat.st_gid);
}

static void nothing(void)
{
	note_ids();
}

CASE(many_extents)
{
	char text[4096] = "";
	int used = 0;

	for (int i = 7; i >= 0; i--)
		used += snprintf(
			text + used, sizeof(text) - (size_t)used, "%d %d 1\n", i * 10, 3000 + i);
	with_child(0, nothing, text, "0 0 4294967295");
	with_child(0, nothing, "0 0 4294967295", "0 0 1\n0 1 1");
}

static void nested(void)
{
	CALL(setresuid(0, 0, 0));
	CALL(unshare(CLONE_NEWUSER));
	note_ids();
	CALL(write_text("/proc/self/uid_map", "0 0 10"));
	CALL(write_text("/proc/self/uid_map", "7 0 1"));
	note_ids();
	note_file("/proc/self/uid_map");
}

CASE(nested_namespaces)
{
	with_child(0, nested, "0 1000 10", "0 1000 10");
}

CASE(depth)
{
	int depth = 0;

	while (depth < 40 && unshare(CLONE_NEWUSER) == 0) {
		depth++;
		if (write_text("/proc/self/uid_map", "0 0 1") < 0)
			break;
		write_text("/proc/self/setgroups", "deny");
		if (write_text("/proc/self/gid_map", "0 0 1") < 0)
			break;
	}
	NOTE("depth %d: %s", depth, errno_name(errno));
}

CASE(capabilities)
{
	chmod(".", 0777);
	become(1234);
	TRUTH(effective() == 0);
	own_user_ns(0);
	TRUTH(effective() != 0);
	CALL(sethostname("x", 1));
	CALL(mount("t", ".", "tmpfs", 0, NULL));
	CALL(chroot("."));
	CALL(unshare(CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC));
	CALL(sethostname("x", 1));
	CALL(mknod("node", S_IFCHR | 0600, makedev(1, 3)));
	CALL(mknod("whiteout", S_IFCHR | 0600, 0));
	CALL(prctl(PR_CAPBSET_DROP, 5));
	CALL(prctl(PR_CAPBSET_READ, 5));
}

CASE(execve_as_root_inside)
{
	become(1234);
	own_user_ns(0);
	fflush(NULL);
	execlp("sh", "sh", "-c",
		"id -u; id -g; grep Cap /proc/self/status | grep -c 0000000000000000", NULL);
}

CASE(execve_as_nobody_loses)
{
	become(1234);
	CALL(unshare(CLONE_NEWUSER));
	fflush(NULL);
	execlp("sh", "sh", "-c", "id -u; grep CapEff /proc/self/status", NULL);
}

CASE(clone_newuser)
{
	int status;
	pid_t pid;

	become(1234);
	fflush(NULL);
	pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0);
	if (pid == 0) {
		note_ids();
		NOTE("pid %d parent %d", getpid(), getppid());
		fflush(NULL);
		_exit(3);
	}
	waitpid(pid, &status, 0);
	note_status("child", status);
	CALL(syscall(SYS_clone, CLONE_NEWUSER | CLONE_FS | SIGCHLD, 0, 0, 0, 0));
	CALL(syscall(
		SYS_clone, CLONE_NEWUSER | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0));
	CALL(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
	CALL(syscall(SYS_clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0));
	CALL(syscall(SYS_clone, CLONE_NEWIPC | CLONE_SYSVSEM | SIGCHLD, 0, 0, 0, 0));
}

CASE(unshare_without_rights)
{
	become(1234);
	CALL(unshare(CLONE_NEWNS));
	CALL(unshare(CLONE_NEWPID));
	CALL(unshare(CLONE_NEWUTS));
	CALL(unshare(CLONE_NEWIPC));
	CALL(unshare(CLONE_NEWNET));
	CALL(unshare(CLONE_NEWCGROUP));
	CALL(unshare(CLONE_NEWTIME));
	CALL(unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC));
}

CASE(chrooted)
{
	mkdir("root", 0755);
	CALL(chroot("root"));
	CALL(unshare(CLONE_NEWUSER));
}

static void kill_parent_side(void)
{
	CALL(kill(getppid(), 0));
	CALL(kill(getppid(), SIGCONT));
}

CASE(signals_outward)
{
	with_child(0, kill_parent_side, "0 1000 10", "0 1000 10");
}

static void look_at_init(void)
{
	struct stat stat;
	char text[8];

	CALL(setresuid(0, 0, 0));
	lstat("/", &stat);
	NOTE("/ %u %u", stat.st_uid, stat.st_gid);
	CALL(readlink("/proc/1/cwd", text, sizeof(text)) > 0 ? 1 : -1);
}

CASE(strangers)
{
	with_child(0, look_at_init, "0 1000 10", "0 1000 10");
}

static int pair[2];

static void send_credentials(void)
{
	char control[CMSG_SPACE(sizeof(struct ucred))] = {0};
	struct iovec iov = {"x", 1};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	struct ucred cred = {.pid = getpid(), .uid = 3, .gid = 4};

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_CREDENTIALS;
	header->cmsg_len = CMSG_LEN(sizeof(cred));
	memcpy(CMSG_DATA(header), &cred, sizeof(cred));
	CALL(setresuid(0, 0, 0));
	CALL(sendmsg(pair[1], &message, 0));
	cred.uid = 400;
	memcpy(CMSG_DATA(header), &cred, sizeof(cred));
	CALL(sendmsg(pair[1], &message, 0));
}

CASE(socket_credentials)
{
	char control[CMSG_SPACE(sizeof(struct ucred))], byte;
	struct iovec iov = {&byte, 1};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct ucred cred;
	int one = 1;

	socketpair(AF_UNIX, SOCK_DGRAM, 0, pair);
	setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &one, sizeof(one));
	with_child(0, send_credentials, "0 1000 10", "0 1000 10");
	CALL(recvmsg(pair[0], &message, 0));
	memcpy(&cred, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(cred));
	NOTE("from %u %u", cred.uid, cred.gid);
}

static void peer_inside(void)
{
	struct ucred cred;
	socklen_t size = sizeof(cred);

	CALL(getsockopt(pair[1], SOL_SOCKET, SO_PEERCRED, &cred, &size));
	NOTE("peer %u %u", cred.uid, cred.gid);
}

CASE(peer_credentials)
{
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	with_child(0, peer_inside, "0 1000 10", "0 1000 10");
}

static siginfo_t last_info;

static void handler(int signo, siginfo_t *info, void *context)
{
	last_info = *info;
}

static void kill_and_exit(void)
{
	CALL(setresuid(2, 2, 2));
}

CASE(child_info)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

	sigaction(SIGCHLD, &action, NULL);
	with_child(0, kill_and_exit, "0 1000 10", "0 1000 10");
	NOTE("uid %u", last_info.si_uid);
}

static void suid_program(void)
{
	setresgid(1, 1, 1);
	setresuid(1, 1, 1);
	fflush(NULL);
	execl("prog", "prog", "-u", NULL);
	_exit(9);
}

/* A set-user-id file of somebody who has no name inside gives nothing. */
CASE(setuid_file)
{
	chmod(".", 0755);
	system("cp /usr/bin/id prog");
	chown("prog", 0, 0);
	chmod("prog", 04755);
	with_child(0, suid_program, "0 1000 10", "0 1000 10");
	chown("prog", 1005, 1005);
	chmod("prog", 04755);
	with_child(0, suid_program, "0 1000 10", "0 1000 10");
}

CASE(status_file)
{
	FILE *file;
	char line[256];

	become(1234);
	own_user_ns(0);
	file = fopen("/proc/self/status", "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, "Uid", 3) == 0 || strncmp(line, "Gid", 3) == 0 ||
			strncmp(line, "Groups", 6) == 0)
			NOTE("%s", line);
}

CASE(groups)
{
	gid_t groups[3] = {1000, 1005, 77}, out[8];
	int count;

	setgroups(3, groups);
	CALL(unshare(CLONE_NEWUSER));
	count = (int)CALL(getgroups(8, out));
	for (int i = 0; i < count; i++)
		NOTE("%u", out[i]);
}

static void mounts_inside(void)
{
	CALL(setresuid(0, 0, 0));
	CALL(mount("t", "m", "tmpfs", 0, NULL));
	CALL(mknod("m/null", S_IFCHR | 0666, 0));
	note_mounts();
	CALL(umount("m"));
	CALL(umount("outer"));
	CALL(umount2("outer", MNT_DETACH));
	CALL(mount(NULL, "outer", NULL, MS_REMOUNT | MS_BIND, NULL));
	CALL(mount(NULL, "outer", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOEXEC, NULL));
	CALL(mount(NULL, "outer", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CALL(mount("outer", "m", NULL, MS_BIND, NULL));
	CALL(mount("outer", "m", NULL, MS_BIND | MS_REC, NULL));
	CALL(mount("outer/in", "m", NULL, MS_MOVE, NULL));
	CALL(mount("none", "m", "devtmpfs", 0, NULL));
	CALL(mount("none", "m", "sysfs", 0, NULL));
	note_mounts();
}

/* What the less privileged namespace inherits is locked. */
CASE(locked_mounts)
{
	own_mounts();
	chmod(".", 0755);
	mkdir("m", 0777);
	mkdir("outer", 0755);
	mount("o", "outer", "tmpfs", 0, NULL);
	mkdir("outer/in", 0755);
	mount("i", "outer/in", "tmpfs", 0, NULL);
	mount(NULL, "outer", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL);
	with_child(CLONE_NEWNS, mounts_inside, "0 1000 10", "0 1000 10");
}

CASE(tmpfs_of_a_namespace)
{
	struct stat stat;

	chmod(".", 0777);
	mkdir("m", 0777);
	become(1234);
	own_user_ns(CLONE_NEWNS);
	CALL(mount("t", "m", "tmpfs", 0, "mode=755"));
	lstat("m", &stat);
	NOTE("%u %u %o", stat.st_uid, stat.st_gid, stat.st_mode);
	CALL(mkdir("m/x", 0700));
	CALL(chown("m/x", 1, 0));
	CALL(mount(NULL, "m", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL));
	CALL(chown("m/x", 1, 0));
	CALL(mount("t", "m", "tmpfs", 0, "uid=1"));
	CALL(mknod("m/null", S_IFCHR | 0666, makedev(1, 3)));
}

/* Who enters a namespace with rights from outside is not to be looked into by those in it. */
static void enter_and_wait(const int fds[2], int ns, int dumpable)
{

	if (setns(ns, CLONE_NEWUSER) < 0)
		_exit(9);
	if (dumpable)
		prctl(PR_SET_DUMPABLE, 1);
	write(fds[1], "x", 1);
	pause();
}

CASE(guests_from_outside)
{
	for (int dumpable = 0; dumpable < 2; dumpable++) {
		int ready[2], entered[2], command[2], ns;
		char path[64], go;
		pid_t inside, guest;

		if (pipe(ready) < 0 || pipe(entered) < 0 || pipe(command) < 0)
			exit(9);
		fflush(NULL);
		inside = fork();
		if (inside == 0) {
			pid_t target;

			become(1000);
			own_user_ns(0);
			write(ready[1], "x", 1);
			read(command[0], &target, sizeof(target));
			NOTE("dumpable %d", dumpable);
			CALL(ptrace(PTRACE_SEIZE, target, 0, 0));
			snprintf(path, sizeof(path), "/proc/%d/mem", target);
			NOTE("mem %s", open(path, O_RDWR) < 0 ? errno_name(errno) : "opened");
			fflush(NULL);
			_exit(0);
		}
		read(ready[0], &go, 1);
		snprintf(path, sizeof(path), "/proc/%d/ns/user", inside);
		ns = open(path, O_RDONLY);
		guest = fork();
		if (guest == 0)
			enter_and_wait(entered, ns, dumpable);
		read(entered[0], &go, 1);
		write(command[1], &guest, sizeof(guest));
		note_wait("inside", inside);
		kill(guest, SIGKILL);
		waitpid(guest, NULL, 0);
		close(ns);
	}
}

CASE(unmounts_by_force)
{
	own_user_ns(CLONE_NEWNS);
	mkdir("m", 0700);
	CALL(mount("none", "m", "tmpfs", 0, NULL));
	CALL(umount2("m", MNT_FORCE | MNT_DETACH));
	CALL(mount("none", "m", "tmpfs", 0, NULL));
	CALL(umount2("m", MNT_FORCE));
	CALL(mount(".", "m", NULL, MS_BIND, NULL));
	CALL(umount2("m", MNT_FORCE));
	CALL(umount2("m", 0));
}
