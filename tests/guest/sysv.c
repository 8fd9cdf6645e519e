/* SPDX-License-Identifier: Apache-2.0 */
/* System V IPC (sysvipc(7)): keys and permissions, shared memory, semaphores with undo, messages.
 */
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

#include "memory.h"

#ifndef MSG_COPY
#define MSG_COPY 040000
#endif
#ifndef SHM_STAT_ANY
#define SHM_STAT_ANY 15
#endif

/* Unlike that of any other run on the machine. */
static key_t key_of(int n)
{
	return (key_t)(0x5e000000 + ((int)getpid() % 0x40000) * 16 + n);
}

static int new_shm(size_t size)
{
	int id = shmget(IPC_PRIVATE, size, 0600);

	if (id < 0) {
		NOTE("shmget: %s", errno_name(errno));
		exit(1);
	}
	return id;
}

static void note_shm(const char *what, int id)
{
	struct shmid_ds ds;

	if (shmctl(id, IPC_STAT, &ds) < 0) {
		NOTE("%s: %s", what, errno_name(errno));
		return;
	}
	NOTE("%s: size %zu mode %o attached %lu creator %d last %d", what, ds.shm_segsz,
		ds.shm_perm.mode, (unsigned long)ds.shm_nattch, ds.shm_cpid == getpid(),
		ds.shm_lpid == getpid());
}

/* A child's outcome, for the parent to show: what it prints itself would race with the parent. */
static void leave(long result)
{
	_exit(result < 0 ? errno : 0);
}

/* ---- keys ---- */

CASE(shm_keys)
{
	key_t key = key_of(1);

	CALL(shmget(key, 4096, 0600));
	int id = OK(shmget(key, 4096, IPC_CREAT | 0600));
	TRUTH(shmget(key, 4096, 0600) == id);
	TRUTH(shmget(key, 0, 0) == id);
	TRUTH(shmget(key, 100, IPC_CREAT | 0600) == id);
	CALL(shmget(key, 4097, 0600));
	CALL(shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0600));
	CALL(shmget(IPC_PRIVATE, 0, 0600));
	CALL(shmget(IPC_PRIVATE, (size_t)-1, 0600));
	CALL(shmctl(id, IPC_RMID, NULL));
	CALL(shmctl(id, IPC_RMID, NULL));
	CALL(shmget(key, 4096, 0600));
	int again = OK(shmget(key, 4096, IPC_CREAT | 0600));
	TRUTH(again != id);
	CALL(shmctl(again, IPC_RMID, NULL));
}

CASE(ipc_bad_ids)
{
	struct sembuf op = {0, 1, 0};
	struct msgbuf message = {1, {0}};

	CALL(shmctl(-1, IPC_STAT, NULL));
	CALL(shmctl(0x7ffffff0, IPC_RMID, NULL));
	CALL(shmctl(0x7ffffff0, 99, NULL));
	CALL((long)shmat(-1, NULL, 0));
	CALL((long)shmat(0x7ffffff0, NULL, 0));
	CALL(shmdt((void *)0x1000));
	CALL(shmdt((void *)0x1001));
	CALL(semctl(-1, 0, GETVAL));
	CALL(semctl(0x7ffffff0, 0, GETVAL));
	CALL(semctl(0x7ffffff0, 0, 99));
	CALL(semop(-1, &op, 1));
	CALL(semop(0x7ffffff0, &op, 1));
	CALL(semop(0x7ffffff0, &op, 0));
	CALL(semop(0x7ffffff0, &op, 501));
	CALL(semop(0x7ffffff0, BAD_ADDRESS, 1));
	CALL(msgctl(-1, IPC_STAT, NULL));
	CALL(msgctl(0x7ffffff0, IPC_RMID, NULL));
	CALL(msgctl(0x7ffffff0, 99, NULL));
	CALL(msgsnd(0x7ffffff0, &message, 1, 0));
	CALL(msgsnd(-1, &message, 1, 0));
	CALL(msgrcv(0x7ffffff0, &message, 1, 0, 0));
	CALL(msgrcv(-1, &message, 1, 0, 0));
}

