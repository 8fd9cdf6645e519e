/* SPDX-License-Identifier: Apache-2.0 */
/* prctl, arch_prctl, personality. */
#include <asm/prctl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "case.h"

static void drop(void)
{
	if (geteuid() == 0 &&
		(setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
		exit(1);
}

CASE(name)
{
	char name[17] = {0};

	CALL(prctl(PR_SET_NAME, "short"));
	CALL(prctl(PR_GET_NAME, name));
	NOTE("%s", name);
	CALL(prctl(PR_SET_NAME, "a name that is much too long"));
	CALL(prctl(PR_GET_NAME, name));
	NOTE("%s", name);
	CALL(prctl(PR_SET_NAME, ""));
	CALL(prctl(PR_GET_NAME, name));
	NOTE("%zu", strlen(name));
	CALL(prctl(PR_SET_NAME, BAD_ADDRESS));
	CALL(prctl(PR_GET_NAME, BAD_ADDRESS));
}

CASE(name_survives_fork_not_exec)
{
	char name[16];

	prctl(PR_SET_NAME, "mine");
	if (fork() == 0) {
		prctl(PR_GET_NAME, name);
		NOTE("child %s", name);
		_exit(0);
	}
	note_wait("child", -1);
	execl("/bin/cat", "cat", "/proc/self/comm", NULL);
}

CASE(unknown_options)
{
	CALL(prctl(0, 0, 0, 0, 0));
	CALL(prctl(12345, 0, 0, 0, 0));
	CALL(prctl(-1, 0, 0, 0, 0));
	CALL(prctl(PR_GET_UNALIGN, 0, 0, 0, 0));
	CALL(prctl(PR_GET_FPEMU, 0, 0, 0, 0));
	CALL(prctl(PR_GET_ENDIAN, 0, 0, 0, 0));
}

CASE(parent_death_signal)
{
	int signo = -1;

	CALL(prctl(PR_GET_PDEATHSIG, &signo));
	NOTE("%d", signo);
	CALL(prctl(PR_SET_PDEATHSIG, SIGUSR1));
	CALL(prctl(PR_GET_PDEATHSIG, &signo));
	NOTE("%d", signo);
	CALL(prctl(PR_SET_PDEATHSIG, 65));
	CALL(prctl(PR_SET_PDEATHSIG, -1));
	CALL(prctl(PR_GET_PDEATHSIG, BAD_ADDRESS));
	CALL(prctl(PR_SET_PDEATHSIG, 0));
}

CASE(parent_death_signal_is_sent)
{
	int p[2];
	char c = '-';

	pipe(p);
	if (fork() == 0) {
		if (fork() == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			write(p[1], "r", 1);
			sleep(10);
			write(p[1], "x", 1);
			_exit(0);
		}
		read(p[0], &c, 1);
		_exit(0);
	}
	note_wait("middle", -1);
	close(p[1]);
	NOTE("read %zd", read(p[0], &c, 1));
}

CASE(dumpable)
{
	CALL(prctl(PR_GET_DUMPABLE));
	CALL(prctl(PR_SET_DUMPABLE, 0));
	CALL(prctl(PR_GET_DUMPABLE));
	CALL(prctl(PR_SET_DUMPABLE, 2));
	CALL(prctl(PR_SET_DUMPABLE, -1));
	CALL(prctl(PR_SET_DUMPABLE, 1));
	if (fork() == 0)
		_exit(prctl(PR_GET_DUMPABLE));
	note_wait("child", -1);
}

CASE(keep_capabilities)
{
	CALL(prctl(PR_GET_KEEPCAPS));
	CALL(prctl(PR_SET_KEEPCAPS, 1));
	CALL(prctl(PR_GET_KEEPCAPS));
	CALL(prctl(PR_SET_KEEPCAPS, 2));
	CALL(prctl(PR_SET_KEEPCAPS, 0));
	CALL(prctl(PR_GET_KEEPCAPS));
}

CASE(no_new_privs)
{
	CALL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	CALL(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0));
	CALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 1, 0, 0));
	CALL(prctl(PR_GET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	CALL(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	if (fork() == 0)
		_exit(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0));
	note_wait("child", -1);
}

CASE(child_subreaper)
{
	int value = -1;
	pid_t pid;

	CALL(prctl(PR_GET_CHILD_SUBREAPER, &value));
	NOTE("%d", value);
	CALL(prctl(PR_SET_CHILD_SUBREAPER, 7));
	CALL(prctl(PR_GET_CHILD_SUBREAPER, &value));
	NOTE("%d", value);
	CALL(prctl(PR_GET_CHILD_SUBREAPER, BAD_ADDRESS));
	pid = fork();
	if (pid == 0) {
		if (fork() == 0) {
			sleep_ms(50);
			_exit(getppid() == 1 ? 1 : 9);
		}
		_exit(3);
	}
	note_wait("child", pid);
	note_wait("adopted", -1);
}

CASE(timer_slack)
{
	CALL(prctl(PR_GET_TIMERSLACK));
	CALL(prctl(PR_SET_TIMERSLACK, 123456));
	CALL(prctl(PR_GET_TIMERSLACK));
	if (fork() == 0)
		_exit(prctl(PR_GET_TIMERSLACK) == 123456);
	note_wait("child", -1);
	CALL(prctl(PR_SET_TIMERSLACK, 0));
	CALL(prctl(PR_GET_TIMERSLACK));
}

CASE(bounding_set)
{
	CALL(prctl(PR_CAPBSET_READ, 1000));
	CALL(prctl(PR_CAPBSET_DROP, 1000));
	drop();
	CALL(prctl(PR_CAPBSET_DROP, CAP_CHOWN));
	CALL(prctl(PR_CAPBSET_READ, -1));
}

CASE(ambient_set)
{
	CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 0, 0));
	CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 1000, 0, 0));
	CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, CAP_CHOWN, 1, 0));
	CALL(prctl(PR_CAP_AMBIENT, 99, CAP_CHOWN, 0, 0));
	CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 1, 0, 0));
	CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
	drop();
	CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_CHOWN, 0, 0));
	CALL(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_LOWER, CAP_CHOWN, 0, 0));
}

