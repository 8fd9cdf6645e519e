# SPDX-License-Identifier: Apache-2.0
"""What the program sees of the host's files, and what it can change."""
import os
import subprocess

from box import Skip, check, make_rootfs


def test_environment(box):
    env = dict(os.environ, SECRET="do not tell", AWS_SECRET_ACCESS_KEY="x", LD_PRELOAD="", FOO="foo", LANG="C.UTF-8")
    result = box.run("/usr/bin/env", env=env).expect(0, None, b"")
    names = {line.split(b"=")[0] for line in result.out.splitlines()}
    check(names <= {b"PATH", b"HOME", b"LANG", b"TERM", b"TZ"}, "leaks", names)
    check({b"PATH", b"HOME"} <= names, "lacks PATH or HOME:", names)
    result = box.run("/usr/bin/env", options=["-e", "FOO", "-e", "A=b=c", "-e", "NOT_SET_ANYWHERE", "-e", "A=d", "-e", "EMPTY=", "-e", "PATH=/bin"], env=env)
    lines = result.expect(0, None, b"").out.splitlines()
    check(b"FOO=foo" in lines and b"A=d" in lines and b"A=b=c" not in lines and b"EMPTY=" in lines and b"PATH=/bin" in lines, lines)
    check(not any(line.startswith(b"NOT_SET") for line in lines), lines)


def test_identity(box):
    box.run("/usr/bin/id", "-u").expect(0, b"%d\n" % os.getuid())
    box.sh("id -u; id -g", options=["-u", "1234:567"]).expect(0, b"1234\n567\n")
    box.sh("id -u; id -g", options=["--user", "1234"]).expect(0, b"1234\n1234\n")
    box.sh("id -u", options=["-u", "0"]).expect(0, b"0\n")
    box.sh("hostname 2>/dev/null || cat /proc/sys/kernel/hostname").expect(0, b"sandbox\n")
    box.sh("cat /proc/sys/kernel/hostname; uname -n", options=["--hostname", "box-7"]).expect(0, b"box-7\nbox-7\n")


def test_host_is_invisible(box):
    hidden = ["/etc/shadow", "/etc/ssh", "/root/.bashrc", "/root/.ssh", "/var/lib/dpkg", "/boot", "/proc/kcore", "/proc/kmsg",
              "/dev/mem", "/dev/sda", "/dev/vda", "/run/docker.sock", "/var/run/docker.sock", "/proc/sysrq-trigger", os.path.expanduser("~/.profile")]
    box.run("/bin/ls", "-d", *hidden).expect(2, b"")
    box.sh("for d in /home /root /srv /mnt /media /opt /var/log /sys/firmware; do [ ! -d $d ] || ls -A $d; done").expect(None, b"")
    with open("/var/tmp/cli-host-secret-%d" % os.getpid(), "w") as file:
        file.write("x")
    try:
        box.run("/bin/cat", file.name).expect(1, b"")
        box.sh("ls /tmp").expect(0, b"", b"")
    finally:
        os.unlink(file.name)
    result = box.sh("ls -A / ; ls -A %s" % os.path.dirname(box.dir)).expect(0, None, b"")
    names = set(result.out.split())
    check(os.path.basename(box.dir).encode() in names, names)
    check(not names & {b"boot", b"lost+found", b"work"}, names)
    cli = [n for n in names if n.startswith(b"cli-")]
    check(len(cli) == 1, "the neighbours of the working directory show", cli)


def test_links_out_of_the_view(box):
    os.symlink("/etc/shadow", box.path("shadow"))
    os.symlink("/proc/1/root/etc/shadow", box.path("root"))
    os.symlink("../../../../../../etc/shadow", box.path("up"))
    box.run("/bin/cat", "shadow", "root", "up").expect(1, b"")
    box.sh("cat /proc/self/cwd/../../../etc/shadow /proc/self/root/etc/shadow").expect(1, b"")


def test_system_is_read_only(box):
    result = box.sh("for f in /usr/x /bin/x /lib/x; do touch $f 2>/dev/null && echo wrote $f; done; rm -f /bin/true 2>/dev/null; [ -x /bin/true ] && echo there")
    result.expect(0, b"there\n")
    check(not os.path.exists("/usr/x") and not os.path.exists("/bin/x"), "on the host!")


