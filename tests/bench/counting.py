# SPDX-License-Identifier: BSD-3-Clause
"""
Runs a benchmark on emulated hosts with instruction counting (see rig.py), where a second is 10^9
executed instructions of host and guest together.

QEMU 7.2, which emulates the host, has a defect: an interrupt that KVM has injected comes a second
time, without regard to the interrupt flag, if a timer of the host expires before the guest's next
exit. A guest that holds a lock in its interrupt handler just then waits for itself for good. In
this mode that happens to one in some boots of guests and in some ten thousand interrupts. Hence
benchmarks that print each figure as soon as they have it, and another host for what is left.
"""
import json
import sys
import tempfile

import rig

# Wall time. The longest steps are the boots of host and guest: 15 s each, on a busy machine 90.
SILENCE = 200
# Hosts in a row that find nothing.
HANGS_MAX = 5


def progress(text):
    """Tell, from inside or outside of the host, how far it is. Silence is taken for a hang."""
    print(f"  {text}", file=sys.stderr, flush=True)


def found(*figure):
    """Inside: hand one figure over, values that JSON takes."""
    print(json.dumps(figure), flush=True)


def run_host(archive, program, plan):
    """Run @program once. Return: what it handed over by found()."""
    with tempfile.TemporaryFile("w+") as out:
        code = 0
        try:
            code = rig.Rig(archive, icount=True).run(
                ["/usr/bin/python3", "-B", program, "--inside", json.dumps(plan)],
                timeout=None, silence=SILENCE, stdout=out.fileno())
        except rig.RigTimeout as timeout:
            progress(f"{timeout}; going on in another one")
        except rig.RigError as error:
            sys.exit(str(error))
        if code:
            sys.exit(f"what ran on the emulated host ended with {code}")
        out.seek(0)
        return [json.loads(line) for line in out]


def collect(archive, program, plan, left):
    """
    Run @program --inside PLAN on as many emulated hosts as it takes. @left: called with all
    figures so far, returns what is still to be done, as JSON takes it; it becomes plan["todo"].
    Return: all figures.
    """
    figures = []
    hangs = 0
    while todo := left(figures):
        if hangs == HANGS_MAX:
            sys.exit(f"{hangs} emulated hosts in a row hung")
        more = run_host(archive, program, plan | {"todo": todo})
        figures += more
        hangs = 0 if more else hangs + 1
    return figures
