/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Call sites that jump to a trampoline instead of trapping.
 *
 * The stub says which sites are hot and sends the code around them; site.c judges the bytes; the
 * kernel has checked what kind of mapping they lie in. Here are the tables of an address space (its
 * sites and its areas of trampolines) and the exchange that writes a patch: the trampoline first,
 * the hole if the site needs one, the site last. Everything is written by the stub, in the guest's
 * own memory, and can be false if the guest wants it so; the tables are used for nothing but to
 * know which bytes to give back.
 *
 * The kernel's lock on the mappings covers each change, so tables and memory agree for an honest
 * guest, and a fork copies both at a moment when nothing is half done.
 *
 * Other threads run while a site is written. When its changed bytes lie in one aligned word, they
 * are replaced at once. Otherwise in three steps, as a kernel patches itself: the first byte
 * becomes int3, then the others change, then the first one; between the steps mprotect makes every
 * CPU that runs this address space take an interrupt, which serialises it. A thread that meets the
 * int3 reports a trap that systrap_patch_event() knows: it tries again. So nobody waits for a
 * guest's threads.
 *
 * Giving bytes back: a thread may stand on the jump in a hole, where padding is about to be, for as
 * long as nobody runs it. So between the site's bytes and the hole's each other thread is
 * interrupted: it reports before it executes anything, and is sent back to the site.
 */
#include "platform/systrap/systrap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "abi/mman.h"
#include "abi/signal.h"
#include "base/checked.h"
#include "base/log.h"
#include "platform/systrap/insn.h"
#include "platform/systrap/site.h"

#define SITES_MAX	4096u
#define AREAS_MAX	16u
#define POKES_MAX	8u
#define STALE_NS	1000000000ull
#define RECENT_TICKS	2u /* how long a thread may need to meet what stood there before */
#define INT3		0xccu
#define TRAP_BREAKPOINT 3u

#define PAGE_SIZE ((uint64_t)TRAMPOLINE_PAGE_SIZE)

_Static_assert(STUB_SITE_BEFORE == SITE_BEFORE && STUB_SITE_BEHIND == SITE_BEHIND, "what travels");

enum site_state {
	SITE_CHANGING, /* an exchange is under way */
	SITE_PATCHED,
	SITE_RESTORED, /* its bytes are the guest's again; the trampoline is kept for the next time
			*/
};

struct patch_site {
	struct site_form form;
	enum site_state state;
	bool mapped;		      /* RESTORED: the code is still there */
	uint64_t changed_tick;	      /* of the last change */
	uint64_t patched_at;	      /* loop time, ns */
	uint8_t bytes[INSN_SIZE_MAX]; /* the instruction */
	uint8_t hole_bytes[SITE_JUMP_SIZE];
	uint8_t area;
	uint16_t slot;
};

struct patch_area {
	uint64_t addr, size; /* size 0: free entry */
	unsigned used;	     /* slots: they are never given back, somebody may still be in one */
};

struct systrap_patches {
	struct patch_site *sites; /* sorted by address */
	unsigned count, capacity;
	struct patch_area areas[AREAS_MAX];
	/* Of the attempt that wanted an area: making it forgets what travelled. */
	struct site_window window;
	uint64_t window_next;
};

/* ---- tables ---- */

void systrap_patches_free(struct systrap_patches *patches)
{
	if (!patches)
		return;
	free(patches->sites);
	free(patches);
}

