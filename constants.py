"""Physical constants. Units of the whole package: GeV, cm, ns, T, rad, elementary charge; cross sections in nb.

Masses, widths and branching fractions: Particle Data Group, PTEP 2022, 083C01. Physical constants: CODATA 2018.
"""

import math

#: Fine-structure constant at zero momentum transfer.
ALPHA = 1.0 / 137.035999084
#: (hbar c)^2 [nb GeV^2].
HBARC2 = 0.3893793721e6
#: Speed of light [cm/ns].
C = 29.9792458
#: Radius of curvature [cm] of 1 GeV/c of transverse momentum in 1 T, 1e11 / (c in m/s).
ALPHA_T = 333.564095198152
PI = math.pi

M_E = 0.51099895e-3
M_MU = 0.1056583755
M_PI = 0.13957039
M_K = 0.493677
M_P = 0.93827208816
M_TAU = 1.77686

#: The order of the particle hypotheses in every array that has an axis of them.
HYPOTHESES = ("e", "mu", "pi", "K", "p")
HYPOTHESIS_MASSES = (M_E, M_MU, M_PI, M_K, M_P)
HYPOTHESIS_PDG = (11, 13, 211, 321, 2212)
ELECTRON, MUON, PION, KAON, PROTON = range(5)

# Narrow vector resonances: mass, width, electronic width [GeV], branching fractions to mu mu and e e.
JPSI_MASS, JPSI_WIDTH, JPSI_GEE, JPSI_BR_MUMU, JPSI_BR_EE = 3.096900, 92.6e-6, 5.53e-6, 0.05961, 0.05971
PSI2S_MASS, PSI2S_WIDTH, PSI2S_GEE, PSI2S_BR_MUMU, PSI2S_BR_EE = 3.686097, 293e-6, 2.33e-6, 0.0080, 0.00794
