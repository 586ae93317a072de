"""Operations that a lake in a bucket needs in addition to those of a dump: tag, move and remove objects."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar

from pinlake.dump.s3 import S3Store
from pinlake.dump.s3_errors import AWS_ERRORS, IS_GONE, code_of
from pinlake.errors import MachineError

T = TypeVar("T")


class Tagged(NamedTuple):
    """An object, its ETag, and its age in seconds by the server's clock."""

    content: bytes
    tag: str
    age: float


class LakeBucket(S3Store):
    """A folder in a bucket whose objects may be changed. The methods of this class raise MachineError if S3 fails."""

    def quickly(self, give_up_after: float) -> LakeBucket:
        """The same folder with a shorter time limit for retries, in seconds."""
        return LakeBucket(self.root, self._role, self._keys, min(give_up_after, self._give_up_after))

    def has(self, folder: str) -> bool:
        """True if there is an object below the folder. Raises SourceError if it can't be listed."""
        return bool(next(self._pages(self._below(folder) | {"MaxKeys": 1})).get("KeyCount"))

    def read_tagged(self, key: str) -> Tagged | None:
        """The object. None if it doesn't exist."""

        def get(s3: Any) -> Tagged | None:
            try:
                response = s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
            except AWS_ERRORS as error:
                if code_of(error) in IS_GONE:
                    return None
                raise
            now = response["ResponseMetadata"]["HTTPHeaders"].get("date")
            return Tagged(response["Body"].read(), response["ETag"], _seconds(now, response["LastModified"]))

        return self._done(f"can't give {key}", get)

    def remove(self, folder: str) -> None:
        """Remove every object below the folder."""
        for key in self._keys_in(folder):
            self._remove(key)

    def move(self, folder: str, to: str) -> None:
        """Move every object below the folder to another."""
        for key in self._keys_in(folder):
            self._copy(key, f"{self._prefix}{to}/{key.removeprefix(f'{self._prefix}{folder}/')}")
            self._remove(key)

    def _below(self, folder: str) -> dict[str, Any]:
        return {"Prefix": f"{self._prefix}{folder}/"}

    def _keys_in(self, folder: str) -> list[str]:
        return [each["Key"] for page in self._pages(self._below(folder)) for each in page.get("Contents", [])]

    def _copy(self, key: str, to: str) -> None:
        source = {"Bucket": self._bucket, "Key": key}
        self._done(f"can't take {to}", lambda s3: s3.copy_object(Bucket=self._bucket, Key=to, CopySource=source))

    def _remove(self, key: str) -> None:
        self._done(f"can't remove {key}", lambda s3: s3.delete_object(Bucket=self._bucket, Key=key))

    def _done(self, what: str, ask: Callable[[Any], T]) -> T:
        try:
            return self._tried(ask)
        except AWS_ERRORS as error:
            raise MachineError(self._told(what, error)) from error


def _seconds(now: str | None, then: Any) -> float:
    if now is None:
        raise MachineError("the bucket's server sends no date, so the age of a lease can't be told; use another server")
    return float((parsedate_to_datetime(now) - then).total_seconds())
