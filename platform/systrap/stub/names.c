/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Sentry said of a name, to be said again.
 *
 * Programs ask for the same names over and over (every import looks into the same directories). Of
 * the answers to stat, access, readlink and getcwd the Sentry marks those that last (REPLY_LASTS:
 * vfs/vfs.h says which): they hold until `names_epoch` changes, which the Sentry does before
 * anybody can learn of whatever made them void. A thread keeps some of its own in a small table
 * beside its stack. The first question writes the name into an entry; the reply completes it.
 *
 * Only absolute names, so that the working directory does not matter; and its own name. Identity,
 * root and the working directory itself do matter: the epoch changes with them. A fork copies the
 * table, which is as true for the child.
 */
#include "platform/systrap/stub/stub.h"
#include "abi/syscall_nr.h"

#define ENOENT		    2
#define EFAULT		    14
#define EINVAL		    22
#define AT_FDCWD	    (-100)
#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_NO_AUTOMOUNT	    0x800u

struct question {
	uint32_t what; /* the question's kind and flags: entries of different ones never match */
	uint64_t name, buffer; /* in the guest; no buffer: the result says it all */
	uint32_t size;	       /* of the buffer for a link */
	int32_t dirfd;	       /* ASK_STAT, ASK_LSTAT: where a relative name begins */
};

/* What is read of a name: enough for inguest.ahead, and the padding of both kinds of entries. */
#define TAKE_MAX (PLATFORM_AHEAD_PREFIX + PLATFORM_AHEAD_NAME)

#define ASK_STAT     0x10000u
#define ASK_LSTAT    0x20000u
#define ASK_READLINK 0x30000u /* the result is the target's size, or an error */
#define ASK_CWD	     0x40000u /* likewise */
#define ASK_ACCESS   0x50000u /* and the mode */

/* False: not a question that is kept. */
static bool parse(uint32_t nr, const uint64_t args[6], struct question *ret)
{
	uint32_t flags;

	switch (nr) {
	case LX_NR_stat:
		*ret = (struct question){ASK_STAT, args[0], args[1], 0, AT_FDCWD};
		return true;
	case LX_NR_lstat:
		*ret = (struct question){ASK_LSTAT, args[0], args[1], 0, AT_FDCWD};
		return true;
	case LX_NR_newfstatat:
		flags = (uint32_t)args[3] & ~AT_NO_AUTOMOUNT;
		*ret = (struct question){
			flags ? ASK_LSTAT : ASK_STAT, args[1], args[2], 0, (int32_t)args[0]};
		return flags == 0 || flags == AT_SYMLINK_NOFOLLOW;
	case LX_NR_readlink:
		*ret = (struct question){ASK_READLINK, args[0], args[1], (uint32_t)args[2]};
		return (int32_t)args[2] > 0;
	case LX_NR_readlinkat:
		*ret = (struct question){ASK_READLINK, args[1], args[2], (uint32_t)args[3]};
		return (int32_t)args[3] > 0;
	case LX_NR_getcwd:
		*ret = (struct question){ASK_CWD, 0, args[0], (uint32_t)args[1]};
		return args[1] <= UINT32_MAX;
	case LX_NR_access:
		*ret = (struct question){ASK_ACCESS | (args[1] & 7), args[0], 0};
		return (uint32_t)args[1] <= 7;
	case LX_NR_faccessat:
		*ret = (struct question){ASK_ACCESS | (args[2] & 7), args[1], 0};
		return (uint32_t)args[2] <= 7;
	default:
		return false;
	}
}

static uint32_t hash(const char *name, uint32_t size, uint32_t what)
{
	uint64_t sum = what;

	for (uint32_t i = 0; i < size; i += 8)
		sum = (sum ^ *(const uint64_t *)(name + i)) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(sum >> 32) ^ (uint32_t)(sum >> 16);
}

static bool same(const char *a, const char *b, uint32_t size)
{
	for (uint32_t i = 0; i < size; i += 8)
		if (*(const uint64_t *)(a + i) != *(const uint64_t *)(b + i))
			return false;
	return true;
}

/* Copies the name, with padding behind it that all comparisons count on. The size with it; 0: not
 * for us. */
static uint32_t take_name(char name[TAKE_MAX + 8], uint32_t what, uint64_t from)
{
	uint32_t padded;
	int64_t size;

	if (what == ASK_CWD) {
		*(uint64_t *)name = '.';
		return sizeof(uint64_t);
	}
	size = stub_copy_string(name, (const char *)from, TAKE_MAX);
	if (size <= 1)
		return 0;
	padded = ((uint32_t)size + 7) & ~7u;
	for (uint32_t i = (uint32_t)size; i < padded; i++)
		name[i] = 0;
	return padded;
}

