/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Files that every program opens and maps, in a program that is started after others have done so:
 * a kernel may have told it by then what they are, so that it does without asking what a dynamic
 * linker does. Nobody must be able to tell.
 */
#include "case.h"

#include <link.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>

#define STEP	"KNOWN_STEP"
#define WARMING 8
#define PAGE	4096ul

extern char **environ;

static char library[256];

static int find_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	if (!strstr(info->dlpi_name, "libc.so"))
		return 0;
	(void)snprintf(library, sizeof(library), "%s", info->dlpi_name);
	return 1;
}

static uint64_t sum(const uint8_t *bytes, size_t size)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < size; i++)
		sum = sum * 31 + bytes[i];
	return sum;
}

static void note_descriptors(const char *what)
{
	char used[65] = "";

	for (int i = 3; i < 20; i++)
		strcat(used, fcntl(i, F_GETFD) < 0 ? "." : fcntl(i, F_GETFD) ? "c" : "x");
	NOTE("%s: %s", what, used);
}

static void step_warm(void)
{
	for (int i = 0; i < 3; i++) {
		int fd = open(library, O_RDONLY);
		void *at = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);

		munmap(at, 3 * PAGE);
		close(fd);
	}
}

static void step_open(void)
{
	struct stat one, two;
	char bytes[2000];
	int a = open(library, O_RDONLY), b = open(library, O_RDONLY | O_CLOEXEC), c;

	NOTE("%d %d", a, b);
	note_descriptors("two");
	CALL(close(a));
	c = open(library, O_RDONLY | O_NOCTTY);
	NOTE("%d", c);
	note_descriptors("again");
	CALL(dup(b));
	CALL(open(library, O_RDONLY));
	CALL(close(4));
	CALL(open(library, O_RDONLY));
	note_descriptors("many");
	CALL(fstat(b, &one));
	CALL(stat(library, &two));
	NOTE("%d", memcmp(&one, &two, sizeof(one)));
	NOTE("flags %x", fcntl(c, F_GETFL));
	CALL(read(c, bytes, 800));
	NOTE("%lx", sum((uint8_t *)bytes, 800));
	CALL(lseek(c, 0, SEEK_CUR));
	CALL(read(c, bytes, 64));
	CALL(read(c, bytes, 64));
	NOTE("%lx", sum((uint8_t *)bytes, 64));
	CALL(pread(c, bytes, 784, 64));
	NOTE("%lx", sum((uint8_t *)bytes, 784));
	CALL(lseek(c, 0, SEEK_CUR));
	CALL(read(c, BAD_ADDRESS, 10));
	CALL(pread(c, BAD_ADDRESS, 10, 5));
	CALL(lseek(c, 0, SEEK_CUR));
	CALL(write(c, bytes, 1));
	CALL(lseek(c, 10, SEEK_SET));
	CALL(read(c, bytes, 2000));
	NOTE("%lx", sum((uint8_t *)bytes, 2000));
	CALL(open(library, O_RDONLY | O_DIRECTORY));
	CALL(open(library, O_CREAT | O_EXCL, 0600));
}

static void step_shared(void)
{
	int fd = open(library, O_RDONLY), status, pipes[2];
	char bytes[16], target[300], got[300];

	if (fork() == 0) {
		CALL(read(fd, bytes, 16));
		_exit(open(library, O_RDONLY));
	}
	wait(&status);
	NOTE("%d", WEXITSTATUS(status));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(read(fd, bytes, 4));
	NOTE("%d", memcmp(bytes, "\177ELF", 4));
	(void)snprintf(target, sizeof(target), "/proc/self/fd/%d", open(library, O_RDONLY));
	memset(bytes, 0, sizeof(bytes));
	CALL(readlink(target, got, sizeof(got)) > 8 ? 0 : 1);
	if (vfork() == 0)
		_exit(open(library, O_RDONLY));
	wait(&status);
	NOTE("%d", WEXITSTATUS(status));
	note_descriptors("after vfork");
	CALL(pipe(pipes));
	fd = open(library, O_RDONLY);
	CALL(sendfile(pipes[1], fd, NULL, 4));
	CALL(read(pipes[0], bytes, 16));
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(dup2(pipes[0], fd));
	CALL(fcntl(fd, F_GETFL));
	CALL(close(fd));
	CALL(open(library, O_RDONLY) == fd ? 0 : 1);
}

static void *opens(void *data)
{
	int *fds = data;

	for (int i = 0; i < 50; i++) {
		int fd = open(library, O_RDONLY);

		if (fd < 0 || fcntl(fd, F_GETFD) < 0)
			fds[0]++;
		close(fd);
	}
	return NULL;
}

static void step_threads(void)
{
	int wrong = 0, others = 0;
	pthread_t thread;

	open(library, O_RDONLY);
	pthread_create(&thread, NULL, opens, &others);
	opens(&wrong);
	pthread_join(thread, NULL);
	NOTE("%d %d", wrong, others);
	note_descriptors("threads");
	opens(&wrong);
	NOTE("%d", wrong);
}

static void step_limits(void)
{
	struct rlimit limit;
	int fd = open(library, O_RDONLY);

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = (rlim_t)fd + 1;
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	CALL(open(library, O_RDONLY));
	limit.rlim_cur = limit.rlim_max;
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	CALL(open(library, O_RDONLY) - fd);
	getrlimit(RLIMIT_AS, &limit);
	limit.rlim_cur = 4096;
	CALL(setrlimit(RLIMIT_AS, &limit));
	OK(mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
	OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED ? -1 : 0);
}

