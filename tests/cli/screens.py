# SPDX-License-Identifier: Apache-2.0
"""Full-screen and interactive programs: each is driven natively and under -t, in a terminal that tmux plays outside, and
after each step the screens must be equal: text, cursor and which screen is shown."""
import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time

from box import Failure, Skip

TEXT = "".join("line %d of the text, with some words\n" % i for i in range(200))

CURSES = """
import curses
def main(s):
    curses.start_color(); curses.use_default_colors(); curses.init_pair(1, curses.COLOR_RED, -1); curses.curs_set(0)
    log = []
    while True:
        s.erase(); h, w = s.getmaxyx(); s.border()
        s.addstr(1, 2, "size %dx%d" % (w, h), curses.color_pair(1) | curses.A_BOLD)
        for i, l in enumerate(log[-(h - 4):]): s.addnstr(2 + i, 2, l, w - 4)
        win = s.derwin(5, 20, h - 6, w - 22); win.box(); win.addstr(1, 1, "window", curses.A_REVERSE)
        s.refresh()
        c = s.getch()
        if c == ord('q'): break
        log.append("%s %d" % (curses.keyname(c).decode(), c))
        if c == ord('p'):
            curses.endwin(); print("out of curses"); input("press enter"); s.refresh()
        if c == ord('t'):
            s.timeout(300); log.append("timeout %d" % s.getch()); s.timeout(-1)
curses.wrapper(main)
"""

INNER = "screens-inner-%d" % os.getpid()  # the name of the tmux inside
VIM = ["vim", "-u", "NONE", "-N", "-n", "-i", "NONE", "f.txt"]
BASH = ["bash", "--norc", "--noprofile", "-i"]


def pause(seconds):
    return ("pause", seconds)


def resize(columns, rows):
    return ("resize", columns, rows)


