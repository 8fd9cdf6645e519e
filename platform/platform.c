/* SPDX-License-Identifier: Apache-2.0 */
#include "platform/platform.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"

const struct platform_ops *platform;
unsigned platform_cpu_quota = UINT32_MAX;

/* cpu.max of one control group: "max PERIOD" or "QUOTA PERIOD". In CPUs, rounded down; UINT_MAX: no
 * limit. */
static unsigned group_quota(const char *path)
{
	unsigned long quota, period;
	unsigned cpus = UINT32_MAX;
	char file[4300];
	FILE *stream;

	(void)snprintf(file, sizeof(file), "/sys/fs/cgroup%s/cpu.max", path);
	stream = fopen(file, "re");
	if (!stream)
		return cpus;
	if (fscanf(stream, "%lu %lu", &quota, &period) == 2 && period > 0)
		cpus = (unsigned)(quota / period);
	fclose(stream);
	return cpus;
}

void platform_capture_host(void)
{
	char line[4096], *slash;
	FILE *stream = fopen("/proc/self/cgroup", "re");

	if (!stream)
		return;
	while (fgets(line, sizeof(line), stream)) {
		char *path = line + 3;

		if (strncmp(line, "0::", 3) != 0)
			continue;
		path[strcspn(path, "\n")] = '\0';
		/* The limits of all groups above count as well. */
		for (;;) {
			platform_cpu_quota = min_of(platform_cpu_quota, group_quota(path));
			slash = strrchr(path, '/');
			if (!slash || path[0] == '\0')
				break;
			*slash = '\0';
		}
	}
	fclose(stream);
}

uint64_t platform_status_memory(const char *status)
{
	static const char *const lines[] = {"\nRssAnon:", "\nVmSwap:", "\nVmPTE:"};
	uint64_t total = 0, size;

	for (unsigned i = 0; i < array_size(lines); i++) {
		const char *line = strstr(status, lines[i]);

		if (line && sscanf(line + strlen(lines[i]), "%" SCNu64, &size) == 1)
			total += size * 1024;
	}
	return total;
}
