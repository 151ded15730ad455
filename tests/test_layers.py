"""The arrows of the architecture: who may import whom, and who knows which library."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import relay

ROOT = Path(relay.__file__).parent
LAYERS = (  # a module may import its own package and anything on an earlier line
    {"model", "content", "templates", "app", "intake", "ses", "ses.http", "capture"}
    | {"observe", "system"},  # empty
    {
        "",
        "model.reply",
        "model.order",
        "content.mailbox",
        "cli.finding",
        "system.mounts",
        "pytest_plugin",
    },
    {"model.submission"},
    {"model.mail", "model.outcome"},
    {"model.job"},
    {
        "content.header",
        "content.address",
        "log",
        "model.ids",
        "intake.large_mail",
        "password",
        "system.open_files",
    },
    {"content.encoded_words"},
    {
        "content.new_field",
        "content.html_to_text",
        "content.mime_parts",
        "observe.events",
        "delivery.pace",
        "delivery.transport",
        "intake.control_headers",
    }
    | {"ses.client_settings"},
    {"content.transfer_encoding"},
    {
        "delivery.account_pace",
        "delivery.admission",
        "observe.awaited",
        "content.ses_safe",
        "queue",
    },
    {"templates.compose", "ses.parameters", "ses.error_table", "ses.http.connection"}
    | {"ses.http.tls_socket"}
    | {"ses.sigv4"},
    {"templates.placeholder", "ses.body"},
    {"templates.prepared_part"},
    {
        "templates.template",
        "delivery.dsn",
        "capture.inbox",
        "observe.maillog",
        "observe.stats",
        "web.preview",
    },
    {
        "templates.samples",
        "intake.prepare",
        "observe.journal",
        "observe.heartbeat",
        "observe.traces",
    },
    {"templates.lint"},
    {"delivery"},
    {
        "intake.accept",
        "system.sockets",
        "ses.credentials",
        "ses.http.pool",
        "ses.sdk_data",
    },
    {"ses.sdk_client", "ses.read_answer"},
    {"ses.send_by_sdk", "ses.endpoint", "ses.send", "ses.quota"},
    {"smtp", "web", "ses.open", "capture.transport", "ses.when_open"}
    | {"system.process"},
    {"cli.check_aws"},
    {"config", "cli.logto_connector"},
    {"app.templates"},
    {"app.web_side", "app.queue_side"},
    {"app.mail_side"},
    {"app.serve"},
    {"cli"},
    {"__main__"},
)
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
DOORS = {  # each outside library has one door
    "aiosmtpd": {"smtp"},
    "aiobotocore": {"ses.credentials", "ses.sdk_client", "cli.check_aws"},
    "botocore": {
        "ses.credentials",
        "ses.sdk_client",
        "ses.sdk_data",
        "ses.read_answer",
        "ses.send_by_sdk",
        "ses.quota",
        "ses.send",
        "ses.endpoint",
        "cli.check_aws",
    },
    "aiohappyeyeballs": {"ses.http.pool"},
    "httptools": {"ses.http.connection"},
    "pybase64": {"ses.body"},
    "aiohttp": {"web", "ses.read_answer"},
    "pydantic": {"config"},
    "pydantic_core": {"config"},
    "sqlite3": {"queue"},
    "email_validator": {"content.address"},
    "pytest": {"pytest_plugin"},
    "opentelemetry": {"observe.traces"},
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
