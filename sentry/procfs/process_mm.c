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

/*
 * How much of a process is resident is known (statm of the host), anonymous pages and those of
 * files apart, but not where. Each mapping gets of its kind's pages what its size has of all the
 * sizes: sums are right, single lines an estimate.
 */
struct residency {
	uint64_t anon, files;		   /* bytes that are resident */
	uint64_t anon_mapped, file_mapped; /* bytes of mappings of each kind */
};

static bool vma_is_anon(const struct vma *vma)
{
	return !vma->shared && (!vma->file || vma->prot & LX_PROT_WRITE);
}

static void residency_of(const struct task *task, const struct mm *mm, struct residency *ret)
{
	struct residency r = {0};

	r.anon = proc_resident_size(task, &r.files);
	r.anon -= r.files;
	for (size_t i = 0; i < mm->vma_count; i++) {
		const struct vma *vma = mm->vmas[i];

		*(vma_is_anon(vma) ? &r.anon_mapped : &r.file_mapped) += vma->end - vma->start;
	}
	*ret = r;
}

static uint64_t vma_resident(const struct residency *r, const struct vma *vma)
{
	uint64_t size = vma->end - vma->start;
	uint64_t resident = vma_is_anon(vma) ? r->anon : r->files;
	uint64_t mapped = vma_is_anon(vma) ? r->anon_mapped : r->file_mapped;

	if (vma->prot == LX_PROT_NONE || !mapped)
		return 0;
	return min_of(size, (uint64_t)((double)size * (double)resident / (double)mapped)) &
	       LX_PAGE_MASK;
}

/* __show_smap() in kernel fs/proc/task_mmu.c; sizes in KiB. */
static void show_residency(struct seq *seq, uint64_t anon, uint64_t files, bool rollup)
{
	unsigned long long a = anon / 1024, f = files / 1024;

	seq_printf(seq, "Rss:            %8llu kB\nPss:            %8llu kB\n", a + f, a + f);
	seq_printf(seq, "Pss_Dirty:      %8llu kB\n", a);
	if (rollup)
		seq_printf(seq,
			"Pss_Anon:       %8llu kB\nPss_File:       %8llu kB\n"
			"Pss_Shmem:      %8u kB\n",
			a, f, 0u);
	seq_printf(seq,
		"Shared_Clean:   %8u kB\nShared_Dirty:   %8u kB\nPrivate_Clean:  %8llu kB\n"
		"Private_Dirty:  %8llu kB\nReferenced:     %8llu kB\nAnonymous:      %8llu kB\n",
		0u, 0u, f, a, a + f, a);
	static const char *const none[] = {
		"KSM:", "LazyFree:", "AnonHugePages:", "ShmemPmdMapped:", "FilePmdMapped:",
		"Shared_Hugetlb:", "Private_Hugetlb:", "Swap:", "SwapPss:", "Locked:"};
	for (size_t i = 0; i < array_size(none); i++)
		seq_printf(seq, "%-15s %8u kB\n", none[i], 0u);
}

int proc_show_smaps(const struct pseudo_node *node, struct seq *seq)
{
	struct mm *mm = node_mm(node);
	struct residency residency;

	if (!mm)
		return 0;
	mm_ref(mm);
	residency_of(pseudo_task(node), mm, &residency);
	for (size_t i = 0; i < mm->vma_count && !seq->failed; i++) {
		const struct vma *vma = mm->vmas[i];
		uint64_t resident = vma_resident(&residency, vma);

		show_vma(seq, vma);
		seq_printf(seq,
			"Size:           %8llu kB\nKernelPageSize: %8u kB\nMMUPageSize:    %8u "
			"kB\n",
			(unsigned long long)((vma->end - vma->start) / 1024), 4u, 4u);
		show_residency(seq, vma_is_anon(vma) ? resident : 0,
			vma_is_anon(vma) ? 0 : resident, false);
		seq_printf(seq, "THPeligible:    %8u\n", 0u);
		show_vma_flags(seq, vma);
		vma_turn(i);
	}
	mm_unref(mm);
	return 0;
}

int proc_show_smaps_rollup(const struct pseudo_node *node, struct seq *seq)
{
	const struct mm *mm = node_mm(node);
	uint64_t resident, files;
	size_t line = seq->size;

	if (!mm)
		return -ESRCH;
	resident = proc_resident_size(pseudo_task(node), &files);
	seq_printf(seq, "%08llx-%08llx ---p 00000000 00:00 0 ",
		mm->vma_count ? (unsigned long long)mm->vmas[0]->start : 0,
		mm->vma_count ? (unsigned long long)mm->vmas[mm->vma_count - 1]->end : 0);
	seq_pad(seq, line, NAME_COLUMN);
	seq_puts(seq, "[rollup]\n");
	show_residency(seq, resident - files, files, true);
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
