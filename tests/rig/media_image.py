# SPDX-License-Identifier: BSD-3-Clause
"""
The initramfs of guests with a media device: busybox, v4l2-ctl and v4l2-compliance with their
libraries, the driver and what it needs, and configs/media_init.sh. For Debian's kernels, and for
kernels that a user has built and installed.
"""
import os
import pathlib
import tempfile

import debian
import driver_module
import guest_root
import initramfs
import kernel
import rig

INIT = rig.SOURCE / "configs/media_init.sh"
PROGRAMS = ("usr/bin/v4l2-ctl", "usr/bin/v4l2-compliance")

# The console, frames on their way out, and what the transport needs.
MODULES = ("virtio_mmio", "virtio_console", "virtio_blk")


class InstalledKernel(kernel.Kernel):
    """
    A kernel by the folder of its modules, /lib/modules/RELEASE, as make modules_install leaves it.
    """

    def __init__(self, archive, folder):  # pylint: disable=super-init-not-called
        self.archive = archive
        self.modules = pathlib.Path(folder)
        self.release = self.modules.name
        for name in "modules.dep", "modules.builtin":
            if not (self.modules / name).is_file():
                raise debian.DebianError(
                    f"{folder} has no {name}: it is not the folder of a kernel's modules, such as "
                    "/lib/modules/6.12.0")

    def index_modules(self):
        """modules_install has run depmod."""


def module_files(guest_kernel, driver):
    """Files of modules, in the order in which they must be loaded; the driver is the last."""
    release = driver_module.release_of(driver)
    if release != guest_kernel.release:
        raise debian.DebianError(f"{driver} is for kernel {release}, not for "
                                 f"{guest_kernel.release}; build it against that")
    names = [*MODULES, *driver_module.needs(driver)]
    return [*guest_kernel.module_files(names), pathlib.Path(driver)]


def add_programs(image, tree):
    """The programs and their libraries, each once."""
    with tempfile.TemporaryDirectory() as work:
        files = {}
        for program in PROGRAMS:
            root = pathlib.Path(work, pathlib.Path(program).name)
            for name in "bin", "lib64":
                (root / name).mkdir(parents=True)
            guest_root.copy_program(tree, program, root)
            files |= {path.relative_to(root).as_posix(): path
                      for path in root.rglob("*") if path.is_file()}
        for name in "lib", "lib/x86_64-linux-gnu", "lib64":
            image.directory(name)
        for name, path in sorted(files.items()):
            image.file(name, path.read_bytes(), 0o755)


def build(guest_kernel, driver, path, files=()):
    """
    Make the initramfs at @path. @driver: virtio_media.ko for @guest_kernel. @files: pairs of a
    name in the image's root and a file; /job is run instead of a shell.
    """
    archive = guest_kernel.archive
    image = initramfs.with_busybox(archive, INIT, module_files(guest_kernel, driver))
    add_programs(image, guest_root.program_with_libraries(archive, "v4l-utils"))
    for name, file in files:
        image.file(name, pathlib.Path(file).read_bytes(), 0o755)
    image.write(path)


def build_cached(archive, name, files=(), purpose=""):
    """
    The kernel called @name (of kernel.PACKAGES), and the path of an initramfs for it in the cache.
    @files: as build() takes them. @purpose: tells images with different files apart.
    """
    guest_kernel = kernel.Kernel(archive, name)
    driver = driver_module.build(archive, guest_kernel.release)
    folder = archive.cache / "guests"
    os.makedirs(folder, exist_ok=True)
    path = folder / f"{name}-media{purpose}.cpio"
    build(guest_kernel, driver, path, files)
    return guest_kernel, path
