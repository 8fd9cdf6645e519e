/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "abi/signal.h"
#include "sentry/tty/ldisc.h"

/* Bytes in, bytes out: what is expected was taken from Linux. */

static struct ldisc ldisc;
static int last_signal, stops, starts, input_flushes, output_flushes;

static void on_signal(struct ldisc *self, int signo)
{
	last_signal = signo;
}

static void on_flow(struct ldisc *self, bool stopped)
{
	stops += stopped;
	starts += !stopped;
}

static void on_flushed(struct ldisc *self, bool input, bool output)
{
	input_flushes += input;
	output_flushes += output;
}

static const struct ldisc_events events = {
	.signal = on_signal, .flow = on_flow, .flushed = on_flushed};

#define USUAL_LOCAL                                                                                \
	(LX_ISIG | LX_ICANON | LX_ECHO | LX_ECHOE | LX_ECHOK | LX_ECHOCTL | LX_ECHOKE | LX_IEXTEN)
#define USUAL_INPUT  (LX_ICRNL | LX_IXON)
#define USUAL_OUTPUT (LX_OPOST | LX_ONLCR)

static void set_up(uint32_t iflag, uint32_t oflag, uint32_t lflag)
{
	struct lx_termios2 termios;

	last_signal = stops = starts = input_flushes = output_flushes = 0;
	ldisc_init(&ldisc, &events);
	termios = ldisc.termios;
	termios.c_iflag = iflag;
	termios.c_oflag = oflag;
	termios.c_lflag = lflag;
	ldisc_set_termios(&ldisc, &termios);
}

static void usual(void)
{
	set_up(USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL);
}

static size_t feed(const char *text)
{
	return ldisc_receive(&ldisc, (const uint8_t *)text, strlen(text));
}

static const char *output(void)
{
	static char text[LDISC_OUTPUT_SIZE + 1];

	text[ldisc_take_output(&ldisc, (uint8_t *)text, LDISC_OUTPUT_SIZE)] = '\0';
	return text;
}

static const char *line(void)
{
	static char text[LDISC_INPUT_SIZE + 1];
	bool end;

	text[ldisc_read(&ldisc, (uint8_t *)text, LDISC_INPUT_SIZE, &end)] = '\0';
	return text;
}

static const struct {
	const char *name;
	uint32_t iflag, oflag, lflag;
	const char *typed, *echo, *line;
} rows[] = {
	{"plain", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL, "ab\r", "ab\r\n", "ab\n"},
	{"erase", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL, "abc\177\177x\n", "abc\b \b\b \bx\r\n",
		"ax\n"},
	{"erase beyond the start", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL, "a\177\177\177b\n",
		"a\b \bb\r\n", "b\n"},
	{"erase a control character", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL, "\001\177\n",
		"^A\b \b\b \b\r\n", "\n"},
	{"erase a tab", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL, "ab\t\177\n",
		"ab\t\b\b\b\b\b\b\r\n", "ab\n"},
	{"erase UTF-8", USUAL_INPUT | LX_IUTF8, USUAL_OUTPUT, USUAL_LOCAL, "\303\244\177b\n",
		"\303\244\b \bb\r\n", "b\n"},
	{"word", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL, "a bc \027\n", "a bc \b \b\b \b\b \b\r\n",
		"a \n"},
	{"kill", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL, "ab\025c\n", "ab\b \b\b \bc\r\n", "c\n"},
	{"kill with a new line", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL & ~LX_ECHOKE, "ab\025c\n",
		"ab^U\r\nc\r\n", "c\n"},
	{"reprint", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL, "ab\022c\n", "ab^R\r\nabc\r\n",
		"abc\n"},
	{"literal", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL, "\026\003\n", "^\b^C\r\n", "\003\n"},
	{"paper", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL | LX_ECHOPRT, "ab\177c\n", "ab\\b/c\r\n",
		"ac\n"},
	{"end of file after text", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL, "ab\004", "ab", "ab"},
	{"no echo", USUAL_INPUT, USUAL_OUTPUT, LX_ICANON, "ab\177\n", "", "a\n"},
	{"only newlines", USUAL_INPUT, USUAL_OUTPUT, LX_ICANON | LX_ECHONL, "ab\n", "\r\n", "ab\n"},
	{"raw echo", 0, 0, LX_ECHO, "a\r\003", "a\r\003", "a\r\003"},
	{"carriage returns ignored", LX_IGNCR, 0, LX_ICANON, "a\rb\n", "", "ab\n"},
	{"newline to return", LX_INLCR, 0, 0, "a\n", "", "a\r"},
	{"lower case", LX_IUCLC, 0, LX_ICANON | LX_IEXTEN, "AbC\n", "", "abc\n"},
	{"seven bits", LX_ISTRIP, 0, 0, "\341", "", "a"},
	{"marks doubled", LX_PARMRK, 0, 0, "a\377b", "", "a\377\377b"},
	{"edited elsewhere", USUAL_INPUT, USUAL_OUTPUT, USUAL_LOCAL | LX_EXTPROC, "a\177\003", "",
		"a\177\003"},
};

