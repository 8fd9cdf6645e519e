/* SPDX-License-Identifier: Apache-2.0 */
/* proc(5): what programs read about themselves and their children. */
#include <sys/sendfile.h>
#include <sys/uio.h>
#include "case.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/vfs.h>

static char text[1 << 20];

/* The file's text, "" when there is none. */
static const char *slurp(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t size = 0, got;

	if (fd < 0) {
		NOTE("%s: %s", path, errno_name(errno));
		text[0] = '\0';
		return text;
	}
	while ((got = read(fd, text + size, sizeof(text) - 1 - (size_t)size)) > 0)
		size += got;
	text[size] = '\0';
	close(fd);
	return text;
}

static const char *link_of(const char *path)
{
	static char target[PATH_MAX];
	ssize_t size = readlink(path, target, sizeof(target) - 1);

	if (size < 0)
		return errno_name(errno);
	target[size] = '\0';
	return target;
}

static const char *self_fd(int fd)
{
	static char path[2][64];
	static int turn;

	turn = !turn;
	snprintf(path[turn], sizeof(path[turn]), "/proc/self/fd/%d", fd);
	return path[turn];
}

static int hold[2];

static void *held_thread(void *arg)
{
	char byte;

	return read(hold[0], &byte, 1) == 1 ? arg : NULL;
}

static void note_thread_links(void)
{
	struct stat st;

	CALL(stat("/proc/self/task", &st));
	NOTE("%d links", (int)st.st_nlink);
}

/* Before they fork, programs count their threads by the links of the directory. */
CASE(links_of_task)
{
	pthread_t threads[3];

	note_thread_links();
	OK(pipe(hold));
	for (int i = 0; i < 3; i++)
		pthread_create(&threads[i], NULL, held_thread, NULL);
	note_thread_links();
	OK(write(hold[1], "abc", 3));
	for (int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
}

CASE(links)
{
	char cwd[PATH_MAX], number[16];

	getcwd(cwd, sizeof(cwd));
	snprintf(number, sizeof(number), "%d", getpid());
	TRUTH(strcmp(link_of("/proc/self/cwd"), cwd) == 0);
	NOTE("root %s", link_of("/proc/self/root"));
	TRUTH(strstr(link_of("/proc/self/exe"), "/proc"));
	TRUTH(strcmp(link_of("/proc/self"), number) == 0);
	CALL(readlink("/proc/self/nothing", cwd, sizeof(cwd)));
	CALL(readlink("/proc/self/stat", cwd, sizeof(cwd)));
	NOTE("mounts %s net %s", link_of("/proc/mounts"), link_of("/proc/net"));
}

CASE(stat_fields)
{
	int fields = 0, pid = 0, ppid = 0, pgrp = 0;
	char comm[32], state;
	const char *rest;

	prctl(PR_SET_NAME, "a (b) c");
	slurp("/proc/self/stat");
	rest = strrchr(text, ')');
	TRUTH(sscanf(text, "%d (%31[^\n]", &pid, comm) == 2 && pid == getpid());
	NOTE("name %.7s", comm);
	TRUTH(rest && sscanf(rest, ") %c %d %d", &state, &ppid, &pgrp) == 3);
	NOTE("state %c", state);
	TRUTH(ppid == getppid());
	TRUTH(pgrp == getpgrp());
	for (const char *at = rest; at && *at; at++)
		fields += *at == ' ';
	NOTE("%d fields", fields + 2);
	slurp("/proc/self/comm");
	NOTE("comm %s", text);
}

CASE(status_keys)
{
	static const char *const keys[] = {"Name", "Umask", "State", "Tgid", "Ngid", "Pid", "PPid",
		"TracerPid", "Uid", "Gid", "FDSize", "Groups", "NSpid", "VmPeak", "VmSize", "VmLck",
		"VmHWM", "VmRSS", "VmData", "VmStk", "VmExe", "VmLib", "VmPTE", "VmSwap", "Threads",
		"SigQ", "SigPnd", "ShdPnd", "SigBlk", "SigIgn", "SigCgt", "CapInh", "CapPrm",
		"CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "Cpus_allowed",
		"Cpus_allowed_list", "Mems_allowed", "voluntary_ctxt_switches",
		"nonvoluntary_ctxt_switches", "Nonsense"};

	umask(027);
	signal(SIGUSR1, SIG_IGN);
	slurp("/proc/self/status");
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char key[64];

		snprintf(key, sizeof(key), "\n%s:\t", keys[i]);
		NOTE("%s %d", keys[i],
			strncmp(text, key + 1, strlen(key) - 1) == 0 || strstr(text, key));
	}
	NOTE("%.11s", strstr(text, "Umask"));
	NOTE("%.18s", strstr(text, "State"));
	NOTE("%.10s", strstr(text, "Threads"));
	TRUTH(strtoull(strstr(text, "SigIgn:") + 7, NULL, 16) >> (SIGUSR1 - 1) & 1);
}

