/* SPDX-License-Identifier: Apache-2.0 */
/*
 * landlock(7), sixth version of its ABI. Files (kernel security/landlock/fs.c): the
 * check walks from the object up to the root, through mount points, and each layer of the domain
 * collects what the rules on the way allow. Files that no path leads to (pipes, memfds) are not
 * restricted, and what is open already stays usable.
 *
 * Another directory is another set of rights. LX_LANDLOCK_ACCESS_FS_REFER allows a file to move
 * there when both directories have it, whether or not a ruleset handles it, and when no layer
 * allows there what it denies now.
 */
#include "vfs/landlock.h"

#include <errno.h>
#include <stdlib.h>

#include "abi/fcntl.h"
#include "abi/limits.h"
#include "abi/stat.h"
#include "base/checked.h"
#include "base/cleanup.h"

#define LAYERS_MAX 16 /* LANDLOCK_MAX_NUM_LAYERS */

struct rule {
	struct path path; /* owned: keeps the inode the one that look-ups find */
	uint64_t allowed;
};

struct port_rule {
	uint16_t port;
	uint64_t allowed;
};

struct landlock_ruleset {
	struct landlock_handled handled;
	struct rule *rules;
	size_t count, capacity;
	struct port_rule *ports;
	size_t port_count, port_capacity;
};

struct landlock_domain {
	struct refcount refs;
	struct landlock_domain *below; /* owned */
	unsigned depth;
	struct landlock_ruleset layer; /* a copy */
};

static size_t rule_count; /* of the sandbox */

static void ruleset_fini(struct landlock_ruleset *ruleset)
{
	for (size_t i = 0; i < ruleset->count; i++)
		path_unref(&ruleset->rules[i].path);
	rule_count -= ruleset->count + ruleset->port_count;
	free(ruleset->rules);
	free(ruleset->ports);
}

int landlock_ruleset_new(const struct landlock_handled *handled, struct landlock_ruleset **ret)
{
	struct landlock_ruleset *ruleset = calloc(1, sizeof(*ruleset));

	if (!ruleset)
		return -ENOMEM;
	ruleset->handled = *handled;
	*ret = ruleset;
	return 0;
}

void landlock_ruleset_free(struct landlock_ruleset *ruleset)
{
	ruleset_fini(ruleset);
	free(ruleset);
}

const struct landlock_handled *landlock_ruleset_handled(const struct landlock_ruleset *ruleset)
{
	return &ruleset->handled;
}

/* Both checks and additions look at each rule. */
static bool has_room(const struct landlock_ruleset *ruleset)
{
	return ruleset->count + ruleset->port_count < SENTRY_MAX_LANDLOCK_RULES &&
	       rule_count < SENTRY_MAX_LANDLOCK_RULES_TOTAL;
}

int landlock_ruleset_add(
	struct landlock_ruleset *ruleset, const struct path *path, uint64_t allowed)
{
	for (size_t i = 0; i < ruleset->count; i++) {
		if (ruleset->rules[i].path.dentry->inode == path->dentry->inode) {
			ruleset->rules[i].allowed |= allowed;
			return 0;
		}
	}
	if (!has_room(ruleset))
		return -E2BIG;
	if (ruleset->count == ruleset->capacity) {
		size_t capacity = max_of(ruleset->capacity * 2, (size_t)8);
		struct rule *rules = reallocarray(ruleset->rules, capacity, sizeof(*rules));

		if (!rules)
			return -ENOMEM;
		ruleset->rules = rules;
		ruleset->capacity = capacity;
	}
	path_ref(path);
	ruleset->rules[ruleset->count++] = (struct rule){.path = *path, .allowed = allowed};
	rule_count++;
	return 0;
}

int landlock_ruleset_add_port(struct landlock_ruleset *ruleset, uint16_t port, uint64_t allowed)
{
	for (size_t i = 0; i < ruleset->port_count; i++) {
		if (ruleset->ports[i].port == port) {
			ruleset->ports[i].allowed |= allowed;
			return 0;
		}
	}
	if (!has_room(ruleset))
		return -E2BIG;
	if (ruleset->port_count == ruleset->port_capacity) {
		size_t capacity = max_of(ruleset->port_capacity * 2, (size_t)8);
		struct port_rule *ports = reallocarray(ruleset->ports, capacity, sizeof(*ports));

		if (!ports)
			return -ENOMEM;
		ruleset->ports = ports;
		ruleset->port_capacity = capacity;
	}
	ruleset->ports[ruleset->port_count++] =
		(struct port_rule){.port = port, .allowed = allowed};
	rule_count++;
	return 0;
}

