"""The processes that can be generated: how one is described, which there are, and those with their own phase space."""
