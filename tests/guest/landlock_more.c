/* SPDX-License-Identifier: Apache-2.0 */
/* landlock(7), the fourth to sixth version of its ABI: ports, ioctls of devices, scopes; and who
 * may trace whom. */
#include <arpa/inet.h>
#include <linux/fs.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>

#include "socket_unix.h"

/* As linux/landlock.h has them, which may be older. */
struct attr {
	uint64_t fs, net, scoped;
};
struct port_attr {
	uint64_t allowed, port;
};
struct path_attr {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));
enum { READ_FILE = 0x4, IOCTL_DEV = 0x8000 };
enum { BIND = 1, CONNECT = 2 };
enum { SCOPE_ABSTRACT = 1, SCOPE_SIGNAL = 2 };
enum { BENEATH = 1, PORT = 2 };

static void need(int version)
{
	long r = SYS(SYS_landlock_create_ruleset, NULL, 0, 1);

	if (r < version)
		SKIP("no landlock of that version");
}

static int ruleset(uint64_t fs, uint64_t net, uint64_t scoped)
{
	struct attr attr = {fs, net, scoped};

	return (int)SYS(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
}

static int allow_port(int set, uint64_t port, uint64_t allowed)
{
	struct port_attr attr = {allowed, port};

	return (int)SYS(SYS_landlock_add_rule, set, PORT, &attr, 0);
}

static int allow_path(int set, const char *path, uint64_t allowed)
{
	struct path_attr attr = {allowed, open(path, O_PATH)};
	int r = (int)SYS(SYS_landlock_add_rule, set, BENEATH, &attr, 0);

	close(attr.fd);
	return r;
}

static int restrict_self(int set)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)SYS(SYS_landlock_restrict_self, set, 0);
}

CASE(sizes_of_attributes)
{
	uint64_t words[8] = {READ_FILE, BIND, SCOPE_SIGNAL};

	need(6);
	CALL(SYS(SYS_landlock_create_ruleset, words, 7, 0));
	OK(SYS(SYS_landlock_create_ruleset, words, 8, 0));
	OK(SYS(SYS_landlock_create_ruleset, words, 16, 0));
	OK(SYS(SYS_landlock_create_ruleset, words, 24, 0));
	OK(SYS(SYS_landlock_create_ruleset, words, 64, 0));
	words[7] = 1;
	CALL(SYS(SYS_landlock_create_ruleset, words, 64, 0));
	CALL(SYS(SYS_landlock_create_ruleset, words, 4097, 0));
	CALL(ruleset(0, 0, 0));
	OK(ruleset(0, BIND, 0));
	OK(ruleset(0, 0, SCOPE_ABSTRACT));
	CALL(ruleset(1ull << 40, 0, 0));
	CALL(ruleset(0, 1ull << 40, 0));
	CALL(ruleset(0, 0, 1ull << 40));
	CALL(SYS(SYS_landlock_create_ruleset, BAD_ADDRESS, 24, 0));
}

CASE(rules_of_ports)
{
	struct port_attr attr = {BIND, 80};
	int set;

	need(4);
	set = ruleset(READ_FILE, BIND, 0);
	CALL(allow_port(set, 80, BIND));
	CALL(allow_port(set, 80, CONNECT));
	CALL(allow_port(set, 80, BIND | CONNECT));
	CALL(allow_port(set, 80, 0));
	CALL(allow_port(set, 0, BIND));
	CALL(allow_port(set, 65535, BIND));
	CALL(allow_port(set, 65536, BIND));
	CALL(allow_port(set, 1ull << 32, BIND));
	CALL(SYS(SYS_landlock_add_rule, set, PORT, BAD_ADDRESS, 0));
	CALL(SYS(SYS_landlock_add_rule, set, PORT, &attr, 1));
	CALL(SYS(SYS_landlock_add_rule, set, 3, &attr, 0));
	CALL(SYS(SYS_landlock_add_rule, 0, PORT, &attr, 0));
	CALL(allow_port(ruleset(READ_FILE, 0, 0), 80, BIND));
}

static struct sockaddr_in loopback(int port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static struct sockaddr_in6 loopback6(int port)
{
	return (struct sockaddr_in6){.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT};
}

static int bind_to(int type, int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, type, 0), one = 1, r, error;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	error = errno;
	close(fd);
	errno = error;
	return r;
}

