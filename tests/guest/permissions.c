/* SPDX-License-Identifier: Apache-2.0 */
/* Mode bits as somebody who is not root meets them: path_resolution(7), inode(7), credentials(7).
 */
#include <grp.h>
#include <sys/auxv.h>
#include <sys/prctl.h>

#include "case.h"

#define OWNER 1001
#define GROUP 2001
#define OTHER 1002

static void need_root(void)
{
	if (geteuid() != 0)
		SKIP("needs root");
	chmod(".", 0755);
	umask(0);
}

static void become(uid_t uid, gid_t gid, int group_count, const gid_t *groups)
{
	if (setgroups((size_t)group_count, groups) < 0 || setresgid(gid, gid, gid) < 0 ||
		setresuid(uid, uid, uid) < 0)
		abort();
}

/* Runs @fn in a child as somebody. */
static void as(const char *who, uid_t uid, gid_t gid, gid_t extra, void (*fn)(void))
{
	pid_t pid;

	fflush(stdout);
	pid = fork();
	if (pid == 0) {
		become(uid, gid, extra ? 1 : 0, &extra);
		NOTE("as %s", who);
		fn();
		fflush(stdout);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
}

static void as_everybody(void (*fn)(void))
{
	as("owner", OWNER, OTHER, 0, fn);
	as("owner in group", OWNER, GROUP, 0, fn);
	as("group", OTHER, GROUP, 0, fn);
	as("supplementary group", OTHER, OTHER, GROUP, fn);
	as("other", OTHER, OTHER, 0, fn);
}

static char result(long r)
{
	return r >= 0		  ? '+'
	       : errno == EACCES  ? '-'
	       : errno == EPERM	  ? 'p'
	       : errno == ENOEXEC ? 'x'
				  : '?';
}

static char try_exec(const char *name)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		execl(name, name, NULL);
		_exit(errno == EACCES ? 1 : errno == ENOEXEC ? 2 : 3);
	}
	waitpid(pid, &status, 0);
	return "0-x?"[WEXITSTATUS(status) & 3];
}

static void try_files(void)
{
	for (int mode = 0; mode < 01000; mode += 0111 * 0 + 73) {
		char name[16];

		(void)snprintf(name, sizeof(name), "f%03o", mode);
		NOTE("%03o: read %c write %c both %c exec %c access %c%c%c%c chmod %c truncate %c",
			mode, result(open(name, O_RDONLY)), result(open(name, O_WRONLY)),
			result(open(name, O_RDWR)), try_exec(name), result(access(name, R_OK)),
			result(access(name, W_OK)), result(access(name, X_OK)),
			result(access(name, F_OK)), result(chmod(name, (mode_t)mode)),
			result(truncate(name, 1)));
	}
}

CASE(files)
{
	need_root();
	for (int mode = 0; mode < 01000; mode += 73) {
		char name[16];

		(void)snprintf(name, sizeof(name), "f%03o", mode);
		write_file(name, "no program");
		if (chown(name, OWNER, GROUP) < 0 || chmod(name, (mode_t)mode) < 0)
			abort();
	}
	as_everybody(try_files);
	NOTE("as root");
	try_files();
}

static void try_directories(void)
{
	for (int bits = 0; bits < 8; bits++) {
		char dir[16], name[32], to[32];
		struct stat st;

		(void)snprintf(dir, sizeof(dir), "d%o", bits);
		(void)snprintf(name, sizeof(name), "d%o/f", bits);
		(void)snprintf(to, sizeof(to), "d%o/new", bits);
		NOTE("%o: list %c chdir %c stat %c open %c create %c rename %c back %c link %c "
		     "unlink %c mkdir %c "
		     "rmdir %c path %c",
			bits, result(open(dir, O_RDONLY | O_DIRECTORY)),
			result(chdir(dir) < 0 ? -1 : chdir("..")), result(stat(name, &st)),
			result(open(name, O_RDONLY)), result(open(to, O_CREAT | O_WRONLY, 0600)),
			result(rename(name, to)), result(rename(to, name)), result(link(name, to)),
			result(unlink(to)), result(mkdir(to, 0700)), result(rmdir(to)),
			result(open(name, O_PATH)));
	}
}

