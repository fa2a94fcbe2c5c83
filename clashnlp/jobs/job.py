"""What has a job done, and may it be taken up again? Its folder, with the manifest and the journal of the shards that are whole."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any

from clashnlp import __version__, store
from clashnlp.backends.onnx import GRAPHS, RELATE_FILE
from clashnlp.errors import DataError
from clashnlp.formats.storage import written_whole
from clashnlp.jobs.duplicates import Duplicates, find_duplicates
from clashnlp.jobs.plan import Plan, Settings, file_digest, make_plan
from clashnlp.jobs.shard import Outcome, Shard

MANIFEST, JOURNAL, IDS = "job.json", "job.journal", "job.ids"


def model_digest(folder: Path, *, backend: str, precision: str | None) -> dict[str, str]:
    """The SHA-256 of each file that the predictions of that backend in that precision depend on."""
    names = [store.CONFIG_FILE, store.TOKENIZER_FILE, store.WEIGHTS_FILE]
    if backend != "torch":
        names += [GRAPHS[precision or "float32"], RELATE_FILE]
    return {name: file_digest(folder / name) for name in names if (folder / name).is_file()}


class Job:
    """A job's folder; a `with` statement holds it against other processes.

    Args:
        folder: where the shards are written; made where it is not there.
        inputs: files and folders.
        settings: what to do with each report.
        model: what tells whether the model is the same: digests of its `files`, `backend`, `device` and `precision`.
        resume: go on with the job that the folder holds, if it holds one.

    Raises:
        DataError: the folder holds a job and `resume` is not set, or a job of other inputs, settings or models.
    """

    def __init__(self, folder: Path, inputs: Sequence[str], settings: Settings, *, model: dict[str, Any], resume: bool) -> None:
        self.folder = folder
        self.settings = settings
        self.model = model
        folder.mkdir(parents=True, exist_ok=True)
        if not resume and any(folder.iterdir()):
            raise DataError(f"{folder} is not empty; go on with its job by --resume, or name another folder")
        self.plan: Plan = make_plan(inputs, settings)
        self.rows = sum(map(self.plan.rows, range(len(self.plan.shards))))
        self._manifest: dict[str, Any] = {
            "clashnlp": __version__,
            "model": model,
            "settings": asdict(settings),
            "inputs": self.plan.inputs,
            "rows": self.rows,
            "shards": len(self.plan.shards),
        }
        self.done: dict[int, dict[str, Any]] = {}
        self.result: dict[str, Any] | None = None

    def __enter__(self) -> Job:
        with contextlib.ExitStack() as stack:
            self._journal = stack.enter_context((self.folder / JOURNAL).open("a+b"))
            _lock(self._journal.fileno(), self.folder)
            self._ids = stack.enter_context((self.folder / IDS).open("a+b"))
            if (self.folder / MANIFEST).is_file():
                self.result = self._take_up()
            elif any(self.folder.glob("shard-*")):
                raise DataError(f"{self.folder} holds shards and no {MANIFEST} that says whose; put it back, or name another folder")
            else:
                self._begin()
            self._open = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()
        if self.result is not None:
            for name in (JOURNAL, IDS):
                (self.folder / name).unlink(missing_ok=True)

    def shard(self, number: int) -> Shard:
        """A shard to run."""
        return Shard(self.folder, number, self.plan.shards[number], self.settings)

    def todo(self) -> list[int]:
        """The numbers of the shards that are not whole yet."""
        return [number for number in range(len(self.plan.shards)) if number not in self.done]

    def add(self, outcome: Outcome) -> None:
        """Notes that a shard is whole and on the disk."""
        _sync(self.folder)
        row = {name: getattr(outcome, name) for name in ("documents", "rejected", "size", "sha256")}
        # Each document's id and place, 16 bytes, before the line that counts them: what a cut leaves behind the count is dropped.
        places = (at.to_bytes(8, "little") for at in range(outcome.number << 32, (outcome.number << 32) + outcome.documents))
        digests = (outcome.ids[at : at + 8] for at in range(0, len(outcome.ids), 8))
        self._write(self._ids, b"".join(part for pair in zip(digests, places, strict=True) for part in pair))
        self._write(self._journal, json.dumps({"shard": outcome.number, **row}).encode() + b"\n")
        self.done[outcome.number] = row

    def finish(self) -> dict[str, Any]:
        """The result of the whole job, which the manifest holds from now on."""
        if self.todo():
            raise RuntimeError("the job has shards left to do")
        found = find_duplicates(self.folder / IDS)
        self.result = {
            "documents": sum(row["documents"] for row in self.done.values()),
            "rejected": sum(row["rejected"] for row in self.done.values()),
            "duplicates": found.count,
            "first_duplicates": list(self._named(found)),
            "files": {self.shard(number).path.name: self.done[number] for number in sorted(self.done)},
        }
        self._save({**self._manifest, "result": self.result})
        return self.result

    def _begin(self) -> None:
        self._journal.truncate(0)
        self._ids.truncate(0)
        self._save(self._manifest)

    def _take_up(self) -> dict[str, Any] | None:
        """The result, if the job is finished; else reads what is done."""
        try:
            held = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
            changed = [key for key, value in self._manifest.items() if held.get(key) != value]
        except (ValueError, AttributeError) as error:
            raise DataError(f"{self.folder / MANIFEST}: is no manifest of a job ({error}); name another folder") from None
        if changed:
            raise DataError(f"{self.folder} holds another job: {_difference(held, self._manifest, changed[0])}; name another folder")
        result: dict[str, Any] | None = held.get("result")
        if result is None:
            self._read_journal()
        else:
            self.done = {number: result["files"][name] for number, name in enumerate(result["files"])}
        for number, row in self.done.items():
            path = self.shard(number).path
            if not path.is_file() or path.stat().st_size != row["size"]:
                raise DataError(f"{path}: is missing or was changed since it was written; put it back, or start in another folder")
        return result

    def _read_journal(self) -> None:
        self._journal.seek(0)
        kept = 0
        for line in self._journal:
            if not line.endswith(b"\n"):
                break  # The process was killed while it wrote this line.
            row = json.loads(line)
            self.done[row.pop("shard")] = row
            kept += len(line)
        self._journal.truncate(kept)
        self._ids.truncate(16 * sum(row["documents"] for row in self.done.values()))

    def _named(self, found: Duplicates) -> Iterator[dict[str, Any]]:
        """The first duplicates, by id and shard."""
        for place in found.first:
            number, at = divmod(place, 1 << 32)
            documents = self.shard(number).documents(lambda _: None)
            document = next(document for row, document in enumerate(documents) if row == at)
            yield {"id": document.id, "shard": number, "document": at + 1}

    def _save(self, manifest: dict[str, Any]) -> None:
        with written_whole(self.folder / MANIFEST) as out:
            out.write((json.dumps(manifest, ensure_ascii=False, indent=1) + "\n").encode("utf-8", errors="replace"))
        _sync(self.folder)

    @staticmethod
    def _write(file: Any, data: bytes) -> None:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _difference(held: dict[str, Any], now: dict[str, Any], key: str) -> str:
    """What is different, down to the value."""
    before, after = held.get(key), now.get(key)
    if isinstance(before, dict) and isinstance(after, dict):
        inner = next(name for name in {**before, **after} if before.get(name) != after.get(name))
        return f"{key}: {_difference(before, after, inner)}"
    if key == "inputs" and isinstance(before, list) and isinstance(after, list):
        names = [row["path"] for row in after if row not in before] or [row["path"] for row in before if row not in after]
        return f"the input {', '.join(names)} is new or was changed, in name or content" if names else "the inputs stand in another order"
    return f"{key} was {before!r}, now {after!r}"


def _lock(file: int, folder: Path) -> None:
    """Holds the folder against a second process. The system lets go of it when this one ends, however it ends."""
    with contextlib.suppress(ImportError):  # Windows has no fcntl.
        import fcntl

        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DataError(f"{folder}: another process is at work on this job; wait for it, or end it") from None


def _sync(folder: Path) -> None:
    """Puts the names of the folder's files on the disk."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
