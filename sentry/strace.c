/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The decoder of --strace, driven by the descriptions that the system call table generates.
 *
 * A call has two moments. On entry, each argument that is a value or that the call reads becomes
 * text in call->input; call->input_end says where each one's text ends. On exit the line is put
 * together: an argument that the call only writes is formatted then, from memory if the call
 * succeeded and as an address if it failed; one that is read and written shows its new contents
 * behind " => " when they differ. So nothing is shown that another thread changed in between,
 * except where the handler itself would have seen it.
 *
 * A handler may sleep between the two, and so may reading memory: all state is in struct
 * strace_call.
 */
#include <stdio.h>
#include <string.h>

#include "abi/fcntl.h"
#include "abi/poll.h"
#include "abi/socket.h"
#include "abi/uio.h"
#include "sentry/strace_private.h"

/* The largest struct that is shown, and the most that is read of memory at a time. */
#define CHUNK_SIZE STRUCT_SIZE_MAX

#define STRACE_ARGUMENTS 6

/* The moment at which memory is shown. */
struct moment {
	const struct strace_memory *memory;
	const uint64_t *args;
	bool at_exit;
	int64_t result; /* at exit */
};

static bool read_all(const struct moment *m, void *dst, uint64_t address, size_t size)
{
	return m->memory->read(m->memory->context, dst, GADDR(address), size) == (ssize_t)size;
}

static bool read_array(
	const struct moment *m, void *dst, uint64_t address, uint64_t index, size_t size)
{
	gaddr_t at;

	return gaddr_add_checked(GADDR(address), index * size, &at) && read_all(m, dst, at.v, size);
}

/* At most @max bytes are shown; "..." says that there are more. */
static void show_bytes(struct strace_text *text, const struct moment *m, uint64_t address,
	uint64_t size, size_t max)
{
	uint8_t bytes[CHUNK_SIZE] = {0};
	size_t shown = size < max ? size : max;

	if (!address || (shown && !read_all(m, bytes, address, shown))) {
		format_address(text, address);
		return;
	}
	text_quoted(text, bytes, shown);
	if (shown < size)
		text_string(text, "...");
}

/* A string may end just before unreadable memory: a short read is fine if it has the NUL. */
static void show_string(struct strace_text *text, const struct moment *m, uint64_t address)
{
	ssize_t (*read)(void *context, void *dst, gaddr_t src, size_t size) =
		m->memory->read_string ? m->memory->read_string : m->memory->read;
	char bytes[STRACE_PATH_MAX + 1];
	ssize_t got;
	size_t size;

	got = address ? read(m->memory->context, bytes, GADDR(address), sizeof(bytes)) : 0;
	size = got > 0 ? strnlen(bytes, (size_t)got) : 0;
	if (got <= 0 || (size == (size_t)got && (size_t)got < sizeof(bytes))) {
		format_address(text, address);
		return;
	}
	if (size <= STRACE_PATH_MAX) {
		text_quoted(text, bytes, size);
		return;
	}
	text_quoted(text, bytes, STRACE_PATH_MAX);
	text_string(text, "...");
}

static void show_strings(struct strace_text *text, const struct moment *m, uint64_t address)
{
	uint64_t element;

	if (!address) {
		text_string(text, "NULL");
		return;
	}
	text_char(text, '[');
	for (unsigned i = 0;; i++) {
		if (!read_array(m, &element, address, i, sizeof(element))) {
			text_string(text, i ? ", ???" : "???");
			break;
		}
		if (!element)
			break;
		text_string(text, i ? ", " : "");
		if (i == STRACE_ELEMENTS_MAX) {
			text_string(text, "...");
			break;
		}
		show_string(text, m, element);
	}
	text_char(text, ']');
}

/* An environment is long and rarely wanted: its address and size. */
static void show_environment(struct strace_text *text, const struct moment *m, uint64_t address)
{
	uint64_t element = 0;
	unsigned count = 0;

	format_address(text, address);
	if (!address)
		return;
	while (count < 1000 && read_array(m, &element, address, count, sizeof(element)) && element)
		count++;
	text_printf(text, " /* %u%s vars */", count, element ? "+" : "");
}

/* The bytes or elements that the argument speaks of; at exit, no more than the call says it wrote.
 */
