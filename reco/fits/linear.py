"""Small dense systems of linear equations, solved event by event with + - * / and comparisons alone."""

from ...arrays import Floats, Ints
from ...kernel import kernel

#: A pivot of an equilibrated matrix below this counts as zero: the constraints contradict or repeat each other.
SMALLEST_PIVOT = 1e-13


@kernel
def factorise(a: Floats, n: int, order: Ints) -> float:
    """Replace the leading n x n of a matrix by its factors L U with row exchanges; return the smallest |pivot|.

    Doolittle's form with partial pivoting (Golub and Van Loan, Matrix Computations, algorithm 3.4.1); `order[k]` is the
    row exchanged with row k. The smallest pivot is NaN where the matrix holds a NaN.
    """
    smallest = 1e300
    for k in range(n):
        row, size = k, abs(a[k, k])
        for i in range(k + 1, n):
            if abs(a[i, k]) > size:
                row, size = i, abs(a[i, k])
        order[k] = row
        smallest = smallest if size >= smallest else size
        if row != k:
            for j in range(n):
                kept = a[k, j]
                a[k, j] = a[row, j]
                a[row, j] = kept
        per_pivot = 1.0 / a[k, k] if size > 0.0 else 0.0
        for i in range(k + 1, n):
            a[i, k] *= per_pivot
            for j in range(k + 1, n):
                a[i, j] -= a[i, k] * a[k, j]
    return smallest


@kernel
def solve(a: Floats, n: int, order: Ints, x: Floats) -> None:
    """Replace the right-hand side x by the solution, given the factors of `factorise`."""
    for k in range(n):
        row = order[k]
        kept = x[k]
        x[k] = x[row]
        x[row] = kept
    for i in range(n):
        for j in range(i):
            x[i] -= a[i, j] * x[j]
    for back in range(n):
        i = n - 1 - back
        for j in range(i + 1, n):
            x[i] -= a[i, j] * x[j]
        x[i] /= a[i, i]
