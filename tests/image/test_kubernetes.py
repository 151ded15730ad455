"""The pods of `deploy/helm` and `deploy/kustomize`, run by `podman play kube`.

It knows pods, claims and ConfigMaps, but no StatefulSet and no sidecar that goes on,
and podman 4.3 hands on a Secret's base64 as it is: the pod is taken out of its
workload, the sidecar is a container beside the app, and a ConfigMap stands in for a
Secret. In what order containers start, and what probes do, is Kubernetes' part.
"""

from __future__ import annotations

import asyncio
import smtplib
import socket
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from tests.deploy.objects import Object, of_kind, pod_of, rendered
from tests.deploy.test_kustomize import built
from tests.fake_ses import FakeSes, error
from tests.image.engine import ENGINE, IMAGE, PATIENCE, Container, done, engine
from tests.image.test_image import submit
from tests.server.reloading import CODE, ses, toml

pytestmark = pytest.mark.skipif(
    "podman" not in ENGINE, reason="`make test-image` with podman plays what this has"
)


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


def settings(fake: FakeSes, smtp: int, health: int, **more: object) -> str:
    given = {
        "ses": ses(fake),
        "listeners": [{"name": "apps", "address": f"127.0.0.1:{smtp}"}],
        "health": {"listen": f"127.0.0.1:{health}"},
        "web": {"listen": ""},
        **more,
    }
    return "".join(f"{name} = {toml(value)}\n" for name, value in given.items())


def playable(objects: list[Object]) -> list[Object]:
    """The pod of the one workload, and before it all that it mounts."""
    [workload] = [
        one for one in objects if one["kind"] in ("StatefulSet", "Deployment")
    ]
    pod = pod_of(workload)
    name = f"ses-relay-{uuid.uuid4().hex[:12]}"
    claims = workload["spec"].get("volumeClaimTemplates", [])
    for claim in claims:
        mount = claim["metadata"]["name"]
        claim["metadata"]["name"] = f"{mount}-{name}"
        claimed = {"claimName": claim["metadata"]["name"]}
        pod["volumes"].append({"name": mount, "persistentVolumeClaim": claimed})
    for container in pod["containers"] + pod.get("initContainers", []):
        container["image"] = f"localhost/{IMAGE}"
        # Podman would publish them, which the network of this machine does not need.
        container.pop("ports", None)
    for volume in pod["volumes"]:
        if "secret" in volume:
            volume["configMap"] = {"name": volume.pop("secret")["secretName"]}
    for sidecar in pod.pop("initContainers", []):
        del sidecar["restartPolicy"]
        pod["containers"].append(sidecar)
    return [
        *(one for one in objects if one["kind"] == "ConfigMap"),
        *claims,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {**workload["spec"]["template"]["metadata"], "name": name},
            "spec": pod,
        },
    ]


@contextmanager
def played(objects: list[Object], directory: Path) -> Iterator[str]:
    """Run them in this machine's network, where the fake SES is: the pod's name."""
    file = directory / "objects.yaml"
    file.write_text(yaml.safe_dump_all(objects), "utf-8")
    try:
        done("play", "kube", "--network", "host", str(file))
        yield str(objects[-1]["metadata"]["name"])
    finally:
        engine("play", "kube", "--down", str(file))
        for one in objects:  # what stays of it
            name = one["metadata"]["name"]
            if one["kind"] == "ConfigMap":
                engine("volume", "rm", "--force", name)


def await_ready(port: int, pod: str) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            url = f"http://127.0.0.1:{port}/readyz"
            with urllib.request.urlopen(url, timeout=60):
                return
        except (urllib.error.URLError, ConnectionError):
            said = engine("pod", "logs", pod)
            assert time.monotonic() < end, (said.stdout + said.stderr)[-2000:]
        time.sleep(0.2)