# A program's steps: keys as tmux names them, pauses and changes of the window's size. The programs' own names of terminals
# and processes are made the same by `same()`.
PROGRAMS = {
    "vim": (VIM, {"f.txt": TEXT}, [
        ("G",), ("/line 77", "Enter"), ("i", "Hello ", "Escape"), (":split", "Enter"), (resize(100, 30),),
        ("C-w", "w", "gg", "V", "3j", "d"), ("C-v", "5j", "2l", "x"), ("u",), (":set nu", "Enter"), (":!ls", "Enter"), ("Enter",),
        (":terminal sh", "Enter", pause(0.5)), ("tty", "Enter"), ("exit", "Enter"), (":qa!", "Enter")]),
    "less": (["less", "f.txt"], {"f.txt": TEXT}, [
        ("Space",), ("G",), ("g",), ("/line 99", "Enter"), ("n",), (resize(60, 20),), ("j", "j", "k"), ("-", "N", "Enter"), ("h",), ("q",), ("q",)]),
    "nano": (["nano", "-I", "f.txt"], {"f.txt": TEXT}, [
        ("Hello",), ("Down", "Down", "End", " tail"), ("C-k", "C-u", "C-u"), ("C-w", "line 50", "Enter"), (resize(70, 18),), ("C-o",), ("Enter",), ("C-x",)]),
    "curses": (["/usr/bin/python3", "c.py"], {"c.py": CURSES}, [
        ("a",), ("Up", "Down", "F5", "Home", "PPage", "DC"), (resize(100, 30),), ("p",), ("Enter",), ("t", pause(0.5)), (resize(60, 16),), ("C-a", "C-v"), ("q",)]),
    "bash": (BASH, {}, [
        ("sleep 1000", "Enter", pause(0.3), "C-z"), ("jobs", "Enter"), ("bg", "Enter"), ("fg", "Enter", pause(0.3), "C-c"),
        ("echo abc", "C-a", "X", "C-e", "Y", "C-w", "Enter"), ("cat", "Enter", pause(0.3), "one", "C-u", "two", "Enter", "C-d"),
        ("cat &", "Enter", pause(0.5), "Enter"), ("stty -a", "Enter"), (resize(100, 40), pause(0.3)), ("echo $COLUMNS $LINES; stty size", "Enter"),
        ("sleep 100 | cat", "Enter", pause(0.3), "C-\\"), ("echo $? ${PIPESTATUS[@]}", "Enter"),
        ("read -n1 -p 'key? ' k; echo; echo \"<$k>\"", "Enter", pause(0.2), "z"), ("read -s -p pw: p; echo; echo $p", "Enter", pause(0.3), "secret", "Enter"),
        ("seq 100 | less", "Enter", pause(0.3), "Space", "C-z", pause(0.3)), ("fg %2", "Enter", pause(0.3)), ("q", pause(0.3)),
        ("vim -u NONE -N -n -i NONE f", "Enter", pause(0.5), "C-z", pause(0.3)), ("fg", "Enter", pause(0.4)), (":q", "Enter", pause(0.3)),
        ("stty tostop; (sleep 0.2; echo bg) & sleep 0.5; stty -tostop; fg", "Enter", pause(1)), ("exit", "Enter")]),
    "stty": (BASH, {}, [
        ("stty raw; dd bs=1 count=5 2>/dev/null; stty sane", "Enter", pause(0.3), "C-c", "C-z", "a", "Enter", "C-d"),
        ("stty -icanon min 0 time 5; cat | od -c; stty sane", "Enter", pause(0.2), "xy", pause(0.8)), ("stty intr ^G; sleep 100", "Enter", pause(0.3), "C-g"),
        ("stty sane; stty cols 50 rows 10; stty size", "Enter"), ("stty olcuc; echo lower; stty -olcuc", "Enter"),
        ("stty -echoctl; cat", "Enter", pause(0.3), "C-a", "C-c"), ("stty echoctl; cat", "Enter", pause(0.3), "C-a", "C-c"),
        ("cat", "Enter", pause(0.3), "ab", "C-v", "C-c", "C-u", "old line", "C-r", "Enter", "C-d"), ("stty eol x; cat", "Enter", pause(0.3), "abx", "Enter", "C-d"),
        ("stty -a", "Enter")]),
    "python": (["/usr/bin/python3", "-q"], {}, [
        ("print(1+", "Enter", "2)", "Enter"), ("import os; os.getpi", "Tab", pause(0.3)), ("()>0", "Enter"), ("Up", "Enter"),
        ("for i in range(3):", "Enter", "    print(i)", "Enter", "Enter"), ("C-r", "print"), ("C-g",), ("while True: pass", "Enter", "Enter", pause(0.5), "C-c"),
        ("input('x? ')", "Enter", pause(0.2), "abc", "Enter"), ("import getpass; getpass.getpass()", "Enter", pause(0.5), "pw", "Enter"), ("C-d",)]),
    "tmux": (["tmux", "-L", INNER, "-f", "/dev/null", "new-session", "exec sh", ";", "set", "-g", "default-command", "exec sh", ";", "set", "-g", "automatic-rename", "off"], {}, [
        ("echo in tmux", "Enter"), ("C-b", "c", pause(0.5)), ("echo second; tput cols; tput lines; tty", "Enter"), ("C-b", "%", pause(0.5)), ("stty size", "Enter"),
        (resize(100, 30), pause(0.5)), ("stty size", "Enter"), ("C-b", "n"), ("seq 100", "Enter"), ("C-b", "[", "PPage"), ("q", pause(0.8)), ("C-b", "d", pause(0.3))]),
    "screen": (["screen", "-c", "/dev/null", "sh"], {}, [
        ("echo in screen", "Enter"), ("C-a", "c", pause(0.4)), ("echo two; tty", "Enter"), ("C-a", "S", pause(0.2)), ("C-a", "Tab", "C-a", "n", pause(0.2)),
        ("stty size", "Enter"), (resize(90, 30), pause(0.4)), ("stty size", "Enter"), ("exit", "Enter", pause(0.3)), ("exit", "Enter", pause(0.3))]),
    "script": (["script", "-q", "typescript", "-c", "sh"], {}, [
        ("echo hello; tty", "Enter"), ("stty size", "Enter"), (resize(90, 20), pause(0.3)), ("stty size", "Enter"), ("sleep 100", "Enter", pause(0.3), "C-c"),
        ("sleep 0.2 & wait; echo w", "Enter", pause(0.4)), ("exit", "Enter")]),
    "top": (["top"], {}, [(pause(1),), ("1", pause(0.5)), (resize(100, 30), pause(0.5)), ("?", pause(0.3))]),
    "dash": (["dash", "-i"], {}, [
        ("sleep 1000", "Enter", pause(0.3), "C-z"), ("jobs", "Enter"), ("fg", "Enter", pause(0.3), "C-c"),
        ("cat | cat", "Enter", pause(0.3), "x", "Enter", "C-d"), ("stty -echo; read x; stty echo; echo $x", "Enter", pause(0.3), "zz", "Enter"), ("exit", "Enter")]),
    "watch": (["watch", "-t", "-n", "0.3", "echo tick; tty"], {}, [(pause(0.5),), (resize(40, 10), pause(0.6)), ("C-c", pause(0.3))]),
}


