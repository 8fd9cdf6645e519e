/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The guest's /etc: made, not shown. Accounts, host names and shells' start-up files are written
 * here for the guest; of the host come only files that describe installed software and hold no
 * secret by their purpose: small ones copied, directories read-only. What may hold a token or a
 * password somewhere (environment, profile.d, gitconfig, pip.conf, npmrc, netrc, ssl/private,
 * shadow) stays outside, as does everything that nobody thought of.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "sentry/view_private.h"

#define COPY_SIZE_MAX (4ul << 20)
/* Larger files are shown instead: few programs look at them, and each start would copy them. The
 * cache of ld.so is one that programs of the guest may want to replace. */
#define COPY_WORTH (16ul << 10)

static const char *const copied_files[] = {
	"ld.so.cache",
	"ld.so.conf",
	"localtime",
	"timezone",
	"mime.types",
	"magic",
	"magic.mime",
	"services",
	"protocols",
	"rpc",
	"networks",
	"ethertypes",
	"host.conf",
	"gai.conf",
	"locale.alias",
	"locale.conf",
	"inputrc",
	"os-release",
	"debian_version",
	"redhat-release",
	"alpine-release",
	"lsb-release",
	"shells",
	"xattr.conf",
	"mke2fs.conf",
	"papersize",
	"ssl/openssl.cnf",
	"ssl/cert.pem",
	"manpath.config",
	"nanorc",
	"screenrc",
	"fpc.cfg",
	"libao.conf",
	"ltrace.conf",
	"octaverc",
	"matplotlibrc",
};

static const char *const shown_directories[] = {
	"alternatives",
	"ssl/certs",
	"pki/tls/certs",
	"pki/ca-trust/extracted",
	"crypto-policies",
	"terminfo",
	"fonts",
	"chromium.d",
	"perl",
	"python3",
	"python",
	"python3.8",
	"python3.9",
	"python3.10",
	"python3.11",
	"python3.12",
	"python3.13",
	"python3.14",
	"java",
	"java-8-openjdk",
	"java-11-openjdk",
	"java-17-openjdk",
	"java-21-openjdk",
	"java-25-openjdk",
	"R",
	"groff",
	"vim",
	"emacs",
	"ImageMagick-6",
	"ImageMagick-7",
	"ghostscript",
	"texmf",
	"lua",
	"mono",
	"libreoffice",
	"php",
	"ruby",
	"OpenCL",
	"vulkan",
};

static int add_text(struct view *view, const char *target, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int add_text(struct view *view, const char *target, const char *format, ...)
{
	char text[2048];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	return view_add_content(view, target, text, min_of((size_t)size, sizeof(text) - 1));
}

/*
 * The name of account @id in a passwd(5) or group(5) file of the host: programs show it, and it
 * should be the one the user knows.
 * "" when there is none, or it is not a plain name.
 */
static void account_name(const char *file, uint32_t id, char *name, size_t size)
{
	FILE *stream = fopen(file, "re");
	char line[512];

	name[0] = '\0';
	while (stream && !name[0] && fgets(line, sizeof(line), stream)) {
		char *first = strchr(line, ':'), *second = first ? strchr(first + 1, ':') : NULL;
		char *end;

		if (!second || strtoul(second + 1, &end, 10) != id || *end != ':')
			continue;
		*first = '\0';
		if (strlen(line) < size && strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP"
							"QRSTUVWXYZ0123456789._-") == strlen(line))
			strcpy(name, line);
	}
	if (stream)
		(void)fclose(stream);
}

