/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call sites of every shape, used so often that a kernel may want to rewrite them: results, the
 * bytes that a program sees, and what becomes of them when it changes, moves, copies and replaces
 * its code.
 */
#include <pthread.h>
#include <sys/prctl.h>

#include "sites.h"

#define ALIGNMENTS 64
#define STRIDE	   192
#define PAGES	   8
#define FILE_SIZE  (PAGES * 4096)

/* Sites at every alignment within a cache line, and across the first page boundary. */
struct many {
	uint8_t *map;
	size_t offsets[ALIGNMENTS + 8];
	unsigned count;
};

static struct many make_many(void)
{
	struct code code = code_new(FILE_SIZE);
	struct many many = {.count = 0};

	for (unsigned i = 0; i < 7; i++) {
		/* Before each boundary one that crosses it after 1 .. 6 bytes. */
		size_t at = (i + 1) * 4096 - 1 - i;

		while (many.count < ALIGNMENTS && code.size + 2 * STRIDE < at - 64)
			many.offsets[many.count] = emit_mov_site(&code,
				(code.size + STRIDE) / 64 * 64 + many.count % 64, SYS_getppid),
			many.count++;
		many.offsets[many.count++] = emit_mov_site(&code, at, SYS_getppid);
	}
	code.size = FILE_SIZE;
	code_save(&code, "code");
	many.map = code_map("code", FILE_SIZE, NULL);
	return many;
}

CASE(alignments)
{
	struct many many = make_many();
	unsigned wrong = 0;

	for (unsigned i = 0; i < many.count; i++)
		wrong += heat(many.map, many.offsets[i], getppid());
	NOTE("%u sites, %u wrong results", many.count, wrong);
}

static struct many shared_many;
static pthread_barrier_t barrier;

static void *call_all(void *arg)
{
	unsigned first = (unsigned)(uintptr_t)arg, wrong = 0;
	long parent = getppid();

	pthread_barrier_wait(&barrier);
	for (unsigned round = 0; round < HOT; round++)
		for (unsigned i = 0; i < shared_many.count; i++) {
			unsigned which = (i + first * 7) % shared_many.count;

			wrong += call_site(shared_many.map, shared_many.offsets[which], 0, 0, 0) !=
				 parent;
		}
	return (void *)(uintptr_t)wrong;
}

/* All of them at once, while they become hot. */
CASE(threads_at_every_alignment)
{
	pthread_t threads[6];
	uintptr_t wrong = 0;

	shared_many = make_many();
	pthread_barrier_init(&barrier, NULL, 6);
	for (uintptr_t i = 0; i < 6; i++)
		pthread_create(&threads[i], NULL, call_all, (void *)i);
	for (unsigned i = 0; i < 6; i++) {
		void *result;

		pthread_join(threads[i], &result);
		wrong += (uintptr_t)result;
	}
	NOTE("%lu wrong results", (unsigned long)wrong);
}

/* One site after the other, all threads on the same one: it changes under their feet. */
static void *call_one_after_the_other(void *arg)
{
	unsigned wrong = 0;
	long parent = getppid();

	(void)arg;
	pthread_barrier_wait(&barrier);
	for (unsigned i = 0; i < shared_many.count; i++)
		for (unsigned round = 0; round < HOT; round++)
			wrong += call_site(shared_many.map, shared_many.offsets[i], 0, 0, 0) !=
				 parent;
	return (void *)(uintptr_t)wrong;
}

CASE(threads_on_one_site)
{
	pthread_t threads[4];
	uintptr_t wrong = 0;

	for (unsigned round = 0; round < 4; round++) {
		shared_many = make_many();
		pthread_barrier_init(&barrier, NULL, 4);
		for (uintptr_t i = 0; i < 4; i++)
			pthread_create(&threads[i], NULL, call_one_after_the_other, NULL);
		for (unsigned i = 0; i < 4; i++) {
			void *result;

			pthread_join(threads[i], &result);
			wrong += (uintptr_t)result;
		}
		munmap(shared_many.map, FILE_SIZE);
	}
	NOTE("%lu wrong results", (unsigned long)wrong);
}

