/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SYSCALL_TABLE_H
#define SENTRY_SENTRY_SYSCALL_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "abi/gaddr.h"
#include "abi/syscall_nr.h"

/*
 * The shape of what tools/gen-syscalls.py makes of sentry/syscalls.def. Two tables, so that
 * programs that only talk about calls (the decoder, its tests, `sentry syscalls`) do not need the
 * handlers: syscall_table dispatches, syscall_info describes. Both are indexed by the x86-64 number
 * and have LX_NR_COUNT rows; a row without a name is a gap in the numbers.
 */
struct task;

enum syscall_class {
	SYSCALL_IN_GUEST, /* touches only the caller's own state: the stub may answer it */
	SYSCALL_FAST,	  /* answered at once */
	SYSCALL_BLOCK,	  /* may sleep */
};

enum syscall_support {
	SYSCALL_NONE,
	SYSCALL_PARTIAL,
	SYSCALL_FULL,
};

struct syscall_entry {
	const char *name;
	/*
	 * Calls the handler with arguments of its own types: registers are truncated as Linux does.
	 * NULL when support is SYSCALL_NONE: the caller answers -ENOSYS and writes an audit line.
	 */
	int64_t (*call)(struct task *t, const uint64_t args[6]);
	uint8_t nargs;
	uint8_t klass;	 /* enum syscall_class */
	uint8_t support; /* enum syscall_support */
};
extern const struct syscall_entry syscall_table[LX_NR_COUNT];

/* Names of the values of an argument or field; the tests go from first to last. */
struct named_value {
	uint64_t value;
	const char *name;
};

struct value_set {
	const char *name;
	uint64_t enum_mask; /* the bits that hold one of values; all: nothing but; 0: flags only */
	const struct named_value *values;
	const struct named_value *flags;
	uint16_t value_count;
	uint16_t flag_count;
};

enum field_format {
	FIELD_DEC,
	FIELD_UDEC,
	FIELD_HEX,
	FIELD_OCT,
	FIELD_STR,
	FIELD_SIG,
	FIELD_SIGSET,
	FIELD_FD,
	FIELD_MODE,
	FIELD_SET,
	FIELD_STRUCT,
};

struct struct_field {
	const char *name;
	uint16_t offset;
	uint16_t size;
	uint8_t format;
	const struct value_set *set;
	const struct struct_info *nested;
};

/* No described struct is larger (checked in the generated file). */
#define STRUCT_SIZE_MAX 512

struct struct_info {
	const char *name;
	uint16_t size;
	uint16_t field_count;
	const struct struct_field *fields;
};

enum arg_type {
	ARG_INT,
	ARG_UINT,
	ARG_LONG,
	ARG_ULONG,
	ARG_HEX,
	ARG_FD,
	ARG_DIRFD,
	ARG_ID, /* uid, gid: all ones is shown as -1 */
	ARG_MODE,
	ARG_DEV,
	ARG_SIG,
	ARG_SET32,
	ARG_SET64,
	ARG_ADDR,
	ARG_STRING,  /* NUL-terminated */
	ARG_STRINGS, /* array of such */
	ARG_POINTER, /* to elements */
	ARG_IOVEC,   /* iovecs with data */
};

enum arg_element {
	ELEMENT_BYTE,
	ELEMENT_CHAR,
	ELEMENT_SHORT,
	ELEMENT_INT,
	ELEMENT_UINT,
	ELEMENT_LONG,
	ELEMENT_ULONG,
	ELEMENT_SIGSET,
	ELEMENT_FDSET,
	ELEMENT_SOCKADDR,
	ELEMENT_STRUCT,
};

enum arg_count {
	COUNT_FIXED,	 /* count elements */
	COUNT_ARG,	 /* args[count] elements */
	COUNT_SIZE_ARG,	 /* args[count] bytes */
	COUNT_SIZE_DEREF /* *(int *)args[count] bytes */
};

#define ARG_READ  1 /* the call reads the memory */
#define ARG_WRITE 2 /* the call writes it */

struct syscall_arg {
	const char *name;
	const struct value_set *set;
	const struct struct_info *st;
	uint8_t type;	    /* enum arg_type */
	uint8_t direction;  /* ARG_READ, ARG_WRITE */
	uint8_t element;    /* enum arg_element */
	uint8_t count_kind; /* enum arg_count */
	uint8_t count;
	uint16_t element_size;
};

struct syscall_info {
	const char *name; /* NULL: no such number */
	const char *note; /* NULL: none */
	const char *family;
	uint8_t nargs;
	uint8_t klass;
	uint8_t support;
	struct syscall_arg args[6];
};
extern const struct syscall_info syscall_info[LX_NR_COUNT];

/* Sets that the decoder needs by name. */
extern const struct value_set value_set_signal;
extern const struct value_set value_set_af;
extern const struct value_set value_set_inode_mode;
extern const struct value_set value_set_open;
extern const struct value_set value_set_sockopt_tcp;

/*
 * Prints the table to @out as "table" (for people), "json" or "csv". 0; -EINVAL for another format;
 * -EIO when @out broke.
 */
int syscalls_print(FILE *out, const char *format);

#endif
