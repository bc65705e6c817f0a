"""Parts of a counter with an efficiency of their own: dead channels, gaps in azimuth."""

import numpy as np

from ..arrays import Floats
from ..elementary import sincos
from ..geometry.trigger import Region
from ..kernel import stage


@stage
def region_stage(
    theta: Floats,
    phi: Floats,
    cosines: tuple[float, float],
    azimuths: tuple[float, float],
    value: float,
    factor: Floats,
) -> None:
    """Multiply by the efficiency of a region where directions [rad] point into it."""
    for i in range(np.uint64(theta.size)):
        _, cosine = sincos(theta[i])
        in_theta = (cosine >= cosines[0]) & (cosine < cosines[1])
        in_phi = (phi[i] >= azimuths[0]) & (phi[i] < azimuths[1])
        factor[i] = factor[i] * (value if in_theta & in_phi else 1.0)


def region_efficiency(theta: Floats, phi: Floats, regions: tuple[Region, ...]) -> Floats:
    """Return the product of the efficiencies of the regions that directions [rad], shape (n,), point into."""
    factor = np.ones(len(theta))
    for region in regions:
        region_stage(theta, phi, region.cos_range, region.phi_range, region.efficiency, factor)
    return factor
