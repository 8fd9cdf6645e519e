/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_NSPROXY_H
#define SENTRY_SENTRY_NSPROXY_H

#include "netstack/inet.h"
#include "sentry/task.h"
#include "vfs/mnt_ns.h"

/*
 * The namespaces that a task is in (kernel nsproxy.c), but for the user namespace, which its
 * credentials name, and the PID namespace, which its number names: here is the one for its
 * children. Never changed once shared; a task gets another one as a whole.
 */
struct nsproxy {
	struct refcount refs;
	struct ns *ns[NS_KINDS];      /* owned; [NS_USER] is NULL */
	struct ns *time_for_children; /* owned */
};

struct uts_ns {
	struct ns ns;
	char hostname[65], domainname[65];
};

/* A network: its interfaces (netstack/netif.h), and who talks over them. */
struct net_ns {
	struct ns ns;
	struct netstack stack;
	uint32_t ping_first,
		ping_last; /* groups that may have ping sockets (icmp(7)); kernel ids */
};

/* The first namespaces, with what the command line says. */
void nsproxy_init_first(const char *hostname);
struct nsproxy *nsproxy_first(void); /* borrowed */
struct nsproxy *nsproxy_ref(struct nsproxy *proxy);
void nsproxy_unref(struct nsproxy *proxy);

/*
 * Those of @from, but new ones for each LX_CLONE_NEW* in @flags (NEWUSER is not looked at), which
 * belong to @user_ns; the paths of @fs follow into a new mount namespace. -ENOSPC, -ENOMEM,
 * -EINVAL.
 */
int nsproxy_copy(const struct nsproxy *from, uint64_t flags, const struct task *task,
	struct user_ns *user_ns, struct fs_context *fs, struct nsproxy **ret);
/* A copy to change before anybody has it. */
int nsproxy_dup(const struct nsproxy *from, struct nsproxy **ret);
void nsproxy_set(struct nsproxy *proxy, struct ns **slot, struct ns *ns); /* takes a reference */

/* LX_CLONE_NEWUSER: credentials with all capabilities in a new child namespace of @task's; to be
 * put in place by the caller. -EPERM, -ENOSPC, -ENOMEM. */
int user_ns_create(const struct task *task, struct cred **ret);
/* create_user_ns()'s set_cred_user_ns(): @cred enters @ns (whose reference is taken) with every
 * capability. */
void cred_enter_user_ns(struct cred *cred, struct user_ns *ns);

static inline struct uts_ns *task_uts(const struct task *task)
{
	return container_of(task->nsproxy->ns[NS_UTS], struct uts_ns, ns);
}

static inline struct mnt_ns *task_mnt_ns(const struct task *task)
{
	return mnt_ns_of(task->nsproxy->ns[NS_MNT]);
}

/* Capabilities over what @task's namespaces are about. */
bool task_ns_capable(const struct task *task, enum ns_kind kind, int capability);

/* An open file that stands for @ns, as /proc/PID/ns/KIND is one; and what such a file is about,
 * borrowed, NULL when @file is none. sentry/nsfs.c */
int nsfs_path(struct ns *ns, struct path *ret);
struct ns *nsfs_file_ns(const struct file *file);
int nsfs_open(struct ns *ns, struct file **ret);
/* The namespace of @task that /proc/PID/ns/@name is about; owned, NULL: none such. */
struct ns *task_namespace(struct task *task, const char *name);

#endif
