/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_HELD_H
#define SENTRY_HELD_H

#include <stdbool.h>
#include <stdint.h>

struct file;
struct lx_epoll_event;
struct task;

/*
 * What threads are told of their descriptors (held.c), so that they answer calls themselves.
 */

/* Nobody is told of what happens to @file (who wants to be, has tasks_forget_opened() called). */
bool file_is_unwatched(const struct file *file);

/* Once: hears of descriptors that go and of epoll instances that are looked at. */
void held_init(void);
/* @task's call epoll_ctl(@epfd, @op, @fd, @event) has succeeded, for these files. */
void held_epoll_ctl(struct task *task, struct file *epoll, struct file *target, int epfd, int op,
	int fd, const struct lx_epoll_event *event);
/* @task has read from, or written to, @file by the descriptor @fd; file->ops->idle is not 0. */
void held_device(struct task *task, struct file *file, int fd);
/* Makes the changes of which the thread tells with its event (platform_thread.held). */
void held_settle(struct task *task);
/* Nothing that @task knows holds any longer; the changes that it made are made. Does not sleep. */
void held_take_back(struct task *task);
/* Somebody is going to hear of reads and writes: of all tasks, what they know of devices. */
void held_forget_devices(void);

#endif