CASE(ipc_permissions)
{
	int shm = OK(shmget(IPC_PRIVATE, 4096, 0604)), sem = OK(semget(IPC_PRIVATE, 1, 0600));
	int msg = OK(msgget(IPC_PRIVATE, 0602));
	key_t key = key_of(2);
	int keyed = OK(semget(key, 1, IPC_CREAT | 0640));
	pid_t pid;

	if (geteuid() != 0)
		SKIP("needs root");
	pid = fork();
	if (pid == 0) {
		struct sembuf up = {0, 1, 0}, zero = {0, 0, IPC_NOWAIT};
		struct {
			long type;
			char text[8];
		} m = {1, "hello"};
		struct shmid_ds sds;
		struct semid_ds eds;

		drop();
		CALL((long)shmat(shm, NULL, 0));
		OK((long)shmat(shm, NULL, SHM_RDONLY));
		CALL((long)shmat(shm, NULL, SHM_RDONLY | SHM_EXEC));
		CALL(shmctl(shm, IPC_STAT, &sds));
		CALL(shmctl(shm, IPC_SET, &sds));
		CALL(shmctl(shm, IPC_RMID, NULL));
		CALL(shmctl(shm, SHM_LOCK, NULL));
		CALL(semop(sem, &up, 1));
		CALL(semop(sem, &zero, 1));
		CALL(semctl(sem, 0, GETVAL));
		CALL(semctl(sem, 0, SETVAL, 1));
		CALL(semctl(sem, 0, IPC_STAT, &eds));
		CALL(semctl(sem, 0, IPC_RMID));
		CALL(semget(key, 1, 0400));
		OK(semget(key, 1, 0));
		CALL(semget(key, 2, 0));
		CALL(msgsnd(msg, &m, 5, 0));
		CALL(msgrcv(msg, &m, 5, 0, IPC_NOWAIT));
		CALL(msgctl(msg, IPC_RMID, NULL));
		_exit(0);
	}
	note_wait("child", pid);
	shmctl(shm, IPC_RMID, NULL);
	semctl(sem, 0, IPC_RMID);
	semctl(keyed, 0, IPC_RMID);
	msgctl(msg, IPC_RMID, NULL);
}

CASE(ipc_set)
{
	int id = new_shm(4096), sem = OK(semget(IPC_PRIVATE, 2, 0600)),
	    msg = OK(msgget(IPC_PRIVATE, 0600));
	struct shmid_ds ds;
	struct semid_ds sds;
	struct msqid_ds mds;

	CALL(shmctl(id, IPC_STAT, &ds));
	ds.shm_perm.mode = 01777;
	CALL(shmctl(id, IPC_SET, &ds));
	note_shm("after", id);
	ds.shm_perm.uid = (uid_t)-1;
	CALL(shmctl(id, IPC_SET, &ds));
	CALL(shmctl(id, IPC_SET, BAD_ADDRESS));
	CALL(shmctl(id, IPC_STAT, BAD_ADDRESS));
	CALL(semctl(sem, 0, IPC_STAT, &sds));
	NOTE("sem: mode %o count %lu otime %d ctime %d", sds.sem_perm.mode,
		(unsigned long)sds.sem_nsems, sds.sem_otime != 0, sds.sem_ctime != 0);
	sds.sem_perm.mode = 0666;
	CALL(semctl(sem, 0, IPC_SET, &sds));
	CALL(semctl(sem, 0, IPC_STAT, &sds));
	NOTE("sem: mode %o", sds.sem_perm.mode);
	CALL(msgctl(msg, IPC_STAT, &mds));
	NOTE("msg: mode %o qbytes %lu qnum %lu", mds.msg_perm.mode, (unsigned long)mds.msg_qbytes,
		(unsigned long)mds.msg_qnum);
	mds.msg_qbytes = 100;
	CALL(msgctl(msg, IPC_SET, &mds));
	CALL(msgctl(msg, IPC_STAT, &mds));
	NOTE("msg: qbytes %lu", (unsigned long)mds.msg_qbytes);
	shmctl(id, IPC_RMID, NULL);
	semctl(sem, 0, IPC_RMID);
	msgctl(msg, IPC_RMID, NULL);
}

CASE(ipc_info)
{
	struct shminfo shm;
	struct seminfo sem;
	struct msginfo msg;

	OK(shmctl(0, IPC_INFO, (struct shmid_ds *)&shm));
	NOTE("min %lu mni %lu seg %lu", shm.shmmin, shm.shmmni, shm.shmseg);
	OK(semctl(0, 0, IPC_INFO, &sem));
	NOTE("mni %d mns %d msl %d opm %d vmx %d aem %d ume %d", sem.semmni, sem.semmns, sem.semmsl,
		sem.semopm, sem.semvmx, sem.semaem, sem.semume);
	OK(msgctl(0, IPC_INFO, (struct msqid_ds *)&msg));
	NOTE("max %d mnb %d mni %d", msg.msgmax, msg.msgmnb, msg.msgmni);
	CALL(shmctl(0, IPC_INFO, BAD_ADDRESS));
	CALL(shmctl(-1, IPC_INFO, (struct shmid_ds *)&shm));
}

