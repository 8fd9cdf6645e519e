/* SPDX-License-Identifier: Apache-2.0 */
/* Overlays of the guest's own directories. All layers are on a tmpfs of the case's own. */
#include <dirent.h>
#include <sys/xattr.h>

#include "ns.h"

static int compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void note_names(const char *dir)
{
	DIR *stream = opendir(dir);
	char *names[64], text[1024] = "";
	struct dirent *entry;
	int count = 0;

	while (stream && (entry = readdir(stream)) && count < 64)
		if (entry->d_name[0] != '.')
			names[count++] = strdup(entry->d_name);
	qsort(names, (size_t)count, sizeof(names[0]), compare);
	for (int i = 0; i < count; i++) {
		strcat(text, " ");
		strcat(text, names[i]);
	}
	NOTE("%s:%s", dir, text);
	if (stream)
		closedir(stream);
}

static void note_kind(const char *name)
{
	struct stat stat;

	if (lstat(name, &stat) < 0)
		NOTE("%s: %s", name, errno_name(errno));
	else
		NOTE("%s: %o %u:%u size %lld rdev %d", name, stat.st_mode, stat.st_uid, stat.st_gid,
			S_ISDIR(stat.st_mode) ? 0ll : (long long)stat.st_size, (int)stat.st_rdev);
}

static void layers(void)
{
	own_mounts();
	mkdir("base", 0755);
	mount("layers", "base", "tmpfs", 0, NULL);
	chdir("base");
	mkdir("low", 0755);
	mkdir("low/dir", 0755);
	mkdir("low/dir/deep", 0750);
	write_file("low/file", "lower file");
	write_file("low/other", "other");
	write_file("low/dir/in", "in dir");
	write_file("low/dir/deep/x", "deep");
	symlink("file", "low/link");
	mkdir("low2", 0755);
	mkdir("low2/dir", 0755);
	write_file("low2/file", "hidden");
	write_file("low2/second", "second");
	write_file("low2/dir/too", "too");
	mkdir("up", 0755);
	mkdir("work", 0755);
	mkdir("m", 0755);
}

static void overlay(void)
{
	layers();
	CALL(mount("o", "m", "overlay", 0, "lowerdir=low:low2,upperdir=up,workdir=work"));
}

CASE(merged)
{
	overlay();
	note_names("m");
	note_names("m/dir");
	note_file("m/file");
	note_file("m/second");
	note_file("m/link");
	note_file("m/dir/deep/x");
	note_names("up");
}

CASE(write_copies_up)
{
	int old;

	overlay();
	old = open("m/file", O_RDONLY);
	write_file("m/file", "changed");
	note_file("m/file");
	note_file("up/file");
	note_file("low/file");
	{
		char text[32] = "";

		CALL(pread(old, text, sizeof(text) - 1, 0));
	}
	CALL(chmod("m/dir/deep/x", 0640));
	note_kind("up/dir");
	note_kind("up/dir/deep");
	note_kind("up/dir/deep/x");
	note_kind("low/dir/deep/x");
	note_file("m/dir/deep/x");
	CALL(truncate("m/other", 2));
	note_file("m/other");
	note_file("low/other");
}

CASE(create_and_remove)
{
	overlay();
	write_file("m/new", "new");
	note_file("up/new");
	CALL(unlink("m/new"));
	note_kind("up/new");
	CALL(unlink("m/file"));
	note_kind("up/file");
	note_file("m/file");
	note_names("m");
	write_file("m/file", "again");
	note_file("m/file");
	note_kind("up/file");
	CALL(unlink("m/link"));
	CALL(symlink("other", "m/link"));
	note_file("m/link");
	CALL(mkdir("m/dir", 0755));
	CALL(rmdir("m/dir"));
	CALL(unlink("m/missing"));
}

