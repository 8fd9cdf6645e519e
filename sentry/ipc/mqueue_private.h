/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_IPC_MQUEUE_PRIVATE_H
#define SENTRY_SENTRY_IPC_MQUEUE_PRIVATE_H

#include "sentry/ipc/ipc.h"
#include "sentry/task.h"

/* What mqueue.c and mqueue_fs.c share. */

/* The queue of that name, borrowed; NULL: there is none. */
struct inode *mqueue_find(struct ipc_ns *ns, const char *name);
/* One after the other: the one behind the first @skip of them. */
struct inode *mqueue_nth(struct ipc_ns *ns, int64_t skip, const char **ret_name);
/* @attr NULL: the defaults. *ret is owned. -ENOSPC, -EINVAL, -EMFILE, -ENOMEM. */
int mqueue_create(struct task *t, struct ipc_ns *ns, const char *name, uint32_t mode,
	const struct lx_mq_attr *attr, struct inode **ret);
/* Takes its name away, and the reference that this had. */
void mqueue_unlink(struct inode *inode);

/* The superblock that the namespace's queues are in, with one reference for the caller. */
int mqueue_super(struct ipc_ns *ns, struct super_block **ret);
/* The namespace goes. */
void mqueue_super_end(struct ipc_ns *ns);
/* With the inode. */
void mqueue_destroy(struct inode *inode);

#endif
