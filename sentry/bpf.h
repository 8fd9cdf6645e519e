/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_BPF_H
#define SENTRY_SENTRY_BPF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/seccomp.h"

/* Classic BPF as seccomp(2) has it. */

/* Whether @program may be run: 0 or -EINVAL. May take @count steps; allocates. -ENOMEM. */
int bpf_check(const struct lx_sock_filter *program, size_t count);
/* Runs a checked program; ends after at most @count steps, since jumps go forward only. */
uint32_t bpf_run(
	const struct lx_sock_filter *program, size_t count, const struct lx_seccomp_data *data);

/* What any classic program is made of: @a @op= @b (false: division by zero, which ends the program
 * with 0), and whether a conditional jump is taken. Who may use which @op is for the check to say.
 */
bool bpf_alu(unsigned op, uint32_t *a, uint32_t b);
bool bpf_jump(unsigned op, uint32_t a, uint32_t b);

#endif
