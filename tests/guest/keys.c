/* SPDX-License-Identifier: Apache-2.0 */
/* add_key(2), request_key(2), keyctl(2). Serial numbers are anybody's guess. */
#include <linux/keyctl.h>

#include "case.h"

typedef int32_t serial;

static long ctl(int operation, unsigned long a, unsigned long b, unsigned long c, unsigned long d)
{
	return SYS(SYS_keyctl, operation, a, b, c, d);
}

static serial add(const char *type, const char *name, const char *data, size_t size, serial ring)
{
	return (serial)SYS(SYS_add_key, type, name, data, size, ring);
}

#define RING	  KEY_SPEC_SESSION_KEYRING
#define NEW_RING  OK(ctl(KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0))
#define ID(key)	  ((unsigned long)(key))
#define TEXT(str) ((unsigned long)(str))

static void describe(const char *what, serial key)
{
	char text[256] = "";
	const char *rest;
	long size = ctl(KEYCTL_DESCRIBE, ID(key), TEXT(text), sizeof(text), 0);

	if (size < 0) {
		NOTE("%s: %s", what, errno_name(errno));
		return;
	}
	/* type;uid;gid;perm;description */
	rest = strrchr(text, ';');
	NOTE("%s: %.*s, perm %.8s, \"%s\", size fits: %d", what, (int)strcspn(text, ";"), text,
		rest - 8, rest + 1, size == (long)strlen(text) + 1);
}

/*
 * A user whom nobody else is at this time: quotas are the machine's, and keys that ended count for
 * a moment.
 */
static uid_t user_of_its_own(void)
{
	return 1000000 + (uid_t)getpid();
}

static void become(uid_t uid)
{
	if (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0)
		_exit(97);
}

CASE(key_life)
{
	char buffer[16] = "";
	serial key;

	NEW_RING;
	key = (serial)OK(add("user", "name", "secret", 6, RING));
	describe("key", key);
	CALL(ctl(KEYCTL_READ, ID(key), TEXT(buffer), sizeof(buffer), 0));
	NOTE("%s", buffer);
	CALL(ctl(KEYCTL_READ, ID(key), TEXT(buffer), 3, 0));
	CALL(ctl(KEYCTL_READ, ID(key), 0, 0, 0));
	TRUTH(add("user", "name", "other", 5, RING) == key);
	memset(buffer, 0, sizeof(buffer));
	CALL(ctl(KEYCTL_READ, ID(key), TEXT(buffer), sizeof(buffer), 0));
	NOTE("%s", buffer);
	CALL(ctl(KEYCTL_UPDATE, ID(key), TEXT("third"), 5, 0));
	TRUTH(SYS(SYS_request_key, "user", "name", NULL, 0) == key);
	TRUTH(ctl(KEYCTL_SEARCH, ID(RING), TEXT("user"), TEXT("name"), 0) == key);
	CALL(ctl(KEYCTL_UNLINK, ID(key), ID(RING), 0, 0));
	/* Its number may be known for a moment. */
	TRUTH(ctl(KEYCTL_UNLINK, ID(key), ID(RING), 0, 0) < 0);
	CALL(SYS(SYS_request_key, "user", "name", NULL, 0));
}

CASE(key_errors)
{
	char long_name[64];

	NEW_RING;
	memset(long_name, 'x', sizeof(long_name));
	long_name[63] = 0;
	CALL(add("user", "name", "", 0, RING));
	CALL(add("user", "", "x", 1, RING));
	CALL(add("user", NULL, "x", 1, RING));
	CALL(add("nonsense", "name", "x", 1, RING));
	CALL(add("", "name", "x", 1, RING));
	CALL(add(".user", "name", "x", 1, RING));
	CALL(add(long_name, "name", "x", 1, RING));
	CALL(add("user", "name", (char *)BAD_ADDRESS, 1, RING));
	CALL(add("user", (char *)BAD_ADDRESS, "x", 1, RING));
	CALL(add((char *)BAD_ADDRESS, "name", "x", 1, RING));
	CALL(add("user", "name", "x", 1 << 20, RING));
	CALL(add("keyring", "name", "x", 1, RING));
	CALL(add("keyring", ".name", NULL, 0, RING));
	CALL(add("logon", "name", "x", 1, RING));
	CALL(add("logon", ":name", "x", 1, RING));
	CALL(add("user", "name", "x", 1, 0));
	CALL(add("user", "name", "x", 1, 1));
	CALL(add("user", "name", "x", 1, -6));
	CALL(add("user", "name", "x", 1, -7));
	CALL(add("user", "name", "x", 1, -100));
	CALL(SYS(SYS_request_key, "nonsense", "name", NULL, 0));
	CALL(SYS(SYS_request_key, "user", "nothing", NULL, 0));
	CALL(SYS(SYS_request_key, "user", BAD_ADDRESS, NULL, 0));
	CALL(ctl(1000, 0, 0, 0, 0));
	CALL(ctl(-1, 0, 0, 0, 0));
}

