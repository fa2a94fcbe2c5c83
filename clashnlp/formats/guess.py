"""Which format is this? By its suffix, and where several formats share one, by how the file begins."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# What a suffix says by itself, when files are read and when they are written.
SUFFIXES = {
    ".txt": "text",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".inline": "inline",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
TOOL_SUFFIXES = {
    ".ann": "brat",
    ".xmi": "cas",
    ".spacy": "docbin",
    ".conll": "conll",
    ".iob": "conll",
    ".iob2": "conll",
    ".bio": "conll",
}
# These hold annotations of several tools.
_SHARED = (".json", ".zip")
_HEAD = 1 << 16
# What a zip holds, in the order in which its suffixes tell.
_IN_ZIPS = {
    ".ann": "brat",
    ".xmi": "cas",
    ".zip": "cas",
    ".tsv": "webanno",
    ".jsonl": "doccano",
    ".spacy": "docbin",
    **{suffix: kind for suffix, kind in TOOL_SUFFIXES.items() if kind == "conll"},
    ".json": "labelstudio",
}
# Of the annotations of target storages, Label Studio writes one a file, with the task inside.
_SIGNS = (
    *(("cas", sign) for sign in (b'"%FEATURE_STRUCTURES"', b'"%TYPES"')),
    # JSON-MIN has ids of annotations alone; the reader says what to export in its place.
    *(("labelstudio", sign) for sign in (b'"annotations"', b'"completions"', b'"predictions"', b'"result"', b'"annotation_id"')),
)


def format_of(path: Path) -> str | None:
    """The format of a file with annotations; None where nothing tells.

    Raises:
        OSError: the file cannot be read.
    """
    suffix = path.suffix.lower()
    if suffix in TOOL_SUFFIXES:
        return TOOL_SUFFIXES[suffix]
    if suffix == ".zip":
        return _of_zip(path)
    if suffix in (".json", ".tsv", ".jsonl", ".ndjson"):
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if suffix == ".json":
            if head.strip() in (b"", b"[]"):
                head = _SIGNS[-1][1]  # An export of nothing; the reader says so.
            told = next((kind for kind, sign in _SIGNS if sign in head), None)
            return told or (_of_file(path, sure=True) if head.lstrip().startswith(b"{") else None)
        if suffix == ".tsv":
            return "webanno" if head.removeprefix(b"\xef\xbb\xbf").startswith(b"#FORMAT=WebAnno TSV") else "csv"
        return _of_file(path) or "jsonl"
    return SUFFIXES.get(suffix)


def format_of_folder(path: Path) -> str | None:
    """The one format of tools that all files of a folder have; None where they differ, and are to be read file by file.

    Raises:
        OSError: a file cannot be read.
    """
    kinds = {format_of(file) for file in files_of(path)}
    if "brat" in kinds:
        kinds.discard("text")
    if "cas" in kinds:
        kinds.discard("labelstudio")  # Project settings of INCEpTION.
    kind = kinds.pop() if len(kinds) == 1 else None
    return None if kind in SUFFIXES.values() else kind


def files_of(path: Path) -> list[Path]:
    """The files of a folder and its subfolders whose suffix some format has, in order."""
    known = (*SUFFIXES, *TOOL_SUFFIXES, *_SHARED)
    return sorted(file for file in path.rglob("*") if file.is_file() and file.suffix.lower() in known)


def _of_file(path: Path, *, sure: bool = False) -> str | None:
    with path.open("rb") as file:
        return _of_lines(file, sure=sure)


def _of_lines(lines: Iterable[bytes], *, sure: bool = False) -> str | None:
    """JSON Lines are ours, doccano's or Prodigy's: what the first object holds that has annotations tells them apart.

    None where nothing does, or, to be `sure`, where they do not begin with a line of JSON that holds a text.
    """
    for line in filter(bytes.strip, lines):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(row, dict) or (sure and not isinstance(row.get("text"), str)):
            return None
        if kind := _of_row(row):
            return kind
    return None


def _of_row(row: dict[str, Any]) -> str | None:
    """The format of a row; None where its lists of annotations are empty, and may be doccano's spans or our own names of labels."""
    if "_task_hash" in row or row.get("answer") in ("accept", "reject", "ignore") or ("tokens" in row and "spans" in row):
        return "prodigy"
    if "spans" in row:
        return "jsonl"
    lists = [row[key] for key in ("label", "labels", "annotations") if isinstance(row.get(key), list)]
    marks = [mark for one in lists for mark in one]
    # Texts are categories, or our own `labels`.
    if "entities" in row or "Comments" in row or row.get("label") == [] or not all(isinstance(mark, str) for mark in marks):
        return "doccano"
    return "jsonl" if marks or not lists else None


def _of_zip(path: Path) -> str | None:
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if not name.startswith("__MACOSX/")]
            inside = {Path(name).suffix.lower(): name for name in names}
            kind = next((kind for suffix, kind in _IN_ZIPS.items() if suffix in inside), None)
            if kind == "doccano":
                with archive.open(inside[".jsonl"]) as lines:
                    kind = _of_lines(lines) or kind
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError):
        return None  # Damaged, encrypted, or packed in a way that Python does not know.
    return None if kind == "jsonl" else kind
