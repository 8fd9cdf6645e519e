/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The zygote: an empty process that all address spaces are cloned from.
 *
 * It has no program. A child of ours executes an ELF file of two pages, made here in memory, whose
 * text is the injection code and which never runs on its own: seized before the exec, it stops in
 * it. Everything after that is injected from outside: unmap what exec left, move the vDSO out of
 * the guest's way, map the injection page and the mailbox, install the filter. What is left is a
 * process with four mappings, three descriptors and no code but `syscall; int3`.
 *
 * Capabilities, limits and the kill pipe are set in the child between fork and exec, where it is
 * still our own code.
 */
#include "platform/ptrace/tracee.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/securebits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/host_proc.h"
#include "base/log.h"

#define BOOT_PAGE      0x10000ull
#define MOVE_BASE      0x600000000000ull /* where the vDSO waits while its final place may be taken */
#define STACK_WORDS    100		 /* of the initial stack: more than the host puts there */
#define VDSO_PAGES_MAX 16		 /* on each side of its first page */
#define OPTIONS                                                                                    \
	(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |  \
		PTRACE_O_EXITKILL)

/* In the mailbox: the header of the receiving message, what it points to, and room to pass things
 * to the host at start-up. */
#define MAILBOX_IOV	PT_MAILBOX + 64
#define MAILBOX_BYTE	PT_MAILBOX + 96
#define MAILBOX_CONTROL PT_MAILBOX + 128
#define MAILBOX_SCRATCH PT_MAILBOX + 1024

struct boot_image {
	Elf64_Ehdr header;
	Elf64_Phdr text, stack;
	uint8_t padding[LX_PAGE_SIZE - sizeof(Elf64_Ehdr) - 2 * sizeof(Elf64_Phdr)];
	uint8_t code[LX_PAGE_SIZE];
};

/* A sealed or at least anonymous file with the image: -errno where the host allows neither. */
static int boot_file(void)
{
	static struct boot_image image;
	_cleanup_close_ int fd = -1;

	image.header = (Elf64_Ehdr){
		.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = BOOT_PAGE,
		.e_phoff = offsetof(struct boot_image, text),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	image.text = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_flags = PF_R | PF_X,
		.p_offset = offsetof(struct boot_image, code),
		.p_vaddr = BOOT_PAGE,
		.p_filesz = LX_PAGE_SIZE,
		.p_memsz = LX_PAGE_SIZE,
		.p_align = LX_PAGE_SIZE,
	};
	/* Without it old hosts make every readable mapping executable (READ_IMPLIES_EXEC). */
	image.stack = (Elf64_Phdr){.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W};
	memcpy(image.code, inject_code, inject_code_size);
	fd = memfd_create("sentry-stub", MFD_CLOEXEC | 0x10u /* MFD_EXEC, 6.3 */);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("sentry-stub", MFD_CLOEXEC);
	if (fd < 0)
		fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0700);
	if (fd < 0)
		return -errno;
	if (write(fd, &image, sizeof(image)) != (ssize_t)sizeof(image))
		return -EIO;
	return take_fd(&fd);
}

/* Between fork and exec: each failing step is an exit code that names it. */
enum child_step {
	CHILD_DESCRIPTORS = 1,
	CHILD_PIPE,
	CHILD_LIMITS,
	CHILD_PRIVILEGES,
	CHILD_EXEC,
};

static const char *const child_steps[] = {
	[CHILD_DESCRIPTORS] = "ptrace: the zygote's descriptors",
	[CHILD_PIPE] = "ptrace: the kill pipe",
	[CHILD_LIMITS] = "ptrace: the zygote's resource limits",
	[CHILD_PRIVILEGES] = "ptrace: dropping the zygote's privileges",
	[CHILD_EXEC] = "ptrace: starting the zygote from memory (vm.memfd_noexec?)",
};

static noreturn void child_fail(enum child_step step)
{
	_exit(step);
}

/* A stub that starts with capabilities would have them for its injected calls; it needs none. */
static void drop_privileges(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {{0}};

	for (int cap = 0; cap <= 63; cap++)
		(void)prctl(PR_CAPBSET_DROP, cap, 0, 0, 0); /* EPERM when we have none to drop */
	(void)prctl(PR_SET_SECUREBITS,
		SECBIT_NOROOT | SECBIT_NOROOT_LOCKED | SECBIT_NO_SETUID_FIXUP |
			SECBIT_NO_SETUID_FIXUP_LOCKED,
		0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || syscall(SYS_capset, &header, data) < 0)
		child_fail(CHILD_PRIVILEGES);
}

