/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_KEYS_PRIVATE_H
#define SENTRY_SENTRY_KEYS_PRIVATE_H

#include "sentry/keys.h"

/* Between sentry/keys.c (keys, rings, quotas) and sentry/keys_task.c (whose they are). */

#define KEY_DEPTH_MAX 6u /* rings in each other */

struct key_user {
	struct refcount refs;
	struct list_head link; /* all_key_users */
	uint32_t uid;
	unsigned keys, quota_keys;
	uint64_t quota_bytes;
	struct key *ring, *session; /* owned; NULL until they are asked for; then this stays */
};

extern struct list_head all_keys, all_key_users;

/* Owned. -ENOMEM, -EDQUOT. */
int key_user_get(uint32_t uid, struct key_user **ret);
void key_user_unref(struct key_user *user);

/* A key in nobody's ring. @perm 0: the type's usual. -EDQUOT, -ENOMEM. */
int key_alloc(uint32_t uid, uint32_t gid, enum key_type type, const char *description,
	uint32_t perm, bool in_quota, struct key **ret);
/* Borrowed; NULL: none. */
struct key *key_find(int32_t serial);
/* Seconds of the wall clock. */
uint64_t key_now(void);

/* A walk through a ring and the rings in it, each once. One at a time: it marks them. */
struct ring_walk {
	uint64_t number;
	unsigned depth;
	struct {
		const struct key *ring;
		size_t next;
	} at[KEY_DEPTH_MAX];
};

void ring_walk_begin(struct ring_walk *walk);
/* Goes into @ring; false: too deep. */
bool ring_walk_enter(struct ring_walk *walk, struct key *ring);
/* The next ring of the innermost one, which may be entered then; NULL: the walk is over. */
struct key *ring_walk_next(struct ring_walk *walk);

#endif
