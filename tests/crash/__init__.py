"""Kill the relay again and again, under load and with SES failing in all ways.

`python -m tests.crash --minutes 60` runs for an hour; the suite runs a short one.
"""
