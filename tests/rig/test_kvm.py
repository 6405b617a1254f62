#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
Programs of tests/kvm and tests/unit, run again in the emulated host: on a KVM with nested paging,
and with what the machine that builds them may lack.

    test_kvm.py PROGRAM...    by name: test_kvm_window for instance
"""
import pathlib
import shlex
import sys
import tempfile

import debian
import rig
import tap
from tap import expect

# program, arguments, what it needs to be set up first
ELSEWHERE = (
    ("test_pages_host", "udmabuf", "[ -c /dev/udmabuf ]"),
    ("test_pages_host", "hugepages", "echo 16 >/proc/sys/vm/nr_hugepages"),
)
SILENCE = 300


def script(runs):
    """A shell script that runs them all and prints the exit code of each."""
    return "".join(
        f"({ready}) && {shlex.quote(str(program))} {argument} >/tmp/said 2>&1; code=$?; "
        f"echo {number} $code; [ $code = 0 ] || cat /tmp/said >&2\n"
        for number, (program, argument, ready) in enumerate(runs))


def main():
    programs = [pathlib.Path(path).resolve() for path in sys.argv[1:]]
    elsewhere = {name for name, _, _ in ELSEWHERE}
    runs = [(path, "", "true") for path in programs if path.name not in elsewhere]
    runs += [(path, argument, ready) for path in programs
             for name, argument, ready in ELSEWHERE if name == path.name]
    with tempfile.TemporaryFile("w+") as out:
        rig.Rig(debian.Archive(rig.default_cache())).run(
            ["/bin/sh", "-c", script(runs)], timeout=1500, silence=SILENCE,
            stdout=out.fileno())
        out.seek(0)
        codes = dict(line.split() for line in out)

    def case(number):
        code = codes.get(str(number), "none: it did not run")
        return lambda: expect(code == "0", f"it ended with {code}")

    tap.plan(runs)
    return tap.run([(f"{path.name} {argument}".strip(), case(number))
                    for number, (path, argument, _) in enumerate(runs)]) > 0


if __name__ == "__main__":
    sys.exit(main())
