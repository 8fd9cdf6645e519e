/* SPDX-License-Identifier: Apache-2.0 */
/*
 * main() for fuzz targets in builds without libFuzzer: runs the target on each file of the
 * directories given, so that the corpus is a regression test everywhere.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX (1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay_directory(const char *path, uint8_t *buffer, unsigned *count)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	char name[4096];

	if (!directory) {
		perror(path);
		return 1;
	}
	while ((entry = readdir(directory))) {
		FILE *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		file = fopen(name, "rb");
		if (!file) {
			perror(name);
			closedir(directory);
			return 1;
		}
		LLVMFuzzerTestOneInput(buffer, fread(buffer, 1, INPUT_MAX, file));
		fclose(file);
		++*count;
	}
	closedir(directory);
	return 0;
}

int main(int argc, char **argv)
{
	uint8_t *buffer = malloc(INPUT_MAX);
	unsigned count = 0;
	int status = !buffer;

	for (int i = 1; i < argc && !status; i++)
		status = replay_directory(argv[i], buffer, &count);
	printf("%u inputs\n", count);
	free(buffer);
	return status || !count;
}