int systrap_patches_copy(
	const struct systrap_patches *patches, struct systrap_patches **ret_patches)
{
	struct systrap_patches *copy = NULL;

	if (patches) {
		copy = malloc(sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		*copy = *patches;
		copy->capacity = copy->count;
		copy->sites = malloc(max_of(copy->count, 1u) * sizeof(copy->sites[0]));
		if (!copy->sites) {
			free(copy);
			return -ENOMEM;
		}
		if (copy->count)
			memcpy(copy->sites, patches->sites, copy->count * sizeof(copy->sites[0]));
	}
	*ret_patches = copy;
	return 0;
}

/* Of the first site at or above @addr. */
static unsigned site_index(const struct systrap_patches *patches, uint64_t addr)
{
	unsigned low = 0, high = patches->count;

	while (low < high) {
		unsigned middle = low + (high - low) / 2;

		if (patches->sites[middle].form.site >= addr)
			high = middle;
		else
			low = middle + 1;
	}
	return low;
}

static struct patch_site *site_at(struct systrap_patches *patches, uint64_t addr)
{
	unsigned i = site_index(patches, addr);

	return i < patches->count && patches->sites[i].form.site == addr ? &patches->sites[i]
									 : NULL;
}

/* Room for one more at @addr; its contents are the caller's. NULL: too many, or out of memory. */
static struct patch_site *site_insert(struct systrap_patches *patches, uint64_t addr)
{
	unsigned i = site_index(patches, addr);

	if (patches->count >= SITES_MAX)
		return NULL;
	if (patches->count == patches->capacity) {
		unsigned capacity = max_of(patches->capacity * 2, 32u);
		struct patch_site *sites = reallocarray(patches->sites, capacity, sizeof(sites[0]));

		if (!sites)
			return NULL;
		patches->sites = sites;
		patches->capacity = capacity;
	}
	memmove(&patches->sites[i + 1], &patches->sites[i],
		(patches->count - i) * sizeof(patches->sites[0]));
	patches->count++;
	return &patches->sites[i];
}

static uint64_t slot_address(const struct patch_area *area, unsigned slot)
{
	return area->addr + slot / TRAMPOLINE_PAGE_SLOTS * PAGE_SIZE +
	       offsetof(struct trampoline_page, slots) +
	       slot % TRAMPOLINE_PAGE_SLOTS * sizeof(struct trampoline_slot);
}

static unsigned area_slots(const struct patch_area *area)
{
	return (unsigned)(area->size / PAGE_SIZE) * TRAMPOLINE_PAGE_SLOTS;
}

/* ---- bytes ---- */

static bool in_reach(uint64_t from, uint64_t to)
{
	int64_t distance = (int64_t)(to - from);

	return distance > INT32_MIN + 256 && distance < INT32_MAX - 256;
}

static void put_relative(uint8_t *bytes, uint64_t next, uint64_t target)
{
	uint32_t distance = (uint32_t)(target - next);

	memcpy(bytes, &distance, sizeof(distance));
}

/* What stands at the site, or in its hole, once it is patched. */
static void jump_bytes(uint8_t bytes[SITE_JUMP_SIZE], uint64_t from, uint64_t target)
{
	bytes[0] = 0xe9;
	put_relative(bytes + 1, from + SITE_JUMP_SIZE, target);
}

static unsigned site_jump(const struct systrap_patches *patches, const struct patch_site *site,
	uint8_t bytes[SITE_JUMP_SIZE])
{
	if (site->form.hole) {
		bytes[0] = 0xeb;
		bytes[1] = (uint8_t)(site->form.hole - (site->form.site + SITE_SHORT_SIZE));
		return SITE_SHORT_SIZE;
	}
	jump_bytes(bytes, site->form.site, slot_address(&patches->areas[site->area], site->slot));
	return SITE_JUMP_SIZE;
}

static void hole_jump(const struct systrap_patches *patches, const struct patch_site *site,
	uint8_t bytes[SITE_JUMP_SIZE])
{
	jump_bytes(bytes, site->form.hole, slot_address(&patches->areas[site->area], site->slot));
}

/* The instruction; lea next(%rip), %rcx; jmp *entry(%rip). */
static void build_slot(const struct systrap_patches *patches, const struct patch_site *site,
	struct trampoline_slot *slot)
{
	const struct site_form *form = &site->form;
	uint64_t addr = slot_address(&patches->areas[site->area], site->slot);
	uint64_t entry = (addr & ~(PAGE_SIZE - 1)) + offsetof(struct trampoline_page, entry);
	uint8_t *code = slot->code;

	memset(slot, 0, sizeof(*slot));
	memset(code, INT3, sizeof(slot->code));
	memcpy(code, site->bytes, form->size);
	code += form->size;
	addr += form->size;
	memcpy(code, "\x48\x8d\x0d", 3);
	put_relative(code + 3, addr + 7, form->site + form->size + 2);
	memcpy(code + 7, "\xff\x25", 2);
	put_relative(code + 9, addr + 13, entry);
	slot->site = form->site;
	slot->hole = form->hole;
	slot->size = form->size;
	slot->code_size = form->size;
}

/* ---- one exchange ---- */

struct poke {
	uint64_t word, mask, expected, value;
	bool sync; /* every other CPU must have seen it before the next one */
};

struct poke_list {
	struct poke pokes[POKES_MAX];
	unsigned count;
	uint64_t first, last; /* bytes touched: what must be writable meanwhile */
};

static void poke_bytes(
	struct poke_list *list, uint64_t addr, const uint8_t *old, const uint8_t *new, size_t size)
{
	list->first = min_of(list->first, addr);
	list->last = max_of(list->last, addr + size - 1);
	while (size > 0) {
		size_t skip = addr % 8, part = min_of(size, 8 - skip);
		struct poke *poke = &list->pokes[list->count++];
		uint8_t mask[8] = {0}, expected[8] = {0}, value[8] = {0};

		sentry_assert(list->count <= POKES_MAX);
		memset(mask + skip, 0xff, part);
		memcpy(expected + skip, old, part);
		memcpy(value + skip, new, part);
		poke->word = addr - skip;
		memcpy(&poke->mask, mask, 8);
		memcpy(&poke->expected, expected, 8);
		memcpy(&poke->value, value, 8);
		poke->sync = false;
		addr += part;
		old += part;
		new += part;
		size -= part;
	}
}

/* A change of one instruction, under the feet of other threads unless @alone. */
static void poke_insn(struct poke_list *list, uint64_t addr, const uint8_t *old, const uint8_t *new,
	size_t size, bool alone)
{
	const uint8_t trap = INT3;

	if (alone || addr / 8 == (addr + size - 1) / 8) {
		poke_bytes(list, addr, old, new, size);
		return;
	}
	poke_bytes(list, addr, old, &trap, 1);
	list->pokes[list->count - 1].sync = true;
	poke_bytes(list, addr + 1, old + 1, new + 1, size - 1);
	list->pokes[list->count - 1].sync = true;
	poke_bytes(list, addr, &trap, new, 1);
}

static void add_protect(struct systrap_thread *thread, uint64_t first, uint64_t last, int prot)
{
	struct channel_command *command = systrap_command_add(thread, COMMAND_HOST);
	uint64_t start = first & ~(PAGE_SIZE - 1);

	command->nr = SYS_mprotect;
	memcpy(command->args,
		(const uint64_t[6]){
			start, (last & ~(PAGE_SIZE - 1)) + PAGE_SIZE - start, (uint64_t)prot},
		sizeof(command->args));
}

#define PROT_CODE   (LX_PROT_READ | LX_PROT_EXEC)
#define PROT_OPENED (LX_PROT_READ | LX_PROT_WRITE | LX_PROT_EXEC)

/* Runs what is pending and the pokes. 0, -ESRCH, or the error of the first poke that failed. */
static int run_pokes(struct systrap_thread *thread, const struct poke_list *list)
{
	unsigned index[POKES_MAX];
	int err;

	add_protect(thread, list->first, list->last, PROT_OPENED);
	for (unsigned i = 0; i < list->count; i++) {
		const struct poke *poke = &list->pokes[i];
		struct channel_command *command;

		index[i] = thread->pending_commands;
		command = systrap_command_add(thread, COMMAND_POKE);
		command->args[0] = poke->word;
		command->args[1] = poke->mask;
		command->args[2] = poke->expected;
		command->args[3] = poke->value;
		if (poke->sync) {
			add_protect(thread, list->first, list->last, PROT_CODE);
			add_protect(thread, list->first, list->last, PROT_OPENED);
		}
	}
	add_protect(thread, list->first, list->last, PROT_CODE);
	err = systrap_commands_run(thread, 0);
	for (unsigned i = 0; i < list->count && err == 0; i++)
		err = systrap_result(thread, index[i]) == 0 ? 0 : -EAGAIN;
	return err;
}

static struct poke_list poke_list_empty(void)
{
	return (struct poke_list){.first = UINT64_MAX};
}

static bool is_alone(const struct systrap_as *as)
{
	return as->live_threads == 1;
}

/* ---- patching ---- */

/* The code that travelled with the call, or what of it may be looked at: [ret->addr, + size). */
static bool take_window(struct systrap_thread *thread, uint64_t next,
	const struct platform_patch *patch, struct site_window *ret)
{
	struct systrap_snapshot *snapshot = &thread->snapshot;
	uint64_t first = max_of(next - SITE_BEFORE, patch->text.v);
	uint64_t end = min_of(next + SITE_BEHIND, patch->text.v + patch->text_size);

	for (uint32_t i = 0; i < snapshot->prefetch_count; i++) {
		const struct channel_prefetch *entry = &snapshot->request.prefetch[i];
		uint64_t from = max_of(first, entry->addr);
		uint64_t to = min_of(end, entry->addr + entry->size);

		/* The call's own buffers may lie in code, too. */
		if (entry->addr + entry->size < entry->addr || from + 2 > next || to < next ||
			to - from > SITE_WINDOW_SIZE)
			continue;
		if (entry->addr != next - SITE_BEFORE &&
			entry->addr != ((next - 2) & ~(PAGE_SIZE - 1)))
			continue;
		ret->addr = from;
		ret->size = (size_t)(to - from);
		memcpy(ret->bytes, systrap_prefetched(snapshot, entry) + (from - entry->addr),
			ret->size);
		memset(ret->taken, 0, sizeof(ret->taken));
		return true;
	}
	return false;
}

/* Puts @old where the window shows @new at @addr, as far as it lies in the window. False: it
 * does not. */
static bool undo_bytes(struct site_window *window, uint64_t addr, const uint8_t *new,
	const uint8_t *old, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (addr + i >= window->addr && addr + i - window->addr < window->size &&
			window->bytes[addr + i - window->addr] != new[i])
			return false;
	}
	for (size_t i = 0; i < size; i++) {
		if (addr + i < window->addr || addr + i - window->addr >= window->size)
			continue;
		window->bytes[addr + i - window->addr] = old[i];
		window->taken[addr + i - window->addr] = true;
	}
	return true;
}

