/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that are missing, or that are no links, asked for by several programs while others make
 * the answers void: a kernel may let all processes know of what it told one. Each case runs in a
 * program of its own that is started after another one, and looks at names in a place where few
 * change; what changes many is a place of its own.
 */
#include <sched.h>
#include <spawn.h>
#include <sys/resource.h>

#include "case.h"

#define STEP "SHARED_NAMES_STEP"

extern char **environ;

static char top[200];

static char *in_top(const char *name)
{
	static char text[8][4096];
	static unsigned next;
	char *at = text[next++ % 8];

	snprintf(at, sizeof(text[0]), "%s/%s", top, name);
	return at;
}

static int try_open(const char *name, int flags)
{
	int fd = open(name, flags), error = errno;

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? 0 : error;
}

/* Each of them twice, in another order the second time. */
static void ask(const char *what, const char *name)
{
	int first[6], second[6];
	struct stat st;
	char target[8];

	for (int round = 0; round < 2; round++) {
		int *to = round ? second : first;

		for (int i = 0; i < 6; i++) {
			int which = round ? 5 - i : i, r;

			errno = 0;
			r = which == 0	 ? try_open(name, O_RDONLY | O_CLOEXEC)
			    : which == 1 ? stat(name, &st)
			    : which == 2 ? lstat(name, &st)
			    : which == 3 ? access(name, F_OK)
			    : which == 4 ? readlink(name, target, sizeof(target))
					 : try_open(name, O_RDONLY | O_NOFOLLOW);
			to[which] = which == 0 || which == 5 ? r : r < 0 ? errno : 0;
		}
	}
	NOTE("%s: open %d stat %d lstat %d access %d readlink %d nofollow %d", what, first[0],
		first[1], first[2], first[3], first[4], first[5]);
	TRUTH(memcmp(first, second, sizeof(first)) == 0);
}

