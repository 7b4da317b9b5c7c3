"""Free loopback ports, each handed out once."""

import random
import socket
import threading

_lock = threading.Lock()
_handed_out: set[int] = set()

# Below the ports that Linux gives to outgoing connections, which would take one before its owner listens.
RANGE = (20_000, 32_000)


def free_port() -> int:
    """A TCP port nobody listens on now and nobody else of this run was given."""
    while True:
        port = random.randint(*RANGE)
        with _lock:
            if port in _handed_out:
                continue
            with socket.socket() as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    continue
            _handed_out.add(port)
            return port