static void set_limit(int resource, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		child_fail(CHILD_LIMITS);
	if (value > limit.rlim_max)
		value = limit.rlim_max;
	limit.rlim_cur = value;
	/* The Sentry moves the data limit of a stub, up to its own hard limit. */
	if (resource != RLIMIT_DATA)
		limit.rlim_max = value;
	if (setrlimit(resource, &limit) < 0)
		child_fail(CHILD_LIMITS);
}

/* @file, @pipe, @socket and @handshake are above 2. */
static noreturn void zygote_child(int file, int pipe, int socket, int handshake)
{
	static char *const empty[] = {NULL};
	sigset_t none;
	char byte;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
	/* The parent seizes us, then writes; when it died instead, read returns 0. */
	if (read(handshake, &byte, 1) != 1)
		_exit(0);
	if (dup2(socket, PT_STUB_SOCKET) < 0 || dup2(pipe, PT_STUB_PIPE) < 0 ||
		close(PT_STUB_SLOT) < 0)
		child_fail(CHILD_DESCRIPTORS);
	for (int fd = PT_STUB_SLOT + 1; fd < file; fd++)
		(void)close(fd);
	if (syscall(SYS_close_range, file + 1, ~0u, 0) < 0)
		child_fail(CHILD_DESCRIPTORS);
	/* When the Sentry dies the pipe's write end closes and the host kills the whole group. */
	if (fcntl(PT_STUB_PIPE, F_SETOWN, -getpid()) < 0 ||
		fcntl(PT_STUB_PIPE, F_SETSIG, SIGKILL) < 0 ||
		fcntl(PT_STUB_PIPE, F_SETFL, O_ASYNC | O_NONBLOCK) < 0)
		child_fail(CHILD_PIPE);
	set_limit(RLIMIT_CORE, 1); /* 0 would not stop a piped core pattern */
	set_limit(RLIMIT_NOFILE, 16);
	set_limit(RLIMIT_MEMLOCK, 0);
	if (pt.config.data_limit)
		set_limit(RLIMIT_DATA, pt.config.data_limit);
	(void)prctl(PR_SET_NAME, "sentry-stub", 0, 0, 0);
	(void)prctl(PR_SET_TIMERSLACK, PLATFORM_TIMER_SLACK_NS, 0, 0, 0);
	drop_privileges();
	syscall(SYS_execveat, file, "", empty, empty, AT_EMPTY_PATH);
	child_fail(CHILD_EXEC);
}

/* A call from the boot page, before the injection page exists. Nothing here can be parked: outside
 * fibers waits block. */
static int64_t boot_call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e,
	uint64_t f, bool high)
{
	struct injected_call call = {.nr = nr, .args = {a, b, c, d, e, f}};
	int err = tracee_call_begin(pt.zygote, high ? PT_INJECT_CALL : BOOT_PAGE, &call);

	if (err < 0)
		return err;
	if (!tracee_call_finish(pt.zygote, false))
		return -ESRCH;
	return (int64_t)pt.zygote->injected.rax;
}

static bool is_mapped(uint64_t page)
{
	return boot_call(SYS_msync, page, LX_PAGE_SIZE, MS_ASYNC, 0, 0, 0, false) == 0;
}

/* AT_SYSINFO_EHDR of the initial stack: argc, argv, envp, auxv. 0 = no vDSO. */
static uint64_t find_vdso(void)
{
	uint64_t words[STACK_WORDS] = {0};
	struct iovec local = {.iov_base = words, .iov_len = sizeof(words)};
	struct iovec remote = {.iov_base = (void *)pt.zygote->host.rsp, .iov_len = sizeof(words)};
	size_t at = 1;

	if (process_vm_readv(pt.zygote->tid, &local, 1, &remote, 1, 0) <= 0)
		return 0;
	/* Both lists are empty but for an argv[0] that the host may put there. */
	for (unsigned lists = 0; lists < 2 && at < STACK_WORDS; at++)
		lists += words[at] == 0;
	for (; at + 1 < STACK_WORDS && words[at] != AT_NULL; at += 2) {
		if (words[at] == AT_SYSINFO_EHDR && words[at + 1] < LX_TASK_SIZE)
			return words[at + 1];
	}
	return 0;
}

/*
 * The vDSO's data pages lie right below its text, in one mapping or several; the host refuses to
 * split them (special_mapping_split, mm/mmap.c), so a mapping's size is the first for which a move
 * succeeds.
 */
static uint64_t move_mapping(uint64_t start, uint64_t end, uint64_t target)
{
	for (uint64_t size = LX_PAGE_SIZE; size <= end - start; size += LX_PAGE_SIZE) {
		if (boot_call(SYS_mremap, start, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, target,
			    0, false) == (int64_t)target)
			return size;
	}
	return 0;
}

/* False when the host does not let go of one (mseal()ed system mappings): nothing has moved then,
 * or the start fails. */
