"""The templates of deploy/cloudformation: by cfn-lint's rules, and deployed.

ministack makes all resources, and the relay is run on them. What it leaves out of what
they say is read elsewhere: the dead-letter queue and the relay's policy in what moto
makes, which for its part knows no configuration set, event destination, subscription
and no policy of a topic, a queue or a bucket, and no listener by TCP. Neither keeps a
bucket's lifecycle or its Block Public Access: of these the template alone is read.
Policies are not tried, since both let anybody do anything, and no container of ECS
runs: the relay is run by hand, with the variables of its task.
"""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from relay.fleet.aws import FleetSettings
from tests.fake_ses import FakeSes, error
from tests.fleet.emulators import REGION, Emulator, client, ministack, moto
from tests.fleet.relays import NO_FILE, await_empty, sharing
from tests.fleet.test_commands import relay as command
from tests.server.relay_process import ROOT, WAIT, running_relay
from tests.server.test_queue_disk import submit

DEPLOY = ROOT / "deploy" / "cloudformation"
SERVICES = (
    "cloudformation,sqs,s3,sts,ses,sns,iam,logs,ecs,ec2,elbv2,elasticloadbalancing,"
    "cloudwatch,monitoring"
)
DOWN = error("TooManyRequestsException", 429, "Rate exceeded")


@pytest.fixture(scope="module")
def aws() -> Iterator[Emulator]:
    with ministack(SERVICES) as running:
        yield running


def deployed(
    aws: Emulator, stack: str, text: str, parameters: Mapping[str, str]
) -> dict[str, str]:
    """Deploy a template and wait for it: its outputs."""
    api = client(aws.endpoint, "cloudformation")
    api.create_stack(
        StackName=stack,
        TemplateBody=text,
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value}
            for name, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    end = time.monotonic() + WAIT
    while True:
        [found] = api.describe_stacks(StackName=stack)["Stacks"]
        if found["StackStatus"] == "CREATE_COMPLETE":
            return {
                one["OutputKey"]: one["OutputValue"] for one in found.get("Outputs", [])
            }
        failed = "FAILED" in found["StackStatus"] or "ROLLBACK" in found["StackStatus"]
        if failed or time.monotonic() > end:
            events = api.describe_stack_events(StackName=stack)["StackEvents"]
            raise AssertionError(f"{found['StackStatus']}: {events}")
        time.sleep(0.1)


@pytest.fixture(scope="module")
def fleet(aws: Emulator) -> dict[str, str]:
    """The outputs of fleet.yaml."""
    return made(aws)


@pytest.fixture(scope="module")
def second() -> Iterator[Emulator]:
    with moto() as running:
        yield running


@pytest.fixture(scope="module")
def again(second: Emulator) -> dict[str, str]:
    """The same, as moto makes it."""
    return made(second)


def made(aws: Emulator) -> dict[str, str]:
    topic = client(aws.endpoint, "sns").create_topic(Name="alarms")["TopicArn"]
    return deployed(aws, "fleet", text("fleet.yaml"), {"AlarmTopicArn": topic})


