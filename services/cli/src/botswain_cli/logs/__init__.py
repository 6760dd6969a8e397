"""What the children's log lines say (`lines`) and how they look on a terminal (`rendering`)."""

from botswain_cli.logs.lines import LogLine, last_words, parse
from botswain_cli.logs.rendering import Style, render

__all__ = ["LogLine", "Style", "last_words", "parse", "render"]
