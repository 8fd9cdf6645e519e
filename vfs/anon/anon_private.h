/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_VFS_ANON_ANON_PRIVATE_H
#define SENTRY_VFS_ANON_ANON_PRIVATE_H

/* The parts that anon_init() starts. */
void pipe_init(void);
void inotify_init_hook(void);

#endif