CASE(directories)
{
	char value[8];

	overlay();
	CALL(unlink("m/dir/deep/x"));
	CALL(rmdir("m/dir/deep"));
	note_kind("up/dir/deep");
	note_names("m/dir");
	CALL(mkdir("m/dir/deep", 0700));
	note_names("m/dir/deep");
	CALL(getxattr("up/dir/deep", "trusted.overlay.opaque", value, sizeof(value)));
	CALL(getxattr("m/dir/deep", "trusted.overlay.opaque", value, sizeof(value)));
	CALL(unlink("m/dir/in"));
	CALL(unlink("m/dir/too"));
	CALL(rmdir("m/dir/deep"));
	CALL(rmdir("m/dir"));
	note_names("m");
	note_kind("up/dir");
	note_names("low/dir");
}

CASE(rename_files)
{
	overlay();
	CALL(rename("m/file", "m/moved"));
	note_names("m");
	note_file("m/moved");
	note_kind("up/file");
	CALL(rename("m/moved", "m/other"));
	note_file("m/other");
	note_names("m");
	CALL(rename("m/dir/in", "m/dir/deep/in"));
	note_names("m/dir/deep");
	CALL(rename("m/other", "m/file"));
	note_file("m/file");
	note_kind("up/other");
}

CASE(rename_directories)
{
	overlay();
	CALL(rename("m/dir", "m/moved"));
	CALL(mkdir("m/fresh", 0755));
	write_file("m/fresh/x", "x");
	CALL(rename("m/fresh", "m/moved"));
	note_names("m/moved");
	CALL(rename("m/moved", "m/dir"));
	CALL(unlink("m/dir/in"));
	CALL(unlink("m/dir/too"));
	CALL(unlink("m/dir/deep/x"));
	CALL(rmdir("m/dir/deep"));
	CALL(rename("m/moved", "m/dir"));
	note_names("m/dir");
	note_names("m");
}

CASE(links)
{
	struct stat a, b;

	overlay();
	CALL(link("m/file", "m/hard"));
	note_file("m/hard");
	stat("up/file", &a);
	stat("up/hard", &b);
	TRUTH(a.st_ino == b.st_ino);
	NOTE("%d", (int)a.st_nlink);
	write_file("m/hard", "both");
	note_file("m/file");
}

CASE(attributes)
{
	char value[8] = "";

	overlay();
	CALL(setxattr("m/file", "user.x", "v", 1, 0) < 0 && errno == EOPNOTSUPP ? 0 : 0);
	CALL(setxattr("m/file", "trusted.y", "v", 1, 0));
	CALL(getxattr("up/file", "trusted.y", value, sizeof(value)));
	CALL(getxattr("low/file", "trusted.y", value, sizeof(value)));
	CALL(chown("m/other", 5, 6));
	note_kind("m/other");
	note_kind("up/other");
	note_kind("low/other");
	CALL(mknod("m/fifo", S_IFIFO | 0600, 0));
	note_kind("up/fifo");
	CALL(mknod("m/zero", S_IFCHR | 0600, 0));
}

CASE(mapped)
{
	char *map;
	int fd;

	overlay();
	fd = open("m/file", O_RDWR);
	map = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	memcpy(map, "LOWER", 5);
	note_file("m/file");
	note_file("low/file");
	munmap(map, 4096);
}

CASE(append_and_seek)
{
	int fd;

	overlay();
	fd = open("m/file", O_WRONLY | O_APPEND);
	CALL(write(fd, "+", 1));
	CALL(lseek(fd, 0, SEEK_END));
	CALL(ftruncate(fd, 4));
	note_file("m/file");
	CALL(fsync(fd));
	CALL(fallocate(fd, 0, 0, 100) == 0 ? 0 : 0);
	close(fd);
	fd = open("m", O_TMPFILE | O_RDWR, 0600);
	TRUTH(fd >= 0);
	CALL(write(fd, "tmp", 3));
}

CASE(without_upper)
{
	layers();
	CALL(mount("o", "m", "overlay", 0, "lowerdir=low:low2"));
	note_names("m");
	CALL(open("m/new", O_CREAT | O_WRONLY, 0600));
	CALL(unlink("m/file"));
	CALL(chmod("m/file", 0600));
	CALL(mount(NULL, "m", NULL, MS_REMOUNT, NULL));
}

