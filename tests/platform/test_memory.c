/* SPDX-License-Identifier: Apache-2.0 */
/* Copies and mapping operations. */
#include "tests/platform/driver.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "abi/mman.h"

void test_copy(void)
{
	struct platform_thread *t = GUEST(syscalls);
	const struct platform_map big = {
		GADDR(0x10000000), 1 << 20, LX_PROT_READ | LX_PROT_WRITE, false, -1, 0, false};
	static char out[1 << 20], in[1 << 20];

	if (!t)
		return;
	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (char)(i * 7 + i / 4096);
	CHECK_EQ(platform->map(t, &big), 0);
	CHECK_EQ(platform->copy_out(t, big.addr, out, sizeof(out)), sizeof(out));
	CHECK_EQ(platform->copy_in(t, in, big.addr, sizeof(in)), sizeof(in));
	CHECK(!memcmp(in, out, sizeof(in)));
	/* Partial: up to the first inaccessible byte. */
	CHECK_EQ(platform->copy_in(t, in, GADDR(DATA + 4000), 1000), 96);
	CHECK_EQ(platform->copy_out(t, GADDR(DATA + 4000), out, 1000), 96);
	CHECK_EQ(platform->copy_in(t, in, GADDR(0x1000), 10), 0);
	CHECK_EQ(platform->copy_in(t, in, GADDR(0), 10), 0);
	CHECK_EQ(platform->copy_in(t, in, GADDR(UINT64_MAX - 3), 10), 0);
	CHECK_EQ(platform->copy_in(t, in, GADDR(0x800000000000ull), 10), 0);
	CHECK_EQ(platform->copy_out(t, GADDR(UINT64_MAX - 3), out, 10), 0);
	CHECK_EQ(platform->copy_out(t, platform->guest_end(), out, 10), 0);
	/* Read-only memory: EFAULT for the kernel too. */
	CHECK_EQ(platform->copy_out(t, GADDR(CODE), out, 10), 0);
	CHECK_EQ(platform->copy_out_deferred(t, GADDR(DATA), out, 10), 0);
	CHECK_EQ(platform->protect(t, big.addr, 4096, LX_PROT_NONE), 0);
	CHECK_EQ(platform->copy_in(t, in, big.addr, 10), 0);
	CHECK_EQ(platform->protect(t, GADDR(big.addr.v + 8192), 4096, LX_PROT_READ), 0);
	CHECK_EQ(platform->copy_out(t, GADDR(big.addr.v + 4096), out, 8192), 4096);
	guest_end(t);
}

