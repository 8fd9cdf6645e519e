/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files of running sandboxes, the launcher's side.
 *
 * There is no daemon: each launcher writes ID.json into a directory of its user (0700; made,
 * owned and reached without links), and takes it away at the end. One that was killed leaves its
 * file, which readers take away: it names the launcher's pid together with the time at which that
 * process started, so that a later process of the same number is not taken for it.
 *
 * The numbers are in a memfd that the launcher holds (sentry/live.h). Readers open it by
 * /proc/PID/fd, which the host grants to the same user alone. Its seals let nobody truncate it,
 * which would kill the kernel process, nor write it; the one mapping that may is older than they.
 *
 * A start of /bin/true takes some milliseconds and is not to take more for the sake of being shown:
 * the file is written when a run is older than DUE_NS. Shorter ones are never seen.
 */
#include "cmd/live/state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "cmd/json.h"
#include "cmd/live/state_private.h"

#define DUE_NS 20000000ull

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

/* ---- the directory --------------------------------------------------------------------------- */

/* @base, which must be of ours or of root and not writable by others, and "sentry" in it. */
static int open_below(const char *base, bool create)
{
	_cleanup_close_ int parent = open(base, O_PATH | O_DIRECTORY | O_CLOEXEC), fd = -1;
	struct stat stat;

	if (parent < 0 || fstat(parent, &stat) < 0)
		return -errno;
	if ((stat.st_uid != geteuid() && stat.st_uid != 0) || (stat.st_mode & 022))
		return -EPERM;
	if (create && mkdirat(parent, "sentry", 0700) < 0 && errno != EEXIST)
		return -errno;
	fd = openat(parent, "sentry", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) < 0)
		return -errno;
	if (stat.st_uid != geteuid() || (stat.st_mode & 077))
		return -EPERM;
	return take_fd(&fd);
}

int state_directory_open(bool create, char ret_path[PATH_MAX], int *ret_errors)
{
	const char *given = getenv("XDG_RUNTIME_DIR");
	char bases[3][PATH_MAX] = {"", "", ""};
	int found = -ENOENT;

	*ret_errors = -ENOENT;
	ret_path[0] = '\0';
	if (given && given[0] == '/' && strlen(given) < PATH_MAX - 16)
		(void)snprintf(bases[0], PATH_MAX, "%s", given);
	(void)snprintf(bases[1], PATH_MAX, "/run/user/%u", geteuid());
	if (geteuid() == 0)
		(void)snprintf(bases[2], PATH_MAX, "/run");
	for (unsigned i = 0; i < array_size(bases) && found < 0; i++) {
		if (!bases[i][0])
			continue;
		found = open_below(bases[i], create);
		if (found >= 0 || (found != -ENOENT && !ret_path[0]))
			(void)snprintf(ret_path, PATH_MAX, "%.*s/sentry", PATH_MAX - 16, bases[i]);
		if (found < 0 && found != -ENOENT)
			*ret_errors = found;
	}
	return found >= 0 ? found : *ret_errors;
}

/* ---- the page -------------------------------------------------------------------------------- */

