/* SPDX-License-Identifier: Apache-2.0 */
#include "cmd/observe/otlp_json.h"

#include <inttypes.h>
#include <stdio.h>

#include "cmd/observe/words.h"

static void attribute(yajl_gen gen, const char *key, const char *type, const char *value)
{
	yajl_gen_map_open(gen);
	words_string(gen, "key", key);
	words_name(gen, "value");
	yajl_gen_map_open(gen);
	words_string(gen, type, value);
	yajl_gen_map_close(gen);
	yajl_gen_map_close(gen);
}

void otlp_text(yajl_gen gen, const char *key, const char *value)
{
	attribute(gen, key, "stringValue", value);
}

void otlp_number(yajl_gen gen, const char *key, int64_t value)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%" PRId64, value);
	attribute(gen, key, "intValue", digits);
}

void otlp_id(yajl_gen gen, const char *name, uint64_t id)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%016" PRIx64, id);
	words_string(gen, name, digits);
}

void otlp_trace_id(yajl_gen gen, uint64_t high, uint64_t low)
{
	char digits[40];

	(void)snprintf(digits, sizeof(digits), "%016" PRIx64 "%016" PRIx64, high, low);
	words_string(gen, "traceId", digits);
}

void otlp_time(yajl_gen gen, const char *name, uint64_t time)
{
	char digits[24];

	(void)snprintf(digits, sizeof(digits), "%" PRIu64, time);
	words_string(gen, name, digits);
}
