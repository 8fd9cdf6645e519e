# SPDX-License-Identifier: Apache-2.0
"""--policy, --profile and `sentry policy`."""
import json
import os
import re

from box import check

SCHEMA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/policy.schema.json")


def policy(box, text, name="p.json"):
    return box.write(name, text if isinstance(text, (str, bytes)) else json.dumps(text))


def shown(box, *options):
    result = box.raw("policy", "show", *options).expect(0, err=b"")
    return json.loads(result.out)


def test_policy_of_all_kinds(box):
    os.mkdir(box.path("shared"))
    box.write("shared/f", "x")
    file = policy(box, """// comments are fine
        {"$schema": "x", "files": {"volumes": ["shared:/s:rw"], "tmpfs": ["/t:size=1m"], "hidden": ["@default", "f.secret"],
         "protected": ["keep"], "allowed": [".env"]}, /* and so are these */
         "limits": {"memory": "256m", "pids-limit": 20, "nofile": 100, "timeout": "20s", "cpu-time": 5.5, "output-limit": 100000, "cpus": 1},
         "env": {"A": "1", "B": null}, "user": "1000:1000", "network": "none"}""")
    box.write("f.secret", "hidden")
    box.write(".env", "S=1")
    box.write("k.pem", "hidden")
    script = "id -u; echo $A $B; ulimit -n; cat /s/f; echo; cat .env; ls f.secret k.pem 2>/dev/null; echo n > /s/keep; df -k /t | tail -1 | awk '{print $2}'; nproc"
    result = box.sh(script, options=["--policy", file], env=dict(os.environ, B="2", C="3"))
    result.expect(0, b"1000\n1 2\n100\nx\nS=11024\n1\n")
    check(b"protected by the rule 'keep'" in result.err, result.err)
    # Flags beat the file, wherever they stand.
    for options in (["-e", "A=9", "-u", "5", "--policy", file], ["--policy", file, "-e", "A=9", "-u", "5"]):
        box.sh("id -u; echo $A", options=options).expect(0, b"5\n9\n")
    box.run("/bin/sleep", "20", options=["--policy", file, "--timeout", "0.1"]).expect(124)


