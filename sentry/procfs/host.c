/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest is told of the host's hardware, read once before confinement: the processors this
 * process may use, numbered from 0, and how much memory there is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/procfs/procfs_private.h"

#define CPUINFO_SIZE_MAX (4ul << 20)

struct procfs_host procfs_host = {.cpu_count = 1};

unsigned procfs_cpu_count(void)
{
	return procfs_host.cpu_count;
}

/* One processor's paragraph, with the numbers of the guest. */
static void add_processor(
	struct seq *seq, const char *text, const char *end, unsigned number, unsigned count)
{
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *next = newline ? newline + 1 : end;

		if (strncmp(text, "processor", 9) == 0)
			seq_printf(seq, "processor\t: %u\n", number);
		else if (strncmp(text, "siblings", 8) == 0)
			seq_printf(seq, "siblings\t: %u\n", count);
		else if (strncmp(text, "core id", 7) == 0)
			seq_printf(seq, "core id\t\t: %u\n", number);
		else if (strncmp(text, "cpu cores", 9) == 0)
			seq_printf(seq, "cpu cores\t: %u\n", count);
		else if (strncmp(text, "physical id", 11) == 0)
			seq_puts(seq, "physical id\t: 0\n");
		else if (strncmp(text, "apicid", 6) == 0)
			seq_printf(seq, "apicid\t\t: %u\n", number);
		else if (strncmp(text, "initial apicid", 14) == 0)
			seq_printf(seq, "initial apicid\t: %u\n", number);
		else
			seq_write(seq, text, (size_t)(next - text));
		text = next;
	}
	seq_puts(seq, "\n");
}

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "re");
	struct seq seq = {0};
	char buffer[4096];
	size_t got;

	while (file && (got = fread(buffer, 1, sizeof(buffer), file)) > 0 &&
		seq.size < CPUINFO_SIZE_MAX)
		seq_write(&seq, buffer, got);
	if (file)
		(void)fclose(file);
	seq_write(&seq, "", 1);
	if (seq.failed) {
		free(seq.data);
		return NULL;
	}
	return seq.data;
}

static int capture_processors(void)
{
	char *text = read_whole("/proc/cpuinfo");
	unsigned number = 0;
	struct seq seq = {0};
	cpu_set_t usable;

	if (!text)
		return -ENOMEM;
	if (sched_getaffinity(0, sizeof(usable), &usable) == 0)
		procfs_host.cpu_count = (unsigned)max_of(CPU_COUNT(&usable), 1);
	for (char *at = text; *at && number < procfs_host.cpu_count;) {
		char *end = strstr(at, "\n\n");
		unsigned host = UINT32_MAX;

		(void)sscanf(at, "processor : %u", &host);
		if (host < CPU_SETSIZE && CPU_ISSET(host, &usable))
			add_processor(&seq, at, end ? end + 1 : at + strlen(at), number++,
				procfs_host.cpu_count);
		if (!end)
			break;
		at = end + 2;
	}
	free(text);
	seq_write(&seq, "", 1);
	if (seq.failed)
		return -ENOMEM;
	free(procfs_host.cpuinfo);
	procfs_host.cpuinfo = seq.data;
	return 0;
}

/* The first line of a small file in @dir, without stdio: there are some 50 of them, read in each
 * start. "" when it is not there. */
static void read_line(char *to, size_t size, int dir, const char *path)
{
	_cleanup_close_ int fd = openat(dir, path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? 0 : read(fd, to, size - 1);

	to[got > 0 ? got : 0] = '\0';
	to[strcspn(to, "\n")] = '\0';
}

/* The first processor's caches stand for everybody's. */
static void capture_caches(void)
{
	_cleanup_close_ int dir =
		open("/sys/devices/system/cpu/cpu0/cache", O_PATH | O_DIRECTORY | O_CLOEXEC);

	for (unsigned i = 0; dir >= 0 && i < PROCFS_CACHES_MAX; i++) {
		struct procfs_cache *cache = &procfs_host.caches[i];
		const struct {
			const char *name;
			char *to;
			size_t size;
		} files[] = {
			{"level", cache->level, sizeof(cache->level)},
			{"type", cache->type, sizeof(cache->type)},
			{"size", cache->size, sizeof(cache->size)},
			{"coherency_line_size", cache->line_size, sizeof(cache->line_size)},
			{"number_of_sets", cache->sets, sizeof(cache->sets)},
			{"ways_of_associativity", cache->ways, sizeof(cache->ways)},
		};
		char path[64];

		for (size_t j = 0; j < array_size(files); j++) {
			(void)snprintf(path, sizeof(path), "index%u/%s", i, files[j].name);
			read_line(files[j].to, files[j].size, dir, path);
			if (!cache->level[0])
				return;
		}
		procfs_host.cache_count = i + 1;
	}
}

static int compare_vulnerabilities(const void *a, const void *b)
{
	return strcmp(((const struct procfs_vulnerability *)a)->name,
		((const struct procfs_vulnerability *)b)->name);
}

static void capture_vulnerabilities(void)
{
	DIR *dir = opendir("/sys/devices/system/cpu/vulnerabilities");
	const struct dirent *entry;
	unsigned count = 0;

	while (dir && count < PROCFS_VULNERABILITIES_MAX && (entry = readdir(dir)) != NULL) {
		struct procfs_vulnerability *v = &procfs_host.vulnerabilities[count];

		if (entry->d_name[0] == '.' || strlen(entry->d_name) >= sizeof(v->name))
			continue;
		strcpy(v->name, entry->d_name);
		read_line(v->text, sizeof(v->text), dirfd(dir), v->name);
		count += v->text[0] != '\0';
	}
	if (dir)
		(void)closedir(dir);
	qsort(procfs_host.vulnerabilities, count, sizeof(procfs_host.vulnerabilities[0]),
		compare_vulnerabilities);
	procfs_host.vulnerability_count = count;
}

int procfs_capture_host(void)
{
	long pages = sysconf(_SC_PHYS_PAGES);

	procfs_host.memory_size = pages > 0 ? (uint64_t)pages * LX_PAGE_SIZE : 0;
	capture_caches();
	capture_vulnerabilities();
	return capture_processors();
}
