"""Feeding every operation of an OpenAPI surface with generated input, what fits and what doesn't."""

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode

some = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def check(schema, headers, *, leave_out=()):
    """How many answers came; none may be a server error, but that `/ready` may say why it isn't."""
    answers = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path in leave_out:
            continue
        for mode in GenerationMode:

            @some
            @given(operation.as_strategy(generation_mode=mode))
            def feed(case):
                nonlocal answers
                answer = case.call(headers={**(case.headers or {}), **headers})
                known = answer.status_code < 500 or (case.path == "/ready" and answer.status_code == 503)
                assert known, f"{case.method} {case.path}: {answer.status_code} {answer.text}"
                answers += 1

            try:
                feed()
            except Unsatisfiable:  # an operation without parameters has no wrong input
                continue
    return answers
