/* SPDX-License-Identifier: Apache-2.0 */
/* execve and execveat: what is a program, which errors name what is not, and what survives. */
#include <elf.h>
#include <pthread.h>
#include <spawn.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "case.h"

extern char **environ;

/* ---- a tiny program -------------------------------------------------------------------------- */

/* exit(42) */
static const unsigned char code[] = {0xb8, 60, 0, 0, 0, 0xbf, 42, 0, 0, 0, 0x0f, 0x05};

struct tiny {
	Elf64_Ehdr header;
	Elf64_Phdr table[3];
	unsigned char code[16];
	char tail[64];
};

static struct tiny tiny_program(void)
{
	struct tiny t = {
		.header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			.e_type = ET_EXEC,
			.e_machine = EM_X86_64,
			.e_version = EV_CURRENT,
			.e_entry = 0x400000 + offsetof(struct tiny, code),
			.e_phoff = offsetof(struct tiny, table),
			.e_ehsize = sizeof(Elf64_Ehdr),
			.e_phentsize = sizeof(Elf64_Phdr),
			.e_phnum = 2},
		.table = {{.p_type = PT_LOAD,
				  .p_flags = PF_R | PF_X,
				  .p_vaddr = 0x400000,
				  .p_filesz = sizeof(struct tiny),
				  .p_memsz = sizeof(struct tiny),
				  .p_align = 0x1000},
			{.p_type = PT_GNU_STACK, .p_flags = PF_R | PF_W}},
	};

	memcpy(t.code, code, sizeof(code));
	return t;
}

static void write_program(const char *name, const void *bytes, size_t size)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0700);

	if (write(fd, bytes, size) != (ssize_t)size)
		exit(1);
	close(fd);
}

/* Runs @path in a child and prints how that went: an errno, or the program's end. */
static void run(const char *what, const char *path, char *const argv[])
{
	pid_t pid = fork();

	if (pid == 0) {
		execve(path, argv, environ);
		NOTE("%s: %s", what, errno_name(errno));
		_exit(0);
	}
	note_wait(what, pid);
}

static void run_tiny(const char *what, const struct tiny *t)
{
	write_program("t", t, sizeof(*t));
	run(what, "./t", (char *[]){"t", NULL});
}

static void script(const char *name, const char *text)
{
	write_program(name, text, strlen(text));
}

/* The rest of the case is a shell command. */
static void shell(const char *command)
{
	execl("/bin/sh", "sh", "-c", command, NULL);
	NOTE("sh: %s", errno_name(errno));
}

/* ---- names ----------------------------------------------------------------------------------- */

