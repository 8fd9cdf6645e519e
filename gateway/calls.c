/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/futex.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/checked.h"
#include "gateway/gateway.h"

/*
 * The gateway's host calls. It makes sockets of four kinds and pairs of two, and whom it connects
 * them with no filter can see: that is what the rules are for. Files, processes, memory that can be
 * executed, raw sockets, names of local sockets are not for it.
 */
#define INT    UINT32_MAX
#define ONE_OF HOST_CALL_ONE_OF

#define FLAGS	(SOCK_NONBLOCK | SOCK_CLOEXEC)
#define OWN_FDS "code: the gateway's own descriptors"
#define RULES	"code: the rules of --allow-egress, and the name servers"

#define PRIVATE_FUTEX                                                                              \
	ONE_OF(1, INT & ~(uint64_t)FUTEX_CLOCK_REALTIME, FUTEX_WAIT_PRIVATE, FUTEX_WAKE_PRIVATE)

#define SANITIZER(call)                                                                            \
	{                                                                                          \
		SYS_##call, #call, GATEWAY_SANITIZER, .constraint = "", .rest = "",                \
						      .reason = "sanitizer"                        \
	}

const struct host_call gateway_calls[] = {
	{SYS_socket, "socket", GATEWAY_ALWAYS,
		.tests = {{1, INT, SOCK_STREAM | FLAGS}, {2, INT, 0}},
		.one_of = ONE_OF(0, INT, AF_INET, AF_INET6),
		.constraint = "AF_INET, AF_INET6; SOCK_STREAM; no protocol", .rest = "",
		.reason = "TCP flows, long answers of name servers"},
	{SYS_socket, "socket", GATEWAY_ALWAYS, .tests = {{1, INT, SOCK_DGRAM | FLAGS}, {2, INT, 0}},
		.one_of = ONE_OF(0, INT, AF_INET, AF_INET6),
		.constraint = "AF_INET, AF_INET6; SOCK_DGRAM; no protocol", .rest = "",
		.reason = "UDP flows, name servers, whose an address is"},
	{SYS_socketpair, "socketpair", GATEWAY_ALWAYS, .tests = {{0, INT, AF_UNIX}, {2, INT, 0}},
		.one_of = ONE_OF(1, INT, SOCK_STREAM | FLAGS, SOCK_SEQPACKET | FLAGS),
		.constraint = "AF_UNIX; SOCK_STREAM, SOCK_SEQPACKET", .rest = "",
		.reason = "a flow's bytes to and from the Sentry"},
	{SYS_connect, "connect", GATEWAY_ALWAYS, .constraint = "", .rest = RULES,
		.reason = "flows that a rule allows, name servers"},
	{SYS_getsockname, "getsockname", GATEWAY_ALWAYS, .constraint = "", .rest = OWN_FDS,
		.reason = "whether an address is the host's own"},
	{SYS_getsockopt, "getsockopt", GATEWAY_ALWAYS,
		.tests = {{1, INT, SOL_SOCKET}, {2, INT, SO_ERROR}}, .constraint = "SO_ERROR",
		.rest = OWN_FDS, .reason = "what a connection attempt came to"},
	{SYS_setsockopt, "setsockopt", GATEWAY_ALWAYS,
		.tests = {{1, INT, SOL_SOCKET}, {2, INT, SO_LINGER}}, .constraint = "SO_LINGER",
		.rest = OWN_FDS, .reason = "a flow that ends with a reset"},
	{SYS_setsockopt, "setsockopt", GATEWAY_ALWAYS,
		.tests = {{1, INT, IPPROTO_TCP}, {2, INT, TCP_NODELAY}},
		.constraint = "TCP_NODELAY", .rest = OWN_FDS,
		.reason = "the guest's stack has waited already"},
	{SYS_shutdown, "shutdown", GATEWAY_ALWAYS, .tests = {{1, INT, SHUT_WR}},
		.constraint = "SHUT_WR", .rest = OWN_FDS, .reason = "half of a close"},
	{SYS_sendto, "sendto", GATEWAY_ALWAYS, .tests = {{4, UINT64_MAX, 0}},
		.constraint = "no address", .rest = OWN_FDS,
		.reason = "bytes of flows, questions to name servers"},
	{SYS_recvfrom, "recvfrom", GATEWAY_ALWAYS, .tests = {{4, UINT64_MAX, 0}},
		.constraint = "no address", .rest = OWN_FDS,
		.reason = "bytes of flows, answers of name servers"},
	{SYS_sendmsg, "sendmsg", GATEWAY_ALWAYS, .tests = {{2, INT, MSG_NOSIGNAL}},
		.constraint = "MSG_NOSIGNAL", .rest = OWN_FDS,
		.reason = "messages to the Sentry, with a flow's socket"},
	{SYS_recvmsg, "recvmsg", GATEWAY_ALWAYS,
		.tests = {{2, INT, MSG_DONTWAIT | MSG_CMSG_CLOEXEC}},
		.constraint = "MSG_DONTWAIT|MSG_CMSG_CLOEXEC", .rest = OWN_FDS,
		.reason = "messages of the Sentry"},
	{SYS_accept4, "accept4", GATEWAY_PUBLISH, .tests = {{3, INT, FLAGS}},
		.constraint = "SOCK_NONBLOCK|SOCK_CLOEXEC", .rest = OWN_FDS,
		.reason = "connections to published ports"},
	{SYS_recvfrom, "recvfrom", GATEWAY_PUBLISH, .tests = {{3, INT, MSG_DONTWAIT}},
		.constraint = "MSG_DONTWAIT", .rest = OWN_FDS, .reason = "published UDP ports"},
	{SYS_sendto, "sendto", GATEWAY_PUBLISH, .tests = {{3, INT, MSG_DONTWAIT | MSG_NOSIGNAL}},
		.constraint = "MSG_DONTWAIT|MSG_NOSIGNAL",
		.rest = "code: to who wrote to a published UDP port",
		.reason = "answers from published UDP ports"},
	{SYS_close, "close", GATEWAY_ALWAYS, .constraint = "", .rest = "",
		.reason = "flows that end"},
	{SYS_write, "write", GATEWAY_ALWAYS, .constraint = "", .rest = OWN_FDS,
		.reason = "log lines, --audit"},
	{SYS_epoll_ctl, "epoll_ctl", GATEWAY_ALWAYS, .constraint = "", .rest = OWN_FDS,
		.reason = "what the main loop watches"},
	{SYS_epoll_pwait2, "epoll_pwait2", GATEWAY_PWAIT2, .constraint = "", .rest = OWN_FDS,
		.reason = "what happened to which descriptor"},
	{SYS_epoll_pwait, "epoll_pwait", GATEWAY_OLD_PWAIT, .constraint = "", .rest = OWN_FDS,
		.reason = "the same, where the host has no epoll_pwait2"},
	{SYS_clock_gettime, "clock_gettime", GATEWAY_ALWAYS, .constraint = "", .rest = "",
		.reason = "all clocks where the host has no vDSO"},
	{SYS_getrandom, "getrandom", GATEWAY_ALWAYS, .tests = {{2, INT, 0}},
		.constraint = "no flags", .rest = "", .reason = "ids of questions to name servers"},
	{SYS_mmap, "mmap", GATEWAY_ALWAYS, .tests = {{2, ~(uint64_t)(PROT_READ | PROT_WRITE), 0}},
		.constraint = "not executable", .rest = "kernel: RLIMIT_AS", .reason = "malloc"},
	{SYS_munmap, "munmap", GATEWAY_ALWAYS, .constraint = "", .rest = "", .reason = "malloc"},
	{SYS_mremap, "mremap", GATEWAY_ALWAYS, .tests = {{3, UINT64_MAX, MREMAP_MAYMOVE}},
		.constraint = "MREMAP_MAYMOVE", .rest = "", .reason = "realloc"},
	{SYS_brk, "brk", GATEWAY_ALWAYS, .constraint = "", .rest = "", .reason = "malloc"},
	{SYS_futex, "futex", GATEWAY_ALWAYS, .one_of = PRIVATE_FUTEX,
		.constraint = "private WAIT, WAKE", .rest = "", .reason = "libc's locks"},
	{SYS_restart_syscall, "restart_syscall", GATEWAY_ALWAYS, .constraint = "", .rest = "",
		.reason = "the kernel re-enters timed waits by it after stop and continue"},
	{SYS_exit_group, "exit_group", GATEWAY_ALWAYS, .constraint = "", .rest = "",
		.reason = "the end"},
	SANITIZER(mprotect),
	SANITIZER(madvise),
	SANITIZER(sigaltstack),
	SANITIZER(rt_sigaction),
	SANITIZER(rt_sigprocmask),
	SANITIZER(getpid),
	SANITIZER(gettid),
	SANITIZER(openat),
	SANITIZER(readlink),
	SANITIZER(pread64),
	SANITIZER(read),
};
const size_t gateway_call_count = array_size(gateway_calls);
