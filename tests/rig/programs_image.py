# SPDX-License-Identifier: BSD-3-Clause
"""
A file system with video programs of Debian's for guests: ffmpeg, GStreamer, v4l2-ctl, each with the
libraries that it needs and no more, and programs of tests/guest_media. ext4 in a raw image, as a
disk. The emulated host runs the same programs from the same image.
"""
import hashlib
import pathlib
import shutil
import tempfile

import debian
import guest_root
import kernel
import media_image

SIZE_MIB = 320

# Program in its package.
PROGRAMS = {
    "v4l-utils": ("usr/bin/v4l2-ctl",),
    "ffmpeg": ("usr/bin/ffmpeg",),
    "gstreamer1.0-tools": ("usr/bin/gst-launch-1.0",),
}
GST_PLUGINS = "usr/lib/x86_64-linux-gnu/gstreamer-1.0"
PLUGINS = {
    "gstreamer1.0-tools": ("libgstcoreelements.so",),
    "gstreamer1.0-plugins-base": ("libgstvideoconvertscale.so",),
    "gstreamer1.0-plugins-good": ("libgstvideo4linux2.so",),
}

# Of the folder that the plugins are in.
GST_FOLDER = "lib/gstreamer-1.0"
FOLDERS = ("bin", "dev", "lib", "lib64", "proc", "sys", "tmp", GST_FOLDER)


def fill(archive, root, programs):
    """Put all files into the folder @root."""
    for name in FOLDERS:
        (root / name).mkdir()
    for package, names in PROGRAMS.items():
        tree = guest_root.program_with_libraries(archive, package)
        for name in names:
            guest_root.copy_program(tree, name, root)
    for package, names in PLUGINS.items():
        tree = guest_root.program_with_libraries(archive, package)
        for name in names:
            guest_root.copy_program(tree, f"{GST_PLUGINS}/{name}", root)
            (root / "bin" / name).rename(root / GST_FOLDER / name)
    for path in programs:
        shutil.copy(path, root / "bin")


def build(archive, programs):
    """
    Make the image in the cache, unless it is there. @programs: further ones, static. Return: its
    path.
    """
    source = pathlib.Path(__file__).read_bytes()
    for path in programs:
        source += path.name.encode() + path.read_bytes()
    folder = archive.cache / "guests"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"programs-{hashlib.sha256(source).hexdigest()[:12]}.img"
    with archive.locked(), tempfile.TemporaryDirectory(dir=folder) as work:
        if path.exists():
            return path
        root, image = pathlib.Path(work, "root"), pathlib.Path(work, "image")
        root.mkdir()
        fill(archive, root, programs)
        debian.run("/sbin/mke2fs", "-q", "-t", "ext4", "-m", "0", "-b", "4096", "-O",
                   "^has_journal", "-E", "root_owner=0:0,lazy_itable_init=0", "-d", root, image,
                   f"{SIZE_MIB}M")
        for old in folder.glob("programs-*.img"):
            old.unlink()
        image.rename(path)
    return path


def guest(archive, name):
    """
    The kernel called @name (of kernel.PACKAGES) and an initramfs for it, as media_image has them,
    which can mount the image as well.
    """
    guest_kernel = kernel.Kernel(archive, name)
    loaded = guest_kernel.module_files(media_image.MODULES)
    modules = [path for path in guest_kernel.module_files(["virtio_blk", "crc32c_generic", "ext4"])
               if path not in loaded]
    with tempfile.TemporaryDirectory() as work:
        files = []
        for number, path in enumerate(modules):
            # behind all others
            module = f"9{number}-{kernel.module_name(path)}.ko"
            pathlib.Path(work, module).write_bytes(kernel.module_bytes(path))
            files.append((f"modules/{module}", pathlib.Path(work, module)))
        return media_image.build_cached(archive, name, files, "-programs")
