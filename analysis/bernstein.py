"""Polynomials in Bernstein's basis: never negative on their interval, as samples of a HistFactory model must be."""

from math import comb

import numpy as np

from ..arrays import Floats


def bernstein_from_legendre(order: int) -> Floats:
    """Return M, shape (order + 1, order + 1): Legendre coefficients c are Bernstein coefficients M c.

    P_k(2x - 1) = sum_j (-1)^(k+j) C(k,j) B_jk(x); from order k to n, b_j = sum_i b_i C(k,i) C(n-k,j-i) / C(n,j).
    R. T. Farouki, J. Comput. Appl. Math. 119 (2000) 145. Integers over C(n,j): exact up to one rounding.
    """
    n = order

    def entry(j: int, k: int) -> float:
        terms = range(max(0, j - n + k), min(j, k) + 1)
        signs = (1, -1)
        return sum(signs[(k + i) % 2] * comb(k, i) ** 2 * comb(n - k, j - i) for i in terms) / comb(n, j)

    return np.array([[entry(j, k) for k in range(n + 1)] for j in range(n + 1)])


def bernstein_bins(size: int, order: int) -> Floats:
    """Return Bernstein polynomials averaged over `size` equal bins of [0, 1], shape (size, order + 1), all positive.

    The integral of B_kn from 0 to x is the sum of B_j,n+1(x) for j > k over n + 1: all n + 1 add up to one.
    """
    x = np.linspace(0.0, 1.0, size + 1)[:, None]
    n = order + 1
    j = np.arange(n + 1)
    values = np.array([comb(n, i) for i in j]) * x**j * (1.0 - x) ** (n - j)
    # of a bin only the near end of the polynomial is summed: no difference of two numbers close to one
    below, above = np.cumsum(values, axis=1)[:, :-1], np.cumsum(values[:, ::-1], axis=1)[:, -2::-1]
    return np.asarray(np.where(below[1:] < 0.5, -np.diff(below, axis=0), np.diff(above, axis=0)) * (size / n))
