#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
Counts the results of meson's tests in some build folders and prints "N passed, N failed" as the
last line; before it, what the tests said that failed. The exit code is 1 if a test failed or none
ran.

    summary.py [--failed-step]... FOLDER...      --failed-step: counts as one failed test more
"""
import argparse
import json
import pathlib
import re
import sys

PASSED = ("OK", "EXPECTEDFAIL")
WORDS_MAX = 12  # lines


def results(folder):
    """Each test of the last run; meson writes one JSON object a line."""
    with open(pathlib.Path(folder, "meson-logs/testlog.json"), encoding="utf-8") as log:
        for line in log:
            yield json.loads(line)


def words(test):
    """What a test said of its failure, as far as that can be told from all that it said."""
    said = [*(test.get("stdout") or "").splitlines(), *(test.get("stderr") or "").splitlines()]
    marks = [number for number, line in enumerate(said)
             if re.match(r"not ok|Bail out!|FAIL:|ERROR:|Traceback|.*Error:", line)]
    chosen = sorted({at for mark in marks for at in range(mark, min(mark + 3, len(said)))})
    return [said[at] for at in chosen][-WORDS_MAX:] if chosen else said[-WORDS_MAX:]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--failed-step", action="count", default=0)
    parser.add_argument("folders", nargs="*", metavar="FOLDER")
    args = parser.parse_args()
    passed, skipped, failed = 0, 0, args.failed_step
    for folder in args.folders:
        try:
            found = list(results(folder))
        except FileNotFoundError:
            continue  # counted as a failed step
        for test in found:
            name, result = test["name"], test["result"]
            if result in PASSED:
                passed += 1
            elif result == "SKIP":
                skipped += 1
                print(f"skipped in {folder}: {name}")
            else:
                failed += 1
                print(f"failed in {folder}: {name} ({result})")
                print("".join(f"    {line[:200]}\n" for line in words(test)), end="")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
