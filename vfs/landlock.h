/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_LANDLOCK_H
#define SENTRY_VFS_LANDLOCK_H

#include "abi/landlock.h"
#include "vfs/vfs.h"

/*
 * landlock(7): rights that processes gave up, by file hierarchy (LX_LANDLOCK_ACCESS_FS_*) and port
 * (LX_LANDLOCK_ACCESS_NET_*), and the scopes that they stay within (LX_LANDLOCK_SCOPE_*). A domain
 * is a stack of layers, each a copy of a ruleset; what a layer handles is allowed only beneath its
 * rules. Credentials carry the domain.
 */

struct landlock_ruleset; /* under construction: behind a descriptor */
struct landlock_handled {
	uint64_t fs, net, scoped;
};
int landlock_ruleset_new(const struct landlock_handled *handled, struct landlock_ruleset **ret);
void landlock_ruleset_free(struct landlock_ruleset *ruleset);
const struct landlock_handled *landlock_ruleset_handled(const struct landlock_ruleset *ruleset);
/* -ENOMEM; -E2BIG at the cap on rules. */
int landlock_ruleset_add(
	struct landlock_ruleset *ruleset, const struct path *path, uint64_t allowed);
int landlock_ruleset_add_port(struct landlock_ruleset *ruleset, uint16_t port, uint64_t allowed);

struct landlock_domain *landlock_domain_ref(struct landlock_domain *domain);
void landlock_domain_unref(struct landlock_domain *domain);
/* One more layer on @below (borrowed, or NULL). -E2BIG, -ENOMEM. */
int landlock_domain_new(struct landlock_domain *below, const struct landlock_ruleset *ruleset,
	struct landlock_domain **ret);

/* May the caller do @wanted to @path, or, for making and removing, in it? 0 or -EACCES. */
int landlock_check(const struct vfs_ctx *ctx, const struct path *path, uint64_t wanted);
/* Opening with @flags. */
int landlock_check_open(const struct vfs_ctx *ctx, const struct path *path, int flags);
/* May who has @cred do @wanted (one right) at a TCP port? 0 or -EACCES. */
int landlock_check_port(const struct cred *cred, uint16_t port, uint64_t wanted);
/* Whether a layer handles that right: addresses are looked at only then. */
bool landlock_handles_net(const struct cred *cred, uint64_t right);
/* Whether a layer restricts files. */
bool landlock_handles_files(const struct cred *cred);
/* Whether @scope keeps who has @client from reaching who has @server (domain_is_scoped()). */
bool landlock_out_of_scope(const struct cred *client, const struct cred *server, uint64_t scope);
/* Whether who has @tracer may trace who has @tracee: one in the same domain or one within it. */
bool landlock_may_trace(const struct cred *tracer, const struct cred *tracee);
uint64_t landlock_make_right(uint32_t mode);
uint64_t landlock_remove_right(const struct inode *inode); /* 0 for NULL */
/* rename(2) and link(2). All is borrowed. */
struct landlock_refer {
	const struct path *old_parent, *new_parent;
	uint64_t old_right, new_right; /* what is done in each of them */
	const struct inode *child;     /* what goes from the one to the other */
	const struct inode *exchanged; /* what comes back; NULL but for RENAME_EXCHANGE */
};
/* 0; -EACCES; -EXDEV: all but the move to another directory would be allowed. */
int landlock_check_refer(const struct vfs_ctx *ctx, const struct landlock_refer *refer);

#endif
