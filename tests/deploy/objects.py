"""Kubernetes' objects as a chart or kustomize made them, and what they say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import helm_python
import jsonschema
import kubernetes_validate
import yaml
from kubernetes_validate import utils
from referencing import Registry, Resource

from tests.server.relay_process import ROOT

CHART = ROOT / "deploy" / "helm" / "ses-relay"
Object = dict[str, Any]


def rendered(values: Mapping[str, Any], name: str = "ses-relay") -> list[Object]:
    """What `helm install` would apply."""
    with helm_python.Chart.load(CHART) as chart:
        made = chart.render(dict(values), name=name, namespace="mail")
    return [
        one
        for place, text in sorted(made.items())
        if place.endswith(".yaml")
        for one in yaml.safe_load_all(text)
        if one is not None
    ]


def notes(values: Mapping[str, Any]) -> str:
    """What `helm install` says in the end."""
    with helm_python.Chart.load(CHART) as chart:
        made = chart.render(dict(values), name="ses-relay", namespace="mail")
    return made["ses-relay/templates/NOTES.txt"]


def of_kind(objects: Iterable[Object], kind: str) -> Object:
    """The only one of its kind."""
    [found] = [one for one in objects if one["kind"] == kind]
    return found


def named(objects: Iterable[Object], kind: str, name: str) -> Object:
    """The one of this kind and name."""
    [found] = [one for one in objects if one["kind"] == kind and name_of(one) == name]
    return found


def name_of(one: Object) -> str:
    return str(one["metadata"]["name"])


def settings_of(objects: Iterable[Object]) -> str:
    """The config.toml of the ConfigMap."""
    found = named(objects, "ConfigMap", "ses-relay")
    return str(found["data"]["config.toml"])


def pod_of(workload: Object) -> Object:
    spec: Object = workload["spec"]["template"]["spec"]
    return spec


@cache
def _registry(version: str) -> Registry[Any]:
    file = f"kubernetes-json-schema/v{version}-local-strict/_definitions.json"
    definitions = Resource.from_contents(utils.schema_contents(file, version))
    return definitions @ Registry()


@cache
def _validator(version: str, api: str, kind: str) -> Any:  # noqa: ANN401 - untyped
    """As `kubernetes_validate.validate` makes it, which reads megabytes each time."""
    group, _, number = api.rpartition("/")
    name = "-".join(filter(None, (kind.lower(), group.partition(".")[0], number)))
    file = f"kubernetes-json-schema/v{version}-local-strict/{name}.json"
    return jsonschema.Draft202012Validator(
        utils.schema_contents(file, version), registry=_registry(version)
    )


def newest() -> str:
    """The newest release of Kubernetes whose schemas are at hand."""
    return str(kubernetes_validate.latest_version())


def problems(objects: Iterable[Object], version: str) -> list[str]:
    """What Kubernetes' own schemas do not take of them, unknown names among it."""
    found = []
    for one in objects:
        validator = _validator(version, one["apiVersion"], one["kind"])
        found += [
            f"{one['kind']}: {'.'.join(map(str, error.path))}: {error.message}"
            for error in validator.iter_errors(one)
        ]
    return found
