/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The C library's code, after many programs have used it: a kernel may by then map it in another
 * form that does the same. What a program sees when it calls it, changes it, moves it, maps it
 * twice or takes it apart.
 *
 * Each case runs in a program of its own that is started after some others.
 */
#include <elf.h>
#include <link.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "case.h"

#define WARMING 12
#define STEP	"LIBRARIES_STEP"
#define SITES	64
#define PAGE	4096ul

extern char **environ;

/* ---- the library ----------------------------------------------------------------------------- */

/* mov $nr, %eax; syscall; ret */
struct site {
	size_t offset; /* in the code */
	uint32_t nr;
};

struct library {
	char path[256];
	uint8_t *file; /* the bytes of its code as they are in the file */
	uint8_t *code; /* mapped as a dynamic linker does it */
	size_t offset, size;
	struct site sites[SITES];
	unsigned count;
};

static int find_library(struct dl_phdr_info *info, size_t size, void *arg)
{
	struct library *lib = arg;

	if (!strstr(info->dlpi_name, "libc.so"))
		return 0;
	snprintf(lib->path, sizeof(lib->path), "%s", info->dlpi_name);
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		lib->offset = part->p_offset & ~(PAGE - 1);
		lib->size =
			(part->p_offset + part->p_filesz - lib->offset + PAGE - 1) & ~(PAGE - 1);
		lib->code = (uint8_t *)((info->dlpi_addr + part->p_vaddr) & ~(PAGE - 1));
	}
	return 1;
}

static uint8_t *map_code(const struct library *lib)
{
	int fd = open(lib->path, O_RDONLY | O_CLOEXEC);
	uint8_t *whole = mmap(NULL, lib->size + PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
	uint8_t *code = mmap(whole + PAGE, lib->size, PROT_READ | PROT_EXEC,
		MAP_PRIVATE | MAP_FIXED, fd, (off_t)lib->offset);

	close(fd);
	if (code == MAP_FAILED)
		abort();
	return code;
}

static bool is_asked(uint32_t nr)
{
	return nr == SYS_getpid || nr == SYS_getppid || nr == SYS_getuid || nr == SYS_geteuid ||
	       nr == SYS_getgid || nr == SYS_getegid || nr == SYS_getpgrp ||
	       nr == SYS_sched_yield || nr == SYS_munlockall;
}

static void find_sites(struct library *lib)
{
	for (size_t i = 0; i + 8 <= lib->size && lib->count < SITES; i++) {
		uint32_t nr;

		if (lib->file[i] != 0xb8 || memcmp(lib->file + i + 5, "\x0f\x05\xc3", 3))
			continue;
		memcpy(&nr, lib->file + i + 1, 4);
		if (!is_asked(nr))
			continue;
		lib->sites[lib->count++] = (struct site){i, nr};
		/* Where most calls are. */
		if (nr == SYS_getpid) {
			lib->sites[lib->count - 1] = lib->sites[0];
			lib->sites[0] = (struct site){i, nr};
		}
	}
}

static struct library library(void)
{
	struct library lib = {.count = 0};
	int fd;

	if (dl_iterate_phdr(find_library, &lib) != 1)
		abort();
	lib.file = malloc(lib.size);
	fd = open(lib.path, O_RDONLY | O_CLOEXEC);
	if (pread(fd, lib.file, lib.size, (off_t)lib.offset) != (ssize_t)lib.size)
		abort();
	close(fd);
	find_sites(&lib);
	return lib;
}

static long expected(uint32_t nr)
{
	switch (nr) {
	case SYS_getpid:
		return getpid();
	case SYS_getppid:
		return getppid();
	case SYS_getuid:
		return getuid();
	case SYS_geteuid:
		return geteuid();
	case SYS_getgid:
		return getgid();
	case SYS_getegid:
		return getegid();
	case SYS_getpgrp:
		return getpgrp();
	default:
		return 0;
	}
}

static long call(const uint8_t *at)
{
	return ((long (*)(void))(uintptr_t)at)();
}

/* To the `syscall` itself. */
static long call_behind(const uint8_t *at, uint32_t nr)
{
	long result;

	__asm__ volatile("call *%1"
			 : "=a"(result)
			 : "r"(at + 5), "0"((long)nr)
			 : "rcx", "r11", "memory", "cc");
	return result;
}

static void note_calls(const char *what, const struct library *lib, const uint8_t *code)
{
	unsigned wrong = 0;

	for (int round = 0; round < 40; round++) {
		for (unsigned i = 0; i < lib->count; i++) {
			const uint8_t *at = code + lib->sites[i].offset;

			wrong += call(at) != expected(lib->sites[i].nr);
			wrong += call_behind(at, lib->sites[i].nr) != expected(lib->sites[i].nr);
		}
	}
	NOTE("%s: some sites %d, %u wrong results", what, lib->count > 1, wrong);
}

static void note_bytes(const char *what, const struct library *lib, const uint8_t *code)
{
	unsigned differ = 0;

	for (unsigned i = 0; i < lib->count; i++)
		differ += memcmp(code + lib->sites[i].offset, lib->file + lib->sites[i].offset,
				  8) != 0;
	NOTE("%s: %u sites differ from the file", what, differ);
}

/* ---- a program that comes late --------------------------------------------------------------- */

static void run(const char *const argv[])
{
	posix_spawn_file_actions_t quiet;
	pid_t pid;

	posix_spawn_file_actions_init(&quiet);
	posix_spawn_file_actions_addopen(&quiet, 1, "/dev/null", O_WRONLY, 0);
	if (posix_spawn(&pid, argv[0], &quiet, NULL, (char **)argv, environ) == 0)
		waitpid(pid, NULL, 0);
	posix_spawn_file_actions_destroy(&quiet);
}

static void late(const char *step)
{
	pid_t pid;

	for (int i = 0; i < WARMING; i++)
		run((const char *const[]){"/bin/sh", "-c", "cd /; ls -l /usr", NULL});
	setenv(STEP, step, 1);
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, (char *const[]){"libraries", NULL},
		    environ) != 0)
		abort();
	unsetenv(STEP);
	note_wait(step, pid);
}

