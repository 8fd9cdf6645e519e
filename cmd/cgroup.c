/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

/*
 * A control group around the kernel process and all stubs makes --memory and --pids-limit hold
 * whatever goes wrong inside: the host's kernel counts each page and task when it is asked for.
 * Without one (no permission, no such controller) both are the Sentry's own to enforce, memory by
 * sampling: docs/security.md has the two bounds.
 *
 * Where: version 1 lets us make a group below our own. In version 2 a group with processes cannot
 * have children with limits, so ours is made beside our own, in the group above, if that hands the
 * controllers on and we may write there: as root, or below a systemd user manager, which delegates
 * (`systemd-run --user --scope`). Nothing is moved, mounted or configured for it.
 *
 * Entering: moving a process has the host wait for a grace period, 10 ms and more, unless it moves
 * its own single thread (version 1: `tasks`) or begins its life there (version 2:
 * CLONE_INTO_CGROUP).
 *
 * Removing: a group is a directory that is empty of processes, and nobody but a process can remove
 * it. The launcher does, when all of the sandbox is dead. Should it be killed before, the sweeper
 * does, which is there before the directory is: a child of it that does nothing but wait for that,
 * in a session of its own and without any descriptor but the pipe that tells it. Should that be
 * killed as well, the next launcher that makes a group in the same place removes what it finds of
 * dead ones.
 */

#define NAME_PREFIX "sentry-"
/* What the kernel process, the zygote and the host's kernel need for the sandbox. */
#define MEMORY_BASE (16ull << 20)
#if defined(__SANITIZE_ADDRESS__)
#define MEMORY_SANITIZER (1ull << 30)
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define MEMORY_SANITIZER (1ull << 30)
#endif
#endif
#ifndef MEMORY_SANITIZER
#define MEMORY_SANITIZER 0
#endif
#define TEXT_MAX       (1u << 20) /* of /proc/self/mountinfo */
#define REMOVE_TRIES   100
#define SWEEP_TRIES    2000
#define TRY_AGAIN_NS   5000000
#define REMOVE_WAIT_NS 1000000

uint64_t cgroup_memory_for(uint64_t limit)
{
	uint64_t more = limit / 16 + MEMORY_BASE + MEMORY_SANITIZER;

	return limit > INT64_MAX - more ? INT64_MAX : limit + more;
}

void cgroup_init(struct cgroup *group)
{
	*group = (struct cgroup){
		.enter_fds = {-1, -1}, .clone_fd = -1, .memory_fd = -1, .sweeper_pipe = -1};
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
	*fd = -1;
}

static void close_entrances(struct cgroup *group)
{
	close_fd(&group->enter_fds[0]);
	close_fd(&group->enter_fds[1]);
	close_fd(&group->clone_fd);
}

/* ---- removing ---- */

/* True when all of it is gone. */
static bool remove_now(struct cgroup *group)
{
	while (group->count > 0) {
		if (rmdir(group->paths[group->count - 1]) < 0 && errno != ENOENT)
			return false;
		group->count--;
	}
	return true;
}

static void remove_patiently(struct cgroup *group, unsigned tries, long wait_ns)
{
	const struct timespec wait = {.tv_nsec = wait_ns};

	while (!remove_now(group) && tries-- > 0)
		(void)nanosleep(&wait, NULL);
}

static _Noreturn void sweeper_process(struct cgroup *group, int pipe_read)
{
	char byte;
	ssize_t n;

	/* Out of reach of what ends the launcher: its terminal, its process group. */
	(void)setsid();
	for (int signo = 1; signo < 32; signo++)
		(void)signal(signo, SIG_IGN);
	/* Above all the write end of the death pipe, and what others may wait on to be closed. */
	if (chdir("/") < 0 || dup2(pipe_read, 0) < 0)
		_exit(1);
	(void)syscall(SYS_close_range, 1u, ~0u, 0u);
	do {
		n = read(0, &byte, 1);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		remove_patiently(group, SWEEP_TRIES, TRY_AGAIN_NS);
	_exit(0);
}

static int start_sweeper(struct cgroup *group)
{
	char name[16] = "";
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	/* It has its name from the first moment on: whoever looks can tell it from the kernel
	 * process. */
	(void)prctl(PR_GET_NAME, name);
	(void)prctl(PR_SET_NAME, "sentry-sweeper");
	pid = fork();
	if (pid == 0) {
		(void)close(ends[1]);
		sweeper_process(group, ends[0]);
	}
	(void)prctl(PR_SET_NAME, name);
	(void)close(ends[0]);
	if (pid < 0) {
		(void)close(ends[1]);
		return -EAGAIN;
	}
	group->sweeper = pid;
	group->sweeper_pipe = ends[1];
	return 0;
}

void cgroup_remove(struct cgroup *group)
{
	close_entrances(group);
	close_fd(&group->memory_fd);
	remove_patiently(group, REMOVE_TRIES, REMOVE_WAIT_NS);
	/* What is left is the sweeper's: it hears the pipe close. */
	if (group->sweeper && !group->count) {
		(void)kill(group->sweeper, SIGKILL);
		(void)waitpid(group->sweeper, NULL, 0);
	}
	close_fd(&group->sweeper_pipe);
	group->sweeper = 0;
}

/* ---- making ---- */

/* A whole file of /proc, NUL-terminated; NULL when it cannot be read. */
static char *read_text(const char *path)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	_cleanup_free_ char *text = NULL;
	size_t size = 0, capacity = 8192;

	text = fd < 0 ? NULL : malloc(capacity);
	while (text) {
		ssize_t n = read(fd, text + size, capacity - size - 1);
		char *more;

		if (n < 0)
			return NULL;
		size += (size_t)n;
		text[size] = '\0';
		if (n == 0)
			return TAKE(text);
		if (capacity - size > 4096)
			continue;
		capacity *= 2;
		more = capacity > TEXT_MAX ? NULL : realloc(text, capacity);
		if (!more)
			return NULL;
		text = more;
	}
	return NULL;
}

