/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing up the zygote.
 *
 * The Sentry forks; the child arranges what the stub cannot do for itself (limits, privileges,
 * process group, kill pipe, descriptors) and executes the embedded stub from a memfd. What the stub
 * must know lies in its channel before: the filter to install, and where the vDSO's parts are. It
 * comes up on its own while the Sentry does other things; then its helper thread sends the filter's
 * listener over a socket pair. From then on there is only the channel.
 */
#include "platform/systrap/zygote.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/host_proc.h"
#include "base/log.h"
#include "platform/systrap/filter.h"
#include "platform/systrap/systrap.h"

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
#define SYNC_WAKE_UP  1ul   /* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP, Linux 6.6 */
#define START_TIMEOUT 10000 /* ms */

_Static_assert(STUB_FD_END <= 32, "within the limit of descriptors (child_limit)");

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010u
#endif

/* The stub program, as bytes (stub/embed.py). */
#include "platform/systrap/stub_image.h"

/* ---- an executable descriptor of the image ---- */

static int write_image(int fd)
{
	const uint8_t *data = stub_image;
	size_t left = sizeof(stub_image);

	while (left > 0) {
		ssize_t n = write(fd, data, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -errno;
		data += n;
		left -= (size_t)n;
	}
	return 0;
}

static int image_in_memfd(void)
{
	_cleanup_close_ int fd = -1;
	int err;

	fd = memfd_create("sentry-stub", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL) /* before 6.3 */
		fd = memfd_create("sentry-stub", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	err = write_image(fd);
	if (err < 0)
		return err;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) < 0)
		return -errno;
	return take_fd(&fd);
}

/* vm.memfd_noexec=2: an unlinked file, opened a second time, since a file open for writing cannot
 * be executed. */
