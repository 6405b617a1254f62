#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""docs/conformance.md and docs/media.md keep their word: each test that they name exists and runs,
each statement has an answer. (The table of ioctls is compared by tests/unit/test_ioctl_table.c.)

Run from meson with the source directory as argument.
"""
import pathlib
import re
import sys
import unittest

ROOT = pathlib.Path(sys.argv.pop(1) if len(sys.argv) > 1 else ".").resolve()
# Documents, and how many statements there are in each, at least.
TABLES = {ROOT / "docs" / "conformance.md": 100, ROOT / "docs" / "media.md": 50}
FOLDERS = {".c": ROOT / "tests" / "unit", ".py": ROOT / "tests" / "rig"}

CITED = re.compile(r"`(\w+\.(?:c|py)): (\w+)`")
CLAUSE = re.compile(r"[2-6](\.\d+)+ [A-Z]")
ASKS = re.compile(r"\b(MUST|SHOULD|MAY|SHALL|RECOMMENDED)\b|^many statements$|^says ")
ANSWERS = re.compile(r"done(: .+)?|(not applicable|deliberately not): .+")


def rows_of(document):
    """Cells of each row of the tables of statements, but for their heads."""
    statements = False
    for line in document.read_text(encoding="utf-8").splitlines():
        if not line.startswith("| "):
            statements = False
        elif line.startswith("| clause "):
            statements = True
        elif statements and not line.startswith("| --- "):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def rows():
    return [row for document in TABLES for row in rows_of(document)]


def has_test(name, text):
    """The function is there, and something besides itself refers to it."""
    head = rf"^static void {name}\(|^ +def {name}\("
    return len(re.findall(head, text, re.M)) == 1 and len(re.findall(rf"\b{name}\b", text)) > 1


class Conformance(unittest.TestCase):
    def test_rows_are_complete(self):
        for document, least in TABLES.items():
            self.assertGreater(len(list(rows_of(document))), least, document.name)
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
        cited = {test for document in TABLES
                 for test in CITED.findall(document.read_text(encoding="utf-8"))}
        for file, name in sorted(cited):
            path = FOLDERS.get(pathlib.Path(file).suffix, ROOT) / file
            if not path.is_file() or not has_test(name, path.read_text(encoding="utf-8")):
                missing.append(f"{file}: {name}")
        self.assertEqual(missing, [])


if __name__ == "__main__":
    unittest.main()
