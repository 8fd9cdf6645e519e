/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the programs of the differential fuzzer (format.h, generate.py) and prints what came of each
 * call, in text that is the same on every kernel that behaves the same:
 *
 *	program ID
 *	call 3 0                          number, result (negative errno), then what it wrote:
 *	 out 0 00000000...                (dump number, bytes)
 *	signal 0 3 10 -6                  a handler of task 0 ran before call 3 was over: signal,
 *	                                  si_code
 *	fd 4 flags 8002 ...               what is open at the end
 *	end exited 0
 *	file f0 100644 ...                what is in the scratch directory
 *
 * Each program runs in a forked child, in a directory of its own, as a user without privileges and
 * with small limits. Random calls are hostile by nature, so this starts only when it was armed,
 *never as root, and natively only as tests/run-difffuzz starts it: in namespaces of its own.
 *
 * Who makes the calls (slots.c) prints nothing itself but stores results in memory that is shared
 *with who hands them out (drive.c).
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <mqueue.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "executor.h"

#define KEY_FIRST 0x5e41
#define KEY_COUNT 3

static struct program program;

static int show_file(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	uint8_t bytes[4096];
	char target[256];
	ssize_t n = 0;
	int fd;

	(void)type;
	if (ftw->level == 0)
		return 0;
	path = strstr(path, "/w");
	if (S_ISLNK(st->st_mode)) {
		n = readlinkat(AT_FDCWD, path + 3, target, sizeof(target));
		printf("file %s %o %.*s\n", path, st->st_mode, n < 0 ? 0 : (int)n, target);
		return 0;
	}
	printf("file %s %o links %lu size %lld blocks %lld", path, st->st_mode,
		(unsigned long)(S_ISDIR(st->st_mode) ? 0 : st->st_nlink),
		(long long)(S_ISDIR(st->st_mode) ? 0 : st->st_size),
		(long long)(S_ISDIR(st->st_mode) ? 0 : st->st_blocks));
	if (S_ISREG(st->st_mode)) {
		fd = open(path + 3, O_RDONLY | O_NONBLOCK);
		n = fd >= 0 ? read(fd, bytes, sizeof(bytes)) : -errno;
		printf(" content %d %08x", (int)n, n > 0 ? hash_of(bytes, (uint64_t)n) : 0);
		if (fd >= 0)
			close(fd);
	}
	putchar('\n');
	return 0;
}

static int open_up(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)ftw;
	(void)st;
	if (type == FTW_D || type == FTW_DNR)
		chmod(path, 0700);
	return 0;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)ftw;
	if (type == FTW_DP || type == FTW_D || type == FTW_DNR)
		rmdir(path);
	else
		unlink(path);
	return 0;
}

