"""Calorimeter: energy and position of photons, acceptance and crack, deposits of muons, neutral pions and etas."""

import math
from functools import partial

import numpy as np

from ...arrays import Floats
from ..check import Check, Line, Plot, Result
from .bench import Bench, Shots, first_entries
from .decays import two_photons
from .estimators import core_width, estimate, half_maximum_width, half_width, mode, share
from .momentum import binned

TOPIC = "calorimeter"
_N = 120_000
_POINTS = 24_000
_ENERGIES = (0.1, 0.2, 0.5, 1.0, 1.5, 1.843)


def checks(bench: Bench) -> list[Check]:
    """Return the checks of this topic."""
    return [
        Check(TOPIC, "energy", partial(_energy, bench)),
        Check(TOPIC, "position", partial(_position, bench)),
        Check(TOPIC, "acceptance", partial(_acceptance, bench)),
        Check(TOPIC, "minimum ionising", partial(_ionising, bench)),
        Check(TOPIC, "neutral mesons", partial(_mesons, bench)),
    ]


def largest_shower(shots: Shots) -> Floats:
    """Return the largest shower of the first particle of every event: its energy [GeV], 0 without one."""
    record = shots.record
    row = np.repeat(np.arange(record.n_events), np.diff(record.shower_offsets))
    energy = np.zeros(record.n_events)
    of = record.shower_truth == 0
    np.maximum.at(energy, row[of], record.shower_energy[of])
    return energy


def _energy(bench: Bench) -> Result:
    rows, lines = [], []
    plot = Plot(
        "calorimeter", "energy of photons, FWHM / 2.355", r"$E$ [GeV]", r"$\sigma_E/E$ [%]", y_range=(0.0, 14.0)
    )
    for region, cosine in (("barrel", bench.barrel()), ("endcap", bench.endcap())):
        for energy in _ENERGIES:
            shots = bench.shoot(f"photon {region} {energy}", 22, _N if energy == 1.0 else _POINTS, energy, cosine)
            measured = largest_shower(shots)
            relative = measured[measured > 0.0] / energy
            value, error = estimate(half_maximum_width, 100.0 * relative)
            lines.append(Line(plot, region, np.array([energy]), np.array([value]), np.array([error])))
            if energy == 1.0:
                rows.append(bench.targets.row(f"energy_{region}", value, error))
                rows.append(bench.targets.row(f"energy_half_{region}", *estimate(half_width, 100.0 * relative)))
                rows.append(bench.targets.row(f"energy_peak_{region}", *estimate(mode, relative)))
            elif region == "barrel" and energy in (0.1, 0.5, 1.843):
                rows.append(bench.targets.row(f"energy_barrel_{energy:g}", value, error))
    return Result(rows, [], lines)


def _position(bench: Bench) -> Result:
    """Return the resolution across the line of sight at the front of the barrel, from the azimuth."""
    rows = []
    for key, energy in (("position_1", 1.0), ("position_1843", 1.843)):
        shots = bench.shoot(key, 22, _N, energy, (-0.5, 0.5), {"beam.spot": (0.0, 0.0, 0.0)})
        events = shots.events
        row = first_entries(events.photon_offsets, events.photon_truth)
        seen = np.flatnonzero(row >= 0)
        true = np.arctan2(shots.truth.py, shots.truth.px)[shots.truth.offsets[:-1][seen]]
        turn = np.angle(np.exp(1j * (events.photon_phi[row[seen]] - true)))
        size = 10.0 * bench.card.emc.barrel.front_radius * turn
        rows.append(bench.targets.row(key, *estimate(core_width, size)))
    return Result(rows, [])


