"""Generated clients against a running service: what goes over, what comes back, and how it fails."""

import asyncio
import inspect
import socket
import threading

import pytest
from botswain_services import ConnectionManager, ServerStatus, ServiceCallError
from botswain_services.errors import ClientError
from fastapi import HTTPException
from launchables import Bare, Calculator, Numbers, Total, WithOwnManager
from pydantic import ValidationError


@pytest.fixture(scope="module")
def calculator(tmp_path_factory):
    """One service for all tests here: none changes it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SERVICE_STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.setenv("SHUTDOWN_GRACE_SECONDS", "1")
        patch.setenv("MAX_BODY_BYTES", "1000")
        patch.setenv("REQUEST_TIMEOUT_SECONDS", "0.5")
        manager = Calculator.launch(port=0, progress_bar=False)
    yield manager
    manager._launched.end()


def test_keywords_and_schema_instances_are_taken(calculator):
    """Both ways of calling give an instance of the output schema."""
    assert calculator.add(a=1, b=2) == Total(total=3)
    assert calculator.add(Numbers(a=1, b=2)) == Total(total=3)


async def test_async_methods_do_the_same(calculator):
    """Every endpoint has a method with an `a` before its name."""
    assert await calculator.aadd(a=1, b=2) == Total(total=3)
    assert await calculator.aadd_later(Numbers(a=1)) == Total(total=2)


def test_names_follow_the_paths(calculator):
    """What no identifier holds becomes an underscore; methods show their fields."""
    assert calculator.add_later(a=2, b=2).total == 4
    assert calculator.add_by_get(a=3, b=2).total == 5
    parameters = inspect.signature(Calculator_client().add).parameters
    assert {"a", "b", "validate_input", "validate_output", "timeout"} <= set(parameters)


def Calculator_client():  # noqa: N802 - stands for a class
    from botswain_services.generation import client_class

    return client_class(Calculator)


def test_each_route_is_called_by_its_own_method(calculator):
    """GET carries the schema in the query, lists and booleans included."""
    assert calculator.join(words=["a", "b&c"], loud=True) == {"text": "A B&C"}


def test_path_parameters_are_filled_in(calculator):
    """A parameter of the path is a keyword of the method."""
    assert calculator.items_item_id(item_id=7) == {"item": 7}
    with pytest.raises(ClientError, match="item_id"):
        calculator.items_item_id()


def test_untyped_parameters_are_fields_of_the_body(calculator):
    """A method without types needs no schema."""
    assert calculator.loose(first="x") == {"first": "x", "second": 2}
    assert calculator.decorated() == {"decorated": True}


def test_input_is_validated_before_it_is_sent(calculator):
    """With `validate_input=False` the service has the word."""
    with pytest.raises(ValidationError):
        calculator.add(a="no number")
    with pytest.raises(ServiceCallError) as caught:
        calculator.add(a="no number", b=-1, validate_input=False)
    assert caught.value.status_code == 422
    assert [error["loc"] for error in caught.value.errors] == [["body", "a"], ["body", "b"]]
    assert "body.a: " in str(caught.value)


def test_plain_output_can_be_asked_for(calculator):
    """`validate_output=False` gives what came."""
    assert calculator.add(a=1, validate_output=False) == {"total": 2}


@pytest.mark.parametrize("arguments", [(1,), (Numbers(a=1), Numbers(a=2)), (Total(total=1),)])
def test_other_positional_arguments_are_refused(calculator, arguments):
    """One instance of the input schema, or keywords."""
    with pytest.raises(ValueError, match="takes keywords, or one Numbers"):
        calculator.add(*arguments)


def test_a_failing_endpoint_is_an_error_with_its_request_id(calculator):
    """A 500 says nothing of the inside, and how to find it in the log."""
    with pytest.raises(ServiceCallError) as caught:
        calculator.broken()
    assert caught.value.status_code == 500
    assert caught.value.request_id in str(caught.value)
    assert "hunter2" not in caught.value.body
    assert isinstance(caught.value, HTTPException)


def test_an_empty_answer_is_success(calculator):
    """204 has no body to parse."""
    assert calculator.empty() == {"success": True}


def test_the_deadline_holds(calculator):
    """A service that takes too long is a 504, in time."""
    with pytest.raises(ServiceCallError) as caught:
        calculator.sleep(seconds=30, timeout=0.2)
    assert caught.value.status_code == 504


async def test_the_deadline_holds_for_async_calls(calculator):
    """The same from asyncio."""
    with pytest.raises(ServiceCallError) as caught:
        await calculator.asleep(seconds=30, timeout=0.2)
    assert caught.value.status_code == 504


def test_a_refused_connection_is_the_same_error():
    """One type of error, whatever failed; and the status is DOWN."""
    manager = Calculator_client()(url="http://127.0.0.1:9/")
    with pytest.raises(ServiceCallError) as caught:
        manager.add(a=1)
    assert caught.value.status_code == 503
    assert caught.value.request_id
    assert "refused" in str(caught.value)
    assert manager.status().status is ServerStatus.DOWN
    assert manager.status == ServerStatus.Down
    with pytest.raises(ServiceCallError) as caught:
        asyncio.run(manager.aadd(a=1))
    assert caught.value.status_code == 503


def test_connecting_to_nothing_is_a_503():
    """`connect` raises what FastAPI programs catch."""
    with pytest.raises(HTTPException) as caught:
        Calculator.connect("http://127.0.0.1:9", timeout=1)
    assert caught.value.status_code == 503


def test_services_of_the_same_secret_may_call_guarded_endpoints(calculator):
    """The generated client signs; an anonymous caller is refused."""
    assert calculator.guarded() == {"secret": 42}
    anonymous = ConnectionManager(url=calculator.url)
    with pytest.raises(ServiceCallError) as caught:
        anonymous.call(type(calculator)._service_endpoints["guarded"])
    assert caught.value.status_code == 401


def test_connections_are_kept(calculator):
    """Many calls, few connections: the kept one is used again."""
    connected = []
    real = socket.create_connection

    def counted(*args, **kwargs):
        connected.append(args)
        return real(*args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "create_connection", counted)
        for _ in range(20):
            calculator.add(a=1)
    assert len(connected) <= 1


@pytest.mark.parametrize("way", ["sync", "async"])
def test_only_what_is_safe_is_repeated(way):
    """A service hangs up without an answer: it may have acted on a POST, so that fails at once; a GET is tried thrice."""
    seen = []

    def hang_up(listener):
        for _ in range(4):
            connection, _ = listener.accept()
            seen.append(connection.recv(65536).split(b" ")[0])
            connection.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=hang_up, args=(listener,), daemon=True)
        thread.start()
        manager = Calculator_client()(url=f"http://127.0.0.1:{listener.getsockname()[1]}")

        async def from_asyncio():
            with pytest.raises(ServiceCallError):
                await manager.aadd(a=1)
            return await manager.astatus()

        if way == "sync":
            with pytest.raises(ServiceCallError):
                manager.add(a=1)
            assert manager.status == ServerStatus.DOWN
        else:
            assert asyncio.run(from_asyncio()) == ServerStatus.DOWN
        thread.join(10)
    assert seen == [b"POST", b"GET", b"GET", b"GET"]


def test_request_ids_travel_from_caller_to_service(calculator):
    """A call made for a request carries that request's id."""
    from botswain_services.logs import bound

    with bound(request_id="r-1"):
        assert calculator.whoami()["request_id"] == "r-1"


def test_default_endpoints(calculator):
    """What every service says of itself."""
    assert "add.later" in calculator.endpoints().endpoints
    assert calculator.status().status is ServerStatus.AVAILABLE
    assert calculator.status == ServerStatus.Available
    assert calculator.class_name().class_name == "Calculator"
    assert calculator.heartbeat().heartbeat.server_id == calculator.server_id().server_id
    assert str(calculator.server_id().server_id) in calculator.pid_file().pid_file


def test_a_constructor_that_hands_nothing_on_is_enough(launch):
    """The address reaches `Service` all the same."""
    manager = launch(Bare)
    assert manager.hello() == {"hello": "world"}


def test_a_registered_client_is_returned(launch):
    """`launch` and `connect` give the hand-written client."""
    manager = launch(WithOwnManager)
    assert manager.twice(2) == 4
    assert type(WithOwnManager.connect(manager.url)).__name__ == "OwnManager"