struct landlock_domain *landlock_domain_ref(struct landlock_domain *domain)
{
	if (domain)
		refcount_get(&domain->refs);
	return domain;
}

void landlock_domain_unref(struct landlock_domain *domain)
{
	while (domain && refcount_put(&domain->refs)) {
		struct landlock_domain *below = domain->below;

		ruleset_fini(&domain->layer);
		free(domain);
		domain = below;
	}
}
DEFINE_CLEANUP(landlock_domain_unref, struct landlock_domain *)

int landlock_domain_new(struct landlock_domain *below, const struct landlock_ruleset *ruleset,
	struct landlock_domain **ret)
{
	_cleanup_(cleanup_landlock_domain_unref) struct landlock_domain *domain = NULL;
	int err;

	if (below && below->depth >= LAYERS_MAX)
		return -E2BIG;
	domain = calloc(1, sizeof(*domain));
	if (!domain)
		return -ENOMEM;
	domain->refs = REFCOUNT_ONE;
	domain->depth = below ? below->depth + 1 : 1;
	domain->layer.handled = ruleset->handled;
	/* Denied by who handles anything of files (landlock_upgrade_handled_access_masks()). */
	if (domain->layer.handled.fs)
		domain->layer.handled.fs |= LX_LANDLOCK_ACCESS_FS_REFER;
	for (size_t i = 0; i < ruleset->count; i++) {
		err = landlock_ruleset_add(
			&domain->layer, &ruleset->rules[i].path, ruleset->rules[i].allowed);
		if (err < 0)
			return err;
	}
	for (size_t i = 0; i < ruleset->port_count; i++) {
		err = landlock_ruleset_add_port(
			&domain->layer, ruleset->ports[i].port, ruleset->ports[i].allowed);
		if (err < 0)
			return err;
	}
	domain->below = landlock_domain_ref(below);
	*ret = TAKE(domain);
	return 0;
}

/* ---- checks ---------------------------------------------------------------------------------- */

static uint64_t allowed_on(const struct landlock_ruleset *layer, const struct inode *inode)
{
	for (size_t i = 0; i < layer->count; i++)
		if (layer->rules[i].path.dentry->inode == inode)
			return layer->rules[i].allowed;
	return 0;
}

/* One step up, out of mounts where need be (what a mount covers does not count); false at the top.
 */
static bool step_up(struct mount **mount, struct dentry **dentry)
{
	while (*dentry == (*mount)->root) {
		if (!(*mount)->parent)
			return false;
		*dentry = (*mount)->mountpoint;
		*mount = (*mount)->parent;
	}
	if ((*dentry)->parent == *dentry)
		return false;
	*dentry = (*dentry)->parent;
	return true;
}

/* What of @wanted the layer denies to @path. */
static uint64_t layer_denies(
	const struct landlock_ruleset *layer, const struct path *path, uint64_t wanted)
{
	struct mount *mount = path->mount;
	struct dentry *dentry = path->dentry;
	uint64_t missing = wanted & layer->handled.fs;

	while (missing) {
		missing &= ~allowed_on(layer, dentry->inode);
		if (!missing || !step_up(&mount, &dentry))
			break;
	}
	return missing;
}

int landlock_check(const struct vfs_ctx *ctx, const struct path *path, uint64_t wanted)
{
	if (!ctx->cred->landlock || !path->mount)
		return 0;
	for (const struct landlock_domain *domain = ctx->cred->landlock; domain;
		domain = domain->below)
		if (layer_denies(&domain->layer, path, wanted))
			return -EACCES;
	return 0;
}

int landlock_check_open(const struct vfs_ctx *ctx, const struct path *path, int flags)
{
	int mode = flags & LX_O_ACCMODE;
	uint64_t wanted = 0;

	if (!ctx->cred->landlock)
		return 0;
	if (mode == LX_O_RDONLY || mode == LX_O_RDWR)
		wanted |= LX_S_ISDIR(path->dentry->inode->mode) ? LX_LANDLOCK_ACCESS_FS_READ_DIR
								: LX_LANDLOCK_ACCESS_FS_READ_FILE;
	if (mode == LX_O_WRONLY || mode == LX_O_RDWR)
		wanted |= LX_LANDLOCK_ACCESS_FS_WRITE_FILE;
	return landlock_check(ctx, path, wanted);
}