static bool move_vdso(uint64_t start, uint64_t end, uint64_t target)
{
	while (start < end) {
		uint64_t size = move_mapping(start, end, target);

		if (size == 0)
			return false;
		start += size;
		target += size;
	}
	return true;
}

static int boot_unmap(uint64_t start, uint64_t end)
{
	if (start >= end)
		return 0;
	return (int)boot_call(SYS_munmap, start, end - start, 0, 0, 0, 0, false);
}

/*
 * Leaves nothing but the boot page and the vDSO, which ends up at its final place. /proc/PID/maps
 * would tell what there is, but the Sentry is confined by now and cannot open it.
 */
static int clear_address_space(void)
{
	uint64_t text = find_vdso(), low = text, high = text, size, base;

	for (unsigned i = 0; text && i < VDSO_PAGES_MAX && is_mapped(low - LX_PAGE_SIZE); i++)
		low -= LX_PAGE_SIZE;
	for (unsigned i = 0; text && i < VDSO_PAGES_MAX && is_mapped(high); i++)
		high += LX_PAGE_SIZE;
	size = high - low;
	if (size == 0 || !move_vdso(low, high, MOVE_BASE)) {
		log_info("ptrace: the host's vDSO cannot be moved; guests run without one");
		if (boot_unmap(BOOT_PAGE + LX_PAGE_SIZE, size ? low : LX_TASK_SIZE) < 0 ||
			(size && boot_unmap(high, LX_TASK_SIZE) < 0))
			return -EBUSY;
		return 0;
	}
	base = PT_VDSO_CEILING - size;
	if (boot_unmap(BOOT_PAGE + LX_PAGE_SIZE, MOVE_BASE) < 0 ||
		boot_unmap(MOVE_BASE + size, LX_TASK_SIZE) < 0 ||
		!move_vdso(MOVE_BASE, MOVE_BASE + size, base))
		return -EBUSY;
	pt.vdso_addr = GADDR(base + (text - low));
	pt.vdso_size = high - text;
	return 0;
}

static int write_stub(uint64_t addr, const void *data, size_t size)
{
	struct iovec local = {.iov_base = (void *)data, .iov_len = size};
	struct iovec remote = {.iov_base = (void *)addr, .iov_len = size};

	return process_vm_writev(pt.zygote->tid, &local, 1, &remote, 1, 0) == (ssize_t)size ? 0
											    : -EIO;
}

static int map_stub_page(uint64_t addr)
{
	return boot_call(SYS_mmap, addr, LX_PAGE_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, UINT64_MAX, 0,
		       false) == (int64_t)addr
		       ? 0
		       : -ENOMEM;
}

static int map_stub_pages(void)
{
	struct msghdr message = {
		.msg_iov = (struct iovec *)(MAILBOX_IOV),
		.msg_iovlen = 1,
		.msg_control = (void *)(MAILBOX_CONTROL),
		.msg_controllen = CMSG_SPACE(sizeof(int)),
	};
	struct iovec iov = {.iov_base = (void *)(MAILBOX_BYTE), .iov_len = 1};

	if (map_stub_page(PT_INJECT_PAGE) < 0 || map_stub_page(PT_MAILBOX) < 0)
		return -ENOMEM;
	if (write_stub(PT_INJECT_PAGE, inject_code, inject_code_size) < 0 ||
		write_stub(PT_MAILBOX, &message, sizeof(message)) < 0 ||
		write_stub(MAILBOX_IOV, &iov, sizeof(iov)) < 0)
		return -EIO;
	if (boot_call(SYS_mprotect, PT_INJECT_PAGE, LX_PAGE_SIZE, PROT_READ | PROT_EXEC, 0, 0, 0,
		    false))
		return -EACCES;
	return (int)boot_call(SYS_munmap, BOOT_PAGE, LX_PAGE_SIZE, 0, 0, 0, 0, true);
}

static int install_filter(void)
{
	unsigned short count;
	const struct sock_filter *filter = filter_program(&count);
	struct sock_fprog program = {
		.len = count,
		.filter = (struct sock_filter *)(MAILBOX_SCRATCH + sizeof(program)),
	};

	if (write_stub(MAILBOX_SCRATCH, &program, sizeof(program)) < 0 ||
		write_stub(MAILBOX_SCRATCH + sizeof(program), filter, count * sizeof(*filter)) < 0)
		return -EIO;
	return (int)boot_call(
		SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, MAILBOX_SCRATCH, 0, 0, 0, true);
}

static int save_initial_fpu(void)
{
	ssize_t size;

	pt.fpu_initial = calloc(1, PLATFORM_FPU_MAX);
	if (!pt.fpu_initial)
		return -ENOMEM;
	size = ptrace_fpu_get(&pt.zygote->pub, pt.fpu_initial, PLATFORM_FPU_MAX);
	if (size < 0)
		return (int)size;
	pt.fpu_size = (size_t)size;
	return 0;
}

