/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_PLATFORM_PTRACE_STORE_H
#define SENTRY_PLATFORM_PTRACE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What of a page fault tells apart operands of instructions with two of them. */
struct store_context {
	uint64_t addr; /* that faulted */
	uint64_t rsp, rdi;
};

/* True when the instruction in @code (at most 15 bytes matter) writes to memory at the faulting
 * address. */
bool instruction_stores(const uint8_t *code, size_t size, const struct store_context *context);

#endif
