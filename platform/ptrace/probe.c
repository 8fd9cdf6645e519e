/* SPDX-License-Identifier: Apache-2.0 */
/* What the host must offer: ptrace over our own child, PTRACE_SYSEMU, process_vm_readv. */
#include "platform/ptrace/tracee.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/host_proc.h"

static int yama_scope(void)
{
	int fd = host_proc_open("sys/kernel/yama/ptrace_scope"), scope = -1;
	FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

	if (!file)
		return -1;
	if (fscanf(file, "%d", &scope) != 1)
		scope = -1;
	fclose(file);
	return scope;
}

static const char *seize_failure(void)
{
	switch (yama_scope()) {
	case 3:
		return "ptrace (kernel.yama.ptrace_scope is 3: no tracing for anybody)";
	case 2:
		return "ptrace (kernel.yama.ptrace_scope is 2: only with CAP_SYS_PTRACE)";
	default:
		return "ptrace (denied; an outer seccomp filter or security module?)";
	}
}

/* Each test returns 0, or -errno with the text. @pid waits in read(). */
static int probe_child(pid_t pid, int go, const char **ret_missing)
{
	char byte;
	struct iovec local = {.iov_base = &byte, .iov_len = 1},
		     remote = {.iov_base = &byte, .iov_len = 1};
	int status;

	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)(PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) <
		0) {
		*ret_missing = seize_failure();
		return -errno;
	}
	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != 1) {
		*ret_missing = "process_vm_readv (an outer seccomp filter?)";
		return -errno;
	}
	if (ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 || waitpid(pid, &status, __WALL) != pid ||
		!WIFSTOPPED(status)) {
		*ret_missing = "PTRACE_INTERRUPT";
		return -EPERM;
	}
	if (write(go, "", 1) != 1 || ptrace(PTRACE_SYSEMU, pid, NULL, NULL) < 0 ||
		waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status) ||
		WSTOPSIG(status) != (SIGTRAP | 0x80)) {
		*ret_missing = "PTRACE_SYSEMU";
		return -ENOSYS;
	}
	return 0;
}

int ptrace_probe(const char **ret_missing)
{
	_cleanup_close_ int child_end = -1, our_end = -1;
	int fds[2], err, status;
	pid_t pid;

	*ret_missing = "fork";
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	child_end = fds[0];
	our_end = fds[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0) {
		char byte;

		close(our_end);
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		/* A restarted read is a system call, and so is the getppid behind a finished one.
		 */
		while (read(child_end, &byte, 1) == 1)
			(void)getppid();
		_exit(0);
	}
	err = probe_child(pid, our_end, ret_missing);
	(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status))
		;
	if (err == 0)
		*ret_missing = NULL;
	return err;
}
