/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_MARSHAL_H
#define SENTRY_ABI_MARSHAL_H

#include <stdint.h>

/*
 * The marshalling plan: which guest memory a system call is going to read or write, as far as its
 * register arguments tell. The stub sends what is read along with the request. It is an
 * optimisation and no contract: a handler that reads memory which did not travel asks for it, and
 * memory that travelled in vain is ignored. The stub runs it on registers that the guest chose, so
 * each user clips sizes to its own room; products are of a 16-bit size and a 64-bit count and
 * can overflow.
 *
 * Usable from freestanding code; the table itself (marshal_rows, marshal_entries) is generated
 * from sentry/syscalls.def into abi/marshal_gen.h and contains no pointers.
 */
enum marshal_kind {
	MARSHAL_STRING = 1, /* NUL-terminated, read; at most LX_PATH_MAX bytes are worth sending */
	MARSHAL_STRUCT_IN,  /* size bytes, read */
	MARSHAL_STRUCT_OUT, /* size bytes, written */
	MARSHAL_BUFFER_IN,  /* size * args[len_arg] bytes, read */
	MARSHAL_BUFFER_OUT, /* size * args[len_arg] bytes, written */
	MARSHAL_IOVEC_IN,   /* args[len_arg] iovecs, and the data they name, read */
};

struct marshal_entry {
	uint8_t kind;
	uint8_t arg;	  /* which argument is the address */
	uint8_t len_arg;  /* which argument is the count, for the kinds that say so */
	uint8_t len_bits; /* 32: only the low half of that register counts; negative means none */
	uint16_t size;
};

/* For each number: marshal_entries[first] .. marshal_entries[first + count - 1] */
struct marshal_row {
	uint16_t first;
	uint8_t count;
	uint8_t inputs; /* of the entries: what is read */
	uint8_t args;	/* that the call has; for numbers with entries */
};

#endif
