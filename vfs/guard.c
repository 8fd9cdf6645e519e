/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hidden and protected names.
 *
 * A rule speaks of names, but a guest reaches a file by many: through "..", symbolic links, bind
 * mounts, working directories and descriptors. So rules are not applied to the paths that a guest
 * gives but to places in the host's tree: a file system asks with the chain of directories that
 * lead to the file on the host, which it keeps itself, at the point where it would ask the host to
 * change something (vfs/hostfs). Everything comes by there, other file systems of the guest's
 * included.
 *
 * What remains are changes of the chain itself. A pattern c1/../cn matches at a place when ck
 * matches the k-th last name. A rename carries a directory with everything in it: matches come to
 * be or cease in it only if the directory itself, under the old or the new name, is where
 * some c1/../ck with k < n matches. Such places are *ways*; they are made by mkdir(2) alone, which
 * makes them empty, and are not renamed. Then no match ever appears, vanishes or changes by a
 * rename, and a symbolic link or a file in the place of a directory that programs outside follow
 * (".git" may be either) cannot be planted.
 *
 * A directory that holds protected files somewhere below and is no way (a whole project) can be
 * renamed; they go with it, unchanged and as protected as before.
 */
#include "vfs/guard.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/hash.h"
#include "base/log.h"

#define PATTERN_SIZE_MAX 1024
#define NAME_SIZE_MAX	 256

struct rule {
	char *text;	  /* owned, as given */
	const char *body; /* in it: without a leading slash */
	size_t body_size; /* and without a trailing one */
	bool absolute, directory;
	bool several; /* has more than one component, or a root to start from */
};

struct rule_list {
	struct rule *rules;
	size_t count;
};

struct guard {
	struct rule_list hidden, protected, allowed;
};

/* ---- the lists ------------------------------------------------------------------------------- */

const char *const guard_default_hidden[] = {
	/* settings with secrets */
	".env", ".env.*", ".envrc", "credentials", "credentials.json", "credentials.toml",
	"secrets.json", "secrets.yaml", "secrets.yml", "secrets.toml", ".htpasswd",
	/* keys */
	"*.pem", "*.p12", "*.pfx", "*.ppk", "*.jks", "*.kdbx", "id_rsa", "id_dsa", "id_ecdsa",
	"id_ecdsa_sk", "id_ed25519", "id_ed25519_sk", ".ssh/", ".gnupg/",
	/* tokens of tools */
	".netrc", "_netrc", ".npmrc", ".pypirc", ".git-credentials", ".pgpass", ".my.cnf",
	".vault-token", ".aws/credentials", ".aws/sso/", ".aws/cli/cache/", ".azure/",
	".config/gcloud/", ".config/gh/hosts.yml", ".docker/config.json", ".kube/config",
	".terraform.d/credentials.tfrc.json", NULL};

const char *const guard_default_protected[] = {
	/* git runs these, or reads from them what to run */
	".git/hooks", ".git/config", ".git/config.worktree", ".git/commondir",
	".git/modules/*/hooks", ".git/modules/*/config", ".git/modules/*/*/hooks",
	".git/modules/*/*/config", ".git/worktrees/*/config.worktree", ".git/worktrees/*/commondir",
	".gitconfig", ".gitmodules", ".config/git", ".husky",
	/* shells */
	".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".bash_aliases", ".profile",
	".zshrc", ".zshenv", ".zprofile", ".zlogin", ".zlogout", ".kshrc", ".mkshrc", ".cshrc",
	".tcshrc", ".login", ".logout", ".inputrc", ".envrc", ".config/fish",
	/* editors */
	".vscode", "*.code-workspace", ".idea", ".zed", ".vimrc", ".gvimrc", ".exrc", ".vim",
	".nvimrc", ".nvim.lua", ".config/nvim", ".emacs", ".emacs.d", ".dir-locals.el",
	/* agents */
	".claude", ".claude.json", ".cursor", ".mcp.json", ".codex", ".gemini", ".continue",
	".windsurf", ".opencode", ".aider.conf.yml",
	/* other programs that look for orders where they are started, or at home */
	".ssh", ".gnupg", ".gdbinit", ".lldbinit", ".tmux.conf", ".screenrc", ".psqlrc",
	".sqliterc", ".Rprofile", ".irbrc", ".ripgreprc", ".curlrc", ".wgetrc", ".config/autostart",
	".config/systemd", NULL};

