"""Pages as text: encodings and Markdown."""

from __future__ import annotations

import pytest
from botswain_execution.servers.pages import decode, to_markdown


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        ("naïve".encode(), None, "naïve"),
        ("naïve".encode("latin-1"), "iso-8859-1", "naïve"),
        (b'<meta charset="windows-1252"><p>\x93quoted\x94', None, '<meta charset="windows-1252"><p>“quoted”'),
        ("日本".encode("shift_jis"), "Shift_JIS", "日本"),
        ("x".encode("utf-16"), "utf-8", "x"),
        (b"\xef\xbb\xbfbom", "latin-1", "bom"),
        (b"plain", "no-such-charset", "plain"),
        (b"bad \xff byte", None, "bad � byte"),
    ],
)
def test_encodings_are_recognised(data: bytes, declared: str | None, text: str) -> None:
    """The byte order mark wins, then the header, then the HTML, then UTF-8; wrong bytes are replaced."""
    assert decode(data, declared) == text


def test_html_becomes_markdown_without_its_furniture() -> None:
    """Title, headings, links, lists and code stay; scripts, styles and navigation go."""
    html = """<html><head><title>The page</title><style>x{}</style></head><body><nav>menu</nav>
      <main><h2>Part</h2><p>See <a href="https://a.example/">this</a>.</p><ul><li>one</li></ul>
      <pre>code</pre><script>evil()</script></main><footer>foot</footer></body></html>"""
    text = to_markdown(html)
    assert text.startswith("# The page\n\n## Part")
    assert "See [this](https://a.example/)." in text
    assert "- one" in text
    assert "code" in text
    for gone in ("menu", "evil", "x{}", "foot"):
        assert gone not in text
