"""The mail clients that the tests drive, and how to get those that are missing."""

from __future__ import annotations

import os
import shutil

import pytest

from tests.server.relay_process import ROOT

NODE_MODULES = ROOT / ".venv" / "node" / "node_modules"


def need(tool: str, package: str = "") -> str:
    """The path of a tool; skips the test, saying how to get it, when it is missing."""
    path = shutil.which(tool)
    if path is None:
        pytest.skip(f"{tool} is not installed: apt-get install -y {package or tool}")
    return path


def need_nodemailer() -> dict[str, str]:
    """The environment in which node finds nodemailer, or the test is skipped."""
    need("node", "nodejs")
    if not (NODE_MODULES / "nodemailer").is_dir():
        pytest.skip(
            "nodemailer is not installed: npm install --prefix .venv/node nodemailer"
        )
    return {**os.environ, "NODE_PATH": str(NODE_MODULES)}


def need_mailparser() -> dict[str, str]:
    """The environment in which node finds mailparser, or the test is skipped."""
    need("node", "nodejs")
    if not (NODE_MODULES / "mailparser").is_dir():
        pytest.skip(
            "mailparser is not installed: npm install --prefix .venv/node mailparser"
        )
    return {**os.environ, "NODE_PATH": str(NODE_MODULES)}