static struct live_page *new_page(int *ret_fd)
{
	_cleanup_close_ int fd = memfd_create("sentry-live", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct live_page *page;

	if (fd < 0 || ftruncate(fd, sizeof(*page)) < 0)
		return NULL;
	page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return NULL;
	if (fcntl(fd, F_ADD_SEALS,
		    F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL) < 0) {
		(void)munmap(page, sizeof(*page));
		return NULL;
	}
	page->magic = LIVE_MAGIC;
	page->size = sizeof(*page);
	*ret_fd = take_fd(&fd);
	return page;
}

void state_begin(struct state_own *own, const struct state_facts *facts)
{
	uint8_t random[STATE_ID_SIZE / 2];

	*own = (struct state_own){.facts = *facts, .page_fd = -1};
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return;
	for (unsigned i = 0; i < sizeof(random); i++)
		(void)snprintf(own->id + 2 * i, 3, "%02x", random[i]);
	own->page = new_page(&own->page_fd);
	if (own->page)
		live_use(own->page);
}

/* ---- the file -------------------------------------------------------------------------------- */

static uint64_t now_ns(clockid_t clock)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void write_command(struct json *json, char *const *argv)
{
	unsigned count = 0;

	json_open(json, "command", '[');
	for (; argv[count] && count < STATE_WORDS_MAX; count++) {
		char word[STATE_WORD_MAX];

		(void)snprintf(word, sizeof(word), "%s", argv[count]);
		json_string(json, NULL, word);
	}
	json_close(json, ']');
	json_bool(json, "more_words", argv[count] != NULL);
}

static void write_members(struct json *json, const struct state_own *own, uint64_t start_time)
{
	const struct state_facts *facts = &own->facts;
	const uint64_t started = now_ns(CLOCK_REALTIME) - DUE_NS;

	json_integer(json, "version", STATE_VERSION);
	json_string(json, "id", own->id);
	json_string(json, "name", facts->name ? facts->name : "");
	json_integer(json, "pid", getpid());
	json_integer(json, "start_time", (long long)start_time);
	json_integer(json, "kernel_pid", own->kernel);
	json_integer(json, "started_ms", (long long)(started / 1000000));
	write_command(json, facts->argv);
	json_string(json, "directory", facts->directory);
	json_string(json, "network", facts->network);
	json_string(json, "log", facts->log ? facts->log : "");
	json_string(json, "audit", facts->audit ? facts->audit : "");
	json_integer(json, "memory_limit", (long long)facts->memory_limit);
	json_integer(json, "pids_limit", (long long)facts->pids_limit);
	json_integer(json, "cpus", (long long)facts->cpus);
	json_integer(json, "timeout_ms", (long long)(facts->timeout_ns / 1000000));
	json_integer(json, "counters_fd", own->page_fd);
}

static int write_file(int fd, const struct state_own *own)
{
	struct json json = {.out = fdopen(fd, "w")};
	uint64_t start_time;
	bool broken;

	if (!json.out) {
		close(fd);
		return -ENOMEM;
	}
	broken = state_start_time(getpid(), &start_time) < 0;
	json_open(&json, NULL, '{');
	write_members(&json, own, start_time);
	json_close(&json, '}');
	broken |= ferror(json.out) != 0;
	return fclose(json.out) != 0 || broken ? -EIO : 0;
}

/* A file that readers find is whole: it gets its name when it is. */
static int write_entry(struct state_own *own)
{
	char path[PATH_MAX], temporary[STATE_ID_SIZE + 8], name[STATE_ID_SIZE + 8];
	_cleanup_close_ int directory = -1;
	int fd, r, error;

	directory = state_directory_open(true, path, &error);
	if (directory < 0)
		return directory;
	(void)snprintf(temporary, sizeof(temporary), ".%s", own->id);
	(void)snprintf(name, sizeof(name), "%s.json", own->id);
	fd = openat(
		directory, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_file(fd, own);
	if (r == 0 && renameat(directory, temporary, directory, name) < 0)
		r = -errno;
	if (r < 0)
		(void)unlinkat(directory, temporary, 0);
	return r;
}

void state_started(struct state_own *own, pid_t kernel)
{
	own->kernel = kernel;
	if (own->page)
		own->due_ns = now_ns(CLOCK_MONOTONIC) + DUE_NS;
}

int state_wait(struct state_own *own)
{
	uint64_t now;
	int r;

	if (!own->due_ns)
		return -1;
	now = now_ns(CLOCK_MONOTONIC);
	if (now < own->due_ns)
		return (int)((own->due_ns - now) / 1000000 + 1);
	own->due_ns = 0;
	r = write_entry(own);
	own->written = r == 0;
	if (r < 0)
		log_debug("this run is not shown by 'sentry ps': %s", strerror(-r));
	return -1;
}

void state_end(struct state_own *own)
{
	char path[PATH_MAX], name[STATE_ID_SIZE + 8];
	_cleanup_close_ int directory = -1;
	int error;

	own->due_ns = 0;
	if (own->written) {
		directory = state_directory_open(false, path, &error);
		(void)snprintf(name, sizeof(name), "%s.json", own->id);
		if (directory >= 0)
			(void)unlinkat(directory, name, 0);
		own->written = false;
	}
	if (!own->page)
		return;
	live_use(NULL);
	(void)munmap(own->page, sizeof(*own->page));
	close(own->page_fd);
	own->page = NULL;
}
