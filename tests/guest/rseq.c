/* SPDX-License-Identifier: Apache-2.0 */
/* rseq(2), and what ptrace(2), membarrier(2) and the auxiliary vector have to do with it. */
#include <linux/membarrier.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/auxv.h>

#include "ptrace.h"

#define SIG	   0x53053053u /* what abort handlers are preceded by */
#define UNREGISTER 1
#define GET_RSEQ   0x420f

struct area {
	uint32_t cpu_id_start, cpu_id;
	uint64_t rseq_cs;
	uint32_t flags, node_id, mm_cid, pad;
} __attribute__((aligned(32)));

extern const ptrdiff_t __rseq_offset __attribute__((weak));
extern const unsigned __rseq_size __attribute__((weak));

static struct area mine, other;

static int rseq(void *area, unsigned size, int flags, uint32_t sig)
{
	return (int)SYS(SYS_rseq, area, size, flags, sig);
}

/*
 * The sandbox has the call only where its CPUs are the host's first ones (docs/caveats.md): on
 * other machines both sides skip.
 */
static void need_rseq(void)
{
	cpu_set_t set;
	char quota[32] = "max";
	FILE *file = fopen("/sys/fs/cgroup/cpu.max", "r");
	bool usual = sched_getaffinity(0, sizeof(set), &set) == 0;

	for (int cpu = 0; usual && cpu < CPU_COUNT(&set); cpu++)
		usual = CPU_ISSET(cpu, &set);
	if (file) {
		(void)!fscanf(file, "%31s", quota);
		fclose(file);
	}
	if (!usual || strcmp(quota, "max") != 0 || (rseq(NULL, 0, -2, 0) < 0 && errno == ENOSYS))
		SKIP("CPUs with numbers of their own");
}

/* A C library registers an area of its own, with a size that it chose. */
static void drop_libcs(void)
{
	char *tp;

	if (!&__rseq_size || __rseq_size == 0)
		return;
	__asm__("movq %%fs:0, %0" : "=r"(tp));
	if (rseq(tp + __rseq_offset, 32, UNREGISTER, SIG) < 0)
		NOTE("libc's area has another size");
}

CASE(rseq_register)
{
	need_rseq();
	drop_libcs();
	mine.cpu_id = (uint32_t)-1;
	CALL(rseq(&mine, 32, 0, SIG));
	TRUTH(mine.cpu_id < 4096);
	TRUTH(mine.cpu_id_start < 4096);
	TRUTH(mine.cpu_id < (uint32_t)sysconf(_SC_NPROCESSORS_CONF));
	CALL(rseq(&mine, 32, UNREGISTER, SIG));
	NOTE("cpu_id %d, start %u", (int)mine.cpu_id, mine.cpu_id_start);
	CALL(rseq(&mine, 32, UNREGISTER, SIG));
	CALL(rseq(&other, 32, 0, 0x12345678));
	CALL(rseq(&other, 32, UNREGISTER, 0x12345678));
}

CASE(rseq_errors)
{
	need_rseq();
	drop_libcs();
	CALL(rseq((char *)&mine + 4, 32, 0, SIG));
	CALL(rseq((char *)&mine + 16, 32, 0, SIG));
	CALL(rseq(&mine, 16, 0, SIG));
	CALL(rseq(&mine, 0, 0, SIG));
	CALL(rseq(&mine, 32, 2, SIG));
	CALL(rseq(&mine, 32, 3, SIG));
	CALL(rseq(&mine, 32, -1, SIG));
	CALL(rseq(&mine, 32, UNREGISTER, SIG));
	CALL(rseq(NULL, 32, UNREGISTER, SIG));
	CALL(rseq((void *)0xffff800000000000ull, 32, 0, SIG));
	CALL(rseq(&mine, 32, 0, SIG));
	CALL(rseq(&mine, 32, 0, SIG));
	CALL(rseq(&mine, 32, 0, SIG + 1));
	CALL(rseq(&other, 32, 0, SIG));
	CALL(rseq(&mine, 64, 0, SIG));
	CALL(rseq(&mine, 32, UNREGISTER, SIG + 1));
	CALL(rseq(&mine, 64, UNREGISTER, SIG));
	CALL(rseq(&other, 32, UNREGISTER, SIG));
	CALL(rseq(NULL, 32, UNREGISTER, SIG));
	CALL(rseq(&mine, 32, 2, SIG));
	CALL(rseq(&mine, 32, UNREGISTER, SIG));
}

/* ---- sequences ---- */

struct sequence {
	uint32_t version, flags;
	uint64_t start_ip, post_commit_offset, abort_ip;
} __attribute__((aligned(32)));

/*
 * Stays in a sequence until it is aborted, or *stop is set: 1 or 0. The sequence's address is
 * stored by its own first instructions, as the kernel wants it.
 */
