"""What the relay runs on, for somebody who is not there: versions, system, limits."""

from __future__ import annotations

import os
import platform
import resource
import ssl
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from relay import __version__

# Whose versions decide most of what goes wrong.
_LIBRARIES = (
    *("aiobotocore", "botocore", "aiohttp", "aiosmtpd", "httptools"),
    *("pydantic", "cryptography", "jinja2"),
)
# A file that is there, or a variable that is set, and what it tells.
_FILES = (("/run/.containerenv", "Podman"), ("/.dockerenv", "Docker"))
_VARIABLES = (
    ("KUBERNETES_SERVICE_HOST", "Kubernetes"),
    ("ECS_CONTAINER_METADATA_URI_V4", "ECS"),
)


def described() -> list[str]:
    """One line each; nothing of them names a person or a secret."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    kernel = f"{platform.system()} {platform.release()} {platform.machine()}"
    soft, hard = map(_limit, resource.getrlimit(resource.RLIMIT_NOFILE))
    user = f"user {os.getuid()}, group {os.getgid()}"
    return [
        f"relay {__version__}, {python}, {ssl.OPENSSL_VERSION}",
        f"libraries: {', '.join(_versions())}",
        f"system: {_system()}, {kernel}, {_around()}",
        f"process: {user}, open files {soft} of {hard}",
    ]


def _versions() -> Iterator[str]:
    for name in _LIBRARIES:
        try:
            yield f"{name} {metadata.version(name)}"
        except metadata.PackageNotFoundError:
            yield f"{name} missing"


def _system() -> str:
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return "unknown"
    return release.get("PRETTY_NAME", "unknown")


def _around() -> str:
    """What keeps the process: a container, or systemd."""
    found = [kind for name, kind in _VARIABLES if os.environ.get(name)]
    found += [kind for name, kind in _FILES if Path(name).exists()]
    try:  # what systemd was told that it runs in, LXC say
        found.append(Path("/run/systemd/container").read_text("utf-8").strip())
    except (OSError, ValueError):
        pass
    if found:
        return f"in a container ({', '.join(dict.fromkeys(found))})"
    return "with systemd" if Path("/run/systemd/system").is_dir() else "no systemd"


def _limit(number: int) -> str:
    return "unlimited" if number == resource.RLIM_INFINITY else str(number)