CASE(keyrings_of_a_thread)
{
	serial thread, process;

	NEW_RING;
	CALL(ctl(KEYCTL_GET_KEYRING_ID, ID(KEY_SPEC_THREAD_KEYRING), 0, 0, 0));
	CALL(ctl(KEYCTL_GET_KEYRING_ID, ID(KEY_SPEC_PROCESS_KEYRING), 0, 0, 0));
	thread = (serial)OK(ctl(KEYCTL_GET_KEYRING_ID, ID(KEY_SPEC_THREAD_KEYRING), 1, 0, 0));
	process = (serial)OK(ctl(KEYCTL_GET_KEYRING_ID, ID(KEY_SPEC_PROCESS_KEYRING), 1, 0, 0));
	describe("thread", thread);
	describe("process", process);
	describe("session", RING);
	describe("group", KEY_SPEC_GROUP_KEYRING);
	TRUTH(ctl(KEYCTL_GET_KEYRING_ID, ID(thread), 0, 0, 0) == thread);
	TRUTH(ctl(KEYCTL_GET_KEYRING_ID, ID(KEY_SPEC_THREAD_KEYRING), 0, 0, 0) == thread);
}

CASE(keyrings_of_a_user)
{
	char name[32];

	/* Others of this user may run this case at the same time. */
	snprintf(name, sizeof(name), "case %d", getpid());
	NEW_RING;
	OK(ctl(KEYCTL_GET_KEYRING_ID, ID(KEY_SPEC_USER_KEYRING), 0, 0, 0));
	OK(ctl(KEYCTL_GET_KEYRING_ID, ID(KEY_SPEC_USER_SESSION_KEYRING), 0, 0, 0));
	OK(add("user", name, "x", 1, KEY_SPEC_USER_KEYRING));
	/* Not possessed: nothing of the session's leads there. */
	CALL(SYS(SYS_request_key, "user", name, NULL, 0));
	CALL(ctl(KEYCTL_LINK, ID(KEY_SPEC_USER_KEYRING), ID(RING), 0, 0));
	OK(SYS(SYS_request_key, "user", name, NULL, 0));
	CALL(ctl(KEYCTL_UNLINK, SYS(SYS_request_key, "user", name, NULL, 0),
		ID(KEY_SPEC_USER_KEYRING), 0, 0));
}

CASE(keyrings_after_fork)
{
	serial process, key;
	pid_t pid;

	NEW_RING;
	key = (serial)OK(add("user", "name", "x", 1, RING));
	process = (serial)OK(ctl(KEYCTL_GET_KEYRING_ID, ID(KEY_SPEC_PROCESS_KEYRING), 1, 0, 0));
	pid = fork();
	if (pid == 0) {
		TRUTH(SYS(SYS_request_key, "user", "name", NULL, 0) == key);
		CALL(ctl(KEYCTL_GET_KEYRING_ID, ID(KEY_SPEC_PROCESS_KEYRING), 0, 0, 0));
		(void)process;
		NEW_RING;
		CALL(SYS(SYS_request_key, "user", "name", NULL, 0));
		describe("no longer possessed", key);
		fflush(stdout);
		_exit(0);
	}
	note_wait("child", pid);
	TRUTH(SYS(SYS_request_key, "user", "name", NULL, 0) == key);
}

