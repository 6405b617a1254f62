#!/usr/bin/python3 -B
# SPDX-License-Identifier: BSD-3-Clause
"""Tests how Debian's archive is found in apt's configuration, and how kernels are taken apart."""
import lzma
import pathlib
import struct
import subprocess
import sys
import tempfile

import debian
import initramfs
import kernel
import tap
from debian import Source
from tap import expect

KEY = "/usr/share/keyrings/some.gpg"

ONE_LINE = (
    ("plain", "deb http://m/debian bookworm main\n", [Source("http://m/debian", "bookworm")]),
    ("components", "deb http://m/debian bookworm contrib main non-free # all\n",
     [Source("http://m/debian", "bookworm")]),
    ("options", f"deb [ arch=amd64 signed-by={KEY} ] http://m/debian bookworm main\n",
     [Source("http://m/debian", "bookworm", f" {KEY}")]),
    ("source packages", "deb-src http://m/debian bookworm main\n", []),
    ("comment", "# deb http://m/debian bookworm main\n\n", []),
    ("other component", "deb https://other/linux/debian bookworm stable\n", []),
    ("flat repository", "deb http://other/flat ./\n", []),
    ("component in a comment", "deb http://m/debian bookworm contrib # main\n", []),
    ("two", "deb http://m/debian bookworm main\ndeb http://s/security bookworm-security main",
     [Source("http://m/debian", "bookworm"), Source("http://s/security", "bookworm-security")]),
)

STANZAS = (
    ("plain", f"Types: deb\nURIs: http://m/debian\nSuites: bookworm bookworm-updates\n"
     f"Components: main\nSigned-By: {KEY}\n",
     [Source("http://m/debian", "bookworm", f" {KEY}"),
      Source("http://m/debian", "bookworm-updates", f" {KEY}")]),
    ("two, with comments", "Types: deb deb-src\n# here\nURIs: http://m/debian\nSuites: bookworm\n"
     "Components: main contrib\n\n\nTypes: deb\nURIs: http://s\nSuites: bookworm-security\n"
     "components: main\n",
     [Source("http://m/debian", "bookworm"), Source("http://s", "bookworm-security")]),
    ("words on more lines", "Types: deb\nURIs:\n http://a\n http://b\nSuites: bookworm\n"
     "Components: main\n", [Source("http://a", "bookworm"), Source("http://b", "bookworm")]),
    ("key in the stanza", "Types: deb\nURIs: http://a\nSuites: bookworm\nComponents: main\n"
     "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n",
     [Source("http://a", "bookworm", "\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc")]),
    ("disabled", "Enabled: no\nTypes: deb\nURIs: http://a\nSuites: bookworm\nComponents: main\n",
     []),
    ("source packages", "Types: deb-src\nURIs: http://a\nSuites: bookworm\nComponents: main\n",
     []),
    ("other component", "Types: deb\nURIs: http://a\nSuites: bookworm\nComponents: stable\n", []),
)


def parses(function, text, sources):
    found = function(text)
    expect(found == sources, f"{found} instead of {sources}")


def configuration_is_read_from_both_places():
    with tempfile.TemporaryDirectory() as name:
        etc = pathlib.Path(name)
        (etc / "sources.list.d").mkdir()
        (etc / "sources.list").write_text("deb http://a/debian bookworm main\n"
                                          "deb cdrom:[Debian]/ bookworm main\n")
        (etc / "sources.list.d/b.sources").write_text(STANZAS[0][1])
        (etc / "sources.list.d/c.list.disabled").write_text("deb http://c bookworm main\n")
        uris = [source.uri for source in debian.configured_sources(etc)]
    expect(uris == ["http://a/debian", "http://m/debian", "http://m/debian"], f"found {uris}")


def security_archive_follows_from_main():
    derived = Source("http://m/x/debian/", "bookworm", f" {KEY}").security()
    expect(derived == Source("http://m/x/debian-security", "bookworm-security", f" {KEY}"),
           f"derived {derived}")


def stanza_is_read_back():
    for source in (Source("http://m/debian", "bookworm", f" {KEY}"), Source("http://m", "x")):
        found = debian.sources_of_stanzas(source.stanza())
        expect(found == [source], f"{found} instead of {source}")


