"""What do metrics look like as pictures? SVG by matplotlib, in the colours and the font of the page that it stands in."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from clashnlp.errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_INK = "#010203"  # Stands for the colour of the page's text, which matplotlib cannot know.
_ACCENTS = ("#3b7ddd", "#d9702b")  # Readable on white and on black.
_SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",  # Text stays text: any script, any reader.
    "svg.hashsalt": "clashnlp",  # Equal metrics give equal files.
    "text.parse_math": False,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def calibration(parts: Mapping[str, Mapping[str, Any]]) -> str:
    """An SVG with the share that is right against the score, a dot a tenth of the scale, its area by the number of spans or relations.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """

    def draw(figure: Figure) -> None:
        axes = figure.subplots()
        axes.plot([0, 1], [0, 1], color=_INK, alpha=0.3, linewidth=1)
        for (name, part), colour, marker in zip(parts.items(), _ACCENTS, "os", strict=False):
            _, sizes, means, right = zip(*part["bins"], strict=True)
            axes.plot(means, right, color=colour, marker=marker, markersize=4, linewidth=1.2, label=name)
            areas = [20 + 200 * size / max(sizes) for size in sizes]
            axes.scatter(means, right, s=areas, marker=marker, color=colour, alpha=0.35, linewidth=0)
        axes.set(xlim=(0, 1.03), ylim=(0, 1.03), xlabel="score", ylabel="share right", aspect="equal")
        axes.grid(color=_INK, alpha=0.12)
        axes.legend(loc="upper left", frameon=False)

    return _svg(draw, (4.0, 3.8))


def _svg(draw: Any, size: tuple[float, float]) -> str:
    """The drawing as an SVG element, to stand inside a page."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError("plots need matplotlib; install it with: pip install 'clashnlp[plots]'", name="matplotlib") from error
    buffer = io.StringIO()
    with matplotlib.rc_context(_SETTINGS), warnings.catch_warnings():
        # matplotlib's own font measures the text; the page's fonts draw it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = re.sub(r' id="\w+_\d+"', "", svg[svg.index("<svg") :])  # An id of matplotlib's would stand twice in a page with two plots.
    return svg.replace(_INK, "currentColor")
