/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How strace shows values. Everything here works on our own copies of guest bytes and on tables of
 * ours; the only guest influence is on values, never on how much is read.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/signal.h"
#include "abi/socket.h"
#include "sentry/strace_private.h"

void text_char(struct strace_text *text, char c)
{
	if (text->size < text->capacity)
		text->data[text->size++] = c;
	else
		text->truncated = true;
}

void text_string(struct strace_text *text, const char *string)
{
	for (; *string; string++)
		text_char(text, *string);
}

void text_printf(struct strace_text *text, const char *format, ...)
{
	char buffer[160];
	va_list args;

	if (text->capacity == 0) { /* nobody reads it */
		text->truncated = true;
		return;
	}
	va_start(args, format);
	vsnprintf(buffer, sizeof(buffer), format, args);
	va_end(args);
	text_string(text, buffer);
}

/* An octal escape has its full three digits only when a digit follows, as in C. */
static void text_escaped(struct strace_text *text, uint8_t c, bool digit_follows)
{
	static const char letters[] = "\tt\nn\vv\ff\rr\"\"\\\\";

	for (const char *pair = letters; *pair; pair += 2) {
		if (c == (uint8_t)pair[0]) {
			text_char(text, '\\');
			text_char(text, pair[1]);
			return;
		}
	}
	if (c >= ' ' && c < 0x7f)
		text_char(text, (char)c);
	else if (digit_follows)
		text_printf(text, "\\%03o", c);
	else
		text_printf(text, "\\%o", c);
}

void text_quoted(struct strace_text *text, const void *bytes, size_t size)
{
	const uint8_t *p = bytes;

	text_char(text, '"');
	for (size_t i = 0; i < size; i++)
		text_escaped(text, p[i], i + 1 < size && p[i + 1] >= '0' && p[i + 1] <= '9');
	text_char(text, '"');
}

static uint64_t mask_of(unsigned bits)
{
	return bits >= 64 ? ~0ull : (1ull << bits) - 1;
}

static int64_t sign_extend(uint64_t value, unsigned bits)
{
	return bits >= 64 ? (int64_t)value : (int64_t)(value << (64 - bits)) >> (64 - bits);
}

static const char *find_value(const struct value_set *set, uint64_t value, uint64_t mask)
{
	for (unsigned i = 0; i < set->value_count; i++) {
		if ((set->values[i].value & mask) == value)
			return set->values[i].name;
	}
	return NULL;
}

static void format_unnamed(
	struct strace_text *text, uint64_t value, unsigned bits, uint64_t hex_from)
{
	int64_t number = sign_extend(value, bits);

	if (number < 0 && number > -4096)
		text_printf(text, "%lld", (long long)number);
	else if (value >= hex_from)
		text_printf(text, "%#llx", (unsigned long long)value);
	else
		text_printf(text, "%llu", (unsigned long long)value);
}

static void format_flags(struct strace_text *text, const struct value_set *set, uint64_t value,
	uint64_t mask, const char *separator)
{
	for (unsigned i = 0; i < set->flag_count; i++) {
		uint64_t flag = set->flags[i].value & mask;

		if (!flag || (value & flag) != flag)
			continue;
		text_string(text, separator);
		text_string(text, set->flags[i].name);
		separator = "|";
		value &= ~flag;
	}
	if (value)
		text_printf(text, "%s%#llx", separator, (unsigned long long)value);
}

static const char *zero_flag(const struct value_set *set)
{
	for (unsigned i = 0; i < set->flag_count; i++) {
		if (!set->flags[i].value)
			return set->flags[i].name;
	}
	return "0";
}

