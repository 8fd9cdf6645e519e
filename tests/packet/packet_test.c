/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plays scripts of segments and user calls against one TCP connection, in virtual time.
 *
 * usage: packet_test FILE...		the language: docs/packet-scripts.md
 *
 * What the connection sends has to be in the script, at the time that the script says: a segment
 * too many, too few, too early or too late is a failure, and so is one that differs in what its
 * line names. Payload is a pattern of its place in the stream, both ways, and always checked.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "netstack/tcp.h"

#define SEC	    INT64_C(1000000000)
#define MSEC	    INT64_C(1000000)
#define START	    (1000 * SEC)
#define ISS	    0xffffff00u /* both sides wrap around early */
#define PEER_ISS    0xfffffe80u
#define WORDS_MAX   32
#define QUEUE_MAX   4096
#define PAYLOAD_MAX (1u << 20)

struct sent_segment {
	int64_t at;
	struct tcp_segment segment;
};

struct player {
	const char *file, *test;
	int line;
	bool failed, open, listening;
	struct tcp tcp;
	struct tcp_config config;
	int64_t now;
	uint32_t written, taken; /* bytes of both streams, for the pattern */
	uint32_t events;
	struct sent_segment *queue;
	unsigned first, count;
};

static unsigned tests_passed, tests_failed;

static void __attribute__((format(printf, 2, 3))) fail(struct player *p, const char *format, ...)
{
	va_list args;

	if (p->failed)
		return;
	p->failed = true;
	printf("FAIL %s:%d (%s) at %.6f: ", p->file, p->line, p->test,
		(double)(p->now - START) / SEC);
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	printf("\n");
}

/* Byte @at of either stream. */
static unsigned char pattern(uint32_t at)
{
	return (unsigned char)(at * 31 + (at >> 8) + 7);
}

static const char *describe(const struct tcp_segment *s)
{
	static char text[512];
	uint32_t seq = s->seq - ISS, end = seq + s->payload.size;
	int n = 0;

	for (unsigned i = 0; i < 6; i++) {
		if (s->flags & (1u << i))
			n += snprintf(text + n, sizeof(text) - n, "%c", "FSRP.U"[i]);
	}
	n += snprintf(text + n, sizeof(text) - n, " %u", seq);
	if (end != seq)
		n += snprintf(text + n, sizeof(text) - n, ":%u", end);
	if (s->flags & TCP_ACK)
		n += snprintf(text + n, sizeof(text) - n, " ack %u", s->ack - PEER_ISS);
	n += snprintf(text + n, sizeof(text) - n, " win %u", s->window);
	if (s->flags & TCP_URG)
		n += snprintf(text + n, sizeof(text) - n, " urg %u", s->urgent);
	if (s->mss)
		n += snprintf(text + n, sizeof(text) - n, " mss %u", s->mss);
	if (s->wscale != TCP_NO_WSCALE)
		n += snprintf(text + n, sizeof(text) - n, " wscale %u", s->wscale);
	if (s->sack_permitted)
		n += snprintf(text + n, sizeof(text) - n, " sackok");
	if (s->has_timestamp)
		n += snprintf(
			text + n, sizeof(text) - n, " ts %u:%u", s->timestamp, s->timestamp_echo);
	for (unsigned i = 0; i < s->sack_count; i++)
		n += snprintf(text + n, sizeof(text) - n, "%s%u:%u", i ? "," : " sack ",
			s->sack[i].start - PEER_ISS, s->sack[i].end - PEER_ISS);
	return text;
}

/* ---- the machine -------------------------------------------------------------------------------
 */

static void collect(struct player *p)
{
	struct tcp_segment segment;
	int more;

	while ((more = tcp_output(&p->tcp, p->now, &segment)) > 0) {
		if (p->count == QUEUE_MAX) {
			fail(p, "sends without end");
			netbuf_queue_clear(&segment.payload);
			return;
		}
		p->queue[(p->first + p->count++) % QUEUE_MAX] =
			(struct sent_segment){.at = p->now, .segment = segment};
	}
	if (more < 0)
		fail(p, "tcp_output: error %d", more);
	p->events |= tcp_take_events(&p->tcp);
}

