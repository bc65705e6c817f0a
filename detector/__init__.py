"""Response formulas of the subdetectors, shared by simulation and reconstruction."""