static void clean_up(const char *top)
{
	static const char *const queues[] = {"/q0", "/q1"};

	nftw(top, open_up, 16, FTW_PHYS);
	nftw(top, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	for (int i = 0; i < KEY_COUNT; i++) {
		int id = shmget(KEY_FIRST + i, 0, 0);

		if (id >= 0)
			shmctl(id, IPC_RMID, NULL);
		id = semget(KEY_FIRST + i, 0, 0);
		if (id >= 0)
			semctl(id, 0, IPC_RMID);
		id = msgget(KEY_FIRST + i, 0);
		if (id >= 0)
			msgctl(id, IPC_RMID, NULL);
	}
	for (size_t i = 0; i < sizeof(queues) / sizeof(queues[0]); i++)
		mq_unlink(queues[i]);
}

static void show_state(int slot, const struct state *state)
{
	char name[16] = "";

	if (slot)
		snprintf(name, sizeof(name), "%d:", slot);
	printf("%smask %llx pending %llx cwd %s\n", name, (unsigned long long)state->mask,
		(unsigned long long)state->pending, state->cwd);
	for (int fd = 0; fd < FDS_SHOWN; fd++) {
		const struct fd_record *r = &state->fds[fd];

		if (r->open)
			printf("%sfd %d %d flags %o pos %ld mode %o links %u size %ld\n", name, fd,
				r->fd_flags, r->flags, r->pos, r->mode, r->nlink, r->size);
	}
	printf("%spages ", name);
	for (int i = 0; i < PLAYGROUND_PAGES; i++)
		putchar(state->pages[i] ? '#' : '.');
	putchar('\n');
}

static void show(int status)
{
	printf("program %u\n", program.header.id);
	for (uint32_t i = 0; i < program.header.call_count; i++) {
		const struct call *call = &program.calls[i];
		const struct call_result *result = &SHARED->calls[i];

		if (!result->done)
			continue;
		printf("call %u %ld\n", i, result->value);
		for (uint32_t d = 0; d < call->record.dump_count; d++) {
			uint64_t size = call->dumps[d].size;

			if (!result->dumps[d].changed)
				continue;
			printf(" out %u ", d);
			for (uint64_t b = 0; b < size && b < DUMP_SHOWN; b++)
				printf("%02x", result->dumps[d].bytes[b]);
			if (size > DUMP_SHOWN)
				printf("+%08x", result->dumps[d].hash);
			putchar('\n');
		}
	}
	for (int slot = 0; slot < SLOT_MAX; slot++)
		for (uint32_t i = 0; i < SHARED->signal_count && i < SIGNALS_MAX; i++) {
			const struct signal_record *r = &SHARED->signals[i];

			if (r->slot == slot)
				printf("signal %d %d %d %d\n", slot, r->call, r->sig, r->code);
		}
	for (int slot = 0; slot < SLOT_MAX; slot++)
		if (SHARED->states[slot].shown)
			show_state(slot, &SHARED->states[slot]);
	if (WIFEXITED(status))
		printf("end exited %d\n", WEXITSTATUS(status));
	else
		printf("end killed by %d\n", WTERMSIG(status));
}

static void run_program(void)
{
	char top[64], scratch[96];
	int status;
	pid_t pid;

	/* Some levels deep, so that a few steps up stay within what is removed afterwards. */
	snprintf(top, sizeof(top), "/tmp/p%u", program.header.id);
	snprintf(scratch, sizeof(scratch), "%s/a", top);
	mkdir(top, 0755);
	mkdir(scratch, 0755);
	strcat(scratch, "/b");
	mkdir(scratch, 0755);
	strcat(scratch, "/w");
	mkdir(scratch, 0755);
	memset(SHARED, 0, offsetof(struct shared, arena));
	SHARED->program = program;
	fflush(stdout);
	drive_begin();
	pid = fork();
	if (pid == 0)
		slot_first(scratch);
	if (pid < 0) {
		printf("program %u\nend no process: %d\n", program.header.id, errno);
		return;
	}
	SHARED->slots[0].pid = SHARED->slots[0].tid = pid;
	status = drive(pid);
	show(status);
	nftw(top, open_up, 16, FTW_PHYS);
	if (chdir(scratch) == 0)
		nftw(scratch, show_file, 16, FTW_PHYS);
	if (chdir("/") < 0)
		exit(97);
	clean_up(top);
	printf("done %u\n", program.header.id);
}

static bool get(void *to, size_t size)
{
	return fread(to, 1, size, stdin) == size;
}

/* Reads one program, blobs straight into the arena. False: no more. */
static bool read_program(void)
{
	struct program_header *header = &program.header;

	if (!get(header, sizeof(*header)))
		return false;
	if (header->magic != PROGRAM_MAGIC || header->call_count > CALL_MAX)
		return false;
	memset((void *)ARENA, ARENA_FILL, ARENA_SIZE);
	for (uint32_t i = 0; i < header->blob_count; i++) {
		struct blob_header blob;
		char padding[8];

		if (!get(&blob, sizeof(blob)) || !in_arena(blob.address, blob.size) ||
			!get((void *)blob.address, blob.size) || !get(padding, -blob.size & 7))
			return false;
	}
	for (uint32_t i = 0; i < header->call_count; i++) {
		struct call *call = &program.calls[i];

		if (!get(&call->record, sizeof(call->record)) ||
			call->record.dump_count > DUMP_MAX ||
			!get(call->dumps, call->record.dump_count * sizeof(call->dumps[0])))
			return false;
		for (uint32_t d = 0; d < call->record.dump_count; d++)
			if (!in_arena(call->dumps[d].address, call->dumps[d].size))
				return false;
	}
	return true;
}

void set_limit(int resource, uint64_t soft, uint64_t hard)
{
	struct rlimit limit = {soft, hard};

	if (setrlimit(resource, &limit) < 0) {
		getrlimit(resource, &limit);
		if (limit.rlim_max < soft)
			soft = limit.rlim_max;
		limit.rlim_cur = soft;
		setrlimit(resource, &limit);
	}
}

/* Every limit, so that they are the same everywhere. */
static void set_limits(void)
{
	set_limit(RLIMIT_AS, 1ul << 30, 1ul << 30);
	set_limit(RLIMIT_CORE, 0, 0);
	set_limit(RLIMIT_CPU, 300, 300);
	set_limit(RLIMIT_DATA, 1ul << 30, 1ul << 30);
	set_limit(RLIMIT_FSIZE, 16 << 20, 32 << 20);
	set_limit(RLIMIT_LOCKS, 1000, 1000);
	set_limit(RLIMIT_MEMLOCK, 64 << 10, 64 << 10);
	set_limit(RLIMIT_MSGQUEUE, 819200, 819200);
	set_limit(RLIMIT_NICE, 0, 0);
	set_limit(RLIMIT_NPROC, 100, 100);
	set_limit(RLIMIT_RSS, 1ul << 30, 1ul << 30);
	set_limit(RLIMIT_RTPRIO, 0, 0);
	set_limit(RLIMIT_RTTIME, 1000000, 1000000);
	set_limit(RLIMIT_SIGPENDING, 256, 256);
	set_limit(RLIMIT_STACK, 8 << 20, 8 << 20);
}

static _Noreturn void refuse(const char *why)
{
	fprintf(stderr, "difffuzz executor: %s; it runs only under tests/run-difffuzz\n", why);
	exit(99);
}

/* Shared memory that outlives execve, and the program itself. */
static bool make_descriptors(void)
{
	int fd = memfd_create("difffuzz", 0);

	if (fd < 0 || ftruncate(fd, sizeof(struct shared)) < 0 || dup2(fd, SHARED_FD) < 0)
		return false;
	close(fd);
	fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || dup3(fd, SELF_FD, O_CLOEXEC) < 0)
		return false;
	close(fd);
	return true;
}

