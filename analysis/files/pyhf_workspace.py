"""Models as HistFactory workspaces: JSON that pyhf reads, one workspace per mass.

CERN-OPEN-2012-016 (HistFactory); L. Heinrich, M. Feickert, G. Stark and K. Cranmer, JOSS 6 (2021) 2823 (pyhf). The
signal is a sample times the parameter of interest "mu"; mu is counted in units that make it of order one, and what
strength of the signal mu = 1 stands for is in the name of the measurement and returned beside it. A smooth background
is a sample per Bernstein polynomial, integrated over the bins, times a free factor. Relative errors are symmetric
`histosys`, shared by name: linear in their parameter for any interpolation, and so the same model as ours. The bounds
at mu = 0 are those that pyhf's q-mu-tilde needs; at a bound of a factor (-5 to 10, wider where the data say so) pyhf
and we would differ.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ...arrays import Floats
from ..bernstein import bernstein_bins, bernstein_from_legendre
from ..bump_hunt.channel import Channel, signal_columns
from ..bump_hunt.model import Model
from ..bump_hunt.window import fit_reference, polynomial_bins

VERSION = "1.0.0"
#: Bounds of a free factor of the background, whose best value is at most one.
FACTOR_BOUNDS = (-5.0, 10.0)
_MANY_SIGMA = 10.0

Json = dict[str, Any]


class Workspace(NamedTuple):
    """A workspace as pyhf takes it, and the signal strength that mu = 1 stands for."""

    specification: Json
    strength: float


def _numbers(values: Floats) -> list[float]:
    return [float(value) for value in values]


def _histosys(name: str, nominal: Floats, change: Floats) -> Json:
    """Return a change of the sample that is linear in its standard normal parameter."""
    data = {"hi_data": _numbers(nominal + change), "lo_data": _numbers(nominal - change)}
    return {"name": name, "type": "histosys", "data": data}


def _normfactor(name: str) -> Json:
    return {"name": name, "type": "normfactor", "data": None}


def _sample(name: str, data: Floats, modifiers: Sequence[Json]) -> Json:
    return {"name": name, "data": _numbers(data), "modifiers": list(modifiers)}


def _parameter(name: str, start: float, bounds: tuple[float, float]) -> Json:
    return {"name": name, "inits": [float(start)], "bounds": [[float(bounds[0]), float(bounds[1])]]}


def _workspace(
    name: str, strength: float, counts: Mapping[str, Floats], samples: Mapping[str, list[Json]], parameters: list[Json]
) -> Workspace:
    measurement = {
        "name": f"{name}, mu = 1 is a signal strength of {strength!r}",
        "config": {"poi": "mu", "parameters": parameters},
    }
    specification = {
        "channels": [{"name": channel, "samples": samples[channel]} for channel in counts],
        "observations": [{"name": channel, "data": _numbers(n)} for channel, n in counts.items()],
        "measurements": [measurement],
        "version": VERSION,
    }
    return Workspace(specification, float(strength))


def bump_hunt_workspace(model: Model, m: int) -> Workspace:
    """Return the workspace of mass number m of a bump hunt: the same likelihood, in bins of every channel's window.

    Exact but for the basis of the background, whose span is the same (tests: limits agree to 1e-4). A channel of
    order n contributes parameters NAME_0 ... NAME_n, an additive component one more, `component_NAME`; the nuisances
    of the signal keep their names. Raises IndexError for a mass that the model does not have.
    """
    if not 0 <= m < model.masses.size:
        raise IndexError(f"mass number {m}, the model has {model.masses.size}")
    strength = float(model.unit[m])
    counts: dict[str, Floats] = {}
    samples: dict[str, list[Json]] = {}
    factors: list[Json] = []
    excess = 0.0
    for c, channel in enumerate(model.channels):
        start = int(model.columns.start[m, c])
        inside = slice(start, start + int(model.columns.size[m, c]))
        n = channel.counts[inside]
        signal = strength * signal_columns(m, float(model.masses[m]), channel, model.nuisances, inside)
        modifiers = [_normfactor("mu")]
        modifiers += [
            _histosys(name, signal[:, 0], signal[:, 1 + j])
            for j, name in enumerate(model.nuisances)
            if name in channel.yield_errors or name in channel.resolution_errors
        ]
        background, parameters, nu = _smooth_background(channel, n, inside)
        samples[channel.name] = [_sample("signal", signal[:, 0], modifiers), *background]
        factors += parameters
        counts[channel.name] = n
        excess += float(np.sum(signal[:, 0] * (n - nu) / nu))
    # the excess is the most probable mu, without the background's freedom: large enough a guess for a bound
    bound = 10.0 + 5.0 * max(excess, 0.0)
    parameters = [_parameter("mu", 1.0, (0.0, bound)), *factors]
    return _workspace(f"m = {model.masses[m]:.10g} GeV", strength, counts, samples, parameters)


def _smooth_background(channel: Channel, n: Floats, inside: slice) -> tuple[list[Json], list[Json], Floats]:
    """Return samples and parameters of a channel's background, and its expectation by a fit without signal."""
    component = np.zeros(n.size) if channel.component is None else channel.component[inside]
    legendre = polynomial_bins(n.size, channel.order)
    nu, nuisance = fit_reference(n, legendre, component, channel.component_error)
    smooth = nu - component * (1.0 + channel.component_error * nuisance)
    basis = bernstein_bins(n.size, channel.order)
    best = bernstein_from_legendre(channel.order) @ np.linalg.lstsq(legendre, smooth, rcond=None)[0]
    scale = np.maximum(np.abs(best), 0.1 * float(np.mean(nu)))
    error = np.sqrt(np.diag(np.linalg.pinv(basis.T @ (basis / nu[:, None]), hermitian=True))) / scale
    samples, parameters = [], []
    for k in range(channel.order + 1):
        name = f"{channel.name}_{k}"
        samples.append(_sample(f"background_{k}", scale[k] * basis[:, k], [_normfactor(name)]))
        reach = _MANY_SIGMA * float(error[k])
        bounds = (min(FACTOR_BOUNDS[0], -reach), max(FACTOR_BOUNDS[1], 1.0 + reach))
        parameters.append(_parameter(name, float(best[k] / scale[k]), bounds))
    if channel.component is not None:
        change = channel.component_error * component
        samples.append(_sample("component", component, [_histosys(f"component_{channel.name}", component, change)]))
    return samples, parameters, nu


