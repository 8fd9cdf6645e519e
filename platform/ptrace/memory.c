/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Guest memory, floating point state and accounting of a stopped thread.
 *
 * process_vm_readv() and _writev() go page by page, stop at the first inaccessible one and respect
 * protections (mm/process_vm_access.c); /proc/PID/mem and PTRACE_POKE would write to read-only
 * pages and are not used.
 */
#include "platform/ptrace/tracee.h"

#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/openat2.h"

#define COPY_TURN (128 * 1024u) /* bytes before other fibers get a turn */

#define NT_X86_XSTATE	0x202
#define FP_XSTATE_MAGIC 0x46505853u
#define FX_SW_OFFSET	464 /* struct _fpx_sw_bytes in the legacy area, asm/sigcontext.h */
#define XSTATE_HEADER	512

struct fx_sw_bytes {
	uint32_t magic1, extended_size;
	uint64_t xfeatures;
	uint32_t xstate_size;
};

static ssize_t copy_turn(struct tracee *t, void *host, uint64_t guest, size_t size, bool write)
{
	struct iovec local = {.iov_base = host, .iov_len = size};
	struct iovec remote = {.iov_base = (void *)guest, .iov_len = size};
	ssize_t count;

	if (t->state == TRACEE_DEAD)
		return -ESRCH;
	count = write ? process_vm_writev(t->tid, &local, 1, &remote, 1, 0)
		      : process_vm_readv(t->tid, &local, 1, &remote, 1, 0);
	if (count >= 0)
		return count;
	/* Something confined us after the zygote had started: a copy that silently fails would look
	 * like the guest's mistake. */
	if (errno == EPERM || errno == ENOSYS)
		pt.upcalls->fatal("ptrace: process_vm_readv or process_vm_writev is denied");
	return errno == ESRCH ? -ESRCH : 0;
}

static ssize_t copy(struct tracee *t, void *host, gaddr_t guest, size_t size, bool write)
{
	size_t done = 0;

	while (done < size) {
		size_t turn = min_of(size - done, (size_t)COPY_TURN);
		ssize_t count = copy_turn(t, (char *)host + done, guest.v + done, turn, write);

		if (count < 0)
			return count;
		done += (size_t)count;
		if ((size_t)count < turn)
			break;
		if (done < size && fiber_current())
			fiber_yield();
	}
	return (ssize_t)done;
}

ssize_t ptrace_copy_in(struct platform_thread *thread, void *dst, gaddr_t src, size_t size)
{
	uint64_t end;

	/* Reads may reach the vDSO, which lies above the guest's end. */
	if (!add_checked(src.v, size, &end))
		size = (size_t)-src.v;
	return copy(tracee_of(thread), dst, src, size, false);
}

ssize_t ptrace_copy_out(struct platform_thread *thread, gaddr_t dst, const void *src, size_t size)
{
	if (dst.v >= PT_GUEST_END)
		return tracee_of(thread)->state == TRACEE_DEAD ? -ESRCH : 0;
	if (size > PT_GUEST_END - dst.v)
		size = PT_GUEST_END - dst.v;
	return copy(tracee_of(thread), (void *)src, dst, size, true);
}

int ptrace_copy_out_deferred(
	struct platform_thread *thread, gaddr_t dst, const void *src, size_t size)
{
	ssize_t count = ptrace_copy_out(thread, dst, src, size);

	if (count < 0)
		return (int)count;
	return (size_t)count == size ? 0 : -EFAULT;
}

/*
 * Features that a process must ask for before it can use them (AMX tile data,
 * arch/x86/kernel/fpu/xstate.c) are in the host's image all the same, at its end. No stub ever
 * asks, so they are in their initial state; signal frames have no room for them.
 */
#define XFEATURES_DYNAMIC (1ull << 18)

/* The size of an image in a signal frame: up to the end of the last feature that is not dynamic. */
static size_t fpu_frame_size(uint64_t xfeatures, size_t host_size)
{
	size_t size = XSTATE_HEADER + 64;

	for (unsigned feature = 2; feature < 63; feature++) {
		unsigned int length, offset, c, d;

		if (!((xfeatures & ~XFEATURES_DYNAMIC) >> feature & 1))
			continue;
		__cpuid_count(0xd, feature, length, offset, c, d);
		size = max_of(size, (size_t)offset + length);
	}
	return min_of(size, host_size);
}

