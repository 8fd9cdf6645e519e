/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Control groups of version 2 on a tree that behaves like the host's: a directory that is made has
 * its files at once, none can be added, and one that is removed takes them along.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "cmd/cgroup.h"

#define LIMIT (192ull << 20)

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __real_rmdir(const char *path);
int __wrap_rmdir(const char *path);

static char root[64];
static const char *lacking; /* a file that groups do not have */
static const char *const files[] = {"memory.max", "memory.swap.max", "memory.events", "memory.peak",
	"pids.max", "cgroup.procs", "cgroup.subtree_control"};

static void put(const char *directory, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "w");
	if (!file || fputs(text, file) < 0 || fclose(file) != 0)
		abort();
}

static const char *get(const char *directory, const char *name)
{
	static char text[256];
	char path[512];
	FILE *file;
	size_t n;

	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "r");
	if (!file)
		return "(none)";
	n = fread(text, 1, sizeof(text) - 1, file);
	text[n] = '\0';
	fclose(file);
	return text;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	int r = __real_mkdir(path, mode);

	for (size_t i = 0; r == 0 && i < array_size(files); i++)
		if (!lacking || strcmp(files[i], lacking) != 0)
			put(path, files[i], "");
	return r;
}

int __wrap_rmdir(const char *path)
{
	char name[512];

	if (strncmp(path, root, strlen(root)) == 0)
		for (size_t i = 0; i < array_size(files); i++) {
			(void)snprintf(name, sizeof(name), "%s/%s", path, files[i]);
			(void)unlink(name);
		}
	return __real_rmdir(path);
}

/* Below systemd: the slice hands controllers on, the scope has our processes. */
static struct cgroup_host plant(const char *handed_on)
{
	static char mounts[256], path[128];
	static const char *const levels[] = {"", "/app.slice", "/app.slice/run.scope"};

	strcpy(root, "/tmp/sentry-cgroup-XXXXXX");
	if (!mkdtemp(root))
		abort();
	(void)snprintf(mounts, sizeof(mounts),
		"30 23 0:27 / %s rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n", root);
	for (size_t i = 1; i < array_size(levels); i++) {
		(void)snprintf(path, sizeof(path), "%s%s", root, levels[i]);
		if (mkdir(path, 0755) < 0)
			abort();
	}
	(void)snprintf(path, sizeof(path), "%s/app.slice", root);
	put(path, "cgroup.subtree_control", handed_on);
	return (struct cgroup_host){"0::/app.slice/run.scope\n", mounts};
}

/* How many groups of ours there are in the slice. */
static int groups(void)
{
	char path[128];
	DIR *directory;
	struct dirent *entry;
	int count = 0;

	(void)snprintf(path, sizeof(path), "%s/app.slice", root);
	directory = opendir(path);
	while (directory && (entry = readdir(directory)))
		count += strncmp(entry->d_name, "sentry-", 7) == 0;
	if (directory)
		closedir(directory);
	return count;
}

static void uproot(void)
{
	char path[128];

	(void)snprintf(path, sizeof(path), "%s/app.slice/run.scope", root);
	rmdir(path);
	(void)snprintf(path, sizeof(path), "%s/app.slice", root);
	rmdir(path);
	cr_expect(rmdir(root) == 0, "something is left");
}

