#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Wrong invocations: each gives one clear sentence on stderr and the documented exit code.

Arguments: the vmm binary, the tiny kernel.
"""
import os
import pathlib
import resource
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
    ("console socket without a path", "--kernel {k} --console socket", CONFIG, "socket=PATH"),
    ("console twice", "--kernel {k} --console pty --console pty", CONFIG, "--console"),
    ("serial and console on stdio", "--kernel {k} --console stdio --serial stdio", CONFIG,
     "--serial off"),
    ("disk has an unknown key", "--kernel {k} --disk a --disk b,readnoly", CONFIG,
     "'b,readnoly': unknown key readnoly: did you mean readonly?"),
    ("disk has a key twice", "--kernel {k} --disk a,direct,direct=off", CONFIG, "direct"),
    ("disk has no path", "--kernel {k} --disk readonly", CONFIG, "path=PATH"),
    ("disk's id is too long", "--kernel {k} --disk a,id=123456789012345678901", CONFIG, "20"),
    ("disk's id is no ASCII", "--kernel {k} --disk a,id=\u00e9", CONFIG, "ASCII"),
    ("disk twice", "--kernel {k} --disk {d}/none --disk b --disk {d}/none,readonly", CONFIG,
     "'{d}/none'"),
    ("too many disks", "--kernel {k}" + "".join(f" --disk {i}" for i in range(65)), CONFIG, "64"),
    ("media has no source", "--kernel {k} --media label=x", CONFIG, "by-id=NAME"),
    ("media has two sources", "--kernel {k} --media /dev/video0,test", CONFIG,
     "'/dev/video0,test': path and test"),
    ("media has an unknown key", "--kernel {k} --media test --media test,sise=64x48", CONFIG,
     "'test,sise=64x48': unknown key sise: did you mean size?"),
    ("media twice", "--kernel {k} --media a --media test --media a", CONFIG, "'a'"),
    ("media's window is no whole 2 MiB", "--kernel {k} --media test,shm=5M", CONFIG, "2M"),
    ("media's descriptor is a standard stream", "--kernel {k} --media fd=0", CONFIG, "3"),
    ("media's frame size is one number", "--kernel {k} --media test,size=480", CONFIG, "640x480"),
    ("media's frame rate is decimal", "--kernel {k} --media test,fps=29.97", CONFIG, "30000/1001"),
    ("media's format is unknown", "--kernel {k} --media test,formats=MJPEG", CONFIG, "MJPG"),
    ("media's size is the guest's to choose", "--kernel {k} --media /dev/video0,size=64x48", CONFIG,
     "synthetic"),
    ("media's label is too long", "--kernel {k} --media test,label={x32}", CONFIG, "31"),
    ("too many media", "--kernel {k}" + " --media test" * 17, CONFIG, "16"),
    ("rng is neither on nor off", "--kernel {k} --rng=maybe", CONFIG, "maybe"),
    ("virtio is switched off", "--kernel {k} --virtio off", CONFIG, "packed"),
    ("unknown loop", "--kernel {k} --loop poll", CONFIG, "epoll"),
    ("configuration is missing", "--config {d}/none.json", CONFIG, "none.json"),
    ("configuration is a directory", "--config {d}", CONFIG, "directory"),
    ("configuration fails to be read", "--config /proc/self/mem", HOST, "Input/output error"),
    ("configuration is no JSON", "--config {d}/broken.json", CONFIG, "broken.json:2:"),
    ("configuration has an unknown key", "--config {d}/key.json", CONFIG, "key.json:3:"),
    ("configuration has a wrong type", "--config {d}/type.json", CONFIG, "type.json:2:"),
    ("configuration has a key twice", "--config {d}/twice.json", CONFIG, "twice.json:"),
    ("configuration has a disk with an unknown key", "--config {d}/disk.json", CONFIG,
     "disk.json:4:19: disk: element 2: unknown key"),
    ("configuration has a disk twice", "--config {d}/same.json", CONFIG,
     "same.json:2:11: disk: element 2: the path 'a'"),
    ("configuration has media with a wrong rate", "--config {d}/media.json", CONFIG,
     "media.json:2:32: media: fps: "),
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
    "empty.json": b"{}",
    "disk.json": b'{\n  "disk": [\n    {"path": "a"},\n    {"path": "b", "ro": true}\n  ]\n}\n',
    "same.json": b'{"disk": ["a",\n          {"path": "a"}]}\n',
    "media.json": b'{"media":\n         {"test": true, "fps": "fast"}}\n',
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
        return text.format(d=self.dir, k=PROGRAM.kernel, long="x" * 70000, x32="x" * 32)

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

    @unittest.skipUnless(vmmtest.have_kvm(), "needs /dev/kvm")
    def test_too_few_descriptors(self):
        """Wherever they run out, it is the host's fault, a file's turn to be opened included."""
        said = set()
        argv = PROGRAM.machine_args("poweroff", "--config", self.dir / "empty.json",
                                    "--initramfs", self.dir / "text")
        for limit in range(3, 100):
            run = subprocess.run(argv, capture_output=True, text=True, check=False,
                                 stdin=subprocess.DEVNULL, timeout=60, preexec_fn=lambda n=limit:
                                 resource.setrlimit(resource.RLIMIT_NOFILE, (n, n)))
            if run.returncode == 0:
                break
            # A dynamic program needs one more to be loaded than it has while it runs.
            if run.returncode != 127:
                self.assertEqual(run.returncode, HOST, run.stderr)
                said.add(run.stderr.split("'")[0])
        self.assertEqual(run.returncode, 0, run.stderr)
        self.assertGreaterEqual(said, {"vmm: error: kernel ", "vmm: error: initramfs "})

    def run_with_dev(self, setup, *args):
        """Runs vmm with a /dev of its own. In a chroot the root is no mount, but /dev is."""
        script = ("{ mount --make-rprivate / || mount --make-rprivate /dev; } 2>/dev/null && "
                  f"{setup} && exec \"$@\"")
        return subprocess.run(["unshare", "--mount", "--propagation", "unchanged", "sh", "-c",
                               script, "sh", *PROGRAM.machine_args("poweroff", *args)],
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
    def test_no_pseudo_terminals(self):
        self.check(self.run_with_dev("mount --bind /dev/null /dev/ptmx", "--serial", "pty"), HOST,
                   "cannot set up a pseudo-terminal")

    @unittest.skipUnless(os.geteuid() == 0 and vmmtest.have_kvm(), "needs root and /dev/kvm")
    def test_disk_is_full(self):
        self.check(self.run_with_dev("mount -t tmpfs -o nr_inodes=1 none /dev/shm", "--serial",
                                     "file=/dev/shm/log"), HOST, "'/dev/shm/log': its disk is full")

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