static int add_accounts(struct view *view)
{
	const struct view_config *config = view->config;
	const char *home = config->home ? config->home : "/";
	char user[64] = "root", group[64] = "root";
	char user_line[PATH_MAX + 256] = "", group_line[128] = "";
	int status;

	if (config->uid != 0) {
		account_name("/etc/passwd", config->uid, user, sizeof(user));
		if (!user[0])
			strcpy(user, "user");
		(void)snprintf(user_line, sizeof(user_line), "%s:x:%u:%u:%s:%s:/bin/sh\n", user,
			config->uid, config->gid, user, home);
	}
	if (config->gid != 0) {
		account_name("/etc/group", config->gid, group, sizeof(group));
		if (!group[0])
			strcpy(group, config->uid ? user : "users");
		(void)snprintf(group_line, sizeof(group_line), "%s:x:%u:\n", group, config->gid);
	}
	status = add_text(view, "/etc/passwd",
		"root:x:0:0:root:%s:/bin/sh\n"
		"daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
		"bin:x:2:2:bin:/bin:/usr/sbin/nologin\n"
		"%s"
		"nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n",
		config->uid == 0 ? home : "/root", user_line);
	if (status == 0)
		status = add_text(view, "/etc/group",
			"root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\n"
			"%snogroup:x:65534:\n",
			group_line);
	return status;
}

static int add_names(struct view *view)
{
	const char *hostname = view->config->hostname ? view->config->hostname : "sentry";
	int status = add_text(view, "/etc/hostname", "%s\n", hostname);

	if (status == 0)
		status = add_text(view, "/etc/hosts",
			"127.0.0.1\tlocalhost\n"
			"127.0.1.1\t%s\n"
			"::1\tlocalhost ip6-localhost ip6-loopback\n",
			hostname);
	if (status == 0)
		status = add_text(view, "/etc/resolv.conf", "%s",
			view->config->resolv_conf ? view->config->resolv_conf : "");
	if (status == 0)
		status = add_text(view, "/etc/nsswitch.conf",
			"passwd: files\ngroup: files\nshadow: files\ngshadow: files\n"
			"hosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n"
			"ethers: files\nrpc: files\nnetgroup: files\n");
	if (status == 0)
		status = add_text(view, "/etc/profile",
			"[ -n \"$BASH_VERSION\" ] && [ -r /etc/bash.bashrc ] && . "
			"/etc/bash.bashrc\n");
	if (status == 0)
		status = add_text(
			view, "/etc/bash.bashrc", "[ -n \"$PS1\" ] && PS1='\\u@\\h:\\w\\$ '\n");
	if (status == 0)
		status = view_add_symlink(view, "/etc/mtab", "../proc/self/mounts");
	return status;
}

/* A link into the trees that the guest has stays a link: /etc/localtime tells the zone's name that
 * way. */
static bool link_to_keep(const char *path, char *target, size_t size)
{
	ssize_t got = readlink(path, target, size - 1);

	if (got <= 0)
		return false;
	target[got] = '\0';
	return strncmp(target, "/usr/", 5) == 0 || strncmp(target, "../usr/", 7) == 0;
}

/* What is missing or unreadable on the host is missing in the guest. */
static int add_copy(struct view *view, const char *name)
{
	_cleanup_free_ char *content = NULL;
	_cleanup_close_ int fd = -1;
	char path[128], target[PATH_MAX];
	struct stat stat;
	ssize_t got;

	(void)snprintf(path, sizeof(path), "/etc/%s", name);
	if (link_to_keep(path, target, sizeof(target)))
		return view_add_symlink(view, path, target);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &stat) < 0 || !S_ISREG(stat.st_mode) ||
		(uint64_t)stat.st_size > COPY_SIZE_MAX)
		return 0;
	if ((uint64_t)stat.st_size > COPY_WORTH && strcmp(name, "ld.so.cache") != 0)
		return view_add_file(view, path, take_fd(&fd));
	content = malloc((size_t)stat.st_size + 1);
	if (!content)
		return -ENOMEM;
	got = pread(fd, content, (size_t)stat.st_size, 0);
	return got < 0 ? 0 : view_add_content(view, path, content, (size_t)got);
}

int view_add_etc(struct view *view)
{
	struct view_step *step = view_add(view, VIEW_DIRECTORY, "/etc");
	int status = step ? 0 : -ENOMEM;

	if (status == 0)
		status = add_accounts(view);
	if (status == 0)
		status = add_names(view);
	for (size_t i = 0; i < array_size(copied_files) && status == 0; i++)
		status = add_copy(view, copied_files[i]);
	for (size_t i = 0; i < array_size(shown_directories) && status == 0; i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "/etc/%s", shown_directories[i]);
		status = view_add_tree_if(view, path, path);
	}
	return status;
}
