"""The simulated detector beside published numbers: guns and channels, a table with verdicts, the effect of each part."""
