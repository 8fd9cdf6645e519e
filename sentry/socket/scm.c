/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "abi/cap.h"
#include "abi/resource.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/pid_ns.h"
#include "sentry/socket/socket.h"

/* Ancillary data (cmsg(3), unix(7)): descriptors and credentials, between guest layout and struct
 * scm. */

void scm_fini(struct scm *scm)
{
	for (size_t i = 0; i < scm->file_count; i++)
		file_unref(scm->files[i]);
	free(scm->files);
	free(scm->notes);
	if (scm->pid)
		pid_unref(scm->pid);
	*scm = (struct scm){0};
}

void scm_note(struct scm *scm, int level, int type, const void *bytes, size_t size)
{
	struct scm_note *notes, *note;

	if (scm->note_count == SCM_NOTES_MAX || size > sizeof(note->bytes))
		return;
	notes = reallocarray(scm->notes, scm->note_count + 1, sizeof(*notes));
	if (!notes)
		return;
	scm->notes = notes;
	note = &notes[scm->note_count++];
	note->level = level;
	note->type = type;
	note->size = (uint32_t)size;
	memcpy(note->bytes, bytes, size);
}

void scm_fill_cred(struct scm *scm, const struct task *task)
{
	if (scm->has_cred)
		return;
	scm->has_cred = true;
	scm->cred = (struct lx_ucred){
		.pid = task->group->pid->nr, .uid = task->cred->euid, .gid = task->cred->egid};
	scm->pid = pid_ref(task->group->pid);
}

struct lx_ucred ucred_here(const struct lx_ucred *cred)
{
	return (struct lx_ucred){.pid = pid_nr_here(cred->pid),
		.uid = uid_here(cred->uid),
		.gid = gid_here(cred->gid)};
}

static int add_files(struct task *task, struct scm *scm, const void *data, size_t size)
{
	size_t count = size / sizeof(int32_t);
	struct file **files;

	if (count > LX_SCM_MAX_FD || scm->file_count + count > LX_SCM_MAX_FD)
		return -EINVAL;
	if (!count)
		return 0;
	files = reallocarray(scm->files, scm->file_count + count, sizeof(*files));
	if (!files)
		return -ENOMEM;
	scm->files = files;
	for (size_t i = 0; i < count; i++) {
		int32_t fd;
		struct file *file;

		memcpy(&fd, (const char *)data + i * sizeof(fd), sizeof(fd));
		file = fd_get_any(task->files, fd);
		if (!file)
			return -EBADF;
		scm->files[scm->file_count++] = file;
	}
	return 0;
}

/* One may only claim to be oneself, unless privileged (unix(7), SCM_CREDENTIALS). */
static int add_cred(struct task *task, struct scm *scm, const void *data, size_t size)
{
	const struct cred *cred = task->cred;
	struct lx_ucred ucred;

	if (size != sizeof(ucred))
		return -EINVAL;
	memcpy(&ucred, data, sizeof(ucred));
	if (ucred.pid != pid_vnr(task->group->pid) &&
		!cred_ns_capable(cred, task_pid_ns(task)->ns.user_ns, LX_CAP_SYS_ADMIN))
		return -EPERM;
	ucred.uid = user_ns_make_uid(cred->user_ns, ucred.uid);
	ucred.gid = user_ns_make_gid(cred->user_ns, ucred.gid);
	if (ucred.uid == ID_INVALID || ucred.gid == ID_INVALID)
		return -EINVAL;
	if (ucred.uid != cred->uid && ucred.uid != cred->euid && ucred.uid != cred->suid &&
		!cred_own_capable(cred, LX_CAP_SETUID))
		return -EPERM;
	if (ucred.gid != cred->gid && ucred.gid != cred->egid && ucred.gid != cred->sgid &&
		!cred_own_capable(cred, LX_CAP_SETGID))
		return -EPERM;
	if (!pid_group(ucred.pid))
		return -ESRCH;
	if (scm->pid)
		pid_unref(scm->pid);
	scm->pid = pid_ref(pid_find(ucred.pid));
	ucred.pid = scm->pid->nr;
	scm->has_cred = true;
	scm->cred = ucred;
	return 0;
}

static int parse_control(struct task *task, const uint8_t *control, uint64_t size, struct scm *scm)
{
	uint64_t at = 0;
	int r;

	while (size - at >= sizeof(struct lx_cmsghdr)) {
		struct lx_cmsghdr header;
		const uint8_t *data;
		size_t data_size;

		memcpy(&header, control + at, sizeof(header));
		if (header.cmsg_len < sizeof(header) || header.cmsg_len > size - at)
			return -EINVAL;
		data = control + at + sizeof(header);
		data_size = header.cmsg_len - sizeof(header);
		if (header.cmsg_level == LX_SOL_SOCKET) {
			if (header.cmsg_type == LX_SCM_RIGHTS)
				r = add_files(task, scm, data, data_size);
			else if (header.cmsg_type == LX_SCM_CREDENTIALS)
				r = add_cred(task, scm, data, data_size);
			else
				r = -EINVAL;
			if (r < 0)
				return r;
		} else if (header.cmsg_level == LX_SOL_IP || header.cmsg_level == LX_SOL_IPV6 ||
			   header.cmsg_level == LX_SOL_UDP) {
			scm_note(scm, header.cmsg_level, header.cmsg_type, data, data_size);
		}
		if (LX_CMSG_ALIGN(header.cmsg_len) > size - at)
			break;
		at += LX_CMSG_ALIGN(header.cmsg_len);
	}
	return 0;
}

