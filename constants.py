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
M_PI0 = 0.1349768
M_ETA = 0.547862
M_K0 = 0.497611
M_LAMBDA = 1.115683

#: The order of the particle hypotheses in every array that has an axis of them.
HYPOTHESES = ("e", "mu", "pi", "K", "p")
HYPOTHESIS_MASSES = (M_E, M_MU, M_PI, M_K, M_P)
HYPOTHESIS_PDG = (11, 13, 211, 321, 2212)
ELECTRON, MUON, PION, KAON, PROTON = range(5)

# Narrow vector resonances: mass, width, electronic width [GeV], branching fractions to mu mu and e e.
JPSI_MASS, JPSI_WIDTH, JPSI_GEE, JPSI_BR_MUMU, JPSI_BR_EE = 3.096900, 92.6e-6, 5.53e-6, 0.05961, 0.05971
PSI2S_MASS, PSI2S_WIDTH, PSI2S_GEE, PSI2S_BR_MUMU, PSI2S_BR_EE = 3.686097, 293e-6, 2.33e-6, 0.0080, 0.00794
# The light and the bottom ones: mass, width, electronic width [GeV] (B_ee times the width for omega and phi), and the
# branching fractions to mu mu and e e of those below the threshold of open bottom.
OMEGA_MASS, OMEGA_WIDTH, OMEGA_GEE = 0.78266, 8.68e-3, 0.641e-6
PHI_MASS, PHI_WIDTH, PHI_GEE = 1.019461, 4.249e-3, 1.266e-6
UPSILON1S_MASS, UPSILON1S_WIDTH, UPSILON1S_GEE, UPSILON1S_BR_MUMU, UPSILON1S_BR_EE = (
    9.46030,
    54.02e-6,
    1.340e-6,
    0.0248,
    0.0248,
)
UPSILON2S_MASS, UPSILON2S_WIDTH, UPSILON2S_GEE, UPSILON2S_BR_MUMU, UPSILON2S_BR_EE = (
    10.02326,
    31.98e-6,
    0.612e-6,
    0.0193,
    0.0191,
)
UPSILON3S_MASS, UPSILON3S_WIDTH, UPSILON3S_GEE, UPSILON3S_BR_MUMU, UPSILON3S_BR_EE = (
    10.3552,
    20.32e-6,
    0.443e-6,
    0.0218,
    0.0218,
)
UPSILON4S_MASS, UPSILON4S_WIDTH, UPSILON4S_GEE = 10.5794, 20.5e-3, 0.272e-6