CASE(named_session)
{
	char name[32], text[128] = "";
	serial first;
	pid_t pid;

	/* Others may run this case at the same time. */
	snprintf(name, sizeof(name), "sentry-case-%d", getpid());
	first = (serial)OK(ctl(KEYCTL_JOIN_SESSION_KEYRING, TEXT(name), 0, 0, 0));
	OK(ctl(KEYCTL_DESCRIBE, ID(first), TEXT(text), sizeof(text), 0));
	TRUTH(strstr(text, name) != NULL);
	TRUTH(strstr(text, ";3f130000;") != NULL);
	CALL(ctl(KEYCTL_JOIN_SESSION_KEYRING, TEXT(".dot"), 0, 0, 0));
	CALL(ctl(KEYCTL_JOIN_SESSION_KEYRING, TEXT(BAD_ADDRESS), 0, 0, 0));
	CALL(ctl(KEYCTL_SETPERM, ID(RING), 0x3f3f0000, 0, 0));
	pid = fork();
	if (pid == 0) {
		NEW_RING;
		TRUTH(ctl(KEYCTL_JOIN_SESSION_KEYRING, TEXT(name), 0, 0, 0) == first);
		fflush(stdout);
		_exit(0);
	}
	note_wait("child", pid);
}

CASE(key_permissions)
{
	char buffer[16];
	serial key;

	NEW_RING;
	key = (serial)OK(add("user", "name", "x", 1, RING));
	CALL(ctl(KEYCTL_SETPERM, ID(key), 0x3f000000, 0, 0));
	CALL(ctl(KEYCTL_SETPERM, ID(key), 0xffffffff, 0, 0));
	CALL(ctl(KEYCTL_SETPERM, ID(key), 0x3d000000, 0, 0));
	/* Whoever may find it may read it. */
	CALL(ctl(KEYCTL_READ, ID(key), TEXT(buffer), sizeof(buffer), 0));
	CALL(ctl(KEYCTL_SETPERM, ID(key), 0x20000000, 0, 0));
	CALL(ctl(KEYCTL_DESCRIBE, ID(key), 0, 0, 0));
	CALL(ctl(KEYCTL_UPDATE, ID(key), TEXT("y"), 1, 0));
	CALL(ctl(KEYCTL_LINK, ID(key), ID(KEY_SPEC_USER_KEYRING), 0, 0));
	CALL(SYS(SYS_request_key, "user", "name", NULL, 0));
	CALL(ctl(KEYCTL_INVALIDATE, ID(key), 0, 0, 0));
	CALL(ctl(KEYCTL_SETPERM, ID(key), 0x00000000, 0, 0));
	CALL(ctl(KEYCTL_SETPERM, ID(key), 0x3f000000, 0, 0));
	CALL(ctl(KEYCTL_REVOKE, ID(key), 0, 0, 0));
	CALL(ctl(KEYCTL_CHOWN, ID(key), -1ul, -1ul, 0));
}

CASE(keys_that_ended)
{
	serial key;

	NEW_RING;
	key = (serial)OK(add("user", "revoked", "x", 1, RING));
	CALL(ctl(KEYCTL_REVOKE, ID(key), 0, 0, 0));
	CALL(ctl(KEYCTL_DESCRIBE, ID(key), 0, 0, 0));
	CALL(SYS(SYS_request_key, "user", "revoked", NULL, 0));
	CALL(ctl(KEYCTL_READ, ID(key), 0, 0, 0));
	CALL(ctl(KEYCTL_UNLINK, ID(key), ID(RING), 0, 0));
	key = (serial)OK(add("user", "invalid", "x", 1, RING));
	CALL(ctl(KEYCTL_INVALIDATE, ID(key), 0, 0, 0));
	CALL(ctl(KEYCTL_DESCRIBE, ID(key), 0, 0, 0));
	key = (serial)OK(add("user", "timed", "x", 1, RING));
	CALL(ctl(KEYCTL_SET_TIMEOUT, ID(key), 1000, 0, 0));
	CALL(ctl(KEYCTL_SET_TIMEOUT, ID(key), 0, 0, 0));
	CALL(ctl(KEYCTL_SET_TIMEOUT, 1, 0, 0, 0));
}

CASE(logon_keys)
{
	char buffer[16];
	serial key;

	NEW_RING;
	key = (serial)OK(add("logon", "a:b", "secret", 6, RING));
	describe("key", key);
	CALL(ctl(KEYCTL_READ, ID(key), TEXT(buffer), sizeof(buffer), 0));
	CALL(ctl(KEYCTL_UPDATE, ID(key), TEXT("new"), 3, 0));
}

