/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_SOCKET_NET_PROC_H
#define SENTRY_SENTRY_SOCKET_NET_PROC_H

/* The tables of /proc/net that belong to no single family of sockets. May be called again. */
void net_proc_register(void);
/* net_snmp.c: counters and neighbours; called by the above. */
void net_snmp_register(void);
/* net_proc_group.c: groups; likewise. */
void net_proc_group_register(void);

#endif
