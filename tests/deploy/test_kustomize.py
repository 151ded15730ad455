"""`deploy/kustomize` is what the chart makes, and `kubectl kustomize` builds it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay import config
from tests.deploy.objects import (
    Object,
    newest,
    of_kind,
    pod_of,
    problems,
    rendered,
    settings_of,
)
from tests.server.relay_process import ROOT, WAIT

KUSTOMIZE = ROOT / "deploy" / "kustomize"


@cache
def kubectl() -> str:
    """The path of one that is new enough, or the test is skipped."""
    for path in (shutil.which("kubectl"), Path(sys.executable).parent / "kubectl"):
        if path is None or not Path(path).exists():
            continue
        asked = [path, "version", "--client", "--output", "json"]
        said = subprocess.run(asked, capture_output=True, check=True, timeout=WAIT)
        version = json.loads(said.stdout).get("kustomizeVersion", "v0")
        if int(version.lstrip("v").partition(".")[0]) >= 5:
            return str(path)
    pytest.skip("needs kubectl 1.27 or newer, which scripts/test-tools installs")


def built(name: str) -> list[Object]:
    """What `kubectl apply --kustomize` would apply."""
    made = subprocess.run(
        [kubectl(), "kustomize", str(KUSTOMIZE / name)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (made.returncode, made.stderr) == (0, "")
    return list(yaml.safe_load_all(made.stdout))


def by_name(objects: list[Object]) -> dict[tuple[str, str], Object]:
    return {(one["kind"], one["metadata"]["name"]): one for one in objects}


def without_helm(objects: list[Object]) -> list[Object]:
    """Without the labels that name Helm; kustomize's ConfigMap has none at all."""
    for one in objects:
        labels: dict[str, Any] = one["metadata"]["labels"]
        del labels["app.kubernetes.io/managed-by"], labels["helm.sh/chart"]
        if one["kind"] == "ConfigMap":
            del one["metadata"]["labels"]
    return objects


def test_its_files_are_what_the_chart_makes(tmp_path: Path) -> None:
    command = [sys.executable, "scripts/kustomize.py", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=60)
    made = [one for one in tmp_path.rglob("*") if one.is_file()]
    assert len(made) > 8
    for file in made:
        kept = KUSTOMIZE / file.relative_to(tmp_path)
        assert kept.read_text("utf-8") == file.read_text("utf-8"), (
            "the chart has changed: run .venv/bin/python scripts/kustomize.py"
        )


def test_the_base_is_the_chart_with_its_defaults() -> None:
    assert by_name(built("base")) == by_name(without_helm(rendered({})))


def test_the_deployment_is_the_charts_without_a_queue(tmp_path: Path) -> None:
    objects = built("deployment")
    values = {"kind": "Deployment", "settings": settings_of(objects)}
    assert by_name(objects) == by_name(without_helm(rendered(values)))
    file = tmp_path / "config.toml"
    file.write_text(settings_of(objects), "utf-8")
    assert config.load(file, {}).queue.engine == "none"


@pytest.mark.parametrize("version", ["1.29.0", newest()])
def test_an_app_has_the_relay_as_a_native_sidecar(tmp_path: Path, version: str) -> None:
    objects = built("sidecar-example")
    assert problems(objects, version) == []
    pod = pod_of(of_kind(objects, "Deployment"))
    file = tmp_path / "config.toml"
    file.write_text(settings_of(objects), "utf-8")
    settings = config.load(file, {"RELAY_DEFAULTS": "deploy/image"})

    account = of_kind(objects, "ServiceAccount")["metadata"]["name"]
    assert pod["serviceAccountName"] == account
    [app] = pod["containers"]
    environ = {one["name"]: one["value"] for one in app["env"]}
    [listener] = settings.listeners
    assert listener.address == f"{environ['SMTP_HOST']}:{environ['SMTP_PORT']}"
    # A pod's own disk keeps nothing, so a 250 must mean that SES has the mail.
    assert settings.queue.engine == "none"
    [sidecar] = pod["initContainers"]
    assert sidecar["restartPolicy"] == "Always"
    [port] = sidecar["ports"]
    assert config.host_and_port(settings.health.listen)[1] == port["containerPort"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert sidecar[probe]["httpGet"]["port"] == port["name"]
    # The pod is the app's, so all of it is said at the container.
    assert "securityContext" not in pod
    assert sidecar["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 10025,
        "runAsGroup": 10025,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert pod["terminationGracePeriodSeconds"] > settings.grace
    [volume] = pod["volumes"]
    [mount] = sidecar["volumeMounts"]
    assert mount["name"] == volume["name"]


def test_only_apps_that_ask_for_it_have_a_sidecar(tmp_path: Path) -> None:
    """A StatefulSet has it too; what is not labelled stays as it is."""
    place = KUSTOMIZE / "sidecar"
    app = (KUSTOMIZE / "sidecar-example" / "app.yaml").read_text("utf-8")
    [_, deployment] = yaml.safe_load_all(app)
    other = {**deployment, "metadata": {"name": "other"}}
    stateful = {**deployment, "kind": "StatefulSet"}
    folder = tmp_path / "apps"
    folder.mkdir()
    (folder / "apps.yaml").write_text(yaml.safe_dump_all([other, stateful]), "utf-8")
    component = tmp_path / "sidecar"
    component.mkdir()
    for file in place.iterdir():
        (component / file.name).write_text(file.read_text("utf-8"), "utf-8")
    (folder / "kustomization.yaml").write_text(
        "resources: [apps.yaml]\ncomponents: [../sidecar]\n", "utf-8"
    )
    made = built(str(folder))
    sidecars = {
        one["metadata"]["name"]: [
            each["name"] for each in pod_of(one).get("initContainers", ())
        ]
        for one in made
    }
    assert sidecars == {"other": [], "legacy-app": ["ses-relay"]}


def test_the_overlay_of_the_documents_has_its_own_settings(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
    [text] = re.findall(r"```yaml\n(apiVersion: kust.*?)```", page, re.DOTALL)
    [settings, *_] = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (tmp_path / "deploy").mkdir()
    shutil.copytree(KUSTOMIZE, tmp_path / "deploy" / "kustomize")
    overlay = tmp_path / "mail"
    overlay.mkdir()
    (overlay / "kustomization.yaml").write_text(text, "utf-8")
    (overlay / "config.toml").write_text(settings, "utf-8")

    objects = built(str(overlay))

    assert problems(objects, newest()) == []
    assert settings_of(objects) == settings
    assert {one["metadata"]["namespace"] for one in objects} == {"mail"}
    [container] = pod_of(of_kind(objects, "StatefulSet"))["containers"]
    assert container["image"] == "registry.acme.example/ses-relay:0.1.0"