def text(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8")


class _Loader(yaml.SafeLoader):
    """Reads what is behind CloudFormation's own tags as if they were not there."""


def _plain(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> object:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _plain)


def place(aws: Emulator, fleet: Mapping[str, str]) -> FleetSettings:
    return FleetSettings(
        url=fleet["QueueUrl"],
        bucket=fleet["Bucket"],
        prefix=fleet["Prefix"],
        region=REGION,
        endpoint_url=aws.endpoint,
        access_key_id="AKIAFAKE",
        access_key_secret="fake-secret",
    )


def linted(file: Path) -> tuple[int, str]:
    """What cfn-lint says of a template, and its exit code."""
    found = subprocess.run(
        [Path(sys.executable).with_name("cfn-lint"), "--regions", REGION, "--", file],
        capture_output=True,
        text=True,
        check=False,
    )
    return found.returncode, found.stdout + found.stderr


@pytest.mark.parametrize("name", ["fleet.yaml", "relays.yaml"])
def test_the_templates_pass_cfn_lint(name: str) -> None:
    assert linted(DEPLOY / name) == (0, "")


def test_cfn_lint_finds_what_is_wrong(tmp_path: Path) -> None:
    broken = tmp_path / "fleet.yaml"
    wrong = text("fleet.yaml").replace("maxReceiveCount", "MaxReceives")
    broken.write_text(wrong, "utf-8")
    code, said = linted(broken)
    assert code != 0
    assert "MaxReceives" in said


async def test_a_mail_waits_in_what_the_template_made_and_is_sent(
    aws: Emulator, fleet: dict[str, str]
) -> None:
    where = place(aws, fleet)
    async with FakeSes(DOWN) as ses:
        settings = {
            **sharing(ses, where),
            "RELAY_SES__CONFIGURATION_SET_NAME": fleet["ConfigurationSet"],
        }

        def run() -> None:
            with running_relay(*NO_FILE, settings=settings) as relay:
                code, said = submit(relay.port(), "waits")
                assert (code, said[: len(b"2.0.0 queued")]) == (250, b"2.0.0 queued")
                sent = relay.event("sent")
                assert sent["attempts"] >= 2
            await_empty(where)

        await asyncio.to_thread(run)
        asked = ses.sent[-1].parameters
        assert asked["ConfigurationSetName"] == fleet["ConfigurationSet"]


async def test_the_check_takes_what_the_template_made(
    aws: Emulator, fleet: dict[str, str]
) -> None:
    where = place(aws, fleet)
    rules = [
        {
            "ID": one["Id"],
            "Status": one["Status"],
            "Filter": {"Prefix": one["Prefix"]},
            "Expiration": {"Days": one["ExpirationInDays"]},
        }
        for one in bucket_rules(where.prefix)
    ]
    client(aws.endpoint, "s3").put_bucket_lifecycle_configuration(
        Bucket=where.bucket, LifecycleConfiguration={"Rules": rules}
    )
    async with FakeSes() as ses:
        done = await asyncio.to_thread(
            command, sharing(ses, where), "check", "--online"
        )
    lines = done.stdout.splitlines()
    assert f"ok: queue.url: {where.url}" in lines
    assert f"ok: queue.bucket: {where.bucket}, conditional writes below relay/" in lines
    assert "ok: queue.bucket: lifecycle of 60 days" in lines
    assert not [one for one in lines if one.startswith("problem: queue.")]


def bucket_rules(prefix: str) -> list[dict[str, Any]]:
    """The lifecycle as the template says it."""
    says = resources()["Bucket"]["Properties"]
    rules: list[dict[str, Any]] = says["LifecycleConfiguration"]["Rules"]
    given = {"Prefix": prefix, "${Prefix}newest/": f"{prefix}newest/"}
    return [{**one, "Prefix": given[one["Prefix"]]} for one in rules]


def resources() -> dict[str, Any]:
    found: dict[str, Any] = yaml.load(text("fleet.yaml"), _Loader)["Resources"]
    return found


def test_the_bucket_is_shut_deletes_for_good_and_outlives_the_stack() -> None:
    bucket = resources()["Bucket"]
    assert {bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]} == {"Retain"}
    says = bucket["Properties"]
    shut = says["PublicAccessBlockConfiguration"]
    assert (len(shut), set(shut.values())) == (4, {True})
    assert "VersioningConfiguration" not in says
    days = {one["Prefix"]: one["ExpirationInDays"] for one in bucket_rules("p/")}
    assert days == {"p/": 60, "p/newest/": 2}


def test_a_hint_that_comes_too_often_goes_to_the_dead_letter_queue(
    second: Emulator, again: dict[str, str]
) -> None:
    sqs = client(second.endpoint, "sqs")

    def about(url: str) -> dict[str, str]:
        found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
        return dict(found["Attributes"])

    queue = about(again["QueueUrl"])
    assert json.loads(queue["RedrivePolicy"]) == {
        "deadLetterTargetArn": about(again["DeadLetterQueueUrl"])["QueueArn"],
        "maxReceiveCount": 20,
    }
    assert queue["MessageRetentionPeriod"] == "1209600"


