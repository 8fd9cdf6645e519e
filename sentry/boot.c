/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/loop.h"
#include "sentry/exec.h"
#include "sentry/kernel_private.h"
#include "sentry/observe.h"
#include "sentry/shared_names.h"
#include "sentry/task.h"
#include "sentry/tty/tty.h"

/*
 * The first program: its identity, descriptors and place, and the search for it along PATH as
 * execvp(3) does it, in the guest's own view of the files.
 */

static struct task *program; /* owned reference */

/* Root of the sandbox has every capability there, none of which means anything outside of it. */
static int initial_cred(const struct kernel_config *config, struct cred **ret)
{
	const struct cred none = {.refs = REFCOUNT_ONE, .user_ns = &user_ns_first};
	struct cred *cred;
	int r = cred_copy(&none, 0, &cred);

	if (r < 0)
		return r;
	cred->uid = cred->euid = cred->suid = cred->fsuid = config->uid;
	cred->gid = cred->egid = cred->sgid = cred->fsgid = config->gid;
	cred->cap_bounding = (1ull << (LX_CAP_LAST_CAP + 1)) - 1;
	if (config->uid == 0)
		cred->cap_effective = cred->cap_permitted = cred->cap_bounding;
	*ret = cred;
	return 0;
}

/* -t: all three are one open file of the virtual terminal. */
static int install_terminal(const struct kernel_config *config, const struct task_init *init)
{
	_cleanup_(cleanup_file_unref) struct file *file = NULL;
	struct vfs_ctx ctx = {.cred = init->cred, .fs = init->fs, .fsize_limit = UINT64_MAX};
	int r = console_init(config, init->cred);

	r = r < 0 ? r : console_open(&ctx, &file);
	for (int fd = 0; fd < 3 && r >= 0; fd++) {
		r = fd_install_at(init->files, file_ref(file), fd, config->nofile_limit, false);
		if (r < 0)
			file_unref(file);
	}
	return r < 0 ? r : 0;
}

static int install_stdio(const struct kernel_config *config, const struct task_init *init)
{
	struct fd_table *files = init->files;
	int r;

	if (config->terminal)
		return install_terminal(config, init);
	for (int fd = 0; fd < 3; fd++) {
		struct file *file;

		if (config->stdio[fd] < 0)
			continue;
		r = hostfd_file_new(config->stdio[fd], fd == 0 ? LX_O_RDONLY : LX_O_WRONLY, &file);
		if (r < 0)
			return r;
		r = fd_install_at(files, file, fd, config->nofile_limit, false);
		if (r < 0) {
			file_unref(file);
			return r;
		}
	}
	return 0;
}

/* ---- the program ---- */

static int exec_path(struct task *task, const char *path, char *const *argv, char *const *envp)
{
	const uint64_t begun = loop_monotonic_now();
	struct exec_strings args = {0}, environment = {0};
	struct file *file = NULL;
	int64_t r = exec_open(task, NULL, path, WALK_FOLLOW, &file);

	if (r < 0)
		return (int)r;
	r = exec_strings_from_host(argv, &args);
	r = r < 0 ? r : exec_strings_from_host(envp, &environment);
	r = r < 0 ? r : do_execve(task, file, path, &args, &environment, 0);
	file_unref(file);
	exec_strings_free(&args);
	exec_strings_free(&environment);
	if (r == 0)
		observe_first(task, path, argv, envp, begun);
	return (int)r;
}

static const char *guest_search_path(char *const *envp)
{
	for (; *envp; envp++) {
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	}
	return "/bin:/usr/bin";
}

