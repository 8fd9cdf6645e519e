# SPDX-License-Identifier: Apache-2.0
"""Hidden and protected names: every way that a guest has to a file of the host."""
import json
import os
import stat
import subprocess

from box import Failure, check

SECRETS = (".env", ".env.local", "k.pem", "id_ed25519", "credentials", ".netrc", ".npmrc", ".aws/credentials", "sub/.git-credentials")
PLAIN = (".env.example", "id_map.c", "cacert.pem", ".aws/config", "credentials.d/x", "sub/plain")


def project(box, name="w"):
    """A directory with secrets, a repository, settings; its path."""
    top = box.path(name)
    for place in (".git/hooks", ".git/refs", ".aws", "sub", "credentials.d", ".vscode", ".claude"):
        os.makedirs(os.path.join(top, place))
    for file in SECRETS + PLAIN + (".git/config", ".git/hooks/pre-commit", ".bashrc", ".vscode/tasks.json", ".claude/settings.json", "free"):
        with open(os.path.join(top, file), "w") as out:
            out.write("original\n")
    os.symlink(".env", top + "/link")
    os.symlink(".git/config", top + "/cfg")
    return top


def picture(top):
    """What of a tree is protected or hidden, to be compared."""
    found = {}
    for place, dirs, files in os.walk(top):
        for name in dirs + files:
            path = os.path.join(place, name)
            info = os.lstat(path)
            text = open(path).read() if stat.S_ISREG(info.st_mode) else os.readlink(path) if stat.S_ISLNK(info.st_mode) else ""
            found[os.path.relpath(path, top)] = (stat.S_IFMT(info.st_mode), stat.S_IMODE(info.st_mode), info.st_nlink, text)
    return found


def test_secrets_are_hidden(box):
    top = project(box)
    script = "ls -A . .aws sub; for f in %s; do cat $f 2>/dev/null && echo SEEN $f; test -e $f && echo THERE $f; done; cat %s" % (
        " ".join(SECRETS + ("link",)), " ".join(PLAIN))
    for options, where in (([], {"cwd": top}), (["-v", top + ":/w", "-w", "/w"], {}), (["-v", top + ":/w:rw", "-w", "/w"], {})):
        result = box.sh(script, options=options, **where).expect(0)
        text = result.out.decode()
        check("SEEN" not in text and "THERE" not in text, options, text)
        check(text.count("original") == len(PLAIN), options, text)
        names = text.split()
        for name in SECRETS:
            check(os.path.basename(name) not in names, name, "is listed:", text)
        check(b"refused to read " + top.encode() + b"/.env:" in result.err and b"--allow-path" in result.err, result.err)
        check(result.err.count(b"/.netrc:") == 1, "told more than once:", result.err)


def test_hidden_names_in_the_overlay(box):
    """A guest's own file of the name is the guest's; --commit does not put it over a hidden one, nor removes one with its directory."""
    top = project(box)
    before = picture(top)
    script = "echo mine > .env; cat .env; ls -A | grep -x .env; mv .env x; cat .env; echo mine > .env; echo new > sub/.env; rm -r .aws; mv sub/.env sub/.env.mine; ls .aws; true"
    result = box.sh(script, options=["--commit"], cwd=top).expect(0, b"mine\n.env\n")
    after = picture(top)
    check(after.pop("x")[3] == "mine\n" and after.pop("sub/.env.mine")[3] == "new\n", after.keys())
    check(after == before, "changed:", {k: (before.get(k), after.get(k)) for k in set(before) | set(after) if before.get(k) != after.get(k)})
    check(b"keep the change of " + top.encode() + b"/.env:" in result.err and b"/.aws/credentials:" in result.err, result.err)


