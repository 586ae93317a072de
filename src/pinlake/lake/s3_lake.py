"""What a lake in a bucket needs beyond what a dump does: objects that are replaced, moved and removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar

from pinlake.dump.s3 import S3Store
from pinlake.dump.s3_errors import AWS_ERRORS, code_of
from pinlake.errors import MachineError

T = TypeVar("T")


class Tagged(NamedTuple):
    """An object with its tag, which changes with its content, and its age in seconds by the server's clock."""

    content: bytes
    tag: str
    age: float


class LakeBucket(S3Store):
    """A folder of a bucket that may be changed. Every method raises MachineError where the bucket doesn't let it."""

    def quickly(self, give_up_after: float) -> LakeBucket:
        """The same folder for who can't wait for long."""
        return LakeBucket(self.root, self._role, self._keys, min(give_up_after, self._give_up_after))

    def holds_any(self, folder: str) -> bool:
        """Whether there is an object below the folder."""
        found = self._done(
            f"can't list {folder}",
            lambda s3: s3.list_objects_v2(Bucket=self._bucket, Prefix=f"{self._prefix}{folder}/", MaxKeys=1),
        )
        return bool(found.get("KeyCount"))

    def read_tagged(self, key: str) -> Tagged | None:
        """The object, None where it isn't there."""

        def get(s3: Any) -> Tagged | None:
            try:
                found = s3.get_object(Bucket=self._bucket, Key=self._prefix + key)
            except AWS_ERRORS as error:
                if code_of(error) in ("NoSuchKey", "404"):
                    return None
                raise
            now = found["ResponseMetadata"]["HTTPHeaders"].get("date")
            return Tagged(found["Body"].read(), found["ETag"], _seconds(now, found["LastModified"]))

        return self._done(f"can't give {key}", get)

    def replace(self, key: str, content: bytes, tag: str | None) -> str | None:
        """Write the object where it has this tag, for None where it isn't there. Returns the new tag, else None.

        Contents must differ from each other, so that one can be told for one's own.
        """
        condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}

        tries = 0

        def put(s3: Any) -> str | None:
            nonlocal tries
            tries += 1
            try:
                found = s3.put_object(Bucket=self._bucket, Key=self._prefix + key, Body=content, **condition)
            except AWS_ERRORS as error:
                if code_of(error) in ("PreconditionFailed", "412", "NoSuchKey", "404"):
                    return None
                raise
            return str(found["ETag"])

        new_tag = self._done(f"can't take {key}", put)
        if new_tag is None and tries > 1:
            # A try whose answer was lost may have made the very object that a later one finds.
            now = self.read_tagged(key)
            return now.tag if now and now.content == content else None
        return new_tag

    def remove_all(self, folder: str) -> None:
        """Remove every object below the folder."""
        for key in list(self._keys_in(folder)):
            self._remove(key)

    def move_all(self, folder: str, to: str) -> None:
        """Move every object below the folder to another."""
        for key in list(self._keys_in(folder)):
            self._copy(key, f"{self._prefix}{to}/{key.removeprefix(f'{self._prefix}{folder}/')}")
            self._remove(key)

    def _keys_in(self, folder: str) -> Iterator[str]:
        asked = {"Bucket": self._bucket, "Prefix": f"{self._prefix}{folder}/"}
        while True:
            page = self._done(f"can't list {folder}", lambda s3: s3.list_objects_v2(**asked))
            yield from [each["Key"] for each in page.get("Contents", [])]
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

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
