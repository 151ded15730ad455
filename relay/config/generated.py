"""A password of the page that is made at the start: for trying, in a container say."""

from __future__ import annotations

import functools

from relay.config.models import Config, revealed
from relay.config.table import Secret

GENERATE = "generate"  # stands where a hash would
_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"


def with_password(config: Config) -> Config:
    """The settings with a hash for `generate`: the same as long as the process runs."""
    if revealed(config.web.password_hash) != GENERATE:
        return config
    web = config.web.replaced(password_hash=Secret(_made()[1]))
    return config.replaced(web=web)


def generated_password(config: Config) -> str:
    """The page's password, where it was made; else ""."""
    # Asked only then, so that nothing is made for those who have their own.
    if not _made.cache_info().currsize:
        return ""
    password, hashed = _made()
    return password if revealed(config.web.password_hash) == hashed else ""


@functools.cache
def _made() -> tuple[str, str]:
    import secrets

    from relay.password import hashed

    parts = ("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(3))
    password = "-".join(parts)
    return password, hashed(password)