CASE(bad_names)
{
	char *argv[] = {"x", NULL};
	char long_name[5000];

	memset(long_name, 'a', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	write_file("plain", "text");
	mkdir("dir", 0700);
	symlink("loop", "loop");
	CALL(execve("nowhere", argv, environ));
	CALL(execve("", argv, environ));
	CALL(execve("plain/x", argv, environ));
	CALL(execve("dir", argv, environ));
	CALL(execve("dir/", argv, environ));
	CALL(execve("loop", argv, environ));
	CALL(execve(long_name, argv, environ));
	CALL(execve(BAD_ADDRESS, argv, environ));
	CALL(execve("plain", argv, environ));
}

CASE(not_regular)
{
	char *argv[] = {"x", NULL};

	mkfifo("fifo", 0700);
	CALL(execve("fifo", argv, environ));
	CALL(execve("/dev/null", argv, environ));
}

CASE(bad_pointers)
{
	struct tiny t = tiny_program();
	char *bad[] = {"x", BAD_ADDRESS, NULL};
	char *good[] = {"x", NULL};

	write_program("t", &t, sizeof(t));
	CALL(execve("./t", BAD_ADDRESS, environ));
	CALL(execve("./t", bad, environ));
	CALL(execve("./t", good, BAD_ADDRESS));
	CALL(execve("./t", good, bad));
}

CASE(no_arguments_at_all)
{
	write_program("p", "#!/bin/echo one two\n", 20);
	pid_t pid = fork();
	if (pid == 0) {
		SYS(SYS_execve, "./p", NULL, NULL);
		_exit(1);
	}
	note_wait("script", pid);
	pid = fork();
	if (pid == 0) {
		SYS(SYS_execve, "/bin/echo", NULL, NULL);
		_exit(1);
	}
	note_wait("echo", pid);
}

CASE(text_busy)
{
	struct tiny t = tiny_program();
	int fd;

	write_program("t", &t, sizeof(t));
	fd = open("t", O_RDWR);
	CALL(execve("./t", (char *[]){"t", NULL}, environ));
	close(fd);
	run("closed", "./t", (char *[]){"t", NULL});
}

CASE(running_program_is_not_writable)
{
	int ready[2];
	pid_t pid;

	pipe(ready);
	if (system("cp /bin/sleep s") != 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		fcntl(ready[1], F_SETFD, FD_CLOEXEC);
		close(ready[0]);
		execl("./s", "s", "10", NULL);
		_exit(1);
	}
	close(ready[1]);
	read(ready[0], &(char){0}, 1); /* ends at the exec */
	CALL(open("s", O_WRONLY));
	CALL(truncate("s", 0));
	OK(open("s", O_RDONLY));
	kill(pid, SIGKILL);
	note_wait("child", pid);
	OK(open("s", O_WRONLY));
}

/* ---- sizes ----------------------------------------------------------------------------------- */

CASE(argument_too_long)
{
	char *big = malloc(1 << 18);

	memset(big, 'a', 1 << 18);
	big[131072] = '\0';
	CALL(execve("/bin/true", (char *[]){"x", big, NULL}, environ));
	big[131071] = '\0';
	run("longest", "/bin/true", (char *[]){"x", big, NULL});
}

CASE(arguments_too_many)
{
	static char *argv[40002];
	char *text = malloc(128);

	memset(text, 'a', 127);
	text[127] = '\0';
	for (int i = 0; i < 40000; i++)
		argv[i] = text;
	CALL(execve("/bin/true", argv, environ));
	argv[9000] = NULL;
	run("fewer", "/bin/true", argv);
}

CASE(small_stack_limit_bounds_arguments)
{
	struct rlimit limit = {512 << 10, 512 << 10};
	char *big = malloc(140000);

	memset(big, 'a', 140000);
	big[70000] = '\0';
	setrlimit(RLIMIT_STACK, &limit);
	CALL(execve("/bin/true", (char *[]){"x", big, big, NULL}, (char *[]){NULL}));
	run("one", "/bin/true", (char *[]){"x", big, NULL});
}

/* ---- scripts --------------------------------------------------------------------------------- */

CASE(scripts)
{
	char *argv[] = {"zero", "one", "two", NULL};

	script("a", "#!/bin/echo\n");
	run("plain", "./a", argv);
	script("a", "#! \t/bin/echo  -e  x y \t\nrest");
	run("argument", "./a", argv);
	script("a", "#!/bin/echo");
	run("no newline", "./a", argv);
	script("a", "#!\n");
	run("no interpreter", "./a", argv);
	script("a", "#!   ");
	run("blanks", "./a", argv);
	script("a", "#!/no/such/interpreter\n");
	run("missing interpreter", "./a", argv);
	script("a", "#!/tmp\n");
	run("directory", "./a", argv);
	script("a", "echo no magic\n");
	run("no magic", "./a", argv);
	script("a", "");
	run("empty", "./a", argv);
	script("a", "#");
	run("one byte", "./a", argv);
}

CASE(script_long_line)
{
	char line[600] = "#!/bin/echo ";

	memset(line + 12, 'x', 500);
	strcpy(line + 512, "\n");
	script("a", line);
	run("long argument", "./a", (char *[]){"a", NULL});
	memset(line, 'x', 500);
	memcpy(line, "#!/", 3);
	script("a", line);
	run("long interpreter", "./a", (char *[]){"a", NULL});
}

CASE(nested_scripts)
{
	char name[8], text[32];

	script("s0", "#!/bin/echo deep\n");
	for (int i = 1; i <= 7; i++) {
		snprintf(name, sizeof(name), "s%d", i);
		snprintf(text, sizeof(text), "#!./s%d %d\n", i - 1, i);
		script(name, text);
	}
	for (int i = 1; i <= 7; i++) {
		snprintf(name, sizeof(name), "./s%d", i);
		run(name, name, (char *[]){"x", "last", NULL});
	}
	script("self", "#!./self\n");
	run("itself", "./self", (char *[]){"x", NULL});
}

CASE(shell_script_gets_its_name)
{
	script("a", "#!/bin/sh\necho \"$0\" \"$#\" \"$1\"\nexit 9\n");
	run("script", "./a", (char *[]){"ignored", "x y", "z", NULL});
}

/* ---- malformed programs ---------------------------------------------------------------------- */

CASE(tiny_program)
{
	struct tiny t = tiny_program();

	run_tiny("good", &t);
}

CASE(truncated_program)
{
	struct tiny t = tiny_program();
	static const size_t sizes[] = {1, 4, 16, 63, 64, 100, 175};
	char what[32];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		write_program("t", &t, sizes[i]);
		snprintf(what, sizeof(what), "%zu bytes", sizes[i]);
		run(what, "./t", (char *[]){"t", NULL});
	}
}

