/* SPDX-License-Identifier: Apache-2.0 */
/* The engine under /proc and /sys. See pseudo.h. */
#include "sentry/procfs/pseudo.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/fcntl.h"
#include "abi/limits.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/mm.h"
#include "sentry/pid_ns.h"

/* ---- text ------------------------------------------------------------------------------------ */

static char *seq_reserve(struct seq *seq, size_t size)
{
	size_t capacity = seq->capacity ? seq->capacity : 1024;
	char *grown;

	while (capacity - seq->size < size && capacity <= SEQ_SIZE_MAX)
		capacity *= 2;
	if (capacity != seq->capacity) {
		grown = capacity > SEQ_SIZE_MAX ? NULL : realloc(seq->data, capacity);
		if (!grown) {
			seq->failed = true;
			return NULL;
		}
		seq->data = grown;
		seq->capacity = capacity;
	}
	return seq->data + seq->size;
}

void seq_write(struct seq *seq, const void *data, size_t size)
{
	char *to = seq->failed || !size ? NULL : seq_reserve(seq, size);

	if (to) {
		memcpy(to, data, size);
		seq->size += size;
	}
}

void seq_puts(struct seq *seq, const char *text)
{
	seq_write(seq, text, strlen(text));
}

void seq_printf(struct seq *seq, const char *format, ...)
{
	va_list args, again;
	int size;

	va_start(args, format);
	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (size >= 0 && !seq->failed && seq_reserve(seq, (size_t)size + 1)) {
		(void)vsnprintf(seq->data + seq->size, (size_t)size + 1, format, again);
		seq->size += (size_t)size;
	}
	va_end(again);
}

void seq_escape(struct seq *seq, const char *text, const char *escaped)
{
	for (; *text; text++) {
		if (*text == '\\' || strchr(escaped, *text))
			seq_printf(seq, "\\%03o", (unsigned char)*text);
		else
			seq_write(seq, text, 1);
	}
}

