/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_HOST_PROC_H
#define SENTRY_BASE_HOST_PROC_H

/*
 * The host's /proc by descriptor: the process may have a root in which nothing is. Until
 * host_proc_set() it is what /proc shows.
 */

/* The folder as an O_PATH descriptor, borrowed, or -errno. */
int host_proc_fd(void);
/* @fd, taken over, is the /proc to use from now on. */
void host_proc_set(int fd);
/* Opens @path (relative, without links but "self") for reading. An owned descriptor or -errno. */
int host_proc_open(const char *path);

#endif
