#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
What one read from a disk costs, in vmm and in QEMU microvm beside it.

    bench_blk.py [VMM...]

Runs in the emulated host with instruction counting: a second is 10^9 executed instructions of host
and guest together. The guest is Debian's cloud kernel 6.12 with 1 vCPU; fio reads its second disk,
an image in a tmpfs of the emulated host. What one operation costs is the difference between the
times that fio takes for a long and for a short run, divided by that of their operations, so that
no start counts. Each program is booted once and has a disk for each of its ways to do file I/O.
"""
import argparse
import json
import os
import pathlib
import shutil
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "rig"))

import debian  # noqa: E402
import disk_guest  # noqa: E402
import rig  # noqa: E402

MEMORY_MIB = 256
DATA_MIB = 32
CMDLINE = "console=ttyS0 quiet panic=-1 vmm.run=root"
FIO = (f"fio --name=bench --size={DATA_MIB}M --io_size=100G --direct=1 --gtod_reduce=1 "
       "--randrepeat=1 --output-format=terse --terse-version=3")
PATIENCE = 1200  # seconds of wall time for one run of it
RUNTIME = 8  # fio's terse output: milliseconds for which the job read

# name, options of fio, operations of the short and of the long run
OPERATIONS = (
    ("4 KiB random, depth 1", "--rw=randread --bs=4k --ioengine=psync", 500, 4500),
    ("4 KiB random, depth 32", "--rw=randread --bs=4k --ioengine=io_uring --iodepth=32",
     1000, 13000),
    ("1 MiB sequential", "--rw=read --bs=1M --ioengine=psync", 32, 256),
)

# vmm: event loop, packed rings, what is added to the path of each disk.
VMM_MACHINES = {
    "uring, packed": ("uring", "on", {"": "", ", O_DIRECT": ",direct"}),
    "uring, split": ("uring", "off", {"": ""}),
    "epoll, packed": ("epoll", "on", {"": ""}),
}

# QEMU: the machine without what it can do without; all ways to do file I/O that 7.2 has.
MICROVM = ("microvm,x-option-roms=off,pit=off,pic=off,rtc=off,isa-serial=on,"
           "auto-kernel-cmdline=off")
QEMU_DISKS = {
    "iothread, io_uring": ("iothread=io", "cache=writeback,aio=io_uring"),
    "iothread, threads": ("iothread=io", "cache=writeback,aio=threads"),
    "polling iothread, io_uring": ("iothread=poll", "cache=writeback,aio=io_uring"),
    "main loop, io_uring": ("", "cache=writeback,aio=io_uring"),
    "iothread, io_uring, O_DIRECT": ("iothread=io", "cache=none,aio=io_uring"),
    "iothread, native, O_DIRECT": ("iothread=io", "cache=none,aio=native"),
}
QEMU_DISK = "num-queues=1,queue-size=256,packed=off,event_idx=on"


def vmm_words(files, vmm, machine):
    """vmm's command line. @machine: a value of VMM_MACHINES."""
    loop, packed, disks = machine
    words = [vmm, "--kernel", files["bzImage"], "--initramfs", files["initramfs"], "--cmdline",
             CMDLINE, "--memory", f"{MEMORY_MIB}M", "--loop", loop, "--virtio",
             f"packed={packed}", "--disk", files["root"]]
    for image, options in zip(files["data"], disks.values()):
        words += ["--disk", image + options]
    return words


def qemu_words(files):
    """QEMU's command line, with one disk for each of QEMU_DISKS."""
    words = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none",
             "-machine", MICROVM, "-enable-kvm", "-cpu", "host", "-m", f"{MEMORY_MIB}M",
             "-no-reboot", "-serial", "stdio", "-kernel", files["bzImage"], "-initrd",
             files["initramfs"], "-append", CMDLINE, "-global", "virtio-mmio.force-legacy=false",
             "-object", "iothread,id=io,poll-max-ns=0", "-object", "iothread,id=poll",
             "-drive", f"if=none,id=root,format=raw,file={files['root']}",
             "-device", f"virtio-blk-device,drive=root,{QEMU_DISK}"]
    for number, (thread, drive) in enumerate(QEMU_DISKS.values()):
        words += ["-drive", f"if=none,id=d{number},format=raw,file={files['data'][number]},{drive}",
                  "-device", ",".join(filter(None, ("virtio-blk-device", thread,
                                                    f"drive=d{number}", QEMU_DISK)))]
    return words