/* The entry of this name, or the one to be given to it. */
static struct stub_name *find(struct stub_thread *self, const struct question *question,
	const char *name, uint32_t size, uint32_t epoch, bool *ret_known)
{
	struct stub_name *set, *oldest;

	set = &stub_names(self)[hash(name, size, question->what) % STUB_NAME_SETS * STUB_NAME_WAYS];
	oldest = set;
	self->names_used++;
	for (unsigned i = 0; i < STUB_NAME_WAYS; i++) {
		struct stub_name *entry = &set[i];

		if (entry->epoch != epoch || entry->owner != self->names_owner) {
			entry->epoch = 0;
			entry->used = 0;
		} else if (entry->what == question->what && entry->size == size &&
			   same(entry->name, name, size)) {
			entry->used = self->names_used;
			*ret_known = true;
			return entry;
		}
		if (entry->used < oldest->used)
			oldest = entry;
	}
	*ret_known = false;
	return oldest;
}

/* How many bytes an answer has for a buffer of @size (a link's; struct stat always fits). */
static uint64_t entry_bytes(const struct stub_name *entry, uint32_t size)
{
	if (entry->what >= ASK_ACCESS || entry->result < 0)
		return 0;
	if (entry->what < ASK_READLINK)
		return sizeof(entry->out);
	return (uint64_t)entry->result < size ? (uint64_t)entry->result : size;
}

/* ---- names that were likely to be asked for ----
 *
 * inguest.ahead: programs that walk a tree ask for each name of a directory once, in the order in
 * which they were listed. So the Sentry says more than it was asked (sentry/ahead.c).
 */

