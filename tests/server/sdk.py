"""The installed AWS SDK's model of SES, and what it knows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import botocore

MODEL = Path("sesv2") / "2019-09-27" / "service-2.json"


def model() -> Any:  # noqa: ANN401 - any JSON
    path = Path(botocore.__file__).parent / "data" / f"{MODEL}.gz"
    return json.loads(gzip.decompress(path.read_bytes()))


def knows_tracking() -> bool:
    return "ConfigurationOverrides" in model()["shapes"]["SendEmailRequest"]["members"]
