#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The whole program with a tiny kernel: exit codes, signals, serial port.

Runs on whatever KVM this machine has; exits with 77 where there is none. Arguments: the vmm
binary, the tiny kernel.
"""
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import vmmtest

PROGRAM = vmmtest.Program.from_args()
POWER_OFF, RESET, PANIC, CONFIG, HOST, KVM, ENDED = 0, 32, 34, 35, 36, 37, 38
TIMEOUT_S = 60


def run(action, *args, **kwargs):
    return subprocess.run(PROGRAM.machine_args(action, *args), capture_output=True, check=False,
                          timeout=TIMEOUT_S, **({"stdin": subprocess.DEVNULL} | kwargs))


def no_core_dump():
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


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
        for args in (["--loop", "uring"], ["--loop", "epoll"], ["--no-acpi", "--no-rng"], ["--cpus", "4"],
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
        return self.spawn_words(PROGRAM.machine_args(action, *args), action)

    def spawn_words(self, words, action):
        vmm = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE)
        self.addCleanup(vmm.stderr.close)
        self.addCleanup(vmm.stdout.close)
        self.addCleanup(vmm.wait)
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
        words = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *PROGRAM.machine_args("button")]
        vmm = self.spawn_words(words, "button")
        vmm.send_signal(signal.SIGHUP)
        time.sleep(0.3)
        self.assertIsNone(vmm.poll())
        vmm.send_signal(signal.SIGTERM)
        self.assertEqual(vmm.wait(TIMEOUT_S), POWER_OFF)

    def test_sigquit_ends_at_once(self):
        vmm = self.spawn("spin", "--cpus", "4")
        vmm.send_signal(signal.SIGQUIT)
        self.assertEqual(vmm.wait(TIMEOUT_S), ENDED)

    def test_other_signals_end_and_say_so(self):
        """Crashes are not among them, unless somebody else sends what looks like one."""
        for name in ("SIGUSR1", "SIGUSR2", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGXCPU",
                     "SIGPWR", "SIGSEGV", "SIGABRT"):
            with self.subTest(name):
                vmm = self.spawn("spin", "--cpus", "2")
                vmm.send_signal(signal.Signals[name])
                self.assertEqual(vmm.wait(TIMEOUT_S), ENDED)
                self.assertEqual(vmm.stderr.read().replace(b"SIGPOLL", b"SIGIO"),
                                 f"vmm: error: ended by signal {name}\n".encode())

    def test_alarm_of_the_parent_ends(self):
        """An alarm survives exec(); here it is the kernel that sends the signal."""
        done = subprocess.run(PROGRAM.machine_args("spin"), capture_output=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=TIMEOUT_S,
                              preexec_fn=lambda: signal.setitimer(signal.ITIMER_REAL, 0.5))
        self.assertEqual(done.returncode, ENDED)
        self.assertIn(b"ended by signal SIGALRM", done.stderr)

    def test_ignored_signal_stays_ignored(self):
        words = ["sh", "-c", 'trap "" USR1; exec "$@"', "sh", *PROGRAM.machine_args("spin")]
        vmm = self.spawn_words(words, "spin")
        vmm.send_signal(signal.SIGUSR1)
        time.sleep(0.3)
        self.assertIsNone(vmm.poll())

    def test_pipe_of_messages_that_broke(self):
        """SIGPIPE is nobody's business, while the machine is made and later."""
        read, write = os.pipe()
        os.close(read)
        done = subprocess.run(PROGRAM.machine_args("poweroff", "--serial", "pty", "-vv"),
                              stdin=subprocess.DEVNULL, stderr=write, check=False,
                              timeout=TIMEOUT_S)
        os.close(write)
        self.assertEqual(done.returncode, POWER_OFF)


class Preparation(unittest.TestCase):
    """Signals before there is a guest: vmm ends as any program does."""

    MEMORY_MIB = 1024

    def resident_mib(self, pid):
        pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGESIZE") >> 20

    def end_while_it_allocates(self, ending):
        """Return: the exit code and output of a vmm that gets @ending while it allocates."""
        words = [word if word != "16M" else f"{self.MEMORY_MIB}M,prefault=on"
                 for word in PROGRAM.machine_args("button")]
        for _ in range(20):
            with subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, preexec_fn=no_core_dump) as vmm:
                while self.resident_mib(vmm.pid) < self.MEMORY_MIB // 16:
                    self.assertIsNone(vmm.poll(), "ended early")
                vmm.send_signal(ending)
                resident = self.resident_mib(vmm.pid)
                end = vmm.communicate(timeout=TIMEOUT_S)
                # Otherwise we may have been too slow, and it was ready when the signal came.
                if vmm.returncode < 0 or 0 < resident < self.MEMORY_MIB:
                    return vmm.returncode, *end
        return self.fail("never seen while it allocates")

    def test_signal_ends_at_once(self):
        for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
            with self.subTest(ending):
                self.assertEqual(self.end_while_it_allocates(ending), (-ending, b"", b""))


if __name__ == "__main__":
    if not vmmtest.have_kvm():
        print("no usable /dev/kvm on this machine")
        sys.exit(vmmtest.SKIPPED)
    unittest.main()