CASE(maps)
{
	unsigned long start, end, offset, inode, previous = 0;
	unsigned major, minor;
	char perms[8], name[PATH_MAX], *line, *save;
	bool ordered = true, wellformed = true;
	int fd = open("mapped", O_CREAT | O_RDWR, 0600);
	char *file, *anon;

	ftruncate(fd, 8192);
	file = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 4096);
	anon = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mprotect(anon, 4096, PROT_NONE);
	slurp("/proc/self/maps");
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		name[0] = '\0';
		if (sscanf(line, "%lx-%lx %7s %lx %x:%x %lu %4095[^\n]", &start, &end, perms,
			    &offset, &major, &minor, &inode, name) < 7)
			wellformed = false;
		ordered = ordered && start >= previous && end > start;
		previous = end;
		if ((char *)start == file)
			NOTE("file %s offset %lx size %lx %s", perms, offset, end - start,
				strrchr(name, '/'));
		if (strcmp(name, "[stack]") == 0)
			NOTE("stack %s", perms);
		if ((char *)start <= anon && anon < (char *)end)
			NOTE("anon %s inode %lu", perms, inode);
		if (name[0] == '/' && strlen(line) > 73)
			wellformed = wellformed && line[72] == ' ' && line[73] == '/';
	}
	TRUTH(ordered);
	TRUTH(wellformed);
	unlink("mapped");
	slurp("/proc/self/maps");
	TRUTH(strstr(text, "/mapped (deleted)\n"));
}

CASE(descriptors)
{
	int fd = OK(open("f", O_CREAT | O_RDWR | O_TRUNC, 0600)), again, pipes[2];
	struct stat first, second;
	char path[64];

	write(fd, "hello", 5);
	TRUTH(strstr(link_of(self_fd(fd)), "/f"));
	lstat(self_fd(fd), &first);
	NOTE("mode %o", first.st_mode);
	again = OK(open(self_fd(fd), O_RDONLY));
	note_file(self_fd(fd));
	NOTE("positions %ld %ld", (long)lseek(fd, 0, SEEK_CUR), (long)lseek(again, 0, SEEK_CUR));
	lstat(self_fd(again), &first);
	NOTE("mode %o", first.st_mode);
	unlink("f");
	TRUTH(strstr(link_of(self_fd(fd)), "/f (deleted)"));
	OK(open(self_fd(fd), O_WRONLY));
	fstat(fd, &first);
	stat(self_fd(fd), &second);
	TRUTH(first.st_ino == second.st_ino && first.st_dev == second.st_dev);
	pipe(pipes);
	TRUTH(strncmp(link_of(self_fd(pipes[0])), "pipe:[", 6) == 0);
	lstat(self_fd(pipes[1]), &first);
	NOTE("mode %o", first.st_mode);
	close(pipes[0]);
	CALL(readlink(self_fd(pipes[0]), path, sizeof(path)));
	CALL(open("/proc/self/fd/9999", O_RDONLY));
	CALL(open("/proc/self/fd/01", O_RDONLY));
	CALL(open("/proc/self/fd/x", O_RDONLY));
}