/* Lets time pass, with all timers on the way. */
static void advance(struct player *p, int64_t to)
{
	unsigned turns = 0;

	while (p->open && tcp_deadline(&p->tcp) <= to) {
		if (tcp_deadline(&p->tcp) > p->now)
			p->now = tcp_deadline(&p->tcp);
		tcp_timer(&p->tcp, p->now);
		collect(p);
		if (++turns > 10000) {
			fail(p, "its timers never rest");
			return;
		}
	}
	p->now = to;
}

static void drop_first(struct player *p)
{
	netbuf_queue_clear(&p->queue[p->first].segment.payload);
	p->first = (p->first + 1) % QUEUE_MAX;
	p->count--;
}

static void expect_silence(struct player *p)
{
	if (p->count > 0)
		fail(p, "unexpected segment, sent at %.6f: %s",
			(double)(p->queue[p->first].at - START) / SEC,
			describe(&p->queue[p->first].segment));
}

/* ---- lines -------------------------------------------------------------------------------------
 */

static bool is(const char *word, const char *name)
{
	return word && strcmp(word, name) == 0;
}

static uint32_t number(struct player *p, const char *word)
{
	char *end;
	long long value;

	if (!word) {
		fail(p, "a number is missing");
		return 0;
	}
	value = strtoll(word, &end, 0);
	if (*end == 'k' || *end == 'M') {
		value *= *end == 'k' ? 1024 : 1024 * 1024;
		end++;
	}
	if (end == word || *end)
		fail(p, "%s is no number", word);
	return (uint32_t)value;
}

/* "100:300" or "100". */
static void range(struct player *p, char *word, uint32_t *ret_start, uint32_t *ret_end)
{
	char *colon = word ? strchr(word, ':') : NULL;

	if (colon)
		*colon = '\0';
	*ret_start = number(p, word);
	*ret_end = colon ? number(p, colon + 1) : *ret_start;
	if (colon)
		*colon = ':';
}

static uint8_t flags(struct player *p, const char *word)
{
	static const char letters[] = "FSRP.U";
	uint8_t bits = 0;

	for (; word && *word; word++) {
		const char *at = strchr(letters, *word);

		if (*word == '-')
			continue;
		if (!at) {
			fail(p, "%c is no flag", *word);
			return 0;
		}
		bits |= (uint8_t)(1u << (at - letters));
	}
	return bits;
}

/* What a line says of a segment; `named` tells which fields it names. */
struct line_segment {
	struct tcp_segment segment;
	uint32_t size;
	bool ack, window, urgent, mss, wscale, sackok, timestamp, sack;
};

static void parse_sack(struct player *p, char *word, struct line_segment *line, uint32_t base)
{
	char *save = NULL;

	line->sack = true;
	if (is(word, "none"))
		return;
	for (char *part = strtok_r(word, ",", &save); part; part = strtok_r(NULL, ",", &save)) {
		struct tcp_range *range_ = &line->segment.sack[line->segment.sack_count];

		if (line->segment.sack_count == TCP_SACK_BLOCKS_MAX) {
			fail(p, "too many blocks");
			return;
		}
		range(p, part, &range_->start, &range_->end);
		range_->start += base;
		range_->end += base;
		line->segment.sack_count++;
	}
}

/* @base is the sender's ISS, @other the receiver's. */
static void parse_segment(
	struct player *p, char **words, struct line_segment *line, uint32_t base, uint32_t other)
{
	struct tcp_segment *s = &line->segment;
	uint32_t end;

