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


def plan(cases):
    print(f"1..{len(cases)}", flush=True)


def run(cases, first=1, after_each=None):
    """
    Run @cases, pairs of a name and a function, and report each. An exception is a failure.
    @first: number of the first. @after_each: called with a case's number and whether it failed.
    Return: how many failed.
    """
    failures = 0
    for number, (name, function) in enumerate(cases, first):
        begin = time.monotonic()
        failed = False
        try:
            function()
        except Exception as problem:
            failed = True
            text = str(problem) if isinstance(problem, Failure) else traceback.format_exc()
            # meson shows standard error, but not the comments that TAP has for this
            print(f"{name}: {text}", file=sys.stderr, flush=True)
        failures += failed
        # "#" would begin a directive
        print(f"{'not ok' if failed else 'ok'} {number} - {name} "
              f"({time.monotonic() - begin:.1f} s)", flush=True)
        if after_each:
            after_each(number, failed)
    return failures
