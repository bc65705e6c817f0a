"""Selection, background, limits, and the figures and tables of a search."""
