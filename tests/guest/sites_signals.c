/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program can tell about its hot call sites: where signals find it, what a debugger's single
 * steps show, which registers change, how stacks unwind, what threads that are cancelled do.
 */
#include <asm/prctl.h>
#include <execinfo.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <ucontext.h>
#include <unwind.h>

#include "sites.h"

/* ---- registers ---- */

struct registers {
	uint64_t gp[16]; /* rax rbx rcx rdx rsi rdi rbp r8 .. r15, flags */
	uint8_t xmm[16][16];
};

/* Loads everything, goes to code that makes one call, stores all. */
extern void call_with_registers(
	const struct registers *in, struct registers *out, const uint8_t *code, uint64_t *red_zone);

__asm__(".text\n"
	".globl call_with_registers\n"
	".type call_with_registers, @function\n"
	"call_with_registers:\n"
	"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"	sub $8, %rsp\n"
	"	mov %rsi, saved_out(%rip)\n"
	"	mov %rcx, saved_red(%rip)\n"
	"	mov %rsp, saved_rsp(%rip)\n"
	"	mov %rdx, saved_code(%rip)\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movdqu 128 + 16 * \\n(%rdi), %xmm\\n\n"
	".endr\n"
	"	push 120(%rdi); popfq\n"
	"	mov 8(%rdi), %rbx; mov 24(%rdi), %rdx; mov 32(%rdi), %rsi\n"
	"	mov 48(%rdi), %rbp; mov 56(%rdi), %r8; mov 64(%rdi), %r9; mov 72(%rdi), %r10\n"
	"	mov 88(%rdi), %r12; mov 96(%rdi), %r13; mov 104(%rdi), %r14; mov 112(%rdi), %r15\n"
	"	mov 40(%rdi), %rdi\n"
	/* The red zone: 128 bytes below the stack pointer belong to us. */
	"	movq $0x1111, -24(%rsp); movq $0x2222, -64(%rsp); movq $0x3333, -128(%rsp)\n"
	/* Behind the call the code jumps to registers_back. */
	"	jmp *saved_code(%rip)\n"
	".globl registers_back\n"
	"registers_back:\n"
	"	mov %rax, scratch(%rip)\n"
	"	mov saved_out(%rip), %rax\n"
	"	mov %rbx, 8(%rax); mov %rcx, 16(%rax); mov %rdx, 24(%rax); mov %rsi, 32(%rax)\n"
	"	mov %rdi, 40(%rax); mov %rbp, 48(%rax); mov %r8, 56(%rax); mov %r9, 64(%rax)\n"
	"	mov %r10, 72(%rax); mov %r11, 80(%rax); mov %r12, 88(%rax); mov %r13, 96(%rax)\n"
	"	mov %r14, 104(%rax); mov %r15, 112(%rax)\n"
	"	mov -24(%rsp), %rcx; mov -64(%rsp), %rdx; mov -128(%rsp), %rsi\n"
	"	pushfq; pop %rdi; mov %rdi, 120(%rax); cld\n"
	"	mov saved_red(%rip), %rdi\n"
	"	mov %rcx, (%rdi); mov %rdx, 8(%rdi); mov %rsi, 16(%rdi)\n"
	"	mov scratch(%rip), %rcx; mov %rcx, (%rax)\n"
	"	mov %rsp, %rcx; sub saved_rsp(%rip), %rcx; mov %rcx, 24(%rdi)\n"
	".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
	"	movdqu %xmm\\n, 128 + 16 * \\n(%rax)\n"
	".endr\n"
	"	mov saved_rsp(%rip), %rsp\n"
	"	add $8, %rsp\n"
	"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
	"	ret\n"
	".size call_with_registers, . - call_with_registers\n"
	".local saved_out; .comm saved_out,8\n"
	".local saved_red; .comm saved_red,8\n"
	".local saved_rsp; .comm saved_rsp,8\n"
	".local saved_code; .comm saved_code,8\n"
	".local scratch; .comm scratch,8\n");

extern const char registers_back[];

/* mov $nr, %eax; syscall; jmp registers_back. */
static uint8_t *make_jumping_site(uint32_t nr, size_t *ret_next)
{
	struct code code = code_new(4096);
	uint64_t target = (uint64_t)registers_back;

	emit_filler(&code, 128);
	emit(&code, "\xb8", 1);
	emit_u32(&code, nr);
	emit(&code, "\x0f\x05", 2);
	*ret_next = code.size;
	emit(&code, "\xff\x25\0\0\0\0", 6); /* jmp *0(%rip): through the word behind it */
	emit(&code, &target, sizeof(target));
	code.size = 4096;
	code_save(&code, "jumping");
	return code_map("jumping", 4096, NULL);
}

