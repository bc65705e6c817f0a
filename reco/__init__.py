"""Reconstruction: tracks, showers, identification, kinematic fits. It never sees the truth."""
