/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/live/log_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"

/* Each byte may become six, and the rest of an object. */
#define OBJECT_SIZE (6 * LOG_LINE_SIZE + 128)

/* ---- text ------------------------------------------------------------------------------------ */

/* Bytes of the UTF-8 character at @text, of which there are @size; 0: none (RFC 3629, section 4).
 */
static unsigned character_size(const unsigned char *text, size_t size)
{
	unsigned length = text[0] < 0x80		      ? 1
			  : text[0] >= 0xc2 && text[0] < 0xe0 ? 2
			  : text[0] >= 0xe0 && text[0] < 0xf0 ? 3
			  : text[0] >= 0xf0 && text[0] < 0xf5 ? 4
							      : 0;

	if (length == 0 || length > size)
		return 0;
	for (unsigned i = 1; i < length; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] >= 0xa0) ||
		(text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] >= 0x90))
		return 0;
	return length;
}

/* As the inside of a JSON string. */
static size_t escape(const char *text, size_t size, char *to)
{
	const unsigned char *from = (const unsigned char *)text;
	size_t used = 0;

	for (size_t at = 0; at < size;) {
		const unsigned char byte = from[at];
		const unsigned length = character_size(from + at, size - at);

		if (length == 0) {
			used += (size_t)sprintf(to + used, "\\ufffd");
		} else if (length > 1) {
			memcpy(to + used, from + at, length);
			used += length;
		} else if (byte == '\n') {
			used += (size_t)sprintf(to + used, "\\n");
		} else if (byte == '"' || byte == '\\') {
			to[used++] = '\\';
			to[used++] = (char)byte;
		} else if (byte < 0x20 || byte == 0x7f) {
			used += (size_t)sprintf(to + used, "\\u%04x", byte);
		} else {
			to[used++] = (char)byte;
		}
		at += length ? length : 1;
	}
	return used;
}

/* ---- the file -------------------------------------------------------------------------------- */

static int open_file(const char *path)
{
	int fd = open(path,
		O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC |
			O_NOCTTY,
		0600);
	struct stat stat;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode)) {
		close(fd);
		return -EINVAL;
	}
	return fd;
}

int log_file_open(struct log_file *log, const char *place, const char *id, uint64_t limit)
{
	_cleanup_free_ char *path = NULL, *real = NULL;
	struct stat stat_;
	bool directory = stat(place, &stat_) == 0 && S_ISDIR(stat_.st_mode);
	int fd;

	if (asprintf(&path, directory ? "%s/%s.log" : "%s", place, id) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	fd = open_file(path);
	if (fd < 0)
		return fd;
	/* A reader stands somewhere else. */
	real = realpath(path, NULL);
	if (!real) {
		close(fd);
		return -errno;
	}
	*log = (struct log_file){.fd = fd, .path = TAKE(real), .limit = limit};
	return 0;
}

static int rotate(struct log_file *log)
{
	_cleanup_free_ char *older = NULL;
	int fd;

	if (asprintf(&older, "%s.1", log->path) < 0) {
		older = NULL;
		return -ENOMEM;
	}
	if (rename(log->path, older) < 0)
		return -errno;
	fd = open_file(log->path);
	if (fd < 0)
		return fd;
	close(log->fd);
	log->fd = fd;
	log->size = 0;
	return 0;
}

/* An object goes out in one write, so that readers find whole lines. */
static void put_line(struct log_file *log, enum log_stream stream)
{
	static const char *const names[] = {"stdout", "stderr"};
	static char object[OBJECT_SIZE];
	struct timespec now;
	struct tm utc;
	size_t used = (size_t)sprintf(object, "{\"log\":\"");
	int r = 0;

	used += escape(log->lines[stream].text, log->lines[stream].used, object + used);
	log->lines[stream].used = 0;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	(void)gmtime_r(&now.tv_sec, &utc);
	used += (size_t)sprintf(object + used, "\",\"stream\":\"%s\",\"time\":\"", names[stream]);
	used += strftime(object + used, 32, "%Y-%m-%dT%H:%M:%S", &utc);
	used += (size_t)sprintf(object + used, ".%09ldZ\"}\n", now.tv_nsec);
	if (log->size > 0 && log->size + used > log->limit)
		r = rotate(log);
	if (r == 0 && write(log->fd, object, used) != (ssize_t)used)
		r = errno ? -errno : -EIO;
	log->size += used;
	if (r == 0)
		return;
	log->error = r;
	log_warning("--log: cannot write %s: %s; output goes on, but is not kept any more",
		log->path, strerror(-r));
}

void log_file_put(struct log_file *log, enum log_stream stream, const char *bytes, size_t size)
{
	while (size > 0 && !log->error) {
		const size_t room = LOG_LINE_SIZE - log->lines[stream].used;
		const char *end = memchr(bytes, '\n', size);
		const size_t take = min_of(room, end ? (size_t)(end - bytes) + 1 : size);

		memcpy(log->lines[stream].text + log->lines[stream].used, bytes, take);
		log->lines[stream].used += take;
		bytes += take;
		size -= take;
		if (log->lines[stream].used == LOG_LINE_SIZE ||
			log->lines[stream].text[log->lines[stream].used - 1] == '\n')
			put_line(log, stream);
	}
}

void log_file_close(struct log_file *log)
{
	if (!log->path)
		return;
	for (unsigned stream = 0; stream < LOG_STREAMS; stream++)
		if (log->lines[stream].used > 0 && !log->error)
			put_line(log, (enum log_stream)stream);
	close(log->fd);
	free(log->path);
	log->path = NULL;
}
