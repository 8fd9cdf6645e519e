/* SPDX-License-Identifier: Apache-2.0 */
/* add_key(2), request_key(2), keyctl(2): sentry/keys.c has what they are about. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/keyctl.h"
#include "base/cleanup.h"
#include "base/loop.h"
#include "sentry/keys.h"
#include "sentry/syscalls_gen.h"

#define TYPE_MAX	32u
#define DESCRIPTION_MAX 4096u
#define PAYLOAD_MAX	(1024u * 1024u - 1)
#define USER_MAX	32767u

/* key_get_type_from_user(); of a type that nobody knows *ret is KEY_TYPE_COUNT. */
static int read_type(struct task *t, gaddr_t addr, enum key_type *ret)
{
	char name[TYPE_MAX];
	ssize_t size = guest_read_string(t, name, addr, sizeof(name));

	if (size < 0)
		return size == -ENAMETOOLONG ? -EINVAL : (int)size;
	if (size == 0)
		return -EINVAL;
	if (name[0] == '.')
		return -EPERM;
	if (key_type_by_name(name, ret) < 0)
		*ret = KEY_TYPE_COUNT;
	return 0;
}

/* strndup_user() */
static int read_text(struct task *t, gaddr_t addr, size_t capacity, char **ret)
{
	_cleanup_free_ char *text = malloc(capacity);
	ssize_t size;

	if (!text)
		return -ENOMEM;
	size = guest_read_string(t, text, addr, capacity);
	if (size < 0)
		return size == -ENAMETOOLONG ? -EINVAL : (int)size;
	*ret = TAKE(text);
	return 0;
}

static int read_payload(struct task *t, gaddr_t addr, uint64_t size, uint8_t **ret)
{
	_cleanup_free_ uint8_t *payload = malloc(size ? size : 1);
	int err;

	if (!payload)
		return -ENOMEM;
	err = size ? guest_read(t, payload, addr, size) : 0;
	if (err < 0)
		return err;
	*ret = TAKE(payload);
	return 0;
}

/* The types' preparse() and vet_description(). */
static int check_payload(enum key_type type, uint64_t size)
{
	if (type == KEY_KEYRING)
		return size ? -EINVAL : 0;
	return size == 0 || size > USER_MAX ? -EINVAL : 0;
}

static bool description_fits(enum key_type type, const char *description)
{
	const char *colon = strchr(description, ':');

	return description[0] && (type != KEY_LOGON || (colon && colon != description));
}

/* key_create_or_update() */
static int64_t make_or_update(struct task *t, const struct key_ref *ring, enum key_type type,
	const char *description, const uint8_t *payload, uint64_t size)
{
	_cleanup_key_ struct key_ref made = {NULL, true};
	struct key *old;
	int err;

	if (type == KEY_TYPE_COUNT)
		return -ENODEV;
	if (ring->key->type != KEY_KEYRING)
		return -ENOTDIR;
	err = check_payload(type, size);
	if (err < 0)
		return err;
	if (!description_fits(type, description))
		return -EINVAL;
	old = type == KEY_KEYRING ? NULL : keyring_find(ring->key, type, description);
	if (old && key_validate(old) == 0) {
		struct key_ref ref = {old, ring->possessed};

		err = key_permission(&ref, t->cred, KEY_WRITE);
		err = err < 0 ? err : key_set_payload(old, payload, size);
		return err < 0 ? err : old->serial;
	}
	err = key_new(t, type, description, 0, true, &made.key);
	if (err == 0 && type != KEY_KEYRING)
		err = key_set_payload(made.key, payload, size);
	if (err == 0)
		err = keyring_link(ring->key, made.key);
	return err < 0 ? err : made.key->serial;
}

int64_t sys_add_key(struct task *t, gaddr_t type_addr, gaddr_t description_addr,
	gaddr_t payload_addr, uint64_t size, int ring_id)
{
	_cleanup_free_ char *description = NULL;
	_cleanup_free_ uint8_t *payload = NULL;
	_cleanup_key_ struct key_ref ring = {0};
	enum key_type type;
	int err;

	if (size > PAYLOAD_MAX)
		return -EINVAL;
	err = read_type(t, type_addr, &type);
	if (err < 0)
		return err;
	if (gaddr_is_null(description_addr))
		description = strdup("");
	else
		err = read_text(t, description_addr, DESCRIPTION_MAX, &description);
	if (err < 0)
		return err;
	if (!description)
		return -ENOMEM;
	if (description[0] == '.' && type == KEY_KEYRING)
		return -EPERM;
	err = read_payload(t, payload_addr, size, &payload);
	if (err < 0)
		return err;
	err = key_lookup(t, ring_id, KEY_LOOKUP_CREATE, KEY_WRITE, &ring);
	if (err < 0)
		return err;
	return make_or_update(t, &ring, type, description, payload, size);
}

