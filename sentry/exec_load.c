/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execve builds: a fresh address space with the program, its interpreter, the break and the first
 * stack in it; the second half of load_elf_binary() and create_elf_tables().
 *
 * Layout from the top: the stack below guest_end at a random distance, then a gap, then mmap_base
 * from where interpreter and libraries are placed top-down; position-independent programs around
 * two thirds of the address space, as on Linux. The whole range of the default stack is mapped at
 * once instead of on faults: calls that pass untouched stack memory to the kernel must find it
 * there, and pages cost nothing until they are touched.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "abi/limits.h"
#include "abi/mman.h"
#include "abi/prctl.h"
#include "abi/resource.h"
#include "abi/time.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/log.h"
#include "base/random.h"
#include "sentry/exec_private.h"
#include "sentry/mm_patch.h"
#include "sentry/mm_private.h"
#include "sentry/task_private.h"

#ifndef AT_RSEQ_FEATURE_SIZE
#define AT_RSEQ_FEATURE_SIZE 27
#define AT_RSEQ_ALIGN	     28
#endif
#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif

/* arch/x86/include/asm/elf.h: ELF_ET_DYN_BASE, and the bits that are random. */
#define DYN_BASE(end) (align_down((end) / 3 * 2, LX_PAGE_SIZE))
#define RANDOM_PAGES  (1ull << 28)     /* of mmap and position-independent programs */
#define RANDOM_STACK  (1ull << 22)     /* pages */
#define RANDOM_BRK    (1ull << 30)     /* bytes */
#define STACK_ROOM    (128ull << 10)   /* that a program has at least, besides its arguments */
#define STACK_MAPPED  LX_STACK_DEFAULT /* at once */
#define STACK_GAP_MAX (1ull << 40)     /* between stack and mmap_base */

/* One ELF file's way into memory. */
struct load {
	const struct elf_image *image;
	struct file *file;
	uint64_t bias;
};

static uint64_t random_pages(const struct exec_state *state, uint64_t pages)
{
	if (state->task->personality & LX_ADDR_NO_RANDOMIZE)
		return 0;
	return random_below(pages) * LX_PAGE_SIZE;
}

static struct mm_work work_of(const struct exec_state *state)
{
	return (struct mm_work){.mm = state->mm, .thread = state->thread, .task = state->task};
}

/* ---- segments -------------------------------------------------------------------------------- */

static int clear_tail(const struct exec_state *state, const struct elf_placement *p)
{
	static const uint8_t zeros[LX_PAGE_SIZE];
	ssize_t n;

	if (!p->zero_size)
		return 0;
	n = platform->copy_out(state->thread, GADDR(p->zero_addr), zeros, p->zero_size);
	if (n < 0)
		return (int)n;
	return (uint64_t)n == p->zero_size ? 0 : -EFAULT;
}

static int map_segment(
	const struct exec_state *state, const struct load *load, const struct elf_placement *p)
{
	const int flags = LX_MAP_PRIVATE | LX_MAP_FIXED;
	struct mm_work work = work_of(state);
	int64_t addr;

	if (p->size) {
		addr = mm_map_locked(
			&work, p->addr, p->size, p->prot, flags, load->file, p->offset);
		if (addr < 0)
			return (int)addr;
	}
	if (p->anon_size) {
		addr = mm_map_locked(&work, p->anon_addr, p->anon_size, p->anon_prot,
			flags | LX_MAP_ANONYMOUS, NULL, 0);
		if (addr < 0)
			return (int)addr;
	}
	return clear_tail(state, p);
}

/* start_code and the like, for the main program. */
static void note_segment(
	struct mm *mm, const struct elf_segment *segment, const struct elf_placement *p)
{
	uint64_t start = p->end - segment->memory_size, file_end = start + segment->file_size;

	if (segment->prot & LX_PROT_EXEC) {
		if (!mm->start_code || start < mm->start_code)
			mm->start_code = start;
		mm->end_code = max_of(mm->end_code, file_end);
	}
	mm->start_data = max_of(mm->start_data, start);
	mm->end_data = max_of(mm->end_data, file_end);
	mm->start_brk = max_of(mm->start_brk, p->end);
}

/*
 * Can @next be mapped together with @p, as more pages of the same file? Each mapping of a file
 * crosses to the new address space with a descriptor, which costs several times as much as changing
 * the rights of a part afterwards; linkers put the read-only segments side by side.
 */
static bool joins(const struct elf_placement *p, const struct elf_placement *next)
{
	return !((p->prot | next->prot) & LX_PROT_WRITE) && p->size && next->size &&
	       !p->anon_size && !next->anon_size && p->addr + p->size == next->addr &&
	       p->offset + p->size == next->offset;
}

