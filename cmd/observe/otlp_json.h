/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_CMD_OBSERVE_OTLP_JSON_H
#define SENTRY_CMD_OBSERVE_OTLP_JSON_H

#include <stdint.h>
#include <yajl/yajl_gen.h>

/* Pieces of OTLP's JSON (opentelemetry.proto.trace.v1), where 64-bit numbers are strings. */

/* Attributes: elements of an array. */
void otlp_text(yajl_gen gen, const char *key, const char *value);
void otlp_number(yajl_gen gen, const char *key, int64_t value);
/* Members of a span: an id in hexadecimal digits, a time in ns since 1970. */
void otlp_id(yajl_gen gen, const char *name, uint64_t id);
void otlp_time(yajl_gen gen, const char *name, uint64_t time);
void otlp_trace_id(yajl_gen gen, uint64_t high, uint64_t low);

#endif
