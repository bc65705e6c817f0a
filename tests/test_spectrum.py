"""Mass bins without accumulated rounding, spectra read from files, containment of a signal in its bin."""

from pathlib import Path

import numpy as np
import pytest
from besfast.analysis.containment import gaussian_containment, resolution
from besfast.analysis.spectrum import Spectrum, bin_edges, counts_on, read_spectra, search_bins


def test_edges_are_the_decimal_numbers() -> None:
    edges = bin_edges(1.5, 3.4, 0.01)
    assert edges.size == 191
    assert list(edges) == [float(f"{1.5 + 0.01 * i:.2f}") for i in range(191)]


def test_bins_of_the_search() -> None:
    bins = search_bins(bin_edges(1.5, 3.4, 0.01))
    assert bins.mass_low.size == 165
    assert np.count_nonzero(bins.segment == 0) == 145
    assert np.count_nonzero(bins.segment == 1) == 20
    assert bins.mass_high[144] == 2.95
    assert bins.mass_low[145] == 3.2
    assert np.all(bins.width == 0.01)
    assert search_bins(bin_edges(1.5, 3.4, 0.01), None).mass_low.size == 190
    # an edge of the gap inside a bin takes the whole bin
    assert search_bins(bin_edges(1.5, 3.4, 0.01), (2.955, 3.195)).mass_low.size == 165


@pytest.mark.parametrize(
    ("low", "high", "width"), [(1.5, 3.4, 0.03), (3.4, 1.5, 0.01), (1.5, 3.4, 0.0), (1.5, np.nan, 1)]
)
def test_edges_that_are_refused(low: float, high: float, width: float) -> None:
    with pytest.raises(ValueError, match="bins from"):
        bin_edges(low, high, width)


GOOD = """# measured elsewhere
mass_low,mass_high,channel,n,comment
1.50,1.51,mumu,7,a
1.51,1.52,mumu,9.5,b

1.50,1.51,ee,70,c
"""


def test_spectra_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(GOOD)
    spectra = read_spectra(path)
    assert set(spectra) == {"mumu", "ee"}
    assert list(spectra["mumu"].counts) == [7.0, 9.5]
    assert list(counts_on(spectra["mumu"], search_bins(bin_edges(1.51, 1.52, 0.01)))) == [9.5]
    with pytest.raises(ValueError, match=r"the ee spectrum has no bin from 1\.51 to 1\.52 GeV"):
        counts_on(spectra["ee"], search_bins(bin_edges(1.5, 1.52, 0.01)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("channel", "canal", r"data\.csv: no column channel; needed are mass_low, mass_high, channel, n"),
        ("1.51,mumu,7", "1.51,tau,7", r"data\.csv:3: channel = 'tau', must be one of mumu, ee"),
        ("mumu,7", "mumu,seven", r"data\.csv:3: n = 'seven', must be a number"),
        ("mumu,7", "mumu,-7", r"data\.csv:3: n = -7, must be finite and >= 0"),
        ("mumu,9.5", "mumu,nan", r"data\.csv:4: n = nan"),
        ("1.51,mumu", "1.49,mumu", r"data\.csv:3: mass_low = 1\.50 is not below mass_high = 1\.49"),
        ("1.51,1.52", "1.505,1.52", r"data\.csv: mumu bins from 1\.5 and from 1\.505 GeV overlap"),
        ("7,a", "7", r"data\.csv:3: 4 fields, the header has 5"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ValueError, match=message):
        read_spectra(path)


@pytest.mark.parametrize("text", ["", "# nothing\n", "mass_low,mass_high,channel,n\n"])
def test_empty_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "data.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"data\.csv: no"):
        read_spectra(path)


def test_gaussian_containment_of_the_paper() -> None:
    assert np.allclose(gaussian_containment([0.005, 0.012]), [0.683, 0.323], atol=5e-4)
    with pytest.raises(ValueError, match="sigma = 0"):
        gaussian_containment(0.0)


def test_resolution_is_the_width_of_a_normal_distribution() -> None:
    residuals = np.random.default_rng(3).normal(0.001, 0.008, 200_000)
    assert resolution(residuals) == pytest.approx(0.008, rel=0.01)
    # a tail of eight per cent at twice the width moves it little
    tail = np.concatenate([residuals[:184_000], 2.0 * residuals[184_000:]])
    assert 1.01 < resolution(tail) / 0.008 < 1.06
    with pytest.raises(ValueError, match="at least two"):
        resolution([1.0])


def test_spectrum_record() -> None:
    bins = search_bins(bin_edges(1.0, 1.1, 0.05))
    spectrum = Spectrum(bins, np.array([1.0, 2.0]), "ee")
    assert np.array_equal(counts_on(spectrum, bins), spectrum.counts)
