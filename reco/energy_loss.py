"""Energy loss of tracks under another hypothesis than the one they were fitted with."""

import numpy as np

from ..constants import HYPOTHESES, HYPOTHESIS_MASSES
from ..detector.ionisation import correct_stage, ionisation_loss
from ..event import D_RHO, DZ, KAPPA, PHI0, TAN_LAMBDA, Floats
from ..geometry.card import Card
from ..kernel import BLOCK, blocks

#: Entries of the covariance that hold kappa, its variance twice.
_OF_KAPPA = ((KAPPA, D_RHO), (KAPPA, PHI0), (KAPPA, KAPPA), (KAPPA, KAPPA), (DZ, KAPPA), (TAN_LAMBDA, KAPPA))


def change_hypothesis(
    helix: Floats, covariance: Floats, card: Card, hypothesis: str, fitted: str = ""
) -> tuple[Floats, Floats]:
    """Return helices and covariances corrected for the energy loss of another particle.

    The loss under the hypothesis of the fit is taken away, that under the new one added; the error of kappa follows.

    Parameters
    ----------
    helix : ndarray, shape (n_tracks, 5)
        Measured helices, at closest approach.
    covariance : ndarray, shape (n_tracks, 15)
        Their covariances, lower triangle by rows.
    card : Card
        Its matter; without ionisation the helices stay as they are.
    hypothesis : str
        One of e, mu, pi, K, p.
    fitted : str
        The hypothesis of the fit; by default that of the card, `matter.track_hypothesis`.

    Raises
    ------
    ValueError
        For an unknown hypothesis.
    """
    fitted = fitted or card.matter.track_hypothesis
    for name in (hypothesis, fitted):
        if name not in HYPOTHESES:
            raise ValueError(f"hypothesis = {name!r}, allowed {', '.join(HYPOTHESES)}")
    changed: Floats = np.asfortranarray(helix).copy(order="F")
    errors: Floats = np.asfortranarray(covariance).copy(order="F")
    loss = ionisation_loss(card)
    if loss is None or hypothesis == fitted:
        return changed, errors
    scale = np.empty(BLOCK)
    for s in blocks(len(changed)):
        columns = changed[s, D_RHO], changed[s, PHI0], changed[s, KAPPA], changed[s, TAN_LAMBDA]
        for name, path in ((fitted, -1.0), (hypothesis, 1.0)):
            jacobian = scale[: s.stop - s.start]
            correct_stage(HYPOTHESIS_MASSES[HYPOTHESES.index(name)], path, loss.constants, columns, jacobian)
            for row, column in _OF_KAPPA:
                errors[s, row * (row + 1) // 2 + column] *= jacobian
    return changed, errors
