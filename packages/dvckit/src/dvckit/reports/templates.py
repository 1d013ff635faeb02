"""The one environment for templates; each stands beside the code that fills it."""

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from dvckit.core.numbers import digits


def render(template: str, /, **values: Any) -> str:
    """Fill a template, named by its path from `dvckit`; values are escaped in HTML and not in Markdown."""
    environment = Environment(
        loader=PackageLoader("dvckit", ""),
        autoescape=select_autoescape(enabled_extensions=("html.jinja",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=template.endswith(".md.jinja"),
    )
    environment.filters["digits"] = digits
    return environment.get_template(template).render(**values)


def inline(svg: str) -> Markup:
    """Return SVG for a place inside HTML: without the XML prologue, and without the group ids that figures share."""
    return Markup(re.sub(r'<g id="[^"]*"', "<g", svg[svg.index("<svg") :]))  # noqa: S704 - drawn here


def markdown(text: str) -> Markup:
    """Return Markdown as HTML; HTML in it is shown as text."""
    from markdown_it import MarkdownIt

    return Markup(MarkdownIt("commonmark", {"html": False}).render(text))  # noqa: S704 - escaped there
