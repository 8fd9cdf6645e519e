/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>

#include "base/bitmap.h"

Test(bitmap, finds_lowest_clear_bit)
{
	struct bitmap map = {0};

	cr_assert_eq(bitmap_next_clear(&map, 0), 0);
	cr_assert_eq(bitmap_next_clear(&map, 1000), 1000);
	for (size_t bit = 0; bit < 200; bit++)
		cr_assert_eq(bitmap_set(&map, bit), 0);
	cr_assert_eq(bitmap_next_clear(&map, 0), 200);
	bitmap_clear(&map, 63);
	bitmap_clear(&map, 64);
	cr_assert_eq(bitmap_next_clear(&map, 0), 63);
	cr_assert_eq(bitmap_next_clear(&map, 64), 64);
	cr_assert_eq(bitmap_next_clear(&map, 65), 200);
	cr_assert_not(bitmap_test(&map, 64));
	cr_assert(bitmap_test(&map, 65));
	cr_assert_not(bitmap_test(&map, 1u << 20));
	bitmap_fini(&map);
}

Test(bitmap, walks_set_bits_and_copies)
{
	struct bitmap map = {0}, copy;
	static const size_t bits[] = {0, 5, 63, 64, 700};
	size_t at = 0;

	cr_assert_eq(bitmap_next_set(&map, 0), SIZE_MAX);
	for (size_t i = 0; i < 5; i++)
		cr_assert_eq(bitmap_set(&map, bits[i]), 0);
	cr_assert_eq(bitmap_copy(&copy, &map), 0);
	for (size_t i = 0; i < 5; i++) {
		at = bitmap_next_set(&copy, at);
		cr_assert_eq(at, bits[i]);
		at++;
	}
	cr_assert_eq(bitmap_next_set(&copy, at), SIZE_MAX);
	bitmap_clear(&copy, 5);
	cr_assert(bitmap_test(&map, 5));
	bitmap_fini(&map);
	bitmap_fini(&copy);
}
