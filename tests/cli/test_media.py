#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""--media from the outside: what --dry-run makes of it, that --config takes that back, and what a
guest finds. Needs no camera; what needs a guest is left out where there is no KVM.

Arguments: the vmm binary, the tiny kernel.
"""
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

import vmmtest

PROGRAM = vmmtest.Program.from_args()
DEFAULTS = {"shm": "1G", "timestamps": "host", "convert": False, "sessions": 128, "buffers": 1024}
CAMERA = {"size": "640x480", "fps": "30"}

# Value of --media, what is printed beside the defaults.
VALUES = [
    ("test", {"test": True} | CAMERA),
    ("./test", {"test": False, "path": "./test"}),
    ("/dev/video0,label=Front,shm=64M",
     {"test": False, "path": "/dev/video0", "label": "Front", "shm": "64M"}),
    ("by-id=usb-a\\,b-index0,convert", {"test": False, "by-id": "usb-a,b-index0", "convert": True}),
    ("fd=7,sessions=1,buffers=4,timestamps=guest",
     {"test": False, "fd": 7, "sessions": 1, "buffers": 4, "timestamps": "guest"}),
    ("test,size=3840x2160,fps=60000/1001,formats=NV12:YUYV",
     {"test": True, "size": "3840x2160", "fps": "60000/1001", "formats": "NV12:YUYV"}),
]


class DryRun(unittest.TestCase):
    def dry_run(self, *args):
        done = PROGRAM.run(*args, "--dry-run")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_round_trip(self):
        args = ["--kernel", "x"]
        for value, _ in VALUES:
            args += ["--media", value]
        once = self.dry_run(*args)
        self.assertEqual(json.loads(once)["media"], [DEFAULTS | want for _, want in VALUES])
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "vm.json"
            file.write_text(once, encoding="utf-8")
            self.assertEqual(self.dry_run("--config", file), once)
            # One --media replaces all of the file.
            again = json.loads(self.dry_run("--config", file, "--media", "test"))
            self.assertEqual(again["media"], [DEFAULTS | VALUES[0][1]])

    def test_memory_is_shared(self):
        for args, shared in (([], False), (["--media", "test"], True),
                             (["--media", "test", "--memory", "64M"], True),
                             (["--media", "test", "--memory", "64M,shared=off"], False)):
            with self.subTest(args):
                printed = json.loads(self.dry_run("--kernel", "x", *args))
                self.assertEqual(printed["memory"]["shared"], shared)


@unittest.skipUnless(vmmtest.have_kvm(), "needs /dev/kvm")
class Guest(unittest.TestCase):
    """The tiny kernel prints the registers of three virtio-mmio devices."""

    ENTROPY, MEDIA, NOBODY = 4, 48, 0xffffffff
    NO_REGION = (2**64 - 1, 2**64 - 1)

    def registers(self, *args):
        """Return: for each slot the device's id and (length, base) of its regions 0 and 1."""
        done = subprocess.run(PROGRAM.machine_args("m", *args), capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, check=False, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        slots = []
        for line in done.stdout.splitlines()[1:]:
            words = line.split()
            self.assertEqual(len(words), 9, line)
            numbers = [int(high + low, 16) for high, low in zip(words[1::2], words[2::2])]
            slots.append((int(words[0], 16), tuple(numbers[:2]), tuple(numbers[2:])))
        self.assertEqual(len(slots), 3)
        return slots

    def test_devices_appear(self):
        for args in ((), ("--loop", "epoll"), ("--cpus", "4")):
            with self.subTest(args):
                entropy, first, second = self.registers(
                    "--media", "test,shm=6M,timestamps=guest", "--media", "test,shm=1G", *args)
                self.assertEqual(entropy, (self.ENTROPY, self.NO_REGION, self.NO_REGION))
                # A region has a half to be written to and one to be read.
                for slot, half in ((first, 6 << 20), (second, 1 << 30)):
                    self.assertEqual((slot[0], slot[2]), (self.MEDIA, self.NO_REGION))
                    self.assertEqual(slot[1][0], 2 * half)
                    self.assertGreaterEqual(slot[1][1], 4 << 30)
                self.assertGreaterEqual(second[1][1], first[1][1] + first[1][0])

    def test_no_device(self):
        self.assertEqual([slot[0] for slot in self.registers()],
                         [self.ENTROPY, self.NOBODY, self.NOBODY])

    def test_all_that_can_be_configured(self):
        slots = self.registers("--no-rng", *["--media", "test,shm=2M"] * 16)
        self.assertEqual([slot[0] for slot in slots], [self.MEDIA] * 3)

    def test_sources_that_are_none(self):
        read, write = os.pipe()
        for source, sentence in (("/dev/video-none", "'/dev/video-none' does not exist"),
                                 ("/dev/null", "'/dev/null' is a device, but no V4L2 node"),
                                 ("/", "'/'"), ("by-id=none", "by-id=none"),
                                 ("fd=999", "descriptor 999 is not open"),
                                 (f"fd={read}", f"descriptor {read}"),
                                 # Without libv4lconvert that is what is said first.
                                 ("/dev/null,convert", "no")):
            with self.subTest(source):
                done = subprocess.run(PROGRAM.machine_args("m", "--media", source),
                                      capture_output=True, text=True, check=False, timeout=60,
                                      stdin=subprocess.DEVNULL, pass_fds=[read])
                self.assertEqual((done.returncode, done.stdout), (35, ""), done.stderr)
                self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)
                self.assertIn(sentence, done.stderr)
        os.close(read)
        os.close(write)


if __name__ == "__main__":
    unittest.main()