/* The host's image of all features, as large as it comes. Returns its size or -errno. */
static ssize_t host_image(struct tracee *t, void *image)
{
	struct iovec iov = {.iov_base = image, .iov_len = PLATFORM_FPU_MAX};
	int err = tracee_request(t, PTRACE_GETREGSET, (void *)(uintptr_t)NT_X86_XSTATE, &iov);

	if (err < 0)
		return err;
	return iov.iov_len < XSTATE_HEADER + 64 ? -EINVAL : (ssize_t)iov.iov_len;
}

/*
 * The image has the software-reserved bytes of a signal frame, with the size that the frame has
 * including the closing FP_XSTATE_MAGIC2 (4 bytes behind the image, which the writer of the frame
 * adds).
 */
ssize_t ptrace_fpu_get(struct platform_thread *thread, void *image, size_t capacity)
{
	struct fx_sw_bytes sw = {.magic1 = FP_XSTATE_MAGIC};
	ssize_t size = host_image(tracee_of(thread), pt.fpu_scratch);

	if (size < 0)
		return size;
	/* The host leaves the enabled features here (XCR0, arch/x86/kernel/fpu/regset.c). */
	memcpy(&sw.xfeatures, pt.fpu_scratch + FX_SW_OFFSET, sizeof(sw.xfeatures));
	if (!pt.fpu_host_size) {
		pt.fpu_host_size = (size_t)size;
		pt.fpu_size = fpu_frame_size(sw.xfeatures, (size_t)size);
	}
	if ((size_t)size != pt.fpu_host_size || pt.fpu_size > capacity)
		return -EINVAL;
	sw.xfeatures &= ~XFEATURES_DYNAMIC;
	sw.xstate_size = (uint32_t)pt.fpu_size;
	sw.extended_size = sw.xstate_size + 4;
	memcpy(image, pt.fpu_scratch, pt.fpu_size);
	memset((char *)image + FX_SW_OFFSET, 0, XSTATE_HEADER - FX_SW_OFFSET);
	memcpy((char *)image + FX_SW_OFFSET, &sw, 20);
	return (ssize_t)pt.fpu_size;
}

int ptrace_fpu_set(struct platform_thread *thread, const void *image, size_t size)
{
	struct iovec iov = {.iov_base = pt.fpu_scratch, .iov_len = pt.fpu_host_size};
	uint64_t present;
	int err;

	if (size != pt.fpu_size)
		return -EINVAL;
	memcpy(pt.fpu_scratch, image, size);
	memset(pt.fpu_scratch + size, 0, pt.fpu_host_size - size);
	memcpy(&present, pt.fpu_scratch + XSTATE_HEADER, sizeof(present));
	if (present & XFEATURES_DYNAMIC)
		return -EINVAL;
	err = tracee_request(
		tracee_of(thread), PTRACE_SETREGSET, (void *)(uintptr_t)NT_X86_XSTATE, &iov);
	return err < 0 && err != -ESRCH ? -EINVAL : err;
}

int ptrace_fpu_reset(struct platform_thread *thread)
{
	return ptrace_fpu_set(thread, pt.fpu_initial, pt.fpu_size);
}

/* Reads /proc/@tid/@name as a string. 0 or -ESRCH. */
static int read_proc(pid_t tid, const char *name, char *buffer, size_t size)
{
	_cleanup_close_ int fd = -1;
	char path[32];
	ssize_t count;

	snprintf(path, sizeof(path), "%d/%s", (int)tid, name);
	fd = host_openat2(pt.proc_fd, path, O_RDONLY, HOST_BENEATH);
	if (fd < 0)
		return -ESRCH;
	count = read(fd, buffer, size - 1);
	if (count <= 0)
		return -ESRCH;
	buffer[count] = '\0';
	return 0;
}

/* A process's clocks can be read by anybody (clock_getcpuclockid(3)); a thread's cannot. @which: 1
 * user, 2 all. */
