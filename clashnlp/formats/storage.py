"""Which files does a path hold, and how are new ones written? Folders, zips and single files; what is written is whole or absent."""

from __future__ import annotations

import contextlib
import io
import os
import re
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO

from clashnlp.errors import DataError
from clashnlp.formats.exchange import Account, OnError
from clashnlp.types import Document

_DAMAGED = (OSError, RuntimeError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError, KeyError)
# A path that ends so is one document's file, for formats of one file a document.
_SINGLE = (".ann", ".tsv", ".xmi", ".json")


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a folder or a zip, zips inside opened as folders; or one file with those beside it. `asked` are those to read."""

    root: str
    load: Mapping[str, Callable[[], bytes]]
    asked: tuple[str, ...] = ()

    def place(self, name: str) -> str:
        """What messages call a file."""
        return str(Path(self.root, name))

    def read(self, name: str) -> bytes:
        """The bytes of a file.

        Raises:
            DataError: it cannot be read.
        """
        try:
            return self.load[name]()
        except _DAMAGED as error:
            raise DataError(f"{self.place(name)}: cannot be read ({error}); unpack or export it again") from None

    def each(self, on_error: OnError) -> Iterator[tuple[str, str, bytes]]:
        """Name, place and bytes of every file that is asked for and can be read."""
        for name in self.asked:
            try:
                data = self.read(name)
            except DataError as error:
                on_error(error)
            else:
                yield name, self.place(name), data


def open_files(path: Path, suffixes: tuple[str, ...], on_error: OnError, *, zips: bool = False) -> Files:
    """The files of a path, of which those with these suffixes are asked for, or the one that the path names, whatever its suffix.

    With `zips`, those in a folder are opened; else they are passed over, as what they hold mostly lies beside them.
    """
    load: dict[str, Callable[[], bytes]] = {}
    try:
        if path.is_dir():
            for file in sorted(path.rglob("*")):
                name = file.relative_to(path).as_posix()
                if zips and file.is_file() and file.suffix.lower() == ".zip":
                    load.update(_unzipped(file.read_bytes(), f"{name[:-4]}/"))
                elif file.is_file():
                    load[name] = file.read_bytes
        elif path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
            load = _unzipped(path.read_bytes(), "")
        elif path.is_file():
            return Files(str(path.parent), {file.name: file.read_bytes for file in path.parent.iterdir()}, (path.name,))
        else:
            on_error(DataError(f"{path}: there is no such file or folder"))
            return Files(str(path), {})
    except (OSError, zipfile.BadZipFile) as error:
        on_error(DataError(f"{path}: cannot be read ({error}); unpack or export it again"))
        return Files(str(path), {})
    asked = tuple(sorted(name for name in load if name.lower().endswith(suffixes)))
    if not asked:
        on_error(DataError(f"{path}: holds no {' or '.join(suffixes)} file; name the folder or file that the tool exported"))
    return Files(str(path), load, asked)


def _unzipped(data: bytes, prefix: str) -> dict[str, Callable[[], bytes]]:
    archive = zipfile.ZipFile(io.BytesIO(data))
    load: dict[str, Callable[[], bytes]] = {}
    for name in archive.namelist():
        if name.endswith("/") or name.startswith("__MACOSX/"):
            continue
        if name.lower().endswith(".zip"):  # INCEpTION exports a zip for each annotator of a document.
            with contextlib.suppress(zipfile.BadZipFile):
                load.update(_unzipped(archive.read(name), f"{prefix}{name[:-4]}/"))
        else:
            load[prefix + name] = partial(archive.read, name)
    return load


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A path to write to that takes the place of `path` once all is written, so that a failure leaves an earlier file as it was.

    A device or a pipe (`/dev/null`, `/dev/stdout`) is written to as it is, and a link goes on to lead to its file.
    """
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve()
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[IO[bytes]]:
    """A file to write that takes its name once all is on the disk, so that a run that fails leaves an earlier output as it was."""
    with replacing(path) as part, part.open("wb") as file:
        yield file
        file.flush()
        if part.is_file():  # Devices and pipes are on no disk.
            os.fsync(file.fileno())


def write_text(path: Path, pieces: Iterable[str]) -> None:
    """Writes the pieces into a file that takes its name once all are written."""
    with replacing(path) as part, part.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(pieces)


def store(path: Path, files: Iterable[tuple[str, bytes]]) -> None:
    """Writes the files into a folder, a `.zip`, or beside a path with a suffix; they take their names once all are written.

    Raises:
        DataError: there is a file where a folder must be.
    """
    if path.suffix.lower() == ".zip":
        with replacing(path) as part, zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in files:
                archive.writestr(name, data)
        return
    folder = path.parent if path.suffix.lower() in _SINGLE else path
    if folder.exists() and not folder.is_dir():
        raise DataError(f"{folder}: is a file; name a folder, or a .zip")
    new = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(dir=folder, suffix=".part") as made:
            part = Path(made)
            for name, data in files:
                (part / name).parent.mkdir(parents=True, exist_ok=True)
                (part / name).write_bytes(data)
            for file in [file for file in part.rglob("*") if file.is_file()]:
                target = folder / file.relative_to(part)
                target.parent.mkdir(parents=True, exist_ok=True)
                file.replace(target)
    finally:
        if new and not any(folder.iterdir()):
            folder.rmdir()


def stems(
    documents: Iterable[Document], path: Path, suffix: str, account: Account, name: Callable[[Document, Names], str]
) -> Iterator[tuple[str, Document]]:
    """Each document with its file's name without suffix: that of the path where this is one file, and may hold only one document.

    Texts with zero bytes are dropped and counted: no reader takes their files for texts.

    Raises:
        DataError: there are several.
    """
    one = path.suffix.lower() == suffix
    names = Names(account)
    for number, document in enumerate(documents):
        if one and number:
            raise DataError(f"{path}: holds one document, and there are several; name a folder or a .zip")
        if "\0" in document.text:
            account.drop("texts with zero bytes", str(document.id))
        else:
            yield path.stem if one else name(document, names), document


@dataclass(slots=True)
class Names:
    """Names of files for ids: no two the same, none that leads out of the folder."""

    account: Account
    taken: set[str] = field(default_factory=set)

    def of(self, row_id: str | int, prefix: str = "") -> str:
        """The name for a document's id, without a suffix."""
        name = "/".join(part_name(part) for part in str(row_id).split("/"))
        free, number = name, 1
        while f"{prefix}{free}".lower() in self.taken:
            number += 1
            free = f"{name}-{number}"
        self.taken.add(f"{prefix}{free}".lower())
        if free != str(row_id):
            self.account.repair("ids that make no name of a file of their own", f"{row_id} -> {free}")
        return prefix + free


def part_name(name: str) -> str:
    """The name without what file systems refuse, and not too long for them."""
    safe = re.sub(r'[\x00-\x1f\x7f<>:"\\|?*/]|^\.+|[. ]+$', "_", name) or "document"
    return safe if len(safe.encode()) <= 180 else f"{safe[:40]}-{sha256(name.encode()).hexdigest()[:16]}"