int scm_read(struct task *task, gaddr_t control, uint64_t size, struct scm *ret)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct scm scm = {0};
	int r;

	if (!size) {
		*ret = scm;
		return 0;
	}
	if (size > SCM_CONTROL_MAX)
		return -ENOBUFS;
	bytes = malloc(size);
	if (!bytes)
		return -ENOMEM;
	r = guest_read(task, bytes, control, size);
	r = r < 0 ? r : parse_control(task, bytes, size, &scm);
	if (r < 0) {
		scm_fini(&scm);
		return r;
	}
	*ret = scm;
	return 0;
}

struct control_writer {
	uint8_t *bytes;
	uint64_t capacity, size;
};

/* Appends one message, cut to the room that is left (put_cmsg). False when nothing or not all of it
 * fitted. */
static bool put_control(
	struct control_writer *writer, int level, int type, const void *data, size_t size)
{
	struct lx_cmsghdr header = {
		.cmsg_len = LX_CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
	uint64_t room = writer->capacity - writer->size;
	bool whole = true;

	if (room < sizeof(header))
		return false;
	if (header.cmsg_len > room) {
		header.cmsg_len = room;
		whole = false;
	}
	memcpy(writer->bytes + writer->size, &header, sizeof(header));
	memcpy(writer->bytes + writer->size + sizeof(header), data,
		header.cmsg_len - sizeof(header));
	writer->size += min_of(LX_CMSG_SPACE(header.cmsg_len - sizeof(header)), room);
	return whole;
}

/* Descriptors for as many files as fit (scm_detach_fds); the rest is dropped. */
static bool put_files(
	struct task *task, struct scm *scm, struct control_writer *writer, bool cloexec)
{
	uint64_t room = writer->capacity - writer->size;
	size_t fits = room > sizeof(struct lx_cmsghdr)
			      ? (room - sizeof(struct lx_cmsghdr)) / sizeof(int32_t)
			      : 0;
	size_t count = min_of(fits, scm->file_count), done;
	int32_t fds[LX_SCM_MAX_FD];

	for (done = 0; done < count; done++) {
		int fd = fd_install(task->files, file_ref(scm->files[done]), 0,
			task_rlimit(task, LX_RLIMIT_NOFILE), cloexec);

		if (fd < 0) {
			file_unref(scm->files[done]);
			break;
		}
		fds[done] = fd;
	}
	if (done > 0)
		put_control(writer, LX_SOL_SOCKET, LX_SCM_RIGHTS, fds, done * sizeof(fds[0]));
	return done == scm->file_count;
}

/* scm_pidfd_recv(): what becomes of the descriptor's number when there is none is told as it is. */
static bool put_pidfd(struct task *task, const struct scm *scm, struct control_writer *writer)
{
	int32_t fd;

	if (writer->capacity - writer->size < sizeof(struct lx_cmsghdr) + sizeof(fd))
		return false;
	if (!scm->pid)
		return true;
	fd = pidfd_install(task, scm->pid);
	return put_control(writer, LX_SOL_SOCKET, LX_SCM_PIDFD, &fd, sizeof(fd));
}

int scm_write(struct task *task, struct scm *scm, const struct socket *socket, gaddr_t control,
	uint64_t capacity, bool cloexec, uint64_t *ret_size, unsigned *out_flags)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct control_writer writer = {.capacity = min_of(capacity, (uint64_t)SCM_CONTROL_MAX)};
	bool pass_cred = socket->pass_cred;
	bool pass_pidfd = socket->pass_pidfd && socket->family == LX_AF_UNIX;
	bool any = (pass_cred && scm->has_cred) || pass_pidfd || scm->file_count || scm->note_count;
	bool whole = true;
	int r = 0;

	if (writer.capacity && any) {
		bytes = calloc(1, writer.capacity);
		if (!bytes) {
			scm_fini(scm);
			return -ENOMEM;
		}
		writer.bytes = bytes;
		if (pass_cred && scm->has_cred)
			whole = put_control(&writer, LX_SOL_SOCKET, LX_SCM_CREDENTIALS, &scm->cred,
				sizeof(scm->cred));
		for (unsigned i = 0; i < scm->note_count; i++)
			whole = put_control(&writer, scm->notes[i].level, scm->notes[i].type,
					scm->notes[i].bytes, scm->notes[i].size) &&
				whole;
		if (scm->file_count)
			whole = put_files(task, scm, &writer, cloexec) && whole;
		if (pass_pidfd)
			whole = put_pidfd(task, scm, &writer) && whole;
		r = writer.size ? guest_write(task, control, bytes, writer.size) : 0;
	} else if (any) {
		whole = false;
	}
	scm_fini(scm);
	if (r < 0)
		return r;
	if (!whole)
		*out_flags |= LX_MSG_CTRUNC;
	*ret_size = writer.size;
	return 0;
}
