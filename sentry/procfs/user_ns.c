/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /proc/PID/uid_map, gid_map, setgroups (user_namespaces(7); kernel kernel/user_namespace.c:
 * map_write(), new_idmap_permitted(), proc_setgroups_write()), and the links in /proc/PID/ns.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/limits.h"
#include "base/cleanup.h"
#include "sentry/nsproxy.h"
#include "sentry/procfs/procfs_private.h"

static struct user_ns *node_user_ns(const struct pseudo_node *node)
{
	const struct task *task = pseudo_task(node);

	if (!task) {
		const struct thread_group *group = pseudo_group(node);

		task = group ? group->leader : NULL;
	}
	return task && task->cred ? task->cred->user_ns : NULL;
}

/* ---- showing --------------------------------------------------------------------------------- */

/* The ids of the parent, or of the reader's namespace, as that one calls them. */
static int show_map(const struct pseudo_node *node, struct seq *seq, bool groups)
{
	const struct user_ns *ns = node_user_ns(node), *reader = seq->ctx->cred->user_ns;
	const struct id_map *map;

	if (!ns)
		return -ESRCH;
	if (reader == ns && user_ns_parent(ns))
		reader = user_ns_parent(ns);
	map = groups ? &ns->gids : &ns->uids;
	for (unsigned i = 0; i < map->count; i++) {
		const struct id_extent *extent = &map->extents[i];
		uint32_t lower = groups ? user_ns_gid_or_none(reader, extent->lower)
					: user_ns_uid_or_none(reader, extent->lower);

		seq_printf(seq, "%10u %10u %10u\n", extent->first, lower, extent->count);
	}
	return 0;
}

int proc_show_uid_map(const struct pseudo_node *node, struct seq *seq)
{
	return show_map(node, seq, false);
}

int proc_show_gid_map(const struct pseudo_node *node, struct seq *seq)
{
	return show_map(node, seq, true);
}

int proc_show_projid_map(const struct pseudo_node *node, struct seq *seq)
{
	if (node_user_ns(node) == &user_ns_first)
		seq_printf(seq, "%10u %10u %10u\n", 0u, 0u, UINT32_MAX);
	return 0;
}

int proc_show_setgroups(const struct pseudo_node *node, struct seq *seq)
{
	const struct user_ns *ns = node_user_ns(node);

	if (!ns)
		return -ESRCH;
	seq_puts(seq, ns->setgroups_denied ? "deny\n" : "allow\n");
	return 0;
}

/* proc_setgroups_open() */
int proc_may_write_setgroups(const struct pseudo_node *node, const struct vfs_ctx *ctx)
{
	const struct user_ns *ns = node_user_ns(node);

	if (!ns)
		return -ESRCH;
	return cred_ns_capable(ctx->cred, ns, LX_CAP_SYS_ADMIN) ? 0 : -EACCES;
}

/* ---- writing a map --------------------------------------------------------------------------- */

/* A number, cut to 32 bits, and the blanks in front of it; false: there is none. */
static bool parse_number(const char **at, uint32_t *ret)
{
	const char *text = *at + strspn(*at, " \t");
	uint64_t value = 0;

	if (*text < '0' || *text > '9')
		return false;
	for (; *text >= '0' && *text <= '9'; text++) {
		value = value * 10 + (uint64_t)(*text - '0');
	}
	if (*text && !strchr(" \t\n", *text))
		return false;
	*at = text;
	*ret = (uint32_t)value;
	return true;
}

static bool ranges_meet(uint32_t a, uint32_t a_count, uint32_t b, uint32_t b_count)
{
	return a <= b + (b_count - 1) && b <= a + (a_count - 1);
}

/* One line of three numbers, that goes with those before it. */
static int parse_extent(const char **at, const struct id_map *map, struct id_extent *ret)
{
	struct id_extent extent;

	if (!parse_number(at, &extent.first) || !parse_number(at, &extent.lower) ||
		!parse_number(at, &extent.count))
		return -EINVAL;
	*at += strspn(*at, " \t");
	if (**at && **at != '\n')
		return -EINVAL;
	*at += **at == '\n';
	if (extent.first == ID_INVALID || extent.lower == ID_INVALID || !extent.count ||
		extent.first + extent.count <= extent.first ||
		extent.lower + extent.count <= extent.lower)
		return -EINVAL;
	for (unsigned i = 0; i < map->count; i++) {
		const struct id_extent *other = &map->extents[i];

		if (ranges_meet(other->first, other->count, extent.first, extent.count) ||
			ranges_meet(other->lower, other->count, extent.lower, extent.count))
			return -EINVAL;
	}
	*ret = extent;
	return 0;
}

static int compare_extents(const void *a, const void *b)
{
	const struct id_extent *x = a, *y = b;

	return x->first < y->first ? -1 : x->first > y->first;
}

#define UNSORTED_MAX 5 /* UID_GID_MAP_MAX_BASE_EXTENTS: shown as they were written */

static int parse_map(const char *text, struct id_map *map)
{
	while (*text) {
		int err;

		if (map->count == ID_EXTENTS_MAX)
			return -EINVAL;
		err = parse_extent(&text, map, &map->extents[map->count]);
		if (err < 0)
			return err;
		map->count++;
	}
	if (!map->count)
		return -EINVAL;
	if (map->count > UNSORTED_MAX)
		qsort(map->extents, map->count, sizeof(map->extents[0]), compare_extents);
	return 0;
}