int64_t sys_request_key(struct task *t, gaddr_t type_addr, gaddr_t description_addr,
	gaddr_t callout_addr, int ring_id)
{
	_cleanup_free_ char *description = NULL, *callout = NULL;
	_cleanup_key_ struct key_ref ring = {0}, found = {0};
	enum key_type type;
	int err = read_type(t, type_addr, &type);

	if (err < 0)
		return err;
	err = read_text(t, description_addr, DESCRIPTION_MAX, &description);
	if (err == 0 && !gaddr_is_null(callout_addr))
		err = read_text(t, callout_addr, 4096, &callout);
	if (err == 0 && ring_id)
		err = key_lookup(t, ring_id, KEY_LOOKUP_CREATE, KEY_WRITE, &ring);
	if (err < 0)
		return err;
	if (type == KEY_TYPE_COUNT)
		return -ENOKEY;
	/* Nobody answers a request: as if /sbin/request-key were not there. */
	err = keys_search(t, type, description, &found);
	if (err == 0 && ring.key) {
		err = key_permission(&found, t->cred, KEY_LINK);
		err = err < 0 ? err : keyring_link(ring.key, found.key);
	}
	return err < 0 ? err : found.key->serial;
}

/* ---- keyctl ---- */

static int64_t get_keyring_id(struct task *t, int32_t id, bool create)
{
	_cleanup_key_ struct key_ref ref = {0};
	int err = key_lookup(t, id, create ? KEY_LOOKUP_CREATE : 0, KEY_SEARCH, &ref);

	return err < 0 ? err : ref.key->serial;
}

static int64_t join_session(struct task *t, gaddr_t name_addr)
{
	_cleanup_free_ char *name = NULL;
	int err;

	if (gaddr_is_null(name_addr))
		return keys_join_session(t, NULL);
	err = read_text(t, name_addr, DESCRIPTION_MAX, &name);
	if (err < 0)
		return err;
	if (name[0] == '.')
		return -EPERM;
	return keys_join_session(t, name);
}

static int64_t update(struct task *t, int32_t id, gaddr_t payload_addr, uint64_t size)
{
	_cleanup_free_ uint8_t *payload = NULL;
	_cleanup_key_ struct key_ref ref = {0};
	int err;

	if (size > 4096)
		return -EINVAL;
	err = read_payload(t, payload_addr, size, &payload);
	if (err == 0)
		err = key_lookup(t, id, 0, KEY_WRITE, &ref);
	if (err < 0)
		return err;
	if (ref.key->type == KEY_KEYRING)
		return -EOPNOTSUPP;
	err = check_payload(ref.key->type, size);
	return err < 0 ? err : key_set_payload(ref.key, payload, size);
}

static int64_t revoke_key(struct task *t, int32_t id)
{
	_cleanup_key_ struct key_ref ref = {0};
	int err = key_lookup(t, id, 0, KEY_WRITE, &ref);

	if (err == -EACCES)
		err = key_lookup(t, id, 0, KEY_SETATTR, &ref);
	if (err < 0)
		return err;
	key_revoke(ref.key);
	return 0;
}

static int64_t invalidate(struct task *t, int32_t id)
{
	_cleanup_key_ struct key_ref ref = {0};
	int err = key_lookup(t, id, 0, KEY_SEARCH, &ref);

	if (err < 0)
		return err;
	key_invalidate(ref.key);
	return 0;
}