/* Shows the window as it would be without us. */
static void undo_window(const struct systrap_patches *patches, struct site_window *window)
{
	uint64_t from = window->addr - INT8_MAX - 16,
		 to = window->addr + window->size + INT8_MAX + 16;

	for (unsigned i = site_index(patches, from); i < patches->count; i++) {
		const struct patch_site *site = &patches->sites[i];
		uint8_t jump[SITE_JUMP_SIZE];
		unsigned size;

		if (site->form.site >= to)
			break;
		if (site->state == SITE_RESTORED)
			continue;
		size = site_jump(patches, site, jump);
		(void)undo_bytes(window, site->form.site, jump, site->bytes, size);
		if (!site->form.hole)
			continue;
		hole_jump(patches, site, jump);
		(void)undo_bytes(window, site->form.hole, jump, site->hole_bytes, SITE_JUMP_SIZE);
	}
}

/* A slot that everything about the mapping can reach. -ENOSPC. */
static int take_slot(struct systrap_patches *patches, const struct platform_patch *patch,
	uint8_t *ret_area, uint16_t *ret_slot)
{
	uint64_t text_end = patch->text.v + patch->text_size;
	unsigned empty = AREAS_MAX;

	for (unsigned i = 0; i < AREAS_MAX; i++) {
		struct patch_area *area = &patches->areas[i];

		if (area->size == 0 && empty == AREAS_MAX)
			empty = i;
		if (area->size == 0 || area->used == area_slots(area) ||
			!in_reach(patch->text.v, area->addr + area->size) ||
			!in_reach(text_end, area->addr))
			continue;
		*ret_area = (uint8_t)i;
		*ret_slot = (uint16_t)area->used++;
		return 0;
	}
	if (empty == AREAS_MAX)
		return -ENOMEM;
	if (patch->area_size == 0)
		return -ENOSPC;
	if (!in_reach(patch->text.v, patch->area.v + patch->area_size) ||
		!in_reach(text_end, patch->area.v) || patch->area_size < PAGE_SIZE)
		return -EINVAL;
	patches->areas[empty] =
		(struct patch_area){.addr = patch->area.v, .size = patch->area_size, .used = 1};
	*ret_area = (uint8_t)empty;
	*ret_slot = 0;
	return 0;
}

