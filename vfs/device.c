/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What opening a special file means: a device number (or FIFOs as such) to the code that answers
 * for it. Registered at start-up, never removed.
 */
#include <errno.h>

#include "abi/fcntl.h"
#include "vfs/vfs.h"

#define DEVICES_MAX 64

static struct {
	uint64_t rdev;
	device_open_fn *open;
} devices[DEVICES_MAX];
static unsigned device_count;
static device_open_fn *fifo_open_fn;

int device_register(uint64_t rdev, device_open_fn *open)
{
	for (unsigned i = 0; i < device_count; i++) {
		if (devices[i].rdev == rdev) {
			devices[i].open = open;
			return 0;
		}
	}
	if (device_count == DEVICES_MAX)
		return -ENOSPC;
	devices[device_count].rdev = rdev;
	devices[device_count].open = open;
	device_count++;
	return 0;
}

int device_open(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	for (unsigned i = 0; i < device_count; i++)
		if (devices[i].rdev == inode->rdev)
			return devices[i].open(inode, file, ctx);
	return -ENXIO;
}

void fifo_register(device_open_fn *open)
{
	fifo_open_fn = open;
}

int fifo_open(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	if ((file->flags & LX_O_ACCMODE) == LX_O_ACCMODE)
		return -EINVAL; /* "neither", as other files can be opened for ioctls alone */
	return fifo_open_fn ? fifo_open_fn(inode, file, ctx) : -ENXIO;
}
