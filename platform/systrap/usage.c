/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stubs use, as the host's proc(5) tells. The folder is opened once, so that it works from
 * within an empty mount namespace too; without it, CPU time comes from the process's clock and is
 * not split.
 */
#include "platform/systrap/systrap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/host_proc.h"
#include "base/log.h"
#include "base/openat2.h"

#define NSEC_PER_SEC 1000000000ull

static int proc_fd = -1; /* borrowed */

void systrap_usage_init(void)
{
	proc_fd = host_proc_fd();
}

void systrap_usage_fini(void)
{
	proc_fd = -1;
}

static int read_proc(const char *path, char *buffer, size_t size)
{
	_cleanup_close_ int fd = -1;
	ssize_t n;

	if (proc_fd < 0)
		return -ESRCH;
	fd = host_openat2(proc_fd, path, O_RDONLY, HOST_BENEATH);
	if (fd < 0)
		return -ESRCH;
	n = read(fd, buffer, size - 1);
	if (n <= 0)
		return -ESRCH;
	buffer[n] = '\0';
	return 0;
}

static bool is_known(pid_t pid)
{
	const struct systrap_as *as;

	list_for_each_entry (as, &systrap.spaces, link) {
		if (as->pid == pid)
			return true;
	}
	return false;
}

/* @name: an entry of the host's /proc. */
static void kill_if_stray(const char *name)
{
	char path[64], buffer[512];
	const char *fields;
	int pid = atoi(name), group;
	siginfo_t info;

	(void)snprintf(path, sizeof(path), "%d/stat", pid);
	if (pid <= 0 || is_known(pid) || read_proc(path, buffer, sizeof(buffer)) < 0)
		return;
	fields = strrchr(buffer, ')');
	/* state, parent, group */
	if (!fields || sscanf(fields + 2, "%*c %*d %d", &group) != 1 || group != systrap.group)
		return;
	/* Ours, and not reaped: the id is still its own. */
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0) {
		log_debug("systrap: killing stray process %d", pid);
		(void)kill(pid, SIGKILL);
	}
}

void systrap_kill_strays(void)
{
	_cleanup_close_ int fd =
		proc_fd < 0 ? -1 : host_openat2(proc_fd, ".", O_RDONLY | O_DIRECTORY, HOST_BENEATH);
	_Alignas(struct dirent64) char records[4096];
	ssize_t size;

	if (fd < 0)
		return;
	while ((size = getdents64(fd, records, sizeof(records))) > 0) {
		for (ssize_t at = 0; at < size;) {
			const struct dirent64 *entry = (const struct dirent64 *)(records + at);

			kill_if_stray(entry->d_name);
			at += entry->d_reclen;
		}
	}
}

/* The kernel's MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED), include/linux/posix-timers.h */
static int process_clock(pid_t pid, uint64_t *ret_ns)
{
	struct timespec ts;

	if (clock_gettime((clockid_t)((~(unsigned)pid) << 3 | 2), &ts) < 0)
		return -ESRCH;
	*ret_ns = (uint64_t)ts.tv_sec * NSEC_PER_SEC + (uint64_t)ts.tv_nsec;
	return 0;
}

