#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
What one read from a disk costs, in vmm and in QEMU microvm beside it.

    bench_blk.py [--only TEXT] VMM [VMM...]

Runs in the emulated host with instruction counting: a second is 10^9 executed instructions of host
and guest together. The guest is Debian's cloud kernel 6.12 with 1 vCPU; fio reads its second disk,
an image in a tmpfs of the emulated host. What one operation costs is the difference between the
times that fio takes for a long and for a short run, divided by that of their operations, so that
no start counts. Each program is measured with the page cache of the host and, where its settings
say so, with O_DIRECT.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "rig"))

import debian  # noqa: E402
import disk_guest  # noqa: E402
import rig  # noqa: E402

MEMORY_MIB = 256
DATA_MIB = 64
CMDLINE = "console=ttyS0 quiet panic=-1 vmm.run=root"
FIO = ("fio --name=bench --filename=/dev/vdb --direct=1 --gtod_reduce=1 --randrepeat=1 "
       "--output-format=terse --terse-version=3")
RUNTIME = 8  # fio's terse output: milliseconds for which the job read

# name, options of fio, operations of the short and of the long run
OPERATIONS = (
    ("4 KiB random, depth 1", "--rw=randread --bs=4k --ioengine=psync", 500, 4500),
    ("4 KiB random, depth 32", "--rw=randread --bs=4k --ioengine=io_uring --iodepth=32",
     1000, 13000),
    ("1 MiB sequential", "--rw=read --bs=1M --ioengine=psync", 32, 256),
)

# QEMU: the machine without what it can do without, and all ways to do file I/O that 7.2 has.
MICROVM = ("microvm,x-option-roms=off,pit=off,pic=off,rtc=off,isa-serial=on,"
           "auto-kernel-cmdline=off")
QEMU_WAYS = {
    "io_uring": "cache=writeback,aio=io_uring",
    "threads": "cache=writeback,aio=threads",
    "io_uring, O_DIRECT": "cache=none,aio=io_uring",
    "native, O_DIRECT": "cache=none,aio=native",
}
QEMU_THREADS = {
    "iothread": ("iothread=io,", ["-object", "iothread,id=io,poll-max-ns=0"]),
    "polling iothread": ("iothread=io,", ["-object", "iothread,id=io"]),
    "main loop": ("", []),
}

# vmm: event loop, packed rings, end of the disk's options.
VMM_WAYS = {
    "uring, packed": ("uring", "on", ""),
    "uring, split": ("uring", "off", ""),
    "epoll, packed": ("epoll", "on", ""),
    "uring, packed, O_DIRECT": ("uring", "on", ",direct"),
}


def qemu_words(files, drive, thread):
    """QEMU's command line. @drive: a value of QEMU_WAYS. @thread: one of QEMU_THREADS."""
    option, words = thread
    words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
             "-machine", MICROVM, "-enable-kvm", "-cpu", "host", "-m", f"{MEMORY_MIB}M",
             "-no-reboot", "-serial", "stdio", "-kernel", files["bzImage"], "-initrd",
             files["initramfs"], "-append", CMDLINE, "-global", "virtio-mmio.force-legacy=false",
             *words]
    for name in ("root", "data"):
        words += ["-drive", f"if=none,id={name},format=raw,file={files[name]},{drive}",
                  "-device", f"virtio-blk-device,{option}drive={name},num-queues=1,"
                  "queue-size=256,packed=off,event_idx=on"]
    return words


def vmm_words(files, vmm, way):
    """vmm's command line. @way: a value of VMM_WAYS."""
    loop, packed, disk = way
    return [vmm, "--kernel", files["bzImage"], "--initramfs", files["initramfs"], "--cmdline",
            CMDLINE, "--memory", f"{MEMORY_MIB}M", "--loop", loop, "--virtio",
            f"packed={packed}", "--disk", files["root"], "--disk", files["data"] + disk]