def bzimage(payload):
    """The least that payload_of_bzimage() reads. The setup is two sectors after the first."""
    image = bytearray(3 * 512)
    image[0x1f1] = 2
    image[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", image, 0x248, 64, len(payload) + 4)
    return bytes(image) + bytes(64) + payload + b"SIZE" + b"what follows"


def payload_is_found(compress):
    vmlinux = b"\x7fELF" + bytes(range(256)) * 100
    found = kernel.payload_of_bzimage(bzimage(compress(vmlinux)))
    expect(found == vmlinux, f"{len(found)} other bytes")


def zstd(data):
    return subprocess.run(["zstd", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout


def other_files_are_refused():
    for image in (bytes(4096), bzimage(b"\x1f\x8bsomething")):
        try:
            kernel.payload_of_bzimage(image)
        except ValueError:
            continue
        raise tap.Failure("no ValueError")


def module_names():
    names = [kernel.module_name(path) for path in
             ("kernel/net/9p/9pnet_virtio.ko.xz", "kernel/arch/x86/kvm/kvm-amd.ko")]
    expect(names == ["9pnet_virtio", "kvm_amd"], f"{names}")


def initramfs_has_the_format():
    image = initramfs.Initramfs()
    image.directory("folder")
    image.file("folder/odd", b"12345", 0o755)
    image.file("folder/empty", b"")
    image.symlink("link", "folder/odd")
    with tempfile.TemporaryDirectory() as name:
        image.write(f"{name}/image")
        members = list(newc_members(pathlib.Path(name, "image").read_bytes()))
    expect(members == [("folder", 0o40755, b""), ("folder/odd", 0o100755, b"12345"),
                       ("folder/empty", 0o100644, b""), ("link", 0o120777, b"folder/odd"),
                       ("TRAILER!!!", 0, b"")], f"{members}")


def newc_members(data):
    """(name, mode, content) as a reader that follows the format sees them."""
    offset = 0
    while offset < len(data):
        expect(data[offset:offset + 6] == b"070701", f"no header at {offset}")
        fields = [int(data[offset + at:offset + at + 8], 16) for at in range(6, 110, 8)]
        mode, size, name_size = fields[1], fields[6], fields[11]
        name = data[offset + 110:offset + 110 + name_size - 1].decode()
        start = offset + 110 + name_size + -(110 + name_size) % 4
        yield name, mode, data[start:start + size]
        offset = start + size + -size % 4


# A lock within a lock waits for nobody.
TAKE_LOCK = """
import sys, debian
archive = debian.Archive(sys.argv[1])
with archive.locked(), archive.locked():
    pass
"""


# Whoever asks apt needs package lists that nobody is about to change.
ASK_APT = """
import sys, debian
archive = debian.Archive(sys.argv[1])
archive.apt("true")
"""


def waits_for_the_lock(program):
    """@program: of Python; gets the cache."""
    with tempfile.TemporaryDirectory() as name:
        with debian.Archive(name).locked():
            other = subprocess.Popen([sys.executable, "-B", "-c", program, name],
                                     cwd=pathlib.Path(__file__).parent)
            try:
                other.wait(1)
                ended = True
            except subprocess.TimeoutExpired:
                ended = False
        try:
            code = other.wait(60)
        finally:
            other.kill()
    expect(not ended and code == 0, f"ended early: {ended}, code {code}")


def cache_is_locked_by_one_process_at_a_time():
    waits_for_the_lock(TAKE_LOCK)


def apt_is_asked_by_one_process_at_a_time():
    waits_for_the_lock(ASK_APT)


def main():
    cases = [(f"sources.list: {name}", lambda case=case: parses(debian.sources_of_list, *case))
             for name, *case in ONE_LINE]
    cases += [(f"*.sources: {name}", lambda case=case: parses(debian.sources_of_stanzas, *case))
              for name, *case in STANZAS]
    cases += [("payload compressed by zstd", lambda: payload_is_found(zstd)),
              ("payload compressed by xz", lambda: payload_is_found(lzma.compress))]
    cases += [(function.__name__, function) for function in (
        configuration_is_read_from_both_places, security_archive_follows_from_main,
        stanza_is_read_back, other_files_are_refused, module_names, initramfs_has_the_format,
        cache_is_locked_by_one_process_at_a_time, apt_is_asked_by_one_process_at_a_time)]
    tap.plan(cases)
    return 1 if tap.run(cases) else 0


if __name__ == "__main__":
    sys.exit(main())
