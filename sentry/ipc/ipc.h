/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_IPC_IPC_H
#define SENTRY_SENTRY_IPC_IPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/msg.h"
#include "base/hash.h"
#include "base/refcount.h"
#include "vfs/vfs.h"

struct task;

/*
 * System V IPC (sysvipc(7)): what the three kinds of objects share. An object is found by its id,
 * or by its key until it is removed; the table holds one reference, each call in progress another.
 */
struct ipc_object {
	struct refcount refs;
	struct ipc_table *table;		    /* of its namespace, until it is removed */
	void (*destroy)(struct ipc_object *object); /* the last reference is gone */
	struct hash_entry by_key; /* while key is not IPC_PRIVATE and the object is in the table */
	int key, id;		  /* id = seq * IPC_INDEX_COUNT + index (kernel ipc/util.h) */
	uint32_t uid, gid, cuid, cgid;
	uint32_t mode; /* permission bits, and the kind's own above */
	bool removed;  /* not in the table any more: EIDRM */
};

#define IPC_INDEX_COUNT 32768

struct ipc_table {
	unsigned limit; /* objects at most */
	struct hash_table keys;
	struct ipc_object **slots; /* owned references, by index */
	size_t capacity;
	unsigned count;
	int last_index; /* handed out last */
	unsigned seq;
};

/*
 * Enters @object, which has one reference, that of the caller, and nothing else set; the table
 * takes one more. Returns the id, -ENOSPC or -ENOMEM.
 */
int ipc_add(struct ipc_table *table, struct ipc_object *object, int key, unsigned mode,
	const struct cred *cred);
/* Out of the table: nobody finds it again. Drops the table's reference. */
void ipc_remove(struct ipc_object *object);
/* The key names it no more, the id still does. */
void ipc_forget_key(struct ipc_object *object);

struct ipc_object *ipc_ref(struct ipc_object *object);
void ipc_unref(struct ipc_object *object);
/* Owned references, or NULL. */
struct ipc_object *ipc_find(struct ipc_table *table, int id);
struct ipc_object *ipc_find_key(struct ipc_table *table, int key);
struct ipc_object *ipc_find_index(struct ipc_table *table, int index);
/* What the INFO commands return: the highest index in use, 0 when there is none. */
int ipc_last_index(const struct ipc_table *table);
DEFINE_CLEANUP(ipc_unref, struct ipc_object *)

/* The bits of @wanted (any of the three triples) against the mode: ipcperms(). */
bool ipc_permitted(const struct ipc_object *object, const struct cred *cred, unsigned wanted);
/* IPC_SET, IPC_RMID: creator, owner or administrator. */
bool ipc_owned(const struct ipc_object *object, const struct cred *cred);
/*
 * The existing object for a get call with @key and @flags: an owned reference in *ret, NULL when
 * one is to be made. -EEXIST, -ENOENT. Its permission is the caller's to check, after the size.
 */
int ipc_get(struct ipc_table *table, int key, unsigned flags, struct ipc_object **ret);
void ipc_fill_perm(const struct ipc_object *object, struct lx_ipc_perm *ret);
int ipc_set_perm(struct ipc_object *object, const struct lx_ipc_perm *perm); /* -EINVAL */
/* Finds what a STAT command asks for: by index with @by_index, else by id; checks the right to
 * read unless @any. -EINVAL, -EACCES. */
int ipc_find_stat(struct ipc_table *table, struct task *task, int id, bool by_index, bool any,
	struct ipc_object **ret);
/* Finds what IPC_SET and IPC_RMID work on. -EINVAL, -EPERM. */
int ipc_find_owned(
	struct ipc_table *table, const struct task *task, int id, struct ipc_object **ret);

/* ---- ipc_namespaces(7) ---- */

struct ipc_ns {
	struct ns ns;
	struct ipc_table shm, sem, msg;
	struct hash_table queue_names; /* POSIX message queues */
	unsigned queue_count;
	struct super_block *queue_sb; /* owned: mqueue_fs.c; NULL: not asked for yet */
};
extern struct ipc_ns ipc_ns_first;
struct ipc_ns *ipc_here(void); /* of the present task */
int ipc_ns_new(struct user_ns *user_ns, struct ns **ret);
void mqueue_ns_clear(struct ipc_ns *ns); /* unlinks all: mqueue.c */

/* ---- shm.c: attached segments are known to the address space's list ---- */

struct shm_segment;
void shm_mapping_added(struct shm_segment *segment); /* a VMA of it was made or split */
void shm_mapping_gone(struct shm_segment *segment);

/* ---- sem.c: what a process has to undo ---- */

struct sem_undo_list;
/* clone(2) with CLONE_SYSVSEM: the child gets the parent's list, which is made if need be. -ENOMEM
 */
int sem_undo_share(struct task *task, struct task *child);
/* The task leaves its list: undoes what is left when it was the last. May sleep. */
void sem_undo_exit(struct task *task);

/* ---- for /proc/sysvipc ---- */

void shm_fill(const struct ipc_object *object, struct lx_shmid_ds *ret);
void sem_fill(const struct ipc_object *object, struct lx_semid_ds *ret);
void msg_fill(const struct ipc_object *object, struct lx_msqid_ds *ret);

/* ---- messages' memory, of both kinds of queues ---- */

bool message_memory_charge(size_t size); /* false: beyond SENTRY_MAX_MESSAGE_MEMORY */
void message_memory_uncharge(size_t size);

#endif