static void compare_registers(uint32_t nr, uint64_t flags, unsigned rounds, const char *what)
{
	struct registers in, out;
	uint64_t red_zone[4];
	unsigned bad_gp = 0, bad_xmm = 0, bad_red = 0, bad_clobbered = 0;
	size_t next;
	uint8_t *code = make_jumping_site(nr, &next);

	for (unsigned i = 0; i < 15; i++)
		in.gp[i] = 0x0101010101010101ull * (i + 1);
	in.gp[15] = flags;
	for (unsigned i = 0; i < 16; i++)
		memset(in.xmm[i], 0x40 + (int)i, 16);
	for (unsigned round = 0; round < rounds; round++) {
		call_with_registers(&in, &out, code + 128, red_zone);
		for (unsigned i = 1; i < 15; i++) {
			if (i == 2 || i == 10) /* rcx, r11 */
				continue;
			bad_gp += in.gp[i] != out.gp[i];
		}
		bad_clobbered += out.gp[2] != (uint64_t)code + next || out.gp[10] != out.gp[15];
		bad_gp += (out.gp[15] & 0xcd5) != (flags & 0xcd5) || red_zone[3] != 0;
		bad_xmm += memcmp(in.xmm, out.xmm, sizeof(in.xmm)) != 0;
		bad_red += red_zone[0] != 0x1111 || red_zone[1] != 0x2222 || red_zone[2] != 0x3333;
	}
	NOTE("%s: registers %u, rcx and r11 %u, vectors %u, red zone %u wrong; flags %#lx", what,
		bad_gp, bad_clobbered, bad_xmm, bad_red, (unsigned long)out.gp[15] & 0xcd5);
}

CASE(registers)
{
	compare_registers(SYS_getppid, 0x202, 100000, "in the guest");
	compare_registers(SYS_umask, 0x202, 20000, "asking");
	compare_registers(SYS_getppid, 0x202 | 0x8d5, 2000, "all arithmetic flags");
	compare_registers(SYS_umask, 0x202 | 0x8d5, 2000, "all arithmetic flags, asking");
	compare_registers(SYS_getppid, 0x202 | 0x400, 2000, "direction flag");
	compare_registers(SYS_umask, 0x202 | 0x400, 2000, "direction flag, asking");
	compare_registers(SYS_getppid, 0x202 | 0x801, 2000, "overflow and carry");
}

/* ---- the program's own GS base ---- */

static uint64_t read_gs(void)
{
	uint64_t value;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(value));
	return value;
}

