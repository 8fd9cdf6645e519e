# SPDX-License-Identifier: Apache-2.0
"""A headless Chromium on a pipe (--remote-debugging-pipe): real keys, and whatever a page says, asks for or does wrong."""
import base64
import json
import os
import select
import shutil
import subprocess
import time

from box import Failure, Skip

KEYS = {"Enter": 13, "Tab": 9, "Backspace": 8, "Escape": 27, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39, "ArrowDown": 40, "Home": 36, " ": 32}


class Browser:
    """`told`: console messages, exceptions, refusals of the page's policy, and requests beyond the page itself."""

    def __init__(self, profile):
        if not shutil.which("chromium"):
            raise Skip("chromium is not installed")
        self.told, self.number, self.buffer, self.session = [], 0, b"", None
        ours, self.write = os.pipe()
        self.read, theirs = os.pipe()

        def place():  # its ends are 3 and 4
            a, b = os.dup(ours), os.dup(theirs)
            os.dup2(a, 3)
            os.dup2(b, 4)
            os.set_inheritable(3, True)
            os.set_inheritable(4, True)

        self.process = subprocess.Popen(["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                                         "--no-first-run", "--remote-debugging-pipe", "--user-data-dir=" + profile, "about:blank"],
                                        preexec_fn=place, pass_fds=(3, 4), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(ours)
        os.close(theirs)
        try:
            target = next(t for t in self.ask("Target.getTargets")["targetInfos"] if t["type"] == "page")["targetId"]
            self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            for domain in ("Page", "Runtime", "Log", "Network", "Audits"):
                self.ask(domain + ".enable")
        except (Failure, OSError, StopIteration) as why:
            self.close()
            raise Skip("chromium does not start here: %s" % why)

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.read)
        os.close(self.write)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.close()

    def message(self, until):
        while b"\0" not in self.buffer:
            if not select.select([self.read], [], [], max(0, until - time.monotonic()))[0]:
                raise Failure("the browser does not answer")
            got = os.read(self.read, 1 << 20)
            if not got:
                raise Failure("the browser is gone")
            self.buffer += got
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def note(self, event):
        method, data = event.get("method"), event.get("params", {})
        if method == "Runtime.consoleAPICalled":
            self.told.append("console.%s: %s" % (data["type"], [a.get("value", a.get("description")) for a in data["args"]]))
        elif method == "Runtime.exceptionThrown":
            details = data["exceptionDetails"]
            self.told.append("exception: %s" % details.get("exception", details).get("description", details["text"]))
        elif method == "Log.entryAdded":
            self.told.append("log: %s: %s" % (data["entry"]["level"], data["entry"]["text"]))
        elif method == "Audits.issueAdded":
            self.told.append("issue: %s" % json.dumps(data["issue"])[:400])
        elif method == "Network.requestWillBeSent" and data["request"]["url"] != self.url:
            self.told.append("request: %s" % data["request"]["url"][:200])

    url = ""

    def ask(self, method, limit=60, **params):
        self.number += 1
        message = {"id": self.number, "method": method, "params": params}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write, json.dumps(message).encode() + b"\0")
        until = time.monotonic() + limit
        while True:
            answer = self.message(until)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise Failure("%s: %s" % (method, answer["error"]))
                return answer["result"]
            self.note(answer)

    def run(self, script):
        """The value of an expression in the page."""
        result = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in result:
            raise Failure("%s: %s" % (script, result["exceptionDetails"]["exception"].get("description")))
        return result["result"].get("value")

    def open(self, path, width=1280, height=900, dark=False):
        """Seconds until the page's script was at its end."""
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])
        self.url = "file://" + path
        begin = time.monotonic()
        self.ask("Page.navigate", url=self.url)
        while not self.run("location.href.startsWith('file:') && document.documentElement?.dataset.ready === 'yes'"):
            if self.told or time.monotonic() > begin + 60:
                raise Failure("the page's script did not come to its end: %s" % self.told)
            time.sleep(0.02)
        return time.monotonic() - begin

    def press(self, key, shift=False):
        text = {"Enter": "\r", " ": " "}.get(key, key if len(key) == 1 else "")
        down = {"type": "keyDown" if text else "rawKeyDown", "key": key, "windowsVirtualKeyCode": KEYS.get(key, ord(key[0])), "modifiers": 8 if shift else 0}
        if text:
            down["text"] = text
        self.ask("Input.dispatchKeyEvent", **down)
        self.ask("Input.dispatchKeyEvent", **{**down, "type": "keyUp"})

    def picture(self, path, whole=True):
        data = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)["data"]
        with open(path, "wb") as file:
            file.write(base64.b64decode(data))
