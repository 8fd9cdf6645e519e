# SPDX-License-Identifier: Apache-2.0
"""The figures of a run.

As JSON: {"version": 1, "machine": {...}, "floor": {name: ns}, "figures": {name: {"group", "unit", "samples": {system: [...]}}}}.
Samples are kept, not their medians: who compares two runs wants their spread. A benchmark that failed on a system has no
samples there and a line in "failed".
"""
import json
import os
import platform

from . import stats

VERSION = 1
NATIVE = "native"


class Figure:
    """One benchmark: its samples on each system, all in the same unit; smaller is better."""

    def __init__(self, name, group, unit, samples=None):
        self.name, self.group, self.unit = name, group, unit
        self.samples = samples if samples is not None else {}

    def add(self, system, value):
        self.samples.setdefault(system, []).append(value)

    def median(self, system):
        return stats.median(self.samples[system]) if self.samples.get(system) else None

    def spread(self, system):
        return stats.spread(self.samples[system]) if self.samples.get(system) else None

    def ratios(self, system):
        return stats.ratios(self.samples.get(system, []), self.samples.get(NATIVE, []))

    def ratio(self, system):
        return stats.ratio(self.samples.get(system, []), self.samples.get(NATIVE, []))

    def best_ratio(self, system):
        return stats.best_ratio(self.samples.get(system, []), self.samples.get(NATIVE, []))


class Results:
    def __init__(self):
        self.machine, self.floor, self.figures, self.failed = {}, {}, {}, {}

    def figure(self, name, group, unit):
        return self.figures.setdefault(name, Figure(name, group, unit))

    def group(self, group):
        return [figure for figure in self.figures.values() if figure.group == group]

    def systems(self):
        """Every system with a sample, native first, in the order of their first appearance."""
        seen = {NATIVE: None} if any(NATIVE in f.samples for f in self.figures.values()) else {}
        for figure in self.figures.values():
            seen.update(dict.fromkeys(figure.samples))
        return list(seen)

    def update(self, newer):
        """Takes the newer run's word where it has one."""
        self.machine.update(newer.machine)
        self.floor.update(newer.floor)
        for name, figure in newer.figures.items():
            self.figures[name] = figure
            self.failed.pop(name, None)
        self.failed.update(newer.failed)

    def to_json(self):
        return {
            "version": VERSION,
            "machine": self.machine,
            "floor": self.floor,
            "figures": {f.name: {"group": f.group, "unit": f.unit,
                                 "samples": {s: [round(v, 4) for v in values] for s, values in f.samples.items()}}
                        for f in self.figures.values()},
            "failed": self.failed,
        }

    @classmethod
    def from_json(cls, data):
        if data.get("version") != VERSION:
            raise ValueError("not results of this program's version")
        results = cls()
        results.machine, results.floor = data["machine"], data["floor"]
        results.failed = data.get("failed", {})
        for name, figure in data["figures"].items():
            results.figures[name] = Figure(name, figure["group"], figure["unit"], figure["samples"])
        return results

    def save(self, path):
        with open(path, "w", encoding="utf-8") as file:
            # One line for a figure: readable, and small in a diff.
            data = self.to_json()
            figures = data.pop("figures")
            head = json.dumps(data, indent=1)
            lines = ",\n".join("  %s: %s" % (json.dumps(name), json.dumps(figure)) for name, figure in figures.items())
            file.write('%s,\n "figures": {\n%s\n }\n}\n' % (head[:head.rindex("\n")], lines))

    @classmethod
    def load(cls, path):
        with open(path, encoding="utf-8") as file:
            return cls.from_json(json.load(file))


def describe_machine():
    model = "unknown"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cpus": len(os.sched_getaffinity(0)), "kernel": platform.release()}
