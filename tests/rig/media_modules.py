# SPDX-License-Identifier: BSD-3-Clause
"""
The kernel's virtual codec and memory-to-memory devices, which Debian does not build.

    rig.Rig(archive, modules=media_modules.words(archive))
"""
import shlex

import kernel
import kernel_build

SOURCES = {
    "drivers/media/v4l2-core": ("v4l2-mem2mem.c",),
    "drivers/media/test-drivers": ("vim2m.c",),
    "drivers/media/test-drivers/vicodec": (
        "vicodec-core.c", "codec-fwht.c", "codec-fwht.h", "codec-v4l2-fwht.c",
        "codec-v4l2-fwht.h"),
}
KBUILD = """\
obj-m := v4l2-mem2mem.o vim2m.o vicodec.o
vicodec-y := vicodec-core.o codec-fwht.o codec-v4l2-fwht.o
"""
ORDER = ("v4l2-mem2mem", "vim2m", "vicodec")

# What these need of what Debian does build.
NEEDS = ("videodev", "mc", "videobuf2-v4l2", "videobuf2-vmalloc", "videobuf2-memops")


def modules(archive):
    """The files, in the order in which they are to be loaded; built at the first call."""
    def fill(folder):
        kernel_build.unpack_source(
            archive, [f"{path}/{name}" for path, names in SOURCES.items() for name in names],
            folder)
        (folder / "Kbuild").write_text(KBUILD)

    folder = kernel_build.built(archive, kernel.Kernel(archive, "6.12").release, "media", fill)
    return [folder / f"{name}.ko" for name in ORDER]


def words(archive):
    """What rig.Rig() takes to load them all, and before them what they need."""
    return [*NEEDS, *(shlex.quote(str(path)) for path in modules(archive))]
