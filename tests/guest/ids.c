/* SPDX-License-Identifier: Apache-2.0 */
/* User and group ids by number: what changes, what is refused, and what stays when it is. */
#include "case.h"

#include <grp.h>
#include <linux/capability.h>
#include <sys/resource.h>

static void note_ids(void)
{
	unsigned r = 7, e = 7, s = 7;

	SYS(SYS_getresuid, &r, &e, &s);
	NOTE("uid %u %u %u", r, e, s);
	SYS(SYS_getresgid, &r, &e, &s);
	NOTE("gid %u %u %u", r, e, s);
}

static void need_root(void)
{
	if (geteuid() != 0)
		SKIP("needs root");
}

static void become(unsigned id)
{
	if (setgroups(0, NULL) < 0 || SYS(SYS_setresgid, id, id, id) < 0 ||
		SYS(SYS_setresuid, id, id, id) < 0)
		_exit(97);
}

CASE(setreuid_of_root)
{
	need_root();
	CALL(SYS(SYS_setreuid, 1000, 2000));
	note_ids();
	CALL(SYS(SYS_setreuid, 2000, 1000));
	note_ids();
	CALL(SYS(SYS_setreuid, 0, -1));
	CALL(SYS(SYS_setreuid, -1, 0));
}

CASE(setreuid_of_a_user)
{
	need_root();
	become(1000);
	CALL(SYS(SYS_setreuid, -1, -1));
	CALL(SYS(SYS_setreuid, 1000, 1000));
	CALL(SYS(SYS_setreuid, 1001, -1));
	CALL(SYS(SYS_setreuid, -1, 1001));
	note_ids();
}

CASE(setreuid_keeps_saved)
{
	need_root();
	CALL(SYS(SYS_setresuid, 1000, 1001, 1002));
	CALL(SYS(SYS_setreuid, -1, 1002));
	note_ids();
	CALL(SYS(SYS_setreuid, 1002, -1));
	note_ids();
}

CASE(setregid_of_root)
{
	need_root();
	CALL(SYS(SYS_setregid, 1000, 2000));
	note_ids();
	CALL(SYS(SYS_setregid, -1, 3000));
	note_ids();
}

CASE(setregid_of_a_user)
{
	need_root();
	become(1000);
	CALL(SYS(SYS_setregid, 1000, 1000));
	CALL(SYS(SYS_setregid, 0, -1));
	CALL(SYS(SYS_setregid, -1, 0));
	note_ids();
}

CASE(setregid_swaps)
{
	need_root();
	CALL(SYS(SYS_setresgid, 1000, 1001, 1001));
	become(1000);
	CALL(SYS(SYS_setregid, -1, -1));
	note_ids();
}

CASE(setresuid_parts)
{
	need_root();
	CALL(SYS(SYS_setresuid, -1, 1000, -1));
	note_ids();
	CALL(SYS(SYS_setresuid, 1000, -1, 1000));
	note_ids();
	CALL(SYS(SYS_setresuid, 0, -1, -1));
}

CASE(setresgid_parts)
{
	need_root();
	CALL(SYS(SYS_setresgid, 5, -1, 6));
	note_ids();
	become(1000);
	CALL(SYS(SYS_setresgid, 5, -1, -1));
	CALL(SYS(SYS_setresgid, -1, -1, 6));
	note_ids();
}

CASE(setuid_of_a_user)
{
	need_root();
	become(1000);
	CALL(SYS(SYS_setuid, 1000));
	CALL(SYS(SYS_setuid, 0));
	CALL(SYS(SYS_setuid, 1001));
	CALL(SYS(SYS_setuid, -1));
	CALL(SYS(SYS_setgid, 1000));
	CALL(SYS(SYS_setgid, 0));
	CALL(SYS(SYS_setgid, -1));
}

CASE(setfsuid_of_a_user)
{
	need_root();
	become(1000);
	CALL(SYS(SYS_setfsuid, 1001));
	CALL(SYS(SYS_setfsuid, -1));
	CALL(SYS(SYS_setfsgid, 0));
	CALL(SYS(SYS_setfsgid, -1));
}