def test_policy_errors(box):
    cases = (
        ('{"limits": {"memroy": "1g"}}', 1, 13, "unknown key 'memroy' in 'limits'", "did you mean 'memory'?"),
        ('{\n  "file": {}}', 2, 3, "unknown key 'file'", "did you mean 'files'?"),
        ('{"xyzzyxyzzy": 1}', 1, 2, "unknown key 'xyzzyxyzzy'", "docs/policy.md"),
        ('{"limits": {"memory": true}}', 1, None, "'limits.memory' must be a string or a number"),
        ('{"limits": {"memory": null}}', 1, None, "'limits.memory' must be"),
        ('{"limits": {"memory": {}}}', 1, None, "'limits.memory' must be"),
        ('{"limits": {\n"memory": "lots"}}', 2, 11, "--memory: 'lots' is not a size"),
        ('{"limits": {"memory": 5}}', 1, None, "16m"),
        ('{"limits": {"timeout": "-1"}}', 1, None, "--timeout"),
        ('{"limits": {"pids-limit": 0}}', 1, None, "out of range"),
        ('{"limits": {"pids-limit": 1e2}}', 1, None, "--pids-limit"),
        ('{"limits": []}', 1, None, "'limits' must be an object"),
        ('{"limits": {"cpus": 1, "cpus": 2}}', 1, 24, "'limits.cpus' is there twice"),
        ('{"files": {"hidden": "x"}}', 1, None, "'files.hidden' must be an array of strings"),
        ('{"files": {"hidden": [1]}}', 1, None, "'files.hidden' must be an array of strings"),
        ('{"files": {"hidden": [["x"]]}}', 1, None, "'files.hidden' must be"),
        ('{"files": {"hidden": ["a/**"]}}', 1, 23, "'**'"),
        ('{"files": {"hidden": ["../x"]}}', 1, 23, "'..'"),
        ('{"files": {"volumes": ["x"]}}', 1, 24, "--volume"),
        ('{"env": {"A": 1}}', 1, None, "'env.A' must be a string"),
        ('{"env": {"A": "1", "A": "2"}}', 1, 20, "'A' is there twice"),
        ('{"env": {"A=B": "1"}}', 1, None, "not a variable's name"),
        ('{"env": {"A": "x\\u0000y"}}', 1, None, "NUL"),
        ('{"network": "host"}', 1, 13, "--network", "neither none"),
        ('{"profile": "root"}', 1, 13, "--profile"),
        ('{"user": "me"}', 1, 10, "--user"),
        ('[]', 1, None, "the policy must be an object"),
        ('"x"', 1, None, "the policy must be an object"),
        ('{"limits": {}', 1, None, "not JSON"),
        ('{"limits": {}} x', 1, None, "not JSON"),
        ('{"limits" {}}', 1, None, "not JSON"),
        ('{"a\xff": 1}', 1, None, "not JSON"),
        ('', 1, None, "not JSON"),
        ('{"files": ' * 50, 1, None, ""),
    )
    for text, line, column, *words in cases:
        file = policy(box, text.encode("latin-1"))
        for result in (box.raw("policy", "check", file), box.run("/bin/true", options=["--policy", file])):
            result.one_line(125, *words)
            found = re.match(r"sentry: (.*):(\d+):(\d+): ", result.err.decode())
            check(found and found.group(1) == file and int(found.group(2)) == line, text, result.err)
            check(column is None or int(found.group(3)) == column, text, column, result.err)
    box.raw("policy", "check", box.path("none")).one_line(125, "No such file")
    box.raw("policy", "check", box.dir).one_line(125, "directory")
    box.raw("policy", "check", policy(box, " " * (2 << 20))).one_line(125, "longer")
    box.run("/bin/true", options=["--policy", policy(box, "{}"), "--policy", box.path("p.json")]).one_line(125, "one only")
    box.raw("policy", "show", "x").one_line(125, "not an option")
    check(box.raw("policy").code == 125, "usage")


def test_policy_show(box):
    told = shown(box)
    check(".env" in told["files"]["hidden"] and ".git/hooks" in told["files"]["protected"] and ".env.example" in told["files"]["allowed"], told)
    check(told["limits"] == {"memory": 1 << 30, "pids-limit": 128, "nofile": 1024}, told["limits"])
    agent = {"memory": 512 << 20, "pids-limit": 64, "nofile": 1024, "timeout": 30, "cpu-time": 10, "output-limit": 8 << 20}
    check(shown(box, "--profile", "agent")["limits"] == agent, "agent")
    # What is nearer to the user beats what is farther: file's profile, file, --profile, flag.
    file = policy(box, {"limits": {"memory": "1g", "timeout": 7}, "profile": "agent"})
    check(shown(box, "--policy", file)["limits"] == dict(agent, memory=1 << 30, timeout=7), "file")
    check(shown(box, "-m", "64m", "--profile", "agent", "--policy", file)["limits"] == dict(agent, memory=64 << 20), "flag")
    # It can be used again, and says the same.
    for options in ([], ["--policy", file, "-v", "/tmp:/x:rw", "--tmpfs", "/y:size=1m", "-e", "A=b\tc\u00e9\"", "-e", "A=d", "-u", "1:2", "--allow-path", "./x",
                         "--cpus", "1", "--timeout", "1.5", "--output-limit", "1k", "--cpu-time", "1h"]):
        first = shown(box, *options)
        again = policy(box, first, "again.json")
        check(shown(box, "--policy", again) == first, first)
        box.raw("policy", "check", again).expect(0, err=b"")
    check(first["files"]["allowed"][-1] == box.dir + "/x" and first["env"] == {"A": "d"}, first)
    # Lists can be emptied and extended.
    told = shown(box, "--policy", policy(box, {"files": {"hidden": [], "protected": ["mine", "@default"]}}))
    check(told["files"]["hidden"] == [] and told["files"]["protected"][0] == "mine" and ".bashrc" in told["files"]["protected"], told)


