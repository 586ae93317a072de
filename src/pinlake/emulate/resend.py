"""Sends failed messages again. Each is then delivered, or kept in the next file of failed messages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from pinlake.address import is_bucket
from pinlake.clients.waits import Say
from pinlake.emulate.sinks.base import FailedFile, Failure, Sink, settle
from pinlake.emulate.sinks.open import is_folder
from pinlake.errors import MachineError, PinlakeError, UsageError


def check_topic_id(path: Path, lines: Sequence[Failure], given: str | None, default: str) -> str:
    """Return the topic id to send with: that of the lines. If there are none, the default.

    Raises UsageError if the lines have several ids, or if the `given` one differs from theirs.
    """
    ids = sorted({line.topic_id for line in lines}) or [given or default]
    if len(ids) > 1:
        raise UsageError(
            f"{path} has messages of the topic ids {', '.join(ids)}; send them one id at a time, from a file for each"
        )
    if given not in (None, ids[0]):
        raise UsageError(f"--topic-id is {given}, the messages in {path} are of {ids[0]}; leave --topic-id out")
    return ids[0]


def destinations_of(lines: Sequence[Failure]) -> list[str]:
    """Return the addresses that the messages were sent to, without dumps.

    In a dump, each message has a fixed destination, so only the original run can write it. Raises UsageError if all
    addresses are dumps.
    """
    named = sorted({line.sink for line in lines})
    destinations = [destination for destination in named if not (is_folder(destination) or is_bucket(destination))]
    if named and not destinations:
        raise UsageError(
            f"{named[0]} is a dump: start its run again, which continues if it had --state, or name another "
            "destination with --to"
        )
    return destinations


def resend(
    path: Path,
    lines: Sequence[Failure],
    sinks: Sequence[Sink],
    to_all: bool,
    failures: FailedFile,
    stop: Callable[[], bool],
    say: Say,
) -> None:
    """Send the lines of the file `path`, each to the sink that it names, or with `to_all` to every sink.

    `stop` ends the run early. Afterwards `failures` holds the messages that failed again or were not tried, and the
    file is renamed, so that its messages are not sent twice. Raises MachineError if some messages were not tried.
    """
    jobs = [(sink, line.message) for line in lines for sink in sinks if to_all or sink.deliveries.sink == line.sink]
    tried, broken = 0, None
    try:
        for sink, message in jobs:
            tried += 1
            sink.send(message)
            if stop():
                break
        for sink in sinks:
            sink.close()
    except BaseException as error:
        settle(sinks)
        broken = error
    told = sum(sink.deliveries.acknowledged.total() + sink.deliveries.failed.total() for sink in sinks)
    if broken and told < tried:
        tried -= 1  # the message whose sending raised the error
    left = [(sink.deliveries.sink, message, "not tried: sending ended before") for sink, message in jobs[tried:]]
    names = {sink.deliveries.sink for sink in sinks}
    if not to_all:
        left += [(line.sink, line.message, "not tried: a dump") for line in lines if line.sink not in names]
    for name, message, reason in left:
        failures.add(name, message, reason)
    has_failed = bool(left) or any(sink.deliveries.failed for sink in sinks)
    rest = f"what was not delivered is in {failures.path}" if has_failed else "all of it was delivered"
    say(f"{path} is {_put_aside(path).name} now: {rest}")
    if broken and not (left and isinstance(broken, PinlakeError)):
        raise broken
    if left:
        found = f"{str(broken).rstrip('.')}. " if broken else ""
        raise MachineError(
            f"{found}Not tried: {len(left):,} messages. They and those that failed again are in {failures.path}: send "
            f"them with `pinlake emulate resend {failures.path}`"
        ) from broken


def _put_aside(path: Path) -> Path:
    """Rename the file to an unused name and return it. Raises MachineError if the file can't be renamed."""
    number, aside = 1, path.with_name(f"{path.name}.sent")
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.sent-{number}")
    try:
        return path.rename(aside)
    except OSError as error:
        raise MachineError(
            f"{path} was sent, but can't be renamed ({error.strerror}); move it away, so that it isn't sent twice"
        ) from error
