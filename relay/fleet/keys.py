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


def hashed_key(kind: str, *parts: str) -> str:
    """A key of what must not be read in keys, such as addresses."""
    # A line end is in no part but the last.
    found = hashlib.sha256("\n".join(parts).encode("utf-8", "surrogatepass"))
    name = found.hexdigest()
    return f"{kind}/{name[0]}/{name}"


def newest_key(mail: Mail) -> str:
    """Where the newest of the mails is named that take each other's place."""
    return hashed_key("newest", voids(mail))
