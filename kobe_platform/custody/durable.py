"""Writes files so that a crash leaves either the old or the new content, readable by the owner only."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kobe_platform.errors import CustodyError

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
_ASIDE = ".new"
_AT_ONCE = 1 << 18
_FULL = ("No space left on device", "Disk quota exceeded", "disk is full")
"""As the C library, Rust's and SQLite say it."""
_SQLITE = {
    "SQLITE_FULL": errno.ENOSPC,
    "SQLITE_IOERR_SHMSIZE": errno.ENOSPC,
    "SQLITE_READONLY": errno.EROFS,
    "SQLITE_CANTOPEN": errno.EIO,
    "SQLITE_IOERR": errno.EIO,
}
"""Beginning of SQLite's extended result code → the system's error; the first that fits. Its index beside the database
(SHM) cannot grow on a full disk, and SQLite calls that an input/output error."""

_KINDS = {
    "custody.absent": (
        {errno.ENOENT, errno.ENOTDIR},
        "a file is missing",
        "restore it from backup, or process its delivery again",
        "ファイルがありません",
    ),
    "custody.permission": (
        {errno.EACCES, errno.EPERM, errno.EROFS},
        "the system does not let the platform use a file",
        "check owner and mode of KOBE_HOME, and who runs the platform",
        "ファイルを使う権限がありません",
    ),
    "custody.disk_full": (
        {errno.ENOSPC, errno.EDQUOT, errno.EFBIG},
        "there is no space left for a file: what was in force before still is",
        "make room, then run the step again",
        "ディスクの空きがありません",
    ),
    "custody.locks": (
        {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS},
        "the file system cannot lock files, so that nobody could say who works there",
        "put KOBE_HOME on a disk of this machine",
        "ファイルのロックが使えないディスクです",
    ),
    "custody.symlink": (
        {errno.ELOOP},
        "a file is a symbolic link",
        "put the file itself there",
        "シンボリックリンクは使えません",
    ),
}

_UNWRITABLE = {"(os error 13)": errno.EACCES, "(os error 30)": errno.EROFS}
"""How libraries written in Rust end the message of an error of the system."""
_OF_THE_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)


@contextmanager
def storage_errors(object: str) -> Iterator[None]:
    """Tell errors of the file system apart, by code, from anything that looks like tampering.

    Args:
        object: what the files belong to, as the error's coordinate.

    Raises:
        CustodyError: ``custody.absent``, ``custody.permission``, ``custody.disk_full``, ``custody.symlink`` or, for
            all other errors of the disk, ``custody.io`` (coordinates: the object and the system's error number).
    """
    try:
        yield
    except OSError as error:
        raise storage_error(error, object) from None


def storage_error(error: OSError, object: str) -> CustodyError:
    """See :func:`storage_errors`; the error of one ``OSError``, whose message (it names paths) is left out."""
    at = {"object": object, "errno": errno.errorcode.get(error.errno or 0, "unknown")}
    for code, (numbers, message, remedy, ja) in _KINDS.items():
        if error.errno in numbers:
            return CustodyError(message, code=code, at=at, remedy=remedy, ja=ja)
    return CustodyError(
        "the disk does not do what it was asked",
        code="custody.io",
        at=at,
        remedy="look into the machine's log, then run the step again",
        ja="ディスクの読み書きに失敗しました",
    )


def disk_fault(error: BaseException | None) -> OSError | None:
    """The disk's fault that lies under a library's error; None where there is none.

    That is a full disk, one that may not be written (or that turned read-only), or a database that the disk failed. A
    full disk is told by its number, by SQLite's code or by the words of the library that met it. Other faults of files
    are left to who opened them: a path that does not exist is often a mistake in the code, not the disk's.
    """
    while error is not None:
        number = error.errno if isinstance(error, OSError) else _of_sqlite(error)
        if any(words in str(error) for words in _FULL):
            number = errno.ENOSPC
        number = next((told for words, told in _UNWRITABLE.items() if words in str(error)), number)
        if number in _OF_THE_DISK or (number and not isinstance(error, OSError)):
            return OSError(number, "")
        error = error.__cause__ or error.__context__
    return None


def _of_sqlite(error: BaseException) -> int | None:
    name = getattr(error, "sqlite_errorname", None) or ""
    return next((number for prefix, number in _SQLITE.items() if name.startswith(prefix)), None)


def write_private(path: Path, data: bytes) -> None:
    """Replace ``path`` by ``data`` in one step (0600): written aside, synced, renamed, the folder synced.

    Callers hold a lock on what they replace: the file aside has one name, and :func:`clear_asides` takes away what a
    kill left of it.
    """
    aside = path.with_name(f".{path.name}{_ASIDE}")
    try:
        write_synced(aside, data)
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def file_bytes(path: str | Path) -> bytes:
    """All bytes of a file, in few calls of the system: for small files of which thousands are read at a time."""
    handle, data = os.open(path, os.O_RDONLY | os.O_CLOEXEC), b""
    try:
        while part := os.read(handle, _AT_ONCE):
            data += part
        return data
    finally:
        os.close(handle)


