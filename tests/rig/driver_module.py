# SPDX-License-Identifier: BSD-3-Clause
"""
The guest's driver for virtio media devices (guest/virtio_media), built as a module for one of
Debian's kernels. Anew when its source has changed.
"""
import hashlib
import pathlib
import shutil

import debian
import kernel
import kernel_build
import rig

SOURCE = rig.SOURCE / "guest/virtio_media"
NAME = "virtio_media"


def source_files():
    """What takes part in the build; not what a build by hand may have left there."""
    return [path for path in sorted(SOURCE.iterdir())
            if path.name in ("Kbuild", "Makefile")
            or path.suffix in (".c", ".h") and not path.name.endswith(".mod.c")]


def build(archive, release):
    """The path of virtio_media.ko for kernel @release, built at the first call."""
    digest = hashlib.sha256(b"".join(path.name.encode() + path.read_bytes()
                                     for path in source_files())).hexdigest()[:12]

    def fill(folder):
        for path in source_files():
            shutil.copy(path, folder)

    return kernel_build.built(archive, release, f"{NAME}-{digest}", fill) / f"{NAME}.ko"


def needs(module):
    """The names of the modules that the file @module needs."""
    listed = debian.run("/sbin/modinfo", "-F", "depends", module).strip()
    return [kernel.module_name(name) for name in listed.split(",") if name]


def release_of(module):
    """The kernel that the file @module is for."""
    # with a "/", or else modinfo looks for an installed module of that name
    path = pathlib.Path(module).absolute()
    try:
        return debian.run("/sbin/modinfo", "-F", "vermagic", path).split()[0]
    except (debian.DebianError, IndexError):
        raise debian.DebianError(f"{module} is no kernel module, such as virtio_media.ko")
