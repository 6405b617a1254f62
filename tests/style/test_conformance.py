#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/conformance.md keeps its word: each test that it names exists and runs, each statement has
an answer.

Run from meson with the source directory as argument.
"""
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ".").resolve()
TABLE = ROOT / "docs" / "conformance.md"
FOLDERS = {".c": ROOT / "tests" / "unit", ".py": ROOT / "tests" / "rig"}

CITED = re.compile(r"`([\w.]+): (\w+)`")
CLAUSE = re.compile(r"[2-6](\.\d+)+ [A-Z]")
ASKS = re.compile(r"\b(MUST|SHOULD|MAY|SHALL|RECOMMENDED)\b|^many statements$")
ANSWERS = re.compile(r"done(: .+)?|(not applicable|deliberately not): .+")


def rows():
    """Cells of each row of the tables, but for their heads."""
    for line in TABLE.read_text(encoding="utf-8").splitlines():
        if line.startswith("| ") and not line.startswith(("| clause ", "| --- ")):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def has_test(name, text):
    """The function is there, and something besides itself refers to it."""
    head = rf"^static void {name}\(|^ +def {name}\("
    return len(re.findall(head, text, re.M)) == 1 and len(re.findall(rf"\b{name}\b", text)) > 1


class Conformance(unittest.TestCase):
    def test_rows_are_complete(self):
        self.assertGreater(len(list(rows())), 100)
        for row in rows():
            self.assertEqual(len(row), 4, row)
            self.assertRegex(row[0], CLAUSE)
            self.assertRegex(row[1], ASKS)
            self.assertTrue(ANSWERS.fullmatch(row[2]), row)

    def test_what_is_done_is_tested(self):
        for row in rows():
            self.assertEqual(CITED.sub("", row[3]).strip(", "), "", row)
            if row[2].startswith("done"):
                self.assertTrue(CITED.search(row[3]), f"nothing shows this: {row[:2]}")

    def test_tests_that_are_named_exist(self):
        missing = []
        for file, name in sorted({cited for row in rows() for cited in CITED.findall(row[3])}):
            path = FOLDERS.get(pathlib.Path(file).suffix, ROOT) / file
            if not path.is_file() or not has_test(name, path.read_text(encoding="utf-8")):
                missing.append(f"{file}: {name}")
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