def test_passwd(box):
    result = box.sh("id -un; getent passwd root").expect(0)
    check(result.out.count(b"\n") == 2, result.out)
    check(b"$6$" not in box.sh("cat /etc/* 2>/dev/null").out, "password hashes")


def test_cwd_changes_stay_inside(box):
    box.write("keep", "old\n")
    box.write("gone", "x")
    result = box.sh("echo new > keep; rm gone; mkdir -p d/e; echo x > d/e/f; cat keep; ls").expect(0, b"new\nd\nkeep\n")
    check(box.read("keep") == b"old\n" and sorted(os.listdir(box.dir)) == ["gone", "keep"], os.listdir(box.dir))
    text = result.err.decode()
    check(text.count("\n") == 1 and "would have changed" in text and "--commit" in text and box.dir in text, repr(text))
    check(text.split("sentry: ")[-1].split()[0].isdigit(), text)


def test_nothing_changed_nothing_said(box):
    box.write("keep", "old\n")
    box.sh("cat keep; ls; echo x > /tmp/y; touch /tmp/z").expect(0, None, b"")


def test_one_change(box):
    result = box.sh("echo x > f").expect(0, b"")
    check(b" 1 file " in b" " + result.err.replace(b"sentry: ", b" "), result.err)


def test_commit(box):
    box.write("keep", "old\n")
    box.write("gone", "x")
    box.write("mode", "m", 0o644)
    box.write("from", "renamed")
    os.makedirs(box.path("tree/sub"))
    box.write("tree/sub/file", "t")
    box.write("untouched", "u")
    script = """set -e
echo new > keep; rm gone; chmod 750 mode; mv from to; rm -r tree; mkdir -p d/e; echo x > d/e/f; ln -s d/e/f link; ln -s nowhere dangling
chmod 700 d; printf '#!/bin/sh\\n' > prog; chmod 755 prog; head -c 3000000 /dev/zero > big; mkdir 'sp ace'; echo y > 'sp ace/f'
"""
    result = box.sh(script, options=["--commit"])
    check(result.code == 0 and result.out == b"", result.code, result.err)
    if not os.path.exists(box.path("to")):
        raise Skip("--commit keeps nothing yet")
    check(box.read("keep") == b"new\n" and box.read("to") == b"renamed" and box.read("d/e/f") == b"x\n" and box.read("sp ace/f") == b"y\n", "contents")
    names = sorted(os.listdir(box.dir))
    check(names == sorted(["keep", "mode", "to", "d", "link", "dangling", "prog", "big", "sp ace", "untouched"]), names)
    check(os.stat(box.path("mode")).st_mode & 0o7777 == 0o750 and os.stat(box.path("d")).st_mode & 0o7777 == 0o700, "modes")
    check(os.stat(box.path("prog")).st_mode & 0o7777 == 0o755 and os.stat(box.path("big")).st_size == 3000000, "prog, big")
    check(os.readlink(box.path("link")) == "d/e/f" and os.readlink(box.path("dangling")) == "nowhere", "links")
    # the next run starts from what the last one left
    box.sh("cat keep d/e/f").expect(0, b"new\nx\n", b"")


def test_commit_of_nothing(box):
    box.write("keep", "old\n")
    before = os.stat(box.path("keep")).st_mtime_ns
    box.sh("cat keep", options=["--commit"]).expect(0, b"old\n")
    check(os.stat(box.path("keep")).st_mtime_ns == before and os.listdir(box.dir) == ["keep"], "touched")


def test_volume_read_only(box):
    os.mkdir(box.path("data"))
    box.write("data/f", "content\n")
    options = ["-v", box.path("data") + ":/mnt/data"]
    box.sh("cat /mnt/data/f; echo x > /mnt/data/f; rm /mnt/data/f; touch /mnt/data/g; mkdir /mnt/data/d; chmod 777 /mnt/data/f; echo end", options=options).expect(0, b"content\nend\n")
    check(box.read("data/f") == b"content\n" and os.listdir(box.path("data")) == ["f"], "changed on the host")
    box.sh("echo x > /mnt/data/f", options=["-v", box.path("data") + ":/mnt/data:ro"]).expect(2)
    box.sh("cat /one", options=["-v", box.path("data/f") + ":/one"]).expect(0, b"content\n", b"")
    box.run("/bin/cat", "/rel/f", options=["-v", "data:/rel"]).expect(0, b"content\n", b"")