CASE(ipc_stat_by_index)
{
	int id = new_shm(4096), found = 0;
	struct shmid_ds ds;
	struct shm_info info;
	int last = shmctl(0, SHM_INFO, (struct shmid_ds *)&info);

	for (int i = 0; i <= last; i++)
		found += shmctl(i, SHM_STAT, &ds) == id;
	NOTE("found %d", found);
	TRUTH(info.used_ids >= 1);
	found = 0;
	for (int i = 0; i <= last; i++)
		found += shmctl(i, SHM_STAT_ANY, &ds) == id;
	NOTE("found %d", found);
	CALL(shmctl(32000, SHM_STAT, &ds));
	shmctl(id, IPC_RMID, NULL);
}

/* ---- shared memory ---- */

CASE(shm_share)
{
	int id = new_shm(10000);
	char *p = shmat(id, NULL, 0), *q;
	pid_t pid;

	TRUTH(p != MAP_FAILED);
	note_shm("attached", id);
	strcpy(p, "from the parent");
	pid = fork();
	if (pid == 0) {
		NOTE("child reads %s", p);
		note_shm("in the child", id);
		strcpy(p + 8192, "from the child");
		CALL(shmdt(p));
		CALL(shmdt(p));
		_exit(0);
	}
	note_wait("child", pid);
	NOTE("parent reads %s", p + 8192);
	q = shmat(id, NULL, SHM_RDONLY);
	TRUTH(q != p);
	NOTE("second mapping reads %s", q);
	note_shm("twice", id);
	probe("first", p);
	probe("read-only", q);
	CALL(mprotect(q, P, PROT_READ | PROT_WRITE));
	probe("last page", p + 2 * P);
	CALL(shmdt(q));
	CALL(shmdt(p + P));
	CALL(shmdt(p));
	probe("gone", p);
	note_shm("detached", id);
	CALL(shmctl(id, IPC_RMID, NULL));
	CALL((long)shmat(id, NULL, 0));
}

CASE(shm_address)
{
	int id = new_shm(2 * P);
	char *room = mmap(NULL, 16 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CALL((long)shmat(id, room, 0));
	munmap(room, 16 * P);
	TRUTH(shmat(id, room + 4 * P, 0) == room + 4 * P);
	CALL((long)shmat(id, room + 5 * P, 0));
	CALL((long)shmat(id, room + 8 * P + 1, 0));
	TRUTH(shmat(id, room + 8 * P + 1, SHM_RND) == room + 8 * P);
	CALL((long)shmat(id, NULL, SHM_REMAP));
	strcpy(room + 4 * P, "abc");
	TRUTH(shmat(id, room + 9 * P, SHM_REMAP) == room + 9 * P);
	probe("remapped", room + 9 * P);
	note_shm("three", id);
	CALL(shmdt(room + 8 * P));
	note_shm("after the first", id);
	CALL(shmdt(room + 9 * P));
	CALL(shmdt(room + 4 * P));
	note_shm("none", id);
	shmctl(id, IPC_RMID, NULL);
}

CASE(shm_removed_while_attached)
{
	key_t key = key_of(3);
	int id = OK(shmget(key, P, IPC_CREAT | 0600));
	char *p = shmat(id, NULL, 0), *q;

	CALL(shmctl(id, IPC_RMID, NULL));
	CALL(shmget(key, P, 0));
	note_shm("removed", id);
	q = shmat(id, NULL, 0);
	TRUTH(q != MAP_FAILED);
	strcpy(p, "still");
	NOTE("%s", q);
	CALL(shmdt(p));
	note_shm("one left", id);
	CALL(shmdt(q));
	note_shm("none left", id);
}

CASE(shm_split)
{
	int id = new_shm(4 * P);
	char *p = shmat(id, NULL, 0);

	CALL(mprotect(p + P, P, PROT_READ));
	note_shm("split", id);
	CALL(mprotect(p + P, P, PROT_READ | PROT_WRITE));
	note_shm("alike again", id);
	CALL(munmap(p, P));
	note_shm("first page gone", id);
	CALL(shmdt(p));
	note_shm("detached", id);
	CALL(shmdt(p));
	shmctl(id, IPC_RMID, NULL);
}

CASE(shm_exec_and_exit_detach)
{
	int id = new_shm(P);
	pid_t pid = fork();

	if (pid == 0) {
		(void)shmat(id, NULL, 0);
		(void)shmat(id, NULL, 0);
		note_shm("child", id);
		_exit(0);
	}
	note_wait("child", pid);
	note_shm("after exit", id);
	pid = fork();
	if (pid == 0) {
		(void)shmat(id, NULL, 0);
		shmctl(id, IPC_RMID, NULL);
		execl("/bin/true", "true", NULL);
		_exit(1);
	}
	note_wait("exec", pid);
	note_shm("after exec", id);
}

CASE(shm_maps_line)
{
	key_t key = key_of(4);
	int id = OK(shmget(key, 3 * P, IPC_CREAT | 0600));
	char *p = shmat(id, NULL, 0), wanted[64], line[512];
	FILE *maps = fopen("/proc/self/maps", "r");
	int found = 0;

	snprintf(wanted, sizeof(wanted), "/SYSV%08x (deleted)", (unsigned)key);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, wanted))
			found += strstr(line, "rw-s") != NULL;
	fclose(maps);
	NOTE("lines %d", found);
	shmdt(p);
	shmctl(id, IPC_RMID, NULL);
}