#define SPOIL(field, value)                                                                        \
	do {                                                                                       \
		struct tiny t = tiny_program();                                                    \
		t.field = value;                                                                   \
		run_tiny(#field " = " #value, &t);                                                 \
	} while (0)

CASE(spoilt_header)
{
	SPOIL(header.e_ident[0], 'x');
	SPOIL(header.e_ident[EI_CLASS], ELFCLASS32);
	SPOIL(header.e_ident[EI_DATA], ELFDATA2MSB);
	SPOIL(header.e_type, ET_REL);
	SPOIL(header.e_type, ET_CORE);
	SPOIL(header.e_machine, EM_AARCH64);
	SPOIL(header.e_version, 99);
	SPOIL(header.e_phentsize, 32);
	SPOIL(header.e_phnum, 0);
	SPOIL(header.e_phnum, 1000);
	SPOIL(header.e_phoff, 1ull << 40);
	SPOIL(header.e_phoff, -8ull);
	SPOIL(header.e_shoff, -1ull);
	SPOIL(header.e_entry, 0);
	SPOIL(header.e_entry, 1ull << 63);
}

CASE(spoilt_segment)
{
	SPOIL(table[0].p_type, PT_NULL);
	SPOIL(table[0].p_flags, PF_R);
	SPOIL(table[0].p_flags, 0);
	SPOIL(table[0].p_vaddr, 0);
	SPOIL(table[0].p_vaddr, 0x400008);
	SPOIL(table[0].p_vaddr, 1ull << 63);
	SPOIL(table[0].p_vaddr, 0x7ffffffff000);
	SPOIL(table[0].p_memsz, 0);
	SPOIL(table[0].p_memsz, 1ull << 62);
	SPOIL(table[0].p_memsz, -1ull);
	SPOIL(table[0].p_filesz, 1ull << 62);
	SPOIL(table[0].p_offset, 3);
	SPOIL(table[0].p_offset, 0x100000);
	SPOIL(table[0].p_align, 3);
	SPOIL(table[0].p_align, 0);
}

CASE(bss)
{
	/* mov 0x402000,%al; test; ... the zero page behind the file must be there: exit(*(char
	 * *)0x402000 + 42). */
	static const unsigned char read_bss[] = {0x0f, 0xb6, 0x3c, 0x25, 0, 0x20, 0x40, 0, 0x83,
		0xc7, 42, 0x6a, 60, 0x58, 0x0f, 0x05};
	struct tiny t = tiny_program();

	memcpy(t.code, read_bss, sizeof(read_bss));
	run_tiny("without", &t);
	t.table[0].p_memsz = 0x3000;
	run_tiny("with", &t);
	t.table[0].p_flags = PF_R | PF_W | PF_X;
	run_tiny("writable", &t);
}

CASE(position_independent_without_interpreter)
{
	struct tiny t = tiny_program();

	t.header.e_type = ET_DYN;
	run_tiny("at its address", &t);
	t.table[0].p_vaddr = 0;
	t.header.e_entry = offsetof(struct tiny, code);
	run_tiny("at zero", &t);
	t.table[0].p_align = 0x200000;
	run_tiny("aligned", &t);
}

static void with_interpreter(const char *what, const char *path, size_t size)
{
	struct tiny t = tiny_program();

	t.header.e_phnum = 3;
	t.table[2] = (Elf64_Phdr){
		.p_type = PT_INTERP, .p_offset = offsetof(struct tiny, tail), .p_filesz = size};
	memcpy(t.tail, path, strlen(path) + 1);
	run_tiny(what, &t);
}

CASE(interpreters)
{
	struct tiny t = tiny_program();

	write_program("ld", &t, sizeof(t));
	with_interpreter("good", "./ld", 5);
	with_interpreter("missing", "./nowhere", 10);
	with_interpreter("not terminated", "./ld", 4);
	with_interpreter("empty", "", 1);
	with_interpreter("short", "", 0);
	with_interpreter("long", "./ld", 5000);
	with_interpreter("beyond the file", "./ld", 4000);
	with_interpreter("directory", "/tmp", 5);
	write_program("ld",
		"not a program at all, but more than sixty-four bytes of text to be read", 70);
	with_interpreter("text", "./ld", 5);
	write_program("ld", "short", 5);
	with_interpreter("short text", "./ld", 5);
	t.header.e_machine = EM_386;
	write_program("ld", &t, sizeof(t));
	with_interpreter("other machine", "./ld", 5);
	t.header.e_machine = EM_X86_64;
	t.header.e_phnum = 0;
	write_program("ld", &t, sizeof(t));
	with_interpreter("no table", "./ld", 5);
	chmod("ld", 0600);
	with_interpreter("not executable", "./ld", 5);
}

CASE(interpreter_is_writable_while_it_runs)
{
	int ready[2];
	pid_t pid;

	pipe(ready);
	/* The same program with ./ld as its interpreter: a path of the same length. */
	if (system("cp /lib64/ld-linux-x86-64.so.2 ld && cp /bin/sleep s && chmod 755 ld && "
		   "sed -i 's,/lib64/ld-linux-x86-64.so.2,.////////////////////////ld,' s") != 0)
		exit(1);
	pid = fork();
	if (pid == 0) {
		fcntl(ready[1], F_SETFD, FD_CLOEXEC);
		close(ready[0]);
		execl("./s", "s", "10", NULL);
		_exit(1);
	}
	close(ready[1]);
	read(ready[0], &(char){0}, 1);
	sleep_ms(50);
	OK(open("ld", O_WRONLY));
	CALL(open("s", O_WRONLY));
	kill(pid, SIGKILL);
	note_wait("child", pid);
}

/* ---- execveat -------------------------------------------------------------------------------- */

static void run_at(const char *what, int dirfd, const char *path, int flags)
{
	pid_t pid = fork();

	if (pid == 0) {
		char *argv[] = {"zero", "one", NULL};

		SYS(SYS_execveat, dirfd, path, argv, environ, flags);
		NOTE("%s: %s", what, errno_name(errno));
		_exit(0);
	}
	note_wait(what, pid);
}

CASE(execveat_forms)
{
	struct tiny t = tiny_program();
	int dir, fd, path;

	mkdir("d", 0700);
	write_program("d/t", &t, sizeof(t));
	symlink("t", "d/link");
	dir = open("d", O_RDONLY);
	fd = open("d/t", O_RDONLY);
	path = open("d/t", O_PATH);
	run_at("relative", dir, "t", 0);
	run_at("link", dir, "link", 0);
	run_at("link not followed", dir, "link", AT_SYMLINK_NOFOLLOW);
	run_at("by descriptor", fd, "", AT_EMPTY_PATH);
	run_at("by O_PATH", path, "", AT_EMPTY_PATH);
	run_at("empty without flag", fd, "", 0);
	run_at("not a directory", fd, "t", 0);
	run_at("directory itself", dir, "", AT_EMPTY_PATH);
	run_at("bad descriptor", 99, "t", 0);
	run_at("bad flags", dir, "t", 0x4000);
	run_at("cwd", AT_FDCWD, "d/t", 0);
}

CASE(execveat_scripts)
{
	int fd, cloexec;

	script("s", "#!/bin/sh\ntest -r \"$0\" && echo readable $1\n");
	fd = open("s", O_RDONLY);
	cloexec = open("s", O_RDONLY | O_CLOEXEC);
	run_at("kept", fd, "", AT_EMPTY_PATH);
	run_at("closed", cloexec, "", AT_EMPTY_PATH);
}

CASE(fexecve_memfd)
{
	struct tiny t = tiny_program();
	int fd = memfd_create("prog", 0);
	pid_t pid;

	write(fd, &t, sizeof(t));
	pid = fork();
	if (pid == 0) {
		int r = open("/proc/self/fd/0", O_RDONLY);
		(void)r;
		fexecve(fd, (char *[]){"t", NULL}, environ);
		NOTE("writable: %s", errno_name(errno));
		_exit(0);
	}
	note_wait("memfd", pid);
}

/* ---- what survives --------------------------------------------------------------------------- */

CASE(environment)
{
	execle("/usr/bin/env", "env", NULL, (char *[]){"B=2", "A=1", "EMPTY=", "ODD", NULL});
}

CASE(close_on_exec)
{
	int kept = dup2(1, 8), closed = dup2(1, 9);

	fcntl(closed, F_SETFD, FD_CLOEXEC);
	(void)kept;
	shell("echo kept >&8; (echo closed >&9) 2>/dev/null || echo 9 is closed");
}

CASE(handlers_are_reset_and_ignored_stay)
{
	signal(SIGUSR1, SIG_IGN);
	signal(SIGUSR2, (void (*)(int))(void *)abort);
	shell("kill -USR1 $$; echo survived; kill -USR2 $$; echo not reached");
}

CASE(mask_and_pending_survive)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	raise(SIGTERM);
	shell("kill -TERM $$; echo still here");
}

