/* SPDX-License-Identifier: Apache-2.0 */
/* Pipes, eventfd and timerfd without a guest: kernel memory and fibers. */
#include <errno.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "base/checked.h"
#include "tests/unit/fiber_test.h"
#include "vfs/anon.h"

static struct file *reader, *writer;
static char big[1 << 20];

static void open_pipe(int flags)
{
	cr_assert_eq(pipe_new(flags, (struct cred *)(uintptr_t)cred_kernel(), &reader, &writer), 0);
}

static ssize_t put(struct file *file, const void *data, size_t size)
{
	struct uio_segment segment;
	struct uio uio;

	uio_init_kernel(&uio, &segment, (void *)(uintptr_t)data, size);
	return file_write(file, &uio, NULL);
}

static ssize_t get(struct file *file, void *data, size_t size)
{
	struct uio_segment segment;
	struct uio uio;

	uio_init_kernel(&uio, &segment, data, size);
	return file_read(file, &uio, NULL);
}

FIBER_TEST(pipe, carries_bytes_in_order)
{
	char out[100];

	open_pipe(0);
	cr_assert_eq(put(writer, "hello ", 6), 6);
	cr_assert_eq(put(writer, "world", 5), 5);
	cr_assert_eq(get(reader, out, 3), 3);
	cr_assert_eq(get(reader, out + 3, 90), 8);
	cr_assert(!memcmp(out, "hello world", 11));
	file_unref(writer);
	cr_assert_eq(get(reader, out, 10), 0);
	cr_assert_eq(get(reader, out, 0), 0);
	file_unref(reader);
}

FIBER_TEST(pipe, capacity_and_nonblocking)
{
	open_pipe(LX_O_NONBLOCK);
	cr_assert_eq(get(reader, big, 1), -EAGAIN);
	cr_assert_eq(put(writer, big, 100000), 65536);
	cr_assert_eq(put(writer, big, 1), -EAGAIN);
	cr_assert_eq(file_poll(writer), 0);
	cr_assert_eq(file_poll(reader), LX_POLLIN | LX_POLLRDNORM);
	/* A slot is free only when its page is empty. */
	cr_assert_eq(get(reader, big, 4095), 4095);
	cr_assert_eq(put(writer, big, 1), -EAGAIN);
	cr_assert_eq(get(reader, big, 1), 1);
	cr_assert_eq(put(writer, big, 4097), 4096);
	cr_assert_eq(put(writer, big, 4096), -EAGAIN);
	file_unref(reader);
	cr_assert_eq(put(writer, big, 1), -EPIPE);
	cr_assert_eq(put(writer, big, 0), 0);
	cr_assert(file_poll(writer) & LX_POLLERR);
	file_unref(writer);
}

/* Sixteen single bytes share a page. */
FIBER_TEST(pipe, small_writes_merge)
{
	open_pipe(LX_O_NONBLOCK);
	for (int i = 0; i < 65536; i++)
		cr_assert_eq(put(writer, "x", 1), 1);
	cr_assert_eq(put(writer, "x", 1), -EAGAIN);
	cr_assert_eq(get(reader, big, sizeof(big)), 65536);
	/* A write of a page and a bit merges the bit first (and only if it fits whole). */
	cr_assert_eq(put(writer, "abc", 3), 3);
	cr_assert_eq(put(writer, big, 4096 + 10), 4096 + 10);
	cr_assert_eq(get(reader, big, sizeof(big)), 4096 + 13);
	file_unref(reader);
	file_unref(writer);
}

FIBER_TEST(pipe, packets)
{
	char out[10];

	open_pipe(LX_O_DIRECT | LX_O_NONBLOCK);
	cr_assert_eq(put(writer, "abcdef", 6), 6);
	cr_assert_eq(put(writer, "gh", 2), 2);
	cr_assert_eq(get(reader, out, 4), 4); /* "ef" is lost */
	cr_assert_eq(get(reader, out, 10), 2);
	cr_assert(!memcmp(out, "gh", 2));
	cr_assert_eq(put(writer, big, 5000), 5000); /* two packets */
	cr_assert_eq(get(reader, big, 10000), 4096);
	cr_assert_eq(get(reader, big, 10000), 904);
	file_unref(reader);
	file_unref(writer);
}