/* execvp(3): the first that works; EACCES is remembered while the search goes on. */
static int exec_search(struct task *task, const struct kernel_config *config)
{
	const char *name = config->argv[0], *list = guest_search_path(config->envp);
	bool denied = false;
	int r;

	if (strchr(name, '/'))
		return exec_path(task, name, config->argv, config->envp);
	for (;;) {
		size_t size = strcspn(list, ":");
		char path[LX_PATH_MAX];

		if ((size_t)snprintf(path, sizeof(path), "%.*s%s%s", (int)size, list,
			    size ? "/" : "", name) < sizeof(path)) {
			r = exec_path(task, path, config->argv, config->envp);
			if (r == 0)
				return 0;
			denied |= r == -EACCES;
			if (r != -ENOENT && r != -ENOTDIR && r != -EACCES)
				return r;
		}
		if (!list[size])
			return denied ? -EACCES : -ENOENT;
		list += size + 1;
	}
}

static int start_program(struct task *task, void *data)
{
	const struct kernel_config *config = data;
	int r = exec_search(task, config);

	if (r == -ENOENT || r == -ENOTDIR)
		kernel_fail(127, "%s: not found in the sandbox", config->argv[0]);
	else if (r < 0)
		kernel_fail(126, "%s: cannot be executed: %s", config->argv[0],
			r == -ENOEXEC ? "not a program for this machine" : strerror(-r));
	return r;
}

static int enter_workdir(
	const struct kernel_config *config, struct fs_context *fs, const struct cred *cred)
{
	struct vfs_ctx ctx = {.cred = cred, .fs = fs, .fsize_limit = UINT64_MAX};
	struct path cwd;
	int r;

	if (!config->workdir)
		return 0;
	r = path_walk(&ctx, NULL, config->workdir, WALK_FOLLOW | WALK_DIRECTORY, &cwd);
	if (r < 0) {
		kernel_fail(125, "--workdir %s: %s", config->workdir, strerror(-r));
		return r;
	}
	path_unref(&fs->cwd);
	fs->cwd = cwd;
	return 0;
}

int kernel_start_program(
	const struct kernel_config *config, const struct path *root, void (*gone)(int wait_status))
{
	struct task_init init = {
		.config = config, .start = start_program, .data = (void *)config, .gone = gone};
	int r = initial_cred(config, &init.cred);

	shared_names_root(root);
	vfs_lasting_settle();
	r = r < 0 ? r : tty_init();
	r = r < 0 ? r : fs_context_new(root, root, 022, &init.fs);
	r = r < 0 ? r : fd_table_new(&init.files);
	r = r < 0 ? r : enter_workdir(config, init.fs, init.cred);
	r = r < 0 ? r : install_stdio(config, &init);
	r = r < 0 ? r : task_create_init(&init, &program);
	if (r == 0) {
		task_ref(program);
		console_attach(program->group);
		return 0;
	}
	/* The process ends: what was made goes with it. */
	return r;
}

/* ---- signals from outside ---- */

void kernel_forward_signal(int signo)
{
	struct lx_siginfo info = {.signo = signo, .code = LX_SI_KERNEL};

	if (!program || !program->group || program->exited)
		return;
	/* Nobody in here could continue the program's group, so that the default action of SIGTSTP
	 * would do nothing; but the one who sent it can, from outside. */
	if (signo == LX_SIGTSTP && pgrp_is_orphaned(program->group->pgrp) &&
		program->group->sighand->action[signo - 1].handler == LX_SIG_DFL)
		info.signo = LX_SIGSTOP;
	/* What a terminal would send goes to the whole foreground group; the rest to the program,
	 * as docker does. */
	if (signo == LX_SIGINT || signo == LX_SIGQUIT || signo == LX_SIGTSTP || signo == LX_SIGCONT)
		(void)signal_send_pgrp(program->group->pgrp, &info);
	else
		(void)signal_send_group(program->group, &info);
	/* Who asks a stopped program to end does not mean: once somebody continues it. */
	if ((signo == LX_SIGTERM || signo == LX_SIGHUP) && program->group->stopped) {
		info.signo = LX_SIGCONT;
		(void)signal_send_group(program->group, &info);
	}
}
