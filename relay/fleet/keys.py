"""What the objects of the bucket are called: by ids alone, never by addresses."""

from __future__ import annotations

import hashlib
from zlib import crc32

from relay.model.job import Job
from relay.model.mail import Mail, voids

SHARDS = "0123456789abcdef"


def name_of(job: Job) -> str:
    """What a job's objects are called: the id and the number of the call.

    A report's id says which job it is about, so that it is named by it alone.
    """
    return job.id if "." in job.id else f"{job.id}.{job.number}"


def report_id(about: str, number: int) -> str:
    """The id of a report about the job of this name: the same for each try."""
    return f"{about}.r{number}"


def shard(name: str) -> str:
    """One of 16 prefixes that S3 can split, since ids are in the order of time."""
    return SHARDS[crc32(name.partition(".")[0].encode()) & 15]


def mail_key(name: str) -> str:
    return f"mail/{shard(name)}/{name}"


def state_key(name: str) -> str:
    return f"state/{shard(name)}/{name}"


def content_key(mail_id: str) -> str:
    return f"content/{shard(mail_id)}/{mail_id}"


# Webhooks' events: a folder for each process that has some, in it one for each
# endpoint. All batches come before all owners in the order of keys.

HOOKS = "hooks/"


def owner_key(owner: str) -> str:
    return f"{HOOKS}owner/{owner}"


def batch_key(owner: str, endpoint: str, number: int) -> str:
    return f"{HOOKS}batch/{owner}/{endpoint_id(endpoint)}/{number:010}"


def endpoint_of(key: str) -> str:
    """What stands for the endpoint in the key of a batch."""
    return key.split("/")[3]


def number_of(key: str) -> int:
    """The number of a batch of this process."""
    return int(key.rpartition("/")[2])


def endpoint_id(endpoint: str) -> str:
    """What stands for an endpoint's name, which may hold anything."""
    return hashlib.sha256(endpoint.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def hashed_key(kind: str, *parts: str) -> str:
    """A key of what must not be read in keys, such as addresses."""
    # A line end is in no part but the last.
    found = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass"))
    name = found.hexdigest()
    return f"{kind}/{name[0]}/{name}"


def newest_key(mail: Mail) -> str:
    """Where the newest of the mails is named that take each other's place."""
    return hashed_key("newest", voids(mail))