CASE(alarm_survives)
{
	struct itimerval soon = {.it_value = {.tv_usec = 100000}};

	setitimer(ITIMER_REAL, &soon, NULL);
	execl("/bin/sleep", "sleep", "10", NULL);
}

CASE(place_and_umask_survive)
{
	mkdir("here", 0700);
	chdir("here");
	umask(027);
	shell("umask; basename \"$PWD\"; pwd | sed 's,.*/,,'");
}

CASE(limits_and_priority_survive)
{
	struct rlimit limit = {77, 100};

	setrlimit(RLIMIT_NOFILE, &limit);
	setpriority(PRIO_PROCESS, 0, 7);
	shell("ulimit -n; nice");
}

CASE(pid_survives)
{
	char text[32];

	snprintf(text, sizeof(text), "test $$ = %d", getpid());
	shell(text);
}

static void *thread_execs(void *arg)
{
	char text[64];

	snprintf(text, sizeof(text), "test $$ = %d && echo same pid; exit 5", getpid());
	shell(text);
	return NULL;
}

CASE(exec_from_a_thread)
{
	pthread_t thread;

	pthread_create(&thread, NULL, thread_execs, NULL);
	pthread_join(thread, NULL);
	NOTE("not reached");
}

static void *thread_sleeps(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void *thread_spins(void *arg)
{
	for (volatile int go = 1; go;)
		;
	return NULL;
}

CASE(exec_ends_other_threads)
{
	pthread_t thread;

	for (int i = 0; i < 3; i++)
		pthread_create(&thread, NULL, thread_sleeps, NULL);
	pthread_create(&thread, NULL, thread_spins, NULL);
	sleep_ms(20);
	shell("exit 6");
}

CASE(failed_exec_leaves_everything)
{
	char *p = malloc(100);
	int fd = dup2(1, 9);

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	strcpy(p, "kept");
	CALL(execl("nowhere", "x", NULL));
	NOTE("%s", p);
	CALL(fcntl(9, F_GETFD));
	NOTE("handler kept: %d", signal(SIGUSR1, SIG_DFL) == SIG_DFL);
}

CASE(vfork_and_exec)
{
	volatile int before = 1;
	pid_t pid = vfork();

	if (pid == 0) {
		before = 2;
		execl("/bin/sh", "sh", "-c", "exit 4", NULL);
		_exit(1);
	}
	NOTE("shared write seen: %d", before);
	note_wait("child", pid);
}

CASE(vfork_and_failing_exec)
{
	volatile int error = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		execl("nowhere", "x", NULL);
		error = errno;
		_exit(3);
	}
	NOTE("%s", errno_name(error));
	note_wait("child", pid);
}

