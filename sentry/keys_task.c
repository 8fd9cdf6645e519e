/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyrings that tasks and users have, and what is found through them.
 *
 * A task has a thread and a session keyring, its group a process keyring, its user two more. What
 * can be reached from the first three (or, without a session keyring, from the user's one) the task
 * possesses. Numbers name any key; what may be done with it is said by its mask. The thread and
 * process keyrings end with exec and exit, the session is inherited and survives setuid(2); the
 * user's stay. They belong to a user of the whole sandbox, not of a user namespace.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "sentry/keys_private.h"
#include "sentry/procfs/pseudo.h"

static const uint32_t ring_all = KEY_POSSESSOR(KEY_ALL);

static int user_rings(struct task *task, struct key_user **ret)
{
	uint32_t uid = task->cred->uid;
	const uint32_t perm = KEY_POSSESSOR(KEY_ALL & ~KEY_SETATTR) | KEY_OWNER(KEY_ALL);
	struct key *ring = NULL, *session = NULL;
	struct key_user *user;
	char name[32];
	int err = key_user_get(uid, &user);

	if (err < 0)
		return err;
	if (user->ring)
		goto out;
	(void)snprintf(name, sizeof(name), "_uid.%u", user_ns_uid(task->cred->user_ns, uid));
	err = key_alloc(uid, UINT32_MAX, KEY_KEYRING, name, perm, true, &ring);
	(void)snprintf(name, sizeof(name), "_uid_ses.%u", user_ns_uid(task->cred->user_ns, uid));
	if (err == 0)
		err = key_alloc(uid, UINT32_MAX, KEY_KEYRING, name, perm, true, &session);
	if (err == 0)
		err = keyring_link(session, ring);
	if (err < 0) {
		key_unref(ring);
		key_unref(session);
		key_user_unref(user);
		return err;
	}
	user->ring = ring;
	user->session = session;
	/* The reference of before stays: who has rings is remembered, whoever they are given to. */
	*ret = user;
	return 0;
out:
	key_user_unref(user);
	*ret = user;
	return 0;
}

/* Owned by whoever *slot belongs to. */
static int own_ring(struct task *task, struct key **slot, const char *name, bool create)
{
	if (*slot)
		return 0;
	return create ? key_new(task, KEY_KEYRING, name, ring_all | KEY_OWNER(KEY_VIEW), false,
				slot)
		      : -ENOKEY;
}

/* Others than those of its user namespace are not a task's business (kuid_has_mapping()). */
static bool is_known(const struct cred *cred, uint32_t uid)
{
	return user_ns_uid_or_none(cred->user_ns, uid) != ID_INVALID;
}

int64_t keys_join_session(struct task *task, const char *name)
{
	const uint32_t perm = ring_all | KEY_OWNER(KEY_VIEW | KEY_READ | (name ? KEY_LINK : 0));
	struct key *key, *found = NULL;
	int err;

	if (name) {
		list_for_each_entry (key, &all_keys, all) {
			struct key_ref ref = {key, false};

			if (key->type == KEY_KEYRING && strcmp(key->description, name) == 0 &&
				key_validate(key) == 0 && is_known(task->cred, key->uid) &&
				key_permission(&ref, task->cred, KEY_SEARCH) == 0) {
				found = key_ref_get(key);
				break;
			}
		}
	}
	if (!found) {
		err = key_new(task, KEY_KEYRING, name ? name : "_ses", perm, true, &found);
		if (err < 0)
			return err;
	}
	key_unref(task->session_keyring);
	task->session_keyring = found;
	return found->serial;
}

static bool is_users_session(const struct key *ring)
{
	const struct key_user *user;

	list_for_each_entry (user, &all_key_users, link)
		if (user->session == ring)
			return true;
	return false;
}

/* Nobody gave the task a session keyring: upon access it has its user's, or a new one. */
static int session_ring(struct task *task, bool create)
{
	struct key_user *user;
	int64_t r;
	int err;

	if (task->session_keyring && !(create && is_users_session(task->session_keyring)))
		return 0;
	if (create) {
		r = keys_join_session(task, NULL);
		return r < 0 ? (int)r : 0;
	}
	err = user_rings(task, &user);
	if (err == 0)
		task->session_keyring = key_ref_get(user->session);
	return err;
}

/* @index 0, 1, 2...: where a search begins. Borrowed; NULL: nothing there. */
static struct key *search_root(const struct task *task, unsigned index)
{
	struct key_user *user;

	switch (index) {
	case 0:
		return task->thread_keyring;
	case 1:
		return task->group->process_keyring;
	default:
		if (task->session_keyring)
			return task->session_keyring;
		list_for_each_entry (user, &all_key_users, link)
			if (user->uid == task->cred->uid)
				return user->session;
		return NULL;
	}
}

int keys_search(struct task *task, enum key_type type, const char *description, struct key_ref *ret)
{
	int result = -ENOKEY;

	for (unsigned i = 0; i < 3; i++) {
		struct key_ref root = {search_root(task, i), true};
		int err;

		if (!root.key || key_validate(root.key) < 0)
			continue;
		err = keyring_search(&root, task->cred, type, description, ret);
		if (err == 0)
			return 0;
		if (err != -EAGAIN)
			result = err;
	}
	return result;
}

/*
 * Marks all keys in the rings that the task may search with the number of this walk (of what it did
 * not find before @wanted, if it found that: true). Each ring is entered once, so this takes no
 * longer than there are links (KEY_BYTES_MAX_OF_ALL).
 */
static bool mark_possessed(struct task *task, const struct key *wanted, uint64_t *ret_number)
{
	struct ring_walk walk;

	ring_walk_begin(&walk);
	*ret_number = walk.number;
	for (unsigned i = 0; i < 3; i++) {
		struct key *at = search_root(task, i);

		if (at)
			at->possessed = walk.number;
		for (; at; at = ring_walk_next(&walk)) {
			struct key_ref ref = {at, true};

			if (at == wanted)
				return true;
			if (key_validate(at) < 0 ||
				key_permission(&ref, task->cred, KEY_SEARCH) < 0)
				continue;
			for (size_t n = 0; n < at->link_count; n++) {
				at->links[n]->possessed = walk.number;
				if (at->links[n] == wanted)
					return true;
			}
			(void)ring_walk_enter(&walk, at);
		}
	}
	return false;
}

bool key_is_possessed(struct task *task, const struct key *key)
{
	const struct key_ref wanted = {(struct key *)key, true};
	uint64_t number;

	return key_permission(&wanted, task->cred, KEY_SEARCH) == 0 &&
	       mark_possessed(task, key, &number);
}

static int special_key(struct task *task, int32_t id, bool create, struct key **ret)
{
	struct key_user *user;
	int err;

	switch (id) {
	case -1:
		err = own_ring(task, &task->thread_keyring, "_tid", create);
		*ret = task->thread_keyring;
		return err;
	case -2:
		err = own_ring(task, &task->group->process_keyring, "_pid", create);
		*ret = task->group->process_keyring;
		return err;
	case -3:
		err = session_ring(task, create);
		*ret = task->session_keyring;
		return err;
	case -4:
	case -5:
		err = user_rings(task, &user);
		if (err == 0)
			*ret = id == -4 ? user->ring : user->session;
		return err;
	case -7: /* of a construction that is under way: there never is one */
	case -8:
		return -ENOKEY;
	default:
		return -EINVAL;
	}
}

int key_lookup(struct task *task, int32_t id, unsigned flags, uint32_t need, struct key_ref *ret)
{
	struct key_ref ref = {NULL, true};
	int err;

	if (id < 1) {
		err = special_key(task, id, flags & KEY_LOOKUP_CREATE, &ref.key);
		if (err < 0)
			return err;
	} else {
		ref.key = key_find(id);
		if (!ref.key || ref.key->invalidated)
			return -ENOKEY;
		ref.possessed = key_is_possessed(task, ref.key);
	}
	if (need != KEY_NEED_UNLINK && need != KEY_NEED_NOTHING) {
		err = key_validate(ref.key);
		if (err == 0)
			err = key_permission(&ref, task->cred, need);
		if (err < 0)
			return err;
	}
	key_ref_get(ref.key);
	*ret = ref;
	return 0;
}

/* ---- life ---- */

void keys_inherit(struct task *child, const struct task *parent)
{
	if (parent->session_keyring)
		child->session_keyring = key_ref_get(parent->session_keyring);
	child->request_key_keyring = parent->request_key_keyring;
}

void keys_exit_group(struct thread_group *group)
{
	key_unref(group->process_keyring);
	group->process_keyring = NULL;
}

void keys_exec(struct task *task)
{
	key_unref(task->thread_keyring);
	task->thread_keyring = NULL;
	keys_exit_group(task->group);
}

void keys_exit(struct task *task)
{
	key_unref(task->thread_keyring);
	key_unref(task->session_keyring);
	task->thread_keyring = task->session_keyring = NULL;
}

/* ---- /proc/keys, /proc/key-users ---- */

static void show_key(struct seq *seq, const struct key *key, const struct cred *cred)
{
	uint64_t now = key_now(), left = key->expires > now ? key->expires - now : 0;
	const int gid = key->gid == UINT32_MAX ? -1 : (int)user_ns_gid(cred->user_ns, key->gid);
	char expires[24] = "perm";

	if (key->expires && left == 0)
		strcpy(expires, "expd");
	else if (key->expires && left < 60)
		(void)snprintf(expires, sizeof(expires), "%us", (unsigned)left);
	else if (key->expires && left < 60 * 60)
		(void)snprintf(expires, sizeof(expires), "%um", (unsigned)(left / 60));
	else if (key->expires && left < 60 * 60 * 24)
		(void)snprintf(expires, sizeof(expires), "%uh", (unsigned)(left / 3600));
	else if (key->expires && left < 60 * 60 * 24 * 7)
		(void)snprintf(expires, sizeof(expires), "%ud", (unsigned)(left / 86400));
	else if (key->expires)
		(void)snprintf(
			expires, sizeof(expires), "%lluw", (unsigned long long)(left / 604800));
	seq_printf(seq, "%08x I%c-%c--%c %5d %4s %08x %5d %5d %-9.9s ", (unsigned)key->serial,
		key->revoked ? 'R' : '-', key->in_quota ? 'Q' : '-', key->invalidated ? 'i' : '-',
		(int)key->refs.count, expires, key->perm, (int)user_ns_uid(cred->user_ns, key->uid),
		gid, key_type_name(key->type));
	seq_printf(seq, "%s", key->description);
	if (key->type != KEY_KEYRING)
		seq_printf(seq, ": %zu", key->size);
	else if (key->link_count)
		seq_printf(seq, ": %zu", key->link_count);
	else
		seq_puts(seq, ": empty");
	seq_puts(seq, "\n");
}

void keys_show(struct task *task, struct seq *seq)
{
	uint64_t number;
	struct key *key;

	(void)mark_possessed(task, NULL, &number);
	list_for_each_entry (key, &all_keys, all) {
		struct key_ref ref = {key, true};

		ref.possessed = key->possessed == number &&
				key_permission(&ref, task->cred, KEY_SEARCH) == 0;
		if (is_known(task->cred, key->uid) &&
			key_permission(&ref, task->cred, KEY_VIEW) == 0)
			show_key(seq, key, task->cred);
	}
}

void keys_show_users(struct task *task, struct seq *seq)
{
	const struct key_user *user;

	list_for_each_entry (user, &all_key_users, link) {
		if (!is_known(task->cred, user->uid))
			continue;
		seq_printf(seq, "%5u: %5d %u/%u %u/%u %llu/%u\n",
			user_ns_uid(task->cred->user_ns, user->uid), (int)user->refs.count,
			user->keys, user->keys, user->quota_keys,
			user->uid ? KEYS_MAX_OF_USER : KEYS_MAX_OF_ALL,
			(unsigned long long)user->quota_bytes,
			user->uid ? KEY_BYTES_MAX_OF_USER : KEY_BYTES_MAX_OF_ALL);
	}
}