def same(program, screen):
    """What may differ between two runs of a program is cut away."""
    screen = re.sub(r"pts/\d+ *", "pts/N ", screen)
    if program == "tmux":
        # The host's name takes its place in the status line.
        screen = re.sub(r'( *"[^"]*")? +\d\d:\d\d \d\d-\w+-\d+', " TIME", screen)
    if program == "vim":
        # How long ago the change was made that `u` undoes.
        screen = re.sub(r"\d+ seconds? ago", "N seconds ago", screen)
    if program == "top":
        # Values and processes are others: the form of the summary and the head of the table.
        lines = [re.sub(r"[\s\d.:]+", "", line) for line in screen.splitlines()]
        return "\n".join(line for line in lines if re.match(r"MiB|PID|%Cpu\(s\)|Help|When|Z,B|Global", line))[:400]
    return re.sub(r"(?m)^\[(\d+)\] \d+$", r"[\1] PID", screen)


class Terminal:
    """A tmux server of its own with one window, in which a command runs."""

    count = 0

    def __init__(self, argv, directory, quiet):
        Terminal.count += 1
        self.name = "screens-%d-%d" % (os.getpid(), Terminal.count)
        # Signals from the keyboard reach this shell as well.
        command = "trap : INT QUIT; " + " ".join(shlex.quote(a) for a in argv) + (" 2>/dev/null" if quiet else "") + "; echo '[ended' $?']'; sleep 1000"
        subprocess.run(["tmux", "-L", self.name, "-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", "-c", directory, command],
                       env={"PATH": os.environ["PATH"], "HOME": "/", "LANG": "C.UTF-8", "TERM": "xterm", "SHELL": "/bin/sh"}, check=True, timeout=20)

    def tmux(self, *words):
        return subprocess.run(["tmux", "-L", self.name] + list(words), capture_output=True, text=True, timeout=20).stdout

    def take(self, step):
        for key in step:
            if isinstance(key, str):
                self.tmux("send-keys", key)
            elif key[0] == "pause":
                time.sleep(key[1])
            else:
                self.tmux("resize-window", "-x", str(key[1]), "-y", str(key[2]))

    def screen(self):
        return self.tmux("capture-pane", "-p") + self.tmux("display-message", "-p", "cursor #{cursor_x},#{cursor_y} #{cursor_flag}, alternate #{alternate_on}")

    def stable(self):
        """What is shown when nothing has changed for a while."""
        end, since, last = time.monotonic() + 8, time.monotonic(), self.screen()
        while time.monotonic() < end and time.monotonic() - since < 0.4:
            time.sleep(0.08)
            now = self.screen()
            if now != last:
                last, since = now, time.monotonic()
        return last

    def wait_for(self, program, wanted):
        """The screen as soon as it is as wanted, or what it is after some seconds."""
        end = time.monotonic() + 8
        while True:
            now = same(program, self.screen())
            if now == wanted or time.monotonic() > end:
                return now
            time.sleep(0.05)

    def close(self):
        self.tmux("kill-server")


def drive(box, program, wanted=None):
    """The screens of one run: native, or in the sandbox until one is not as @wanted."""
    argv, files, steps = PROGRAMS[program]
    directory = tempfile.mkdtemp(prefix="s", dir=box.dir) if wanted is None else box.path("here")
    if wanted is not None:
        os.makedirs(directory)
    variables = ["HOME=/", "TERM=screen", "LANG=C.UTF-8", "PS1=$ ", "SHELL=/bin/sh"]
    for name, text in files.items():
        with open(os.path.join(directory, name), "w") as file:
            file.write(text)
    if wanted is None:
        argv = ["env", "-i", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"] + variables + argv
    else:
        argv = [box.sentry, "run", "-t", "--platform", box.platform] + [w for v in variables for w in ("-e", v)] + ["--"] + argv
    terminal = Terminal(argv, directory, wanted is not None)
    screens = []
    try:
        for i, step in enumerate([()] + steps):
            terminal.take(step)
            if wanted is None:
                screens.append(same(program, terminal.stable()))
                continue
            screens.append(terminal.wait_for(program, wanted[i]))
            if screens[i] != wanted[i]:
                raise Failure("%s: after %r the screen is\n%s\nand natively\n%s" % (program, step, screens[i], wanted[i]))
    finally:
        terminal.close()
        if wanted is None and argv[-1].startswith("exec sh"):
            subprocess.run(["tmux", "-L", INNER, "kill-server"], stderr=subprocess.DEVNULL)
    return screens


native = {}


def check_program(box, program):
    for needed in ("tmux", PROGRAMS[program][0][0]):
        if not shutil.which(needed):
            raise Skip(needed + " is not installed")
    for attempt in (1, 2):
        if program not in native:
            native[program] = drive(box, program)
        try:
            drive(box, program, native[program])
            return
        except Failure:
            # Was the native run a slow one?
            if attempt == 2:
                raise
            del native[program]
            shutil.rmtree(box.path("here"))


def make(program):
    def test(box):
        check_program(box, program)
    return test


for name_ in PROGRAMS:
    globals()["test_screen_" + name_] = make(name_)
