/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_CGROUP_H
#define SENTRY_CMD_CGROUP_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A control group of the host around one sandbox (cgroups(7)): in version 2 one directory, in
 * version 1 one for each controller. Zeroed by cgroup_init(). */
struct cgroup {
	unsigned count;
	char paths[2][PATH_MAX]; /* the directories, ours to remove */
	int enter_fds[2];	 /* version 1: their `tasks`; -1 none */
	int clone_fd;		 /* version 2: the directory, to clone a process into; or -1 */
	int memory_fd;		 /* the directory that limits memory, or -1 */
	pid_t sweeper;		 /* 0 none */
	int sweeper_pipe;
};

struct cgroup_counts {
	uint64_t oom_kills; /* processes that the host killed at the limit */
	uint64_t peak;	    /* bytes, the host kernel's memory for the group included; 0 unknown */
};

/* Where a group may be made, and of which version. */
struct cgroup_place {
	char path[PATH_MAX];
	bool unified;
};

/* What the host says about groups: the texts of /proc/self/cgroup and /proc/self/mountinfo, or
 * NULL. */
struct cgroup_host {
	const char *groups, *mounts;
};

void cgroup_init(struct cgroup *group);
/*
 * A group that holds at most @memory bytes and @tasks tasks (0: that one is not limited), empty so
 * far, and a child that removes it should the caller not live to do it. 0, or -errno with what
 * lacks in *ret_why and *group as cgroup_init() left it. The caller ends it with cgroup_remove().
 */
int cgroup_create(struct cgroup *group, uint64_t memory, uint64_t tasks, const char **ret_why);
/* The same on a host that is described. */
int cgroup_create_on(struct cgroup *group, const struct cgroup_host *host, uint64_t memory,
	uint64_t tasks, const char **ret_why);
/* The limit that goes with --memory: room for the kernel process and the host's own memory too. */
uint64_t cgroup_memory_for(uint64_t limit);

/* In the child: enters, unless cloned into it, and keeps no descriptor of it. 0 or -errno. */
int cgroup_enter(struct cgroup *group);
/* In the launcher, once the child is there: nobody else enters. */
void cgroup_entered(struct cgroup *group);
/* What happened in it; zeros where the host does not tell. */
struct cgroup_counts cgroup_count(const struct cgroup *group);
/* Removes it; as soon as nothing runs in it any more, which may be after this returned. */
void cgroup_remove(struct cgroup *group);

/*
 * The place for a group with @controller below @level: the process's own group (0) or the one above
 * it (1). @groups: the text of /proc/self/cgroup, @mounts: that of /proc/self/mountinfo. 0, or
 * -ENOENT when there is none that this mount namespace shows.
 */
int cgroup_find(const char *groups, const char *mounts, const char *controller, unsigned level,
	struct cgroup_place *ret);

#endif
