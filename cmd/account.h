/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_ACCOUNT_H
#define SENTRY_CMD_ACCOUNT_H

#include <sys/types.h>

/*
 * The home directory of @uid: of passwd(5), else of the environment (accounts that are in a
 * directory service), else "/". Absolute; malloc'ed; NULL when out of memory. Not getpwuid(3): it
 * loads and asks name services, which costs more than the rest of our own start.
 */
char *account_home(uid_t uid);

#endif
