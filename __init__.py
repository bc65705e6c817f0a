"""besfast: fast detector simulation for e+e- colliders, from generated events to an exclusion limit."""