def machines(plan):
    """What to boot: pairs of a command line and the names of its disks, from vdb on."""
    files = plan["files"]
    found = []
    for vmm in plan["vmms"]:
        for name, machine in VMM_MACHINES.items():
            found.append((vmm_words(files, vmm, machine),
                          [f"{vmm[-30:]}, {name}{suffix}" for suffix in machine[2]]))
    found.append((qemu_words(files), [f"QEMU, {name}" for name in QEMU_DISKS]))
    return found


def fio_ms(shell, disk, options, count):
    """How long fio takes for @count operations."""
    said = shell.run(f"{FIO} {options} --filename=/dev/{disk} --number_ios={count}", PATIENCE)
    return int(said.splitlines()[-1].split(";")[RUNTIME])


def measure(shell, disk):
    """Instructions for each of OPERATIONS on @disk, "vdb" for instance."""
    size = int(shell.run(f"cat /sys/block/{disk}/size")) * disk_guest.SECTOR
    if size != DATA_MIB << 20:
        sys.exit(f"{disk} has {size} bytes and is not a disk to measure")
    fio_ms(shell, disk, *OPERATIONS[1][1:3])  # the program comes into the guest's memory
    costs = []
    for _, options, short, long in OPERATIONS:
        first = fio_ms(shell, disk, options, short)
        second = fio_ms(shell, disk, options, long)
        costs.append((second - first) * 1_000_000 / (long - short))
    return costs


def copy_files(files):
    """Put all files into memory, so that no disk of this machine counts."""
    folder = disk_guest.SCRATCH
    folder.mkdir(exist_ok=True)
    for name in "bzImage", "initramfs", "root":
        files[name] = shutil.copy(files[name], folder)
    content = os.urandom(DATA_MIB << 20)
    files["data"] = []
    for number in range(len(QEMU_DISKS)):
        path = folder / f"data{number}.img"
        path.write_bytes(content)
        files["data"].append(str(path))


def inside(plan):
    """On the emulated host: measure and print."""
    copy_files(plan["files"])
    print(f'{"instructions for one read":56}', *(f"{row[0]:>22}" for row in OPERATIONS),
          flush=True)
    best = {}
    for words, names in machines(plan):
        with disk_guest.Shell(words) as shell:
            shell.reach_shell()
            for number, name in enumerate(names):
                costs = measure(shell, f"vd{chr(ord('b') + number)}")
                print(f"{name:56}", *(f"{cost:22.0f}" for cost in costs), flush=True)
                side = "QEMU" if name.startswith("QEMU") else "vmm"
                best[side] = [min(pair) for pair in zip(costs, best.get(side, costs))]
            # the root is the same for the next one
            shell.power_off()
    if len(best) > 1:
        print(f'{"best of vmm / best of QEMU":56}',
              *(f"{ours / theirs:22.2f}" for ours, theirs in zip(best["vmm"], best["QEMU"])))


def main():
    if sys.argv[1:2] == ["--inside"]:
        return inside(json.loads(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("vmm", nargs="*", help="binaries to measure")
    args = parser.parse_args()
    archive = debian.Archive(rig.default_cache())
    known = disk_guest.describe(archive, ["6.12-cloud"])
    plan = {
        "vmms": [str(pathlib.Path(path).resolve()) for path in args.vmm],
        "files": {"bzImage": known["kernels"][0]["bzImage"],
                  "initramfs": known["kernels"][0]["initramfs"], "root": known["root"]},
    }
    host = rig.Rig(archive, icount=True)
    return host.run(["/usr/bin/python3", "-B", str(HERE / "bench_blk.py"), "--inside",
                     json.dumps(plan)], timeout=None)


if __name__ == "__main__":
    sys.exit(main())
