"""Between the wide bins of the tables and the narrow ones of a bump hunt: sums, and expectations split finely."""

import numpy as np

from ..arrays import Floats
from .smooth import Pieces


def summed(fine: Floats, n_bins: int) -> Floats:
    """Return contents of narrow bins, shape (..., n_fine), added up in n_bins wide ones; exact for counts."""
    return np.asarray(fine.reshape(*fine.shape[:-1], n_bins, -1).sum(axis=-1))


def refined(pieces: Pieces, centre: Floats) -> Floats:
    """Return smooth values at the centres [GeV] of narrow bins, a whole number of them in each bin of the pieces.

    Pieces that are not smooth (a resonance in the gap) are constant over their bins.
    """
    n_bins = sum(len(fit.values) for fit in pieces.fits)
    per_bin, parts, first = centre.size // n_bins, [], 0
    for fit in pieces.fits:
        inside = centre[first : first + per_bin * len(fit.values)]
        first += inside.size
        parts.append(np.repeat(fit.values, per_bin) if fit.dof == 0 else fit.at(inside).values)
    return np.concatenate(parts)


def split(wide: Floats, shape: Floats) -> Floats:
    """Return the contents of wide bins, shape (..., n_bins), split into narrow ones in proportion to a shape.

    The sum of each wide bin is kept; the shape's own normalisation, smooth in mass, is of no matter.
    """
    groups = shape.reshape(wide.shape[-1], -1)
    total = groups.sum(axis=1, keepdims=True)
    share = np.divide(groups, total, out=np.full_like(groups, 1.0 / groups.shape[1]), where=total > 0.0)
    return np.asarray((wide[..., None] * share).reshape(*wide.shape[:-1], -1))
