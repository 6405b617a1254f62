#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
Prints the path of this machine's first camera: the V4L2 node with the lowest number that captures
video by streaming, and is no codec. Exit code 1 if there is none.
"""
import fcntl
import os
import pathlib
import re
import struct
import sys

VIDIOC_QUERYCAP = 0x80685600
CAPABILITY = struct.Struct("16s32s32sIII3I")  # struct v4l2_capability

# V4L2_CAP_
VIDEO_CAPTURE, VIDEO_CAPTURE_MPLANE, TOUCH, STREAMING = 0x1, 0x1000, 0x10000000, 0x04000000


def is_camera(path):
    """A node that this user may not open, or that is broken, is none."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        caps = CAPABILITY.unpack(fcntl.ioctl(fd, VIDIOC_QUERYCAP, bytes(CAPABILITY.size)))[5]
    except OSError:
        return False
    finally:
        os.close(fd)
    return bool(caps & (VIDEO_CAPTURE | VIDEO_CAPTURE_MPLANE) and caps & STREAMING
                and not caps & TOUCH)


def main():
    nodes = [path for path in pathlib.Path("/dev").glob("video*")
             if re.fullmatch(r"video\d+", path.name)]
    for path in sorted(nodes, key=lambda path: int(path.name[5:])):
        if is_camera(path):
            print(path)
            return 0
    return 1


if __name__ == "__main__":
    sys.exit(main())
