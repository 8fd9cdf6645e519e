/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/observe/observer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "cmd/helper.h"
#include "cmd/observe/coverage.h"
#include "cmd/observe/otlp.h"
#include "cmd/observe/words.h"
#include "cmd/options.h"
#include "sentry/record.h"
#include "sentry/view.h"

#define PIPE_SIZE (1 << 20)
#define CHUNK	  (1u << 20)

/* What one run has of a reader. */
struct reader {
	const struct observer_config *config;
	struct words *words;	   /* NULL: not in words */
	struct coverage *coverage; /* NULL: not wanted */
	struct otlp *otlp;	   /* NULL: not wanted */
	FILE *spans;
	FILE *out;
	uint64_t started;	/* ns, CLOCK_REALTIME; 0: no RECORD_BEGIN so far */
	struct record_head end; /* RECORD_END, once it came */
	union record own;
	struct event_lines {
		size_t used;
		char text[20 << 10];
	} lines;
	unsigned char *buffer; /* CHUNK + RECORD_SIZE_MAX */
	size_t used;
};

/* ---- confinement ----------------------------------------------------------------------------- */

/* Everything is open, and memory is mapped as it is needed. sysinfo(2) is what qsort(3) asks for
 * the size of memory. */
static int confine(void)
{
	static const int allowed[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(lseek),
		SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(ftruncate), SCMP_SYS(close),
		SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
		SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(clock_gettime),
		SCMP_SYS(sysinfo), SCMP_SYS(poll), SCMP_SYS(restart_syscall)};

	return helper_confine(allowed, array_size(allowed), false);
}

/* ---- records --------------------------------------------------------------------------------- */

static void put(struct reader *reader, const union record *record)
{
	if (reader->config->format == TRACE_BINARY && reader->out)
		(void)fwrite(record, 1, record->head.size, reader->out);
	if (reader->words)
		words_put(reader->words, record);
	if (reader->coverage)
		coverage_add(reader->coverage, record);
	if (reader->otlp)
		otlp_put(reader->otlp, record);
}

/* One of our own: @size bytes, and @text behind them. */
static void put_own(struct reader *reader, enum record_kind kind, size_t size, const char *text,
	size_t text_size)
{
	union record *record = &reader->own;
	size_t total = (size + text_size + 7) & ~(size_t)7;

	if (total > sizeof(*record))
		return;
	memcpy(record->bytes + size, text, text_size);
	memset(record->bytes + size + text_size, 0, total - size - text_size);
	record->head.kind = kind;
	record->head.size = (uint32_t)total;
	put(reader, record);
}

static void put_volume(
	struct reader *reader, const char *source, const char *target, enum record_volume_mode mode)
{
	size_t size = strlen(source) + 1, more = strlen(target) + 1;
	char text[2 * PATH_MAX];

	if (size + more > sizeof(text))
		return;
	memcpy(text, source, size);
	memcpy(text + size, target, more);
	reader->own.volume = (struct record_volume){.mode = mode, .target = (uint32_t)size};
	put_own(reader, RECORD_VOLUME, sizeof(struct record_volume), text, size + more);
}

static void put_volumes(struct reader *reader)
{
	const struct view_config *view = reader->config->view;

	for (size_t i = 0; i < view->volume_count; i++)
		put_volume(reader, view->volumes[i].source, view->volumes[i].target,
			view->volumes[i].writable ? RECORD_VOLUME_WRITE : RECORD_VOLUME_READ);
	if (reader->config->workdir)
		put_volume(reader, "", reader->config->workdir, RECORD_VOLUME_START);
	for (size_t i = 0; i < reader->config->allowed->count; i++)
		put_volume(reader, "", reader->config->allowed->items[i], RECORD_VOLUME_ALLOWED);
	if (view->cwd)
		put_volume(reader, view->cwd, view->cwd, RECORD_VOLUME_COPY);
	if (view->prefix)
		put_volume(reader, view->prefix, view->prefix, RECORD_VOLUME_COPY);
}

/* The end comes last, whoever else has still something to say. */
static void take(struct reader *reader, const union record *record)
{
	if (record->head.kind == RECORD_END) {
		reader->end = record->head;
		return;
	}
	put(reader, record);
	if (record->head.kind == RECORD_BEGIN && reader->started == 0) {
		reader->started = record->begin.started;
		put_volumes(reader);
	}
}