CASE(shm_lock)
{
	int id = new_shm(P);

	CALL(shmctl(id, SHM_LOCK, NULL));
	note_shm("locked", id);
	CALL(shmctl(id, SHM_UNLOCK, NULL));
	note_shm("unlocked", id);
	shmctl(id, IPC_RMID, NULL);
}

/* ---- semaphores ---- */

static int new_sem(int count)
{
	int id = semget(IPC_PRIVATE, count, 0600);

	if (id < 0)
		NOTE("semget: %s", errno_name(errno));
	return id;
}

static int op1(int id, int index, int value, int flags)
{
	struct sembuf op = {(unsigned short)index, (short)value, (short)flags};

	return semop(id, &op, 1);
}

/* Waits until @count processes sleep on semaphore 0. */
static void await(int id, int cmd, int count)
{
	for (int i = 0; i < 2000 && semctl(id, 0, cmd) != count; i++)
		sleep_ms(2);
}

CASE(semget_errors)
{
	key_t key = key_of(5);

	CALL(semget(IPC_PRIVATE, 0, 0600));
	CALL(semget(IPC_PRIVATE, -1, 0600));
	CALL(semget(IPC_PRIVATE, 32001, 0600));
	CALL(semget(key, 0, 0600));
	int id = OK(semget(key, 3, IPC_CREAT | 0600));
	TRUTH(semget(key, 0, 0) == id);
	CALL(semget(key, 4, 0600));
	CALL(semctl(id, 0, IPC_RMID));
}

CASE(sem_values)
{
	int id = new_sem(3);
	unsigned short all[3] = {1, 2, 3}, back[3] = {0};

	CALL(semctl(id, 0, GETVAL));
	CALL(semctl(id, 0, GETPID));
	CALL(semctl(id, 0, SETVAL, 5));
	CALL(semctl(id, 0, GETVAL));
	CALL(semctl(id, 0, SETVAL, -1));
	CALL(semctl(id, 0, SETVAL, 32768));
	CALL(semctl(id, 0, SETVAL, 32767));
	CALL(semctl(id, 3, SETVAL, 1));
	CALL(semctl(id, -1, GETVAL));
	CALL(semctl(id, 3, GETVAL));
	CALL(semctl(id, 0, SETALL, all));
	CALL(semctl(id, 0, GETALL, back));
	NOTE("%d %d %d", back[0], back[1], back[2]);
	all[1] = 40000;
	CALL(semctl(id, 0, SETALL, all));
	CALL(semctl(id, 0, SETALL, BAD_ADDRESS));
	CALL(semctl(id, 0, GETALL, BAD_ADDRESS));
	TRUTH(semctl(id, 2, GETPID) == getpid());
	CALL(semctl(id, 0, GETNCNT));
	CALL(semctl(id, 0, GETZCNT));
	semctl(id, 0, IPC_RMID);
}

