/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and keyrings (keyrings(7)), all in this kernel's memory.
 *
 * A keyring holds references on its keys; tasks hold their thread, process and session keyrings;
 * users hold theirs. A key that nobody holds is freed at once (on Linux some time later, but nobody
 * finds it meanwhile). keyring_link() refuses rings that would contain themselves, and more than
 * KEY_DEPTH_MAX in each other, so counting references is enough, and a walk down the rings keeps
 * its place in a small array. A walk enters a ring once, however many ways lead there: it takes no
 * longer than there are links in all. All bytes count (names, payloads, links) and have a limit for
 * each user and one for everybody. What tasks and users have of this is in sentry/keys_task.c.
 *
 * Who possesses a key (finds it from his own keyrings, by ones that he may search) has the rights
 * of the possessor besides those of owner, group or others (key_task_permission()).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/loop.h"
#include "base/random.h"
#include "sentry/keys_private.h"

#define USERS_MAX  1024u
#define LINK_BYTES 4u /* KEYQUOTA_LINK_BYTES */

struct list_head all_keys = LIST_HEAD_INIT(all_keys);
struct list_head all_key_users = LIST_HEAD_INIT(all_key_users);
static unsigned count_of_keys, user_count;
static uint64_t byte_count, last_walk;

static const char *const type_names[KEY_TYPE_COUNT] = {
	[KEY_USER] = "user", [KEY_LOGON] = "logon", [KEY_KEYRING] = "keyring"};

int key_type_by_name(const char *name, enum key_type *ret)
{
	for (unsigned i = 0; i < KEY_TYPE_COUNT; i++) {
		if (strcmp(name, type_names[i]) == 0) {
			*ret = (enum key_type)i;
			return 0;
		}
	}
	return -ENODEV;
}

const char *key_type_name(enum key_type type)
{
	return type_names[type];
}

/* ---- users and quotas ---- */

void key_user_unref(struct key_user *user)
{
	if (!refcount_put(&user->refs))
		return;
	list_remove(&user->link);
	user_count--;
	free(user);
}

/* Owned. -ENOMEM, -EDQUOT. */
int key_user_get(uint32_t uid, struct key_user **ret)
{
	struct key_user *user;

	list_for_each_entry (user, &all_key_users, link) {
		if (user->uid == uid) {
			refcount_get(&user->refs);
			*ret = user;
			return 0;
		}
	}
	if (user_count >= USERS_MAX)
		return -EDQUOT;
	user = calloc(1, sizeof(*user));
	if (!user)
		return -ENOMEM;
	user->refs = REFCOUNT_ONE;
	user->uid = uid;
	list_add_tail(&user->link, &all_key_users);
	user_count++;
	*ret = user;
	return 0;
}

static int charge(struct key *key, uint32_t bytes)
{
	const bool root = key->uid == 0;

	if (byte_count + bytes > KEY_BYTES_MAX_OF_ALL ||
		(key->in_quota && key->user->quota_bytes + bytes >
					  (root ? KEY_BYTES_MAX_OF_ALL : KEY_BYTES_MAX_OF_USER)))
		return -EDQUOT;
	byte_count += bytes;
	if (key->in_quota)
		key->user->quota_bytes += bytes;
	key->quota += bytes;
	return 0;
}

static void uncharge(struct key *key, uint32_t bytes)
{
	byte_count -= bytes;
	if (key->in_quota)
		key->user->quota_bytes -= bytes;
	key->quota -= bytes;
}

/* ---- keys ---- */

struct key *key_ref_get(struct key *key)
{
	refcount_get(&key->refs);
	return key;
}

static void key_free(struct key *key)
{
	uncharge(key, key->quota);
	if (key->in_quota)
		key->user->quota_keys--;
	key->user->keys--;
	count_of_keys--;
	list_remove(&key->all);
	key_user_unref(key->user);
	if (key->payload)
		explicit_bzero(key->payload, key->size);
	free(key->payload);
	free(key->links);
	free(key->description);
	free(key);
}

/* Rings in rings, without recursion. */
void key_unref(struct key *key)
{
	struct key *doomed = key;

	if (!key || !refcount_put(&key->refs))
		return;
	while (doomed) {
		key = doomed;
		doomed = key->next_doomed;
		for (size_t i = 0; i < key->link_count; i++) {
			struct key *link = key->links[i];

			if (refcount_put(&link->refs)) {
				link->next_doomed = doomed;
				doomed = link;
			}
		}
		key_free(key);
	}
}

struct key *key_find(int32_t serial)
{
	struct key *key;

	list_for_each_entry (key, &all_keys, all)
		if (key->serial == serial)
			return key;
	return NULL;
}

static uint32_t usual_permissions(enum key_type type)
{
	return KEY_POSSESSOR(KEY_VIEW | KEY_SEARCH | KEY_LINK | KEY_SETATTR | KEY_WRITE |
			     (type == KEY_LOGON ? 0 : KEY_READ)) |
	       KEY_OWNER(KEY_VIEW);
}

/* Makes walks through thousands of names that begin alike cheap; nothing relies on it. */
static uint32_t hash_name(const char *name)
{
	uint32_t hash = 2166136261u;

	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return hash;
}

