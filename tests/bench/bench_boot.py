#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
How long and with how much memory a Debian kernel boots, in vmm and in QEMU microvm beside it.

    bench_boot.py [--runs N] [--only TEXT] [--no-acpi] [--shared] [--no-thp] [--console full]
                  [--vmlinux] VMM...

Runs in the emulated host with instruction counting: a second is 10^9 executed instructions of host
and guest together, the same within 1 % from run to run. Each program boots Debian's cloud kernel
6.12 with 1 vCPU and 256 MiB; the time is from exec to the first line of the guest's init, but for
what the processor is idle, and how much of it the vCPU was running the guest's own code. Memory is
what the process has resident at that moment in every mapping but guest RAM.

Standard output has the figures, standard error how far it is.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / 'rig'))

import counting  # noqa: E402
import debian  # noqa: E402
import guest_image  # noqa: E402
import kernel  # noqa: E402
import rig  # noqa: E402

MEMORY_MIB = 256
FIRST_LINE = b'vmm-guest: init runs'
CMDLINE = 'console=ttyS0 panic=-1 vmm.run=poweroff'
CONSOLES = {'quiet': ' quiet', 'full': ''}  # how much the kernel says there
# No legacy controllers but the serial port, no option ROMs.
LEANEST = ',x-option-roms=off,pit=off,pic=off,rtc=off,isa-serial=on'
SCRATCH = pathlib.Path('/tmp/vmm-bench')  # tmpfs of the emulated host
THP_POLICY = pathlib.Path('/sys/kernel/mm/transparent_hugepage/enabled')


def vmm_words(vmm, files, plan):
    memory = f'{MEMORY_MIB}M' + (',shared=on' if plan['shared'] else '')
    return [vmm, '--kernel', files['kernel'], '--initramfs', files['initramfs'], '--cmdline',
            plan['cmdline'], '--memory', memory] + (['--no-acpi'] if plan['no_acpi'] else [])


def microvm_words(files, plan, options=""):
    return ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-machine",
            "microvm" + options, "-enable-kvm", "-cpu", "host", "-m", f"{MEMORY_MIB}M",
            "-no-reboot", "-serial", "stdio", "-kernel", files["kernel"], "-initrd",
            files["initramfs"], "-append", plan["cmdline"]]


def resident_kib(pid):
    """(Rss, Private_Dirty) of every mapping but guest RAM, in KiB."""
    runs = []  # of mappings that touch and are of one kind: [end, kind, size, rss, dirty]
    for line in pathlib.Path(f'/proc/{pid}/smaps').read_text().splitlines():
        head = re.match(r'([0-9a-f]+)-([0-9a-f]+) (\S+) \S+ \S+ \S+ *(.*)', line)
        if head:
            start, end, kind = int(head[1], 16), int(head[2], 16), (head[3], head[4])
            if not runs or runs[-1][:2] != [start, kind]:
                runs.append([end, kind, 0, 0, 0])
            runs[-1][0] = end
            runs[-1][2] += end - start
        elif line.startswith('Rss:'):
            runs[-1][3] += int(line.split()[1])
        elif line.startswith('Private_Dirty:'):
            runs[-1][4] += int(line.split()[1])
    host = [run for run in runs if run[2] < MEMORY_MIB << 20]
    return sum(run[3] for run in host), sum(run[4] for run in host)


def guest_seconds(pid):
    """How long all threads together have run guest code: guest_time in proc(5)."""
    ticks = 0
    for stat in pathlib.Path(f'/proc/{pid}/task').glob('*/stat'):
        fields = stat.read_text().rpartition(')')[2].split()  # from the third on
        ticks += int(fields[43 - 3])
    return ticks / os.sysconf('SC_CLK_TCK')


def idle_seconds():
    """
    How long the processor has been idle. Little of that is the guest's: the program's own files
    come from the machine that the rig runs on, as slowly as that happens to be.
    """
    fields = pathlib.Path('/proc/stat').read_text().split()  # "cpu", user, nice, system, idle
    return int(fields[4]) / os.sysconf('SC_CLK_TCK')