CASE(semop_all_or_nothing)
{
	int id = new_sem(3);
	struct sembuf ops[] = {{0, 2, 0}, {1, 3, 0}, {2, -1, IPC_NOWAIT}};
	struct sembuf twice[] = {{0, 2, 0}, {0, -1, 0}, {0, -1, 0}, {0, 0, 0}};
	struct semid_ds ds;

	CALL(semop(id, ops, 3));
	CALL(semctl(id, 0, GETVAL));
	CALL(semctl(id, 1, GETVAL));
	ops[2].sem_op = 1;
	CALL(semop(id, ops, 3));
	CALL(semctl(id, 0, GETVAL));
	CALL(semctl(id, 1, GETVAL));
	CALL(semctl(id, 2, GETVAL));
	CALL(op1(id, 0, -2, 0));
	CALL(semop(id, twice, 4));
	CALL(semctl(id, 0, GETVAL));
	CALL(op1(id, 1, 32767, 0));
	CALL(op1(id, 3, 1, 0));
	CALL(op1(id, 1, 0, IPC_NOWAIT));
	CALL(op1(id, 0, 0, IPC_NOWAIT));
	CALL(semctl(id, 0, IPC_STAT, &ds));
	TRUTH(ds.sem_otime != 0);
	semctl(id, 0, IPC_RMID);
}

CASE(sem_wait_and_wake)
{
	int id = new_sem(1);
	pid_t pid = fork();

	if (pid == 0) {
		leave(op1(id, 0, -2, 0));
	}
	await(id, GETNCNT, 1);
	CALL(semctl(id, 0, GETNCNT));
	CALL(semctl(id, 0, GETZCNT));
	CALL(op1(id, 0, 1, 0));
	CALL(semctl(id, 0, GETNCNT));
	CALL(op1(id, 0, 1, 0));
	note_wait("child", pid);
	CALL(semctl(id, 0, GETVAL));
	TRUTH(semctl(id, 0, GETPID) == pid);
	semctl(id, 0, IPC_RMID);
}

CASE(sem_wait_for_zero)
{
	int id = new_sem(1);
	pid_t pid;

	CALL(semctl(id, 0, SETVAL, 2));
	pid = fork();
	if (pid == 0) {
		leave(op1(id, 0, 0, 0));
	}
	await(id, GETZCNT, 1);
	CALL(semctl(id, 0, GETZCNT));
	CALL(op1(id, 0, -1, 0));
	CALL(semctl(id, 0, GETZCNT));
	CALL(semctl(id, 0, SETVAL, 0));
	note_wait("child", pid);
	semctl(id, 0, IPC_RMID);
}

CASE(sem_removed_while_waiting)
{
	int id = new_sem(1);
	pid_t pid = fork();

	if (pid == 0) {
		leave(op1(id, 0, -1, 0));
	}
	await(id, GETNCNT, 1);
	CALL(semctl(id, 0, IPC_RMID));
	note_wait("child", pid);
}

static void on_signal(int signo)
{
}

CASE(sem_interrupted)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	int id = new_sem(1);
	pid_t pid = fork();

	if (pid == 0) {
		sigaction(SIGUSR1, &sa, NULL);
		CALL(op1(id, 0, -1, 0));
		_exit(0);
	}
	await(id, GETNCNT, 1);
	kill(pid, SIGUSR1);
	note_wait("child", pid);
	CALL(semctl(id, 0, GETNCNT));
	semctl(id, 0, IPC_RMID);
}

CASE(semtimedop_times)
{
	int id = new_sem(1);
	struct sembuf op = {0, -1, 0};
	struct timespec t = {0, 30000000}, zero = {0, 0}, bad = {0, 1000000000}, negative = {-1, 0};
	long long start = now_ms();

	CALL(semtimedop(id, &op, 1, &t));
	TRUTH(now_ms() - start >= 29);
	CALL(semtimedop(id, &op, 1, &zero));
	CALL(semtimedop(id, &op, 1, &bad));
	CALL(semtimedop(id, &op, 1, &negative));
	CALL(semtimedop(id, &op, 1, BAD_ADDRESS));
	op.sem_op = 1;
	CALL(semtimedop(id, &op, 1, NULL));
	CALL(semctl(id, 0, GETVAL));
	CALL(semctl(id, 0, GETNCNT));
	semctl(id, 0, IPC_RMID);
}

