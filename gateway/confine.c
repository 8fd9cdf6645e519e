/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the gateway gives up. It stays in the host's network, which is its purpose, and loses the
 * rest: Landlock without a single rule leaves no file to open, make or execute, and where the host
 * knows these scopes no signal and no abstract socket beyond the process itself.
 */
#include <errno.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/host_filter.h"
#include "base/loop.h"
#include "gateway/gateway.h"
#include "gateway/wire.h"

#define FS_VERSION_1   ((1ull << 13) - 1)
#define FS_REFER       (1ull << 13)
#define FS_TRUNCATE    (1ull << 14)
#define FS_IOCTL_DEV   (1ull << 15)
#define SCOPE_ABSTRACT (1ull << 0)
#define SCOPE_SIGNAL   (1ull << 1)

#define MEMORY_MAX (1ull << 30) /* address space: our program, and what flows have in hand */

#if defined(__SANITIZE_ADDRESS__)
#define GATEWAY_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(undefined_behavior_sanitizer)
#define GATEWAY_SANITIZED
#endif
#endif

static int confine_files(void)
{
	struct {
		uint64_t fs, net, scoped;
	} attr = {.fs = FS_VERSION_1};
	long version =
		syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	size_t size = sizeof(attr.fs);
	_cleanup_close_ int ruleset = -1;

	if (version < 1)
		return -EOPNOTSUPP;
	if (version >= 2)
		attr.fs |= FS_REFER;
	if (version >= 3)
		attr.fs |= FS_TRUNCATE;
	if (version >= 5)
		attr.fs |= FS_IOCTL_DEV;
	if (version >= 6) {
		attr.scoped = SCOPE_ABSTRACT | SCOPE_SIGNAL;
		size = sizeof(attr);
	}
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
	if (ruleset < 0)
		return -errno;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? -errno : 0;
}

static int set_limit(int resource, rlim_t value)
{
	struct rlimit limit;

	if (getrlimit(resource, &limit) < 0)
		return -errno;
	if (value < limit.rlim_max)
		limit.rlim_max = value;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(resource, &limit) < 0 ? -errno : 0;
}

static int set_limits(void)
{
	/* Two descriptors for each flow, one for each question to a name server. */
	int r = set_limit(RLIMIT_NOFILE, 3 * GATE_FLOWS_MAX);

	r = r < 0 ? r : set_limit(RLIMIT_NPROC, 0);
	r = r < 0 ? r : set_limit(RLIMIT_FSIZE, RLIM_INFINITY);
	r = r < 0 ? r : set_limit(RLIMIT_CORE, 1);
#ifndef GATEWAY_SANITIZED
	r = r < 0 ? r : set_limit(RLIMIT_AS, MEMORY_MAX);
#endif
	return r;
}

int gateway_confine(const struct gateway_config *config, const char **ret_why)
{
	static struct sock_filter program[HOST_FILTER_MAX];
	struct sock_fprog filter = {.filter = program};
	unsigned when = GATEWAY_ALWAYS | (config->publish_count ? GATEWAY_PUBLISH : 0) |
			(loop_has_pwait2() ? GATEWAY_PWAIT2 : GATEWAY_OLD_PWAIT);
	int r;

#ifdef GATEWAY_SANITIZED
	when |= GATEWAY_SANITIZER;
#endif
	*ret_why = "limits";
	r = set_limits();
	if (r < 0)
		return r;
	*ret_why = "Landlock";
	r = confine_files();
	if (r < 0)
		return r;
	*ret_why = "seccomp";
	r = host_filter_build(gateway_calls, gateway_call_count, when, program, HOST_FILTER_MAX);
	if (r < 0)
		return r;
	filter.len = (unsigned short)r;
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 ||
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
		return -errno;
	return 0;
}
