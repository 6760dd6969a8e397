"""The whole OpenAPI surface, fed with generated input: nothing is a server error."""

import pytest
import schemathesis
from botswain_services import Gateway, Service, TaskSchema
from botswain_services.auth import TokenIssuer
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from pydantic import BaseModel, Field
from schemathesis import GenerationMode


class Shape(BaseModel):
    kind: str
    sides: list[int] = Field(default=[], max_length=5)
    weight: float | None = None
    labels: dict[str, str | int] = {}


class Surface(Service):
    """Endpoints of every kind of input."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        shape = TaskSchema(name="shape", input_schema=Shape, output_schema=Shape)
        self.add_endpoint("shape", self.shape, shape, as_tool=True)
        self.add_endpoint("shape-by-query", self.shape, shape, methods=["GET"])
        self.add_endpoint("loose", lambda a, b=None: {"a": a, "b": b})
        self.add_endpoint("items/{item_id}", self.item, methods=["GET", "PUT", "DELETE"])
        self.add_endpoint("guarded", lambda: {"ok": True}, scope="service")

    def shape(self, payload: Shape) -> Shape:
        return payload

    def item(self, item_id: int):
        return {"item": str(item_id)}


@pytest.fixture(autouse=True, scope="module")
def state(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SERVICE_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.delenv("BOTSWAIN_ENV", raising=False)
        patch.delenv("SERVICE_AUTH_SECRET", raising=False)
        yield


some = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def check(service, headers):
    """Feed every operation of a service's surface, valid input and other; how many answers came."""
    answers = 0
    schema = schemathesis.openapi.from_asgi("/openapi.json", service.app)
    for result in schema.get_all_operations():
        operation = result.ok()
        for mode in GenerationMode:

            @some
            @given(operation.as_strategy(generation_mode=mode))
            def feed(case):
                nonlocal answers
                answer = case.call(headers={**(case.headers or {}), **headers})
                assert answer.status_code < 500, f"{case.method} {case.path}: {answer.text}"
                answers += 1

            try:
                feed()
            except Unsatisfiable:  # an operation without parameters has no wrong input
                continue
    return answers


def test_no_input_is_a_server_error_of_a_service(state):
    """Whatever comes: below 500."""
    service = Surface()
    token = TokenIssuer("dev-secret-change-me", issuer="tests", audience="Surface")
    assert check(service, token.header()) > 100


def test_no_input_is_a_server_error_of_the_gateway(state):
    """Whatever comes: below 500."""
    assert check(Gateway(), {"Host": "localhost"}) > 50


def test_the_property_would_see_a_server_error(state):
    """The check fails for a service that breaks on some input."""

    class Fragile(Service):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.add_endpoint("fragile", self.fragile, TaskSchema(name="fragile", input_schema=Shape))

        def fragile(self, payload: Shape):
            return {"first": payload.sides[0]}

    schema = schemathesis.openapi.from_asgi("/openapi.json", Fragile().app)
    case = schema["/fragile"]["POST"].Case(body={"kind": "x"}, media_type="application/json")
    assert case.call().status_code == 500
