"""Readings that are kept unasked, so that the same documents are not read twice for the same question.

A kept reading is an ordinary pot whose name is a SHA-256 over everything that decided what it holds: every byte of the
documents, the model's identity, the prompt in tokens, all sizes, and the versions of the libraries that read. Whatever
differs gives another name, so a kept reading is found for what it was made of or not at all. The file checks itself.
Nothing is kept of a pipe, of what a password opens, or of documents that changed while they were read.
"""

import contextlib
import hashlib
import os
import shutil
import time
from dataclasses import asdict, dataclass, replace
from importlib import metadata
from pathlib import Path

from infinipot_cli import __version__
from infinipot_cli.documents import Wishes
from infinipot_cli.errors import PotError, UsageError
from infinipot_cli.places import is_writable
from infinipot_cli.plan import Task
from infinipot_cli.policies import distills
from infinipot_cli.pots import shelf
from infinipot_cli.pots.file import read_header
from infinipot_cli.pots.originals import state_of
from infinipot_cli.pots.replacing import sweep
from infinipot_cli.reading import Reading
from infinipot_cli.resume import identity, model_of, resume, save
from infinipot_cli.session import Session
from infinipot_cli.settings import Loading
from infinipot_cli.stored_documents import StoredDocument

FORMAT = 1
# What turns bytes into text and text into entries; of another version, what was read before is read again.
_READERS = ("pypdf", "pypdfium2", "charset-normalizer", "tokenizers", "transformers", "torch")
# Bytes a second that a disk takes for sure. A reading that was faster than its pot can be written is not kept.
_SLOW_DISK = 50e6
# Of what is free on the disk and held already, this share is the most.
_SHARE_OF_DISK = 0.25
_BLOCK = 2**20


@dataclass(frozen=True)
class Recipe:
    """What a reading is made of.

    Attributes:
        key: names it.
        files: what must not change until it is kept: path, size and time of the last change.
    """

    key: str
    files: tuple[tuple[str, int, int], ...]

    @property
    def path(self) -> Path:
        """Where it is kept, if it is."""
        return shelf.cached_folder() / f"{self.key}{shelf.SUFFIX}"

    @property
    def is_unchanged(self) -> bool:
        """Whether the documents are still those that were looked at."""
        return all(state_of(path) == (size, changed) for path, size, changed in self.files)


def recipe(
    session: Session, reading: Reading, loading: Loading, wishes: Wishes, *, digest_of_logs: bool = False
) -> Recipe | None:
    """What a reading that is about to begin is made of; None where it cannot be found again.

    Args:
        session: that prepared it.
        reading: nothing of it was read yet.
        loading: how the model was asked to be brought into memory.
        wishes: what was asked of its documents.
        digest_of_logs: a log is counted while it is read, which a kept reading could not do.
    """
    plan = reading.plan
    if wishes.password_file is not None or not distills(plan.policy, plan.policy_settings):
        return None
    files, digest = [], hashlib.sha256()
    for entry in reading.inputs:
        state = state_of(entry.document.name)
        if state is None or entry.was_read or not _take(digest, entry.document.name):
            return None
        files.append((entry.document.name, *state))
    made_of = (
        FORMAT,
        __version__,
        [(name, _version(name)) for name in _READERS],
        asdict(identity(session, loading.dtype.value)),
        loading,
        plan,
        reading.task,
        wishes,
        digest_of_logs,
    )
    digest.update(repr(made_of).encode("utf-8", "surrogatepass"))
    made = Recipe(digest.hexdigest(), tuple(files))
    return made if made.is_unchanged else None


def find(session: Session, made: Recipe, task: Task) -> Reading | None:
    """The kept reading, ready to be asked; None if there is none that can be trusted."""
    if not os.path.exists(made.path):
        return None
    request, now = session.request, session.now
    try:
        name = str(made.path)
        # what `auto` means may have changed with the machine; the numbers of then are what the entries are in
        _, session.loading = model_of(name, session.model_name, was_chosen=True, loading=session.loading)
        reading = resume(session, name, task)
        _are_as_now(reading, made)
        return reading
    except (PotError, UsageError):  # damaged, or cut off by a full disk: as if it were not there
        session.now = now
        with contextlib.suppress(OSError):
            made.path.unlink()
        return None
    finally:
        session.request = request


