#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Wrong invocations: each gives one clear sentence on stderr and the documented exit code.

Arguments: the vmm binary, the tiny kernel.
"""
import os
import pathlib
import shutil
import struct
import subprocess
import tempfile
import unittest

import vmmtest

PROGRAM = vmmtest.Program.from_args()
CONFIG, HOST = 35, 36
NOBODY = 65534

# name, arguments, exit code, what the sentence contains. {d} is a folder with the files of
# setUpClass(), {k} the tiny kernel.
MISTAKES = [
    ("no kernel", "", CONFIG, "--kernel"),
    ("kernel is missing", "--kernel {d}/none", CONFIG, "'{d}/none'"),
    ("kernel is a directory", "--kernel {d}", CONFIG, "directory"),
    ("kernel is a text file", "--kernel {d}/text", CONFIG, "not a"),
    ("kernel is empty", "--kernel {d}/empty", CONFIG, "empty"),
    ("kernel is a device", "--kernel /dev/null", CONFIG, "/dev/null"),
    ("kernel is cut off", "--kernel {d}/cut", CONFIG, "truncated"),
    ("kernel is for another processor", "--kernel {d}/arm", CONFIG, "aarch64"),
    ("kernel is a program", "--kernel /bin/true", CONFIG, "not a kernel"),
    ("kernel has no PVH entry", "--kernel {d}/elf", CONFIG, "PVH"),
    ("initramfs is missing", "--kernel {k} --initramfs {d}/none", CONFIG, "'{d}/none'"),
    ("initramfs is too large", "--kernel {k} --memory 16M --initramfs {d}/large", CONFIG, "MiB"),
    ("no vCPUs", "--kernel {k} --cpus 0", CONFIG, "32"),
    ("33 vCPUs", "--kernel {k} --cpus 33", CONFIG, "32"),
    ("vCPUs are no number", "--kernel {k} --cpus two", CONFIG, "two"),
    ("1 MiB of memory", "--kernel {k} --memory 1M", CONFIG, "16"),
    ("1 PiB of memory", "--kernel {k} --memory 1024T", CONFIG, "4"),
    ("memory is negative", "--kernel {k} --memory -5M", CONFIG, "-5M"),
    ("memory overflows", "--kernel {k} --memory 99999999999999999999G", CONFIG, "9999"),
    ("memory has no unit", "--kernel {k} --memory 512", CONFIG, "512M"),
    ("unknown key", "--kernel {k} --memory 64M,hugepage=on", CONFIG, "hugepages"),
    ("key without a boolean", "--kernel {k} --memory 64M,thp=maybe", CONFIG, "maybe"),
    ("unknown option", "--kernle {k}", CONFIG, "--kernel"),
    ("duplicate option", "--kernel {k} --kernel {k}", CONFIG, "--kernel"),
    ("duplicate option by its alias", "--memory 64M --mem 64M", CONFIG, "--mem"),
    ("stray argument", "{k}", CONFIG, "{k}"),
    ("option without its value", "--kernel", CONFIG, "--kernel"),
    ("unknown serial kind", "--kernel {k} --serial tty", CONFIG, "stdio"),
    ("serial file in no folder", "--software-kvm --kernel {k} --serial file={d}/none/log", CONFIG,
     "'{d}/none/log'"),
    ("unknown loop", "--kernel {k} --loop poll", CONFIG, "epoll"),
    ("configuration is missing", "--config {d}/none.json", CONFIG, "none.json"),
    ("configuration is a directory", "--config {d}", CONFIG, "directory"),
    ("configuration is no JSON", "--config {d}/broken.json", CONFIG, "broken.json:2:"),
    ("configuration has an unknown key", "--config {d}/key.json", CONFIG, "key.json:3:"),
    ("configuration has a wrong type", "--config {d}/type.json", CONFIG, "type.json:2:"),
    ("configuration has a key twice", "--config {d}/twice.json", CONFIG, "twice.json:"),
    ("command line too long", "--kernel {k} --cmdline {long}", CONFIG, "command line"),
]

# Files that the rows name.
def elf(machine):
    """An ELF executable for @machine with one segment at 2 MiB and no note."""
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", 2, machine, 1, 0x200000, 64, 0,
                       0, 64, 56, 1, 0, 0, 0)
    return head + struct.pack("<IIQQQQQQ", 1, 5, 0, 0x200000, 0x200000, 120, 120, 4096)


FILES = {
    "text": b"#!/bin/sh\necho this is no kernel\n" * 100,
    "empty": b"",
    "arm": elf(0xb7),
    "elf": elf(0x3e),
    "broken.json": b'{\n  "cpus": 2,,\n}\n',
    "key.json": b'{\n  "cpus": 2,\n  "kernle": "x"\n}\n',
    "type.json": b'{\n  "cpus": "many"\n}\n',
    "twice.json": b'{"cpus": 2, "cpus": 3}\n',
}


class Mistakes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = pathlib.Path(tempfile.mkdtemp())
        cls.dir.chmod(0o755)
        for name, data in FILES.items():
            (cls.dir / name).write_bytes(data)
        kernel = PROGRAM.kernel.read_bytes()
        (cls.dir / "cut").write_bytes(kernel[:200])
        with open(cls.dir / "large", "wb") as file:
            file.truncate(64 << 20)
        # Readable for everybody, wherever the build folder is.
        cls.vmm = shutil.copy(PROGRAM.vmm, cls.dir / "vmm")
        cls.kernel = shutil.copy(PROGRAM.kernel, cls.dir / "tiny_kernel")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.dir)

    def expand(self, text):
        return text.format(d=self.dir, k=PROGRAM.kernel, long="x" * 70000)

    def check(self, run, code, expected):
        lines = run.stderr.splitlines()
        self.assertEqual(run.returncode, code, run.stderr)
        self.assertEqual(run.stdout, "")
        self.assertEqual(len(lines), 1, run.stderr)
        self.assertTrue(lines[0].startswith("vmm: error: "), lines[0])
        self.assertIn(expected, lines[0])

    def test_mistakes(self):
        """On a host without KVM too: the configuration is judged before the host is."""
        for name, args, code, expected in MISTAKES:
            if "--software-kvm" in args and not vmmtest.have_kvm():
                continue
            argv = [self.expand(arg) for arg in args.split()]
            with self.subTest(name):
                if args.startswith("--kernel") or "--initramfs" in args:
                    argv.insert(0, "--software-kvm")
                self.check(PROGRAM.run(*argv), code, self.expand(expected))

    def test_output_that_cannot_be_written(self):
        for option in ("--help", "--version", "--dry-run"):
            with self.subTest(option), open("/dev/full", "wb") as full:
                done = subprocess.run([str(PROGRAM.vmm), "--kernel", "x", option], stdout=full,
                                      stderr=subprocess.PIPE, check=False, timeout=60)
                self.assertEqual(done.returncode, HOST)
                self.assertIn(b"No space left", done.stderr)

    def run_with_dev(self, setup):
        """Runs vmm with a /dev of its own. In a chroot the root is no mount, but /dev is."""
        script = ("{ mount --make-rprivate / || mount --make-rprivate /dev; } 2>/dev/null && "
                  f"{setup} && exec \"$0\" --software-kvm --kernel \"$1\"")
        return subprocess.run(["unshare", "--mount", "--propagation", "unchanged", "sh", "-c",
                               script, str(PROGRAM.vmm), str(PROGRAM.kernel)],
                              capture_output=True, text=True, check=False,
                              stdin=subprocess.DEVNULL, timeout=60)

    @unittest.skipUnless(os.geteuid() == 0, "needs root")
    def test_no_kvm(self):
        if os.path.exists("/dev/kvm"):
            run = self.run_with_dev("mount -t tmpfs none /dev")
        else:
            run = PROGRAM.run("--software-kvm", "--kernel", PROGRAM.kernel)
        self.check(run, HOST, "/dev/kvm is missing")

    @unittest.skipUnless(os.geteuid() == 0 and vmmtest.have_kvm(), "needs root and /dev/kvm")
    def test_kvm_is_something_else(self):
        self.check(self.run_with_dev("mount --bind /dev/null /dev/kvm"), HOST, "not KVM")

    @unittest.skipUnless(os.geteuid() == 0 and vmmtest.have_kvm(), "needs root and /dev/kvm")
    def test_kvm_unreadable(self):
        if os.stat("/dev/kvm").st_mode & 0o006:
            self.skipTest("/dev/kvm is open to everybody here")
        run = subprocess.run([str(self.vmm), "--kernel", str(self.kernel)], capture_output=True,
                             text=True, check=False, stdin=subprocess.DEVNULL, user=NOBODY,
                             group=NOBODY, extra_groups=[], timeout=60)
        self.check(run, HOST, "group")

    @unittest.skipUnless(vmmtest.have_kvm() and not vmmtest.have_hardware(),
                         "needs a KVM without hardware virtualization")
    def test_kvm_is_an_interpreter(self):
        self.check(PROGRAM.run("--kernel", PROGRAM.kernel), HOST, "no hardware virtualization")


if __name__ == "__main__":
    unittest.main()
