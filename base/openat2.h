/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_OPENAT2_H
#define SENTRY_BASE_OPENAT2_H

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Stays beneath the directory, and no link of any kind on the way. */
#define HOST_BENEATH (RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS)

/* openat2(2), which libc does not wrap. Close-on-exec always; @flags without O_CREAT. The
 * descriptor or -errno. */
static inline int host_openat2(int directory, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {.flags = (uint64_t)(unsigned)flags | O_CLOEXEC, .resolve = resolve};
	long fd = syscall(SYS_openat2, directory, path, &how, sizeof(how));

	return fd < 0 ? -errno : (int)fd;
}

#endif