CASE(fdinfo)
{
	int fd = open("f", O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
	char path[64];

	write(fd, "abc", 3);
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	slurp(path);
	NOTE("%.*s", (int)strcspn(strchr(text, '\n') + 1, "\n"), strchr(text, '\n') + 1);
	NOTE("%.*s", (int)strcspn(text, "\n"), text);
	TRUTH(strstr(text, "\nmnt_id:\t"));
}

CASE(children)
{
	char path[64];
	pid_t child = fork();

	if (child == 0)
		_exit(3);
	siginfo_t info;
	waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT);
	snprintf(path, sizeof(path), "/proc/%d/status", child);
	slurp(path);
	NOTE("%.16s", strstr(text, "State"));
	TRUTH(strstr(text, "VmSize"));
	snprintf(path, sizeof(path), "/proc/%d/cmdline", child);
	NOTE("cmdline %zu", strlen(slurp(path)));
	snprintf(path, sizeof(path), "/proc/%d/maps", child);
	NOTE("maps %zu", strlen(slurp(path)));
	snprintf(path, sizeof(path), "/proc/%d/exe", child);
	NOTE("exe %s", link_of(path));
	note_wait("child", child);
	CALL(access(path, F_OK));
	snprintf(path, sizeof(path), "/proc/%d", child);
	CALL(open(path, O_RDONLY));
	CALL(access("/proc/0", F_OK));
	CALL(access("/proc/-1", F_OK));
}

/* An open file of a process that is gone. */
CASE(outlived)
{
	char path[64], byte;
	int pipes[2], stat_fd, dir_fd;
	pid_t child;

	pipe(pipes);
	child = fork();
	if (child == 0) {
		close(pipes[1]);
		read(pipes[0], &byte, 1);
		_exit(0);
	}
	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	stat_fd = OK(open(path, O_RDONLY));
	snprintf(path, sizeof(path), "/proc/%d", child);
	dir_fd = OK(open(path, O_RDONLY | O_DIRECTORY));
	close(pipes[1]);
	note_wait("child", child);
	CALL(read(stat_fd, &byte, 1));
	CALL(openat(dir_fd, "stat", O_RDONLY));
}

CASE(small_reads)
{
	static char whole[8192], parts[8192];
	int fd = open("/proc/self/limits", O_RDONLY);
	ssize_t size = 0, got, all = pread(fd, whole, sizeof(whole), 0);

	while ((got = read(fd, parts + size, 7)) > 0)
		size += got;
	TRUTH(size == all && memcmp(whole, parts, (size_t)all) == 0);
	CALL(pread(fd, parts, 26, 0));
	NOTE("%.26s", parts);
	CALL(pread(fd, parts, 10, 1 << 20));
	CALL(lseek(fd, 5, SEEK_SET));
	CALL(read(fd, parts, 4));
	NOTE("%.4s", parts);
	CALL(lseek(fd, -1, SEEK_SET));
	CALL(write(fd, "x", 1));
	CALL(read(fd, BAD_ADDRESS, 10));
}

CASE(limits)
{
	struct rlimit limit = {100, 200};
	char *line;

	setrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max = 0;
	setrlimit(RLIMIT_CORE, &limit);
	slurp("/proc/self/limits");
	line = strstr(text, "Max open files");
	NOTE("%.*s|", (int)strcspn(line, "\n"), line);
	line = strstr(text, "Max core file size");
	NOTE("%.*s|", (int)strcspn(line, "\n"), line);
	NOTE("%.*s|", (int)strcspn(text, "\n"), text);
}

CASE(writable)
{
	int fd = OK(open("/proc/self/comm", O_WRONLY | O_TRUNC));

	CALL(write(fd, "renamed-far-too-long", 20));
	note_file("/proc/self/comm");
	fd = OK(open("/proc/self/oom_score_adj", O_RDWR));
	CALL(write(fd, "500\n", 4));
	note_file("/proc/self/oom_score_adj");
	CALL(write(fd, "5000", 4));
	CALL(write(fd, "abc", 3));
	CALL(chmod("/proc/self/comm", 0600));
	CALL(truncate("/proc/self/comm", 3));
}

