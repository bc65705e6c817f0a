"""The bump hunt of a search: channels made of its spectra and its simulation, the scan, and what it means globally."""

from typing import Any, NamedTuple

import numpy as np
from scipy import interpolate

from .analysis.bump_hunt.asymptotics import cls_convention, profile_convention
from .analysis.bump_hunt.channel import Channel
from .analysis.bump_hunt.look_elsewhere import GlobalSignificance, global_significance
from .analysis.bump_hunt.model import Model, build_model, mass_grid
from .analysis.bump_hunt.scan import ScanResult, scan
from .analysis.bump_hunt.templates import interpolate_shape
from .analysis.bump_hunt.toys import fitted_background, scan_toys
from .analysis.channel import LEPTONS, ChannelInput
from .analysis.search_card import BumpHuntOptions, Search
from .analysis.spectrum import Bins, Spectrum
from .arrays import Floats
from .couplings import mixing_definition_factor, mixing_factor
from .dark_photon import hadronic_ratio_error, width_ratio
from .limit_inputs import Corrections, pions_in
from .rng import derive_seed
from .signals import fitted_shapes


class Hunt(NamedTuple):
    """A bump hunt done: its model with the counts, its scan, and how probable its largest excess is anywhere.

    `toys` are those whose fits all converged, `failed_toy_fits` the fits that did not.
    """

    model: Model
    result: ScanResult
    significance: GlobalSignificance
    bin_width: float
    toys: int
    failed_toy_fits: int

    @property
    def expected(self) -> Floats:
        """Expected median limit on epsilon of the two-sided profile likelihood."""
        return np.asarray(np.sqrt(next(iter(self.result.limits.values())).expected[2]))

    def report(self) -> dict[str, Any]:
        """Return what the manifest says of the hunt."""
        return {
            "bin_width": self.bin_width,
            "masses": int(self.model.masses.size),
            "windows": {
                channel.name: {"half_width": channel.half_width, "order": channel.order}
                for channel in self.model.channels
            },
            "nuisances": list(self.model.nuisances),
            "flagged": int(np.count_nonzero(self.result.flags != "")),
            "failed": int(np.count_nonzero(["failed" in str(flag) for flag in self.result.flags])),
            "toys": self.toys,
            "failed_toy_fits": self.failed_toy_fits,
            "largest_excess": {
                "mass": float(self.result.masses[np.nanargmax(self.result.z)]),
                **{name: float(value) for name, value in self.significance._asdict().items()},
            },
        }


def at_masses(bins: Bins, values: Floats, masses: Floats) -> Floats:
    """Return positive smooth values of bins at masses [GeV]: cubic splines of the logarithm, one for each run of bins.

    Raises ValueError where a value is not positive.
    """
    if not np.all(values > 0.0):
        raise ValueError(f"QED yield of {np.min(values):g} at {bins.centre[np.argmin(values)]:g} GeV, must be > 0")
    found = np.full(masses.size, np.nan)
    for index in range(int(bins.segment[-1]) + 1):
        run = bins.segment == index
        here = (masses >= bins.mass_low[run][0]) & (masses <= bins.mass_high[run][-1])
        degree = min(3, int(np.count_nonzero(run)) - 1)
        spline = interpolate.make_interp_spline(bins.centre[run], np.log(values[run]), k=degree)
        found[here] = np.exp(spline(masses[here]))
    return found


def hunt_channels(
    spectra: dict[str, Spectrum],
    inputs: list[ChannelInput],
    corrections: Corrections,
    search: Search,
    options: BumpHuntOptions,
    jobs: int,
) -> tuple[Floats, list[Channel]]:
    """Return masses [GeV] and channels of a bump hunt, both outside the gap.

    `spectra` hold the counts in the bins of the hunt, `inputs` the same events in the bins of the tables, whose
    curve is the QED yield, fitted without each bin so that no signal raises its own: N_B = (predicted - pions) x
    annihilation fraction. The signal per epsilon^2 is formula (1)
    without containment, dN_B/dm / (2 N_f alpha / (3 pi m)).

    Nuisances: `hadronic_ratio` (R in N_f, one for both channels), `background_subtraction` (mumu: pions and neglected
    backgrounds in N_B), `annihilation_fraction` (ee, its neglected backgrounds with it) and the mass resolution of each
    channel, data against simulation and the size of the simulated samples. Pions are an additive component of the mumu
    spectrum with their relative error.
    """
    bins = spectra[inputs[0].channel].bins
    masses = mass_grid(bins, options.step)
    definition = mixing_definition_factor(masses, search.limit.epsilon_definition)
    channels = []
    for one in inputs:
        name, wide = one.channel, one.bins
        window = options.mumu if name == "mumu" else options.ee
        samples, scale = corrections.signals[name], search.signal.resolution_scale(name)
        pions = pions_in(corrections, search, wide) if name == "mumu" else None
        n_b = (one.background.predicted - (0.0 if pions is None else pions)) * one.annihilation_fraction
        try:
            per_gev = at_masses(wide, n_b / wide.width, masses)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        n_f = width_ratio(masses, LEPTONS[name])
        errors = {"hadronic_ratio": hadronic_ratio_error(masses) / n_f}
        neglected = one.neglected * one.annihilation_fraction / n_b
        if name == "ee":
            relative = one.annihilation_fraction_error / one.annihilation_fraction
            errors["annihilation_fraction"] = np.interp(masses, wide.centre, np.hypot(relative, neglected))
        else:
            pion_error = 0.0 if pions is None else one.pipi_error / n_b
            errors["background_subtraction"] = np.interp(masses, wide.centre, np.hypot(pion_error, neglected))
        centre = 0.5 * (search.spectrum.edges()[1:] + search.spectrum.edges()[:-1])
        simulated = np.interp(
            masses, centre, corrections.resolution[name].sigma() / corrections.resolution[name].values
        )
        resolution = np.hypot(search.systematics.mass_resolution, simulated)
        component = pions_in(corrections, search, bins) if name == "mumu" else None
        channels.append(
            Channel(
                name,
                bins,
                spectra[name].counts,
                per_gev / (mixing_factor(masses, n_f, 1.0) * definition),
                interpolate_shape(masses, samples.masses, fitted_shapes(samples, jobs, scale)),
                half_width=window.half_width,
                order=window.order,
                component=component,
                component_error=0.0 if component is None else search.systematics.pion_form_factor,
                yield_errors=errors,
                resolution_errors={f"mass_resolution_{name}": resolution},
            )
        )
    return masses, channels


def hunt(masses: Floats, channels: list[Channel], options: BumpHuntOptions, seed: int, jobs: int) -> Hunt:
    """Return the scan of the channels, and the global significance of its largest excess from toys without signal."""
    model = build_model(masses, channels)
    level = options.confidence
    conventions = dict.fromkeys((profile_convention(level), cls_convention(level), cls_convention(0.95)))
    result = scan(model, conventions=tuple(conventions))
    own = derive_seed(seed, "bump hunt", "toys")
    toys = scan_toys(model, fitted_background(model), options.toys, own, jobs=jobs)
    whole = np.all(np.isfinite(toys.z), axis=1)
    found = global_significance(float(np.nanmax(result.z)), toys.z[whole], model.segment)
    return Hunt(model, result, found, float(channels[0].bins.width[0]), int(whole.sum()), toys.failed)
