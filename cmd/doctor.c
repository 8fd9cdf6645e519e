/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/commands.h"
#include "platform/platform.h"

/* What this host offers, in words, and what follows from what it lacks. */

static void line(bool good, const char *name, const char *words)
{
	printf("%-4s %-14s %s\n", good ? "ok" : "no", name, words);
}

static bool check_platform(const struct platform_ops *ops, const char *role)
{
	const char *missing = "";
	char words[256];
	int r = ops->probe(&missing);

	if (r == 0)
		snprintf(words, sizeof(words), "%s", role);
	else
		snprintf(words, sizeof(words), "missing: %s (%s)", missing, strerror(-r));
	line(r == 0, ops->name, words);
	return r == 0;
}

static bool check_landlock(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	char words[256];

	if (version < 1)
		snprintf(words, sizeof(words),
			"missing: nothing would keep a taken-over kernel process from the host's "
			"files; runs stop with 125");
	else
		snprintf(words, sizeof(words), "version %ld: files%s%s", version,
			version >= 4 ? ", TCP" : "",
			version >= 6
				? ", signals and abstract sockets"
				: "; signals beyond the sandbox are not covered (version 6 is)");
	line(version >= 1, "landlock", words);
	return version >= 1;
}

static void check_descriptors(void)
{
	struct rlimit limit;
	char words[128];

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	snprintf(words, sizeof(words), "%llu descriptors for all guests' open files together",
		(unsigned long long)limit.rlim_max);
	line(limit.rlim_max >= 4096, "descriptors", words);
}

static void check_cpus(void)
{
	cpu_set_t set;
	char words[128];
	int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	snprintf(words, sizeof(words), "%d usable%s", count,
		count < 2 ? ": calls hand over on one core, without spinning" : "");
	line(true, "processors", words);
}

int command_doctor(int argc, char **argv)
{
	bool systrap, ptrace, landlock;

	if (argc > 1) {
		fprintf(stderr, "sentry doctor: takes no arguments.\n");
		return 125;
	}
	systrap = check_platform(&platform_systrap,
		"system calls by seccomp traps and user notification: the fast way");
	ptrace = check_platform(&platform_ptrace, "system calls by PTRACE_SYSEMU: the slow way");
	landlock = check_landlock();
	check_descriptors();
	check_cpus();
	if (landlock && (systrap || ptrace)) {
		printf("Sandboxes run here%s.\n", systrap ? "" : ", on ptrace");
		return 0;
	}
	printf("Sandboxes cannot run here.\n");
	return 125;
}
