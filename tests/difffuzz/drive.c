/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hands the calls of a program to its tasks, so that one makes a call at a time and the order is
 * the same in each run. Calls in a row that one task makes are one turn: the driver writes their
 * numbers into that task's pipe and waits for a byte in its own.
 *
 * A call that sleeps for long gets a signal, and if that does not help its task is killed. One that
 * is marked CALL_ASYNC may go on sleeping: /proc says whether it does. After each turn the driver
 * waits until all tasks sleep, are stopped or gone, since the turn may have woken some.
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "executor.h"

#define GONE 'X'

static pid_t first;
static int first_status;
static bool first_gone;
/* Several tasks: their states matter. */
static bool spawned;

static long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void on_child(int sig)
{
	(void)sig;
}

static void make_pipe(int read_fd, int write_fd)
{
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0 || dup2(ends[0], read_fd) < 0 || dup2(ends[1], write_fd) < 0)
		exit(96);
	close(ends[0]);
	close(ends[1]);
}

void drive_begin(void)
{
	struct sigaction action = {.sa_handler = on_child};

	sigaction(SIGCHLD, &action, NULL); /* interrupts ppoll */
	for (int n = 0; n < SLOT_MAX; n++)
		make_pipe(TURN_FD(n), GIVE_FD(n));
	make_pipe(DONE_READ_FD, DONE_FD);
}

/* Collects whoever ended. */
static void reap(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == first) {
			first_status = status;
			first_gone = true;
		}
	}
}

/* A letter as in proc(5), of the file of that name. */
static char letter_of(const char *path)
{
	char text[256], *end;
	ssize_t n;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return GONE;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	end = strrchr(text, ')');
	if (!end || end[1] != ' ')
		return GONE;
	return end[2] == 'Z' ? GONE : end[2];
}

static bool executes(const struct slot *slot)
{
	return slot->busy && slot->current >= 0 &&
	       SHARED->program.calls[slot->current].record.nr == OP_EXEC;
}

static char state_of(const struct slot *slot)
{
	char path[64], letter;

	if (slot->tid == 0)
		return GONE;
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", slot->pid, slot->tid);
	letter = letter_of(path);
	if (letter != GONE || !executes(slot))
		return letter;
	/* It gets the process's id, and has not said so yet. */
	snprintf(path, sizeof(path), "/proc/%d/stat", slot->pid);
	return letter_of(path) == GONE ? GONE : 'R';
}

static bool stopped(char state)
{
	return state == 'T' || state == 't';
}

/* A task that made its turn says so by a byte; none within @ms: false. */
static bool turn_done(long ms)
{
	struct pollfd fd = {DONE_READ_FD, POLLIN, 0};
	struct timespec patience = {ms / 1000, ms % 1000 * 1000000};
	sigset_t none;
	char byte;

	sigemptyset(&none);
	return ppoll(&fd, 1, &patience, &none) > 0 && read(DONE_READ_FD, &byte, 1) == 1;
}

static void kick(const struct slot *slot)
{
	if (SHARED->runner > 0)
		kill(SHARED->runner, KICK_SIGNAL);
	else
		syscall(SYS_tgkill, slot->pid, slot->tid, KICK_SIGNAL);
}

static void end_slot(const struct slot *slot)
{
	if (SHARED->runner > 0)
		kill(SHARED->runner, SIGKILL);
	kill(slot->pid, SIGKILL);
}

/* Whether the call that @slot makes may be left alone now: it sleeps as it may. */
static bool may_leave(const struct slot *slot, char state)
{
	int current = slot->current;
	const struct call_record *record;

	if (current < 0 || current != slot->to - 1)
		return false;
	record = &SHARED->program.calls[current].record;
	/* Who waits for a vfork child sleeps so that no signal wakes it. */
	return (record->flags & CALL_ASYNC) &&
	       (state == 'S' || (state == 'D' && record->nr == OP_SPAWN));
}

/* Waits for the end of a turn, or of the task. @leave: or until it sleeps in a call that may.
 * @impatient: it does so, and is not to any more. */
static void await(struct slot *slot, bool leave, bool impatient)
{
	long begin = now_ms(), quiet_since = begin;
	int kicks = 0, calm = 0;
	uint32_t seen = SHARED->progress;
	/* A single process is a child of ours: its end wakes us. */
	long patience = spawned || leave ? 2 : KICK_MS;

	while (slot->busy) {
		char state;

		if (turn_done(patience))
			continue; /* somebody's */
		reap();
		if (slot == &SHARED->slots[0] && first_gone)
			return;
		state = spawned || leave ? state_of(slot) : 'R';
		if (state == GONE || (spawned && stopped(state)))
			return;
		if (leave && may_leave(slot, state)) {
			if (++calm == 2)
				return;
			continue;
		}
		calm = 0;
		if (SHARED->progress != seen) {
			kicks = 0;
			quiet_since = now_ms();
		}
		seen = SHARED->progress;
		/* A new program has no handler yet, nor has one that did not begin. */
		if (slot->current < 0 || SHARED->program.calls[slot->current].record.nr == OP_EXEC)
			quiet_since = now_ms();
		if (now_ms() - begin > PROGRAM_MS || kicks > KICKS_MAX) {
			end_slot(slot);
			quiet_since = now_ms();
		} else if (now_ms() - quiet_since > KICK_MS * (kicks + !impatient)) {
			kicks++;
			kick(slot);
		}
	}
}

