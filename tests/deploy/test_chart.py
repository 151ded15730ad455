"""The chart: Helm's own SDK renders it, and Kubernetes' schemas judge it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import helm_python
import pytest
import yaml

from relay import __version__, config
from tests.deploy.objects import (
    CHART,
    Object,
    named,
    newest,
    notes,
    of_kind,
    pod_of,
    problems,
    rendered,
    settings_of,
)
from tests.server.relay_process import ROOT
from tests.server.test_life import relay_command

IMAGE = {"RELAY_DEFAULTS": str(ROOT / "deploy" / "image")}
LISTENER = '[[listeners]]\naddress = "0.0.0.0:2525"\n[ses]\nregion = "eu-west-1"\n'
ALONE: dict[str, Any] = {
    "kind": "Deployment",
    "replicas": 3,
    "settings": f'queue.engine = "none"\n{LISTENER}',
    "ports": {"smtp": 2525},
}
SHARED: dict[str, Any] = {
    "kind": "Deployment",
    "settings": (
        f"{LISTENER}[queue]\n# of the fleet\nengine = 'sqs'\nbucket = 'acme-mail'\n"
        "url = 'https://sqs.eu-west-1.amazonaws.com/123456789012/relay'\n"
    ),
    "ports": {"smtp": 2525},
}
# Whatever can be said.
ALL: dict[str, Any] = {
    "replicas": 2,
    "image": {"repository": "registry.acme.example/relay", "tag": "1"},
    "imagePullSecrets": [{"name": "registry"}],
    "settings": f'grace = 24\ntemplatesDir = "/templates"\n{LISTENER}',
    "templates": {
        "SignIn.html": "+++\nsubject = 'Your code'\n+++\n<p>{{code}}</p>\n",
        "Generic.fr.html": "+++\nsubject = 'Code'\n+++\n<p>{{code}}</p>\n",
    },
    "secret": "ses-keys",
    "env": [
        {"name": "AWS_USE_FIPS_ENDPOINT", "value": "true"},
        {"name": "RELAY_LOG__LEVEL", "valueFrom": {"fieldRef": {"fieldPath": "a"}}},
    ],
    "ports": {"smtp": 2525, "health": 8026},
    "service": {"type": "LoadBalancer", "port": 25, "annotations": {"a": "b"}},
    "serviceAccount": {"name": "mail", "annotations": {"eks/role-arn": "arn"}},
    "queue": {"size": "2Gi", "storageClass": "gp3", "accessMode": "ReadWriteOncePod"},
    "preStopSeconds": 0,
    "podDisruptionBudget": {"maxUnavailable": "50%"},
    "networkPolicy": {
        "clients": [{"namespaceSelector": {"matchLabels": {"mail": "yes"}}}],
        "metrics": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "podAnnotations": {"a": "b"},
    "podLabels": {"team": "mail"},
    "priorityClassName": "high",
    "nodeSelector": {"kubernetes.io/arch": "arm64"},
    "tolerations": [{"key": "mail", "operator": "Exists"}],
    "affinity": {"podAntiAffinity": {}},
    "topologySpreadConstraints": [
        {
            "maxSkew": 1,
            "topologyKey": "topology.kubernetes.io/zone",
            "whenUnsatisfiable": "ScheduleAnyway",
        }
    ],
}
LITTLE: dict[str, Any] = {
    "serviceAccount": {"create": False, "name": "there"},
    "podDisruptionBudget": {"enabled": False},
    "networkPolicy": {"enabled": False},
}
FORMS = {"default": {}, "alone": ALONE, "shared": SHARED, "all": ALL, "little": LITTLE}
forms = pytest.mark.parametrize("values", FORMS.values(), ids=FORMS)


def test_the_chart_has_the_relays_version_and_nothing_to_lint() -> None:
    found = helm_python.lint(str(CHART))
    assert found["errors"] == []
    # Of severity 1, which is no warning.
    assert [one["error"] for one in found["messages"]] == ["icon is recommended"]
    with helm_python.Chart.load(CHART) as chart:
        assert chart.metadata["appVersion"] == __version__
        assert chart.metadata["version"] == __version__


@forms
@pytest.mark.parametrize("version", ["1.25.0", "1.29.0", newest()])
def test_kubernetes_schemas_take_all_that_it_makes(
    values: Mapping[str, Any], version: str
) -> None:
    made = [one for one in rendered(values) if one["kind"] != "ServiceMonitor"]
    assert len(made) >= 3
    assert problems(made, version) == []


def test_the_schemas_refuse_an_unknown_key_and_a_wrong_type() -> None:
    """A control of the test above."""
    objects = rendered({})
    pod_of(of_kind(objects, "StatefulSet"))["serviceAcount"] = "relay"
    named(objects, "Service", "ses-relay")["spec"]["ports"][0]["port"] = "smtp"
    assert problems(objects, newest()) == [
        "Service: spec.ports.0.port: 'smtp' is not of type 'integer'",
        (
            "StatefulSet: spec.template.spec: Additional properties are not allowed "
            "('serviceAcount' was unexpected)"
        ),
    ]


def workload(objects: list[Object]) -> Object:
    [found] = [one for one in objects if one["kind"] in ("StatefulSet", "Deployment")]
    return found


@forms
def test_what_one_object_names_another_is(values: Mapping[str, Any]) -> None:
    objects = rendered(values)
    names = {(one["kind"], one["metadata"]["name"]) for one in objects}
    pods = workload(objects)
    labels = pods["spec"]["template"]["metadata"]["labels"].items()
    pod = pod_of(pods)
    [container] = pod["containers"]

    account = pod["serviceAccountName"]
    created = values.get("serviceAccount", {}).get("create", True)
    assert (("ServiceAccount", account) in names) == created
    assert pods["spec"]["selector"]["matchLabels"].items() <= labels
    services = [one for one in objects if one["kind"] == "Service"]
    assert all(one["spec"]["selector"].items() <= labels for one in services)
    ports = [one["name"] for one in container["ports"]]
    assert [
        each["targetPort"] for one in services for each in one["spec"]["ports"]
    ] == ports
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] in ports
    for kind, path in (("PodDisruptionBudget", "selector"), ("NetworkPolicy", "pod")):
        for one in (each for each in objects if each["kind"] == kind):
            chosen = one["spec"]["podSelector" if path == "pod" else path]
            assert chosen["matchLabels"].items() <= labels
    maps = [one["configMap"]["name"] for one in pod["volumes"] if "configMap" in one]
    assert maps
    assert {("ConfigMap", one) for one in maps} <= names
    volumes = {one["name"] for one in pod["volumes"]} | {
        one["metadata"]["name"] for one in pods["spec"].get("volumeClaimTemplates", ())
    }
    assert {one["name"] for one in container["volumeMounts"]} == volumes
    if pods["kind"] == "StatefulSet":
        assert ("Service", pods["spec"]["serviceName"]) in names


@forms
def test_its_settings_load_and_are_what_the_pod_is_made_for(
    values: Mapping[str, Any], tmp_path: Path
) -> None:
    objects = rendered(values)
    file = tmp_path / "config.toml"
    file.write_text(settings_of(objects), "utf-8")
    settings = config.load(file, IMAGE)
    pods = workload(objects)
    [container] = pod_of(pods)["containers"]
    assert container["args"] == ["serve", "-c", "/etc/ses-relay/config.toml"]
    mounts = {one["name"]: one["mountPath"] for one in container["volumeMounts"]}
    assert mounts["settings"] == "/etc/ses-relay"

    [listener] = settings.listeners
    assert {one["name"]: one["containerPort"] for one in container["ports"]} == {
        "smtp": config.host_and_port(listener.address)[1],
        "health": config.host_and_port(settings.health.listen)[1],
    }
    # A 250 out of a pod without a disk must not mean that it is kept there.
    assert (settings.queue.engine == "sqlite") == (pods["kind"] == "StatefulSet")
    if pods["kind"] == "StatefulSet":
        assert mounts["spool"] == str(config.spool_path(settings).parent)
    if settings.templates_dir:
        assert mounts["templates"] == settings.templates_dir
    wait = re.findall(r"\d+", str(container.get("lifecycle", "0")))
    stop = pod_of(pods)["terminationGracePeriodSeconds"]
    assert stop > int(wait[0]) + settings.grace


@pytest.mark.parametrize("values", [{}, ALONE], ids=["default", "alone"])
def test_relay_check_takes_the_settings_of_a_release(
    values: Mapping[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    text = settings_of(rendered(values))
    file.write_text(text.replace("0.0.0.0:", "127.0.0.1:"), "utf-8")
    spool = {} if values else {"RELAY_QUEUE__PATH": str(tmp_path / "spool.db")}
    checked = relay_command("check", "-c", str(file), settings={**IMAGE, **spool})
    assert checked.returncode == 0, checked.stderr
    assert f"ok: settings: {file}" in checked.stdout


@forms
def test_its_pods_meet_the_restricted_standard_of_pod_security(
    values: Mapping[str, Any],
) -> None:
    pod = pod_of(workload(rendered(values)))
    [container] = pod["containers"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10025,
        "runAsGroup": 10025,
        "fsGroup": 10025,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert pod["automountServiceAccountToken"] is False


def test_everything_that_is_said_is_heard() -> None:
    objects = rendered(ALL, name="acme")
    pods = of_kind(objects, "StatefulSet")
    pod = pod_of(pods)
    [container] = pod["containers"]
    assert pods["metadata"]["name"] == "acme-ses-relay"
    assert pods["spec"]["replicas"] == 2
    assert container["image"] == "registry.acme.example/relay:1"
    assert container["env"] == ALL["env"]
    assert "lifecycle" not in container
    for name in (
        "imagePullSecrets",
        "priorityClassName",
        "nodeSelector",
        "tolerations",
        "affinity",
        "topologySpreadConstraints",
    ):
        assert pod[name] == ALL[name]
    # The container's user is no root: by its group it reads what is root's.
    [secret] = [one["secret"] for one in pod["volumes"] if "secret" in one]
    assert secret == {"secretName": "ses-keys", "defaultMode": 0o440}
    [claim] = pods["spec"]["volumeClaimTemplates"]
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOncePod"],
        "storageClassName": "gp3",
        "resources": {"requests": {"storage": "2Gi"}},
    }
    meta = pods["spec"]["template"]["metadata"]
    assert meta["labels"]["team"] == "mail"
    assert meta["annotations"] == {"a": "b"}
    account = of_kind(objects, "ServiceAccount")
    assert account["metadata"]["annotations"] == {"eks/role-arn": "arn"}
    service = named(objects, "Service", "acme-ses-relay")
    assert service["spec"]["type"] == "LoadBalancer"
    # What needs no password stays within the cluster.
    assert service["spec"]["ports"] == [
        {"name": "smtp", "port": 25, "targetPort": "smtp"}
    ]
    budget = of_kind(objects, "PodDisruptionBudget")
    assert budget["spec"]["maxUnavailable"] == "50%"
    [templates] = [one for one in objects if "templates" in one["metadata"]["name"]]
    assert templates["data"] == ALL["templates"]


def test_only_who_is_named_reaches_the_listener() -> None:
    near = of_kind(rendered({}), "NetworkPolicy")["spec"]
    assert near["policyTypes"] == ["Ingress"]
    # Pods of the same namespace; health and metrics are everybody's.
    assert near["ingress"] == [
        {
            "from": [{"podSelector": {}}],
            "ports": [{"port": "smtp", "protocol": "TCP"}],
        },
        {"ports": [{"port": "health", "protocol": "TCP"}]},
    ]
    smtp, health = of_kind(rendered(ALL), "NetworkPolicy")["spec"]["ingress"]
    assert smtp["from"] == ALL["networkPolicy"]["clients"]
    assert health["from"] == ALL["networkPolicy"]["metrics"]


def test_prometheus_is_led_to_the_metrics_of_each_pod() -> None:
    assert "ServiceMonitor" not in {one["kind"] for one in rendered({})}
    objects = rendered(ALL)
    monitor = of_kind(objects, "ServiceMonitor")
    service = named(objects, "Service", "ses-relay-metrics")
    assert service["spec"]["clusterIP"] == "None"
    assert monitor["apiVersion"] == "monitoring.coreos.com/v1"
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    [endpoint] = monitor["spec"]["endpoints"]
    assert endpoint == {"port": "health", "path": "/metrics", "interval": "30s"}
    assert endpoint["port"] in {one["name"] for one in service["spec"]["ports"]}
    chosen = monitor["spec"]["selector"]["matchLabels"].items()
    services = [one for one in objects if one["kind"] == "Service"]
    assert [one for one in services if chosen <= one["metadata"]["labels"].items()] == [
        service
    ]


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "DaemonSet"}, "at '/kind'"),
        ({"replica": 2}, "'replica'"),
        ({"replicas": "2"}, "at '/replicas'"),
        ({"settings": {"ses": {}}}, "at '/settings'"),
        ({"templates": {"a/b.html": ""}}, "'a/b.html' does not match"),
        ({"env": ["A=b"]}, "at '/env/0'"),
        ({"ports": {"smtp": 70000}}, "at '/ports/smtp'"),
        ({"serviceAccount": {"annotation": {}}}, "'annotation'"),
        ({"serviceAccount": {"annotations": {"a": 1}}}, "/annotations/a'"),
        ({"queue": {"size": 10}}, "at '/queue/size'"),
        ({"queue": {"accessMode": "ReadWriteMany"}}, "at '/queue/accessMode'"),
        # An empty list would let everybody in.
        ({"networkPolicy": {"clients": []}}, "at '/networkPolicy/clients'"),
        ({"podDisruptionBudget": {"maxUnavailable": 0}}, "/maxUnavailable'"),
    ],
)
def test_a_wrong_value_is_named(values: Mapping[str, Any], said: str) -> None:
    with pytest.raises(helm_python.HelmValuesError) as refused:
        rendered(values)
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kind": "Deployment"}, "kind: a Deployment has no disk"),
        (
            {"kind": "Deployment", "settings": f'# engine = "none"\n{LISTENER}'},
            "kind: a Deployment has no disk",
        ),
        (
            {"kind": "Deployment", "settings": f'queue.engine = "sqlite"\n{LISTENER}'},
            "kind: a Deployment has no disk",
        ),
        ({"settings": '[ses]\nregion = "a"'}, "ports.smtp: no listener of the"),
        ({"ports": {"smtp": 25}}, "ports.smtp: no listener of the settings is on 25;"),
        ({"templates": {"A.html": ""}}, "templates: the settings do not read them"),
        (
            {**ALL, "templatesConfigMap": "mine"},
            "templates, templatesConfigMap: give one of both",
        ),
        (
            {"serviceAccount": {"create": False}},
            "serviceAccount.name: with serviceAccount.create=false, name the one",
        ),
        ({"preStopSeconds": 40}, "terminationGracePeriodSeconds: it has to be longer"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(
    values: Mapping[str, Any], said: str
) -> None:
    with pytest.raises(helm_python.HelmRenderError) as refused:
        rendered(values)
    assert said in str(refused.value)


def _paths(values: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in values.items():
        yield f"{above}{name}"
        if isinstance(value, dict):
            yield from _paths(value, f"{above}{name}.")


def _described(schema: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, one in schema.get("properties", {}).items():
        yield f"{above}{name}"
        yield from _described(one, f"{above}{name}.")


def test_the_schema_has_all_values_and_no_others() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    with helm_python.Chart.load(CHART) as chart:
        assert chart.schema is not None
        described = set(_described(chart.schema))
    # `global` is Helm's own; of items no key is a value's.
    given = {one for one in _paths(values) if not one.startswith("resources.")}
    assert described - {"global"} == given


def test_the_notes_lead_to_the_listener_the_check_and_the_page() -> None:
    said = notes({})
    assert "send to ses-relay.mail.svc:1025, those alone that" in said
    assert "exec statefulset/ses-relay -- relay check -c" in said
    assert "--server ses-relay:1025" in said
    assert "port-forward statefulset/ses-relay 8025" in said
    assert "service account\nses-relay;" in said
    other = notes({**ALL, "networkPolicy": {"enabled": False}})
    assert "--server ses-relay:25" in other
    assert "alone" not in other
    assert "IRSA" not in other


def test_what_the_documents_set_is_taken() -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
    settings, keys = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    assert "accessKeySecretFile" in keys
    policy = yaml.safe_load(
        next(one for one in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    )
    values = {**policy, "settings": f'templatesDir = "/templates"\n{settings}'}
    said = re.findall(r"--set (?:'([^']*)'|(\S+))", page)
    assert len(said) == 4
    for quoted, plain in said:
        values |= helm_python.parse_set_string(quoted or plain)

    objects = rendered(values, name="mail")

    # As the page names them.
    assert problems(objects, newest()) == []
    [account] = [one for one in objects if one["kind"] == "ServiceAccount"]
    name = account["metadata"]["name"]
    assert f"system:serviceaccount:mail:{name}" in page
    assert f"--service-account {name} " in page
    assert f"statefulset/{name} " in page
    role = account["metadata"]["annotations"]["eks.amazonaws.com/role-arn"]
    assert f"--role-arn {role}\n" in page
    pod = pod_of(of_kind(objects, "StatefulSet"))
    assert pod["containers"][0]["image"].startswith("registry.acme.example/ses-relay:")
    volumes = {one["name"]: one for one in pod["volumes"]}
    assert volumes["templates"]["configMap"]["name"] == "mail-templates"
    assert volumes["secrets"]["secret"]["secretName"] == "ses-keys"
    ingress = of_kind(objects, "NetworkPolicy")["spec"]["ingress"]
    assert [one["from"] for one in ingress] == list(policy["networkPolicy"].values())
