/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/live/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/log.h"

static void keep_stdout(void *context, const char *bytes, size_t size)
{
	log_file_put(context, LOG_STDOUT, bytes, size);
}

static void keep_stderr(void *context, const char *bytes, size_t size)
{
	log_file_put(context, LOG_STDERR, bytes, size);
}

int output_open(struct output *output, struct log_file *log, int ret_guest[LOG_STREAMS])
{
	*output = (struct output){.log = log, .pipes = {-1, -1}};
	ret_guest[0] = ret_guest[1] = -1;
	for (unsigned i = 0; i < LOG_STREAMS; i++) {
		int ends[2];

		if (pipe2(ends, O_CLOEXEC) < 0)
			return -errno;
		output->pipes[i] = ends[0];
		ret_guest[i] = ends[1];
		output->relays[i].from = ends[0];
		output->relays[i].to = i == LOG_STDOUT ? STDOUT_FILENO : STDERR_FILENO;
		output->relays[i].tap = i == LOG_STDOUT ? keep_stdout : keep_stderr;
		output->relays[i].tap_context = log;
	}
	/* A reader that goes away is the guest's to learn of. */
	(void)signal(SIGPIPE, SIG_IGN);
	return 0;
}

void output_poll(const struct output *output, struct pollfd fds[2 * LOG_STREAMS])
{
	for (unsigned i = 0; i < LOG_STREAMS; i++) {
		const struct relay *relay = &output->relays[i];
		const bool waiting = relay->start < relay->end, on = output->log;

		fds[2 * i] =
			(struct pollfd){.fd = on && !waiting ? relay->from : -1, .events = POLLIN};
		fds[2 * i + 1] =
			(struct pollfd){.fd = on && waiting ? relay->to : -1, .events = POLLOUT};
	}
}

void output_step(struct output *output, const struct pollfd fds[2 * LOG_STREAMS])
{
	for (unsigned i = 0; i < LOG_STREAMS && output->log; i++) {
		relay_step(&output->relays[i], fds[2 * i].revents, fds[2 * i + 1].revents);
		/* Ended, by either side: then the guest's writes fail as they would have. */
		if (output->relays[i].from < 0 && output->pipes[i] >= 0) {
			close(output->pipes[i]);
			output->pipes[i] = -1;
		}
	}
}

static bool told_to_end(int signals)
{
	struct signalfd_siginfo info;

	while (read(signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo == SIGINT || info.ssi_signo == SIGTERM ||
			info.ssi_signo == SIGHUP || info.ssi_signo == SIGQUIT)
			return true;
	return false;
}

void output_drain(struct output *output, int signals)
{
	while (output->log && (output->relays[0].from >= 0 || output->relays[1].from >= 0)) {
		struct pollfd fds[2 * LOG_STREAMS + 1];

		output_poll(output, fds);
		fds[2 * LOG_STREAMS] = (struct pollfd){.fd = signals, .events = POLLIN};
		if (poll(fds, 2 * LOG_STREAMS + 1, -1) < 0 && errno != EINTR)
			return;
		if (fds[2 * LOG_STREAMS].revents && told_to_end(signals))
			return;
		output_step(output, fds);
	}
}

void output_close(struct output *output)
{
	for (unsigned i = 0; i < LOG_STREAMS && output->log; i++) {
		if (output->pipes[i] >= 0)
			close(output->pipes[i]);
		output->pipes[i] = -1;
	}
}
