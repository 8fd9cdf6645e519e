/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SENTRY_SENTRY_EXEC_PRIVATE_H
#define SENTRY_SENTRY_EXEC_PRIVATE_H

#include "loader/loader.h"
#include "sentry/exec.h"
#include "sentry/mm.h"

/* One execve under way: what has been decided and built. All owned unless it says otherwise;
 * exec_state_free() undoes it. */
struct exec_state {
	struct task *task;		 /* borrowed */
	const char *path;		 /* as the program sees it (AT_EXECFN); borrowed */
	int flags;			 /* EXEC_* */
	struct exec_strings argv;	 /* with what scripts put in front */
	const struct exec_strings *envp; /* borrowed */

	struct file *file;	  /* the ELF file in the end */
	struct file *interpreter; /* PT_INTERP, or NULL */
	struct elf_image image, interpreter_image;
	bool unreadable; /* a file that may be executed but not read: not dumpable */

	struct cred *cred; /* of the new program */
	bool secure;	   /* AT_SECURE */

	struct mm *mm;			/* the new address space ... */
	struct platform_thread *thread; /* ... and its first thread, stopped */
	uint64_t entry, sp;
};

/* The files, read and judged: everything that Linux checks before the point of no return. May
 * sleep. */
int exec_read_program(struct exec_state *state);
/* Credentials after set-id bits and capabilities (cap_bprm_creds_from_file()). */
int exec_make_cred(struct exec_state *state);
/* A new address space with the program, its interpreter and its stack in it. *ret_fatal: Linux
 * would have passed the point of no return, so the caller dies of it. May sleep. */
int exec_build(struct exec_state *state, bool *ret_fatal);

#endif