CASE(own_gs_base)
{
	struct code code = code_new(4096);
	size_t fn = emit_mov_site(&code, 200, SYS_getppid);
	static uint64_t words[2] = {0x1234, 0};
	unsigned wrong = 0, wrong_gs = 0;
	unsigned long base = 1;
	uint8_t *map;

	code.size = 4096;
	code_save(&code, "code");
	map = code_map("code", 4096, NULL);
	NOTE("%u wrong", heat(map, fn, getppid()));
	for (unsigned i = 0; i < 2; i++) {
		CALL(syscall(SYS_arch_prctl, ARCH_SET_GS, &words[i]));
		for (unsigned j = 0; j < HOT; j++) {
			wrong += call_site(map, fn, 0, 0, 0) != getppid();
			wrong_gs += read_gs() != words[i];
		}
		CALL(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
		TRUTH(base == (unsigned long)&words[i]);
	}
	CALL(syscall(SYS_arch_prctl, ARCH_SET_GS, 0xdead0000ul)); /* leads nowhere */
	for (unsigned j = 0; j < HOT; j++)
		wrong += call_site(map, fn, 0, 0, 0) != getppid();
	CALL(syscall(SYS_arch_prctl, ARCH_SET_GS, 0ul));
	NOTE("%u wrong", heat(map, fn, getppid()));
	CALL(syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
	NOTE("%lu, %u wrong, %u wrong gs", base, wrong, wrong_gs);
	if (getauxval(AT_HWCAP2) & 2) { /* FSGSBASE */
		__asm__ volatile("wrgsbase %0" : : "r"(words));
		for (unsigned j = 0; j < HOT; j++) {
			wrong += call_site(map, fn, 0, 0, 0) != getppid();
			wrong_gs += read_gs() != words[0];
		}
		__asm__ volatile("rdgsbase %0" : "=r"(base));
		TRUTH(base == (unsigned long)words);
		NOTE("%u wrong, %u wrong gs", wrong, wrong_gs);
	}
}

/* ---- single steps ---- */

#define STEPS_MAX 64
static volatile uint64_t steps[STEPS_MAX], step_base, step_size;
static volatile unsigned step_count, steps_elsewhere;

static void on_step(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];

	(void)signo;
	if (info->si_code == TRAP_TRACE && rip - step_base < step_size && step_count < STEPS_MAX)
		steps[step_count++] = rip - step_base;
	else
		steps_elsewhere++;
}

static void step_through(const uint8_t *map, size_t fn)
{
	step_count = steps_elsewhere = 0;
	step_base = (uint64_t)map;
	step_size = 4096;
	__asm__ volatile(
		"pushfq; orq $0x100, (%%rsp); popfq; call *%0; pushfq; andq $~0x100, (%%rsp); popfq"
		:
		: "r"(map + fn)
		: "rax", "rcx", "r11", "rdi", "rsi", "rdx", "r8", "r9", "r10", "memory", "cc");
}

CASE(single_steps)
{
	struct sigaction sa = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
	struct code code = code_new(4096);
	size_t mov = emit_mov_site(&code, 150, SYS_getppid), xor;
	int zero = open("/dev/zero", O_RDONLY);
	uint8_t *map;
	char byte;

	align_code(&code, 16);
	xor = emit_xor_site(&code, code.size + 101);
	code.size = 4096;
	code_save(&code, "code");
	map = code_map("code", 4096, NULL);
	sigaction(SIGTRAP, &sa, NULL);
	for (unsigned hot = 0; hot < 2; hot++) {
		unsigned total = 0;

		step_through(map, mov);
		total = step_count;
		for (unsigned i = step_count > 6 ? step_count - 6 : 0; i < step_count; i++)
			NOTE("mov: step at %lu", (unsigned long)steps[i]);
		step_through(map, xor);
		total += step_count;
		for (unsigned i = step_count > 6 ? step_count - 6 : 0; i < step_count; i++)
			NOTE("xor: step at %lu", (unsigned long)steps[i]);
		NOTE("%u steps, %u elsewhere", total, steps_elsewhere);
		NOTE("%u wrong", heat(map, mov, getppid()));
		for (int i = 0; i < HOT; i++)
			call_site(map, xor, zero, (long)&byte, 1);
	}
}

/* ---- signals at any moment ---- */

struct range {
	uint64_t start, end;
};
static struct range known[64];
static unsigned known_count;

/* Code that a program knows: what is mapped executable from files, and the vDSO (which need not be
 * in the list of mappings). */
static void learn_code(void)
{
	unsigned long vdso = getauxval(AT_SYSINFO_EHDR);
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], rights[8], name[256];
	unsigned long start, end;

	known_count = 0;
	if (vdso)
		known[known_count++] = (struct range){vdso, vdso + 0x4000};
	while (fgets(line, sizeof(line), maps) && known_count < 64) {
		name[0] = '\0';
		if (sscanf(line, "%lx-%lx %7s %*s %*s %*s %255s", &start, &end, rights, name) < 3 ||
			rights[2] != 'x' || strcmp(name, "[trampolines]") == 0)
			continue;
		known[known_count++] = (struct range){start, end};
	}
	fclose(maps);
}

static volatile unsigned storms, strange, unwound, not_unwound;
static volatile bool do_backtrace;
static void *volatile outer_frame;

static _Unwind_Reason_Code on_frame(struct _Unwind_Context *context, void *arg)
{
	bool *found = arg;

	if (_Unwind_GetIP(context) - (uint64_t)outer_frame < 4096)
		*found = true;
	return _URC_NO_REASON;
}

static void on_storm(int signo, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uint64_t rip = (uint64_t)uc->uc_mcontext.gregs[REG_RIP];
	bool found = false;

	(void)signo;
	(void)info;
	storms++;
	for (unsigned i = 0; i < known_count; i++)
		found |= rip >= known[i].start && rip < known[i].end;
	strange += !found;
	if (!do_backtrace)
		return;
	found = false;
	_Unwind_Backtrace(on_frame, &found);
	if (found)
		unwound++;
	else
		not_unwound++;
}