	*line = (struct line_segment){.segment.wscale = TCP_NO_WSCALE};
	s->flags = flags(p, words[0]);
	range(p, words[1], &s->seq, &end);
	line->size = end - s->seq;
	s->seq += base;
	for (char **w = words + 2; !p->failed && *w;) {
		if (is(*w, "ack") && ++w) {
			line->ack = true;
			s->ack = number(p, *w) + other;
		} else if (is(*w, "win") && ++w) {
			line->window = true;
			s->window = (uint16_t)number(p, *w);
		} else if (is(*w, "urg") && ++w) {
			line->urgent = true;
			s->urgent = (uint16_t)number(p, *w);
		} else if (is(*w, "mss") && ++w) {
			line->mss = true;
			s->mss = (uint16_t)number(p, *w);
		} else if (is(*w, "wscale") && ++w) {
			line->wscale = true;
			s->wscale = is(*w, "none") ? TCP_NO_WSCALE : (uint8_t)number(p, *w);
		} else if (is(*w, "sackok")) {
			line->sackok = s->sack_permitted = true;
		} else if (is(*w, "nosackok")) {
			line->sackok = true;
		} else if (is(*w, "ts") && ++w) {
			line->timestamp = true;
			s->has_timestamp = !is(*w, "none");
			if (s->has_timestamp)
				range(p, *w, &s->timestamp, &s->timestamp_echo);
		} else if (is(*w, "sack") && ++w) {
			parse_sack(p, *w, line, other);
		} else {
			fail(p, "what is %s?", *w);
			return;
		}
		w++;
	}
}

static void apply_config(struct player *p)
{
	if (p->open)
		return;
	tcp_init(&p->tcp, &p->config);
	p->open = true;
}

/* < FLAGS SEQ[:END] ...: a segment comes in. */
static void inject(struct player *p, char **words)
{
	struct line_segment line;
	struct tcp_segment *s = &line.segment;

	parse_segment(p, words, &line, PEER_ISS, ISS);
	if (line.size > PAYLOAD_MAX)
		fail(p, "too large");
	if (p->failed)
		return;
	for (uint32_t i = 0; i < line.size; i++) {
		unsigned char byte = pattern(s->seq + i - PEER_ISS + !!(s->flags & TCP_SYN));

		netbuf_append(&s->payload, &byte, 1);
	}
	if (p->listening && (s->flags & TCP_SYN) && p->tcp.state == TCP_CLOSED) {
		p->listening = false;
		tcp_accept_syn(&p->tcp, s, p->now);
		netbuf_queue_clear(&s->payload);
	} else if (tcp_input(&p->tcp, s, p->now)) {
		netbuf_queue_clear(&s->payload);
	}
	collect(p);
}

static void check_payload(struct player *p, struct tcp_segment *s)
{
	uint32_t seq = s->seq - ISS + !!(s->flags & TCP_SYN);

	for (uint32_t i = 0; i < s->payload.size; i++) {
		unsigned char byte;

		netbuf_peek(&s->payload, i, &byte, 1);
		if (byte != pattern(seq + i)) {
			fail(p, "byte %u of the stream is wrong", seq + i);
			return;
		}
	}
}

/* > FLAGS SEQ[:END] ...: a segment must have gone out now. */
static void expect_segment(struct player *p, char **words)
{
	struct line_segment line;
	struct tcp_segment *want = &line.segment, *got;

	parse_segment(p, words, &line, ISS, PEER_ISS);
	if (p->failed)
		return;
	if (p->count == 0) {
		fail(p, "sent nothing");
		return;
	}
	got = &p->queue[p->first].segment;
	if (p->queue[p->first].at != p->now) {
		fail(p, "sent at another time, %.6f: %s",
			(double)(p->queue[p->first].at - START) / SEC, describe(got));
		return;
	}
	if ((got->flags & ~TCP_PSH) != (want->flags & ~TCP_PSH) || got->seq != want->seq ||
		((want->flags & TCP_PSH) && !(got->flags & TCP_PSH)) ||
		got->payload.size != line.size || (line.ack && got->ack != want->ack) ||
		(line.window && got->window != want->window) ||
		(line.urgent && got->urgent != want->urgent) ||
		(line.mss && got->mss != want->mss) ||
		(line.wscale && got->wscale != want->wscale) ||
		(line.sackok && got->sack_permitted != want->sack_permitted) ||
		(line.timestamp && (got->has_timestamp != want->has_timestamp ||
					   got->timestamp != want->timestamp ||
					   got->timestamp_echo != want->timestamp_echo)) ||
		(line.sack && (got->sack_count != want->sack_count ||
				      memcmp(got->sack, want->sack,
					      sizeof(got->sack[0]) * got->sack_count) != 0)))
		fail(p, "sent otherwise: %s", describe(got));
	check_payload(p, got);
	drop_first(p);
}

