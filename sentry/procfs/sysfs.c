/* SPDX-License-Identifier: Apache-2.0 */
/* /sys: the processors, one memory node, transparent huge pages, and directories that programs
 * expect to exist. sysfs(5). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "sentry/procfs/procfs_private.h"

static void show_list(struct seq *seq, unsigned count)
{
	if (count > 1)
		seq_printf(seq, "0-%u\n", count - 1);
	else
		seq_puts(seq, "0\n");
}

/* A mask of processors in words of 32 bits, the highest first. */
static void show_mask(struct seq *seq, unsigned count, unsigned first, unsigned last)
{
	for (unsigned word = (count + 31) / 32; word-- > 0;) {
		unsigned width = min_of(count - word * 32, 32u);
		uint32_t bits = 0;

		for (unsigned bit = 0; bit < width; bit++)
			if (word * 32 + bit >= first && word * 32 + bit <= last)
				bits |= 1u << bit;
		seq_printf(seq, "%0*x%s", (int)(width + 3) / 4, bits, word ? "," : "\n");
	}
}

static int show_cpus(const struct pseudo_node *node, struct seq *seq)
{
	show_list(seq, procfs_host.cpu_count);
	return 0;
}

static int show_all_mask(const struct pseudo_node *node, struct seq *seq)
{
	show_mask(seq, procfs_host.cpu_count, 0, procfs_host.cpu_count - 1);
	return 0;
}

static int show_own_mask(const struct pseudo_node *node, struct seq *seq)
{
	show_mask(seq, procfs_host.cpu_count, (unsigned)node->number, (unsigned)node->number);
	return 0;
}

static int show_own_number(const struct pseudo_node *node, struct seq *seq)
{
	seq_printf(seq, "%d\n", node->number);
	return 0;
}

static int show_empty_list(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "\n");
	return 0;
}

static int show_zero(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "0\n");
	return 0;
}

static int show_kernel_max(const struct pseudo_node *node, struct seq *seq)
{
	seq_printf(seq, "%u\n", procfs_host.cpu_count - 1);
	return 0;
}

static int show_thp(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "always [madvise] never\n");
	return 0;
}

static int show_thp_defrag(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "always defer defer+madvise [madvise] never\n");
	return 0;
}

static int show_thp_size(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "2097152\n");
	return 0;
}

static const struct pseudo_entry topology_entries[] = {
	PSEUDO_FILE("core_cpus", 0444, show_own_mask),
	PSEUDO_FILE("core_cpus_list", 0444, show_own_number),
	PSEUDO_FILE("core_id", 0444, show_own_number),
	PSEUDO_FILE("core_siblings", 0444, show_all_mask),
	PSEUDO_FILE("core_siblings_list", 0444, show_cpus),
	PSEUDO_FILE("die_id", 0444, show_zero),
	PSEUDO_FILE("package_cpus", 0444, show_all_mask),
	PSEUDO_FILE("package_cpus_list", 0444, show_cpus),
	PSEUDO_FILE("physical_package_id", 0444, show_zero),
	PSEUDO_FILE("thread_siblings", 0444, show_own_mask),
	PSEUDO_FILE("thread_siblings_list", 0444, show_own_number),
};

static const struct pseudo_entry one_cpu_entries[] = {
	PSEUDO_DIR("topology", topology_entries),
};

static const struct pseudo_entry one_cpu_dir = PSEUDO_DIR("cpuN", one_cpu_entries);

static int lookup_cpu(const struct pseudo_node *dir, const char *name, struct pseudo_node *ret)
{
	char expected[32];
	unsigned number;

	if (sscanf(name, "cpu%u", &number) != 1 || number >= procfs_host.cpu_count)
		return -ENOENT;
	(void)snprintf(expected, sizeof(expected), "cpu%u", number);
	if (strcmp(expected, name) != 0)
		return -ENOENT;
	*ret = (struct pseudo_node){.entry = &one_cpu_dir, .number = (int)number};
	return 0;
}

static bool next_cpu(
	const struct pseudo_node *dir, int64_t *cursor, char name[32], struct pseudo_node *ret)
{
	if (*cursor < 0 || *cursor >= procfs_host.cpu_count)
		return false;
	*ret = (struct pseudo_node){.entry = &one_cpu_dir, .number = (int)*cursor};
	(void)snprintf(name, 32, "cpu%d", (int)(*cursor)++);
	return true;
}

static const struct pseudo_dynamic cpu_names = {.lookup = lookup_cpu, .next = next_cpu};

static const struct pseudo_entry cpu_entries[] = {
	PSEUDO_FILE("isolated", 0444, show_empty_list),
	PSEUDO_FILE("kernel_max", 0444, show_kernel_max),
	PSEUDO_FILE("offline", 0444, show_empty_list),
	PSEUDO_FILE("online", 0444, show_cpus),
	PSEUDO_FILE("possible", 0444, show_cpus),
	PSEUDO_FILE("present", 0444, show_cpus),
};

static const struct pseudo_entry node0_entries[] = {
	PSEUDO_FILE("cpulist", 0444, show_cpus),
	PSEUDO_FILE("cpumap", 0444, show_all_mask),
};

static const struct pseudo_entry memory_node_entries[] = {
	PSEUDO_FILE("has_cpu", 0444, show_zero),
	PSEUDO_FILE("has_memory", 0444, show_zero),
	PSEUDO_FILE("has_normal_memory", 0444, show_zero),
	PSEUDO_DIR("node0", node0_entries),
	PSEUDO_FILE("online", 0444, show_zero),
	PSEUDO_FILE("possible", 0444, show_zero),
};

#define EMPTY_DIR(name_)                                                                           \
	{                                                                                          \
		.name = (name_), .mode = LX_S_IFDIR | 0555                                         \
	}

static const struct pseudo_entry system_entries[] = {
	{.name = "cpu",
		.mode = LX_S_IFDIR | 0555,
		.children = cpu_entries,
		.child_count = array_size(cpu_entries),
		.dynamic = &cpu_names},
	PSEUDO_DIR("node", memory_node_entries),
};

static const struct pseudo_entry device_entries[] = {PSEUDO_DIR("system", system_entries)};

static const struct pseudo_entry thp_entries[] = {
	PSEUDO_FILE("defrag", 0444, show_thp_defrag),
	PSEUDO_FILE("enabled", 0444, show_thp),
	PSEUDO_FILE("hpage_pmd_size", 0444, show_thp_size),
};

static const struct pseudo_entry mm_entries[] = {
	EMPTY_DIR("hugepages"),
	PSEUDO_DIR("transparent_hugepage", thp_entries),
};

static const struct pseudo_entry kernel_entries[] = {PSEUDO_DIR("mm", mm_entries)};

static const struct pseudo_entry fs_entries[] = {EMPTY_DIR("cgroup")};

static const struct pseudo_entry class_entries[] = {EMPTY_DIR("net"), EMPTY_DIR("tty")};

static const struct pseudo_entry root_entries[] = {
	EMPTY_DIR("block"),
	EMPTY_DIR("bus"),
	PSEUDO_DIR("class", class_entries),
	EMPTY_DIR("dev"),
	PSEUDO_DIR("devices", device_entries),
	EMPTY_DIR("firmware"),
	PSEUDO_DIR("fs", fs_entries),
	PSEUDO_DIR("kernel", kernel_entries),
	EMPTY_DIR("module"),
};

static const struct pseudo_entry root_dir = PSEUDO_DIR("/", root_entries);

int sysfs_new(struct super_block **ret)
{
	return pseudo_new("sysfs", LX_SYSFS_MAGIC, &root_dir, ret);
}
