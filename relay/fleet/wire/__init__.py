"""S3's and SQS' calls over the relay's own connections, with its own signature.

Endpoints, settings and credentials are those that the SDK finds; its clients would cost
each mail that waits more than all else (docs/performance.md).
"""
