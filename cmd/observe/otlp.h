/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_OTLP_H
#define SENTRY_CMD_OBSERVE_OTLP_H

#include <stdint.h>
#include <stdio.h>

#include "sentry/record.h"

/*
 * A run as OpenTelemetry spans: the sandbox, in it its processes, in these what was refused. A span
 * is written when it ends, as one line: an ExportTraceServiceRequest in OTLP's JSON (the form of
 * the OTLP file exporter, and of a POST to a collector).
 */
struct otlp;

/* @random: what ids are made of. @id, @name: of the sandbox. NULL: out of memory. */
struct otlp *otlp_new(FILE *out, const uint64_t random[3], const char *id, const char *name);
void otlp_put(struct otlp *otlp, const union record *record);
/* What has not ended yet has now, and the sandbox with it. */
void otlp_end(struct otlp *otlp);

/* ---- sending --------------------------------------------------------------------------------- */

/* NULL: @url can be sent to ("http://HOST:PORT/PATH"); else what is wrong with it. */
const char *otlp_url_error(const char *url);
/*
 * Starts a process that reads lines from the pipe whose writing end is *@ret_to, and posts them to
 * @url, several together. A collector that is slow or away loses spans, which is told on stderr at
 * the end, and never stops the run for long. Its pid, or -errno.
 */
int otlp_send_start(const char *url, int *ret_to);

#endif