void seq_pad(struct seq *seq, size_t line_start, size_t width)
{
	while (!seq->failed && seq->size - line_start < width)
		seq_write(seq, " ", 1);
	seq_write(seq, " ", 1);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static const struct file_ops pseudo_dir_file_ops, pseudo_file_ops;

const struct pseudo_node *pseudo_node(const struct inode *inode)
{
	return inode->private;
}

const struct pseudo_node *pseudo_dir_node(const struct file *file)
{
	return file->ops == &pseudo_dir_file_ops ? pseudo_node(file->inode) : NULL;
}

struct thread_group *pseudo_group(const struct pseudo_node *node)
{
	if (node->thread)
		return node->pid->task ? node->pid->task->group : NULL;
	return node->pid->group && !node->pid->group->reaped ? node->pid->group : NULL;
}

/* Also of a zombie, whose credentials still say whose it is. */
static struct task *any_task(const struct pseudo_node *node)
{
	const struct thread_group *group = pseudo_group(node);

	return node->thread ? node->pid->task : group ? group->leader : NULL;
}

struct task *pseudo_task(const struct pseudo_node *node)
{
	struct task *task = any_task(node);

	return task && !task->exited ? task : NULL;
}

int pseudo_may_trace(const struct pseudo_node *node, const struct vfs_ctx *ctx)
{
	const struct task *task;

	if (!node->pid || !ctx->task)
		return 0;
	task = pseudo_task(node);
	if (!task || !task->cred)
		return 0; /* a zombie has nothing to hide */
	if (task_may_inspect(ctx->task, ctx->cred, task, true))
		return 0;
	return -EACCES;
}

/* Stable and, but for collisions nobody minds, unique. */
static uint64_t node_ino(const struct pseudo_node *node)
{
	uint64_t about = node->pid ? (uint64_t)node->pid->nr << 1 | node->thread : 0;

	return (hash_u64_pair(
			hash_u64_pair((uintptr_t)node->entry, about), (uint64_t)node->number) &
		       0x7fffffff) |
	       0x80000000;
}

static void node_refresh(struct inode *inode)
{
	const struct pseudo_node *node = pseudo_node(inode);
	const struct task *task;
	uint32_t mode = 0;

	if (node->entry->mode_of)
		mode = node->entry->mode_of(node);
	if (mode)
		inode->mode = mode;
	if (!node->pid)
		return;
	task = any_task(node);
	if (!task || !task->cred)
		return;
	inode->uid = task->cred->euid;
	inode->gid = task->cred->egid;
	/* task_dump_owner(): what may not be looked into is root's, but for what everybody may. */
	if (node->entry->mode == (LX_S_IFDIR | 0555))
		return;
	if (!task->mm) {
		inode->uid = inode->gid = 0;
		return;
	}
	if (task->group->dumpable)
		return;
	inode->uid = user_ns_make_uid(task->mm->user_ns, 0);
	inode->gid = user_ns_make_gid(task->mm->user_ns, 0);
	if (inode->uid == ID_INVALID)
		inode->uid = 0;
	if (inode->gid == ID_INVALID)
		inode->gid = 0;
}

static const struct inode_ops pseudo_dir_ops, pseudo_file_inode_ops, pseudo_link_ops,
	pseudo_magic_link_ops;

static const struct inode_ops *ops_for(const struct pseudo_entry *entry)
{
	if (LX_S_ISDIR(entry->mode))
		return &pseudo_dir_ops;
	if (LX_S_ISLNK(entry->mode))
		return entry->follow ? &pseudo_magic_link_ops : &pseudo_link_ops;
	return &pseudo_file_inode_ops;
}

static int node_inode(struct super_block *sb, const struct pseudo_node *node, struct inode **ret)
{
	struct pseudo_node *copy = malloc(sizeof(*copy));
	struct inode *inode;
	int status;

	if (!copy)
		return -ENOMEM;
	*copy = *node;
	status = inode_new(sb, ops_for(node->entry), node->entry->mode, 0, &inode);
	if (status < 0) {
		free(copy);
		return status;
	}
	if (copy->pid)
		pid_ref(copy->pid);
	inode->private = copy;
	inode->immutable = node->entry->immutable;
	inode->ino = node_ino(node);
	inode->nlink = LX_S_ISDIR(node->entry->mode) ? 2 : 1;
	inode->file_ops = LX_S_ISDIR(node->entry->mode) ? &pseudo_dir_file_ops : &pseudo_file_ops;
	for (size_t i = 0; i < node->entry->child_count; i++)
		inode->nlink += LX_S_ISDIR(node->entry->children[i].mode);
	node_refresh(inode);
	*ret = inode;
	return 0;
}

static void pseudo_destroy_inode(struct inode *inode)
{
	struct pseudo_node *node = inode->private;

	if (node->pid)
		pid_unref(node->pid);
	free(node);
}

/* ---- directories ----------------------------------------------------------------------------- */

/* The child @name of @dir, a process still there: fills @ret without references. */
static int node_lookup(const struct pseudo_node *dir, const char *name, struct pseudo_node *ret)
{
	const struct pseudo_entry *entry = dir->entry;

	if (dir->pid && !pseudo_group(dir))
		return -ESRCH;
	for (size_t i = 0; i < entry->child_count; i++) {
		if (strcmp(entry->children[i].name, name) != 0)
			continue;
		*ret = *dir;
		ret->entry = &entry->children[i];
		return 0;
	}
	return entry->dynamic ? entry->dynamic->lookup(dir, name, ret) : -ENOENT;
}

static int pseudo_lookup(struct inode *dir, const char *name, struct inode **ret)
{
	struct pseudo_node node;
	int status = node_lookup(pseudo_node(dir), name, &node);

	return status < 0 ? status : node_inode(dir->sb, &node, ret);
}

/* Processes and descriptors come and go; tables do not. */
static int pseudo_revalidate(struct inode *dir, struct dentry *dentry)
{
	const struct pseudo_node *parent = pseudo_node(dir), *cached;
	struct pseudo_node now;
	int status;

	if (!parent->pid && !parent->entry->dynamic)
		return 1;
	status = node_lookup(parent, dentry->name, &now);
	if (!dentry->inode)
		return status == -ENOENT;
	if (status < 0)
		return 0;
	cached = pseudo_node(dentry->inode);
	if (cached->entry != now.entry || cached->pid != now.pid || cached->number != now.number)
		return 0;
	node_refresh(dentry->inode);
	return 1;
}

/* proc_fd_permission(), proc_tid_comm_permission(), proc_fdinfo_permission() */
static int pseudo_permission(struct inode *inode, int may, const struct vfs_ctx *ctx)
{
	const struct pseudo_node *node = pseudo_node(inode);
	int status = inode_permission_by_mode(inode, may, ctx);

	/* Of a process' comm only its threads' own files. */
	if (node->entry->own && (node->thread || LX_S_ISDIR(inode->mode)))
		return status < 0 && ctx->task &&
				       ((struct task *)ctx->task)->group == pseudo_group(node)
			       ? 0
			       : status;
	if (status == 0 && node->entry->private && LX_S_ISDIR(inode->mode))
		return pseudo_may_trace(node, ctx);
	return status;
}

static int pseudo_getattr(struct inode *inode, struct kstat *ret)
{
	const struct pseudo_node *node = pseudo_node(inode);
	const struct pseudo_dynamic *dynamic = node->entry->dynamic;

	node_refresh(inode);
	inode_fill_stat(inode, ret);
	if (dynamic && dynamic->links)
		ret->nlink += dynamic->links(node);
	ret->blocks = 0;
	ret->block_size = 1024;
	if (dynamic && dynamic->size)
		ret->size = dynamic->size(node);
	if (LX_S_ISLNK(inode->mode) && node->entry->mode_of)
		ret->size = 64; /* of links to descriptors, whatever they say */
	return 0;
}

#define POS_FIRST   2
#define POS_DYNAMIC (1ll << 20) /* names that are not in the table start here */

static int pseudo_read_dir(struct file *file, struct dir_context *dir)
{
	const struct pseudo_node *node = pseudo_node(file->inode);
	const struct pseudo_entry *entry = node->entry;

	if (node->pid && !pseudo_group(node))
		return -ENOENT;
	if (!dir_emit_dots(file, dir))
		return 0;
	while (file->pos - POS_FIRST < (int64_t)entry->child_count) {
		const struct pseudo_entry *child = &entry->children[file->pos - POS_FIRST];
		struct pseudo_node about = *node;

		about.entry = child;
		if (!dir->emit(dir, child->name, strlen(child->name), node_ino(&about),
			    mode_to_dirent_type(child->mode), file->pos + 1))
			return 0;
		file->pos++;
	}
	if (!entry->dynamic)
		return 0;
	if (file->pos < POS_DYNAMIC)
		file->pos = POS_DYNAMIC;
	for (;;) {
		int64_t cursor = file->pos - POS_DYNAMIC;
		struct pseudo_node about;
		char name[32];

		if (!entry->dynamic->next(node, &cursor, name, &about))
			return 0;
		if (!dir->emit(dir, name, strlen(name), node_ino(&about),
			    mode_to_dirent_type(about.entry->mode), cursor + POS_DYNAMIC))
			return 0;
		file->pos = cursor + POS_DYNAMIC;
	}
}

static int64_t pseudo_seek_dir(struct file *file, int64_t offset, int whence)
{
	return file_generic_seek(file, offset, whence, 0, PSEUDO_LAST_POSITION);
}

/* None of these files has an fsync operation (vfs_fsync_range()). */
static int pseudo_sync(struct file *file, bool data_only)
{
	return -EINVAL;
}

static const struct file_ops pseudo_dir_file_ops = {
	.name = "proc directory",
	.sync = pseudo_sync,
	.read_dir = pseudo_read_dir,
	.seek = pseudo_seek_dir,
};

static int pseudo_open_dir(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	const struct pseudo_node *node = pseudo_node(inode);

	file->ops = &pseudo_dir_file_ops;
	return node->entry->private ? pseudo_may_trace(node, ctx) : 0;
}

/* Nothing of a table may change, but chmod and chown of /proc's files are EPERM there as well
 * (proc_setattr). */
static const struct inode_ops pseudo_dir_ops = {
	.lookup = pseudo_lookup,
	.revalidate = pseudo_revalidate,
	.getattr = pseudo_getattr,
	.permission = pseudo_permission,
	.open = pseudo_open_dir,
};

/* ---- links ----------------------------------------------------------------------------------- */

static ssize_t pseudo_readlink(struct inode *inode, const struct vfs_ctx *ctx, char *buffer)
{
	const struct pseudo_node *node = pseudo_node(inode);
	int status = node->entry->private ? pseudo_may_trace(node, ctx) : 0;

	return status < 0 ? status : node->entry->readlink(node, ctx, buffer);
}

static int pseudo_follow(struct inode *inode, const struct vfs_ctx *ctx, struct path *ret)
{
	const struct pseudo_node *node = pseudo_node(inode);
	int status = node->entry->private ? pseudo_may_trace(node, ctx) : 0;

	return status < 0 ? status : node->entry->follow(node, ctx, ret);
}

static const struct inode_ops pseudo_link_ops = {
	.readlink = pseudo_readlink,
	.getattr = pseudo_getattr,
};

static const struct inode_ops pseudo_magic_link_ops = {
	.readlink = pseudo_readlink,
	.follow = pseudo_follow,
	.getattr = pseudo_getattr,
};

/* ---- files ----------------------------------------------------------------------------------- */

/* What open files hold together: a guest can open many and never read on. */
#define TEXTS_SIZE_MAX (64ul << 20)

/* Counted: a reader's copy sleeps, and another may make the text anew meanwhile. */
struct pseudo_data {
	struct refcount refs;
	char *bytes; /* owned */
	size_t size, capacity;
};

struct pseudo_text {
	struct pseudo_data *data; /* NULL: not made yet */
};

static size_t texts_size;

static void data_unref(struct pseudo_data *data)
{
	if (!data || !refcount_put(&data->refs))
		return;
	texts_size -= data->capacity;
	free(data->bytes);
	free(data);
}

DEFINE_CLEANUP(data_unref, struct pseudo_data *)

static int text_make(struct file *file, struct pseudo_text *text)
{
	const struct pseudo_node *node = pseudo_node(file->inode);
	struct vfs_ctx ctx = {.cred = file->cred, .fsize_limit = UINT64_MAX};
	struct seq seq = {.ctx = &ctx};
	struct task *reader = task_current();
	struct pseudo_data *data;
	int status;

	if (!node->entry->show)
		return -EINVAL;
	if (node->pid && !pseudo_group(node))
		return -ESRCH;
	if (reader) {
		ctx.fs = reader->fs;
		ctx.task = reader;
	}
	status = node->entry->show(node, &seq);
	if (status == 0 && (seq.failed || texts_size + seq.capacity > TEXTS_SIZE_MAX))
		status = -ENOMEM;
	data = status == 0 ? malloc(sizeof(*data)) : NULL;
	if (!data) {
		free(seq.data);
		return status < 0 ? status : -ENOMEM;
	}
	*data = (struct pseudo_data){.refs = REFCOUNT_ONE,
		.bytes = seq.data,
		.size = seq.size,
		.capacity = seq.capacity};
	texts_size += seq.capacity;
	data_unref(text->data);
	text->data = data;
	return 0;
}

static ssize_t pseudo_read(struct file *file, struct uio *uio, int64_t *pos)
{
	_cleanup_(cleanup_data_unref) struct pseudo_data *data = NULL;
	struct pseudo_text *text = file->private;
	size_t size;
	ssize_t put;

	if (!text->data || *pos == 0) {
		int status = text_make(file, text);

		if (status < 0)
			return status;
	}
	data = text->data;
	refcount_get(&data->refs);
	if (*pos < 0 || (uint64_t)*pos >= data->size)
		return 0;
	size = min_of((uint64_t)data->size - (uint64_t)*pos, uio->resid);
	put = uio_copy_to(uio, data->bytes + *pos, size);
	if (put <= 0)
		return size == 0 ? 0 : put < 0 ? put : -EFAULT;
	*pos += put;
	return put;
}

static ssize_t pseudo_write(
	struct file *file, struct uio *uio, int64_t *pos, const struct vfs_ctx *ctx)
{
	const struct pseudo_node *node = pseudo_node(file->inode);
	char text[LX_PAGE_SIZE];
	ssize_t got;
	int status;

	if (!node->entry->store)
		return -EINVAL;
	if (uio->resid >= sizeof(text))
		return -EINVAL;
	got = uio_copy_from(uio, text, uio->resid);
	if (got < 0 || uio->resid > 0)
		return got < 0 ? got : -EFAULT;
	text[got] = '\0';
	status = node->entry->store(node, text, (size_t)got, ctx, file->cred);
	if (status < 0)
		return status;
	*pos += got;
	return got;
}

static int64_t pseudo_seek(struct file *file, int64_t offset, int whence)
{
	const struct pseudo_text *text = file->private;
	int64_t last = pseudo_node(file->inode)->entry->last_position;

	if (last)
		return file_generic_seek(file, offset, whence, 0, (uint64_t)last);
	if (whence != LX_SEEK_SET && whence != LX_SEEK_CUR)
		return -EINVAL; /* seq_lseek() */
	return file_generic_seek(
		file, offset, whence, text->data ? text->data->size : 0, INT64_MAX);
}

static void pseudo_release(struct file *file)
{
	struct pseudo_text *text = file->private;

	data_unref(text->data);
	free(text);
}

static const struct file_ops pseudo_file_ops = {
	.name = "proc file",
	.sync = pseudo_sync,
	.read = pseudo_read,
	.write = pseudo_write,
	.seek = pseudo_seek,
	.release = pseudo_release,
};

static int pseudo_open_file(struct inode *inode, struct file *file, const struct vfs_ctx *ctx)
{
	const struct pseudo_node *node = pseudo_node(inode);
	int status = node->entry->private ? pseudo_may_trace(node, ctx) : 0;

	if (status >= 0 && file->writable && node->entry->may_write)
		status = node->entry->may_write(node, ctx);
	if (status >= 0 && node->entry->may_open)
		status = node->entry->may_open(node);
	if (status < 0)
		return status;
	if (node->entry->open)
		return node->entry->open(node, file, ctx);
	if (file->writable && !node->entry->store)
		return -EACCES;
	file->private = calloc(1, sizeof(struct pseudo_text));
	if (!file->private)
		return -ENOMEM;
	file->ops = &pseudo_file_ops;
	return 0;
}

/* O_TRUNC on a file that takes writes does nothing (proc_setattr lets it pass). */
static int pseudo_setattr(struct inode *inode, const struct iattr *attr)
{
	if (attr->valid & (IATTR_MODE | IATTR_UID | IATTR_GID))
		return -EPERM;
	return pseudo_node(inode)->entry->store || pseudo_node(inode)->entry->open ? 0 : -EPERM;
}

static const struct inode_ops pseudo_file_inode_ops = {
	.getattr = pseudo_getattr,
	.permission = pseudo_permission,
	.setattr = pseudo_setattr,
	.open = pseudo_open_file,
};

static void pseudo_release_super(struct super_block *sb)
{
	ns_unref(sb->private);
}

static const struct super_ops pseudo_super_ops = {
	.release = pseudo_release_super,
	.destroy_inode = pseudo_destroy_inode,
};

int pseudo_new(const char *type, uint64_t magic, const struct pseudo_entry *root, struct pid_ns *ns,
	struct super_block **ret)
{
	_cleanup_(cleanup_super_block_unref) struct super_block *sb = NULL;
	struct pseudo_node node = {.entry = root, .ns = ns};
	struct inode *inode;
	int status = super_block_new(&pseudo_super_ops, type, magic, &sb);

	if (status == 0 && ns)
		sb->private = ns_ref(&ns->ns);
	if (status == 0)
		status = node_inode(sb, &node, &inode);
	if (status < 0)
		return status;
	sb->block_size = 4096;
	sb->handles = strcmp(type, "cgroup2") == 0 ? HANDLES_KERNFS : HANDLES_NONE;
	sb->no_missing_names = magic == LX_PROC_SUPER_MAGIC;
	sb->type_must_show = true;
	inode->ino = 1;
	status = super_block_set_root(sb, inode);
	if (status < 0) {
		inode_unref(inode);
		return status;
	}
	*ret = TAKE(sb);
	return 0;
}