static int64_t change_owner(struct task *t, int32_t id, uint32_t user, uint32_t group)
{
	const uint32_t uid = user_ns_make_uid(t->cred->user_ns, user);
	const uint32_t gid = user_ns_make_gid(t->cred->user_ns, group);
	_cleanup_key_ struct key_ref ref = {0};
	int err;

	if ((user != UINT32_MAX && uid == ID_INVALID) || (group != UINT32_MAX && gid == ID_INVALID))
		return -EINVAL;
	if (user == UINT32_MAX && group == UINT32_MAX)
		return 0;
	err = key_lookup(t, id, KEY_LOOKUP_CREATE | KEY_LOOKUP_PARTIAL, KEY_SETATTR, &ref);
	if (err < 0)
		return err;
	if (!cred_capable(t->cred, LX_CAP_SYS_ADMIN) &&
		((user != UINT32_MAX && ref.key->uid != uid) ||
			(group != UINT32_MAX && ref.key->gid != gid &&
				!cred_in_group(t->cred, gid))))
		return -EACCES;
	err = user == UINT32_MAX ? 0 : key_chown(ref.key, uid);
	if (err == 0 && group != UINT32_MAX)
		ref.key->gid = gid;
	return err;
}

static int64_t set_permissions(struct task *t, int32_t id, uint32_t perm)
{
	_cleanup_key_ struct key_ref ref = {0};
	int err;

	if (perm & ~(KEY_ALL * 0x01010101u))
		return -EINVAL;
	err = key_lookup(t, id, KEY_LOOKUP_CREATE | KEY_LOOKUP_PARTIAL, KEY_SETATTR, &ref);
	if (err < 0)
		return err;
	if (ref.key->uid != t->cred->fsuid && !cred_capable(t->cred, LX_CAP_SYS_ADMIN))
		return -EACCES;
	ref.key->perm = perm;
	return 0;
}

static int64_t describe(struct task *t, int32_t id, gaddr_t buffer, uint64_t capacity)
{
	_cleanup_key_ struct key_ref ref = {0};
	char text[DESCRIPTION_MAX + 128];
	const struct key *key;
	int size, err = key_lookup(t, id, KEY_LOOKUP_PARTIAL, KEY_VIEW, &ref);

	if (err < 0)
		return err;
	key = ref.key;
	size = 1 +
	       snprintf(text, sizeof(text), "%s;%d;%d;%08x;%s", key_type_name(key->type),
		       (int)user_ns_uid(t->cred->user_ns, key->uid),
		       key->gid == UINT32_MAX ? -1 : (int)user_ns_gid(t->cred->user_ns, key->gid),
		       key->perm, key->description);
	if (!gaddr_is_null(buffer) && capacity >= (uint64_t)size) {
		err = guest_write_result(t, buffer, text, (size_t)size);
		if (err < 0)
			return err;
	}
	return size;
}

static int64_t clear(struct task *t, int32_t id)
{
	_cleanup_key_ struct key_ref ref = {0};
	int err = key_lookup(t, id, KEY_LOOKUP_CREATE, KEY_WRITE, &ref);

	if (err < 0)
		return err;
	if (ref.key->type != KEY_KEYRING)
		return -ENOTDIR;
	keyring_clear(ref.key);
	return 0;
}

static int64_t link_key(struct task *t, int32_t id, int32_t ring_id)
{
	_cleanup_key_ struct key_ref ring = {0}, ref = {0};
	int err = key_lookup(t, ring_id, KEY_LOOKUP_CREATE, KEY_WRITE, &ring);

	if (err == 0)
		err = key_lookup(t, id, KEY_LOOKUP_CREATE, KEY_LINK, &ref);
	return err < 0 ? err : keyring_link(ring.key, ref.key);
}

static int64_t unlink_key(struct task *t, int32_t id, int32_t ring_id)
{
	_cleanup_key_ struct key_ref ring = {0}, ref = {0};
	int err = key_lookup(t, ring_id, 0, KEY_WRITE, &ring);

	if (err == 0)
		err = key_lookup(t, id, KEY_LOOKUP_PARTIAL, KEY_NEED_UNLINK, &ref);
	return err < 0 ? err : keyring_unlink(ring.key, ref.key);
}