static void user_send(struct player *p, char **words)
{
	struct netbuf_queue data = {0};
	uint32_t size = number(p, words[1]);
	bool urgent = false, more = false;
	int err;

	for (char **w = words + 2; *w; w++) {
		urgent |= is(*w, "urgent");
		more |= is(*w, "more");
	}
	for (uint32_t i = 0; i < size && size <= PAYLOAD_MAX * 16; i++) {
		unsigned char byte = pattern(1 + p->written + i);

		netbuf_append(&data, &byte, 1);
	}
	err = tcp_send(&p->tcp, &data, urgent, more, p->now);
	if (err < 0) {
		netbuf_queue_clear(&data);
		if (!is(words[2], "fails"))
			fail(p, "send: error %d", err);
		return;
	}
	if (is(words[2], "fails"))
		fail(p, "it was sent");
	p->written += size;
	collect(p);
}

/* read N: exactly so many can be read in one go now. */
static void user_read(struct player *p, const char *word)
{
	uint32_t skip, size = tcp_receivable(&p->tcp, &skip),
		       want = is(word, "all") ? size : number(p, word);

	if (size < want) {
		fail(p, "only %u bytes can be read", size);
		return;
	}
	for (uint32_t i = 0; i < want; i++) {
		unsigned char byte;

		netbuf_peek(&p->tcp.receive, skip + i, &byte, 1);
		if (byte != pattern(1 + p->taken + skip + i)) {
			fail(p, "byte %u of what came is wrong", p->taken + skip + i);
			return;
		}
	}
	p->taken += skip + want;
	tcp_received(&p->tcp, skip + want, p->now);
	collect(p);
}

static const struct {
	const char *name;
	uint32_t bit;
} event_names[] = {
	{"connected", TCP_EVENT_CONNECTED},
	{"readable", TCP_EVENT_READABLE},
	{"writable", TCP_EVENT_WRITABLE},
	{"urgent", TCP_EVENT_URGENT},
	{"error", TCP_EVENT_ERROR},
	{"closed", TCP_EVENT_CLOSED},
};

static int error_number(const char *name)
{
	static const struct {
		const char *name;
		int number;
	} errors[] = {
		{"none", 0},
		{"ETIMEDOUT", ETIMEDOUT},
		{"ECONNRESET", ECONNRESET},
		{"ECONNREFUSED", ECONNREFUSED},
		{"EPIPE", EPIPE},
		{"EHOSTUNREACH", EHOSTUNREACH},
	};

	for (size_t i = 0; i < array_size(errors); i++) {
		if (is(name, errors[i].name))
			return errors[i].number;
	}
	return -1;
}