/* Segments [first, last] as one mapping, then the rights of each. */
static int map_joined(const struct exec_state *state, const struct load *load,
	const struct elf_placement *places, size_t first, size_t last)
{
	struct elf_placement whole = places[first];
	struct mm_work work = work_of(state);
	int err;

	whole.size = places[last].addr + places[last].size - whole.addr;
	err = map_segment(state, load, &whole);
	for (size_t i = first + 1; err == 0 && i <= last; i++)
		if (places[i].prot != whole.prot)
			err = mm_protect_range(&work, places[i].addr,
				places[i].addr + places[i].size, places[i].prot);
	return err;
}

static int load_segments(const struct exec_state *state, const struct load *load, bool main_program)
{
	size_t count = load->image->segment_count, last;
	struct mm_work work = work_of(state);
	bool may_prepare;
	_cleanup_free_ struct elf_placement *places = calloc(count + 1, sizeof(*places));
	int err = places ? 0 : -ENOMEM;

	for (size_t i = 0; err == 0 && i < count; i++)
		err = elf_place(
			&load->image->segments[i], load->bias, state->mm->guest_end, &places[i]);
	for (size_t first = 0; err == 0 && first < count; first = last + 1) {
		for (last = first; last + 1 < count && joins(&places[last], &places[last + 1]);
			last++)
			;
		err = map_joined(state, load, places, first, last);
	}
	for (size_t i = 0; err == 0 && main_program && i < count; i++)
		note_segment(state->mm, &load->image->segments[i], &places[i]);
	/* The linker's code, or that of a program without one: what runs in each process. Not for
	 * a task that is traced: whoever steps through it sees the file's code. */
	may_prepare = !(main_program && state->interpreter) && !state->task->tracer;
	for (size_t i = 0; err == 0 && may_prepare && i < count; i++)
		if (places[i].prot & LX_PROT_EXEC)
			err = mm_prepare_text(&work, places[i].addr);
	return err;
}

/*
 * Where a position-independent file goes: a program with an interpreter to DYN_BASE and at random;
 * a program without one (which may be an interpreter run by hand) and interpreters where mmap would
 * put them.
 */
static int choose_bias(const struct exec_state *state, struct load *load, bool at_dyn_base)
{
	const struct elf_image *image = load->image;
	uint64_t start, size, alignment = LX_PAGE_SIZE;
	int64_t addr;
	int err;

	load->bias = 0;
	if (!image->header.position_independent)
		return 0;
	err = elf_extent(image, &start, &size);
	if (err < 0)
		return image->segment_count ? err : -EINVAL;
	if (image->alignment <= (1ull << 30))
		alignment = max_of(image->alignment, LX_PAGE_SIZE);
	if (at_dyn_base) {
		addr = (int64_t)align_down(
			DYN_BASE(state->mm->guest_end) + random_pages(state, RANDOM_PAGES),
			alignment);
	} else {
		addr = mm_pick(state->mm, 0, size, 0, alignment);
		if (addr < 0)
			return (int)addr;
	}
	load->bias = (uint64_t)addr - start;
	return 0;
}

static int load_program(struct exec_state *state, struct load *program, struct load *interpreter)
{
	int err = choose_bias(state, program, state->interpreter != NULL);

	if (err == 0)
		err = load_segments(state, program, true);
	if (err < 0)
		return err;
	state->entry = program->image->header.entry + program->bias;
	if (!state->interpreter)
		return 0;
	err = choose_bias(state, interpreter, false);
	if (err == 0)
		err = load_segments(state, interpreter, false);
	if (err < 0)
		return err;
	state->entry = interpreter->image->header.entry + interpreter->bias;
	return 0;
}

/* Behind the program, or, for one that lies among the mappings, where programs are: there it has
 * room to grow. */
static void place_brk(const struct exec_state *state)
{
	struct mm *mm = state->mm;
	uint64_t brk = mm->start_brk, end;

	if (state->image.header.position_independent && !state->interpreter)
		brk = DYN_BASE(mm->guest_end);
	brk += random_pages(state, RANDOM_BRK / LX_PAGE_SIZE);
	if (!align_up_checked(brk, LX_PAGE_SIZE, &end))
		end = brk;
	mm->start_brk = mm->brk = end;
}

/* ---- the stack ------------------------------------------------------------------------------- */

static void add_auxv(struct stack_request *request, uint64_t type, uint64_t value)
{
	sentry_assert(request->auxv_count < STACK_MAX_AUXV);
	request->auxv[request->auxv_count][0] = type;
	request->auxv[request->auxv_count][1] = value;
	request->auxv_count++;
}