bool stub_same_bytes(const char *a, const char *b, uint32_t size)
{
	for (uint32_t i = 0; i < size; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/* Two names in a directory, NUL-terminated, the first one in a padded field. */
static bool same_last(const char field[PLATFORM_AHEAD_NAME], const char *name)
{
	for (uint32_t i = 0; i < PLATFORM_AHEAD_NAME; i++) {
		if (field[i] != name[i])
			return false;
		if (!name[i])
			return true;
	}
	return false;
}

static bool ahead_answer(struct stub_thread *self, const struct question *question,
	const char *name, uint32_t size, uint32_t epoch, int64_t *ret)
{
	const struct platform_ahead *ahead = &self->slot->ahead;
	uint32_t count = self->slot->inguest.ahead_count, prefix, at;

	if (count == 0 || count > PLATFORM_AHEAD_MAX || question->what >= ASK_READLINK ||
		ahead->epoch != epoch || (name[0] != '/' && question->dirfd != ahead->dirfd))
		return false;
	prefix = ahead->prefix_size;
	if (prefix > PLATFORM_AHEAD_PREFIX || prefix >= size ||
		!stub_same_bytes(ahead->prefix, name, prefix))
		return false;
	at = self->ahead_next;
	for (uint32_t i = 0; i < count; i++, at++) {
		if (at >= count)
			at = 0;
		if (!same_last(ahead->names[at].name, name + prefix))
			continue;
		self->ahead_next = at + 1;
		*ret = stub_copy((void *)question->buffer, ahead->names[at].stat,
			       sizeof(ahead->names[at].stat))
			       ? -EFAULT
			       : 0;
		return true;
	}
	return false;
}

/* ---- names that everybody is told of (struct platform_names) ---- */

#define O_RDONLY_FLAGS                                                                             \
	(02000000u /* CLOEXEC */ | 0200000u /* DIRECTORY */ | 0100000u /* LARGEFILE */ |           \
		04000u /* NONBLOCK */ | 0400u /* NOCTTY */ | O_NOFOLLOW)
#define O_NOFOLLOW 0400000u

/* @name has @size bytes with the NUL. */
static bool shared_answer(const struct stub_thread *self, const char *name, uint32_t size,
	bool follows, bool readlink, int64_t *ret)
{
	const struct platform_names *table = (const struct platform_names *)STUB_NAMES_BASE;
	uint32_t hash = platform_name_hash(name, size), epoch;
	const struct platform_name *entry = &table->names[platform_name_place(hash)];

	if (!self->slot->inguest.names_shared || size > PLATFORM_NAME_SIZE || name[0] != '/')
		return false;
	epoch = __atomic_load_n(&table->epoch, __ATOMIC_ACQUIRE);
	for (uint32_t i = 0; i < PLATFORM_NAME_WAYS; i++, entry++) {
		uint32_t version = __atomic_load_n(&entry->version, __ATOMIC_ACQUIRE);
		uint32_t fact = entry->fact;

		if ((version & 1) || entry->hash != hash || entry->size != size ||
			entry->epoch != epoch || !stub_same_bytes(entry->name, name, size))
			continue;
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (__atomic_load_n(&entry->version, __ATOMIC_RELAXED) != version)
			return false;
		*ret = fact == PLATFORM_NAME_NO_LINK ? -EINVAL : -ENOENT;
		return fact == PLATFORM_NAME_MISSING ||
		       (fact == PLATFORM_NAME_LEADS_NOWHERE && follows) ||
		       (fact == PLATFORM_NAME_NO_LINK && readlink);
	}
	return false;
}

/* An open for reading alone, of a file that is not there. */
bool stub_open_answer(struct stub_thread *self, uint32_t nr, const uint64_t args[6], int64_t *ret)
{
	const struct platform_names *table = (const struct platform_names *)STUB_NAMES_BASE;
	uint32_t flags = (uint32_t)(nr == LX_NR_open ? args[1] : args[2]);
	uint64_t from = nr == LX_NR_open ? args[0] : args[1];
	char name[PLATFORM_NAME_SIZE + 8] __attribute__((aligned(8)));
	int64_t size;

	if (!self->slot->inguest.names_shared || (flags & ~O_RDONLY_FLAGS) ||
		!__atomic_load_n(&table->opens, __ATOMIC_ACQUIRE))
		return false;
	size = stub_copy_string(name, (const char *)from, PLATFORM_NAME_SIZE);
	return size > 1 &&
	       (shared_answer(self, name, (uint32_t)size, !(flags & O_NOFOLLOW), false, ret) ||
		       stub_known_open(self, name, (uint32_t)size, flags, ret));
}

static bool shared_question(const struct stub_thread *self, const struct question *question,
	const char *name, int64_t *ret)
{
	bool readlink = question->what == ASK_READLINK;
	uint32_t size = 1;

	if (!self->slot->inguest.names_shared || name[0] != '/')
		return false;
	while (name[size - 1])
		size++;
	return shared_answer(
		self, name, size, question->what != ASK_LSTAT && !readlink, readlink, ret);
}

void stub_ahead_note(struct stub_thread *self, uint32_t nr, const uint64_t args[6], bool harmless)
{
	if (self->slot->inguest.ahead_count == 0 || harmless || nr == LX_NR_fcntl ||
		self->slot->ahead.dirfd == AT_FDCWD)
		return;
	if (nr == LX_NR_close && (int32_t)args[0] != self->slot->ahead.dirfd)
		return;
	self->slot->inguest.ahead_count = 0;
}

bool stub_name_answer(struct stub_thread *self, uint32_t nr, const uint64_t args[6], int64_t *ret)
{
	uint32_t epoch = __atomic_load_n(&self->slot->inguest.names_epoch, __ATOMIC_RELAXED);
	char name[TAKE_MAX + 8] __attribute__((aligned(8)));
	struct stub_name *entry;
	struct question question;
	uint32_t size;
	bool known;

	if (epoch == 0 || !parse(nr, args, &question))
		return false;
	size = take_name(name, question.what, question.name);
	if (size == 0)
		return false;
	if (ahead_answer(self, &question, name, size, epoch, ret))
		return true;
	if (question.what != ASK_CWD && shared_question(self, &question, name, ret))
		return true;
	if (size > STUB_NAME_MAX || (name[0] != '/' && question.what != ASK_CWD))
		return false;
	entry = find(self, &question, name, size, epoch, &known);
	if (known) {
		uint64_t bytes = entry_bytes(entry, question.size);

		if (question.what == ASK_CWD && entry->result > (int64_t)question.size)
			return false; /* ERANGE */
		*ret = entry->result;
		if (entry->result > 0)
			*ret = (int64_t)bytes;
		if (bytes > 0 && stub_copy((void *)question.buffer, entry->out, bytes))
			*ret = -EFAULT;
		return true;
	}
	entry->epoch = 0;
	entry->what = question.what;
	entry->size = size;
	entry->owner = self->names_owner;
	entry->used = self->names_used;
	for (uint32_t i = 0; i < size; i += 8)
		*(uint64_t *)(entry->name + i) = *(const uint64_t *)(name + i);
	self->asked = entry;
	self->asked_epoch = epoch;
	self->asked_size = question.size;
	return false;
}

void stub_name_keep(struct stub_thread *self, int64_t result)
{
	const struct channel_reply *reply = &self->slot->reply;
	struct stub_name *entry = self->asked;
	uint64_t bytes;

	self->asked = 0;
	if (!entry)
		return;
	entry->result = result;
	bytes = entry_bytes(entry, self->asked_size);
	/* A link's target as a whole. */
	if (bytes > sizeof(entry->out) ||
		(entry->what == ASK_READLINK && bytes > 0 && bytes == self->asked_size))
		return;
	if (bytes > 0) {
		if (!(reply->head.flags & REPLY_OUT) || reply->out_size != bytes)
			return;
		for (uint32_t i = 0; i < (bytes + 7) / 8; i++)
			entry->out[i] = ((const uint64_t *)reply->near)[i];
	}
	entry->epoch = self->asked_epoch;
}
