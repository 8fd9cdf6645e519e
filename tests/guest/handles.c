/* SPDX-License-Identifier: Apache-2.0 */
/* name_to_handle_at(2), open_by_handle_at(2): sizes and types of handles are each file system's. */
#include <sys/mount.h>

#include "case.h"

#define FID	    0x200
#define UNIQUE	    0x001
#define CONNECTABLE 0x002

struct handle {
	unsigned bytes;
	int type;
	char data[128];
};

static int get(const char *name, struct handle *handle, int flags)
{
	int mount;

	memset(handle, 0, sizeof(*handle));
	handle->bytes = 128;
	return (int)SYS(SYS_name_to_handle_at, AT_FDCWD, name, handle, &mount, flags);
}

static int by(struct handle *handle, int flags)
{
	return (int)SYS(SYS_open_by_handle_at, AT_FDCWD, handle, flags);
}

static bool same(const struct handle *a, const struct handle *b)
{
	return a->bytes == b->bytes && a->type == b->type && !memcmp(a->data, b->data, a->bytes);
}

CASE(handle_sizes)
{
	struct handle handle = {0};
	unsigned wanted;
	int mount = -1;

	write_file("f", "text");
	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, &mount, 0));
	TRUTH(handle.bytes > 0);
	TRUTH(mount > 0);
	wanted = handle.bytes;
	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, &mount, 0));
	TRUTH(handle.bytes == wanted);
	handle.bytes = wanted - 1;
	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, &mount, 0));
	handle.bytes = 129;
	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, &mount, 0));
	handle.bytes = 128;
	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, "f", BAD_ADDRESS, &mount, 0));
	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, BAD_ADDRESS, 0));
}

CASE(handles_are_equal)
{
	struct handle first, second, other;

	write_file("f", "text");
	CALL(link("f", "hard"));
	CALL(symlink("f", "soft"));
	CALL(get("f", &first, 0));
	CALL(get("hard", &second, 0));
	TRUTH(same(&first, &second));
	CALL(get("soft", &other, 0));
	TRUTH(same(&first, &other));
	CALL(get("soft", &other, AT_SYMLINK_FOLLOW));
	TRUTH(same(&first, &other));
	CALL(rename("f", "g"));
	CALL(get("g", &second, 0));
	TRUTH(same(&first, &second));
	CALL(get(".", &second, 0));
	TRUTH(same(&first, &second));
}

CASE(handle_flags)
{
	struct handle handle;
	uint64_t unique = 0;

	write_file("f", "text");
	CALL(get("f", &handle, FID));
	CALL(get("f", &handle, FID | CONNECTABLE));
	CALL(get("f", &handle, AT_EMPTY_PATH | CONNECTABLE));
	CALL(get("", &handle, AT_EMPTY_PATH));
	handle.bytes = 128;
	CALL(SYS(SYS_name_to_handle_at, AT_FDCWD, "f", &handle, &unique, UNIQUE));
	TRUTH(unique > 1ull << 31);
}

CASE(handles_of_other_file_systems)
{
	struct handle handle;
	int fds[2];

	pipe(fds);
	CALL(get("/proc/self/stat", &handle, 0));
	CALL(get("/proc/self/stat", &handle, FID));
	TRUTH(handle.bytes > 0);
	handle.bytes = 128;
	CALL(SYS(SYS_name_to_handle_at, fds[0], "", &handle, fds, AT_EMPTY_PATH));
	CALL(get("/sys", &handle, 0));
	CALL(get("/dev/shm", &handle, 0));
}

CASE(open_by_handle)
{
	struct handle handle, dir;
	char buffer[8] = "";
	struct stat a, b;
	int fd;

	write_file("f", "text");
	mkdir("d", 0700);
	CALL(get("f", &handle, 0));
	fd = (int)OK(by(&handle, O_RDWR));
	CALL(read(fd, buffer, 8));
	NOTE("%s", buffer);
	CALL(write(fd, "more", 4));
	note_file("f");
	TRUTH(fstat(fd, &a) == 0 && stat("f", &b) == 0 && a.st_ino == b.st_ino);
	CALL(fcntl(fd, F_GETFD));
	fd = (int)OK(by(&handle, O_PATH | O_CLOEXEC));
	CALL(read(fd, buffer, 8));
	CALL(fcntl(fd, F_GETFD));
	CALL(by(&handle, O_DIRECTORY));
	CALL(by(&handle, O_CREAT | O_EXCL));
	OK(by(&handle, O_CREAT));
	OK(by(&handle, O_RDONLY | O_TRUNC));
	note_file("f");
	CALL(get("d", &dir, 0));
	CALL(by(&dir, O_RDWR));
	CALL(by(&dir, O_CREAT));
	fd = (int)OK(by(&dir, O_RDONLY | O_DIRECTORY));
	OK(openat(fd, "new", O_CREAT | O_RDWR, 0600));
	CALL(access("d/new", F_OK));
}

CASE(open_by_handle_of_link)
{
	struct handle handle;

	CALL(symlink("to", "l"));
	CALL(get("l", &handle, 0));
	CALL(by(&handle, O_RDONLY));
	OK(by(&handle, O_PATH));
	OK(by(&handle, O_PATH | O_NOFOLLOW));
}

CASE(stale_handles)
{
	struct handle handle;
	int fd, opened;

	write_file("f", "text");
	CALL(get("f", &handle, 0));
	CALL(rename("f", "elsewhere"));
	opened = by(&handle, O_RDONLY);
	NOTE("renamed: %s", opened < 0 ? errno_name(errno) : "opened");
	close(opened);
	fd = open("elsewhere", O_RDONLY);
	CALL(unlink("elsewhere"));
	opened = by(&handle, O_RDONLY);
	NOTE("unlinked and open: %s", opened < 0 ? errno_name(errno) : "opened");
	close(opened);
	close(fd);
	CALL(by(&handle, O_RDONLY));
	write_file("f", "text");
	CALL(by(&handle, O_RDONLY));
	handle.type = 7;
	CALL(by(&handle, O_RDONLY));
	handle.type = -1;
	CALL(by(&handle, O_RDONLY));
	handle.type = 0x40001;
	CALL(by(&handle, O_RDONLY));
}

CASE(handles_of_tmpfs)
{
	struct handle first, second;
	int fd;

	mkdir("m", 0700);
	if (unshare(CLONE_NEWNS) < 0 || mount("x", "m", "tmpfs", 0, NULL) < 0)
		SKIP("no mounts");
	mkdir("m/d", 0700);
	write_file("m/d/f", "text");
	CALL(get("m/d/f", &first, 0));
	NOTE("bytes %u type %d", first.bytes, first.type);
	CALL(get("m", &second, 0));
	fd = open("m", O_RDONLY);
	CALL(by(&first, O_RDONLY));
	OK(SYS(SYS_open_by_handle_at, fd, &first, O_RDONLY));
	OK(SYS(SYS_open_by_handle_at, fd, &second, O_RDONLY));
	CALL(SYS(SYS_open_by_handle_at, 99, &second, O_RDONLY));
	unlink("m/d/f");
	write_file("m/d/f", "text");
	OK(SYS(SYS_open_by_handle_at, fd, &second, O_RDONLY));
}
