/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the guest is told of the host's hardware, read once before confinement: the processors this
 * process may use, numbered from 0, and how much memory there is.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
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

int procfs_capture_host(void)
{
	unsigned long long kib = 0;
	FILE *file = fopen("/proc/meminfo", "re");

	if (file) {
		if (fscanf(file, "MemTotal: %llu kB", &kib) == 1)
			procfs_host.memory_size = kib * 1024;
		(void)fclose(file);
	}
	return capture_processors();
}