CASE(directories)
{
	need_root();
	for (int bits = 0; bits < 8; bits++) {
		char dir[16], name[32];

		(void)snprintf(dir, sizeof(dir), "d%o", bits);
		(void)snprintf(name, sizeof(name), "d%o/f", bits);
		mkdir(dir, 0777);
		write_file(name, "x");
		chmod(name, 0666);
		if (chown(dir, OWNER, GROUP) < 0 ||
			chmod(dir, (mode_t)(bits << 6 | (7 - bits) << 3 | bits)) < 0)
			abort();
	}
	as_everybody(try_directories);
}

static void try_sticky(void)
{
	NOTE("unlink %c %c rename %c over %c %c rmdir %c %c", result(unlink("s/o")),
		result(unlink("s/x")), result(rename("s/a", "s/b")),
		result(rename("s/mine", "s/c")), result(rename("s/c", "s/d")),
		result(rmdir("s/od")), result(rmdir("s/xd")));
}

CASE(sticky)
{
	need_root();
	for (int owner = 0; owner < 3; owner++) {
		const uid_t owners[] = {0, OWNER, OTHER};

		if (system("rm -rf s; mkdir s; cd s; touch o x a b c d; mkdir od xd") != 0)
			abort();
		chown("s/o", OWNER, 0);
		chown("s/od", OWNER, 0);
		chown("s/x", OTHER, 0);
		chown("s/xd", OTHER, 0);
		chown("s/a", OTHER, 0);
		chown("s/b", OWNER, 0);
		chown("s/c", OWNER, 0);
		chown("s", owners[owner], GROUP);
		chmod("s", 01777);
		NOTE("directory of %u", owners[owner]);
		as("other", OTHER, OTHER, 0, try_sticky);
		as("owner", OWNER, OTHER, 0, try_sticky);
	}
}

static void note_node(const char *name)
{
	struct stat st;

	if (lstat(name, &st) < 0)
		NOTE("%s: %s", name, errno_name(errno));
	else
		NOTE("%s: %o %u %u", name, st.st_mode, st.st_uid, st.st_gid);
}

static void make_in_set_gid(void)
{
	CALL(close(open("g/f", O_CREAT | O_WRONLY, 0666)));
	CALL(close(open("g/sgid", O_CREAT | O_WRONLY, 02775)));
	CALL(close(open("g/sgidnox", O_CREAT | O_WRONLY, 02764)));
	CALL(mkdir("g/d", 0777));
	CALL(mkdir("g/d/e", 0700));
	CALL(mkfifo("g/p", 0666));
	CALL(symlink("x", "g/l"));
	const char *const names[] = {"g/f", "g/sgid", "g/sgidnox", "g/d", "g/d/e", "g/p", "g/l"};
	for (int i = 0; i < 7; i++)
		note_node(names[i]);
	CALL(chmod("g/f", 02775));
	note_node("g/f");
	CALL(chmod("g/d", 02775));
	note_node("g/d");
	CALL(chown("g/f", -1, getegid()));
	note_node("g/f");
	CALL(chown("g/f", -1, GROUP));
	CALL(chown("g/f", OWNER, -1));
	note_node("g/f");
}

CASE(set_group_id_directory)
{
	need_root();
	for (int i = 0; i < 3; i++) {
		if (system("rm -rf g; mkdir g") != 0)
			abort();
		chown("g", OWNER, GROUP);
		chmod("g", 02777);
		if (i == 0)
			as("other", OTHER, OTHER, 0, make_in_set_gid);
		else if (i == 1)
			as("group", OTHER, OTHER, GROUP, make_in_set_gid);
		else
			make_in_set_gid();
	}
}

static void change_set_id_files(void)
{
	static const char *const names[] = {"both", "gidnox", "suid", "sgid"};

	for (int i = 0; i < 4; i++) {
		int fd = open(names[i], O_RDWR);

		CALL(write(fd, "x", 1));
		note_node(names[i]);
		CALL(chmod(names[i], 06777));
		note_node(names[i]);
		CALL(ftruncate(fd, 3));
		note_node(names[i]);
		CALL(chmod(names[i], 06767));
		CALL(fallocate(fd, 0, 0, 10));
		note_node(names[i]);
		CALL(chmod(names[i], 06777));
		CALL(chown(names[i], -1, -1));
		note_node(names[i]);
		CALL(chmod(names[i], 06777));
		CALL(chown(names[i], getuid(), -1));
		note_node(names[i]);
		close(fd);
	}
}

