/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Sentry's side of looking at calls. A record is built in a buffer of its task, since a handler
 * may sleep and others make calls meanwhile, and goes to the stream when the call is done. The
 * stream is collected in memory and written when there is enough of it, or after a tenth of a
 * second; who reads it slowly slows the guests down, so that nothing is lost.
 */
#include "sentry/observe.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/fiber.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/wait.h"
#include "sentry/kernel_private.h"
#include "sentry/observe_memory.h"
#include "sentry/record.h"
#include "sentry/stacks.h"
#include "sentry/strace.h"
#include "sentry/syscall_table.h"
#include "sentry/task_private.h"

#define STREAM_SIZE   (256u << 10)
#define STREAM_ENOUGH (64u << 10)
/* Each write wakes the observer, on another CPU than the guest's if there is one, which costs more
 * than a call. */
#define STREAM_LATE_NS 100000000u

bool observing;

static struct strace_sink *strace_sink;

static struct {
	const struct observe_config *config; /* borrowed; NULL: no records */
	uint64_t start;
	size_t used;
	bool broken;
	uint32_t task_peak;
	struct timer late; /* armed while there is something in the buffer */
	unsigned char buffer[STREAM_SIZE] __attribute__((aligned(8)));
} stream;

static const struct inject_rule *rules;
static unsigned rule_count;

/* What a task that is looked at has of its own. */
struct observed {
	bool announced; /* its RECORD_TASK was written */
	bool host;
	uint32_t counts[INJECT_RULES_MAX]; /* calls that each rule has seen */
	struct observe_written written;	   /* in the present call */
	union record *stack;		   /* RECORD_STACK_MAX bytes; NULL: not needed yet */
	size_t stack_size;		   /* of the present call's; 0: none */
	struct strace_call shown, recorded;
	union {
		struct record_call made;
		unsigned char bytes[sizeof(struct record_call) + RECORD_READS_MAX];
	};
};

/* ---- the stream ------------------------------------------------------------------------------ */