/* verify_root_map(): who maps the parent's root could make files with capabilities there. */
static bool may_map_root(
	const struct user_ns *ns, const struct id_map *map, const struct cred *opener)
{
	bool maps_root = false;

	for (unsigned i = 0; i < map->count; i++)
		maps_root |= map->extents[i].lower == 0;
	if (!maps_root)
		return true;
	if (opener->user_ns == ns)
		return ns->parent_could_setfcap;
	return cred_ns_capable(opener, user_ns_parent(ns), LX_CAP_SETFCAP);
}

static bool map_permitted(const struct user_ns *ns, const struct id_map *map, bool groups,
	const struct cred *writer, const struct cred *opener)
{
	const struct user_ns *parent = user_ns_parent(ns);
	int capability = groups ? LX_CAP_SETGID : LX_CAP_SETUID;

	if (!groups && !may_map_root(ns, map, opener))
		return false;
	/* The own id alone gives nothing that one did not have. */
	if (map->count == 1 && map->extents[0].count == 1 && ns->owner == opener->euid) {
		uint32_t id = map->extents[0].lower;

		if (!groups && user_ns_make_uid(parent, id) == opener->euid)
			return true;
		if (groups && ns->setgroups_denied && user_ns_make_gid(parent, id) == opener->egid)
			return true;
	}
	return cred_ns_capable(writer, parent, capability) &&
	       cred_ns_capable(opener, parent, capability);
}

/* The parent's ids become kernel ids; a range must have names as a whole. */
static int settle_map(const struct id_map *parent, struct id_map *map)
{
	for (unsigned i = 0; i < map->count; i++) {
		struct id_extent *extent = &map->extents[i];
		bool found = false;

		for (unsigned j = 0; j < parent->count && !found; j++) {
			const struct id_extent *above = &parent->extents[j];

			if (extent->lower < above->first ||
				extent->lower - above->first >= above->count ||
				extent->count > above->count - (extent->lower - above->first))
				continue;
			extent->lower = above->lower + (extent->lower - above->first);
			found = true;
		}
		if (!found)
			return -EPERM;
	}
	return 0;
}

static int store_map(const struct pseudo_node *node, const char *text, bool groups,
	const struct vfs_ctx *ctx, const struct cred *opener)
{
	struct user_ns *ns = node_user_ns(node);
	_cleanup_free_ struct id_extent *extents = NULL;
	struct id_map map = {0}, *target;
	int err;

	if (!ns)
		return -ESRCH;
	target = groups ? &ns->gids : &ns->uids;
	if (!user_ns_parent(ns) || (opener->user_ns != ns && opener->user_ns != user_ns_parent(ns)))
		return -EPERM;
	/* Once, and by who rules over the namespace. */
	if (target->count || !cred_ns_capable(opener, ns, LX_CAP_SYS_ADMIN))
		return -EPERM;
	extents = calloc(ID_EXTENTS_MAX, sizeof(*extents));
	if (!extents)
		return -ENOMEM;
	map.extents = extents;
	err = parse_map(text, &map);
	if (err < 0)
		return err;
	if (!map_permitted(ns, &map, groups, ctx->cred, opener))
		return -EPERM;
	err = settle_map(groups ? &user_ns_parent(ns)->gids : &user_ns_parent(ns)->uids, &map);
	if (err < 0)
		return err;
	target->extents = malloc(map.count * sizeof(*extents));
	if (!target->extents)
		return -ENOMEM;
	memcpy(target->extents, extents, map.count * sizeof(*extents));
	target->count = map.count;
	tasks_ids_changed(ns);
	return 0;
}

int proc_store_uid_map(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener)
{
	return store_map(node, text, false, ctx, opener);
}

int proc_store_gid_map(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener)
{
	return store_map(node, text, true, ctx, opener);
}

int proc_store_setgroups(const struct pseudo_node *node, char *text, size_t size,
	const struct vfs_ctx *ctx, const struct cred *opener)
{
	struct user_ns *ns = node_user_ns(node);
	bool allow = strncmp(text, "allow", 5) == 0, deny = strncmp(text, "deny", 4) == 0;
	const char *rest;

	if (!ns)
		return -ESRCH;
	/* Linux asks that at open(2). */
	if (!cred_ns_capable(opener, ns, LX_CAP_SYS_ADMIN))
		return -EACCES;
	if (size >= 8 || (!allow && !deny))
		return -EINVAL;
	rest = text + (allow ? 5 : 4);
	if (rest[strspn(rest, " \t\n")])
		return -EINVAL;
	if (allow)
		return ns->setgroups_denied ? -EPERM : 0;
	/* With a map of groups it may have been used. */
	if (ns->gids.count)
		return -EPERM;
	ns->setgroups_denied = true;
	return 0;
}

/* ---- /proc/PID/ns ---------------------------------------------------------------------------- */

ssize_t proc_readlink_namespace(
	const struct pseudo_node *node, const struct vfs_ctx *ctx, char *buffer)
{
	struct task *task = pseudo_task(node);
	struct ns *ns = task ? task_namespace(task, node->entry->name) : NULL;
	ssize_t size;

	if (!ns)
		return -ENOENT;
	size = snprintf(buffer, LX_PATH_MAX, "%s:[%u]", ns_kind_name(ns->kind), ns->number);
	ns_unref(ns);
	return size;
}

int proc_follow_namespace(
	const struct pseudo_node *node, const struct vfs_ctx *ctx, struct path *ret)
{
	struct task *task = pseudo_task(node);
	struct ns *ns = task ? task_namespace(task, node->entry->name) : NULL;
	struct path path = {0};
	int err = ns ? nsfs_path(ns, &path) : -ENOENT;

	ns_unref(ns);
	if (err == 0)
		*ret = path;
	return err;
}