def boot(words):
    """Return: seconds from exec to init's first line, those in the guest, and the memory then."""
    read, write = os.pipe()
    with open('/dev/null', 'rb') as null:
        idle = idle_seconds()
        begin = time.monotonic()
        process = subprocess.Popen(words, stdin=null, stdout=write, stderr=write)
    os.close(write)
    text = b''
    while FIRST_LINE not in text:
        data = os.read(read, 65536)
        if not data:
            sys.exit(f'{words[0]} ended before the guest reached init: {text[-2000:]}')
        text += data
    seconds = time.monotonic() - begin - (idle_seconds() - idle)
    inside_guest = guest_seconds(process.pid)
    memory = resident_kib(process.pid)
    process.kill()
    process.wait()
    os.close(read)
    return seconds, inside_guest, *memory


def programs(plan, files):
    """What to boot: names and command lines."""
    # vmm from where it is: pages of a tmpfs would all count as dirty
    return {vmm[-40:]: vmm_words(vmm, files, plan) for vmm in plan['vmms']} | {
        'QEMU microvm': microvm_words(files, plan),
        'QEMU microvm, leanest': microvm_words(files, plan, LEANEST),
    }


def inside(plan):
    """On the emulated host: the guest's files are in memory, so that no disk is measured."""
    if plan['no_thp']:
        THP_POLICY.write_text('never')
    counting.progress('the emulated host is up')
    SCRATCH.mkdir(exist_ok=True)
    files = {name: shutil.copy(path, SCRATCH) for name, path in plan['files'].items()}
    words = programs(plan, files)
    for name, runs in plan['todo'].items():
        boot(words[name])  # libraries and firmware come into the page cache
        counting.progress(f'{name} has booted')
        for _ in range(runs):
            figures = boot(words[name])
            counting.found(name, *figures)
            counting.progress(f'{name}: {figures[0]:.2f} s')


def main():
    if sys.argv[1:2] == ['--inside']:
        return inside(json.loads(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--runs', type=int, default=2, help='of each program (2)')
    parser.add_argument('--only', default='', metavar='TEXT',
                        help='only programs with TEXT in their names, as the first column has them')
    parser.add_argument('--no-acpi', action='store_true', help='vmm with --no-acpi')
    parser.add_argument('--shared', action='store_true', help="vmm's guest memory in a memfd")
    parser.add_argument('--no-thp', action='store_true',
                        help='transparent huge pages never, as a policy of the emulated host')
    parser.add_argument('--console', choices=CONSOLES, default='quiet',
                        help='how much the kernel prints (quiet)')
    parser.add_argument('--vmlinux', action='store_true',
                        help='the ELF file inside the bzImage, by its PVH entry')
    parser.add_argument('vmm', nargs='+', help='binaries to measure')
    args = parser.parse_args()
    archive = debian.Archive(rig.default_cache())
    guest = kernel.Kernel(archive, '6.12-cloud')
    plan = {
        'runs': args.runs,
        'no_acpi': args.no_acpi,
        'shared': args.shared,
        'no_thp': args.no_thp,
        'cmdline': CMDLINE + CONSOLES[args.console],
        'vmms': [str(pathlib.Path(path).resolve()) for path in args.vmm],
        'files': {'kernel': str(guest.vmlinux() if args.vmlinux else guest.image),
                  'initramfs': str(guest_image.build(guest))},
    }

    def left(figures):
        done = [figure[0] for figure in figures]
        runs = {name: args.runs - done.count(name) for name in programs(plan, plan['files'])
                if args.only in name}
        return {name: number for name, number in runs.items() if number}

    print(f'{"program":40} {"boot s":>8} {"guest s":>8} {"rss KiB":>8} {"dirty KiB":>9}')
    for name, seconds, guest, rss, dirty in counting.collect(archive, __file__, plan, left):
        print(f'{name:40} {seconds:8.2f} {guest:8.2f} {rss:8} {dirty:9}')
    return 0


if __name__ == '__main__':
    sys.exit(main())
