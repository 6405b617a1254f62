#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""Tests the rig itself: what later tests rely on when they run a command in it."""
import os
import pathlib
import subprocess
import sys
import tempfile
import textwrap
import time

import debian
import media_modules
import rig
import tap
from tap import expect

# Opens /dev/kvm, makes a virtual machine and a vCPU: with a software KVM this proves nothing, but
# the emulated host has none.
USE_KVM = textwrap.dedent("""
    import fcntl, os
    kvm = os.open('/dev/kvm', os.O_RDWR)
    assert fcntl.ioctl(kvm, 0xae00) == 12
    machine = fcntl.ioctl(kvm, 0xae01, 0)
    vcpu = fcntl.ioctl(machine, 0xae41, 0)
    print('flags', 'svm' in open('/proc/cpuinfo').read().split())
""")

# About four virtual seconds of work. In sh: the number of instructions that Python needs for the
# same work depends on its hash seed.
MEASURE = textwrap.dedent("""
    read -r begin _ </proc/uptime
    i=0
    while [ $i -lt 300000 ]; do i=$((i + 1)); done
    read -r end _ </proc/uptime
    echo $begin $end
""")


class Run:
    """One run of a command in the rig, with what it printed."""

    def __init__(self, archive, command, timeout=300, **options):
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            begin = time.monotonic()
            self.code = self.error = None
            host = rig.Rig(archive, **options)
            try:
                self.code = host.run(command, timeout, stdout=out.fileno(), stderr=err.fileno())
            except rig.RigError as error:
                self.error = error
            self.seconds = time.monotonic() - begin
            self.boot_seconds = host.boot_seconds
            out.seek(0)
            err.seek(0)
            self.out, self.err = out.read(), err.read()

    def ended(self, code):
        """The command ended with @code, and the rig had nothing to say."""
        expect(self.code == code and not self.error,
               f"code {self.code}, not {code}; rig: {self.error}; stderr: {self.err[-500:]}")


def result_comes_back(archive):
    script = 'pwd; echo "exit 0"; echo problem >&2; exit 42'
    run = Run(archive, ["sh", "-c", script])
    run.ended(42)
    expect(run.out.decode() == f"{os.getcwd()}\nexit 0\n", f"output was {run.out}")
    expect(run.err == b"problem\n", f"standard error was {run.err}")
    expect(run.boot_seconds < 40, f"the emulated host took {run.boot_seconds:.0f} s to boot")


def death_by_signal_comes_back(archive):
    run = Run(archive, ["sh", "-c", "kill -KILL $$"])
    run.ended(128 + 9)
    expect(run.out + run.err == b"", f"output was {run.out + run.err}")


def words_are_kept(archive):
    words = ["a b", "", "$HOME", "it's", '"', "\\", "x\ny", "*", "ü"]
    run = Run(archive, ["printf", "<%s>"] + words)
    run.ended(0)
    expect(run.out.decode() == "".join(f"<{word}>" for word in words), f"output was {run.out}")


def output_is_intact(archive):
    data = os.urandom(10 << 20)
    with tempfile.NamedTemporaryFile(dir=archive.cache) as file:
        file.write(data)
        file.flush()
        run = Run(archive, ["cat", file.name])
    run.ended(0)
    expect(run.out == data, f"{len(run.out)} bytes came back, {len(data)} or others were sent")


def kvm_is_usable(archive):
    run = Run(archive, [sys.executable, "-c", USE_KVM])
    run.ended(0)
    expect(run.out == b"flags True\n", f"output was {run.out}")


def only_shares_are_written(archive):
    with tempfile.TemporaryDirectory(dir=archive.cache) as folder:
        shared, other = pathlib.Path(folder, "shared, too"), pathlib.Path(folder, "other")
        shared.mkdir()
        script = 'echo kept >"$1/file" && echo lost >"$2" && cat "$1/file" "$2"'
        run = Run(archive, ["sh", "-c", script, "sh", str(shared), str(other)], shares=[shared])
        run.ended(0)
        expect(run.out == b"kept\nlost\n", f"output was {run.out}")
        expect((shared / "file").read_text() == "kept\n", "the share does not have the file")
        expect(not other.exists(), "a file was written outside of the share")