/* Until nobody runs: what a turn has set going is over. */
static void settle(void)
{
	for (int round = 0; spawned && round < 400; round++) {
		bool quiet = true;

		reap();
		for (int n = 0; n < SLOT_MAX; n++) {
			char state = state_of(&SHARED->slots[n]);

			if (state == GONE)
				SHARED->slots[n].tid = 0;
			else if (state == 'R')
				quiet = false;
		}
		while (turn_done(0))
			quiet = false;
		if (quiet)
			return;
		usleep(300);
	}
}

/* The slot is there and waits for a turn. */
static bool ready(struct slot *slot)
{
	if (slot == &SHARED->slots[0] && first_gone)
		return false;
	if (slot->busy)
		await(slot, false, true);
	if (slot == &SHARED->slots[0] && first_gone)
		return false;
	return !spawned || (!slot->busy && slot->tid != 0 && !stopped(state_of(slot)));
}

static void give(int n, int from, int to, bool leave)
{
	struct slot *slot = &SHARED->slots[n];
	struct turn turn = {from, to};

	slot->busy = true;
	slot->current = -1;
	slot->to = to;
	/* Nobody may be there to read it. */
	if (write(GIVE_FD(n), &turn, sizeof(turn)) != sizeof(turn))
		return;
	await(slot, leave, false);
}

/* Calls from @from on that one task makes one after the other; returns the end of its turn. */
static int turn_end(int from)
{
	const struct call *calls = SHARED->program.calls;
	int to = from;

	while (to < (int)SHARED->program.header.call_count &&
		calls[to].record.slot == calls[from].record.slot) {
		/* With several tasks there is a look at them after each call. */
		bool last = spawned || (calls[to].record.flags & CALL_ASYNC) ||
			    calls[to].record.nr == OP_SPAWN;

		to++;
		if (last)
			break;
	}
	return to;
}

/* Kills whoever is a child of ours, until there is none: what they leave becomes ours. */
static void end_everybody(void)
{
	long begin = now_ms();

	while (now_ms() - begin < 3000) {
		struct dirent *entry;
		DIR *proc;

		reap();
		if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
			return;
		proc = opendir("/proc");
		while (proc && (entry = readdir(proc))) {
			char path[64], text[256] = "", *end;
			int fd, pid = atoi(entry->d_name), parent = 0;

			if (pid <= 0)
				continue;
			snprintf(path, sizeof(path), "/proc/%d/stat", pid);
			fd = open(path, O_RDONLY | O_CLOEXEC);
			if (fd >= 0 && read(fd, text, sizeof(text) - 1) > 0) {
				end = strrchr(text, ')');
				if (end && sscanf(end + 3, "%d", &parent) == 1 &&
					parent == getpid())
					kill(pid, SIGKILL);
			}
			if (fd >= 0)
				close(fd);
		}
		if (proc)
			closedir(proc);
		usleep(500);
	}
}

int drive(pid_t pid)
{
	const struct program *program = &SHARED->program;

	first = pid;
	first_gone = spawned = false;
	for (int n = 0; n < SLOT_MAX; n++)
		close(TURN_FD(n));
	close(DONE_FD);
	for (int i = 0; i < (int)program->header.call_count;) {
		const struct call_record *spawn;
		const struct call_record *record = &program->calls[i].record;
		int n = (int)record->slot, to = turn_end(i);

		if (n >= 0 && n < SLOT_MAX && SHARED->slots[n].tid && ready(&SHARED->slots[n])) {
			spawned |= program->calls[to - 1].record.nr == OP_SPAWN;
			spawn = &program->calls[to - 1].record;
			give(n, i, to, program->calls[to - 1].record.flags & CALL_ASYNC);
			/* The creator of a vfork child sleeps already: is it there? */
			for (int ms = 0; ms < 200 && spawn->nr == OP_SPAWN &&
					 SHARED->slots[n].busy && spawn->values[0] < SLOT_MAX &&
					 SHARED->slots[spawn->values[0]].tid == 0;
				ms++)
				usleep(1000);
			settle();
		}
		i = to;
	}
	for (int n = SLOT_MAX - 1; n >= 0; n--) {
		/* Who is stopped would go on when its tracer ends, at some time. */
		if (n && SHARED->slots[n].tid && stopped(state_of(&SHARED->slots[n])))
			end_slot(&SHARED->slots[n]);
		if (SHARED->slots[n].tid && ready(&SHARED->slots[n])) {
			struct slot *slot = &SHARED->slots[n];

			slot->busy = true;
			slot->current = slot->to = -1;
			if (write(GIVE_FD(n), &(struct turn){-1, -1}, sizeof(struct turn)) < 0 ||
				n == 0)
				break;
			await(slot, false, false);
			settle();
		}
	}
	/* The rest of the first process's time: it may be stopped, or sleep. */
	for (long begin = now_ms(); !first_gone;) {
		struct timespec patience = {0, 2000000};
		sigset_t chld;

		reap();
		if (first_gone)
			break;
		if (now_ms() - begin > KICK_MS * KICKS_MAX || stopped(state_of(&SHARED->slots[0])))
			kill(first, SIGKILL);
		sigemptyset(&chld);
		sigaddset(&chld, SIGCHLD);
		sigtimedwait(&chld, NULL, &patience);
	}
	/* What OP_FORK made may have outlived it: it ends its calls. */
	for (int ms = 0; ms < 100 && SHARED->runner > 0; ms++) {
		const struct slot orphan = {.pid = SHARED->runner, .tid = SHARED->runner};
		char state = state_of(&orphan);

		reap();
		if (state == GONE || (state == 'S' && ms > 30))
			break;
		usleep(1000);
	}
	end_everybody();
	for (int n = 0; n < SLOT_MAX; n++)
		close(GIVE_FD(n));
	close(DONE_READ_FD);
	return first_status;
}
