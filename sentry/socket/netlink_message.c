/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of netlink: writing them, and taking requests apart. Everything in a request is the
 * guest's word: each length is checked against what is left. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "sentry/socket/netlink.h"

/* ---- writing --------------------------------------------------------------------------------- */

struct nl_builder *nl_builder_new(size_t limit)
{
	struct nl_builder *builder = malloc(sizeof(*builder));

	if (builder) {
		builder->size = 0;
		builder->limit = min_of(limit, sizeof(builder->bytes));
		builder->overflown = false;
	}
	return builder;
}

void nl_put(struct nl_builder *builder, const void *data, size_t size)
{
	size_t whole = nl_padded(size);

	if (builder->overflown || whole > builder->limit - builder->size) {
		builder->overflown = true;
		return;
	}
	if (size)
		memcpy(builder->bytes + builder->size, data, size);
	memset(builder->bytes + builder->size + size, 0, whole - size);
	builder->size += whole;
}

void nl_attribute(struct nl_builder *builder, uint16_t type, const void *data, size_t size)
{
	const uint16_t header[2] = {(uint16_t)(size + sizeof(header)), type};

	nl_put(builder, header, sizeof(header));
	nl_put(builder, data, size);
}

void nl_u8(struct nl_builder *builder, uint16_t type, uint8_t value)
{
	nl_attribute(builder, type, &value, sizeof(value));
}

void nl_u16(struct nl_builder *builder, uint16_t type, uint16_t value)
{
	nl_attribute(builder, type, &value, sizeof(value));
}

void nl_u32(struct nl_builder *builder, uint16_t type, uint32_t value)
{
	nl_attribute(builder, type, &value, sizeof(value));
}

void nl_string(struct nl_builder *builder, uint16_t type, const char *text)
{
	nl_attribute(builder, type, text, strlen(text) + 1);
}

size_t nl_nest(struct nl_builder *builder, uint16_t type)
{
	size_t start = builder->size;

	nl_attribute(builder, type, NULL, 0);
	return start;
}

void nl_nest_end(struct nl_builder *builder, size_t start)
{
	uint16_t size = (uint16_t)(builder->size - start);

	if (!builder->overflown)
		memcpy(builder->bytes + start, &size, sizeof(size));
}

size_t nl_begin(struct nl_builder *builder, const struct lx_nlmsghdr *header)
{
	size_t start = builder->size;

	builder->overflown = false;
	nl_put(builder, header, sizeof(*header));
	return start;
}

int nl_end(struct nl_builder *builder, size_t start)
{
	uint32_t size = (uint32_t)(builder->size - start);

	if (builder->overflown) {
		builder->size = start;
		return -EMSGSIZE;
	}
	memcpy(builder->bytes + start, &size, sizeof(size));
	return 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

uint32_t nl_get_u32(const struct nl_attribute *attribute)
{
	uint32_t value;

	sentry_assert(attribute->size >= sizeof(value));
	memcpy(&value, attribute->data, sizeof(value));
	return value;
}

int nl_complain(struct nl_request *request, int error, const char *complaint)
{
	request->complaint = complaint;
	return error;
}

int nl_complain_at(struct nl_request *request, int error, const char *complaint,
	const struct nl_attribute *attribute)
{
	if (attribute && attribute->data)
		request->offset = (uint32_t)((size_t)(attribute->data - request->body) +
					     sizeof(request->header) - 4);
	return nl_complain(request, error, complaint);
}

static int parse(struct nl_request *request, const uint8_t *at, size_t left,
	struct nl_attribute *ret, unsigned max, const uint8_t *least)
{
	memset(ret, 0, (max + 1) * sizeof(*ret));
	while (left >= 4) {
		struct nl_attribute attribute;
		uint16_t header[2];
		unsigned type;

		memcpy(header, at, sizeof(header));
		if (header[0] < 4 || header[0] > left)
			break; /* nla_ok(): what follows is left alone */
		type = header[1] & LX_NLA_TYPE_MASK;
		attribute = (struct nl_attribute){at + 4, header[0] - 4u};
		if (type > 0 && type <= max) {
			if (least && attribute.size < least[type])
				return nl_complain_at(request, -ERANGE,
					"Attribute failed policy validation", &attribute);
			ret[type] = attribute;
		}
		if (nl_padded(header[0]) >= left)
			break;
		left -= nl_padded(header[0]);
		at += nl_padded(header[0]);
	}
	return 0;
}

int nl_parse(struct nl_request *request, size_t fixed, struct nl_attribute *ret, unsigned max,
	const uint8_t *least)
{
	size_t start = nl_padded(fixed);

	memset(ret, 0, (max + 1) * sizeof(*ret));
	if (request->size < fixed)
		return nl_complain(request, -EINVAL, "Invalid header length");
	if (request->size <= start)
		return 0;
	return parse(request, request->body + start, request->size - start, ret, max, least);
}

int nl_parse_nested(struct nl_request *request, const struct nl_attribute *nest,
	struct nl_attribute *ret, unsigned max, const uint8_t *least)
{
	return parse(request, nest->data, nest->size, ret, max, least);
}