CASE(rings_in_rings)
{
	serial ring, inner, key, read[8] = {0};
	int depth = 0;

	NEW_RING;
	ring = (serial)OK(add("keyring", "outer", NULL, 0, RING));
	inner = (serial)OK(add("keyring", "inner", NULL, 0, ring));
	key = (serial)OK(add("user", "deep", "x", 1, inner));
	describe("ring", ring);
	TRUTH(SYS(SYS_request_key, "user", "deep", NULL, 0) == key);
	CALL(ctl(KEYCTL_LINK, ID(ring), ID(inner), 0, 0));
	CALL(ctl(KEYCTL_LINK, ID(ring), ID(ring), 0, 0));
	CALL(ctl(KEYCTL_LINK, ID(key), ID(ring), 0, 0));
	CALL(ctl(KEYCTL_READ, ID(ring), TEXT(read), sizeof(read), 0));
	TRUTH((read[0] == inner && read[1] == key) || (read[1] == inner && read[0] == key));
	CALL(ctl(KEYCTL_LINK, ID(key), ID(key), 0, 0));
	CALL(ctl(KEYCTL_UNLINK, ID(key), ID(key), 0, 0));
	CALL(ctl(KEYCTL_CLEAR, ID(key), 0, 0, 0));
	CALL(ctl(KEYCTL_CLEAR, ID(inner), 0, 0, 0));
	CALL(ctl(KEYCTL_UPDATE, ID(ring), 0, 0, 0));
	CALL(ctl(KEYCTL_SEARCH, ID(key), TEXT("user"), TEXT("deep"), 0));
	CALL(ctl(KEYCTL_SEARCH, ID(ring), TEXT("nonsense"), TEXT("deep"), 0));
	CALL(ctl(KEYCTL_SEARCH, ID(ring), TEXT("user"), TEXT("nothing"), 0));
	TRUTH(ctl(KEYCTL_SEARCH, ID(ring), TEXT("user"), TEXT("deep"), ID(RING)) == key);
	CALL(ctl(KEYCTL_MOVE, ID(key), ID(ring), ID(inner), 0));
	CALL(ctl(KEYCTL_MOVE, ID(key), ID(ring), ID(inner), 0));
	CALL(ctl(KEYCTL_MOVE, ID(key), ID(inner), ID(RING), KEYCTL_MOVE_EXCL));
	CALL(ctl(KEYCTL_MOVE, ID(key), ID(inner), ID(RING), 2));
	for (serial at = ring; depth < 20; depth++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", depth);
		at = add("keyring", name, NULL, 0, at);
		if (at < 0)
			break;
	}
	NOTE("depth %d", depth);
}

CASE(key_quota)
{
	serial key = 0;
	int count = 0;

	if (geteuid() != 0)
		SKIP("needs root");
	become(user_of_its_own());
	NEW_RING;
	for (; count < 300 && key >= 0; count++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", count);
		key = add("user", name, "x", 1, RING);
	}
	NOTE("%s", errno_name(errno));
	TRUTH(count > 150 && count < 250);
}

CASE(keyctl_of_nothing)
{
	unsigned char caps[4];

	NEW_RING;
	CALL(ctl(KEYCTL_SET_REQKEY_KEYRING, ID(KEY_REQKEY_DEFL_NO_CHANGE), 0, 0, 0));
	CALL(ctl(KEYCTL_SET_REQKEY_KEYRING, ID(KEY_REQKEY_DEFL_SESSION_KEYRING), 0, 0, 0));
	CALL(ctl(KEYCTL_SET_REQKEY_KEYRING, ID(KEY_REQKEY_DEFL_NO_CHANGE), 0, 0, 0));
	CALL(ctl(KEYCTL_SET_REQKEY_KEYRING, 77, 0, 0, 0));
	CALL(ctl(KEYCTL_ASSUME_AUTHORITY, 0, 0, 0, 0));
	CALL(ctl(KEYCTL_ASSUME_AUTHORITY, -5ul, 0, 0, 0));
	CALL(ctl(KEYCTL_INSTANTIATE, 1, 0, 0, 0));
	CALL(ctl(KEYCTL_NEGATE, 1, 0, 0, 0));
	CALL(ctl(KEYCTL_GET_SECURITY, 1, 0, 0, 0));
	CALL(ctl(KEYCTL_GET_SECURITY, ID(RING), 0, 0, 0));
	CALL(ctl(KEYCTL_CAPABILITIES, TEXT(caps), 4, 0, 0));
	TRUTH(caps[0] & KEYCTL_CAPS0_INVALIDATE);
	TRUTH(caps[3] == 0);
}

