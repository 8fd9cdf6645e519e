/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_KEYS_H
#define SENTRY_SENTRY_KEYS_H

#include "sentry/task.h"

/* Keys and keyrings (keyrings(7)): sentry/keys.c. Nothing here sleeps. */

enum key_type { KEY_USER, KEY_LOGON, KEY_KEYRING, KEY_TYPE_COUNT };

/* What is asked for; shifted by 24 (possessor), 16 (user), 8 (group), 0 (others) in key->perm. */
#define KEY_VIEW    0x01u
#define KEY_READ    0x02u
#define KEY_WRITE   0x04u
#define KEY_SEARCH  0x08u
#define KEY_LINK    0x10u
#define KEY_SETATTR 0x20u
#define KEY_ALL	    0x3fu

#define KEY_POSSESSOR(perm) ((uint32_t)(perm) << 24)
#define KEY_OWNER(perm)	    ((uint32_t)(perm) << 16)

/* kernel.keys.maxkeys, maxbytes; and of root, which are those of everybody together. */
#define KEYS_MAX_OF_USER      200u
#define KEY_BYTES_MAX_OF_USER 20000u
#define KEYS_MAX_OF_ALL	      4096u
#define KEY_BYTES_MAX_OF_ALL  (8u << 20)

struct key_user;

struct key {
	struct refcount refs;
	struct list_head all;
	int32_t serial;
	enum key_type type;
	char *description;     /* owned */
	struct key_user *user; /* whose quota it counts in; owned */
	uint32_t uid, gid, perm;
	uint64_t expires; /* seconds of the wall clock; 0: never */
	bool revoked, invalidated;
	bool in_quota;
	uint32_t quota; /* bytes */
	/* user, logon */
	uint8_t *payload; /* owned */
	size_t size;
	/* keyring: owned references, in the order of linking */
	struct key **links;
	size_t link_count, link_capacity;
	uint32_t hash;		  /* of the description */
	uint64_t walk, possessed; /* numbers of walks that came here: sentry/keys_private.h */
	struct key *next_doomed;  /* private to key_unref() */
};

/* A key as somebody got hold of it (make_key_ref()). */
struct key_ref {
	struct key *key; /* owned */
	bool possessed;
};

struct key *key_ref_get(struct key *key);
void key_unref(struct key *key);
static inline void cleanup_key_ref(struct key_ref *ref)
{
	key_unref(ref->key);
}
#define _cleanup_key_ _cleanup_(cleanup_key_ref)

/* -ENODEV. */
int key_type_by_name(const char *name, enum key_type *ret);
const char *key_type_name(enum key_type type);

/* A key of the task's, in nobody's ring. @perm 0: the type's usual. -EDQUOT, -ENOMEM. */
int key_new(struct task *task, enum key_type type, const char *description, uint32_t perm,
	bool in_quota, struct key **ret);
/* -EDQUOT, -ENOMEM. */
int key_set_payload(struct key *key, const void *payload, size_t size);
int key_chown(struct key *key, uint32_t uid);

/* 0, -ENOKEY, -EKEYREVOKED, -EKEYEXPIRED */
int key_validate(const struct key *key);
/* 0 or -EACCES */
int key_permission(const struct key_ref *ref, const struct cred *cred, uint32_t need);

/* Borrowed, or NULL. */
struct key *keyring_find(const struct key *ring, enum key_type type, const char *description);
/* Replaces a key with the same name. -ENOTDIR, -EDEADLK, -ELOOP, -EDQUOT, -ENOMEM. */
int keyring_link(struct key *ring, struct key *key);
/* -ENOTDIR, -ENOENT */
int keyring_unlink(struct key *ring, struct key *key);
void keyring_clear(struct key *ring);
/* From @ring down: -EAGAIN, -EACCES, or what is wrong with the key that was found. Owned. */
int keyring_search(const struct key_ref *ring, const struct cred *cred, enum key_type type,
	const char *description, struct key_ref *ret);
/* In all that the task has. -ENOKEY and the like. */
int keys_search(
	struct task *task, enum key_type type, const char *description, struct key_ref *ret);

#define KEY_LOOKUP_CREATE  1u
#define KEY_LOOKUP_PARTIAL 2u
#define KEY_NEED_NOTHING   0u /* the caller looks for himself */
#define KEY_NEED_UNLINK	   (1u << 31)
/* lookup_user_key(): a number, or a special one below 0. */
int key_lookup(struct task *task, int32_t id, unsigned flags, uint32_t need, struct key_ref *ret);
bool key_is_possessed(struct task *task, const struct key *key);

/* A new session keyring; @name NULL: anonymous. Returns its number. */
int64_t keys_join_session(struct task *task, const char *name);

void keys_inherit(struct task *child, const struct task *parent);
void keys_exec(struct task *task);
void keys_exit(struct task *task);
void keys_exit_group(struct thread_group *group);

/* keyctl(KEYCTL_INVALIDATE) */
void key_invalidate(struct key *key);
void key_revoke(struct key *key);

struct seq;
void keys_show(struct task *task, struct seq *seq);
void keys_show_users(struct task *task, struct seq *seq);

#endif
