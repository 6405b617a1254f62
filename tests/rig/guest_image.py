# SPDX-License-Identifier: BSD-3-Clause
"""The initramfs of the guests that tests and ./demo boot: busybox and guest_init.sh."""
import pathlib

import initramfs

INIT = pathlib.Path(__file__).with_name("guest_init.sh")

# The power button, its events for user space, and the report of a panic.
MODULES = ("button", "evdev", "pvpanic_mmio")


def build(kernel, modules=MODULES):
    """Make the initramfs for @kernel in its archive's cache. Return: its path."""
    folder = kernel.archive.cache / "guests"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{kernel.name}.cpio"
    image = initramfs.with_busybox(kernel.archive, INIT, kernel.module_files(modules))
    image.write(path)
    return path
