# SPDX-License-Identifier: Apache-2.0
"""What it costs to look at calls: whole programs under `--trace FILE`, in each of its forms, next to the same sandbox without.

Both are run in turns; a sample is the geometric mean of the ratios over all programs in a round. Beside them stands, for each
program, its ratio in JSON lines."""
import os
import shutil
import tempfile

from . import macro, stats
from .systems import is_ours

GROUP = "trace"
FORMS = {"binary": ["--trace-format", "binary"], "json": ["--trace-format", "json"], "text": ["--trace-format", "text"]}


def options(form, directory):
    return ["--trace", os.path.join(directory, form)] + FORMS[form] if form else []


def ratios(stage, prefix, name, forward, directory):
    """{form: wall time next to that without a trace}."""
    order = [None] + list(FORMS)
    times = {form: macro.once(stage, prefix[:-1] + options(form, directory) + prefix[-1:], name)[0] for form in (order if forward else reversed(order))}
    return {form: times[form] / times[None] for form in FORMS}


def measure(results, stage, systems, rounds):
    names = [name for name in macro.COMMANDS if name not in macro.START]
    means = {form: results.figure("trace-" + form, GROUP, "x") for form in FORMS}
    each = {name: results.figure(name + " --trace", GROUP, "x") for name in names}
    directory = tempfile.mkdtemp(prefix="traces-")
    try:
        for number in range(rounds):
            for system, prefix in systems.items():
                if not is_ours(prefix):
                    continue
                found = {name: ratios(stage, prefix, name, number % 2 == 0, directory) for name in names}
                for form in FORMS:
                    means[form].add(system, stats.geometric_mean(found[name][form] for name in names))
                for name in names:
                    each[name].add(system, found[name]["json"])
    finally:
        shutil.rmtree(directory, ignore_errors=True)
