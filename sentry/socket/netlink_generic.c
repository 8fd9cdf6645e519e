/* SPDX-License-Identifier: Apache-2.0 */
/* NETLINK_GENERIC: the controller, which knows the families, is the only one (genetlink). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "sentry/socket/netlink.h"

#define CONTROLLER	"nlctrl"
#define GROUP_NOTIFY	16 /* GENL_ID_CTRL is its number, too */
#define CTRL_VERSION	2
#define CTRL_ATTRIBUTES 10
#define GENERIC_GROUPS	32

static int put_controller(struct nl_builder *builder, const struct lx_nlmsghdr *header)
{
	const struct lx_genlmsghdr fixed = {
		.command = LX_CTRL_CMD_NEWFAMILY, .version = CTRL_VERSION};
	size_t start = nl_begin(builder, header), list, entry;

	nl_put(builder, &fixed, sizeof(fixed));
	nl_string(builder, LX_CTRL_ATTR_FAMILY_NAME, CONTROLLER);
	nl_u16(builder, LX_CTRL_ATTR_FAMILY_ID, LX_GENL_ID_CTRL);
	nl_u32(builder, LX_CTRL_ATTR_VERSION, CTRL_VERSION);
	nl_u32(builder, LX_CTRL_ATTR_HDRSIZE, 0);
	nl_u32(builder, LX_CTRL_ATTR_MAXATTR, CTRL_ATTRIBUTES);
	list = nl_nest(builder, LX_CTRL_ATTR_OPS);
	entry = nl_nest(builder, 1);
	nl_u32(builder, LX_CTRL_ATTR_OP_ID, LX_CTRL_CMD_GETFAMILY);
	nl_u32(builder, LX_CTRL_ATTR_OP_FLAGS, 0xe); /* DO, DUMP, HASPOL */
	nl_nest_end(builder, entry);
	nl_nest_end(builder, list);
	list = nl_nest(builder, LX_CTRL_ATTR_MCAST_GROUPS);
	entry = nl_nest(builder, 1);
	nl_u32(builder, LX_CTRL_ATTR_MCAST_ID, GROUP_NOTIFY);
	nl_string(builder, LX_CTRL_ATTR_MCAST_NAME, "notify");
	nl_nest_end(builder, entry);
	nl_nest_end(builder, list);
	return nl_end(builder, start);
}

static int fill_families(
	struct netlink_socket *socket, struct nl_dump *dump, struct nl_builder *builder)
{
	if (dump->at[0]++ == 0 && put_controller(builder, &dump->header) < 0)
		return -EMSGSIZE;
	return 0;
}

/* ctrl_getfamily(): by number or by name. */
static int get_family(struct nl_request *request)
{
	static const uint8_t least[LX_CTRL_ATTR_FAMILY_NAME + 1] = {
		[LX_CTRL_ATTR_FAMILY_ID] = 2,
		[LX_CTRL_ATTR_FAMILY_NAME] = 1,
	};
	const struct lx_nlmsghdr header = nl_answer_header(request, LX_GENL_ID_CTRL);
	struct nl_attribute attributes[LX_CTRL_ATTR_FAMILY_NAME + 1];
	const struct nl_attribute *name = &attributes[LX_CTRL_ATTR_FAMILY_NAME];
	_cleanup_free_ struct nl_builder *builder = NULL;
	uint16_t number;
	int err = nl_parse(
		request, sizeof(struct lx_genlmsghdr), attributes, LX_CTRL_ATTR_FAMILY_NAME, least);

	if (err < 0)
		return err;
	if (attributes[LX_CTRL_ATTR_FAMILY_ID].data) {
		memcpy(&number, attributes[LX_CTRL_ATTR_FAMILY_ID].data, sizeof(number));
		if (number != LX_GENL_ID_CTRL)
			return -ENOENT;
	} else if (!name->data) {
		return -EINVAL;
	} else if (strnlen((const char *)name->data, name->size) != strlen(CONTROLLER) ||
		   memcmp(name->data, CONTROLLER, strlen(CONTROLLER)) != 0) {
		return -ENOENT;
	}
	builder = nl_builder_new(NL_BUILDER_SIZE);
	if (!builder)
		return -ENOMEM;
	err = put_controller(builder, &header);
	return err < 0 ? err : nl_answer(request, builder);
}

static int generic_request(struct nl_request *request)
{
	struct nl_dump dump = {.fill = fill_families, .header.nlmsg_type = LX_GENL_ID_CTRL};
	struct lx_genlmsghdr fixed;

	if (request->header.nlmsg_type != LX_GENL_ID_CTRL)
		return -ENOENT;
	if (request->size < sizeof(fixed))
		return -EINVAL;
	memcpy(&fixed, request->body, sizeof(fixed));
	if (fixed.command != LX_CTRL_CMD_GETFAMILY)
		return -EOPNOTSUPP;
	if ((request->header.nlmsg_flags & LX_NLM_F_DUMP) == LX_NLM_F_DUMP)
		return nl_dump_start(request, &dump);
	return get_family(request);
}

const struct netlink_protocol netlink_generic = {
	.name = "generic",
	.groups = GENERIC_GROUPS,
	.anybody_receives = true,
	.request = generic_request,
};
