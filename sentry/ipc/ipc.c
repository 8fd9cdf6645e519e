/* SPDX-License-Identifier: Apache-2.0 */
/*
 * System V IPC objects: identifiers, keys, permissions (kernel ipc/util.c).
 *
 * Identifiers are made as Linux makes them: an index that goes round among a few more slots than
 * are in use, and a sequence number that changes when it starts over, so that the id of a removed
 * object does not soon name another.
 */
#include "sentry/ipc/ipc.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "base/checked.h"
#include "sentry/nsproxy.h"

#define IPC_MIN_CYCLE 64 /* RADIX_TREE_MAP_SIZE */
#define IPC_SEQ_MAX   65535
#define MODE_BITS     0777u

static int grow(struct ipc_table *table, size_t wanted)
{
	size_t capacity = table->capacity ? table->capacity : 64;
	struct ipc_object **slots;

	while (capacity < wanted)
		capacity *= 2;
	if (capacity == table->capacity)
		return 0;
	slots = reallocarray(table->slots, capacity, sizeof(slots[0]));
	if (!slots)
		return -ENOMEM;
	for (size_t i = table->capacity; i < capacity; i++)
		slots[i] = NULL;
	table->slots = slots;
	table->capacity = capacity;
	return 0;
}

/* ipc_idr_alloc(): the next free index, cyclically. */
static int take_index(struct ipc_table *table)
{
	size_t cycle = max_of(table->count * 3 / 2, (unsigned)IPC_MIN_CYCLE);
	size_t index;
	int err;

	cycle = min_of(cycle, (size_t)IPC_INDEX_COUNT);
	err = grow(table, cycle);
	if (err < 0)
		return err;
	index = table->seq || table->count ? (size_t)table->last_index + 1 : 0;
	for (size_t tried = 0; tried <= cycle; tried++, index++) {
		if (index >= cycle)
			index = 0;
		if (!table->slots[index])
			return (int)index;
	}
	return -ENOSPC;
}

int ipc_add(struct ipc_table *table, struct ipc_object *object, int key, unsigned mode,
	const struct cred *cred)
{
	int index, err;

	if (table->count >= table->limit)
		return -ENOSPC;
	index = take_index(table);
	if (index < 0)
		return index;
	if (key != LX_IPC_PRIVATE) {
		err = hash_insert(&table->keys, &object->by_key, hash_u64((uint32_t)key));
		if (err < 0)
			return err;
	}
	if (index <= table->last_index)
		table->seq = table->seq >= IPC_SEQ_MAX ? 0 : table->seq + 1;
	table->last_index = index;
	table->count++;
	table->slots[index] = ipc_ref(object);
	object->table = table;
	object->key = key;
	object->id = (int)(table->seq * IPC_INDEX_COUNT) + index;
	object->mode = mode & MODE_BITS;
	object->uid = object->cuid = cred->euid;
	object->gid = object->cgid = cred->egid;
	return object->id;
}

void ipc_forget_key(struct ipc_object *object)
{
	if (object->key == LX_IPC_PRIVATE)
		return;
	hash_remove(&object->table->keys, &object->by_key);
	object->key = LX_IPC_PRIVATE;
}

void ipc_remove(struct ipc_object *object)
{
	struct ipc_table *table = object->table;

	if (object->removed)
		return;
	ipc_forget_key(object);
	object->removed = true;
	table->slots[object->id % IPC_INDEX_COUNT] = NULL;
	table->count--;
	ipc_unref(object);
}

struct ipc_object *ipc_ref(struct ipc_object *object)
{
	refcount_get(&object->refs);
	return object;
}

void ipc_unref(struct ipc_object *object)
{
	if (refcount_put(&object->refs))
		object->destroy(object);
}

struct ipc_object *ipc_find_index(struct ipc_table *table, int index)
{
	if (index < 0 || (size_t)index >= table->capacity || !table->slots[index])
		return NULL;
	return ipc_ref(table->slots[index]);
}

struct ipc_object *ipc_find(struct ipc_table *table, int id)
{
	struct ipc_object *object;

	if (id < 0)
		return NULL;
	object = ipc_find_index(table, id % IPC_INDEX_COUNT);
	if (object && object->id != id) {
		ipc_unref(object);
		return NULL;
	}
	return object;
}

struct ipc_object *ipc_find_key(struct ipc_table *table, int key)
{
	struct ipc_object *object;

	hash_for_each_match(object, &table->keys, hash_u64((uint32_t)key),
		by_key) if (object->key == key) return ipc_ref(object);
	return NULL;
}

int ipc_last_index(const struct ipc_table *table)
{
	for (size_t i = table->capacity; i > 0; i--)
		if (table->slots[i - 1])
			return (int)i - 1;
	return 0;
}

bool ipc_permitted(const struct ipc_object *object, const struct cred *cred, unsigned wanted)
{
	unsigned requested = (wanted >> 6) | (wanted >> 3) | wanted;
	unsigned granted = object->mode;

	if (cred->euid == object->cuid || cred->euid == object->uid)
		granted >>= 6;
	else if (cred_in_group(cred, object->cgid) || cred_in_group(cred, object->gid))
		granted >>= 3;
	return !(requested & ~granted & 7) ||
	       cred_ns_capable(cred, ipc_here()->ns.user_ns, LX_CAP_IPC_OWNER);
}