int key_alloc(uint32_t uid, uint32_t gid, enum key_type type, const char *description,
	uint32_t perm, bool in_quota, struct key **ret)
{
	struct key *key;
	int err;

	if (count_of_keys >= KEYS_MAX_OF_ALL)
		return -EDQUOT;
	key = calloc(1, sizeof(*key));
	if (!key)
		return -ENOMEM;
	key->refs = REFCOUNT_ONE;
	list_init(&key->all);
	key->type = type;
	key->uid = uid;
	key->gid = gid;
	key->in_quota = in_quota;
	key->perm = perm ? perm : usual_permissions(type);
	key->description = strdup(description);
	key->hash = hash_name(description);
	err = key->description ? key_user_get(uid, &key->user) : -ENOMEM;
	if (err == 0 && in_quota &&
		key->user->quota_keys >= (uid ? KEYS_MAX_OF_USER : KEYS_MAX_OF_ALL))
		err = -EDQUOT;
	if (err == 0)
		err = charge(key, (uint32_t)strlen(description) + 1);
	if (err < 0) {
		if (key->user)
			key_user_unref(key->user);
		free(key->description);
		free(key);
		return err;
	}
	do
		key->serial = (int32_t)(random_u64() & 0x7fffffff);
	while (key->serial < 3 || key_find(key->serial));
	key->user->keys++;
	key->user->quota_keys += in_quota;
	count_of_keys++;
	list_add_tail(&key->all, &all_keys);
	*ret = key;
	return 0;
}

int key_new(struct task *task, enum key_type type, const char *description, uint32_t perm,
	bool in_quota, struct key **ret)
{
	return key_alloc(
		task->cred->fsuid, task->cred->fsgid, type, description, perm, in_quota, ret);
}

int key_set_payload(struct key *key, const void *payload, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	int err;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, payload, size);
	if (size > key->size) {
		err = charge(key, (uint32_t)(size - key->size));
		if (err < 0) {
			free(copy);
			return err;
		}
	} else {
		uncharge(key, (uint32_t)(key->size - size));
	}
	if (key->payload)
		explicit_bzero(key->payload, key->size);
	free(key->payload);
	key->payload = copy;
	key->size = size;
	key->expires = 0;
	return 0;
}

int key_chown(struct key *key, uint32_t uid)
{
	struct key_user *user;
	int err;

	if (uid == key->uid)
		return 0;
	err = key_user_get(uid, &user);
	if (err < 0)
		return err;
	if (key->in_quota &&
		(user->quota_keys >= (uid ? KEYS_MAX_OF_USER : KEYS_MAX_OF_ALL) ||
			user->quota_bytes + key->quota >
				(uid ? KEY_BYTES_MAX_OF_USER : KEY_BYTES_MAX_OF_ALL))) {
		key_user_unref(user);
		return -EDQUOT;
	}
	if (key->in_quota) {
		key->user->quota_keys--;
		key->user->quota_bytes -= key->quota;
		user->quota_keys++;
		user->quota_bytes += key->quota;
	}
	key->user->keys--;
	user->keys++;
	key_user_unref(key->user);
	key->user = user;
	key->uid = uid;
	return 0;
}

uint64_t key_now(void)
{
	return loop_realtime_now() / 1000000000ull;
}

int key_validate(const struct key *key)
{
	if (key->invalidated)
		return -ENOKEY;
	if (key->revoked)
		return -EKEYREVOKED;
	if (key->expires && key_now() >= key->expires)
		return -EKEYEXPIRED;
	return 0;
}

int key_permission(const struct key_ref *ref, const struct cred *cred, uint32_t need)
{
	const struct key *key = ref->key;
	uint32_t has;

	if (key->uid == cred->fsuid)
		has = key->perm >> 16;
	else if (key->gid != UINT32_MAX && (key->perm & (KEY_ALL << 8)) &&
		 cred_in_group(cred, key->gid))
		has = key->perm >> 8;
	else
		has = key->perm;
	if (ref->possessed)
		has |= key->perm >> 24;
	return (has & need & KEY_ALL) == need ? 0 : -EACCES;
}

void key_revoke(struct key *key)
{
	key->revoked = true;
	if (key->type == KEY_KEYRING)
		keyring_clear(key);
}

/* It is gone for everybody: out of all rings. The caller holds it. */
void key_invalidate(struct key *key)
{
	struct key *ring;

	key->invalidated = true;
	/* Only a reference on @key goes, so the list stays as it is. */
	list_for_each_entry (ring, &all_keys, all)
		if (ring->type == KEY_KEYRING)
			(void)keyring_unlink(ring, key);
}

/* ---- keyrings ---- */

void ring_walk_begin(struct ring_walk *walk)
{
	walk->depth = 0;
	walk->number = ++last_walk;
}

bool ring_walk_enter(struct ring_walk *walk, struct key *ring)
{
	/* Also where it ends: nobody looks at that ring again. */
	ring->walk = walk->number;
	if (walk->depth >= KEY_DEPTH_MAX)
		return false;
	walk->at[walk->depth].ring = ring;
	walk->at[walk->depth].next = 0;
	walk->depth++;
	return true;
}