/* Values of the connection that scripts may ask for. */
static bool value_of(struct player *p, const char *name, int64_t *ret_value)
{
	const struct tcp *tcp = &p->tcp;
	uint32_t skip;
	const struct {
		const char *name;
		int64_t value;
	} values[] = {
		{"readable", tcp_receivable(tcp, &skip)},
		{"queued", tcp->send.size},
		{"early", tcp->out_of_order_size},
		{"space", tcp_send_space(tcp)},
		{"cwnd", tcp->cwnd},
		{"ssthresh", tcp->ssthresh},
		{"mss", tcp->mss},
		{"flight", tcp->in_flight},
		{"atmark", tcp_at_mark(tcp)},
		{"atend", tcp_at_end(tcp)},
		{"retransmitted", (int64_t)tcp->counters.retransmitted},
		{"challenges", tcp->counters.challenges},
		{"paws", tcp->counters.paws_drops},
		{"recovery", tcp->recovery},
		{"buffer", tcp->config.receive_buffer},
		{"srtt", tcp->srtt / 1000},
		{"rto", tcp->rto / MSEC},
		{"islands", tcp->island_count},
		{"peerwindow", tcp->snd_wnd},
		{"lost", tcp->lost_count},
		{"sacked", tcp->sacked_count},
		{"sent", tcp->sent_count},
		{"backoff", tcp->backoff},
		{"rttvar", tcp->rttvar / 1000},
		{"minrtt", tcp->min_rtt == INT64_MAX ? -1 : tcp->min_rtt / 1000},
		{"reordering", tcp->reordering_seen},
		{"timeouts", tcp->counters.timeouts},
	};

	for (size_t i = 0; i < array_size(values); i++) {
		if (is(name, values[i].name)) {
			*ret_value = values[i].value;
			return true;
		}
	}
	return false;
}

static void expect_value(struct player *p, char **words)
{
	int64_t value = 0;

	if (is(words[1], "state")) {
		if (!is(words[2], tcp_state_name(p->tcp.state)))
			fail(p, "the state is %s", tcp_state_name(p->tcp.state));
	} else if (is(words[1], "error")) {
		if (p->tcp.error != error_number(words[2]))
			fail(p, "the error is %d", p->tcp.error);
	} else if (is(words[1], "event") || is(words[1], "noevent")) {
		bool found = false;

		for (size_t i = 0; i < array_size(event_names); i++) {
			if (!is(words[2], event_names[i].name))
				continue;
			found = true;
			if (!(p->events & event_names[i].bit) == is(words[1], "event"))
				fail(p, "the events are %#x", p->events);
			p->events &= ~event_names[i].bit;
		}
		if (!found)
			fail(p, "no such event");
	} else if (!value_of(p, words[1], &value)) {
		fail(p, "%s is no value", words[1]);
	} else if (value != (int64_t)number(p, words[2])) {
		fail(p, "%s is %" PRId64, words[1], value);
	}
}

/* urgent VALUE|EAGAIN|EINVAL: what recv(MSG_OOB) has. */
static void user_urgent(struct player *p, const char *word)
{
	uint8_t byte = 0;
	int rc = tcp_receive_urgent(&p->tcp, false, &byte);

	if (is(word, "EAGAIN") || is(word, "EINVAL")) {
		if (rc != (is(word, "EAGAIN") ? -EAGAIN : -EINVAL))
			fail(p, "it returned %d", rc);
	} else if (rc != 1 || byte != pattern(number(p, word))) {
		fail(p, "it returned %d, byte %u", rc, byte);
	}
}

static void set_option(struct player *p, const char *name, const char *value)
{
	uint32_t n = number(p, value);

	if (is(name, "nodelay"))
		p->tcp.nodelay = n;
	else if (is(name, "cork"))
		p->tcp.cork = n;
	else if (is(name, "keepalive"))
		p->tcp.keepalive = n;
	else if (is(name, "keepidle"))
		p->tcp.keepalive_idle = n * SEC;
	else if (is(name, "keepintvl"))
		p->tcp.keepalive_interval = n * SEC;
	else if (is(name, "keepcnt"))
		p->tcp.keepalive_count = n;
	else if (is(name, "usertimeout"))
		p->tcp.user_timeout = n * MSEC;
	else if (is(name, "noreader"))
		p->tcp.no_reader = n;
	else if (is(name, "oobinline"))
		p->tcp.oob_inline = n;
	else if (is(name, "quickack"))
		p->tcp.quick_acks = n;
	else if (is(name, "synretries"))
		p->tcp.syn_retries = n;
	else if (is(name, "retries"))
		p->tcp.retries = n;
	else
		fail(p, "no such option");
	tcp_options_changed(&p->tcp, p->now);
	collect(p);
}