CASE(sem_undo_at_exit)
{
	int id = new_sem(2);
	pid_t pid;

	CALL(semctl(id, 0, SETVAL, 3));
	pid = fork();
	if (pid == 0) {
		CALL(op1(id, 0, -2, SEM_UNDO));
		CALL(op1(id, 1, 4, SEM_UNDO));
		CALL(op1(id, 1, 1, 0));
		CALL(op1(id, 0, 1, SEM_UNDO));
		CALL(semctl(id, 0, GETVAL));
		CALL(semctl(id, 1, GETVAL));
		_exit(0);
	}
	note_wait("child", pid);
	CALL(semctl(id, 0, GETVAL));
	CALL(semctl(id, 1, GETVAL));
	TRUTH(semctl(id, 0, GETPID) == pid);
	semctl(id, 0, IPC_RMID);
}

CASE(sem_undo_wakes)
{
	int id = new_sem(1), ready[2];
	pid_t holder, waiter;
	char c;

	if (pipe(ready) < 0)
		exit(1);
	CALL(semctl(id, 0, SETVAL, 1));
	holder = fork();
	if (holder == 0) {
		op1(id, 0, -1, SEM_UNDO);
		write(ready[1], "x", 1);
		pause();
		_exit(0);
	}
	read(ready[0], &c, 1);
	waiter = fork();
	if (waiter == 0) {
		leave(op1(id, 0, -1, 0));
	}
	await(id, GETNCNT, 1);
	kill(holder, SIGKILL);
	note_wait("holder", holder);
	note_wait("waiter", waiter);
	CALL(semctl(id, 0, GETVAL));
	semctl(id, 0, IPC_RMID);
}

CASE(sem_undo_forgotten)
{
	int id = new_sem(2);
	pid_t pid = fork();

	if (pid == 0) {
		CALL(op1(id, 0, 4, SEM_UNDO));
		CALL(op1(id, 1, 4, SEM_UNDO));
		CALL(semctl(id, 0, SETVAL, 7));
		_exit(0);
	}
	note_wait("child", pid);
	CALL(semctl(id, 0, GETVAL));
	CALL(semctl(id, 1, GETVAL));
	semctl(id, 0, IPC_RMID);
}

CASE(sem_undo_limits)
{
	int id = new_sem(1);
	pid_t pid = fork();

	if (pid == 0) {
		CALL(op1(id, 0, 32767, SEM_UNDO));
		CALL(op1(id, 0, -32767, 0));
		CALL(op1(id, 0, 1, SEM_UNDO));
		CALL(op1(id, 0, 1, SEM_UNDO));
		CALL(semctl(id, 0, GETVAL));
		_exit(0);
	}
	note_wait("child", pid);
	CALL(semctl(id, 0, GETVAL));
	semctl(id, 0, IPC_RMID);
}

CASE(sem_undo_exec)
{
	int id = new_sem(1);
	pid_t pid = fork();

	if (pid == 0) {
		op1(id, 0, 5, SEM_UNDO);
		execl("/bin/sleep", "sleep", "0.05", NULL);
		_exit(1);
	}
	for (int i = 0; i < 1000 && semctl(id, 0, GETVAL) != 5; i++)
		sleep_ms(1);
	note_wait("child", pid);
	CALL(semctl(id, 0, GETVAL));
	semctl(id, 0, IPC_RMID);
}

static int thread_sem;

static int undo_thread(void *arg)
{
	op1(thread_sem, 0, 3, SEM_UNDO);
	return 0;
}

/* Threads share what is to be undone only with CLONE_SYSVSEM. */
CASE(sem_undo_of_threads)
{
	int id = new_sem(1);

	thread_sem = id;
	for (int share = 0; share < 2; share++) {
		pid_t pid = fork();

		if (pid == 0) {
			char *stack = anon(16);
			volatile pid_t tid = 1;
			int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND |
				    CLONE_THREAD | CLONE_CHILD_CLEARTID |
				    (share ? CLONE_SYSVSEM : 0);

			clone(undo_thread, stack + 16 * P, flags, NULL, NULL, NULL, &tid);
			while (tid)
				sleep_ms(1);
			sleep_ms(20);
			NOTE("share %d: after the thread %d", share, semctl(id, 0, GETVAL));
			_exit(0);
		}
		note_wait("process", pid);
		NOTE("share %d: after the process %d", share, semctl(id, 0, GETVAL));
	}
	semctl(id, 0, IPC_RMID);
}

