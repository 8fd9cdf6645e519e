/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_CLEANUP_H
#define SENTRY_BASE_CLEANUP_H

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Cleanup by attribute: the variable owns what it holds until TAKE()n. */
#define _cleanup_(fn) __attribute__((cleanup(fn)))

#define TAKE(var)                                                                                  \
	({                                                                                         \
		__typeof__(var) *take_ptr_ = &(var);                                               \
		__typeof__(var) take_val_ = *take_ptr_;                                            \
		*take_ptr_ = NULL;                                                                 \
		take_val_;                                                                         \
	})

static inline int take_fd(int *fd)
{
	int value = *fd;

	*fd = -1;
	return value;
}

static inline void cleanup_free(void *ptr)
{
	free(*(void **)ptr);
}

static inline void cleanup_close(int *fd)
{
	if (*fd >= 0) {
		int saved = errno;

		(void)close(*fd);
		errno = saved;
	}
}

#define _cleanup_free_	_cleanup_(cleanup_free)
#define _cleanup_close_ _cleanup_(cleanup_close)

/* DEFINE_CLEANUP(file_unref, struct file *) gives cleanup_file_unref() for
 * `_cleanup_(cleanup_file_unref) struct file *f`. */
#define DEFINE_CLEANUP(fn, type)                                                                   \
	static inline void cleanup_##fn(type *ptr)                                                 \
	{                                                                                          \
		if (*ptr)                                                                          \
			fn(*ptr);                                                                  \
	}

#endif
