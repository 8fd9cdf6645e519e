/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/sysvipc (sysvipc(7)): a line for each object, in the order of their indices. */
#include "abi/msg.h"
#include "sentry/ipc/ipc.h"
#include "sentry/procfs/procfs_private.h"

#define OWNERS_FORMAT "%5u %5u %5u %5u"
#define OWNERS(perm)  (perm).uid, (perm).gid, (perm).cuid, (perm).cgid

typedef unsigned long long ull;

static void show_shm_line(struct seq *seq, const struct ipc_object *object)
{
	struct lx_shmid_ds ds;

	shm_fill(object, &ds);
	seq_printf(seq,
		"%10d %10d  %4o %21llu %5d %5d  %5llu " OWNERS_FORMAT
		" %10lld %10lld %10lld %21llu %21llu\n",
		object->key, object->id, ds.shm_perm.mode, (ull)ds.shm_segsz, ds.shm_cpid,
		ds.shm_lpid, (ull)ds.shm_nattch, OWNERS(ds.shm_perm), (long long)ds.shm_atime,
		(long long)ds.shm_dtime, (long long)ds.shm_ctime, (ull)ds.shm_segsz, 0ull);
}

static void show_sem_line(struct seq *seq, const struct ipc_object *object)
{
	struct lx_semid_ds ds;

	sem_fill(object, &ds);
	seq_printf(seq, "%10d %10d  %4o %10llu " OWNERS_FORMAT " %10lld %10lld\n", object->key,
		object->id, ds.sem_perm.mode, (ull)ds.sem_nsems, OWNERS(ds.sem_perm),
		(long long)ds.sem_otime, (long long)ds.sem_ctime);
}

static void show_msg_line(struct seq *seq, const struct ipc_object *object)
{
	struct lx_msqid_ds ds;

	msg_fill(object, &ds);
	seq_printf(seq,
		"%10d %10d  %4o  %10llu %10llu %5d %5d " OWNERS_FORMAT " %10lld %10lld %10lld\n",
		object->key, object->id, ds.msg_perm.mode, (ull)ds.msg_cbytes, (ull)ds.msg_qnum,
		ds.msg_lspid, ds.msg_lrpid, OWNERS(ds.msg_perm), (long long)ds.msg_stime,
		(long long)ds.msg_rtime, (long long)ds.msg_ctime);
}

static void show_all(struct seq *seq, const struct ipc_table *table,
	void (*show)(struct seq *seq, const struct ipc_object *object))
{
	for (size_t i = 0; i < table->capacity; i++)
		if (table->slots[i])
			show(seq, table->slots[i]);
}

static int show_shm(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq,
		"       key      shmid perms                  size  cpid  lpid nattch   uid   "
		"gid  cuid  cgid      atime      dtime      ctime                   rss      "
		"            swap\n");
	show_all(seq, &ipc_here()->shm, show_shm_line);
	return 0;
}

static int show_sem(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "       key      semid perms      nsems   uid   gid  cuid  cgid      otime "
		      "     ctime\n");
	show_all(seq, &ipc_here()->sem, show_sem_line);
	return 0;
}

static int show_msg(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid "
		      " cuid  cgid      stime      rtime      ctime\n");
	show_all(seq, &ipc_here()->msg, show_msg_line);
	return 0;
}

const struct pseudo_entry proc_sysvipc_entries[3] = {
	PSEUDO_FILE("msg", 0444, show_msg),
	PSEUDO_FILE("sem", 0444, show_sem),
	PSEUDO_FILE("shm", 0444, show_shm),
};
