/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID: maps, smaps, cmdline, environ, auxv. Formats of kernel fs/proc/task_mmu.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/limits.h"
#include "abi/mman.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm.h"
#include "sentry/procfs/procfs_private.h"

/* Names start in this column: 25 + sizeof(void *) * 6 - 1. */
#define NAME_COLUMN 72

/* A program may have moved its strings (PR_SET_MM) or made them huge. */
#define STRINGS_SIZE_MAX (1u << 20)

static struct mm *node_mm(const struct pseudo_node *node)
{
	struct task *task = pseudo_task(node);

	return task ? task->mm : NULL;
}

static void show_vma_name(struct seq *seq, const struct vma *vma, size_t line)
{
	const struct path *root = seq->ctx->fs ? &seq->ctx->fs->root : NULL;
	char name[LX_PATH_MAX + 16];

	if (vma->file) {
		seq_pad(seq, line, NAME_COLUMN);
		if (path_name(&vma->file->path, root, name, sizeof(name)) >= 0)
			seq_escape(seq, name, "\n");
	} else if (vma->label) {
		seq_pad(seq, line, NAME_COLUMN);
		seq_puts(seq, vma->label);
	} else if (vma->anon_name) {
		seq_pad(seq, line, NAME_COLUMN);
		seq_printf(seq, vma->shared ? "[anon_shmem:%s]" : "[anon:%s]", vma->anon_name);
	} else if (vma->shared) {
		seq_pad(seq, line, NAME_COLUMN);
		seq_puts(seq, "/dev/zero (deleted)");
	}
	seq_puts(seq, "\n");
}

static void show_vma(struct seq *seq, const struct vma *vma)
{
	uint64_t dev = vma->file ? vma->file->inode->sb->dev : 0;
	size_t line = seq->size;

	seq_printf(seq, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ",
		(unsigned long long)vma->start, (unsigned long long)vma->end,
		vma->prot & LX_PROT_READ ? 'r' : '-', vma->prot & LX_PROT_WRITE ? 'w' : '-',
		vma->prot & LX_PROT_EXEC ? 'x' : '-', vma->shared ? 's' : 'p',
		(unsigned long long)(vma->file ? vma->offset : 0), lx_major(dev), lx_minor(dev),
		(unsigned long long)(vma->file ? vma->file->inode->ino : 0));
	show_vma_name(seq, vma, line);
}

#define VMAS_PER_TURN 256

/* A turn for the others; the list may be another one after it, the mm is not. */
static void vma_turn(size_t index)
{
	if (index % VMAS_PER_TURN == VMAS_PER_TURN - 1 && fiber_current())
		fiber_yield();
}

int proc_show_maps(const struct pseudo_node *node, struct seq *seq)
{
	struct mm *mm = node_mm(node);

	if (!mm)
		return 0;
	mm_ref(mm);
	for (size_t i = 0; i < mm->vma_count && !seq->failed; i++) {
		show_vma(seq, mm->vmas[i]);
		vma_turn(i);
	}
	mm_unref(mm);
	return 0;
}

static void show_vma_flags(struct seq *seq, const struct vma *vma)
{
	const struct {
		bool set;
		const char *name;
	} flags[] = {
		{vma->prot & LX_PROT_READ, "rd"},
		{vma->prot & LX_PROT_WRITE, "wr"},
		{vma->prot & LX_PROT_EXEC, "ex"},
		{vma->shared, "sh"},
		{vma->max_prot & LX_PROT_READ, "mr"},
		{vma->max_prot & LX_PROT_WRITE, "mw"},
		{vma->max_prot & LX_PROT_EXEC, "me"},
		{vma->grows_down, "gd"},
		{vma->locked, "lo"},
		{vma->dont_fork, "dc"},
		{vma->no_reserve, "nr"},
		{vma->wipe_on_fork, "wf"},
		{vma->dont_dump, "dd"},
	};

	seq_puts(seq, "VmFlags:");
	for (size_t i = 0; i < array_size(flags); i++)
		if (flags[i].set)
			seq_printf(seq, " %s", flags[i].name);
	seq_puts(seq, " \n");
}

/* The lines that are known: which pages are resident is the host's. */
int proc_show_smaps(const struct pseudo_node *node, struct seq *seq)
{
	struct mm *mm = node_mm(node);

	if (!mm)
		return 0;
	mm_ref(mm);
	for (size_t i = 0; i < mm->vma_count && !seq->failed; i++) {
		const struct vma *vma = mm->vmas[i];

		show_vma(seq, vma);
		seq_printf(seq,
			"Size:           %8llu kB\nKernelPageSize: %8u kB\nMMUPageSize:    %8u "
			"kB\n",
			(unsigned long long)((vma->end - vma->start) / 1024), 4u, 4u);
		show_vma_flags(seq, vma);
		vma_turn(i);
	}
	mm_unref(mm);
	return 0;
}

int proc_show_smaps_rollup(const struct pseudo_node *node, struct seq *seq)
{
	const struct mm *mm = node_mm(node);
	unsigned long long resident = proc_resident_size(pseudo_task(node)) / 1024;
	size_t line = seq->size;

	if (!mm)
		return -ESRCH;
	seq_printf(seq, "%08llx-%08llx ---p 00000000 00:00 0 ",
		mm->vma_count ? (unsigned long long)mm->vmas[0]->start : 0,
		mm->vma_count ? (unsigned long long)mm->vmas[mm->vma_count - 1]->end : 0);
	seq_pad(seq, line, NAME_COLUMN);
	seq_printf(seq, "[rollup]\nRss:            %8llu kB\nPss:            %8llu kB\n", resident,
		resident);
	return 0;
}

/* Of the reader's own memory as it is now, since programs overwrite it to show a title; of others
 * as at execve. */
static int show_strings(struct seq *seq, struct mm *mm, uint64_t start, uint64_t end,
	const char *saved, size_t saved_size)
{
	struct task *reader = task_current();
	size_t size = (size_t)min_of(end - start, (uint64_t)STRINGS_SIZE_MAX);
	_cleanup_free_ char *text = NULL;

	if (reader && reader->mm == mm && end > start) {
		text = malloc(size);
		if (!text)
			return -ENOMEM;
		if (guest_read(reader, text, GADDR(start), size) == 0) {
			seq_write(seq, text, size);
			return 0;
		}
	}
	if (saved)
		seq_write(seq, saved, saved_size);
	return 0;
}

int proc_show_cmdline(const struct pseudo_node *node, struct seq *seq)
{
	struct mm *mm = node_mm(node);
	int status;

	if (!mm)
		return 0;
	mm_ref(mm);
	status = show_strings(seq, mm, mm->arg_start, mm->arg_end, mm->cmdline, mm->cmdline_size);
	mm_unref(mm);
	return status;
}

int proc_show_environ(const struct pseudo_node *node, struct seq *seq)
{
	struct mm *mm = node_mm(node);
	int status;

	if (!mm)
		return 0;
	mm_ref(mm);
	status = show_strings(seq, mm, mm->env_start, mm->env_end, mm->environ, mm->environ_size);
	mm_unref(mm);
	return status;
}

int proc_show_auxv(const struct pseudo_node *node, struct seq *seq)
{
	const struct mm *mm = node_mm(node);

	if (mm)
		seq_write(seq, mm->auxv,
			min_of(mm->auxv_count, array_size(mm->auxv)) * sizeof(mm->auxv[0]));
	return 0;
}
