# SPDX-License-Identifier: BSD-3-Clause
"""Test cases that report in the Test Anything Protocol, which meson reads."""
import sys
import time
import traceback


class Failure(Exception):
    """What a test case found wrong, in words."""


def expect(condition, sentence):
    if not condition:
        raise Failure(sentence)


def run(cases):
    """
    Run @cases, pairs of a name and a function, and report each. An exception is a failure.
    Return: the exit code.
    """
    failed = 0
    print(f"1..{len(cases)}", flush=True)
    for number, (name, function) in enumerate(cases, 1):
        begin = time.monotonic()
        try:
            function()
            verdict = "ok"
        except Exception as problem:
            failed += 1
            verdict = "not ok"
            text = str(problem) if isinstance(problem, Failure) else traceback.format_exc()
            # meson shows standard error, but not the comments that TAP has for this
            print(f"{name}: {text}", file=sys.stderr, flush=True)
        # "#" would begin a directive
        print(f"{verdict} {number} - {name} ({time.monotonic() - begin:.1f} s)", flush=True)
    return 1 if failed else 0