struct key *ring_walk_next(struct ring_walk *walk)
{
	while (walk->depth > 0) {
		const struct key *ring = walk->at[walk->depth - 1].ring;

		while (walk->at[walk->depth - 1].next < ring->link_count) {
			struct key *key = ring->links[walk->at[walk->depth - 1].next++];

			if (key->type == KEY_KEYRING && key->walk != walk->number)
				return key;
		}
		walk->depth--;
	}
	return NULL;
}

struct key *keyring_find(const struct key *ring, enum key_type type, const char *description)
{
	const uint32_t hash = hash_name(description);

	for (size_t i = 0; i < ring->link_count; i++) {
		struct key *key = ring->links[i];

		if (key->hash == hash && key->type == type &&
			strcmp(key->description, description) == 0)
			return key;
	}
	return NULL;
}

/* keyring_detect_cycle(): would @ring be below itself? */
static int check_cycle(const struct key *ring, struct key *key)
{
	struct key *below = key;
	struct ring_walk walk;

	ring_walk_begin(&walk);
	do {
		if (below == ring)
			return -EDEADLK;
		if (!ring_walk_enter(&walk, below))
			return -ELOOP;
		below = ring_walk_next(&walk);
	} while (below);
	return 0;
}

int keyring_link(struct key *ring, struct key *key)
{
	int err;

	if (ring->type != KEY_KEYRING)
		return -ENOTDIR;
	if (key->type == KEY_KEYRING) {
		err = check_cycle(ring, key);
		if (err < 0)
			return err;
	}
	for (size_t i = 0; i < ring->link_count; i++) {
		struct key *old = ring->links[i];

		if (old->hash == key->hash && old->type == key->type &&
			strcmp(old->description, key->description) == 0) {
			ring->links[i] = key_ref_get(key);
			key_unref(old);
			return 0;
		}
	}
	err = charge(ring, LINK_BYTES);
	if (err < 0)
		return err;
	if (ring->link_count == ring->link_capacity) {
		size_t capacity = ring->link_capacity ? ring->link_capacity * 2 : 4;
		struct key **links = realloc(ring->links, capacity * sizeof(struct key *));

		if (!links) {
			uncharge(ring, LINK_BYTES);
			return -ENOMEM;
		}
		ring->links = links;
		ring->link_capacity = capacity;
	}
	ring->links[ring->link_count++] = key_ref_get(key);
	return 0;
}

/* What quotas no longer count takes no memory either. */
static void links_shrink(struct key *ring)
{
	const size_t capacity = ring->link_capacity / 2;
	struct key **links;

	if (capacity < 4 || ring->link_count > capacity / 2)
		return;
	links = realloc(ring->links, capacity * sizeof(struct key *));
	if (links) {
		ring->links = links;
		ring->link_capacity = capacity;
	}
}

int keyring_unlink(struct key *ring, struct key *key)
{
	if (ring->type != KEY_KEYRING)
		return -ENOTDIR;
	for (size_t i = 0; i < ring->link_count; i++) {
		if (ring->links[i] != key)
			continue;
		memmove(&ring->links[i], &ring->links[i + 1],
			(ring->link_count - i - 1) * sizeof(struct key *));
		ring->link_count--;
		uncharge(ring, LINK_BYTES);
		links_shrink(ring);
		key_unref(key);
		return 0;
	}
	return -ENOENT;
}

void keyring_clear(struct key *ring)
{
	while (ring->link_count > 0)
		(void)keyring_unlink(ring, ring->links[ring->link_count - 1]);
}

/* A key of that name in one ring: 0, or what is wrong with it; 1: there is none. */
static int search_one(const struct key *ring, bool possessed, const struct cred *cred,
	enum key_type type, const char *description, struct key_ref *ret)
{
	struct key *key = keyring_find(ring, type, description);
	struct key_ref ref = {key, possessed};
	int err;

	if (!key)
		return 1;
	err = key->invalidated ? -EKEYREVOKED : key_validate(key);
	if (err == 0)
		err = key_permission(&ref, cred, KEY_SEARCH);
	if (err == 0)
		*ret = (struct key_ref){key_ref_get(key), possessed};
	return err;
}

int keyring_search(const struct key_ref *ring, const struct cred *cred, enum key_type type,
	const char *description, struct key_ref *ret)
{
	struct key *at = ring->key;
	struct ring_walk walk;
	int result = -EAGAIN, err;

	if (at->type != KEY_KEYRING)
		return -ENOTDIR;
	err = key_permission(ring, cred, KEY_SEARCH);
	if (err < 0)
		return err;
	ring_walk_begin(&walk);
	do {
		struct key_ref ref = {at, ring->possessed};

		if (at != ring->key &&
			(key_validate(at) < 0 || key_permission(&ref, cred, KEY_SEARCH) < 0))
			continue;
		err = search_one(at, ring->possessed, cred, type, description, ret);
		if (err == 0)
			return 0;
		if (err < 0)
			result = err;
		(void)ring_walk_enter(&walk, at);
	} while ((at = ring_walk_next(&walk)) != NULL);
	return result;
}
