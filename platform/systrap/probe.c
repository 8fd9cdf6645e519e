/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this host offers. Each answer comes from trying: in a child that installs a filter and ends.
 */
#include "platform/systrap/probe.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef HWCAP2_FSGSBASE
#define HWCAP2_FSGSBASE 2
#endif

/* Exit codes of the probing child, and what they say. */
static const struct {
	int error;
	const char *missing;
} answers[] = {
	{0, NULL},
	{-EOPNOTSUPP, "seccomp is not available (CONFIG_SECCOMP_FILTER, or no_new_privs refused)"},
	{-EOPNOTSUPP, "seccomp user notification is not available (Linux 5.0)"},
	{-EBUSY, "a seccomp filter around us already has a listener, and only one can exist "
		 "(nested sandbox)"},
	{-EOPNOTSUPP, "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV is not available (Linux 5.19)"},
	{-EPERM, "seccomp(2) is refused by a filter around us"},
};

enum {
	ANSWER_OK,
	ANSWER_NO_SECCOMP,
	ANSWER_NO_NOTIFY,
	ANSWER_BUSY,
	ANSWER_NO_KILLABLE,
	ANSWER_REFUSED
};

static int try_filter(void)
{
	struct sock_filter allow[] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
	struct sock_fprog program = {.len = 1, .filter = allow};
	uint32_t action = SECCOMP_RET_USER_NOTIF;
	unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return ANSWER_NO_SECCOMP;
	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0)
		return errno == ENOSYS	? ANSWER_NO_SECCOMP
		       : errno == EPERM ? ANSWER_REFUSED
					: ANSWER_NO_NOTIFY;
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program) >= 0)
		return ANSWER_OK;
	if (errno == EBUSY)
		return ANSWER_BUSY;
	if (errno == EINVAL)
		return ANSWER_NO_KILLABLE;
	return errno == EPERM || errno == EACCES ? ANSWER_REFUSED : ANSWER_NO_SECCOMP;
}

int systrap_probe(const char **ret_missing)
{
	int status = 0;
	pid_t pid;

	if (!(getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE)) {
		*ret_missing = "the CPU or kernel lacks the FSGSBASE instructions (Linux 5.9)";
		return -EOPNOTSUPP;
	}
	pid = fork();
	if (pid < 0) {
		*ret_missing = "fork failed";
		return -errno;
	}
	if (pid == 0)
		_exit(try_filter());
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!WIFEXITED(status) ||
		WEXITSTATUS(status) >= (int)(sizeof(answers) / sizeof(answers[0]))) {
		*ret_missing = "the probing process was killed when it asked for seccomp";
		return -EOPNOTSUPP;
	}
	if (WEXITSTATUS(status) != ANSWER_OK)
		*ret_missing = answers[WEXITSTATUS(status)].missing;
	return answers[WEXITSTATUS(status)].error;
}