static uint64_t element_count(
	const struct syscall_info *info, const struct syscall_arg *arg, const struct moment *m)
{
	uint64_t count = arg->count;
	int32_t size;

	switch ((enum arg_count)arg->count_kind) {
	case COUNT_FIXED:
		return count;
	case COUNT_SIZE_DEREF:
		return read_all(m, &size, m->args[arg->count], sizeof(size)) && size > 0
			       ? (uint64_t)size
			       : 0;
	case COUNT_ARG:
	case COUNT_SIZE_ARG:
		count = m->args[arg->count];
		switch (info->args[arg->count].type) {
		case ARG_INT:
			count = (int32_t)count > 0 ? (uint32_t)count : 0;
			break;
		case ARG_UINT:
			count = (uint32_t)count;
			break;
		}
		break;
	}
	if (m->at_exit && arg->count_kind == COUNT_ARG && arg->direction == ARG_WRITE &&
		(uint64_t)m->result < count)
		count = (uint64_t)m->result;
	return count;
}

static void show_element(
	struct strace_text *text, const struct syscall_arg *arg, const uint8_t *bytes)
{
	uint64_t value = 0;

	if (arg->element == ELEMENT_STRUCT) {
		format_struct(text, arg->st, bytes);
		return;
	}
	memcpy(&value, bytes,
		arg->element_size < sizeof(value) ? arg->element_size : sizeof(value));
	switch ((enum arg_element)arg->element) {
	case ELEMENT_SHORT:
		text_printf(text, "%d", (int16_t)value);
		break;
	case ELEMENT_INT:
		text_printf(text, "%d", (int32_t)value);
		break;
	case ELEMENT_SIGSET:
		format_sigset(text, value);
		break;
	case ELEMENT_LONG:
		text_printf(text, "%lld", (long long)value);
		break;
	default:
		text_printf(text, "%llu", (unsigned long long)value);
		break;
	}
}

static void show_array(struct strace_text *text, const struct syscall_arg *arg,
	const struct moment *m, uint64_t address, uint64_t count)
{
	uint8_t bytes[CHUNK_SIZE];

	text_char(text, '[');
	for (uint64_t i = 0; i < count; i++) {
		text_string(text, i ? ", " : "");
		if (i == STRACE_ELEMENTS_MAX) {
			text_string(text, "...");
			break;
		}
		if (!read_array(m, bytes, address, i, arg->element_size)) {
			text_string(text, "???");
			break;
		}
		show_element(text, arg, bytes);
	}
	text_char(text, ']');
}

/* select(2): the set is @bit_count bits */
static void show_fdset(
	struct strace_text *text, const struct moment *m, uint64_t address, uint64_t bit_count)
{
	const char *separator = "";
	unsigned shown = 0;
	struct lx_fd_set set;
	size_t size;

	if (bit_count > LX_FD_SETSIZE)
		bit_count = LX_FD_SETSIZE;
	size = (bit_count + 63) / 64 * 8;
	if (!read_all(m, &set, address, size)) {
		format_address(text, address);
		return;
	}
	text_char(text, '[');
	for (unsigned fd = 0; fd < bit_count && shown < STRACE_ELEMENTS_MAX; fd++) {
		if (set.bits[fd / 64] >> fd % 64 & 1) {
			text_printf(text, "%s%u", separator, fd);
			separator = " ";
			shown++;
		}
	}
	text_string(text, shown == STRACE_ELEMENTS_MAX ? " ...]" : "]");
}

/* A struct whose size is an argument: what is missing reads as zeros. */
static void show_sized_struct(struct strace_text *text, const struct syscall_arg *arg,
	const struct moment *m, uint64_t address, uint64_t size)
{
	uint8_t bytes[CHUNK_SIZE] = {0};

	if (size > arg->element_size)
		size = arg->element_size;
	if (size && read_all(m, bytes, address, size))
		format_struct(text, arg->st, bytes);
	else
		format_address(text, address);
}

static void show_sockaddr(
	struct strace_text *text, const struct moment *m, uint64_t address, uint64_t size)
{
	uint8_t bytes[LX_SOCKADDR_STORAGE_SIZE];

	if (size > sizeof(bytes))
		size = sizeof(bytes);
	if (size && read_all(m, bytes, address, size))
		format_sockaddr(text, bytes, size);
	else
		format_address(text, address);
}

