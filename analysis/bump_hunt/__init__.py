"""Search for a narrow peak on smooth mass spectra: binned profile likelihood of all channels at once, and toys."""
