/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_BASE_LIST_H
#define SENTRY_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Intrusive doubly linked circular lists. An initialised entry that is on no list points at itself.
 */
struct list_head {
	struct list_head *next, *prev;
};

#define LIST_HEAD_INIT(name)                                                                       \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}

#define container_of(ptr, type, member)                                                            \
	((type *)((char *)(1 ? (ptr) : &((type *)0)->member) - offsetof(type, member)))

static inline void list_init(struct list_head *list)
{
	list->next = list->prev = list;
}

static inline bool list_empty(const struct list_head *list)
{
	return list->next == list;
}

static inline void list_insert_between(
	struct list_head *entry, struct list_head *prev, struct list_head *next)
{
	next->prev = entry;
	entry->next = next;
	entry->prev = prev;
	prev->next = entry;
}

/* At the front. */
static inline void list_add(struct list_head *entry, struct list_head *list)
{
	list_insert_between(entry, list, list->next);
}

static inline void list_add_tail(struct list_head *entry, struct list_head *list)
{
	list_insert_between(entry, list->prev, list);
}

/* Unlinks and re-initialises, so that a second removal is harmless. */
static inline void list_remove(struct list_head *entry)
{
	entry->prev->next = entry->next;
	entry->next->prev = entry->prev;
	list_init(entry);
}

#define list_entry(ptr, type, member)  container_of(ptr, type, member)
#define list_first(list, type, member) list_entry((list)->next, type, member)
#define list_last(list, type, member)  list_entry((list)->prev, type, member)

#define list_for_each_entry(pos, list, member)                                                     \
	for (pos = list_first(list, __typeof__(*pos), member); &pos->member != (list);             \
		pos = list_entry(pos->member.next, __typeof__(*pos), member))

/* The body may remove @pos. */
#define list_for_each_entry_safe(pos, tmp, list, member)                                           \
	for (pos = list_first(list, __typeof__(*pos), member),                                     \
	    tmp = list_entry(pos->member.next, __typeof__(*pos), member);                          \
		&pos->member != (list);                                                            \
		pos = tmp, tmp = list_entry(tmp->member.next, __typeof__(*tmp), member))

#endif
