# SPDX-License-Identifier: BSD-3-Clause
"""Connects this process's standard input and output with a terminal on the emulated host."""
import os
import selectors
import shutil
import termios
import tty


class Terminal:
    """
    Bytes go to and fro while pump() is called. A real terminal on standard input is put in raw
    mode for the time, so that every key goes through; anything else is forwarded to its end.
    """

    def __init__(self, channel):
        """@channel: a connected socket, the other end of which is the serial port."""
        self.channel = channel
        self.selector = selectors.DefaultSelector()
        self.saved = None

    def __enter__(self):
        self.selector.register(self.channel, selectors.EVENT_READ, self.receive)
        return self

    def connect_input(self):
        """From now on keys go to the other side; before, they are still this side's."""
        if os.isatty(0):
            self.saved = termios.tcgetattr(0)
            tty.setraw(0)
        try:
            self.selector.register(0, selectors.EVENT_READ, self.send)
        except PermissionError:
            # epoll takes no regular files and no /dev/null; they are read in one go
            while self.send():
                pass

    def __exit__(self, *_):
        self.selector.close()
        if self.saved:
            termios.tcsetattr(0, termios.TCSADRAIN, self.saved)

    def receive(self):
        data = self.channel.recv(65536)
        if data:
            write_all(1, data)
        else:
            self.selector.unregister(self.channel)
        return data

    def send(self):
        data = os.read(0, 4096)
        if data:
            self.channel.sendall(data)
        elif 0 in self.selector.get_map():
            self.selector.unregister(0)
        return data

    def pump(self, seconds):
        """Forward what comes within @seconds; returns after the first if there was something."""
        events = self.selector.select(seconds)
        for key, _ in events:
            key.data()
        return bool(events)


def write_all(fd, data):
    while data:
        data = data[os.write(fd, data):]


def size():
    """Rows and columns of this terminal, or the usual ones."""
    columns, rows = shutil.get_terminal_size((80, 24))
    return rows, columns