#define STEP_FUNCTION(name) static void name(struct library *lib)

STEP_FUNCTION(step_calls)
{
	note_calls("the program's own", lib, lib->code);
	note_calls("another mapping", lib, map_code(lib));
}

STEP_FUNCTION(step_twice)
{
	uint8_t *first = map_code(lib), *second = map_code(lib);

	note_calls("first", lib, first);
	note_calls("second", lib, second);
	CALL(munmap(first, lib->size));
	note_calls("second, alone", lib, second);
	first = map_code(lib);
	note_calls("again", lib, first);
	CALL(munmap(second, lib->size));
	note_calls("again, alone", lib, first);
	for (int i = 0; i < 8; i++)
		note_calls("many", lib, map_code(lib));
	note_calls("the program's own", lib, lib->code);
}

static void rewrite(const struct library *lib, uint8_t *code)
{
	uint8_t *at = code + lib->sites[0].offset;

	TRUTH(mprotect(code, lib->size, PROT_READ | PROT_WRITE | PROT_EXEC) == 0);
	note_bytes("writable", lib, code);
	memcpy(at, "\xb8\x61\x1e\x00\x00\xc3", 6); /* mov $7777, %eax; ret */
	TRUTH(call(at) == 7777);
	TRUTH(mprotect(code, lib->size, PROT_READ | PROT_EXEC) == 0);
	TRUTH(call(at) == 7777);
	memcpy(lib->file + lib->sites[0].offset, at, 6);
	note_bytes("written", lib, code);
}

STEP_FUNCTION(step_rewrite)
{
	uint8_t *code = map_code(lib);
	struct library rest = *lib;

	note_calls("before", lib, code);
	rewrite(lib, code);
	rest.sites[0] = rest.sites[--rest.count];
	note_calls("others", &rest, code);
	note_calls("the program's own", lib, lib->code);
}

