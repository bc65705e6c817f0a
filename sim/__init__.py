"""Event generation and detector simulation: from a process to truth events to what the detector measures."""