/* The trampoline, with the page's header when it is the first there. */
static void add_trampoline(struct systrap_thread *thread, const struct patch_site *site)
{
	const struct systrap_patches *patches = thread->as->patches;
	struct {
		uint8_t header[offsetof(struct trampoline_page, slots)];
		struct trampoline_slot slot;
	} image;
	const uint64_t magic[3] = {TRAMPOLINE_MAGIC0, TRAMPOLINE_MAGIC1, STUB_FAST_ENTRY};
	uint64_t addr = slot_address(&patches->areas[site->area], site->slot);
	bool first = site->slot % TRAMPOLINE_PAGE_SLOTS == 0;
	size_t size = first ? sizeof(image) : sizeof(image.slot);
	struct channel_command *command;
	uint32_t offset;

	memset(image.header, 0, sizeof(image.header));
	memcpy(image.header, magic, sizeof(magic));
	build_slot(patches, site, &image.slot);
	add_protect(thread, addr, addr, PROT_OPENED);
	offset = systrap_data_take(thread, size);
	memcpy(thread->slot->data + offset, first ? (void *)&image : (void *)&image.slot, size);
	command = systrap_command_add(thread, COMMAND_COPY_OUT);
	command->args[0] = first ? addr - sizeof(image.header) : addr;
	command->args[1] = size;
	command->args[2] = offset;
	add_protect(thread, addr, addr, PROT_CODE);
}

