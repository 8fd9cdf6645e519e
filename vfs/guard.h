/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_GUARD_H
#define SENTRY_VFS_GUARD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Which names of the user's own files a guest does not see (secrets) and which it does not change
 * (what programs outside of the sandbox run or obey without asking). docs/policy.md is the user's
 * view; guard.c says how the rules hold against renames.
 *
 * A pattern is one or more components with '*' and '?' between slashes, compared without regard to
 * the case of ASCII letters, since the host's file system may do so too. Without a leading slash it
 * means the last components of a path, at any depth; with one the whole host path.
 */
struct guard_lists {
	/* Each NULL-terminated, borrowed. A hidden pattern means files, one with a trailing slash
	 * directories; a protected one whatever has the name, and all below it. Allowed ones, and
	 * all below them, are excepted from both. */
	const char *const *hidden, *const *protected, *const *allowed;
};

extern const char *const guard_default_hidden[], *const guard_default_protected[];
/* Looks like secrets, but is meant for everybody: excepted whatever the policy says. */
extern const char *const guard_default_allowed[];

/* NULL when @pattern is fine, else what is wrong with it, for a message. */
const char *guard_pattern_error(const char *pattern);

struct guard;
/* Copies what it needs. -EINVAL: a pattern is wrong; -ENOMEM. */
int guard_new(const struct guard_lists *lists, struct guard **ret);
void guard_free(struct guard *guard);

/*
 * A place in a tree of files: its last component, and how to go up. @up changes the place to that
 * of the directory that holds it, and returns false at the root of the host. Copies are
 * independent.
 */
struct guard_place {
	const char *name; /* not NUL-terminated */
	size_t size;
	bool inside; /* below the tree that the guard is for: what is above was named by the user */
	bool (*up)(struct guard_place *place);
	const void *at; /* @up's own, with the next two */
	const char *text;
	size_t inside_from;
};

/*
 * The place of an absolute host path without "." and "..", borrowed; components that start at the
 * byte @inside_from or later are inside. Its name is empty for the root itself.
 */
struct guard_place guard_place_of_path(const char *text, size_t inside_from);
/* Writes the place's whole path, NUL-terminated; the front of what is too long is left out. */
void guard_place_name(const struct guard_place *place, char *buffer, size_t size);

enum guard_verdict {
	GUARD_FREE,
	GUARD_HIDDEN,
	GUARD_PROTECTED,
	/* A directory on the way to what a pattern of several components names: it may be made
	 * empty, but not moved, replaced, or be anything but a directory. */
	GUARD_WAY,
};

struct guard_answer {
	enum guard_verdict verdict;
	const char *pattern; /* which rule, borrowed from the guard; NULL: free */
};

enum guard_kind { GUARD_FILE, GUARD_DIRECTORY, GUARD_ANY };

/* Does a listing show the name? Only the name itself is looked at: who stands in a directory has
 * found it. */
struct guard_answer guard_hides(
	const struct guard *guard, const struct guard_place *place, enum guard_kind kind);
/* What holds for changes of the place: it and all directories above it are looked at. */
struct guard_answer guard_judge(
	const struct guard *guard, const struct guard_place *place, enum guard_kind kind);

/*
 * Tells the user, on stderr and in the audit log, that @what ("read", "create", "remove"...) of
 * @path was refused. Each path and reason once, and no more than a bound in all.
 */
void guard_report(const struct guard_answer *answer, const char *what, const char *path);

#endif
