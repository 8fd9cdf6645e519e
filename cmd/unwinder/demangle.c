/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of C++ as people write them, by the demangler of GCC's runtime library. The names are the
 * guest's, and a short one may stand for one that is longer than memory, or for hours of work: so
 * they have a size that is looked at, what comes of them one at which it ends, and this process
 * the time that the Sentry gives it. It is made to be lost (docs/security.md).
 */
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>

#include "base/checked.h"
#include "cmd/unwinder/unwinder.h"

#define MANGLED_MAX   512u
#define DEMANGLED_MAX 200u

#ifdef HAVE_DEMANGLER
/* libstdc++, libiberty/cp-demangle.c; no header has it. 0: well done. */
int __gcclibcxx_demangle_callback(
	const char *mangled, void (*take)(const char *part, size_t size, void *data), void *data);

struct result {
	char text[DEMANGLED_MAX + 4];
	size_t used;
	jmp_buf enough;
};

/* Called on the way through the demangler, which holds nothing but its stack then. */
static void take(const char *part, size_t size, void *data)
{
	struct result *result = data;
	size_t fits = min_of(size, (size_t)DEMANGLED_MAX - result->used);

	memcpy(result->text + result->used, part, fits);
	result->used += fits;
	if (fits == size)
		return;
	memcpy(result->text + result->used, "...", 3);
	result->used += 3;
	longjmp(result->enough, 1);
}

const char *demangled(const char *name)
{
	static struct result result;

	if (strncmp(name, "_Z", 2) != 0 || strnlen(name, MANGLED_MAX + 1) > MANGLED_MAX)
		return name;
	result.used = 0;
	if (setjmp(result.enough) == 0 && __gcclibcxx_demangle_callback(name, take, &result) != 0)
		return name;
	result.text[result.used] = '\0';
	return result.text;
}
#else
const char *demangled(const char *name)
{
	return name;
}
#endif