__attribute__((noinline)) static int spin_in_sequence(struct area *area, volatile int *stop)
{
	int aborted;

	__asm__ volatile(".pushsection __rseq_cs, \"aw\"\n"
			 ".balign 32\n"
			 "3: .long 0, 0\n"
			 "   .quad 1f, 2f - 1f, 4f\n"
			 ".popsection\n"
			 "leaq 3b(%%rip), %%rax\n"
			 "movq %%rax, 8(%1)\n"
			 "1: cmpl $0, (%2)\n"
			 "pause\n"
			 "je 1b\n"
			 "2: xorl %0, %0\n"
			 "jmp 5f\n"
			 ".byte 0x0f, 0xb9, 0x3d\n" /* ud1 with the signature */
			 ".long 0x53053053\n"
			 "4: movl $1, %0\n"
			 "5:\n"
			 : "=&r"(aborted)
			 : "r"(area), "r"(stop)
			 : "rax", "memory", "cc");
	return aborted;
}

/* *counter += 1, unless something comes between: then it is done again. */
__attribute__((noinline)) static void add_one(struct area *area, volatile uint64_t *counters)
{
	uint32_t cpu;

	__asm__ volatile(".pushsection __rseq_cs, \"aw\"\n"
			 ".balign 32\n"
			 "3: .long 0, 0\n"
			 "   .quad 1f, 2f - 1f, 4f\n"
			 ".popsection\n"
			 "6: leaq 3b(%%rip), %%rax\n"
			 "movq %%rax, 8(%1)\n"
			 "1: movl 4(%1), %0\n"
			 "shlq $6, %q0\n"
			 "movq (%2, %q0), %%rax\n"
			 "incq %%rax\n"
			 "movq %%rax, (%2, %q0)\n"
			 "2: jmp 5f\n"
			 ".byte 0x0f, 0xb9, 0x3d\n"
			 ".long 0x53053053\n"
			 "4: jmp 6b\n"
			 "5:\n"
			 : "=&r"(cpu)
			 : "r"(area), "r"(counters)
			 : "rax", "memory", "cc");
}

static volatile int stop;
static volatile uint64_t handler_saw;

static void on_alarm(int signo)
{
	(void)signo;
	handler_saw = mine.rseq_cs;
}

static void alarm_soon(void)
{
	const struct itimerval soon = {.it_value = {.tv_usec = 20000}};

	setitimer(ITIMER_REAL, &soon, NULL);
}

CASE(rseq_signal_aborts)
{
	need_rseq();
	drop_libcs();
	signal(SIGALRM, on_alarm);
	CALL(rseq(&mine, 32, 0, SIG));
	handler_saw = 1;
	alarm_soon();
	CALL(spin_in_sequence(&mine, &stop));
	/* A preemption may have come first: then a sequence that is over. */
	while (handler_saw == 1)
		;
	NOTE("the handler saw %llu, now %llu", (unsigned long long)handler_saw,
		(unsigned long long)mine.rseq_cs);
	stop = 1;
	for (int i = 0; i < 100; i++)
		(void)getpid();
	CALL(rseq(&mine, 32, UNREGISTER, SIG));
}

/* Without the signature before it nobody is sent anywhere. */
CASE(rseq_wrong_signature)
{
	pid_t pid = fork();

	need_rseq();
	if (pid == 0) {
		drop_libcs();
		signal(SIGALRM, on_alarm);
		if (rseq(&mine, 32, 0, SIG + 1) == 0)
			alarm_soon();
		_exit(spin_in_sequence(&mine, &stop));
	}
	note_wait("child", pid);
}

#define THREADS 4
#define ROUNDS	200000
static uint64_t counters[4096][8] __attribute__((aligned(64)));

static void *count(void *arg)
{
	static __thread struct area area;
	int r;

	(void)arg;
	drop_libcs();
	r = rseq(&area, 32, 0, SIG);
	for (int i = 0; i < ROUNDS && r == 0; i++) {
		add_one(&area, &counters[0][0]);
		if (i % 5000 == 0)
			sched_yield();
	}
	if (rseq(&area, 32, UNREGISTER, SIG) < 0)
		r = 1;
	return (void *)(intptr_t)r;
}

CASE(rseq_counters)
{
	pthread_t threads[THREADS];
	uint64_t sum = 0;

	need_rseq();
	for (int i = 0; i < THREADS; i++)
		RC(pthread_create(&threads[i], NULL, count, NULL));
	for (int i = 0; i < THREADS; i++) {
		void *r;

		pthread_join(threads[i], &r);
		NOTE("thread: %d", (int)(intptr_t)r);
	}
	for (int i = 0; i < 4096; i++)
		sum += counters[i][0];
	NOTE("sum %llu", (unsigned long long)sum);
}

/* ---- who has one ---- */

CASE(rseq_fork)
{
	pid_t pid;

	need_rseq();
	drop_libcs();
	CALL(rseq(&mine, 32, 0, SIG));
	pid = fork();
	if (pid == 0) {
		CALL(rseq(&mine, 32, 0, SIG));
		TRUTH(mine.cpu_id < 4096);
		CALL(rseq(&mine, 32, UNREGISTER, SIG));
		CALL(rseq(&other, 32, 0, SIG));
		fflush(stdout);
		_exit(0);
	}
	note_wait("child", pid);
	CALL(rseq(&mine, 32, UNREGISTER, SIG));
}