static int64_t move_key(struct task *t, int32_t id, int32_t from_id, int32_t to_id, unsigned flags)
{
	_cleanup_key_ struct key_ref ref = {0}, from = {0}, to = {0};
	bool found = false;
	int err;

	if (flags & ~LX_KEYCTL_MOVE_EXCL)
		return -EINVAL;
	err = key_lookup(t, id, KEY_LOOKUP_CREATE, KEY_LINK, &ref);
	if (err == 0)
		err = key_lookup(t, from_id, 0, KEY_WRITE, &from);
	if (err == 0)
		err = key_lookup(t, to_id, KEY_LOOKUP_CREATE, KEY_WRITE, &to);
	if (err < 0)
		return err;
	if (from.key == to.key)
		return 0;
	if (from.key->type != KEY_KEYRING || to.key->type != KEY_KEYRING)
		return -ENOTDIR;
	for (size_t i = 0; i < from.key->link_count; i++)
		found = found || from.key->links[i] == ref.key;
	if (!found)
		return -ENOENT;
	if ((flags & LX_KEYCTL_MOVE_EXCL) &&
		keyring_find(to.key, ref.key->type, ref.key->description))
		return -EEXIST;
	err = keyring_link(to.key, ref.key);
	return err < 0 ? err : keyring_unlink(from.key, ref.key);
}

static int64_t search(
	struct task *t, int32_t ring_id, gaddr_t type_addr, gaddr_t description_addr, int32_t to_id)
{
	_cleanup_key_ struct key_ref ring = {0}, to = {0}, found = {0};
	_cleanup_free_ char *description = NULL;
	enum key_type type;
	int err = read_type(t, type_addr, &type);

	if (err == 0)
		err = read_text(t, description_addr, DESCRIPTION_MAX, &description);
	if (err == 0)
		err = key_lookup(t, ring_id, 0, KEY_SEARCH, &ring);
	if (err == 0 && to_id)
		err = key_lookup(t, to_id, KEY_LOOKUP_CREATE, KEY_WRITE, &to);
	if (err < 0)
		return err;
	if (type == KEY_TYPE_COUNT)
		return -ENOKEY;
	err = keyring_search(&ring, t->cred, type, description, &found);
	if (err < 0)
		return err == -EAGAIN ? -ENOKEY : err;
	if (to.key) {
		err = key_permission(&found, t->cred, KEY_LINK);
		err = err < 0 ? err : keyring_link(to.key, found.key);
	}
	return err < 0 ? err : found.key->serial;
}

static int write_serials(struct task *t, const struct key *ring, gaddr_t buffer)
{
	const size_t count = ring->link_count;
	_cleanup_free_ int32_t *serials = calloc(count + 1, sizeof(*serials));

	if (!serials)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		serials[i] = ring->links[i]->serial;
	return guest_write_result(t, buffer, serials, count * sizeof(*serials));
}

/* From a copy: others may update the key while this sleeps. */
static int write_payload(struct task *t, const struct key *key, gaddr_t buffer)
{
	_cleanup_free_ uint8_t *copy = malloc(key->size);
	const size_t size = key->size;
	int err;

	if (!copy)
		return -ENOMEM;
	memcpy(copy, key->payload, size);
	err = guest_write_result(t, buffer, copy, size);
	explicit_bzero(copy, size);
	return err;
}

static int64_t read_key(struct task *t, int32_t id, gaddr_t buffer, uint64_t capacity)
{
	_cleanup_key_ struct key_ref ref = {0};
	const struct key *key;
	uint64_t size;
	int err = key_lookup(t, id, 0, KEY_NEED_NOTHING, &ref);

	if (err < 0)
		return -ENOKEY;
	key = ref.key;
	/* Who could find it by a search may read it as well. */
	if (key_permission(&ref, t->cred, KEY_READ) < 0 && !ref.possessed)
		return -EACCES;
	err = key_validate(key);
	if (err < 0)
		return err;
	if (key->type == KEY_LOGON)
		return -EOPNOTSUPP;
	size = key->type == KEY_KEYRING ? key->link_count * sizeof(int32_t) : key->size;
	if (gaddr_is_null(buffer) || size == 0 || size > capacity)
		return (int64_t)size;
	err = key->type == KEY_KEYRING ? write_serials(t, key, buffer)
				       : write_payload(t, key, buffer);
	return err < 0 ? err : (int64_t)size;
}

static int64_t set_timeout(struct task *t, int32_t id, uint32_t seconds)
{
	_cleanup_key_ struct key_ref ref = {0};
	int err = key_lookup(t, id, KEY_LOOKUP_CREATE | KEY_LOOKUP_PARTIAL, KEY_SETATTR, &ref);

	if (err < 0)
		return err;
	ref.key->expires = seconds ? loop_realtime_now() / 1000000000ull + seconds : 0;
	return 0;
}