static void start_storm(void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
	struct itimerval timer = {{0, 150}, {0, 150}};

	sigaction(SIGALRM, &sa, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void stop_storm(void)
{
	setitimer(ITIMER_REAL, &(struct itimerval){0}, NULL);
	signal(SIGALRM, SIG_DFL);
	alarm(20);
}

__attribute__((noinline)) static unsigned busy_calls(int zero, unsigned rounds)
{
	unsigned wrong = 0;
	char byte;

	for (unsigned i = 0; i < rounds; i++) {
		byte = 1;
		wrong += read(zero, &byte, 1) != 1 || byte != 0;
		wrong += syscall(SYS_getppid) != getppid();
		wrong += lseek(zero, 0, SEEK_CUR) < 0;
	}
	return wrong;
}

CASE(storm)
{
	int zero = open("/dev/zero", O_RDONLY);
	unsigned wrong = 0;
	long long end;

	busy_calls(zero, HOT);
	learn_code();
	start_storm(on_storm, SA_RESTART);
	end = now_ms() + 1500;
	while (now_ms() < end)
		wrong += busy_calls(zero, 200);
	stop_storm();
	TRUTH(storms > 20);
	NOTE("%u wrong, %u at strange places", wrong, strange);
}

CASE(storm_unwinds)
{
	int zero = open("/dev/zero", O_RDONLY);
	unsigned wrong = 0;
	long long end;
	void *frames[8];

	backtrace(frames, 8); /* loads the unwinder */
	busy_calls(zero, HOT);
	outer_frame = (void *)busy_calls;
	do_backtrace = true;
	learn_code();
	start_storm(on_storm, SA_RESTART);
	end = now_ms() + 1000;
	while (now_ms() < end)
		wrong += busy_calls(zero, 200);
	stop_storm();
	TRUTH(unwound > 20);
	/* A signal between two rounds finds no such frame. */
	TRUTH(not_unwound < unwound / 4 + 10);
	NOTE("%u wrong, %u at strange places", wrong, strange);
}

static sigjmp_buf jump;
static volatile bool armed;

static void on_jump(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
	storms++;
	if (armed) {
		armed = false;
		siglongjmp(jump, 1);
	}
}

CASE(storm_jumps_out)
{
	int zero = open("/dev/zero", O_RDONLY), ends[2];
	volatile unsigned wrong = 0, jumps = 0;
	volatile long long end;
	char byte;

	pipe(ends);
	busy_calls(zero, HOT);
	start_storm(on_jump, SA_RESTART);
	end = now_ms() + 1000;
	while (now_ms() < end) {
		if (sigsetjmp(jump, 1) == 0) {
			armed = true;
			wrong += busy_calls(zero, 50);
			if (jumps % 2)
				read(ends[0], &byte, 1); /* sleeps until the jump */
			armed = false;
		} else {
			jumps++;
		}
	}
	armed = false;
	stop_storm();
	TRUTH(jumps > 20);
	NOTE("%u wrong", wrong);
}

static void on_nothing(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)info;
	(void)context;
}

/* Interrupted with and without a restart, from a site that is hot. */
CASE(restarts)
{
	int ends[2], zero = open("/dev/zero", O_RDONLY);
	struct itimerval once = {{0, 0}, {0, 20000}};
	struct sigaction sa = {.sa_sigaction = on_nothing, .sa_flags = SA_SIGINFO};
	unsigned interrupted = 0;
	char byte;

	busy_calls(zero, HOT);
	pipe(ends);
	sigaction(SIGALRM, &sa, NULL);
	for (unsigned i = 0; i < 10; i++) {
		setitimer(ITIMER_REAL, &once, NULL);
		interrupted += read(ends[0], &byte, 1) == -1 && errno == EINTR;
	}
	NOTE("%u interrupted", interrupted);
	sa.sa_flags |= SA_RESTART;
	sigaction(SIGALRM, &sa, NULL);
	if (fork() == 0) {
		usleep(100000);
		write(ends[1], "x", 1);
		_exit(0);
	}
	setitimer(ITIMER_REAL, &once, NULL);
	CALL(read(ends[0], &byte, 1));
	wait(NULL);
}

/* ---- threads that are cancelled ---- */

static volatile unsigned cleaned;
static volatile bool hot_now;
static int pipe_ends[2];

static void clean(void *arg)
{
	(void)arg;
	cleaned++;
}

static void *cancel_me(void *arg)
{
	int zero = open("/dev/zero", O_RDONLY);
	char byte;

	if (arg)
		pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
	pthread_cleanup_push(clean, NULL);
	for (unsigned i = 0; i < HOT; i++)
		read(zero, &byte, 1);
	hot_now = true;
	if (arg)
		for (;;)
			syscall(SYS_getppid);
	for (;;)
		read(pipe_ends[0], &byte, 1);
	pthread_cleanup_pop(0);
	return NULL;
}

CASE(cancelled)
{
	unsigned cancelled = 0;

	pipe(pipe_ends);
	for (uintptr_t i = 0; i < 20; i++) {
		pthread_t thread;
		void *result;

		pthread_create(&thread, NULL, cancel_me, (void *)(i % 2));
		while (!hot_now)
			usleep(1000);
		hot_now = false;
		pthread_cancel(thread);
		pthread_join(thread, &result);
		cancelled += result == PTHREAD_CANCELED;
	}
	NOTE("%u cancelled, %u cleaned up", cancelled, cleaned);
}
