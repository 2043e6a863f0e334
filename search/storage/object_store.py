"""A run in an object store (s3://, gs://): its files' names there, and the copies of them on this machine.

Code works on files in a mirror, a directory on the machine's own disk that has the same path on every machine:

    s3://BUCKET/x/rounds/r1/search/done.json  <->  SCRATCH/runs/s3/BUCKET/x/rounds/r1/search/done.json

What a process has made it uploads, and what it needs and has not it downloads. An object appears whole or not at all. A
directory does not, and cannot be renamed: a stage in the store is complete once its last object, done.json, is there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from search.errors import UserError
from search.storage.files import atomic_file
from search.storage.lock import ProcessLock

SCHEMES = ("s3", "gs")
SCRATCH_VARIABLE = "RAYSTAR_SCRATCH"  # directory of the mirrors
URL_VARIABLE = "RAYSTAR_RUN_URL"  # of a run in a store, in the environment of its processes
STORE_VARIABLES = (URL_VARIABLE, SCRATCH_VARIABLE)
S3_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")  # of servers other than Amazon's
PUBLISHING = ".publishing"  # object in a directory that is being published
TRANSFERS = 8  # files copied at a time
FETCH_S = 3600.0  # a process waits that long for another one of its machine that downloads the same files


# Bytes and time of the last change (s) of an object and of its copy. Both are the same where a copy is of the present object.
ObjectState: TypeAlias = tuple[int, int]


def is_url(text: str) -> bool:
    """Return whether ``text`` is a URL, of whatever scheme, and not a path."""
    return "://" in text


@dataclass(frozen=True, slots=True)
class ObjectStore:
    """The part of an object store below ``url``, and ``mirror``, the directory of its copies."""

    url: str
    mirror: Path

    def __str__(self) -> str:
        return self.url

    def url_of(self, path: Path) -> str:
        """Return the URL of a file or directory of the mirror."""
        relative = path.relative_to(self.mirror).as_posix()
        return self.url if relative == "." else f"{self.url}/{relative}"

    def contains(self, path: Path) -> bool:
        """Return whether ``path`` lies in the mirror."""
        return path.is_relative_to(self.mirror)

    def entries(self, directory: Path) -> dict[Path, ObjectState]:
        """Return the state of all objects below a directory of the mirror, by the paths of their copies."""
        from pyarrow.fs import FileSelector, FileType  # heavy: half a second, and most runs are in a directory

        system, base = connect(self.url_of(directory))
        with _as_user_error(f"{self.url_of(directory)} cannot be read"):
            infos = system.get_file_info(FileSelector(base, recursive=True, allow_not_found=True))
        return {
            directory / info.path.removeprefix(f"{base}/"): _object_state(info)
            for info in infos
            if info.type is FileType.File and not info.path.endswith("/")
        }

    def pull(self, directory: Path, wanted: Callable[[Path], bool] = lambda _: True) -> None:
        """Download the objects below a directory that are ``wanted`` and are not here, or not in their present state."""
        entries = self.entries(directory)
        for_each(self.download, [file for file, state in entries.items() if wanted(file) and _state(file) != state])

    def fetch(self, directory: Path, name: str = "") -> None:
        """Download a directory, or one file of it, as ``pull`` does; processes of one machine one after the other, so once."""
        if not self.entries(directory):
            return
        directory.mkdir(parents=True, exist_ok=True)
        with ProcessLock(directory / ".fetch.lock", f"{directory} is being downloaded", FETCH_S):
            self.pull(directory, lambda file: not name or file.name == name)

    def push(self, directory: Path, files: Iterable[Path] | None = None) -> None:
        """Upload the files below a directory, or those that are named, unless the store has them in their present state."""
        entries = self.entries(directory)
        paths = _visible_files(directory) if files is None else files
        for_each(self.upload, [file for file in paths if entries.get(file) != _state(file)])

    def upload(self, file: Path) -> None:
        """Upload one file of the mirror. Raises UserError."""
        system, key = connect(self.url_of(file))
        with _as_user_error(f"{self.url_of(file)} cannot be written"):
            with file.open("rb") as source:
                _copy(source, system.open_output_stream(key))
            _take_time(file, system.get_file_info(key))

    def download(self, file: Path) -> None:
        """Download one file into the mirror. A reader there sees the old file or the new one. Raises UserError."""
        system, key = connect(self.url_of(file))
        file.parent.mkdir(parents=True, exist_ok=True)
        with _as_user_error(f"{self.url_of(file)} cannot be read"):
            with system.open_input_stream(key) as source, atomic_file(file) as temporary:
                _copy(source, temporary.open("wb"))
            _take_time(file, system.get_file_info(key))

    def read_text(self, file: Path) -> str | None:
        """Return the text of an object, as it is now; None without one."""
        system, key = connect(self.url_of(file))
        with _as_user_error(f"{self.url_of(file)} cannot be read"):
            try:
                with system.open_input_stream(key) as stream:
                    return str(stream.read().decode())
            except FileNotFoundError:
                return None

    def write_text(self, file: Path, text: str) -> None:
        """Write an object, and nothing into the mirror."""
        system, key = connect(self.url_of(file))
        with _as_user_error(f"{self.url_of(file)} cannot be written"), system.open_output_stream(key) as stream:
            stream.write(text.encode())

    def remove(self, directory: Path) -> None:
        """Remove all objects below a directory from the store. It does not matter if there is none."""
        system, base = connect(self.url_of(directory))
        with _as_user_error(f"{self.url_of(directory)} cannot be removed"), suppress(FileNotFoundError):
            system.delete_dir(base)

    def remove_file(self, file: Path) -> None:
        """Remove an object from the store. It does not matter if there is none."""
        system, key = connect(self.url_of(file))
        with _as_user_error(f"{self.url_of(file)} cannot be removed"), suppress(FileNotFoundError):
            system.delete_file(key)

    def publish(self, source: Path, target: Path, last: str) -> None:
        """Give a directory that is complete in the mirror, at ``target``, its place in the store; remove ``source`` there.

        Objects that lie below ``source`` already are copied within the store. The file ``last`` follows all others. Until
        then ``source`` holds at least the object PUBLISHING, which tells that ``target`` is not complete.
        """
        earlier = self.entries(source)
        self.write_text(source / PUBLISHING, "")

        def place(file: Path) -> None:
            old = source / file.relative_to(target)
            if earlier.get(old) != _state(file):
                self.upload(file)
                return
            system, key = connect(self.url_of(file))
            with _as_user_error(f"{self.url_of(file)} cannot be written"):
                system.copy_file(connect(self.url_of(old))[1], key)
                _take_time(file, system.get_file_info(key))

        for_each(place, [file for file in _visible_files(target) if file != target / last])
        self.upload(target / last)
        self.remove(source)


def open_store(url: str, mirrors: str = "runs") -> ObjectStore:
    """Return the store at a URL. Raises UserError for another scheme than SCHEMES, or without a bucket and a prefix.

    ``mirrors``: the directory of mirrors; what is only read has one of its own, so that no run is disturbed.
    """
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    if parts.scheme not in SCHEMES:
        raise UserError(
            f"{url}: scheme {parts.scheme}:// is not supported: a directory, s3://BUCKET/… or gs://BUCKET/…"
        )
    if not parts.netloc or not prefix or parts.query or ".." in prefix.split("/"):
        raise UserError(f"{url} names no place in a bucket: {parts.scheme}://BUCKET/… is needed")
    return ObjectStore(
        f"{parts.scheme}://{parts.netloc}/{prefix}",
        scratch_directory() / mirrors / parts.scheme / parts.netloc / prefix,
    )


def scratch_directory() -> Path:
    """Return RAYSTAR_SCRATCH, else a directory in the user's cache."""
    if named := os.environ.get(SCRATCH_VARIABLE):
        return Path(named).expanduser().absolute()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "raystar" / "scratch"