static int bind_to6(int type, int port)
{
	struct sockaddr_in6 address = loopback6(port);
	int fd = socket(AF_INET6, type, 0), one = 1, r, error;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	r = bind(fd, (struct sockaddr *)&address, sizeof(address));
	error = errno;
	close(fd);
	errno = error;
	return r;
}

/* A listener at a port that the kernel chose. */
static int listener(int *ret_port)
{
	struct sockaddr_in address = loopback(0);
	socklen_t size = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	bind(fd, (struct sockaddr *)&address, sizeof(address));
	listen(fd, 10);
	getsockname(fd, (struct sockaddr *)&address, &size);
	*ret_port = ntohs(address.sin_port);
	return fd;
}

static int connect_to(int port)
{
	struct sockaddr_in address = loopback(port);
	int fd = socket(AF_INET, SOCK_STREAM, 0), r, error;

	r = connect(fd, (struct sockaddr *)&address, sizeof(address));
	error = errno;
	close(fd);
	errno = error;
	return r;
}

CASE(binds)
{
	int set;

	need(4);
	set = ruleset(0, BIND, 0);
	CALL(allow_port(set, 0, BIND));
	CALL(restrict_self(set));
	CALL(bind_to(SOCK_STREAM, 0));
	CALL(bind_to6(SOCK_STREAM, 0));
	CALL(bind_to(SOCK_STREAM, 30731));
	CALL(bind_to6(SOCK_STREAM, 30731));
	CALL(bind_to(SOCK_DGRAM, 0));
	/* Who listens without a name gets one unasked. */
	CALL(listen(socket(AF_INET, SOCK_STREAM, 0), 1));
}

CASE(connects)
{
	int set, allowed, denied;

	need(4);
	listener(&allowed);
	listener(&denied);
	set = ruleset(0, CONNECT, 0);
	allow_port(set, (uint64_t)allowed, CONNECT);
	CALL(restrict_self(set));
	CALL(connect_to(allowed));
	CALL(connect_to(denied));
	CALL(bind_to(SOCK_STREAM, 0));
}

CASE(layers_of_ports)
{
	int set, both, first;

	need(4);
	listener(&both);
	listener(&first);
	set = ruleset(0, CONNECT, 0);
	allow_port(set, (uint64_t)both, CONNECT);
	allow_port(set, (uint64_t)first, CONNECT);
	CALL(restrict_self(set));
	CALL(connect_to(first));
	set = ruleset(0, CONNECT | BIND, 0);
	allow_port(set, (uint64_t)both, CONNECT);
	CALL(restrict_self(set));
	CALL(connect_to(both));
	CALL(connect_to(first));
	CALL(bind_to(SOCK_STREAM, 0));
	/* A layer that handles files alone takes away nothing here. */
	CALL(restrict_self(ruleset(READ_FILE, 0, 0)));
	CALL(connect_to(both));
}

/* What is looked at of an address, and in which order. */
CASE(addresses)
{
	struct sockaddr_in address = loopback(30732);
	struct sockaddr_in6 address6 = loopback6(30732);
	struct sockaddr_in any = {.sin_family = AF_UNSPEC};
	int tcp, tcp6, udp;

	need(4);
	CALL(restrict_self(ruleset(0, BIND | CONNECT, 0)));
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	tcp6 = socket(AF_INET6, SOCK_STREAM, 0);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	CALL(bind(tcp, (struct sockaddr *)&address, 1));
	CALL(bind(tcp, (struct sockaddr *)&address, 2));
	CALL(bind(tcp, (struct sockaddr *)&address, 15));
	CALL(bind(tcp, (struct sockaddr *)&address, 16));
	CALL(bind(tcp, (struct sockaddr *)&address6, sizeof(address6)));
	CALL(bind(tcp6, (struct sockaddr *)&address, sizeof(address)));
	CALL(bind(tcp6, (struct sockaddr *)&address6, 23));
	CALL(bind(tcp6, (struct sockaddr *)&address6, 24));
	CALL(bind(tcp6, (struct sockaddr *)&address6, sizeof(address6)));
	CALL(bind(tcp, (struct sockaddr *)&any, sizeof(any)));
	any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	CALL(bind(tcp, (struct sockaddr *)&any, sizeof(any)));
	CALL(bind(tcp, (struct sockaddr *)&any, 8));
	CALL(connect(tcp, (struct sockaddr *)&any, sizeof(any)));
	CALL(connect(tcp, (struct sockaddr *)&address, 8));
	CALL(connect(tcp, (struct sockaddr *)&address, sizeof(address)));
	CALL(connect(tcp, (struct sockaddr *)&address6, sizeof(address6)));
	CALL(connect(udp, (struct sockaddr *)&address, sizeof(address)));
	CALL(connect(99, (struct sockaddr *)&address, sizeof(address)));
	CALL(bind(0, (struct sockaddr *)&address, sizeof(address)));
}

