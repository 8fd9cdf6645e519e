/* SPDX-License-Identifier: Apache-2.0 */
/* Propagation of mounts: mount_namespaces(7), "SHARED SUBTREES". */
#include "ns.h"

static void base(void)
{
	own_mounts();
	mkdir("a", 0755);
	mkdir("b", 0755);
	mkdir("c", 0755);
	mount("top", "a", "tmpfs", 0, NULL);
	mkdir("a/m", 0755);
	mkdir("a/n", 0755);
}

CASE(shared)
{
	base();
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CALL(mount("a", "b", NULL, MS_BIND, NULL));
	CALL(mount("t", "a/m", "tmpfs", 0, NULL));
	write_file("a/m/x", "x");
	note_file("b/m/x");
	note_mounts();
	CALL(mount("u", "b/n", "tmpfs", 0, NULL));
	note_mounts();
	CALL(umount("b/m"));
	CALL(umount("a/n"));
	note_mounts();
}

CASE(private)
{
	base();
	CALL(mount("a", "b", NULL, MS_BIND, NULL));
	CALL(mount("t", "a/m", "tmpfs", 0, NULL));
	note_mounts();
}

CASE(slave)
{
	base();
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CALL(mount("a", "b", NULL, MS_BIND, NULL));
	CALL(mount(NULL, "b", NULL, MS_SLAVE, NULL));
	CALL(mount("t", "a/m", "tmpfs", 0, NULL));
	CALL(mount("u", "b/n", "tmpfs", 0, NULL));
	note_mounts();
	CALL(umount("a/m"));
	note_mounts();
}

CASE(slave_and_shared)
{
	base();
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CALL(mount("a", "b", NULL, MS_BIND, NULL));
	CALL(mount(NULL, "b", NULL, MS_SLAVE, NULL));
	CALL(mount(NULL, "b", NULL, MS_SHARED, NULL));
	CALL(mount("b", "c", NULL, MS_BIND, NULL));
	note_mounts();
	CALL(mount("t", "a/m", "tmpfs", 0, NULL));
	note_mounts();
	CALL(mount("u", "c/n", "tmpfs", 0, NULL));
	note_mounts();
}

CASE(unbindable)
{
	base();
	CALL(mount("t", "a/m", "tmpfs", 0, NULL));
	CALL(mount(NULL, "a/m", NULL, MS_UNBINDABLE, NULL));
	note_mounts();
	CALL(mount("a/m", "b", NULL, MS_BIND, NULL));
	CALL(mount("a", "b", NULL, MS_BIND | MS_REC, NULL));
	note_mounts();
	CALL(umount("b"));
	CALL(mount(NULL, "c", NULL, MS_SHARED, NULL));
	CALL(mount("c", "c", NULL, MS_BIND, NULL));
	CALL(mount(NULL, "c", NULL, MS_SHARED, NULL));
	CALL(mount("a/m", "c", NULL, MS_MOVE, NULL));
}

CASE(type_errors)
{
	base();
	CALL(mount(NULL, "a/m", NULL, MS_SHARED, NULL));
	CALL(mount(NULL, "a", NULL, MS_SHARED | MS_PRIVATE, NULL));
	CALL(mount(NULL, "a", NULL, MS_SHARED | MS_RDONLY, NULL));
	CALL(mount(NULL, "a", NULL, MS_SHARED | MS_REC | MS_SILENT, NULL));
	CALL(mount(NULL, "missing", NULL, MS_PRIVATE, NULL));
	note_mounts();
	CALL(mount(NULL, "a", NULL, MS_SLAVE, NULL));
	note_mounts();
}

CASE(recursive_type)
{
	base();
	CALL(mount("t", "a/m", "tmpfs", 0, NULL));
	CALL(mount(NULL, "a", NULL, MS_SHARED | MS_REC, NULL));
	note_mounts();
	CALL(mount(NULL, "a", NULL, MS_PRIVATE, NULL));
	note_mounts();
	CALL(mount(NULL, "a", NULL, MS_PRIVATE | MS_REC, NULL));
	note_mounts();
}

CASE(last_peer_leaves)
{
	base();
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CALL(mount("a", "b", NULL, MS_BIND, NULL));
	CALL(mount("a", "c", NULL, MS_BIND, NULL));
	CALL(mount(NULL, "c", NULL, MS_SLAVE, NULL));
	note_mounts();
	CALL(umount("a"));
	note_mounts();
	CALL(mount("t", "b/m", "tmpfs", 0, NULL));
	note_mounts();
	CALL(umount("b/m"));
	CALL(umount("b"));
	note_mounts();
}

