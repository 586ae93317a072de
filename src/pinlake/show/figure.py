"""A chart with its title, and the forms in which it is shown: a picture, a part of a page, an output of a notebook."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

import altair as alt

# What JupyterLab 4 draws itself, without a network. It knows version 5 of Vega-Lite, of which these charts are too.
VEGA_LITE = "application/vnd.vegalite.v5+json"
_CDN = "https://cdn.jsdelivr.net/npm"
_SCRIPTS = {"vega": alt.VEGA_VERSION, "vega-lite": alt.VEGALITE_VERSION, "vega-embed": alt.VEGAEMBED_VERSION}
# As vl-convert names it: 6.4 for 6.4.1.
_VERSION = alt.VEGALITE_VERSION.rpartition(".")[0]
# A picture has more pixels than the chart.
_SCALE = 1.5


@dataclass(frozen=True)
class Figure:
    """A chart with its title, and what each place shows of it."""

    title: str
    chart: Any  # the classes of Altair's charts share no base that has a height

    @cached_property
    def spec(self) -> dict[str, Any]:
        """The chart in Vega-Lite."""
        styled = (
            self.chart.configure_view(stroke=None)
            .configure_axis(domain=False, ticks=False, gridColor="#e6e6e6", labelPadding=6, titleFontWeight="normal")
            .configure_title(anchor="start", fontSize=14, subtitleColor="#555", offset=12)
            .configure_legend(titleFontWeight="normal")
            .configure_line(strokeJoin="round")
        )
        spec: dict[str, Any] = styled.to_dict()
        return spec

    def png(self) -> bytes:
        """A picture, the same bytes every time. Needs vl-convert-python and pillow."""
        from PIL import Image
        from vl_convert import vegalite_to_png

        drawn = Image.open(io.BytesIO(vegalite_to_png(self.spec, vl_version=_VERSION, scale=_SCALE))).convert("RGB")
        # The renderer hardly compresses. With the commonest 256 colours alone it is a tenth of the bytes.
        colours: Any = drawn.getcolors(drawn.width * drawn.height)  # with how many pixels each has
        palette = Image.new("P", (1, 1))
        palette.putpalette([part for _, colour in sorted(colours)[-256:] for part in colour])
        out = io.BytesIO()
        drawn.quantize(palette=palette, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        return out.getvalue()

    def html(self, inline: bool = False) -> str:
        """A part of a page with the chart. `inline` has the scripts in it, 0.9 MB, and needs vl-convert-python."""
        # What is in a record can't end the script: there is no `<` in it.
        spec = json.dumps(self.spec).replace("<", r"\u003c")
        return (
            f"{_scripts(inline)}\n<div>{_NO_SCRIPTS}</div>\n"
            f'<script>vegaEmbed(document.currentScript.previousElementSibling, {spec}, {{mode: "vega-lite"}})</script>'
        )

    def mime_bundle(self) -> dict[str, Any]:
        """What a Jupyter front end can choose from. Needs vl-convert-python."""
        return {
            VEGA_LITE: self.spec,
            "image/png": base64.b64encode(self.png()).decode("ascii"),
            "text/plain": f"Figure: {self.title}",
        }

    def _repr_html_(self) -> str:
        """What a workspace's `display` asks for. The scripts come from a server unless vl-convert-python is there."""
        return self.html(inline=find_spec("vl_convert") is not None)


_NO_SCRIPTS = (
    f"No figure: its scripts could not be loaded from {_CDN}. Where your network blocks that server, run "
    "<code>%pip install vl-convert-python</code> in a cell of its own, then this cell again."
)


def _scripts(inline: bool) -> str:
    if not inline:
        return "".join(f'<script src="{_CDN}/{name}@{version}"></script>' for name, version in _SCRIPTS.items())
    import vl_convert

    bundle: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed", _VERSION)
    return f"<script>{bundle}</script>"
