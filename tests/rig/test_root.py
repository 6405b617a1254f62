#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
Debian's unmodified kernels with their root on a virtio disk and their console on hvc0, with 4
vCPUs: nothing that was written is lost or wrong, however the guest ends.

    test_root.py "" [TEXT]      only the cases with TEXT in their names

With VMM_LONG set in the environment (./check --long): every kernel with both event loops and both
kinds of rings.
"""
import itertools
import subprocess
import sys

import hosted
import kernel
from disk_guest import DiskMachine, Session, check_file_system, copy_of_root, describe, \
    sparse_image
from hosted import END_SECONDS, RESET
from tap import expect

CPUS = 4

# Every kernel, loop and kind of ring at least once.
SHORT = (("6.12", "uring", "on"), ("6.1", "epoll", "off"))
LONG = tuple(itertools.product(kernel.PACKAGES, ("uring", "epoll"), ("on", "off")))

# fio verifies with checksums what it reads back; it fails at the first that is wrong.
ON_DISK = ("fio --name=disk --filename=/dev/vdb --direct=1 --ioengine=libaio --iodepth=16 "
           f"--numjobs={CPUS} --size={{mib}}M --offset_increment={{mib}}M --rw=randwrite "
           "--bsrange=4k-128k --blockalign=4k --verify=crc32c --verify_fatal=1 --randseed={seed}")
IN_FILES = (f"fio --name=files --directory=/root --numjobs={CPUS} --size={{mib}}M --rw=randrw "
            "--bs=4k --fsync=16 --verify=crc32c --verify_fatal=1 --randseed={seed}")
DISK_MIB = 64

RING_PACKED = 34  # feature bit (virtio 1.4, 6)

# How many records must be there after the kill, of 64 KiB each.
RECORDS = 12
RECORD = "yes record {number} | head -c 65536"


class Case:
    """One kernel with one set of vmm's options, and the guest that its cases share."""

    def __init__(self, work, description, loop, packed):
        self.work = work
        self.kernel = description
        self.packed = packed
        self.options = ("--loop", loop, "--virtio", f"packed={packed}")
        self.root = None
        self.session = Session(self.make)

    def machine(self):
        """The machine on the files as they are."""
        return DiskMachine(self.kernel, [self.root, self.root.with_name("data.img")], CPUS,
                           self.options)

    def make(self):
        self.root = copy_of_root(self.work)
        sparse_image("data.img", DISK_MIB << 20)
        return self.machine()

    def shell_is_on_hvc0(self, shell):
        expect(shell.run("tty") == "/dev/hvc0", "the shell's terminal is not hvc0")
        expect(shell.run("uname -r") == self.kernel["release"], "another kernel was booted")
        mounts = shell.run("cat /proc/mounts").splitlines()
        expect(any(line.startswith("/dev/vda / ext4 rw") for line in mounts),
               f"the root is not ext4 on vda: {mounts}")
        queues = shell.run("ls /sys/block/vda/mq").split()
        expect(len(queues) == CPUS, f"{len(queues)} queues, not one for each of {CPUS} vCPUs")
        features = shell.run("cat /sys/block/vda/device/features")  # bit 0 first
        expect(features[RING_PACKED] == ("1" if self.packed == "on" else "0"),
               f"with packed={self.packed} the features are {features}")

    def fio_verifies_disk(self, shell):
        shell.run(ON_DISK.format(mib=3, seed=1), 3 * END_SECONDS)

    def fio_verifies_files(self, shell):
        shell.run(IN_FILES.format(mib=1, seed=2), 3 * END_SECONDS)
        shell.run("rm /root/files*")

    def reboot_leaves_image_intact(self, shell):
        before = shell.run("head -c 3000000 /dev/urandom >/root/random; sha256sum </root/random")
        disk_before = shell.run(f"head -c {CPUS * 3 << 20} /dev/vdb | sha256sum")
        code = shell.reboot()
        expect(code == RESET, f"exit code {code}, not {RESET}")
        check_file_system(self.root)
        self.session.go_on_with(self.machine())
        after = self.session.shell.run("sha256sum </root/random")
        expect(after == before, f"the file's checksum was {before} and is {after}")
        disk_after = self.session.shell.run(f"head -c {CPUS * 3 << 20} /dev/vdb | sha256sum")
        expect(disk_after == disk_before, "the other disk's content has changed")

    def synced_files_survive_kill(self, shell):
        """While more is written, synced and not, vmm is killed."""
        shell.run("(while :; do head -c 300000 /dev/urandom >/root/noise.$((i = (i + 1) % 8)); "
                  "done) &")
        started = shell.start_command(
            f'for i in $(seq 1000); do {RECORD.format(number="$i")} '
            "| dd of=/root/record.$i conv=fsync bs=64k iflag=fullblock 2>/dev/null && "
            "echo synced.$i; done")
        shell.wait_for(rf"synced\.{RECORDS}\n", 2 * END_SECONDS)
        shell.process.kill()
        shell.process.wait()
        while shell.read(0):  # what it had told when it ended
            pass
        synced = shell.text[started[0]:].count("synced.")
        # as a mount would do it: then all must be in order
        subprocess.run(["/sbin/e2fsck", "-y", "-E", "journal_only", self.root],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        check_file_system(self.root)
        for number in range(1, synced + 1):
            expected = subprocess.run(["sh", "-c", RECORD.format(number=number)], check=True,
                                      stdout=subprocess.PIPE).stdout
            found = subprocess.run(["/sbin/debugfs", "-R", f"cat /root/record.{number}",
                                    self.root], check=True, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE).stdout
            expect(found == expected, f"record {number} of {synced} has {len(found)} bytes, "
                   f"{len(expected)} were synced, or others")


def cases(work):
    """Pairs of name and function, as tap.run() takes them."""
    found = []
    kernels = {known["name"]: known for known in work["kernels"]}
    for name, loop, packed in LONG if hosted.is_long() else SHORT:
        case = Case(work, kernels[name], loop, packed)
        title = f"{name}, {loop}, {'packed' if packed == 'on' else 'split'} rings: "
        for function in (case.shell_is_on_hvc0, case.fio_verifies_disk, case.fio_verifies_files,
                         case.reboot_leaves_image_intact):
            found.append((title + function.__name__, case.session.case(function)))
        function = case.synced_files_survive_kill
        found.append((title + function.__name__, case.session.last_case(function)))
    return found


def prepare(archive, _):
    names = {name for name, *_ in (LONG if hosted.is_long() else SHORT)}
    return describe(archive, sorted(names))


if __name__ == "__main__":
    sys.exit(hosted.main(__file__, prepare, cases))