def test_volume_writable(box):
    os.mkdir(box.path("data"))
    box.write("data/f", "old\n")
    box.write("data/gone", "")
    script = "cd /data; cat f; echo new > f; echo more >> f; rm gone; mkdir d; echo x > d/g; mv d/g d/h; ln -s f l; chmod 600 f; touch t"
    box.sh(script, options=["-v", box.path("data") + ":/data:rw"]).expect(0, b"old\n", b"")
    data = box.path("data")
    check(box.read("data/f") == b"new\nmore\n" and sorted(os.listdir(data)) == ["d", "f", "l", "t"], sorted(os.listdir(data)))
    check(box.read("data/d/h") == b"x\n" and os.readlink(data + "/l") == "f" and os.stat(data + "/f").st_mode & 0o777 == 0o600, "host")


def test_volume_attributes(box):
    """user.* are the host's; nothing else is shown, and nothing on a read-only volume."""
    os.makedirs(box.path("data/d"))
    box.write("data/f", "content\n")
    try:
        os.setxattr(box.path("data/f"), "user.host", b"1")
    except OSError:
        return  # not on this file system
    script = """
import errno, os
os.chdir("/data")
def tell(fn, *args):
    try: print(fn.__name__, fn(*args))
    except OSError as e: print(fn.__name__, errno.errorcode[e.errno].replace("ENOTSUP", "EOPNOTSUPP"))
tell(os.listxattr, "f"); tell(os.getxattr, "f", "user.host"); tell(os.getxattr, "f", "user.none")
tell(os.setxattr, "f", "user.guest", b"2"); tell(os.setxattr, "f", "user.guest", b"3", os.XATTR_CREATE)
tell(os.setxattr, "f", "user.other", b"3", os.XATTR_REPLACE); tell(os.setxattr, "d", "user.dir", b"x" * 1000)
tell(os.setxattr, "f", "user.gone", b""); tell(os.removexattr, "f", "user.gone"); tell(os.removexattr, "f", "user.gone")
for name in ("trusted.x", "security.x"):
    try: os.setxattr("f", name, b"1"); print("set", name)
    except OSError as e: print("refused", e.errno in (errno.EPERM, errno.EOPNOTSUPP))
tell(os.getxattr, "f", "security.capability")
print(sorted(os.listxattr("f")), os.listxattr("d"), len(os.getxattr("d", "user.dir")))
with open("f") as f: tell(os.getxattr, f.fileno(), "user.guest")
os.unlink("f"); open("new", "w").close(); tell(os.listxattr, "new")
"""
    box.write("a.py", script)
    for user in ([], ["-u", "1000:1000"] if os.getuid() == 0 else []):
        box.write("data/f", "content\n")
        os.setxattr(box.path("data/f"), "user.host", b"1")
        os.chmod(box.path("data"), 0o777)
        os.chmod(box.path("data/d"), 0o777)
        os.chmod(box.path("data/f"), 0o666)
        out = box.run("/usr/bin/python3", "/a.py", options=["-v", box.path("a.py") + ":/a.py", "-v", box.path("data") + ":/data:rw"]).expect(0).out.decode()
        check(out.split("\n") == [
            "listxattr ['user.host']", "getxattr b'1'", "getxattr ENODATA", "setxattr None", "setxattr EEXIST", "setxattr ENODATA", "setxattr None",
            "setxattr None", "removexattr None", "removexattr ENODATA", "refused True", "refused True", "getxattr EOPNOTSUPP",
            "['user.guest', 'user.host'] ['user.dir'] 1000", "getxattr b'2'", "listxattr []", ""], out)
        check(os.getxattr(box.path("data/d"), "user.dir") == b"x" * 1000, "host")
        os.removexattr(box.path("data/d"), "user.dir")
    os.setxattr(box.path("data/new"), "user.host", b"1")
    box.run("/usr/bin/python3", "-c", "import os; print(os.listxattr('/data/new'))", options=["-v", box.path("data") + ":/data"]).expect(0, b"[]\n")