CASE(setfsuid_of_root)
{
	need_root();
	CALL(SYS(SYS_setfsuid, 1001));
	CALL(SYS(SYS_setfsuid, -1));
	write_file("f", "x");
	CALL(SYS(SYS_setfsuid, 0));
	CALL(SYS(SYS_setfsgid, 5));
	CALL(SYS(SYS_setfsgid, 0));
}

CASE(getresuid_bad_addresses)
{
	unsigned id = 7;

	CALL(SYS(SYS_getresuid, BAD_ADDRESS, &id, &id));
	CALL(SYS(SYS_getresuid, &id, BAD_ADDRESS, &id));
	CALL(SYS(SYS_getresuid, &id, &id, NULL));
}

CASE(getresgid_bad_addresses)
{
	unsigned id = 7;

	CALL(SYS(SYS_getresgid, BAD_ADDRESS, &id, &id));
	CALL(SYS(SYS_getresgid, &id, NULL, &id));
	CALL(SYS(SYS_getresgid, &id, &id, BAD_ADDRESS));
}

CASE(groups_set_and_get)
{
	gid_t groups[4] = {30, 10, 20, 10}, got[4] = {0};

	need_root();
	CALL(SYS(SYS_setgroups, 4, groups));
	CALL(SYS(SYS_getgroups, 4, got));
	NOTE("%u %u %u %u", got[0], got[1], got[2], got[3]);
	CALL(SYS(SYS_getgroups, 0, NULL));
	CALL(SYS(SYS_getgroups, 3, got));
	CALL(SYS(SYS_setgroups, 0, NULL));
	CALL(SYS(SYS_getgroups, 0, NULL));
}

CASE(groups_errors)
{
	gid_t groups[2] = {1, -1};

	need_root();
	CALL(SYS(SYS_setgroups, 2, groups));
	CALL(SYS(SYS_setgroups, -1, groups));
	CALL(SYS(SYS_setgroups, 65537, groups));
	CALL(SYS(SYS_setgroups, 2, BAD_ADDRESS));
	groups[1] = 2;
	CALL(SYS(SYS_setgroups, 2, groups));
	CALL(SYS(SYS_getgroups, 2, BAD_ADDRESS));
	CALL(SYS(SYS_getgroups, -1, groups));
}

CASE(groups_of_a_user)
{
	gid_t group = 1000;

	need_root();
	become(1000);
	CALL(SYS(SYS_setgroups, 1, &group));
	CALL(SYS(SYS_setgroups, 0, NULL));
	CALL(SYS(SYS_getgroups, 0, NULL));
}

/* ---- capabilities ---- */

struct header {
	uint32_t version;
	int pid;
};

CASE(capget_versions)
{
	struct __user_cap_data_struct data[2];
	struct header header = {0, 0};

	CALL(SYS(SYS_capget, &header, NULL));
	NOTE("%x", header.version);
	header.version = 0;
	CALL(SYS(SYS_capget, &header, data));
	NOTE("%x", header.version);
	header.version = _LINUX_CAPABILITY_VERSION_1;
	CALL(SYS(SYS_capget, &header, data));
	header.version = _LINUX_CAPABILITY_VERSION_2;
	CALL(SYS(SYS_capget, &header, data));
}

CASE(capget_errors)
{
	struct __user_cap_data_struct data[2];
	struct header header = {_LINUX_CAPABILITY_VERSION_3, -1};

	CALL(SYS(SYS_capget, &header, data));
	CALL(SYS(SYS_capget, &header, NULL));
	header.pid = 0x7ffffff;
	CALL(SYS(SYS_capget, &header, data));
	CALL(SYS(SYS_capget, &header, NULL));
	header.pid = 0;
	CALL(SYS(SYS_capget, &header, BAD_ADDRESS));
	CALL(SYS(SYS_capget, BAD_ADDRESS, data));
	CALL(SYS(SYS_capget, NULL, NULL));
}

CASE(capget_version_at_the_end)
{
	char *at = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct __user_cap_data_struct data[2];

	munmap(at + 4096, 4096);
	*(uint32_t *)(at + 4092) = 5;
	CALL(SYS(SYS_capget, at + 4092, data));
	NOTE("%x", *(uint32_t *)(at + 4092));
	CALL(SYS(SYS_capget, at + 4092, data));
}