def modules_are_loaded(archive):
    run = Run(archive, ["sh", "-c", "cat /sys/class/video4linux/*/name | grep -c vivid.*vid-cap"],
              modules=["vivid n_devs=2"])
    run.ended(0)
    expect(run.out == b"2\n", f"output was {run.out}, {run.err}")


def modules_of_our_own_are_loaded(archive):
    """Those that Debian does not build."""
    run = Run(archive, ["sh", "-c", "cat /sys/class/video4linux/*/name"],
              modules=media_modules.words(archive))
    run.ended(0)
    names = sorted(run.out.decode().splitlines())
    expect(names == ["stateful-decoder", "stateful-encoder", "stateless-decoder", "vim2m"],
           f"the video devices are {names}, {run.err}")


def module_that_is_missing_is_named(archive):
    run = Run(archive, ["true"], modules=["no_such_module"])
    expect(run.code is None and "no_such_module" in str(run.error), f"rig: {run.error}")


def timeout_is_reported(archive):
    run = Run(archive, ["sh", "-c", "echo begun; sleep 10000"], timeout=45)
    expect(isinstance(run.error, rig.RigTimeout), f"rig: {run.error}, code {run.code}")
    expect("did not end within 45 s" in str(run.error), f"rig: {run.error}")
    expect(run.out == b"begun\n", f"output was {run.out}")
    expect(run.seconds < 60, f"it took {run.seconds:.0f} s")


def panic_is_reported(archive):
    script = "echo before; sleep 1; echo c >/proc/sysrq-trigger; sleep 100"
    run = Run(archive, ["sh", "-c", script])
    expect(run.code is None and "panicked: Kernel panic" in str(run.error),
           f"rig: {run.error}, code {run.code}")
    expect(run.out == b"before\n", f"output was {run.out}")


def early_end_is_reported(archive):
    run = Run(archive, ["sh", "-c", "echo o >/proc/sysrq-trigger; sleep 100"])
    expect(isinstance(run.error, rig.RigBroken)
           and "ended before the command did" in str(run.error),
           f"rig: {run.error}, code {run.code}")


def hang_is_reported(archive):
    """Every process but the first and the one that says so is stopped: no heartbeat comes."""
    run = Run(archive, ["sh", "-c", "kill -STOP -1; while :; do :; done"], hang_seconds=20)
    expect(isinstance(run.error, rig.RigHang), f"rig: {run.error}, code {run.code}")


def interactive_has_a_terminal(archive):
    command = [str(rig.HERE / "rig"), "--cache", str(archive.cache), "--interactive", "--",
               "sh", "-c", 'tty; read word; echo "got $word"; exit 3']
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        out, _ = process.communicate(b"something\n", timeout=300)
    out = out.replace(b"\r", b"")
    expect(process.returncode == 3, f"code {process.returncode}, output was {out}")
    expect(b"/dev/ttyS1\n" in out and b"got something\n" in out, f"output was {out}")


def icount_repeats(archive):
    times = []
    for _ in range(2):
        run = Run(archive, ["sh", "-c", MEASURE], icount=True)
        run.ended(0)
        begin, end = map(float, run.out.split())
        times.append(end - begin)
    expect(abs(times[0] - times[1]) <= 0.01 * times[0], f"{times[0]} s, then {times[1]} s")


CASES = (
    result_comes_back, death_by_signal_comes_back, words_are_kept, output_is_intact,
    kvm_is_usable, only_shares_are_written, modules_are_loaded, modules_of_our_own_are_loaded,
    module_that_is_missing_is_named,
    timeout_is_reported, panic_is_reported, early_end_is_reported, hang_is_reported,
    interactive_has_a_terminal, icount_repeats,
)


def main():
    try:
        archive = debian.Archive(rig.default_cache())
        archive.unpacked("busybox-static")
    except debian.DebianError as error:
        print(f"Bail out! {error}")
        return 1
    chosen = [case for case in CASES if not sys.argv[1:] or case.__name__ in sys.argv[1:]]
    tests = [(case.__name__, lambda case=case: case(archive)) for case in chosen]
    tap.plan(tests)
    return 1 if tap.run(tests) else 0


if __name__ == "__main__":
    sys.exit(main())