/* Two instructions whose last bytes look like another one; a memory operand; a short one. */
CASE(forms)
{
	struct code code = code_new(FILE_SIZE);
	int zero = open("/dev/zero", O_RDONLY);
	size_t r8, memory, syscall_like, rax, xor, reg;
	unsigned wrong = 0;
	uint8_t *map;
	char byte;

	r8 = code.size;
	emit_filler(&code, 100);
	emit(&code, "\xb8", 1);
	emit_u32(&code, SYS_getppid);
	emit(&code, "\x41\xb8\x27\0\0\0\x0f\x05\xc3", 9); /* mov $39, %r8d */
	align_code(&code, 64);
	memory = code.size;
	emit_filler(&code, 100);
	emit(&code, "\xb8", 1);
	emit_u32(&code, SYS_getppid);
	emit(&code, "\x4c\x8b\x4c\x24\x08\x0f\x05\xc3", 8); /* mov 8(%rsp), %r9 */
	align_code(&code, 64);
	syscall_like = code.size;
	emit_filler(&code, 100);
	emit(&code, "\x48\xc7\xc0", 3); /* mov $nr, %rax */
	emit_u32(&code, SYS_getppid);
	emit(&code, "\x0f\x05\xc3", 3);
	align_code(&code, 64);
	rax = code.size;
	emit_filler(&code, 100);
	emit(&code, "\x48\xb8", 2); /* movabs */
	emit_u32(&code, SYS_getppid);
	emit_u32(&code, 0);
	emit(&code, "\x0f\x05\xc3", 3);
	align_code(&code, 64);
	reg = code.size;
	emit_filler(&code, 100);
	emit(&code, "\x48\x89\xf8\x0f\x05\xc3\xcc\xcc\xcc", 9); /* mov %rdi, %rax */
	align_code(&code, 64);
	xor = emit_xor_site(&code, code.size + 101);
	code.size = FILE_SIZE;
	code_save(&code, "code");
	map = code_map("code", FILE_SIZE, NULL);
	wrong += heat(map, r8, getppid()) + heat(map, memory, getppid()) +
		 heat(map, syscall_like, getppid()) + heat(map, rax, getppid());
	for (int i = 0; i < HOT; i++) {
		byte = 1;
		wrong += call_site(map, xor, zero, (long)&byte, 1) != 1 || byte != 0;
		wrong += call_site(map, reg, SYS_getppid, 0, 0) != getppid();
		wrong += call_site(map, reg, SYS_getpid, 0, 0) != getpid();
	}
	NOTE("%u wrong results", wrong);
}

/* ---- code that changes ---- */

struct one {
	struct code code;
	uint8_t *map;
	size_t fn, mov;
};

/* A function that calls @nr, in the middle of its page. */
static struct one make_one(const char *name, uint32_t nr, void *where)
{
	struct one one = {.code = code_new(3 * 4096)};

	one.code.size = 200;
	memset(one.code.bytes, 0x90, 200);
	one.mov = 4096 - 3;
	one.fn = emit_mov_site(&one.code, one.mov, nr);
	one.code.size = 3 * 4096;
	code_save(&one.code, name);
	one.map = code_map(name, one.code.size, where);
	return one;
}

static void note_bytes(const struct one *one, const char *when)
{
	NOTE("%s: the bytes are as written: %s", when,
		memcmp(one->map, one->code.bytes, one->code.size) == 0 ? "true" : "false");
}

CASE(fork_after)
{
	struct one one = make_one("code", SYS_getppid, NULL);
	int status;
	pid_t pid;

	NOTE("%u wrong", heat(one.map, one.fn, getppid()));
	pid = fork();
	if (pid == 0) {
		unsigned wrong = heat(one.map, one.fn, getppid());

		mprotect(one.map, one.code.size, PROT_READ | PROT_WRITE);
		note_bytes(&one, "in the child");
		one.map[one.mov + 1] = SYS_getpid;
		mprotect(one.map, one.code.size, PROT_READ | PROT_EXEC);
		wrong += heat(one.map, one.fn, getpid());
		_exit(wrong != 0);
	}
	waitpid(pid, &status, 0);
	note_status("child", status);
	NOTE("%u wrong", heat(one.map, one.fn, getppid()));
	mprotect(one.map, one.code.size, PROT_READ);
	note_bytes(&one, "in the parent");
}

CASE(rewrite)
{
	struct one one = make_one("code", SYS_getppid, NULL);

	for (unsigned round = 0; round < 20; round++) {
		uint32_t nr = round % 2 ? SYS_getpid : SYS_getppid;

		mprotect(one.map, one.code.size, PROT_READ | PROT_WRITE);
		if (round < 2)
			note_bytes(&one, "writable");
		one.map[one.mov + 1] = (uint8_t)nr;
		one.code.bytes[one.mov + 1] = (uint8_t)nr;
		mprotect(one.map, one.code.size, PROT_READ | PROT_EXEC);
		if (heat(one.map, one.fn, nr == SYS_getpid ? getpid() : getppid()))
			NOTE("wrong results in round %u", round);
	}
	/* Only one of the two pages that hold the instruction. */
	mprotect(one.map + 4096, 4096, PROT_READ | PROT_WRITE);
	note_bytes(&one, "half writable");
	mprotect(one.map + 4096, 4096, PROT_READ | PROT_EXEC);
	NOTE("%u wrong", heat(one.map, one.fn, getpid()));
}

