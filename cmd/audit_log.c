/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit file and its chain of hashes.
 *
 *	{"seq":2,"prev":"<hash of line 1>","time":...,"event":"denied",...,"hash":"<H>"}
 *
 * H is the SHA-256 of the line's own bytes up to the comma before "hash": these include prev, and
 * through it all lines before. So a line that was edited, removed, added or moved does not fit its
 * neighbours, and what was cut off at the end lacks the closing line. Whoever can write the file
 * can make a whole new chain: to find that out the last hash must be kept elsewhere
 * (--status-json tells it).
 *
 * The lines of the kernel process are checked for form alone: printable ASCII in braces. Whatever
 * it sends, it breaks neither the file's lines nor a terminal.
 *
 * A write that fails ends the sandbox (the caller sees log->error): no event goes unrecorded
 * because a disk is full. The file is bounded: beyond AUDIT_SIZE_MAX ordinary events are counted
 * instead, and beyond that and a reserve all but the closing ones.
 */
#include "cmd/audit_log.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

#define AUDIT_SIZE_MAX	   (64ull << 20)
#define AUDIT_RESERVE_SIZE (1ull << 20)

void audit_hash(const char *text, size_t size, char ret[AUDIT_HASH_SIZE + 1])
{
	uint8_t digest[SHA256_DIGEST_SIZE];
	struct sha256_ctx ctx;

	sha256_init(&ctx);
	sha256_update(&ctx, size, (const uint8_t *)text);
	sha256_digest(&ctx, sizeof(digest), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(ret + 2 * i, 3, "%02x", digest[i]);
}

void audit_log_init(struct audit_log *log, int fd, const char *name)
{
	log->fd = fd;
	log->name = name;
	log->lines = log->dropped = log->size = 0;
	log->error = 0;
	for (unsigned i = 0; i < AUDIT_SENDERS; i++) {
		log->sources[i].partial_size = 0;
		log->sources[i].partial_bad = false;
	}
	memset(log->hash, '0', AUDIT_HASH_SIZE);
	log->hash[AUDIT_HASH_SIZE] = '\0';
}

static int write_line(struct audit_log *log, const char *text, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = write(log->fd, text + done, size - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0) {
			int error = put < 0 ? -errno : -EIO;

			/* No half line: what stands is sound. */
			if (done > 0 && ftruncate(log->fd, (off_t)log->size) < 0)
				log_debug("a part of an audit line stays");
			return error;
		}
		done += (size_t)put;
	}
	log->size += size;
	return 0;
}

/* @object: {...}, without a newline. */
static void append(struct audit_log *log, const char *object, size_t size)
{
	char line[AUDIT_LINE_MAX + 256], hash[AUDIT_HASH_SIZE + 1];
	int length;

	if (log->error || log->fd < 0)
		return;
	length = snprintf(line, sizeof(line), "{\"seq\":%llu,\"prev\":\"%s\",%.*s",
		(unsigned long long)log->lines + 1, log->hash, (int)(size - 2), object + 1);
	audit_hash(line, (size_t)length, hash);
	length +=
		snprintf(line + length, sizeof(line) - (size_t)length, ",\"hash\":\"%s\"}\n", hash);
	log->error = write_line(log, line, (size_t)length);
	if (log->error)
		return;
	log->lines++;
	memcpy(log->hash, hash, sizeof(hash));
}

static bool is_important(const char *object)
{
	static const char *const kinds[] = {"\"event\":\"containment-violation\"",
		"\"event\":\"limit\"", "\"event\":\"dropped\"", "\"event\":\"end\""};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strstr(object, kinds[i]))
			return true;
	return false;
}

/* @object is NUL-terminated. */
static void put_bounded(struct audit_log *log, const char *object, size_t size)
{
	uint64_t limit = AUDIT_SIZE_MAX;

	if (log->size >= limit && is_important(object))
		limit += AUDIT_RESERVE_SIZE;
	if (log->size < limit)
		append(log, object, size);
	else
		log->dropped++;
}

/* ---- events of this process ------------------------------------------------------------------ */

static struct audit_log *own;

static void own_event(const char *line, size_t size)
{
	char object[AUDIT_LINE_MAX];

	while (size > 0 && line[size - 1] == '\n')
		size--;
	if (size < 2 || size >= sizeof(object))
		return;
	memcpy(object, line, size);
	object[size] = '\0';
	put_bounded(own, object, size);
}

void audit_log_use(struct audit_log *log)
{
	own = log;
	audit_set_sink(log ? own_event : NULL);
}

/* ---- events of the kernel process and the gateway -------------------------------------------- */

static void line_done(struct audit_log *log, struct audit_source *source)
{
	size_t size = source->partial_size;

	source->partial[size] = '\0';
	if (source->partial_bad || size < 3 || source->partial[0] != '{' ||
		source->partial[size - 1] != '}' || strstr(source->partial, "\"hash\":"))
		audit_event("malformed", "rule",
			source == &log->sources[AUDIT_SENTRY]
				? "the kernel process sent what is no event"
				: "the gateway sent what is no event",
			NULL);
	else
		put_bounded(log, source->partial, size);
	source->partial_size = 0;
	source->partial_bad = false;
}

static void take(struct audit_log *log, struct audit_source *source, char byte)
{
	if (byte == '\n') {
		line_done(log, source);
		return;
	}
	if (byte < 0x20 || byte > 0x7e || source->partial_size + 1 >= sizeof(source->partial))
		source->partial_bad = true;
	else
		source->partial[source->partial_size++] = byte;
}

int audit_log_feed(struct audit_log *log, enum audit_sender sender, int from)
{
	char buffer[16384];

	for (;;) {
		ssize_t got = read(from, buffer, sizeof(buffer));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return 1;
		if (got <= 0)
			return 0;
		for (ssize_t i = 0; i < got && !log->error; i++)
			take(log, &log->sources[sender], buffer[i]);
		if (log->error)
			return 0;
	}
}

/* ---- the end --------------------------------------------------------------------------------- */

int audit_log_end(struct audit_log *log, int exit_code, const char *reason)
{
	char number[24];

	if (log->sources[AUDIT_SENTRY].partial_size > 0)
		audit_event("malformed", "rule", "the kernel process ended within an event", NULL);
	if (log->dropped) {
		(void)snprintf(number, sizeof(number), "%llu", (unsigned long long)log->dropped);
		audit_event("dropped", "lines", number, "rule", "the file's size is bounded", NULL);
	}
	(void)snprintf(number, sizeof(number), "%d", exit_code);
	audit_event("end", "exit_code", number, "reason", reason, NULL);
	if (log->fd >= 0 && close(log->fd) < 0 && !log->error)
		log->error = -errno;
	log->fd = -1;
	return log->error;
}

void audit_log_free(struct audit_log *log)
{
	if (log->fd >= 0)
		(void)close(log->fd);
	log->fd = -1;
}
