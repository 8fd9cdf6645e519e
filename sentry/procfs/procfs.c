/* SPDX-License-Identifier: Apache-2.0 */
#include "sentry/procfs/procfs.h"

int procfs_capture_host(void)
{
	return 0;
}

int procfs_new(struct super_block **ret)
{
	return tmpfs_new(4096, 16, 0555, ret);
}

int sysfs_new(struct super_block **ret)
{
	return tmpfs_new(4096, 16, 0555, ret);
}
