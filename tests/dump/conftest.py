"""The S3 server of the tests."""

from tests.servers.s3_server import one_s3_server, s3

__all__ = ["one_s3_server", "s3"]