static void configure(struct player *p, char **words)
{
	for (char **w = words + 1; *w && !p->failed; w++) {
		if (is(*w, "nosack"))
			p->config.no_sack = true;
		else if (is(*w, "nots"))
			p->config.no_timestamps = true;
		else if (is(*w, "nowscale"))
			p->config.no_wscale = true;
		else if (is(*w, "reno"))
			p->config.no_cubic = true;
		else if (is(*w, "mss"))
			p->config.mss = (uint16_t)number(p, *++w);
		else if (is(*w, "rcvbuf"))
			p->config.receive_buffer = p->config.receive_buffer_max = number(p, *++w);
		else if (is(*w, "rcvbufmax"))
			p->config.receive_buffer_max = number(p, *++w);
		else if (is(*w, "sndbuf"))
			p->config.send_buffer = number(p, *++w);
		else
			fail(p, "what is %s?", *w);
	}
}

static void command(struct player *p, char **words)
{
	apply_config(p);
	if (is(words[0], "connect"))
		tcp_connect(&p->tcp, p->now);
	else if (is(words[0], "listen"))
		p->listening = true;
	else if (is(words[0], "send"))
		user_send(p, words);
	else if (is(words[0], "read"))
		user_read(p, words[1]);
	else if (is(words[0], "urgent"))
		user_urgent(p, words[1]);
	else if (is(words[0], "shutdown"))
		tcp_shutdown(&p->tcp, p->now);
	else if (is(words[0], "close"))
		tcp_close(&p->tcp, p->now);
	else if (is(words[0], "abort"))
		tcp_abort(&p->tcp, p->now);
	else if (is(words[0], "pathmss"))
		tcp_path_mss(&p->tcp, (uint16_t)number(p, words[1]));
	else if (is(words[0], "unreachable"))
		tcp_unreachable(&p->tcp, EHOSTUNREACH, p->now);
	else if (is(words[0], "set"))
		set_option(p, words[1], words[2]);
	else if (is(words[0], "expect"))
		expect_value(p, words);
	else if (is(words[0], "skip")) {
		/* What has gone out so far is not looked at. */
		while (p->count > 0)
			drop_first(p);
	} else if (!is(words[0], "wait"))
		fail(p, "what is %s?", words[0]);
	collect(p);
}

static void play_line(struct player *p, char *text)
{
	char *words[WORDS_MAX + 1] = {0}, *save = NULL, **rest;
	unsigned count = 0;
	int64_t at;

	for (char *w = strtok_r(text, " \t\n", &save); w && count < WORDS_MAX;
		w = strtok_r(NULL, " \t\n", &save))
		words[count++] = w;
	if (count == 0 || p->failed)
		return;
	if (is(words[0], "config")) {
		configure(p, words);
		return;
	}
	at = p->now;
	rest = words;
	if (words[0][0] == '+' || isdigit((unsigned char)words[0][0])) {
		double seconds = strtod(words[0], NULL);
		int64_t micros = (int64_t)(seconds * 1e6 + 0.5);

		at = (words[0][0] == '+' ? p->now : START) + micros * 1000;
		rest = words + 1;
	}
	if (at < p->now || !rest[0]) {
		fail(p, "time runs forward, and something has to happen");
		return;
	}
	apply_config(p);
	if (at > p->now)
		expect_silence(p);
	advance(p, at);
	if (p->failed)
		return;
	if (is(rest[0], ">")) {
		expect_segment(p, rest + 1);
		return;
	}
	if (!is(rest[0], "skip"))
		expect_silence(p);
	if (p->failed)
		return;
	if (is(rest[0], "<"))
		inject(p, rest + 1);
	else
		command(p, rest);
}

