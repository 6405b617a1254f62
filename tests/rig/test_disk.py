#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
What a disk can be and what can happen to it, with Debian's unmodified kernels: many at once,
read-only, sparse, growing, a block device of the host, a full host disk, an image in use.

    test_disk.py "" [TEXT]      only the cases with TEXT in their names

With VMM_LONG set in the environment (./check --long): every kernel with both event loops and both
kinds of rings.
"""
import hashlib
import itertools
import re
import subprocess
import sys

import hosted
import kernel
from disk_guest import SCRATCH, SECTOR, DiskMachine, Session, allocated, copy_of_root, describe, \
    sparse_image
from hosted import CONFIG, END_SECONDS
from tap import expect

MIB = 1 << 20
DISKS = 12
SHORT = (("6.12", "uring", "off"),)
LONG = tuple(itertools.product(kernel.PACKAGES, ("uring", "epoll"), ("on", "off")))

# The flushes of a block device: Documentation/ABI/stable/sysfs-block, stat, 16th field.
FLUSHES = 15


class ManyDisks:
    """A dozen disks beside the root, each with content and a name of its own."""

    def __init__(self, work, description, options):
        self.work = work
        self.kernel = description
        self.options = options
        self.images = []
        self.session = Session(self.make)

    @staticmethod
    def content(number):
        """1 MiB that no other disk has."""
        return hashlib.shake_128(b"disk %d" % number).digest(MIB)

    def make(self):
        disks = [copy_of_root(self.work)]
        self.images = []
        for number in range(DISKS):
            image = sparse_image(f"disk{number}.img", MIB)
            image.write_bytes(self.content(number))
            self.images.append(image)
            disks.append(f"{image},id=number-{number}")
        return DiskMachine(self.kernel, disks, 2, self.options)

    def disks_work_at_once(self, shell):
        """All are read at the same time, then all written, then the host looks."""
        names = [f"vd{chr(ord('b') + number)}" for number in range(DISKS)]
        ids = shell.run("cd /sys/block; for name in " + " ".join(names)
                        + "; do cat $name/serial; echo; done; cd /").split()
        expect(ids == [f"number-{number}" for number in range(DISKS)], f"the ids are {ids}")
        shell.run("for name in " + " ".join(names) + "; do dd if=/dev/$name bs=64k iflag=direct "
                  "2>/dev/null | md5sum >/tmp/$name & done; wait")
        for number, name in enumerate(names):
            seen = shell.run(f"cat /tmp/{name}").split()[0]
            expect(seen == hashlib.md5(self.content(number)).hexdigest(),
                   f"{name} does not read as the image of disk {number} does")
        shell.run("for name in " + " ".join(names) + "; do yes written to $name | dd of=/dev/$name "
                  "bs=64k count=16 iflag=fullblock oflag=direct conv=fsync 2>/dev/null & done; "
                  "wait")
        for number, (name, image) in enumerate(zip(names, self.images)):
            line = f"written to {name}\n".encode()
            expected = (line * (MIB // len(line) + 1))[:MIB]
            expect(image.read_bytes() == expected, f"disk {number} is not what {name} wrote")
        expect(shell.power_off() == 0, "the power-off did not end with 0")


class SpecialDisks:
    """One guest whose disks are all of different kinds."""

    def __init__(self, work, description, options):
        self.work = work
        self.kernel = description
        self.options = options
        self.session = Session(self.make)
        self.root = self.sparse = self.growing = self.readonly = self.full = self.direct = None
        self.loop = None

    def make(self):
        self.root = copy_of_root(self.work)
        self.sparse = sparse_image("sparse.img", 32 * MIB)
        self.growing = sparse_image("growing.img", 8 * MIB)
        self.readonly = sparse_image("readonly.img", MIB)
        self.readonly.write_bytes(ManyDisks.content(0))
        self.direct = sparse_image("direct.img", 8 * MIB)
        self.make_full()
        self.make_loop()
        return DiskMachine(self.kernel, [
            f"{self.root},discard", f"{self.sparse},discard", self.growing,
            f"{self.readonly},readonly", self.full, f"{self.direct},direct", self.loop],
            2, self.options)

    def make_full(self):
        """An image on a file system that is smaller than it."""
        folder = SCRATCH / "full"
        folder.mkdir(exist_ok=True)
        subprocess.run(["umount", folder], stderr=subprocess.DEVNULL, check=False)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", folder], check=True)
        self.full = sparse_image("full/full.img", 16 * MIB)

    def make_loop(self):
        """A block device of the host."""
        if self.loop:
            subprocess.run(["/sbin/losetup", "-d", self.loop], check=True)
        backing = sparse_image("loop.img", 8 * MIB)
        self.loop = subprocess.run(["/sbin/losetup", "-f", "--show", backing], check=True,
                                   stdout=subprocess.PIPE, text=True).stdout.strip()

    def discard_shrinks_image(self, shell):
        shell.run("head -c 16m /dev/urandom | dd of=/dev/vdb bs=1M iflag=fullblock conv=fsync")
        before = allocated(self.sparse)
        expect(before >= 16 * MIB, f"{before} bytes are allocated after 16 MiB were written")
        shell.run("blkdiscard /dev/vdb")
        after = allocated(self.sparse)
        expect(after < MIB, f"{after} bytes are allocated after all were discarded")
        zeros = shell.run("dd if=/dev/vdb bs=1M count=16 iflag=direct 2>/dev/null | tr -d '\\0' "
                          "| wc -c")
        expect(zeros == "0", f"{zeros} bytes that were discarded are not zero")

    def trim_shrinks_root(self, shell):
        shell.run("sync; fstrim /")  # what is free from the beginning
        shell.run("head -c 4m /dev/urandom >/root/large; sync")
        before = allocated(self.root)
        shell.run("rm /root/large; sync; fstrim /")
        after = allocated(self.root)
        expect(before - after >= 3 * MIB, f"{before} bytes were allocated, and then {after}")

    def growing_image_is_noticed(self, shell):
        with open(self.growing, "r+b") as image:
            image.truncate(12 * MIB)
        shell.wait_until("cat /sys/block/vdc/size", str(12 * MIB // SECTOR))
        shell.run("echo new end | dd of=/dev/vdc bs=1M seek=11 conv=sync,fsync")
        with open(self.growing, "rb") as image:
            image.seek(11 * MIB)
            expect(image.read(8) == b"new end\n", "what was written beyond the old end is lost")

    def readonly_disk_stays(self, shell):
        expect(shell.run("blockdev --getro /dev/vdd") == "1", "the guest may write to it")
        seen = shell.run("md5sum </dev/vdd").split()[0]
        expect(seen == hashlib.md5(ManyDisks.content(0)).hexdigest(), "it reads as another one")
        code, _ = shell.run_any("dd if=/dev/zero of=/dev/vdd bs=64k count=1 conv=fsync")
        expect(code != 0, "a write succeeded")
        expect(self.readonly.read_bytes() == ManyDisks.content(0), "the image was changed")

    def full_host_gives_errors(self, shell):
        fill = "dd if=/dev/zero of=/dev/vde bs=1M count=8 oflag=direct"
        code, output = shell.run_any(fill)
        expect(code != 0 and re.search("Input/output error|No space", output),
               f"8 MiB were written where 4 MiB are free: {output}")
        expect(shell.run("dd if=/dev/vdd bs=1M count=1 2>/dev/null | wc -c") == str(MIB),
               "another disk does not work any more")
        subprocess.run(["mount", "-o", "remount,size=32m", SCRATCH / "full"], check=True)
        shell.run(fill)

    def direct_disk_keeps_data(self, shell):
        shell.run("fio --name=direct --filename=/dev/vdf --direct=1 --ioengine=libaio --iodepth=8 "
                  "--size=512k --rw=randwrite --bs=4k --verify=crc32c --verify_fatal=1",
                  3 * END_SECONDS)
        shell.run("echo odd pieces >/root/odd; dd if=/root/odd of=/dev/vdf bs=512 seek=8001 "
                  "conv=sync,fsync")
        with open(self.direct, "rb") as image:
            image.seek(8001 * 512)
            expect(image.read(11) == b"odd pieces\n", "a single sector was not written in place")

    def sync_flushes_block_device(self, shell):
        """Only when the guest asks for it."""
        name = self.loop.rsplit("/", 1)[1]

        def flushes():
            with open(f"/sys/block/{name}/stat", encoding="ascii") as stat:
                return int(stat.read().split()[FLUSHES])

        shell.run("yes block device | dd of=/dev/vdg bs=64k count=16 iflag=fullblock oflag=direct")
        before = flushes()
        shell.run("for i in 1 2 3 4 5; do "
                  "dd if=/dev/zero of=/dev/vdg bs=64k seek=20 count=1 conv=fsync; done")
        after = flushes()
        expect(after - before >= 5, f"{after - before} flushes for 5 of the guest's")
        with open(self.loop, "rb") as device:
            expect(device.read(MIB) == (b"block device\n" * MIB)[:MIB], "it holds something else")

    def image_in_use_is_refused(self, _shell):
        done = subprocess.run(
            DiskMachine(self.kernel, [self.sparse]).words("/dev/null"),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=END_SECONDS, check=False)
        expect(done.returncode == CONFIG and str(self.sparse) in done.stdout,
               f"vmm ended with {done.returncode} and said: {done.stdout}")

    def power_off(self, shell):
        expect(shell.power_off() == 0, "the power-off did not end with 0")


def cases(work):
    """Pairs of name and function, as tap.run() takes them."""
    found = []
    kernels = {known["name"]: known for known in work["kernels"]}
    for name, loop, packed in LONG if hosted.is_long() else SHORT:
        options = ("--loop", loop, "--virtio", f"packed={packed}")
        title = f"{name}, {loop}, {'packed' if packed == 'on' else 'split'} rings: "
        many = ManyDisks(work, kernels[name], options)
        special = SpecialDisks(work, kernels[name], options)
        found.append((f"{title}{DISKS} disks work at once",
                      many.session.last_case(many.disks_work_at_once)))
        for function in (
                special.discard_shrinks_image, special.trim_shrinks_root,
                special.growing_image_is_noticed, special.readonly_disk_stays,
                special.full_host_gives_errors, special.direct_disk_keeps_data,
                special.sync_flushes_block_device, special.image_in_use_is_refused):
            found.append((title + function.__name__, special.session.case(function)))
        found.append((title + "power_off", special.session.last_case(special.power_off)))
    return found


def prepare(archive, _):
    names = {name for name, *_ in (LONG if hosted.is_long() else SHORT)}
    return describe(archive, sorted(names))


if __name__ == "__main__":
    sys.exit(hosted.main(__file__, prepare, cases, modules=["loop"]))
