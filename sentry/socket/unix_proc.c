/* SPDX-License-Identifier: Apache-2.0 */
/* /proc/PID/net/unix: the sockets of the reader's network namespace (kernel unix_seq_show()). */
#include "sentry/nsproxy.h"
#include "sentry/procfs/procfs.h"
#include "sentry/procfs/pseudo.h"
#include "sentry/socket/unix.h"

#define ACCEPTS 0x10000u /* __SO_ACCEPTCON */

/* SS_*: of those that have a file, and of those that wait to be accepted. */
static unsigned state_of(const struct unix_socket *socket)
{
	bool connected = socket->state == UNIX_CONNECTED;

	if (socket->base.file)
		return connected ? 3 : 1;
	return connected ? 2 : 4;
}

static void show_name(struct seq *seq, const struct socket_address *name)
{
	const char *text = (const char *)name->bytes + 2;
	uint32_t size = name->size - 2;

	if (name->size <= 2)
		return;
	seq_puts(seq, " ");
	/* A path's final NUL is counted in its size; abstract names show theirs as '@'. */
	if (text[0])
		size--;
	for (uint32_t i = 0; i < size; i++)
		seq_printf(seq, "%c", text[i] ? text[i] : '@');
}

static int show_sockets(struct seq *seq)
{
	const struct task *task = task_current();
	const struct ns *net = task && task->nsproxy ? task->nsproxy->ns[NS_NET] : NULL;

	seq_puts(seq, "Num       RefCount Protocol Flags    Type St Inode Path\n");
	for (const struct unix_socket *socket = unix_next(NULL); socket;
		socket = unix_next(socket)) {
		const struct file *file = socket->base.file;

		if (socket->state == UNIX_CLOSED || socket->base.net != net)
			continue;
		seq_printf(seq, "%016x: %08X %08X %08X %04X %02X %5llu", 0,
			(unsigned)socket->refs.count + 1, 0,
			socket->state == UNIX_LISTENING ? ACCEPTS : 0, (unsigned)socket->base.type,
			state_of(socket), (unsigned long long)(file ? file->inode->ino : 0));
		show_name(seq, &socket->name);
		seq_puts(seq, "\n");
	}
	return 0;
}

void unix_proc_register(void)
{
	static bool done;

	if (!done)
		(void)procfs_register_net("unix", show_sockets);
	done = true;
}