CASE(directories)
{
	CALL(open("/proc/self", O_WRONLY));
	CALL(unlink("/proc/self/stat"));
	CALL(rmdir("/proc/self/fd"));
	CALL(link("/proc/self/stat", "here"));
	struct statfs fs;
	CALL(statfs("/proc/self", &fs));
	NOTE("type %lx", (long)fs.f_type);
	CALL(statfs("/sys", &fs));
	NOTE("type %lx", (long)fs.f_type);
}

CASE(listing)
{
	static const char *const names[] = {"cpuinfo", "meminfo", "mounts", "self", "stat", "sys",
		"thread-self", "uptime", "version", "nothing"};
	bool found[10] = {false}, own = false;
	struct dirent *entry;
	char number[16];
	DIR *dir = opendir("/proc");

	snprintf(number, sizeof(number), "%d", getpid());
	while ((entry = readdir(dir))) {
		own = own || strcmp(entry->d_name, number) == 0;
		for (int i = 0; i < 10; i++)
			found[i] = found[i] || strcmp(entry->d_name, names[i]) == 0;
	}
	closedir(dir);
	for (int i = 0; i < 10; i++)
		NOTE("%s %d", names[i], found[i]);
	TRUTH(own);
	dir = opendir("/proc/self/task");
	for (int i = 0; (entry = readdir(dir)); i++)
		NOTE("%s", entry->d_name[0] == '.' ? entry->d_name : "tid");
	closedir(dir);
}

CASE(system_files)
{
	double up, idle, load[3];
	unsigned long total = 0;
	int running, all, last, cpus = 0;

	TRUTH(sscanf(slurp("/proc/uptime"), "%lf %lf\n", &up, &idle) == 2);
	TRUTH(sscanf(slurp("/proc/loadavg"), "%lf %lf %lf %d/%d %d\n", &load[0], &load[1], &load[2],
		      &running, &all, &last) == 6);
	TRUTH(sscanf(slurp("/proc/meminfo"), "MemTotal: %lu kB\n", &total) == 1 && total > 1000);
	TRUTH(strncmp(slurp("/proc/version"), "Linux version ", 14) == 0);
	TRUTH(strncmp(slurp("/proc/stat"), "cpu  ", 5) == 0);
	TRUTH(strstr(text, "\ncpu0 ") && strstr(text, "\nbtime ") && strstr(text, "\nprocesses "));
	slurp("/proc/cpuinfo");
	for (const char *at = text; (at = strstr(at, "processor\t: ")); at++)
		cpus++;
	TRUTH(cpus == sysconf(_SC_NPROCESSORS_ONLN));
	TRUTH(strstr(slurp("/proc/filesystems"), "nodev\ttmpfs\n"));
	TRUTH(strstr(slurp("/proc/self/mounts"), " /proc proc rw"));
	TRUTH(strstr(slurp("/proc/self/mountinfo"), " - proc proc rw"));
}

CASE(sysctl)
{
	unsigned value;

	note_file("/proc/sys/kernel/ostype");
	note_file("/proc/sys/kernel/ngroups_max");
	note_file("/proc/sys/kernel/overflowuid");
	note_file("/proc/sys/fs/inotify/max_user_instances");
	TRUTH(sscanf(slurp("/proc/sys/kernel/pid_max"), "%u\n", &value) == 1 && value > 300);
	TRUTH(sscanf(slurp("/proc/sys/fs/pipe-max-size"), "%u\n", &value) == 1 && value >= 65536);
	TRUTH(strlen(slurp("/proc/sys/kernel/random/uuid")) == 37 && text[14] == '4');
	TRUTH(strlen(slurp("/proc/sys/kernel/random/boot_id")) == 37);
	CALL(access("/proc/sys/kernel/nothing", F_OK));
}