CASE(posix_spawn_and_errors)
{
	pid_t pid;

	RC(posix_spawn(
		&pid, "/bin/sh", NULL, NULL, (char *[]){"sh", "-c", "exit 8", NULL}, environ));
	note_wait("child", pid);
	RC(posix_spawn(&pid, "nowhere", NULL, NULL, (char *[]){"x", NULL}, environ));
}

CASE(many_execs)
{
	int good = 0;

	for (int i = 0; i < 30; i++) {
		pid_t pid = fork();
		int status;

		if (pid == 0) {
			execl("/bin/true", "true", NULL);
			_exit(1);
		}
		waitpid(pid, &status, 0);
		good += status == 0;
	}
	NOTE("%d", good);
}

/* ---- what a program finds -------------------------------------------------------------------- */

CASE(auxiliary_vector)
{
	const char *name = (const char *)getauxval(AT_EXECFN),
		   *platform = (const char *)getauxval(AT_PLATFORM);
	const Elf64_Phdr *table = (const Elf64_Phdr *)getauxval(AT_PHDR);
	const char *slash = name ? strrchr(name, '/') : NULL;

	NOTE("page %lu tick %lu phent %lu secure %lu flags %lu", getauxval(AT_PAGESZ),
		getauxval(AT_CLKTCK), getauxval(AT_PHENT), getauxval(AT_SECURE),
		getauxval(AT_FLAGS));
	TRUTH(getauxval(AT_UID) == getuid() && getauxval(AT_EUID) == geteuid());
	TRUTH(getauxval(AT_GID) == getgid() && getauxval(AT_EGID) == getegid());
	NOTE("%s %s", slash ? slash + 1 : "?", platform ? platform : "?");
	TRUTH(getauxval(AT_RANDOM) != 0);
	TRUTH(getauxval(AT_BASE) != 0);
	TRUTH(getauxval(AT_SYSINFO_EHDR) != 0);
	TRUTH(getauxval(AT_HWCAP) != 0);
	TRUTH(getauxval(AT_MINSIGSTKSZ) >= 1024);
	TRUTH(table && table->p_type == PT_PHDR);
	TRUTH(getauxval(AT_ENTRY) % 0x1000 == (getauxval(AT_ENTRY) & 0xfff));
}

