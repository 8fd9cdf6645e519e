/* SPDX-License-Identifier: Apache-2.0 */
/* sendfile(2), copy_file_range(2), vmsplice(2) */
#include "case.h"

#include <sys/sendfile.h>
#include <sys/uio.h>

static int temp(const char *name, const char *text)
{
	int fd = open(name, O_CREAT | O_RDWR | O_TRUNC, 0644);

	if (write(fd, text, strlen(text)) < 0)
		NOTE("temp failed");
	lseek(fd, 0, SEEK_SET);
	return fd;
}

static void show(int fd)
{
	char buffer[64] = "";

	if (pread(fd, buffer, sizeof(buffer) - 1, 0) >= 0)
		NOTE("[%s]", buffer);
}

CASE(send_file_to_file)
{
	int in = temp("a", "0123456789"), out = temp("b", "");
	off_t offset = 3;

	CALL(sendfile(out, in, &offset, 4));
	NOTE("%ld", (long)offset);
	CALL(lseek(in, 0, SEEK_CUR));
	CALL(lseek(out, 0, SEEK_CUR));
	CALL(sendfile(out, in, NULL, 3));
	CALL(lseek(in, 0, SEEK_CUR));
	show(out);
	CALL(sendfile(out, in, NULL, 100));
	CALL(sendfile(out, in, NULL, 100));
	offset = 100;
	CALL(sendfile(out, in, &offset, 5));
	show(out);
}

CASE(send_file_to_pipe)
{
	char buffer[32] = "";
	int in = temp("a", "0123456789"), p[2];

	if (pipe(p) < 0)
		return;
	CALL(sendfile(p[1], in, NULL, 5));
	CALL(read(p[0], buffer, 32));
	NOTE("%s", buffer);
}

CASE(send_file_errors)
{
	int in = temp("a", "0123456789"), out = temp("b", ""), p[2];
	off_t offset = -1;

	if (pipe(p) < 0)
		return;
	CALL(sendfile(99, in, NULL, 1));
	CALL(sendfile(out, 99, NULL, 1));
	CALL(sendfile(open("b", O_RDONLY), in, NULL, 1));
	CALL(sendfile(out, open("a", O_WRONLY), NULL, 1));
	CALL(sendfile(out, in, &offset, 1));
	CALL(syscall(SYS_sendfile, out, in, (void *)8, 1));
	CALL(sendfile(out, open(".", O_RDONLY), NULL, 1) == -1);
	CALL(sendfile(open("b", O_WRONLY | O_APPEND), in, NULL, 1));
	offset = 0;
	CALL(sendfile(out, p[0], &offset, 1));
	CALL(sendfile(out, in, NULL, 0));
}

CASE(copy_range)
{
	int in = temp("a", "0123456789"), out = temp("b", "abcdefghij");
	loff_t from = 2, to = 5;

	CALL(copy_file_range(in, &from, out, &to, 3, 0));
	NOTE("%ld %ld", (long)from, (long)to);
	show(out);
	CALL(copy_file_range(in, NULL, out, NULL, 2, 0));
	CALL(lseek(in, 0, SEEK_CUR));
	CALL(lseek(out, 0, SEEK_CUR));
	show(out);
	from = 8;
	to = 20;
	CALL(copy_file_range(in, &from, out, &to, 100, 0));
	CALL(copy_file_range(in, &from, out, &to, 100, 0));
	CALL(lseek(out, 0, SEEK_END));
}

CASE(copy_range_errors)
{
	int in = temp("a", "0123456789"), out = temp("b", "abcdefghij"), p[2];
	int dir = open(".", O_RDONLY);
	loff_t from = 0, to = 2;

	if (pipe(p) < 0)
		return;
	CALL(copy_file_range(in, NULL, out, NULL, 1, 1));
	CALL(copy_file_range(99, NULL, out, NULL, 1, 0));
	CALL(copy_file_range(in, NULL, 99, NULL, 1, 0));
	CALL(copy_file_range(dir, NULL, out, NULL, 1, 0));
	CALL(copy_file_range(in, NULL, dir, NULL, 1, 0));
	CALL(copy_file_range(p[0], NULL, out, NULL, 1, 0));
	CALL(copy_file_range(in, NULL, p[1], NULL, 1, 0));
	CALL(copy_file_range(open("a", O_WRONLY), NULL, out, NULL, 1, 0));
	CALL(copy_file_range(in, NULL, open("b", O_RDONLY), NULL, 1, 0));
	CALL(copy_file_range(in, NULL, open("b", O_WRONLY | O_APPEND), NULL, 1, 0));
	CALL(copy_file_range(in, &from, in, &to, 5, 0));
	to = 20;
	CALL(copy_file_range(in, &from, in, &to, 5, 0));
	CALL(syscall(SYS_copy_file_range, in, (void *)8, out, NULL, 1, 0));
	CALL(copy_file_range(in, NULL, out, NULL, 0, 0));
}

CASE(large_copy)
{
	size_t size = 3 << 20;
	char *data = malloc(size), *back = malloc(size);
	int in = temp("a", ""), out = temp("b", "");
	off_t offset = 0;
	size_t done = 0;

	for (size_t i = 0; i < size; i++)
		data[i] = (char)(i * 7 + i / 1000);
	CALL(write(in, data, size));
	while (done < size) {
		ssize_t n = sendfile(out, in, &offset, size - done);

		if (n <= 0)
			break;
		done += (size_t)n;
	}
	CALL(pread(out, back, size, 0));
	NOTE("%d", memcmp(data, back, size));
}

CASE(vmsplice_both_ways)
{
	char a[4] = "abc", b[8] = "";
	struct iovec out = {a, 3}, in = {b, 3};
	int p[2];

	if (pipe(p) < 0)
		return;
	CALL(vmsplice(p[1], &out, 1, 0));
	CALL(vmsplice(p[0], &in, 1, 0));
	NOTE("%s", b);
	CALL(vmsplice(p[0], &in, 1, SPLICE_F_NONBLOCK));
	CALL(vmsplice(temp("f", ""), &out, 1, 0));
	CALL(vmsplice(99, &out, 1, 0));
	CALL(vmsplice(p[1], &out, 1, 0x100));
	CALL(vmsplice(p[1], &out, 0, 0));
}