FIBER_TEST(pipe, resize)
{
	open_pipe(LX_O_NONBLOCK);
	for (int i = 0; i < 256; i++)
		big[i * 100] = (char)i;
	cr_assert_eq(pipe_get_size(reader), 65536);
	cr_assert_eq(put(writer, big, 10000), 10000);
	cr_assert_eq(pipe_set_size(writer, 1), -EBUSY);
	cr_assert_eq(pipe_set_size(writer, 8193), 16384);
	cr_assert_eq(pipe_set_size(writer, 1 << 20), 1 << 20);
	cr_assert_eq(pipe_set_size(writer, (1 << 20) + 1), -EPERM);
	cr_assert_eq(pipe_set_size(writer, (1ull << 31) + 1), -EINVAL);
	cr_assert_eq(get(reader, big + 20000, 20000), 10000);
	cr_assert(!memcmp(big, big + 20000, 10000));
	cr_assert_eq(pipe_set_size(writer, 0), 4096);
	cr_assert_eq(put(writer, big, 9000), 4096);
	file_unref(reader);
	file_unref(writer);
}

struct call {
	struct file *file;
	char *data;
	size_t size;
	ssize_t result;
	bool done;
	struct fiber *fiber;
};

static void do_put(void *arg)
{
	struct call *call = arg;

	call->result = put(call->file, call->data, call->size);
	call->done = true;
}

static void do_get(void *arg)
{
	struct call *call = arg;

	call->result = get(call->file, call->data, call->size);
	call->done = true;
}

FIBER_TEST(pipe, blocking_write_finishes_as_room_appears)
{
	struct call call = {.data = big, .size = 200000};
	size_t got = 0;

	open_pipe(0);
	call.file = writer;
	for (size_t i = 0; i < 200000; i++)
		big[i] = (char)(i * 7);
	cr_assert_eq(fiber_create(&call.fiber, "writer", do_put, &call), 0);
	settle();
	cr_assert_not(call.done);
	while (got < 200000) {
		static char out[30000];
		ssize_t n = get(reader, out, sizeof(out));

		cr_assert_gt(n, 0);
		for (ssize_t i = 0; i < n; i++)
			cr_assert_eq(out[i], (char)((got + (size_t)i) * 7));
		got += (size_t)n;
		fiber_yield();
	}
	settle();
	cr_assert(call.done);
	cr_assert_eq(call.result, 200000);
	file_unref(reader);
	file_unref(writer);
}

FIBER_TEST(pipe, reader_is_woken_by_data_end_and_signal)
{
	char out[10];
	struct call call = {.data = out, .size = 10};

	open_pipe(0);
	call.file = reader;
	fiber_create(&call.fiber, "reader", do_get, &call);
	settle();
	put(writer, "x", 1);
	settle();
	cr_assert_eq(call.result, 1);
	call.done = false;
	fiber_create(&call.fiber, "reader", do_get, &call);
	settle();
	fiber_set_interrupted(call.fiber, true);
	settle();
	cr_assert_eq(call.result, -ERESTARTSYS);
	call.done = false;
	fiber_create(&call.fiber, "reader", do_get, &call);
	settle();
	cr_assert_not(call.done);
	file_unref(writer);
	settle();
	cr_assert_eq(call.result, 0);
	cr_assert(call.done);
	cr_assert_eq(file_poll(reader), LX_POLLHUP);
	file_unref(reader);
}

/* All readers hear of the end, though each wake-up of data is for one. */
FIBER_TEST(pipe, every_reader_hears_the_end)
{
	struct call calls[3];
	char out[3][10];

	open_pipe(0);
	for (int i = 0; i < 3; i++) {
		calls[i] = (struct call){.file = reader, .data = out[i], .size = 10};
		fiber_create(NULL, "reader", do_get, &calls[i]);
	}
	settle();
	put(writer, "ab", 2);
	settle();
	cr_assert_eq(calls[0].done + calls[1].done + calls[2].done, 1);
	file_unref(writer);
	settle();
	cr_assert_eq(calls[0].done + calls[1].done + calls[2].done, 3);
	file_unref(reader);
}