const char *const guard_default_allowed[] = {".env.example", ".env.sample", ".env.template",
	".env.dist", "cacert.pem", "ca-bundle.pem", "roots.pem", NULL};

/* ---- patterns -------------------------------------------------------------------------------- */

const char *guard_pattern_error(const char *pattern)
{
	const char *at = pattern + (*pattern == '/');

	if (!*at)
		return "is empty";
	if (strlen(pattern) > PATTERN_SIZE_MAX)
		return "is too long";
	for (;;) {
		size_t size = strcspn(at, "/");

		if (size == 0)
			return "has an empty component";
		if (at[0] == '.' && (size == 1 || (size == 2 && at[1] == '.')))
			return "has '.' or '..' as a component";
		if (size == 2 && at[0] == '*' && at[1] == '*')
			return "has '**', which is not needed: a pattern without a leading '/' "
			       "matches at any depth, with all below it";
		at += size;
		if (!*at || !at[1])
			return NULL;
		at++;
	}
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* '*' and '?' against a whole name; goes back to the last star only, so it is quadratic at worst.
 */
static bool glob(const char *pattern, size_t pattern_size, const char *name, size_t size)
{
	size_t p = 0, n = 0, star = SIZE_MAX, mark = 0;

	while (n < size) {
		if (p < pattern_size && pattern[p] == '*') {
			star = p++;
			mark = n;
		} else if (p < pattern_size &&
			   (pattern[p] == '?' || lower(pattern[p]) == lower(name[n]))) {
			p++;
			n++;
		} else if (star != SIZE_MAX) {
			p = star + 1;
			n = ++mark;
		} else {
			return false;
		}
	}
	while (p < pattern_size && pattern[p] == '*')
		p++;
	return p == pattern_size;
}

/*
 * Directories that do not tell cases apart (ext4's and f2fs' casefold) compare names by their
 * NFDICF form (kernel fs/unicode): invisible code points are left out, and two letters outside of
 * ASCII become ASCII ones. Returns the bytes of the code point that @text begins with if it is
 * such, with what it becomes in *ret (0: nothing), else 0.
 */
static size_t odd_letter(const unsigned char *text, size_t size, char *ret)
{
	static const struct {
		uint32_t first, last;
		char becomes;
	} odd[] = {{0xad, 0xad}, {0x17f, 0x17f, 's'}, {0x34f, 0x34f}, {0x61c, 0x61c},
		{0x115f, 0x1160}, {0x17b4, 0x17b5}, {0x180b, 0x180f}, {0x200b, 0x200f},
		{0x202a, 0x202e}, {0x2060, 0x206f}, {0x212a, 0x212a, 'k'}, {0x3164, 0x3164},
		{0xfe00, 0xfe0f}, {0xfeff, 0xfeff}, {0xffa0, 0xffa0}, {0xfff0, 0xfff8},
		{0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a}, {0xe0000, 0xe0fff}};
	size_t length = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc0 ? 2 : 1;
	uint32_t value = text[0] & (0x7fu >> length);

	if (length == 1 || length > size)
		return 0;
	for (size_t i = 1; i < length; i++)
		value = value << 6 | (text[i] & 0x3f);
	for (size_t i = 0; i < array_size(odd); i++) {
		if (value < odd[i].first || value > odd[i].last)
			continue;
		*ret = odd[i].becomes;
		return length;
	}
	return 0;
}

/* A name's plain form, which is no longer than it. */
static size_t fold(const char *name, size_t size, char folded[NAME_SIZE_MAX])
{
	size_t used = 0;

	for (size_t i = 0; i < size;) {
		char becomes = 0;
		size_t odd =
			(unsigned char)name[i] < 0x80
				? 0
				: odd_letter((const unsigned char *)name + i, size - i, &becomes);

		if (!odd)
			folded[used++] = name[i++];
		else if (becomes)
			folded[used++] = becomes;
		i += odd;
	}
	return used;
}

static bool is_ascii(const char *name, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if ((unsigned char)name[i] >= 0x80)
			return false;
	return true;
}

/* FAT and its kin drop these at the end of a name. */
static size_t plain_size(const char *name, size_t size)
{
	while (size > 1 && (name[size - 1] == '.' || name[size - 1] == ' '))
		size--;
	return size;
}

static bool component_is(const char *pattern, size_t size, const struct guard_place *at)
{
	char folded[NAME_SIZE_MAX];
	size_t name_size;

	if (glob(pattern, size, at->name, plain_size(at->name, at->size)))
		return true;
	if (at->size > sizeof(folded) || is_ascii(at->name, at->size))
		return false;
	name_size = fold(at->name, at->size, folded);
	return glob(pattern, size, folded, plain_size(folded, name_size));
}

/* The first @size bytes of the rule's body, whole components, against the end of the path. */
static bool matches_at(const struct rule *rule, size_t size, const struct guard_place *place)
{
	struct guard_place at = *place;

	for (;;) {
		size_t start = size;

		while (start > 0 && rule->body[start - 1] != '/')
			start--;
		if (!component_is(rule->body + start, size - start, &at))
			return false;
		if (start == 0)
			return !rule->absolute || !at.up(&at);
		size = start - 1;
		if (!at.up(&at))
			return false;
	}
}

static bool matches(const struct rule *rule, const struct guard_place *place)
{
	return matches_at(rule, rule->body_size, place);
}

/* Do some of the first components, but not all, match? */
static bool is_way(const struct rule *rule, const struct guard_place *place)
{
	if (!rule->several)
		return false;
	for (size_t size = rule->body_size; size > 0; size--)
		if (rule->body[size - 1] == '/' && matches_at(rule, size - 1, place))
			return true;
	return false;
}

static int list_copy(const char *const *patterns, bool directories, struct rule_list *ret)
{
	size_t count = 0;

	while (patterns && patterns[count])
		count++;
	ret->rules = calloc(count + 1, sizeof(*ret->rules));
	if (!ret->rules)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		struct rule *rule = &ret->rules[i];

		if (guard_pattern_error(patterns[i]))
			return -EINVAL;
		rule->text = strdup(patterns[i]);
		if (!rule->text)
			return -ENOMEM;
		ret->count++;
		rule->absolute = rule->text[0] == '/';
		rule->body = rule->text + rule->absolute;
		rule->body_size = strlen(rule->body);
		if (rule->body[rule->body_size - 1] == '/') {
			rule->body_size--;
			rule->directory = directories;
		}
		rule->several = memchr(rule->body, '/', rule->body_size) != NULL;
	}
	return 0;
}

