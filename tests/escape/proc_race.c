/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Threads that read one long file of /proc by one descriptor, from its start: each read makes the
 * text anew while another's copy is under way.
 */
#include "armed.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SIZE (1u << 20)

static int fd;
static time_t end;

static void *read_all(void *buffer)
{
	while (time(NULL) < end)
		if (pread(fd, buffer, SIZE, 0) < 4096)
			return (void *)1;
	return NULL;
}

int main(void)
{
	pthread_t threads[4];
	int failed = 0;

	for (int i = 0; i < 4000; i++)
		(void)mmap(NULL, 4096, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);
	fd = open("/proc/self/maps", O_RDONLY);
	end = time(NULL) + 3;
	for (int i = 0; i < 4; i++)
		if (pthread_create(&threads[i], NULL, read_all, malloc(SIZE)) != 0)
			return 2;
	for (int i = 0; i < 4; i++) {
		void *result;

		(void)pthread_join(threads[i], &result);
		failed |= result != NULL;
	}
	puts(failed ? "short" : "alive");
	return 0;
}