static int write_at(int directory, const char *name, const char *text)
{
	_cleanup_close_ int fd = openat(directory, name, O_WRONLY | O_CLOEXEC);
	size_t size = strlen(text);

	if (fd < 0)
		return -errno;
	return write(fd, text, size) == (ssize_t)size ? 0 : -errno;
}

static int write_number(int directory, const char *name, uint64_t value)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%" PRIu64, value);
	return write_at(directory, name, text);
}

/* Version 2: does the group at @path give its children @controller? */
static bool hands_on(const char *path, const char *controller)
{
	char name[PATH_MAX + 32], *save = NULL;
	_cleanup_free_ char *text = NULL;

	(void)snprintf(name, sizeof(name), "%s/cgroup.subtree_control", path);
	text = read_text(name);
	if (!text)
		return false;
	for (char *word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		if (strcmp(word, controller) == 0)
			return true;
	}
	return false;
}

static int find_place(
	const struct cgroup_host *host, const char *controller, struct cgroup_place *ret)
{
	for (unsigned level = 0; host->groups && host->mounts && level < 2; level++) {
		if (cgroup_find(host->groups, host->mounts, controller, level, ret) == 0 &&
			(!ret->unified || hands_on(ret->path, controller)))
			return 0;
	}
	return -ENOENT;
}

/*
 * What launchers left that were killed together with their sweepers. Names end in the number of
 * our PID namespace and the launcher's id in it; a group with processes in it cannot be removed
 * anyway.
 */
static void sweep_old(const char *place, const char *prefix)
{
	DIR *directory = opendir(place);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char *end;
		long pid;

		if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
			continue;
		pid = strtol(entry->d_name + strlen(prefix), &end, 10);
		if (*end == '\0' && pid > 0 && pid < INT32_MAX &&
			(pid == getpid() || (kill((pid_t)pid, 0) < 0 && errno == ESRCH)))
			(void)unlinkat(dirfd(directory), entry->d_name, AT_REMOVEDIR);
	}
	if (directory)
		(void)closedir(directory);
}

/* Chooses the name of a directory of ours at @place: the last of group->paths. */
static int plan_directory(struct cgroup *group, const char *place)
{
	char *path = group->paths[group->count], prefix[48];
	struct stat ns;

	if (access(place, W_OK) < 0)
		return -errno;
	if (stat("/proc/self/ns/pid", &ns) < 0)
		return -errno;
	(void)snprintf(prefix, sizeof(prefix), NAME_PREFIX "%llu-", (unsigned long long)ns.st_ino);
	sweep_old(place, prefix);
	if (snprintf(path, PATH_MAX, "%s/%s%d", place, prefix, (int)getpid()) >= PATH_MAX)
		return -ENAMETOOLONG;
	group->count++;
	return 0;
}

