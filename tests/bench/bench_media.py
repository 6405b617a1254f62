#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
What one frame of a camera costs the media device's thread, system calls included, by the size of
the frame; and beside it, what it costs a plain V4L2 program.

    bench_media.py [--frames N] MEDIA_HOST...

Runs in the emulated host with instruction counting: a nanosecond is an executed instruction, the
same within 1 % from run to run. The camera is vivid with a picture that stands still; what that
costs to paint, in a thread of the kernel, is not counted. Each MEDIA_HOST is a program built from
tests/media_host; it does with both ways the same: wait, DQBUF, QBUF. No guest runs, and the
driver's side of the device is not counted.
"""
import argparse
import json
import pathlib
import re
import shutil
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "rig"))

import counting  # noqa: E402
import debian  # noqa: E402
import rig  # noqa: E402

SCRATCH = pathlib.Path("/tmp/vmm-bench")  # tmpfs of the emulated host
SIZES = ("640x480", "1280x720", "1920x1080", "3840x2160")
WAYS = {
    "io_uring, packed rings": ("--packed",),
    "io_uring, split rings": (),
    "epoll, packed rings": ("--packed", "--loop", "epoll"),
    "plain program": ("--plain",),
}
CAPTURE = "1"  # V4L2_BUF_TYPE_VIDEO_CAPTURE


def measure(program, way, size, frames):
    """Instructions for one frame."""
    words = [program, "measure", *WAYS[way], "--shm", "256", "--type", CAPTURE, "--input", "0",
             "--set", "OSD Text Mode=2", "--format", "YUYV", "--size", size, "--rate", "10",
             "--frames", str(frames), "/dev/video0"]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    found = re.search(r": (\d+) ns for each", done.stdout)
    if done.returncode or not found:
        sys.exit(f"{' '.join(words)}: {done.returncode}: {done.stdout}")
    return int(found[1])


def inside(plan):
    subprocess.run(["modprobe", "vivid", "n_devs=1", "multiplanar=1"], check=True)
    SCRATCH.mkdir(exist_ok=True)
    for program in plan["programs"]:
        copy = shutil.copy(program, SCRATCH)
        for way in WAYS:
            measure(copy, way, SIZES[0], 1)  # the program comes into memory
            for size in SIZES:
                counting.found(program, way, size, measure(copy, way, size, plan["frames"]))
                counting.progress(f"{way}, {size}")
    return 0


def main():
    if sys.argv[1:2] == ["--inside"]:
        return inside(json.loads(sys.argv[2]))
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument("--frames", type=int, default=100, metavar="N", help="of each size (100)")
    parser.add_argument("media_host", nargs="+", help="programs to measure")
    args = parser.parse_args()
    programs = [str(pathlib.Path(path).resolve(strict=True)) for path in args.media_host]
    figures = counting.run_host(debian.Archive(rig.default_cache()), __file__,
                                {"programs": programs, "frames": args.frames})
    costs = {(program, way, size): cost for program, way, size, cost in figures}
    for program in programs:
        print(program)
        print(f"{'instructions for one frame':32}", *(f"{size:>12}" for size in SIZES))
        for way in WAYS:
            print(f"{way:32}", *(f"{costs[program, way, size]:>12}" for size in SIZES))
    return 0


if __name__ == "__main__":
    sys.exit(main())
