"""The bill of materials of a wheel, in CycloneDX 1.6: what is in it and what it needs.

The needed libraries have the versions that they have here. Nothing in it depends on
the time, so that the same wheel beside the same libraries has the same bill.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

from scripts.packages.needed import needed

_FORM = "http://cyclonedx.org/schema/bom-1.6.schema.json"


def bill(wheel: Path, itself: Distribution, sources: Path) -> dict[str, Any]:
    """The bill of `wheel`, which is installed as `itself`, made of `sources`."""
    all_of_it = needed(itself)
    refs = {name: _purl(one) for name, (one, _) in all_of_it.items()}
    return {
        "$schema": _FORM,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                **_component(itself, "application"),
                "hashes": [
                    {
                        "alg": "SHA-256",
                        "content": sha256(wheel.read_bytes()).hexdigest(),
                    }
                ],
                "components": bundled(sources),
            }
        },
        "components": [
            _component(one, "library")
            for _, (one, _) in sorted(all_of_it.items())
            if one is not itself
        ],
        "dependencies": [
            {"ref": refs[name], "dependsOn": sorted(refs[other] for other in below)}
            for name, (_, below) in sorted(all_of_it.items())
        ],
    }


def bundled(sources: Path) -> list[dict[str, Any]]:
    """What others made and the wheel carries; the files themselves say its version."""
    static, templates = (
        sources / "relay" / "web" / "static",
        sources / "relay/templates",
    )
    uplot = _version(static / "uplot.js", r"uPlot \(v([\d.]+)\)")
    lucide = _version(static / "icons.js", r"Lucide ([\d.]+)")
    commit = json.loads((templates / "caniemail.json").read_text("utf-8"))["commit"]
    return [
        _part("uplot", uplot, f"pkg:npm/uplot@{uplot}", "MIT"),
        _part("lucide", lucide, f"pkg:npm/lucide-static@{lucide}", "ISC AND MIT"),
        {
            **_part(
                "caniemail", commit, f"pkg:github/hteumeuleu/caniemail@{commit}", "MIT"
            ),
            "type": "data",
        },
    ]


def _part(name: str, version: str, purl: str, terms: str) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
        "licenses": [{"expression": terms}],
    }


def _version(file: Path, pattern: str) -> str:
    found = re.search(pattern, file.read_text("utf-8"))
    if found is None:
        raise ValueError(f"{file}: no version, as {pattern} finds it")
    return found[1]


def _component(one: Distribution, kind: str) -> dict[str, Any]:
    terms = one.metadata.get("License-Expression")
    named = [
        {"license": {"name": text.rpartition(" :: ")[2]}}
        for text in one.metadata.get_all("Classifier") or ()
        if text.startswith("License :: ")
    ]
    licenses = [{"expression": terms}] if terms else named
    return {
        "type": kind,
        "bom-ref": _purl(one),
        "name": one.name,
        "version": one.version,
        "purl": _purl(one),
        **({"licenses": licenses} if licenses else {}),
    }


def _purl(one: Distribution) -> str:
    name = re.sub(r"[-_.]+", "-", one.name).lower()
    return f"pkg:pypi/{name}@{one.version}"
