"""What travels between the rooms: flat columns of events, and the one table that says what each column is.

A jagged list (the particles of an event, its tracks, its showers) is a flat column plus `offsets` of n_events + 1
entries: entries `offsets[i]:offsets[i + 1]` belong to event i. HDF5 attributes, documentation and tests read `COLUMNS`.

Truth lives in the e+e- centre of mass (`frame = "cm"`); detector records and reconstructed events in the laboratory.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arrays import Floats as Floats
from .arrays import Ints as Ints
from .constants import HYPOTHESES

SCHEMA_VERSION = 2

#: Components of a helix (see geometry.helix): `helix[:, KAPPA]`.
D_RHO, PHI0, KAPPA, DZ, TAN_LAMBDA = range(5)
#: Components of a covariance: lower triangle by rows, element (i, j <= i) at `i * (i + 1) // 2 + j`.
HELIX_NAMES = ("d_rho", "phi0", "kappa", "dz", "tan_lambda")

#: Channels of a dilepton search, the values of the column `channel`.
CHANNELS = ("mumu", "ee")
#: Hypotheses of the kinematic fit, the second axis of the `fit_*` columns.
FIT_HYPOTHESES = ("e", "mu")


class Column(NamedTuple):
    """One column of a record: its place, its type, the shape of one entry, its unit and a sentence."""

    name: str
    table: str
    dtype: str
    shape: tuple[int, ...]
    unit: str
    sentence: str


class Table(NamedTuple):
    """One list of a record; `offsets` names the column of its boundaries, empty for a row per event."""

    name: str
    offsets: str


def _columns(table: str, *rows: tuple[str, str, tuple[int, ...], str, str]) -> tuple[Column, ...]:
    return tuple(Column(name, table, dtype, shape, unit, sentence) for name, dtype, shape, unit, sentence in rows)


_EVENT = (
    ("number", "i8", (), "", "Running number of the event in its sample, the key of its random numbers."),
    ("weight", "f8", (), "", "Event weight; 1 for unweighted events."),
    ("event_sqrt_s", "f8", (), "GeV", "Centre-of-mass energy of this event, beam-energy spread included."),
    ("process", "i4", (), "", "Index of the event's process in the scalar `processes`, separated by commas."),
)

_HYP = ", ".join(HYPOTHESES)

COLUMNS: dict[str, tuple[Column, ...]] = {
    "TruthEvents": (
        *_columns("event", *_EVENT),
        *_columns(
            "particle",
            ("pdg", "i4", (), "", "PDG Monte Carlo particle number."),
            ("status", "i4", (), "", "HepMC status: 1 final, 2 decayed, 4 beam."),
            ("parent", "i4", (), "", "Index of the parent among the particles of the event, -1 without one."),
            ("charge", "i4", (), "e", "Electric charge."),
            ("px", "f8", (), "GeV", "Momentum along x."),
            ("py", "f8", (), "GeV", "Momentum along y."),
            ("pz", "f8", (), "GeV", "Momentum along z, the direction of the electron beam in the centre of mass."),
            ("energy", "f8", (), "GeV", "Energy."),
            ("vx", "f8", (), "cm", "Production vertex along x, relative to the interaction point of the event."),
            ("vy", "f8", (), "cm", "Production vertex along y, relative to the interaction point of the event."),
            ("vz", "f8", (), "cm", "Production vertex along z, relative to the interaction point of the event."),
            ("t", "f8", (), "ns", "Production time relative to the collision."),
        ),
    ),
    "DetectorRecord": (
        *_columns("event", *_EVENT),
        *_columns(
            "track",
            ("track_truth", "i4", (), "", "Index of the particle among the particles of its truth event."),
            ("helix", "f8", (5,), "cm, rad, c/GeV, cm, 1", "Measured helix (d_rho, phi0, kappa, dz, tan_lambda)."),
            (
                "covariance",
                "f8",
                (15,),
                "products of the helix units",
                "Covariance of the helix: lower triangle by rows, element (i, j) at i(i+1)/2 + j.",
            ),
            ("n_hits", "i4", (), "", "Hits of the track in the drift chamber."),
            ("dedx", "f8", (), "", "Truncated mean of dE/dx over its value on the relativistic plateau."),
            ("tof", "f8", (), "ns", "Time of flight measured from the event time; NaN without a signal."),
            (
                "tof_path",
                "f8",
                (),
                "cm",
                "Path length of the measured helix to the counter; NaN if none.",
            ),
            ("tof_sigma", "f8", (), "ns", "Resolution of the time of flight."),
            ("muc_depth", "f8", (), "cm", "Iron crossed in the muon counter up to the last layer hit; NaN outside."),
            ("muc_layers", "i4", (), "", "Layers of the muon counter with a hit."),
            (
                "track_status",
                "i4",
                (),
                "",
                "Sum of flags: 1 curls in the chamber, 2 begins away from the beam line, 4 ends in the chamber, 8 has "
                "a stand-in covariance.",
            ),
            ("muc_residual", "f8", (), "cm", "Distance between extrapolated track and hits there; NaN without a hit."),
        ),
        *_columns(
            "shower",
            ("shower_truth", "i4", (), "", "Index of the particle among the particles of its truth event, -1: noise."),
            ("shower_energy", "f8", (), "GeV", "Measured energy of the shower."),
            ("shower_theta", "f8", (), "rad", "Polar angle of the shower seen from the origin."),
            ("shower_phi", "f8", (), "rad", "Azimuth of the shower seen from the origin."),
            ("shower_time", "f8", (), "ns", "Time of the shower relative to a photon from the interaction."),
            ("shower_energy_sigma", "f8", (), "GeV", "Resolution of the energy."),
            ("shower_theta_sigma", "f8", (), "rad", "Resolution of the polar angle."),
            ("shower_phi_sigma", "f8", (), "rad", "Resolution of the azimuth."),
            ("shower_e3x3_over_e5x5", "f8", (), "", "Energy in 3 x 3 crystals over that in 5 x 5."),
            ("shower_second_moment", "f8", (), "cm^2", "Mean squared distance of the energy from the shower's centre."),
        ),
    ),
    "RecoEvents": (
        *_columns(
            "event",
            *_EVENT,
            ("net_charge", "i4", (), "e", "Sum of the charges of all tracks."),
            ("n_good", "i4", (), "", "Number of good charged tracks."),
            ("fit_status", "i4", (2,), "", "Status of the one-constraint fit (0: converged) as (e, mu) pair."),
            ("fit_chi2", "f8", (2,), "", "Chi2 of the one-constraint fit with a missing photon, for (e, mu) pairs."),
            ("fit_mass", "f8", (2,), "GeV", "Invariant mass of the two tracks after the fit, for (e, mu) pairs."),
            (
                "fit_theta_gamma",
                "f8",
                (2,),
                "rad",
                "Polar angle of the fitted photon in the centre of mass, for (e, mu) pairs.",
            ),
            (
                "fit_momentum",
                "f8",
                (12,),
                "GeV",
                "Fitted laboratory momenta (px, py, pz) of track 1 and 2 as e, then of track 1 and 2 as mu.",
            ),
        ),
        *_columns(
            "track",
            ("track_truth", "i4", (), "", "Index of the particle among the particles of its truth event."),
            ("charge", "i4", (), "e", "Sign of kappa."),
            ("good", "?", (), "", "Good charged track: closest approach and polar angle within the conventions."),
            ("poca_r", "f8", (), "cm", "Distance of closest approach to the beam line."),
            ("poca_z", "f8", (), "cm", "Position of the closest approach along z."),
            ("px", "f8", (), "GeV", "Momentum at closest approach along x."),
            ("py", "f8", (), "GeV", "Momentum at closest approach along y."),
            ("pz", "f8", (), "GeV", "Momentum at closest approach along z."),
            ("helix", "f8", (5,), "cm, rad, c/GeV, cm, 1", "Helix at the point of closest approach to the origin."),
            ("covariance", "f8", (15,), "products of the helix units", "Covariance of the helix, lower triangle."),
            ("chi2", "f8", (5,), "", f"Sum over the systems used of chi2 for the hypotheses ({_HYP})."),
            ("n_systems", "i4", (), "", "Number of systems (dE/dx, TOF, EMC, MUC) used, the same for all hypotheses."),
            ("probability", "f8", (5,), "", f"Chi2 probability for the hypotheses ({_HYP})."),
            ("shower", "i4", (), "", "Index of the matched shower among the showers of the event, -1: none."),
            ("e_over_p", "f8", (), "c", "Energy of the matched shower over the momentum; 0 without a shower."),
            ("e3x3_over_e5x5", "f8", (), "", "Energy in 3 x 3 crystals over that in 5 x 5; NaN without a shower."),
            ("second_moment", "f8", (), "cm^2", "Second moment of the matched shower; NaN without a shower."),
            ("muc_depth", "f8", (), "cm", "Iron crossed in the muon counter up to the last layer hit; NaN outside."),
            ("muc_match_chi2", "f8", (), "", "Chi2 of the distance to the hits there, two degrees of freedom."),
            ("muc_fraction", "f8", (), "", "Fraction of the muons of this momentum that get no deeper; NaN outside."),
            ("muon", "?", (), "", "Identified muon: depth and distance to the hits within the conventions."),
        ),
        *_columns(
            "photon",
            ("photon_truth", "i4", (), "", "Index of the particle among the particles of its truth event, -1: noise."),
            ("photon_energy", "f8", (), "GeV", "Energy of a shower without a track."),
            ("photon_theta", "f8", (), "rad", "Polar angle of the photon."),
            ("photon_phi", "f8", (), "rad", "Azimuth of the photon."),
            ("photon_good", "?", (), "", "Good photon by the experiment's conventions."),
            ("photon_time", "f8", (), "ns", "Time relative to a photon from the interaction."),
            ("photon_energy_sigma", "f8", (), "GeV", "Resolution of the energy."),
            ("photon_theta_sigma", "f8", (), "rad", "Resolution of the polar angle."),
            ("photon_phi_sigma", "f8", (), "rad", "Resolution of the azimuth."),
            ("photon_e3x3_over_e5x5", "f8", (), "", "Energy in 3 x 3 crystals over that in 5 x 5."),
            ("photon_second_moment", "f8", (), "cm^2", "Mean squared distance of the energy from the photon's centre."),
        ),
    ),
    "SelectedEvents": _columns(
        "event",
        *_EVENT,
        ("channel", "i4", (), "", "Channel of the selection: 0 mumu, 1 ee."),
        ("mass", "f8", (), "GeV", "Invariant mass of the lepton pair after the one-constraint fit."),
        ("fit_chi2", "f8", (), "", "Chi2 of the one-constraint fit."),
        ("theta_gamma", "f8", (), "rad", "Polar angle of the fitted photon in the centre of mass."),
    ),
}

TABLES: dict[str, tuple[Table, ...]] = {
    "TruthEvents": (Table("event", ""), Table("particle", "offsets")),
    "DetectorRecord": (Table("event", ""), Table("track", "track_offsets"), Table("shower", "shower_offsets")),
    "RecoEvents": (Table("event", ""), Table("track", "track_offsets"), Table("photon", "photon_offsets")),
    "SelectedEvents": (Table("event", ""),),
}

#: Scalars of a sample, carried by every record: name -> sentence.
SCALARS = {
    "processes": "Names of the processes of the sample, separated by commas.",
    "frame": "Frame of the momenta, 'cm' or 'lab'.",
    "sqrt_s": "Nominal centre-of-mass energy [GeV].",
    "cross_section": "Cross section within the generator cuts [nb]; NaN where unknown.",
    "cross_section_error": "Statistical error of the cross section [nb].",
    "seed": "Seed of the sample's random numbers, as text; empty for external events.",
    "provenance": "JSON text: what made this record, in order.",
}


class TruthEvents(NamedTuple):
    """Generated events: final-state (and, from files, decayed) particles in the e+e- centre of mass."""

    number: Ints
    weight: Floats
    event_sqrt_s: Floats
    process: NDArray[np.int32]
    offsets: Ints
    pdg: NDArray[np.int32]
    status: NDArray[np.int32]
    parent: NDArray[np.int32]
    charge: NDArray[np.int32]
    px: Floats
    py: Floats
    pz: Floats
    energy: Floats
    vx: Floats
    vy: Floats
    vz: Floats
    t: Floats
    processes: str = ""
    frame: str = "cm"
    sqrt_s: float = float("nan")
    cross_section: float = float("nan")
    cross_section_error: float = float("nan")
    seed: str = ""
    provenance: str = "[]"

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.number)

    def to_awkward(self) -> Any:
        """Return the events as an awkward array over the same memory; `particle` behaves as vector Momentum4D."""
        return record_to_awkward(self)


class DetectorRecord(NamedTuple):
    """What the detector measured: tracks with their counters, and calorimeter showers, in the laboratory."""

    number: Ints
    weight: Floats
    event_sqrt_s: Floats
    process: NDArray[np.int32]
    track_offsets: Ints
    track_truth: NDArray[np.int32]
    helix: Floats
    covariance: Floats
    n_hits: NDArray[np.int32]
    dedx: Floats
    tof: Floats
    tof_path: Floats
    tof_sigma: Floats
    muc_depth: Floats
    muc_layers: NDArray[np.int32]
    track_status: NDArray[np.int32]
    muc_residual: Floats
    shower_offsets: Ints
    shower_truth: NDArray[np.int32]
    shower_energy: Floats
    shower_theta: Floats
    shower_phi: Floats
    shower_time: Floats
    shower_energy_sigma: Floats
    shower_theta_sigma: Floats
    shower_phi_sigma: Floats
    shower_e3x3_over_e5x5: Floats
    shower_second_moment: Floats
    processes: str = ""
    frame: str = "lab"
    sqrt_s: float = float("nan")
    cross_section: float = float("nan")
    cross_section_error: float = float("nan")
    seed: str = ""
    provenance: str = "[]"

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.number)

    def to_awkward(self) -> Any:
        """Return the record as an awkward array over the same memory."""
        return record_to_awkward(self)


class RecoEvents(NamedTuple):
    """Reconstructed events: tracks with particle identification, photons and the one-constraint fits."""

    number: Ints
    weight: Floats
    event_sqrt_s: Floats
    process: NDArray[np.int32]
    net_charge: NDArray[np.int32]
    n_good: NDArray[np.int32]
    fit_status: NDArray[np.int32]
    fit_chi2: Floats
    fit_mass: Floats
    fit_theta_gamma: Floats
    fit_momentum: Floats
    track_offsets: Ints
    track_truth: NDArray[np.int32]
    charge: NDArray[np.int32]
    good: NDArray[np.bool_]
    poca_r: Floats
    poca_z: Floats
    px: Floats
    py: Floats
    pz: Floats
    helix: Floats
    covariance: Floats
    chi2: Floats
    n_systems: NDArray[np.int32]
    probability: Floats
    shower: NDArray[np.int32]
    e_over_p: Floats
    e3x3_over_e5x5: Floats
    second_moment: Floats
    muc_depth: Floats
    muc_match_chi2: Floats
    muc_fraction: Floats
    muon: NDArray[np.bool_]
    photon_offsets: Ints
    photon_truth: NDArray[np.int32]
    photon_energy: Floats
    photon_theta: Floats
    photon_phi: Floats
    photon_good: NDArray[np.bool_]
    photon_time: Floats
    photon_energy_sigma: Floats
    photon_theta_sigma: Floats
    photon_phi_sigma: Floats
    photon_e3x3_over_e5x5: Floats
    photon_second_moment: Floats
    processes: str = ""
    frame: str = "lab"
    sqrt_s: float = float("nan")
    cross_section: float = float("nan")
    cross_section_error: float = float("nan")
    seed: str = ""
    provenance: str = "[]"

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.number)

    def to_awkward(self) -> Any:
        """Return the events as an awkward array over the same memory; `track` behaves as vector Momentum3D."""
        return record_to_awkward(self)


class SelectedEvents(NamedTuple):
    """Events that passed a selection, one row per event, and the cutflow that led there."""

    number: Ints
    weight: Floats
    event_sqrt_s: Floats
    process: NDArray[np.int32]
    channel: NDArray[np.int32]
    mass: Floats
    fit_chi2: Floats
    theta_gamma: Floats
    processes: str = ""
    frame: str = "lab"
    sqrt_s: float = float("nan")
    cross_section: float = float("nan")
    cross_section_error: float = float("nan")
    seed: str = ""
    provenance: str = "[]"

    @property
    def n_events(self) -> int:
        """Number of events."""
        return len(self.number)

    def to_awkward(self) -> Any:
        """Return the events as an awkward array over the same memory."""
        return record_to_awkward(self)


Record = TruthEvents | DetectorRecord | RecoEvents | SelectedEvents
RECORDS: dict[str, type[Record]] = {
    cls.__name__: cls for cls in (TruthEvents, DetectorRecord, RecoEvents, SelectedEvents)
}


def empty_columns(kind: str, table: str, n: int) -> dict[str, NDArray[Any]]:
    """Return new columns of one table, by name; (n, k) columns are stored component by component (Fortran order)."""
    return {
        column.name: np.empty((n, *column.shape), dtype=column.dtype, order="F")
        for column in COLUMNS[kind]
        if column.table == table
    }


def empty_record(kind: str) -> Any:
    """Return a record of no events."""
    parts: dict[str, Any] = {}
    for table in TABLES[kind]:
        if table.offsets:
            parts[table.offsets] = np.zeros(1, dtype=np.int64)
        parts.update(empty_columns(kind, table.name, 0))
    return RECORDS[kind](**parts)


def concatenate(records: list[Any]) -> Any:
    """Return one record of several of the same kind, in order; scalars are those of the last.

    Running totals, such as the cross section of a file that is read piece by piece, are complete in the last part.
    """
    kind = type(records[0]).__name__
    parts: dict[str, Any] = {}
    for table in TABLES[kind]:
        if table.offsets:
            parts[table.offsets] = _joined_offsets([getattr(record, table.offsets) for record in records])
    for column in COLUMNS[kind]:
        total = sum(len(getattr(record, column.name)) for record in records)
        joined = np.empty((total, *column.shape), dtype=column.dtype, order="F")
        parts[column.name] = np.concatenate([getattr(record, column.name) for record in records], out=joined)
    return records[-1]._replace(**parts)


def _joined_offsets(offsets: list[Ints]) -> Ints:
    lengths = np.concatenate([np.diff(part) for part in offsets])
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)])


def select_events(record: Any, start: int, stop: int) -> Any:
    """Return events start:stop of a record, as views of its columns."""
    kind = type(record).__name__
    parts: dict[str, Any] = {}
    bounds = {"event": slice(start, stop)}
    for table in TABLES[kind]:
        if table.offsets:
            offsets = getattr(record, table.offsets)[start : stop + 1]
            bounds[table.name] = slice(int(offsets[0]), int(offsets[-1]))
            parts[table.offsets] = offsets - offsets[0]
    for column in COLUMNS[kind]:
        parts[column.name] = getattr(record, column.name)[bounds[column.table]]
    return record._replace(**parts)


def take_events(record: Any, chosen: Ints) -> Any:
    """Return the chosen events of a record, in that order, as copies."""
    kind = type(record).__name__
    parts: dict[str, Any] = {}
    rows = {"event": chosen}
    for table in TABLES[kind]:
        if table.offsets:
            offsets = getattr(record, table.offsets)
            counts = np.diff(offsets)[chosen]
            own = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts, dtype=np.int64)])
            rows[table.name] = np.repeat(offsets[chosen] - own[:-1], counts) + np.arange(own[-1])
            parts[table.offsets] = own
    for column in COLUMNS[kind]:
        parts[column.name] = np.take(getattr(record, column.name).T, rows[column.table], axis=-1).T
    return record._replace(**parts)


# vector reads a field t as the time component of the momentum
_AWKWARD_NAMES = {"t": "vt"}
_VECTORS: dict[tuple[str, str], str] = {
    ("TruthEvents", "particle"): "Momentum4D",
    ("RecoEvents", "track"): "Momentum3D",
}


def record_to_awkward(record: Any) -> Any:
    """Return a record as an awkward array of events that shares the record's memory.

    Lists carry vector behaviours: `array.particle.mass` for truth, `array.track.pt` for reconstructed events. The
    production time `t` is called `vt` there, since vector takes `t` for an energy.
    """
    import awkward as ak
    import vector

    vector.register_awkward()
    kind = type(record).__name__
    contents: list[Any] = []
    names: list[str] = []
    for table in TABLES[kind]:
        fields = [column.name for column in COLUMNS[kind] if column.table == table.name]
        arrays = [ak.contents.NumpyArray(getattr(record, name)) for name in fields]
        if not table.offsets:
            contents += arrays
            names += fields
            continue
        prefix = f"{table.name}_"
        labels = [_AWKWARD_NAMES.get(name, name.removeprefix(prefix)) for name in fields]
        behaviour = _VECTORS.get((kind, table.name))
        inner = ak.contents.RecordArray(arrays, labels, parameters={"__record__": behaviour} if behaviour else None)
        offsets = ak.index.Index64(getattr(record, table.offsets))
        contents.append(ak.contents.ListOffsetArray(offsets, inner))
        names.append(table.name)
    return ak.Array(ak.contents.RecordArray(contents, names))
