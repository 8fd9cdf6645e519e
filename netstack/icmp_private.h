/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_NETSTACK_ICMP_PRIVATE_H
#define SENTRY_NETSTACK_ICMP_PRIVATE_H

#include "netstack/ip_private.h"

#define ICMP_HEADER 8u

#define ICMP4_ECHO_REPLY   0u
#define ICMP4_UNREACHABLE  3u
#define ICMP4_ECHO_REQUEST 8u
#define ICMP4_TIME	   11u
#define ICMP4_PARAMETER	   12u

#define ICMP4_BAD_HOST	   1u
#define ICMP4_BAD_PROTOCOL 2u
#define ICMP4_BAD_PORT	   3u
#define ICMP4_TOO_BIG	   4u

#define ICMP6_UNREACHABLE	      1u
#define ICMP6_TOO_BIG		      2u
#define ICMP6_TIME		      3u
#define ICMP6_PARAMETER		      4u
#define ICMP6_ECHO_REQUEST	      128u
#define ICMP6_ECHO_REPLY	      129u
#define ICMP6_LISTENER_QUERY	      130u
#define ICMP6_LISTENER_REPORT	      131u
#define ICMP6_LISTENER_DONE	      132u
#define ICMP6_ROUTER_SOLICITATION     133u
#define ICMP6_ROUTER_ADVERTISEMENT    134u
#define ICMP6_NEIGHBOUR_SOLICITATION  135u
#define ICMP6_NEIGHBOUR_ADVERTISEMENT 136u
#define ICMP6_LISTENER_REPORT2	      143u

#define ICMP6_BAD_ADDRESS 3u
#define ICMP6_BAD_PORT	  4u

void icmp_send(struct netstack *stack, struct ip_meta *meta, struct netbuf_queue *message);

/* icmp_error.c */
void icmp_error_input(struct netstack *stack, struct ip_info *info, const uint8_t *header);

/* nd.c: info->packet stays the caller's, its checksum was right */
void nd_input(struct netstack *stack, struct ip_info *info, uint8_t type);

#endif