/*
 * A first step of three that was made, and not the others: the int3 must not stay. It can only come
 * to that when the guest pulls its code away under us.
 */
static void undo_trap(struct systrap_thread *thread, const struct patch_site *site)
{
	struct poke_list list = poke_list_empty();
	const uint8_t trap = INT3;

	poke_bytes(&list, site->form.site, &trap, site->bytes, 1);
	(void)run_pokes(thread, &list);
}

static int write_patch(struct systrap_thread *thread, struct patch_site site)
{
	const struct systrap_patches *patches = thread->as->patches;
	struct poke_list list = poke_list_empty();
	uint8_t jump[SITE_JUMP_SIZE];
	bool alone = is_alone(thread->as);
	unsigned size;
	int err;

	err = systrap_flush(thread);
	if (err < 0)
		return err;
	add_trampoline(thread, &site);
	if (site.form.hole) {
		hole_jump(patches, &site, jump);
		poke_bytes(&list, site.form.hole, site.hole_bytes, jump, SITE_JUMP_SIZE);
	}
	size = site_jump(patches, &site, jump);
	poke_insn(&list, site.form.site, site.bytes, jump, size, alone);
	err = run_pokes(thread, &list);
	if (err == -EAGAIN && !alone)
		undo_trap(thread, &site);
	return err;
}

