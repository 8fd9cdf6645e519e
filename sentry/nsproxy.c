/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which namespaces a task is in, and how new ones are made (namespaces(7); kernel
 * kernel/nsproxy.c, kernel/user_namespace.c).
 *
 * Cgroup and time namespaces are identities: who asks gets one of his own, with its number, its
 * owner and its rights. A network namespace has abstract socket names and a loopback device; a time
 * namespace has no offsets (nobody can set any), and there is one cgroup.
 */
#include "sentry/nsproxy.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/sched.h"
#include "sentry/ipc/ipc.h"
#include "sentry/pid_ns.h"
#include "sentry/socket/net_device.h"

static struct uts_ns uts_first;
static struct net_ns net_first;
static struct ns cgroup_first, time_first;
static struct nsproxy first;

void nsproxy_init_first(const char *hostname)
{
	ns_init_first(&uts_first.ns, NS_UTS, 4026531838u, &user_ns_first);
	ns_init_first(&net_first.ns, NS_NET, 4026531840u, &user_ns_first);
	ns_init_first(&cgroup_first, NS_CGROUP, 4026531835u, &user_ns_first);
	ns_init_first(&time_first, NS_TIME, 4026531834u, &user_ns_first);
	netstack_init(&net_first.stack);
	net_ns_begin(&net_first);
	(void)netif_set_up(&net_first.stack.loopback, true);
	strcpy(uts_first.domainname, "(none)");
	strncpy(uts_first.hostname, hostname ? hostname : "", sizeof(uts_first.hostname) - 1);
	first = (struct nsproxy){
		.refs = REFCOUNT_ONE,
		.ns = {[NS_MNT] = &mnt_ns_first.ns,
			[NS_PID] = &pid_ns_first.ns,
			[NS_UTS] = &uts_first.ns,
			[NS_IPC] = &ipc_ns_first.ns,
			[NS_NET] = &net_first.ns,
			[NS_CGROUP] = &cgroup_first,
			[NS_TIME] = &time_first},
		.time_for_children = &time_first,
	};
}

struct nsproxy *nsproxy_first(void)
{
	return &first;
}

struct nsproxy *nsproxy_ref(struct nsproxy *proxy)
{
	refcount_get(&proxy->refs);
	return proxy;
}

void nsproxy_unref(struct nsproxy *proxy)
{
	if (!proxy || !refcount_put(&proxy->refs))
		return;
	for (int kind = 0; kind < NS_KINDS; kind++)
		ns_unref(proxy->ns[kind]);
	ns_unref(proxy->time_for_children);
	free(proxy);
}

void nsproxy_set(struct nsproxy *proxy, struct ns **slot, struct ns *ns)
{
	struct ns *old = *slot;

	*slot = ns_ref(ns);
	ns_unref(old);
}

int nsproxy_dup(const struct nsproxy *from, struct nsproxy **ret)
{
	struct nsproxy *proxy = calloc(1, sizeof(*proxy));

	if (!proxy)
		return -ENOMEM;
	proxy->refs = REFCOUNT_ONE;
	for (int kind = 0; kind < NS_KINDS; kind++)
		proxy->ns[kind] = from->ns[kind] ? ns_ref(from->ns[kind]) : NULL;
	proxy->time_for_children = ns_ref(from->time_for_children);
	*ret = proxy;
	return 0;
}

/* ---- new ones -------------------------------------------------------------------------------- */

static void plain_destroy(struct ns *ns)
{
	ns_fini(ns);
	free(ns);
}

static int plain_new(enum ns_kind kind, struct user_ns *user_ns, struct ns **ret)
{
	struct ns *ns = calloc(1, sizeof(*ns));
	int err;

	if (!ns)
		return -ENOMEM;
	err = ns_init(ns, kind, user_ns, plain_destroy);
	if (err < 0)
		free(ns);
	else
		*ret = ns;
	return err;
}

static void net_destroy(struct ns *ns)
{
	struct net_ns *net = container_of(ns, struct net_ns, ns);

	net_ns_end(net);
	netstack_fini(&net->stack);
	ns_fini(ns);
	free(net);
}

static int net_new(struct user_ns *user_ns, struct ns **ret)
{
	struct net_ns *net = calloc(1, sizeof(*net));
	int err;

	if (!net)
		return -ENOMEM;
	err = ns_init(&net->ns, NS_NET, user_ns, net_destroy);
	if (err < 0) {
		free(net);
		return err;
	}
	netstack_init(&net->stack);
	net_ns_begin(net);
	*ret = &net->ns;
	return 0;
}

static void uts_destroy(struct ns *ns)
{
	ns_fini(ns);
	free(container_of(ns, struct uts_ns, ns));
}

static int uts_copy(const struct uts_ns *from, struct user_ns *user_ns, struct ns **ret)
{
	struct uts_ns *uts = calloc(1, sizeof(*uts));
	int err;

	if (!uts)
		return -ENOMEM;
	err = ns_init(&uts->ns, NS_UTS, user_ns, uts_destroy);
	if (err < 0) {
		free(uts);
		return err;
	}
	memcpy(uts->hostname, from->hostname, sizeof(uts->hostname));
	memcpy(uts->domainname, from->domainname, sizeof(uts->domainname));
	*ret = &uts->ns;
	return 0;
}

