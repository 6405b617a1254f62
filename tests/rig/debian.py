# SPDX-License-Identifier: BSD-3-Clause
"""Packages from Debian's archive, unpacked into a cache, never installed.

The machine's own apt configuration says where the archive is, but is not changed: downloads go
through a private list of sources with the main archive and its security archive only. That makes
the result the same with third-party repositories around, and with no security archive
configured (as after debootstrap): its address then follows from that of the main archive.
"""
import contextlib
import dataclasses
import fcntl
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import threading

RELEASE = "bookworm"
SECURITY = RELEASE + "-security"


class DebianError(Exception):
    """A sentence for the user: which package or archive, and what would help."""


@dataclasses.dataclass(frozen=True)
class Source:
    """One archive: where it is, the suite in it, and the keyring (or key) that signs it."""
    uri: str
    suite: str
    signed_by: str = ""

    def stanza(self):
        text = f"Types: deb\nURIs: {self.uri}\nSuites: {self.suite}\nComponents: main\n"
        return text + (f"Signed-By:{self.signed_by}\n" if self.signed_by else "")

    def security(self):
        """The security archive that belongs to this main archive."""
        return Source(self.uri.rstrip("/") + "-security", SECURITY, self.signed_by)


def sources_of_list(text):
    """The sources of a file in the one-line format (sources.list)."""
    found = []
    for line in text.splitlines():
        match = re.match(r"\s*deb\s+(?:\[([^]]*)\]\s+)?(\S+)\s+(\S+)\s+([^#]*)", line)
        if not match:
            continue
        options, uri, suite, components = match.groups()
        key = re.search(r"(?:^|\s)signed-by=(\S+)", options or "", re.IGNORECASE)
        if "main" in components.split():
            found.append(Source(uri, suite, " " + key[1].replace(",", " ") if key else ""))
    return found


def sources_of_stanzas(text):
    """The sources of a file in the deb822 format (*.sources)."""
    found = []
    text = re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)
    for stanza in re.split(r"\n\s*\n", text):
        fields = {name.lower(): value for name, value in
                  re.findall(r"^([\w-]+):(.*(?:\n[ \t].*)*)", stanza, flags=re.MULTILINE)}

        def words(name):
            return fields.get(name, "").split()

        if words("enabled") == ["no"] or "deb" not in words("types") \
                or "main" not in words("components"):
            continue
        found += [Source(uri, suite, fields.get("signed-by", ""))
                  for uri in words("uris") for suite in words("suites")]
    return found


def configured_sources(etc=pathlib.Path("/etc/apt")):
    """Every source with a component "main" that this machine's apt is configured for."""
    found = []
    for path in [etc / "sources.list", *sorted((etc / "sources.list.d").glob("*"))]:
        if path.is_file() and path.suffix in (".list", ".sources"):
            parse = sources_of_list if path.suffix == ".list" else sources_of_stanzas
            found += parse(path.read_text(errors="replace"))
    return [source for source in found if not source.uri.startswith("cdrom:")]


def run(*command, **options):
    """Run a program for its output. Raises DebianError with what the program said."""
    try:
        return subprocess.run([str(word) for word in command], check=True, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, **options).stdout
    except FileNotFoundError:
        raise DebianError(f"{command[0]} is not installed; ./check installs what is needed")
    except subprocess.CalledProcessError as failure:
        said = (failure.stderr or failure.stdout or "nothing").strip().splitlines()
        raise DebianError(f"{command[0]} failed ({failure.returncode}): {said[-1]}")


