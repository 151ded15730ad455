"""`python -m relay` is the command `relay`."""

import sys

from relay.cli import main

sys.exit(main())