/* @hex_from: unnamed values of an enum from here on are shown in hex. */
void format_set(struct strace_text *text, const struct value_set *set, uint64_t value,
	unsigned bits, uint64_t hex_from)
{
	uint64_t mask = mask_of(bits), enum_mask = set->enum_mask & mask;
	const char *name, *separator = "";

	value &= mask;
	if (!enum_mask && !value) {
		text_string(text, zero_flag(set));
		return;
	}
	if (enum_mask) {
		name = find_value(set, value & enum_mask, mask);
		if (name) {
			text_string(text, name);
			separator = "|";
		} else if (value & enum_mask || value == 0) {
			format_unnamed(text, value & enum_mask, bits, hex_from);
			separator = "|";
		}
	}
	format_flags(text, set, value & ~enum_mask, mask, separator);
}

void format_signal(struct strace_text *text, int64_t signo)
{
	const char *name = find_value(&value_set_signal, (uint64_t)signo, ~0ull);

	if (name)
		text_string(text, name);
	else if (signo >= LX_SIGRTMIN && signo <= LX_SIGRTMAX)
		text_printf(text, "SIGRT_%d", (int)(signo - LX_SIGRTMIN));
	else
		text_printf(text, "%lld", (long long)signo);
}

/* More than half of the signals: shown as the complement. */
void format_sigset(struct strace_text *text, uint64_t set)
{
	const char *separator = "";

	if (__builtin_popcountll(set) > 32) {
		text_char(text, '~');
		set = ~set;
	}
	text_char(text, '[');
	for (int signo = 1; signo <= LX_NSIG; signo++) {
		const char *name;

		if (!(set & LX_SIGMASK(signo)))
			continue;
		text_string(text, separator);
		separator = " ";
		name = find_value(&value_set_signal, (uint64_t)signo, ~0ull);
		if (name)
			text_string(text, name + strlen("SIG"));
		else
			text_printf(text, "RT_%d", signo - LX_SIGRTMIN);
	}
	text_char(text, ']');
}

void format_fd(struct strace_text *text, int fd)
{
	if (fd == LX_AT_FDCWD)
		text_string(text, "AT_FDCWD");
	else
		text_printf(text, "%d", fd);
}

void format_address(struct strace_text *text, uint64_t address)
{
	if (address)
		text_printf(text, "%#llx", (unsigned long long)address);
	else
		text_string(text, "NULL");
}

static uint64_t load(const uint8_t *bytes, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, bytes, size < sizeof(value) ? size : sizeof(value));
	return value;
}

static void format_field(
	struct strace_text *text, const struct struct_field *field, const uint8_t *bytes)
{
	uint64_t value = load(bytes, field->size);
	unsigned bits = field->size * 8u;

	switch ((enum field_format)field->format) {
	case FIELD_DEC:
		text_printf(text, "%lld", (long long)sign_extend(value, bits));
		break;
	case FIELD_UDEC:
		text_printf(text, "%llu", (unsigned long long)value);
		break;
	case FIELD_HEX:
		text_printf(text, "%#llx", (unsigned long long)value);
		break;
	case FIELD_OCT:
		text_printf(text, "%#llo", (unsigned long long)value);
		break;
	case FIELD_STR:
		text_quoted(text, bytes, strnlen((const char *)bytes, field->size));
		break;
	case FIELD_SIG:
		format_signal(text, sign_extend(value, bits));
		break;
	case FIELD_SIGSET:
		format_sigset(text, value);
		break;
	case FIELD_FD:
		format_fd(text, (int)value);
		break;
	case FIELD_MODE:
		format_set(text, &value_set_inode_mode, value & ~0777u, bits, 0);
		text_printf(text, "|%#03o", (unsigned)value & 0777);
		break;
	case FIELD_SET:
		format_set(text, field->set, value, bits, 1ull << 32);
		break;
	case FIELD_STRUCT:
		format_struct(text, field->nested, bytes);
		break;
	}
}

void format_struct(struct strace_text *text, const struct struct_info *st, const uint8_t *bytes)
{
	text_char(text, '{');
	for (unsigned i = 0; i < st->field_count; i++) {
		const struct struct_field *field = &st->fields[i];

		text_printf(text, "%s%s=", i ? ", " : "", field->name);
		format_field(text, field, bytes + field->offset);
	}
	text_char(text, '}');
}

