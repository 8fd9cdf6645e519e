/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/observe/observer.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "cmd/observe/coverage.h"
#include "cmd/observe/otlp.h"
#include "cmd/observe/words.h"
#include "sentry/record.h"

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
	unsigned char *buffer; /* CHUNK + RECORD_SIZE_MAX */
	size_t used;
};

/* ---- confinement ----------------------------------------------------------------------------- */

/* Everything is open, and memory is mapped as it is needed: nothing executable. sysinfo(2) is what
 * qsort(3) asks for the size of memory. */
static int confine(void)
{
	static const int allowed[] = {SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(lseek),
		SCMP_SYS(fstat), SCMP_SYS(newfstatat), SCMP_SYS(ftruncate), SCMP_SYS(close),
		SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(madvise),
		SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(clock_gettime),
		SCMP_SYS(sysinfo)};
	scmp_filter_ctx filter;
	int r;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return -ENOMEM;
	r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
		SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	for (size_t i = 0; i < array_size(allowed) && r == 0; i++)
		r = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	r = r == 0 ? seccomp_load(filter) : r;
	seccomp_release(filter);
	return r;
}

/* ---- the stream ------------------------------------------------------------------------------ */

static void take(struct reader *reader, const union record *record)
{
	if (reader->words)
		words_put(reader->words, record);
	if (reader->coverage)
		coverage_add(reader->coverage, record);
	if (reader->otlp)
		otlp_put(reader->otlp, record);
}

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

static int read_stream(struct reader *reader, int from)
{
	for (;;) {
		ssize_t got = read(from, reader->buffer + reader->used, CHUNK);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return 0;
		if (reader->config->format == TRACE_BINARY && reader->out)
			(void)fwrite(reader->buffer + reader->used, 1, (size_t)got, reader->out);
		reader->used += (size_t)got;
		if (!digest(reader))
			return -EBADMSG;
		if (reader->out && (fflush(reader->out) != 0 || ferror(reader->out)))
			return -errno;
		if (reader->spans)
			(void)fflush(reader->spans);
	}
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

static int observe(const struct observer_config *config, int from)
{
	struct reader reader = {.config = config};
	FILE *coverage = config->coverage_fd >= 0 ? fdopen(config->coverage_fd, "w") : NULL;
	int r = set_up(&reader);

	r = r < 0 ? r : confine();
	r = r < 0 ? r : read_stream(&reader, from);
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

static _Noreturn void observer_process(const struct observer_config *config, int from)
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
	r = observe(config, from);
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
static void close_others(const struct observer_config *config, int from)
{
	int keep[] = {2, config->trace_fd, config->coverage_fd, config->otlp_fd, from};

	qsort(keep, array_size(keep), sizeof(keep[0]), by_number);
	for (size_t i = 0; i < array_size(keep); i++) {
		unsigned first = keep[i] < 2 ? 3 : (unsigned)keep[i] + 1;

		if (i + 1 == array_size(keep))
			(void)close_range(first, ~0u, 0);
		else if (keep[i + 1] > (int)first)
			(void)close_range(first, (unsigned)keep[i + 1] - 1, 0);
	}
}

int observer_start(const struct observer_config *config, struct observer *ret, int *ret_records)
{
	int ends[2];
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	/* Larger bursts before the guests have to wait; where the host refuses it stays small. */
	(void)fcntl(ends[1], F_SETPIPE_SZ, PIPE_SIZE);
	pid = fork();
	if (pid == 0) {
		close_others(config, ends[0]);
		observer_process(config, ends[0]);
	}
	close(ends[0]);
	if (pid < 0) {
		close(ends[1]);
		return -errno;
	}
	ret->pid = pid;
	*ret_records = ends[1];
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