/* In Linux's order. */
static void fill_auxv(const struct exec_state *state, const struct load *program,
	const struct load *interpreter, struct stack_request *request)
{
	const struct elf_image *image = program->image;
	const struct cred *cred = state->cred;

	if (state->mm->vdso)
		add_auxv(request, AT_SYSINFO_EHDR, state->mm->vdso);
	add_auxv(request, AT_MINSIGSTKSZ, getauxval(AT_MINSIGSTKSZ));
	add_auxv(request, AT_HWCAP, getauxval(AT_HWCAP));
	add_auxv(request, AT_PAGESZ, LX_PAGE_SIZE);
	add_auxv(request, AT_CLKTCK, LX_USER_HZ);
	add_auxv(request, AT_PHDR,
		image->has_table_address ? image->table_address + program->bias : 0);
	add_auxv(request, AT_PHENT, ELF_PHDR_SIZE);
	add_auxv(request, AT_PHNUM, image->header.table_count);
	add_auxv(request, AT_BASE, state->interpreter ? interpreter->bias : 0);
	add_auxv(request, AT_FLAGS, 0);
	add_auxv(request, AT_ENTRY, image->header.entry + program->bias);
	add_auxv(request, AT_UID, user_ns_uid(cred->user_ns, cred->uid));
	add_auxv(request, AT_EUID, user_ns_uid(cred->user_ns, cred->euid));
	add_auxv(request, AT_GID, user_ns_gid(cred->user_ns, cred->gid));
	add_auxv(request, AT_EGID, user_ns_gid(cred->user_ns, cred->egid));
	add_auxv(request, AT_SECURE, state->secure);
	add_auxv(request, AT_RANDOM, 0);
	add_auxv(request, AT_HWCAP2, getauxval(AT_HWCAP2));
	add_auxv(request, AT_EXECFN, 0);
	add_auxv(request, AT_PLATFORM, 0);
	if (rseq_offered() && getauxval(AT_RSEQ_FEATURE_SIZE)) {
		add_auxv(request, AT_RSEQ_FEATURE_SIZE, getauxval(AT_RSEQ_FEATURE_SIZE));
		add_auxv(request, AT_RSEQ_ALIGN, getauxval(AT_RSEQ_ALIGN));
	}
}

static int map_stack(const struct exec_state *state, uint64_t top, uint64_t used)
{
	uint64_t limit = task_rlimit(state->task, LX_RLIMIT_STACK), size, floor;
	struct mm_work work = work_of(state);
	struct vma *vma;
	int err;

	size = align_down(min_of(limit, STACK_MAPPED), LX_PAGE_SIZE);
	if (!align_up_checked(used + STACK_ROOM, LX_PAGE_SIZE, &floor) || floor >= top)
		return -E2BIG;
	size = max_of(size, floor);
	if (mm_overlaps(state->mm, top - size, top))
		return -ENOMEM;
	vma = vma_new(top - size, top, LX_PROT_READ | LX_PROT_WRITE,
		LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC);
	if (!vma)
		return -ENOMEM;
	if (state->image.stack == ELF_STACK_EXEC)
		vma->prot |= LX_PROT_EXEC;
	vma->grows_down = vma->stack = true;
	vma->label = "[stack]";
	err = mm_map_vma(&work, vma);
	if (err < 0)
		vma_free(vma);
	return err;
}

static char *copy_strings(const struct exec_strings *strings, size_t *ret_size)
{
	char *copy = malloc(strings->size ? strings->size : 1);

	if (!copy)
		return NULL;
	if (strings->size)
		memcpy(copy, strings->data, strings->size);
	*ret_size = strings->size;
	return copy;
}

/* What /proc shows of the stack's contents without reading the guest's memory. */
static int keep_stack_facts(struct exec_state *state, const struct stack_image *image)
{
	struct mm *mm = state->mm;

	mm->start_stack = image->sp;
	mm->arg_start = image->arg_start;
	mm->arg_end = image->arg_end;
	mm->env_start = image->env_start;
	mm->env_end = image->env_end;
	mm->auxv_count = min_of(2 * image->auxv_count, array_size(mm->auxv));
	memcpy(mm->auxv, image->auxv, mm->auxv_count * sizeof(mm->auxv[0]));
	mm->cmdline = copy_strings(&state->argv, &mm->cmdline_size);
	mm->environ = copy_strings(state->envp, &mm->environ_size);
	return mm->cmdline && mm->environ ? 0 : -ENOMEM;
}

static int write_stack(struct exec_state *state, const struct stack_image *image, uint64_t top)
{
	ssize_t n;
	int err = map_stack(state, top, image->size);

	if (err < 0)
		return err;
	n = platform->copy_out(state->thread, GADDR(image->sp), image->bytes, image->size);
	if (n < 0)
		return (int)n;
	if ((size_t)n != image->size)
		return -EFAULT;
	state->sp = image->sp;
	return keep_stack_facts(state, image);
}

