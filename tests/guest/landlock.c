/* SPDX-License-Identifier: Apache-2.0 */
/* landlock(7): what a process gives up for itself and its children. */
#include <dirent.h>
#include <linux/landlock.h>
#include <sys/prctl.h>

#include "memory.h"

#define READ  (LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define WRITE LANDLOCK_ACCESS_FS_WRITE_FILE
#define MAKE                                                                                       \
	(LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_SYM | \
		LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SOCK |                      \
		LANDLOCK_ACCESS_FS_MAKE_CHAR)
#define REMOVE (LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR)
#define ALL    (READ | WRITE | MAKE | REMOVE | LANDLOCK_ACCESS_FS_EXECUTE)

static int ruleset(uint64_t handled)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = handled};

	return (int)SYS(SYS_landlock_create_ruleset, &attr, 8, 0);
}

static int allow(int set, const char *path, uint64_t what)
{
	struct landlock_path_beneath_attr attr = {what, open(path, O_PATH)};
	int r = (int)SYS(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &attr, 0);

	close(attr.parent_fd);
	return r;
}

static int restrict_self(int set)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	return (int)SYS(SYS_landlock_restrict_self, set, 0);
}

static void need(void)
{
	long version = SYS(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

	if (version < 0)
		SKIP("no landlock");
	TRUTH(version >= 1);
	umask(0);
	mkdir("in", 0755);
	mkdir("in/deep", 0755);
	mkdir("out", 0755);
	write_file("in/file", "inside");
	write_file("in/deep/file", "deep");
	write_file("out/file", "outside");
	write_file("top", "top");
}

static void try_open(const char *path, int flags)
{
	int fd = open(path, flags, 0600);

	NOTE("open %s %x: %s", path, (unsigned)flags, fd < 0 ? errno_name(errno) : "ok");
	if (fd >= 0)
		close(fd);
}

CASE(reads_beneath)
{
	struct stat st;
	int set, held;

	need();
	held = open("out/file", O_RDWR);
	set = OK(ruleset(READ | WRITE));
	CALL(allow(set, "in", READ));
	CALL(allow(set, "in/deep", WRITE));
	CALL(restrict_self(set));
	try_open("in/file", O_RDONLY);
	try_open("in/file", O_RDWR);
	try_open("in/file", O_WRONLY);
	try_open("in/deep/file", O_RDWR);
	try_open("in", O_RDONLY | O_DIRECTORY);
	try_open("out", O_RDONLY | O_DIRECTORY);
	try_open("out/file", O_RDONLY);
	try_open("out/file", O_PATH);
	try_open("in/../out/file", O_RDONLY);
	try_open("nowhere", O_RDONLY);
	CALL(stat("out/file", &st));
	CALL(access("out/file", R_OK));
	CALL(chdir("out"));
	CALL(write(held, "x", 1));
	try_open("new", O_CREAT | O_WRONLY);
	try_open("new", O_RDONLY);
	CALL(access("new", F_OK));
}

CASE(makes_and_removes)
{
	int set;

	need();
	set = OK(ruleset(MAKE | REMOVE));
	CALL(allow(set, "in", MAKE | REMOVE));
	CALL(allow(set, "out", LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_REMOVE_DIR));
	CALL(restrict_self(set));
	try_open("in/new", O_CREAT | O_RDWR);
	try_open("out/new", O_CREAT | O_RDWR);
	try_open("new", O_CREAT | O_RDWR);
	try_open("top", O_CREAT | O_RDWR);
	CALL(mkdir("in/d", 0700));
	CALL(mkdir("out/d", 0700));
	CALL(mkdir("out", 0700));
	CALL(symlink("x", "in/l"));
	CALL(symlink("x", "out/l"));
	CALL(mkfifo("in/p", 0600));
	CALL(mkfifo("out/p", 0600));
	CALL(mknod("out/r", S_IFREG | 0600, 0));
	CALL(unlink("in/new"));
	CALL(unlink("out/new"));
	CALL(unlink("out/nowhere"));
	CALL(rmdir("in/d"));
	CALL(rmdir("out/d"));
	CALL(unlink("top"));
}

CASE(moves)
{
	int set;

	need();
	write_file("in/other", "other");
	set = OK(ruleset(MAKE | REMOVE));
	CALL(allow(set, "in", MAKE | REMOVE));
	CALL(allow(set, "out", LANDLOCK_ACCESS_FS_MAKE_REG));
	CALL(restrict_self(set));
	CALL(rename("in/file", "in/renamed"));
	CALL(rename("in/renamed", "in/deep/renamed"));
	CALL(rename("in/renamed", "out/renamed"));
	CALL(rename("out/file", "out/renamed"));
	CALL(rename("out/file", "in/renamed"));
	CALL(rename("in/renamed", "in/other"));
	CALL(link("in/other", "in/linked"));
	CALL(link("in/other", "in/deep/linked"));
	CALL(link("out/file", "out/linked"));
	CALL(link("in/other", "linked"));
	CALL(rename("in/deep", "in/deeper"));
	CALL(syscall(SYS_renameat2, AT_FDCWD, "in/other", AT_FDCWD, "in/linked", RENAME_EXCHANGE));
}

CASE(layers_add_up)
{
	int set;

	need();
	set = OK(ruleset(READ));
	allow(set, "in", READ);
	CALL(restrict_self(set));
	set = OK(ruleset(READ | WRITE));
	CALL(allow(set, ".", READ));
	CALL(allow(set, "in/deep", WRITE));
	CALL(restrict_self(set));
	try_open("in/file", O_RDONLY);
	try_open("in/file", O_RDWR);
	try_open("in/deep/file", O_RDWR);
	try_open("top", O_RDONLY);
}

CASE(inherited)
{
	int set;
	pid_t pid;

	need();
	set = OK(ruleset(READ));
	CALL(allow(set, "in", READ));
	pid = fork();
	if (pid == 0) {
		restrict_self(set);
		pid = fork();
		if (pid == 0) {
			try_open("in/file", O_RDONLY);
			try_open("top", O_RDONLY);
			_exit(0);
		}
		note_wait("grandchild", pid);
		_exit(0);
	}
	note_wait("child", pid);
	try_open("top", O_RDONLY);
}

CASE(executes)
{
	static const char *const always[] = {"/lib", "/lib64", "/usr/lib", "/usr/lib64"};
	int set;
	pid_t pid;

	need();
	set = OK(ruleset(LANDLOCK_ACCESS_FS_EXECUTE));
	for (int i = 0; i < 4; i++)
		if (access(always[i], F_OK) == 0)
			allow(set, always[i], LANDLOCK_ACCESS_FS_EXECUTE);
	pid = fork();
	if (pid == 0) {
		restrict_self(set);
		execl("/bin/true", "true", NULL);
		_exit(errno);
	}
	note_wait("forbidden", pid);
	CALL(allow(set, "/usr/bin", LANDLOCK_ACCESS_FS_EXECUTE));
	CALL(allow(set, "/bin/true", LANDLOCK_ACCESS_FS_EXECUTE));
	pid = fork();
	if (pid == 0) {
		restrict_self(set);
		execl("/bin/true", "true", NULL);
		_exit(errno);
	}
	note_wait("allowed", pid);
}

CASE(single_file_and_pipes)
{
	int set, p[2];
	char path[64], c;

	need();
	if (pipe(p) < 0)
		exit(1);
	set = OK(ruleset(READ | WRITE));
	CALL(allow(set, "top", LANDLOCK_ACCESS_FS_READ_FILE));
	CALL(allow(set, "top", LANDLOCK_ACCESS_FS_READ_DIR));
	CALL(allow(set, "/proc", READ | WRITE));
	CALL(restrict_self(set));
	try_open("top", O_RDONLY);
	try_open("top", O_WRONLY);
	CALL(write(p[1], "x", 1));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", p[0]);
	int fd = open(path, O_RDONLY);
	TRUTH(fd >= 0);
	CALL(read(fd, &c, 1));
}

CASE(errors)
{
	struct landlock_ruleset_attr attr = {.handled_access_fs = READ};
	struct landlock_path_beneath_attr rule = {LANDLOCK_ACCESS_FS_READ_FILE, -1};
	int set, file;

	need();
	file = open("top", O_RDONLY);
	CALL(SYS(SYS_landlock_create_ruleset, NULL, 8, 0));
	CALL(SYS(SYS_landlock_create_ruleset, &attr, 7, 0));
	CALL(SYS(SYS_landlock_create_ruleset, &attr, 5000, 0));
	CALL(SYS(SYS_landlock_create_ruleset, BAD_ADDRESS, 8, 0));
	CALL(SYS(SYS_landlock_create_ruleset, &attr, 8, 1));
	CALL(SYS(SYS_landlock_create_ruleset, &attr, 8, 0x8000));
	CALL(ruleset(0));
	CALL(ruleset(1ull << 60));
	set = OK(ruleset(READ));
	CALL(fcntl(set, F_GETFD));
	CALL(SYS(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
	CALL(SYS(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 1));
	CALL(SYS(SYS_landlock_add_rule, set, 99, &rule, 0));
	CALL(SYS(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, BAD_ADDRESS, 0));
	CALL(SYS(SYS_landlock_add_rule, -1, LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
	CALL(SYS(SYS_landlock_add_rule, file, LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
	rule.parent_fd = set;
	CALL(SYS(SYS_landlock_add_rule, set, LANDLOCK_RULE_PATH_BENEATH, &rule, 0));
	CALL(allow(set, "in", 0));
	CALL(allow(set, "in", WRITE));
	CALL(allow(set, "top", LANDLOCK_ACCESS_FS_READ_DIR));
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	CALL(SYS(SYS_landlock_restrict_self, -1, 0));
	CALL(SYS(SYS_landlock_restrict_self, file, 0));
	CALL(SYS(SYS_landlock_restrict_self, set, 0x8000));
	for (int i = 0; i < 16; i++)
		if (SYS(SYS_landlock_restrict_self, set, 0) < 0)
			NOTE("layer %d: %s", i, errno_name(errno));
	CALL(SYS(SYS_landlock_restrict_self, set, 0));
}

CASE(needs_no_new_privs)
{
	int set;
	pid_t pid;

	need();
	if (geteuid() != 0 || prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))
		SKIP("needs root without no_new_privs");
	set = OK(ruleset(READ));
	pid = fork();
	if (pid == 0) {
		drop();
		CALL(SYS(SYS_landlock_restrict_self, set, 0));
		_exit(0);
	}
	note_wait("child", pid);
}

/* ---- the second and third versions of the ABI --------------------------------------------------
 */

#ifndef LANDLOCK_ACCESS_FS_REFER
#define LANDLOCK_ACCESS_FS_REFER 0x2000
#endif
#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE 0x4000
#endif
#define REFER	 LANDLOCK_ACCESS_FS_REFER
#define TRUNCATE LANDLOCK_ACCESS_FS_TRUNCATE

static void need_third(void)
{
	need();
	if (SYS(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) < 3)
		SKIP("an older landlock");
}

CASE(moves_that_are_allowed)
{
	int set;

	need_third();
	write_file("in/other", "other");
	mkdir("in/dir", 0755);
	set = OK(ruleset(MAKE | REMOVE | REFER));
	CALL(allow(set, "in", MAKE | REMOVE | REFER));
	CALL(allow(set, "out", MAKE | REFER));
	CALL(restrict_self(set));
	CALL(rename("in/file", "in/deep/renamed"));
	CALL(rename("in/dir", "in/deep/dir"));
	CALL(link("in/other", "in/deep/linked"));
	/* Fewer rights there. */
	CALL(rename("in/other", "out/renamed"));
	CALL(link("in/deep/linked", "out/linked"));
	/* More rights there, or none to take it away. */
	CALL(rename("out/linked", "in/linked"));
	CALL(link("out/linked", "in/linked"));
	CALL(rename("in/deep/renamed", "top"));
	CALL(rename("in/deep/renamed", "new"));
	CALL(link("in/deep/renamed", "new"));
	CALL(rename("in/deep/dir", "out/dir"));
	CALL(syscall(SYS_renameat2, AT_FDCWD, "in/deep/renamed", AT_FDCWD, "in/deep/linked",
		RENAME_EXCHANGE));
	CALL(syscall(SYS_renameat2, AT_FDCWD, "in/deep/renamed", AT_FDCWD, "out/linked",
		RENAME_EXCHANGE));
}

CASE(moves_and_what_is_gained)
{
	int set;

	need_third();
	mkdir("in/dir", 0755);
	mkdir("out/dir", 0755);
	set = OK(ruleset(READ | WRITE | REFER));
	CALL(allow(set, ".", REFER));
	CALL(allow(set, "in", LANDLOCK_ACCESS_FS_READ_FILE));
	CALL(allow(set, "out", READ));
	CALL(allow(set, "out/file", WRITE));
	CALL(restrict_self(set));
	CALL(rename("in/file", "out/from-in"));
	CALL(rename("in/dir", "out/dir-from-in"));
	CALL(rename("out/file", "in/file-from-out"));
	CALL(rename("out/dir", "in/dir-from-out"));
	CALL(rename("top", "in/top"));
	CALL(link("in/deep/file", "out/deep"));
	CALL(syscall(
		SYS_renameat2, AT_FDCWD, "out/from-in", AT_FDCWD, "in/deep/file", RENAME_EXCHANGE));
	CALL(syscall(
		SYS_renameat2, AT_FDCWD, "out/dir-from-in", AT_FDCWD, "in/dir", RENAME_EXCHANGE));
}

CASE(moves_with_one_side_allowed)
{
	int set;

	need_third();
	set = OK(ruleset(READ | REFER));
	CALL(allow(set, "in", READ | REFER));
	CALL(restrict_self(set));
	CALL(rename("in/file", "out/new"));
	CALL(rename("out/file", "in/new"));
	CALL(rename("in/file", "in/deep/new"));
	set = OK(ruleset(MAKE));
	CALL(allow(set, "in", MAKE));
	CALL(restrict_self(set));
	CALL(rename("in/deep/new", "in/new"));
	CALL(rename("in/deep/new", "in/deep/newer"));
	CALL(link("in/deep/newer", "in/new"));
}

CASE(truncation)
{
	int set, before, fd;

	need_third();
	write_file("in/second", "second");
	before = open("out/file", O_RDWR);
	set = OK(ruleset(TRUNCATE | WRITE));
	CALL(allow(set, "in", TRUNCATE | WRITE));
	CALL(allow(set, "out", WRITE));
	CALL(allow(set, "in/deep/file", TRUNCATE));
	CALL(restrict_self(set));
	CALL(truncate("in/file", 2));
	CALL(truncate("out/file", 2));
	CALL(truncate("top", 2));
	CALL(truncate("out", 2));
	try_open("in/second", O_WRONLY | O_TRUNC);
	try_open("out/file", O_WRONLY | O_TRUNC);
	try_open("out/file", O_RDONLY | O_TRUNC);
	try_open("out/new", O_WRONLY | O_CREAT | O_TRUNC);
	try_open("out/new", O_WRONLY | O_CREAT | O_TRUNC);
	CALL(ftruncate(before, 3));
	fd = open("out/file", O_RDWR);
	CALL(ftruncate(fd, 1));
	CALL(fallocate(fd, 0, 0, 10));
	CALL(ftruncate(open("in/file", O_RDWR), 1));
	CALL(ftruncate(open("out/file", O_RDONLY), 1));
	fd = memfd_create("m", 0);
	CALL(ftruncate(fd, 1));
	note_file("out/file");
}

CASE(truncation_of_later_restrictions)
{
	int set, fd;

	need_third();
	fd = open("top", O_RDWR);
	set = OK(ruleset(TRUNCATE));
	CALL(allow(set, "top", READ));
	CALL(allow(set, "in", TRUNCATE));
	CALL(restrict_self(set));
	CALL(ftruncate(fd, 2));
	fd = open("top", O_RDWR);
	CALL(ftruncate(fd, 2));
	fd = open("in/file", O_RDWR);
	set = OK(ruleset(TRUNCATE));
	CALL(restrict_self(set));
	CALL(ftruncate(fd, 2));
	CALL(truncate("in/file", 1));
	CALL(unlink("in/file"));
}