static int prepare(const char **ret_why)
{
	static const struct {
		int (*step)(void);
		const char *why;
	} steps[] = {
		{clear_address_space, "ptrace: emptying the zygote's address space"},
		{map_stub_pages, "ptrace: mapping the injection page"},
		{install_filter, "ptrace: installing the stubs' seccomp filter"},
		{save_initial_fpu, "ptrace: reading the initial FPU state"},
	};

	for (size_t i = 0; i < array_size(steps); i++) {
		int err = steps[i].step();

		if (err < 0) {
			*ret_why = steps[i].why;
			return err;
		}
	}
	return 0;
}

/* Seizes the child and lets it run into the stop behind its exec. */
static int await_exec(pid_t pid, int handshake, const char **ret_why)
{
	bool exec_done = false;
	int status;

	*ret_why = "ptrace: PTRACE_SEIZE is not permitted";
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)(uintptr_t)(OPTIONS | PTRACE_O_TRACEEXEC)) < 0)
		return -errno;
	*ret_why = "ptrace: the zygote died";
	if (write(handshake, "", 1) != 1)
		return -EIO;
	for (;;) {
		if (waitpid(pid, &status, __WALL) != pid) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		if (WIFEXITED(status) && WEXITSTATUS(status) > 0 &&
			(size_t)WEXITSTATUS(status) < array_size(child_steps))
			*ret_why = child_steps[WEXITSTATUS(status)];
		if (!WIFSTOPPED(status))
			return -ECHILD;
		/*
		 * In the exec event the thread is still inside its call, which will write its
		 * result over rax; the stop that counts is the one behind it.
		 */
		if (status >> 16 == PTRACE_EVENT_EXEC &&
			ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0)
			return -errno;
		exec_done |= status >> 16 == PTRACE_EVENT_EXEC;
		if (exec_done && status >> 16 == PTRACE_EVENT_STOP)
			break;
		if (ptrace(PTRACE_CONT, pid, NULL, NULL) < 0)
			return -errno;
	}
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)(uintptr_t)OPTIONS) < 0)
		return -errno;
	return 0;
}

static int adopt(pid_t pid)
{
	struct platform_as *as = as_new();
	struct tracee *t;
	int err;

	if (!as)
		return -ENOMEM;
	as->tgid = pid;
	t = tracee_new(as);
	if (!t) {
		free(as);
		return -ENOMEM;
	}
	err = tracee_register(t, pid);
	if (err < 0) {
		tracee_release(t);
		return err;
	}
	/* await_exec() has collected the stop. */
	t->state = TRACEE_STOPPED;
	pt.running--;
	pt.zygote_as = as;
	pt.zygote = t;
	return tracee_request(t, PTRACE_GETREGS, NULL, &t->host);
}

/* Any number above the stub's own three, so that dup2() in the child cannot hit it. */
static int raise_fd(int *fd)
{
	int high = fcntl(*fd, F_DUPFD_CLOEXEC, 10);

	if (high < 0)
		return -errno;
	close(*fd);
	*fd = high;
	return 0;
}

static int open_channels(int *ret_pipe_read)
{
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	pt.socket_send = fds[0];
	pt.socket_receive = fds[1];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	*ret_pipe_read = fds[0];
	pt.kill_pipe = fds[1];
	pt.proc_fd = host_proc_fd();
	if (pt.proc_fd < 0 || raise_fd(ret_pipe_read) < 0 || raise_fd(&pt.socket_receive) < 0)
		return -errno;
	return 0;
}

int zygote_start(const char **ret_why)
{
	_cleanup_close_ int file = -1, pipe_read = -1, handshake_read = -1, handshake_write = -1;
	int fds[2], err;
	pid_t pid;

	*ret_why = "ptrace: descriptors for the zygote";
	err = open_channels(&pipe_read);
	if (err < 0)
		return err;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	handshake_read = fds[0];
	handshake_write = fds[1];
	*ret_why = "ptrace: memory for the zygote's image";
	file = boot_file();
	if (file < 0)
		return file;
	if (raise_fd(&file) < 0 || raise_fd(&handshake_read) < 0)
		return -EMFILE;
	*ret_why = "ptrace: fork";
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		close(handshake_write);
		zygote_child(file, pipe_read, pt.socket_receive, handshake_read);
	}
	(void)setpgid(pid, pid);
	pt.group = pid;
	err = await_exec(pid, handshake_write, ret_why);
	if (err == 0) {
		*ret_why = "ptrace: memory for the zygote";
		err = adopt(pid);
	}
	if (err == 0)
		err = prepare(ret_why);
	return err;
}
