/* SPDX-License-Identifier: Apache-2.0 */
/* mkdir(2), rmdir(2), link(2), symlink(2), unlink(2), rename(2), mknod(2), getdents(2), chdir(2),
 * getcwd(2), chroot(2) */
#include "case.h"

#include <dirent.h>

static void make(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644);

	if (write(fd, text, strlen(text)) < 0)
		NOTE("make failed");
	close(fd);
}

static void text(const char *name)
{
	char buffer[32] = "";
	int fd = open(name, O_RDONLY);

	if (fd < 0) {
		NOTE("%s: %s", name, errno_name(errno));
		return;
	}
	if (read(fd, buffer, sizeof(buffer) - 1) < 0)
		strcpy(buffer, "directory");
	NOTE("%s: %s", name, buffer);
	close(fd);
}

static int links(const char *name)
{
	struct stat st;

	return lstat(name, &st) < 0 ? -1 : (int)st.st_nlink;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list(const char *name)
{
	char *names[64], line[2048] = "";
	struct dirent *entry;
	int count = 0;
	DIR *dir = opendir(name);

	if (!dir) {
		NOTE("%s: %s", name, errno_name(errno));
		return;
	}
	while ((entry = readdir(dir)) && count < 64) {
		char *text = malloc(300);

		snprintf(text, 300, "%s(%d)", entry->d_name, entry->d_type);
		names[count++] = text;
	}
	closedir(dir);
	qsort(names, (size_t)count, sizeof(names[0]), compare);
	for (int i = 0; i < count; i++) {
		strcat(line, " ");
		strcat(line, names[i]);
	}
	NOTE("%s:%s", name, line);
}

static char *long_name(size_t size)
{
	char *name = malloc(size + 1);

	memset(name, 'x', size);
	name[size] = 0;
	return name;
}

static int rename2(const char *from, const char *to, unsigned flags)
{
	return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, flags);
}

CASE(mkdir_errors)
{
	CALL(mkdir("d", 0755));
	CALL(mkdir("d", 0755));
	CALL(mkdir("d/", 0755));
	CALL(mkdir("e/", 0755));
	CALL(mkdir("none/x", 0755));
	CALL(mkdir("", 0755));
	CALL(mkdir(".", 0755));
	CALL(mkdir("..", 0755));
	CALL(mkdir("/", 0755));
	make("f", "");
	CALL(mkdir("f", 0755));
	CALL(mkdir("f/x", 0755));
	symlink("none", "l");
	CALL(mkdir("l", 0755));
	CALL(mkdir("l/", 0755));
	CALL(mkdir(long_name(256), 0755));
	CALL(syscall(SYS_mkdir, NULL, 0755));
	CALL(mkdirat(99, "x", 0755));
}

CASE(rmdir_errors)
{
	mkdir("d", 0755);
	mkdir("d/e", 0755);
	make("f", "");
	CALL(rmdir("d"));
	CALL(rmdir("d/e/."));
	CALL(rmdir("d/e/.."));
	CALL(rmdir("."));
	CALL(rmdir(".."));
	CALL(rmdir("/"));
	CALL(rmdir("f"));
	CALL(rmdir("f/"));
	CALL(rmdir("none"));
	CALL(rmdir(""));
	CALL(rmdir("d/e/"));
	CALL(rmdir("d"));
	symlink(".", "l");
	CALL(rmdir("l"));
	CALL(rmdir("l/"));
}

CASE(directory_links)
{
	mkdir("d", 0755);
	TRUTH(links("d") == 2 || links("d") == 1);
	mkdir("d/a", 0755);
	mkdir("d/b", 0755);
	TRUTH(links("d") == 4 || links("d") == 1);
	rmdir("d/a");
	TRUTH(links("d") == 3 || links("d") == 1);
	rename("d/b", "b");
	TRUTH(links("d") == 2 || links("d") == 1);
}

CASE(unlink_errors)
{
	mkdir("d", 0755);
	make("f", "");
	symlink("d", "l");
	CALL(unlink("d"));
	CALL(unlink("d/"));
	CALL(unlink("f/"));
	CALL(unlink("f/x"));
	CALL(unlink("none"));
	CALL(unlink("none/"));
	CALL(unlink(""));
	CALL(unlink("."));
	CALL(unlink(".."));
	CALL(unlink("/"));
	CALL(unlink("l/"));
	CALL(unlink("l"));
	CALL(access("d", F_OK));
	CALL(unlinkat(AT_FDCWD, "f", 1));
	CALL(unlinkat(AT_FDCWD, "f", AT_REMOVEDIR));
	CALL(unlinkat(AT_FDCWD, "d", AT_REMOVEDIR));
	CALL(unlinkat(99, "f", 0));
	CALL(unlinkat(AT_FDCWD, "f", 0));
	CALL(syscall(SYS_unlink, (char *)8));
}

