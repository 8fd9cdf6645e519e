/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_GUEST_NS_H
#define SENTRY_TESTS_GUEST_NS_H

/*
 * For the cases about namespaces and mounts. Natively they run as root: whatever is mounted must be
 * in a mount namespace of the case's own, from which nothing spreads.
 */
#include <grp.h>
#include <linux/nsfs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/prctl.h>
#include <sys/vfs.h>

#include "case.h"

/* A mount namespace of one's own, with nothing shared. */
static inline void own_mounts(void)
{
	if (unshare(CLONE_NEWNS) < 0)
		SKIP("no mount namespaces");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		exit(9);
}

static inline int write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY), saved;
	ssize_t done;

	if (fd < 0)
		return -1;
	done = write(fd, text, strlen(text));
	saved = errno;
	close(fd);
	errno = saved;
	return done == (ssize_t)strlen(text) ? 0 : -1;
}

/* Becomes nobody in particular, who made nothing here. */
static inline void become(uid_t id)
{
	if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0)
		exit(9);
	/* A change of identity took away the own /proc files. */
	prctl(PR_SET_DUMPABLE, 1);
}

/* In a user namespace of one's own as its root; @inside are further flags. */
static inline void own_user_ns(int flags)
{
	char text[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();

	if (unshare(CLONE_NEWUSER | flags) < 0)
		SKIP("no user namespaces");
	snprintf(text, sizeof(text), "0 %u 1", uid);
	if (write_text("/proc/self/uid_map", text) < 0)
		exit(8);
	write_text("/proc/self/setgroups", "deny");
	snprintf(text, sizeof(text), "0 %u 1", gid);
	if (write_text("/proc/self/gid_map", text) < 0)
		exit(7);
}

/* Runs @fn in a child and prints how it ended. */
static inline void in_child(void (*fn)(void))
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		fn();
		fflush(NULL);
		_exit(0);
	}
	note_wait("child", pid);
}

/* Numbers that differ from run to run, by the order in which they were met. */
static inline int renumber(const char *text)
{
	static char seen[64][16];

	for (int i = 0; i < 64; i++) {
		if (!seen[i][0])
			snprintf(seen[i], sizeof(seen[i]), "%s", text);
		if (strcmp(seen[i], text) == 0)
			return i + 1;
	}
	return 0;
}

/* The mounts below the case's directory, as mountinfo shows them, without numbers of this run. */
static inline void note_mounts_below(const char *dir)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	size_t size = strlen(dir);
	char line[4096];

	while (file && fgets(line, sizeof(line), file)) {
		char *fields[64], *rest = line, *item, text[1024] = "";
		int count = 0, at;

		line[strcspn(line, "\n")] = '\0';
		while (count < 64 && (item = strsep(&rest, " ")) != NULL)
			fields[count++] = item;
		if (count < 9 || strncmp(fields[4], dir, size) != 0)
			continue;
		for (at = 6; at < count && strcmp(fields[at], "-") != 0; at++) {
			char *colon = strchr(fields[at], ':');
			size_t used = strlen(text);

			if (colon) {
				*colon = '\0';
				snprintf(text + used, sizeof(text) - used, " %s:%d", fields[at],
					renumber(colon + 1));
			} else {
				snprintf(text + used, sizeof(text) - used, " %s", fields[at]);
			}
		}
		/* The case's own directory is on a disk or in memory. */
		if (at + 2 < count && (strncmp(fields[at + 2], "/dev/", 5) == 0 ||
					      strcmp(fields[at + 2], "tmpfs") == 0 ||
					      strcmp(fields[at + 2], "overlay") == 0))
			fields[at + 1] = "scratch", fields[at + 2] = "";
		NOTE("mount at .%s: %s%s - %s %s", fields[4] + size, fields[5], text,
			at + 1 < count ? fields[at + 1] : "?",
			at + 2 < count ? fields[at + 2] : "?");
	}
	if (file)
		fclose(file);
}

static inline void note_mounts(void)
{
	char dir[PATH_MAX];

	if (getcwd(dir, sizeof(dir)))
		note_mounts_below(dir);
}

#endif