static void show_pointer(struct strace_text *text, const struct syscall_info *info,
	const struct syscall_arg *arg, const struct moment *m, uint64_t address)
{
	uint64_t count;
	uint8_t bytes[CHUNK_SIZE];

	if (!address) {
		text_string(text, "NULL");
		return;
	}
	count = element_count(info, arg, m);
	if (arg->element == ELEMENT_SOCKADDR) {
		show_sockaddr(text, m, address, count);
	} else if (arg->element == ELEMENT_FDSET) {
		show_fdset(text, m, address, count);
	} else if (arg->element == ELEMENT_BYTE || arg->element == ELEMENT_CHAR) {
		show_bytes(text, m, address, count, STRACE_STRING_MAX);
	} else if (arg->count_kind == COUNT_SIZE_ARG || arg->count_kind == COUNT_SIZE_DEREF) {
		show_sized_struct(text, arg, m, address, count);
	} else if (arg->count_kind == COUNT_ARG || count > 1) {
		show_array(text, arg, m, address, count);
	} else if (read_all(m, bytes, address, arg->element_size)) {
		bool bare = arg->element == ELEMENT_STRUCT || arg->element == ELEMENT_SIGSET;

		text_string(text, bare ? "" : "[");
		show_element(text, arg, bytes);
		text_string(text, bare ? "" : "]");
	} else {
		format_address(text, address);
	}
}

/* Data of written vectors is shown for as many bytes as the call moved. */
static void show_iovec(struct strace_text *text, const struct syscall_info *info,
	const struct syscall_arg *arg, const struct moment *m, uint64_t address)
{
	uint64_t count = m->args[arg->count], left = m->at_exit ? (uint64_t)m->result : ~0ull;
	struct lx_iovec iov;

	if (!address) {
		text_string(text, "NULL");
		return;
	}
	text_char(text, '[');
	for (uint64_t i = 0; i < count; i++) {
		uint64_t size;

		text_string(text, i ? ", " : "");
		if (i == STRACE_ELEMENTS_MAX) {
			text_string(text, "...");
			break;
		}
		if (!read_array(m, &iov, address, i, sizeof(iov))) {
			text_string(text, "???");
			break;
		}
		size = iov.iov_len < left ? iov.iov_len : left;
		left -= size;
		text_string(text, "{iov_base=");
		show_bytes(text, m, iov.iov_base, size, STRACE_STRING_MAX);
		text_printf(text, ", iov_len=%llu}", (unsigned long long)iov.iov_len);
	}
	text_char(text, ']');
}

static void show_memory(struct strace_text *text, const struct syscall_info *info,
	const struct syscall_arg *arg, const struct moment *m, uint64_t address)
{
	if (arg->type == ARG_IOVEC)
		show_iovec(text, info, arg, m, address);
	else
		show_pointer(text, info, arg, m, address);
}

/* setsockopt(2): what an option's number means depends on the level. */
static const struct value_set *set_of(
	const struct syscall_info *info, unsigned index, const uint64_t args[6])
{
	const struct value_set *set = info->args[index].set;

	if (index && !strcmp(set->name, "sockopt") && (int)args[index - 1] == LX_SOL_TCP)
		return &value_set_sockopt_tcp;
	return set;
}

static void show_value(struct strace_text *text, const struct syscall_info *info, unsigned index,
	const struct moment *m)
{
	const struct syscall_arg *arg = &info->args[index];
	uint64_t value = m->args[index];

	switch ((enum arg_type)arg->type) {
	case ARG_INT:
	case ARG_FD:
		text_printf(text, "%d", (int)value);
		break;
	case ARG_DIRFD:
		format_fd(text, (int)value);
		break;
	case ARG_UINT:
		text_printf(text, "%u", (unsigned)value);
		break;
	case ARG_ID:
		text_printf(text, (unsigned)value == ~0u ? "%d" : "%u", (unsigned)value);
		break;
	case ARG_LONG:
		text_printf(text, "%lld", (long long)value);
		break;
	case ARG_ULONG:
		text_printf(text, "%llu", (unsigned long long)value);
		break;
	case ARG_HEX:
		text_printf(text, "%#llx", (unsigned long long)value);
		break;
	case ARG_MODE:
		text_printf(text, "%#03o", (uint16_t)value);
		break;
	case ARG_DEV:
		text_printf(text, "makedev(%#x, %#x)", (unsigned)(value >> 8 & 0xfff),
			(unsigned)((value & 0xff) | (value >> 12 & 0xfff00)));
		break;
	case ARG_SIG:
		format_signal(text, (int)value);
		break;
	case ARG_SET32:
		format_set(text, set_of(info, index, m->args), value, 32, 0x1000);
		break;
	case ARG_SET64:
		format_set(text, arg->set, value, 64, 0x1000);
		break;
	case ARG_ADDR:
		format_address(text, value);
		break;
	case ARG_STRING:
		show_string(text, m, value);
		break;
	case ARG_STRINGS:
		if (!strcmp(arg->name, "envp"))
			show_environment(text, m, value);
		else
			show_strings(text, m, value);
		break;
	case ARG_POINTER:
	case ARG_IOVEC:
		show_memory(text, info, arg, m, value);
		break;
	}
}