def test_volume_stays_beneath(box):
    os.mkdir(box.path("data"))
    os.symlink("/etc/shadow", box.path("data/shadow"))
    os.symlink("../secret", box.path("data/up"))
    box.write("secret", "s")
    options = ["-w", "/", "-v", box.path("data") + ":/data:rw"]
    box.sh("cat /data/shadow /data/up; cat /data/../secret; echo x > /data/up", options=options).expect(None, b"")
    check(box.read("secret") == b"s", "written through a link")


def test_tmpfs(box):
    options = ["--tmpfs", "/scratch:size=1m"]
    box.sh("ls -A /scratch; echo a > /scratch/f; cat /scratch/f; head -c 3000000 /dev/zero > /scratch/big 2>/dev/null || echo full; stat -f -c %b:%S /scratch | awk -F: '{print $1*$2}'",
           options=options).expect(0, b"a\nfull\n1048576\n")
    box.sh("head -c 3000000 /dev/zero > /other/big && echo ok", options=["--tmpfs", "/other"]).expect(0, b"ok\n", b"")


def test_fresh_tmp(box):
    box.sh("ls -A /tmp; touch /tmp/x; ls /tmp").expect(0, b"x\n", b"")
    box.sh("ls -A /tmp").expect(0, b"", b"")
    check(not os.path.exists("/tmp/x"), "/tmp/x on the host")


def test_rootfs(box):
    root = make_rootfs(box)
    options = ["--rootfs", root]
    box.run("/bin/cat", "/etc/marker", options=options).expect(0, b"of the rootfs\n", b"")
    box.run("sh", "-c", "pwd; ls /usr 2>/dev/null; ls -d /proc/self /dev/null", options=options).expect(0, b"/\n/dev/null\n/proc/self\n")
    box.run("/bin/sh", "-c", "echo x > /data/f; cat /data/f 2>/dev/null; echo end", options=options).expect(0)
    check(os.listdir(root + "/data") == [], "the host's rootfs was changed")
    box.run("python3", options=options).one_line(127, "python3")
    box.run("/bin/ls", box.dir, options=options).expect(1, b"")
    os.mkdir(root + "/sub")
    box.run("pwd", options=options + ["-w", "/sub"]).expect(0, b"/sub\n", b"")
    box.run("cat", "/data/v", options=options + ["-v", box.write("v", "vol\n") + ":/data/v"]).expect(0, b"vol\n", b"")


def test_interpreter_of_the_caller(box):
    """A program outside the shown trees comes with its prefix."""
    os.makedirs(box.path("opt/tool/bin"))
    os.makedirs(box.path("work"))
    box.write("opt/tool/bin/hello", "#!/bin/sh\nexec cat $(dirname $0)/../data\n", 0o755)
    box.write("opt/tool/data", "found\n")
    box.write("opt/secret", "s")
    env = dict(os.environ, PATH=box.path("opt/tool/bin") + ":" + os.environ["PATH"])
    box.run("hello", cwd=box.path("work"), env=env).expect(0, b"found\n", b"")
    box.run("/bin/cat", box.path("opt/secret"), cwd=box.path("work"), env=env).expect(1, b"")


def test_unreachable_cwd(box):
    os.mkdir(box.path("gone"))
    script = "cd gone && rmdir ../gone && exec %s run --platform %s -- /bin/true" % (box.sentry, box.platform)
    done = subprocess.run(["/bin/sh", "-c", script], cwd=box.dir, stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
    check(done.returncode == 125 and done.stdout == b"" and done.stderr.count(b"\n") == 1, done)


def test_root_as_cwd(box):
    box.run("/bin/sh", "-c", "cat /etc/shadow 2>/dev/null; ls -d /root/.bashrc 2>/dev/null; echo end", cwd="/").expect(0)
