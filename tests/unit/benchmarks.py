#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The benchmarks' arithmetic: what is called slower, which targets are met, what the files and drawings hold."""
import io
import json
import os
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "benchmarks"))

from bench import compare, document, plot, stats, table, targets  # noqa: E402
from bench.results import Figure, Results  # noqa: E402


def results_of(figures, group="micro"):
    """{name: {system: samples}} as Results."""
    results = Results()
    for name, samples in figures.items():
        results.figures[name] = Figure(name, group, "ns", samples)
    return results


class Stats(unittest.TestCase):
    def test_median_and_spread_ignore_an_outlier(self):
        values = [10, 11, 10, 9, 500]
        self.assertEqual(stats.median(values), 10)
        self.assertAlmostEqual(stats.sigma(values), 1.4826)

    def test_a_single_sample_has_no_spread(self):
        self.assertEqual(stats.sigma([7]), 0)
        self.assertEqual(stats.spread([0]), 0)

    def test_ratios_pair_the_rounds(self):
        # The machine was slow in the second round, for both.
        self.assertEqual(stats.ratio([20, 200, 20], [10, 100, 10]), 2)

    def test_ratios_without_a_partner(self):
        self.assertEqual(stats.ratios([1, 2], [1]), [1])
        self.assertIsNone(stats.ratio([], [1]))
        self.assertIsNone(stats.ratio([1], [0]))
        self.assertIsNone(stats.best_ratio([], []))

    def test_geometric_mean(self):
        self.assertAlmostEqual(stats.geometric_mean([0.5, 2, 8]), 2)
        self.assertIsNone(stats.geometric_mean([]))


class Compare(unittest.TestCase):
    NATIVE = [100, 101, 99, 100, 100]

    def slower(self, before, now, native=None):
        old = results_of({"x": {"native": self.NATIVE, "systrap": before}})
        new = results_of({"x": {"native": native or self.NATIVE, "systrap": now}})
        return [row[:2] for row in compare.slower(old, new)]

    def test_slower_is_named(self):
        self.assertEqual(self.slower([200, 202, 198, 201, 199], [300, 302, 299, 301, 300]), [("x", "systrap")])

    def test_same_and_faster_are_not(self):
        self.assertEqual(self.slower([200, 202, 198, 201, 199], [205, 202, 200, 207, 204]), [])
        self.assertEqual(self.slower([200, 202, 198, 201, 199], [100, 102, 99, 101, 100]), [])

    def test_noise_is_not(self):
        self.assertEqual(self.slower([200, 260, 150, 210, 280], [240, 320, 190, 260, 300]), [])

    def test_disturbed_rounds_are_not(self):
        # Three of five rounds were disturbed; the others are as fast as before.
        self.assertEqual(self.slower([200, 201, 200, 199, 200], [200, 300, 301, 300, 201]), [])

    def test_a_slower_machine_is_not(self):
        self.assertEqual(self.slower([200, 202, 198, 201, 199], [400, 404, 396, 402, 398], native=[200, 202, 198, 200, 200]), [])

    def test_the_worst_comes_first(self):
        old = results_of({n: {"native": [100] * 3, "systrap": [200] * 3} for n in "ab"})
        new = results_of({"a": {"native": [100] * 3, "systrap": [300] * 3}, "b": {"native": [100] * 3, "systrap": [900] * 3}})
        self.assertEqual([row[0] for row in compare.slower(old, new)], ["b", "a"])

    def test_what_stopped_working_counts(self):
        old = results_of({"x": {"native": [1], "systrap": [1]}})
        new = results_of({"x": {"native": [1]}})
        new.failed = {"x": {"systrap": "exit 1"}}
        out = io.StringIO()
        self.assertEqual(compare.show(old, new, out), 1)
        self.assertIn("fails: x on systrap", out.getvalue())

    def test_what_is_new_does_not(self):
        self.assertEqual(compare.show(results_of({}), results_of({"x": {"native": [1], "systrap": [9]}}), io.StringIO()), 0)