/* What another process does. */
#define ELSEWHERE(action)                                                                          \
	do {                                                                                       \
		pid_t pid_ = fork();                                                               \
		if (pid_ == 0) {                                                                   \
			action;                                                                    \
			_exit(0);                                                                  \
		}                                                                                  \
		note_wait(#action, pid_);                                                          \
	} while (0)

static void make_file(const char *name)
{
	close(open(name, O_CREAT | O_WRONLY, 0644));
}

static void step_come_and_go(void)
{
	char *name = in_top("f"), *other = in_top("g");

	/* More often than somebody may bear. */
	for (int i = 0; i < 12; i++) {
		ask("missing", name);
		ELSEWHERE(ask("missing there", name));
		ELSEWHERE(make_file(name));
		ask("made", name);
		ELSEWHERE(rename(name, other));
		ask("moved", name);
		ask("moved here", other);
		ELSEWHERE(unlink(other));
		ask("gone", other);
	}
}

static void step_links(void)
{
	char *name = in_top("f"), *other = in_top("g");

	ask("missing", name);
	ELSEWHERE(symlink("g", name));
	ask("leads nowhere", name);
	ELSEWHERE(ask("leads nowhere", name));
	ELSEWHERE(make_file(other));
	ask("leads somewhere", name);
	ask("no link", other);
	ELSEWHERE(ask("no link", other));
	ELSEWHERE(rename(name, other));
	ask("a link to itself", other);
}

static void step_on_the_way(void)
{
	char *name = in_top("d/e/f");

	ask("nothing", name);
	ELSEWHERE(mkdir(in_top("d"), 0755));
	ask("one", name);
	ELSEWHERE(mkdir(in_top("d/e"), 0755));
	ask("two", name);
	ELSEWHERE(make_file(name));
	ask("there", name);
	ELSEWHERE(rename(in_top("d"), in_top("x")));
	ask("away", name);
	ELSEWHERE(symlink("x", in_top("d")));
	ask("by a link", name);
}

static void as_nobody(const char *what, const char *name)
{
	if (setresgid(65534, 65534, 65534) < 0 || setresuid(65534, 65534, 65534) < 0)
		_exit(1);
	ask(what, name);
}

static void step_permissions(void)
{
	char *name = in_top("d/f");

	if (geteuid() != 0) {
		NOTE("not as root");
		return;
	}
	mkdir(in_top("d"), 0755);
	ask("open to all", name);
	ELSEWHERE(as_nobody("open to all", name));
	ELSEWHERE(chmod(in_top("d"), 0700));
	ask("closed", name);
	ELSEWHERE(as_nobody("closed", name));
	ELSEWHERE(chmod(in_top("d"), 0705));
	ask("not for the group", name);
	ELSEWHERE(as_nobody("not for the group", name));
	ELSEWHERE(chmod(in_top("d"), 0755); chmod(top, 0700));
	ask("closed above", name);
	ELSEWHERE(as_nobody("closed above", name));
}

/* Somebody outside asks when it is in there already. */
static void in_root(const char *name)
{
	int to[2], from[2];
	char byte = 0;

	mkdir(in_top("usr"), 0755);
	make_file(in_top("usr/there-is-no-such-file"));
	if (pipe(to) < 0 || pipe(from) < 0)
		_exit(1);
	if (fork() == 0) {
		if (read(to[0], &byte, 1) == 1)
			ask("outside", name);
		(void)!write(from[1], "x", 1);
		_exit(0);
	}
	if (chroot(top) < 0 || write(to[1], "x", 1) != 1 || read(from[0], &byte, 1) != 1)
		_exit(1);
	ask("in another root", name);
	ask("in another root", "/usr/bin/env");
	wait(NULL);
}

static void step_root(void)
{
	if (geteuid() != 0) {
		NOTE("not as root");
		return;
	}
	ask("outside", "/usr/there-is-no-such-file");
	ask("outside", "/usr/bin/env");
	ELSEWHERE(in_root("/usr/there-is-no-such-file"));
	ask("outside", "/usr/there-is-no-such-file");
}

static void step_forms(void)
{
	static const char *const names[] = {"/usr/none", "//usr//none", "/usr/none/",
		"/usr/none/..", "/usr/../usr/none", "/usr/bin/env/none", "/usr/bin/env/",
		"/usr/bin/../none", "/none", "/", "//", "/usr/bin/", "/proc/self/none",
		"/proc/none", "/dev/none", "/tmp/none"};
	char *name = in_top("");
	size_t size = strlen(name);

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			ask(names[i], names[i]);
	}
	for (size_t i = 90; i < 130; i++) {
		memset(name + size, 'n', i);
		name[size + i] = '\0';
		ask("a long one", name);
	}
	memset(name + size, 'n', 300);
	name[size + 300] = '\0';
	ask("a longer one", name);
}

static void step_many(void)
{
	char name[64];
	int wrong = 0;

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 3000; i++) {
			snprintf(name, sizeof(name), "/usr/there-is-no-such-file-%d", i);
			wrong += try_open(name, O_RDONLY) != ENOENT;
		}
	}
	NOTE("wrong %d", wrong);
}

static void step_full_table(void)
{
	struct rlimit limit = {100, 100};
	int fds[100], count = 0;

	CALL(try_open("/usr/none", O_RDONLY));
	CALL(setrlimit(RLIMIT_NOFILE, &limit));
	CALL(try_open("/usr/none", O_RDONLY));
	while (count < 100 && (fds[count] = dup(1)) >= 0)
		count++;
	CALL(try_open("/usr/none", O_RDONLY));
	CALL(try_open("/usr/other", O_RDONLY));
	CALL(access("/usr/none", F_OK));
	close(fds[count - 1]);
	CALL(try_open("/usr/none", O_RDONLY));
	CALL(dup2(1, 99) == 99);
	CALL(try_open("/usr/none", O_RDONLY));
	while (count-- > 0)
		close(fds[count]);
	CALL(try_open("/usr/none", O_RDONLY));
}

