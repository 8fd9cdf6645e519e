/* SPDX-License-Identifier: Apache-2.0 */
/* Stand-ins until procfs and the terminals are merged: whoever merges those deletes their lines
 * here. */
#include <errno.h>

#include "sentry/procfs/procfs.h"

int procfs_capture_host(void)
{
	return 0;
}

int procfs_new(struct super_block **ret)
{
	return tmpfs_new(0, 0, 0755, ret);
}

int sysfs_new(struct super_block **ret)
{
	return tmpfs_new(0, 0, 0755, ret);
}
