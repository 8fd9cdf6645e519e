/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_NS_H
#define SENTRY_VFS_NS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/refcount.h"

/*
 * Namespaces (namespaces(7)): what all kinds have in common, and user namespaces
 * (user_namespaces(7)), which decide what ids and capabilities mean and so belong to the VFS.
 *
 * Inside the kernel ids are always those of the initial user namespace ("kernel ids", kuid_t and
 * kgid_t of Linux). They are translated where a guest says or hears one: user_ns_make_uid() on the
 * way in, user_ns_uid() on the way out.
 */

enum ns_kind {
	NS_USER,
	NS_MNT,
	NS_PID,
	NS_UTS,
	NS_IPC,
	NS_NET,
	NS_CGROUP,
	NS_TIME,
	NS_KINDS,
};

struct user_ns;

struct ns {
	struct refcount refs;
	enum ns_kind kind;
	uint32_t number;	 /* as in user:[4026531837] */
	struct user_ns *user_ns; /* owned: who rules over it; a user namespace's parent; NULL only
				    for the first of those */
	void (*destroy)(struct ns *ns); /* the last reference is gone: frees; ns_fini() is its part
					 */
};

/* Fills in a new one with one reference. -ENOSPC: the sandbox has too many. */
int ns_init(
	struct ns *ns, enum ns_kind kind, struct user_ns *user_ns, void (*destroy)(struct ns *));
/* One of those that are there from the start: static, never freed. */
void ns_init_first(struct ns *ns, enum ns_kind kind, uint32_t number, struct user_ns *user_ns);
void ns_fini(struct ns *ns);
struct ns *ns_ref(struct ns *ns);
void ns_unref(struct ns *ns);		     /* NULL is fine */
const char *ns_kind_name(enum ns_kind kind); /* "user", "mnt", ... */
uint64_t ns_kind_flag(enum ns_kind kind);    /* LX_CLONE_NEW* */

/* ---- user namespaces ------------------------------------------------------------------------- */

#define ID_INVALID  UINT32_MAX
#define ID_OVERFLOW 65534u /* fs.overflowuid: what has no name in a namespace */

struct id_extent {
	uint32_t first, lower, count; /* lower: a kernel id, once the map is in force */
};

#define ID_EXTENTS_MAX 340 /* UID_GID_MAP_MAX_EXTENTS */

struct id_map {
	struct id_extent *extents; /* owned, sorted by nothing */
	unsigned count;		   /* 0: not written yet, nothing has a name */
};

struct user_ns {
	struct ns ns;
	unsigned level;	       /* 0: the first */
	uint32_t owner, group; /* kernel ids of who made it */
	struct id_map uids, gids;
	bool setgroups_denied;
	bool parent_could_setfcap; /* its maker had CAP_SETFCAP: may map the parent's root */
};

#define USER_NS_LEVEL_MAX 34 /* the first one and 33 below it: create_user_ns() */

extern struct user_ns user_ns_first;

static inline struct user_ns *user_ns_parent(const struct user_ns *ns)
{
	return ns->ns.user_ns;
}

static inline struct user_ns *user_ns_ref(struct user_ns *ns)
{
	(void)ns_ref(&ns->ns);
	return ns;
}

static inline void user_ns_unref(struct user_ns *ns)
{
	if (ns)
		ns_unref(&ns->ns);
}

/* A child of @parent without maps. -ENOSPC, -ENOMEM. */
int user_ns_new(struct user_ns *parent, uint32_t owner, uint32_t group, struct user_ns **ret);
/* Is @ns @ancestor, or below it? */
bool user_ns_is_below(const struct user_ns *ns, const struct user_ns *ancestor);

/* The id that @map calls @id, as a kernel id; and back. ID_INVALID: none. */
uint32_t id_map_down(const struct id_map *map, uint32_t id);
uint32_t id_map_up(const struct id_map *map, uint32_t kernel_id);

/* A guest's id as a kernel id; ID_INVALID when it names nobody (make_kuid()). */
static inline uint32_t user_ns_make_uid(const struct user_ns *ns, uint32_t uid)
{
	return ns == &user_ns_first ? uid : id_map_down(&ns->uids, uid);
}
static inline uint32_t user_ns_make_gid(const struct user_ns *ns, uint32_t gid)
{
	return ns == &user_ns_first ? gid : id_map_down(&ns->gids, gid);
}
/* A kernel id as those in @ns know it; ID_INVALID when they do not (from_kuid()). */
static inline uint32_t user_ns_uid_or_none(const struct user_ns *ns, uint32_t uid)
{
	return ns == &user_ns_first ? uid : id_map_up(&ns->uids, uid);
}
static inline uint32_t user_ns_gid_or_none(const struct user_ns *ns, uint32_t gid)
{
	return ns == &user_ns_first ? gid : id_map_up(&ns->gids, gid);
}
/* The same with the overflow id for strangers (from_kuid_munged()). */
static inline uint32_t user_ns_uid(const struct user_ns *ns, uint32_t uid)
{
	uint32_t id = user_ns_uid_or_none(ns, uid);

	return id == ID_INVALID && uid != ID_INVALID ? ID_OVERFLOW : id;
}
static inline uint32_t user_ns_gid(const struct user_ns *ns, uint32_t gid)
{
	uint32_t id = user_ns_gid_or_none(ns, gid);

	return id == ID_INVALID && gid != ID_INVALID ? ID_OVERFLOW : id;
}

#endif
