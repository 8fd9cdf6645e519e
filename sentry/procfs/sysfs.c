/* SPDX-License-Identifier: Apache-2.0 */
/* /sys: the processors and their caches, one memory node, transparent huge pages, and directories
 * that programs expect to exist. sysfs(5). */
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

/* From a node to itself: LOCAL_DISTANCE. */
static int show_distance(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "10\n");
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

/* ---- caches: the number of a node is cpu * PROCFS_CACHES_MAX + index --------------------------
 */

static const struct procfs_cache *cache_of(const struct pseudo_node *node)
{
	return &procfs_host.caches[node->number % PROCFS_CACHES_MAX];
}

/* As the processors are shown, without siblings, only the last level is common to them. */
static bool cache_is_shared(const struct pseudo_node *node)
{
	return cache_of(node)->level[0] >= '3';
}

#define CACHE_VALUE(field_)                                                                        \
	static int show_cache_##field_(const struct pseudo_node *node, struct seq *seq)            \
	{                                                                                          \
		seq_printf(seq, "%s\n", cache_of(node)->field_);                                   \
		return 0;                                                                          \
	}

CACHE_VALUE(level)
CACHE_VALUE(type)
CACHE_VALUE(size)
CACHE_VALUE(line_size)
CACHE_VALUE(sets)
CACHE_VALUE(ways)

static int show_cache_partition(const struct pseudo_node *node, struct seq *seq)
{
	seq_puts(seq, "1\n");
	return 0;
}

static int show_cache_id(const struct pseudo_node *node, struct seq *seq)
{
	seq_printf(seq, "%d\n", cache_is_shared(node) ? 0 : node->number / PROCFS_CACHES_MAX);
	return 0;
}

static int show_cache_cpus(const struct pseudo_node *node, struct seq *seq)
{
	if (cache_is_shared(node))
		show_list(seq, procfs_host.cpu_count);
	else
		seq_printf(seq, "%d\n", node->number / PROCFS_CACHES_MAX);
	return 0;
}

static int show_cache_mask(const struct pseudo_node *node, struct seq *seq)
{
	unsigned cpu = (unsigned)node->number / PROCFS_CACHES_MAX;

	if (cache_is_shared(node))
		show_mask(seq, procfs_host.cpu_count, 0, procfs_host.cpu_count - 1);
	else
		show_mask(seq, procfs_host.cpu_count, cpu, cpu);
	return 0;
}

static const struct pseudo_entry one_cache_entries[] = {
	PSEUDO_FILE("coherency_line_size", 0444, show_cache_line_size),
	PSEUDO_FILE("id", 0444, show_cache_id),
	PSEUDO_FILE("level", 0444, show_cache_level),
	PSEUDO_FILE("number_of_sets", 0444, show_cache_sets),
	PSEUDO_FILE("physical_line_partition", 0444, show_cache_partition),
	PSEUDO_FILE("shared_cpu_list", 0444, show_cache_cpus),
	PSEUDO_FILE("shared_cpu_map", 0444, show_cache_mask),
	PSEUDO_FILE("size", 0444, show_cache_size),
	PSEUDO_FILE("type", 0444, show_cache_type),
	PSEUDO_FILE("ways_of_associativity", 0444, show_cache_ways),
};

static const struct pseudo_entry one_cache_dir = PSEUDO_DIR("indexN", one_cache_entries);

static int lookup_cache(const struct pseudo_node *dir, const char *name, struct pseudo_node *ret)
{
	unsigned index;

	if (strncmp(name, "index", 5) != 0 || name[5] < '0' || name[5] > '9' || name[6])
		return -ENOENT;
	index = (unsigned)(name[5] - '0');
	if (index >= procfs_host.cache_count)
		return -ENOENT;
	*ret = (struct pseudo_node){
		.entry = &one_cache_dir, .number = dir->number * PROCFS_CACHES_MAX + (int)index};
	return 0;
}

