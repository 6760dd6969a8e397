"""The whole OpenAPI surface, fed with generated input: nothing is a server error."""

import pytest
import schemathesis
from botswain_services import Gateway, Service, TaskSchema
from botswain_services.auth import TokenIssuer
from pydantic import BaseModel, Field
from surfaces import check


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


def surface_of(service):
    return schemathesis.openapi.from_asgi("/openapi.json", service.app)


def test_no_input_is_a_server_error_of_a_service(state):
    """Whatever comes: below 500."""
    service = Surface()
    token = TokenIssuer("dev-secret-change-me", issuer="tests", audience="Surface")
    assert check(surface_of(service), token.header()) > 100


def test_no_input_is_a_server_error_of_the_gateway(state):
    """Whatever comes: below 500."""
    assert check(surface_of(Gateway()), {"Host": "localhost"}) > 50


def test_the_property_would_see_a_server_error(state):
    """The check fails for a service that breaks on some input."""

    class Fragile(Service):
        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            self.add_endpoint("fragile", self.fragile, TaskSchema(name="fragile", input_schema=Shape))

        def fragile(self, payload: Shape):
            return {"first": payload.sides[0]}

    with pytest.raises(AssertionError, match="POST /fragile: 500"):
        check(surface_of(Fragile()), {})