static int image_in_file(void)
{
	static const char *const folders[] = {"/tmp", "/dev/shm", "/var/tmp", "/run"};

	for (unsigned i = 0; i < array_size(folders); i++) {
		_cleanup_close_ int fd = open(folders[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0700);
		char path[64];
		int reader;

		if (fd < 0 || write_image(fd) < 0 || fchmod(fd, 0500) < 0)
			continue;
		(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		reader = open(path, O_RDONLY | O_CLOEXEC);
		if (reader >= 0)
			return reader;
	}
	return -EACCES;
}

/* ---- the child, between fork and exec ---- */

struct child_setup {
	int image, channel, socket, kill_read;
	uint64_t data_limit;
};

static void child_limit(int resource, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return;
	if (value > limit.rlim_max)
		value = limit.rlim_max;
	limit.rlim_cur = value;
	if (resource != RLIMIT_DATA) /* the Sentry moves that one in steps */
		limit.rlim_max = value;
	(void)setrlimit(resource, &limit);
}

/* A stub that starts with capabilities gives them to the guest. */
static int child_drop_privileges(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	for (unsigned cap = 0; cap <= 63; cap++) {
		if (prctl(PR_CAPBSET_READ, cap, 0, 0, 0) == 1)
			(void)prctl(PR_CAPBSET_DROP, cap, 0, 0,
				0); /* EPERM: not privileged, then none to lose */
	}
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	if (syscall(SYS_capset, &header, data) < 0)
		return -errno;
	return 0;
}

/* Every process in the group dies when the last write end, the Sentry's, closes. */
static int child_arm_kill_pipe(int fd)
{
	struct f_owner_ex owner = {.type = F_OWNER_PGRP, .pid = getpid()};

	if (fcntl(fd, F_SETOWN_EX, &owner) < 0 || fcntl(fd, F_SETSIG, SIGKILL) < 0 ||
		fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

/* Moves the descriptors to their places and closes all others. */
static int child_descriptors(const struct child_setup *setup)
{
	int image, channel, socket, kill_read;

	/* Out of the way of the numbers that they are going to get. */
	image = fcntl(setup->image, F_DUPFD_CLOEXEC, 16);
	channel = fcntl(setup->channel, F_DUPFD_CLOEXEC, 16);
	socket = fcntl(setup->socket, F_DUPFD_CLOEXEC, 16);
	kill_read = fcntl(setup->kill_read, F_DUPFD_CLOEXEC, 16);
	if (image < 0 || channel < 0 || socket < 0 || kill_read < 0)
		return -errno;
	(void)close(STUB_FD_TRANSFER);
	if (dup2(kill_read, STUB_FD_KILL) < 0 || dup2(channel, STUB_FD_CHANNEL) < 0 ||
		dup2(socket, STUB_FD_SOCKET) < 0)
		return -errno;
	/* Without close_range (5.9): all of ours are close-on-exec; what the launcher inherited may
	 * not be. */
	if (syscall(SYS_close_range, 4u, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) < 0) {
		for (int fd = 4; fd < 4096; fd++)
			(void)fcntl(fd, F_SETFD, FD_CLOEXEC);
	}
	return image;
}

noreturn static void child_main(const struct child_setup *setup)
{
	char *const argv[] = {(char *)"sentry-stub", NULL}, *const envp[] = {NULL};
	sigset_t none;
	int image;

	/* Whatever a process of the host sends: neither the guest nor a call on its behalf hears of
	 * it. The stub's own handlers come later; SIGKILL and SIGSTOP stay what they are. */
	sigemptyset(&none);
	for (int signo = 1; signo < 65; signo++)
		(void)signal(signo, signo == SIGCHLD || signo == SIGCONT ? SIG_DFL : SIG_IGN);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
	/* The Sentry's own is 1 ns. A guest that waits for a futex for a microsecond, again and
	 * again, must sleep then: what it waits for may need this CPU. */
	(void)prctl(PR_SET_TIMERSLACK, PLATFORM_TIMER_SLACK_NS, 0, 0, 0);
	if (setpgid(0, 0) < 0)
		_exit(10);
	image = child_descriptors(setup);
	if (image < 0)
		_exit(11);
	if (child_arm_kill_pipe(STUB_FD_KILL) < 0)
		_exit(12);
	child_limit(RLIMIT_CORE, 1); /* 0 would still feed a piped core pattern */
	/* RLIMIT_NOFILE comes when the listener was sent (stub/start.c). */
	child_limit(RLIMIT_MEMLOCK, 0);
	child_limit(RLIMIT_MSGQUEUE, 0);
	if (setup->data_limit)
		child_limit(RLIMIT_DATA, setup->data_limit);
	if (child_drop_privileges() < 0)
		_exit(13);
	(void)syscall(SYS_execveat, image, "", argv, envp, AT_EMPTY_PATH);
	_exit(14);
}

/* ---- the Sentry's part of the start-up ---- */

static bool wait_readable(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};
	int n;

	do {
		n = poll(&pollfd, 1, START_TIMEOUT);
	} while (n < 0 && errno == EINTR);
	return n == 1 && (pollfd.revents & POLLIN);
}

/*
 * The vDSO and its data pages, relative to the vDSO: the host's kernel has one layout for all, so
 * ours is that of the process to come.
 */
static int describe_vdso(struct stub_boot *boot)
{
	uint64_t vdso = getauxval(AT_SYSINFO_EHDR);
	char line[512];
	FILE *maps;
	int fd;

	if (!vdso)
		return 0;
	fd = host_proc_open("self/maps");
	if (fd < 0)
		return fd;
	maps = fdopen(fd, "r");
	if (!maps) {
		close(fd);
		return -ENOMEM;
	}
	while (fgets(line, sizeof(line), maps) && boot->part_count < STUB_BOOT_PARTS_MAX) {
		uint64_t start, end;

		if ((!strstr(line, "[vvar") && !strstr(line, "[vdso]")) ||
			sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2)
			continue;
		boot->parts[boot->part_count].offset = (int64_t)(start - vdso);
		boot->parts[boot->part_count].size = end - start;
		boot->part_count++;
	}
	fclose(maps);
	return 0;
}

/* Where the vDSO came to lie; none when it could not be moved and lies in the guest's part. */
static void find_vdso(const struct stub_boot *boot)
{
	if (!boot->vdso_moved)
		return;
	for (uint32_t i = 0; i < boot->part_count; i++) {
		if (boot->parts[i].offset != 0)
			continue;
		systrap.vdso_addr = STUB_VDSO_BASE - (uint64_t)boot->parts[0].offset;
		systrap.vdso_size = boot->parts[i].size;
	}
}

/* Everything that the stub needs to know, before it exists. */
static int prepare_boot(struct stub_boot *boot, const char **ret_why)
{
	struct sock_filter filter[STUB_BOOT_FILTER_MAX];
	int count;

	if (!(getauxval(AT_HWCAP2) & 2 /* HWCAP2_FSGSBASE */)) {
		*ret_why = "the CPU or kernel lacks the FSGSBASE instructions";
		return -EOPNOTSUPP;
	}
	/* Three nested frames must fit: a call's, a kick's, a copy fault's. */
	if (getauxval(AT_MINSIGSTKSZ) * 3 > STUB_STACK_SIZE - STUB_STACK_RESERVED - 8192) {
		*ret_why = "the CPU's register state is larger than the stub's signal stack allows "
			   "for";
		return -EOPNOTSUPP;
	}
	if (describe_vdso(boot) < 0) {
		*ret_why = "/proc/self/maps cannot be read";
		return -EACCES;
	}
	count = systrap_filter_build(filter, array_size(filter));
	if (count < 0) {
		*ret_why = "the stub's filter is too large";
		return count;
	}
	_Static_assert(sizeof(filter[0]) == sizeof(boot->filter[0]), "same size");
	memcpy(boot->filter, filter, (size_t)count * sizeof(filter[0]));
	boot->filter_count = (uint32_t)count;
	return 0;
}

static int receive_fd(int socket)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {0};
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control)};
	const struct cmsghdr *header;
	int fd;

	if (!wait_readable(socket) || recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1)
		return -EPIPE;
	header = CMSG_FIRSTHDR(&message);
	if (!header || header->cmsg_type != SCM_RIGHTS || header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPIPE;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

static const char *describe_failure(const struct stub_boot *boot)
{
	if (boot->error_step == 5 && boot->error == -EBUSY)
		return "seccomp: a filter around us already has a listener (only one can exist: "
		       "nested sandbox)";
	if (boot->error_step == 5)
		return "seccomp: the kernel refused the stub's filter";
	return "the stub could not set itself up";
}

static int take_listener(int socket, const struct stub_boot *boot, const char **ret_why)
{
	int listener = receive_fd(socket);

	if (boot->version != STUB_LAYOUT_VERSION) {
		*ret_why = "the stub did not start";
		if (listener >= 0)
			close(listener);
		return -EPIPE;
	}
	if (listener < 0) {
		*ret_why = describe_failure(boot);
		return boot->error < 0 ? boot->error : -EPIPE;
	}
	return listener;
}

/* The first trap: the zygote is a stopped guest thread from here on. */
static int first_request(const char **ret_why)
{
	while (systrap.zygote->notification == 0 || !systrap.zygote->event_ready) {
		if (!wait_readable(systrap.listener.fd)) {
			*ret_why = "the stub's first trap did not arrive";
			return -EPIPE;
		}
		systrap_listener_ready(&systrap.listener, EPOLLIN);
		if (systrap.zygote->as->killed) {
			*ret_why = "the stub broke the protocol";
			return -EPROTO;
		}
	}
	systrap.zygote->event_ready = false;
	return 0;
}

static int adopt(struct systrap_as *as, pid_t pid, int listener, const char **ret_why)
{
	uint64_t flags = SYNC_WAKE_UP;
	int err;

	systrap.listener = (struct loop_fd){
		.fd = listener, .events = EPOLLIN, .ready = systrap_listener_ready};
	/* Before 6.6: slower, otherwise the same. */
	systrap.sync_wake = ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags) == 0;
	err = systrap_as_attach(as, pid);
	if (err == 0)
		err = systrap_thread_new(&systrap.zygote, as, pid, 0, 0, true);
	if (err < 0) {
		*ret_why = "out of memory or descriptors";
		return err;
	}
	systrap_segment_attached(as, 0);
	systrap_set_state(systrap.zygote, SYSTRAP_IN_GUEST);
	return first_request(ret_why);
}

static int spawn(struct child_setup *setup, pid_t *ret_pid, const char **ret_why)
{
	pid_t pid = 0;

	setup->image = image_in_memfd();
	if (setup->image < 0)
		setup->image = image_in_file();
	if (setup->image < 0) {
		*ret_why = "no executable memory file for the stub (vm.memfd_noexec), and no "
			   "folder for an unlinked one";
		return setup->image;
	}
	pid = fork();
	if (pid < 0) {
		*ret_why = "fork of the zygote failed";
		close(setup->image);
		return -errno;
	}
	if (pid == 0)
		child_main(setup);
	/* Both sides set it: whoever comes first. */
	(void)setpgid(pid, pid);
	close(setup->image);
	*ret_pid = pid;
	return 0;
}

/* Between the two halves of the start. */
static struct {
	struct systrap_as *as; /* NULL: no start is under way */
	pid_t pid;
	int socket, kill_write;
} starting;

static int begin(struct child_setup *setup, const char **ret_why)
{
	struct systrap_as *as = starting.as;
	unsigned slot;
	int err;

	err = systrap_slot_alloc(as, &slot);
	if (err < 0) {
		*ret_why = "making the zygote's channel (memfd_create, mmap)";
		return err;
	}
	as->stacks_used[0] = 1;
	setup->channel = systrap_segment_fd(as, 0);
	err = prepare_boot((struct stub_boot *)as->segments[0].slots->data, ret_why);
	return err < 0 ? err : spawn(setup, &starting.pid, ret_why);
}

int systrap_zygote_begin(const char **ret_why)
{
	_cleanup_close_ int kill_read = -1, kill_write = -1, socket = -1, peer = -1;
	struct child_setup setup = {.data_limit = systrap.config.data_limit};
	int sockets[2], pipes[2], err;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0 ||
		pipe2(pipes, O_CLOEXEC) < 0) {
		*ret_why = "no descriptors for the zygote";
		return -errno;
	}
	socket = sockets[0];
	peer = sockets[1];
	kill_read = pipes[0];
	kill_write = pipes[1];
	setup.socket = peer;
	setup.kill_read = kill_read;
	*ret_why = "out of memory";
	err = systrap_as_new(&starting.as);
	if (err < 0)
		return err;
	err = begin(&setup, ret_why);
	if (err < 0) {
		systrap_as_free(TAKE(starting.as));
		return err;
	}
	systrap.group = starting.pid;
	starting.socket = take_fd(&socket);
	starting.kill_write = take_fd(&kill_write);
	return 0;
}