int main(int argc, char **argv)
{
	const char *armed = getenv("SENTRY_TEST_ARMED");
	struct utsname name;
	sigset_t chld;

	if (!armed || strcmp(armed, "1") != 0)
		refuse("not armed");
	/* The descriptors say that whoever is below was contained. */
	if (argc == 3 && strcmp(argv[1], "--stage") == 0) {
		if (fcntl(TURN_FD(0), F_GETFD) < 0 || !map_memory())
			refuse("no program");
		slot_stage(argv[2][0] - '0');
	}
	if (getuid() == 0 || geteuid() == 0)
		refuse("will not run as root");
	/* Natively only in a pid namespace of its own: the first process there. */
	if (uname(&name) < 0 || (!strstr(name.release, "sentry") && getpid() != 1))
		refuse("not contained");
	if (getpid() == 1) {
		/* As in the sandbox: pid 1 collects orphans, the executor is 2. */
		pid_t pid = fork(), got;
		int status;

		if (pid < 0)
			refuse("no process");
		while (pid > 0) {
			got = wait(&status);
			if (got == pid || (got < 0 && errno == ECHILD))
				_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128);
		}
	}
	/* A new user namespace may give capabilities; the program is to have none on either side.
	 */
	for (int cap = 0; cap < 64; cap++)
		prctl(PR_CAPBSET_DROP, cap, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		refuse("no_new_privs");
	/* What a program leaves behind comes to us, who end it. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		refuse("no reaper");
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	set_limits();
	umask(022);
	if (!make_descriptors() || !map_memory())
		refuse("fixed addresses are taken");
	while (read_program()) {
		sigprocmask(SIG_BLOCK, &chld, NULL);
		run_program();
	}
	return 0;
}
