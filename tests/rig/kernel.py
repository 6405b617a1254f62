# SPDX-License-Identifier: BSD-3-Clause
"""A Debian kernel in the cache: its bzImage, the vmlinux inside it, and its modules."""
import lzma
import os
import pathlib
import struct
import subprocess

import debian

# What the tests boot, by the name they use for it. The metapackages lead to the newest version.
PACKAGES = {
    "6.12": "linux-image-6.12-amd64",
    "6.12-cloud": "linux-image-6.12-cloud-amd64",
    "6.1": "linux-image-amd64",
}

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
XZ_MAGIC = b"\xfd7zXZ\0"


def payload_of_bzimage(image):
    """
    The uncompressed kernel (an ELF file) inside a bzImage. Offsets and names are those of
    Documentation/arch/x86/boot.rst. The build appends the uncompressed size in 4 bytes, which
    are counted in payload_length but are no part of the compressed stream.
    """
    if image[0x202:0x206] != b"HdrS":
        raise ValueError("not a bzImage: no HdrS at 0x202")
    setup_sects = image[0x1f1] or 4
    payload_offset, payload_length = struct.unpack_from("<II", image, 0x248)
    start = (setup_sects + 1) * 512 + payload_offset
    payload = image[start:start + payload_length - 4]
    if payload.startswith(ZSTD_MAGIC):
        return subprocess.run(["zstd", "-dc"], input=payload, stdout=subprocess.PIPE,
                              check=True).stdout
    if payload.startswith(XZ_MAGIC):
        return lzma.decompress(payload)
    raise ValueError(f"payload of an unknown kind: {payload[:6].hex()}")


class Kernel:
    """One kernel package, unpacked. @name: a key of PACKAGES."""

    def __init__(self, archive, name):
        self.archive = archive
        self.name = name
        self.folder = archive.unpacked(PACKAGES[name])
        (self.modules,) = (self.folder / "lib/modules").glob("*")
        self.release = self.modules.name
        self.image = self.folder / "boot" / f"vmlinuz-{self.release}"

    def vmlinux(self):
        """The path of the ELF file inside the bzImage, extracted at the first call."""
        path = self.folder / "boot" / f"vmlinux-{self.release}"
        with self.archive.locked():
            if not path.exists():
                partial = path.with_name(path.name + ".partial")
                partial.write_bytes(payload_of_bzimage(self.image.read_bytes()))
                os.rename(partial, path)
        return path

    def index_modules(self):
        """Do what the package's own installation would do with depmod."""
        with self.archive.locked():
            done = self.modules / "modules.indexed"
            if not done.exists():
                debian.run("depmod", "-b", self.folder, self.release)
                done.touch()

    def module_files(self, names):
        """The files that must be loaded for @names, in this order; built-in ones need none."""
        self.index_modules()
        needs = {}
        for line in (self.modules / "modules.dep").read_text().splitlines():
            path, _, depends = line.partition(":")
            needs[module_name(path)] = [path, *depends.split()]
        builtin = {module_name(path) for path in
                   (self.modules / "modules.builtin").read_text().split()}
        order = {}
        for name in names:
            if name in needs:
                # depmod lists what is needed last first
                order.update(dict.fromkeys(reversed(needs[name])))
            elif name not in builtin:
                raise debian.DebianError(f"the kernel {self.release} has no module {name}")
        return [self.modules / path for path in order]


def module_name(path):
    """kernel/net/9p/9pnet_virtio.ko.xz is the module 9pnet_virtio."""
    return pathlib.PurePath(path).name.split(".")[0].replace("-", "_")


def module_bytes(path):
    """A module's content as the kernel takes it."""
    return lzma.decompress(path.read_bytes()) if path.suffix == ".xz" else path.read_bytes()
