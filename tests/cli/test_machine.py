#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The whole program with a tiny kernel: exit codes, signals, terminal, serial port.

Runs on whatever KVM this machine has; exits with 77 where there is none. Arguments: the vmm
binary, the tiny kernel.
"""
import os
import pathlib
import pty
import select
import signal
import subprocess
import sys
import tempfile
import termios
import time
import unittest

import vmmtest

PROGRAM = vmmtest.Program.from_args()
POWER_OFF, RESET, CRASH, PANIC, CONFIG, HOST, KVM, ENDED = 0, 32, 33, 34, 35, 36, 37, 38
TIMEOUT_S = 60


def run(action, *args, **kwargs):
    return subprocess.run(PROGRAM.machine_args(action, *args), capture_output=True, check=False,
                          timeout=TIMEOUT_S, **({"stdin": subprocess.DEVNULL} | kwargs))


class ExitCodes(unittest.TestCase):
    def check(self, action, code, *args):
        done = run(action, *args)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertIn(b"tiny kernel: " + action.encode(), done.stdout)
        return done

    def test_power_off(self):
        self.assertEqual(self.check("poweroff", POWER_OFF).stderr, b"")

    def test_reset(self):
        self.check("reset", RESET)

    def test_reset_by_the_keyboard_controller(self):
        self.check("keyboard", RESET)

    def test_panic(self):
        self.check("crash", PANIC)

    def test_triple_fault(self):
        self.check("triple", PANIC)

    def test_unknown_instruction(self):
        done = self.check("unknown", KVM if vmmtest.have_hardware() else HOST)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.assertIn(b"cannot emulate", done.stderr)

    def test_every_loop_and_platform(self):
        for args in (["--loop", "uring"], ["--loop", "epoll"], ["--no-acpi"], ["--cpus", "4"],
                     ["--memory", "5G"], ["--memory", "64M,prefault=on"]):
            with self.subTest(args):
                base = PROGRAM.machine_args("poweroff")
                if args[0] == "--memory":
                    base = [arg for arg in base if arg not in ("--memory", "16M")]
                done = subprocess.run(base + args, capture_output=True, check=False,
                                      stdin=subprocess.DEVNULL, timeout=TIMEOUT_S)
                self.assertEqual(done.returncode, POWER_OFF, done.stderr)


class Serial(unittest.TestCase):
    def test_input_from_a_pipe(self):
        # More than the port's queue holds: the pipe has to wait for the guest.
        text = b"0123456789abcdef" * 400 + b"q"
        done = run("echo", stdin=None, input=text)
        self.assertEqual(done.returncode, POWER_OFF, done.stderr)
        self.assertEqual(done.stdout.split(b"\n", 1)[1], text)

    def test_input_from_a_file(self):
        for loop in ("uring", "epoll"):
            with self.subTest(loop), tempfile.TemporaryFile() as file:
                file.write(b"from a file q")
                file.seek(0)
                done = run("echo", "--loop", loop, stdin=file)
                self.assertEqual(done.returncode, POWER_OFF, done.stderr)
                self.assertTrue(done.stdout.endswith(b"from a file q"))

    def test_output_to_a_file_is_appended(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "log"
            for _ in range(2):
                done = run("poweroff", "--serial", f"file={log}")
                self.assertEqual(done.returncode, POWER_OFF, done.stderr)
                self.assertEqual(done.stdout, b"")
            self.assertEqual(log.read_bytes(), b"tiny kernel: poweroff\r\n" * 2)

    def test_fifo_without_reader_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            fifo = pathlib.Path(folder) / "fifo"
            os.mkfifo(fifo)
            done = run("poweroff", "--serial", f"file={fifo}")
            self.assertEqual(done.returncode, CONFIG)
            self.assertIn(b"FIFO that nobody reads", done.stderr)

    def test_off(self):
        done = run("poweroff", "--serial", "off")
        self.assertEqual((done.returncode, done.stdout), (POWER_OFF, b""))

    def test_pty(self):
        with subprocess.Popen(PROGRAM.machine_args("echo", "--serial", "pty"),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as vmm:
            path = vmm.stderr.readline().split()[-1].decode()
            self.assertTrue(path.startswith("/dev/pts/"), path)
            fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
            os.write(fd, b"over the pty q")
            self.assertEqual(vmm.wait(TIMEOUT_S), POWER_OFF)
            os.close(fd)

    def test_reader_that_went_away(self):
        """A closed pipe must not take the guest down."""
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(PROGRAM.machine_args("poweroff"), stdin=subprocess.DEVNULL,
                              stdout=write, stderr=subprocess.PIPE, check=False,
                              timeout=TIMEOUT_S)
        os.close(write)
        self.assertEqual(done.returncode, POWER_OFF, done.stderr)


class Signals(unittest.TestCase):
    def spawn(self, action, *args):
        vmm = subprocess.Popen(PROGRAM.machine_args(action, *args), stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(vmm.stderr.close)
        self.addCleanup(vmm.stdout.close)
        self.addCleanup(vmm.kill)
        self.assertIn(action.encode(), vmm.stdout.readline())
        return vmm

    def test_sigterm_presses_the_power_button(self):
        vmm = self.spawn("button")
        vmm.send_signal(signal.SIGTERM)
        self.assertEqual(vmm.wait(TIMEOUT_S), POWER_OFF)

    def test_second_sigterm_ends(self):
        vmm = self.spawn("spin")
        vmm.send_signal(signal.SIGTERM)
        time.sleep(0.2)
        self.assertIsNone(vmm.poll())
        vmm.send_signal(signal.SIGTERM)
        self.assertEqual(vmm.wait(TIMEOUT_S), ENDED)

    def test_sigterm_without_a_power_button_ends(self):
        vmm = self.spawn("spin", "--no-acpi")
        vmm.send_signal(signal.SIGTERM)
        self.assertEqual(vmm.wait(TIMEOUT_S), ENDED)

    def test_hangup_told_twice_is_one(self):
        vmm = self.spawn("spin")
        for _ in range(3):
            vmm.send_signal(signal.SIGHUP)
            time.sleep(0.1)
        self.assertIsNone(vmm.poll())

    def test_ignored_hangup_stays_ignored(self):
        """As under nohup: the guest waits for its power button, which nobody presses."""
        words = PROGRAM.machine_args("button")
        vmm = subprocess.Popen(["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *words],
                               stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self.addCleanup(vmm.stdout.close)
        self.addCleanup(vmm.kill)
        self.assertIn(b"button", vmm.stdout.readline())
        vmm.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        self.assertIsNone(vmm.poll())
        vmm.send_signal(signal.SIGTERM)
        self.assertEqual(vmm.wait(TIMEOUT_S), POWER_OFF)

    def test_sigquit_ends_at_once(self):
        vmm = self.spawn("spin", "--cpus", "4")
        vmm.send_signal(signal.SIGQUIT)
        self.assertEqual(vmm.wait(TIMEOUT_S), ENDED)

    def test_crash_has_its_exit_code(self):
        vmm = self.spawn("spin")
        vmm.send_signal(signal.SIGSEGV)
        self.assertEqual(vmm.wait(TIMEOUT_S), CRASH)
        self.assertIn(b"vmm itself crashed: SIGSEGV", vmm.stderr.read())


class Terminal(unittest.TestCase):
    """vmm as the foreground process of a terminal of its own."""

    def start(self, action, *args):
        pid, self.fd = pty.fork()
        if pid == 0:
            argv = PROGRAM.machine_args(action, *args)
            os.execv(argv[0], argv)
        self.pid = pid
        self.status = None
        self.addCleanup(os.close, self.fd)
        self.addCleanup(self.reap)
        self.before = termios.tcgetattr(self.fd)
        self.output = b""
        self.expect(action.encode() + b"\r\n")

    def reap(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)

    def expect(self, text):
        end = time.monotonic() + TIMEOUT_S
        while text not in self.output:
            self.assertLess(time.monotonic(), end, self.output)
            if select.select([self.fd], [], [], 0.1)[0]:
                self.output += os.read(self.fd, 4096)

    def wait(self):
        """The exit code; drains the terminal meanwhile."""
        end = time.monotonic() + TIMEOUT_S
        while self.status is None:
            self.assertLess(time.monotonic(), end)
            if select.select([self.fd], [], [], 0.02)[0]:
                try:
                    self.output += os.read(self.fd, 4096)
                except OSError:
                    pass
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.status = status
        return os.waitstatus_to_exitcode(self.status)

    def is_raw(self):
        return not termios.tcgetattr(self.fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def assert_restored(self):
        self.assertEqual(termios.tcgetattr(self.fd), self.before)

    def test_escape_x_ends(self):
        self.start("spin")
        self.assertTrue(self.is_raw())
        os.write(self.fd, b"\x01x")
        self.assertEqual(self.wait(), ENDED)
        self.assert_restored()

    def test_escape_a_sends_the_key(self):
        self.start("echo")
        os.write(self.fd, b"<\x01a\x01b>q")
        self.assertEqual(self.wait(), POWER_OFF)
        self.assertIn(b"<\x01b>q", self.output)
        self.assert_restored()

    def test_escape_works_on_a_guest_that_hangs(self):
        self.start("spin")
        for _ in range(40):
            os.write(self.fd, b"x" * 256)  # more than the port's queue
            time.sleep(0.01)
        os.write(self.fd, b"\x01x")
        self.assertEqual(self.wait(), ENDED)

    def test_restored_after_power_off(self):
        self.start("echo")
        os.write(self.fd, b"q")
        self.assertEqual(self.wait(), POWER_OFF)
        self.assert_restored()

    def test_restored_after_a_crash(self):
        for fatal in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS):
            with self.subTest(fatal):
                self.start("spin")
                self.assertTrue(self.is_raw())
                os.kill(self.pid, fatal)
                self.assertEqual(self.wait(), CRASH)
                self.assert_restored()

    def test_restored_while_stopped(self):
        self.start("spin")
        os.kill(self.pid, signal.SIGTSTP)
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        self.assert_restored()
        os.kill(self.pid, signal.SIGCONT)
        end = time.monotonic() + TIMEOUT_S
        while not self.is_raw():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)
        os.write(self.fd, b"\x01x")
        self.assertEqual(self.wait(), ENDED)
        self.assert_restored()

    def test_not_touched_when_not_used(self):
        self.start_quiet()
        self.assertFalse(self.is_raw())
        self.assert_restored()
        os.kill(self.pid, signal.SIGQUIT)
        self.assertEqual(self.wait(), ENDED)

    def start_quiet(self):
        """A machine whose serial port is a file: nothing appears on the terminal."""
        with tempfile.NamedTemporaryFile(delete=False) as log:
            self.addCleanup(os.unlink, log.name)
        pid, self.fd = pty.fork()
        if pid == 0:
            argv = PROGRAM.machine_args("spin", "--serial", f"file={log.name}")
            os.execv(argv[0], argv)
        self.pid, self.status, self.output = pid, None, b""
        self.addCleanup(os.close, self.fd)
        self.addCleanup(self.reap)
        self.before = termios.tcgetattr(self.fd)
        end = time.monotonic() + TIMEOUT_S
        while b"spin" not in pathlib.Path(log.name).read_bytes():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.01)


if __name__ == "__main__":
    if not vmmtest.have_kvm():
        print("no usable /dev/kvm on this machine")
        sys.exit(vmmtest.SKIPPED)
    unittest.main()
