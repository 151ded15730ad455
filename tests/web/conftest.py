"""One captured relay for the tests that do not change its settings."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.web.site import Site, running_site


@pytest.fixture(scope="session")
def _captured() -> Iterator[Site]:
    with running_site() as site:
        yield site


@pytest.fixture
def site(_captured: Site) -> Site:
    """The page of a relay that captures, its inbox empty."""
    assert _captured.ask("DELETE", "/api/v1/mails").status == 200
    return _captured
