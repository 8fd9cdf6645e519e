/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What path MTU discovery has learnt (RFC 1191, RFC 8201): for each destination the size that a
 * router let through, for ten minutes. A small table with a few places for each destination: who
 * is pushed out of it is only told again.
 */
#include "netstack/ip_private.h"

#include "base/checked.h"

#define SEC	 INT64_C(1000000000)
#define LIFETIME (600 * SEC)
#define WAYS	 4u
/* Less than this is not believed over IPv4: packets for such a path go without the DF bit (Linux'
 * min_pmtu). IPv6 has no such paths (RFC 8201 section 4). */
#define MTU_LEAST4 552u

static struct path_mtu *set_of(struct netstack *stack, const struct inet_address *to)
{
	size_t sets = sizeof(stack->ip.path_mtus) / sizeof(*stack->ip.path_mtus) / WAYS;

	return stack->ip.path_mtus + hash_bytes(to, sizeof(*to)) % sets * WAYS;
}

static struct path_mtu *find(struct netstack *stack, const struct inet_address *to)
{
	struct path_mtu *set = set_of(stack, to);

	for (unsigned i = 0; i < WAYS; i++) {
		if (set[i].expires_at > (int64_t)loop_monotonic() && inet_equal(&set[i].to, to))
			return &set[i];
	}
	return NULL;
}

void path_mtu_apply(
	struct netstack *stack, const struct inet_address *to, struct route_result *result)
{
	const struct path_mtu *known;

	if (!stack->ip.path_mtus_used)
		return;
	known = find(stack, to);
	if (known && known->mtu < result->mtu) {
		result->mtu = known->mtu;
		result->no_df = known->no_df;
	}
}

uint32_t path_mtu_learn(struct netstack *stack, const struct inet_address *to, uint32_t mtu)
{
	struct path_mtu *set = set_of(stack, to), *place = find(stack, to);
	bool v4 = inet_is_v4(to), no_df = v4 && mtu < MTU_LEAST4;
	struct route_result route;

	mtu = max_of(mtu, v4 ? MTU_LEAST4 : INET_MTU_MIN6);
	/* It can only get less; that it gets more again is found out when this is forgotten. */
	if (route_lookup(stack, to, NULL, &route) < 0 || route.local || mtu > route.mtu)
		return mtu;
	for (unsigned i = 0; !place && i < WAYS; i++) {
		if (set[i].expires_at <= (int64_t)loop_monotonic())
			place = &set[i];
	}
	for (unsigned i = 1; !place && i <= WAYS; i++) {
		if (i == WAYS || set[i].expires_at < set[0].expires_at)
			place = &set[i % WAYS];
	}
	*place = (struct path_mtu){
		.to = *to,
		.mtu = mtu,
		.no_df = no_df,
		.expires_at = (int64_t)loop_monotonic() + LIFETIME,
	};
	stack->ip.path_mtus_used = true;
	return mtu;
}