def private_folder(path: Path) -> None:
    """Make a folder and those above it that are missing, each 0700 and its name on the disk before what lies in it."""
    if path.is_dir():
        return
    private_folder(path.parent)
    path.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
    sync_folder(path.parent)


def clear_asides(folder: Path) -> None:
    """Take away files that a kill left half-way to their place: they may hold wrapped keys."""
    for left in folder.glob(f".*{_ASIDE}"):
        if left.is_file():
            left.unlink(missing_ok=True)


def write_synced(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` (0600) and force it onto the disk; never through a symbolic link."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, PRIVATE_FILE)
    try:
        write_all(handle, data)
        os.fsync(handle)
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    """Write all of ``data``: on a nearly full disk one call takes only a part."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def check_private(path: Path) -> None:
    """Refuse a file or folder that somebody else owns or may use, or that only points elsewhere.

    Raises:
        CustodyError: ``custody.permissions`` (mode), ``custody.owner`` or ``custody.symlink``.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise storage_error(OSError(errno.ELOOP, ""), path.name)
    if found.st_uid != os.geteuid():
        raise CustodyError(
            "a file of the key store belongs to another user",
            code="custody.owner",
            at={"file": path.name},
            remedy="run the platform as the owner of its key store; if others wrote it, restore it from backup",
            ja="鍵ストアの所有者が違います",
        )
    if stat.S_IMODE(found.st_mode) & 0o077:
        raise CustodyError(
            "others than the owner may read the key store",
            code="custody.permissions",
            at={"file": path.name},
            remedy="chmod 700 the folder and 600 its files, then rotate the keys",
            ja="鍵ストアの権限がゆるすぎます",
        )


def sync_file(path: Path) -> None:
    """Force what was written to ``path`` onto the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(path: Path) -> None:
    """Force the names in a folder (creations, renames) onto the disk."""
    sync_file(path)


def take_lock(handle: int, name: str, *, shared: bool = False) -> bool:
    """Take a lock on an open file at once; False where another process holds it.

    Args:
        name: of the file, as the error's coordinate.

    Raises:
        CustodyError: the system could not say (``custody.locks`` where the file system has no locks): that the lock
            is held, or free, does not follow from it.
    """
    with storage_errors(name):
        try:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def is_locked(path: Path) -> bool:
    """Whether some process holds an exclusive lock on a file; not where there is no such file.

    Raises:
        CustodyError: nobody can say: the file may not be opened, or as :func:`take_lock`.
    """
    with storage_errors(path.name):
        try:
            handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except (FileNotFoundError, NotADirectoryError):
            return False
    try:
        return not take_lock(handle, path.name, shared=True)
    finally:
        os.close(handle)


@contextmanager
def locked(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold an exclusive lock on the file ``path`` (made when absent) among all processes of this machine.

    Raises:
        BlockingIOError: another process holds it, without ``wait``.
        CustodyError: the file system has no locks (``custody.locks``), or the disk refuses (``custody.*``).
    """
    with storage_errors(path.name):
        private_folder(path.parent)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE_FILE)
    try:
        if wait:
            with storage_errors(path.name):
                fcntl.flock(handle, fcntl.LOCK_EX)
        elif not take_lock(handle, path.name):
            raise BlockingIOError(errno.EAGAIN, "another process holds the lock")
        yield
    finally:
        os.close(handle)


@contextmanager
def held_folder(place: Path, prefix: str, mode: int = PRIVATE_FOLDER) -> Iterator[Path]:
    """A new folder ``prefix…`` in ``place``, locked until the block ends: :func:`drop_abandoned` leaves it alone.

    The lock is the system's, so containers that share the disk of one machine see it, where a process id of another
    container says nothing. What still has its name at the end is removed; what was renamed away stays.
    """
    place.mkdir(parents=True, exist_ok=True, mode=PRIVATE_FOLDER)
    handle = None
    while handle is None:
        folder = place / f"{prefix}{secrets.token_hex(8)}"
        folder.mkdir(mode=mode)
        handle = _folder_locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)


def drop_abandoned(paths: Iterable[Path]) -> None:
    """Take away what :func:`held_folder` made, or an older version in its place, for a process that is gone.

    What belongs to another user stays: `kobe doctor` counts it.
    """
    for path in paths:
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        elif path.stat().st_uid != os.geteuid():
            continue
        elif (handle := _folder_locked(path)) is not None:
            shutil.rmtree(path, ignore_errors=True)
            os.close(handle)


def _folder_locked(folder: Path) -> int | None:
    """The locked handle of a folder; None where another process holds it, or took it away meanwhile."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        if take_lock(handle, folder.name) and os.path.samestat(os.fstat(handle), folder.stat()):
            return handle
    except FileNotFoundError:
        pass
    except CustodyError:
        os.close(handle)
        raise
    os.close(handle)
    return None
