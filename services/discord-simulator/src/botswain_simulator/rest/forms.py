"""Reads a JSON body field by field and gathers every complaint, to answer them all at once as Discord does."""

from collections.abc import Collection, Mapping
from typing import Any

from botswain_simulator.models import Json
from botswain_simulator.rest.errors import error_tree, invalid_form
from botswain_simulator.snowflakes import is_snowflake


class Complaints:
    """What is wrong with a body, by path."""

    def __init__(self) -> None:
        self._found: dict[str, list[tuple[str, str]]] = {}

    def add(self, path: str, code: str, message: str) -> None:
        self._found.setdefault(path, []).append((code, message))

    def __bool__(self) -> bool:
        return bool(self._found)

    def check(self) -> None:
        """Raise 50035 if anything was wrong."""
        if self._found:
            raise invalid_form(error_tree(self._found))


class Form:
    """An object of a body. Its readers return None for a field that is absent, null or wrong; wrong ones are
    complained of.
    """

    def __init__(self, data: Any, complaints: Complaints | None = None, path: str = "") -> None:
        self.complaints = complaints if complaints is not None else Complaints()
        self.path = path
        self.data: Mapping[str, Any] = data if isinstance(data, dict) else {}
        if not isinstance(data, dict):
            self.complaints.add(path, "DICT_TYPE_CONVERT", "Only dictionaries may be used in a DictType")

    def __contains__(self, name: str) -> bool:
        return name in self.data

    def at(self, name: str) -> str:
        return f"{self.path}.{name}" if self.path else name

    def complain(self, name: str, code: str, message: str) -> None:
        self.complaints.add(self.at(name), code, message)

    def _value(self, name: str, required: bool) -> Any:
        value = self.data.get(name)
        if required and value is None:
            self.complain(name, "BASE_TYPE_REQUIRED", "This field is required")
        return value

    def text(
        self, name: str, *, longest: int | None = None, shortest: int = 0, required: bool = False, strip: bool = False
    ) -> str | None:
        """A string; numbers are taken as their decimal form, as Discord does."""
        value = self._value(name, required)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.complain(name, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.')
            return None
        text = str(value).strip() if strip else str(value)
        if longest is not None and shortest and not shortest <= len(text) <= longest:
            self.complain(name, "BASE_TYPE_BAD_LENGTH", f"Must be between {shortest} and {longest} in length.")
            return None
        if longest is not None and len(text) > longest:
            self.complain(name, "BASE_TYPE_MAX_LENGTH", f"Must be {longest} or fewer in length.")
            return None
        return text

    def integer(
        self, name: str, *, lowest: int | None = None, highest: int | None = None, required: bool = False
    ) -> int | None:
        value = self._value(name, required)
        if value is None:
            return None
        try:
            number = int(value) if not isinstance(value, bool | float) else int(str(value))
        except (TypeError, ValueError):
            self.complain(name, "NUMBER_TYPE_COERCE", f'Value "{value}" is not int.')
            return None
        if highest is not None and number > highest:
            self.complain(name, "NUMBER_TYPE_MAX", f"int value should be less than or equal to {highest}.")
            return None
        if lowest is not None and number < lowest:
            self.complain(name, "NUMBER_TYPE_MIN", f"int value should be greater than or equal to {lowest}.")
            return None
        return number

    def boolean(self, name: str) -> bool | None:
        value = self.data.get(name)
        if value is None or isinstance(value, bool):
            return value
        if str(value).lower() in {"true", "1", "false", "0"}:
            return str(value).lower() in {"true", "1"}
        self.complain(name, "BOOLEAN_TYPE_CONVERT", "Must be either true or false.")
        return None

    def snowflake(self, name: str, *, required: bool = False) -> str | None:
        value = self._value(name, required)
        if value is None:
            return None
        if not is_snowflake(value):
            self.complain(name, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
            return None
        return str(value)

    def choice(self, name: str, allowed: Collection[Any], *, required: bool = False) -> Any:
        value = self._value(name, required)
        if value is None:
            return None
        if value not in allowed or isinstance(value, bool):
            choices = ", ".join(str(item) for item in allowed)
            self.complain(name, "BASE_TYPE_CHOICES", f"Value must be one of ({choices}).")
            return None
        return value

    def array(self, name: str, *, longest: int | None = None, required: bool = False) -> list[Any] | None:
        value = self._value(name, required)
        if value is None:
            return None
        if not isinstance(value, list):
            self.complain(name, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")
            return None
        if longest is not None and len(value) > longest:
            self.complain(name, "BASE_TYPE_MAX_LENGTH", f"Must be {longest} or fewer in length.")
            return None
        return value

    def snowflakes(self, name: str, *, longest: int | None = None) -> list[str] | None:
        values = self.array(name, longest=longest)
        if values is None:
            return None
        for index, value in enumerate(values):
            if not is_snowflake(value):
                self.complain(f"{name}.{index}", "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')
        return [str(value) for value in values]

    def objects(self, name: str, *, longest: int | None = None) -> "list[Form] | None":
        values = self.array(name, longest=longest)
        if values is None:
            return None
        return [Form(value, self.complaints, f"{self.at(name)}.{index}") for index, value in enumerate(values)]

    def object(self, name: str) -> "Form | None":
        value = self.data.get(name)
        return None if value is None else Form(value, self.complaints, self.at(name))

    def url(self, name: str, *, schemes: tuple[str, ...] = ("http", "https")) -> str | None:
        value = self.text(name, longest=2048)
        if value and value.split(":", 1)[0] not in schemes:
            self.complain(name, "URL_TYPE_INVALID_SCHEME", f'"{value}": Scheme must be one of {schemes}.')
            return None
        return value

    def check(self) -> None:
        self.complaints.check()

    def present(self, *names: str) -> Json:
        """Those of the named fields that the body has, as they came."""
        return {name: self.data[name] for name in names if name in self.data}
