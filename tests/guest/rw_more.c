/* SPDX-License-Identifier: Apache-2.0 */
/* Vectors with positions and flags, tee, vmsplice, several messages at once, directories' old form.
 */
#include "case.h"

#include <sys/socket.h>
#include <sys/uio.h>

static int make_file(const char *text)
{
	write_file("f", text);
	return open("f", O_RDWR);
}

CASE(preadv_at_positions)
{
	char a[4] = {0}, b[4] = {0};
	struct iovec iov[2] = {{a, 3}, {b, 3}};
	int fd = make_file("abcdefghij");

	CALL(SYS(SYS_preadv, fd, iov, 2, 2, 0));
	NOTE("%s %s", a, b);
	CALL(SYS(SYS_preadv, fd, iov, 2, 8, 0));
	CALL(SYS(SYS_preadv, fd, iov, 2, 100, 0));
	CALL(lseek(fd, 0, SEEK_CUR));
}

CASE(preadv_errors)
{
	struct iovec iov = {BAD_ADDRESS, 3};
	int fd = make_file("abc"), fds[2];

	pipe(fds);
	CALL(SYS(SYS_preadv, fd, &iov, 1, 0, 0));
	CALL(SYS(SYS_preadv, fd, &iov, 1, -1, -1));
	CALL(SYS(SYS_preadv, fd, &iov, 1025, 0, 0));
	CALL(SYS(SYS_preadv, fd, BAD_ADDRESS, 1, 0, 0));
	CALL(SYS(SYS_preadv, fds[0], &iov, 1, 0, 0));
	CALL(SYS(SYS_preadv, 99, &iov, 1, 0, 0));
	CALL(SYS(SYS_preadv, fd, &iov, 0, 0, 0));
}

CASE(pwritev_at_positions)
{
	struct iovec iov[2] = {{"XY", 2}, {"Z", 1}};
	int fd = make_file("abcdef");

	CALL(SYS(SYS_pwritev, fd, iov, 2, 1, 0));
	CALL(SYS(SYS_pwritev, fd, iov, 2, 10, 0));
	note_file("f");
}

CASE(pwritev_errors)
{
	struct iovec iov = {"x", 1}, bad = {BAD_ADDRESS, 1}, huge = {"x", -1};
	int fd = make_file("abc"), fds[2];

	pipe(fds);
	CALL(SYS(SYS_pwritev, fd, &bad, 1, 0, 0));
	CALL(SYS(SYS_pwritev, fd, &huge, 1, 0, 0));
	CALL(SYS(SYS_pwritev, fd, &iov, 1, -1, -1));
	CALL(SYS(SYS_pwritev, fds[1], &iov, 1, 0, 0));
	CALL(SYS(SYS_pwritev, open("f", O_RDONLY), &iov, 1, 0, 0));
	CALL(SYS(SYS_pwritev, 99, &iov, 1, 0, 0));
}

CASE(pwritev_to_an_append_only_descriptor)
{
	struct iovec iov = {"x", 1};
	int fd;

	make_file("abc");
	fd = open("f", O_WRONLY | O_APPEND);
	CALL(SYS(SYS_pwritev, fd, &iov, 1, 0, 0));
	note_file("f");
	CALL(lseek(fd, 0, SEEK_CUR));
}

CASE(preadv2_current_position)
{
	char a[4] = {0};
	struct iovec iov = {a, 2};
	int fd = make_file("abcdef");

	CALL(SYS(SYS_preadv2, fd, &iov, 1, -1, -1, 0));
	NOTE("%s", a);
	CALL(SYS(SYS_preadv2, fd, &iov, 1, -1, -1, 0));
	NOTE("%s", a);
	CALL(SYS(SYS_preadv2, fd, &iov, 1, 0, 0, 0));
	NOTE("%s", a);
}