static int process_clock(pid_t tgid, unsigned which, uint64_t *ret)
{
	clockid_t clock = (clockid_t)((~(unsigned)tgid << 3) | which);
	struct timespec ts;

	if (clock_gettime(clock, &ts) < 0)
		return -ESRCH;
	*ret = (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
	return 0;
}

/* Where /proc cannot be read: each thread gets an equal share, so that the sum over a process is
 * right. */
static int shared_cpu_time(const struct tracee *t, uint64_t *ret_user, uint64_t *ret_system)
{
	const struct platform_as *as = t->pub.as;
	uint64_t user, all;

	if (as->leader_reaped || as->thread_count == 0 || process_clock(as->tgid, 1, &user) < 0 ||
		process_clock(as->tgid, 2, &all) < 0)
		return -ESRCH;
	user = min_of(user, all);
	*ret_user = user / as->thread_count;
	*ret_system = (all - user) / as->thread_count;
	return 0;
}

/* proc(5): utime and stime are the 14th and 15th fields of stat, in ticks of 10 ms. schedstat has
 * the exact sum. */
int ptrace_cpu_time(struct platform_thread *thread, uint64_t *ret_user, uint64_t *ret_system)
{
	struct tracee *t = tracee_of(thread);
	unsigned long long user, system, total;
	char buffer[512];
	const char *fields;

	if (t->reaped)
		return -ESRCH;
	if (read_proc(t->tid, "stat", buffer, sizeof(buffer)) < 0)
		return shared_cpu_time(t, ret_user, ret_system);
	fields = strrchr(buffer, ')');
	if (!fields || sscanf(fields + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu",
			       &user, &system) != 2)
		return -ESRCH;
	if (read_proc(t->tid, "schedstat", buffer, sizeof(buffer)) == 0 &&
		sscanf(buffer, "%llu", &total) == 1) {
		/* The ticks only say how the exact total splits. */
		*ret_user =
			user + system
				? (uint64_t)((double)total * (double)user / (double)(user + system))
				: total;
		*ret_system = total - *ret_user;
		return 0;
	}
	*ret_user = user * 10000000ull;
	*ret_system = system * 10000000ull;
	return 0;
}

/* proc(5): of stat, minflt, majflt and rss are 10, 12 and 24. */
int ptrace_usage(struct platform_thread *thread, struct platform_usage *ret)
{
	const struct tracee *t = tracee_of(thread);
	unsigned long long minor, major, pages;
	char buffer[512];
	const char *fields;

	if (t->reaped || read_proc(t->tid, "stat", buffer, sizeof(buffer)) < 0)
		return -ESRCH;
	fields = strrchr(buffer, ')');
	if (!fields || sscanf(fields + 1,
			       " %*c %*d %*d %*d %*d %*d %*u %llu %*u %llu %*u %*u %*u %*d %*d %*d "
			       "%*d %*d %*d %*u %*u %llu",
			       &minor, &major, &pages) != 3)
		return -ESRCH;
	*ret = (struct platform_usage){
		.minor_faults = minor, .major_faults = major, .resident = pages * LX_PAGE_SIZE};
	return 0;
}

int ptrace_resident_size(struct platform_as *as, uint64_t *ret_size, uint64_t *ret_shared)
{
	unsigned long long pages, shared;
	char buffer[128];
	struct tracee *t;

	/* A leader that has exited shows no memory: ask any thread that is left. */
	list_for_each_entry (t, &as->tracees, as_link) {
		if (t->reaped || t->released)
			continue;
		if (read_proc(t->tid, "statm", buffer, sizeof(buffer)) < 0 ||
			sscanf(buffer, "%*u %llu %llu", &pages, &shared) != 2)
			continue;
		*ret_size = pages * LX_PAGE_SIZE;
		if (ret_shared)
			*ret_shared = shared * LX_PAGE_SIZE;
		return 0;
	}
	return -ESRCH;
}

int ptrace_memory_use(struct platform_as *as, uint64_t *ret_size)
{
	uint64_t ns = 0, size = 0;
	char buffer[4096];
	struct tracee *t;

	if (as->leader_reaped)
		return -ESRCH;
	/* Memory is not touched without CPU time. */
	if (process_clock(as->tgid, 2, &ns) == 0 && ns == as->used_ns && ns > 0) {
		*ret_size = as->used_memory;
		return 0;
	}
	/* A leader that has exited shows no memory. */
	list_for_each_entry (t, &as->tracees, as_link) {
		if (size > 0 || t->reaped)
			continue;
		if (read_proc(t->tid, "status", buffer, sizeof(buffer)) == 0)
			size = platform_status_memory(buffer);
	}
	as->used_ns = ns;
	as->used_memory = size;
	*ret_size = size;
	return 0;
}