def store_of_run() -> ObjectStore | None:
    """Return the store of the run that this process belongs to, by its environment; None for a run in a directory."""
    url = os.environ.get(URL_VARIABLE)
    return open_store(url) if url else None


def fetch_if_stored(directory: Path, name: str = "") -> None:
    """Download a directory of the run, such as a model, or one file of it, if the run is in a store."""
    store = store_of_run()
    if store is not None and store.contains(directory):
        store.fetch(directory, name)


def connect(url: str) -> tuple[Any, str]:
    """Return pyarrow's file system of a URL, and the path of the URL in it."""
    parts = urlsplit(url)
    return _file_system(parts.scheme), f"{parts.netloc}{parts.path}"


@cache
def _file_system(scheme: str) -> Any:
    """Return the file system of a scheme: credentials, region and endpoint are those of the environment."""
    from pyarrow import fs  # heavy: half a second, and most runs are in a directory

    if scheme == "gs":
        return fs.GcsFileSystem()
    endpoint = next(filter(None, map(os.environ.get, S3_ENDPOINTS)), None)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if endpoint is None:
        return fs.S3FileSystem(region=region)
    address = urlsplit(endpoint)
    return fs.S3FileSystem(
        endpoint_override=address.netloc or endpoint, scheme=address.scheme or "https", region=region or "us-east-1"
    )


def for_each(action: Callable[[Path], None], files: list[Path]) -> None:
    """Call ``action`` for all files, TRANSFERS at a time. Raises the first error."""
    if len(files) < 2:
        for file in files:
            action(file)
        return
    with ThreadPoolExecutor(TRANSFERS, thread_name_prefix="object-store") as pool:
        for _ in pool.map(action, files):
            pass


@contextmanager
def _as_user_error(fault: str) -> Iterator[None]:
    """Turn an error of the store into one line. A missing object stays a FileNotFoundError where that is caught inside."""
    try:
        yield
    except OSError as error:
        reason = " ".join(str(error).split()).partition(" (Request ID")[0]
        raise UserError(f"{fault}: {reason[:300]}") from error


def _copy(source: Any, target: Any) -> None:
    with target:
        while block := source.read(1 << 22):
            target.write(block)


def _object_state(info: Any) -> ObjectState:
    return info.size, info.mtime_ns // 10**9


def _state(file: Path) -> ObjectState | None:
    """Return the state of a copy; None without one."""
    if not file.is_file():
        return None
    stat = file.stat()
    return stat.st_size, stat.st_mtime_ns // 10**9


def _take_time(file: Path, info: Any) -> None:
    """Give a copy the time of its object, so that both have one state on every machine."""
    seconds = _object_state(info)[1]
    os.utime(file, (seconds, seconds))


def _visible_files(directory: Path) -> Iterator[Path]:
    """Yield the files below a directory but hidden ones and those in hidden directories, such as locks."""
    for folder, folders, files in os.walk(directory):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(folder, name) for name in sorted(files) if not name.startswith("."))
