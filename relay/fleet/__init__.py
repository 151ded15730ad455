"""The queue of a fleet: S3 is the spool, and SQS the bell that says when to look.

Any number of relays put, any number of relays and workers send; none keeps anything.
"""
