"""How a layer that measures, and matter that scatters, change the covariance of a helix: closed forms.

The helix has phi0 = 0 and its pivot at the origin; at turning angle phi it is at
(d_rho + rho (1 - cos phi), -rho sin phi, dz - rho tan_lambda phi), with R = d_rho + rho. All formulas are + - * /
alone, without a select: they hold for numbers and for whole arrays alike. A covariance is its lower triangle by rows.
"""

from ..kernel import kernel

Five = tuple[float, float, float, float, float]
Triangle = tuple[
    float, float, float, float, float, float, float, float, float, float, float, float, float, float, float
]

#: Variances before the first hit: d_rho [cm^2], phi0, kappa [(c/GeV)^2], dz [cm^2], tan_lambda.
DIFFUSE = (1e2, 1.0, 10.0, 1e4, 1.0)


@kernel
def measured_derivative(
    d_rho: float,
    rho: float,
    kappa: float,
    tan_lambda: float,
    turn: float,
    sine: float,
    one_minus_cosine: float,
    radius: float,
    wire_phi: float,
    wire_z: float,
) -> tuple[Five, float, float]:
    """Return the derivative of a measured distance by the five parameters, and two squared lengths.

    The distance from wire w is measured along v = w x t, t the direction of the track with transverse length 1:
    v . dP / da with
        dP / dd_rho = (1, 0, 0),   dP / dphi0 = (rho sin phi, R - rho cos phi, 0),   dP / ddz = (0, 0, 1),
        dP / dkappa = rho / kappa (cos phi - 1, sin phi, tan_lambda phi),   dP / dtan_lambda = (0, 0, -rho phi).
    A change of P along t drops out. v is not a unit vector: the variance of a wire's distance is to be multiplied by
    v^2, the second result, that of a position on a cylinder by (n . t)^2, the third, n the normal of the cylinder.
    """
    cosine = 1.0 - one_minus_cosine
    nx, ny = (d_rho + rho * one_minus_cosine) / radius, -rho * sine / radius
    wx, wy = -ny * wire_phi, nx * wire_phi
    vx = wy * tan_lambda - wire_z * cosine
    vy = -wire_z * sine - wx * tan_lambda
    vz = wx * cosine + wy * sine
    by_kappa = rho / kappa
    derivative = (
        vx,
        rho * sine * vx + (d_rho + rho * one_minus_cosine) * vy,
        by_kappa * (vz * tan_lambda * turn - vx * one_minus_cosine + vy * sine),
        vz,
        -rho * turn * vz,
    )
    along = ny * cosine - nx * sine
    return derivative, vx * vx + vy * vy + vz * vz, along * along


@kernel
def kicks(
    d_rho: float,
    rho: float,
    kappa: float,
    tan_lambda: float,
    turn: float,
    sine: float,
    one_minus_cosine: float,
    cos_lambda: float,
) -> tuple[Five, Five]:
    """Return the change of the parameters per scattering angle, in azimuth (over cos lambda) and in dip, at a point."""
    cosine = 1.0 - one_minus_cosine
    ratio = rho / (d_rho + rho)
    azimuth = 1.0 / cos_lambda
    in_azimuth = (
        -azimuth * rho * sine,
        azimuth * ratio * cosine,
        0.0 * rho,
        azimuth * rho * tan_lambda * (1.0 - ratio * cosine),
        0.0 * rho,
    )
    shift = -rho * tan_lambda
    square = 1.0 + tan_lambda * tan_lambda
    turned = sine * ratio * tan_lambda
    in_dip = (
        -one_minus_cosine * shift,
        -turned,
        kappa * tan_lambda,
        turn * (tan_lambda * shift + rho * square) + rho * tan_lambda * turned,
        square,
    )
    return in_azimuth, in_dip


@kernel
def with_hit(c: Triangle, d: Five, noise: float, reached: float) -> Triangle:
    """Return the covariance after a measurement: C - (C d)(C d)^T / (noise + d C d), unchanged where reached = 0."""
    p0 = c[0] * d[0] + c[1] * d[1] + c[3] * d[2] + c[6] * d[3] + c[10] * d[4]
    p1 = c[1] * d[0] + c[2] * d[1] + c[4] * d[2] + c[7] * d[3] + c[11] * d[4]
    p2 = c[3] * d[0] + c[4] * d[1] + c[5] * d[2] + c[8] * d[3] + c[12] * d[4]
    p3 = c[6] * d[0] + c[7] * d[1] + c[8] * d[2] + c[9] * d[3] + c[13] * d[4]
    p4 = c[10] * d[0] + c[11] * d[1] + c[12] * d[2] + c[13] * d[3] + c[14] * d[4]
    gain = reached / (noise + d[0] * p0 + d[1] * p1 + d[2] * p2 + d[3] * p3 + d[4] * p4)
    g0, g1, g2, g3, g4 = gain * p0, gain * p1, gain * p2, gain * p3, gain * p4
    return (
        c[0] - g0 * p0,
        c[1] - g1 * p0,
        c[2] - g1 * p1,
        c[3] - g2 * p0,
        c[4] - g2 * p1,
        c[5] - g2 * p2,
        c[6] - g3 * p0,
        c[7] - g3 * p1,
        c[8] - g3 * p2,
        c[9] - g3 * p3,
        c[10] - g4 * p0,
        c[11] - g4 * p1,
        c[12] - g4 * p2,
        c[13] - g4 * p3,
        c[14] - g4 * p4,
    )


@kernel
def with_kick(c: Triangle, a: Five, b: Five, variance: float) -> Triangle:
    """Return the covariance after scattering: C + variance (a a^T + b b^T), the variance that of a projected angle."""
    return (
        c[0] + variance * (a[0] * a[0] + b[0] * b[0]),
        c[1] + variance * (a[1] * a[0] + b[1] * b[0]),
        c[2] + variance * (a[1] * a[1] + b[1] * b[1]),
        c[3] + variance * (a[2] * a[0] + b[2] * b[0]),
        c[4] + variance * (a[2] * a[1] + b[2] * b[1]),
        c[5] + variance * (a[2] * a[2] + b[2] * b[2]),
        c[6] + variance * (a[3] * a[0] + b[3] * b[0]),
        c[7] + variance * (a[3] * a[1] + b[3] * b[1]),
        c[8] + variance * (a[3] * a[2] + b[3] * b[2]),
        c[9] + variance * (a[3] * a[3] + b[3] * b[3]),
        c[10] + variance * (a[4] * a[0] + b[4] * b[0]),
        c[11] + variance * (a[4] * a[1] + b[4] * b[1]),
        c[12] + variance * (a[4] * a[2] + b[4] * b[2]),
        c[13] + variance * (a[4] * a[3] + b[4] * b[3]),
        c[14] + variance * (a[4] * a[4] + b[4] * b[4]),
    )