static void begin(struct player *p, const char *file, const char *test)
{
	struct sent_segment *queue = p->queue;

	*p = (struct player){.file = file,
		.test = test,
		.now = START,
		.queue = queue,
		.config = {.iss = ISS,
			.timestamp_offset = (uint32_t)(-(START / MSEC)),
			.send_buffer = 1 << 20,
			.receive_buffer = 65535,
			.receive_buffer_max = 65535,
			.mss = 1460}};
}

static void end(struct player *p)
{
	if (!p->test)
		return;
	expect_silence(p);
	while (p->count > 0)
		drop_first(p);
	if (p->open)
		tcp_fini(&p->tcp);
	if (p->failed)
		tests_failed++;
	else
		tests_passed++;
}

/* ---- beginnings that tests share: ":: name" and its lines, played by "do name" ------------------
 */

#define SHARED_MAX	 32
#define SHARED_LINES_MAX 32

static struct shared {
	char *name, *lines[SHARED_LINES_MAX];
	unsigned count;
} shared[SHARED_MAX];
static unsigned shared_count;

static void share(const char *name)
{
	if (shared_count == SHARED_MAX) {
		fprintf(stderr, "packet_test: too many beginnings\n");
		exit(2);
	}
	shared[shared_count++].name = strdup(name);
}

static void share_line(const char *line)
{
	struct shared *last = &shared[shared_count - 1];

	if (last->count == SHARED_LINES_MAX) {
		fprintf(stderr, "packet_test: %s is too long\n", last->name);
		exit(2);
	}
	last->lines[last->count++] = strdup(line);
}

static void forget_shared(void)
{
	while (shared_count > 0) {
		struct shared *last = &shared[--shared_count];

		free(last->name);
		for (unsigned i = 0; i < last->count; i++)
			free(last->lines[i]);
		*last = (struct shared){0};
	}
}

/* A line of a test, or a whole beginning; one may begin with another that stands before it. */
static void play_any(struct player *p, char *text, unsigned before)
{
	char name[64] = "", line[1024];

	if (sscanf(text, " do %63s", name) != 1) {
		play_line(p, text);
		return;
	}
	for (unsigned i = 0; i < before; i++) {
		if (strcmp(shared[i].name, name) != 0)
			continue;
		for (unsigned n = 0; n < shared[i].count; n++) {
			snprintf(line, sizeof(line), "%s", shared[i].lines[n]);
			play_any(p, line, i);
		}
		return;
	}
	fail(p, "nothing is called %s", name);
}

static int play(const char *file)
{
	struct player p = {.queue = calloc(QUEUE_MAX, sizeof(struct sent_segment))};
	FILE *in = fopen(file, "re");
	char line[1024], *name = NULL;

	if (!in || !p.queue) {
		fprintf(stderr, "packet_test: %s: %s\n", file, strerror(errno));
		return -1;
	}
	for (int n = 1; fgets(line, sizeof(line), in); n++) {
		char *comment = strchr(line, '#');

		if (comment)
			*comment = '\0';
		line[strcspn(line, "\n")] = '\0';
		if (strncmp(line, ":: ", 3) == 0 && !p.test) {
			share(line + 3);
		} else if (strncmp(line, "== ", 3) == 0) {
			end(&p);
			free(name);
			name = strdup(line + 3);
			begin(&p, file, name);
		} else if (p.test) {
			p.line = n;
			play_any(&p, line, shared_count);
		} else if (shared_count > 0) {
			share_line(line);
		}
	}
	end(&p);
	forget_shared();
	free(name);
	free(p.queue);
	fclose(in);
	return 0;
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (play(argv[i]) < 0)
			return 2;
	}
	printf("%u passed, %u failed\n", tests_passed, tests_failed);
	return tests_failed || !tests_passed;
}