int systrap_cpu_time(struct platform_thread *head, uint64_t *ret_user, uint64_t *ret_system)
{
	const struct systrap_thread *thread = systrap_thread(head);
	uint64_t user, system, ns = 0, ticks = (uint64_t)sysconf(_SC_CLK_TCK);
	char path[64], buffer[512];
	const char *fields;

	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	/* Below one tick the host tells nothing apart. The process's clock costs one call. */
	if (!thread->as->had_threads && process_clock(thread->as->pid, &ns) == 0 &&
		ns < NSEC_PER_SEC / ticks) {
		*ret_user = ns;
		*ret_system = 0;
		return 0;
	}
	ns = 0;
	/* The first number is the time on a CPU in ns; stat has ticks only, but tells user and
	 * system apart. */
	(void)snprintf(
		path, sizeof(path), "%d/task/%d/schedstat", (int)thread->as->pid, (int)thread->tid);
	if (read_proc(path, buffer, sizeof(buffer)) == 0 && sscanf(buffer, "%" SCNu64, &ns) != 1)
		ns = 0;
	if (ns > 0 && ns < NSEC_PER_SEC / ticks) {
		*ret_user = ns;
		*ret_system = 0;
		return 0;
	}
	(void)snprintf(
		path, sizeof(path), "%d/task/%d/stat", (int)thread->as->pid, (int)thread->tid);
	if (read_proc(path, buffer, sizeof(buffer)) < 0) {
		if (process_clock(thread->as->pid, &ns) < 0)
			return -ESRCH;
		*ret_user = ns;
		*ret_system = 0;
		return 0;
	}
	/* The name may contain anything; the fields start behind its last parenthesis. utime and
	 * stime are 14 and 15. */
	fields = strrchr(buffer, ')');
	if (!fields || sscanf(fields + 2,
			       "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64,
			       &user, &system) != 2)
		return -ESRCH;
	user *= NSEC_PER_SEC / ticks;
	system *= NSEC_PER_SEC / ticks;
	if (ns > user + system)
		user = ns - system;
	*ret_user = user;
	*ret_system = system;
	return 0;
}

/* proc(5): of stat, minflt, majflt and rss are 10, 12 and 24. */
int systrap_usage(struct platform_thread *head, struct platform_usage *ret)
{
	const struct systrap_thread *thread = systrap_thread(head);
	struct platform_usage usage;
	char path[64], buffer[512];
	const char *fields;

	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	(void)snprintf(
		path, sizeof(path), "%d/task/%d/stat", (int)thread->as->pid, (int)thread->tid);
	if (read_proc(path, buffer, sizeof(buffer)) < 0)
		return -ESRCH;
	fields = strrchr(buffer, ')');
	if (!fields || sscanf(fields + 2,
			       "%*c %*d %*d %*d %*d %*d %*u %" SCNu64 " %*u %" SCNu64
			       " %*u %*u %*u %*d %*d %*d %*d %*d %*d %*u %*u %" SCNu64,
			       &usage.minor_faults, &usage.major_faults, &usage.resident) != 3)
		return -ESRCH;
	usage.resident *= 4096;
	*ret = usage;
	return 0;
}

int systrap_resident_size(struct platform_as *as, uint64_t *ret_size, uint64_t *ret_shared)
{
	char path[32], buffer[128];
	uint64_t pages, shared;

	(void)snprintf(path, sizeof(path), "%d/statm", (int)((struct systrap_as *)as)->pid);
	if (read_proc(path, buffer, sizeof(buffer)) < 0 ||
		sscanf(buffer, "%*u %" SCNu64 " %" SCNu64, &pages, &shared) != 2)
		return -ESRCH;
	*ret_size = pages * 4096;
	if (ret_shared)
		*ret_shared = shared * 4096;
	return 0;
}

/*
 * A guest can make its first thread end behind our back: the process then shows no memory, its
 * other threads do.
 */
int systrap_memory_use(struct platform_as *platform_as, uint64_t *ret_size)
{
	struct systrap_as *as = (struct systrap_as *)platform_as;
	const struct systrap_thread *thread;
	uint64_t ns = 0, size = 0;
	char path[64], buffer[4096];

	if (as->reaped || as->pid <= 0)
		return -ESRCH;
	/* Memory is not touched without CPU time. */
	if (process_clock(as->pid, &ns) == 0 && ns == as->used_ns && ns > 0) {
		*ret_size = as->used_memory;
		return 0;
	}
	(void)snprintf(path, sizeof(path), "%d/status", (int)as->pid);
	if (read_proc(path, buffer, sizeof(buffer)) < 0)
		return -ESRCH;
	size = platform_status_memory(buffer);
	list_for_each_entry (thread, &as->threads, as_link) {
		if (size > 0)
			break;
		(void)snprintf(
			path, sizeof(path), "%d/task/%d/status", (int)as->pid, (int)thread->tid);
		if (read_proc(path, buffer, sizeof(buffer)) == 0)
			size = platform_status_memory(buffer);
	}
	as->used_ns = ns;
	as->used_memory = size;
	*ret_size = size;
	return 0;
}