CASE(ioctls_of_devices)
{
	int set, before, fd, n = 0;

	need(5);
	before = open("/dev/null", O_RDWR);
	write_file("file", "text");
	set = ruleset(IOCTL_DEV, 0, 0);
	CALL(allow_path(set, "/dev/zero", IOCTL_DEV));
	CALL(restrict_self(set));
	CALL(ioctl(before, FIONREAD, &n));
	fd = open("/dev/null", O_RDWR);
	CALL(ioctl(fd, FIONREAD, &n));
	CALL(ioctl(fd, 0x5401, BAD_ADDRESS));
	CALL(ioctl(fd, FIOCLEX));
	CALL(ioctl(fd, FIONCLEX));
	CALL(ioctl(fd, FIONBIO, &n));
	CALL(ioctl(fd, FIGETBSZ, BAD_ADDRESS));
	CALL(ioctl(99, FIONREAD, &n));
	CALL(ioctl(open("/dev/null", O_PATH), FIONREAD, &n));
	CALL(ioctl(open("/dev/zero", O_RDWR), FIONREAD, &n));
	CALL(ioctl(open("file", O_RDONLY), FIONREAD, &n));
}

CASE(ioctl_rules)
{
	int set;

	need(5);
	write_file("file", "text");
	set = ruleset(IOCTL_DEV, 0, 0);
	CALL(allow_path(set, "file", IOCTL_DEV));
	CALL(allow_path(set, ".", IOCTL_DEV));
	CALL(allow_path(ruleset(READ_FILE, 0, 0), ".", IOCTL_DEV));
}

