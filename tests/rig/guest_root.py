# SPDX-License-Identifier: BSD-3-Clause
"""
The root file system of the guests that boot from a disk: ext4 in a raw image, made without root
rights and without a mount (mke2fs -d). In it: busybox, fio with its libraries, root_init.sh.
"""
import hashlib
import pathlib
import re
import shutil
import tempfile

import debian

INIT = pathlib.Path(__file__).with_name("root_init.sh")

SIZE_MIB = 128

# Where shared libraries are, in packages and in the image; some packages have a folder of their own.
LIBRARIES = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu",
             *(f"usr/lib/x86_64-linux-gnu/{name}" for name in
               ("blas", "ceph", "lapack", "pulseaudio")))
LIBRARY_PACKAGE = re.compile("lib|zlib|ocl-icd-lib")
LOADER = "lib64/ld-linux-x86-64.so.2"

FOLDERS = ("bin", "dev", "lib64", "mnt", "proc", "root", "run", "sbin", "sys", "tmp")


def library_packages(archive, package):
    """@package and all packages of libraries that it depends on, in turn."""
    archive.update()
    text = archive.apt("apt-cache", "depends", "--recurse", "--important", package)
    depends = {}
    for line in text.splitlines():
        known = re.match(r"(\S+)$", line)
        needed = re.match(r" [ |]Depends: ([^<\s]+)$", line)
        if known:
            depends[known[1]] = names = []
        elif needed:
            names.append(needed[1])
    found = {}
    left = [package]
    while left:
        name = left.pop()
        found[name] = True
        left += [other for other in depends.get(name, ())
                 if LIBRARY_PACKAGE.match(other) and other not in found]
    return list(found)


def program_with_libraries(archive, package):
    """The folder that holds @package and its libraries, all unpacked to one tree."""
    folder = archive.cache / "packages" / f"{package}+libraries"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with archive.locked(), \
            tempfile.TemporaryDirectory(dir=archive.cache, prefix="fetch-") as work:
        if folder.is_dir():
            return folder
        archive.apt("apt-get", "download", *library_packages(archive, package), cwd=work)
        files = pathlib.Path(work, "files")
        for deb in sorted(pathlib.Path(work).glob("*.deb")):
            debian.run("dpkg-deb", "-x", deb, files)
        files.rename(folder)
    return folder


def copy_program(tree, program, root):
    """Copy @program of @tree with the libraries that it needs, and no more, to @root."""
    path = ":".join(str(tree / folder) for folder in LIBRARIES)
    listed = debian.run(tree / LOADER, "--library-path", path, "--list", tree / program)
    target = root / "lib/x86_64-linux-gnu"
    target.mkdir(parents=True, exist_ok=True)
    for library in re.findall(r"=> (\S+) \(", listed):
        if not library.startswith(str(tree)):
            raise debian.DebianError(f"{program} needs {library}, which is in none of the packages "
                                     "that its own depends on")
        shutil.copy(library, target)
    shutil.copy(tree / LOADER, root / LOADER)
    shutil.copy(tree / program, root / "bin")


def fill(root, busybox, fio):
    """Put all files of the guest into the folder @root."""
    for name in FOLDERS:
        (root / name).mkdir()
    shutil.copy(busybox, root / "bin")
    for applet in debian.run(busybox, "--list").split():
        if applet != "busybox":
            (root / "bin" / applet).symlink_to("busybox")
    copy_program(fio, "usr/bin/fio", root)
    shutil.copyfile(INIT, root / "sbin/init")
    (root / "sbin/init").chmod(0o755)


def build(archive):
    """Make the image in the cache, unless it is there. Return: its path; copy it to write to it."""
    source = INIT.read_bytes() + pathlib.Path(__file__).read_bytes()
    folder = archive.cache / "guests"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"root-{hashlib.sha256(source).hexdigest()[:12]}.img"
    busybox = archive.unpacked("busybox-static") / "bin/busybox"
    fio = program_with_libraries(archive, "fio")
    with archive.locked(), tempfile.TemporaryDirectory(dir=folder) as work:
        if path.exists():
            return path
        root, image = pathlib.Path(work, "root"), pathlib.Path(work, "image")
        root.mkdir()
        fill(root, busybox, fio)
        # no reserved blocks, and no work left for the first mount
        debian.run("/sbin/mke2fs", "-q", "-t", "ext4", "-m", "0", "-b", "4096", "-J", "size=4",
                   "-E", "root_owner=0:0,lazy_itable_init=0,lazy_journal_init=0",
                   "-d", root, image, f"{SIZE_MIB}M")
        for old in folder.glob("root-*.img"):
            old.unlink()
        image.rename(path)
    return path
