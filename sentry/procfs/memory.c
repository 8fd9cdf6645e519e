/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest is told of memory: /proc/meminfo, /proc/vmstat, the memory node of /sys, and
 * sysinfo(2)'s numbers, which all agree.
 *
 * The machine's memory is the sandbox's limit. Used is what the limit counts: the resident pages of
 * all processes (of files, too, as often as they are mapped) and the files in memory. The page
 * cache behind them is the host's and counts for nobody, and nothing is ever reclaimed, so what is
 * free is all that is available.
 */
#include "base/checked.h"
#include "sentry/kernel.h"
#include "sentry/procfs/procfs_private.h"

void procfs_memory(struct procfs_memory *ret)
{
	uint64_t limit = kernel.config ? kernel.config->memory_limit : 0;
	struct proc_totals totals;
	struct procfs_memory memory = {.total = procfs_host.memory_size};

	if (!memory.total)
		memory.total = limit ? limit : 1ull << 30;
	else if (limit)
		memory.total = min_of(memory.total, limit);
	proc_count_all(&totals);
	/* Samples of many moments: each share only as far as there is room. */
	memory.anon = min_of(totals.resident - totals.resident_files, memory.total);
	memory.files = min_of(totals.resident_files, memory.total - memory.anon);
	memory.shmem = min_of(tmpfs_memory_used(), memory.total - memory.anon - memory.files);
	memory.free = memory.total - memory.anon - memory.files - memory.shmem;
	*ret = memory;
}

struct meminfo_line {
	const char *name;
	uint64_t size; /* bytes */
};

int proc_show_meminfo(const struct pseudo_node *node, struct seq *seq)
{
	struct procfs_memory memory;

	procfs_memory(&memory);
	const struct meminfo_line lines[] = {
		{"MemTotal:", memory.total},
		{"MemFree:", memory.free},
		{"MemAvailable:", memory.free},
		{"Buffers:", 0},
		{"Cached:", memory.files + memory.shmem},
		{"SwapCached:", 0},
		{"Active:", memory.anon + memory.files},
		{"Inactive:", memory.shmem},
		{"Active(anon):", memory.anon},
		{"Inactive(anon):", memory.shmem},
		{"Active(file):", memory.files},
		{"Inactive(file):", 0},
		{"Unevictable:", 0},
		{"Mlocked:", 0},
		{"SwapTotal:", 0},
		{"SwapFree:", 0},
		{"Dirty:", 0},
		{"Writeback:", 0},
		{"AnonPages:", memory.anon},
		{"Mapped:", memory.files},
		{"Shmem:", memory.shmem},
		{"KReclaimable:", 0},
		{"Slab:", 0},
		{"SReclaimable:", 0},
		{"SUnreclaim:", 0},
		{"KernelStack:", 0},
		{"PageTables:", 0},
		{"SecPageTables:", 0},
		{"NFS_Unstable:", 0},
		{"Bounce:", 0},
		{"WritebackTmp:", 0},
		{"CommitLimit:", memory.total},
		{"Committed_AS:", memory.anon + memory.shmem},
		{"VmallocTotal:", 34359738367ull * 1024},
		{"VmallocUsed:", 0},
		{"VmallocChunk:", 0},
		{"Percpu:", 0},
		{"AnonHugePages:", 0},
		{"ShmemHugePages:", 0},
		{"ShmemPmdMapped:", 0},
		{"FileHugePages:", 0},
		{"FilePmdMapped:", 0},
	};

	for (size_t i = 0; i < array_size(lines); i++)
		seq_printf(seq, "%-15s %8llu kB\n", lines[i].name,
			(unsigned long long)(lines[i].size / 1024));
	seq_puts(seq,
		"HugePages_Total:       0\nHugePages_Free:        0\nHugePages_Rsvd:        0\n"
		"HugePages_Surp:        0\nHugepagesize:       2048 kB\n"
		"Hugetlb:               0 kB\n");
	return 0;
}

/* The node's file has the same names in another dress: node_read_meminfo() in the kernel. */
int proc_show_node_meminfo(const struct pseudo_node *node, struct seq *seq)
{
	struct procfs_memory memory;

	procfs_memory(&memory);
	const struct meminfo_line lines[] = {
		{"MemTotal:", memory.total},
		{"MemFree:", memory.free},
		{"MemUsed:", memory.total - memory.free},
		{"SwapCached:", 0},
		{"Active:", memory.anon + memory.files},
		{"Inactive:", memory.shmem},
		{"Active(anon):", memory.anon},
		{"Inactive(anon):", memory.shmem},
		{"Active(file):", memory.files},
		{"Inactive(file):", 0},
		{"Unevictable:", 0},
		{"Mlocked:", 0},
		{"Dirty:", 0},
		{"Writeback:", 0},
		{"FilePages:", memory.files + memory.shmem},
		{"Mapped:", memory.files},
		{"AnonPages:", memory.anon},
		{"Shmem:", memory.shmem},
	};

	for (size_t i = 0; i < array_size(lines); i++)
		seq_printf(seq, "Node 0 %-15s %8llu kB\n", lines[i].name,
			(unsigned long long)(lines[i].size / 1024));
	seq_puts(seq, "Node 0 HugePages_Total:     0\nNode 0 HugePages_Free:      0\n"
		      "Node 0 HugePages_Surp:      0\n");
	return 0;
}

/* The counters that there is something to count for: nothing is paged in from a device of the
 * sandbox, swapped or reclaimed. */
int proc_show_vmstat(const struct pseudo_node *node, struct seq *seq)
{
	struct procfs_memory memory;
	struct proc_totals totals;

	procfs_memory(&memory);
	proc_count_all(&totals);
	const struct {
		const char *name;
		uint64_t value;
	} lines[] = {
		{"nr_free_pages", memory.free / LX_PAGE_SIZE},
		{"nr_inactive_anon", memory.shmem / LX_PAGE_SIZE},
		{"nr_active_anon", memory.anon / LX_PAGE_SIZE},
		{"nr_inactive_file", 0},
		{"nr_active_file", memory.files / LX_PAGE_SIZE},
		{"nr_unevictable", 0},
		{"nr_mlock", 0},
		{"nr_anon_pages", memory.anon / LX_PAGE_SIZE},
		{"nr_mapped", memory.files / LX_PAGE_SIZE},
		{"nr_file_pages", (memory.files + memory.shmem) / LX_PAGE_SIZE},
		{"nr_dirty", 0},
		{"nr_writeback", 0},
		{"nr_shmem", memory.shmem / LX_PAGE_SIZE},
		{"nr_kernel_stack", 0},
		{"nr_page_table_pages", 0},
		{"pgpgin", 0},
		{"pgpgout", 0},
		{"pswpin", 0},
		{"pswpout", 0},
		{"pgfault", totals.minor_faults + totals.major_faults},
		{"pgmajfault", totals.major_faults},
		{"oom_kill", kernel.memory_kills},
	};

	for (size_t i = 0; i < array_size(lines); i++)
		seq_printf(seq, "%s %llu\n", lines[i].name, (unsigned long long)lines[i].value);
	return 0;
}
