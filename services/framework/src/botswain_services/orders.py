"""What the launching and the launched process tell each other: an order one way, a report the other."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import json
import pickle
import struct
import sys
import types
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from botswain_services.errors import LaunchError

if TYPE_CHECKING:
    from botswain_services.service import Service

_LENGTH = struct.Struct("!Q")
MAIN_NAME = "__botswain_main__"
"""What `__name__` is when a script is read again to find a class that it defines; so `if __name__ == "__main__"` holds back."""


@dataclass(frozen=True, slots=True)
class ClassReference:
    """How to find a class in another process: by module, or where the module can't be imported there, by its file."""

    module: str
    qualname: str
    file: str | None
    main_module: str | None = None
    """The module that `python -m` ran, when the class is from there."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to serve, and where. `init` holds the constructor's arguments, each pickled on its own."""

    service: ClassReference
    init: bytes
    url: str
    listener: int | None
    num_workers: int
    pid_file: str
    log_file: str
    log_to_stderr: bool
    report_file: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """How a start went: `error` None: it is ready."""

    error: str | None = None
    traceback: str = ""


def write_order(stream: IO[bytes], order: Order) -> None:
    """Send an order; the stream stays open."""
    data = pickle.dumps(asdict(order))
    stream.write(_LENGTH.pack(len(data)) + data)
    stream.flush()


def read_order(stream: IO[bytes]) -> Order:
    """Receive an order.

    Raises:
        LaunchError: what comes is none.
    """
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        raise LaunchError("no order came on standard input; this option is for Service.launch() to use")
    fields = pickle.loads(stream.read(_LENGTH.unpack(head)[0]))  # noqa: S301 - from the process that started this one
    return Order(**{**fields, "service": ClassReference(**fields["service"])})


def write_report(path: str | None, report: Report) -> None:
    """Leave a report where it is looked for; whole or not at all."""
    if path is None:
        return
    target = Path(path)
    if not target.parent.is_dir():
        return  # nobody waits any more
    part = target.with_suffix(".part")
    part.write_text(json.dumps(asdict(report)))
    part.replace(target)


def read_report(path: Path) -> Report | None:
    """The report, when it is there."""
    try:
        return Report(**json.loads(path.read_text()))
    except FileNotFoundError:
        return None


def reference_to(service_class: type[Service]) -> ClassReference:
    """How another process finds `service_class`.

    Raises:
        LaunchError: it can't, e.g. because the class is defined in a function or typed into a prompt.
    """
    module, qualname = service_class.__module__, service_class.__qualname__
    if "<locals>" in qualname:
        raise LaunchError(
            f"{qualname} is defined inside a function, where another process can't find it; define it at a module's top level"
        )
    loaded = sys.modules.get(module)
    file = getattr(loaded, "__file__", None)
    if module != "__main__":
        return ClassReference(module, qualname, file)
    spec = getattr(loaded, "__spec__", None)
    if spec is not None and spec.name:
        return ClassReference(module, qualname, file, main_module=spec.name)
    if file is None or not Path(file).is_file():
        raise LaunchError(f"{qualname} is defined at a prompt, where another process can't find it; put it into a file")
    return ClassReference(module, qualname, str(Path(file).absolute()))


def resolve(reference: ClassReference) -> type[Service]:
    """The class that `reference` names.

    Raises:
        LaunchError: there is none.
    """
    global _reading
    _reading = reference
    try:
        found: Any = _load_main(reference) if reference.module == "__main__" else _load(reference)
    finally:
        _reading = None
    try:
        for part in reference.qualname.split("."):
            found = getattr(found, part)
    except AttributeError:
        raise LaunchError(
            f"{reference.qualname} is not in {reference.file or reference.module}. A class that is defined below "
            '`if __name__ == "__main__":`, or below the first launch, can\'t be found by another process; move it above'
        ) from None
    return found  # type: ignore[no-any-return]  # what was launched was a class


def _load(reference: ClassReference) -> types.ModuleType:
    try:
        return importlib.import_module(reference.module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{reference.module}.".startswith(f"{error.name}."):
            raise  # the module is there; something that it imports is not
        if reference.file is None:
            raise LaunchError(f"there is no module {error.name!r} to find {reference.qualname} in") from None
    spec = importlib.util.spec_from_file_location(reference.module, reference.file)
    if spec is None or spec.loader is None:
        raise LaunchError(f"{reference.module} can be imported neither by name nor from {reference.file}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[reference.module] = module
    spec.loader.exec_module(module)
    return module


def _load_main(reference: ClassReference) -> types.ModuleType:
    """Read the script again under another name, down to its first launch, and let pickles find its classes as `__main__`'s.

    What would follow is the launching process's to do; done here, it would launch without end.
    """
    module = types.ModuleType(MAIN_NAME)
    code = _main_code(reference, module)
    sys.modules[MAIN_NAME] = module
    with contextlib.suppress(_LaunchReached):
        exec(code, module.__dict__)  # noqa: S102 - what the launching process ran too
    sys.modules["__main__"] = module
    return module


def _main_code(reference: ClassReference, module: types.ModuleType) -> types.CodeType:
    """The script's code; the module gets what its names say of where it is from."""
    if reference.main_module is not None:
        spec = importlib.util.find_spec(reference.main_module)
        loader: Any = spec.loader if spec is not None else None
        code = loader.get_code(reference.main_module) if loader is not None else None
        if spec is None or code is None:
            raise LaunchError(f"there is no module {reference.main_module!r} to find {reference.qualname} in")
        module.__spec__, module.__package__, module.__loader__, module.__file__ = spec, spec.parent, loader, spec.origin
        return code  # type: ignore[no-any-return]  # what loaders give
    assert reference.file is not None
    module.__file__ = reference.file
    return compile(Path(reference.file).read_bytes(), reference.file, "exec")


_reading: ClassReference | None = None
"""The class that a script or module is read for."""


class _LaunchReached(BaseException):
    """Ends the reading of a script where it would launch; no `except Exception` of it is in the way."""


def end_reading() -> None:
    """To be called by what launches: ends the reading of a script that is read for its classes only.

    Raises:
        LaunchError: it is a module that launches while it is imported, so each launched process would launch the next.
    """
    if _reading is None:
        return
    if _reading.module == "__main__":
        raise _LaunchReached
    raise LaunchError(
        f"{_reading.module} launches while it is imported, and {_reading.qualname} can't be had without importing it; "
        'put the launch below `if __name__ == "__main__":`, or into another file'
    )
