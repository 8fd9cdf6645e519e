/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server name of a TLS ClientHello. Everything is read through a cursor that cannot pass the
 * end of what encloses it; a length that does not fit makes the whole hello broken, which is
 * refused: what we cannot read for sure, the server might read otherwise.
 */
#include "gateway/tls.h"

#include <string.h>

#define RECORD_HANDSHAKE 22u
#define CLIENT_HELLO	 1u
#define EXTENSION_NAME	 0u
#define NAME_HOST	 0u

struct cursor {
	const uint8_t *at;
	size_t left;
};

static bool take(struct cursor *from, size_t size, struct cursor *ret)
{
	if (from->left < size)
		return false;
	*ret = (struct cursor){from->at, size};
	from->at += size;
	from->left -= size;
	return true;
}

static bool take_number(struct cursor *from, unsigned bytes, size_t *ret)
{
	struct cursor part;

	if (!take(from, bytes, &part))
		return false;
	*ret = 0;
	for (unsigned i = 0; i < bytes; i++)
		*ret = *ret << 8 | part.at[i];
	return true;
}

/* What follows a length of @bytes bytes. */
static bool take_vector(struct cursor *from, unsigned bytes, struct cursor *ret)
{
	size_t size;

	return take_number(from, bytes, &size) && take(from, size, ret);
}

/* One host name and nothing else. */
static enum gate_tls read_name(struct cursor extension, char ret[GATE_DOMAIN_MAX])
{
	char text[GATE_DOMAIN_MAX];
	struct cursor list, name;
	size_t type;

	if (!take_vector(&extension, 2, &list) || extension.left || !take_number(&list, 1, &type) ||
		type != NAME_HOST || !take_vector(&list, 2, &name) || list.left || name.left == 0 ||
		name.left >= sizeof(text) || memchr(name.at, '\0', name.left))
		return GATE_TLS_BROKEN;
	memcpy(text, name.at, name.left);
	text[name.left] = '\0';
	return gate_name_clean(text, ret) == 0 ? GATE_TLS_NAMED : GATE_TLS_BROKEN;
}

static enum gate_tls read_hello(struct cursor hello, char ret[GATE_DOMAIN_MAX])
{
	enum gate_tls found = GATE_TLS_NAMELESS;
	struct cursor skip, extensions, extension;
	size_t type;

	/* legacy_version, random, session id, cipher suites, compression methods */
	if (!take(&hello, 34, &skip) || !take_vector(&hello, 1, &skip) ||
		!take_vector(&hello, 2, &skip) || !take_vector(&hello, 1, &skip))
		return GATE_TLS_BROKEN;
	if (hello.left == 0)
		return GATE_TLS_NAMELESS;
	if (!take_vector(&hello, 2, &extensions) || hello.left)
		return GATE_TLS_BROKEN;
	while (extensions.left) {
		if (!take_number(&extensions, 2, &type) || !take_vector(&extensions, 2, &extension))
			return GATE_TLS_BROKEN;
		if (type != EXTENSION_NAME)
			continue;
		if (found != GATE_TLS_NAMELESS)
			return GATE_TLS_BROKEN;
		found = read_name(extension, ret);
	}
	return found;
}

enum gate_tls gate_tls_look(const uint8_t *data, size_t size, char ret_name[GATE_DOMAIN_MAX])
{
	struct cursor all = {data, size}, record, hello;
	size_t type, version, length, message;

	if (size == 0)
		return GATE_TLS_MORE;
	if (data[0] != RECORD_HANDSHAKE || (size >= 2 && data[1] != 3))
		return GATE_TLS_NONE;
	if (!take_number(&all, 1, &type) || !take_number(&all, 2, &version) ||
		!take_number(&all, 2, &length))
		return GATE_TLS_MORE;
	if (length > GATE_TLS_RECORD_MAX - 5 || length < 4)
		return GATE_TLS_BROKEN;
	if (!take(&all, length, &record))
		return GATE_TLS_MORE;
	if (!take_number(&record, 1, &message) || message != CLIENT_HELLO ||
		!take_vector(&record, 3, &hello) || record.left)
		return GATE_TLS_BROKEN;
	return read_hello(hello, ret_name);
}
