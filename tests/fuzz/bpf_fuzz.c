/* SPDX-License-Identifier: Apache-2.0 */
#include <stdint.h>
#include <string.h>

#include "sentry/bpf.h"

/*
 * Filters of guests (seccomp(2)): the input is the data and then the program. What the check lets
 * pass must run to its end inside its bounds, whatever the data.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define PROGRAM_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct lx_sock_filter program[PROGRAM_MAX];
	struct lx_seccomp_data call;
	size_t count;

	if (size < sizeof(call) + sizeof(program[0]))
		return 0;
	memcpy(&call, data, sizeof(call));
	count = (size - sizeof(call)) / sizeof(program[0]);
	if (count > PROGRAM_MAX)
		count = PROGRAM_MAX;
	memcpy(program, data + sizeof(call), count * sizeof(program[0]));
	if (bpf_check(program, count) == 0)
		(void)bpf_run(program, count, &call);
	return 0;
}
