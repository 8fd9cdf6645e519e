/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Fuzzes what decides about code that is to be patched: lengths against capstone's, and the
 * judgement of a call site. Properties: whatever both decode has one length, nothing is read behind
 * the end (ASan), an accepted site ends at its `syscall`, a hole lies within reach in free padding.
 */
#include <capstone/capstone.h>
#include <stdlib.h>
#include <string.h>

#include "platform/systrap/insn.h"
#include "platform/systrap/site.h"

#define BASE 0x7f1234560000ull
#define require(cond)                                                                              \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare(const uint8_t *data, size_t size)
{
	static csh capstone;
	struct insn insn;
	cs_insn *expected;

	if (!capstone)
		require(cs_open(CS_ARCH_X86, CS_MODE_64, &capstone) == CS_ERR_OK);
	if (!insn_decode(data, size, &insn))
		return;
	require(insn.size >= 1 && insn.size <= INSN_SIZE_MAX && insn.size <= size);
	if (cs_disasm(capstone, data, size, 0, 1, &expected) != 1)
		return;
	/* With a segment prefix between, capstone takes 66 0f 78 (EXTRQ, two bytes of immediates)
	 * for VMREAD. */
	if (expected->id != X86_INS_VMREAD)
		require(expected->size == insn.size);
	cs_free(expected, 1);
}

static void check_form(
	const struct site_window *window, uint64_t next, const struct site_form *form)
{
	struct insn insn;
	size_t begin = (size_t)(form->site - window->addr);

	require(form->site >= window->addr && form->site + form->size + 2 == next);
	require(insn_decode(window->bytes + begin, form->size, &insn));
	require(insn.size == form->size && insn_is_movable(&insn));
	if (form->size >= SITE_JUMP_SIZE) {
		require(form->hole == 0);
		return;
	}
	require(form->hole >= window->addr &&
		form->hole + SITE_JUMP_SIZE <= window->addr + window->size);
	require((int64_t)(form->hole - form->site - 2) >= -128 &&
		(int64_t)(form->hole - form->site - 2) <= 127);
	require(form->hole / 16 == (form->hole + SITE_JUMP_SIZE - 1) / 16);
	require(form->hole + SITE_JUMP_SIZE <= form->site || form->hole >= next);
	for (size_t i = 0; i < SITE_JUMP_SIZE; i++)
		require(!window->taken[form->hole - window->addr + i]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct site_window window = {.addr = BASE + (size ? data[0] % 64 : 0)};
	struct site_form form;

	if (size < 2)
		return 0;
	for (size_t i = 0; i < size && i < 64; i++)
		compare(data + i, size - i);
	window.size = size - 1 < SITE_WINDOW_SIZE ? size - 1 : SITE_WINDOW_SIZE;
	memcpy(window.bytes, data + 1, window.size);
	for (size_t i = 0; i + 2 <= window.size; i++) {
		uint64_t next = window.addr + i + 2;

		if (window.bytes[i] != 0x0f || window.bytes[i + 1] != 0x05)
			continue;
		if (site_judge(&window, next, data[0], &form) == SITE_OK)
			check_form(&window, next, &form);
	}
	return 0;
}