/* Code that is written while it runs is nobody's business. */
CASE(jit)
{
	struct code code = code_new(4096);
	size_t fn = emit_mov_site(&code, 200, SYS_getppid);
	uint8_t *map = mmap(
		NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *shared;
	int fd;

	memcpy(map, code.bytes, code.size);
	NOTE("%u wrong", heat(map, fn, getppid()));
	NOTE("bytes as written: %d", memcmp(map, code.bytes, code.size) == 0);
	map[201] = SYS_getpid;
	NOTE("%u wrong", heat(map, fn, getpid()));
	mprotect(map, 4096, PROT_READ | PROT_EXEC);
	NOTE("%u wrong", heat(map, fn, getpid()));
	/* A mapping that others see. */
	code.size = 4096;
	code_save(&code, "code");
	fd = open("code", O_RDWR);
	shared = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	NOTE("%u wrong", heat(shared, fn, getppid()));
	pwrite(fd, &(uint8_t){SYS_getpid}, 1, 201);
	NOTE("%u wrong", heat(shared, fn, getpid()));
}

CASE(replaced)
{
	struct one one = make_one("first", SYS_getppid, NULL), two;

	NOTE("%u wrong", heat(one.map, one.fn, getppid()));
	for (unsigned round = 0; round < 60; round++) {
		uint32_t nr = round % 2 ? SYS_getppid : SYS_getpid;

		if (round % 3 == 0)
			munmap(one.map, one.code.size);
		two = make_one("second", nr, one.map);
		if (round < 3)
			note_bytes(&two, "the second file's");
		if (heat(two.map, two.fn, nr == SYS_getpid ? getpid() : getppid()))
			NOTE("wrong results in round %u", round);
		free(two.code.bytes);
	}
	/* One of the two pages that hold the instruction goes: what is left must not lead anywhere.
	 */
	munmap(one.map + 4096, 4096);
	NOTE("what is left: %02x %02x %02x", one.map[one.mov], one.map[one.mov + 1],
		one.map[one.mov + 2]);
}

CASE(moved)
{
	struct one one = make_one("code", SYS_getppid, NULL);
	uint8_t *target = mmap(NULL, 16 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	NOTE("%u wrong", heat(one.map, one.fn, getppid()));
	for (unsigned i = 0; i < 4; i++) {
		one.map = mremap(one.map, one.code.size, one.code.size,
			MREMAP_MAYMOVE | MREMAP_FIXED, target + i * 4 * 4096);
		note_bytes(&one, "moved");
		NOTE("%u wrong", heat(one.map, one.fn, getppid()));
	}
}

CASE(dropped)
{
	struct one one = make_one("code", SYS_getppid, NULL);

	for (unsigned i = 0; i < 5; i++) {
		NOTE("%u wrong", heat(one.map, one.fn, getppid()));
		CALL(madvise(one.map + (i % 2) * 4096, (i % 3 + 1) * 4096 / (i % 2 + 1) & ~4095,
			MADV_DONTNEED));
	}
	madvise(one.map, one.code.size, MADV_DONTNEED);
	note_bytes(&one, "dropped");
	NOTE("%u wrong", heat(one.map, one.fn, getppid()));
}

/* Threads call what another one gives other rights, drops and maps again. */
static struct one busy;
static volatile bool stop;

static void *call_busy(void *arg)
{
	uintptr_t wrong = 0;
	long parent = getppid();

	(void)arg;
	while (!stop)
		wrong += call_site(busy.map, busy.fn, 0, 0, 0) != parent;
	return (void *)wrong;
}

CASE(changes_under_threads)
{
	pthread_t threads[3];
	uintptr_t wrong = 0;

	busy = make_one("code", SYS_getppid, NULL);
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, call_busy, NULL);
	for (unsigned i = 0; i < 200; i++) {
		sched_yield();
		if (i % 3 == 0)
			madvise(busy.map, busy.code.size, MADV_DONTNEED);
		if (i % 3 == 1)
			mprotect(busy.map, busy.code.size, PROT_READ | PROT_WRITE | PROT_EXEC);
		if (i % 3 == 2)
			mprotect(busy.map, busy.code.size, PROT_READ | PROT_EXEC);
		usleep(2000);
	}
	stop = true;
	for (unsigned i = 0; i < 3; i++) {
		void *result;

		pthread_join(threads[i], &result);
		wrong += (uintptr_t)result;
	}
	NOTE("%lu wrong results", (unsigned long)wrong);
}

/* vfork's child makes calls in its parent's memory, then becomes another program. */
CASE(vfork_and_exec)
{
	struct one one = make_one("code", SYS_getppid, NULL);
	volatile unsigned wrong = heat(one.map, one.fn, getppid()), bad = 0;

	for (unsigned i = 0; i < 30; i++) {
		pid_t self = getpid(), pid = vfork();
		int status;

		if (pid == 0) {
			if (call_site(one.map, one.fn, 0, 0, 0) != self)
				_exit(9);
			for (int j = 0; j < 40; j++)
				if (syscall(SYS_getppid) != self)
					_exit(8);
			execl("/bin/true", "true", (char *)NULL);
			_exit(7);
		}
		waitpid(pid, &status, 0);
		bad += status != 0;
		wrong += call_site(one.map, one.fn, 0, 0, 0) != getppid();
	}
	NOTE("%u wrong results, %u bad children", wrong, bad);
}

static unsigned long address_space_kib(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	unsigned long kib = 0;
	char line[256];

	while (fgets(line, sizeof(line), status))
		(void)sscanf(line, "VmSize: %lu", &kib);
	fclose(status);
	return kib;
}

/* What the kernel put beside the program counts for it as soon as the program can use it. */
CASE(writable_places_count)
{
	struct one one = make_one("code", SYS_getppid, NULL);
	unsigned long start, end, before;
	char line[512];
	FILE *maps;

	heat(one.map, one.fn, getppid());
	maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "[trampolines]") || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		before = address_space_kib();
		mprotect((void *)start, end - start, PROT_READ | PROT_WRITE);
		if (address_space_kib() < before + (end - start) / 1024)
			NOTE("not counted");
	}
	fclose(maps);
	NOTE("%u wrong", heat(one.map, one.fn, getppid()));
}