/* The sites that lie in @page, or the others. */
static struct library choose(
	const struct library *lib, const uint8_t *code, const uint8_t *page, bool within)
{
	struct library chosen = *lib;

	chosen.count = 0;
	for (unsigned i = 0; i < lib->count; i++) {
		size_t offset = (size_t)(code + lib->sites[i].offset - page);

		if ((offset < PAGE) == within)
			chosen.sites[chosen.count++] = lib->sites[i];
	}
	return chosen;
}

/* A page at a time: the first change touches none of the sites. */
STEP_FUNCTION(step_protect)
{
	uint8_t *code = map_code(lib), *at = code + lib->sites[0].offset;
	uint8_t *page = (uint8_t *)((uintptr_t)at & ~(PAGE - 1));
	struct library here = choose(lib, code, page, true);

	TRUTH(mprotect(code, PAGE, PROT_READ) == 0);
	note_calls("elsewhere", lib, code);
	TRUTH(mprotect(page, PAGE, PROT_NONE) == 0);
	TRUTH(mprotect(page, PAGE, PROT_READ | PROT_EXEC) == 0);
	note_bytes("back", &here, code);
	note_calls("back", lib, code);
}

STEP_FUNCTION(step_move)
{
	uint8_t *code = map_code(lib), *moved;

	moved = mremap(code, lib->size, lib->size, MREMAP_MAYMOVE | MREMAP_FIXED,
		mmap(NULL, lib->size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	TRUTH(moved != MAP_FAILED && moved != code);
	note_calls("moved", lib, moved);
	TRUTH(mprotect(moved, lib->size, PROT_READ | PROT_WRITE) == 0);
	note_bytes("moved", lib, moved);
}

STEP_FUNCTION(step_pieces)
{
	uint8_t *code = map_code(lib), *at = code + lib->sites[0].offset;
	uint8_t *page = (uint8_t *)((uintptr_t)at & ~(PAGE - 1));
	struct library rest = choose(lib, code, page, false);

	CALL(munmap(page, PAGE));
	note_calls("with a hole", &rest, code);
	TRUTH(mmap(page, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		      0) == page);
	TRUTH(page[0] == 0 && page[PAGE - 1] == 0);
	note_calls("with another page", &rest, code);
	CALL(munmap(code, lib->size));
}

STEP_FUNCTION(step_dropped)
{
	uint8_t *code = map_code(lib);

	CALL(madvise(code, lib->size, MADV_DONTNEED));
	note_calls("dropped", lib, code);
	CALL(madvise(lib->code, lib->size, MADV_DONTNEED));
	note_calls("the program's own", lib, lib->code);
	TRUTH(mprotect(code, lib->size, PROT_READ | PROT_WRITE) == 0);
	note_bytes("dropped", lib, code);
}

STEP_FUNCTION(step_fork)
{
	uint8_t *code = map_code(lib);
	pid_t pid = fork();

	if (pid == 0) {
		note_calls("child", lib, code);
		rewrite(lib, code);
		note_calls("child's own", lib, lib->code);
		if (fork() == 0) {
			note_calls("grandchild's own", lib, lib->code);
			_exit(3);
		}
		wait(NULL);
		_exit(2);
	}
	note_wait("child", pid);
	note_calls("parent", lib, code);
}

static void *work(void *arg)
{
	const struct library *lib = arg;

	for (int i = 0; i < 200; i++) {
		for (unsigned k = 0; k < lib->count; k++) {
			if (call(lib->code + lib->sites[k].offset) != expected(lib->sites[k].nr))
				return (void *)1;
		}
	}
	return NULL;
}

/* Others run the code while its pages are changed around them. */
STEP_FUNCTION(step_threads)
{
	uint8_t *page = (uint8_t *)((uintptr_t)(lib->code + lib->sites[0].offset) & ~(PAGE - 1));
	pthread_t threads[3];
	void *wrong;

	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, work, lib);
	for (int i = 0; i < 20; i++) {
		uint8_t *code = map_code(lib);

		if (mprotect(page, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC) < 0 ||
			mprotect(page, PAGE, PROT_READ | PROT_EXEC) < 0 ||
			munmap(code, lib->size) < 0)
			abort();
	}
	for (int i = 0; i < 3; i++) {
		pthread_join(threads[i], &wrong);
		NOTE("thread: %s", wrong ? "wrong" : "right");
	}
}

/* Whatever else is there by that name. */
STEP_FUNCTION(step_helpers_gone)
{
	uint8_t *code = map_code(lib);
	char line[512];
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long gone[64][2];
	unsigned count = 0;

	while (fgets(line, sizeof(line), maps)) {
		if (strstr(line, "[trampolines]") && count < 64 &&
			sscanf(line, "%lx-%lx", &gone[count][0], &gone[count][1]) == 2)
			count++;
	}
	fclose(maps);
	for (unsigned i = 0; i < count; i++) {
		if (munmap((void *)gone[i][0], gone[i][1] - gone[i][0]) < 0)
			abort();
	}
	note_calls("without", lib, code);
	note_calls("the program's own", lib, lib->code);
}

/* Between the bytes of an instruction: only that nobody else is hurt. */
STEP_FUNCTION(step_odd_jumps)
{
	uint8_t *code = map_code(lib);

	for (unsigned i = 1; i < 5; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			alarm(2);
			(void)call(code + lib->sites[0].offset + i);
			_exit(0);
		}
		waitpid(pid, NULL, 0);
	}
	note_calls("after", lib, code);
	note_calls("the program's own", lib, lib->code);
}

