#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
What one read from a disk costs, in vmm and in QEMU microvm beside it.

    bench_blk.py [--only TEXT] [VMM...]

Runs in the emulated host with instruction counting: a second is 10^9 executed instructions of host
and guest together. The guest is Debian's cloud kernel 6.12 with 1 vCPU; fio reads a disk of its,
an image in a tmpfs of the emulated host. What one operation costs is the difference between the
times that fio takes for a long and for a short run, divided by that of their operations, so that
no start counts; before them comes a run that brings all programs into memory. Each machine is
booted once and has a disk for each of its ways to do file I/O.

Standard output has the figures, standard error how far it is. Some half a minute of wall time a
disk, and four minutes more whenever a guest hangs (see counting.py).
"""
import argparse
import json
import os
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "rig"))

import counting  # noqa: E402
import debian  # noqa: E402
import disk_guest  # noqa: E402
import rig  # noqa: E402
from counting import progress  # noqa: E402

MEMORY_MIB = 256
DATA_MIB = 32
CMDLINE = "console=ttyS0 quiet panic=-1 vmm.run=root"
FIO = ("fio --output-format=terse --terse-version=3 --direct=1 --gtod_reduce=1 --randrepeat=1 "
       f"--size={DATA_MIB}M --io_size=100G")
RUNTIME = 8  # field of fio's terse output: milliseconds for which the job read

# name: options of fio, operations of a short and of a long run. The long ones take 0.1 s.
OPERATIONS = {
    "4 KiB random, depth 1": ("--rw=randread --bs=4k --ioengine=psync", 250, 1250),
    "4 KiB random, depth 32": ("--rw=randread --bs=4k --ioengine=io_uring --iodepth=32",
                               1000, 7000),
    "1 MiB sequential": ("--rw=read --bs=1M --ioengine=psync", 32, 224),
}

# vmm's options, and what is added to the path of each disk.
VMM_MACHINES = {
    "io_uring, packed rings": (["--loop", "uring", "--virtio", "packed=on"],
                               {"": "", ", O_DIRECT": ",direct"}),
    "io_uring, split rings": (["--loop", "uring", "--virtio", "packed=off"], {"": ""}),
    "epoll, packed rings": (["--loop", "epoll", "--virtio", "packed=on"], {"": ""}),
}

# QEMU: the machine without what it can do without; all ways to do file I/O that 7.2 has.
MICROVM = ("microvm,x-option-roms=off,pit=off,pic=off,rtc=off,isa-serial=on,"
           "auto-kernel-cmdline=off")
CACHED, DIRECT = "cache.direct=off,aio=", "cache.direct=on,aio="
QEMU_DISKS = {
    "iothread, io_uring": (CACHED + "io_uring", "iothread=io"),
    "iothread, io_uring, packed rings": (CACHED + "io_uring", "iothread=io,packed=on"),
    "iothread, io_uring, queue of 1024": (CACHED + "io_uring", "iothread=io,queue-size=1024"),
    "iothread, threads": (CACHED + "threads", "iothread=io"),
    "polling iothread, io_uring": (CACHED + "io_uring", "iothread=poll"),
    "main loop, io_uring": (CACHED + "io_uring", ""),
    "iothread, io_uring, O_DIRECT": (DIRECT + "io_uring", "iothread=io"),
    "iothread, native, O_DIRECT": (DIRECT + "native", "iothread=io"),
}


class Vmm:
    """A vmm to measure. @path: its binary. @machine: a key of VMM_MACHINES."""

    side = "vmm"

    def __init__(self, path, machine):
        self.path = path
        self.options, suffixes = VMM_MACHINES[machine]
        self.disks = {f"{path[-24:]}, {machine}{name}": suffix
                      for name, suffix in suffixes.items()}

    def words(self, files, disks):
        """Its command line, with those of self.disks that are named in @disks."""
        words = [self.path, "--kernel", files["bzImage"], "--initramfs", files["initramfs"],
                 "--cmdline", CMDLINE, "--memory", f"{MEMORY_MIB}M", *self.options,
                 "--disk", files["root"]]
        for name, image in zip(disks, files["data"]):
            words += ["--disk", image + ",readonly" + self.disks[name]]
        return words


class Qemu:
    """QEMU, with the disks of QEMU_DISKS."""

    side = "QEMU"
    disks = {f"QEMU, {name}": settings for name, settings in QEMU_DISKS.items()}

    def words(self, files, disks):
        """As Vmm.words(). No node of format raw above that of the file: it would only cost."""
        words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
                 "-machine", MICROVM, "-enable-kvm", "-cpu", "host", "-m", f"{MEMORY_MIB}M",
                 "-no-reboot", "-serial", "stdio", "-kernel", files["bzImage"],
                 "-initrd", files["initramfs"], "-append", CMDLINE,
                 "-global", "virtio-mmio.force-legacy=false",
                 "-global", "virtio-blk-device.num-queues=1",
                 "-global", "virtio-blk-device.queue-size=256",
                 "-object", "iothread,id=io,poll-max-ns=0", "-object", "iothread,id=poll",
                 "-blockdev", f"driver=file,node-name=root,filename={files['root']}",
                 "-device", "virtio-blk-device,drive=root"]
        for number, name in enumerate(disks):
            node, device = self.disks[name]
            words += ["-blockdev", f"driver=file,node-name=data{number},read-only=on,"
                                   f"filename={files['data'][number]},{node}",
                      "-device", f"virtio-blk-device,drive=data{number},{device}".rstrip(",")]
        return words


def machines(vmms):
    """All that there is to boot, in an order that both sides of the rig agree on."""
    return [Vmm(path, name) for path in vmms for name in VMM_MACHINES] + [Qemu()]


def measure(shell, disk, operation):
    """
    Instructions for one @operation on @disk, "vdb" for instance. Twice, as the pages of fio's
    buffer, which one run leaves behind and the next one gets, come in order every other time, and
    in reverse in between: few descriptors for a large read, then many.
    """
    options, few, many = OPERATIONS[operation]
    runs = {"warm": few, "short0": few, "short1": few, "long0": many, "long1": many}
    jobs = " ".join(f"--name={name} --stonewall --number_ios={count}"
                    for name, count in runs.items())
    said = shell.run(f"{FIO} --filename=/dev/{disk} {options} {jobs}")
    rows = [line.split(";") for line in said.splitlines() if line.startswith("3;fio-")]
    if [row[2] for row in rows] != list(runs):
        sys.exit(f"fio said what is not understood here: {said}")
    _, *shorts, long0, long1 = (int(row[RUNTIME]) for row in rows)
    return [(long - short) * 1_000_000 / (many - few)
            for short, long in zip(shorts, (long0, long1))]


def check_size(shell, disk):
    size = int(shell.run(f"cat /sys/block/{disk}/size")) * disk_guest.SECTOR
    if size != DATA_MIB << 20:
        sys.exit(f"{disk} has {size} bytes and is not a disk to measure")


def copy_files(files, count):
    """Put all files and @count images into memory, so that no disk of this machine counts."""
    folder = disk_guest.SCRATCH
    folder.mkdir(exist_ok=True)
    for name in "bzImage", "initramfs", "root":
        files[name] = shutil.copy(files[name], folder)
    content = os.urandom(1 << 20) * DATA_MIB
    files["data"] = [str(folder / f"data{number}.img") for number in range(count)]
    for image in files["data"]:
        pathlib.Path(image).write_bytes(content)


def inside(plan):
    """On the emulated host: boot one machine and measure what is to be done."""
    files, todo = plan["files"], plan["todo"]
    progress("the emulated host is up")
    copy_files(files, len(todo))
    progress("files are copied")
    with disk_guest.Shell(machines(plan["vmms"])[plan["machine"]].words(files, todo)) as shell:
        shell.reach_shell()
        for number, (name, operations) in enumerate(todo.items()):
            disk = f"vd{chr(ord('b') + number)}"
            check_size(shell, disk)
            if number == 0:
                progress("the guest is up")
            for operation in operations:
                costs = measure(shell, disk, operation)
                progress(f"{name}: {operation}: {costs[0]:.0f}, {costs[1]:.0f}")
                counting.found(name, operation, sum(costs) / len(costs))


def measure_machine(archive, plan, disks):
    """Measure all OPERATIONS on @disks of one machine. Return: the costs of each disk."""
    def left(figures):
        done = [(disk, operation) for disk, operation, _ in figures]
        todo = {disk: [operation for operation in OPERATIONS if (disk, operation) not in done]
                for disk in disks}
        return {disk: operations for disk, operations in todo.items() if operations}

    figures = counting.collect(archive, __file__, plan, left)
    costs = {(disk, operation): cost for disk, operation, cost in figures}
    return {disk: [costs[disk, operation] for operation in OPERATIONS] for disk in disks}


def print_row(name, values):
    print(f"{name:56}", *(f"{value:>22}" for value in values), flush=True)


def main():
    if sys.argv[1:2] == ["--inside"]:
        return inside(json.loads(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--only", default="", metavar="TEXT",
                        help="only disks with TEXT in their names, as the first column has them")
    parser.add_argument("vmm", nargs="*", help="binaries to measure")
    args = parser.parse_args()
    archive = debian.Archive(rig.default_cache())
    known = disk_guest.describe(archive, ["6.12-cloud"])
    plan = {
        "vmms": [str(pathlib.Path(path).resolve(strict=True)) for path in args.vmm],
        "files": {"bzImage": known["kernels"][0]["bzImage"],
                  "initramfs": known["kernels"][0]["initramfs"], "root": known["root"]},
    }
    print_row("instructions for one read", OPERATIONS)
    best = {}
    for number, machine in enumerate(machines(plan["vmms"])):
        disks = [name for name in machine.disks if args.only in name]
        costs_of = measure_machine(archive, plan | {"machine": number}, disks)
        for name, costs in costs_of.items():
            print_row(name, [round(cost) for cost in costs])
            best[machine.side] = [min(pair) for pair in zip(costs, best.get(machine.side, costs))]
    if len(best) > 1:
        print_row("best of vmm / best of QEMU",
                  [f"{ours / theirs:.2f}" for ours, theirs in zip(best["vmm"], best["QEMU"])])
    return 0


if __name__ == "__main__":
    sys.exit(main())