static int build_stack(struct exec_state *state, const struct load *program,
	const struct load *interpreter, uint64_t top)
{
	_cleanup_free_ struct stack_request *request = calloc(1, sizeof(*request));
	struct stack_image image;
	int err;

	if (!request)
		return -ENOMEM;
	request->top = top;
	request->argv =
		(struct stack_strings){state->argv.data, state->argv.size, state->argv.count};
	request->envp =
		(struct stack_strings){state->envp->data, state->envp->size, state->envp->count};
	request->filename = state->path;
	request->platform = "x86_64";
	random_bytes(request->random, sizeof(request->random));
	if (!(state->task->personality & LX_ADDR_NO_RANDOMIZE))
		request->shift = (unsigned)random_below(8192);
	fill_auxv(state, program, interpreter, request);
	err = stack_build(request, &image);
	if (err < 0)
		return err;
	err = write_stack(state, &image, top);
	free(image.bytes);
	return err;
}

/* ---- the address space ----------------------------------------------------------------------- */

/* The host's vDSO comes with the address space; below guest_end it is a mapping like others. */
static int note_vdso(struct exec_state *state)
{
	struct mm *mm = state->mm;
	gaddr_t addr = GADDR_NULL;
	uint64_t size = 0;
	struct vma *vma;

	platform->vdso(state->thread->as, &addr, &size);
	if (size == 0)
		return 0;
	mm->vdso = addr.v;
	if (addr.v >= mm->guest_end)
		return 0;
	vma = vma_new(addr.v, addr.v + size, LX_PROT_READ | LX_PROT_EXEC,
		LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC);
	if (!vma || mm_reserve(mm, 1) < 0) {
		if (vma)
			vma_free(vma);
		return -ENOMEM;
	}
	vma->label = "[vdso]";
	mm_insert(mm, vma);
	return 0;
}

/* A larger stack limit moves the mappings down (mmap_base() of arch/x86/mm/mmap.c). */
static void keep_stack_gap(const struct exec_state *state, uint64_t top)
{
	uint64_t limit = task_rlimit(state->task, LX_RLIMIT_STACK), gap;
	struct mm *mm = state->mm;

	gap = max_of(min_of(limit, STACK_GAP_MAX), 128ull << 20) + MM_STACK_GUARD_SIZE;
	if (state->task->personality & LX_ADDR_NO_RANDOMIZE)
		mm->mmap_base = align_down(top - gap, LX_PAGE_SIZE);
	else
		mm->mmap_base = min_of(mm->mmap_base, align_down(top - gap, LX_PAGE_SIZE));
}

/* Program, interpreter, break and stack. */
static int fill_space(struct exec_state *state)
{
	struct load program = {.image = &state->image, .file = state->file};
	struct load interpreter = {.image = &state->interpreter_image, .file = state->interpreter};
	uint64_t top = state->mm->guest_end - random_pages(state, RANDOM_STACK);
	int err;

	keep_stack_gap(state, top);
	err = load_program(state, &program, &interpreter);
	if (err < 0)
		return err;
	place_brk(state);
	state->mm->exe = file_ref(state->file);
	return build_stack(state, &program, &interpreter, top);
}

/* All of it together: whatever fails, the new program is lost. */
static int fill_space_batched(struct exec_state *state)
{
	int err, batch_err = 0;

	if (platform->batch_begin)
		platform->batch_begin(state->thread);
	err = fill_space(state);
	if (platform->batch_end)
		batch_err = platform->batch_end(state->thread);
	return err < 0 ? err : batch_err;
}

/* Who rules over a namespace rules over the programs in it, but over those that nobody there may
 * read only if their file's owner has a name there (would_dump()). */
static struct user_ns *owner_of_memory(const struct exec_state *state)
{
	const struct inode *inode = state->file->inode;
	struct user_ns *ns = state->cred->user_ns;

	while (state->unreadable && user_ns_parent(ns) &&
		(user_ns_uid_or_none(ns, inode->uid) == ID_INVALID ||
			user_ns_gid_or_none(ns, inode->gid) == ID_INVALID))
		ns = user_ns_parent(ns);
	return ns;
}

int exec_build(struct exec_state *state, bool *ret_fatal)
{
	struct platform_as *as;
	int err;

	err = mm_new(platform->guest_end().v, &state->mm);
	if (err < 0)
		return err;
	if (state->task->mm)
		mm_inherit_rules(state->mm, state->task->mm);
	user_ns_unref(state->mm->user_ns);
	state->mm->user_ns = user_ns_ref(owner_of_memory(state));
	err = platform->as_create(&as, &state->thread);
	if (err < 0)
		return err;
	err = platform->fpu_reset(state->thread);
	if (err == 0)
		err = note_vdso(state);
	if (err < 0)
		return err;
	*ret_fatal = true;
	return fill_space_batched(state);
}