def contenders(plan):
    """Name and command line of everything to measure."""
    files = plan["files"]
    found = {}
    for vmm in plan["vmms"]:
        for way, value in VMM_WAYS.items():
            found[f"{vmm[-30:]}, {way}"] = vmm_words(files, vmm, value)
    for way, drive in QEMU_WAYS.items():
        found[f"QEMU, iothread, {way}"] = qemu_words(files, drive, QEMU_THREADS["iothread"])
    for name, thread in QEMU_THREADS.items():
        found[f"QEMU, {name}, io_uring"] = qemu_words(files, QEMU_WAYS["io_uring"], thread)
    return {name: words for name, words in found.items()
            if any(text in name for text in plan["only"])}


def fio_ms(shell, options, count):
    """How long fio takes for @count operations."""
    said = shell.run(f"{FIO} {options} --size={DATA_MIB}M --io_size=100G --number_ios={count}")
    return int(said.splitlines()[-1].split(";")[RUNTIME])


def measure(words):
    """Instructions for each of OPERATIONS."""
    costs = []
    with disk_guest.Shell(words) as shell:
        shell.reach_shell()
        size = int(shell.run("cat /sys/block/vdb/size")) * disk_guest.SECTOR
        if size != DATA_MIB << 20:
            sys.exit(f"{words[0]}: vdb has {size} bytes and is not the data disk")
        fio_ms(shell, *OPERATIONS[1][1:3])  # the program comes into the guest's memory
        for _, options, short, long in OPERATIONS:
            first, second = fio_ms(shell, options, short), fio_ms(shell, options, long)
            costs.append((second - first) * 1_000_000 / (long - short))
    return costs


def inside(plan):
    """On the emulated host: all files are in memory, so that no disk of this machine counts."""
    disk_guest.SCRATCH.mkdir(exist_ok=True)
    files = plan["files"]
    for name in "bzImage", "initramfs":
        files[name] = shutil.copy(files[name], disk_guest.SCRATCH)
    root = files["root"]
    files["root"] = str(disk_guest.SCRATCH / "root.img")
    files["data"] = str(disk_guest.SCRATCH / "data.img")
    with open(files["data"], "wb") as data:
        for _ in range(DATA_MIB):
            data.write(os.urandom(1 << 20))
    print(f'{"instructions for one read":56}', *(f"{row[0]:>22}" for row in OPERATIONS),
          flush=True)
    best = {}
    for name, words in contenders(plan).items():
        subprocess.run(["cp", "--sparse=always", root, files["root"]], check=True)
        costs = measure(words)
        print(f"{name:56}", *(f"{cost:22.0f}" for cost in costs), flush=True)
        side = "QEMU" if name.startswith("QEMU") else "vmm"
        best[side] = [min(pair) for pair in zip(costs, best.get(side, costs))]
    if len(best) == 2:
        print(f'{"best of vmm / best of QEMU":56}',
              *(f"{ours / theirs:22.2f}" for ours, theirs in zip(best["vmm"], best["QEMU"])))


def main():
    if sys.argv[1:2] == ["--inside"]:
        return inside(json.loads(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--only", action="append", metavar="TEXT",
                        help="measure only what has TEXT in its name; may be repeated")
    parser.add_argument("vmm", nargs="+", help="binaries to measure")
    args = parser.parse_args()
    archive = debian.Archive(rig.default_cache())
    known = disk_guest.describe(archive, ["6.12-cloud"])
    plan = {
        "vmms": [str(pathlib.Path(path).resolve()) for path in args.vmm],
        "only": args.only or [""],
        "files": {"bzImage": known["kernels"][0]["bzImage"],
                  "initramfs": known["kernels"][0]["initramfs"], "root": known["root"]},
    }
    host = rig.Rig(archive, icount=True)
    return host.run(["/usr/bin/python3", "-B", str(HERE / "bench_blk.py"), "--inside",
                     json.dumps(plan)], timeout=None)


if __name__ == "__main__":
    sys.exit(main())