CASE(secure_bits)
{
	CALL(prctl(PR_GET_SECUREBITS));
	drop();
	CALL(prctl(PR_SET_SECUREBITS, SECBIT_NOROOT));
	CALL(prctl(PR_SET_SECUREBITS, 1 << 20));
}

CASE(seccomp_is_off)
{
	CALL(prctl(PR_GET_SECCOMP));
	CALL(prctl(PR_SET_SECCOMP, 77, 0, 0, 0));
}

CASE(timing_and_tsc)
{
	int tsc = 0;

	CALL(prctl(PR_GET_TIMING));
	CALL(prctl(PR_SET_TIMING, PR_TIMING_STATISTICAL));
	CALL(prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP));
	CALL(prctl(PR_GET_TSC, &tsc));
	NOTE("%d", tsc);
	CALL(prctl(PR_SET_TSC, PR_TSC_ENABLE));
	CALL(prctl(PR_SET_TSC, 77));
	CALL(prctl(PR_GET_TSC, BAD_ADDRESS));
}

CASE(auxv)
{
	unsigned long auxv[128] = {0};

	TRUTH(prctl(0x41555856, auxv, sizeof(auxv), 0, 0) > 0);
	TRUTH(auxv[0] != 0);
	CALL(prctl(0x41555856, auxv, sizeof(auxv), 1, 0));
	CALL(prctl(0x41555856, BAD_ADDRESS, sizeof(auxv), 0, 0));
}

CASE(memory_map_needs_rights)
{
	drop();
	CALL(prctl(PR_SET_MM, PR_SET_MM_BRK, 0, 0, 0));
	CALL(prctl(57, 0, 0, 0, 0));
}

CASE(vma_names)
{
	CALL(prctl(PR_SET_VMA, 7, 0, 4096, NULL));
	CALL(prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, 1, 4096, NULL));
}

