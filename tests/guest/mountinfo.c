/* SPDX-License-Identifier: Apache-2.0 */
/* statmount(2) and listmount(2). */
#include <sys/sysmacros.h>

#include "case.h"

#define NR_STATMOUNT  457
#define NR_LISTMOUNT  458
#define MNT_ID_UNIQUE 0x4000
#define LSMT_ROOT     0xffffffffffffffffull

struct request {
	uint32_t size, spare;
	uint64_t id, param;
};

struct answer {
	uint32_t size, options;
	uint64_t mask;
	uint32_t major, minor;
	uint64_t magic;
	uint32_t sb_flags, fs_type;
	uint64_t id, parent;
	uint32_t old_id, old_parent;
	uint64_t attr, propagation, group, master, from;
	uint32_t root, point;
	uint64_t more[50];
	char strings[4096];
};

static uint64_t id_of(const char *path)
{
	struct statx stx;

	if (SYS(SYS_statx, AT_FDCWD, path, 0, MNT_ID_UNIQUE, &stx) < 0 ||
		!(stx.stx_mask & MNT_ID_UNIQUE))
		return 0;
	return stx.stx_mnt_id;
}

static void need(void)
{
	if (SYS(NR_LISTMOUNT, NULL, NULL, 0, 0) < 0 && errno == ENOSYS)
		SKIP("no listmount");
	TRUTH(id_of("/proc") > 1ull << 31);
}

CASE(stat_of_proc)
{
	struct request request = {sizeof(request), 0, 0, 0x3b};
	struct answer answer;
	struct stat st;

	need();
	request.id = id_of("/proc");
	memset(&answer, 0x55, sizeof(answer));
	CALL(SYS(NR_STATMOUNT, &request, &answer, sizeof(answer), 0));
	NOTE("mask %llx", (unsigned long long)answer.mask & 0x3f);
	NOTE("type %s point %s root %s", answer.strings + answer.fs_type,
		answer.strings + answer.point, answer.strings + answer.root);
	NOTE("magic %llx own id %d parent %d", (unsigned long long)answer.magic,
		answer.id == request.id, answer.parent == id_of("/"));
	stat("/proc", &st);
	NOTE("device %d", makedev(answer.major, answer.minor) == st.st_dev);
	request.param = 0x20;
	CALL(SYS(NR_STATMOUNT, &request, &answer, sizeof(answer), 0));
	NOTE("mask %llx size %u", (unsigned long long)answer.mask, answer.size);
	CALL(SYS(NR_STATMOUNT, &request, &answer, 514, 0));
	CALL(SYS(NR_STATMOUNT, &request, &answer, 512, 0));
	request.param = 2;
	answer.size = 0;
	CALL(SYS(NR_STATMOUNT, &request, &answer, 80, 0));
	NOTE("size %u", answer.size);
}

CASE(list)
{
	struct request request = {sizeof(request), 0, LSMT_ROOT, 0};
	static uint64_t ids[1024];
	uint64_t proc, one;
	long n, found = 0, sorted = 1;

	need();
	proc = id_of("/proc");
	n = SYS(NR_LISTMOUNT, &request, ids, 1024, 0);
	TRUTH(n > 1);
	for (long i = 0; i < n; i++) {
		found += ids[i] == proc;
		sorted &= i == 0 || ids[i] > ids[i - 1];
	}
	NOTE("found %ld sorted %ld", found, sorted);
	CALL(SYS(NR_LISTMOUNT, &request, &one, 1, 0));
	TRUTH(one == ids[0]);
	request.param = ids[0];
	CALL(SYS(NR_LISTMOUNT, &request, &one, 1, 0));
	TRUTH(one == ids[1]);
	request.param = ids[n - 1];
	CALL(SYS(NR_LISTMOUNT, &request, &one, 1, 0));
	CALL(SYS(NR_LISTMOUNT, &request, &one, 0, 0));
}

CASE(errors)
{
	struct request request = {sizeof(request), 0, LSMT_ROOT, 0};
	struct answer answer;
	uint64_t one;

	need();
	CALL(SYS(NR_LISTMOUNT, &request, &one, 1, 0x8000));
	CALL(SYS(NR_LISTMOUNT, &request, &one, 1000001, 0));
	CALL(SYS(NR_LISTMOUNT, BAD_ADDRESS, &one, 1, 0));
	CALL(SYS(NR_LISTMOUNT, &request, BAD_ADDRESS, 1, 0));
	request.size = 20;
	CALL(SYS(NR_LISTMOUNT, &request, &one, 1, 0));
	request.size = 5000;
	CALL(SYS(NR_LISTMOUNT, &request, &one, 1, 0));
	request.size = sizeof(request);
	request.id = 5;
	CALL(SYS(NR_LISTMOUNT, &request, &one, 1, 0));
	CALL(SYS(NR_STATMOUNT, &request, &answer, sizeof(answer), 0));
	request.id = 1ull << 60;
	CALL(SYS(NR_LISTMOUNT, &request, &one, 1, 0));
	CALL(SYS(NR_STATMOUNT, &request, &answer, sizeof(answer), 0));
	CALL(SYS(NR_STATMOUNT, &request, &answer, sizeof(answer), 1));
	request.id = id_of("/proc");
	request.param = 2;
	CALL(SYS(NR_STATMOUNT, &request, BAD_ADDRESS, sizeof(answer), 0));
}

CASE(statmount_without_memory)
{
	struct request request = {.size = 24, .id = id_of("/"), .param = 1};

	if (!request.id)
		SKIP("no mount numbers");
	CALL(SYS(NR_STATMOUNT, BAD_ADDRESS, &request, 512, 0));
	CALL(SYS(NR_STATMOUNT, &request, BAD_ADDRESS, 512, 0));
	CALL(SYS(NR_STATMOUNT, &request, &request, 512, 1));
}
