/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_ANON_PIPE_PRIVATE_H
#define SENTRY_VFS_ANON_PIPE_PRIVATE_H

#include "abi/gaddr.h"
#include "vfs/anon.h"

/* What pipe.c and splice.c share. Nobody else includes it. */

/* One page's worth of data. Slot i of the ring lies in page i % slot_count of the store. */
struct pipe_slot {
	uint32_t offset, size; /* in the page, bytes */
	bool packet;	       /* O_DIRECT: a read takes it alone and drops what it leaves */
	bool can_merge;	       /* a later write may append */
};

struct pipe {
	struct fiber_mutex mutex; /* the ring; copies to and from guests sleep under it */
	struct wait_queue queue;
	struct inode *inode;	 /* borrowed; its fifo points back */
	struct pipe_slot *slots; /* [slot_count] */
	uint8_t *store;		 /* slot_count pages, allocated at the first write */
	uint32_t slot_count;	 /* a power of two */
	uint32_t head, tail;	 /* slots ever filled and emptied: head - tail are in use */
	uint32_t files;		 /* open files: the pipe goes with the last one */
	uint32_t readers, writers;
	uint32_t reader_opens, writer_opens; /* ever: what a FIFO's open waits for */
	bool anonymous;			     /* from pipe(2): opening it again never waits */
	bool polled; /* somebody polls: each write is an edge (kernel: poll_usage) */
};

/* file->private of both ends. */
struct pipe_end {
	struct pipe *pipe;
	/* No POLLHUP for a FIFO's reader until a writer came after its open (kernel: f_pipe). */
	uint32_t writer_opens_seen;
	bool wait_for_writer;
};

static inline uint32_t pipe_used(const struct pipe *pipe)
{
	return pipe->head - pipe->tail;
}

static inline bool pipe_empty(const struct pipe *pipe)
{
	return pipe->head == pipe->tail;
}

static inline bool pipe_full(const struct pipe *pipe)
{
	return pipe_used(pipe) >= pipe->slot_count;
}

static inline struct pipe_slot *pipe_slot(struct pipe *pipe, uint32_t number)
{
	return &pipe->slots[number & (pipe->slot_count - 1)];
}

static inline uint8_t *pipe_page(struct pipe *pipe, uint32_t number)
{
	return pipe->store + (uint64_t)(number & (pipe->slot_count - 1)) * LX_PAGE_SIZE;
}

/* NULL: not a pipe. */
struct pipe *file_pipe(const struct file *file);
/* -ENOMEM. The mutex is held. */
int pipe_allocate_store(struct pipe *pipe);
void pipe_wake_readers(struct pipe *pipe);
void pipe_wake_writers(struct pipe *pipe);
/*
 * Sleeps, with the mutex released meanwhile, until the pipe has data or no writers (has room or no
 * readers). 0, -EAGAIN with @nonblock, -ERESTARTSYS; the mutex is held again only on 0. *slept
 * becomes true when it slept, and stays as it is otherwise.
 */
int pipe_wait_readable(struct pipe *pipe, bool nonblock, bool *slept);
int pipe_wait_writable(struct pipe *pipe, bool nonblock, bool *slept);
/* After a wait that may have failed. */
void pipe_unlock_if_held(struct pipe *pipe);
/* The slots that hold the first @size bytes lose them. The mutex is held. */
void pipe_consume(struct pipe *pipe, size_t size);

#endif