static int64_t get_security(struct task *t, int32_t id, gaddr_t buffer, uint64_t capacity)
{
	_cleanup_key_ struct key_ref ref = {0};
	int err = key_lookup(t, id, KEY_LOOKUP_PARTIAL, KEY_VIEW, &ref);

	if (err == 0 && !gaddr_is_null(buffer) && capacity)
		err = guest_write_result(t, buffer, "", 1);
	return err < 0 ? err : 1;
}

static int64_t set_request_keyring(struct task *t, int32_t which)
{
	int old = t->request_key_keyring;

	if (which == LX_KEY_REQKEY_DEFL_NO_CHANGE)
		return old;
	if (which < 0 || which > LX_KEY_REQKEY_DEFL_USER_SESSION_KEYRING)
		return -EINVAL;
	t->request_key_keyring = which;
	return old;
}

static int64_t capabilities(struct task *t, gaddr_t buffer, uint64_t capacity)
{
	static const uint8_t have[2] = {
		LX_KEYCTL_CAPS0_CAPABILITIES | LX_KEYCTL_CAPS0_INVALIDATE | LX_KEYCTL_CAPS0_MOVE};
	uint8_t none[64] = {0};
	size_t size = capacity < sizeof(have) ? (size_t)capacity : sizeof(have);
	int err = size ? guest_write(t, buffer, have, size) : 0;

	/* What is not known is 0; nobody asks for more than a page of that. */
	capacity = capacity < 4096 ? capacity : 4096;
	for (uint64_t at = size; err == 0 && at < capacity; at += size) {
		size = capacity - at < sizeof(none) ? (size_t)(capacity - at) : sizeof(none);
		err = guest_write(t, GADDR(buffer.v + at), none, size);
	}
	return err < 0 ? err : (int64_t)sizeof(have);
}

int64_t sys_keyctl(
	struct task *t, int operation, uint64_t a2, uint64_t a3, uint64_t a4, uint64_t a5)
{
	const int32_t id = (int32_t)a2;

	switch (operation) {
	case LX_KEYCTL_GET_KEYRING_ID:
		return get_keyring_id(t, id, (int)a3);
	case LX_KEYCTL_JOIN_SESSION_KEYRING:
		return join_session(t, GADDR(a2));
	case LX_KEYCTL_UPDATE:
		return update(t, id, GADDR(a3), a4);
	case LX_KEYCTL_REVOKE:
		return revoke_key(t, id);
	case LX_KEYCTL_CHOWN:
		return change_owner(t, id, (uint32_t)a3, (uint32_t)a4);
	case LX_KEYCTL_SETPERM:
		return set_permissions(t, id, (uint32_t)a3);
	case LX_KEYCTL_DESCRIBE:
		return describe(t, id, GADDR(a3), (uint32_t)a4);
	case LX_KEYCTL_CLEAR:
		return clear(t, id);
	case LX_KEYCTL_LINK:
		return link_key(t, id, (int32_t)a3);
	case LX_KEYCTL_UNLINK:
		return unlink_key(t, id, (int32_t)a3);
	case LX_KEYCTL_SEARCH:
		return search(t, id, GADDR(a3), GADDR(a4), (int32_t)a5);
	case LX_KEYCTL_READ:
		return read_key(t, id, GADDR(a3), a4);
	case LX_KEYCTL_INSTANTIATE:
	case LX_KEYCTL_NEGATE:
	case LX_KEYCTL_REJECT:
	case LX_KEYCTL_INSTANTIATE_IOV:
		return -EPERM; /* nobody was asked to make a key */
	case LX_KEYCTL_SET_REQKEY_KEYRING:
		return set_request_keyring(t, id);
	case LX_KEYCTL_SET_TIMEOUT:
		return set_timeout(t, id, (uint32_t)a3);
	case LX_KEYCTL_ASSUME_AUTHORITY:
		return id < 0 ? -EINVAL : id == 0 ? 0 : -ENOKEY;
	case LX_KEYCTL_GET_SECURITY:
		return get_security(t, id, GADDR(a3), a4);
	case LX_KEYCTL_SESSION_TO_PARENT:
		return -EPERM;
	case LX_KEYCTL_INVALIDATE:
		return invalidate(t, id);
	case LX_KEYCTL_MOVE:
		return move_key(t, id, (int32_t)a3, (int32_t)a4, (unsigned)a5);
	case LX_KEYCTL_CAPABILITIES:
		return capabilities(t, GADDR(a2), a3);
	default:
		return -EOPNOTSUPP;
	}
}
