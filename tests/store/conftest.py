"""The S3 server of the tests."""

from tests.s3_server import one_s3_server, s3

__all__ = ["one_s3_server", "s3"]