class Archive:
    """Debian's archive as seen from this machine, and the folder that keeps what came from it."""

    def __init__(self, cache):
        self.cache = pathlib.Path(cache).absolute()
        self.private = self.cache / "apt"
        self.updated = False
        self.lock = threading.RLock()
        self.lock_depth = 0

    def apt(self, program, *arguments, **options):
        """
        Run an apt program on the private sources. As whichever user owns the cache. Not while
        another process reads package lists, which go away meanwhile.
        """
        settings = {
            "Dir::Etc::sourcelist": self.private / "debian.sources",
            "Dir::Etc::sourceparts": "-",
            "Dir::Etc::preferences": "-",
            "Dir::Etc::preferencesparts": "-",
            "Dir::State::lists": self.private / "lists",
            "Dir::Cache": self.private / "cache",
            "APT::Sandbox::User": "root",
            "APT::Update::Error-Mode": "any",
            "APT::Get::List-Cleanup": "false",
            "Acquire::Languages": "none",
        }
        words = [word for key, value in settings.items() for word in ("-o", f"{key}={value}")]
        with self.locked():
            return run(program, "-q", *words, *arguments, **options)

    def use(self, sources):
        """Make @sources the private ones and read their package lists."""
        for folder in ("lists/partial", "cache/archives/partial"):
            (self.private / folder).mkdir(parents=True, exist_ok=True)
        text = "\n".join(source.stanza() for source in sources)
        (self.private / "debian.sources").write_text(text)
        self.apt("apt-get", "update")

    def first_of_debian(self, candidates):
        """The first of @candidates that is signed, readable, and says it is Debian's."""
        for source in candidates:
            try:
                self.use([source])
                if "Debian" in self.apt("apt-get", "indextargets", "--format",
                                        "$(ORIGIN)").split():
                    return source
            except DebianError:
                continue
        return None

    def update(self):
        """Read the package lists of the main and the security archive, once per object."""
        with self.locked():
            if not self.updated:
                self.read_lists()

    def read_lists(self):
        """The same, whether it has been done or not."""
        known = configured_sources()
        main = self.first_of_debian(source for source in known if source.suite == RELEASE)
        if not main:
            raise DebianError(f"no readable Debian archive with suite {RELEASE} and component "
                              "main in /etc/apt/sources.list or /etc/apt/sources.list.d")
        security = self.first_of_debian(
            [source for source in known if source.suite == SECURITY] + [main.security()])
        if not security:
            raise DebianError(f"the security archive {main.security().uri} cannot be read; add "
                              f"the one to use, suite {SECURITY}, to the apt sources")
        self.use([main, security])
        self.updated = True

    def resolve(self, package):
        """The package that a metapackage stands for now: its newest version's dependency."""
        shown = self.apt("apt-cache", "show", "--no-all-versions", package)
        depends = re.search(r"^Depends: (linux-image-[^ ,(]+)", shown, re.MULTILINE)
        return depends[1] if depends else package

    def unpacked(self, package):
        """
        The folder that holds @package's files; fetches them first if it is not there. Several
        processes may ask at once. @package: a name, that of a metapackage of a kernel included.
        """
        folder = self.cache / "packages" / package
        if folder.is_dir():
            return folder
        folder.parent.mkdir(parents=True, exist_ok=True)
        with self.locked():
            if not folder.is_dir():
                self.fetch(package, folder)
        return folder

    @contextlib.contextmanager
    def locked(self):
        """Keep other processes and threads from changing the cache. May be nested."""
        self.cache.mkdir(parents=True, exist_ok=True)
        with self.lock, open(self.cache / "lock", "w") as file:
            # a second lock on the same file would wait for the first
            if self.lock_depth == 0:
                fcntl.flock(file, fcntl.LOCK_EX)
            self.lock_depth += 1
            try:
                yield
            finally:
                self.lock_depth -= 1

    def fetch(self, package, folder):
        """Download @package and put its files at @folder, all of them or none."""
        for left in self.cache.glob("fetch-*"):  # by a process that was killed
            shutil.rmtree(left)
        self.update()
        work = tempfile.mkdtemp(dir=self.cache, prefix="fetch-")
        try:
            self.apt("apt-get", "download", self.resolve(package), cwd=work)
            (deb,) = pathlib.Path(work).glob("*.deb")
            run("dpkg-deb", "-x", deb, os.path.join(work, "files"))
            os.rename(os.path.join(work, "files"), folder)
        finally:
            shutil.rmtree(work)