static bool no_child(void)
{
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

Test(cmd_cgroup_v2, one_directory_has_both_limits)
{
	struct cgroup_host host = plant("cpu memory pids\n");
	const char *why = NULL;
	struct cgroup group;
	struct stat made, named;

	cgroup_init(&group);
	cr_assert(cgroup_create_on(&group, &host, LIMIT, 128, &why) == 0, "%s", why);
	cr_expect(group.count == 1 && groups() == 1);
	cr_expect(strncmp(group.paths[0], root, strlen(root)) == 0 &&
		  strstr(group.paths[0], "/app.slice/sentry-") != NULL);
	cr_expect(atoll(get(group.paths[0], "memory.max")) == (long long)LIMIT);
	cr_expect(strcmp(get(group.paths[0], "memory.swap.max"), "0") == 0);
	cr_expect(strcmp(get(group.paths[0], "pids.max"), "128") == 0);
	/* The kernel process is born into it, nothing is moved. */
	cr_expect(group.clone_fd >= 0 && group.enter_fds[0] < 0 && group.enter_fds[1] < 0);
	cr_expect(fstat(group.clone_fd, &made) == 0 && stat(group.paths[0], &named) == 0 &&
		  made.st_ino == named.st_ino);
	cr_expect(strcmp(get(group.paths[0], "cgroup.procs"), "") == 0);

	put(group.paths[0], "memory.events",
		"low 0\nhigh 3\nmax 17\noom 2\noom_kill 5\noom_group_kill 0\n");
	put(group.paths[0], "memory.peak", "201326592\n");
	cr_expect(cgroup_count(&group).oom_kills == 5 && cgroup_count(&group).peak == LIMIT);
	cgroup_entered(&group);
	cr_expect(group.clone_fd < 0 && cgroup_count(&group).peak == LIMIT);
	cgroup_remove(&group);
	cr_expect(groups() == 0 && no_child());
	uproot();
}

Test(cmd_cgroup_v2, tasks_alone)
{
	struct cgroup_host host = plant("pids\n");
	const char *why = NULL;
	struct cgroup group;

	cgroup_init(&group);
	cr_expect(cgroup_create_on(&group, &host, LIMIT, 128, &why) == -ENOENT && why);
	cr_expect(groups() == 0 && no_child(), "without memory's controller none is made");
	cr_assert(cgroup_create_on(&group, &host, 0, 128, &why) == 0);
	cr_expect(group.count == 1 && group.clone_fd >= 0 && group.memory_fd < 0);
	cr_expect(strcmp(get(group.paths[0], "pids.max"), "128") == 0);
	cr_expect(strcmp(get(group.paths[0], "memory.max"), "") == 0);
	cr_expect(cgroup_count(&group).peak == 0);
	cgroup_remove(&group);
	cr_expect(groups() == 0 && no_child());
	uproot();
}

/* What cannot be limited is not used, and nothing of it stays. */
Test(cmd_cgroup_v2, taken_back)
{
	struct cgroup_host host = plant("memory pids\n"), nothing = {NULL, NULL};
	const char *why = NULL;
	struct cgroup group;

	cgroup_init(&group);
	lacking = "memory.max";
	cr_expect(cgroup_create_on(&group, &host, LIMIT, 128, &why) == -ENOENT && why);
	cr_expect(group.count == 0 && group.clone_fd < 0 && group.memory_fd < 0);
	cr_expect(groups() == 0 && no_child());
	/* A host that does not account swap, and one without a limit on tasks. */
	lacking = "memory.swap.max";
	cr_expect(cgroup_create_on(&group, &host, LIMIT, 128, &why) == 0);
	cgroup_remove(&group);
	lacking = "pids.max";
	cr_expect(cgroup_create_on(&group, &host, LIMIT, 128, &why) == 0);
	cgroup_remove(&group);
	lacking = NULL;
	cr_expect(cgroup_create_on(&group, &nothing, LIMIT, 128, &why) == -ENOENT);
	cr_expect(groups() == 0 && no_child());
	uproot();
}

/* The launcher is killed: its sweeper removes the group. */
Test(cmd_cgroup_v2, swept, .timeout = 60)
{
	struct cgroup_host host = plant("memory pids\n");
	const char *why = NULL;
	pid_t launcher = fork();
	int status;

	if (launcher == 0) {
		struct cgroup group;

		cgroup_init(&group);
		_exit(cgroup_create_on(&group, &host, LIMIT, 128, &why) == 0 && groups() == 1 ? 0
											      : 1);
	}
	cr_assert(waitpid(launcher, &status, 0) == launcher && status == 0);
	while (groups() > 0)
		usleep(1000);
	uproot();
}