static void put_end(struct reader *reader)
{
	if (reader->end.kind != RECORD_END)
		return;
	reader->own.head = reader->end;
	put_own(reader, RECORD_END, sizeof(reader->end), "", 0);
}

/* ---- what the gateway tells ------------------------------------------------------------------ */

static void take_event(struct reader *reader, const char *text, size_t size)
{
	struct timespec now;
	uint64_t ns;

	if (size < 2 || text[0] != '{' || text[size - 1] != '}')
		return;
	for (size_t i = 0; i < size; i++)
		if (text[i] < 0x20 || text[i] > 0x7e)
			return;
	(void)clock_gettime(CLOCK_REALTIME, &now);
	ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
	reader->own.head =
		(struct record_head){.time = ns > reader->started ? ns - reader->started : 0};
	put_own(reader, RECORD_NETWORK, sizeof(struct record_head), text, size);
}

/* 1; 0 at the end; -errno. Lines that are too long are none. */
static int read_events(struct reader *reader, int from)
{
	struct event_lines *lines = &reader->lines;
	ssize_t got = read(from, lines->text + lines->used, sizeof(lines->text) - lines->used);
	size_t at = 0;
	const char *end;

	if (got <= 0)
		return got < 0 && errno == EINTR ? 1 : got < 0 ? -errno : 0;
	lines->used += (size_t)got;
	while ((end = memchr(lines->text + at, '\n', lines->used - at)) != NULL) {
		take_event(reader, lines->text + at, (size_t)(end - lines->text) - at);
		at = (size_t)(end - lines->text) + 1;
	}
	lines->used -= at;
	memmove(lines->text, lines->text + at, lines->used);
	if (lines->used == sizeof(lines->text))
		lines->used = 0;
	return 1;
}

/* ---- the streams ----------------------------------------------------------------------------- */

/* Whole records of the buffer are done; the rest moves to its beginning. False: the stream is no
 * stream. */
static bool digest(struct reader *reader)
{
	size_t at = 0;

	for (;;) {
		const union record *record;
		int64_t size = record_parse(reader->buffer + at, reader->used - at, &record);

		if (size < 0)
			return false;
		if (size == 0)
			break;
		take(reader, record);
		at += (size_t)size;
	}
	reader->used -= at;
	memmove(reader->buffer, reader->buffer + at, reader->used);
	return true;
}

/* 1; 0 at the end; -errno. */
static int read_records(struct reader *reader, int from)
{
	ssize_t got = read(from, reader->buffer + reader->used, CHUNK);

	if (got <= 0)
		return got < 0 && errno == EINTR ? 1 : got < 0 ? -errno : 0;
	reader->used += (size_t)got;
	return digest(reader) ? 1 : -EBADMSG;
}

static int flush(struct reader *reader)
{
	if (reader->out && (fflush(reader->out) != 0 || ferror(reader->out)))
		return -errno;
	if (reader->spans)
		(void)fflush(reader->spans);
	return 0;
}

/* Until both are at their end. The gateway's come when it is known when the run began. */
static int read_streams(struct reader *reader, int records, int events)
{
	int r = 0;

	while (r == 0 && (records >= 0 || events >= 0)) {
		struct pollfd fds[] = {{.fd = records, .events = POLLIN},
			{.fd = reader->started || records < 0 ? events : -1, .events = POLLIN}};

		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents) {
			r = read_records(reader, records);
			records = r == 0 ? -1 : records;
		}
		if (r >= 0 && fds[1].revents) {
			r = read_events(reader, events);
			events = r == 0 ? -1 : events;
		}
		r = r < 0 ? r : flush(reader);
	}
	if (r == 0) {
		put_end(reader);
		r = flush(reader);
	}
	return r;
}

static int set_up(struct reader *reader)
{
	const struct observer_config *config = reader->config;

	reader->buffer = aligned_alloc(8, CHUNK + RECORD_SIZE_MAX);
	if (!reader->buffer)
		return -ENOMEM;
	if (config->trace_fd >= 0) {
		reader->out = fdopen(config->trace_fd, "w");
		if (!reader->out)
			return -errno;
		(void)setvbuf(reader->out, NULL, _IOFBF, 256 << 10);
	}
	if (config->trace_fd >= 0 && config->format != TRACE_BINARY) {
		reader->words = malloc(sizeof(*reader->words));
		if (!reader->words)
			return -ENOMEM;
		words_init(reader->words, reader->out,
			config->format == TRACE_JSON ? WORDS_JSON : WORDS_TEXT);
	}
	if (config->otlp_fd >= 0) {
		reader->spans = fdopen(config->otlp_fd, "w");
		if (!reader->spans)
			return -errno;
		(void)setvbuf(reader->spans, NULL, _IOFBF, 64 << 10);
		reader->otlp = otlp_new(reader->spans, config->otlp_random, config->sandbox_id,
			config->sandbox_name);
		if (!reader->otlp)
			return -ENOMEM;
	}
	if (config->coverage_fd >= 0) {
		reader->coverage = coverage_new();
		if (!reader->coverage)
			return -ENOMEM;
	}
	return 0;
}

