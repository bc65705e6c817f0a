"""Radiative return, e+ e- -> (pair) gamma: phase space, matrix elements, radiation, sampling, four-momenta."""
