/* SPDX-License-Identifier: Apache-2.0 */
#include "base/host_proc.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static int proc_fd = -1;

int host_proc_fd(void)
{
	if (proc_fd < 0)
		proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return proc_fd < 0 ? -errno : proc_fd;
}

void host_proc_set(int fd)
{
	if (proc_fd >= 0)
		close(proc_fd);
	proc_fd = fd;
}

int host_proc_open(const char *path)
{
	int directory = host_proc_fd(), fd;

	if (directory < 0)
		return directory;
	fd = openat(directory, path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}
