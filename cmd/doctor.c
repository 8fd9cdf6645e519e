/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cmd/cgroup.h"
#include "cmd/commands.h"
#include "platform/platform.h"
#include "sentry/namespaces.h"

/*
 * What this host offers, in words: for each protection whether it applies to runs by this user,
 * what it does, what lacks, and what would change that. Each is tried, not guessed from versions.
 *
 * "ok": applies in full; "part": some of it, or none of what no promise needs; "no": lacks. Exit
 * code 0: sandboxes run; 125: none can; with --strict 1 when anything lacks.
 */

enum verdict { VERDICT_OK, VERDICT_PART, VERDICT_NO };

static enum verdict worst;

static void say(enum verdict verdict, const char *name, const char *what)
{
	static const char *const words[] = {"ok", "part", "no"};

	printf("%-5s%-18s%s\n", words[verdict], name, what);
	if (verdict > worst)
		worst = verdict;
}

static void lacks(const char *what, const char *change)
{
	printf("%23slacks: %s\n", "", what);
	if (change)
		printf("%23schange: %s\n", "", change);
}

static bool check_platform(
	const struct platform_ops *ops, const char *role, const char *change, bool optional)
{
	const char *missing = "";
	char words[256];
	int r = ops->probe(&missing);

	say(r == 0 ? VERDICT_OK : optional ? VERDICT_PART : VERDICT_NO, ops->name, role);
	if (r < 0) {
		snprintf(words, sizeof(words), "%s (%s)", missing, strerror(-r));
		lacks(words, change);
	}
	return r == 0;
}

static bool check_landlock(void)
{
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	char words[160];

	snprintf(words, sizeof(words),
		"Landlock version %ld: the kernel process reaches no file but those of the view",
		version < 0 ? 0 : version);
	say(version >= 6       ? VERDICT_OK
		: version >= 1 ? VERDICT_PART
			       : VERDICT_NO,
		"landlock", words);
	if (version < 1)
		lacks("Landlock; runs stop with 125",
			"Linux 5.13 with CONFIG_SECURITY_LANDLOCK, and landlock in the lsm= list");
	else if (version < 3)
		lacks("truncation is not covered; nor are signals and abstract sockets",
			"Linux 6.12 covers all");
	else if (version < 6)
		lacks("signals and abstract sockets beyond the sandbox are not covered",
			"Linux 6.12; a PID and a network namespace (below) do it as well");
	return version >= 1;
}

static const char *change_namespaces(int error)
{
	switch (error) {
	case ENOSPC:
		return "raise user.max_user_namespaces, user.max_net_namespaces & co.";
	case EINVAL:
		return "a kernel with CONFIG_USER_NS, PID_NS, NET_NS, IPC_NS, UTS_NS";
	default:
		return "allow user namespaces (kernel.unprivileged_userns_clone=1, "
		       "kernel.apparmor_restrict_unprivileged_userns=0, the container engine's "
		       "seccomp profile), or run as root";
	}
}

static void check_namespaces(void)
{
	static const struct {
		int flag;
		const char *name, *words;
	} kinds[] = {
		{CLONE_NEWUSER, "user", "capabilities of any kind would mean nothing on the host"},
		{CLONE_NEWNS, "mount", "an empty root: no path of the host leads anywhere"},
		{CLONE_NEWPID, "pid", "no process of the host has a number"},
		{CLONE_NEWNET, "net", "no network, not even its loopback, and no abstract socket"},
		{CLONE_NEWIPC, "ipc", "no message queue, semaphore or shared memory of the host"},
		{CLONE_NEWUTS, "uts", "the host's name cannot be changed"},
	};
	const char *why;
	int error;
	struct namespaces own = namespaces_probe(&why, &error);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bool has = own.flags & kinds[i].flag;
		char name[32];

		snprintf(name, sizeof(name), "%s namespace", kinds[i].name);
		say(has ? VERDICT_OK : VERDICT_PART, name, kinds[i].words);
	}
	if (error)
		lacks(*why ? why : "denied", change_namespaces(-error));
	if (own.partial_ids)
		printf("%23sfiles of other users than you show as root's in sandboxes\n", "");
}

/* What every kernel that passed the tests above has. */
static void check_basics(void)
{
	bool nnp = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) >= 0;
	bool seccomp = prctl(PR_GET_SECCOMP, 0, 0, 0, 0) >= 0;

	say(seccomp ? VERDICT_OK : VERDICT_NO, "seccomp",
		"lists of host calls ('sentry surface'), one for the kernel process, one for "
		"stubs");
	if (!seccomp)
		lacks("seccomp", "a kernel with CONFIG_SECCOMP_FILTER");
	say(nnp ? VERDICT_OK : VERDICT_NO, "privileges",
		"no_new_privs, no capabilities, not dumpable, no inherited descriptors");
}

static void check_descriptors(void)
{
	struct rlimit limit;
	char words[128];

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	snprintf(words, sizeof(words), "%llu for all guests' open files together",
		(unsigned long long)limit.rlim_max);
	say(limit.rlim_max >= 4096 ? VERDICT_OK : VERDICT_PART, "descriptors", words);
	if (limit.rlim_max < 4096)
		lacks("room for many open files", "raise the hard limit (ulimit -Hn)");
}

static void check_memory(void)
{
	struct cgroup group;
	const char *why;
	char words[192];
	int r;

	cgroup_init(&group);
	r = cgroup_create(&group, cgroup_memory_for(64 << 20), 64, &why);
	cgroup_remove(&group);
	say(r == 0 ? VERDICT_OK : VERDICT_PART, "memory limit",
		r == 0 ? "hard: the host counts, in a control group around each sandbox"
		       : "bounded: processes are sampled and killed (docs/security.md has the "
			 "formula)");
	if (r == 0)
		return;
	snprintf(words, sizeof(words), "%s (%s)", why, strerror(-r));
	lacks(words, "run as root, or in a delegated group: systemd-run --user --scope sentry run "
		     "...");
}

static void check_cpus(void)
{
	cpu_set_t set;
	char words[128];
	int count = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;

	snprintf(words, sizeof(words), "%d usable%s", count,
		count < 2 ? ": calls hand over on one core, without spinning" : "");
	say(VERDICT_OK, "processors", words);
}

int command_doctor(int argc, char **argv)
{
	bool strict = argc == 2 && strcmp(argv[1], "--strict") == 0;
	bool systrap, ptrace, landlock;

	if (argc > 1 && !strict) {
		fprintf(stderr, "usage: sentry doctor [--strict]\n");
		return 125;
	}
	systrap = check_platform(&platform_systrap,
		"system calls by seccomp traps and user notification: the fast way",
		"Linux 5.19 (6.6 is faster), and no other seccomp listener around us", true);
	ptrace = check_platform(&platform_ptrace, "system calls by PTRACE_SYSEMU: the slow way",
		"kernel.yama.ptrace_scope below 2, and a container profile with ptrace", true);
	check_basics();
	landlock = check_landlock();
	check_namespaces();
	check_memory();
	check_descriptors();
	check_cpus();
	if (!landlock || !(systrap || ptrace)) {
		printf("Sandboxes cannot run here.\n");
		return 125;
	}
	printf("Sandboxes run here%s%s.\n", systrap ? "" : ", on ptrace",
		worst == VERDICT_OK ? ", with every protection"
				    : "; what says \"part\" is not needed for the promises of "
				      "docs/security.md");
	return strict && worst != VERDICT_OK;
}
