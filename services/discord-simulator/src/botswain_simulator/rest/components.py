"""Message components: the checks that bots trip over, and the ids Discord numbers them with (docs:
components/reference).
"""

from collections.abc import Iterator

from botswain_simulator.models import Json
from botswain_simulator.rest.forms import Form

_ROW, _BUTTON, _SELECTS = 1, 2, {3, 5, 6, 7, 8}
_KNOWN = frozenset({1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 17, 18, 19})
_LINK, _PREMIUM = 5, 6


def read_components(form: Form) -> list[Json]:
    """The components of a body, checked, each with an `id`."""
    top = form.objects("components", longest=40)
    if not top:
        return []
    for item in top:
        _check(item)
    components = [dict(item.data) for item in top]
    if form.complaints:
        return components
    _number(components)
    seen: set[str] = set()
    for component in walk(components):
        custom_id = component.get("custom_id")
        if custom_id in seen:
            form.complain("components", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated")
        elif custom_id:
            seen.add(custom_id)
    return components


def walk(components: list[Json]) -> Iterator[Json]:
    """Every component, inner ones after the one that holds them."""
    for component in components:
        yield component
        yield from walk([c for c in component.get("components") or [] if isinstance(c, dict)])
        for name in ("accessory", "component"):
            if isinstance(component.get(name), dict):
                yield from walk([component[name]])


def _check(form: Form) -> None:
    kind = form.choice("type", sorted(_KNOWN), required=True)
    custom_id = form.text("custom_id", longest=100, shortest=1)
    if kind == _ROW:
        for inner in form.objects("components", longest=5) or []:
            _check(inner)
    elif kind == _BUTTON:
        form.text("label", longest=80)
        style = form.choice("style", (1, 2, 3, 4, 5, 6), required=True)
        if style == _LINK:
            form.url("url", schemes=("http", "https", "discord"))
        elif style != _PREMIUM and custom_id is None:
            form.text("custom_id", required=True)
    elif kind in _SELECTS:
        form.text("custom_id", required=True)
        form.text("placeholder", longest=150)
        if kind == 3 and not form.array("options", longest=25, required=True):
            form.complain("options", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 25 in length.")
    else:
        for inner in form.objects("components") or []:
            _check(inner)
        for name in ("accessory", "component"):
            if part := form.object(name):
                _check(part)


def _number(components: list[Json]) -> None:
    taken = {c["id"] for c in walk(components) if c.get("id")}
    free = iter(number for number in range(1, 10_000) if number not in taken)
    for component in walk(components):
        if not component.get("id"):
            component["id"] = next(free)
