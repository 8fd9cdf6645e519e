/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_KERNEL_H
#define SENTRY_SENTRY_KERNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "abi/ioctl.h"
#include "sentry/link.h"
#include "sentry/namespaces.h"
#include "sentry/observe.h"
#include "sentry/view.h"

/* What `sentry run` decided; all strings borrowed from the command line. The kernel process gets
 * one of these after the fork. */
struct kernel_config {
	char *const *argv;   /* the program and its arguments, NULL-terminated */
	char *const *envp;   /* the guest's environment, complete */
	const char *workdir; /* NULL: the view's default */
	const char *hostname;
	uint32_t uid, gid; /* of the guest */
	int nice;	   /* the one that sentry itself was started with: stubs run with it */
	uint64_t memory_limit, pids_limit, nofile_limit; /* bytes, tasks, descriptors */
	uint64_t cpus; /* processors to run on, the first ones; 0: as started */
	int stdio[3];  /* host descriptors, taken over; -1 closed */
	bool terminal; /* -t: stdio is a virtual terminal whose host end is stdio[0] (a socket to
			  the launcher) */
	uint16_t rows, columns;	   /* its first size; 0 unknown */
	bool keys_known, utf8;	   /* keys are set; IUTF8 */
	uint8_t keys[LX_NCCS];	   /* its first special characters, those of the user's terminal */
	int control_fd;		   /* SOCK_SEQPACKET to the launcher: signals in, results out
				      (sentry/control.h) */
	int commit_fd;		   /* -1, or where the working directory's changes go at the end
				      (sentry/commit.h) */
	const char *platform_name; /* NULL: systrap, or ptrace with a word on stderr where that
				      cannot run */
	int death_fd;		   /* read end of the launcher's death pipe, already armed */
	int strace_fd;		   /* -1: off */
	struct observe_config observe;
	int audit_fd;		      /* -1: off */
	int stats_fd;		      /* -1: off; what the platform counted, at the end */
	bool no_patch;		      /* every call traps */
	uint64_t timeout_ns;	      /* 0: none */
	uint64_t cpu_time_ns;	      /* 0: none */
	struct namespaces namespaces; /* of this process; taken over */
	uint64_t output_limit;	      /* bytes on standard output and error together; 0: none */
	int gateway_fd;		      /* -1, or the pair with the gateway (sentry/gateway_link.h) */
	struct link_config link;      /* to a network of the host; its descriptor is taken over */
	struct view_config view;
};

/* The guest's end as the launcher reports it. */
struct kernel_result {
	int wait_status; /* init's, as wait4 reports it; -1: never started */
	int exit_code;	 /* what `sentry run` exits with */
	bool timed_out, cpu_time_hit, memory_hit, output_hit;
	uint64_t wall_ns, user_ns, system_ns;
	uint64_t max_resident_size; /* bytes: of the process that had the most */
	uint64_t output_size;	    /* bytes on standard output and error, or the terminal */
	uint64_t changed_files;	    /* of the working directory's overlay */
	uint64_t refused_changes;   /* of those: not kept by --commit because of their names */
	char message[256];	    /* for the user, "" = none */
	/* Filled in by the launcher. */
	bool memory_by_group; /* a control group of the host keeps --memory */
	uint64_t memory_peak; /* bytes: of all of the sandbox, as the group counts; 0 unknown */
};

/*
 * Runs a whole sandbox in the calling (fresh) process: host set-up, confinement, boot of init, the
 * main loop. Returns when the last task is gone. Never returns a lie: what could not be set up is
 * exit_code 125 and a message.
 */
void kernel_run(const struct kernel_config *config, struct kernel_result *ret_result);

/* Global facts that handlers need. */
struct kernel {
	const struct kernel_config *config;
	uint64_t boot_time_mono;     /* ns */
	struct thread_group *init;   /* the program; NULL once it ended */
	struct thread_group *reaper; /* pid 1: what it waited for is the usage of all that ended */
	unsigned task_count;
	unsigned memory_kills;	   /* processes that --memory ended */
	struct super_block *tmpfs; /* for memfds and shared anonymous memory */
};
extern struct kernel kernel;

#endif
