/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_ZYGOTE_H
#define SENTRY_SYSTRAP_ZYGOTE_H

struct systrap_as;

/* Makes the zygote, its listener and the kill pipe. On failure nothing is left and *ret_why names
 * what failed. */
int systrap_zygote_start(const char **ret_why);
void systrap_zygote_discard(struct systrap_as *as, int listener);

#endif
