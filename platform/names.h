/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_PLATFORM_NAMES_H
#define SENTRY_PLATFORM_NAMES_H

#include <stdint.h>

/*
 * What all processes of a sandbox may be told of some absolute names: that there is nothing of this
 * name, or that it is no link. One table in memory that the kernel writes and every process reads;
 * freestanding code includes this.
 *
 * The kernel changes an entry while others read it: `version` is odd meanwhile. It holds while the
 * table's epoch is the entry's.
 */
#define PLATFORM_NAME_SIZE  112u /* bytes, with the NUL */
#define PLATFORM_NAME_WAYS  4u	 /* places for a name, one behind the other */
#define PLATFORM_NAME_SETS  255u
#define PLATFORM_NAMES_SIZE 0x34000u

enum platform_name_fact {
	PLATFORM_NAME_NONE,
	PLATFORM_NAME_MISSING,	     /* -ENOENT, whether or not a link in last place is followed */
	PLATFORM_NAME_LEADS_NOWHERE, /* -ENOENT if one is followed */
	PLATFORM_NAME_NO_LINK,	     /* there, and -EINVAL for readlink(2) */
};

struct platform_name {
	uint32_t version;
	uint32_t epoch;
	uint16_t fact; /* enum platform_name_fact */
	uint16_t size; /* of the name, with the NUL */
	uint32_t hash;
	char name[PLATFORM_NAME_SIZE];
};

/*
 * A regular file that anybody may open for reading by this name, in a tree that nobody changes. Its
 * place is never given to another name; `version` and `epoch` are as above.
 */
#define PLATFORM_FILES_MAX	 192u
#define PLATFORM_FILE_WAYS	 8u
#define PLATFORM_FILE_BEGINS	 24u
#define PLATFORM_FILE_BEGIN_SIZE 896u
#define PLATFORM_FILE_NO_BEGIN	 255u
#define PLATFORM_FILE_NO_LIBRARY 255u

struct platform_file {
	uint32_t version; /* 0: no file is here or behind */
	uint32_t epoch;
	uint16_t size;	 /* of the name, with the NUL */
	uint8_t library; /* what maps it: the platform's number of it among files that many map */
	uint8_t begin;	 /* index of its first bytes */
	uint32_t hash;
	char name[PLATFORM_NAME_SIZE];
	uint64_t stat[18]; /* struct stat */
};

struct platform_names {
	uint32_t epoch; /* never 0 */
	uint32_t opens; /* open(2) may be answered, too: nobody's descriptor table is full */
	uint32_t files; /* and of files that are there: nobody watches any */
	uint32_t unused[125];
	struct platform_name names[PLATFORM_NAME_SETS * PLATFORM_NAME_WAYS];
	struct platform_file files_known[PLATFORM_FILES_MAX];
	uint8_t begins[PLATFORM_FILE_BEGINS][PLATFORM_FILE_BEGIN_SIZE];
};

_Static_assert(sizeof(struct platform_name) == 128, "two cache lines");
_Static_assert(sizeof(struct platform_names) <= PLATFORM_NAMES_SIZE, "fits");

/* @size with the NUL. */
static inline uint32_t platform_name_hash(const char *name, uint32_t size)
{
	uint64_t sum = size, word;
	uint32_t i = 0;

	for (; i + sizeof(word) <= size; i += sizeof(word)) {
		__builtin_memcpy(&word, name + i, sizeof(word));
		sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
		sum ^= sum >> 32;
	}
	for (word = 0; i < size; i++)
		word = word << 8 | (uint8_t)name[i];
	sum = (sum ^ word) * 0x9e3779b97f4a7c15ull;
	return (uint32_t)(sum >> 32);
}

/* Where the places for a name begin. */
static inline uint32_t platform_name_place(uint32_t hash)
{
	return hash % PLATFORM_NAME_SETS * PLATFORM_NAME_WAYS;
}

#endif