CASE(preadv2_flags)
{
	char a[4];
	struct iovec iov = {a, 2};
	int fd = make_file("abcdef");

	CALL(SYS(SYS_preadv2, fd, &iov, 1, 0, 0, 1));
	CALL(SYS(SYS_preadv2, fd, &iov, 1, 0, 0, 0x100000));
	CALL(SYS(SYS_preadv2, fd, &iov, 1, 0, 0, 0x80000000));
	CALL(SYS(SYS_preadv2, fd, &iov, 1, -2, -1, 0));
	CALL(SYS(SYS_preadv2, 99, &iov, 1, 0, 0, 0));
}

CASE(preadv2_of_a_pipe)
{
	char a[4] = {0};
	struct iovec iov = {a, 2};
	int fds[2];

	pipe(fds);
	write(fds[1], "xyz", 3);
	CALL(SYS(SYS_preadv2, fds[0], &iov, 1, -1, -1, 0));
	NOTE("%s", a);
	CALL(SYS(SYS_preadv2, fds[0], &iov, 1, 0, 0, 0));
	CALL(SYS(SYS_preadv2, fds[0], &iov, 1, -1, -1, 8));
	CALL(SYS(SYS_preadv2, fds[0], &iov, 1, -1, -1, 8));
}

CASE(pwritev2_appends)
{
	struct iovec iov = {"XY", 2};
	int fd = make_file("abc");

	CALL(SYS(SYS_pwritev2, fd, &iov, 1, 0, 0, 0x10));
	CALL(SYS(SYS_pwritev2, fd, &iov, 1, -1, -1, 0x10));
	note_file("f");
	CALL(lseek(fd, 0, SEEK_CUR));
}

CASE(pwritev2_flags)
{
	struct iovec iov = {"XY", 2};
	int fd = make_file("abc");

	CALL(SYS(SYS_pwritev2, fd, &iov, 1, 0, 0, 6));
	CALL(SYS(SYS_pwritev2, fd, &iov, 1, 0, 0, 0x100000));
	CALL(SYS(SYS_pwritev2, fd, &iov, 1, 0, 0, 0x30));
	CALL(SYS(SYS_pwritev2, 99, &iov, 1, 0, 0, 0));
	CALL(SYS(SYS_pwritev2, fd, BAD_ADDRESS, 1, 0, 0, 0));
}

/* ---- tee and vmsplice ---- */

CASE(tee_copies)
{
	char buffer[16] = {0};
	int a[2], b[2];

	pipe(a);
	pipe(b);
	write(a[1], "hello", 5);
	CALL(SYS(SYS_tee, a[0], b[1], 3, 0));
	CALL(read(b[0], buffer, 16));
	NOTE("%s", buffer);
	CALL(read(a[0], buffer, 16));
	NOTE("%s", buffer);
	CALL(SYS(SYS_tee, a[0], b[1], 3, 2));
	CALL(SYS(SYS_tee, a[0], b[1], 0, 0));
}

CASE(tee_to_nobody)
{
	int a[2], b[2];

	signal(SIGPIPE, SIG_IGN);
	pipe(a);
	pipe(b);
	write(a[1], "hello", 5);
	close(b[0]);
	CALL(SYS(SYS_tee, a[0], b[1], 3, 0));
	CALL(SYS(SYS_splice, a[0], NULL, b[1], NULL, 3, 0));
	signal(SIGPIPE, SIG_DFL);
	CALL(SYS(SYS_tee, a[0], b[1], 3, 0));
}