/* Everything that is not the program's own and may be unmapped, is. */
CASE(unmap_what_is_not_mine)
{
	struct one one = make_one("code", SYS_getppid, NULL);
	unsigned long start, end;
	char line[512];
	FILE *maps;

	heat(one.map, one.fn, getppid());
	maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), maps)) {
		if (!strstr(line, "[trampolines]") || sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		madvise((void *)start, end - start, MADV_DONTNEED);
		if (heat(one.map, one.fn, getppid()))
			NOTE("wrong after madvise");
		mprotect((void *)start, end - start, PROT_NONE);
		if (heat(one.map, one.fn, getppid()))
			NOTE("wrong after mprotect");
		munmap((void *)start, end - start);
		if (heat(one.map, one.fn, getppid()))
			NOTE("wrong after munmap");
	}
	fclose(maps);
	NOTE("%u wrong", heat(one.map, one.fn, getppid()));
	note_wait("child", fork() ?: (_exit(heat(one.map, one.fn, getppid())), 0));
}

/* The dynamic linker's own code: its bytes are the file's once the program can change them. */
CASE(linkers_code_made_writable)
{
	unsigned long start, end, offset;
	char line[512], rights[8];
	unsigned different = 0;
	uint8_t *text, *file;
	FILE *maps;
	int fd;

	maps = fopen("/proc/self/maps", "r");
	while (fgets(line, sizeof(line), maps)) {
		if (strstr(line, "/ld-") && strchr(line, '/') &&
			sscanf(line, "%lx-%lx %7s %lx", &start, &end, rights, &offset) == 4 &&
			rights[2] == 'x')
			break;
	}
	if (feof(maps)) {
		NOTE("no linker");
		return;
	}
	fclose(maps);
	line[strcspn(line, "\n")] = 0;
	fd = open(strchr(line, '/'), O_RDONLY);
	file = mmap(NULL, end - start, PROT_READ, MAP_PRIVATE, fd, (off_t)offset);
	text = (uint8_t *)start;
	mprotect(text, end - start, PROT_READ | PROT_WRITE | PROT_EXEC);
	/* Around each `cpuid`, which is what a kernel has reason to replace. */
	for (size_t i = 40; i + 2 < end - start; i++) {
		if (file[i] == 0x0f && file[i + 1] == 0xa2)
			different += memcmp(file + i - 7, text + i - 7, 9) != 0;
	}
	NOTE("%u different", different);
	NOTE("cache line of %s", sysconf(_SC_LEVEL1_DCACHE_LINESIZE) > 0 ? "some bytes" : "0");
	note_wait("child", fork() ?: (execl("/bin/true", "true", NULL), 1));
}
