"""A member of a group in a process of its own, to be stopped and killed by tests.

Prints the process that reads for it once it has taken a record, then the error that ends it.
"""

import sys

from stream.confluent_options import CLIENTS, Client
from stream.errors import LogError
from stream.log_process import ProcessLog


def main(servers: str, topic: str, group: str, client: Client, silence: str) -> None:
    log = ProcessLog(servers, topic, group, silence=float(silence), client=client)
    while log.acquire(1) is None:
        pass
    log.seek({0: 0})
    while log.poll(1, 1) is None:
        pass
    print(log.pid, flush=True)
    try:
        while True:
            log.poll(1, 1)
    except LogError as error:
        print(type(error).__name__, error, flush=True)
        while log.acquire(1) is None:
            pass
        print("acquired", flush=True)
    finally:
        log.close()


if __name__ == "__main__":
    _, servers, topic, group, named, silence = sys.argv
    [client] = [one for one in CLIENTS if one == named]
    main(servers, topic, group, client, silence)