void test_map_file(void)
{
	struct platform_thread *t = GUEST(syscalls);
	int fd = memfd_create("test", MFD_CLOEXEC), read_only;
	char path[64], text[16] = "";
	struct platform_map map = {GADDR(0x20000000), 8192, LX_PROT_READ, false, fd, 0, false};

	if (!t)
		return;
	CHECK_EQ(ftruncate(fd, 16384), 0);
	CHECK_EQ(pwrite(fd, "first", 5, 0), 5);
	CHECK_EQ(pwrite(fd, "third", 5, 8192), 5);
	for (unsigned i = 0; i < 50; i++)
		CHECK_EQ(platform->map(t, &map), 0);
	CHECK_EQ(platform->copy_in(t, text, map.addr, 5), 5);
	CHECK(!memcmp(text, "first", 5));
	map.offset = 8192;
	map.shared = true;
	map.prot = LX_PROT_READ | LX_PROT_WRITE;
	CHECK_EQ(platform->map(t, &map), 0);
	CHECK_EQ(platform->copy_out(t, map.addr, "THIRD", 5), 5);
	CHECK_EQ(pread(fd, text, 5, 8192), 5);
	CHECK(!memcmp(text, "THIRD", 5));
	/* The descriptor carries its own access mode. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	map.fd = read_only;
	CHECK_EQ(platform->map(t, &map), -EACCES);
	map.fd = -1;
	CHECK_EQ(platform->map(t, &map), -EINVAL);
	map.shared = false;
	map.addr = platform->guest_end();
	CHECK(platform->map(t, &map) < 0);
	map.addr = GADDR(platform->guest_end().v - 4096);
	CHECK(platform->map(t, &map) < 0);
	close(fd);
	close(read_only);
	guest_end(t);
}

void test_remap(void)
{
	struct platform_thread *t = GUEST(syscalls);
	char text[8] = "";

	if (!t)
		return;
	CHECK_EQ(platform->copy_out(t, GADDR(DATA), "move", 4), 4);
	CHECK_EQ(platform->remap(t, GADDR(DATA), 4096, 8192, GADDR(0x30000000)), 0);
	CHECK_EQ(platform->copy_in(t, text, GADDR(DATA), 4), 0);
	CHECK_EQ(platform->copy_in(t, text, GADDR(0x30000000), 4), 4);
	CHECK(!memcmp(text, "move", 4));
	CHECK_EQ(platform->remap(t, GADDR(0x30000000), 8192, 4096, GADDR(0x30000000)), 0);
	CHECK_EQ(platform->copy_in(t, text, GADDR(0x30000000 + 4094), 8), 2);
	CHECK_EQ(platform->advise(t, GADDR(0x30000000), 4096, LX_MADV_DONTNEED), 0);
	CHECK_EQ(platform->copy_in(t, text, GADDR(0x30000000), 4), 4);
	CHECK(!memcmp(text, "\0\0\0\0", 4));
	CHECK_EQ(platform->advise(t, GADDR(0x30000000), 4096, 12345), -EINVAL);
	guest_end(t);
}

/* Asks for a mapping while it may be delayed. */
static int map_delayed(struct platform_thread *t, const struct platform_map *map)
{
	int err;

	t->may_delay = true;
	err = platform->map(t, map);
	t->may_delay = false;
	return err;
}

static int unmap_delayed(struct platform_thread *t, gaddr_t addr, uint64_t size)
{
	int err;

	t->may_delay = true;
	err = platform->unmap(t, addr, size);
	t->may_delay = false;
	return err;
}

/* A change of memory that is not there. */
static int protect_hole_delayed(struct platform_thread *t)
{
	int err;

	t->may_delay = true;
	err = platform->protect(t, GADDR(0x60000000), 4096, LX_PROT_READ);
	t->may_delay = false;
	return err;
}

/* What may be delayed is done before the guest goes on, or it does not go on. */
void test_delayed(void)
{
	struct platform_thread *t = GUEST(syscalls);
	int fd = memfd_create("test", MFD_CLOEXEC);
	const struct platform_map anonymous = {
		GADDR(0x10000000), 8192, LX_PROT_READ | LX_PROT_WRITE, false, -1, 0, false};
	const struct platform_map file = {
		GADDR(0x20000000), 8192, LX_PROT_READ, false, fd, 0, false};
	struct platform_event event;
	char text[8] = "";
	uint64_t sum;
	int err;

	if (!t)
		return;
	CHECK_EQ(ftruncate(fd, 8192), 0);
	CHECK_EQ(pwrite(fd, "file", 4, 0), 4);
	run(t, &event);
	CHECK_EQ(map_delayed(t, &anonymous), 0);
	t->regs.rax = 1;
	run(t, &event);
	CHECK(event.kind == PLATFORM_SYSCALL && event.syscall.nr == 1001);
	CHECK_EQ(platform->copy_out(t, anonymous.addr, "here", 4), 4);
	CHECK_EQ(map_delayed(t, &file), 0);
	run(t, &event);
	CHECK(event.kind == PLATFORM_SYSCALL && event.syscall.nr == 1002);
	CHECK_EQ(platform->copy_in(t, text, file.addr, 4), 4);
	CHECK(!memcmp(text, "file", 4));
	/* Another operation takes it along. */
	CHECK_EQ(unmap_delayed(t, anonymous.addr, 4096), 0);
	CHECK_EQ(platform->copy_in(t, text, anonymous.addr, 4), 0);
	CHECK_EQ(unmap_delayed(t, anonymous.addr, 8192), 0);
	CHECK_EQ(platform->settle ? platform->settle(t) : 0, 0);
	CHECK_EQ(platform->copy_in(t, text, GADDR(anonymous.addr.v + 4096), 4), 0);
	/* Refused at once, or later; the guest sees the result that it gets then. */
	sum = t->regs.rbx;
	err = protect_hole_delayed(t);
	t->regs.rax = 0;
	if (err == 0) {
		run(t, &event);
		CHECK_EQ(event.kind, PLATFORM_REFUSED);
		err = event.refused.error;
	}
	CHECK(err < 0);
	t->regs.rax = (uint64_t)err;
	run(t, &event);
	CHECK(event.kind == PLATFORM_SYSCALL && event.syscall.nr == 1003);
	CHECK_EQ(t->regs.rbx, sum + (uint64_t)err);
	/* Likewise before registers are looked at. */
	err = protect_hole_delayed(t);
	if (err == 0)
		err = platform->settle(t);
	CHECK(err < 0);
	CHECK_EQ(platform->settle ? platform->settle(t) : 0, 0);
	run(t, &event);
	CHECK(event.kind == PLATFORM_SYSCALL && event.syscall.nr == 1004);
	/* And with all registers to be loaded. */
	err = protect_hole_delayed(t);
	t->regs_dirty = true;
	if (err == 0) {
		run(t, &event);
		CHECK_EQ(event.kind, PLATFORM_REFUSED);
	}
	run(t, &event);
	CHECK(event.kind == PLATFORM_SYSCALL && event.syscall.nr == 1005);
	close(fd);
	guest_end(t);
}
