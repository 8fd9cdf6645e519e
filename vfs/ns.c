/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Namespaces in general, and user namespaces: their tree and their maps of ids (kernel
 * kernel/user_namespace.c). A map's extents lead to kernel ids directly, whatever the depth: they
 * were translated when the map was written, and a parent's map never changes after that.
 */
#include "vfs/ns.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "abi/sched.h"
#include "base/list.h"

static const struct {
	const char *name;
	uint64_t flag;
} kinds[NS_KINDS] = {
	[NS_USER] = {"user", LX_CLONE_NEWUSER},
	[NS_MNT] = {"mnt", LX_CLONE_NEWNS},
	[NS_PID] = {"pid", LX_CLONE_NEWPID},
	[NS_UTS] = {"uts", LX_CLONE_NEWUTS},
	[NS_IPC] = {"ipc", LX_CLONE_NEWIPC},
	[NS_NET] = {"net", LX_CLONE_NEWNET},
	[NS_CGROUP] = {"cgroup", LX_CLONE_NEWCGROUP},
	[NS_TIME] = {"time", LX_CLONE_NEWTIME},
};

#define NUMBER_FIRST_OF_GUESTS 4026532176u /* behind those of a running system's own */

static uint32_t next_number = NUMBER_FIRST_OF_GUESTS;
static unsigned ns_total;

static struct id_extent everybody = {.count = UINT32_MAX};

struct user_ns user_ns_first = {
	.ns = {.refs = REFCOUNT_ONE, .kind = NS_USER, .number = 4026531837u},
	.uids = {.extents = &everybody, .count = 1},
	.gids = {.extents = &everybody, .count = 1},
	.parent_could_setfcap = true,
};

const char *ns_kind_name(enum ns_kind kind)
{
	return kinds[kind].name;
}

uint64_t ns_kind_flag(enum ns_kind kind)
{
	return kinds[kind].flag;
}

int ns_init(struct ns *ns, enum ns_kind kind, struct user_ns *user_ns, void (*destroy)(struct ns *))
{
	if (ns_total >= SENTRY_MAX_NAMESPACES)
		return -ENOSPC;
	ns_total++;
	if (next_number < NUMBER_FIRST_OF_GUESTS)
		next_number = NUMBER_FIRST_OF_GUESTS;
	*ns = (struct ns){
		.refs = REFCOUNT_ONE,
		.kind = kind,
		.number = next_number++,
		.user_ns = user_ns_ref(user_ns),
		.destroy = destroy,
	};
	return 0;
}

void ns_init_first(struct ns *ns, enum ns_kind kind, uint32_t number, struct user_ns *user_ns)
{
	*ns = (struct ns){
		.refs = REFCOUNT_ONE,
		.kind = kind,
		.number = number,
		.user_ns = user_ns,
	};
}

void ns_fini(struct ns *ns)
{
	ns_total--;
	user_ns_unref(ns->user_ns);
}

struct ns *ns_ref(struct ns *ns)
{
	refcount_get(&ns->refs);
	return ns;
}

void ns_unref(struct ns *ns)
{
	/* The first ones' own reference is never given back. */
	if (ns && refcount_put(&ns->refs))
		ns->destroy(ns);
}

/* ---- user namespaces ------------------------------------------------------------------------- */

/* At most USER_NS_LEVEL_MAX deep: freeing one may free its ancestors. */
static void user_ns_destroy(struct ns *base)
{
	struct user_ns *ns = container_of(base, struct user_ns, ns);

	free(ns->uids.extents);
	free(ns->gids.extents);
	ns_fini(base);
	free(ns);
}

int user_ns_new(struct user_ns *parent, uint32_t owner, uint32_t group, struct user_ns **ret)
{
	struct user_ns *ns;
	int err;

	if (parent->level + 1 >= USER_NS_LEVEL_MAX)
		return -ENOSPC;
	ns = calloc(1, sizeof(*ns));
	if (!ns)
		return -ENOMEM;
	err = ns_init(&ns->ns, NS_USER, parent, user_ns_destroy);
	if (err < 0) {
		free(ns);
		return err;
	}
	ns->level = parent->level + 1;
	ns->owner = owner;
	ns->group = group;
	ns->setgroups_denied = parent->setgroups_denied;
	*ret = ns;
	return 0;
}

bool user_ns_is_below(const struct user_ns *ns, const struct user_ns *ancestor)
{
	while (ns->level > ancestor->level)
		ns = user_ns_parent(ns);
	return ns == ancestor;
}

uint32_t id_map_down(const struct id_map *map, uint32_t id)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct id_extent *extent = &map->extents[i];

		if (id >= extent->first && id - extent->first < extent->count)
			return extent->lower + (id - extent->first);
	}
	return ID_INVALID;
}

uint32_t id_map_up(const struct id_map *map, uint32_t kernel_id)
{
	for (unsigned i = 0; i < map->count; i++) {
		const struct id_extent *extent = &map->extents[i];

		if (kernel_id >= extent->lower && kernel_id - extent->lower < extent->count)
			return extent->first + (kernel_id - extent->lower);
	}
	return ID_INVALID;
}