class Targets(unittest.TestCase):
    def setUp(self):
        self.results = results_of({"a": {"native": [10], "systrap": [20]}, "b": {"native": [10], "systrap": [80]}})
        self.results.floor = {"spin": 300}

    def check(self, **target):
        return targets.check(self.results, [dict(what="t", **target)], "systrap")

    def test_each_figure_is_a_row(self):
        rows = self.check(measure="ratio", at_most=3, figures=["a", "b", "not measured"])
        self.assertEqual([(row.name, row.value) for row in rows], [("a", 2), ("b", 8)])
        self.assertEqual(targets.met(rows), 1)

    def test_a_mean_is_one_row(self):
        rows = self.check(measure="geomean", at_most=4, group="micro")
        self.assertAlmostEqual(rows[0].value, 4)
        self.assertEqual(self.check(measure="geomean", at_most=4, group="none such"), [])

    def test_a_median_needs_no_native_run(self):
        self.assertEqual(self.check(measure="median", at_most=25, figures=["a"])[0].value, 20)

    def test_the_best_samples_stand_beside(self):
        self.results.figures["a"].samples["systrap"] = [40, 20, 30]
        self.results.figures["a"].samples["native"] = [10, 10, 10]
        row = self.check(measure="ratio", at_most=1, figures=["a"])[0]
        self.assertEqual((row.value, row.best), (3, 2))

    def test_the_floor_stands_beside(self):
        out = io.StringIO()
        targets.show(self.check(measure="ratio", at_most=1, figures=["a"], floor="spin"), out)
        self.assertIn("MISSED", out.getvalue())
        self.assertIn("spin 300 ns", out.getvalue())

    def test_the_table_is_sound(self):
        for target in targets.load(os.path.join(TOP, "benchmarks", "targets.json")):
            self.assertIn(target["measure"], ("ratio", "median", "geomean"))
            self.assertGreater(target["at_most"], 0)
            self.assertTrue(target.get("figures") or target.get("group"))


class Files(unittest.TestCase):
    def setUp(self):
        self.results = results_of({"a<b": {"native": [10.123456, 11], "systrap": [20, 21], "my peer": [30]}})
        self.results.floor = {"spin-pingpong": 300.0}
        self.results.machine = {"cpu": "c", "cpus": 2, "kernel": "k"}

    def test_json_there_and_back(self):
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, "r.json")
            self.results.save(path)
            again = Results.load(path)
        self.assertEqual(again.figures["a<b"].samples, {"native": [10.1235, 11], "systrap": [20, 21], "my peer": [30]})
        self.assertEqual(again.floor, self.results.floor)
        self.assertEqual(again.systems(), ["native", "systrap", "my peer"])

    def test_other_versions_are_refused(self):
        with self.assertRaises(ValueError):
            Results.from_json(json.loads('{"version": 99}'))

    def test_update_keeps_what_was_not_measured(self):
        newer = results_of({"c": {"native": [1]}})
        self.results.failed = {"c": {"systrap": "broken"}}
        self.results.update(newer)
        self.assertEqual(sorted(self.results.figures), ["a<b", "c"])
        self.assertEqual(self.results.failed, {})

    def test_the_plot_is_xml_with_every_system(self):
        svg = plot.draw(self.results)
        root = xml.etree.ElementTree.fromstring(svg)
        words = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
        self.assertIn("a<b", words)
        self.assertIn("systrap", words)
        self.assertIn("my peer", words)

    def test_the_scale_is_logarithmic_and_bounded(self):
        scale = plot.Scale([0.3, 40])
        self.assertAlmostEqual(scale.x(10) - scale.x(1), scale.x(1) - scale.x(0.1) if scale.low <= 0.1 else scale.x(20) - scale.x(2))
        self.assertEqual(scale.x(1e9), scale.x(scale.high))
        self.assertEqual(scale.x(0), scale.x(scale.low))

    def test_the_page_has_the_figures(self):
        page = document.write(self.results, [targets.Row("t", "a<b", 2.0, 1.9, 1.0, "spin 300 ns")], "systrap")
        self.assertIn("**2.", page)
        self.assertIn("0 of 1 met", page)
        self.assertIn("spin-pingpong", page)

    def test_a_row_without_samples(self):
        self.assertIn("-", table.row(Figure("x", "micro", "ns"), ["native", "systrap"]))


if __name__ == "__main__":
    unittest.main()