static int make(const struct nsproxy *from, enum ns_kind kind, const struct task *task,
	struct user_ns *user_ns, struct fs_context *fs, struct ns **ret)
{
	struct mnt_ns *mnt;
	int err;

	switch (kind) {
	case NS_MNT:
		err = mnt_ns_copy(mnt_ns_of(from->ns[NS_MNT]), user_ns, fs, &mnt);
		if (err == 0)
			*ret = &mnt->ns;
		return err;
	case NS_PID:
		/* One level at a time: the child goes below the present one. */
		if (pid_ns_of(from->ns[NS_PID]) != task_pid_ns(task))
			return -EINVAL;
		return pid_ns_new(task_pid_ns(task), user_ns, ret);
	case NS_UTS:
		return uts_copy(container_of(from->ns[NS_UTS], struct uts_ns, ns), user_ns, ret);
	case NS_IPC:
		return ipc_ns_new(user_ns, ret);
	case NS_NET:
		return net_new(user_ns, ret);
	default:
		return plain_new(kind, user_ns, ret);
	}
}

int nsproxy_copy(const struct nsproxy *from, uint64_t flags, const struct task *task,
	struct user_ns *user_ns, struct fs_context *fs, struct nsproxy **ret)
{
	static const enum ns_kind order[] = {
		NS_UTS, NS_IPC, NS_PID, NS_NET, NS_CGROUP, NS_TIME, NS_MNT};
	struct nsproxy *proxy;
	int err = nsproxy_dup(from, &proxy);

	/* The mount namespace last: it changes @fs. */
	for (size_t i = 0; err == 0 && i < sizeof(order) / sizeof(order[0]); i++) {
		enum ns_kind kind = order[i];
		struct ns **slot = kind == NS_TIME ? &proxy->time_for_children : &proxy->ns[kind];
		struct ns *ns = NULL;

		if (!(flags & ns_kind_flag(kind)))
			continue;
		err = make(from, kind, task, user_ns, fs, &ns);
		if (err == 0) {
			ns_unref(*slot);
			*slot = ns;
		} else {
			nsproxy_unref(proxy);
		}
	}
	if (err == 0)
		*ret = proxy;
	return err;
}

/* ---- user namespaces ------------------------------------------------------------------------- */

void cred_enter_user_ns(struct cred *cred, struct user_ns *ns)
{
	struct user_ns *old = cred->user_ns;

	cred->user_ns = user_ns_ref(ns);
	user_ns_unref(old);
	cred->securebits = 0;
	cred->cap_inheritable = 0;
	cred->cap_permitted = cred->cap_effective = cred->cap_bounding = LX_CAP_FULL_SET;
	cred->cap_ambient = 0;
}

/* current_chrooted(): a namespace would give it the means to get out. */
static bool is_chrooted(const struct task *task)
{
	const struct path *root = &task->fs->root;
	struct path top = {.mount = task_mnt_ns(task)->root};
	bool chrooted;

	/* The root was unmounted, so that nobody's is it. */
	if (!top.mount)
		return true;
	top.dentry = top.mount->root;
	path_ref(&top);
	path_to_top(&top);
	chrooted = root->mount != top.mount || root->dentry != top.dentry;
	path_unref(&top);
	return chrooted;
}

/* create_user_ns() */
int user_ns_create(const struct task *task, struct cred **ret)
{
	const struct cred *old = task->cred;
	struct user_ns *ns;
	struct cred *cred;
	int err;

	if (old->user_ns->level + 1 >= USER_NS_LEVEL_MAX)
		return -ENOSPC;
	if (is_chrooted(task))
		return -EPERM;
	/* Its maker needs a name in the parent. */
	if (user_ns_uid_or_none(old->user_ns, old->euid) == ID_INVALID ||
		user_ns_gid_or_none(old->user_ns, old->egid) == ID_INVALID)
		return -EPERM;
	err = cred_copy(old, old->group_count, &cred);
	if (err < 0)
		return err;
	err = user_ns_new(old->user_ns, old->euid, old->egid, &ns);
	if (err < 0) {
		cred_unref(cred);
		return err;
	}
	ns->parent_could_setfcap = cred_own_capable(old, LX_CAP_SETFCAP);
	cred_enter_user_ns(cred, ns);
	user_ns_unref(ns);
	*ret = cred;
	return 0;
}

bool task_ns_capable(const struct task *task, enum ns_kind kind, int capability)
{
	return cred_ns_capable(task->cred, task->nsproxy->ns[kind]->user_ns, capability);
}

struct ns *task_namespace(struct task *task, const char *name)
{
	if (strcmp(name, "user") == 0)
		return ns_ref(&task->cred->user_ns->ns);
	if (strcmp(name, "pid") == 0)
		return ns_ref(&task_pid_ns(task)->ns);
	if (!task->nsproxy)
		return NULL;
	if (strcmp(name, "pid_for_children") == 0)
		return ns_ref(task->nsproxy->ns[NS_PID]);
	if (strcmp(name, "time_for_children") == 0)
		return ns_ref(task->nsproxy->time_for_children);
	for (int kind = 0; kind < NS_KINDS; kind++)
		if (task->nsproxy->ns[kind] && strcmp(name, ns_kind_name(kind)) == 0)
			return ns_ref(task->nsproxy->ns[kind]);
	return NULL;
}
