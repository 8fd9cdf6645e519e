/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/resolve.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

static const char *const shown_trees[] = {
	"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32"};

static bool is_below(const char *path, const char *tree)
{
	size_t size = strlen(tree);

	return strncmp(path, tree, size) == 0 && (path[size] == '/' || path[size] == '\0');
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The first program of that name in a PATH-like list; malloc'ed or NULL. */
static char *search(const char *name, const char *list)
{
	while (*list) {
		size_t size = strcspn(list, ":");
		char *path;

		if (size > 0 && list[0] == '/') {
			if (asprintf(&path, "%.*s/%s", (int)size, list, name) < 0)
				return NULL;
			if (is_program(path))
				return path;
			free(path);
		}
		list += size;
		list += *list == ':';
	}
	return NULL;
}

static bool is_shown(const char *path, const char *cwd)
{
	for (size_t i = 0; i < sizeof(shown_trees) / sizeof(shown_trees[0]); i++) {
		if (is_below(path, shown_trees[i]))
			return true;
	}
	return cwd && is_below(path, cwd);
}

int resolve_prefix(
	const char *command, const char *cwd, const char *home, char **ret_prefix, char **ret_bin)
{
	_cleanup_free_ char *program = NULL, *prefix = NULL, *bin = NULL;
	const char *path = getenv("PATH");
	char *slash;

	*ret_prefix = *ret_bin = NULL;
	if (strchr(command, '/')) {
		program = command[0] == '/' && is_program(command) ? strdup(command) : NULL;
	} else {
		program = search(command, GUEST_PATH);
		if (!program && path)
			program = search(command, path);
	}
	if (!program || is_shown(program, cwd))
		return 0;
	bin = strdup(program);
	if (!bin)
		return -ENOMEM;
	slash = strrchr(bin, '/');
	*slash = '\0';
	prefix = strdup(bin);
	if (!prefix)
		return -ENOMEM;
	slash = strrchr(prefix, '/');
	/* PREFIX/bin/program shows PREFIX; a program elsewhere only its own directory. */
	if (slash && slash != prefix && (strcmp(slash, "/bin") == 0 || strcmp(slash, "/sbin") == 0))
		*slash = '\0';
	if (!*prefix || strcmp(prefix, "/") == 0 || is_below(home, prefix))
		return -EINVAL;
	*ret_prefix = TAKE(prefix);
	*ret_bin = TAKE(bin);
	return 0;
}
