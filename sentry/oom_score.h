/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_OOM_SCORE_H
#define SENTRY_SENTRY_OOM_SCORE_H

/* What is forked between the two is ended first when the host, or the sandbox's control group, is
 * out of memory. Before the host's /proc is out of sight; failures are of no consequence. */
void oom_score_open(void);
void oom_score_raise(void);
void oom_score_restore(void);
void oom_score_close(void);

#endif
