# SPDX-License-Identifier: BSD-3-Clause
"""
An initramfs as the kernel takes it: a cpio archive of the "newc" format, written here rather than
by cpio(1) because a device node in it then needs no root. Not compressed: under emulation the
guest unpacks faster than it would decompress. Format: Documentation/driver-api/early-userspace/
buffer-format.rst.
"""
import os
import stat
import tempfile

import kernel


class Initramfs:
    """Collects members in memory. Paths are without a leading slash; parents come first."""

    def __init__(self):
        self.data = bytearray()
        self.count = 0

    def add(self, path, mode, content=b"", device=(0, 0)):
        self.count += 1
        name = path.encode() + b"\0"
        fields = (self.count, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name), 0)
        self.data += b"070701" + b"".join(b"%08x" % field for field in fields) + name
        self.pad()
        self.data += content
        self.pad()

    def pad(self):
        self.data += bytes(-len(self.data) % 4)

    def directory(self, path):
        self.add(path, stat.S_IFDIR | 0o755)

    def file(self, path, content, mode=0o644):
        self.add(path, stat.S_IFREG | mode, content)

    def symlink(self, path, target):
        self.add(path, stat.S_IFLNK | 0o777, target.encode())

    def character_device(self, path, major, minor):
        self.add(path, stat.S_IFCHR | 0o600, device=(major, minor))

    def write(self, path):
        """Finish the archive and put it at @path, whole or not at all."""
        self.add("TRAILER!!!", 0)
        with tempfile.NamedTemporaryFile(dir=os.path.dirname(path), delete=False) as out:
            out.write(self.data)
        os.chmod(out.name, 0o644)
        os.rename(out.name, path)


def with_busybox(archive, init, modules):
    """
    An initramfs that runs the script @init with busybox as its shell. @modules: files, which it
    finds in /modules in the order in which they must be loaded.
    """
    image = Initramfs()
    for path in ("bin", "dev", "modules", "proc", "root", "run", "sys", "tmp"):
        image.directory(path)
    image.character_device("dev/console", 5, 1)
    image.character_device("dev/null", 1, 3)
    busybox = archive.unpacked("busybox-static") / "bin/busybox"
    image.file("bin/busybox", busybox.read_bytes(), 0o755)
    image.symlink("bin/sh", "busybox")
    image.file("init", init.read_bytes(), 0o755)
    for number, path in enumerate(modules):
        name = kernel.module_name(path)
        image.file(f"modules/{number:02}-{name}.ko", kernel.module_bytes(path))
    return image
