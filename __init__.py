"""besfast: fast detector simulation for e+e- colliders, from generated events to an exclusion limit.

    import besfast

    truth = besfast.generate("mumu_isr", 100_000, mass_min=1.5, mass_max=3.4, seed=1)
    record = besfast.simulate(truth, card="besiii", seed=1)
    events = besfast.reconstruct(record, card="besiii")

Names are imported when first used: `import besfast` alone loads neither numpy nor numba.
"""

from typing import TYPE_CHECKING

__all__ = [
    "generate",
    "load_card",
    "poisson_limit",
    "read",
    "reconstruct",
    "search",
    "simulate",
    "write",
]

_HOMES = {
    "generate": "sim.generate",
    "load_card": "geometry.card",
    "poisson_limit": "analysis.limit",
    "read": "exchange",
    "reconstruct": "reco.reconstruct",
    "search": "workflow",
    "simulate": "sim.simulate",
    "write": "exchange",
}

if TYPE_CHECKING:
    from .analysis.limit import poisson_limit
    from .exchange import read, write
    from .geometry.card import load_card
    from .reco.reconstruct import reconstruct
    from .sim.generate import generate
    from .sim.simulate import simulate
    from .workflow import search

    __version__: str

else:

    def __getattr__(name):
        """Import a public name when it is first used (PEP 562)."""
        import importlib
        import importlib.metadata

        if name == "__version__":
            return importlib.metadata.version("besfast")
        if name in _HOMES:
            return getattr(importlib.import_module(f".{_HOMES[name]}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