CASE(segment_bases)
{
	unsigned long fs = 0, gs = 1;

	CALL(SYS(SYS_arch_prctl, ARCH_GET_FS, &fs));
	TRUTH(fs != 0);
	CALL(SYS(SYS_arch_prctl, ARCH_GET_GS, &gs));
	NOTE("%lu", gs);
	CALL(SYS(SYS_arch_prctl, ARCH_SET_FS, fs));
	CALL(SYS(SYS_arch_prctl, ARCH_SET_FS, -1ul));
	CALL(SYS(SYS_arch_prctl, ARCH_SET_GS, 1ul << 62));
	CALL(SYS(SYS_arch_prctl, ARCH_GET_FS, BAD_ADDRESS));
	CALL(SYS(SYS_arch_prctl, 0x9999, 0));
	errno = 0;
	TRUTH(errno == 0);
}

CASE(gs_base_is_the_programs)
{
	static unsigned long cell[4] = {11, 22, 33, 44};
	unsigned long value = 0, base = 0;

	CALL(SYS(SYS_arch_prctl, ARCH_SET_GS, cell));
	__asm__ volatile("mov %%gs:8, %0" : "=r"(value));
	NOTE("%lu", value);
	CALL(getppid() > 0);
	__asm__ volatile("mov %%gs:16, %0" : "=r"(value));
	NOTE("%lu", value);
	CALL(SYS(SYS_arch_prctl, ARCH_GET_GS, &base));
	TRUTH(base == (unsigned long)cell);
	if (fork() == 0) {
		__asm__ volatile("mov %%gs:24, %0" : "=r"(value));
		_exit((int)value);
	}
	note_wait("child", -1);
}

CASE(cpuid_faulting)
{
	CALL(SYS(SYS_arch_prctl, ARCH_GET_CPUID, 0));
}

CASE(personalities)
{
	CALL(personality(0xffffffff));
	CALL(personality(ADDR_NO_RANDOMIZE));
	CALL(personality(0xffffffff));
	if (fork() == 0)
		_exit(personality(0xffffffff) == ADDR_NO_RANDOMIZE);
	note_wait("child", -1);
	CALL(personality(PER_LINUX));
	CALL(personality(0xffffffff));
}

CASE(no_randomisation)
{
	char first[64] = "", second[64] = "";
	const char *command = "grep stack /proc/self/maps | cut -d' ' -f1 | sed 's/.*-//'";
	FILE *f;

	personality(ADDR_NO_RANDOMIZE);
	f = popen(command, "r");
	fgets(first, sizeof(first), f);
	pclose(f);
	f = popen(command, "r");
	fgets(second, sizeof(second), f);
	pclose(f);
	TRUTH(first[0] && strcmp(first, second) == 0);
}

CASE(read_implies_exec)
{
	static const unsigned char code[] = {0xb8, 0x2a, 0, 0, 0, 0xc3};
	char *p;

	personality(READ_IMPLIES_EXEC);
	p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(p, code, sizeof(code));
	NOTE("%d", ((int (*)(void))p)());
}

/* ---- memory deny write execute ---- */

#define SET_MDWE 65
#define GET_MDWE 66
#define RW	 (PROT_READ | PROT_WRITE)
#define RX	 (PROT_READ | PROT_EXEC)

