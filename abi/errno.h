/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_ERRNO_H
#define SENTRY_ABI_ERRNO_H

/*
 * Error numbers. The numbers that reach user space are equal to the host's on x86-64, so <errno.h>
 * serves for those; here are the ones that the kernel uses towards itself (include/linux/errno.h).
 * They never leave the signal code: it turns them into a restart or into EINTR (signal(7),
 * "Interruption of system calls").
 */
#define ERESTARTSYS	      512 /* restart if the handler has SA_RESTART or there is no handler */
#define ERESTARTNOINTR	      513 /* restart always */
#define ERESTARTNOHAND	      514 /* restart only if no handler ran */
#define ENOIOCTLCMD	      515 /* no such ioctl here: becomes ENOTTY */
#define ERESTART_RESTARTBLOCK 516 /* restart through restart_syscall(2) */

#endif