Test(ldisc, rows)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		set_up(rows[i].iflag, rows[i].oflag, rows[i].lflag);
		cr_expect_eq(feed(rows[i].typed), strlen(rows[i].typed), "%s", rows[i].name);
		cr_expect_str_eq(output(), rows[i].echo, "%s", rows[i].name);
		cr_expect_str_eq(line(), rows[i].line, "%s", rows[i].name);
	}
}

static const struct {
	uint32_t oflag;
	const char *written, *shown;
} output_rows[] = {
	{0, "a\n", "a\n"},
	{LX_ONLCR, "a\n", "a\n"},
	{LX_OPOST | LX_ONLCR, "a\nb", "a\r\nb"},
	{LX_OPOST | LX_OCRNL, "a\rb", "a\nb"},
	{LX_OPOST | LX_ONOCR, "\ra\r\rb", "a\rb"},
	{LX_OPOST | LX_OLCUC, "aZ1\344", "AZ1\304"},
	{LX_OPOST | LX_XTABS, "a\tb\b\tc", "a       b\b        c"},
	{LX_OPOST | LX_ONLRET | LX_XTABS, "ab\n\tc", "ab\n        c"},
	{LX_OPOST | LX_XTABS, "ab\n\tc", "ab\n      c"},
};

Test(ldisc, output_rows)
{
	for (size_t i = 0; i < sizeof(output_rows) / sizeof(output_rows[0]); i++) {
		const char *text = output_rows[i].written;

		set_up(0, output_rows[i].oflag, 0);
		cr_expect_eq(
			ldisc_write(&ldisc, (const uint8_t *)text, strlen(text)), strlen(text));
		cr_expect_str_eq(output(), output_rows[i].shown, "row %zu", i);
	}
}

Test(ldisc, signals_and_their_flush)
{
	usual();
	feed("abc\003");
	cr_expect_eq(last_signal, LX_SIGINT);
	cr_expect_eq(input_flushes, 1);
	cr_expect_str_eq(output(), "^C"); /* echoes of the same batch go too */
	feed("\n");
	cr_expect_str_eq(line(), "\n");
	feed("\034");
	cr_expect_eq(last_signal, LX_SIGQUIT);
	feed("\032");
	cr_expect_eq(last_signal, LX_SIGTSTP);
}

Test(ldisc, stop_holds_output_and_echo)
{
	usual();
	feed("\023ab");
	cr_expect_eq(stops, 1);
	cr_expect(!ldisc_writable(&ldisc));
	cr_expect_eq(ldisc_write(&ldisc, (const uint8_t *)"x", 1), 0);
	cr_expect_str_eq(output(), "");
	feed("\021");
	cr_expect_eq(starts, 1);
	cr_expect_str_eq(output(), "ab");
	cr_expect_eq(ldisc_write(&ldisc, (const uint8_t *)"x", 1), 1);
}

