# SPDX-License-Identifier: BSD-3-Clause
"""
Runs the cases of a test program on an emulated host (see rig.py); should that break, the remaining
ones in another. What such programs share to drive vmm there.

A program calls main(). It is started a second time on the emulated host, with --inside, and runs
the cases there.
"""
import json
import os
import pathlib
import sys
import tempfile

import debian
import rig
import tap

# The exit codes of vmm(1).
POWER_OFF, RESET, PANIC, CONFIG, ENDED = 0, 32, 34, 35, 38

# Wall time under emulation varies; a boot takes about 5 s, 15 on a busy machine.
BOOT_SECONDS = 240
END_SECONDS = 120

# An emulated host was seen to run nothing any more, once in some hundred boots of guests; why is
# not known. More than that is a defect to look for.
BREAKS_MAX = 2


def vmm_path():
    build = os.environ.get("VMM_BUILD", rig.SOURCE / "build")
    return pathlib.Path(build) / "vmm/vmm"


def is_long():
    """Whether ./check --long asks for what takes hours."""
    return bool(os.environ.get("VMM_LONG"))


def inside(work, cases):
    """On the emulated host: run the cases from number work["first"] on, noting each in a file."""
    note = pathlib.Path(work["note"])

    def after_each(number, failed):
        so_far = json.loads(note.read_text())
        note.write_text(json.dumps([number, so_far[1] + failed]))

    chosen = choose(work, cases)
    tap.run(chosen[work["first"] - 1:], work["first"], after_each)
    return 0


def choose(work, cases):
    return [case for case in cases(work) if work["text"] in case[0]]


def outside(program, work, cases, **options):
    """Run everything on an emulated host; should that break, go on in another one."""
    archive = debian.Archive(rig.default_cache())
    count = len(choose(work, cases))
    environment = [f"{name}={value}" for name, value in os.environ.items()
                   if name.startswith("VMM_")]
    tap.plan(choose(work, cases))
    archive.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=archive.cache) as folder:
        note = pathlib.Path(folder, "note")
        note.write_text("[0, 0]")
        for attempt in range(1, BREAKS_MAX + 2):
            done, failed = json.loads(note.read_text())
            work |= {"first": done + 1, "note": str(note)}
            command = ["env", *environment, sys.executable, "-B", program, "--inside",
                       json.dumps(work)]
            try:
                code = rig.Rig(archive, shares=[folder], **options).run(
                    command, timeout=None, silence=2 * (BOOT_SECONDS + END_SECONDS))
                break
            except rig.RigBroken as broken:
                if attempt > BREAKS_MAX:
                    raise
                print(f"{broken}; going on in another one", file=sys.stderr, flush=True)
        done, failed = json.loads(note.read_text())
    return 0 if code == 0 and done == count and not failed else 1


def main(program, prepare, cases, **options):
    """
    The whole of a test program. @program: its file. @prepare: called with the archive and the
    program's first argument ("" without one), returns what the cases need to know, as JSON takes
    it. @cases: called with that, returns pairs of name and function; the program's further
    arguments choose those with this text in their names. @options: for rig.Rig().
    Return: the exit code.
    """
    arguments = sys.argv[1:] or [""]
    if arguments[0] == "--inside":
        return inside(json.loads(arguments[1]), cases)
    if not vmm_path().exists():
        print(f"Bail out! {vmm_path()} is not built")
        return 1
    try:
        work = prepare(debian.Archive(rig.default_cache()), arguments[0])
        work["text"] = "".join(arguments[1:])
        return outside(program, work, cases, **options)
    except (rig.RigError, debian.DebianError) as error:
        print(f"Bail out! {error}")
        return 1