ATTACK = r"""
import ctypes, mmap, os, shutil, sys
libc = ctypes.CDLL(None, use_errno=True)
AT = -100
done = []
def attempt(fn, *args, **more):
    try:
        fn(*args, **more)
    except OSError as error:
        return error.errno
    done.append((getattr(fn, '__name__', '?'), args))
def renameat2(a, b, flags):
    if libc.renameat2(AT, a.encode(), AT, b.encode(), flags) < 0:
        raise OSError(ctypes.get_errno(), 'renameat2')
def write(path, flags=0):
    fd = os.open(path, os.O_WRONLY | flags, 0o755)
    os.write(fd, b'evil'); os.close(fd)
open('evil', 'w').write('evil')
os.makedirs('evildir/hooks')
open('evildir/hooks/pre-commit', 'w').write('evil')
open('evildir/config', 'w').write('evil')
for path in ('.git/hooks/pre-commit', '.git/config', '.bashrc', '.vscode/tasks.json', '.claude/settings.json', 'sub/../.git/config', 'cfg', './/.git//config',
             '/proc/self/cwd/.git/config', '/proc/1/root' + os.getcwd() + '/.git/config'):
    for flags in (0, os.O_TRUNC, os.O_APPEND, os.O_CREAT, os.O_CREAT | os.O_TRUNC):
        attempt(write, path, flags)
    attempt(os.open, path, os.O_RDWR)
    attempt(os.open, path, os.O_RDONLY | os.O_TRUNC)
    attempt(os.truncate, path, 0)
    attempt(os.chmod, path, 0o777)
    attempt(os.utime, path, (1, 1))
    attempt(os.chown, path, os.getuid(), os.getgid())
    attempt(os.link, path, 'alias')
    attempt(os.rename, path, 'away') if path != 'cfg' else 0
    attempt(os.unlink, path) if path != 'cfg' else 0
    attempt(os.rename, 'evil', path) if path != 'cfg' else 0
    attempt(renameat2, 'evil', path, 2) if path != 'cfg' else 0
    attempt(renameat2, path, 'evil', 2) if path != 'cfg' else 0
    attempt(os.setxattr, path, 'user.x', b'y')
for new in ('.git/hooks/post-merge', '.zshrc', 'sub/.profile', '.idea/x', '.GIT/hooks/case', '.Git/CONFIG', '.vscode/new.json', '.mcp.json', '.cursor', 'sub/.envrc'):
    attempt(write, new, os.O_CREAT)
    attempt(os.mkdir, new)
    attempt(os.symlink, '/w/evil', new)
    attempt(os.link, 'evil', new)
    attempt(os.rename, 'evil', new)
    attempt(os.rename, 'evildir', new)
    attempt(os.mknod, new, 0o100644)
    attempt(os.mkfifo, new)
# By way of the directories above.
for way in ('.git', '.git/hooks'):
    attempt(os.rename, way, 'moved')
    attempt(renameat2, way, 'evildir', 2)
    attempt(renameat2, 'evildir', way, 2)
    attempt(os.rmdir, way)
    attempt(shutil.rmtree, way)
    attempt(os.chmod, way, 0o777)
os.makedirs('other')
attempt(os.symlink, '../evildir', 'other/.git')
attempt(os.rename, 'evildir', 'other/.git')
attempt(write, 'other/.git', os.O_CREAT)
attempt(os.link, 'evil', 'other/.git')
os.mkdir('other/.git')  # an empty one is no harm
attempt(os.rename, 'evildir', 'other/.git')
attempt(os.rename, 'evildir/hooks', 'other/.git/hooks')
attempt(os.rename, 'evildir/config', 'other/.git/config')
attempt(os.mkdir, 'other/.git/hooks')
# Descriptors from before, of what then is to become one of them.
fd = os.open('evil', os.O_RDWR)
attempt(os.rename, 'evil', '.git/hooks/x')
attempt(libc.linkat, fd, b'', AT, b'.git/hooks/y', 0x1000)
attempt(os.link, '/proc/self/fd/%d' % fd, '.git/hooks/z', follow_symlinks=True)
try:
    tmp = os.open('.git/hooks', os.O_TMPFILE | os.O_RDWR, 0o755)
    attempt(os.link, '/proc/self/fd/%d' % tmp, '.git/hooks/t', follow_symlinks=True)
except OSError:
    pass
# Reading stays possible; a mapping of it cannot be made writable.
fd = os.open('.git/config', os.O_RDONLY)
attempt(mmap.mmap, fd, 0, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ | mmap.PROT_WRITE)
attempt(os.fchmod, fd, 0o777)
attempt(os.open, '/proc/self/fd/%d' % fd, os.O_RDWR)
attempt(os.open, '/dev/fd/%d' % fd, os.O_WRONLY)
dfd = os.open('.git', os.O_PATH)
attempt(os.open, 'config', os.O_RDWR, dir_fd=dfd)
attempt(os.open, 'hooks/q', os.O_WRONLY | os.O_CREAT, dir_fd=dfd)
os.chdir('.git/hooks')
attempt(write, 'pre-commit', 0)
attempt(write, 'fresh', os.O_CREAT)
os.chdir('../..')
# A namespace of its own, with the directory mounted elsewhere and below a file system of the guest's.
top = os.getcwd()
if libc.unshare(0x10000000 | 0x20000) == 0:
    os.makedirs('/tmp/b', exist_ok=True); os.makedirs('/tmp/m', exist_ok=True)
    if libc.mount(b'.git', b'/tmp/b', None, 4096, None) == 0:
        attempt(write, '/tmp/b/hooks/pre-commit', 0)
        attempt(write, '/tmp/b/hooks/bound', os.O_CREAT)
        attempt(write, '/tmp/b/config', os.O_TRUNC)
        attempt(os.rename, '/tmp/b/hooks', '/tmp/b/kooks')
    os.makedirs(top + '/work', exist_ok=True)
    options = ('lowerdir=/tmp/m,upperdir=%s/.git,workdir=%s/work' % (top, top)).encode()
    if libc.mount(b'overlay', b'/tmp/m', b'overlay', 0, options) == 0:
        attempt(write, '/tmp/m/hooks/pre-commit', 0)
        attempt(write, '/tmp/m/hooks/stacked', os.O_CREAT)
        attempt(write, '/tmp/m/config', 0)
        attempt(os.rename, '/tmp/m/hooks', '/tmp/m/kooks')
os.chdir(top)
for path in ('evildir', 'other', 'work', 'away', 'alias', 'moved'):
    shutil.rmtree(path, ignore_errors=True)
for path in ('evil', 'alias', 'away'):
    if os.path.lexists(path): os.unlink(path)
for what, args in done: print(what, args)
"""