/* What the input lacks is found before that nobody reads the output, but for its end. */
CASE(pipes_without_input_or_readers)
{
	int a[2], b[2];

	signal(SIGPIPE, SIG_IGN);
	pipe(a);
	pipe(b);
	close(b[0]);
	CALL(SYS(SYS_tee, a[0], b[1], 3, SPLICE_F_NONBLOCK));
	CALL(SYS(SYS_splice, a[0], NULL, b[1], NULL, 3, SPLICE_F_NONBLOCK));
	close(a[1]);
	CALL(SYS(SYS_tee, a[0], b[1], 3, 0));
	CALL(SYS(SYS_splice, a[0], NULL, b[1], NULL, 3, 0));
	close(b[1]);
	pipe(b);
	CALL(SYS(SYS_tee, a[0], b[1], 3, 0));
	fcntl(b[1], F_SETFL, O_NONBLOCK);
	while (write(b[1], "x", 1) == 1)
		write(b[1], (char[4096]){0}, 4095);
	CALL(SYS(SYS_tee, a[0], b[1], 3, 0));
	CALL(SYS(SYS_splice, a[0], NULL, b[1], NULL, 3, 0));
	close(b[0]);
	CALL(SYS(SYS_tee, a[0], b[1], 3, 0));
}

CASE(splice_to_nobody)
{
	int a[2], b[2];

	pipe(a);
	pipe(b);
	write(a[1], "hello", 5);
	close(b[0]);
	CALL(SYS(SYS_splice, a[0], NULL, b[1], NULL, 3, 0));
}

CASE(splice_position_of_a_pipe)
{
	off_t pos = 0;
	int a[2];

	pipe(a);
	CALL(SYS(SYS_splice, a[1], &pos, a[1], NULL, 1, 0));
	CALL(SYS(SYS_splice, a[0], NULL, a[0], &pos, 1, 0));
	CALL(SYS(SYS_splice, a[0], NULL, a[1], NULL, 1, 0));
	CALL(SYS(SYS_splice, a[0], NULL, a[0], NULL, 1, 0));
}

/* A bad position is found before a wrong way, a negative one after it. */
CASE(splice_positions_and_modes)
{
	off_t pos = -1;
	int a[2], null = open("/dev/null", O_RDWR), reads = open("/dev/null", O_RDONLY);

	pipe(a);
	CALL(SYS(SYS_splice, a[1], NULL, null, BAD_ADDRESS, 1, 0));
	CALL(SYS(SYS_splice, a[1], NULL, null, &pos, 1, 0));
	CALL(SYS(SYS_splice, a[0], NULL, reads, BAD_ADDRESS, 1, 0));
	CALL(SYS(SYS_splice, a[0], NULL, reads, &pos, 1, 0));
	CALL(SYS(SYS_splice, a[0], NULL, reads, NULL, 1, 0));
	CALL(SYS(SYS_splice, null, BAD_ADDRESS, a[0], NULL, 1, 0));
	CALL(SYS(SYS_splice, null, &pos, a[0], NULL, 1, 0));
	CALL(SYS(SYS_splice, null, &pos, a[1], NULL, 1, 0));
	CALL(SYS(SYS_splice, null, BAD_ADDRESS, reads, &pos, 1, 0));
}

CASE(vmsplice_in_and_out)
{
	char buffer[8] = {0};
	struct iovec in = {"hello", 5}, out = {buffer, 3};
	int fds[2];

	pipe(fds);
	CALL(SYS(SYS_vmsplice, fds[1], &in, 1, 0));
	CALL(SYS(SYS_vmsplice, fds[0], &out, 1, 0));
	NOTE("%s", buffer);
	CALL(SYS(SYS_vmsplice, fds[1], &in, 0, 0));
}

CASE(vmsplice_errors)
{
	struct iovec iov = {"x", 1}, bad = {BAD_ADDRESS, 1};
	int fds[2];

	pipe(fds);
	CALL(SYS(SYS_vmsplice, 99, &iov, 1, 0));
	CALL(SYS(SYS_vmsplice, fds[1], &iov, 1, 16));
	CALL(SYS(SYS_vmsplice, fds[1], BAD_ADDRESS, 1, 0));
	CALL(SYS(SYS_vmsplice, fds[1], &bad, 1, 0));
	CALL(SYS(SYS_vmsplice, fds[1], &iov, 1025, 0));
	CALL(SYS(SYS_vmsplice, 0, &iov, 1, 0));
}

