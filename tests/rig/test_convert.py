#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
Cameras whose frames are converted (--media ...,convert=on), over the kernel's virtual camera on an
emulated host. No guest: tests/convert_host drives the device as a guest's driver would. There is no
virtual camera that has MJPEG or formats of a maker's own; this one is made to forget all its formats
but YUYV (narrow.h there). JPEG is for the unit tests.

    test_convert.py "" [TEXT]    only the cases with TEXT in their names
"""
import os
import pathlib
import subprocess
import sys

import hosted
from tap import expect

SYSFS = pathlib.Path("/sys/class/video4linux")
UNBIND = "/sys/bus/platform/drivers/vivid/unbind"
LOOPS = ("uring", "epoll")
ALLOCATORS = {"vmalloc": "allocators=0", "contiguous": "allocators=1"}


def built(path):
    return str(pathlib.Path(os.environ["VMM_BUILD"]) / path)


def camera(allocator, name="vid-cap"):
    """The driver loaded anew. Return: a node of it."""
    if pathlib.Path("/sys/module/vivid").exists():
        subprocess.run(["rmmod", "vivid"], check=True)
    subprocess.run(["modprobe", "vivid", "multiplanar=1", allocator], check=True)
    for entry in SYSFS.iterdir():
        if (entry / "name").read_text().strip() == f"vivid-000-{name}":
            return f"/dev/{entry.name}"
    raise AssertionError(f"vivid has no {name}")


def run(*words):
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    return done.returncode, done.stdout


def convert_host(*words):
    code, said = run(built("tests/convert_host/convert_host"), *words)
    expect(code == 0, f"{words}: {code}: {said[-1500:]}")
    print("".join(f"{line}\n" for line in said.splitlines() if line.startswith("# ")), end="",
          flush=True)


def vmm(media):
    """A machine whose kernel ends at once."""
    return run(built("vmm/vmm"), "--kernel", built("tests/cli/tiny_kernel"), "--cmdline", "m",
               "--memory", "16M", "--media", media)


def useless_is_said():
    node = camera("allocators=0")
    code, said = vmm(f"{node},convert")
    expect(f"convert=on changes nothing for '{node}'" in said, f"{code}: {said}")
    plain, _ = vmm(node)
    expect(code == plain, f"ended with {code}, without convert=on with {plain}")


def what_is_no_camera_is_refused():
    node = camera("allocators=0", "vbi-cap")
    code, said = vmm(f"{node},convert")
    expect(code == hosted.CONFIG and f"'{node}'" in said and "convert=on is for cameras" in said,
           f"{code}: {said}")


def cases(_):
    """Pairs of name and function, as tap.run() takes them."""
    for allocator, parameter in ALLOCATORS.items():
        for loop in LOOPS:
            yield (f"picture is the camera's, {allocator}, {loop}",
                   lambda parameter=parameter, loop=loop: convert_host(loop, camera(parameter)))
            yield (f"camera goes away in mid-stream, {allocator}, {loop}",
                   lambda parameter=parameter, loop=loop: convert_host(
                       loop, camera(parameter), f"{UNBIND}=vivid.0"))
    yield "nothing to convert", useless_is_said
    yield "what is no camera is refused", what_is_no_camera_is_refused


if __name__ == "__main__":
    sys.exit(hosted.main(__file__, lambda archive, _: {}, cases, icount=True))
