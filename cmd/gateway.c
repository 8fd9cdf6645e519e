/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting and ending the gateway (gateway/gateway.h). It is forked before the Sentry is, and
 * opens what it has to (published ports) and gives the rest up before it says that it is ready; so
 * whatever cannot be had ends the run at its start.
 *
 * It lives as long as the Sentry: each sees the end of their pair when the other dies. That of the
 * launcher ends it by PR_SET_PDEATHSIG.
 */
#include "cmd/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/loop.h"
#include "cmd/audit_log.h"
#include "gateway/gateway.h"
#include "sentry/confine.h"

#define END_WAIT_MS 2000
#define MESSAGE_MAX 512

static void collect_servers(const struct run_options *options, struct gateway_config *config)
{
	for (size_t i = 0; i < options->dns.count && i < GATE_SERVERS_MAX; i++) {
		if (gate_server_parse(
			    options->dns.items[i], &config->servers[config->server_count]) == 0)
			config->server_count++;
	}
	if (!options->dns.count)
		gateway_read_servers("/etc/resolv.conf", config);
}

/* ---- the child ------------------------------------------------------------------------------- */

static int observer = -1;

static void tell_observer(const char *line, size_t size)
{
	while (size > 0) {
		ssize_t put = write(observer, line, size);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			break; /* it is gone, and says why */
		line += put;
		size -= (size_t)put;
	}
}

static int prepare(struct gateway_config *config, int ready, int audit, char *message)
{
	const int keep[] = {config->control_fd, ready, audit, observer};
	const char *why = "";
	int r = confine_descriptors(keep, array_size(keep), &why);

	if (r == 0) {
		why = "the main loop";
		r = loop_init();
	}
	if (r == 0) {
		r = gateway_listen(config, message, MESSAGE_MAX);
		if (r < 0)
			return r;
		r = confine_privileges(&why);
	}
	r = r < 0 ? r : gateway_confine(config, &why);
	if (r < 0)
		(void)snprintf(message, MESSAGE_MAX, "cannot confine the gateway: %s: %s", why,
			strerror(-r));
	return r;
}

static _Noreturn void gateway_process(
	struct gateway_config *config, pid_t parent, int ready, int audit)
{
	char message[MESSAGE_MAX] = "";
	sigset_t none;
	int r;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(125);
	/* Not the terminal's: what is typed there is for the launcher. */
	(void)setsid();
	(void)prctl(PR_SET_NAME, "sentry-gateway", 0, 0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)mallopt(M_ARENA_MAX, 1);
	audit_log_use(NULL);
	if (audit >= 0)
		audit_set_fd(audit);
	if (observer >= 0)
		audit_set_observer(tell_observer);
	r = prepare(config, ready, audit, message);
	if (write(ready, message, strlen(message) + 1) < 0 || r < 0)
		_exit(125);
	close(ready);
	_exit(gateway_run(config));
}

/* ---- the parent ------------------------------------------------------------------------------ */

/* One message: "" when it is ready. */
static int wait_ready(int from)
{
	char message[MESSAGE_MAX] = "";
	ssize_t n;

	do {
		n = read(from, message, sizeof(message) - 1);
	} while (n < 0 && errno == EINTR);
	if (n == 1 && !message[0])
		return 0;
	log_error("%s", n > 0 && message[0] ? message : "the gateway could not be started");
	return -EINVAL;
}

static int make_pipe(bool wanted, int ends[2])
{
	ends[0] = ends[1] = -1;
	if (wanted && (pipe2(ends, O_CLOEXEC) < 0 || fcntl(ends[0], F_SETFL, O_NONBLOCK) < 0))
		return -errno;
	return 0;
}

static int start(const struct run_options *options, bool audit, struct gateway_process *ret)
{
	struct gateway_config config = {.rules = options->egress,
		.publish = options->publish,
		.publish_count = options->publish_count};
	int ready[2], events[2], pair[2], r;
	pid_t parent = getpid(), pid;

	collect_servers(options, &config);
	if (pipe2(ready, O_CLOEXEC) < 0)
		return -errno;
	r = make_pipe(audit, events);
	if (r < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return r < 0 ? r : -errno;
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) < 0)
		return -errno;
	config.control_fd = pair[1];
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		gateway_process(&config, parent, ready[1], events[1]);
	close(ready[1]);
	close(pair[1]);
	if (events[1] >= 0)
		close(events[1]);
	*ret = (struct gateway_process){pid, pair[0], events[0]};
	r = wait_ready(ready[0]);
	close(ready[0]);
	if (r < 0)
		(void)waitpid(pid, NULL, 0);
	return r;
}

int gateway_process_start(
	const struct run_options *options, bool audit, int observer_fd, struct gateway_process *ret)
{
	int r;

	observer = observer_fd;
	r = start(options, audit, ret);

	if (r < 0 && r != -EINVAL)
		log_error("cannot start the gateway: %s", strerror(-r));
	return r < 0 ? -EINVAL : 0;
}

int gateway_process_check(struct gateway_process *gateway, char *why, size_t why_size)
{
	int status;

	if (!gateway->pid || waitpid(gateway->pid, &status, WNOHANG) != gateway->pid)
		return 0;
	gateway->pid = 0;
	/* The Sentry was gone first. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	if (WIFSIGNALED(status))
		(void)snprintf(why, why_size,
			"the gateway was killed by signal %d (%s); the sandbox was ended with it",
			WTERMSIG(status), strsignal(WTERMSIG(status)));
	else
		(void)snprintf(why, why_size,
			"the gateway ended with status %d; the sandbox was ended with it",
			WEXITSTATUS(status));
	return 1;
}

void gateway_process_end(
	struct gateway_process *gateway, void (*drain)(void *context), void *context)
{
	struct pollfd pipe = {.fd = gateway->audit_pipe, .events = POLLIN};

	/* Its last events; the pipe ends with it. */
	while (gateway->audit_pipe >= 0 && poll(&pipe, 1, END_WAIT_MS) > 0) {
		drain(context);
		pipe.fd = gateway->audit_pipe;
	}
	for (unsigned ms = 0; gateway->pid && ms < END_WAIT_MS; ms++) {
		if (waitpid(gateway->pid, NULL, WNOHANG) == gateway->pid)
			gateway->pid = 0;
		else
			(void)poll(NULL, 0, 1);
	}
	if (gateway->pid) {
		(void)kill(gateway->pid, SIGKILL);
		(void)waitpid(gateway->pid, NULL, 0);
		gateway->pid = 0;
	}
}