static struct patch_site *prepare_site(struct systrap_patches *patches,
	const struct platform_patch *patch, const struct site_window *window,
	const struct site_form *form, int *ret_error)
{
	struct patch_site *site = site_at(patches, form->site);
	struct patch_site fresh = {.form = *form, .state = SITE_RESTORED};
	int err;

	memcpy(fresh.bytes, window->bytes + (form->site - window->addr), form->size);
	if (form->hole)
		memcpy(fresh.hole_bytes, window->bytes + (form->hole - window->addr),
			SITE_JUMP_SIZE);
	/* As it was before: its trampoline is still there. */
	if (site && site->form.size == form->size && site->form.hole == form->hole &&
		memcmp(site->bytes, fresh.bytes, form->size) == 0 &&
		patches->areas[site->area].size > 0) {
		memcpy(site->hole_bytes, fresh.hole_bytes, sizeof(site->hole_bytes));
		return site;
	}
	err = take_slot(patches, patch, &fresh.area, &fresh.slot);
	if (err == 0 && !site) {
		site = site_insert(patches, form->site);
		err = site ? 0 : -ENOMEM;
	}
	*ret_error = err;
	if (err < 0)
		return NULL;
	*site = fresh;
	return site;
}

int systrap_patch(struct platform_thread *head, const struct platform_patch *patch)
{
	struct systrap_thread *thread = systrap_thread(head);
	struct systrap_patches *patches = thread->as->patches;
	uint64_t next = platform_regs(head)->rip;
	struct site_window window;
	struct patch_site *site;
	enum site_verdict verdict;
	enum site_state before;
	struct site_form form;
	int err = 0;

	if (thread->state == SYSTRAP_DEAD)
		return -ESRCH;
	if (!patches) {
		patches = thread->as->patches = calloc(1, sizeof(*patches));
		if (!patches)
			return -ENOMEM;
	}
	if (patch->area_size > 0 && patches->window_next == next) {
		window = patches->window;
	} else if (take_window(thread, next, patch, &window)) {
		undo_window(patches, &window);
		systrap.sites.seen++;
	} else {
		systrap.sites.unread++;
		return -EFAULT;
	}
	patches->window_next = 0;
	verdict = site_judge(&window, next, head->regs.orig_rax, &form);
	if (patch->area_size == 0)
		systrap.sites.verdicts[verdict]++;
	if (verdict != SITE_OK)
		return verdict == SITE_PATCHED_BEFORE ? 0 : -EINVAL;
	/* Another thread's request may be as old as the time before the patch. Later than that, the
	 * code has changed behind our back, and the patch is made again. */
	site = site_at(patches, form.site);
	if (site && site->state == SITE_PATCHED &&
		loop_monotonic_now() - site->patched_at < STALE_NS)
		return 0;
	site = prepare_site(patches, patch, &window, &form, &err);
	if (err == -ENOSPC) {
		patches->window = window;
		patches->window_next = next;
	}
	if (!site)
		return err;
	before = site->state;
	site->state = SITE_CHANGING;
	site->mapped = true;
	site->changed_tick = systrap.tick;
	err = write_patch(thread, *site);
	/* The table may have moved, and our site have been forgotten, only under the kernel's lock.
	 */
	site = site_at(patches, form.site);
	sentry_assert(site);
	site->changed_tick = systrap.tick;
	site->state = err == 0 ? SITE_PATCHED : before;
	site->patched_at = loop_monotonic_now();
	if (err == 0)
		systrap.sites.patched++;
	else
		systrap.sites.failed++;
	return err;
}

/* ---- giving bytes back ---- */

static void interrupt_others(const struct systrap_thread *self)
{
	struct systrap_thread *thread;

	list_for_each_entry (thread, &self->as->threads, as_link) {
		if (thread != self && thread->state == SYSTRAP_IN_GUEST)
			systrap_interrupt(&thread->head);
	}
}

/* Bytes that are not ours any more were changed by the guest, behind our back: they stay. */
static int restore_site(struct systrap_thread *thread, struct patch_site *entry)
{
	struct systrap_patches *patches = thread->as->patches;
	struct poke_list list = poke_list_empty();
	struct patch_site site = *entry;
	bool alone = is_alone(thread->as);
	uint8_t jump[SITE_JUMP_SIZE];
	unsigned size;
	int err;

	entry->state = SITE_CHANGING;
	entry->changed_tick = systrap.tick;
	systrap.sites.restored++;
	err = systrap_flush(thread);
	if (err < 0)
		return err;
	size = site_jump(patches, &site, jump);
	poke_insn(&list, site.form.site, jump, site.bytes, size, alone);
	err = run_pokes(thread, &list);
	entry = site_at(patches, site.form.site);
	sentry_assert(entry);
	entry->state = SITE_RESTORED;
	entry->changed_tick = systrap.tick;
	if (err == 0 && site.form.hole) {
		if (!alone)
			interrupt_others(thread);
		list = poke_list_empty();
		hole_jump(patches, &site, jump);
		poke_bytes(&list, site.form.hole, jump, site.hole_bytes, SITE_JUMP_SIZE);
		err = run_pokes(thread, &list);
	}
	return err == -ESRCH ? err : 0;
}