static void *map(int prot)
{
	return mmap(NULL, 8192, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void note_map(const char *what, int prot)
{
	void *p = map(prot);

	NOTE("%s: %s", what, p == MAP_FAILED ? errno_name(errno) : "mapped");
}

CASE(mdwe_values)
{
	if (prctl(SET_MDWE, 0, 0, 0, 0) < 0)
		SKIP("no PR_SET_MDWE");
	CALL(prctl(GET_MDWE, 0, 0, 0, 0));
	CALL(prctl(GET_MDWE, 1, 0, 0, 0));
	CALL(prctl(GET_MDWE, 0, 0, 0, 1));
	CALL(prctl(SET_MDWE, 4, 0, 0, 0));
	CALL(prctl(SET_MDWE, 2, 0, 0, 0));
	CALL(prctl(SET_MDWE, 1, 1, 0, 0));
	CALL(prctl(SET_MDWE, 1, 0, 1, 0));
	CALL(prctl(SET_MDWE, 1, 0, 0, 1));
	CALL(prctl(SET_MDWE, 1ul << 32 | 1, 0, 0, 0));
	CALL(prctl(SET_MDWE, 0, 0, 0, 0));
	CALL(prctl(SET_MDWE, 1, 0, 0, 0));
	CALL(prctl(SET_MDWE, 1, 0, 0, 0));
	CALL(prctl(SET_MDWE, 3, 0, 0, 0));
	CALL(prctl(SET_MDWE, 0, 0, 0, 0));
	CALL(prctl(GET_MDWE, 0, 0, 0, 0));
}

CASE(mdwe_effect)
{
	char *rw = map(RW), *rx = map(RX), *rwx = map(RW | PROT_EXEC), *r = map(PROT_READ);

	if (prctl(SET_MDWE, 1, 0, 0, 0) < 0)
		SKIP("no PR_SET_MDWE");
	note_map("rwx", RW | PROT_EXEC);
	note_map("wx", PROT_WRITE | PROT_EXEC);
	note_map("rx", RX);
	note_map("x", PROT_EXEC);
	note_map("rw", RW);
	CALL(mprotect(rw, 8192, RX));
	CALL(mprotect(rw, 8192, PROT_EXEC));
	CALL(mprotect(rw, 8192, RW | PROT_EXEC));
	CALL(mprotect(rw, 8192, PROT_READ));
	CALL(mprotect(r, 8192, RX));
	CALL(mprotect(rx, 8192, RX));
	CALL(mprotect(rx, 8192, RW | PROT_EXEC));
	CALL(mprotect(rx, 8192, PROT_EXEC));
	CALL(mprotect(rwx, 4096, RX));
	CALL(mprotect(rwx, 8192, RW | PROT_EXEC));
	CALL(mprotect(rwx, 8192, RX));
	CALL(mprotect(rx, 8192, RW));
	CALL(mprotect(rx, 8192, RX));
	CALL(mprotect(rw, 1 << 30, RX));
	personality(READ_IMPLIES_EXEC);
	note_map("r implies x", PROT_READ);
	note_map("rw implies x", RW);
}

static void note_child(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		NOTE("child: %d", prctl(GET_MDWE, 0, 0, 0, 0));
		note_map("rwx", RW | PROT_EXEC);
		_exit(0);
	}
	waitpid(pid, &status, 0);
}

CASE(mdwe_inherited)
{
	if (prctl(SET_MDWE, 1, 0, 0, 0) < 0)
		SKIP("no PR_SET_MDWE");
	note_child();
}

CASE(mdwe_not_inherited)
{
	if (prctl(SET_MDWE, 3, 0, 0, 0) < 0)
		SKIP("no PR_MDWE_NO_INHERIT");
	CALL(prctl(GET_MDWE, 0, 0, 0, 0));
	note_child();
	CALL(prctl(SET_MDWE, 1, 0, 0, 0));
}

/* ---- transparent huge pages ---- */

static void show_thp(void)
{
	CALL(prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0));
	fflush(stdout);
	system("grep THP_enabled /proc/self/status");
}

CASE(thp_disable)
{
	char *p;

	CALL(prctl(PR_SET_THP_DISABLE, 1, 1, 0, 0));
	CALL(prctl(PR_SET_THP_DISABLE, 1, 0, 1, 0));
	CALL(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 1));
	CALL(prctl(PR_SET_THP_DISABLE, 0, 2, 0, 0));
	CALL(prctl(PR_GET_THP_DISABLE, 1, 0, 0, 0));
	show_thp();
	CALL(prctl(PR_SET_THP_DISABLE, 77, 0, 0, 0));
	show_thp();
	p = mmap(NULL, 4 << 20, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CALL(madvise(p, 4 << 20, MADV_HUGEPAGE));
	memset(p, 1, 4 << 20);
	CALL(madvise(p, 4 << 20, MADV_NOHUGEPAGE));
	CALL(prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0));
	show_thp();
}

CASE(thp_disable_except_advised)
{
	if (prctl(PR_SET_THP_DISABLE, 1, 2, 0, 0) < 0)
		SKIP("no PR_THP_DISABLE_EXCEPT_ADVISED");
	show_thp();
}
