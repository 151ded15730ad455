"""Write what `deploy/kustomize` has of the chart, in its defaults.

`.venv/bin/python scripts/kustomize.py [DIR]`, by default into deploy/kustomize.

The chart in deploy/helm is where Kubernetes' objects are written down; a test says when
the files here are no longer what it makes.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import helm_python
import yaml

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy" / "helm" / "ses-relay"
KUSTOMIZE = ROOT / "deploy" / "kustomize"
# Without a volume claim nothing is kept: a 250 means that SES has the mail.
NO_QUEUE = '[queue]\nengine = "none"\n\n'
# Who applies the objects is not Helm.
_HELMS = ("app.kubernetes.io/managed-by:", "helm.sh/chart:")
# What a container takes over from its pod where that is an app's.
_USER = ("runAsNonRoot", "runAsUser", "runAsGroup", "seccompProfile")
_SIDECAR = """\
# The relay beside an app, in the app's own pods. A strategic merge: its kind and name
# are those of the target in kustomization.yaml.
"""


def rendered(values: Mapping[str, Any]) -> dict[str, str]:
    """The chart's objects by the names of their templates, as text."""
    with helm_python.Chart.load(CHART) as chart:
        made = chart.render(dict(values), name="ses-relay", namespace="default")
    return {
        Path(name).name: _without_helm(text)
        for name, text in made.items()
        if name.endswith(".yaml") and text.strip()
    }


def _without_helm(text: str) -> str:
    lines = text.strip().splitlines()
    return "\n".join(one for one in lines if not one.strip().startswith(_HELMS)) + "\n"


def files() -> dict[Path, str]:
    """All that is generated, by its place in the folder."""
    with helm_python.Chart.load(CHART) as chart:
        settings = str(chart.values["settings"])
    listeners, ses = settings.split("[ses]")
    without_queue = f"{listeners}{NO_QUEUE}[ses]{ses}"
    base = rendered({})
    del base["configmap.yaml"]  # kustomize makes it of config.toml
    deployment = rendered({"kind": "Deployment", "settings": without_queue})
    made = {Path("base", name): text for name, text in base.items()}
    made[Path("base", "config.toml")] = settings
    made[Path("deployment", "deployment.yaml")] = deployment["deployment.yaml"]
    made[Path("deployment", "config.toml")] = without_queue
    made[Path("sidecar", "sidecar.yaml")] = _SIDECAR + yaml.safe_dump(
        _sidecar(yaml.safe_load(deployment["deployment.yaml"])), sort_keys=False
    )
    made[Path("sidecar-example", "config.toml")] = f"{NO_QUEUE}[ses]{ses}"
    return made


def _sidecar(deployment: dict[str, Any]) -> dict[str, Any]:
    """The Deployment's container as a native sidecar (Kubernetes 1.29 or newer)."""
    pod = deployment["spec"]["template"]["spec"]
    container = pod["containers"][0]
    # Only the app sends to it, on localhost; 8026 has a name that the app may not have.
    container["ports"] = [{"name": "relay-health", "containerPort": 8026}]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        container[probe]["httpGet"]["port"] = "relay-health"
    # It is told to stop once the app has ended.
    del container["lifecycle"]
    security = pod["securityContext"]
    container["securityContext"] |= {name: security[name] for name in _USER}
    mount = {"name": "ses-relay", "mountPath": "/etc/ses-relay", "readOnly": True}
    container["volumeMounts"] = [mount]
    name = container.pop("name")
    sidecar = {"name": name, "restartPolicy": "Always", **container}
    volumes = [{"name": "ses-relay", "configMap": {"name": "ses-relay"}}]
    spec = {"initContainers": [sidecar], "volumes": volumes}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "app"},
        "spec": {"template": {"spec": spec}},
    }


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else KUSTOMIZE
    for place, text in files().items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