FIBER_TEST(pipe, splice_and_tee)
{
	struct file *first_reader, *first_writer;
	char out[20000];

	open_pipe(LX_O_NONBLOCK);
	first_reader = reader;
	first_writer = writer;
	open_pipe(LX_O_NONBLOCK);
	cr_assert_eq(file_tee(first_reader, writer, 100, false), -EAGAIN);
	memset(big, 'q', 10000);
	put(first_writer, big, 10000);
	cr_assert_eq(file_tee(first_reader, writer, 5000, false), 5000);
	cr_assert_eq(file_splice(first_reader, NULL, writer, NULL, 20000, false, NULL), 10000);
	cr_assert_eq(get(first_reader, out, 1), -EAGAIN);
	cr_assert_eq(get(reader, out, sizeof(out)), 15000);
	for (int i = 0; i < 15000; i++)
		cr_assert_eq(out[i], 'q');
	cr_assert_eq(file_splice(reader, NULL, writer, NULL, 1, false, NULL), -EINVAL);
	file_unref(first_writer);
	cr_assert_eq(file_splice(first_reader, NULL, writer, NULL, 1, false, NULL), 0);
	file_unref(reader);
	cr_assert_eq(file_splice(first_reader, NULL, writer, NULL, 1, false, NULL), -EPIPE);
	file_unref(first_reader);
	file_unref(writer);
}

FIBER_TEST(eventfd, counts)
{
	uint64_t value = 5;
	struct file *file;

	cr_assert_eq(eventfd_new(3, false, LX_O_NONBLOCK, &file), 0);
	cr_assert_eq(file_poll(file), LX_POLLIN | LX_POLLOUT);
	cr_assert_eq(put(file, &value, 8), 8);
	cr_assert_eq(get(file, &value, 7), -EINVAL);
	cr_assert_eq(get(file, &value, 100), 8);
	cr_assert_eq(value, 8);
	cr_assert_eq(get(file, &value, 8), -EAGAIN);
	value = UINT64_MAX;
	cr_assert_eq(put(file, &value, 8), -EINVAL);
	value--;
	cr_assert_eq(put(file, &value, 8), 8);
	cr_assert_eq(file_poll(file), LX_POLLIN);
	value = 1;
	cr_assert_eq(put(file, &value, 8), -EAGAIN);
	file_unref(file);
	cr_assert_eq(eventfd_new(2, true, LX_O_NONBLOCK, &file), 0);
	cr_assert_eq(get(file, &value, 8), 8);
	cr_assert_eq(value, 1);
	cr_assert_eq(get(file, &value, 8), 8);
	cr_assert_eq(get(file, &value, 8), -EAGAIN);
	file_unref(file);
}

FIBER_TEST(timerfd, fires_and_counts)
{
	struct lx_itimerspec set = {.it_value = {0, 2000000}, .it_interval = {0, 1000000}}, got;
	uint64_t ticks = 0;
	struct file *file;

	cr_assert_eq(timerfd_new(LX_CLOCK_PROCESS_CPUTIME_ID, 0, &file), -EINVAL);
	cr_assert_eq(timerfd_new(LX_CLOCK_REALTIME, 0, &file), 0);
	cr_assert_eq(timerfd_set(file, 0, &set, &got), 0);
	cr_assert_eq(got.it_value.tv_sec + got.it_value.tv_nsec, 0);
	cr_assert_eq(timerfd_get(file, &got), 0);
	cr_assert_leq(got.it_value.tv_nsec, 2000000);
	cr_assert_gt(got.it_value.tv_nsec, 0);
	cr_assert_eq(got.it_interval.tv_nsec, 1000000);
	cr_assert_eq(get(file, &ticks, 8), 8);
	cr_assert_geq(ticks, 1);
	wait_sleep(NULL, 0, loop_monotonic_now() + 5500000, false, false);
	cr_assert_eq(file_poll(file), LX_POLLIN);
	cr_assert_eq(get(file, &ticks, 8), 8);
	cr_assert_geq(ticks, 5);
	set = (struct lx_itimerspec){.it_value = {1, 0}};
	cr_assert_eq(timerfd_set(file, LX_TFD_TIMER_ABSTIME, &set, NULL), 0); /* 1970: at once */
	cr_assert_eq(get(file, &ticks, 8), 8);
	cr_assert_eq(ticks, 1);
	set.it_value.tv_nsec = 1000000000;
	cr_assert_eq(timerfd_set(file, 0, &set, NULL), -EINVAL);
	set = (struct lx_itimerspec){.it_value = {INT64_MAX, 0}};
	cr_assert_eq(timerfd_set(file, 0, &set, NULL), 0);
	cr_assert_eq(file_poll(file), 0);
	file_unref(file);
}
