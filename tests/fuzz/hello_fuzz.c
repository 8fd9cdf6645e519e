/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what a TLS client says first. Properties: no crash; a name that is found is clean; more
 * bytes never change a verdict that was not "more".
 */
#include <stdlib.h>
#include <string.h>

#include "gateway/tls.h"

#define require(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[GATE_DOMAIN_MAX] = "", part[GATE_DOMAIN_MAX], clean[GATE_DOMAIN_MAX];
	enum gate_tls verdict = gate_tls_look(data, size, name), early;

	if (verdict == GATE_TLS_NAMED)
		require(gate_name_clean(name, clean) == 0 && strcmp(name, clean) == 0);
	for (size_t cut = 0; cut < size; cut += 1 + size / 64) {
		early = gate_tls_look(data, cut, part);
		require(early == GATE_TLS_MORE || early == verdict);
	}
	return 0;
}
