/* SPDX-License-Identifier: Apache-2.0 */
/*
 * inject PID: makes a process make host calls, as an attacker would who took it over.
 *
 * Each line of the standard input is one call, "NUMBER ARGUMENT...": an argument is a number, or
 * "s:TEXT" (a string in the process's memory), or "b:HEX" (bytes there). For each one line is
 * printed: the result, or "signal N" when the process died of it.
 *
 * The process is stopped wherever it is; a `syscall` instruction of its own program is stepped over
 * with registers of ours. Strings go below its stack pointer.
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

#define ARGUMENTS 6

static void fail(const char *what)
{
	perror(what);
	exit(2);
}

static void copy_to(pid_t pid, uint64_t to, const void *from, size_t size)
{
	struct iovec local = {(void *)from, size}, remote = {(void *)to, size};

	if (process_vm_writev(pid, &local, 1, &remote, 1, 0) != (ssize_t)size)
		fail("process_vm_writev");
}

/* The first `syscall` of the program's text. */
static uint64_t find_syscall(pid_t pid)
{
	static uint8_t text[16 << 20];
	char path[64], line[512];
	FILE *maps;

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	while (maps && fgets(line, sizeof(line), maps)) {
		uint64_t start, end;
		struct iovec local, remote;
		ssize_t size;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &start, &end) != 2 ||
			!strstr(line, " r-xp ") || strstr(line, "[v"))
			continue;
		local = (struct iovec){text, sizeof(text)};
		remote = (struct iovec){(void *)start, end - start};
		size = process_vm_readv(pid, &local, 1, &remote, 1, 0);
		for (ssize_t i = 0; i + 1 < size; i++) {
			if (text[i] == 0x0f && text[i + 1] == 0x05) {
				(void)fclose(maps);
				return start + (uint64_t)i;
			}
		}
	}
	(void)fprintf(stderr, "no syscall instruction\n");
	exit(2);
}

/* Its value; what needs memory is put at *at, which moves down. */
static uint64_t argument(pid_t pid, char *word, uint64_t *at)
{
	uint8_t bytes[4096];
	size_t size = 0;

	if (word[0] == 's' && word[1] == ':') {
		size = strlen(word + 2) + 1;
		*at -= (size + 15) & ~15ull;
		copy_to(pid, *at, word + 2, size);
		return *at;
	}
	if (word[0] == 'b' && word[1] == ':') {
		for (const char *hex = word + 2; hex[0] && hex[1] && size < sizeof(bytes); hex += 2)
			(void)sscanf(hex, "%2hhx", &bytes[size++]);
		*at -= (size + 15) & ~15ull;
		copy_to(pid, *at, bytes, size);
		return *at;
	}
	return strtoull(word, NULL, 0);
}

static void call(pid_t pid, uint64_t rip, const struct user_regs_struct *saved, char *line)
{
	struct user_regs_struct regs = *saved;
	uint64_t words[1 + ARGUMENTS] = {0}, at = saved->rsp - 4096;
	unsigned count = 0;
	char *save = NULL;
	int status;

	for (char *word = strtok_r(line, " \n", &save); word && count <= ARGUMENTS;
		word = strtok_r(NULL, " \n", &save))
		words[count++] = argument(pid, word, &at);
	regs.rax = words[0];
	regs.orig_rax = (uint64_t)-1; /* no restart of what it was in */
	regs.rdi = words[1];
	regs.rsi = words[2];
	regs.rdx = words[3];
	regs.r10 = words[4];
	regs.r8 = words[5];
	regs.r9 = words[6];
	regs.rip = rip;
	if (ptrace(PTRACE_SETREGS, pid, NULL, &regs) < 0)
		fail("PTRACE_SETREGS");
	do {
		if (ptrace(PTRACE_SINGLESTEP, pid, NULL, NULL) < 0 ||
			waitpid(pid, &status, __WALL) != pid)
			fail("PTRACE_SINGLESTEP");
		/* Signals of its own stay with us, but for the one that ends it. */
	} while (WIFSTOPPED(status) && WSTOPSIG(status) != SIGTRAP && WSTOPSIG(status) != SIGSYS);
	if (!WIFSTOPPED(status) || WSTOPSIG(status) == SIGSYS) {
		printf("signal %d\n", WIFSIGNALED(status)  ? WTERMSIG(status)
				      : WIFSTOPPED(status) ? SIGSYS
							   : 0);
		exit(0);
	}
	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) < 0)
		fail("PTRACE_GETREGS");
	printf("%" PRId64 "\n", (int64_t)regs.rax);
	(void)fflush(stdout);
}

int main(int argc, char **argv)
{
	pid_t pid = argc == 2 ? (pid_t)strtol(argv[1], NULL, 10) : 0;
	struct user_regs_struct saved;
	char line[16384];
	uint64_t rip;
	int status;

	if (pid <= 0)
		return 2;
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) < 0 ||
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) < 0 ||
		waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		fail("PTRACE_SEIZE");
	if (ptrace(PTRACE_GETREGS, pid, NULL, &saved) < 0)
		fail("PTRACE_GETREGS");
	rip = find_syscall(pid);
	while (fgets(line, sizeof(line), stdin))
		call(pid, rip, &saved, line);
	return 0;
}