static int observe(const struct observer_config *config, int records, int events)
{
	static struct reader reader;
	FILE *coverage = config->coverage_fd >= 0 ? fdopen(config->coverage_fd, "w") : NULL;
	int r;

	reader.config = config;
	r = set_up(&reader);
	r = r < 0 ? r : confine();
	r = r < 0 ? r : read_streams(&reader, records, events);
	/* The run does not depend on spans. */
	if (reader.otlp) {
		otlp_end(reader.otlp);
		if (fflush(reader.spans) != 0 || ferror(reader.spans))
			log_warning("--otlp: not all spans could be written");
	}
	if (r == 0 && coverage) {
		r = coverage_write(reader.coverage, coverage);
		if (r == 0 && fflush(coverage) != 0)
			r = -errno;
	}
	return r;
}

static _Noreturn void observer_process(
	const struct observer_config *config, int records, int events)
{
	const char *what = config->trace_fd >= 0      ? "--trace"
			   : config->coverage_fd >= 0 ? "--coverage"
						      : "--otlp";
	sigset_t all;
	int r;

	/* The launcher decides when it ends: the end of the stream. */
	sigfillset(&all);
	(void)sigprocmask(SIG_SETMASK, &all, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)setpgid(0, 0);
	r = observe(config, records, events);
	if (r == -EBADMSG)
		log_error("%s: the kernel process sent what is no record", what);
	else if (r < 0)
		log_error("%s: cannot write: %s", what, strerror(-r));
	_exit(r < 0);
}

static int by_number(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

/* Everything of the launcher's but the observer's own. */
static void close_others(const struct observer_config *config, int records, int events)
{
	int keep[] = {2, config->trace_fd, config->coverage_fd, config->otlp_fd, records, events};

	qsort(keep, array_size(keep), sizeof(keep[0]), by_number);
	for (size_t i = 0; i < array_size(keep); i++) {
		unsigned first = keep[i] < 2 ? 3 : (unsigned)keep[i] + 1;

		if (i + 1 == array_size(keep))
			(void)close_range(first, ~0u, 0);
		else if (keep[i + 1] > (int)first)
			(void)close_range(first, (unsigned)keep[i + 1] - 1, 0);
	}
}

static int make_pipes(bool gateway, int records[2], int events[2])
{
	events[0] = events[1] = -1;
	if (pipe2(records, O_CLOEXEC) < 0)
		return -errno;
	/* Larger bursts before the guests have to wait; where the host refuses it stays small. */
	(void)fcntl(records[1], F_SETPIPE_SZ, PIPE_SIZE);
	if (gateway && pipe2(events, O_CLOEXEC) < 0) {
		int error = -errno;

		close(records[0]);
		close(records[1]);
		return error;
	}
	return 0;
}

int observer_start(const struct observer_config *config, struct observer *ret, int *ret_records)
{
	int records[2], events[2], r;
	pid_t pid;

	r = make_pipes(config->gateway, records, events);
	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0) {
		close_others(config, records[0], events[0]);
		observer_process(config, records[0], events[0]);
	}
	r = pid < 0 ? -errno : 0;
	close(records[0]);
	if (events[0] >= 0)
		close(events[0]);
	if (r < 0) {
		close(records[1]);
		if (events[1] >= 0)
			close(events[1]);
		return r;
	}
	ret->pid = pid;
	ret->events = events[1];
	*ret_records = records[1];
	return 0;
}

int observer_finish(struct observer *observer)
{
	int status;

	if (observer->pid == 0)
		return 0;
	while (waitpid(observer->pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	observer->pid = 0;
	if (WIFSIGNALED(status))
		log_error("the process that writes --trace, --coverage and --otlp was killed by "
			  "signal %d",
			WTERMSIG(status));
	return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EIO;
}
