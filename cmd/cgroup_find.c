/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cmd/cgroup.h"

/*
 * Where the control groups are (cgroups(7), "/proc files"; proc_pid_mountinfo(5)). A line of
 * /proc/self/cgroup says in which group of a hierarchy we are, a line of mountinfo where that
 * hierarchy, or a part of it, can be reached. Both are the host kernel's words.
 */

/* Is @word one of the @separator-separated words in @list of @size bytes? */
static bool has_word(const char *list, size_t size, const char *word, char separator)
{
	size_t length = strlen(word);

	while (size > 0) {
		const char *end = memchr(list, separator, size);
		size_t step = end ? (size_t)(end - list) : size;

		if (step == length && memcmp(list, word, length) == 0)
			return true;
		if (!end)
			break;
		list += step + 1;
		size -= step + 1;
	}
	return false;
}

/* "\040" and the like, in place. */
static void decode_octal(char *text)
{
	char *to = text;

	for (; *text; text++) {
		if (text[0] == '\\' && text[1] >= '0' && text[1] <= '3' && text[2] && text[3]) {
			*to++ = (char)((text[1] - '0') * 64 + (text[2] - '0') * 8 + text[3] - '0');
			text += 3;
		} else {
			*to++ = *text;
		}
	}
	*to = '\0';
}

/* Our group in the hierarchy of @controller, or in version 2's when no other has it. */
static int own_group(const char *groups, const char *controller, char path[PATH_MAX], bool *unified)
{
	int r = -ENOENT;

	while (groups && *groups) {
		const char *end = strchrnul(groups, '\n');
		const char *list = memchr(groups, ':', (size_t)(end - groups));
		const char *name = list ? memchr(list + 1, ':', (size_t)(end - list - 1)) : NULL;
		bool version2 = list && name == list + 1 && list == groups + 1 && *groups == '0';

		if (name && (size_t)(end - name) <= PATH_MAX &&
			(version2 ||
				has_word(list + 1, (size_t)(name - list - 1), controller, ','))) {
			memcpy(path, name + 1, (size_t)(end - name - 1));
			path[end - name - 1] = '\0';
			*unified = version2;
			r = 0;
			if (!version2)
				return 0;
		}
		groups = *end ? end + 1 : NULL;
	}
	return r;
}

struct mount_line {
	char root[PATH_MAX], point[PATH_MAX], type[32], options[256];
};

static bool parse_mount(const char *line, size_t size, struct mount_line *ret)
{
	_cleanup_free_ char *text = strndup(line, size);
	char *dash = text ? strstr(text, " - ") : NULL;

	if (!dash || sscanf(text, "%*s %*s %*s %4095s %4095s", ret->root, ret->point) != 2 ||
		sscanf(dash + 3, "%31s %*s %255s", ret->type, ret->options) != 2)
		return false;
	decode_octal(ret->root);
	decode_octal(ret->point);
	return true;
}

/* @group as the mount shows it: behind its root. NULL: not in that part. */
static const char *below(const struct mount_line *mount, const char *group)
{
	size_t size = strlen(mount->root);

	if (strcmp(mount->root, "/") == 0)
		return group;
	if (strncmp(group, mount->root, size) != 0 || (group[size] != '/' && group[size] != '\0'))
		return NULL;
	return group + size;
}

/* Takes the last name off. False at the top of what can be seen. */
static bool climb(char *group)
{
	char *slash = strrchr(group, '/');

	if (!slash || strcmp(group, "/") == 0)
		return false;
	*slash = '\0';
	return true;
}

static int join_path(
	const struct mount_line *mount, const char *group, unsigned level, struct cgroup_place *ret)
{
	const char *seen = below(mount, group);
	char path[PATH_MAX];

	/* "/../x" is a group outside of our control group namespace. */
	if (!seen || strstr(seen, "/../"))
		return -ENOENT;
	if (snprintf(path, sizeof(path), "%s", seen) >= (int)sizeof(path))
		return -ENOENT;
	for (; level > 0; level--) {
		if (!climb(path))
			return -ENOENT;
	}
	if (snprintf(ret->path, sizeof(ret->path), "%s%s", mount->point,
		    strcmp(path, "/") == 0 ? "" : path) >= (int)sizeof(ret->path))
		return -ENOENT;
	return 0;
}

int cgroup_find(const char *groups, const char *mounts, const char *controller, unsigned level,
	struct cgroup_place *ret)
{
	struct cgroup_place place;
	char group[PATH_MAX];
	int r = own_group(groups, controller, group, &place.unified);

	while (r == 0 && mounts && *mounts) {
		const char *end = strchrnul(mounts, '\n');
		struct mount_line mount;

		if (parse_mount(mounts, (size_t)(end - mounts), &mount) &&
			strcmp(mount.type, place.unified ? "cgroup2" : "cgroup") == 0 &&
			(place.unified ||
				has_word(mount.options, strlen(mount.options), controller, ',')) &&
			join_path(&mount, group, level, &place) == 0) {
			*ret = place;
			return 0;
		}
		mounts = *end ? end + 1 : NULL;
	}
	return -ENOENT;
}