CASE(hard_links)
{
	make("f", "one");
	mkdir("d", 0755);
	symlink("f", "l");
	CALL(link("f", "g"));
	NOTE("%d", links("f"));
	CALL(link("f", "g"));
	CALL(link("f", "h/"));
	CALL(link("none", "x"));
	CALL(link("d", "x"));
	CALL(link("f", "none/x"));
	CALL(link("f", ""));
	CALL(link("", "x"));
	CALL(link("f/", "x"));
	CALL(link("l", "l2"));
	CALL(links("l2"));
	CALL(linkat(AT_FDCWD, "l", AT_FDCWD, "l3", AT_SYMLINK_FOLLOW));
	NOTE("%d", links("f"));
	CALL(linkat(AT_FDCWD, "l", AT_FDCWD, "l4", 0x4));
	CALL(link("f", "."));
	CALL(link("f", "d"));
	unlink("f");
	text("g");
}

CASE(symlink_errors)
{
	char buffer[64] = "";

	CALL(symlink("anything at all", "a"));
	CALL(readlink("a", buffer, 63));
	NOTE("%s", buffer);
	CALL(symlink("x", "a"));
	CALL(symlink("", "b"));
	CALL(symlink("x", ""));
	CALL(symlink("x", "none/b"));
	CALL(symlink("x", "b/"));
	CALL(symlink("x", "."));
	CALL(symlink(long_name(4095), "c"));
	CALL(symlink(long_name(4096), "d"));
	CALL(symlink("x", long_name(256)));
	CALL(syscall(SYS_symlink, NULL, "x"));
	CALL(syscall(SYS_symlink, "x", NULL));
	CALL(symlinkat("x", 99, "e"));
}

CASE(nodes)
{
	struct stat st;

	CALL(mknod("r", 0644, 0));
	CALL(mknod("r2", S_IFREG | 0600, 0));
	CALL(mknod("p", S_IFIFO | 0600, 0));
	CALL(mknod("s", S_IFSOCK | 0600, 0));
	CALL(mknod("d", S_IFDIR | 0600, 0));
	CALL(mknod("l", S_IFLNK | 0600, 0));
	CALL(mknod("x", 0150000 | 0600, 0));
	CALL(mknod("r", 0644, 0));
	CALL(mknod("n/", 0644, 0));
	CALL(mknod("none/n", 0644, 0));
	CALL(mknod("", 0644, 0));
	stat("r", &st);
	NOTE("%o", st.st_mode);
	list(".");
}

CASE(rename_files)
{
	make("a", "A");
	make("b", "B");
	CALL(rename("a", "c"));
	text("c");
	text("a");
	CALL(rename("c", "b"));
	text("b");
	CALL(rename("b", "b"));
	CALL(rename("none", "x"));
	CALL(rename("b", "none/x"));
	CALL(rename("b", ""));
	CALL(rename("", "b"));
	CALL(rename("b", "."));
	CALL(rename(".", "b"));
	CALL(rename("b/", "x"));
	CALL(rename("b", "x/"));
	CALL(rename("b", long_name(256)));
	list(".");
}

CASE(rename_hard_links)
{
	make("a", "A");
	link("a", "b");
	CALL(rename("a", "b"));
	list(".");
	NOTE("%d", links("a"));
}

CASE(rename_directories)
{
	mkdir("d", 0755);
	mkdir("d/e", 0755);
	mkdir("empty", 0755);
	mkdir("full", 0755);
	make("full/f", "x");
	make("f", "y");
	CALL(rename("d", "d/e"));
	CALL(rename("d", "d/e/f"));
	CALL(rename("d/e", "d"));
	CALL(rename("d", "f"));
	CALL(rename("f", "d"));
	CALL(rename("d", "full"));
	CALL(rename("d", "empty"));
	CALL(rename("empty/", "again/"));
	CALL(rename("again/e", "e"));
	list(".");
	list("again");
	CALL(rename("again", "again"));
}

CASE(rename_while_inside)
{
	char buffer[PATH_MAX];
	int fd;

	mkdir("d", 0755);
	mkdir("d/e", 0755);
	mkdir("x", 0755);
	CALL(chdir("d/e"));
	fd = open(".", O_RDONLY);
	CALL(rename("../../d", "../../x/moved"));
	if (getcwd(buffer, sizeof(buffer)))
		NOTE("%s", strstr(buffer, "/x/"));
	CALL(chdir(".."));
	if (getcwd(buffer, sizeof(buffer)))
		NOTE("%s", strstr(buffer, "/x/"));
	CALL(fchdir(fd));
	CALL(access("../../../x", F_OK));
}

