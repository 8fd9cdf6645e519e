/* SPDX-License-Identifier: Apache-2.0 */
/*
 * execve reads: which program it is after all scripts, whether it is one, and what its interpreter
 * is. In the order of search_binary_handler(), load_script() and the first half of
 * load_elf_binary().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/limits.h"
#include "base/cleanup.h"
#include "sentry/exec_private.h"
#include "sentry/task.h"

/* Bytes at @offset; a short read is a success. */
static ssize_t read_some(
	struct exec_state *state, struct file *file, void *buffer, size_t size, uint64_t offset)
{
	struct vfs_ctx ctx = task_vfs_ctx(state->task);
	struct uio_segment segment;
	struct uio uio;
	size_t done = 0;

	if (offset > INT64_MAX - size)
		return -EINVAL;
	while (done < size) {
		ssize_t n;

		uio_init_kernel(&uio, &segment, (char *)buffer + done, size - done);
		n = file_pread(file, &uio, (int64_t)(offset + done), &ctx);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

/* elf_read(): all of it, or -EIO. */
static int read_all(
	struct exec_state *state, struct file *file, void *buffer, size_t size, uint64_t offset)
{
	ssize_t n = read_some(state, file, buffer, size, offset);

	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -EIO;
}

/* ---- scripts --------------------------------------------------------------------------------- */

/* argv becomes: interpreter, its argument, the script's name, the old argv without its first. */
static int splice_argv(struct exec_state *state, const struct script_line *line, const char *script)
{
	struct exec_strings argv = {0}, *old = &state->argv;
	size_t skip = old->count ? strlen(old->data) + 1 : 0;
	int err;

	err = exec_strings_append(&argv, line->interpreter, strlen(line->interpreter) + 1);
	if (err == 0 && line->has_argument)
		err = exec_strings_append(&argv, line->argument, strlen(line->argument) + 1);
	if (err == 0)
		err = exec_strings_append(&argv, script, strlen(script) + 1);
	if (err == 0 && old->size > skip) {
		size_t count = argv.count + old->count - 1;

		err = exec_strings_append(&argv, old->data + skip, old->size - skip);
		argv.count = count;
	}
	if (err < 0) {
		exec_strings_free(&argv);
		return err;
	}
	exec_strings_free(old);
	*old = argv;
	return 0;
}

/* One step: the interpreter takes the script's place. */
static int enter_script(
	struct exec_state *state, const struct script_line *line, const char *script)
{
	struct file *interpreter;
	int err;

	if (state->flags & EXEC_PATH_INACCESSIBLE)
		return -ENOENT;
	err = splice_argv(state, line, script);
	if (err < 0)
		return err;
	err = exec_open(state->task, NULL, line->interpreter, WALK_FOLLOW, &interpreter);
	if (err < 0)
		return err;
	file_unref(state->file);
	state->file = interpreter;
	return 0;
}

/* ---- ELF ------------------------------------------------------------------------------------- */

static int read_image(
	struct exec_state *state, struct file *file, const void *head, struct elf_image *ret)
{
	_cleanup_free_ void *table = NULL;
	struct elf_header header;
	int err;

	err = elf_parse_header(head, ELF_HEADER_SIZE, &header);
	if (err < 0)
		return err;
	table = malloc(header.table_size);
	if (!table)
		return -ENOMEM;
	if (read_all(state, file, table, header.table_size, header.table_offset) < 0)
		return -ENOEXEC;
	return elf_parse_table(&header, table, header.table_size, ret);
}

static void note_unreadable(struct exec_state *state, struct file *file)
{
	struct vfs_ctx ctx = task_vfs_ctx(state->task);

	if (inode_permission(file->inode, VFS_MAY_READ, &ctx) < 0)
		state->unreadable = true;
}

static int read_interpreter(struct exec_state *state)
{
	_cleanup_free_ char *path = malloc(state->image.interpreter_size);
	uint8_t head[ELF_HEADER_SIZE];
	int err;

	if (!path)
		return -ENOMEM;
	err = read_all(state, state->file, path, state->image.interpreter_size,
		state->image.interpreter_offset);
	if (err == 0)
		err = elf_check_interpreter(&state->image, path, state->image.interpreter_size);
	if (err == 0 && !path[0])
		err = -EACCES; /* no name is the current directory */
	if (err == 0)
		err = exec_open(state->task, NULL, path, WALK_FOLLOW, &state->interpreter);
	if (err < 0)
		return err;
	note_unreadable(state, state->interpreter);
	err = read_all(state, state->interpreter, head, sizeof(head), 0);
	if (err < 0)
		return err;
	err = read_image(state, state->interpreter, head, &state->interpreter_image);
	return err == -ENOEXEC ? -ELIBBAD : err;
}

static int read_elf(struct exec_state *state, const void *head)
{
	int err = read_image(state, state->file, head, &state->image);

	if (err < 0)
		return err;
	if (!state->file->ops->map)
		return -ENOEXEC;
	note_unreadable(state, state->file);
	return state->image.has_interpreter ? read_interpreter(state) : 0;
}

int exec_read_program(struct exec_state *state)
{
	char script[LX_PATH_MAX];
	size_t length = strnlen(state->path, sizeof(script) - 1);

	memcpy(script, state->path, length);
	script[length] = '\0';
	for (int depth = 0; depth <= LX_SHEBANG_DEPTH_MAX; depth++) {
		uint8_t head[LX_BINPRM_BUF_SIZE] = {0};
		struct script_line line;
		ssize_t size;
		int err;

		/* The buffer counts as zeros where the file ends, as in Linux. */
		size = read_some(state, state->file, head, sizeof(head), 0);
		if (size < 0)
			return (int)size;
		if (!script_detect(head, sizeof(head)))
			return read_elf(state, head);
		err = script_parse(head, sizeof(head), &line);
		if (err == 0)
			err = enter_script(state, &line, script);
		if (err < 0)
			return err;
		memcpy(script, line.interpreter, sizeof(line.interpreter));
	}
	return -ELOOP;
}
