/* SPDX-License-Identifier: Apache-2.0 */
/* Memory of other processes: PEEK and POKE, /proc/PID/mem, process_vm_readv(2). */
#include "ptrace.h"

#include <linux/futex.h>
#include <pthread.h>

#include "memory.h"

static char *shared, *page, *code, *nothing;
static volatile unsigned long *cell;
static int ready[2];

/* The tracee's memory is a copy of ours: the same addresses. */
static void make_memory(void)
{
	shared = mmap(NULL, P, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	page = mmap(NULL, 2 * P, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	code = mmap(NULL, P, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	nothing = mmap(NULL, P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	strcpy(page, "private page of the tracee");
	cell = (unsigned long *)(page + P);
}

static void say_page(void)
{
	NOTE("page: %.26s", page);
	NOTE("code %#x, cell %#lx", (unsigned char)code[0], *cell);
}

static int memory_of(pid_t pid, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return open(path, flags);
}

/* ---- words -------------------------------------------------------------------------------------
 */

CASE(peek_and_poke)
{
	pid_t pid;
	long word;

	make_memory();
	pid = traced(say_page);
	errno = 0;
	word = ptrace(PTRACE_PEEKDATA, pid, page + 1, NULL);
	NOTE("%.8s %s", (char *)&word, errno_name(errno));
	memcpy(&word, "PRIVATE ", 8);
	CALL(ptrace(PTRACE_POKEDATA, pid, page, word));
	CALL(ptrace(PTRACE_POKETEXT, pid, (void *)cell, 0x1234));
	NOTE("ours: %.8s", page);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

CASE(peek_errors)
{
	pid_t pid;
	unsigned long word;

	make_memory();
	pid = traced(do_nothing);
	CALL(SYS(SYS_ptrace, PTRACE_PEEKDATA, pid, BAD_ADDRESS, &word));
	CALL(SYS(SYS_ptrace, PTRACE_PEEKDATA, pid, page, BAD_ADDRESS));
	CALL(SYS(SYS_ptrace, PTRACE_PEEKDATA, pid, -1l, &word));
	CALL(SYS(SYS_ptrace, PTRACE_PEEKDATA, pid, 1ul << 63, &word));
	CALL(SYS(SYS_ptrace, PTRACE_POKEDATA, pid, BAD_ADDRESS, 1));
	CALL(SYS(SYS_ptrace, PTRACE_PEEKDATA, pid, nothing, &word));
	NOTE("behind no rights: %lu", word);
	finish(pid);
}

CASE(poke_protected)
{
	pid_t pid;

	make_memory();
	pid = traced(say_page);
	CALL(ptrace(PTRACE_POKETEXT, pid, code, 0xcc));
	CALL(ptrace(PTRACE_POKETEXT, pid, nothing, 0xcc));
	mprotect(shared, P, PROT_READ);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

static void protect_shared(void)
{
	mprotect(shared, P, PROT_READ);
	raise(SIGSTOP);
}

CASE(poke_shared_read_only)
{
	pid_t pid;

	make_memory();
	pid = traced(protect_shared);
	CALL(ptrace(PTRACE_POKEDATA, pid, shared, 0x41));
	NOTE("shared %d", shared[0]);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("stop", pid);
	CALL(ptrace(PTRACE_POKEDATA, pid, shared, 0x42));
	NOTE("shared %d", shared[0]);
	finish(pid);
}

/* ---- breakpoints -------------------------------------------------------------------------------
 */

__attribute__((noinline)) static int stepped_on(int value)
{
	__asm__ volatile("" ::: "memory");
	return value + 1;
}

static void calls_it(void)
{
	NOTE("result %d", stepped_on(1) + stepped_on(2));
}

CASE(breakpoint)
{
	pid_t pid = traced(calls_it);
	struct user_regs_struct regs;
	long word;

	word = ptrace(PTRACE_PEEKTEXT, pid, (void *)stepped_on, NULL);
	TRUTH(memcmp(&word, (void *)stepped_on, 8) == 0);
	for (int i = 0; i < 2; i++) {
		CALL(ptrace(PTRACE_POKETEXT, pid, (void *)stepped_on, (word & ~0xffl) | 0xcc));
		pt(PTRACE_CONT, pid, 0, 0);
		say_wait("breakpoint", pid);
		say_siginfo("breakpoint", pid);
		ptrace(PTRACE_GETREGS, pid, NULL, &regs);
		TRUTH(regs.rip == (uintptr_t)stepped_on + 1);
		CALL(ptrace(PTRACE_POKETEXT, pid, (void *)stepped_on, word));
		regs.rip--;
		CALL(ptrace(PTRACE_SETREGS, pid, NULL, &regs));
		CALL(pt(PTRACE_SINGLESTEP, pid, 0, 0));
		say_wait("step", pid);
	}
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

static void calls_a_lot(void)
{
	for (int i = 0; i < 200; i++)
		SYS(SYS_umask, 022);
	raise(SIGSTOP);
	for (int i = 0; i < 200; i++)
		SYS(SYS_umask, 022);
}

/* What made a hot call site fast does not show. */
CASE(hot_code_is_the_files)
{
	const unsigned char *function = (void *)syscall;
	unsigned char bytes[64];
	struct iovec local = {bytes, sizeof(bytes)}, remote = {(void *)function, sizeof(bytes)};
	pid_t pid = child(calls_a_lot);
	int status;

	waitpid(pid, &status, WUNTRACED);
	CALL(pt(PTRACE_SEIZE, pid, 0, 0));
	say_wait("seized", pid);
	CALL(process_vm_readv(pid, &local, 1, &remote, 1, 0));
	TRUTH(memcmp(bytes, function, sizeof(bytes)) == 0);
	kill(pid, SIGCONT);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("continued", pid);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("SIGCONT", pid);
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
}

/* ---- /proc/PID/mem -----------------------------------------------------------------------------
 */

CASE(mem_of_a_tracee)
{
	char buffer[32] = "";
	pid_t pid;
	int fd;

	make_memory();
	pid = traced(say_page);
	fd = OK(memory_of(pid, O_RDWR));
	CALL(pread(fd, buffer, 12, (off_t)(uintptr_t)page));
	NOTE("%s", buffer);
	CALL(pwrite(fd, "PRI", 3, (off_t)(uintptr_t)page));
	CALL(pwrite(fd, "\xcc", 1, (off_t)(uintptr_t)code));
	CALL(pread(fd, buffer, 8, 0x10));
	CALL(pwrite(fd, buffer, 8, 0x10));
	CALL(pread(fd, buffer, 32, (off_t)(uintptr_t)page + 2 * P - 16));
	CALL(pread(fd, buffer, 4, (off_t)(uintptr_t)nothing));
	TRUTH(lseek(fd, (off_t)(uintptr_t)page, SEEK_SET) == (off_t)(uintptr_t)page);
	CALL(read(fd, buffer, 4));
	TRUTH(lseek(fd, 0, SEEK_CUR) == (off_t)(uintptr_t)page + 4);
	CALL(lseek(fd, 0, SEEK_END));
	CALL(read(fd, buffer, 0));
	pt(PTRACE_CONT, pid, 0, 0);
	say_wait("end", pid);
	CALL(pread(fd, buffer, 12, (off_t)(uintptr_t)page));
	CALL(pwrite(fd, buffer, 12, (off_t)(uintptr_t)page));
}

CASE(mem_of_oneself)
{
	char buffer[16] = "", text[] = "before";
	int fd = OK(open("/proc/self/mem", O_RDWR));

	CALL(pread(fd, buffer, 6, (off_t)(uintptr_t)text));
	NOTE("%s", buffer);
	CALL(pwrite(fd, "AFTER", 5, (off_t)(uintptr_t)text));
	NOTE("%s", text);
	make_memory();
	CALL(pwrite(fd, "\x90", 1, (off_t)(uintptr_t)code));
	NOTE("code %#x", (unsigned char)code[0]);
	CALL(pwrite(fd, "\x90", 1, (off_t)(uintptr_t)nothing));
}

static void execs(void)
{
	char byte;

	read(ready[0], &byte, 1);
	execl("/bin/sleep", "sleep", "5", (char *)NULL);
}

/* The address space that was opened is gone. */
CASE(mem_after_exec)
{
	char buffer[8];
	pid_t pid;
	int fd;

	pipe(ready);
	make_memory();
	pid = traced(execs);
	fd = OK(memory_of(pid, O_RDONLY));
	CALL(pread(fd, buffer, 8, (off_t)(uintptr_t)page));
	pt(PTRACE_CONT, pid, 0, 0);
	write(ready[1], "x", 1);
	say_wait("exec", pid);
	CALL(pread(fd, buffer, 8, (off_t)(uintptr_t)page));
	finish(pid);
}

CASE(mem_of_another_user)
{
	pid_t pid = child((void (*)(void))pause), other;

	if (getuid() != 0)
		SKIP("needs root");
	other = fork();
	if (other == 0) {
		char byte;
		struct iovec local = {&byte, 1}, remote = {&byte, 1};

		setgid(1000);
		setuid(1000);
		CALL(memory_of(pid, O_RDONLY));
		CALL(process_vm_readv(pid, &local, 1, &remote, 1, 0));
		_exit(0);
	}
	note_wait("other", other);
	finish(pid);
}

/* ---- between processes that nobody traces -----------------------------------------------------
 */

static void sleeps_in_a_call(void)
{
	int fds[2];

	pipe(fds);
	strcpy(page, "changed by the child");
	write(ready[1], "x", 1);
	read(fds[0], page + 64, 16);
}

static void sleeps_in_a_futex(void)
{
	strcpy(page, "changed by the child");
	write(ready[1], "x", 1);
	SYS(SYS_futex, page + 64, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
	NOTE("the futex said %s", errno_name(errno));
}

static void sleeps_in_a_shared_futex(void)
{
	struct timespec time = {10, 0};

	strcpy(page, "changed by the child");
	write(ready[1], "x", 1);
	SYS(SYS_futex, shared, FUTEX_WAIT, 0, &time, NULL, 0);
	NOTE("the futex said %s", errno_name(errno));
}

static void computes(void)
{
	strcpy(page, "changed by the child");
	write(ready[1], "x", 1);
	for (;;)
		++*cell;
}

static void read_and_write(void (*fn)(void))
{
	char buffer[P] = "";
	struct iovec local[] = {{buffer, 10}, {buffer + 10, 10}}, from = {"WAS", 3};
	struct iovec remote, to, bad[2];
	pid_t pid;
	char byte;

	pipe(ready);
	make_memory();
	remote = (struct iovec){page, 20};
	to = (struct iovec){page + 8, 3};
	bad[0] = (struct iovec){page, 4};
	bad[1] = (struct iovec){nothing, 4};
	pid = child(fn);
	read(ready[0], &byte, 1);
	sleep_ms(10);
	CALL(process_vm_readv(pid, local, 2, &remote, 1, 0));
	NOTE("%.20s", buffer);
	CALL(process_vm_writev(pid, &from, 1, &to, 1, 0));
	CALL(process_vm_readv(pid, local, 2, &remote, 1, 0));
	NOTE("%.20s", buffer);
	CALL(process_vm_readv(pid, local, 2, bad, 2, 0));
	CALL(process_vm_readv(pid, local, 2, bad + 1, 1, 0));
	to.iov_base = code;
	CALL(process_vm_writev(pid, &from, 1, &to, 1, 0));
	finish(pid);
	CALL(process_vm_readv(pid, local, 2, &remote, 1, 0));
}

CASE(vm_of_a_sleeper)
{
	read_and_write(sleeps_in_a_call);
}

CASE(vm_of_a_waiter)
{
	read_and_write(sleeps_in_a_futex);
}

CASE(vm_of_a_waiter_for_others)
{
	read_and_write(sleeps_in_a_shared_futex);
}

/* Another thread than the one that is stopped is asked for: it waits for that one. */
static void *stops(void *arg)
{
	*cell = (unsigned long)SYS(SYS_gettid);
	write(ready[1], "x", 1);
	for (;;)
		pause();
	return NULL;
}

static void joins(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, stops, NULL);
	pthread_join(thread, NULL);
}

CASE(mem_of_a_joiner)
{
	char buffer[P];
	struct iovec local = {buffer, 20}, remote;
	unsigned long tid;
	pid_t pid;
	char byte;
	int fd;

	pipe(ready);
	make_memory();
	cell = (unsigned long *)shared;
	pid = child(joins);
	read(ready[0], &byte, 1);
	sleep_ms(10);
	tid = *cell;
	CALL(pt(PTRACE_SEIZE, (pid_t)tid, 0, 0));
	CALL(pt(PTRACE_SEIZE, pid, 0, 0));
	CALL(pt(PTRACE_INTERRUPT, (pid_t)tid, 0, 0));
	say_wait("thread", (pid_t)tid);
	fd = OK(memory_of(pid, O_RDONLY));
	CALL(pread(fd, buffer, 20, (off_t)(uintptr_t)page));
	NOTE("%.20s", buffer);
	remote = (struct iovec){page, 20};
	CALL(process_vm_readv(pid, &local, 1, &remote, 1, 0));
	pt(PTRACE_CONT, (pid_t)tid, 0, 0);
	CALL(process_vm_readv(pid, &local, 1, &remote, 1, 0));
	kill(pid, SIGKILL);
	say_wait("thread's end", (pid_t)tid);
	say_wait("end", pid);
}

CASE(vm_of_a_computer)
{
	read_and_write(computes);
}

static void stopped(void)
{
	strcpy(page, "changed by the child");
	write(ready[1], "x", 1);
	raise(SIGSTOP);
}

CASE(vm_of_a_stopped_one)
{
	read_and_write(stopped);
}

/* Two that look at each other all the time. */
static void looks_at_parent(void)
{
	char buffer[16];
	struct iovec local = {buffer, 16}, remote = {page, 16};

	for (int i = 0; i < 500; i++)
		if (process_vm_readv(getppid(), &local, 1, &remote, 1, 0) != 16)
			_exit(1);
}

CASE(vm_of_each_other)
{
	char buffer[16];
	struct iovec local = {buffer, 16}, remote;
	pid_t pid;
	int status;
	bool right = true;

	make_memory();
	remote = (struct iovec){page, 16};
	pid = child(looks_at_parent);
	while (waitpid(pid, &status, WNOHANG) == 0) {
		ssize_t got = process_vm_readv(pid, &local, 1, &remote, 1, 0);

		if (got != 16 && errno != ESRCH)
			right = false;
	}
	TRUTH(right);
	say_status("child", status);
}

CASE(vm_large)
{
	size_t size = 5 << 20;
	char *big = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *to = malloc(size);
	struct iovec local = {to, size}, remote = {big, size};
	pid_t pid;

	for (size_t i = 0; i < size; i++)
		big[i] = (char)(i * 7 >> 8);
	pid = child((void (*)(void))pause);
	CALL(process_vm_readv(pid, &local, 1, &remote, 1, 0));
	TRUTH(memcmp(big, to, size) == 0);
	CALL(process_vm_writev(pid, &local, 1, &remote, 1, 0));
	finish(pid);
}

/* Whoever reads waits for the owner of the memory, who reads by the same description. */
CASE(mem_by_a_shared_descriptor)
{
	static char there[1 << 16], here[1 << 16];
	int fd = OK(open("/proc/self/mem", O_RDONLY)), good = 0;
	pid_t pid;

	memset(there, 'x', sizeof(there));
	pid = fork();
	for (int i = 0; i < 300; i++)
		good += pread(fd, here, sizeof(here), (off_t)(uintptr_t)there) == sizeof(here) &&
			lseek(fd, (off_t)(uintptr_t)there, SEEK_SET) >= 0 &&
			read(fd, here, 16) >= 0;
	if (pid == 0) {
		NOTE("child: %d", good > 0);
		fflush(NULL);
		_exit(0);
	}
	note_wait("child", pid);
	NOTE("parent: %d", good > 0);
}