CASE(moving_shared)
{
	base();
	CALL(mount("t", "a/m", "tmpfs", 0, NULL));
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CALL(mount("a/m", "b", NULL, MS_MOVE, NULL));
	CALL(mount("b2", "b", "tmpfs", 0, NULL));
	CALL(mount("b", "a/n", NULL, MS_MOVE, NULL));
	note_mounts();
}

CASE(into_another_namespace)
{
	int go[2], done[2];
	pid_t pid;
	char c;

	base();
	pipe(go);
	pipe(done);
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		CALL(unshare(CLONE_NEWNS));
		fflush(NULL);
		write(done[1], "", 1);
		read(go[0], &c, 1);
		note_mounts();
		CALL(mount("u", "a/n", "tmpfs", 0, NULL));
		fflush(NULL);
		_exit(0);
	}
	read(done[0], &c, 1);
	CALL(mount("t", "a/m", "tmpfs", 0, NULL));
	fflush(NULL);
	write(go[1], "", 1);
	note_wait("child", pid);
	note_mounts();
}

CASE(below_the_bound_part)
{
	base();
	mkdir("a/m/deep", 0755);
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CALL(mount("a/m", "b", NULL, MS_BIND, NULL));
	CALL(mount("t", "a/n", "tmpfs", 0, NULL));
	CALL(mount("u", "a/m/deep", "tmpfs", 0, NULL));
	note_mounts();
}

CASE(shared_with_itself)
{
	base();
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CALL(mount("a", "a/m", NULL, MS_BIND, NULL));
	note_mounts();
	CALL(mount("t", "a/n", "tmpfs", 0, NULL));
	note_mounts();
	CALL(umount2("a/m", MNT_DETACH));
	note_mounts();
}

CASE(busy_copies)
{
	int fd;

	base();
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CALL(mount("a", "b", NULL, MS_BIND, NULL));
	CALL(mount("t", "a/m", "tmpfs", 0, NULL));
	fd = OK(open("b/m/x", O_CREAT | O_RDWR, 0600));
	CALL(umount("a/m"));
	close(fd);
	CALL(umount("a/m"));
	note_mounts();
}

/* What goes with the mount is itself one that would get copies. */
CASE(a_copy_below_a_peer_of_itself)
{
	base();
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	CALL(mount("a", "a/m", NULL, MS_BIND, NULL));
	CALL(mount("a", "a/m/m", NULL, MS_BIND, NULL));
	note_mounts();
	CALL(umount("a/m/m"));
	note_mounts();
	CALL(umount("a/m"));
	note_mounts();
}

/* Masters that have no such place are gone past on the way to one that was given a copy. */
CASE(chain_of_masters)
{
	base();
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	for (int i = 0; i < 4; i++) {
		char from[16] = "a", to[16];

		if (i)
			snprintf(from, sizeof(from), "s%d", i - 1);
		snprintf(to, sizeof(to), "s%d", i);
		mkdir(to, 0755);
		if (i == 1)
			strcat(from, "/n");
		CALL(mount(from, to, NULL, MS_BIND, NULL));
		CALL(mount(NULL, to, NULL, MS_SLAVE, NULL));
		CALL(mount(NULL, to, NULL, MS_SHARED, NULL));
	}
	CALL(mount("t", "a/m", "tmpfs", 0, NULL));
	note_mounts();
	mkdir("a/n/deep", 0755);
	CALL(mount("u", "a/n/deep", "tmpfs", 0, NULL));
	note_mounts();
	CALL(umount("a/n/deep"));
	note_mounts();
}

/* As many places as peers: nobody waits long, and all of it goes again. */
CASE(many_places_and_peers)
{
	char name[64];

	base();
	CALL(mount(NULL, "a", NULL, MS_SHARED, NULL));
	mkdir("a/k", 0755);
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "a/k/%d", i);
		mkdir(name, 0755);
		snprintf(name, sizeof(name), "p%d", i);
		mkdir(name, 0755);
		if (mount("a/n", name, NULL, MS_BIND, NULL) < 0)
			exit(2);
	}
	CALL(mount("t", "a/m", "tmpfs", 0, NULL));
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "a/k/%d", i);
		if (mount("t", name, "tmpfs", 0, NULL) < 0)
			exit(2);
	}
	CALL(umount2("a", MNT_DETACH));
	for (int i = 0; i < 40; i++) {
		snprintf(name, sizeof(name), "p%d", i);
		if (umount(name) < 0)
			exit(2);
	}
	note_mounts();
}
