"""The style of all figures, and how one is made and saved.

matplotlib is imported where it is used and without its global state (pyplot): a figure is an object, saved with the
same bytes every time.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_STYLE: dict[Any, Any] = {
    "font.size": 11.0,
    "axes.linewidth": 0.9,
    "xtick.direction": "in",
    "ytick.direction": "in",
    "xtick.top": True,
    "ytick.right": True,
    "xtick.minor.visible": True,
    "ytick.minor.visible": True,
    "legend.frameon": False,
    "mathtext.fontset": "dejavusans",
}


def _style() -> AbstractContextManager[None]:
    """Apply the style of this file and no other, whatever the user's own settings are."""
    import matplotlib

    default: dict[Any, Any] = {key: value for key, value in matplotlib.rcParamsDefault.items() if key != "backend"}
    return matplotlib.rc_context({**default, **_STYLE})


@contextmanager
def new_figure(width: float, height: float) -> Iterator["Figure"]:
    """Give a figure [inches] that no window manager knows of."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with _style():
        figure = Figure(figsize=(width, height), layout="constrained")
        FigureCanvasAgg(figure)
        yield figure


def save_figure(figure: "Figure", stem: str | Path) -> list[Path]:
    """Write the figure as PNG and PDF without dates; the suffix is added to the stem. Return both paths."""
    stem = Path(stem)
    paths = [stem.with_name(stem.name + suffix) for suffix in (".png", ".pdf")]
    with _style():
        if figure.get_layout_engine() is not None:
            figure.draw_without_rendering()
            figure.set_layout_engine("none")  # the layout is found: once, and the same for both files
        figure.savefig(paths[0], dpi=160, metadata={"Software": None})
        figure.savefig(paths[1], metadata={"Creator": "besfast", "Producer": None, "CreationDate": None})
    return paths