/* Makes it. Returns an owned descriptor of it, or -errno. */
static int make_directory(const char *path)
{
	int fd;

	if (mkdir(path, 0755) < 0)
		return -errno;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Swap is memory too: it is what sampling counts. Hosts that do not account it lack the file. */
static int limit_memory(int directory, bool unified, uint64_t bytes)
{
	int r = write_number(directory, unified ? "memory.max" : "memory.limit_in_bytes", bytes);

	if (r == 0)
		(void)write_number(directory,
			unified ? "memory.swap.max" : "memory.memsw.limit_in_bytes",
			unified ? 0 : bytes);
	return r;
}

static int open_entrance(struct cgroup *group, unsigned index, int directory, bool unified)
{
	int *fd = unified ? &group->clone_fd : &group->enter_fds[index];

	*fd = unified ? fcntl(directory, F_DUPFD_CLOEXEC, 3)
		      : openat(directory, "tasks", O_WRONLY | O_CLOEXEC);
	return *fd < 0 ? -errno : 0;
}

/* The places for both controllers: which directories there will be, in group->paths. */
struct plan {
	struct cgroup_place memory, tasks;
	bool has_memory, has_tasks; /* a directory each, the tasks' behind the memory's */
	bool tasks_in_memory;	    /* one directory of version 2 has both */
};

static int make_plan(struct cgroup *group, const struct cgroup_host *host, bool memory, bool tasks,
	struct plan *plan, const char **ret_why)
{
	int r = 0;

	*plan = (struct plan){0};
	if (memory) {
		*ret_why = "a control group for memory that hands limits on";
		r = find_place(host, "memory", &plan->memory);
		if (r == 0)
			*ret_why = "the right to make a control group";
		r = r < 0 ? r : plan_directory(group, plan->memory.path);
		plan->has_memory = r == 0;
	}
	if (r == 0 && tasks && find_place(host, "pids", &plan->tasks) == 0) {
		plan->tasks_in_memory = plan->has_memory && plan->tasks.unified &&
					strcmp(plan->tasks.path, plan->memory.path) == 0;
		/* A process is born into one group of version 2. */
		plan->has_tasks =
			!plan->tasks_in_memory &&
			!(plan->has_memory && plan->memory.unified && plan->tasks.unified) &&
			plan_directory(group, plan->tasks.path) == 0;
	}
	return r;
}

static int create_memory(struct cgroup *group, const struct plan *plan, uint64_t bytes)
{
	_cleanup_close_ int fd = make_directory(group->paths[0]);
	int r = fd < 0 ? fd : limit_memory(fd, plan->memory.unified, bytes);

	r = r < 0 ? r : open_entrance(group, 0, fd, plan->memory.unified);
	if (r == 0)
		group->memory_fd = take_fd(&fd);
	return r;
}

/* The Sentry's own count of tasks is hard; this is the second wall, and no reason to go without
 * the first one where it cannot be had. */
static void create_tasks(struct cgroup *group, const struct plan *plan, uint64_t tasks)
{
	unsigned index = group->count - 1;
	_cleanup_close_ int fd = -1;

	if (plan->tasks_in_memory) {
		(void)write_number(group->memory_fd, "pids.max", tasks);
		return;
	}
	if (!plan->has_tasks)
		return;
	fd = make_directory(group->paths[index]);
	if (fd >= 0 && write_number(fd, "pids.max", tasks) == 0)
		(void)open_entrance(group, index, fd, plan->tasks.unified);
}

int cgroup_create_on(struct cgroup *group, const struct cgroup_host *host, uint64_t memory,
	uint64_t tasks, const char **ret_why)
{
	struct plan plan;
	int r = make_plan(group, host, memory, tasks, &plan, ret_why);

	if (r == 0 && group->count) {
		*ret_why = "a process that removes the control group";
		r = start_sweeper(group);
	}
	if (r == 0 && plan.has_memory) {
		*ret_why = "the right to limit or enter a control group of its own";
		r = create_memory(group, &plan, memory);
	}
	if (r < 0)
		cgroup_remove(group);
	else if (tasks)
		create_tasks(group, &plan, tasks);
	return r;
}

int cgroup_create(struct cgroup *group, uint64_t memory, uint64_t tasks, const char **ret_why)
{
	_cleanup_free_ char *groups = read_text("/proc/self/cgroup");
	_cleanup_free_ char *mounts = read_text("/proc/self/mountinfo");
	const struct cgroup_host host = {groups, mounts};

	return cgroup_create_on(group, &host, memory, tasks, ret_why);
}

/* ---- living in it ---- */

int cgroup_enter(struct cgroup *group)
{
	int r = 0;

	for (unsigned i = 0; i < 2 && r == 0; i++) {
		/* "0": the thread that writes. */
		if (group->enter_fds[i] >= 0 && write(group->enter_fds[i], "0", 1) != 1)
			r = -errno;
	}
	close_entrances(group);
	close_fd(&group->memory_fd);
	close_fd(&group->sweeper_pipe);
	return r;
}

/* The number behind @key in a file of lines "key number"; 0 when it is not there. */
static uint64_t read_count(int directory, const char *file, const char *key)
{
	_cleanup_close_ int fd = openat(directory, file, O_RDONLY | O_CLOEXEC);
	char text[1024], *at, *save = NULL;
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	size_t size = strlen(key);

	if (n < 0)
		return 0;
	text[n] = '\0';
	if (!size)
		return strtoull(text, NULL, 10);
	for (at = strtok_r(text, "\n", &save); at; at = strtok_r(NULL, "\n", &save)) {
		if (strncmp(at, key, size) == 0 && at[size] == ' ')
			return strtoull(at + size + 1, NULL, 10);
	}
	return 0;
}

void cgroup_entered(struct cgroup *group)
{
	close_entrances(group);
}

struct cgroup_counts cgroup_count(const struct cgroup *group)
{
	struct cgroup_counts counts = {0};

	if (group->memory_fd < 0)
		return counts;
	/* One pair of files exists. */
	counts.oom_kills = read_count(group->memory_fd, "memory.events", "oom_kill") +
			   read_count(group->memory_fd, "memory.oom_control", "oom_kill");
	counts.peak = read_count(group->memory_fd, "memory.peak", "") +
		      read_count(group->memory_fd, "memory.max_usage_in_bytes", "");
	return counts;
}