CASE(own_strings)
{
	char *arguments[] = {"one", "two words", "", NULL}, *environment[] = {"A=1", "B=", NULL};
	int pipes[2];
	pid_t child;
	ssize_t size;

	pipe(pipes);
	child = fork();
	if (child == 0) {
		dup2(pipes[1], 1);
		execve("/bin/cat",
			(char *[]){"cat", "/proc/self/cmdline", "/proc/self/environ", NULL},
			environment);
		_exit(1);
	}
	(void)arguments;
	note_wait("cat", child);
	size = read(pipes[0], text, sizeof(text));
	for (ssize_t i = 0; i < size; i++)
		if (!text[i])
			text[i] = '|';
	NOTE("%.*s", (int)size, text);
}

static void store(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY);

	NOTE("\"%s\": %zd %s", text, write(fd, text, strlen(text)), errno ? errno_name(errno) : "");
	errno = 0;
	close(fd);
}

CASE(coredump_filter)
{
	const char *name = "/proc/self/coredump_filter";

	note_file(name);
	errno = 0;
	store(name, "0x7f\n");
	note_file(name);
	store(name, "3");
	note_file(name);
	if (fork() == 0) {
		note_file("/proc/self/coredump_filter");
		fflush(stdout);
		_exit(0);
	}
	wait(NULL);
	store(name, "0xfffff");
	note_file(name);
	store(name, "junk");
	store(name, "");
	store(name, "1 2");
	store(name, "-1");
	note_file("/proc/self/cpuset");
}

/* ---- /proc/PID/io ---------------------------------------------------------------------------- */

static void read_io(const char *name, long counters[4])
{
	char text[512] = "";
	int fd = open(name, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) < 0)
		NOTE("%s: %s", name, errno_name(errno));
	close(fd);
	sscanf(text, "rchar: %ld\nwchar: %ld\nsyscr: %ld\nsyscw: %ld", &counters[0], &counters[1],
		&counters[2], &counters[3]);
}

static void note_io(const char *what, const long before[4], long length)
{
	long now[4];

	read_io("/proc/self/io", now);
	/* The file itself was read once, with as many bytes as it has. */
	NOTE("%s: read %ld written %ld calls %ld %ld", what, now[0] - before[0] - length,
		now[1] - before[1], now[2] - before[2] - 1, now[3] - before[3]);
}

static long io_length(void)
{
	char text[512];
	int fd = open("/proc/self/io", O_RDONLY);
	long length = read(fd, text, sizeof(text));

	close(fd);
	return length;
}

CASE(io_counts_bytes)
{
	struct iovec iov[2];
	long before[4], length;
	char buffer[100];
	pid_t pid;
	int fd, other;

	write_file("f", "0123456789");
	fd = open("f", O_RDWR);
	other = open("g", O_RDWR | O_CREAT, 0600);
	fflush(NULL);
	/* Numbers of one width. */
	for (int i = 0; i < 2000; i++)
		pread(fd, buffer, 10, 0);
	for (int i = 0; i < 2000; i++)
		pwrite(other, buffer, 10, 0);
	length = io_length();
	read_io("/proc/self/io", before);
	note_io("nothing", before, length);
	read_io("/proc/self/io", before);
	read(fd, buffer, 5);
	note_io("read", before, length);
	read_io("/proc/self/io", before);
	write(other, buffer, 7);
	note_io("write", before, length);
	fflush(NULL);
	read_io("/proc/self/io", before);
	iov[0] = iov[1] = (struct iovec){buffer, 3};
	preadv(fd, iov, 2, 0);
	note_io("preadv", before, length);
	read_io("/proc/self/io", before);
	off_t at = 0;
	sendfile(other, fd, &at, 4);
	note_io("sendfile", before, length);
	read_io("/proc/self/io", before);
	pid = fork();
	if (pid == 0) {
		pread(fd, buffer, 9, 0);
		_exit(0);
	}
	note_io("child runs or ran", before, length);
	waitpid(pid, NULL, 0);
	note_io("child was waited for", before, 2 * length);
	struct stat st;
	stat("/proc/self/io", &st);
	NOTE("mode %o", st.st_mode);
	CALL(open("/proc/1/nothing", O_RDONLY));
}