uint64_t landlock_make_right(uint32_t mode)
{
	switch (mode & LX_S_IFMT) {
	case LX_S_IFLNK:
		return LX_LANDLOCK_ACCESS_FS_MAKE_SYM;
	case LX_S_IFDIR:
		return LX_LANDLOCK_ACCESS_FS_MAKE_DIR;
	case LX_S_IFCHR:
		return LX_LANDLOCK_ACCESS_FS_MAKE_CHAR;
	case LX_S_IFBLK:
		return LX_LANDLOCK_ACCESS_FS_MAKE_BLOCK;
	case LX_S_IFIFO:
		return LX_LANDLOCK_ACCESS_FS_MAKE_FIFO;
	case LX_S_IFSOCK:
		return LX_LANDLOCK_ACCESS_FS_MAKE_SOCK;
	default:
		return LX_LANDLOCK_ACCESS_FS_MAKE_REG;
	}
}

uint64_t landlock_remove_right(const struct inode *inode)
{
	if (!inode)
		return 0;
	return LX_S_ISDIR(inode->mode) ? LX_LANDLOCK_ACCESS_FS_REMOVE_DIR
				       : LX_LANDLOCK_ACCESS_FS_REMOVE_FILE;
}

/* Would @child, which is in @from, have more rights in @to? */
static bool gains_rights(const struct landlock_domain *domain, const struct path *from,
	const struct inode *child, const struct path *to)
{
	const uint64_t kind = LX_S_ISDIR(child->mode) ? ~0ull : (uint64_t)LX_LANDLOCK_ACCESS_FILE;

	for (; domain; domain = domain->below) {
		const struct landlock_ruleset *layer = &domain->layer;
		uint64_t denied = layer_denies(layer, from, kind) & ~allowed_on(layer, child);

		if (denied & ~layer_denies(layer, to, kind))
			return true;
	}
	return false;
}

/* current_check_refer_path() */
int landlock_check_refer(const struct vfs_ctx *ctx, const struct landlock_refer *refer)
{
	const struct landlock_domain *domain = ctx->cred->landlock;
	int err;

	if (!domain)
		return 0;
	err = landlock_check(ctx, refer->old_parent, refer->old_right);
	if (err == 0)
		err = landlock_check(ctx, refer->new_parent, refer->new_right);
	if (err < 0 || refer->old_parent->dentry == refer->new_parent->dentry)
		return err;
	if (landlock_check(ctx, refer->old_parent, LX_LANDLOCK_ACCESS_FS_REFER) < 0 ||
		landlock_check(ctx, refer->new_parent, LX_LANDLOCK_ACCESS_FS_REFER) < 0)
		return -EXDEV;
	if (gains_rights(domain, refer->old_parent, refer->child, refer->new_parent))
		return -EXDEV;
	if (refer->exchanged &&
		gains_rights(domain, refer->new_parent, refer->exchanged, refer->old_parent))
		return -EXDEV;
	return 0;
}

/* ---- ports, scopes, tracers ------------------------------------------------------------------ */

bool landlock_handles_files(const struct cred *cred)
{
	for (const struct landlock_domain *domain = cred->landlock; domain; domain = domain->below)
		if (domain->layer.handled.fs)
			return true;
	return false;
}

bool landlock_handles_net(const struct cred *cred, uint64_t right)
{
	for (const struct landlock_domain *domain = cred->landlock; domain; domain = domain->below)
		if (domain->layer.handled.net & right)
			return true;
	return false;
}

static bool port_allowed(const struct landlock_ruleset *layer, uint16_t port, uint64_t right)
{
	for (size_t i = 0; i < layer->port_count; i++)
		if (layer->ports[i].port == port)
			return layer->ports[i].allowed & right;
	return false;
}

int landlock_check_port(const struct cred *cred, uint16_t port, uint64_t wanted)
{
	for (const struct landlock_domain *domain = cred->landlock; domain; domain = domain->below)
		if ((domain->layer.handled.net & wanted) &&
			!port_allowed(&domain->layer, port, wanted))
			return -EACCES;
	return 0;
}

static unsigned depth_of(const struct landlock_domain *domain)
{
	return domain ? domain->depth : 0;
}

/* The part of @domain that has @depth layers. */
static const struct landlock_domain *down_to(const struct landlock_domain *domain, unsigned depth)
{
	while (depth_of(domain) > depth)
		domain = domain->below;
	return domain;
}

/* The last layer of the client's that has the scope decides: the server must have it, too. */
bool landlock_out_of_scope(const struct cred *client, const struct cred *server, uint64_t scope)
{
	for (const struct landlock_domain *domain = client->landlock; domain;
		domain = domain->below)
		if (domain->layer.handled.scoped & scope)
			return down_to(server->landlock, domain->depth) != domain;
	return false;
}

bool landlock_may_trace(const struct cred *tracer, const struct cred *tracee)
{
	return down_to(tracee->landlock, depth_of(tracer->landlock)) == tracer->landlock;
}