Test(ldisc, end_of_file_marks)
{
	uint8_t bytes[8];
	bool end;

	usual();
	feed("\004");
	cr_expect(ldisc_readable(&ldisc, false));
	cr_expect_eq(ldisc_input_size(&ldisc), 0);
	cr_expect_eq(ldisc_read(&ldisc, bytes, sizeof(bytes), &end), 0);
	cr_expect(end);
	cr_expect(!ldisc_readable(&ldisc, false));
	/* A read that the line fills takes the mark along. */
	feed("abc\004");
	cr_expect_eq(ldisc_read(&ldisc, bytes, 3, &end), 3);
	cr_expect(end);
	cr_expect(!ldisc_readable(&ldisc, false));
}

Test(ldisc, the_longest_line)
{
	static char text[LDISC_INPUT_SIZE + 100];

	set_up(USUAL_INPUT, 0, LX_ICANON);
	memset(text, 'x', sizeof(text) - 1);
	cr_expect_eq(feed(text), sizeof(text) - 1);
	cr_expect(!ldisc_readable(&ldisc, false));
	feed("\n");
	cr_expect_eq(strlen(line()), LDISC_INPUT_SIZE);
	/* Without lines nothing is replaced: the rest has to wait. */
	set_up(0, 0, 0);
	cr_expect_eq(feed(text), LDISC_INPUT_SIZE - 1);
	cr_expect_eq(feed("y"), 0);
	cr_expect_eq(strlen(line()), LDISC_INPUT_SIZE - 1);
	cr_expect_eq(feed("y"), 1);
}

Test(ldisc, output_has_an_end)
{
	static uint8_t text[LDISC_OUTPUT_SIZE * 2];
	size_t taken;

	set_up(0, USUAL_OUTPUT, 0);
	memset(text, '\n', sizeof(text));
	taken = ldisc_write(&ldisc, text, sizeof(text));
	cr_expect(taken > LDISC_OUTPUT_SIZE / 2 - 8 && taken <= LDISC_OUTPUT_SIZE / 2);
	cr_expect_eq(ldisc_write(&ldisc, text, 1), 0);
	cr_expect_eq(strlen(output()), taken * 2);
}

Test(ldisc, modes_change_under_bytes)
{
	struct lx_termios2 termios;

	usual();
	feed("one\ntwo");
	termios = ldisc.termios;
	termios.c_lflag = 0;
	ldisc_set_termios(&ldisc, &termios);
	cr_expect_str_eq(line(), "one\ntwo");
	feed("three");
	termios.c_lflag = LX_ICANON;
	ldisc_set_termios(&ldisc, &termios);
	cr_expect_str_eq(line(), "three");
}

/* Whatever is typed in whatever mode: positions stay in order, queues within their bounds. */
Test(ldisc, any_bytes_in_any_mode)
{
	uint8_t bytes[64];
	bool end;

	srandom(1);
	usual();
	for (int round = 0; round < 20000; round++) {
		struct lx_termios2 termios = ldisc.termios;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(random() % 3 ? random() % 32 : random());
		switch (random() % 8) {
		case 0:
			termios.c_iflag = (uint32_t)random();
			termios.c_oflag = (uint32_t)random();
			termios.c_lflag = (uint32_t)random();
			termios.c_cc[random() % LX_NCCS] = (uint8_t)random();
			ldisc_set_termios(&ldisc, &termios);
			break;
		case 1:
		case 2:
			(void)ldisc_write(&ldisc, bytes, sizeof(bytes));
			break;
		case 3:
			(void)ldisc_read(&ldisc, bytes, (size_t)random() % 64, &end);
			break;
		case 4:
			(void)ldisc_take_output(&ldisc, bytes, sizeof(bytes));
			break;
		default:
			(void)ldisc_receive(&ldisc, bytes, sizeof(bytes));
		}
		cr_assert(ldisc.head - ldisc.tail <= LDISC_INPUT_SIZE, "round %d", round);
		cr_assert(ldisc.canon_head - ldisc.tail <= ldisc.head - ldisc.tail, "round %d",
			round);
		cr_assert(ldisc.output.size <= LDISC_OUTPUT_SIZE);
		cr_assert(ldisc.echo.size <= LDISC_ECHO_SIZE);
	}
}
