"""The bytes of event files in text: read plain or compressed, whole or cut; written under no name until complete."""

import contextlib
import io
import mmap
import os
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..checks import check_output

#: Extensions of compressed files, and how such files begin.
COMPRESSIONS = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".xz": b"\xfd7zXZ\x00"}
_BLOCK = 1 << 20
#: Beyond this level gzip takes twice the time for a file smaller by a twentieth: most digits are noise.
_GZIP_LEVEL = 4


class CutFileError(OSError):
    """A file ends before its last event does; `n_complete` events came before."""

    def __init__(self, message: str, n_complete: int) -> None:
        super().__init__(message)
        self.n_complete = n_complete


class BrokenEventError(ValueError):
    """An event cannot be parsed; `n_complete` events came before."""

    def __init__(self, message: str, n_complete: int) -> None:
        super().__init__(message)
        self.n_complete = n_complete


class Source(io.RawIOBase):
    """The bytes of a file on their way to a parser: keeps their end, counts a marker, remembers where damage began.

    Parameters
    ----------
    path
        File, compressed or not, whatever its name.
    marker
        What begins an event; `n_markers` are found in what was read.

    Raises
    ------
    FileNotFoundError, OSError
        If there is no such file, or it cannot be read.
    """

    def __init__(self, path: Path, marker: bytes) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file")
        with errors_of(path, "cannot be read"):
            self._file = path.open("rb")
            begin = self._file.read(8)
        self._file.seek(0)
        self._source = _decompressed(self._file, begin)
        self._marker = marker
        self.n_markers = 0
        self.tail = b""
        self.failure = ""

    def readable(self) -> bool:
        """Return True, as parsers ask."""
        return True

    def readinto(self, buffer: Any, /) -> int:
        """Fill the buffer and return the number of bytes; a damaged file ends where the damage begins."""
        try:
            data: bytes = self._source.read(len(buffer))
        except _damages() as error:
            self.failure = str(error)
            return 0
        overlap = self.tail[-len(self._marker) + 1 :] if len(self._marker) > 1 else b""
        self.n_markers += (overlap + data).count(self._marker)
        self.tail = (self.tail + data)[-128:]
        buffer[: len(data)] = data
        return len(data)

    def head(self) -> bytes:
        """Return the first bytes, without taking them from the parser."""
        try:
            data: bytes = self._source.read(1024)
            self._source.seek(0)
        except _damages() as error:
            self.failure = str(error)
            return b""
        return data

    def drain(self) -> None:
        """Read what the parser left."""
        while self.read(_BLOCK):
            pass

    def __exit__(self, *_: object) -> None:
        """Leave the file open: a parser must not close what it was lent."""

    def close(self) -> None:
        """Close the file."""
        self._source.close()
        self._file.close()
        super().close()


def _decompressed(file: Any, begin: bytes) -> Any:
    if begin.startswith(COMPRESSIONS[".gz"]):
        import gzip

        return gzip.GzipFile(fileobj=file)
    if begin.startswith(COMPRESSIONS[".bz2"]):
        import bz2

        return bz2.BZ2File(file)
    if begin.startswith(COMPRESSIONS[".xz"]):
        import lzma

        return lzma.LZMAFile(file)
    return file


def _compressed(file: Any, suffix: str) -> Any:
    if suffix == ".gz":
        import gzip

        return gzip.GzipFile(filename="", mode="wb", fileobj=file, compresslevel=_GZIP_LEVEL, mtime=0)
    if suffix == ".bz2":
        import bz2

        return bz2.BZ2File(file, "wb")
    if suffix == ".xz":
        import lzma

        return lzma.LZMAFile(file, "wb", preset=1)
    return contextlib.nullcontext(file)


def _damages() -> tuple[type[Exception], ...]:
    """Return what the decompressors raise for damaged files."""
    import lzma

    return EOFError, OSError, zlib.error, lzma.LZMAError


class Draft:
    """A text file in the making, whose head is known last.

    The body grows in a file without a name, which vanishes with the process. `finish` copies head and body to a hidden
    file beside `path`, compressed if the extension says so, and gives it its name: nothing half-written is ever seen.
    The bytes depend on the text alone: no time stamps.

    Raises
    ------
    FileExistsError
        If the file exists and `overwrite` is false.
    OSError
        If the folder does not exist or cannot be written.
    """

    def __init__(self, path: Path, *, overwrite: bool) -> None:
        check_output(path, overwrite=overwrite)
        self.path = path
        self.size = 0
        self._overwrite = overwrite
        with errors_of(path, "cannot be written"):
            self._body = tempfile.TemporaryFile(dir=path.absolute().parent)  # noqa: SIM115 - closed by close()

    def write(self, data: bytes) -> None:
        """Add to the body."""
        with errors_of(self.path, "cannot be written"):
            self._body.write(data)
        self.size += len(data)

    def patch(self, positions: Sequence[int], texts: Sequence[bytes]) -> None:
        """Put texts into the body in place of as many bytes."""
        if not positions:
            return
        with errors_of(self.path, "cannot be written"):
            self._body.flush()
            with mmap.mmap(self._body.fileno(), 0) as view:
                for position, text in zip(positions, texts):
                    view[position : position + len(text)] = text

    def finish(self, head: bytes) -> None:
        """Write the head and the body, and give the file its name."""
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}.partial")
        try:
            with errors_of(self.path, "cannot be written"):
                self._body.seek(0)
                with temporary.open("wb") as file, _compressed(file, self.path.suffix) as stream:
                    stream.write(head)
                    shutil.copyfileobj(self._body, stream, _BLOCK)
            check_output(self.path, overwrite=self._overwrite)
            with errors_of(self.path, "cannot be written"):
                temporary.replace(self.path)
        finally:
            temporary.unlink(missing_ok=True)
            self.close()

    def close(self) -> None:
        """Forget what was written."""
        self._body.close()


@contextlib.contextmanager
def errors_of(path: Path, what: str) -> Iterator[None]:
    """Turn what the system says into one line that names the file."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{path}: {what} ({error.strerror or error})") from None