def test_protected_names(box):
    """On a writable volume nothing gets round the rules."""
    top = project(box)
    before = picture(top)
    box.write("attack.py", ATTACK)
    result = box.run("/usr/bin/python3", "/a.py", options=["-v", box.path("attack.py") + ":/a.py", "-v", top + ":/w:rw", "-w", "/w"]).expect(0)
    after = picture(top)
    after.pop("work", None), after.pop("work/work", None)  # still mounted when the program removed the rest
    different = {k: (before.get(k), after.get(k)) for k in set(before) | set(after) if before.get(k) != after.get(k)}
    check(not different, "changed on the host:", different, result.out.decode(), result.err.decode()[-500:])
    check(b"refused to write to " in result.err and b"files.protected" not in result.err, result.err[:500])


def test_protected_by_commit(box):
    top = project(box)
    before = picture(top)
    # In its own copy all of it works; nothing of it is kept.
    script = "echo evil >.git/config; chmod 777 .git/config .git; echo evil >.git/hooks/pre-commit; echo evil >.git/hooks/new; mv .vscode v; mkdir -p t/hooks x; " \
             "echo evil >t/hooks/pre-commit; rm -r .claude; ln -s t .claude; cp -r t x/.git; ln free .bashrc.d; rm .bashrc; mv free .bashrc; ln -s t sub/.git; " \
             "echo evil >.zshrc; mkdir sub/.idea; touch sub/.idea/x; ln .git/config alias; mv .git g; mkdir .git; cp -r g/* .git; echo evil >.git/commondir"
    result = box.sh(script, options=["--commit", "--status-json", box.path("s")], cwd=top)
    result.expect(0, b"")
    after = picture(top)
    secrets = {k: v for k, v in before.items() if k in SECRETS or k.startswith((".git/", ".vscode", ".claude", ".bashrc"))}
    for name, was in secrets.items():
        check(after.get(name) == was, name, was, after.get(name), result.err[-800:])
    for name in after:
        check(name in before or name in ("g/hooks", "g/hooks/pre-commit", "g/hooks/new", "t/hooks", "t/hooks/pre-commit") or
              not any(word in name.split("/") for word in ("hooks", ".zshrc", ".idea", "commondir")), name)
    check(json.loads(box.read("s"))["refused_changes"] > 3, box.read("s"))


def test_protected_git_still_works(box):
    """A commit on a writable volume does not need what is protected."""
    top = box.path("repo")
    if subprocess.run(["git", "init", "-q", top], stderr=subprocess.DEVNULL).returncode:
        raise Failure("no git")
    box.sh("git config --global --add safe.directory /w; echo x > f && git add f && git -c user.name=a -c user.email=b commit -qm x && git checkout -q -b other && git status --short",
           options=["-v", top + ":/w:rw", "-w", "/w", "-e", "HOME=/tmp"]).expect(0, b"", b"")


def test_allow_path(box):
    top = project(box)
    options = ["-v", top + ":/w:rw", "-w", "/w"]
    box.sh("cat .env; cat k.pem", options=options + ["--allow-path", ".env"]).expect(1, b"original\n")
    box.sh("cat .env sub/.git-credentials", options=options + ["--allow-path", top]).expect(0, b"original\noriginal\n", b"")
    box.sh("echo x > .git/hooks/new; echo y > .git/config", options=options + ["--allow-path", top + "/.git/hooks/new"]).expect(2)
    check(os.path.exists(top + "/.git/hooks/new"), "not made")
    box.sh("echo z > .env", options=["--commit", "--allow-path", ".env"], cwd=top).expect(0)
    check(open(top + "/.env").read() == "z\n", "not kept")
    box.run("/bin/true", options=["--allow-path", "a/**"]).one_line(125, "--allow-path", "**")
    # What the user names as a volume is named.
    box.sh("cat /k; echo hook > /h/x", options=["-v", top + "/k.pem:/k", "-v", top + "/.git/hooks:/h:rw"]).expect(0, b"original\n", b"")
    box.sh("echo hook > /g/hooks/y", options=["-v", top + "/.git:/g:rw"]).expect(2)


def test_refusals_are_bounded(box):
    top = project(box)
    script = "i=0; while [ $i -lt 300 ]; do echo x > sub/$i.code-workspace; i=$((i+1)); done 2>/dev/null; true"
    result = box.sh(script, options=["-v", top + ":/w:rw", "-w", "/w", "--audit", box.path("audit")]).expect(0, b"")
    check(result.err.count(b"refused to") == 32 and b"further refusals" in result.err, result.err[-300:])
    check(box.read("audit").count(b"code-workspace permits") == 0 and box.read("audit").count(b'"rule":"files.protected: *.code-workspace"') == 300, "audit")
