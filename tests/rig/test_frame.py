#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""
A picture that stands still, of the kernel's virtual camera, captured by v4l2-ctl on the emulated
host and in a guest: the same bytes. With mapped buffers and with those of the application. The
guest's image is made by configs/guest-image as for a user's own kernel.

    test_frame.py "" [TEXT]    only the cases with TEXT in their names
"""
import functools
import hashlib
import pathlib
import subprocess
import sys

import debian
import driver_module
import guest_root
import hosted
import kernel
import rig
from disk_guest import SCRATCH, SECTOR, Shell
from hosted import vmm_path
from tap import expect

SYSFS = pathlib.Path("/sys/class/video4linux")

# V4L2's single-planar and multi-planar interface: vivid's name, the frames that it has there.
CAMERAS = {
    "vivid-000-vid-cap": (("YUYV", "640x360"), ("NV12", "640x360"), ("RGB3", "320x180")),
    "vivid-001-vid-cap": (("YUYV", "640x360"), ("NM12", "640x360")),
}
VIVID = ("vivid", "n_devs=2", "multiplanar=1,2", "node_types=0x1,0x1")
MEMORY = {"mapped": "--stream-mmap=3", "application's": "--stream-user=3"}

# No text on the picture, which would tell the time; colour bars, which are the default.
STILL = "--set-ctrl=osd_text_mode=2"
OUT = SCRATCH / "frame"


def options(pixel_format, size, memory):
    """What v4l2-ctl does, but for the node."""
    width, height = size.split("x")
    return (STILL, f"--set-fmt-video=width={width},height={height},pixelformat={pixel_format}",
            MEMORY[memory], "--stream-count=3", "--stream-skip=1", f"--stream-to={OUT}")


def summary(data):
    """Size and checksum."""
    return len(data), hashlib.sha256(data).hexdigest()


class Cameras:
    """The cameras of the emulated host, and the guest that has them."""

    disk = SCRATCH / "out.img"

    def __init__(self, work):
        self.work = work

    @functools.cached_property
    def nodes(self):
        """Paths by name."""
        SCRATCH.mkdir(exist_ok=True)
        subprocess.run(["modprobe", *VIVID], check=True)
        return {(entry / "name").read_text().strip(): f"/dev/{entry.name}"
                for entry in SYSFS.iterdir()}

    def capture_on_host(self, camera, *details):
        """Return: the bytes of some frames."""
        tree = pathlib.Path(self.work["tools"])
        libraries = ":".join(str(tree / folder) for folder in guest_root.LIBRARIES)
        OUT.unlink(missing_ok=True)
        subprocess.run([tree / guest_root.LOADER, "--library-path", libraries,
                        tree / "usr/bin/v4l2-ctl", "-d", self.nodes[camera], *options(*details)],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return OUT.read_bytes()

    @functools.cached_property
    def shell(self):
        """Of the guest, which has the cameras in the order of their names."""
        log = SCRATCH / "serial.txt"
        with open(self.disk, "wb") as disk:
            disk.truncate(8 << 20)
        words = [str(vmm_path()), "--kernel", self.work["bzImage"], "--initramfs",
                 self.work["initramfs"], "--memory", "512M", "--cmdline",
                 "console=ttyS0 console=hvc0 quiet panic=-1", "--serial", f"file={log}",
                 "--console", "stdio", "--disk", str(self.disk)]
        for camera in sorted(CAMERAS):
            words += ["--media", f"path={self.nodes[camera]},label={camera}"]
        shell = Shell(words, log)
        shell.reach_shell()
        shell.run(f"mkdir -p {OUT.parent}")
        return shell

    def capture_in_guest(self, camera, *details):
        """The same; through the guest's disk."""
        node = f"/dev/video{sorted(CAMERAS).index(camera)}"
        words = " ".join(options(*details))
        self.shell.run(f"grep -qx {camera} /sys/class/video4linux/{node[5:]}/name")
        self.shell.run(f"v4l2-ctl -d {node} {words} >/dev/null 2>&1")
        size = int(self.shell.run(f"stat -c %s {OUT}"))
        self.shell.run(f"dd if={OUT} of=/dev/vda bs=64k conv=fsync 2>/dev/null")
        with open(self.disk, "rb") as disk:
            return disk.read(size)

    def compare(self, *details):
        """One case: camera, format, size, kind of memory."""
        expected = self.capture_on_host(*details)
        expect(len(expected) >= SECTOR and len(set(expected)) > 1, "the host's frames are empty")
        found = self.capture_in_guest(*details)
        expect(found == expected, f"{summary(found)} in the guest, {summary(expected)} on the "
               f"host; the first difference is at {first_difference(found, expected)}")

    def end(self):
        """The guest powers off, if it runs."""
        if "shell" in self.__dict__:
            code = self.shell.power_off()
            expect(code == hosted.POWER_OFF, f"exit code {code}")


def first_difference(left, right):
    return next((at for at, pair in enumerate(zip(left, right)) if pair[0] != pair[1]),
                min(len(left), len(right)))


def cases(work):
    """Pairs of name and function, as tap.run() takes them."""
    cameras = Cameras(work)
    found = [(f"{pixel_format} {size}, {memory} buffers, {camera}",
              functools.partial(cameras.compare, camera, pixel_format, size, memory))
             for camera, formats in CAMERAS.items() for pixel_format, size in formats
             for memory in MEMORY]
    return [*found, ("the guest powers off", cameras.end)]


def prepare(archive, _):
    """What the emulated host needs to know, as JSON takes it."""
    guest_kernel = kernel.Kernel(archive, "6.12")
    guest_kernel.index_modules()  # as its installation does
    driver = driver_module.build(archive, guest_kernel.release)
    image = archive.cache / "guests" / "6.12-frame.cpio"
    image.parent.mkdir(exist_ok=True)
    debian.run(rig.SOURCE / "configs/guest-image", "--cache", archive.cache, "--modules",
               guest_kernel.modules, "--driver", driver, image)
    return {"bzImage": str(guest_kernel.image), "initramfs": str(image),
            "tools": str(guest_root.program_with_libraries(archive, "v4l-utils"))}


if __name__ == "__main__":
    sys.exit(hosted.main(__file__, prepare, cases))