/* ---- sendmmsg and recvmmsg ---- */

CASE(several_messages)
{
	struct iovec out[3] = {{"a", 1}, {"bb", 2}, {"ccc", 3}};
	char buffer[3][8] = {{0}};
	struct iovec in[3] = {{buffer[0], 8}, {buffer[1], 8}, {buffer[2], 8}};
	struct mmsghdr send[3] = {0}, receive[3] = {0};
	int fds[2];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, fds);
	for (int i = 0; i < 3; i++) {
		send[i].msg_hdr.msg_iov = &out[i];
		send[i].msg_hdr.msg_iovlen = 1;
		receive[i].msg_hdr.msg_iov = &in[i];
		receive[i].msg_hdr.msg_iovlen = 1;
	}
	CALL(SYS(SYS_sendmmsg, fds[0], send, 3, 0));
	NOTE("%u %u %u", send[0].msg_len, send[1].msg_len, send[2].msg_len);
	CALL(SYS(SYS_recvmmsg, fds[1], receive, 2, 0, NULL));
	NOTE("%u %s %u %s", receive[0].msg_len, buffer[0], receive[1].msg_len, buffer[1]);
	CALL(SYS(SYS_recvmmsg, fds[1], receive, 3, MSG_DONTWAIT, NULL));
	CALL(SYS(SYS_recvmmsg, fds[1], receive, 3, MSG_DONTWAIT, NULL));
}

CASE(several_messages_wrong_descriptors)
{
	struct iovec iov = {"a", 1};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

	CALL(SYS(SYS_sendmmsg, 99, &message, 1, 0));
	CALL(SYS(SYS_sendmmsg, 0, &message, 1, 0));
	CALL(SYS(SYS_recvmmsg, 99, &message, 1, 0, NULL));
	CALL(SYS(SYS_recvmmsg, 0, &message, 1, 0, NULL));
}

CASE(several_messages_bad_memory)
{
	struct iovec iov = {"a", 1};
	struct mmsghdr message[2] = {{.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}},
		{.msg_hdr = {.msg_iov = BAD_ADDRESS, .msg_iovlen = 1}}};
	int fds[2];

	socketpair(AF_UNIX, SOCK_DGRAM, 0, fds);
	CALL(SYS(SYS_sendmmsg, fds[0], BAD_ADDRESS, 1, 0));
	CALL(SYS(SYS_sendmmsg, fds[0], message, 2, 0));
	CALL(SYS(SYS_sendmmsg, fds[0], message + 1, 1, 0));
	CALL(SYS(SYS_sendmmsg, fds[0], message, 0, 0));
	CALL(SYS(SYS_recvmmsg, fds[1], BAD_ADDRESS, 1, MSG_DONTWAIT, NULL));
}

CASE(several_messages_times)
{
	struct timespec bad = {0, -1}, short_time = {0, 1000000};
	struct iovec iov = {"a", 1};
	struct mmsghdr message = {.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}};

	CALL(SYS(SYS_recvmmsg, 99, &message, 1, 0, &bad));
	CALL(SYS(SYS_recvmmsg, 99, &message, 1, 0, BAD_ADDRESS));
	CALL(SYS(SYS_recvmmsg, 99, &message, 1, 0, &short_time));
}

CASE(several_messages_to_nobody)
{
	struct iovec iov = {"a", 1};
	struct mmsghdr message[2] = {{.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}},
		{.msg_hdr = {.msg_iov = &iov, .msg_iovlen = 1}}};
	int fds[2];

	socketpair(AF_UNIX, SOCK_STREAM, 0, fds);
	close(fds[1]);
	CALL(SYS(SYS_sendmmsg, fds[0], message, 2, MSG_NOSIGNAL));
}

/* ---- getdents(2) ---- */