static void list_free(struct rule_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		free(list->rules[i].text);
	free(list->rules);
}

int guard_new(const struct guard_lists *lists, struct guard **ret)
{
	struct guard *guard = calloc(1, sizeof(*guard));
	int status = guard ? list_copy(lists->hidden, true, &guard->hidden) : -ENOMEM;

	if (status == 0)
		status = list_copy(lists->protected, false, &guard->protected);
	if (status == 0)
		status = list_copy(lists->allowed, false, &guard->allowed);
	if (status < 0) {
		guard_free(guard);
		return status;
	}
	*ret = guard;
	return 0;
}

void guard_free(struct guard *guard)
{
	if (!guard)
		return;
	list_free(&guard->hidden);
	list_free(&guard->protected);
	list_free(&guard->allowed);
	free(guard);
}

/* ---- places ---------------------------------------------------------------------------------- */

/* The last component of the @size bytes at place->text. */
static bool path_last(struct guard_place *place, size_t size)
{
	size_t start;

	while (size > 0 && place->text[size - 1] == '/')
		size--;
	for (start = size; start > 0 && place->text[start - 1] != '/'; start--)
		;
	place->name = place->text + start;
	place->size = size - start;
	place->inside = start >= place->inside_from;
	return place->size > 0;
}

static bool path_up(struct guard_place *place)
{
	struct guard_place up = *place;

	if (!path_last(&up, (size_t)(place->name - place->text)))
		return false;
	*place = up;
	return true;
}

struct guard_place guard_place_of_path(const char *text, size_t inside_from)
{
	struct guard_place place = {.text = text, .inside_from = inside_from, .up = path_up};

	(void)path_last(&place, strlen(text));
	return place;
}

void guard_place_name(const struct guard_place *place, char *buffer, size_t size)
{
	struct guard_place at = *place;
	size_t start = size - 1;

	buffer[start] = '\0';
	do {
		if (start < at.size + 1)
			break;
		start -= at.size;
		memcpy(buffer + start, at.name, at.size);
		buffer[--start] = '/';
	} while (at.up(&at));
	memmove(buffer, buffer + start, size - start);
}

/* ---- judging --------------------------------------------------------------------------------- */