/* unix(7): a path up to its NUL, or an abstract name of all the bytes behind a NUL. */
static void format_sockaddr_un(struct strace_text *text, const uint8_t *bytes, size_t size)
{
	const char *path = (const char *)bytes + offsetof(struct lx_sockaddr_un, sun_path);
	size_t path_size = size - offsetof(struct lx_sockaddr_un, sun_path);

	if (!path_size)
		return;
	if (path_size > LX_UNIX_PATH_MAX)
		path_size = LX_UNIX_PATH_MAX;
	text_string(text, ", sun_path=");
	if (path[0]) {
		text_quoted(text, path, strnlen(path, path_size));
	} else {
		text_char(text, '@');
		text_quoted(text, path + 1, path_size - 1);
	}
}

void format_sockaddr(struct strace_text *text, const uint8_t *bytes, size_t size)
{
	char address[INET6_ADDRSTRLEN];
	struct lx_sockaddr_in in;
	struct lx_sockaddr_in6 in6;
	uint16_t family;

	if (size < sizeof(family)) {
		text_quoted(text, bytes, size);
		return;
	}
	memcpy(&family, bytes, sizeof(family));
	text_string(text, "{sa_family=");
	format_set(text, &value_set_af, family, 16, ~0ull);
	if (family == LX_AF_UNIX) {
		format_sockaddr_un(text, bytes, size);
	} else if (family == LX_AF_INET && size >= sizeof(in)) {
		memcpy(&in, bytes, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, address, sizeof(address));
		text_printf(text, ", sin_port=htons(%u), sin_addr=inet_addr(\"%s\")",
			ntohs(in.sin_port), address);
	} else if (family == LX_AF_INET6 && size >= sizeof(in6)) {
		memcpy(&in6, bytes, sizeof(in6));
		inet_ntop(AF_INET6, in6.sin6_addr, address, sizeof(address));
		text_printf(text, ", sin6_port=htons(%u), inet_pton(AF_INET6, \"%s\")",
			ntohs(in6.sin6_port), address);
	} else if (size > sizeof(family)) {
		text_string(text, ", sa_data=");
		text_quoted(text, bytes + sizeof(family),
			size - sizeof(family) < 14 ? size - sizeof(family) : 14);
	}
	text_char(text, '}');
}

static const struct {
	int code;
	const char *text;
} restart_codes[] = {
	{ERESTARTSYS, "ERESTARTSYS (To be restarted if SA_RESTART is set)"},
	{ERESTARTNOINTR, "ERESTARTNOINTR (To be restarted)"},
	{ERESTARTNOHAND, "ERESTARTNOHAND (To be restarted if no handler)"},
	{ERESTART_RESTARTBLOCK, "ERESTART_RESTARTBLOCK (Interrupted by signal)"},
};

static bool returns_address(uint64_t nr)
{
	return nr == LX_NR_mmap || nr == LX_NR_mremap || nr == LX_NR_brk || nr == LX_NR_shmat;
}

void format_result(struct strace_text *text, uint64_t nr, const uint64_t args[6], int64_t result)
{
	const char *name;

	if (result >= 0 || result < -4095) {
		text_printf(text, returns_address(nr) ? "%#llx" : "%lld", (long long)result);
		if (nr == LX_NR_fcntl && (int)args[1] == LX_F_GETFL) {
			text_string(text, " (flags ");
			format_set(text, &value_set_open, (uint64_t)result, 32, 0);
			text_char(text, ')');
		}
		return;
	}
	for (size_t i = 0; i < sizeof(restart_codes) / sizeof(restart_codes[0]); i++) {
		if (result == -restart_codes[i].code) {
			text_printf(text, "? %s", restart_codes[i].text);
			return;
		}
	}
	/* The _np forms are plain tables: no locale, no files. */
	name = strerrorname_np((int)-result);
	if (name)
		text_printf(text, "-1 %s (%s)", name, strerrordesc_np((int)-result));
	else
		text_printf(text, "-1 (errno %d)", (int)-result);
}