class Counting(NamedTuple):
    """A counting experiment: n counts over b +- sigma_b, and `signal` events for a signal strength of one."""

    channel: str
    n: float
    b: float
    sigma_b: float
    signal: float


def counting_workspace(name: str, experiments: Sequence[Counting], relative_error: float) -> Workspace:
    """Return the workspace of counting experiments that share one strength and one relative error of the signal.

    The model of `limit.poisson_limit` (one experiment) and `joint.joint_limit`: Gaussian backgrounds and efficiency. An
    error of zero stays as a parameter without effect, since some minimisers fail without any free one. Raises
    ValueError for numbers that are negative or not finite, and where no experiment expects a signal.
    """
    for experiment in experiments:
        for field, value in zip(experiment._fields[1:], experiment[1:]):
            if not (np.isfinite(value) and value >= 0.0):
                raise ValueError(f"{experiment.channel}: {field} = {value}, must be finite and >= 0")
    if not (np.isfinite(relative_error) and relative_error >= 0.0):
        raise ValueError(f"relative error of the signal = {relative_error}, must be finite and >= 0")
    variance = np.array([max(one.n, one.b, 1.0) + one.sigma_b**2 for one in experiments])
    signal = np.array([one.signal for one in experiments])
    information = float(np.sum(signal**2 / variance))
    if not information > 0.0:
        raise ValueError(f"{name}: no experiment expects a signal")
    strength = 1.0 / np.sqrt(information)
    excess = float(np.sum(signal * [one.n - one.b for one in experiments] / variance)) * strength
    counts, samples = {}, {}
    for one in experiments:
        expected, b = strength * np.array([one.signal]), np.array([one.b])
        error = _histosys("efficiency", expected, relative_error * expected)
        width = _histosys(f"background_{one.channel}", b, np.array([one.sigma_b]))
        samples[one.channel] = [
            _sample("signal", expected, [_normfactor("mu"), error]),
            _sample("background", b, [width]),
        ]
        counts[one.channel] = np.array([one.n])
    bound = 10.0 + 5.0 * max(excess, 0.0)
    return _workspace(name, float(strength), counts, samples, [_parameter("mu", 1.0, (0.0, bound))])


def write_workspaces(folder: str | Path, workspaces: Mapping[float, Workspace]) -> list[Path]:
    """Write one JSON file per mass [GeV] and `index.csv` with masses, file names and strengths into a folder.

    The folder must exist. A file appears under its name only when complete.
    """
    from ..table import write_table

    folder = Path(folder)
    paths = []
    for mass, workspace in workspaces.items():
        path = folder / f"mass_{mass:.6f}.json"
        temporary = path.with_name(f".{path.name}.{os.getpid()}.partial")
        temporary.write_text(json.dumps(workspace.specification) + "\n", encoding="utf-8")
        temporary.replace(path)
        paths.append(path)
    table = {
        "mass": np.array(list(workspaces)),
        "file": np.array([path.name for path in paths]),
        "strength_at_mu_1": np.array([one.strength for one in workspaces.values()]),
    }
    write_table(folder / "index.csv", table)
    return paths
