#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The terminal that vmm runs on: raw while the guest has it, restored on every way out, left alone
in the background.

Runs on whatever KVM this machine has; exits with 77 where there is none. Arguments: the vmm
binary, the tiny kernel.
"""
import os
import pathlib
import pty
import select
import shlex
import signal
import sys
import tempfile
import termios
import time
import unittest

import vmmtest

PROGRAM = vmmtest.Program.from_args()
POWER_OFF, ENDED = 0, 38
TIMEOUT_S = 60


def children(pid):
    """Processes that @pid has started."""
    tasks = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [int(child) for child in tasks.split()]


class TerminalTest(unittest.TestCase):
    """A terminal whose other end the test holds in self.fd."""

    def fork(self, child):
        """Runs @child() in a new session on a new terminal."""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            try:
                child()
            finally:
                os._exit(127)
        self.status, self.output = None, b""
        self.addCleanup(os.close, self.fd)
        self.addCleanup(self.reap)
        self.before = termios.tcgetattr(self.fd)

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

    def until(self, condition):
        end = time.monotonic() + TIMEOUT_S
        while not condition():
            self.assertLess(time.monotonic(), end, self.output)
            time.sleep(0.01)

    def is_raw(self):
        return not termios.tcgetattr(self.fd)[3] & (termios.ICANON | termios.ECHO | termios.ISIG)

    def assert_restored(self):
        self.assertEqual(termios.tcgetattr(self.fd), self.before)


class Foreground(TerminalTest):
    """vmm as the only process of its terminal."""

    def start(self, action, *args):
        argv = PROGRAM.machine_args(action, *args)
        self.fork(lambda: os.execv(argv[0], argv))
        self.expect(action.encode() + b"\r\n")

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

    def test_restored_after_a_signal(self):
        for fatal in (signal.SIGSEGV, signal.SIGABRT, signal.SIGBUS, signal.SIGUSR1):
            with self.subTest(fatal):
                self.start("spin")
                self.assertTrue(self.is_raw())
                os.kill(self.pid, fatal)
                self.assertEqual(self.wait(), ENDED)
                self.assert_restored()

    def test_restored_while_stopped(self):
        self.start("spin")
        os.kill(self.pid, signal.SIGTSTP)
        _, status = os.waitpid(self.pid, os.WUNTRACED)
        self.assertTrue(os.WIFSTOPPED(status))
        self.assert_restored()
        os.kill(self.pid, signal.SIGCONT)
        self.until(self.is_raw)
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
        argv = PROGRAM.machine_args("spin", "--serial", f"file={log.name}")
        self.fork(lambda: os.execv(argv[0], argv))
        self.until(lambda: b"spin" in pathlib.Path(log.name).read_bytes())


class JobControl(TerminalTest):
    """vmm as a job beside the leader of its session, which says whose turn the terminal is."""

    def start(self, action, foreground):
        read, self.commands = os.pipe()
        self.addCleanup(os.close, self.commands)
        self.fork(lambda: self.lead(read, action, foreground))
        os.close(read)
        self.expect(action.encode() + b"\r")

    @staticmethod
    def lead(read, action, foreground):
        """A shell of two commands: b(ackground), f(oreground). None of them signals the job.

        What is typed in between is the shell's.
        """
        argv = PROGRAM.machine_args(action)
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        job = os.fork()
        if job == 0:
            os.setpgid(0, 0)
            if foreground:
                os.tcsetpgrp(0, os.getpgrp())
            signal.signal(signal.SIGTTOU, signal.SIG_DFL)
            os.execv(argv[0], argv)
        while True:
            if select.select([read], [], [], 0.02)[0]:
                command = os.read(read, 1)
                if command == b"f":
                    termios.tcflush(0, termios.TCIFLUSH)
                os.tcsetpgrp(0, job if command == b"f" else os.getpgrp())
            pid, status = os.waitpid(job, os.WNOHANG)
            if pid:
                os._exit(os.waitstatus_to_exitcode(status))

    def turn(self, command):
        os.write(self.commands, command)
        leader = command == b"b"
        self.until(lambda: (os.tcgetpgrp(self.fd) == self.pid) == leader)

    def test_started_in_the_background(self):
        """It leaves the terminal alone until it is in the foreground, of which nobody tells it."""
        self.start("echo", foreground=False)
        time.sleep(1)
        self.assert_restored()
        self.turn(b"f")
        self.until(self.is_raw)
        os.write(self.fd, b"<\x01aq")
        self.assertEqual(self.wait(), POWER_OFF)
        self.assertIn(b"<\x01q", self.output)
        self.assert_restored()

    def test_put_into_the_background_and_back(self):
        """What is typed meanwhile is the other's, and as he last set the terminal it is restored.
        """
        self.start("echo", foreground=True)
        self.until(self.is_raw)
        os.write(self.fd, b"1")
        self.expect(b"1")
        for turn, flag in ((b"2", termios.ECHOK), (b"3", termios.ECHOE)):
            self.turn(b"b")
            os.write(self.fd, b"not for the guest")
            time.sleep(0.2)
            self.assertNotIn(b"guest", self.output)
            self.before[3] ^= flag
            termios.tcsetattr(self.fd, termios.TCSANOW, self.before)
            self.turn(b"f")
            self.until(self.is_raw)
            os.write(self.fd, turn)
            self.expect(turn)
        os.write(self.fd, b"q")
        self.assertEqual(self.wait(), POWER_OFF)
        self.assertTrue(self.output.endswith(b"\n123q"), self.output)
        self.assert_restored()

    def test_restored_although_the_shell_left_it_raw(self):
        self.start("echo", foreground=True)
        self.until(self.is_raw)
        self.turn(b"b")
        os.write(self.fd, b"lost")
        time.sleep(0.7)
        self.turn(b"f")
        time.sleep(1)
        os.write(self.fd, b"q")
        self.assertEqual(self.wait(), POWER_OFF)
        self.assert_restored()

    def test_ended_in_the_background(self):
        self.start("spin", foreground=True)
        self.until(self.is_raw)
        self.turn(b"b")
        mine = termios.tcgetattr(self.fd)
        mine[3] |= termios.ECHO
        termios.tcsetattr(self.fd, termios.TCSANOW, mine)
        for child in children(self.pid):
            os.kill(child, signal.SIGQUIT)
        self.assertEqual(self.wait(), ENDED)
        self.assertEqual(termios.tcgetattr(self.fd), mine)


class Shell(TerminalTest):
    """What a user does, in bash."""

    def setUp(self):
        shell = ["bash", "--norc", "--noprofile", "--noediting", "-i"]
        self.fork(lambda: os.execvpe(shell[0], shell, os.environ | {"PS1": "shell: ",
                                                                     "HISTFILE": ""}))
        self.expect(b"shell: ")

    def expect(self, text):
        """Takes what was expected off the output, so that it is not found again."""
        super().expect(text)
        self.output = self.output.split(text, 1)[1]

    def type(self, line, answer):
        os.write(self.fd, line.encode() + b"\n")
        self.expect(answer)

    def test_background_job_is_brought_back(self):
        words = shlex.join(PROGRAM.machine_args("echo"))
        self.type(f"{words} &", b"tiny kernel: echo\r")
        self.type("echo $((1 + 2))4", b"34")
        self.expect(b"shell: ")
        self.type("fg", b"--cmdline")
        self.until(self.is_raw)
        os.write(self.fd, b"to the guest q")
        self.expect(b"to the guest q")
        self.expect(b"shell: ")
        self.type("echo code $?", b"code 0")

    def test_stopped_job_is_continued_in_the_background_and_brought_back(self):
        self.type(shlex.join(PROGRAM.machine_args("echo")), b"tiny kernel: echo\r")
        self.until(self.is_raw)
        for child in children(self.pid):
            os.kill(child, signal.SIGTSTP)
        self.expect(b"shell: ")
        self.type("bg", b"&")
        self.expect(b"shell: ")
        self.type("echo $((1 + 2))4", b"34")
        self.expect(b"shell: ")
        self.type("fg", b"--cmdline")
        self.until(self.is_raw)
        os.write(self.fd, b"to the guest q")
        self.expect(b"to the guest q")
        self.expect(b"shell: ")
        self.type("echo code $?", b"code 0")


if __name__ == "__main__":
    if not vmmtest.have_kvm():
        print("no usable /dev/kvm on this machine")
        sys.exit(vmmtest.SKIPPED)
    unittest.main()
