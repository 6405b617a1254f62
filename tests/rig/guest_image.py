# SPDX-License-Identifier: BSD-3-Clause
"""The initramfs of the guests that tests and ./demo boot: busybox and guest_init.sh."""
import pathlib

import initramfs

INIT = pathlib.Path(__file__).with_name("guest_init.sh")

# What is on a virtio device, ext4 on a disk included. ext4 asks for crc32c by name, which depmod
# does not know.
VIRTIO_MODULES = ("virtio_mmio", "virtio_console", "virtio_blk", "virtio_rng", "crc32c_generic",
                  "crc32c_intel", "ext4")

# The power button, its events for user space, and the report of a panic.
MODULES = ("button", "evdev", "pvpanic_mmio")


def build(kernel, modules=MODULES, purpose=""):
    """
    Make the initramfs for @kernel in its archive's cache. @purpose: tells images with different
    @modules apart. Return: its path.
    """
    folder = kernel.archive.cache / "guests"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kernel.name}{purpose}.cpio"
    image = initramfs.with_busybox(kernel.archive, INIT, kernel.module_files(modules))
    image.write(path)
    return path
