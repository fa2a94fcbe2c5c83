"""What does HTML say? Its text as a browser holds it, which is what offsets into a page count."""

from __future__ import annotations

from html.parser import HTMLParser


class _Plain(HTMLParser):
    """Collects the text of HTML that a browser shows."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.pieces: list[str] = []
        self.hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Notes where what is not shown begins."""
        self.hidden += tag in ("script", "style", "head")

    def handle_endtag(self, tag: str) -> None:
        """Notes where it ends."""
        self.hidden -= tag in ("script", "style", "head") and self.hidden > 0

    def handle_data(self, data: str) -> None:
        """Keeps the text."""
        if not self.hidden:
            self.pieces.append(data)


def plain_html(html: str) -> str:
    """The text of HTML, as a browser holds it: without what is not shown, white space as it stands."""
    parser = _Plain()
    parser.feed(html)
    parser.close()
    return "".join(parser.pieces)
