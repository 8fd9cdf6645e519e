/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SYSTRAP_ZYGOTE_H
#define SENTRY_SYSTRAP_ZYGOTE_H

struct systrap_as;

/* Begins to make the zygote, which comes up meanwhile; then takes its listener and kill pipe. On
 * failure of either nothing is left and *ret_why names what failed. */
int systrap_zygote_begin(const char **ret_why);
int systrap_zygote_finish(const char **ret_why);
/* After a begin without a finish. */
void systrap_zygote_abandon(void);
void systrap_zygote_discard(struct systrap_as *as, int listener);

#endif