def _acceptance(bench: Bench) -> Result:
    shots = bench.shoot("acceptance", 22, 2 * _N, 1.0, (-1.0, 1.0))
    seen = largest_shower(shots) > 0.5
    photon = first_entries(shots.events.photon_offsets, shots.events.photon_truth)
    good = (photon >= 0) & shots.events.photon_good[np.maximum(photon, 0)] if len(shots.events.photon_good) else seen
    cosine = np.abs(shots.true_cosine())
    crack = bench.card.emc.barrel.cos_max, bench.card.emc.endcap.cos_range[0]
    inside = (cosine > crack[0] + 0.003) & (cosine < crack[1] - 0.003)
    rows = [
        bench.targets.row("solid_angle", *share(seen)),
        bench.targets.row("solid_angle_good", *share(good)),
        bench.targets.row("crack", *share(seen[inside])),
    ]
    plot = Plot("calorimeter", "photons of 1 GeV", r"$|\cos\theta|$", "fraction", y_range=(0.0, 1.2))
    edges = np.linspace(0.7, 1.0, 101)
    lines = [binned(plot, "measured above 0.5 GeV", cosine, seen, edges), binned(plot, "good", cosine, good, edges)]
    return Result(rows, [], lines)


def _ionising(bench: Bench) -> Result:
    rows = []
    for key, p in (("1", 1.0), ("1800", 1.8)):
        shots = bench.shoot(f"muon deposit {key}", 13, _N, p, (-0.1, 0.1))
        energy = 1e3 * largest_shower(shots)
        energy = energy[energy > 0.0]
        rows.append(bench.targets.row(f"mip_mode_{key}", *estimate(mode, energy)))
        rows.append(bench.targets.row(f"mip_fwhm_{key}", *estimate(_full_width, energy)))
    return Result(rows, [])


def _full_width(sample: Floats) -> float:
    return 2.0 * math.sqrt(2.0 * math.log(2.0)) * half_maximum_width(sample)


def _mesons(bench: Bench) -> Result:
    rows, lines = [], []
    plot = Plot("calorimeter", r"mass of two good photons", r"$m - m_{\rm true}$ [MeV]", "pairs per MeV / all")
    for name, pdg in (("pi0", 111), ("eta", 221)):
        truth = two_photons(bench.gun(f"meson {name}", pdg, _N, (0.3, 1.0), (-0.7, 0.7)), bench, name)
        shots = bench.measure(f"meson {name}", truth)
        mass = 1e3 * photon_mass(shots)
        expected = 1e3 * float(np.sqrt(np.median(pair_mass2(shots))))
        near = mass[np.abs(mass - expected) < 0.4 * expected] - expected
        rows.append(bench.targets.row(f"width_{name}", *estimate(half_maximum_width, near)))
        rows.append(bench.targets.row(f"width_half_{name}", *estimate(half_width, near)))
        edges = np.linspace(-50.0, 50.0, 51)
        content = np.histogram(near, edges)[0] / len(near) / 2.0
        lines.append(Line(plot, name, 0.5 * (edges[1:] + edges[:-1]), content))
    return Result(rows, [], lines)


def pair_mass2(shots: Shots) -> Floats:
    """Return the squared mass [GeV^2] of the first two particles of every event."""
    first, truth = shots.truth.offsets[:-1], shots.truth
    sums = [getattr(truth, name)[first] + getattr(truth, name)[first + 1] for name in ("energy", "px", "py", "pz")]
    mass2: Floats = sums[0] ** 2 - sums[1] ** 2 - sums[2] ** 2 - sums[3] ** 2
    return mass2


def photon_mass(shots: Shots) -> Floats:
    """Return the mass [GeV] of the photons of both first particles, where both are good."""
    events = shots.events
    a, b = (first_entries(events.photon_offsets, events.photon_truth, i) for i in range(2))
    both = np.flatnonzero((a >= 0) & (b >= 0))
    a, b = a[both], b[both]
    good = events.photon_good[a] & events.photon_good[b]
    a, b = a[good], b[good]
    theta, phi, energy = events.photon_theta, events.photon_phi, events.photon_energy
    cosine = np.sin(theta[a]) * np.sin(theta[b]) * np.cos(phi[a] - phi[b]) + np.cos(theta[a]) * np.cos(theta[b])
    mass: Floats = np.sqrt(np.maximum(2.0 * energy[a] * energy[b] * (1.0 - cosine), 0.0))
    return mass