CASE(rename_flags)
{
	make("a", "A");
	make("b", "B");
	mkdir("d", 0755);
	make("d/f", "F");
	CALL(rename2("a", "b", 1));
	CALL(rename2("a", "c", 1));
	CALL(rename2("c", "b", 2));
	text("b");
	text("c");
	CALL(rename2("c", "d", 2));
	text("d");
	text("c/f");
	CALL(rename2("c", "none", 2));
	CALL(rename2("none", "c", 2));
	CALL(rename2("c", "c/f", 2));
	CALL(rename2("c", "b", 3));
	CALL(rename2("c", "b", 6));
	CALL(rename2("c", "b", 8));
	CALL(rename2("b", "b", 1));
	CALL(rename2("b", ".", 1));
	CALL(syscall(SYS_renameat2, AT_FDCWD, (char *)8, AT_FDCWD, "x", 8));
	CALL(syscall(SYS_renameat2, AT_FDCWD, (char *)8, AT_FDCWD, "x", 0));
	CALL(syscall(SYS_renameat, 99, "b", AT_FDCWD, "x"));
	CALL(syscall(SYS_renameat, AT_FDCWD, "b", 99, "x"));
}

CASE(rename_across_mounts)
{
	make("a", "A");
	CALL(rename("a", "/dev/shm/sentry-test-a"));
	CALL(rename("a", "/proc/a"));
}

CASE(rename_open_file)
{
	int fd;

	make("a", "A");
	make("b", "B");
	fd = open("b", O_RDWR);
	CALL(rename("a", "b"));
	CALL(pwrite(fd, "X", 1, 0));
	text("b");
}

CASE(sticky_directory)
{
	if (geteuid() != 0)
		SKIP("needs root");
	mkdir("t", 0777);
	chmod("t", 01777);
	chmod(".", 0755);
	make("t/root", "R");
	mkdir("t/rootdir", 0777);
	CALL(setresuid(1234, 1234, 1234));
	make("t/mine", "M");
	CALL(unlink("t/root"));
	CALL(rename("t/root", "t/x"));
	CALL(rename("t/mine", "t/root"));
	CALL(rmdir("t/rootdir"));
	CALL(rename("t/mine", "t/yours"));
	CALL(unlink("t/yours"));
	CALL(unlink("none"));
	CALL(mkdir("x", 0755));
	CALL(rmdir("t"));
	CALL(symlink("a", "b"));
}

CASE(listing)
{
	make("f", "");
	mkdir("d", 0755);
	symlink("f", "l");
	mkfifo("p", 0600);
	mknod("s", S_IFSOCK | 0600, 0);
	list(".");
	list("d");
	list("f");
	list("none");
}

