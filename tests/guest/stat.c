/* SPDX-License-Identifier: Apache-2.0 */
/* stat(2), statx(2), statfs(2), access(2), readlink(2), chmod(2), chown(2), utimensat(2), umask(2)
 */
#include "case.h"

#include <linux/stat.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <utime.h>

#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

static void make(const char *name)
{
	close(open(name, O_CREAT | O_WRONLY | O_TRUNC, 0644));
}

static void show(const char *name)
{
	struct stat st;

	if (lstat(name, &st) < 0)
		NOTE("%s: %s", name, errno_name(errno));
	else
		NOTE("%s: %o nlink %d size %ld %d:%d", name, st.st_mode,
			S_ISDIR(st.st_mode) ? 0 : (int)st.st_nlink,
			S_ISDIR(st.st_mode) ? 0L : (long)st.st_size, st.st_uid == geteuid(),
			st.st_gid == getegid());
}

static long statx_(int dirfd, const char *name, int flags, unsigned mask, struct statx *stx)
{
	return syscall(SYS_statx, dirfd, name, flags, mask, stx);
}

CASE(kinds)
{
	make("f");
	mkdir("d", 0750);
	symlink("f", "l");
	mkfifo("p", 0640);
	mknod("s", S_IFSOCK | 0600, 0);
	link("f", "g");
	show("f");
	show("d");
	show("l");
	show("p");
	show("s");
	show("none");
}

CASE(following)
{
	struct stat st;

	make("f");
	symlink("f", "l");
	symlink("none", "dangling");
	symlink("loop", "loop");
	CALL(stat("l", &st));
	NOTE("%o", st.st_mode & S_IFMT);
	CALL(lstat("l", &st));
	NOTE("%o %ld", st.st_mode & S_IFMT, (long)st.st_size);
	CALL(stat("dangling", &st));
	CALL(lstat("dangling", &st));
	CALL(stat("loop", &st));
	CALL(lstat("loop", &st));
	CALL(lstat("l/", &st));
	CALL(stat("", &st));
	CALL(stat("f/", &st));
	CALL(stat("f/x", &st));
	CALL(lstat("loop/", &st));
}

CASE(stat_pointers)
{
	CALL(syscall(SYS_stat, NULL, NULL));
	CALL(syscall(SYS_stat, ".", NULL));
	CALL(syscall(SYS_stat, "none", NULL));
	CALL(syscall(SYS_fstat, 0, (void *)8));
	CALL(syscall(SYS_fstat, 99, (void *)8));
	CALL(syscall(SYS_lstat, (void *)-1L, (void *)8));
}

