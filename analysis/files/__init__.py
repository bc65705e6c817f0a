"""Results in the formats of others: HistFactory workspaces as pyhf reads them, and submissions to HEPData."""
