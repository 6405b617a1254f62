#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
Counts the results of meson's tests in some build folders and prints "N passed, N failed" as the
last line. The exit code is 1 if a test failed or none ran.

    summary.py [--failed-step]... FOLDER...      --failed-step: counts as one failed test more
"""
import argparse
import json
import pathlib
import sys

PASSED = ("OK", "EXPECTEDFAIL")


def results(folder):
    """(name, result) of each test of the last run; meson writes one JSON object a line."""
    with open(pathlib.Path(folder, "meson-logs/testlog.json"), encoding="utf-8") as log:
        for line in log:
            test = json.loads(line)
            yield test["name"], test["result"]


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
        for name, result in found:
            if result in PASSED:
                passed += 1
            elif result == "SKIP":
                skipped += 1
                print(f"skipped in {folder}: {name}")
            else:
                failed += 1
                print(f"failed in {folder}: {name} ({result})")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
