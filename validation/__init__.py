"""Physics validation: what the package computes beside closed forms, reference numbers and other programs."""