/* fcntl(2): the third argument's meaning depends on the second. */
static bool show_fcntl_argument(struct strace_text *text, const uint64_t args[6])
{
	switch ((int)args[1]) {
	case LX_F_SETFD:
		text_string(text, args[2] == LX_FD_CLOEXEC ? "FD_CLOEXEC" : args[2] ? "?" : "0");
		return true;
	case LX_F_SETFL:
		format_set(text, &value_set_open, args[2], 32, 0);
		return true;
	case LX_F_DUPFD:
	case LX_F_DUPFD_CLOEXEC:
	case LX_F_SETOWN:
	case LX_F_SETPIPE_SZ:
		text_printf(text, "%d", (int)args[2]);
		return true;
	default:
		return false;
	}
}

/* Arguments that the call does not look at, given the others, are not shown. */
static unsigned shown_arguments(const struct syscall_info *info, const uint64_t args[6])
{
	unsigned last = info->nargs - 1u;

	if (!info->nargs)
		return 0;
	if (info == &syscall_info[LX_NR_fcntl] &&
		((int)args[1] == LX_F_GETFD || (int)args[1] == LX_F_GETFL ||
			(int)args[1] == LX_F_GETOWN))
		return last;
	/* open(2): a mode is for files that may be created. */
	if (last && info->args[last].type == ARG_MODE &&
		info->args[last - 1].set == &value_set_open &&
		!(args[last - 1] & (LX_O_CREAT | LX_O_TMPFILE_BIT)))
		return last;
	return info->nargs;
}

static const struct syscall_info *find_info(uint64_t nr)
{
	return nr < LX_NR_COUNT && syscall_info[nr].name ? &syscall_info[nr] : NULL;
}

void strace_enter(struct strace_call *call, int pid, uint64_t nr, const uint64_t args[6],
	const struct strace_memory *memory)
{
	struct strace_text text = {
		.data = call->input, .capacity = call->silent ? 0 : sizeof(call->input)};
	const struct syscall_info *info = find_info(nr);
	struct moment m = {.memory = memory, .args = call->args};

	call->pid = pid;
	call->nr = nr;
	memcpy(call->args, args, sizeof(call->args));
	for (unsigned i = 0; info && i < info->nargs; i++) {
		bool written_only = info->args[i].direction == ARG_WRITE;

		if (!written_only &&
			!(nr == LX_NR_fcntl && i == 2 && show_fcntl_argument(&text, call->args)))
			show_value(&text, info, i, &m);
		call->input_end[i] = (uint16_t)text.size;
	}
	call->input_size = (uint16_t)text.size;
}

/* " => " and the new contents, when they differ from the old ones at @old. */
static void show_change(struct strace_text *line, const struct syscall_info *info,
	const struct syscall_arg *arg, const struct moment *m, uint64_t address, size_t old)
{
	static const char arrow[] = " => ";
	size_t old_size = line->size - old, start;

	text_string(line, arrow);
	start = line->size;
	show_memory(line, info, arg, m, address);
	if (line->size - start == old_size &&
		!memcmp(line->data + old, line->data + start, old_size))
		line->size = old + old_size;
}

static void put_argument(struct strace_text *line, const struct strace_call *call,
	const struct syscall_info *info, unsigned index, const struct moment *m)
{
	const struct syscall_arg *arg = &info->args[index];
	uint64_t address = call->args[index];
	bool wrote = m && m->result >= 0;
	size_t old = line->size;

	for (size_t at = index ? call->input_end[index - 1] : 0; at < call->input_end[index]; at++)
		text_char(line, call->input[at]);
	if (arg->direction == ARG_WRITE && !wrote)
		format_address(line, address);
	else if (arg->direction == ARG_WRITE)
		show_memory(line, info, arg, m, address);
	else if (arg->direction == (ARG_READ | ARG_WRITE) && wrote && address)
		show_change(line, info, arg, m, address, old);
}

