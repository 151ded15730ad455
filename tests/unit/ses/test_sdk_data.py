"""What is left of the SDK's data files says the same as all of them."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
from botocore.loaders import create_loader
from botocore.model import ServiceModel
from botocore.regions import EndpointResolver

from relay.ses.sdk_data import OPERATIONS, SERVICES, LeanLoader


def _loaders() -> tuple[Any, Any]:
    whole, lean = create_loader(), create_loader()
    lean.file_loader = LeanLoader()
    return whole, lean


def test_each_region_has_the_endpoints_that_the_sdk_gives_it() -> None:
    whole, lean = (loader.load_data("endpoints") for loader in _loaders())
    regions = [
        (partition["partition"], region)
        for partition in whole["partitions"]
        for region in (*partition["regions"], "eu-new-1")
    ]
    assert len(regions) > 40
    for (partition, region), service, fips in product(
        regions, sorted(SERVICES), (False, True)
    ):
        of_whole, of_lean = (
            EndpointResolver(data).construct_endpoint(
                service, region, partition, use_fips_endpoint=fips
            )
            for data in (whole, lean)
        )
        assert of_lean == of_whole, (region, service)


def test_of_ses_stays_what_the_relay_asks_whole() -> None:
    whole, lean = (
        loader.load_service_model("sesv2", "service-2") for loader in _loaders()
    )
    plain = _without_texts(whole)

    assert set(lean["operations"]) == OPERATIONS
    assert lean["operations"].items() <= plain["operations"].items()
    for name, shape in lean["shapes"].items():
        assert shape == plain["shapes"][name]
    assert {**lean, "operations": {}, "shapes": {}} == {
        **plain,
        "operations": {},
        "shapes": {},
    }
    model = ServiceModel(lean)
    seen: set[str] = set()
    for name in OPERATIONS:
        operation = model.operation_model(name)
        for shape in (
            operation.input_shape,
            operation.output_shape,
            *operation.error_shapes,
        ):
            _walk(shape, seen)
    assert seen == set(lean["shapes"])


def _walk(shape: Any, seen: set[str]) -> None:  # noqa: ANN401 - the SDK has no types
    """Look at all that a shape is made of; the SDK complains where one is missing."""
    if shape.name in seen:
        return
    seen.add(shape.name)
    inner = [*getattr(shape, "members", {}).values()]
    inner += [
        getattr(shape, name)
        for name in ("member", "key", "value")
        if hasattr(shape, name)
    ]
    for part in inner:
        _walk(part, seen)


@pytest.mark.parametrize("service", ["sts", "sso", "sso-oidc"])
def test_a_model_lacks_its_texts_and_nothing_else(service: str) -> None:
    whole, lean = (
        loader.load_service_model(service, "service-2") for loader in _loaders()
    )
    assert lean == _without_texts(whole)
    assert ServiceModel(lean).operation_names == ServiceModel(whole).operation_names


def test_a_file_that_is_not_there_is_none() -> None:
    assert LeanLoader().load_file("/no/such/file") is None


def _without_texts(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {
            name: _without_texts(inner)
            for name, inner in value.items()
            if not (name == "documentation" and isinstance(inner, str))
        }
    return (
        [_without_texts(item) for item in value] if isinstance(value, list) else value
    )
