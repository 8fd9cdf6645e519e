/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SYSCALLS_GEN_H
#define SENTRY_SENTRY_SYSCALLS_GEN_H

/* The handlers' prototypes, generated from syscalls.def into the top of the build folder. */
#include "syscall_handlers_gen.h"

#endif
