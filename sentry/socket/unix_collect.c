/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets that only lie in each other's queues (unix(7), SCM_RIGHTS; kernel net/unix/garbage.c).
 *
 * A descriptor in a packet keeps its file open, and a socket's file keeps its packets: two sockets
 * that were sent to each other and then closed would stay for ever, with all else that lies there.
 * So as long as sockets are in flight (the last descriptor of one goes without a sign) a fiber
 * looks for such: of those whose files nobody holds but packets, it keeps those that a packet
 * elsewhere leads to, and empties the queues of the rest. Nothing of the search sleeps. It waits
 * before it begins, longer after a long search, so that many closes share one and all of them cost
 * little.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/fiber.h"
#include "base/loop.h"
#include "sentry/socket/unix.h"

#define FIRST_PAUSE_NS	  1000000ull
#define LAST_PAUSE_NS	  1000000000ull
#define PAUSE_PER_STEP_NS 1000ull /* a step takes less than a twentieth of it */

static unsigned file_count; /* of all kinds, in packets */
static unsigned socket_files;
static bool collecting;
static uint64_t last_steps;

static struct unix_socket *unix_of_file(struct file *file)
{
	struct socket *socket = socket_of_file(file);

	return socket && socket->family == LX_AF_UNIX ? unix_of(socket) : NULL;
}

void unix_files_in_flight(const struct scm *scm, int by)
{
	file_count += (unsigned)(by * (int)scm->file_count);
	for (size_t i = 0; i < scm->file_count; i++) {
		struct unix_socket *socket = unix_of_file(scm->files[i]);

		if (!socket)
			continue;
		socket->in_flight += (unsigned)by;
		socket_files += (unsigned)by;
	}
	unix_collect_later();
}

unsigned unix_files_in_flight_count(void)
{
	return file_count;
}

static void collector(void *arg);

void unix_collect_later(void)
{
	struct fiber *fiber;

	/* Without memory for a fiber the next one in flight, or closed, will do it. */
	if (socket_files && !collecting)
		collecting = fiber_create(&fiber, "unix-collect", collector, NULL) == 0;
}

/* ---- the search ------------------------------------------------------------------------------ */

struct search {
	struct unix_socket **found; /* candidates */
	size_t count;
	struct unix_socket **living; /* whose queues are still to be looked at */
	size_t living_count;
	uint64_t steps;
};

typedef void visit_fn(struct search *search, struct unix_socket *socket);

static void visit_packets(struct search *search, const struct unix_socket *socket, visit_fn *visit)
{
	const struct unix_packet *packet;

	list_for_each_entry (packet, &socket->packets, link) {
		search->steps++;
		for (size_t i = 0; i < packet->scm.file_count; i++) {
			struct unix_socket *other = unix_of_file(packet->scm.files[i]);

			search->steps++;
			if (other && other->candidate)
				visit(search, other);
		}
	}
}

/* What lies in the queue of @socket, and in those of the connections that it has not accepted. */
static void visit_queued(struct search *search, const struct unix_socket *socket, visit_fn *visit)
{
	const struct unix_socket *waiting;

	visit_packets(search, socket, visit);
	list_for_each_entry (waiting, &socket->backlog, backlog_link)
		visit_packets(search, waiting, visit);
}

static int find_candidates(struct search *search)
{
	search->found = calloc(socket_files + 1, sizeof(search->found[0]));
	search->living = calloc(socket_files + 1, sizeof(search->living[0]));
	if (!search->found || !search->living)
		return -ENOMEM;
	for (struct unix_socket *socket = unix_next(NULL); socket; socket = unix_next(socket)) {
		search->steps++;
		socket->candidate = socket->in_flight && socket->base.file &&
				    socket->base.file->refs.count == socket->in_flight;
		socket->reached = 0;
		if (socket->candidate && search->count <= socket_files)
			search->found[search->count++] = socket;
	}
	return 0;
}

static void count_one(struct search *search, struct unix_socket *socket)
{
	(void)search;
	socket->reached++;
}

/* Its queue is to be looked at, too. */
static void keep_one(struct search *search, struct unix_socket *socket)
{
	socket->candidate = false;
	search->living[search->living_count++] = socket;
}

/* Those that more packets hold than the candidates' own are alive, and so is what lies in their
 * queues. */
static void drop_the_living(struct search *search)
{
	size_t left = 0;

	for (size_t i = 0; i < search->count; i++)
		visit_queued(search, search->found[i], count_one);
	for (size_t i = 0; i < search->count; i++)
		if (search->found[i]->reached < search->found[i]->in_flight)
			keep_one(search, search->found[i]);
	while (search->living_count)
		visit_queued(search, search->living[--search->living_count], keep_one);
	for (size_t i = 0; i < search->count; i++)
		if (search->found[i]->candidate)
			search->found[left++] = search->found[i];
	search->count = left;
}

/* Their queues, each held by us until all are empty. */
static void empty_queues(struct search *search)
{
	for (size_t i = 0; i < search->count; i++)
		(void)file_ref(search->found[i]->base.file);
	for (size_t i = 0; i < search->count; i++) {
		struct unix_socket *waiting;

		unix_drop_packets(search->found[i]);
		list_for_each_entry (waiting, &search->found[i]->backlog, backlog_link)
			unix_drop_packets(waiting);
	}
	for (size_t i = 0; i < search->count; i++) {
		search->found[i]->candidate = false;
		file_unref(search->found[i]->base.file);
	}
}

static void collect(void)
{
	struct search search = {0};

	if (find_candidates(&search) == 0 && search.count) {
		drop_the_living(&search);
		empty_queues(&search);
	}
	last_steps = search.steps;
	free(search.found);
	free(search.living);
}

static void collector(void *arg)
{
	uint64_t pause = FIRST_PAUSE_NS;

	(void)arg;
	do {
		(void)wait_sleep(NULL, ~0u,
			loop_monotonic_now() + pause + last_steps * PAUSE_PER_STEP_NS, false,
			false);
		collect();
		pause = min_of(2 * pause, LAST_PAUSE_NS);
	} while (socket_files);
	collecting = false;
}
