# SPDX-License-Identifier: BSD-3-Clause
"""External modules for a Debian kernel, built against its headers; both stay in the cache.

The headers come in three packages that expect to be installed. Here they are unpacked side by
side, as the packages' own relative links want it, and the one absolute path is made to fit.
"""
import os
import pathlib
import shutil
import tarfile
import tempfile

import debian

# Kernel 6.12 has modules that Debian does not build; what is needed of its source, by folder.
SOURCE_PACKAGE = "linux-source-6.12"


def headers(archive, release):
    """
    The folder of the headers of kernel @release, for make -C; made at the first call.
    """
    tree = archive.cache / "headers" / release
    folder = tree / "usr/src" / f"linux-headers-{release}"
    if tree.is_dir():
        return folder
    version = release.rsplit("-", 1)[0]  # without the flavour
    packages = [archive.unpacked(name) for name in
                (f"linux-headers-{release}", *depends(archive, release, version))]
    tree.parent.mkdir(exist_ok=True)
    with archive.locked():
        if not tree.is_dir():
            work = pathlib.Path(tempfile.mkdtemp(dir=tree.parent))
            for package in packages:
                shutil.copytree(package / "usr", work / "usr", symlinks=True, dirs_exist_ok=True)
            makefile = work / "usr/src" / f"linux-headers-{release}" / "Makefile"
            makefile.write_text(makefile.read_text().replace("/usr/src/", f"{tree}/usr/src/"))
            work.chmod(0o755)
            os.rename(work, tree)
    return folder


def depends(archive, release, version):
    """The other packages that hold the headers of @release."""
    archive.update()
    shown = archive.apt("apt-cache", "depends", f"linux-headers-{release}").split()
    found = [word for word in shown if word.startswith("linux-kbuild-")
             or (word.startswith("linux-headers-") and word.endswith("-common"))]
    if len(found) != 2:
        raise debian.DebianError(f"the headers of kernel {release} depend on something unknown")
    return found


def build(archive, release, folder):
    """Run make in @folder, which has a Kbuild file. Raises DebianError with what it said."""
    # type information needs one more tool, and nobody reads it
    debian.run("make", "-C", headers(archive, release), f"M={folder}", f"-j{os.cpu_count()}",
               "CONFIG_DEBUG_INFO_BTF_MODULES=", "modules", env=os.environ | {"LC_ALL": "C"})


def built(archive, release, name, fill):
    """
    The folder of the modules called @name for kernel @release; built at the first call, where
    @fill(folder) has put sources and Kbuild.
    """
    modules = archive.cache / "modules" / release / name
    if modules.is_dir():
        return modules
    headers(archive, release)
    modules.parent.mkdir(parents=True, exist_ok=True)
    with archive.locked():
        if not modules.is_dir():
            work = pathlib.Path(tempfile.mkdtemp(dir=modules.parent))
            try:
                fill(work)
                build(archive, release, work)
                work.chmod(0o755)
                os.rename(work, modules)
            finally:
                shutil.rmtree(work, ignore_errors=True)
    return modules


def unpack_source(archive, members, folder):
    """Put the files @members of the kernel's source, by their paths in it, into @folder."""
    (tarball,) = (archive.unpacked(SOURCE_PACKAGE) / "usr/src").glob("*.tar.xz")
    wanted = set(members)
    with tarfile.open(tarball, "r|xz") as tar:
        for member in tar:
            path = member.name.partition("/")[2]
            if path in wanted:
                (folder / pathlib.PurePath(path).name).write_bytes(
                    tar.extractfile(member).read())
                wanted.remove(path)
                if not wanted:
                    return
    raise debian.DebianError(f"the kernel's source has no {', '.join(sorted(wanted))}")