/* Without a lower limit: the last descriptor is taken by a call that chooses it. */
static void step_full_by_dup(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur > 65536) {
		NOTE("too many");
		return;
	}
	CALL(try_open("/usr/none", O_RDONLY));
	for (rlim_t fd = 0; fd < limit.rlim_cur; fd++) {
		if (fcntl((int)fd, F_GETFD) < 0 && dup2(1, (int)fd) < 0)
			NOTE("dup2 %d", errno);
	}
	CALL(try_open("/usr/none", O_RDONLY));
	CALL(try_open("/usr/none", O_RDONLY | O_DIRECTORY));
	close((int)limit.rlim_cur - 1);
	CALL(try_open("/usr/none", O_RDONLY));
}

static void step_flags(void)
{
	static const int flags[] = {O_WRONLY, O_RDWR, O_RDONLY | O_CREAT | O_EXCL, O_PATH,
		O_RDONLY | O_TRUNC, O_RDONLY | O_APPEND, O_RDONLY | O_DIRECTORY, O_TMPFILE | O_RDWR,
		O_TMPFILE, 3, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC};

	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
			NOTE("%zu: %d", i, try_open("/usr/none/none", flags[i]));
		CALL(SYS(SYS_openat, 12345, "/usr/none", O_RDONLY, 0));
		CALL(SYS(SYS_openat, 12345, "usr/none", O_RDONLY, 0));
		CALL(SYS(SYS_openat, AT_FDCWD, BAD_ADDRESS, O_RDONLY, 0));
		CALL(SYS(SYS_openat, AT_FDCWD, "", O_RDONLY, 0));
		CALL(SYS(SYS_readlink, "/usr/none", BAD_ADDRESS, 5));
		CALL(SYS(SYS_readlink, "/usr/none", BAD_ADDRESS, 0));
		CALL(SYS(SYS_readlink, "/usr/bin/env", BAD_ADDRESS, 5));
		CALL(SYS(SYS_readlink, "/usr/bin/env", BAD_ADDRESS, -1));
		CALL(SYS(SYS_access, "/usr/none", 9));
		CALL(SYS(SYS_newfstatat, AT_FDCWD, "/usr/none", BAD_ADDRESS, 0x4000000));
	}
}

#define SHM "/dev/shm"
#define RUN "/run"
#define VAR "/var/tmp"

/* In this order: with a full table of descriptors, less is told from then on. */
#define STEPS(X)                                                                                   \
	X(forms, SHM)                                                                              \
	X(flags, SHM)                                                                              \
	X(many, SHM)                                                                               \
	X(links, VAR)                                                                              \
	X(on_the_way, VAR)                                                                         \
	X(permissions, RUN)                                                                        \
	X(root, RUN)                                                                               \
	X(come_and_go, SHM)                                                                        \
	X(full_table, SHM)                                                                         \
	X(full_by_dup, SHM)

static const struct {
	const char *name;
	void (*run)(void);
} steps[] = {
#define ENTRY(name, place) {#name, step_##name},
	STEPS(ENTRY)};

static void late(const char *step, const char *place)
{
	char command[300];
	pid_t pid;

	if (access(place, W_OK) < 0)
		SKIP("no place");
	fflush(stdout);
	setenv(STEP, step, 1);
	setenv(STEP "_PLACE", place, 1);
	if (posix_spawn(&pid, "/proc/self/exe", NULL, NULL, (char *const[]){"shared_names", NULL},
		    environ) != 0)
		abort();
	note_wait(step, pid);
	unsetenv(STEP);
	snprintf(command, sizeof(command), "rm -rf %s/shared-names-%d", place, (int)pid);
	if (system(command) != 0)
		NOTE("cannot clean up");
}

#define LATE(name, place)                                                                          \
	CASE(name)                                                                                 \
	{                                                                                          \
		late(#name, place);                                                                \
	}
STEPS(LATE)

__attribute__((constructor)) static void run_step(void)
{
	const char *name = getenv(STEP);

	if (!name)
		return;
	setvbuf(stdout, NULL, _IONBF, 0);
	unsetenv(STEP);
	snprintf(top, sizeof(top), "%s/shared-names-%d", getenv(STEP "_PLACE"), (int)getpid());
	if (mkdir(top, 0755) < 0)
		_exit(1);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (!strcmp(steps[i].name, name))
			steps[i].run();
	}
	_exit(0);
}
