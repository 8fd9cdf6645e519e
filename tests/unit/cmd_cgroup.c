/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/checked.h"
#include "cmd/cgroup.h"

#define V1                                                                                         \
	"31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n"                      \
	"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime shared:9 - cgroup cgroup rw,memory\n"      \
	"32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct\n"     \
	"39 31 0:36 / /sys/fs/cgroup/p\\040ids rw,relatime - cgroup cgroup rw,pids\n"
#define V2 "30 23 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define HYBRID                                                                                     \
	"35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"               \
	"41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
/* A container without a control group namespace: its group is the root of what it sees. */
#define PART                                                                                       \
	"50 40 0:27 /docker/abc /sys/fs/cgroup ro,nosuid - cgroup2 cgroup rw\n"                    \
	"51 40 0:32 /docker/abc /mem ro,nosuid - cgroup cgroup rw,memory\n"

static const struct {
	const char *groups, *mounts, *controller;
	unsigned level;
	const char *path; /* NULL: -ENOENT */
	bool unified;
} cases[] = {
	{"4:memory:/a/b\n0::/\n", V1, "memory", 0, "/sys/fs/cgroup/memory/a/b", false},
	{"0::/\n4:memory:/a/b\n", V1, "memory", 1, "/sys/fs/cgroup/memory/a", false},
	{"4:memory:/\n", V1, "memory", 0, "/sys/fs/cgroup/memory", false},
	{"4:memory:/\n", V1, "memory", 1, NULL, false},
	{"8:pids:/x\n", V1, "pids", 0, "/sys/fs/cgroup/p ids/x", false},
	{"2:cpu,cpuacct:/x\n", V1, "cpuacct", 0, "/sys/fs/cgroup/cpu,cpuacct/x", false},
	{"2:cpu,cpuacct:/x\n", V1, "cpu", 0, "/sys/fs/cgroup/cpu,cpuacct/x", false},
	{"2:cpu,cpuacct:/x\n", V1, "cpua", 0, NULL, false},
	{"9:name=memory:/x\n", V1, "memory", 0, NULL, false},
	{"0::/user.slice/app.slice/run.scope\n", V2, "memory", 0,
		"/sys/fs/cgroup/user.slice/app.slice/run.scope", true},
	{"0::/user.slice/app.slice/run.scope\n", V2, "memory", 1,
		"/sys/fs/cgroup/user.slice/app.slice", true},
	{"0::/only\n", V2, "memory", 1, "/sys/fs/cgroup", true},
	{"0::/\n", V2, "memory", 0, "/sys/fs/cgroup", true},
	{"0::/\n", V2, "memory", 1, NULL, true},
	{"0::/../other\n", V2, "memory", 0, NULL, true},
	/* A controller that version 1 has is not version 2's. */
	{"4:memory:/a\n0::/u\n", HYBRID, "memory", 0, "/sys/fs/cgroup/memory/a", false},
	{"4:memory:/a\n0::/u\n", HYBRID, "pids", 0, "/sys/fs/cgroup/unified/u", true},
	{"0::/docker/abc/x\n", PART, "memory", 0, "/sys/fs/cgroup/x", true},
	{"0::/docker/abc\n", PART, "memory", 0, "/sys/fs/cgroup", true},
	{"0::/docker/abcd\n", PART, "memory", 0, NULL, true},
	{"4:memory:/docker/abc/y\n", PART, "memory", 0, "/mem/y", false},
	{"", V2, "memory", 0, NULL, false},
	{"0::/x", "", "memory", 0, NULL, false},
	{"nonsense\n:::\n0:\n", V1 V2, "memory", 0, NULL, false},
};

Test(cmd_cgroup, places)
{
	for (size_t i = 0; i < array_size(cases); i++) {
		struct cgroup_place place = {.path = "untouched"};
		int r = cgroup_find(cases[i].groups, cases[i].mounts, cases[i].controller,
			cases[i].level, &place);

		if (!cases[i].path) {
			cr_expect(r == -ENOENT && strcmp(place.path, "untouched") == 0,
				"case %zu: %d %s", i, r, place.path);
			continue;
		}
		cr_expect(r == 0 && strcmp(place.path, cases[i].path) == 0 &&
				  place.unified == cases[i].unified,
			"case %zu: %d %s", i, r, place.path);
	}
}

Test(cmd_cgroup, room_above_the_limit)
{
	cr_expect(cgroup_memory_for(64 << 20) >= (64 << 20) + (16 << 20));
	cr_expect(cgroup_memory_for(UINT64_MAX) == INT64_MAX);
	cr_expect(cgroup_memory_for(INT64_MAX) == INT64_MAX);
}