CASE(stack_layout)
{
	char **end = environ;
	unsigned long aligned;

	while (*end)
		end++;
	TRUTH(end[-1] > environ[0] || end == environ + 1);
	TRUTH((char *)environ < environ[0]);
	aligned = (unsigned long)environ % 8;
	NOTE("%lu", aligned);
	TRUTH((const char *)getauxval(AT_EXECFN) > end[-1]);
}

CASE(randomised)
{
	/* Two runs of one program do not find their stack at the same place. */
	char first[64] = "", second[64] = "";
	const char *command = "awk '/\\[stack\\]/ {print $1}' /proc/self/maps";
	FILE *f = popen(command, "r");

	fgets(first, sizeof(first), f);
	pclose(f);
	f = popen(command, "r");
	fgets(second, sizeof(second), f);
	pclose(f);
	TRUTH(first[0] && strcmp(first, second) != 0);
}

/* ---- set-id ---------------------------------------------------------------------------------- */

static void set_id_program(void)
{
	if (geteuid() != 0)
		SKIP("needs root");
	chmod(".", 0755);
	if (system("cp /usr/bin/id i && chown 65534:65534 i && chmod 4755 i") != 0)
		exit(1);
}

CASE(set_user_id)
{
	set_id_program();
	run("id -u", "./i", (char *[]){"id", "-u", NULL});
	run("id -ru", "./i", (char *[]){"id", "-ru", NULL});
	chmod("i", 02755);
	run("id -g", "./i", (char *[]){"id", "-g", NULL});
	chmod("i", 02745);
	chmod("i", 02745 & ~010);
	run("no group execution", "./i", (char *[]){"id", "-g", NULL});
}

CASE(no_new_privs_ignores_set_id)
{
	set_id_program();
	CALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	run("id -u", "./i", (char *[]){"id", "-u", NULL});
}

CASE(unreadable_program_runs)
{
	struct tiny t = tiny_program();

	chmod(".", 0755);
	write_program("t", &t, sizeof(t));
	chmod("t", 0111);
	if (geteuid() == 0 &&
		(setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0))
		exit(1);
	CALL(open("t", O_RDONLY));
	run("execute only", "./t", (char *[]){"t", NULL});
	run("again", "./t", (char *[]){"t", NULL});
}
