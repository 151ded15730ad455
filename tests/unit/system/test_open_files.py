"""What is said when no file is left."""

from __future__ import annotations

import asyncio
import errno
import logging

import pytest

from relay.system import open_files


async def test_that_no_file_is_left_is_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.WARNING)
    loop = asyncio.get_running_loop()
    open_files.tell_once(loop)
    for number in (errno.EMFILE, errno.ENFILE) * 500:
        loop.call_exception_handler(
            {
                "message": "socket.accept() out of system resource",
                "exception": OSError(number, "Too many open files"),
            }
        )
    assert [record.message for record in caplog.records] == ["no files left"]
    loop.call_exception_handler({"message": "else", "exception": OSError(1, "x")})
    assert [record.message for record in caplog.records][1:] == ["else"]
