"""Small pieces of SVG: escaping, the width of a label, colours. Everything is plain strings."""

import unicodedata
from html import escape as _escape

# distinct hues that can be told apart on white and on near-black
TRACK_COLOURS = ('#2f7ed8', '#e4572e', '#2a9d4a', '#b455c8', '#d99a00', '#139a9a', '#d6437f',
                 '#7a6bd6', '#8a8f1d', '#a9683a')
FONT_SIZE = 13
_NARROW, _WIDE = frozenset("iljtfI.,:;'|!()[] "), frozenset('mwMW@%')


def escape(text: object) -> str:
    """Text for HTML and SVG, attributes included; control characters are shown as a box."""
    clean = ''.join(c if c in '\n\t' or unicodedata.category(c) not in ('Cc', 'Cs') else '□'
                    for c in str(text))
    return _escape(clean, quote=True)


def track_colour(track: int) -> str:
    """Colour of a track number."""
    return TRACK_COLOURS[track % len(TRACK_COLOURS)]


def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Rough upper estimate of the width of a label in a sans-serif face, in pixels."""
    em = 0.0
    for char in text:
        if unicodedata.east_asian_width(char) in 'WF':
            em += 1.1
        elif char in _NARROW:
            em += 0.36
        elif char in _WIDE:
            em += 0.92
        elif char.isupper():
            em += 0.72
        else:
            em += 0.57
    # labels may be set bold, and faces differ
    return 1.1 * em * size


def shorten(text: str, limit: int = 26) -> str:
    """At most ``limit`` characters, on one line."""
    text = ' '.join(text.split())
    return text if len(text) <= limit else text[:limit - 1] + '…'


def label(x: float, y: float, text: str, css: str = '', anchor: str = 'start', limit: int = 26,
          style: str = '') -> str:
    """A text element; a label that had to be cut says the whole in its tooltip."""
    short = shorten(text, limit)
    title = f'<title>{escape(text)}</title>' if short != text else ''
    return (f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
            f'{_attr("class", css)}{_attr("style", style)}>{escape(short)}{title}</text>')


def rect(x: float, y: float, width: float, height: float, css: str = '', radius: float = 6,
         style: str = '', title: str = '') -> str:
    """A rounded rectangle."""
    inner = f'<title>{escape(title)}</title>' if title else ''
    return (f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.5):.1f}" '
            f'height="{max(height, 0.5):.1f}" rx="{radius}"{_attr("class", css)}'
            f'{_attr("style", style)}>{inner}</rect>')


def path(d: str, css: str = '', style: str = '', arrow: bool = False) -> str:
    """A path; ``arrow`` puts a head on its end."""
    head = ' marker-end="url(#arrow)"' if arrow else ''
    return f'<path d="{d}"{_attr("class", css)}{_attr("style", style)}{head}/>'


def svg(width: float, height: float, parts: list[str], name: str) -> str:
    """The whole drawing; it shrinks with the page and ``name`` tells it to a screen reader."""
    return (f'<svg role="img" aria-label="{escape(name)}" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'style="width:{width:.0f}px" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}'
            '</svg>')


def _attr(name: str, value: str) -> str:
    return f' {name}="{value}"' if value else ''