CASE(fstatat_forms)
{
	struct stat st;
	int dir, fd;

	mkdir("d", 0755);
	make("d/f");
	symlink("f", "d/l");
	dir = open("d", O_RDONLY);
	fd = open("d/f", O_RDONLY);
	CALL(fstatat(dir, "f", &st, 0));
	CALL(fstatat(dir, "l", &st, AT_SYMLINK_NOFOLLOW));
	NOTE("%o", st.st_mode);
	CALL(fstatat(fd, "f", &st, 0));
	CALL(fstatat(fd, "", &st, 0));
	CALL(fstatat(fd, "", &st, AT_EMPTY_PATH));
	NOTE("%o", st.st_mode);
	CALL(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
	CALL(fstatat(99, "", &st, AT_EMPTY_PATH));
	CALL(fstatat(99, "x", &st, 0));
	CALL(fstatat(dir, "f", &st, 0x40000));
	CALL(fstatat(99, "/", &st, 0));
	CALL(syscall(SYS_newfstatat, fd, NULL, &st, AT_EMPTY_PATH));
	CALL(syscall(SYS_newfstatat, fd, NULL, &st, 0));
}

CASE(statx_forms)
{
	struct statx stx;
	int fd;

	make("f");
	symlink("f", "l");
	fd = open("f", O_RDONLY);
	CALL(statx_(AT_FDCWD, "f", 0, STATX_BASIC_STATS, &stx));
	NOTE("%o %d %d", stx.stx_mode, (int)stx.stx_nlink, (int)stx.stx_size);
	NOTE("%x", stx.stx_mask & STATX_BASIC_STATS);
	CALL(statx_(AT_FDCWD, "l", AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &stx));
	NOTE("%o", stx.stx_mode);
	CALL(statx_(fd, "", AT_EMPTY_PATH, STATX_ALL, &stx));
	CALL(statx_(fd, NULL, AT_EMPTY_PATH, STATX_ALL, &stx));
	CALL(statx_(fd, "", 0, STATX_ALL, &stx));
	CALL(statx_(AT_FDCWD, "f", 0x6000, STATX_ALL, &stx));
	CALL(statx_(AT_FDCWD, "f", 0x2000, STATX_ALL, &stx));
	CALL(statx_(AT_FDCWD, "f", 0x80000, STATX_ALL, &stx));
	CALL(statx_(AT_FDCWD, "f", 0, 0x80000000u, &stx));
	CALL(statx_(AT_FDCWD, "f", 0, STATX_ALL, NULL));
	CALL(statx_(AT_FDCWD, NULL, 0, STATX_ALL, &stx));
	CALL(statx_(99, "", AT_EMPTY_PATH, STATX_ALL, &stx));
}

CASE(same_inode)
{
	struct stat a, b;

	make("f");
	link("f", "g");
	stat("f", &a);
	stat("g", &b);
	TRUTH(a.st_ino == b.st_ino);
	TRUTH(a.st_dev == b.st_dev);
	make("h");
	stat("h", &b);
	TRUTH(a.st_ino == b.st_ino);
	stat(".", &a);
	mkdir("d", 0755);
	stat("d/..", &b);
	TRUTH(a.st_ino == b.st_ino);
}

CASE(blocks)
{
	struct stat st;
	char data[8192] = {0};
	int fd = open("f", O_CREAT | O_RDWR, 0600);

	CALL(write(fd, data, 8192));
	fsync(fd);
	fstat(fd, &st);
	NOTE("%ld %ld", (long)st.st_blocks, (long)st.st_blksize);
	CALL(ftruncate(fd, 1 << 20));
	fsync(fd);
	fstat(fd, &st);
	NOTE("%ld", (long)st.st_blocks);
}

CASE(pipes_and_null)
{
	struct stat st;
	int p[2];

	if (pipe(p) < 0)
		return;
	CALL(fstat(p[0], &st));
	NOTE("%o %d", st.st_mode, (int)st.st_nlink);
	CALL(stat("/dev/null", &st));
	NOTE("%o %d %d", st.st_mode, major(st.st_rdev), minor(st.st_rdev));
	CALL(stat("/", &st));
	NOTE("%o", st.st_mode & S_IFMT);
}

CASE(statfs_forms)
{
	struct statfs sf;
	int fd;

	make("f");
	fd = open("f", O_PATH);
	CALL(statfs("f", &sf));
	NOTE("%ld", (long)sf.f_namelen);
	TRUTH(sf.f_blocks >= sf.f_bfree);
	CALL(fstatfs(fd, &sf));
	CALL(fstatfs(99, &sf));
	CALL(statfs("none", &sf));
	CALL(statfs("", &sf));
	CALL(statfs("f/x", &sf));
	CALL(syscall(SYS_statfs, "f", NULL));
	CALL(syscall(SYS_statfs, NULL, &sf));
}

CASE(access_modes)
{
	make("f");
	chmod("f", 0444);
	CALL(access("f", F_OK));
	CALL(access("f", R_OK));
	CALL(access("f", X_OK));
	CALL(access("f", 8));
	CALL(access("none", F_OK));
	CALL(access("none", 8));
	CALL(access("", F_OK));
	CALL(access("f/", F_OK));
	CALL(access(".", X_OK | R_OK | W_OK));
	symlink("none", "l");
	CALL(access("l", F_OK));
	CALL(faccessat(AT_FDCWD, "l", F_OK, AT_SYMLINK_NOFOLLOW));
	CALL(syscall(SYS_faccessat2, AT_FDCWD, "f", R_OK, 0x40000));
	CALL(syscall(SYS_faccessat2, open("f", O_PATH), "", R_OK, AT_EMPTY_PATH));
	CALL(syscall(SYS_access, NULL, 0));
}

CASE(access_uses_real_ids)
{
	if (geteuid() != 0)
		SKIP("needs root");
	chmod(".", 0755);
	make("f");
	chmod("f", 0600);
	CALL(setresuid(1234, 0, 0));
	CALL(access("f", R_OK));
	CALL(faccessat(AT_FDCWD, "f", R_OK, AT_EACCESS));
	OK(open("f", O_RDONLY));
}

CASE(readlink_forms)
{
	char buffer[64];
	int fd;

	make("f");
	symlink("the target", "l");
	memset(buffer, 'z', sizeof(buffer));
	CALL(readlink("l", buffer, 64));
	NOTE("%.12s", buffer);
	CALL(readlink("l", buffer, 3));
	CALL(readlink("l", buffer, 0));
	CALL(syscall(SYS_readlink, "l", buffer, -1));
	CALL(readlink("f", buffer, 64));
	CALL(readlink(".", buffer, 64));
	CALL(readlink("none", buffer, 64));
	CALL(readlink("l/", buffer, 64));
	CALL(readlink("", buffer, 64));
	CALL(readlink("l", (char *)8, 64));
	fd = open("l", O_PATH | O_NOFOLLOW);
	CALL(readlinkat(fd, "", buffer, 64));
	CALL(readlinkat(open("f", O_RDONLY), "", buffer, 64));
	CALL(readlinkat(99, "l", buffer, 64));
}

CASE(modes)
{
	int fd;

	make("f");
	CALL(chmod("f", 07777));
	show("f");
	CALL(chmod("f", 0100644));
	show("f");
	CALL(chmod("f", 0170000));
	show("f");
	fd = open("f", O_RDONLY);
	CALL(fchmod(fd, 0640));
	show("f");
	CALL(fchmod(99, 0));
	CALL(chmod("none", 0));
	CALL(chmod("f/x", 0));
	CALL(syscall(SYS_chmod, NULL, 0));
	symlink("f", "l");
	CALL(chmod("l", 0600));
	show("f");
	CALL(syscall(SYS_fchmodat2, AT_FDCWD, "l", 0600, AT_SYMLINK_NOFOLLOW));
	CALL(syscall(SYS_fchmodat2, AT_FDCWD, "f", 0600, 0x40000));
	CALL(syscall(SYS_fchmodat2, fd, "", 0611, AT_EMPTY_PATH));
	show("f");
	CALL(syscall(SYS_fchmodat2, AT_FDCWD, "f", 0601, AT_SYMLINK_NOFOLLOW));
	show("f");
}

CASE(mode_of_others)
{
	if (geteuid() != 0)
		SKIP("needs root");
	chmod(".", 0777);
	make("f");
	CALL(setresgid(1234, 1234, 1234));
	CALL(setresuid(1234, 1234, 1234));
	CALL(chmod("f", 0666));
	CALL(chown("f", 1234, -1));
	CALL(chown("f", -1, -1));
	CALL(utimensat(AT_FDCWD, "f", NULL, 0));
	CALL(utimensat(AT_FDCWD, "f", (struct timespec[2]){{1, 0}, {1, 0}}, 0));
	make("mine");
	CALL(chmod("mine", 02755));
	show("mine");
	CALL(chown("mine", -1, 1234));
	CALL(chown("mine", -1, 0));
	CALL(chown("mine", 0, -1));
	CALL(chown("mine", 1234, 1234));
	CALL(truncate("f", 0));
	CALL(unlink("f"));
}

CASE(owners)
{
	struct stat st;

	if (geteuid() != 0)
		SKIP("needs root");
	make("f");
	symlink("f", "l");
	chmod("f", 06755);
	CALL(chown("f", 1000, 2000));
	stat("f", &st);
	NOTE("%d %d %o", st.st_uid, st.st_gid, st.st_mode);
	chmod("f", 02644);
	CALL(chown("f", -1, 5));
	stat("f", &st);
	NOTE("%d %d %o", st.st_uid, st.st_gid, st.st_mode);
	CALL(lchown("l", 7, 8));
	lstat("l", &st);
	NOTE("%d %d", st.st_uid, st.st_gid);
	stat("f", &st);
	NOTE("%d %d", st.st_uid, st.st_gid);
	CALL(fchownat(open("f", O_PATH), "", 9, 9, AT_EMPTY_PATH));
	CALL(fchownat(AT_FDCWD, "f", 9, 9, 0x40000));
	CALL(fchown(99, 1, 1));
	CALL(chown("none", 1, 1));
	mkdir("d", 02755);
	chmod("d", 06755);
	CALL(chown("d", 3, 3));
	stat("d", &st);
	NOTE("%o", st.st_mode);
}

CASE(group_inheritance)
{
	struct stat st;

	if (geteuid() != 0)
		SKIP("needs root");
	mkdir("d", 0755);
	chown("d", 0, 777);
	chmod("d", 02755);
	make("d/f");
	mkdir("d/e", 0755);
	stat("d/f", &st);
	NOTE("%d %o", st.st_gid, st.st_mode);
	stat("d/e", &st);
	NOTE("%d %o", st.st_gid, st.st_mode);
}

CASE(times)
{
	struct timespec ts[2] = {{100, 5}, {200, 7}};
	struct stat st;
	int fd;

	make("f");
	CALL(utimensat(AT_FDCWD, "f", ts, 0));
	stat("f", &st);
	NOTE("%ld.%ld %ld.%ld", (long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
		(long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
	ts[0].tv_nsec = UTIME_OMIT;
	ts[1].tv_sec = 300;
	CALL(utimensat(AT_FDCWD, "f", ts, 0));
	stat("f", &st);
	NOTE("%ld %ld", (long)st.st_atim.tv_sec, (long)st.st_mtim.tv_sec);
	ts[1].tv_nsec = UTIME_OMIT;
	CALL(utimensat(AT_FDCWD, "none", ts, 0));
	ts[1].tv_nsec = UTIME_NOW;
	CALL(utimensat(AT_FDCWD, "f", ts, 0));
	stat("f", &st);
	NOTE("%ld", (long)st.st_atim.tv_sec);
	TRUTH(st.st_mtim.tv_sec > 1000000);
	ts[1].tv_nsec = 1000000000;
	CALL(utimensat(AT_FDCWD, "f", ts, 0));
	ts[1].tv_nsec = -1;
	CALL(utimensat(AT_FDCWD, "f", ts, 0));
	ts[0] = ts[1] = (struct timespec){-5, 1};
	CALL(utimensat(AT_FDCWD, "f", ts, 0));
	stat("f", &st);
	NOTE("%ld", (long)st.st_mtim.tv_sec);
	fd = open("f", O_RDONLY);
	CALL(futimens(fd, ts));
	CALL(syscall(SYS_utimensat, fd, NULL, ts, AT_SYMLINK_NOFOLLOW));
	CALL(syscall(SYS_utimensat, AT_FDCWD, NULL, ts, 0));
	CALL(syscall(SYS_utimensat, 99, NULL, ts, 0));
	CALL(utimensat(AT_FDCWD, "f", ts, 0x40000));
	CALL(syscall(SYS_utimensat, AT_FDCWD, "f", (void *)8, 0));
}

CASE(times_of_links)
{
	struct timespec ts[2] = {{100, 0}, {200, 0}};
	struct stat st;

	make("f");
	symlink("f", "l");
	CALL(utimensat(AT_FDCWD, "l", ts, AT_SYMLINK_NOFOLLOW));
	lstat("l", &st);
	NOTE("%ld", (long)st.st_mtim.tv_sec);
	stat("l", &st);
	TRUTH(st.st_mtim.tv_sec == 200);
}

CASE(old_time_calls)
{
	struct utimbuf ub = {50, 60};
	struct timeval tv[2] = {{70, 1}, {80, 999999}};
	struct stat st;

	make("f");
	CALL(syscall(SYS_utime, "f", &ub));
	stat("f", &st);
	NOTE("%ld %ld", (long)st.st_atim.tv_sec, (long)st.st_mtim.tv_sec);
	CALL(syscall(SYS_utimes, "f", tv));
	stat("f", &st);
	NOTE("%ld %ld", (long)st.st_atim.tv_nsec, (long)st.st_mtim.tv_nsec);
	tv[0].tv_usec = 1000000;
	CALL(syscall(SYS_utimes, "f", tv));
	CALL(syscall(SYS_futimesat, AT_FDCWD, "f", NULL));
	CALL(syscall(SYS_futimesat, 99, "f", NULL));
	CALL(syscall(SYS_utime, "none", NULL));
	CALL(syscall(SYS_utime, "f", (void *)8));
}

static bool newer(struct timespec a, struct timespec b)
{
	return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

CASE(times_move)
{
	struct timespec old[2] = {{1000, 0}, {1000, 0}};
	struct stat a, b;
	char c;
	int fd;

	fd = open("f", O_CREAT | O_RDWR, 0600);
	CALL(write(fd, "abc", 3));
	futimens(fd, old);
	fstat(fd, &a);
	usleep(20000);
	CALL(pread(fd, &c, 1, 0));
	fstat(fd, &b);
	TRUTH(newer(b.st_mtim, a.st_mtim));
	usleep(20000);
	CALL(write(fd, "d", 1));
	fstat(fd, &b);
	TRUTH(newer(b.st_mtim, a.st_mtim));
	TRUTH(newer(b.st_ctim, a.st_ctim));
	a = b;
	usleep(20000);
	fchmod(fd, 0640);
	fstat(fd, &b);
	TRUTH(newer(b.st_ctim, a.st_ctim));
	TRUTH(newer(b.st_mtim, a.st_mtim));
	a = b;
	usleep(20000);
	link("f", "g");
	fstat(fd, &b);
	TRUTH(newer(b.st_ctim, a.st_ctim));
	stat(".", &a);
	usleep(20000);
	unlink("g");
	stat(".", &b);
	TRUTH(newer(b.st_mtim, a.st_mtim));
	a = b;
	usleep(20000);
	CALL(ftruncate(fd, 0));
	stat(".", &b);
	TRUTH(newer(b.st_mtim, a.st_mtim));
}

CASE(masks)
{
	NOTE("%o", umask(0777));
	NOTE("%o", umask(01234));
	NOTE("%o", umask(022));
	umask(0);
	mkdir("a", 0777);
	umask(077);
	mkdir("b", 01777);
	make("c");
	mkfifo("d", 0666);
	show("a");
	show("b");
	show("c");
	show("d");
}

CASE(handles)
{
	struct {
		unsigned bytes;
		int type;
		char data[128];
	} handle = {128, 0, {0}};
	int id;

	CALL(syscall(SYS_name_to_handle_at, AT_FDCWD, "none", &handle, &id, 0));
	CALL(syscall(SYS_name_to_handle_at, AT_FDCWD, ".", &handle, &id, 0x80000));
	CALL(syscall(SYS_name_to_handle_at, 99, "x", &handle, &id, 0));
}

struct cache_range {
	uint64_t offset, length;
};

struct cache_state {
	uint64_t cache, dirty, writeback, evicted, recently_evicted;
};

static void note_cache(int fd, uint64_t offset, uint64_t length)
{
	struct cache_range range = {offset, length};
	struct cache_state state;
	long r = SYS(451, fd, &range, &state, 0);

	if (r < 0)
		NOTE("cachestat: %s", errno_name(errno));
	else
		NOTE("cachestat %llu %llu: %llu", (unsigned long long)offset,
			(unsigned long long)length, (unsigned long long)state.cache);
}

CASE(cachestat_of_memory)
{
	int fd = (int)SYS(SYS_memfd_create, "cache", 0);
	static char block[4 * 4096];
	struct cache_range range = {0, 0};
	struct cache_state state;

	if (SYS(451, fd, &range, &state, 0) < 0 && errno == ENOSYS)
		SKIP("no cachestat");
	note_cache(fd, 0, 0);
	memset(block, 1, sizeof(block));
	pwrite(fd, block, sizeof(block), 0);
	pwrite(fd, block, 4096, 10 * 4096);
	note_cache(fd, 0, 0);
	note_cache(fd, 0, 4096);
	note_cache(fd, 100, 4096);
	note_cache(fd, 3 * 4096, 8 * 4096);
	note_cache(fd, 4 * 4096, 6 * 4096);
	note_cache(fd, 1000 * 4096, 0);
	CALL(lseek(fd, 0, SEEK_CUR));
	CALL(SYS(451, fd, &range, &state, 1));
	CALL(SYS(451, -1, &range, &state, 0));
	CALL(SYS(451, fd, BAD_ADDRESS, &state, 0));
	CALL(SYS(451, fd, &range, BAD_ADDRESS, 0));
}

CASE(cachestat_of_what_has_no_data)
{
	static const char *const names[] = {"/proc/self/stat", "/proc/self", "/proc/self/ns/uts",
		"/dev/null", "/dev/zero", ".", "/"};
	int pipes[2];

	note_cache(eventfd(0, 0), 0, 0);
	note_cache(epoll_create1(0), 0, 0);
	note_cache(socket(AF_UNIX, SOCK_STREAM, 0), 0, 0);
	if (pipe(pipes) < 0)
		exit(1);
	note_cache(pipes[0], 0, 0);
	note_cache(pipes[1], 0, 0);
	for (unsigned i = 0; i < sizeof(names) / sizeof(*names); i++)
		note_cache(open(names[i], O_RDONLY), 0, 0);
	note_cache(open("/dev/null", O_PATH), 0, 0);
}

CASE(cachestat_of_others_files)
{
	int fd;

	if (geteuid() != 0)
		SKIP("needs root");
	umask(0);
	close(open("mine", O_CREAT | O_RDWR, 0644));
	close(open("all", O_CREAT | O_RDWR, 0666));
	fd = open("mine", O_RDWR);
	if (SYS(SYS_setresuid, 1000, 1000, 1000) < 0)
		exit(1);
	note_cache(fd, 0, 0);
	note_cache(open("mine", O_RDONLY), 0, 0);
	note_cache(open("all", O_RDONLY), 0, 0);
	note_cache(open("/proc/version", O_RDONLY), 0, 0);
}

CASE(cachestat_of_many_pieces)
{
	int fd = (int)SYS(SYS_memfd_create, "cache", 0);

	for (int i = 0; i < 1000; i++)
		pwrite(fd, "x", 1, i * 8192l);
	CALL(lseek(fd, 77, SEEK_SET));
	note_cache(fd, 0, 0);
	note_cache(fd, 8192, 600 * 8192);
	CALL(lseek(fd, 0, SEEK_CUR));
}

CASE(ustat_of_a_device)
{
	struct stat st;
	char buffer[64];

	if (stat(".", &st) < 0)
		exit(1);
	CALL(SYS(SYS_ustat, (unsigned)st.st_dev, buffer));
	CALL(SYS(SYS_ustat, 0xfffffu, buffer));
	CALL(SYS(SYS_ustat, (unsigned)st.st_dev, BAD_ADDRESS));
}
