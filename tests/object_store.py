"""An S3-compatible server on the loopback address, for as long as a test needs it."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import fsspec
from moto.server import ThreadedMotoServer

BUCKET = "models"


def start(port: int = 0) -> ThreadedMotoServer:
    """Start a server; what an earlier one of this process was given is there."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
    server.start()
    return server


@contextlib.contextmanager
def serving() -> Iterator[dict[str, Any]]:
    """Serve a store with one bucket, `BUCKET`; yield the options to reach it."""
    server = start()
    try:
        host, port = server.get_host_and_port()
        options = {"endpoint_url": f"http://{host}:{port}", "key": "somebody", "secret": "hunter2"}
        region = {"client_kwargs": {"region_name": "eu-central-1"}}
        with contextlib.suppress(FileExistsError):  # of an earlier server in this process
            fsspec.filesystem("s3", **options, **region, skip_instance_cache=True).mkdir(BUCKET)
        yield options | region
    finally:
        server.stop()
