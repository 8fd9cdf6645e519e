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
#include "platform/systrap/patch.h"

#define POKES_MAX	8u
#define STALE_NS	1000000000ull
#define RECENT_TICKS	2u   /* how long a thread may need to meet what stood there before */
#define HOLE_NEAR	160u /* a hole is no farther from its site */
#define TRAP_BREAKPOINT 3u

#define PAGE_SIZE ((uint64_t)TRAMPOLINE_PAGE_SIZE)

_Static_assert(STUB_SITE_BEFORE == SITE_BEFORE && STUB_SITE_BEHIND == SITE_BEHIND, "what travels");

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
	const uint8_t trap = PATCH_INT3;

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

	for (unsigned i = patch_site_index(patches, from); i < patches->count; i++) {
		const struct patch_site *site = &patches->sites[i];
		uint8_t jump[SITE_JUMP_SIZE];
		unsigned size;

		if (site->form.site >= to)
			break;
		if (site->state == SITE_RESTORED)
			continue;
		size = patch_site_jump(patches, site, jump);
		(void)undo_bytes(window, site->form.site, jump, site->bytes, size);
		if (!site->form.hole)
			continue;
		patch_hole_jump(patches, site, jump);
		(void)undo_bytes(window, site->form.hole, jump, site->hole_bytes, SITE_JUMP_SIZE);
	}
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
	uint64_t addr = patch_slot_address(&patches->areas[site->area], site->slot);
	bool first = site->slot % TRAMPOLINE_PAGE_SLOTS == 0;
	size_t size = first ? sizeof(image) : sizeof(image.slot);
	struct channel_command *command;
	uint32_t offset;

	memset(image.header, 0, sizeof(image.header));
	memcpy(image.header, magic, sizeof(magic));
	patch_build_slot(patches, site, &image.slot);
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
	const uint8_t trap = PATCH_INT3;

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
		patch_hole_jump(patches, &site, jump);
		poke_bytes(&list, site.form.hole, site.hole_bytes, jump, SITE_JUMP_SIZE);
	}
	size = patch_site_jump(patches, &site, jump);
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
	struct patch_site *site = patch_site_at(patches, form->site);
	struct patch_site fresh = {.form = *form, .state = SITE_RESTORED};
	int err;

	memcpy(fresh.bytes, window->bytes + (form->site - window->addr), form->size);
	if (form->hole)
		memcpy(fresh.hole_bytes, window->bytes + (form->hole - window->addr),
			SITE_JUMP_SIZE);
	/* As it was before: its trampoline is still there. */
	if (site && site->form.size == form->size && site->form.hole == form->hole &&
		memcmp(site->bytes, fresh.bytes, form->size) == 0 &&
		patches->areas[site->area].size > 0 &&
		patches->areas[site->area].id == site->area_id) {
		memcpy(site->hole_bytes, fresh.hole_bytes, sizeof(site->hole_bytes));
		return site;
	}
	err = patch_take_slot(patches, patch, &fresh.area, &fresh.slot);
	if (err == 0 && !site) {
		site = patch_site_insert(patches, form->site);
		err = site ? 0 : -ENOMEM;
	}
	*ret_error = err;
	if (err < 0)
		return NULL;
	fresh.area_id = patches->areas[fresh.area].id;
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
	site = patch_site_at(patches, form.site);
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
	site->changed_tick = patches->changed_tick = systrap.tick;
	err = write_patch(thread, *site);
	/* The table may have moved, and our site have been forgotten, only under the kernel's lock.
	 */
	site = patch_site_at(patches, form.site);
	sentry_assert(site);
	site->changed_tick = patches->changed_tick = systrap.tick;
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
	entry->changed_tick = patches->changed_tick = systrap.tick;
	systrap.sites.restored++;
	err = systrap_flush(thread);
	if (err < 0)
		return err;
	size = patch_site_jump(patches, &site, jump);
	poke_insn(&list, site.form.site, jump, site.bytes, size, alone);
	err = run_pokes(thread, &list);
	entry = patch_site_at(patches, site.form.site);
	sentry_assert(entry);
	entry->state = SITE_RESTORED;
	entry->changed_tick = patches->changed_tick = systrap.tick;
	if (err == 0 && site.form.hole) {
		if (!alone)
			interrupt_others(thread);
		list = poke_list_empty();
		patch_hole_jump(patches, &site, jump);
		poke_bytes(&list, site.form.hole, jump, site.hole_bytes, SITE_JUMP_SIZE);
		err = run_pokes(thread, &list);
	}
	return err == -ESRCH ? err : 0;
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
	bool touched = patch_overlaps(addr, size, form->site, form->size) ||
		       (form->hole && patch_overlaps(addr, size, form->hole, SITE_JUMP_SIZE));

	if (gone && covers(addr, size, form->site, form->size) &&
		(!form->hole || covers(addr, size, form->hole, SITE_JUMP_SIZE))) {
		site->state = SITE_RESTORED;
		site->mapped = false;
		return 0;
	}
	if (!touched && !patch_overlaps(addr, size, area->addr, area->size))
		return 0;
	return site->state == SITE_PATCHED ? restore_site(thread, site) : 0;
}

/* Of the sites from @first up to @end, those that are touched. They stay where they are in the
 * table. */
static int leave_sites(struct systrap_thread *thread, unsigned first, uint64_t end, uint64_t addr,
	uint64_t size, bool gone)
{
	struct systrap_patches *patches = thread->as->patches;
	int err = 0;

	for (unsigned i = first;
		i < patches->count && patches->sites[i].form.site < end && err == 0; i++)
		err = leave_site(thread, &patches->sites[i], addr, size, gone);
	return err;
}

int systrap_patch_leave(struct systrap_thread *thread, uint64_t addr, uint64_t size, bool gone)
{
	struct systrap_patches *patches = thread->as->patches;
	int err = systrap_text_leave(thread, addr, size, gone);

	if (err < 0 || !patches || patches->count == 0)
		return err;
	if (systrap_patch_in_area(thread->as, addr, size)) {
		err = leave_sites(thread, 0, UINT64_MAX, addr, size, gone);
		if (err < 0)
			return err;
		for (unsigned i = 0; i < PATCH_AREAS_MAX; i++) {
			struct patch_area *area = &patches->areas[i];

			if (area->size && patch_overlaps(addr, size, area->addr, area->size))
				area->size = 0;
		}
		return 0;
	}
	/* A site's hole may lie within, and the site a little before or behind. */
	return leave_sites(thread,
		patch_site_index(patches, addr - min_of(addr, (uint64_t)HOLE_NEAR)),
		addr + size + HOLE_NEAR, addr, size, gone);
}

int systrap_unpatch(struct platform_thread *head)
{
	struct systrap_thread *thread = systrap_thread(head);
	struct systrap_patches *patches = thread->as->patches;
	int err = systrap_text_leave(thread, 0, STUB_BASE, false);

	/* They stay where they are in the table: the kernel's lock keeps others away. */
	for (unsigned i = 0; patches && i < patches->count && err == 0; i++) {
		if (patches->sites[i].state != SITE_PATCHED)
			continue;
		err = restore_site(thread, &patches->sites[i]);
		/* With nobody else there an int3 at the site is from now on none of ours. */
		if (is_alone(thread->as))
			patches->sites[i].mapped = false;
	}
	return err;
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

	if (!patches || systrap.tick - patches->changed_tick > RECENT_TICKS ||
		(event->kind != PLATFORM_FAULT && event->kind != PLATFORM_INTERRUPTED))
		return false;
	/* The int3 of a change in three steps. */
	site = patch_site_at(patches, regs->rip - 1);
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