bool ipc_owned(const struct ipc_object *object, const struct cred *cred)
{
	return cred->euid == object->cuid || cred->euid == object->uid ||
	       cred_ns_capable(cred, ipc_here()->ns.user_ns, LX_CAP_SYS_ADMIN);
}

int ipc_get(struct ipc_table *table, int key, unsigned flags, struct ipc_object **ret)
{
	struct ipc_object *object = NULL;

	if (key != LX_IPC_PRIVATE)
		object = ipc_find_key(table, key);
	if (!object && key != LX_IPC_PRIVATE && !(flags & LX_IPC_CREAT))
		return -ENOENT;
	if (object && (flags & LX_IPC_CREAT) && (flags & LX_IPC_EXCL)) {
		ipc_unref(object);
		return -EEXIST;
	}
	*ret = object;
	return 0;
}

void ipc_fill_perm(const struct ipc_object *object, struct lx_ipc_perm *ret)
{
	*ret = (struct lx_ipc_perm){
		.key = object->key,
		.uid = uid_here(object->uid),
		.gid = gid_here(object->gid),
		.cuid = uid_here(object->cuid),
		.cgid = gid_here(object->cgid),
		.mode = object->mode,
		.seq = (uint16_t)(object->id / IPC_INDEX_COUNT),
	};
}

int ipc_set_perm(struct ipc_object *object, const struct lx_ipc_perm *perm)
{
	const struct user_ns *ns = task_current()->cred->user_ns;
	uint32_t uid = user_ns_make_uid(ns, perm->uid), gid = user_ns_make_gid(ns, perm->gid);

	if (uid == ID_INVALID || gid == ID_INVALID)
		return -EINVAL;
	object->uid = uid;
	object->gid = gid;
	object->mode = (object->mode & ~MODE_BITS) | (perm->mode & MODE_BITS);
	return 0;
}

int ipc_find_stat(struct ipc_table *table, struct task *task, int id, bool by_index, bool any,
	struct ipc_object **ret)
{
	struct ipc_object *object =
		by_index ? ipc_find_index(table, id % IPC_INDEX_COUNT) : ipc_find(table, id);

	if (!object)
		return -EINVAL;
	if (!any && !ipc_permitted(object, task->cred, 0444)) {
		ipc_unref(object);
		return -EACCES;
	}
	*ret = object;
	return 0;
}

int ipc_find_owned(
	struct ipc_table *table, const struct task *task, int id, struct ipc_object **ret)
{
	struct ipc_object *object = ipc_find(table, id);

	if (!object)
		return -EINVAL;
	if (!ipc_owned(object, task->cred)) {
		ipc_unref(object);
		return -EPERM;
	}
	*ret = object;
	return 0;
}

/* ---- namespaces ---- */

struct ipc_ns ipc_ns_first = {
	.ns = {.refs = REFCOUNT_ONE,
		.kind = NS_IPC,
		.number = 4026531839u,
		.user_ns = &user_ns_first},
	.shm = {.limit = LX_SHMMNI},
	.sem = {.limit = LX_SEMMNI},
	.msg = {.limit = LX_MSGMNI},
};

struct ipc_ns *ipc_here(void)
{
	const struct task *task = task_current();

	if (!task || !task->nsproxy)
		return &ipc_ns_first;
	return container_of(task->nsproxy->ns[NS_IPC], struct ipc_ns, ns);
}

static void clear_table(struct ipc_table *table)
{
	for (size_t i = 0; i < table->capacity; i++)
		if (table->slots[i])
			ipc_remove(table->slots[i]);
	free(table->slots);
	hash_fini(&table->keys);
}

static void ipc_ns_destroy(struct ns *base)
{
	struct ipc_ns *ns = container_of(base, struct ipc_ns, ns);

	clear_table(&ns->shm);
	clear_table(&ns->sem);
	clear_table(&ns->msg);
	mqueue_ns_clear(ns);
	ns_fini(base);
	free(ns);
}

int ipc_ns_new(struct user_ns *user_ns, struct ns **ret)
{
	struct ipc_ns *ns = calloc(1, sizeof(*ns));
	int err;

	if (!ns)
		return -ENOMEM;
	err = ns_init(&ns->ns, NS_IPC, user_ns, ipc_ns_destroy);
	if (err < 0) {
		free(ns);
		return err;
	}
	ns->shm.limit = LX_SHMMNI;
	ns->sem.limit = LX_SEMMNI;
	ns->msg.limit = LX_MSGMNI;
	*ret = &ns->ns;
	return 0;
}

static size_t message_memory;

bool message_memory_charge(size_t size)
{
	if (size > SENTRY_MAX_MESSAGE_MEMORY - message_memory)
		return false;
	message_memory += size;
	return true;
}

void message_memory_uncharge(size_t size)
{
	message_memory -= size;
}
