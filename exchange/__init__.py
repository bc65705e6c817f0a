"""Event files of this and other programs: read, recognised by content; written, in the format of the extension.

HDF5 (`store`) keeps everything; HepMC3 and LHE are what other programs understand (`hepmc3`, `lhe`, and their writers).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .. import store
from ..event import Floats, Record, TruthEvents, concatenate
from .external import Chunk, EventFile, ExternalReader
from .hepmc3 import Hepmc3File
from .hepmc3_writer import Hepmc3Writer
from .lhe import BEGIN, LheFile
from .lhe_writer import LheWriter
from .read_options import ReadOptions
from .streams import COMPRESSIONS, Source
from .text_writer import TextWriter

#: Extensions of the files of this package.
HDF5 = (".h5", ".hdf5")
_TEXT: dict[str, type[TextWriter]] = {".hepmc3": Hepmc3Writer, ".hepmc": Hepmc3Writer, ".lhe": LheWriter}


def read(path: str | Path, **options: Any) -> Record:
    """Return the events of a file: HDF5 of this package, or HepMC3 and LHE with the options of `read_external`."""
    if store.is_hdf5(path):
        _refuse_options(path, options)
        return store.read(path)
    return read_external(path, **options)


def read_truth(path: str | Path, **options: Any) -> TruthEvents:
    """Return the events of a file as `read` does; ValueError if it holds anything but truth."""
    return _truth(read(path, **options), path)


def iterate(path: str | Path, chunk: int = store.CHUNK, **options: Any) -> Iterator[Record]:
    """Yield the events of a file as `read` returns them, `chunk` at a time."""
    if store.is_hdf5(path):
        _refuse_options(path, options)
        return store.iterate(path, chunk)
    return iterate_external(path, chunk, **options)


def iterate_weighted(path: str | Path, chunk: int = store.CHUNK, **options: Any) -> Iterator[Chunk]:
    """Yield truth events of a file, `chunk` at a time, with all their named weights, that of the record first."""
    if not store.is_hdf5(path):
        yield from _reader(path, chunk, options).chunks(chunk)
        return
    _refuse_options(path, options)
    for record in store.iterate(path, chunk):
        truth = _truth(record, path)
        yield Chunk(truth, {"weight": truth.weight})


def _truth(record: Record, path: str | Path) -> TruthEvents:
    if not isinstance(record, TruthEvents):
        raise ValueError(f"{path}: holds {type(record).__name__}, must be TruthEvents, HepMC3 or LHE")
    return record


def _refuse_options(path: str | Path, options: dict[str, Any]) -> None:
    if options:
        raise TypeError(f"{path}: {', '.join(options)} can be given for HepMC3 and LHE files only")


def read_external(path: str | Path, **options: Any) -> TruthEvents:
    """Return the events of a HepMC3 or LHE file, plain or compressed (gzip, bzip2, xz).

    Events are numbered 0, 1, ... in the order of the file; those of a file of this package keep their numbers.

    Parameters
    ----------
    path
        File to read.
    frame : "cm" | "lab" | None
        Frame of the momenta in the file. None: "lab" if the beam momenta of the first event do not cancel. Events of
        the laboratory are boosted by their own beams' momentum, so that truth lives in the centre of mass.
    weight : str | int | None
        Which of the event weights to take, by name or index; None: the first, for LHE that of the event line, XWGTUP.
        Without weights: 1.
    cross_section, cross_section_error : float | None
        Cross section of the sample [nb]; None: what GenCrossSection of the last event or XSECUP says, else NaN.
    tries : int | None
        Number of points the generator tried. The weights are then cross sections (HepMC3: in nb, LHE: in pb), and
        sigma = sum(w) / tries.
    process : str | None
        Name of the process. None: "external" (one name per process of an LHE file with several: "external_" and its
        LPRUP); files of this package know their processes.
    sqrt_s : float | None
        Nominal centre-of-mass energy [GeV]; None: that of the beams in <init> of LHE, or of the first event's beams.
    beams : "event" | "init"
        Beams of the events: the incoming particles of each, or (LHE only) those of <init>, where radiation from the
        beams is left out of the events.
    keep_complete : bool
        Whether a file that is cut off or has a damaged event gives the events before, with a UserWarning that counts
        them, in place of an error; the provenance says so.

    Raises
    ------
    FileNotFoundError, OSError
        If there is no such file, or it is cut off.
    TypeError, ValueError
        If an option is unknown or out of range; if the file is neither HepMC3 nor LHE, or an event cannot be parsed,
        has not two beams, a momentum that is not finite or a particle of unknown charge.
    """
    events: TruthEvents = concatenate(list(iterate_external(path, **options)))
    return events


def iterate_external(path: str | Path, chunk: int = store.CHUNK, **options: Any) -> Iterator[TruthEvents]:
    """Yield the events of a HepMC3 or LHE file, `chunk` at a time; options as for `read_external`.

    Totals (the cross section, the number of negative weights) are complete in the last record only.
    """
    return (one.truth for one in _reader(path, chunk, options).chunks(chunk))


def _reader(path: str | Path, chunk: int, options: dict[str, Any]) -> ExternalReader:
    if chunk < 1:
        raise ValueError(f"chunk = {chunk}, must be at least 1")
    path, checked = Path(path), ReadOptions(**options)
    file: EventFile = LheFile(path, checked) if is_lhe(path) else Hepmc3File(path, checked)
    return ExternalReader(file, checked)


def is_lhe(path: str | Path) -> bool:
    """Return whether a file begins as LHE files do, compressed or not."""
    source = Source(Path(path), b"<event")
    try:
        return BEGIN in source.head()
    finally:
        source.close()


def writer(path: str | Path, *, overwrite: bool = False) -> store.Writer | TextWriter:
    """Return a writer of truth events, chunk by chunk, in the format that the extension says.

    `.h5` and `.hdf5` are HDF5 of this package; `.hepmc3` and `.hepmc` are HepMC3, `.lhe` is LHE, each also with `.gz`,
    `.bz2` or `.xz`. The file appears when the writer is closed, complete; used in a `with` block that fails, it never
    does.

    Raises
    ------
    ValueError
        If the extension is another.
    FileExistsError, OSError
        If the file exists and `overwrite` is false, or it cannot be written.
    """
    kind = output_kind(path)
    if kind in HDF5:
        return store.Writer(path, "TruthEvents", overwrite=overwrite)
    return _TEXT[kind](path, overwrite=overwrite)


def output_kind(path: str | Path) -> str:
    """Return the extension that says in which format a file is to be written, without that of a compression."""
    suffixes = Path(path).suffixes
    packed = bool(suffixes) and suffixes[-1] in COMPRESSIONS
    kind = suffixes[-2] if packed and len(suffixes) > 1 else suffixes[-1] if suffixes else ""
    if kind not in _TEXT and (packed or kind not in HDF5):
        allowed = f"{', '.join(HDF5)}, or {', '.join(_TEXT)} with or without {', '.join(COMPRESSIONS)}"
        raise ValueError(f"{path}: the extension says no format, must be {allowed}")
    return kind


def write(
    path: str | Path, record: Record, *, overwrite: bool = False, weights: dict[str, Floats] | None = None
) -> None:
    """Write a record as one file: truth events in the format of the extension (see `writer`), others as HDF5.

    Parameters
    ----------
    weights
        All named weights of the events, the first being that of the record; HepMC3 and LHE keep them, HDF5 that of the
        record alone.
    """
    if not isinstance(record, TruthEvents):
        if any(suffix in _TEXT for suffix in Path(path).suffixes):
            raise TypeError(
                f"{path}: {type(record).__name__} can be written as HDF5 only, TruthEvents as {list(_TEXT)}"
            )
        store.write(path, record, overwrite=overwrite)
        return
    with writer(path, overwrite=overwrite) as file:
        append(file, Chunk(record, {"weight": record.weight} if weights is None else weights))


def append(file: store.Writer | TextWriter, chunk: Chunk) -> None:
    """Add events to a file, with all their weights where its format has them."""
    if isinstance(file, TextWriter):
        file.append(chunk.truth, chunk.weights)
    else:
        file.append(chunk.truth)
