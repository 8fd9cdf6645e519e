/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_COMMIT_H
#define SENTRY_SENTRY_COMMIT_H

#include <stdint.h>

/*
 * --commit: how the working directory's changes reach the launcher.
 *
 * The kernel process has no right to write on the host. It writes the changes into a file that the
 * launcher made and that has no name; when it is dead, the launcher reads them, checks them as it
 * would check an enemy's, and applies them (cmd/commit_apply.c). Since nothing is applied before
 * the whole stream is there, a run that breaks off changes nothing.
 *
 * The stream is a magic number, records, and a last record of kind COMMIT_END whose size is the
 * number of records before it. Each record is a struct commit_record, name_size bytes of name and
 * size bytes of content. Host byte order: it never leaves the host.
 */
#define COMMIT_MAGIC 0x31544d4359525453ull /* "STRYCMT1" */

enum commit_kind {
	COMMIT_END = 1,
	COMMIT_DELETE,	   /* whatever has the name, with everything below it */
	COMMIT_DIRECTORY,  /* a new directory */
	COMMIT_FILE,	   /* a regular file, new or replaced; content: its data */
	COMMIT_SYMLINK,	   /* content: its target */
	COMMIT_LINK,	   /* content: an earlier record's name, of which this is another */
	COMMIT_ATTRIBUTES, /* mode and time of what is there; the name may be "." */
	COMMIT_SKIPPED,	   /* a FIFO, socket or device, which is not kept: for the user */
};

struct commit_record {
	uint32_t kind;
	uint32_t mode; /* permission bits */
	uint64_t size;
	int64_t mtime_sec;
	uint32_t mtime_nsec;
	uint32_t name_size; /* relative to the directory, without a NUL */
};

#define COMMIT_NAME_MAX	   4095
#define COMMIT_RECORDS_MAX (1u << 20)

struct super_block;
/* Writes the changes of @overlay to @fd, a regular file of the host, from its start. May sleep. */
int commit_send(struct super_block *overlay, int fd);

#endif