/* Many ways lead through few rings. */
CASE(rings_in_a_lattice)
{
	enum { WIDTH = 3, DEPTH = 4 };
	serial rings[DEPTH][WIDTH], key;

	NEW_RING;
	for (int d = 0; d < DEPTH; d++) {
		for (int w = 0; w < WIDTH; w++) {
			char name[16];

			snprintf(name, sizeof(name), "%d-%d", d, w);
			rings[d][w] = (serial)OK(
				add("keyring", name, NULL, 0, d ? rings[d - 1][0] : RING));
			for (int up = 1; d && up < WIDTH; up++)
				OK(ctl(KEYCTL_LINK, ID(rings[d][w]), ID(rings[d - 1][up]), 0, 0));
		}
	}
	CALL(SYS(SYS_request_key, "user", "deep", NULL, 0));
	key = (serial)OK(add("user", "deep", "x", 1, rings[DEPTH - 1][WIDTH - 1]));
	TRUTH(SYS(SYS_request_key, "user", "deep", NULL, 0) == key);
	CALL(ctl(KEYCTL_LINK, ID(rings[0][0]), ID(rings[DEPTH - 1][0]), 0, 0));
	CALL(ctl(KEYCTL_INVALIDATE, ID(key), 0, 0, 0));
	CALL(ctl(KEYCTL_CLEAR, ID(RING), 0, 0, 0));
}

CASE(request_into_a_ring)
{
	serial key, ring, other;

	NEW_RING;
	ring = (serial)OK(add("keyring", "ring", NULL, 0, RING));
	key = (serial)OK(add("user", "name", "x", 1, RING));
	other = (serial)OK(add("user", "other", "x", 1, RING));
	TRUTH(SYS(SYS_request_key, "user", "name", NULL, ring) == key);
	CALL(ctl(KEYCTL_READ, ID(ring), 0, 0, 0));
	CALL(SYS(SYS_request_key, "user", "name", NULL, key));
	CALL(SYS(SYS_request_key, "user", "name", NULL, 1));
	CALL(SYS(SYS_request_key, "user", "nothing", NULL, ring));
	/* All but to link it. */
	CALL(ctl(KEYCTL_SETPERM, ID(other), 0x2f2f0000, 0, 0));
	CALL(SYS(SYS_request_key, "user", "other", NULL, ring));
	CALL(ctl(KEYCTL_SEARCH, ID(RING), TEXT("user"), TEXT("other"), ID(ring)));
	CALL(ctl(KEYCTL_READ, ID(ring), 0, 0, 0));
}

/* A ring that many keys went through, and one that another user asks for. */
CASE(rings_of_others)
{
	const uid_t other = user_of_its_own();
	serial ring, key;
	pid_t pid;

	NEW_RING;
	ring = (serial)OK(add("keyring", "ring", NULL, 0, RING));
	for (int i = 0; i < 20; i++) {
		key = (serial)OK(add("user", "name", "x", 1, ring));
		if (ctl(KEYCTL_UNLINK, ID(key), ID(ring), 0, 0) < 0)
			_exit(97);
	}
	CALL(ctl(KEYCTL_READ, ID(ring), 0, 0, 0));
	key = (serial)OK(add("user", "name", "x", 1, ring));
	if (geteuid() != 0)
		SKIP("needs root");
	pid = fork();
	if (pid == 0) {
		become(other);
		/* The session stays, with all that it possesses. */
		TRUTH(SYS(SYS_request_key, "user", "name", NULL, 0) == key);
		CALL(ctl(KEYCTL_UPDATE, ID(key), TEXT("y"), 1, 0));
		CALL(ctl(KEYCTL_SETPERM, ID(key), 0x3f3f3f3f, 0, 0));
		CALL(ctl(KEYCTL_CHOWN, ID(key), other, -1ul, 0));
		NEW_RING;
		CALL(ctl(KEYCTL_READ, ID(key), 0, 0, 0));
		CALL(ctl(KEYCTL_LINK, ID(key), ID(RING), 0, 0));
		CALL(ctl(KEYCTL_REVOKE, ID(key), 0, 0, 0));
		CALL(ctl(KEYCTL_INVALIDATE, ID(key), 0, 0, 0));
		CALL(ctl(KEYCTL_CLEAR, ID(ring), 0, 0, 0));
		fflush(stdout);
		_exit(0);
	}
	note_wait("child", pid);
	CALL(ctl(KEYCTL_CHOWN, ID(key), other, other, 0));
	describe("given away", key);
}