CASE(sem_order)
{
	int id = new_sem(1), out[2];
	pid_t big, small;
	char text[3] = {0};

	if (pipe(out) < 0)
		exit(1);
	big = fork();
	if (big == 0) {
		op1(id, 0, -3, 0);
		write(out[1], "b", 1);
		_exit(0);
	}
	await(id, GETNCNT, 1);
	small = fork();
	if (small == 0) {
		op1(id, 0, -1, 0);
		write(out[1], "s", 1);
		_exit(0);
	}
	await(id, GETNCNT, 2);
	CALL(op1(id, 0, 1, 0));
	note_wait("small", small);
	CALL(op1(id, 0, 3, 0));
	note_wait("big", big);
	read(out[0], text, 2);
	NOTE("order %s", text);
	semctl(id, 0, IPC_RMID);
}

/* ---- messages ---- */

struct text {
	long type;
	char bytes[64];
};

static int new_msg(void)
{
	int id = msgget(IPC_PRIVATE, 0600);

	if (id < 0)
		NOTE("msgget: %s", errno_name(errno));
	return id;
}

static void put(int id, long type, const char *bytes)
{
	struct text m = {.type = type};

	strcpy(m.bytes, bytes);
	if (msgsnd(id, &m, strlen(bytes) + 1, IPC_NOWAIT) < 0)
		NOTE("msgsnd %s: %s", bytes, errno_name(errno));
}

static void get(int id, size_t size, long type, int flags)
{
	struct text m = {0};
	ssize_t n = msgrcv(id, &m, size, type, flags | IPC_NOWAIT);

	if (n < 0)
		NOTE("msgrcv %ld: %s", type, errno_name(errno));
	else
		NOTE("msgrcv %ld: %zd bytes of type %ld: %.*s", type, n, m.type, (int)n, m.bytes);
}

CASE(msg_order_and_types)
{
	int id = new_msg();

	put(id, 3, "three");
	put(id, 1, "one");
	put(id, 2, "two");
	put(id, 1, "one again");
	put(id, 5, "five");
	get(id, 60, 1, 0);
	get(id, 60, -2, 0);
	get(id, 60, 3, MSG_EXCEPT);
	get(id, 60, 7, 0);
	get(id, 60, 0, 0);
	get(id, 60, -1, 0);
	get(id, 60, LONG_MIN, 0);
	get(id, 60, 0, 0);
	msgctl(id, IPC_RMID, NULL);
}

CASE(msg_sizes)
{
	int id = new_msg();
	struct text m = {.type = 1};

	CALL(msgsnd(id, &m, 0, 0));
	CALL(msgrcv(id, &m, 0, 0, 0));
	put(id, 1, "abcdefgh");
	get(id, 4, 0, 0);
	get(id, 4, 0, MSG_NOERROR);
	get(id, 60, 0, 0);
	CALL(msgsnd(id, &m, 8193, 0));
	CALL(msgsnd(id, &m, (size_t)-1, 0));
	m.type = 0;
	CALL(msgsnd(id, &m, 1, 0));
	m.type = -4;
	CALL(msgsnd(id, &m, 1, 0));
	CALL(msgsnd(id, BAD_ADDRESS, 1, 0));
	CALL(msgrcv(id, &m, (size_t)-1, 0, 0));
	put(id, 1, "lost");
	CALL(msgrcv(id, BAD_ADDRESS, 60, 0, IPC_NOWAIT));
	get(id, 60, 0, 0);
	msgctl(id, IPC_RMID, NULL);
}

CASE(msg_full)
{
	int id = new_msg(), sent = 0;
	struct {
		long type;
		char bytes[4096];
	} m = {1, {0}};
	struct msqid_ds ds;

	while (msgsnd(id, &m, sizeof(m.bytes), IPC_NOWAIT) == 0)
		sent++;
	NOTE("sent %d, then %s", sent, errno_name(errno));
	CALL(msgctl(id, IPC_STAT, &ds));
	NOTE("bytes %lu count %lu sender %d receiver %d times %d %d",
		(unsigned long)ds.__msg_cbytes, (unsigned long)ds.msg_qnum,
		ds.msg_lspid == getpid(), ds.msg_lrpid, ds.msg_stime != 0, ds.msg_rtime != 0);
	CALL(msgsnd(id, &m, 1, IPC_NOWAIT));
	CALL(msgrcv(id, &m, sizeof(m.bytes), 0, 0));
	CALL(msgsnd(id, &m, 1, IPC_NOWAIT));
	msgctl(id, IPC_RMID, NULL);
}