def test_what_the_topic_hears_comes_raw_into_the_events_queue(
    aws: Emulator, fleet: dict[str, str]
) -> None:
    sns = client(aws.endpoint, "sns")
    [one] = sns.list_subscriptions()["Subscriptions"]
    told = '{"eventType": "Bounce"}'
    sns.publish(TopicArn=one["TopicArn"], Message=told)
    found = client(aws.endpoint, "sqs").receive_message(
        QueueUrl=fleet["EventsUrl"], WaitTimeSeconds=20
    )
    assert [one["Body"] for one in found["Messages"]] == [told]


def test_the_policy_is_what_the_docs_say(
    second: Emulator, again: dict[str, str]
) -> None:
    found = client(second.endpoint, "iam").get_policy_version(
        PolicyArn=again["PolicyArn"], VersionId="v1"
    )
    statements = {
        one["Sid"]: one for one in found["PolicyVersion"]["Document"]["Statement"]
    }
    bucket = f"arn:aws:s3:::{again['Bucket']}"
    assert statements["Mail"]["Resource"] == f"{bucket}/relay/*"
    assert statements["List"]["Resource"] == bucket
    assert "Condition" not in statements["List"]
    documents = {
        "docs/fleet.md": ("Hints", "Mail", "List"),
        "docs/production.md": ("Send", "Look"),
    }
    for name, of in documents.items():
        said = (ROOT / name).read_text("utf-8")
        for action in (each for one in of for each in _list(statements[one]["Action"])):
            assert action in said


def _list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


async def test_a_relay_runs_with_the_variables_of_its_task(
    aws: Emulator, fleet: dict[str, str]
) -> None:
    ec2 = client(aws.endpoint, "ec2")
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnets = [
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24")["Subnet"]["SubnetId"]
        for n in range(2)
    ]
    given = {
        "Image": "registry.example/ses-relay:0.1.0",
        "Vpc": vpc,
        "Subnets": ",".join(subnets),
        "ClientCidr": "127.0.0.0/8",
        "EmailAddress": "Acme <noreply@acme.example>",
        "Workers": "1",
        **{
            name: fleet[name]
            for name in (
                *("QueueUrl", "Bucket", "Prefix"),
                *("ConfigurationSet", "EventsUrl", "PolicyArn"),
            )
        },
    }
    # ministack makes no number of a parameter.
    counted = re.sub(r"(DesiredCount: )!Ref \w+", r"\g<1>1", text("relays.yaml"))
    outputs = deployed(aws, "relays", counted, given)
    assert outputs["Host"]
    ecs = client(aws.endpoint, "ecs")
    tasks = [
        ecs.describe_task_definition(taskDefinition=arn)["taskDefinition"]
        for arn in ecs.list_task_definitions()["taskDefinitionArns"]
    ]
    by_command = {
        tuple(one["containerDefinitions"][0]["command"]): {
            each["name"]: each["value"]
            for each in one["containerDefinitions"][0]["environment"]
        }
        for one in tasks
    }
    assert set(by_command) == {("serve",), ("worker",)}
    where = place(aws, fleet)
    async with FakeSes(DOWN) as ses:
        ours = sharing(ses, where)
        here = {
            # What a test cannot have as it is: AWS' own places and fixed ports.
            **{k: v for k, v in ours.items() if k.endswith("ENDPOINT_URL")},
            "RELAY_SES__ACCESS_KEY_ID": ours["RELAY_SES__ACCESS_KEY_ID"],
            "RELAY_SES__ACCESS_KEY_SECRET": ours["RELAY_SES__ACCESS_KEY_SECRET"],
            "RELAY_EVENTS__ENDPOINT_URL": aws.endpoint,
            "RELAY_HEALTH__LISTEN": "127.0.0.1:0",
        }
        serve, worker = by_command["serve",], by_command["worker",]
        listeners = serve["RELAY_LISTENERS"].replace("0.0.0.0:1025", "127.0.0.1:0")

        def run() -> None:
            with (
                running_relay(
                    *NO_FILE,
                    settings={**serve, **here, "RELAY_LISTENERS": listeners},
                ) as relay,
                running_relay(
                    *NO_FILE,
                    settings={**worker, **here, "RELAY_LISTENERS": None},
                    command="worker",
                ),
            ):
                code, said = submit(relay.port("apps"), "waits")
                assert (code, said[: len(b"2.0.0 queued")]) == (250, b"2.0.0 queued")
                await_empty(where)

        await asyncio.to_thread(run)
        assert len(ses.sent) >= 2