static bool next_cache(
	const struct pseudo_node *dir, int64_t *cursor, char name[32], struct pseudo_node *ret)
{
	if (*cursor < 0 || *cursor >= procfs_host.cache_count)
		return false;
	*ret = (struct pseudo_node){
		.entry = &one_cache_dir, .number = dir->number * PROCFS_CACHES_MAX + (int)*cursor};
	(void)snprintf(name, 32, "index%d", (int)(*cursor)++);
	return true;
}

static const struct pseudo_dynamic cache_names = {.lookup = lookup_cache, .next = next_cache};

/* ---- what the host says of its processors' weaknesses ------------------------------------------
 */

static int show_vulnerability(const struct pseudo_node *node, struct seq *seq)
{
	seq_printf(seq, "%s\n", procfs_host.vulnerabilities[node->number].text);
	return 0;
}

static const struct pseudo_entry vulnerability_file =
	PSEUDO_FILE("vulnerability", 0444, show_vulnerability);

static int lookup_vulnerability(
	const struct pseudo_node *dir, const char *name, struct pseudo_node *ret)
{
	for (unsigned i = 0; i < procfs_host.vulnerability_count; i++) {
		if (strcmp(procfs_host.vulnerabilities[i].name, name) != 0)
			continue;
		*ret = (struct pseudo_node){.entry = &vulnerability_file, .number = (int)i};
		return 0;
	}
	return -ENOENT;
}

static bool next_vulnerability(
	const struct pseudo_node *dir, int64_t *cursor, char name[32], struct pseudo_node *ret)
{
	if (*cursor < 0 || *cursor >= procfs_host.vulnerability_count)
		return false;
	*ret = (struct pseudo_node){.entry = &vulnerability_file, .number = (int)*cursor};
	strcpy(name, procfs_host.vulnerabilities[(*cursor)++].name);
	return true;
}

static const struct pseudo_dynamic vulnerability_names = {
	.lookup = lookup_vulnerability, .next = next_vulnerability};

/* ---- processors --------------------------------------------------------------------------------
 */

static const struct pseudo_entry one_cpu_entries[] = {
	{.name = "cache", .mode = LX_S_IFDIR | 0555, .dynamic = &cache_names},
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
	{.name = "vulnerabilities", .mode = LX_S_IFDIR | 0555, .dynamic = &vulnerability_names},
};

static const struct pseudo_entry node0_entries[] = {
	PSEUDO_FILE("cpulist", 0444, show_cpus),
	PSEUDO_FILE("cpumap", 0444, show_all_mask),
	PSEUDO_FILE("distance", 0444, show_distance),
	PSEUDO_FILE("meminfo", 0444, proc_show_node_meminfo),
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

static const struct pseudo_entry virtual_entries[] = {
	{.name = "net", .mode = LX_S_IFDIR | 0555, .dynamic = &sysfs_net_devices},
};

static const struct pseudo_entry device_entries[] = {
	PSEUDO_DIR("system", system_entries),
	PSEUDO_DIR("virtual", virtual_entries),
};

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

static const struct pseudo_entry class_entries[] = {EMPTY_DIR("block"),
	{.name = "net", .mode = LX_S_IFDIR | 0555, .dynamic = &sysfs_net_links},
	EMPTY_DIR("power_supply"), EMPTY_DIR("thermal"), EMPTY_DIR("tty")};

static const struct pseudo_entry dev_entries[] = {EMPTY_DIR("block"), EMPTY_DIR("char")};

static const struct pseudo_entry root_entries[] = {
	EMPTY_DIR("block"),
	EMPTY_DIR("bus"),
	PSEUDO_DIR("class", class_entries),
	PSEUDO_DIR("dev", dev_entries),
	PSEUDO_DIR("devices", device_entries),
	EMPTY_DIR("firmware"),
	PSEUDO_DIR("fs", fs_entries),
	PSEUDO_DIR("kernel", kernel_entries),
	EMPTY_DIR("module"),
};

static const struct pseudo_entry root_dir = PSEUDO_DIR("/", root_entries);

int sysfs_new(struct super_block **ret)
{
	return pseudo_new("sysfs", LX_SYSFS_MAGIC, &root_dir, NULL, ret);
}