CASE(capset_gives_up)
{
	struct __user_cap_data_struct data[2] = {{0}};
	struct header header = {_LINUX_CAPABILITY_VERSION_3, 0};

	CALL(SYS(SYS_capset, &header, data));
	data[0].permitted = 1;
	CALL(SYS(SYS_capset, &header, data));
	CALL(SYS(SYS_capget, &header, data));
	NOTE("%x %x %x", data[0].effective, data[0].permitted, data[0].inheritable);
}

CASE(capset_effective_beyond_permitted)
{
	struct __user_cap_data_struct data[2] = {{0}};
	struct header header = {_LINUX_CAPABILITY_VERSION_3, 0};

	data[0].effective = 1;
	CALL(SYS(SYS_capset, &header, data));
	data[0].effective = 0;
	data[0].inheritable = 0;
	CALL(SYS(SYS_capset, &header, data));
}

CASE(capset_errors)
{
	struct __user_cap_data_struct data[2] = {{0}};
	struct header header = {0, 0};

	CALL(SYS(SYS_capset, &header, data));
	header = (struct header){_LINUX_CAPABILITY_VERSION_3, 1};
	CALL(SYS(SYS_capset, &header, data));
	header.pid = 0;
	CALL(SYS(SYS_capset, &header, BAD_ADDRESS));
	CALL(SYS(SYS_capset, BAD_ADDRESS, data));
	CALL(SYS(SYS_capset, &header, NULL));
}

/* ---- host names ---- */

CASE(hostname_lengths)
{
	char name[100];

	need_root();
	if (unshare(CLONE_NEWUTS) < 0 && errno != EINVAL && errno != EPERM)
		SKIP("no namespace");
	memset(name, 'h', sizeof(name));
	CALL(sethostname(name, 65));
	CALL(sethostname(name, -1));
	CALL(sethostname(BAD_ADDRESS, 3));
	CALL(setdomainname(name, 65));
	CALL(setdomainname(name, -1));
	CALL(setdomainname(BAD_ADDRESS, 3));
}

/* ---- limits ---- */

CASE(getrlimit_errors)
{
	struct rlimit limit;

	CALL(SYS(SYS_getrlimit, 16, &limit));
	CALL(SYS(SYS_getrlimit, -1, &limit));
	CALL(SYS(SYS_getrlimit, RLIMIT_NOFILE, BAD_ADDRESS));
	CALL(SYS(SYS_getrlimit, RLIMIT_NOFILE, NULL));
}

CASE(getrlimit_of_all)
{
	struct rlimit limit;

	for (int i = 0; i < 16; i++) {
		limit = (struct rlimit){7, 5};
		if (SYS(SYS_getrlimit, i, &limit) < 0 || limit.rlim_cur > limit.rlim_max)
			NOTE("limit %d is wrong", i);
	}
	CALL(SYS(SYS_getrlimit, RLIMIT_NOFILE, &limit));
	NOTE("%lu %lu", (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
}

CASE(setrlimit_errors)
{
	struct rlimit limit = {10, 5};

	CALL(SYS(SYS_setrlimit, RLIMIT_NOFILE, &limit));
	CALL(SYS(SYS_setrlimit, 16, &limit));
	CALL(SYS(SYS_setrlimit, RLIMIT_NOFILE, BAD_ADDRESS));
	CALL(SYS(SYS_setrlimit, RLIMIT_NOFILE, NULL));
	limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	CALL(SYS(SYS_setrlimit, RLIMIT_NOFILE, &limit));
}

CASE(setrlimit_comes_down_for_good)
{
	struct rlimit limit = {100, 200};

	if (geteuid() == 0)
		become(1000);
	CALL(SYS(SYS_setrlimit, RLIMIT_NOFILE, &limit));
	limit.rlim_cur = 200;
	CALL(SYS(SYS_setrlimit, RLIMIT_NOFILE, &limit));
	limit.rlim_max = 201;
	CALL(SYS(SYS_setrlimit, RLIMIT_NOFILE, &limit));
	CALL(SYS(SYS_getrlimit, RLIMIT_NOFILE, &limit));
	NOTE("%lu %lu", (unsigned long)limit.rlim_cur, (unsigned long)limit.rlim_max);
	limit = (struct rlimit){0, 0};
	CALL(SYS(SYS_setrlimit, RLIMIT_CORE, &limit));
	CALL(SYS(SYS_setrlimit, RLIMIT_NICE, &limit));
}
