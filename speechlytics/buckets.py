"""Object stores by URL: S3 and what speaks its protocol through pyarrow, the rest by fsspec.

No further library is needed for ``s3://``. Credentials, region and endpoint come from options in
delta-rs's names (``AWS_ACCESS_KEY_ID``, ``AWS_SECRET_ACCESS_KEY``, ``AWS_SESSION_TOKEN``,
``AWS_REGION``, ``AWS_ENDPOINT_URL``), else from the environment variables of the same names, else
from where the AWS tools look (profile, machine role).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

DEFAULT_REGION = "us-east-1"  # what servers other than Amazon's expect when nobody cares


def is_s3(url: str) -> bool:
    """Whether a URL names a place on an S3 server."""
    return url.startswith("s3://")


def options_of(options: Mapping[str, str]) -> dict[str, str]:
    """Options with upper-case names, filled up from the environment, complete for delta-rs."""
    known = {key.upper(): value for key, value in options.items()}
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    if endpoint:
        known.setdefault("AWS_ENDPOINT_URL", endpoint)
    if "AWS_ENDPOINT_URL" in known:
        region = region or DEFAULT_REGION
        if known["AWS_ENDPOINT_URL"].startswith("http://"):
            known.setdefault("AWS_ALLOW_HTTP", "true")
    if region:
        known.setdefault("AWS_REGION", region)
    return known


def arrow_filesystem(url: str, options: Mapping[str, str] | None = None) -> Any:
    """The ``pyarrow.fs`` filesystem of a URL."""
    import pyarrow.fs as pafs

    if not is_s3(url):
        return pafs.FileSystem.from_uri(url)[0]
    known = options_of(options or {})
    return pafs.S3FileSystem(
        access_key=known.get("AWS_ACCESS_KEY_ID"),
        secret_key=known.get("AWS_SECRET_ACCESS_KEY"),
        session_token=known.get("AWS_SESSION_TOKEN"),
        region=known.get("AWS_REGION"),
        endpoint_override=known.get("AWS_ENDPOINT_URL"),
        allow_bucket_creation=False,
    )


def open_filesystem(url: str, options: Mapping[str, str] | None = None) -> tuple[Any, str]:
    """The fsspec filesystem of a URL, and the path on it.

    Raises:
        Exception: whatever the backend raises when it is missing or refuses the options.
    """
    import fsspec

    if not is_s3(url):
        filesystem, path = fsspec.core.url_to_fs(url)
        return filesystem, str(path)
    wrapped = as_fsspec(arrow_filesystem(url, options))
    return wrapped, str(wrapped._strip_protocol(url))


def open_url(url: str) -> Any:
    """A binary stream of what a URL names.

    Raises:
        Exception: whatever the backend raises.
    """
    filesystem, path = open_filesystem(url)
    return filesystem.open(path, "rb")


def as_fsspec(filesystem: Any) -> Any:
    """An Arrow S3 filesystem as fsspec and DuckDB know it."""
    from fsspec.implementations.arrow import ArrowFSWrapper

    class S3(ArrowFSWrapper):  # type: ignore[misc]  # fsspec has no types
        protocol = ("s3",)
        cachable = False

        def cat_file(
            self, path: str, start: int | None = None, end: int | None = None, **kwargs: Any
        ) -> bytes:
            # the wrapper's own way opens a stream that it then cannot ask for its position
            return bytes(super().cat_file(path, start, end, **{"seekable": True, **kwargs}))

    return S3(filesystem)