def test_policy_schema(box):
    """The published schema knows the keys that the program knows."""
    with open(SCHEMA) as file:
        schema = json.load(file)
    told = shown(box, "--profile", "agent", "--cpus", "1", "-u", "1", "-e", "A=1")
    known = schema["properties"]
    check(set(told) | {"$schema", "profile"} == set(known), set(known) ^ set(told))
    for part in ("files", "limits"):
        check(set(told[part]) == set(known[part]["properties"]), part)
    try:
        import jsonschema
    except ImportError:
        return
    jsonschema.validate(told, schema)


def test_profile_agent(box):
    box.sh("ulimit -n; yes | head -c 1000 | wc -c", options=["--profile", "agent"]).expect(0, b"1024\n1000\n", b"")
    result = box.sh("cat /dev/zero", options=["--profile", "agent", "--status-json", box.path("s")])
    told = json.loads(box.read("s"))
    check(result.code == 124 and len(result.out) == 8 << 20 and told["reason"] == "output-limit", result.code, len(result.out), told)
    box.run("/bin/true", options=["--profile", "x"]).one_line(125, "--profile", "agent")
    result = box.run("/usr/bin/python3", "-c", "import os\ntry:\n  for i in range(100):\n    if os.fork() == 0: os.pause() if hasattr(os, 'pause') else __import__('signal').pause()\nexcept OSError as e: print(e.errno, i > 50)\nos.kill(0, 9)",
                     options=["--profile", "agent"])
    check(result.out in (b"", b"11 True\n"), result.out, result.err)


def test_output_limit(box):
    """Exactly so many bytes come out, both streams together; then the sandbox ends, whoever ignores what."""
    options = ["--output-limit", "1000", "--status-json", box.path("s")]
    for script in ("yes 123456789", "yes 123456789 >&2", "trap '' TERM PIPE XFSZ; while :; do echo 123456789; done",
                   "yes 12345678 & yes 12345678 >&2 & wait", "head -c 5000 /dev/zero; sleep 60"):
        result = box.sh(script, options=options)
        err = result.err.replace(b"sentry: output limit reached: ending every task (--output-limit raises it)\n", b"")
        told = json.loads(box.read("s"))
        check(result.code == 124 and told["reason"] == "output-limit" and told["output_bytes"] == 1000, script, result.code, told)
        check(len(result.out) + len([c for c in err if c in b"12345678\n"]) <= 1000 + 200 and len(result.out) <= 1000, script, len(result.out), err[-200:])
        check(result.seconds < 8, result.seconds)
    # What stays within is let alone.
    result = box.sh("head -c 1000 /dev/zero", options=options).expect(0, bytes(1000), b"")
    check(json.loads(box.read("s"))["output_bytes"] == 1000, "output_bytes")
    # Into a file, and by a mapping of it.
    with open(box.path("out"), "w+b") as out:
        box.sh("cat /dev/zero", options=options, stdout=out).expect(124, None)
        check(os.path.getsize(box.path("out")) == 1000, os.path.getsize(box.path("out")))
    script = "import mmap, os\nos.ftruncate(1, 8192)\ntry:\n  m = mmap.mmap(1, 8192)\n  m[:] = b'x' * 8192\nexcept OSError as e: os._exit(e.errno)\n"
    with open(box.path("out"), "w+b") as out:
        box.run("/usr/bin/python3", "-c", script, options=options, stdout=out).expect(13, None)
    box.run("/bin/true", options=["--output-limit", "0"]).one_line(125, "--output-limit")
