"""Invented smooth spectra with the shape of the search, a model on them, and a plain twin of the fit."""

import numpy as np
from besfast.analysis.bump_hunt.channel import Channel, fractions_at
from besfast.analysis.bump_hunt.model import build_model
from besfast.analysis.bump_hunt.templates import signal_shape
from besfast.analysis.spectrum import bin_edges, search_bins
from numpy.polynomial import legendre
from scipy.optimize import brentq

BINS = search_bins(bin_edges(1.5, 3.4, 0.002))


def expectation(scale=1.0, bins=BINS):
    """Return expected counts of mumu and ee: 2e4 to 6e3 and 7e5 to 5e4 per 10 MeV."""
    y = (bins.centre - 1.5) / 1.9
    return scale * np.array([4e3 * np.exp(-1.6 * y) * (1.0 + 0.5 * y * y), 1.4e5 * np.exp(-2.6 * y)])


def resolution(masses):
    return 0.005 + 0.007 * (np.asarray(masses) - 1.5) / 1.9


def shape_at(masses):
    return signal_shape(resolution(masses), alpha_low=1.5, power_low=4.0, alpha_high=2.0, power_high=5.0)


def channels(counts, masses, bins=BINS, **options):
    """Return both channels; an option given as a pair is one per channel."""
    masses = np.atleast_1d(masses)
    made = []
    for c, name in enumerate(("mumu", "ee")):
        own = {key: value[c] if type(value) is tuple else value for key, value in options.items()}
        signal = own.pop("signal_yield", (1e7, 8e6)[c]) * np.ones(masses.size)
        made.append(Channel(name, bins, counts[c], signal, own.pop("shape", shape_at(masses)), **own))
    return made


def model_of(counts, masses, bins=BINS, **options):
    return build_model(np.atleast_1d(masses), channels(counts, masses, bins, **options))


class Plain:
    """Newton's method without any device on the model as it is written: all parameters but mu, Hessian in full.

    Parameters: polynomial coefficients and the component's nuisance of every channel, then the shared nuisances. mu is
    in units of `unit`.
    """

    def __init__(self, model, m, counts=None, constraint=None, auxiliary=None):
        self.unit = model.unit[m]
        self.names = model.nuisances
        self.parts, self.counts = [], []
        for c, channel in enumerate(model.channels):
            start, size = model.columns.start[m, c], model.columns.size[m, c]
            inside = slice(start, start + size)
            x = (np.arange(size) + 0.5) / size * 2.0 - 1.0
            nodes, weights = legendre.leggauss(8)
            basis = sum(w / 2.0 * legendre.legvander(x + node / size, channel.order) for node, w in zip(nodes, weights))
            known = np.zeros(size) if channel.component is None else channel.component[inside]
            template = fractions_at(m, model.masses[m], channel, inside) * channel.signal_yield[m] * self.unit
            wide = [fractions_at(m, model.masses[m], channel, inside, 1.0 + h) for h in (1e-3, -1e-3)]
            stretched = (wide[0] - wide[1]) / 2e-3 * channel.signal_yield[m] * self.unit
            varied = np.zeros((size, len(self.names)))
            for j, name in enumerate(self.names):
                if name in channel.yield_errors:
                    varied[:, j] += channel.yield_errors[name][m] * template
                if name in channel.resolution_errors:
                    varied[:, j] += channel.resolution_errors[name][m] * stretched
            norm = max(model.counts[c][inside].mean(), 1.0)
            self.parts.append((basis * norm, known, channel.component_error, template, varied, norm))
            self.counts.append((model.counts if counts is None else counts)[c][inside])
        n = len(self.parts)
        self.constraint = np.zeros(n) if constraint is None else constraint
        self.auxiliary = np.zeros(len(self.names)) if auxiliary is None else auxiliary

    def columns(self, mu):
        """Return expectation without parameters, their columns, and the unit Gaussians' columns and centres."""
        fixed, blocks = [], []
        widths = [basis.shape[1] + 1 for basis, *_ in self.parts]
        total = sum(widths) + len(self.names)
        at = 0
        prior, centre = np.zeros(total), np.zeros(total)
        for c, (basis, known, error, template, varied, _) in enumerate(self.parts):
            block = np.zeros((len(template), total))
            block[:, at : at + widths[c] - 1] = basis
            block[:, at + widths[c] - 1] = error * known
            block[:, total - len(self.names) :] = mu * varied
            prior[at + widths[c] - 1], centre[at + widths[c] - 1] = 1.0, self.constraint[c]
            fixed.append(known + mu * template)
            blocks.append(block)
            at += widths[c]
        prior[at:], centre[at:] = 1.0, self.auxiliary
        return np.concatenate(fixed), np.vstack(blocks), prior, centre

    def q(self, mu):
        """Return -2 ln L profiled, above the saturated likelihood."""
        fixed, columns, prior, centre = self.columns(mu)
        n = np.concatenate(self.counts)
        z = centre.copy()
        at = 0
        for c, (basis, known, _, template, _, norm) in enumerate(self.parts):
            z[at] = max((self.counts[c] - known - max(mu, 0.0) * template).mean() / norm, 0.2)
            at += basis.shape[1] + 1

        def value(z):
            nu = fixed + columns @ z
            if not np.all(nu > 0.0):
                return np.inf
            logs = np.where(n > 0.0, n * np.log(np.where(n > 0.0, n, 1.0) / nu), 0.0)
            return 2.0 * np.sum(nu - n + logs) + np.sum(prior * (z - centre) ** 2)

        for _ in range(100):
            nu = fixed + columns @ z
            gradient = columns.T @ (1.0 - n / nu) + prior * (z - centre)
            hessian = columns.T @ (columns * (n / nu**2)[:, None]) + np.diag(prior)
            step = np.linalg.solve(hessian, gradient)
            scale = 1.0
            while value(z - scale * step) > value(z) + 1e-9 and scale > 1e-10:
                scale *= 0.5
            z = z - scale * step
            if gradient @ step < 1e-14:
                break
        self.z = z
        return value(z)

    def slope(self, mu):
        """Return dq/dmu of the profile: the partial derivative at the fit (envelope theorem)."""
        self.q(mu)
        fixed, columns, _, _ = self.columns(mu)
        residual = 1.0 - np.concatenate(self.counts) / (fixed + columns @ self.z)
        theta = self.z[len(self.z) - len(self.names) :]
        change = np.concatenate([template + varied @ theta for _, _, _, template, varied, _ in self.parts])
        return 2.0 * change @ residual

    def fit(self):
        """Return the best mu, where the profile's slope vanishes, and q there."""
        best = brentq(self.slope, -8.0, 8.0, xtol=1e-13)
        return best, self.q(best)

    def error(self, mu, step=0.03):
        """Return the error from the curvature of q, by Richardson's extrapolation."""
        q = [self.q(mu + k * step) for k in (-2, -1, 0, 1, 2)]
        second = (-q[0] + 16 * q[1] - 30 * q[2] + 16 * q[3] - q[4]) / (12 * step * step)
        return np.sqrt(2.0 / second)

    def crossing(self, goal, low, high):
        return brentq(lambda mu: self.q(mu) - goal, low, high, xtol=1e-12)
