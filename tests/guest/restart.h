/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_TESTS_GUEST_RESTART_H
#define SENTRY_TESTS_GUEST_RESTART_H

/*
 * Every call that can block, and a signal in the middle of it (signal(7), "Interruption of system
 * calls"). Each case is a row of a table: how to get into the call, and what lets it finish. A row
 * runs with a handler, with a handler that has SA_RESTART, with the signal ignored, and across a
 * stop; printed are the result and whether the call returned before it was let finish.
 *
 * A helper process signals a moment after the call has begun, waits for the handler, then releases.
 */
#include "terminal.h"

#define BEGIN_MS   50  /* after so long the call sleeps */
#define TIMEOUT_MS 300 /* of calls that have one: long after the signal */

struct row {
	const char *name;
	void (*setup)(void);
	long (*call)(void);
	void (*release)(void); /* in the helper; NULL: the call's own timeout */
};

static struct shared {
	volatile int handled, released;
	int word;
} * shared;

static int a = -1, b = -1, c = -1; /* the row's descriptors and ids */
static pid_t caller, other;
static char buffer[65536];

static void on_signal(int signo)
{
	shared->handled++;
}

enum mode { PLAIN, RESTART, IGNORED, STOPPED, MODES };
static const char *const mode_names[] = {"handler", "SA_RESTART", "ignored", "stopped"};

static void help(const struct row *row, enum mode mode)
{
	sleep_ms(BEGIN_MS);
	if (mode == STOPPED) {
		kill(caller, SIGSTOP);
		sleep_ms(30);
		kill(caller, SIGCONT);
		sleep_ms(30);
	} else {
		kill(caller, SIGUSR1);
		for (int i = 0; i < 1000 && mode != IGNORED && !shared->handled; i++)
			sleep_ms(2);
		sleep_ms(30);
	}
	shared->released = 1;
	if (row->release)
		row->release();
	_exit(0);
}

static void run_mode(const struct row *row, enum mode mode)
{
	struct sigaction action = {.sa_handler = mode == IGNORED ? SIG_IGN : on_signal,
		.sa_flags = mode == RESTART ? SA_RESTART : 0};
	long long begun;
	pid_t helper;
	long result;
	int error;

	memset(shared, 0, sizeof(*shared));
	a = b = c = -1;
	other = 0;
	caller = getpid();
	sigaction(SIGUSR1, &action, NULL);
	if (row->setup)
		row->setup();
	fflush(stdout);
	helper = fork();
	if (helper == 0)
		help(row, mode);
	begun = now_ms();
	errno = 0;
	result = row->call();
	error = errno;
	NOTE("%s, %s: %ld %s, handled %d, %s", row->name, mode_names[mode], result,
		result < 0 ? errno_name(error) : "", (int)shared->handled,
		row->release ? shared->released ? "after its release" : "before its release"
		: now_ms() - begun >= TIMEOUT_MS - 5 ? "after its timeout"
						     : "before its timeout");
	while (waitpid(helper, NULL, 0) < 0 && errno == EINTR)
		;
	if (other > 0) {
		kill(other, SIGKILL);
		waitpid(other, NULL, 0);
	}
	close(a);
	close(b);
	close(c);
}

/* The modes take turns at nothing: each has its process and its directory. */
static void run_row(const struct row *row)
{
	int outputs[MODES];
	pid_t pids[MODES];

	fflush(stdout);
	for (enum mode mode = PLAIN; mode < MODES; mode++) {
		int fds[2];

		if (pipe(fds) < 0)
			abort();
		outputs[mode] = fds[0];
		pids[mode] = fork();
		if (pids[mode] == 0) {
			dup2(fds[1], STDOUT_FILENO);
			close(fds[0]);
			close(fds[1]);
			if (mkdir(mode_names[mode], 0700) < 0 || chdir(mode_names[mode]) < 0)
				abort();
			shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
			run_mode(row, mode);
			fflush(stdout);
			_exit(0);
		}
		close(fds[1]);
	}
	for (enum mode mode = PLAIN; mode < MODES; mode++) {
		char text[1024];
		ssize_t n;

		while ((n = read(outputs[mode], text, sizeof(text))) > 0) {
			fwrite(text, 1, (size_t)n, stdout);
			fflush(stdout);
		}
		close(outputs[mode]);
		note_wait(mode_names[mode], pids[mode]);
	}
}

#define ROW(name_, setup_, call_, release_)                                                        \
	CASE(name_)                                                                                \
	{                                                                                          \
		static const struct row row = {#name_, setup_, call_, release_};                   \
		run_row(&row);                                                                     \
	}

static inline void make_pipe(void)
{
	int fds[2];

	if (pipe(fds) < 0)
		abort();
	a = fds[0];
	b = fds[1];
}

static inline void write_b(void)
{
	write(b, "x", 1);
}

static inline void kill_other(void)
{
	kill(other, SIGKILL);
}

#endif