static pid_t sleeping_child(int set)
{
	int ready[2];
	char c;
	pid_t pid;

	pipe(ready);
	pid = fork();
	if (pid == 0) {
		if (set >= 0)
			restrict_self(set);
		write(ready[1], "x", 1);
		for (;;)
			pause();
	}
	read(ready[0], &c, 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void end(pid_t pid)
{
	kill(pid, SIGKILL);
	note_wait("ended", pid);
}

/* Inside: itself and its children. Outside: who was there before. */
CASE(signals_stay_inside)
{
	pid_t outside, inside, both;

	need(6);
	outside = sleeping_child(-1);
	both = fork();
	if (both == 0) {
		CALL(restrict_self(ruleset(0, 0, SCOPE_SIGNAL)));
		CALL(kill(outside, 0));
		CALL(kill(outside, SIGCONT));
		CALL(kill(getppid(), 0));
		CALL(kill(getpid(), 0));
		CALL(SYS(SYS_tgkill, outside, outside, 0));
		CALL(SYS(SYS_rt_sigqueueinfo, outside, 0, BAD_ADDRESS));
		inside = sleeping_child(-1);
		CALL(kill(inside, 0));
		end(inside);
		inside = sleeping_child(ruleset(0, 0, SCOPE_SIGNAL));
		CALL(kill(inside, 0));
		end(inside);
		_exit(0);
	}
	note_wait("restricted", both);
	CALL(kill(outside, 0));
	end(outside);
}

/* Layers of other kinds do not matter; an outer one with the scope does. */
CASE(signals_and_layers)
{
	pid_t pid = 0, sibling, middle;

	need(6);
	middle = fork();
	if (middle == 0) {
		CALL(restrict_self(ruleset(0, 0, SCOPE_SIGNAL)));
		sibling = sleeping_child(-1);
		pid = fork();
		if (pid == 0) {
			CALL(restrict_self(ruleset(0, BIND, 0)));
			CALL(kill(sibling, 0));
			CALL(kill(getppid(), 0));
			CALL(restrict_self(ruleset(0, 0, SCOPE_SIGNAL)));
			CALL(kill(sibling, 0));
			_exit(0);
		}
		note_wait("inner", pid);
		end(sibling);
		_exit(0);
	}
	note_wait("middle", middle);
}

CASE(abstract_names_stay_inside)
{
	struct unix_name stream = at_abstract("stream"), dgram = at_abstract("dgram");
	struct unix_name inner = at_abstract("inner"), path = at_path("path");
	struct unix_name nobody = at_abstract("nobody");
	int listening, receiving, connected, own;

	need(6);
	listening = socket(AF_UNIX, SOCK_STREAM, 0);
	bind(listening, ADDR(stream));
	listen(listening, 5);
	receiving = socket(AF_UNIX, SOCK_DGRAM, 0);
	bind(receiving, ADDR(dgram));
	bound_at("path", SOCK_DGRAM);
	connected = socket(AF_UNIX, SOCK_DGRAM, 0);
	connect(connected, ADDR(dgram));
	CALL(restrict_self(ruleset(0, 0, SCOPE_ABSTRACT)));
	CALL(connect(socket(AF_UNIX, SOCK_STREAM, 0), ADDR(stream)));
	CALL(connect(socket(AF_UNIX, SOCK_DGRAM, 0), ADDR(dgram)));
	own = socket(AF_UNIX, SOCK_DGRAM, 0);
	CALL(sendto(own, "x", 1, 0, ADDR(dgram)));
	CALL(send(connected, "x", 1, 0));
	CALL(sendto(connected, "x", 1, 0, ADDR(dgram)));
	CALL(connect(connected, ADDR(dgram)));
	CALL(connect(own, ADDR(path)));
	CALL(sendto(own, "x", 1, 0, ADDR(path)));
	CALL(connect(socket(AF_UNIX, SOCK_STREAM, 0), ADDR(nobody)));
	own = socket(AF_UNIX, SOCK_STREAM, 0);
	CALL(bind(own, ADDR(inner)));
	CALL(listen(own, 1));
	CALL(connect(socket(AF_UNIX, SOCK_STREAM, 0), ADDR(inner)));
}

/* Whoever is outside of a domain cannot be traced from within. */
CASE(traces_stay_inside)
{
	pid_t outside, inside, restricted;

	need(1);
	outside = sleeping_child(-1);
	restricted = fork();
	if (restricted == 0) {
		CALL(restrict_self(ruleset(READ_FILE, 0, 0)));
		CALL(ptrace(PTRACE_ATTACH, outside, 0, 0));
		inside = sleeping_child(-1);
		CALL(ptrace(PTRACE_SEIZE, inside, 0, 0));
		end(inside);
		_exit(0);
	}
	note_wait("restricted", restricted);
	inside = sleeping_child(ruleset(READ_FILE, 0, 0));
	CALL(ptrace(PTRACE_SEIZE, inside, 0, 0));
	end(inside);
	end(outside);
}

static void ask_to_be_traced(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		CALL(ptrace(PTRACE_TRACEME, 0, 0, 0));
		_exit(0);
	}
	note_wait("tracee", pid);
}

CASE(traced_by_a_restricted_parent)
{
	pid_t pid, ready[2];
	char c;

	need(1);
	ask_to_be_traced();
	pipe(ready);
	/* The child is outside of what its parent enters after it was made. */
	pid = fork();
	if (pid == 0) {
		read(ready[0], &c, 1);
		CALL(ptrace(PTRACE_TRACEME, 0, 0, 0));
		_exit(0);
	}
	CALL(restrict_self(ruleset(READ_FILE, 0, 0)));
	write(ready[1], "x", 1);
	note_wait("older child", pid);
	ask_to_be_traced();
}

/* Mounting is for those whose files are not restricted. */
CASE(mounts_without_files)
{
	need(4);
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
		SKIP("no user namespaces");
	CALL(restrict_self(ruleset(0, BIND, 0)));
	mkdir("m", 0700);
	CALL(SYS(SYS_mount, "none", "m", "tmpfs", 0, NULL));
	CALL(restrict_self(ruleset(READ_FILE, 0, 0)));
	CALL(SYS(SYS_mount, "none", "m", "tmpfs", 0, NULL));
}