static void make_set_id_files(void)
{
	static const char *const names[] = {"both", "gidnox", "suid", "sgid"};
	static const mode_t modes[] = {06777, 02767, 04777, 02777};

	for (int i = 0; i < 4; i++) {
		unlink(names[i]);
		write_file(names[i], "text");
		chown(names[i], OWNER, GROUP);
		chmod(names[i], modes[i]);
	}
}

CASE(set_id_bits_vanish)
{
	need_root();
	make_set_id_files();
	as("owner", OWNER, GROUP, 0, change_set_id_files);
	make_set_id_files();
	as("other", OTHER, OTHER, 0, change_set_id_files);
	make_set_id_files();
	as("owner not in group", OWNER, OTHER, 0, change_set_id_files);
	make_set_id_files();
	NOTE("as root");
	change_set_id_files();
}

/* Set-user-ID programs: a copy of ourselves, which says what it became. */
static void __attribute__((constructor)) say_what_i_am(int argc, char **argv)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	if (argc < 2 || strcmp(argv[1], "--what-am-i") != 0)
		return;
	getresuid(&r, &e, &s);
	getresgid(&rg, &eg, &sg);
	printf("uid %u %u %u gid %u %u %u secure %lu dumpable %d nnp %d library path %s\n", r, e, s,
		rg, eg, sg, getauxval(AT_SECURE), prctl(PR_GET_DUMPABLE),
		prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0),
		getenv("LD_LIBRARY_PATH") ? "kept" : "gone");
	fflush(stdout);
	_exit(0);
}

static void copy_self(const char *to, uid_t uid, gid_t gid, mode_t mode)
{
	int in = open("/proc/self/exe", O_RDONLY),
	    out = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0700);
	char buffer[65536];
	ssize_t n;

	while ((n = read(in, buffer, sizeof(buffer))) > 0)
		if (write(out, buffer, (size_t)n) != n)
			abort();
	close(in);
	close(out);
	if (chown(to, uid, gid) < 0 || chmod(to, mode) < 0)
		abort();
}

static void run_programs(void)
{
	static const char *const names[] = {"plain", "suid", "sgid", "both", "sgidnox", "script"};

	setenv("LD_LIBRARY_PATH", "/nowhere", 1);
	for (int i = 0; i < 6; i++) {
		pid_t pid;

		NOTE("%s", names[i]);
		fflush(stdout);
		pid = fork();
		if (pid == 0) {
			execl(names[i], names[i], "--what-am-i", NULL);
			NOTE("%s", errno_name(errno));
			_exit(1);
		}
		waitpid(pid, NULL, 0);
	}
}

static void run_programs_without_privileges(void)
{
	CALL(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	run_programs();
}

CASE(set_id_programs)
{
	char *script;

	need_root();
	copy_self("plain", OWNER, GROUP, 0755);
	copy_self("suid", OWNER, GROUP, 04755);
	copy_self("sgid", OWNER, GROUP, 02755);
	copy_self("both", OWNER, GROUP, 06755);
	copy_self("sgidnox", OWNER, GROUP, 02745);
	script = realpath("plain", NULL);
	char text[4200];
	(void)snprintf(text, sizeof(text), "#!%s --what-am-i\n", script);
	write_file("script", text);
	chown("script", OWNER, GROUP);
	chmod("script", 06755);
	as("other", OTHER, OTHER, 0, run_programs);
	as("owner", OWNER, OTHER, 0, run_programs);
	as("group", OTHER, GROUP, 0, run_programs);
	as("other", OTHER, OTHER, 0, run_programs_without_privileges);
	NOTE("as root");
	run_programs();
}

/* access(2) asks for the real identity, faccessat2(2) with AT_EACCESS for the effective one. */
CASE(access_by_real_id)
{
	need_root();
	write_file("f", "x");
	chown("f", OWNER, GROUP);
	chmod("f", 0600);
	if (setresuid(OTHER, OWNER, OTHER) < 0)
		abort();
	CALL(access("f", R_OK));
	CALL(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
	OK(open("f", O_RDONLY));
	if (setresuid(-1, OTHER, -1) < 0)
		abort();
	CALL(access("f", R_OK));
	CALL(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
	CALL(open("f", O_RDONLY));
}