CASE(getdents_old)
{
	char buffer[2048];
	int names = 0, dir;
	long n;

	mkdir("d", 0755);
	write_file("d/one", "");
	dir = open("d", O_RDONLY);
	n = SYS(SYS_getdents, dir, buffer, sizeof(buffer));
	TRUTH(n > 0);
	for (long at = 0; at < n; at += *(unsigned short *)(buffer + at + 16)) {
		names++;
		if (strcmp(buffer + at + 18, "one") == 0)
			NOTE("type %d", buffer[at + *(unsigned short *)(buffer + at + 16) - 1]);
	}
	NOTE("%d names", names);
	CALL(SYS(SYS_getdents, dir, buffer, sizeof(buffer)));
}

CASE(getdents_old_errors)
{
	char buffer[64];
	int dir = open(".", O_RDONLY), file;

	write_file("f", "");
	file = open("f", O_RDONLY);
	CALL(SYS(SYS_getdents, dir, buffer, 1));
	CALL(SYS(SYS_getdents, dir, BAD_ADDRESS, 64));
	CALL(SYS(SYS_getdents, file, buffer, 64));
	CALL(SYS(SYS_getdents, 99, buffer, 64));
}

CASE(getdents_old_removed_directory)
{
	char buffer[256];
	int dir;

	mkdir("d", 0755);
	dir = open("d", O_RDONLY);
	rmdir("d");
	CALL(SYS(SYS_getdents, dir, buffer, 256));
}

/* ---- cachestat(2) ---- */

CASE(cachestat_errors)
{
	unsigned long range[2] = {0, 0}, stat[5];
	int fd = make_file("abc");

	CALL(SYS(451, 99, range, stat, 0));
	CALL(SYS(451, fd, range, stat, 1));
	CALL(SYS(451, fd, BAD_ADDRESS, stat, 0));
	CALL(SYS(451, fd, range, BAD_ADDRESS, 0));
}

/* ---- positions that wrap ---- */

CASE(sendfile_positions)
{
	int fd = make_file("hello"), out = open("g", O_CREAT | O_RDWR, 0600);
	off_t pos = 0x7fffffffffffffff;

	CALL(SYS(SYS_sendfile, 99, fd, &pos, 4096));
	CALL(SYS(SYS_sendfile, out, fd, &pos, 4096));
	pos = -1;
	CALL(SYS(SYS_sendfile, 99, fd, &pos, 4096));
	pos = 2;
	CALL(SYS(SYS_sendfile, out, fd, &pos, 4096));
	NOTE("%ld", (long)pos);
}

CASE(sendfile_from_null)
{
	int null = open("/dev/null", O_RDONLY), zero = open("/dev/zero", O_RDONLY),
	    out = open("g", O_CREAT | O_RDWR, 0600);

	CALL(SYS(SYS_sendfile, out, null, NULL, 10));
	CALL(SYS(SYS_sendfile, out, zero, NULL, 10));
}

CASE(copy_file_range_positions_that_wrap)
{
	int fd = make_file("hello"), out = open("g", O_CREAT | O_RDWR, 0600);
	loff_t pos = -1, zero = 0;

	CALL(SYS(SYS_copy_file_range, fd, &pos, out, &zero, 10, 0));
	CALL(SYS(SYS_copy_file_range, fd, &zero, out, &pos, 10, 0));
	pos = -100;
	CALL(SYS(SYS_copy_file_range, fd, &pos, out, &zero, 10, 0));
	CALL(SYS(SYS_copy_file_range, fd, &zero, out, &pos, 10, 0));
}

CASE(fallocate_takes_setid_bits)
{
	struct stat st;
	int fd;

	write_file("f", "x");
	chmod("f", 06755);
	fd = open("f", O_RDWR);
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) < 0)
		_exit(97);
	if (fallocate(fd, 0, 0, 100) < 0 && errno == EOPNOTSUPP)
		SKIP("the file system cannot");
	CALL(fstat(fd, &st));
	NOTE("%o", st.st_mode);
}
