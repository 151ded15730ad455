"""Events for one endpoint as an object, and back."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.fleet import hook_object
from relay.fleet.hook_object import MOST, MOST_CHARACTERS
from relay.fleet.record import Later
from relay.model.hook import Hook
from relay.queue.rows import Unreadable

HOOK = Hook("msg_1", "app é/\n", '{"type":"mail.sent"}', 10.5, 11.0, 3, 7)


def test_an_object_has_id_body_and_time_and_its_attempts_begin_anew() -> None:
    stored = hook_object.to_bytes([HOOK], ahead=1000.0)
    found = Hook("msg_1", "app é/\n", '{"type":"mail.sent"}', 110.5, 110.5)
    assert hook_object.read(stored, ahead=900.0, now=200.0) == [found]
    early = replace(found, due=50.0)
    assert hook_object.read(stored, ahead=900.0, now=50.0) == [early]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["app", "crm"]),
            st.sampled_from([10, 500_000, MOST_CHARACTERS + 1]),
            st.integers(1, 300),
        ),
        max_size=8,
    )
)
def test_parts_are_of_one_endpoint_in_order_and_neither_too_many_nor_too_large(
    some: list[tuple[str, int, int]],
) -> None:
    bodies = {size: "x" * size for _, size, _ in some}
    hooks = [
        Hook(f"{group}.{number}", endpoint, bodies[size], 0.0, 0.0)
        for group, (endpoint, size, count) in enumerate(some)
        for number in range(count)
    ]
    parts = list(hook_object.parts(hooks))
    for name in ("app", "crm"):
        mine = [part for part in parts if part[0].endpoint == name]
        assert [hook for part in mine for hook in part] == [
            hook for hook in hooks if hook.endpoint == name
        ]
        for part in mine:
            size = sum(len(hook.body) for hook in part)
            assert len(part) == 1 or size <= MOST_CHARACTERS
            assert len(part) <= MOST
        for part, following in pairwise(mine):  # none could have been one object
            size = sum(len(hook.body) for hook in [*part, following[0]])
            assert len(part) == MOST or size > MOST_CHARACTERS


@pytest.mark.parametrize(
    "stored",
    [
        b"",
        b"[]",
        b"{}",
        b'{"v": 1}',
        b'{"v": 1, "endpoint": "app", "hooks": [{"id": "a", "body": "{}"}]}',
        b'{"v": 1, "endpoint": "app", "hooks": [{"id": "a", "body": "", "at": "x"}]}',
        b'{"v": 1, "endpoint": "app", "hooks": 7}',
    ],
)
def test_what_is_no_batch_is_unreadable(stored: bytes) -> None:
    with pytest.raises(Unreadable):
        hook_object.read(stored, ahead=0.0, now=0.0)


def test_what_a_later_release_wrote_is_told_apart_and_unknown_fields_are_not() -> None:
    found = json.loads(hook_object.to_bytes([HOOK], ahead=0.0))
    found["more"] = found["hooks"][0]["more"] = 1
    [one] = hook_object.read(json.dumps(found).encode(), ahead=0.0, now=0.0)
    assert one.id == HOOK.id
    found["v"] = 2
    with pytest.raises(Later):
        hook_object.read(json.dumps(found).encode(), ahead=0.0, now=0.0)