async def test_the_stateful_sets_pod_keeps_mail_on_its_claim(tmp_path: Path) -> None:
    smtp, health = free_ports(2)
    async with FakeSes(*[error("TooManyRequestsException", 429, "slow")] * 99) as fake:
        queue = {"answerWithin": 1, "retryDelays": [1]}
        text = settings(fake, smtp, health, queue=queue)
        ports = {"smtp": smtp, "health": health}
        objects = playable(rendered({"settings": text, "ports": ports}))
        [claim] = [one for one in objects if one["kind"] == "PersistentVolumeClaim"]
        try:
            await asyncio.to_thread(_kept, objects, tmp_path, smtp, health)
            fake.answers.clear()
            taken = len(fake.sent)
            objects.remove(claim)  # it is there, which this podman takes for a mistake
            await asyncio.to_thread(_sent, objects, tmp_path)
        finally:
            engine("volume", "rm", "--force", claim["metadata"]["name"])
        assert len(fake.sent) > taken
        assert b"Subject: one" in fake.sent[-1].mail


def _kept(objects: list[Object], directory: Path, smtp: int, health: int) -> None:
    with played(objects, directory) as pod:
        await_ready(health, pod)
        assert submit(smtp).startswith("250 2.0.0 queued as ")
        relay = Container(f"{pod}-ses-relay")
        # What the pod asks for is what the container has.
        assert relay.inspect("HostConfig.ReadonlyRootfs") is True
        assert relay.inspect("EffectiveCaps") in (None, [])
        assert relay.run("id", "-u").stdout == "10025\n"
        assert "ann@example.com" in relay.run("relay", "queue", "list").stdout
        # preStop, as Kubernetes would run it.
        [hook] = [
            one["lifecycle"]["preStop"]["exec"]["command"]
            for one in objects[-1]["spec"]["containers"]
        ]
        assert relay.run(*hook).returncode == 0


def _sent(objects: list[Object], directory: Path) -> None:
    with played(objects, directory) as pod:
        Container(f"{pod}-ses-relay").until("sent")


async def test_the_deployments_pod_has_templates_and_keys_of_a_secret(
    tmp_path: Path,
) -> None:
    smtp, health = free_ports(2)
    async with FakeSes() as fake:
        keys = ses(fake)
        files = {"accessKeyId": keys.pop("accessKeyId")}
        files["accessKeySecret"] = keys.pop("accessKeySecret")
        text = settings(
            fake,
            smtp,
            health,
            templatesDir="/templates",
            queue={"engine": "none"},
            ses={**keys, **{f"{name}File": f"/secrets/{name}" for name in files}},
        )
        template = "+++\nsubject = 'Code {{code}}'\n+++\n<p>{{code}}</p>\n"
        values = {
            "kind": "Deployment",
            "settings": text,
            "ports": {"smtp": smtp, "health": health},
            "templates": {"SignIn.html": template},
            "secret": f"keys-{uuid.uuid4().hex[:12]}",
        }
        secret = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": values["secret"]},
            "data": files,
        }
        objects = playable([secret, *rendered(values)])
        await asyncio.to_thread(_with_a_template, objects, tmp_path, smtp, health)
        [request] = fake.sent
        assert b"Subject: Code 123456" in request.mail


def _with_a_template(
    objects: list[Object], directory: Path, smtp: int, health: int
) -> None:
    with played(objects, directory) as pod:
        await_ready(health, pod)
        with smtplib.SMTP("127.0.0.1", smtp, timeout=60) as client:
            client.sendmail("app@acme.example", "ann@example.com", CODE)


async def test_an_app_sends_to_its_sidecar(tmp_path: Path) -> None:
    smtp, health = free_ports(2)
    async with FakeSes() as fake:
        objects = built("sidecar-example")
        config_map = of_kind(objects, "ConfigMap")
        config_map["data"]["config.toml"] = settings(
            fake, smtp, health, queue={"engine": "none"}
        )
        [app] = pod_of(of_kind(objects, "Deployment"))["containers"]
        app["command"] = ["sleep", "600"]
        await asyncio.to_thread(_beside, playable(objects), tmp_path, smtp, health)
        [request] = fake.sent
        assert b"Subject: from the app" in request.mail


def _beside(objects: list[Object], directory: Path, smtp: int, health: int) -> None:
    with played(objects, directory) as pod:
        await_ready(health, pod)
        words = ("--from", "app@acme.example", "--to", "ann@example.com")
        app = Container(f"{pod}-app")
        made = app.run(
            *("relay", "send", "--server", f"127.0.0.1:{smtp}", *words),
            *("--subject", "from the app"),
        )
        assert made.returncode == 0, made.stderr