static void step_watched(void)
{
	int watch = inotify_init1(IN_NONBLOCK), fd;
	char events[4096];

	OK(inotify_add_watch(watch, library, IN_OPEN | IN_CLOSE));
	CALL(read(watch, events, sizeof(events)));
	fd = open(library, O_RDONLY);
	CALL(read(watch, events, sizeof(events)));
	close(fd);
	CALL(read(watch, events, sizeof(events)));
}

static int lines(const char *what)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];
	int count = 0;

	while (maps && fgets(line, sizeof(line), maps))
		count += strstr(line, what) != NULL;
	if (maps)
		fclose(maps);
	return count;
}

/* As a dynamic linker does it. */
static void step_map(void)
{
	int before = lines("libc.so"), fd = open(library, O_RDONLY | O_CLOEXEC);
	uint8_t bytes[832], *at, *other;
	struct stat st;

	CALL(read(fd, bytes, sizeof(bytes)));
	CALL(fstat(fd, &st));
	at = mmap(NULL, 40 * PAGE + 100, PROT_READ, MAP_PRIVATE | MAP_DENYWRITE, fd, 0);
	NOTE("%d", memcmp(at, bytes, sizeof(bytes)));
	CALL(mmap(at + 4 * PAGE, 8 * PAGE, PROT_READ | PROT_EXEC,
		     MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE, fd, PAGE * 40) == at + 4 * PAGE);
	CALL(mmap(at + 20 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE, fd, 0) == at + 20 * PAGE);
	CALL(mmap(at + 24 * PAGE, 4 * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS, -1, 0) == at + 24 * PAGE);
	CALL(close(fd));
	at[20 * PAGE] = 1;
	at[24 * PAGE] = 2;
	NOTE("%d %d %d", at[20 * PAGE + 1], at[20 * PAGE], at[24 * PAGE + 1]);
	CALL(mprotect(at + 20 * PAGE, 2 * PAGE, PROT_READ));
	NOTE("%d", lines("libc.so") - before);
	if (fork() == 0) {
		at[22 * PAGE] = 3;
		at[21 * PAGE] = 3;
		_exit(0);
	}
	note_wait("writes", -1);
	CALL(mprotect(at + 20 * PAGE, 2 * PAGE, PROT_READ | PROT_WRITE));
	at[21 * PAGE] = 3;
	CALL(munmap(at + 22 * PAGE, PAGE));
	CALL(mprotect(at + 20 * PAGE, 4 * PAGE, PROT_READ));
	CALL(munmap(at, 41 * PAGE));
	NOTE("%d", lines("libc.so") - before);
	CALL(mprotect(at + 20 * PAGE, PAGE, PROT_READ));
	fd = open(library, O_RDONLY);
	other = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, fd, 0);
	NOTE("%d", memcmp(other, bytes, sizeof(bytes)));
	CALL(mprotect(other, PAGE, PROT_READ | PROT_WRITE));
	CALL(munmap(other, 2 * PAGE));
	CALL(munmap(other, 2 * PAGE));
	OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 77) == MAP_FAILED ? -1 : 0);
	OK(mmap(NULL, 0, PROT_READ, MAP_PRIVATE, fd, 0) == MAP_FAILED ? -1 : 0);
	OK(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 99, 0) == MAP_FAILED ? -1 : 0);
	OK(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
}

/* Where Linux puts them. */
static void step_places(void)
{
	int fd = open(library, O_RDONLY);
	char *a, *b, *c, *first;

	first = mmap(NULL, 64 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	for (int i = 0; i < 100; i++)
		mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	a = mmap(NULL, 300 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	b = mmap(NULL, 16 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	c = mmap(NULL, 300 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	NOTE("%d %d", b < a, c < b);
	CALL(munmap(b, 16 * PAGE));
	CALL(mmap(NULL, 16 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == b);
	CALL(munmap(a, 300 * PAGE));
	CALL(mmap(NULL, 200 * PAGE, PROT_READ, MAP_PRIVATE, fd, 0) == a + 100 * PAGE);
	CALL(mmap(NULL, 100 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == a);
	NOTE("%d", first > a);
}

static const struct {
	const char *name;
	void (*fn)(void);
} steps[] = {{"warm", step_warm}, {"open", step_open}, {"shared", step_shared},
	{"threads", step_threads}, {"limits", step_limits}, {"watched", step_watched},
	{"map", step_map}, {"places", step_places}};

__attribute__((constructor)) static void in_step(void)
{
	const char *step = getenv(STEP);

	for (size_t i = 0; step && i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strcmp(step, steps[i].name) != 0)
			continue;
		unsetenv(STEP);
		dl_iterate_phdr(find_library, NULL);
		steps[i].fn();
		fflush(NULL);
		_exit(0);
	}
}

static void start(const char *step)
{
	pid_t pid;

	setenv(STEP, step, 1);
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, (char *const[]){"known", NULL},
		    environ) != 0)
		abort();
	unsetenv(STEP);
	note_wait(step, pid);
}

static void late(const char *step)
{
	for (int i = 0; i < WARMING; i++)
		start("warm");
	start(step);
	start(step);
}

CASE(known_open)
{
	late("open");
}

CASE(known_shared)
{
	late("shared");
}

CASE(known_threads)
{
	late("threads");
}

CASE(known_limits)
{
	late("limits");
}

CASE(known_watched)
{
	late("watched");
}

CASE(known_map)
{
	late("map");
}

CASE(known_places)
{
	late("places");
}
