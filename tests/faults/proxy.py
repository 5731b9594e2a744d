"""A proxy on the loopback that can stand still, as a network does that loses every packet."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Self

CHUNK = 65_536


class Proxy:
    """Forwards what comes to its port to another port; a context manager.

    While it stands still, connections are accepted as ever and nothing is forwarded, neither way.
    What was on its way is delivered when it goes on, also from connections that were given up.

    Attributes
    ----------
    port
        Where it listens.
    target
        Where it forwards to.
    """

    def __init__(self, target: int = 0) -> None:
        self.target = target
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listening.getsockname()[1])
        self._flowing = threading.Event()
        self._flowing.set()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        _end(self._listening)
        self._threads[0].join()
        for each in tuple(self._open):
            _end(each)
        for thread in self._threads:
            thread.join()
        self._listening.close()

    def stall(self) -> None:
        """Stand still."""
        self._flowing.clear()

    def resume(self) -> None:
        """Go on."""
        self._flowing.set()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                near, _ = self._listening.accept()
                pair = threading.Thread(target=self._serve, args=(near,))
                self._threads.append(pair)
                pair.start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError):
            with socket.create_connection(("127.0.0.1", self.target)) as far:
                self._open |= {near, far}
                back = threading.Thread(target=self._pump, args=(far, near))
                back.start()
                self._pump(near, far)
                back.join()
                self._open -= {near, far}

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        """Forward until an end closes, and then end both."""
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self._flowing.wait()
                sink.sendall(data)
        _end(source)
        _end(sink)


def _end(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
