# SPDX-License-Identifier: BSD-3-Clause
"""Drives one vmm process from outside, as a user would: its console, signals and exit code."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time

from tap import Failure


class Guest:
    """
    A running vmm. @words: its command line. @terminal: give it a pseudo-terminal as its
    controlling terminal, standard input and output instead of pipes; a pair is that terminal's
    rows and columns. What it prints, its log included, collects in .text.
    """

    def __init__(self, words, terminal=False):
        self.text = ""
        self.terminal = None
        if terminal:
            self.output, self.terminal = pty.openpty()
            self.input = self.output
            if terminal is not True:
                self.set_window(*terminal)
            self.terminal_before = termios.tcgetattr(self.terminal)
            self.process = subprocess.Popen(
                words, stdin=self.terminal, stdout=self.terminal, stderr=self.terminal,
                start_new_session=True,
                preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        else:
            self.process = subprocess.Popen(words, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            self.output = self.process.stdout.fileno()
            self.input = self.process.stdin.fileno()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def read(self, seconds):
        """Collect what comes within @seconds. Return: False at the end of the output."""
        if not select.select([self.output], [], [], max(seconds, 0))[0]:
            return True
        data = os.read(self.output, 65536)
        self.text += data.decode(errors="replace").replace("\r", "")
        return bool(data)

    def failure(self, sentence):
        """A Failure that shows the end of what was printed."""
        last = self.text.splitlines()[-15:]
        return Failure("\n".join([sentence + "; it printed last:", *last]))

    def wait_for(self, pattern, seconds):
        """Wait until @pattern, a regular expression, is printed. Return: the match."""
        end = time.monotonic() + seconds
        while not (match := re.search(pattern, self.text)):
            if self.process.poll() is not None and not self.read(0):
                raise self.failure(f'vmm ended ({self.process.returncode}) before "{pattern}"')
            if time.monotonic() > end:
                raise self.failure(f'no "{pattern}" within {seconds} s')
            self.read(0.2)
        return match

    def send(self, text):
        os.write(self.input, text.encode())

    def terminal_is_as_before(self):
        """The terminal's settings are those from before vmm started."""
        return termios.tcgetattr(self.terminal) == self.terminal_before

    def set_window(self, rows, columns):
        """Change the size of the terminal's window, as its user would."""
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))

    def signal(self, number=signal.SIGTERM):
        self.process.send_signal(number)

    def wait(self, seconds):
        """Wait for the end. Return: the exit code, negative if a signal ended it."""
        end = time.monotonic() + seconds
        while self.process.poll() is None:
            if time.monotonic() > end:
                raise self.failure(f"vmm did not end within {seconds} s")
            self.read(0.1)
        while not self.terminal and self.read(0):
            pass
        return self.process.returncode