static void flush(void)
{
	size_t done = 0;

	while (done < stream.used && !stream.broken) {
		ssize_t put =
			write(stream.config->record_fd, stream.buffer + done, stream.used - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			stream.broken = true; /* the reader is gone, and says why */
		else
			done += (size_t)put;
	}
	stream.used = 0;
}

/* A record of @size bytes; @extra ones, filled up to a multiple of 8, follow what is copied. */
static void append(
	struct record_head *head, uint32_t kind, size_t size, const void *extra, size_t extra_size)
{
	size_t total = (size + extra_size + 7) & ~(size_t)7;
	unsigned char *to;

	if (stream.broken || total > RECORD_SIZE_MAX)
		return;
	if (STREAM_SIZE - stream.used < total)
		flush();
	head->size = (uint32_t)total;
	head->kind = kind;
	to = stream.buffer + stream.used;
	memcpy(to, head, size);
	if (extra_size > 0)
		memcpy(to + size, extra, extra_size);
	memset(to + size + extra_size, 0, total - size - extra_size);
	stream.used += total;
	if (stream.used >= STREAM_ENOUGH)
		flush();
	else if (stream.used == total)
		(void)timer_arm(&stream.late, loop_monotonic() + STREAM_LATE_NS);
}

static uint64_t stream_time(void)
{
	return loop_monotonic_now() - stream.start;
}

static struct record_head head_of(const struct task *task)
{
	return (struct record_head){.pid = task && task->group ? task->group->pid->nr : 0,
		.tid = task && task->pid ? task->pid->nr : 0,
		.time = stream_time()};
}

static void flush_late(struct timer *timer)
{
	flush();
}

static void audit_line(const char *line, size_t size)
{
	struct record_head head = head_of(task_current());

	while (size > 0 && line[size - 1] == '\n')
		size--;
	append(&head, RECORD_EVENT, sizeof(head), line, size);
}

void observe_strace(struct strace_sink *sink)
{
	strace_sink = sink;
	observing = true;
}

void observe_start(const struct observe_config *config, const char *platform)
{
	struct record_begin begin = {.magic = RECORD_MAGIC, .version = RECORD_VERSION};

	rules = config->rules;
	rule_count = min_of(config->rule_count, INJECT_RULES_MAX);
	observing |= rule_count > 0;
	if (config->record_fd < 0)
		return;
	observing = true;
	stream.config = config;
	stream.start = loop_monotonic_now();
	begin.started = loop_realtime_now();
	strncpy(begin.command, config->command, sizeof(begin.command) - 1);
	strncpy(begin.platform, platform, sizeof(begin.platform) - 1);
	timer_init(&stream.late, flush_late, NULL);
	append(&begin.head, RECORD_BEGIN, sizeof(begin), NULL, 0);
	if (config->stacks_fd >= 0)
		stacks_start(config->stacks_fd);
	audit_set_observer(audit_line);
}

void observe_end(uint64_t memory, uint64_t cpu_ns, uint64_t output_size)
{
	struct record_head head = {.time = 0};
	struct record_usage usage = {.memory = memory,
		.tasks = stream.task_peak,
		.cpu_ns = cpu_ns,
		.output_size = output_size};

	if (!stream.config)
		return;
	usage.head.time = head.time = stream_time();
	audit_set_observer(NULL);
	append(&usage.head, RECORD_USAGE, sizeof(usage), NULL, 0);
	append(&head, RECORD_END, sizeof(head), NULL, 0);
	flush();
}

bool observe_needs_all(void)
{
	return strace_sink || rule_count > 0 || (stream.config && stream.config->record_all);
}

void observe_count(uint64_t nr, uint64_t count)
{
	struct record_count record = {.nr = nr, .count = count};

	if (!stream.config || count == 0)
		return;
	record.head.time = stream_time();
	append(&record.head, RECORD_COUNT, sizeof(record), NULL, 0);
}

/* ---- tasks ----------------------------------------------------------------------------------- */

static struct observed *observed_of(struct task *task)
{
	if (!task->observed)
		task->observed = calloc(1, sizeof(*task->observed));
	return task->observed;
}

struct observe_written *observe_written_of(struct task *task)
{
	return task->observed ? &task->observed->written : NULL;
}

void observe_task_free(struct task *task)
{
	if (task->observed)
		free(task->observed->stack);
	free(task->observed);
}

static void announce(struct task *task, struct observed *observed)
{
	struct record_task record = {.head = head_of(task)};

	if (observed->announced)
		return;
	observed->announced = true;
	stream.task_peak = max_of(stream.task_peak, (uint32_t)kernel.task_count);
	record.parent = task->group->parent ? task->group->parent->pid->nr : 0;
	memcpy(record.name, task->comm, sizeof(record.name) - 1);
	append(&record.head, RECORD_TASK, sizeof(record), NULL, 0);
}

void observe_signal(struct task *task, int signo)
{
	struct record_signal record = {.signo = signo};

	if (strace_sink)
		strace_signal(task->pid->nr, signo, strace_sink);
	if (!stream.config)
		return;
	record.head = head_of(task);
	append(&record.head, RECORD_SIGNAL, sizeof(record), NULL, 0);
}

void observe_exit(struct task *task, int status, bool whole_process)
{
	struct record_exit record = {.status = status, .whole_process = whole_process};

	if (!stream.config)
		return;
	/* Its memory is there for the last time. */
	if (whole_process)
		kernel_limits_look();
	record.head = head_of(task);
	append(&record.head, RECORD_EXIT, sizeof(record), NULL, 0);
}

/* ---- memory that is written down --------------------------------------------------------------
 */

struct tape {
	void *context; /* of the reading: the task */
	unsigned char *bytes;
	size_t used, capacity;
};

static ssize_t read_guest(void *context, void *dst, gaddr_t src, size_t size)
{
	return observe_read(context, dst, src, size);
}

static ssize_t read_guest_string(void *context, void *dst, gaddr_t src, size_t size)
{
	return observe_read_string(context, dst, src, size);
}

/* What does not fit any more was unreadable, for now and later. */
static ssize_t tape_read(struct tape *tape,
	ssize_t (*reading)(void *context, void *dst, gaddr_t src, size_t size), void *context,
	void *dst, gaddr_t src, size_t size)
{
	struct record_read read = {.address = src.v, .asked = (uint32_t)size};
	size_t padded = (size + 7) & ~(size_t)7, got;
	ssize_t r;

	if (tape->capacity - tape->used < sizeof(read) + padded)
		return -EFAULT;
	r = reading(context, dst, src, size);
	got = r > 0 ? (size_t)r : 0;
	padded = (got + 7) & ~(size_t)7;
	read.got = (int32_t)r;
	memcpy(tape->bytes + tape->used, &read, sizeof(read));
	memcpy(tape->bytes + tape->used + sizeof(read), dst, got);
	memset(tape->bytes + tape->used + sizeof(read) + got, 0, padded - got);
	tape->used += sizeof(read) + padded;
	return r;
}

static ssize_t taped_read(void *context, void *dst, gaddr_t src, size_t size)
{
	struct tape *tape = context;

	return tape_read(tape, read_guest, tape->context, dst, src, size);
}

static ssize_t taped_string(void *context, void *dst, gaddr_t src, size_t size)
{
	struct tape *tape = context;

	return tape_read(tape, read_guest_string, tape->context, dst, src, size);
}

/* ---- injection ------------------------------------------------------------------------------- */

static bool has_call(const uint64_t *calls, uint64_t nr)
{
	nr = min_of(nr, (uint64_t)OBSERVE_OTHERS);
	return calls[nr / 64] >> nr % 64 & 1;
}

/* Whether this call, the @count-th that the rule looks at, is one of those it is about. */
static bool is_due(const struct inject_rule *rule, uint32_t count)
{
	if (count < rule->first || count > rule->last)
		return false;
	return count == rule->first || (rule->step && (count - rule->first) % rule->step == 0);
}

/* Whether the call's arguments are those that the rule is about. May sleep: a string is the
 * guest's. */
static bool has_argument(struct task *task, const struct inject_rule *rule)
{
	char text[INJECT_PATTERN_MAX * 2];
	uint64_t value;
	ssize_t got;

	if (rule->arg == 0)
		return true;
	value = task->event.syscall.args[rule->arg - 1];
	if (!rule->pattern[0])
		return (value & rule->mask) == rule->value;
	got = read_guest(task, text, GADDR(value), sizeof(text));
	return got > 0 && memchr(text, '\0', (size_t)got) && fnmatch(rule->pattern, text, 0) == 0;
}

/* The rule that this call falls under, or NULL: the last one that is given wins. */
static const struct inject_rule *find_rule(
	struct task *task, struct observed *observed, uint64_t nr)
{
	const struct inject_rule *found = NULL;

	for (unsigned i = 0; i < rule_count; i++) {
		if (!has_call(rules[i].calls, nr) || !has_argument(task, &rules[i]))
			continue;
		if (observed->counts[i] < UINT32_MAX)
			observed->counts[i]++;
		if (is_due(&rules[i], observed->counts[i]))
			found = &rules[i];
	}
	return found;
}

static void delay(struct task *task, uint64_t ns)
{
	uint64_t deadline = loop_monotonic_now() + ns;

	while (ns > 0 && !task->killed && loop_monotonic_now() < deadline)
		wait_sleep_serving(NULL, deadline);
}

static int64_t injected_call(struct task *task, const struct syscall_entry *entry,
	const struct inject_rule *rule, uint32_t *flags,
	int64_t (*call)(struct task *task, const struct syscall_entry *entry))
{
	struct lx_siginfo info = {.signo = rule->signo, .code = LX_SI_KERNEL};
	int64_t result;

	if (rule->signo)
		(void)signal_send_task(task, &info);
	delay(task, rule->delay_enter_ns);
	result = rule->has_result ? rule->result : call(task, entry);
	if (rule->has_result)
		*flags |= RECORD_INJECTED;
	delay(task, rule->delay_exit_ns);
	return result;
}

/* ---- a call ---------------------------------------------------------------------------------- */

static int64_t plain_call(struct task *task, const struct syscall_entry *entry,
	struct observed *observed, uint32_t *flags,
	int64_t (*call)(struct task *task, const struct syscall_entry *entry))
{
	const struct inject_rule *rule =
		rule_count > 0 ? find_rule(task, observed, task->event.syscall.nr) : NULL;

	return rule ? injected_call(task, entry, rule, flags, call) : call(task, entry);
}

static int64_t shown_call(struct task *task, const struct syscall_entry *entry,
	struct observed *observed, uint32_t *flags,
	int64_t (*call)(struct task *task, const struct syscall_entry *entry))
{
	const struct strace_memory memory = {
		.read = read_guest, .read_string = read_guest_string, .context = task};
	struct strace_call *shown = &observed->shown;
	int64_t result;

	if (!strace_sink)
		return plain_call(task, entry, observed, flags, call);
	shown->silent = false;
	strace_enter(
		shown, task->pid->nr, task->event.syscall.nr, task->event.syscall.args, &memory);
	result = plain_call(task, entry, observed, flags, call);
	if (task->killed)
		strace_no_return(shown, strace_sink);
	else
		strace_exit(shown, result, &memory, strace_sink);
	return result;
}

/* Where the call comes from. May sleep, as long as the unwinder takes. */
static void take_stack(struct task *task, struct observed *observed)
{
	observed->stack_size = 0;
	if (!stacks_on())
		return;
	if (!observed->stack)
		observed->stack = malloc(RECORD_STACK_MAX);
	if (!observed->stack)
		return;
	observed->stack->head = head_of(task);
	observed->stack_size = stacks_collect(task, observed->stack);
}

static void append_stack(struct observed *observed)
{
	if (observed->stack_size > 0)
		append(&observed->stack->head, RECORD_STACK, observed->stack_size, NULL, 0);
}

static int64_t recorded_call(struct task *task, const struct syscall_entry *entry,
	struct observed *observed, uint32_t *flags,
	int64_t (*call)(struct task *task, const struct syscall_entry *entry))
{
	struct tape tape = {.context = task,
		.bytes = observed->bytes + sizeof(observed->made),
		.capacity = RECORD_READS_MAX};
	const struct strace_memory memory = {
		.read = taped_read, .read_string = taped_string, .context = &tape};
	struct record_call *made = &observed->made;
	struct strace_call *shown = &observed->recorded;
	int64_t result;

	announce(task, observed);
	take_stack(task, observed);
	*made = (struct record_call){.head = head_of(task), .nr = task->event.syscall.nr};
	memcpy(made->args, task->event.syscall.args, sizeof(made->args));
	made->ip = platform_regs(task->thread)->rip;
	shown->silent = true;
	strace_enter(shown, task->pid->nr, made->nr, made->args, &memory);
	made->entry_size = (uint32_t)tape.used;
	(void)fiber_take_host();
	result = shown_call(task, entry, observed, flags, call);
	made->flags = *flags | (fiber_take_host() ? RECORD_HOST : 0);
	made->latency = stream_time() - made->head.time;
	made->result = result;
	if (task->killed)
		made->flags |= RECORD_NO_RETURN;
	else
		strace_look(shown, result, &memory);
	/* A new program, a new name. */
	if ((made->nr == LX_NR_execve || made->nr == LX_NR_execveat) && result == 0)
		observed->announced = false;
	append_stack(observed);
	append(&made->head, RECORD_CALL, sizeof(*made) + tape.used, NULL, 0);
	return result;
}

/* ---- the first program ------------------------------------------------------------------------
 */

/*
 * It is started by nobody's call, but who looks at a run natively sees an execve(2), and a profile
 * made of the run has to allow it. So that is what is shown: with a path, a list and an environment
 * at addresses of no program, which the decoder reads here.
 */
#define FIRST_PATH    UINT64_C(0x10000)
#define FIRST_ARGV    UINT64_C(0x100000000)
#define FIRST_ENVP    UINT64_C(0x200000000)
#define FIRST_STRINGS UINT64_C(0x1000000000)
#define FIRST_STRIDE  UINT64_C(0x100000)

struct first_program {
	const char *path;
	char *const *argv, *const *envp;
};

static ssize_t copy_string(void *dst, const char *string, uint64_t offset, size_t size)
{
	size_t length = strlen(string) + 1;

	if (offset >= length)
		return -EFAULT;
	size = min_of(size, length - (size_t)offset);
	memcpy(dst, string + offset, size);
	return (ssize_t)size;
}

static size_t count_of(char *const *strings)
{
	size_t count = 0;

	while (strings[count])
		count++;
	return count;
}

/* Pointers of an array, whole ones. */
static ssize_t copy_pointers(void *dst, char *const *strings, uint64_t offset, size_t size)
{
	size_t count = count_of(strings), first = offset / 8, copied = 0;

	if (offset % 8 != 0)
		return -EFAULT;
	for (; copied + 8 <= size && first <= count; first++, copied += 8) {
		uint64_t pointer = first < count ? FIRST_STRINGS + first * FIRST_STRIDE : 0;

		memcpy((char *)dst + copied, &pointer, sizeof(pointer));
	}
	return copied > 0 ? (ssize_t)copied : -EFAULT;
}

static ssize_t read_first(void *context, void *dst, gaddr_t src, size_t size)
{
	const struct first_program *first = context;
	uint64_t index;

	if (src.v < FIRST_ARGV)
		return src.v < FIRST_PATH ? -EFAULT
					  : copy_string(dst, first->path, src.v - FIRST_PATH, size);
	if (src.v < FIRST_ENVP)
		return copy_pointers(dst, first->argv, src.v - FIRST_ARGV, size);
	if (src.v < FIRST_STRINGS)
		return copy_pointers(dst, first->envp, src.v - FIRST_ENVP, size);
	index = (src.v - FIRST_STRINGS) / FIRST_STRIDE;
	return index < count_of(first->argv) ? copy_string(dst, first->argv[index],
						       (src.v - FIRST_STRINGS) % FIRST_STRIDE, size)
					     : -EFAULT;
}

static ssize_t taped_first(void *context, void *dst, gaddr_t src, size_t size)
{
	struct tape *tape = context;

	return tape_read(tape, read_first, tape->context, dst, src, size);
}

void observe_first(
	struct task *task, const char *path, char *const *argv, char *const *envp, uint64_t begun)
{
	struct first_program first = {.path = path, .argv = argv, .envp = envp};
	struct observed *observed = observing ? observed_of(task) : NULL;
	const uint64_t args[6] = {FIRST_PATH, FIRST_ARGV, FIRST_ENVP};
	struct strace_memory memory = {.read = read_first, .context = &first};
	struct record_call *made;
	struct tape tape;

	if (observing)
		observe_memory_start();
	if (!observed)
		return;
	if (strace_sink) {
		observed->shown.silent = false;
		strace_enter(&observed->shown, task->pid->nr, LX_NR_execve, args, &memory);
		strace_exit(&observed->shown, 0, &memory, strace_sink);
	}
	if (!stream.config || !has_call(stream.config->calls, LX_NR_execve))
		return;
	announce(task, observed);
	made = &observed->made;
	*made = (struct record_call){
		.head = head_of(task), .nr = LX_NR_execve, .flags = RECORD_HOST};
	made->head.time = begun - stream.start;
	made->latency = stream_time() - made->head.time;
	memcpy(made->args, args, sizeof(args));
	tape = (struct tape){.context = &first,
		.bytes = observed->bytes + sizeof(*made),
		.capacity = RECORD_READS_MAX};
	memory = (struct strace_memory){.read = taped_first, .context = &tape};
	observed->recorded.silent = true;
	strace_enter(&observed->recorded, task->pid->nr, LX_NR_execve, args, &memory);
	made->entry_size = (uint32_t)tape.used;
	strace_look(&observed->recorded, 0, &memory);
	append(&made->head, RECORD_CALL, sizeof(*made) + tape.used, NULL, 0);
}

/* ---- any call ---------------------------------------------------------------------------------
 */

/* Of the task alone something is written. */
static int64_t announced_call(struct task *task, const struct syscall_entry *entry,
	struct observed *observed, uint32_t *flags,
	int64_t (*call)(struct task *task, const struct syscall_entry *entry))
{
	const uint64_t nr = task->event.syscall.nr;
	int64_t result;

	announce(task, observed);
	result = shown_call(task, entry, observed, flags, call);
	if ((nr == LX_NR_execve || nr == LX_NR_execveat) && result == 0)
		observed->announced = false;
	return result;
}

int64_t observe_call(struct task *task, const struct syscall_entry *entry,
	int64_t (*call)(struct task *task, const struct syscall_entry *entry))
{
	struct observed *observed = observed_of(task);
	uint32_t flags = 0;

	if (!observed) {
		log_warning("a call of task %d was not looked at: out of memory", task->pid->nr);
		return call(task, entry);
	}
	observed->written.count = 0;
	observed->written.used = 0;
	if (stream.config && has_call(stream.config->calls, task->event.syscall.nr))
		return recorded_call(task, entry, observed, &flags, call);
	if (stream.config && stream.config->record_tasks)
		return announced_call(task, entry, observed, &flags, call);
	return shown_call(task, entry, observed, &flags, call);
}