CASE(errors)
{
	layers();
	CALL(mount("o", "m", "overlay", 0, NULL));
	CALL(mount("o", "m", "overlay", 0, "lowerdir=missing,upperdir=up,workdir=work"));
	CALL(mount("o", "m", "overlay", 0, "lowerdir=low,upperdir=up"));
	CALL(mount("o", "m", "overlay", 0, "lowerdir=low,upperdir=up,workdir=missing"));
	CALL(mount("o", "m", "overlay", 0, "lowerdir=low,upperdir=up,workdir=up/w"));
	CALL(mount("o", "m", "overlay", 0, "lowerdir=low,upperdir=up,workdir=up"));
	CALL(mount("o", "m", "overlay", 0, "lowerdir=low,nonsense"));
	CALL(mount("o", "m", "overlay", 0, "upperdir=up,workdir=work"));
}

CASE(layers_outlive_their_mounts)
{
	layers();
	mkdir("t", 0755);
	CALL(mount("t", "t", "tmpfs", 0, NULL));
	mkdir("t/low", 0755);
	write_file("t/low/x", "kept");
	CALL(mount("o", "m", "overlay", 0, "lowerdir=t/low,upperdir=up,workdir=work"));
	CALL(umount("t"));
	note_file("m/x");
	write_file("m/x", "changed");
	note_file("up/x");
	CALL(umount("m"));
}

CASE(execute)
{
	overlay();
	system("cp /bin/true m/prog; m/prog && echo ran");
	CALL(access("up/prog", X_OK));
}

/* A file that is copied up is a new name in a directory: one that who mounted it may not change. */
static void fill_anothers_directory(void)
{
	become(1000);
	own_user_ns(CLONE_NEWNS);
	CALL(mount("o", "m", "overlay", 0, "lowerdir=own,upperdir=up,workdir=own_work"));
	CALL(open("m/mine", O_WRONLY));
	CALL(chmod("m/mine", 0600));
	CALL(open("m/dir/in", O_WRONLY));
	CALL(open("m/new", O_CREAT | O_WRONLY, 0600));
}

CASE(upper_directory_of_others)
{
	layers();
	chmod(".", 0777);
	mkdir("own", 0755);
	mkdir("own/dir", 0755);
	mkdir("own_work", 0755);
	write_file("own/mine", "mine");
	write_file("own/dir/in", "in");
	for (const char *const *name = (const char *const[]){"own", "own/dir", "own_work",
		     "own/mine", "own/dir/in", NULL};
		*name; name++)
		chown(*name, 1000, 1000);
	in_child(fill_anothers_directory);
	note_names("up");
}

/* More names than are listed in one go, read in small pieces from any position. */
CASE(large_directory)
{
	struct dirent *entry;
	long places[4] = {0}, sum = 0;
	int count = 0;
	char name[64];
	DIR *dir;

	own_mounts();
	mkdir("t", 0755);
	if (mount("t", "t", "tmpfs", 0, NULL) < 0)
		SKIP("no tmpfs");
	mkdir("t/lower", 0755);
	mkdir("t/upper", 0755);
	mkdir("t/work", 0755);
	mkdir("t/o", 0755);
	for (int i = 0; i < 2500; i++) {
		snprintf(name, sizeof(name), "t/%s/name-%d", i % 3 ? "lower" : "upper", i);
		close(open(name, O_CREAT | O_WRONLY, 0600));
	}
	CALL(mount("o", "t/o", "overlay", 0, "lowerdir=t/lower,upperdir=t/upper,workdir=t/work"));
	CALL(unlink("t/o/name-100"));
	dir = opendir("t/o");
	while ((entry = readdir(dir)) != NULL) {
		if (entry->d_name[0] == '.')
			continue;
		sum += atol(entry->d_name + 5);
		if (count++ % 700 == 699)
			places[count / 700 - 1] = telldir(dir);
	}
	NOTE("%d names, sum %ld", count, sum);
	for (int i = 2; i >= 0; i--) {
		count = 0;
		seekdir(dir, places[i]);
		while ((entry = readdir(dir)) != NULL)
			count++;
		NOTE("%d behind place %d", count, i);
	}
	CALL(rmdir("t/o"));
	closedir(dir);
}
