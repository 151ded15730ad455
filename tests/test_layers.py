"""The arrows of the architecture: who may import whom, and who knows which library."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import relay

ROOT = Path(relay.__file__).parent
LAYERS = (  # a module may import its own package and anything on an earlier line
    {"", "reply", "order", "mailbox", "finding", "mounts", "pytest_plugin"},
    {"submission"},
    {"mail", "outcome"},
    {"job"},
    {"message", "address", "log", "ids", "room", "password", "descriptors"},
    {"words"},
    {"fields", "text", "part", "events", "pace", "transport", "control"}
    | {"transport.access"},
    {"transfer"},
    {"account", "gate", "awaited", "reencode", "queue"},
    {"mime", "transport.request", "transport.answers", "transport.line"}
    | {"transport.stream"}
    | {"transport.signature"},
    {"placeholder", "transport.payload"},
    {"stencil"},
    {"template", "dsn", "inbox", "maillog", "stats", "preview"},
    {"samples", "intake", "journal", "heartbeat", "traces"},
    {"lint"},
    {"delivery"},
    {"core", "sockets", "transport.credentials", "transport.pool", "transport.lean"},
    {"transport.connection", "transport.outcomes"},
    {"transport.plain", "transport.route", "transport.direct", "transport.account"},
    {"smtp", "web", "transport.ses", "transport.capture", "transport.opening"}
    | {"lifecycle"},
    {"online"},
    {"config", "connector"},
    {"sources"},
    {"watch", "queueing"},
    {"office"},
    {"app"},
    {"cli"},
    {"__main__"},
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
DOORS = {  # each outside library has one door
    "aiosmtpd": {"smtp"},
    "aiobotocore": {"transport.credentials", "transport.connection", "online"},
    "botocore": {
        "transport.credentials",
        "transport.connection",
        "transport.lean",
        "transport.outcomes",
        "transport.plain",
        "transport.account",
        "transport.direct",
        "transport.route",
        "online",
    },
    "aiohappyeyeballs": {"transport.pool"},
    "httptools": {"transport.line"},
    "pybase64": {"transport.payload"},
    "aiohttp": {"web", "transport.outcomes"},
    "pydantic": {"config"},
    "pydantic_core": {"config"},
    "sqlite3": {"queue"},
    "email_validator": {"address"},
    "pytest": {"pytest_plugin"},
    "opentelemetry": {"traces"},
    "prometheus_client": {"web"},
    "argon2": {"password"},
    "cryptography": {"smtp"},
}


def _place(module: str) -> str:
    """The name in LAYERS that a module of ours goes by: its own or its package's."""
    while module not in RANK and "." in module:
        module = module.rpartition(".")[0]
    return module


def _ours(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {_ours(path): path for path in sorted(ROOT.rglob("*.py"))}


def _imports(path: Path) -> set[str]:
    """All that a file imports, as full names; late imports too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: a relative import"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            # `from relay import config` names a module, `from relay.ids import x` not.
            modules = {n for n in names if n.removeprefix("relay.") in MODULES}
            found |= modules if node.module == "relay" and modules else set()
            if names - modules or node.module != "relay":
                found |= modules | {str(node.module)}
    return found


ARROWS = {(module, name) for module, path in MODULES.items() for name in _imports(path)}


def test_every_module_has_a_layer() -> None:
    assert {_place(module) for module in MODULES} <= RANK.keys()


def test_a_module_imports_its_own_package_and_earlier_layers_only() -> None:
    wrong = []
    for module, name in ARROWS:
        if name != "relay" and not name.startswith("relay."):
            continue
        target = _place(name.removeprefix("relay").removeprefix("."))
        if target == _place(module) or RANK[target] < RANK[_place(module)]:
            continue
        wrong.append(f"{module} imports {name}")
    assert sorted(wrong) == []


def test_each_outside_library_has_one_door() -> None:
    wrong = []
    for module, name in ARROWS:
        library = name.partition(".")[0]
        if library == "relay" or library in sys.stdlib_module_names - DOORS.keys():
            continue
        if _place(module) not in DOORS.get(library, set()):
            wrong.append(f"{module} imports {library}")
    assert sorted(wrong) == []