static int vfork_result[3];

static int in_shared_memory(void *arg)
{
	(void)arg;
	vfork_result[0] = rseq(&mine, 32, UNREGISTER, SIG) < 0 ? errno : 0;
	vfork_result[1] = rseq(&other, 32, 0, SIG) < 0 ? errno : 0;
	return 0;
}

CASE(rseq_shared_memory)
{
	char *stack = malloc(65536);
	pid_t pid;

	need_rseq();
	drop_libcs();
	CALL(rseq(&mine, 32, 0, SIG));
	pid = clone(in_shared_memory, stack + 65536, CLONE_VM | SIGCHLD, NULL);
	note_wait("child", pid);
	NOTE("unregister %s, register %s", errno_name(vfork_result[0]),
		errno_name(vfork_result[1]));
	CALL(rseq(&mine, 32, UNREGISTER, SIG));
	free(stack);
}

static void *leave_registered(void *arg)
{
	drop_libcs();
	return (void *)(intptr_t)rseq(arg, 32, 0, SIG);
}

/* The area goes as soon as its thread is known to be gone. */
CASE(rseq_area_unmapped)
{
	int sum = 0;

	need_rseq();
	for (int i = 0; i < 50; i++) {
		void *area = mmap(
			NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		pthread_t thread;
		void *r;

		pthread_create(&thread, NULL, leave_registered, area);
		pthread_join(thread, &r);
		sum += (int)(intptr_t)r;
		munmap(area, 4096);
	}
	NOTE("sum %d", sum);
}

/* An area that is gone costs the process its life. */
CASE(rseq_area_lost)
{
	pid_t pid = fork();

	need_rseq();
	if (pid == 0) {
		void *area = mmap(
			NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		drop_libcs();
		if (rseq(area, 32, 0, SIG) < 0)
			_exit(1);
		munmap(area, 4096);
		sleep_ms(10);
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(rseq_auxiliary_vector)
{
	need_rseq();
	NOTE("feature size %lu, alignment %lu", getauxval(27), getauxval(28));
	NOTE("libc: %s", &__rseq_size && __rseq_size ? "has an area" : "has none");
}

/* ---- others ---- */

struct configuration {
	uint64_t pointer;
	uint32_t size, signature, flags, pad;
};

static void register_and_stop(void)
{
	drop_libcs();
	raise(SIGSTOP);
	if (rseq(&mine, 32, 0, 0xabcd) < 0)
		_exit(1);
	raise(SIGSTOP);
	_exit(rseq(&mine, 32, UNREGISTER, 0xabcd) < 0);
}

CASE(rseq_traced)
{
	struct configuration got = {1, 1, 1, 1, 1};
	pid_t pid = traced(register_and_stop);

	need_rseq();
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	say_wait("child", pid);
	CALL(pt(GET_RSEQ, pid, sizeof(got), (unsigned long)&got));
	NOTE("%llu %u %u %u", (unsigned long long)got.pointer, got.size, got.signature, got.flags);
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	say_wait("child", pid);
	CALL(pt(GET_RSEQ, pid, sizeof(got), (unsigned long)&got));
	TRUTH(got.pointer == (uint64_t)&mine);
	NOTE("%u %#x %u", got.size, got.signature, got.flags);
	CALL(pt(GET_RSEQ, pid, 8, (unsigned long)&got));
	CALL(pt(GET_RSEQ, pid, 0, 0));
	CALL(pt(GET_RSEQ, pid, sizeof(got), (unsigned long)BAD_ADDRESS));
	CALL(pt(PTRACE_CONT, pid, 0, 0));
	say_wait("child", pid);
}

static int barrier(int command, unsigned flags, int cpu)
{
	return (int)SYS(SYS_membarrier, command, flags, cpu);
}

static volatile int ready;

static void *spin(void *arg)
{
	int aborted;

	(void)arg;
	drop_libcs();
	if (rseq(&other, 32, 0, SIG) < 0)
		return (void *)2;
	ready = 1;
	do
		aborted = spin_in_sequence(&other, &stop);
	while (aborted && !stop);
	return NULL;
}

CASE(rseq_membarrier)
{
	const int command = MEMBARRIER_CMD_PRIVATE_EXPEDITED_RSEQ;
	pthread_t thread;
	void *r;

	need_rseq();
	TRUTH(barrier(MEMBARRIER_CMD_QUERY, 0, 0) & command);
	CALL(barrier(command, 0, 0));
	CALL(barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 0, 0));
	CALL(barrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED_RSEQ, 1, 0));
	RC(pthread_create(&thread, NULL, spin, NULL));
	while (!ready)
		sched_yield();
	CALL(barrier(command, 0, 0));
	CALL(barrier(command, MEMBARRIER_CMD_FLAG_CPU, 0));
	CALL(barrier(command, MEMBARRIER_CMD_FLAG_CPU, 100000));
	CALL(barrier(command, 2, 0));
	CALL(barrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED, MEMBARRIER_CMD_FLAG_CPU, 0));
	stop = 1;
	pthread_join(thread, &r);
	NOTE("thread: %d", (int)(intptr_t)r);
}
