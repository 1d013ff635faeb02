"""The one environment for templates; each stands beside the code that fills it."""

import re
from collections.abc import Callable
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape
from markupsafe import Markup

from dvckit.core.markdown import code, line, text
from dvckit.core.numbers import digits
from dvckit.core.screen import visible


def render(template: str, /, **values: Any) -> str:
    """Fill a template, named by its path from `dvckit`; values are text in HTML and in Markdown, unless they are Markup."""
    as_markdown = template.endswith(".md.jinja")
    environment = Environment(
        loader=PackageLoader("dvckit", ""),
        autoescape=select_autoescape(enabled_extensions=("html.jinja",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=as_markdown,
        finalize=_in_markdown if as_markdown else _in_html,
    )
    environment.filters |= {"digits": digits, "code": _marked(code), "line": _marked(line)}
    return environment.get_template(template).render(**values)


def _marked(escape: Callable[[object], str]) -> Callable[[object], Markup]:
    return lambda value: Markup(escape(value))  # noqa: S704 - escaped there


def _in_markdown(value: Any) -> Any:
    return value if isinstance(value, Markup) else text(value)


def _in_html(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def inline(svg: str) -> Markup:
    """Return SVG for a place inside HTML: without the XML prologue, and without the group ids that figures share."""
    return Markup(re.sub(r'<g id="[^"]*"', "<g", svg[svg.index("<svg") :]))  # noqa: S704 - drawn here


def markdown(source: str) -> Markup:
    """Return Markdown as HTML; HTML in it is shown as text."""
    from markdown_it import MarkdownIt

    return Markup(MarkdownIt("commonmark", {"html": False}).render(source))  # noqa: S704 - escaped there