static void put_arguments(struct strace_text *line, const struct strace_call *call,
	const struct syscall_info *info, const struct moment *m)
{
	unsigned count = shown_arguments(info, call->args);

	for (unsigned i = 0; i < count; i++) {
		text_string(line, i ? ", " : "");
		put_argument(line, call, info, i, m);
	}
}

/* The room for a result and the newline is kept free while arguments are written. */
#define RESULT_ROOM 160

static void put_line(struct strace_call *call, const struct moment *m, struct strace_sink *sink)
{
	struct strace_text line = {
		.data = call->line, .capacity = sizeof(call->line) - RESULT_ROOM};
	const struct syscall_info *info = find_info(call->nr);

	text_printf(&line, "[%d] ", call->pid);
	if (info) {
		text_printf(&line, "%s(", info->name);
		put_arguments(&line, call, info, m);
	} else {
		text_printf(&line, "syscall_%#llx(%#llx, %#llx, %#llx, %#llx, %#llx, %#llx",
			(unsigned long long)call->nr, (unsigned long long)call->args[0],
			(unsigned long long)call->args[1], (unsigned long long)call->args[2],
			(unsigned long long)call->args[3], (unsigned long long)call->args[4],
			(unsigned long long)call->args[5]);
	}
	line.capacity = sizeof(call->line) - 1;
	text_string(&line, line.truncated ? "...) = " : ") = ");
	if (m)
		format_result(&line, call->nr, call->args, m->result);
	else
		text_char(&line, '?');
	line.capacity = sizeof(call->line);
	text_char(&line, '\n');
	sink->write(sink, line.data, line.size);
}

void strace_exit(struct strace_call *call, int64_t result, const struct strace_memory *memory,
	struct strace_sink *sink)
{
	struct moment m = {.memory = memory, .args = call->args, .at_exit = true, .result = result};

	put_line(call, &m, sink);
}

void strace_no_return(struct strace_call *call, struct strace_sink *sink)
{
	put_line(call, NULL, sink);
}

void strace_look(struct strace_call *call, int64_t result, const struct strace_memory *memory)
{
	struct moment m = {.memory = memory, .args = call->args, .at_exit = true, .result = result};
	const struct syscall_info *info = find_info(call->nr);
	struct strace_text nothing = {.data = call->line};

	if (info)
		put_arguments(&nothing, call, info, &m);
}

/* A number that Linux does not have, with all of its registers. */
static void explain_unknown(
	struct strace_call *call, struct strace_text *text, struct strace_words *ret)
{
	(void)snprintf(ret->own_name, sizeof(ret->own_name), "syscall_%#llx",
		(unsigned long long)call->nr);
	ret->name = ret->own_name;
	ret->count = 6;
	for (unsigned i = 0; i < 6; i++) {
		ret->args[i].name = "";
		ret->args[i].text = text->data + text->size;
		text_printf(text, "%#llx", (unsigned long long)call->args[i]);
		text_char(text, '\0');
	}
}

void strace_explain(struct strace_call *call, const int64_t *result,
	const struct strace_memory *memory, struct strace_words *ret)
{
	struct moment m = {.memory = memory,
		.args = call->args,
		.at_exit = true,
		.result = result ? *result : 0};
	struct strace_text text = {
		.data = call->line, .capacity = sizeof(call->line) - STRACE_ARGUMENTS};
	struct strace_text outcome = {.data = ret->result, .capacity = sizeof(ret->result) - 1};
	const struct syscall_info *info = find_info(call->nr);

	if (info) {
		ret->name = info->name;
		ret->count = shown_arguments(info, call->args);
	} else {
		explain_unknown(call, &text, ret);
	}
	for (unsigned i = 0; info && i < ret->count; i++) {
		ret->args[i].name = info->args[i].name;
		ret->args[i].text = text.data + text.size;
		put_argument(&text, call, info, i, result ? &m : NULL);
		text.data[text.size++] = '\0'; /* there is room for each one's */
		text.capacity++;
	}
	ret->truncated = text.truncated;
	if (result)
		format_result(&outcome, call->nr, call->args, *result);
	else
		text_char(&outcome, '?');
	ret->result[outcome.size] = '\0';
}

void strace_signal(int pid, int signo, struct strace_sink *sink)
{
	char buffer[64];
	struct strace_text line = {.data = buffer, .capacity = sizeof(buffer)};

	text_printf(&line, "[%d] --- ", pid);
	format_signal(&line, signo);
	text_string(&line, " ---\n");
	sink->write(sink, line.data, line.size);
}
