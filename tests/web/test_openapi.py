"""The API keeps what its OpenAPI document promises, whatever it is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, assume, given, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import positive_data_acceptance

from relay.web.openapi import document
from tests.web.site import Site, running_site, templated

TOKEN = "hunter2-hunter2-hunter2"
DOCUMENT = document(version="0")
OPERATIONS = [
    (path, method.upper())
    for path, methods in DOCUMENT["paths"].items()
    for method in methods
    if path != "/api/v1/events"  # a stream has no end
]


@pytest.fixture(scope="module")
def served() -> Iterator[Site]:
    chosen = {
        "RELAY_INTAKE__TOKEN": TOKEN,
        "RELAY_SES__EMAIL_ADDRESS": "noreply@acme.example",
    }
    with running_site(settings=chosen) as site:
        yield site


@pytest.fixture
def api(served: Site) -> Any:  # noqa: ANN401 - the library's own type
    return schemathesis.openapi.from_url(f"{served.url}/api/v1/openapi.json")


def shorter(timeout: object) -> object:
    """A wait that is allowed, without the waiting."""
    try:
        return 0.01 if 0 <= float(str(timeout)) <= 300 else timeout
    except ValueError:
        return timeout


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.name)
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_as_the_document_says(
    api: Any,  # noqa: ANN401
    path: str,
    method: str,
    mode: GenerationMode,
) -> None:
    """`POSITIVE` asks for all that is allowed, `NEGATIVE` for what is not."""
    operation = api[path][method]
    if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
        return  # there is nothing that could be wrong: any text may be an id

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=20,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
        derandomize=True,
    )
    def asked(case: Any) -> None:  # noqa: ANN401
        if path == "/api/v1/wait" and isinstance(case.query, dict):
            case.query["timeout"] = shorter(case.query.get("timeout", 0.01))
        # A line that is longer the library answers itself, in its own words.
        assume(len(urlencode(case.query or {}, doseq=True)) < 7000)
        # A schema cannot tell which addresses and variables make a mail.
        case.call_and_validate(
            headers={"Authorization": TOKEN}, excluded_checks=[positive_data_acceptance]
        )

    asked()


def test_the_answers_about_a_mail_are_as_the_document_says(
    served: Site,
    api: Any,  # noqa: ANN401
) -> None:
    """What a fuzzer never finds: the id of a mail that there is."""
    served.submit(templated("123456"))
    [one, *_] = served.get("/api/v1/mails?usage=SignIn").json["mails"]
    for part in ("", "/content", "/code", "/checks"):
        operation = api[f"/api/v1/mails/{{id}}{part}"]["GET"]
        case = operation.Case(path_parameters={"id": one["id"]})
        response = case.call()
        assert response.status_code == 200
        case.validate_response(response)
    refused = templated("123456")
    del refused["X-Relay-Variables"]
    served.submit(refused)
    [one, *_] = served.get("/api/v1/mails?state=refused").json["mails"]
    case = api["/api/v1/mails/{id}"]["GET"].Case(path_parameters={"id": one["id"]})
    response = case.call()
    assert response.json()["why"]["lacks"] == "X-Relay-Variables"
    case.validate_response(response)
    assert served.get("/api/v1/openapi.json").json["paths"] == DOCUMENT["paths"]