CASE(listing_many)
{
	char name[32];
	int count = 0;
	DIR *dir;

	mkdir("d", 0755);
	for (int i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "d/some-longer-name-%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	dir = opendir("d");
	while (readdir(dir))
		count++;
	NOTE("%d", count);
	rewinddir(dir);
	count = 0;
	while (readdir(dir))
		count++;
	NOTE("%d", count);
}

CASE(remove_while_listing)
{
	char name[300];
	struct dirent *entry;
	int count = 0, seen = 0;
	DIR *dir;

	mkdir("d", 0755);
	for (int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "d/n%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	dir = opendir("d");
	while ((entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		seen++;
		snprintf(name, sizeof(name), "d/%s", entry->d_name);
		count += unlink(name) == 0;
	}
	NOTE("%d %d", seen, count);
	CALL(rmdir("d"));
}

CASE(seek_in_directory)
{
	struct dirent *entry;
	char first[300] = "";
	DIR *dir;
	long pos;

	mkdir("d", 0755);
	for (int i = 0; i < 20; i++) {
		char name[32];

		snprintf(name, sizeof(name), "d/n%d", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	dir = opendir("d");
	for (int i = 0; i < 7; i++)
		entry = readdir(dir);
	pos = telldir(dir);
	entry = readdir(dir);
	if (entry)
		strcpy(first, entry->d_name);
	while (readdir(dir))
		;
	seekdir(dir, pos);
	entry = readdir(dir);
	TRUTH(entry && !strcmp(entry->d_name, first));
}

CASE(getdents_errors)
{
	char buffer[1024];
	int dir = open(".", O_RDONLY), fd;

	make("f", "");
	fd = open("f", O_RDONLY);
	CALL(syscall(SYS_getdents64, dir, buffer, 10));
	CALL(syscall(SYS_getdents64, dir, buffer, 0));
	CALL(syscall(SYS_getdents64, fd, buffer, 1024));
	CALL(syscall(SYS_getdents64, 99, buffer, 1024));
	CALL(syscall(SYS_getdents64, dir, (void *)8, 1024));
	CALL(syscall(SYS_getdents64, dir, buffer, 1024) > 0);
	CALL(syscall(SYS_getdents64, dir, buffer, 1024));
	lseek(dir, 0, SEEK_SET);
	CALL(syscall(SYS_getdents, dir, buffer, 1024) > 0);
	CALL(syscall(SYS_getdents, dir, buffer, 1024));
	CALL(syscall(SYS_getdents, fd, buffer, 1024));
}

CASE(working_directory)
{
	char buffer[PATH_MAX], start[PATH_MAX];
	int fd;

	if (!getcwd(start, sizeof(start)))
		return;
	mkdir("d", 0755);
	make("f", "");
	CALL(chdir("d"));
	if (getcwd(buffer, sizeof(buffer)))
		NOTE("%s", buffer + strlen(start));
	CALL(syscall(SYS_getcwd, buffer, sizeof(buffer)) == (long)strlen(start) + 3);
	CALL(syscall(SYS_getcwd, buffer, 3));
	CALL(syscall(SYS_getcwd, buffer, 0));
	CALL(syscall(SYS_getcwd, (char *)8, 4096));
	CALL(chdir(".."));
	CALL(chdir("f"));
	CALL(chdir("none"));
	CALL(chdir(""));
	CALL(syscall(SYS_chdir, NULL));
	fd = open("f", O_RDONLY);
	CALL(fchdir(fd));
	CALL(fchdir(99));
	fd = open("d", O_PATH);
	CALL(fchdir(fd));
	CALL(chdir("/"));
	CALL(syscall(SYS_getcwd, buffer, sizeof(buffer)));
	NOTE("%s", buffer);
}

CASE(removed_working_directory)
{
	char buffer[PATH_MAX];

	mkdir("d", 0755);
	CALL(chdir("d"));
	CALL(rmdir("../d"));
	CALL(syscall(SYS_getcwd, buffer, sizeof(buffer)));
	CALL(open(".", O_RDONLY) >= 0);
	CALL(open("f", O_CREAT | O_RDWR, 0600));
	CALL(mkdir("x", 0755));
	CALL(access("..", F_OK));
	CALL(access("../d", F_OK));
	CALL(chdir(".."));
}

CASE(dot_dot_at_root)
{
	struct stat a, b;

	stat("/", &a);
	stat("/../..", &b);
	TRUTH(a.st_ino == b.st_ino);
}

CASE(change_root)
{
	char buffer[PATH_MAX];

	if (geteuid() != 0)
		SKIP("needs root");
	mkdir("jail", 0755);
	make("jail/f", "inside");
	make("outside", "outside");
	symlink("/f", "jail/abs");
	symlink("../outside", "jail/up");
	CALL(chroot("none"));
	CALL(chroot("outside"));
	CALL(chdir("jail"));
	CALL(chroot("."));
	text("/f");
	text("/abs");
	text("/up");
	text("/../../f");
	CALL(syscall(SYS_getcwd, buffer, sizeof(buffer)));
	NOTE("%s", buffer);
	CALL(access("/etc", F_OK));
}

CASE(change_root_needs_privilege)
{
	if (geteuid() != 0)
		SKIP("needs root");
	CALL(setresuid(1234, 1234, 1234));
	CALL(chroot("/"));
	CALL(chroot("/none"));
}

CASE(outside_of_root)
{
	char buffer[PATH_MAX] = "";

	if (geteuid() != 0)
		SKIP("needs root");
	mkdir("jail", 0755);
	CALL(chroot("jail"));
	CALL(syscall(SYS_getcwd, buffer, sizeof(buffer)) > 0);
	NOTE("%.13s", buffer);
}

CASE(deep_paths)
{
	char name[4096] = "";
	int depth = 0;

	while (depth < 200 && mkdir("dddddddddd", 0755) == 0 && chdir("dddddddddd") == 0)
		depth++;
	NOTE("%d", depth);
	for (int i = 0; i < 150; i++)
		strcat(name, "../");
	CALL(access(name, F_OK));
	for (int i = 0; i < 300; i++)
		strcat(name, "./");
	CALL(access(name, F_OK));
	strcat(name, "/////dddddddddd");
	CALL(access(name, F_OK));
}

CASE(many_slashes)
{
	mkdir("d", 0755);
	make("d/f", "x");
	text("d///f");
	text(".//././d/.//f");
	text("d/../d/f");
	CALL(access("d//", F_OK));
	CALL(access("d/f//", F_OK));
}

CASE(names_with_odd_bytes)
{
	make("a b\tc", "1");
	make("\xff\xfe", "2");
	make("-", "3");
	make("...", "4");
	text("a b\tc");
	text("\xff\xfe");
	text("...");
	CALL(unlink("..."));
}