CASE(msg_waiting_receiver)
{
	int id = new_msg();
	struct text m = {.type = 9, .bytes = "hello"};
	pid_t pid = fork();

	if (pid == 0) {
		struct text in = {0};

		leave(msgrcv(id, &in, 60, 9, 0) == 6 && !strcmp(in.bytes, "hello") ? 0 : -1);
	}
	sleep_ms(20);
	put(id, 8, "not yours");
	CALL(msgsnd(id, &m, 6, 0));
	note_wait("receiver", pid);
	get(id, 60, 0, 0);
	msgctl(id, IPC_RMID, NULL);
}

CASE(msg_waiting_sender)
{
	int id = new_msg();
	struct {
		long type;
		char bytes[8192];
	} m = {1, {0}};
	pid_t pid;

	CALL(msgsnd(id, &m, 8192, 0));
	CALL(msgsnd(id, &m, 8192, 0));
	pid = fork();
	if (pid == 0) {
		m.type = 2;
		leave(msgsnd(id, &m, 10, 0));
	}
	sleep_ms(20);
	CALL(msgrcv(id, &m, 8192, 0, 0));
	note_wait("sender", pid);
	CALL(msgrcv(id, &m, 8192, 2, 0));
	msgctl(id, IPC_RMID, NULL);
}

CASE(msg_removed_while_waiting)
{
	int id = new_msg();
	pid_t pid = fork();

	if (pid == 0) {
		struct text in;

		leave(msgrcv(id, &in, 60, 0, 0));
	}
	sleep_ms(30);
	CALL(msgctl(id, IPC_RMID, NULL));
	note_wait("receiver", pid);
}

CASE(msg_interrupted)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	int id = new_msg();
	pid_t pid = fork();

	if (pid == 0) {
		struct text in;

		sigaction(SIGALRM, &sa, NULL);
		ualarm(30000, 0);
		CALL(msgrcv(id, &in, 60, 0, 0));
		_exit(0);
	}
	note_wait("receiver", pid);
	msgctl(id, IPC_RMID, NULL);
}

CASE(msg_copy)
{
	int id = new_msg();
	struct text m;

	put(id, 4, "first");
	put(id, 5, "second");
	if (msgrcv(id, &m, 60, 0, MSG_COPY | IPC_NOWAIT) < 0 && errno == ENOSYS)
		SKIP("no MSG_COPY");
	get(id, 60, 1, MSG_COPY);
	get(id, 60, 2, MSG_COPY);
	CALL(msgrcv(id, &m, 60, 0, MSG_COPY));
	CALL(msgrcv(id, &m, 60, 0, MSG_COPY | MSG_EXCEPT | IPC_NOWAIT));
	get(id, 60, 0, 0);
	msgctl(id, IPC_RMID, NULL);
}

/* ---- /proc/sysvipc ---- */

static void note_lines(const char *path, int id)
{
	char line[512], wanted[32];
	FILE *file = fopen(path, "r");
	int found = 0;

	if (!file) {
		NOTE("%s: %s", path, errno_name(errno));
		return;
	}
	if (fgets(line, sizeof(line), file))
		NOTE("%s", line);
	snprintf(wanted, sizeof(wanted), " %10d     0", id);
	while (fgets(line, sizeof(line), file))
		if (strstr(line, wanted))
			found++, NOTE("length %zu", strlen(line));
	fclose(file);
	NOTE("%s: %d", path, found);
}

CASE(proc_sysvipc)
{
	int shm = new_shm(4096), sem = new_sem(2), msg = new_msg();

	shmctl(shm, IPC_SET,
		&(struct shmid_ds){.shm_perm.mode = 0, .shm_perm.uid = 1, .shm_perm.gid = 1});
	semctl(sem, 0, IPC_SET, &(struct semid_ds){.sem_perm.uid = 1});
	msgctl(msg, IPC_SET, &(struct msqid_ds){.msg_qbytes = 100});
	note_lines("/proc/sysvipc/shm", shm);
	note_lines("/proc/sysvipc/sem", sem);
	note_lines("/proc/sysvipc/msg", msg);
	shmctl(shm, IPC_RMID, NULL);
	semctl(sem, 0, IPC_RMID);
	msgctl(msg, IPC_RMID, NULL);
}
