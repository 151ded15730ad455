"""An editor with a TOML language server knows the settings, by their schema."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.server.relay_process import ROOT
from tests.server.test_life import relay_command
from tests.server.tools import NODE_MODULES, need

SETTINGS = """\
#:schema config.schema.json
grace = "30s"

[queue]
engine = "redis"

[ses]
regoin = "eu-west-1"

[[templates]]
usageType = "SignIn"
subject = "Your code is {{code}}"
validFor = 600
"""


class Editor:
    """One open file, and the language server that an editor would ask about it."""

    def __init__(self, server: subprocess.Popen[str], file: Path) -> None:
        self._server = server
        self._last = 0
        self._pages: list[dict[str, Any]] = []
        self._document = {"uri": file.as_uri()}
        self._text = file.read_text("utf-8")
        folder = {"uri": file.parent.as_uri(), "name": "settings"}
        self.ask(
            "initialize",
            rootUri=folder["uri"],
            workspaceFolders=[folder],
            capabilities={
                "textDocument": {
                    "hover": {"contentFormat": ["markdown"]},
                    "completion": {"completionItem": {"snippetSupport": True}},
                }
            },
        )
        self._tell("initialized")
        opened = {**self._document, "languageId": "toml", "version": 1}
        self._tell("textDocument/didOpen", textDocument={**opened, "text": self._text})

    def ask(self, method: str, **params: Any) -> Any:  # noqa: ANN401 - any JSON
        """What the server answers."""
        self._last += 1
        self._send(id=self._last, method=method, params=params)
        while (message := self._read()).get("id") != self._last:
            self._pages.append(message)
        return message["result"]

    def hover(self, word: str) -> str:
        """What is shown of a word under the mouse."""
        found = self.ask("textDocument/hover", **self._at(word))
        return str(found["contents"]["value"])

    def offered(self, word: str) -> dict[str, str]:
        """What could stand there, with what it is for."""
        items = self.ask("textDocument/completion", **self._at(word))
        return {
            item["label"]: item.get("documentation", {}).get("value", "")
            for item in items
        }

    def diagnoses(self, wanted: int) -> list[tuple[int, str]]:
        """What is wrong, with the number of its line."""
        while True:
            for page in self._pages:
                if page.get("method") == "textDocument/publishDiagnostics":
                    said = page["params"]["diagnostics"]
                    if len(said) == wanted:
                        return [
                            (each["range"]["start"]["line"] + 1, each["message"])
                            for each in said
                        ]
            self._pages.append(self._read())

    def _at(self, word: str) -> dict[str, Any]:
        before = self._text[: self._text.index(word) + 1]
        line, character = before.count("\n"), len(before.rpartition("\n")[2])
        position = {"line": line, "character": character}
        return {"textDocument": self._document, "position": position}

    def _tell(self, method: str, **params: Any) -> None:  # noqa: ANN401
        self._send(method=method, params=params)

    def _send(self, **message: Any) -> None:  # noqa: ANN401
        assert self._server.stdin
        self._server.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self._server.stdin.flush()

    def _read(self) -> dict[str, Any]:
        assert self._server.stdout
        while True:
            line = self._server.stdout.readline()
            assert line, "the language server ended"
            message: dict[str, Any] = json.loads(line)
            if "method" in message and "id" in message:  # it asks for its own settings
                items = message["params"].get("items", [])
                self._send(id=message["id"], result=[None for _ in items])
            else:
                return message


@pytest.fixture
def editor(tmp_path: Path) -> Iterator[Editor]:
    node = need("node", "nodejs")
    if not (NODE_MODULES / "@taplo" / "lsp").is_dir():
        pytest.skip(
            "@taplo/lsp is not installed: npm install --prefix .venv/node @taplo/lsp"
        )
    schema = relay_command("schema", settings={})
    (tmp_path / "config.schema.json").write_text(schema.stdout, "utf-8")
    file = tmp_path / "config.toml"
    file.write_text(SETTINGS, "utf-8")
    with subprocess.Popen(
        [node, ROOT / "tests" / "taplo.mjs", f"{NODE_MODULES}/"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=tmp_path,
    ) as server:
        try:
            yield Editor(server, file)
        finally:
            server.kill()


def test_an_editor_explains_completes_and_checks_settings(editor: Editor) -> None:
    wrong = editor.diagnoses(2)
    assert [line for line, _ in wrong] == [5, 7]  # the second at its table
    assert "redis" in wrong[0][1]
    assert "regoin" in wrong[1][1]

    assert editor.hover("engine").startswith("sqlite: what SES does not take in time")
    # Of a key in a table of a list Taplo shows nothing, of its value it does.
    assert editor.hover("600") == (
        "Seconds after which an unsent mail is given up, not sent late. Default: none."
    )

    assert editor.hover("grace") == (
        "Seconds that a stop may take; longer than ses.attemptTimeout."
    )

    assert {'"sqlite"', '"none"', '"sqs"'} <= editor.offered('"redis"').keys()
    of_ses = editor.offered("regoin")
    assert of_ses["region"] == (
        "The region of SES. Else AWS_REGION, AWS_DEFAULT_REGION, the profile."
    )
    assert of_ses["connectTimeout"] == (
        "Seconds to connect to SES; shorter than attemptTimeout."
    )
    assert of_ses.keys() >= {"configurationSetName", "roleArn", "endpointUrl"}
