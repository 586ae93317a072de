"""Deletes stacks, and says what they leave behind: buckets, which hold what can't be made again.

Calls cloudformation:DescribeStacks, DescribeStackResources, DeleteStack and DescribeStackEvents, and
s3:DeleteBucket. With a role, DeleteStack needs iam:PassRole on it.
"""

from __future__ import annotations

from pinlake.aws.client import Aws, token
from pinlake.aws.errors import AwsError, state_in
from pinlake.aws.stacks import Stack, check_ended, check_free, find
from pinlake.aws.watch import Watch
from pinlake.clients.waits import Say


def buckets(aws: Aws, stack: Stack) -> list[str]:
    """Names of the buckets of a stack. Raises AwsError."""
    about = f"stack {stack.name}"
    found = aws.ask("cloudformation", "describe_stack_resources", about, StackName=stack.id)["StackResources"]
    return [
        each["PhysicalResourceId"]
        for each in found
        if each.get("ResourceType") == "AWS::S3::Bucket" and each.get("PhysicalResourceId")
    ]


def delete(aws: Aws, stack: Stack, short: str, role: str | None, say: Say) -> None:
    """Delete a stack and wait for the end. `short` is its name without the prefix, `say` gets each event.

    Raises MachineError with what can't be deleted.
    """
    watch = Watch(aws, stack.id)
    now = find(aws, stack.id)
    if now is None or now.state == "DELETE_COMPLETE":
        # Somebody else was faster, and no event will come.
        say("stack: DELETE_COMPLETE")
        return
    asked = {"StackName": stack.id, "ClientRequestToken": token()}
    if role:
        asked["RoleARN"] = role
    try:
        aws.ask("cloudformation", "delete_stack", f"stack {stack.name}", **asked)
    except AwsError as error:
        if state := state_in(error.said):
            check_free(stack, short, state)
        raise
    check_ended(stack.name, watch.until_end(say), "DELETE_COMPLETE")


def clear(aws: Aws, bucket: str) -> str | None:
    """Delete a bucket if it is empty, and return what is to be said about it. None if it does not exist.

    S3 deletes no bucket that holds anything, even if these are only old versions of objects.
    """
    try:
        aws.ask("s3", "delete_bucket", f"bucket {bucket}", Bucket=bucket)
    except AwsError as error:
        if error.code == "NoSuchBucket":
            return None
        if error.code != "BucketNotEmpty":
            return f"bucket {bucket} stays: {error}"
        return (
            f"bucket {bucket} stays, with its objects and their old versions; to remove it, empty it on its page in "
            f"the console of S3, then run `aws s3 rb s3://{bucket}`"
        )
    return f"bucket {bucket} was empty and is deleted too"