static bool is_allowed(const struct guard *guard, struct guard_place place)
{
	do {
		for (size_t i = 0; i < guard->allowed.count; i++)
			if (matches(&guard->allowed.rules[i], &place))
				return true;
	} while (place.up(&place));
	return false;
}

static bool fits(const struct rule *rule, enum guard_kind kind)
{
	return kind == GUARD_ANY || rule->directory == (kind == GUARD_DIRECTORY);
}

static const struct rule *hidden_by(
	const struct guard *guard, const struct guard_place *place, enum guard_kind kind)
{
	for (size_t i = 0; i < guard->hidden.count; i++) {
		const struct rule *rule = &guard->hidden.rules[i];

		if (fits(rule, kind) && matches(rule, place))
			return rule;
	}
	return NULL;
}

static const struct rule *protected_by(const struct guard *guard, const struct guard_place *place)
{
	for (size_t i = 0; i < guard->protected.count; i++)
		if (matches(&guard->protected.rules[i], place))
			return &guard->protected.rules[i];
	return NULL;
}

static const struct rule *way_of(const struct guard *guard, const struct guard_place *place)
{
	for (size_t i = 0; i < guard->protected.count; i++)
		if (is_way(&guard->protected.rules[i], place))
			return &guard->protected.rules[i];
	for (size_t i = 0; i < guard->hidden.count; i++)
		if (is_way(&guard->hidden.rules[i], place))
			return &guard->hidden.rules[i];
	return NULL;
}

static struct guard_answer answer(enum guard_verdict verdict, const struct rule *rule)
{
	return (struct guard_answer){.verdict = verdict, .pattern = rule->text};
}

struct guard_answer guard_hides(
	const struct guard *guard, const struct guard_place *place, enum guard_kind kind)
{
	const struct rule *rule = hidden_by(guard, place, kind);

	if (!rule || is_allowed(guard, *place))
		return (struct guard_answer){0};
	return answer(GUARD_HIDDEN, rule);
}

struct guard_answer guard_judge(
	const struct guard *guard, const struct guard_place *place, enum guard_kind kind)
{
	struct guard_answer found = {0};
	struct guard_place at = *place;
	enum guard_kind at_kind = kind;

	do {
		const struct rule *rule = protected_by(guard, &at);

		if (rule)
			found = answer(GUARD_PROTECTED, rule);
		else if ((rule = hidden_by(guard, &at, at_kind)))
			found = answer(GUARD_HIDDEN, rule);
		at_kind = GUARD_DIRECTORY;
	} while (!found.pattern && at.up(&at) && at.inside);
	if (!found.pattern) {
		const struct rule *rule = way_of(guard, place);

		if (rule)
			found = answer(GUARD_WAY, rule);
	}
	if (found.pattern && is_allowed(guard, *place))
		return (struct guard_answer){0};
	return found;
}

/* ---- telling --------------------------------------------------------------------------------- */

/* Distinct refusals told of, on stderr and in the audit log. */
#define TOLD_SHOWN   32u
#define TOLD_AUDITED 1024u

static bool told_before(uint64_t hash, unsigned *ret_count)
{
	static uint64_t told[TOLD_AUDITED];
	static unsigned count;

	for (unsigned i = 0; i < count; i++)
		if (told[i] == hash)
			return true;
	if (count == TOLD_AUDITED)
		return true;
	told[count++] = hash;
	*ret_count = count;
	return false;
}

void guard_report(const struct guard_answer *refused, const char *what, const char *path)
{
	const bool hidden = refused->verdict == GUARD_HIDDEN;
	const char *list = hidden ? "hidden" : "protected";
	char rule[PATTERN_SIZE_MAX + 64], allow[PATTERN_SIZE_MAX + 64];
	unsigned count;

	if (told_before(hash_u64_pair(hash_bytes(path, strlen(path)), (uintptr_t)what), &count))
		return;
	(void)snprintf(rule, sizeof(rule), "files.%s: %s", list, refused->pattern);
	(void)snprintf(allow, sizeof(allow), "--allow-path %s", path);
	audit_event("denied", "call", what, "path", path, "rule", rule, "allow", allow, NULL);
	if (count <= TOLD_SHOWN)
		log_warning("refused to %s %s: it is %s by the rule '%s'%s (%s permits it)", what,
			path, list, refused->pattern,
			refused->verdict == GUARD_WAY ? ", being on the way to what that names"
						      : "",
			allow);
	if (count == TOLD_SHOWN)
		log_warning("further refusals are only told in the --audit file");
}
