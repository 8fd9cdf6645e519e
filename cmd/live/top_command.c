/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sentry top: the screen, its keys, and the same as text for files. The terminal is used by what
 * every one of them knows (ECMA-48: cursor, erase, bold, reverse), on its alternate screen, and has
 * its mode back at the end, by a signal too.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/live/top_view.h"
#include "cmd/options.h"

static const char usage[] =
	"usage: sentry top [-d TIME] [-s cpu|memory|calls|denied|time] [-n COUNT] [-b|--once]\n"
	"\n"
	"The sandboxes that run, every TIME (default: 2s). -b, or no terminal: as text, -n times;\n"
	"--once: one look. Keys: q ends; c, m, s, d, t sort by CPU, memory, calls, denials, time; "
	"arrows\n"
	"or j and k choose a sandbox, whose calls are shown; space looks at once.\n";

struct top {
	struct top_view view;
	uint64_t delay_ns;
	unsigned long count; /* looks; 0: no end */
	bool batch;
	struct top_look before, now;
	bool has_before;
	struct termios saved;
	int signals;
};

static int parse(int argc, char **argv, struct top *top)
{
	static const struct option options[] = {{"delay", required_argument, NULL, 'd'},
		{"sort", required_argument, NULL, 's'}, {"batch", no_argument, NULL, 'b'},
		{"once", no_argument, NULL, '1'}, {"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0}};
	int option;
	char *end;

	opterr = 0;
	while ((option = getopt_long(argc, argv, "d:s:n:bh", options, NULL)) >= 0) {
		switch (option) {
		case 'd':
			if (parse_duration(optarg, &top->delay_ns) < 0 || top->delay_ns < 100000000)
				return -EINVAL;
			break;
		case 's':
			if (!top_sort_parse(optarg, &top->view.sort))
				return -EINVAL;
			break;
		case 'n':
			top->count = strtoul(optarg, &end, 10);
			if (*optarg < '1' || *optarg > '9' || *end)
				return -EINVAL;
			break;
		case '1':
			top->count = 1;
			top->batch = true;
			break;
		case 'b':
			top->batch = true;
			break;
		default:
			return option == 'h' ? 1 : -EINVAL;
		}
	}
	return optind < argc ? -EINVAL : 0;
}

static double monotonic(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int look(struct top *top)
{
	struct top_look now = {.when = monotonic()};
	int r = state_read(&now.list);

	if (r < 0)
		return r;
	if (top->has_before)
		state_list_free(&top->before.list);
	top->has_before = top->now.when > 0;
	top->before = top->now;
	top->now = now;
	return 0;
}

/* ---- the screen ------------------------------------------------------------------------------ */

static void say(const char *text)
{
	fputs(text, stdout);
	fflush(stdout);
}

static void draw(struct top *top)
{
	struct winsize size;
	const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0;

	top->view.rows = known && size.ws_row ? size.ws_row : 24;
	top->view.columns = known && size.ws_col ? size.ws_col : 80;
	fputs("\x1b[H", stdout);
	top_print(&top->view, top->has_before ? &top->before : NULL, &top->now, stdout);
	say("\x1b[J");
}

/* True: it is the end. Arrows come as ESC [ A. */
static bool take_keys(struct top *top, bool *ret_look)
{
	char keys[64];
	ssize_t n = read(STDIN_FILENO, keys, sizeof(keys));

	if (n <= 0)
		return n == 0 || errno != EINTR;
	for (ssize_t i = 0; i < n; i++) {
		char key = keys[i];

		if (key == '\x1b' && i + 2 < n && (keys[i + 1] == '[' || keys[i + 1] == 'O')) {
			key = keys[i + 2] == 'A' ? 'k' : keys[i + 2] == 'B' ? 'j' : 0;
			i += 2;
		}
		if (key == 'q' || key == 'Q' || key == 3 || key == 4)
			return true;
		if (key == 'j')
			top->view.chosen++;
		if (key == 'k' && top->view.chosen > 0)
			top->view.chosen--;
		for (unsigned s = 0; s < TOP_SORTS; s++)
			if (key == "cmsdt"[s])
				top->view.sort = (enum top_sort)s;
		*ret_look |= key == ' ';
	}
	return false;
}

/* False: a signal ends it. */
static bool take_signals(const struct top *top)
{
	struct signalfd_siginfo info;

	while (read(top->signals, &info, sizeof(info)) == sizeof(info))
		if (info.ssi_signo != SIGWINCH)
			return false;
	return true;
}

/* Until the next look is due. True: it is the end. */
static bool wait_on_screen(struct top *top)
{
	const double until = monotonic() + (double)top->delay_ns / 1e9;
	bool at_once = false;

	while (!at_once) {
		struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			{.fd = top->signals, .events = POLLIN}};
		const double left = until - monotonic();

		if (left <= 0)
			return false;
		if (poll(fds, 2, (int)(left * 1000) + 1) <= 0)
			continue;
		if (fds[1].revents && !take_signals(top))
			return true;
		if (fds[0].revents && take_keys(top, &at_once))
			return true;
		draw(top);
	}
	return false;
}

static void open_screen(struct top *top)
{
	struct termios raw;
	sigset_t set;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	top->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	raw = top->saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
	/* Complaints about files would end up between the lines. */
	if (null >= 0)
		log_set_fd(null);
	say("\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J");
}

static int run_screen(struct top *top)
{
	int r = 0;

	open_screen(top);
	for (unsigned long n = 0; r == 0 && (!top->count || n < top->count); n++) {
		r = look(top);
		if (r < 0)
			break;
		draw(top);
		if (wait_on_screen(top))
			break;
	}
	say("\x1b[?25h\x1b[?1049l");
	(void)tcsetattr(STDIN_FILENO, TCSADRAIN, &top->saved);
	log_set_fd(STDERR_FILENO);
	if (r < 0)
		log_error("top: the running sandboxes cannot be read: %s", strerror(-r));
	return r;
}

/* ---- text ------------------------------------------------------------------------------------ */

static int run_batch(struct top *top)
{
	top->view.columns = 512;
	for (unsigned long n = 0; !top->count || n < top->count; n++) {
		int r;

		if (n > 0) {
			const struct timespec delay = {(time_t)(top->delay_ns / 1000000000),
				(long)(top->delay_ns % 1000000000)};

			(void)nanosleep(&delay, NULL);
			putchar('\n');
		}
		r = look(top);
		if (r < 0)
			return r;
		top_print(&top->view, top->has_before ? &top->before : NULL, &top->now, stdout);
		if (fflush(stdout) != 0)
			return -errno;
	}
	return 0;
}

int command_top(int argc, char **argv)
{
	struct top top = {.view.chosen = 0, .delay_ns = 2000000000, .signals = -1};
	int r = parse(argc, argv, &top);

	if (r != 0) {
		fputs(usage, r > 0 ? stdout : stderr);
		return r > 0 ? 0 : 125;
	}
	if (!isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &top.saved) < 0)
		top.batch = true;
	top.view.marks = !top.batch;
	top.view.colour = !top.batch && !(getenv("NO_COLOR") && *getenv("NO_COLOR"));
	r = top.batch ? run_batch(&top) : run_screen(&top);
	if (top.has_before)
		state_list_free(&top.before.list);
	state_list_free(&top.now.list);
	return r < 0 ? 125 : 0;
}