def _are_as_now(reading: Reading, made: Recipe) -> None:
    """Let its documents be the files that were looked at: what they hold is what was read, whenever it was written."""
    files = {path: (size, changed) for path, size, changed in made.files}
    for document in (entry.document for entry in reading.inputs):
        if isinstance(document, StoredDocument) and document.name in files:
            size, changed = files[document.name]
            path = str(Path(document.name).resolve())
            document.stored = replace(document.stored, path=path, size=size, modified=changed)
            document.warnings = list(document.said)


def age(made: Recipe) -> float:
    """Seconds since a kept reading was read."""
    return max(0.0, time.time() - read_header(made.path, made.key).created)


def keep(session: Session, reading: Reading, made: Recipe, *, limit: int, seconds: float) -> bool:
    """Keep a finished reading, and let go of the longest unused beyond the limit.

    Args:
        session: that made it.
        reading: nothing was answered from it yet.
        made: its recipe.
        limit: bytes that all kept readings may take.
        seconds: that it took to read.

    Returns:
        Whether it was kept; a machine whose cache cannot be written keeps nothing.

    Raises:
        OutputError: the disk is full, or fails.
    """
    pot = reading.pot
    n_bytes = pot.nbytes * pot.n_held // max(pot.n_held, pot.capacity)  # what is free is not written
    failed = any(entry.document.failure is not None for entry in reading.inputs)
    is_log = any(entry.log is not None and entry.log.is_log for entry in reading.inputs)
    if failed or is_log or n_bytes / _SLOW_DISK > seconds or not made.is_unchanged:
        return False
    if n_bytes > _room(limit):
        return False
    if not is_writable(made.path.parent):
        return False
    with contextlib.suppress(OSError):  # where there is none, saving says why
        made.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    save(session, reading, str(made.path))
    prune(n_bytes=_room(limit), spared=made.path)
    return True


def prune(*, days: float | None = None, n_bytes: int | None = None, spared: Path | None = None) -> int:
    """Delete kept readings: those unused for so many days, then the longest unused beyond so many bytes.

    Args:
        days: None lets age be.
        n_bytes: None lets room be.
        spared: is not deleted.

    Returns:
        How many were deleted.
    """
    sweep(shelf.cached_folder())
    held = sorted(held_files(), key=lambda one: one[2])
    total, n_gone = sum(size for _, size, _ in held), 0
    for path, size, used in held:
        too_old = days is not None and time.time() - used > days * 86_400
        if path == spared or not (too_old or (n_bytes is not None and total > n_bytes)):
            continue
        with contextlib.suppress(OSError):
            path.unlink()
            n_gone, total = n_gone + 1, total - size
    return n_gone


def held_files() -> list[tuple[Path, int, float]]:
    """Every kept reading with its bytes and when it was used last."""
    found = []
    for path in shelf.cached():
        with contextlib.suppress(OSError):
            state = path.stat()
            found.append((path, state.st_size, state.st_mtime))
    return found


def _room(limit: int) -> int:
    """Bytes that may be kept: the limit, and never a large part of a disk that is nearly full."""
    folder = shelf.cached_folder()
    while not os.path.exists(folder) and folder != folder.parent:
        folder = folder.parent
    held = sum(size for _, size, _ in held_files())
    with contextlib.suppress(OSError):
        return min(limit, int(_SHARE_OF_DISK * (shutil.disk_usage(folder).free + held)))
    return limit


def _take(digest: "hashlib._Hash", path: str) -> bool:
    """Add a document's name, which the model is told, and its bytes."""
    try:
        content = hashlib.sha256()
        with open(path, "rb") as file:
            while block := file.read(_BLOCK):
                content.update(block)
    except OSError:
        return False
    digest.update(repr((path, content.hexdigest())).encode("utf-8", "surrogatepass"))
    return True


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""