/* Who traces sees the file's code, in what is there already and in what comes. */
STEP_FUNCTION(step_traced)
{
	uint8_t *code = map_code(lib);
	unsigned differ = 0;
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		ptrace(PTRACE_TRACEME, 0, 0, 0);
		raise(SIGSTOP);
		note_calls("traced", lib, code);
		note_calls("traced, new", lib, map_code(lib));
		_exit(5);
	}
	waitpid(pid, &status, 0);
	note_status("child", status);
	for (unsigned i = 0; i < lib->count; i++) {
		long word = ptrace(PTRACE_PEEKTEXT, pid, code + lib->sites[i].offset, 0);

		differ += memcmp(&word, lib->file + lib->sites[i].offset, 8) != 0;
	}
	NOTE("%u differ", differ);
	ptrace(PTRACE_CONT, pid, 0, 0);
	note_wait("child", pid);
	note_calls("tracer", lib, code);
}

static volatile sig_atomic_t ticks;

static void tick(int signo)
{
	ticks++;
}

/* Handlers come at every place, and return there. */
STEP_FUNCTION(step_signals)
{
	const struct itimerval often = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};

	signal(SIGALRM, tick);
	setitimer(ITIMER_REAL, &often, NULL);
	while (ticks < 100) {
		if (work(lib))
			abort();
	}
	setitimer(ITIMER_REAL, &never, NULL);
	note_calls("interrupted", lib, lib->code);
}

#define STEP_ENTRY(name)                                                                           \
	{                                                                                          \
#name, step_##name                                                                 \
	}

static const struct {
	const char *name;
	void (*run)(struct library *lib);
} steps[] = {
	STEP_ENTRY(calls),
	STEP_ENTRY(twice),
	STEP_ENTRY(rewrite),
	STEP_ENTRY(protect),
	STEP_ENTRY(move),
	STEP_ENTRY(pieces),
	STEP_ENTRY(dropped),
	STEP_ENTRY(fork),
	STEP_ENTRY(threads),
	STEP_ENTRY(helpers_gone),
	STEP_ENTRY(odd_jumps),
	STEP_ENTRY(traced),
	STEP_ENTRY(signals),
};

__attribute__((constructor)) static void run_step(void)
{
	const char *name = getenv(STEP);
	struct library lib;

	if (!name)
		return;
	lib = library();
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (!strcmp(steps[i].name, name))
			steps[i].run(&lib);
	}
	_exit(0);
}

#define LATE(name)                                                                                 \
	CASE(name)                                                                                 \
	{                                                                                          \
		late(#name);                                                                       \
	}

LATE(calls)
LATE(twice)
LATE(rewrite)
LATE(protect)
LATE(move)
LATE(pieces)
LATE(dropped)
LATE(fork)
LATE(threads)
LATE(helpers_gone)
LATE(odd_jumps)
LATE(traced)
LATE(signals)