static bool overlaps(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a < b + b_size && b < a + a_size;
}

static bool covers(uint64_t a, uint64_t a_size, uint64_t b, uint64_t b_size)
{
	return a <= b && b + b_size <= a + a_size;
}

static int leave_site(struct systrap_thread *thread, struct patch_site *site, uint64_t addr,
	uint64_t size, bool gone)
{
	const struct site_form *form = &site->form;
	const struct patch_area *area = &thread->as->patches->areas[site->area];
	bool touched = overlaps(addr, size, form->site, form->size) ||
		       (form->hole && overlaps(addr, size, form->hole, SITE_JUMP_SIZE));

	if (gone && covers(addr, size, form->site, form->size) &&
		(!form->hole || covers(addr, size, form->hole, SITE_JUMP_SIZE))) {
		site->state = SITE_RESTORED;
		site->mapped = false;
		return 0;
	}
	if (!touched && !overlaps(addr, size, area->addr, area->size))
		return 0;
	return site->state == SITE_PATCHED ? restore_site(thread, site) : 0;
}

int systrap_patch_leave(struct systrap_thread *thread, uint64_t addr, uint64_t size, bool gone)
{
	struct systrap_patches *patches = thread->as->patches;

	if (!patches || patches->count == 0)
		return 0;
	for (unsigned i = 0; i < patches->count; i++) {
		int err = leave_site(thread, &patches->sites[i], addr, size, gone);

		if (err < 0)
			return err;
	}
	for (unsigned i = 0; i < AREAS_MAX; i++) {
		struct patch_area *area = &patches->areas[i];

		if (area->size && overlaps(addr, size, area->addr, area->size))
			area->size = 0;
	}
	return 0;
}

bool systrap_patch_in_area(const struct systrap_as *as, uint64_t addr, uint64_t size)
{
	for (unsigned i = 0; as->patches && i < AREAS_MAX; i++) {
		const struct patch_area *area = &as->patches->areas[i];

		if (area->size && overlaps(addr, size, area->addr, area->size))
			return true;
	}
	return false;
}

/* ---- events in code that changes ---- */

static bool is_recent(const struct patch_site *site)
{
	return site->state == SITE_CHANGING ||
	       (site->mapped && systrap.tick - site->changed_tick <= RECENT_TICKS);
}

bool systrap_patch_event(struct systrap_thread *thread, const struct platform_event *event)
{
	struct systrap_patches *patches = thread->as->patches;
	struct guest_regs *regs = &thread->head.regs;
	struct patch_site *site;

	if (!patches || (event->kind != PLATFORM_FAULT && event->kind != PLATFORM_INTERRUPTED))
		return false;
	/* The int3 of a change in three steps. */
	site = site_at(patches, regs->rip - 1);
	if (site && event->kind == PLATFORM_FAULT && event->fault.signo == LX_SIGTRAP &&
		event->fault.trapno == TRAP_BREAKPOINT && is_recent(site)) {
		regs->rip = site->form.site;
		thread->head.regs_dirty = true;
		return true;
	}
	/* A jump in a hole that is padding again. */
	for (unsigned i = 0; i < patches->count; i++) {
		site = &patches->sites[i];
		if (site->form.hole != regs->rip || regs->rip == 0 || site->state == SITE_PATCHED ||
			!is_recent(site))
			continue;
		regs->rip = site->form.site;
		thread->head.regs_dirty = true;
		break;
	}
	return false;
}