/* After a failed start: nothing of it stays. */
static void discard(struct systrap_as *as, int listener)
{
	(void)kill(starting.pid, SIGKILL);
	(void)waitpid(starting.pid, NULL, 0);
	close(starting.kill_write);
	systrap_zygote_discard(as, listener);
}

int systrap_zygote_finish(const char **ret_why)
{
	struct systrap_as *as = TAKE(starting.as);
	const struct stub_boot *boot = (const struct stub_boot *)as->segments[0].slots->data;
	int listener = take_listener(starting.socket, boot, ret_why), err;

	close(starting.socket);
	err = listener < 0 ? listener : adopt(as, starting.pid, listener, ret_why);
	if (err < 0) {
		discard(as, listener);
		return err;
	}
	find_vdso(boot);
	systrap.vdso_clock_gettime = systrap_vdso_symbol("__vdso_clock_gettime");
	memset(systrap.zygote->slot->data, 0, sizeof(*boot));
	systrap.kill_pipe = starting.kill_write;
	return 0;
}

void systrap_zygote_abandon(void)
{
	if (!starting.as)
		return;
	close(starting.socket);
	discard(TAKE(starting.as), -1);
}

/* After a failed start: nothing of it stays. */
void systrap_zygote_discard(struct systrap_as *as, int listener)
{
	if (listener >= 0)
		close(listener);
	if (systrap.zygote) {
		systrap.zygote->as->live_threads--;
		systrap_thread_free(systrap.zygote);
		systrap.zygote = NULL;
	}
	if (as->pidfd.fd >= 0) {
		loop_fd_remove(&as->pidfd);
		close(as->pidfd.fd);
	}
	systrap_as_free(as);
}
