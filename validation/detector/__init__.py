"""The simulated detector beside published numbers: guns and channels, a table with verdicts."""
