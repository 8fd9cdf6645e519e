/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_ABI_POLL_H
#define SENTRY_ABI_POLL_H

#include <stdint.h>

struct lx_pollfd {
	int32_t fd;
	int16_t events;
	int16_t revents;
};
#define LX_POLLIN     0x1
#define LX_POLLPRI    0x2
#define LX_POLLOUT    0x4
#define LX_POLLERR    0x8
#define LX_POLLHUP    0x10
#define LX_POLLNVAL   0x20
#define LX_POLLRDNORM 0x40
#define LX_POLLRDBAND 0x80
#define LX_POLLWRNORM 0x100
#define LX_POLLWRBAND 0x200
#define LX_POLLMSG    0x400
#define LX_POLLREMOVE 0x1000
#define LX_POLLRDHUP  0x2000

/* select(2): a set of n descriptors is (n + 63) / 64 words */
#define LX_FD_SETSIZE 1024
struct lx_fd_set {
	uint64_t bits[LX_FD_SETSIZE / 64];
};

/* pselect6(2)'s sixth argument */
struct lx_sigset_argpack {
	uint64_t sigmask;
	uint64_t size;
};

struct lx_epoll_event {
	uint32_t events;
	uint64_t data;
} __attribute__((packed));
#define LX_EPOLL_CTL_ADD  1
#define LX_EPOLL_CTL_DEL  2
#define LX_EPOLL_CTL_MOD  3
#define LX_EPOLL_CLOEXEC  02000000
#define LX_EPOLLIN	  0x1
#define LX_EPOLLPRI	  0x2
#define LX_EPOLLOUT	  0x4
#define LX_EPOLLERR	  0x8
#define LX_EPOLLHUP	  0x10
#define LX_EPOLLNVAL	  0x20
#define LX_EPOLLRDNORM	  0x40
#define LX_EPOLLRDBAND	  0x80
#define LX_EPOLLWRNORM	  0x100
#define LX_EPOLLWRBAND	  0x200
#define LX_EPOLLMSG	  0x400
#define LX_EPOLLRDHUP	  0x2000
#define LX_EPOLLEXCLUSIVE 0x10000000u
#define LX_EPOLLWAKEUP	  0x20000000u
#define LX_EPOLLONESHOT	  0x40000000u
#define LX_EPOLLET	  0x80000000u

#define LX_EFD_SEMAPHORE 1
#define LX_EFD_CLOEXEC	 02000000
#define LX_EFD_NONBLOCK	 04000

#endif
