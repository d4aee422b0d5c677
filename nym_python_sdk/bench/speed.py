"""The binding beside the same calls made from Rust, in the same run: `python bench/speed.py path/to/speed`.

The argument is the example of the crate `nym-local-network` (`cargo build --release --example speed`). Both sides take
turns, each with a network and two clients in its process; shares are of the medians.
"""

import json
import statistics
import subprocess
import sys
import threading
import time

from nym_python_sdk import BlockingMixnetClient
from nym_python_sdk.testing import LocalNetwork

TURNS, MESSAGES, BYTES, ROUND_TRIPS = 3, 2_000, 1_000, 200


def from_rust(program: str) -> tuple[float, float]:
    command = [program, str(MESSAGES), str(BYTES), str(ROUND_TRIPS)]
    told = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return told["messages_per_second"], told["round_trip_ms"]


def from_python() -> tuple[float, float]:
    with LocalNetwork(delay_scale=0.0) as network:
        config = network.client_config(surbs_withheld=0)
        with BlockingMixnetClient(config) as alice, BlockingMixnetClient(config) as bob:
            laps = []
            for _ in range(ROUND_TRIPS):
                began = time.perf_counter()
                alice.send_anonymous(bob.address, bytes(100), surbs=2)
                tag = bob.receive(10).sender_tag
                assert tag is not None
                bob.reply(tag, bytes(100))
                alice.receive(10)
                laps.append(time.perf_counter() - began)

            def send() -> None:
                for _ in range(MESSAGES):
                    alice.send_plain(bob.address, bytes(BYTES))

            began = time.perf_counter()
            sender = threading.Thread(target=send)
            sender.start()
            for _ in range(MESSAGES):
                bob.receive(60)
            rate = MESSAGES / (time.perf_counter() - began)
            sender.join()
    return rate, statistics.median(laps) * 1000


def main(program: str) -> None:
    rust, python = [], []
    for _ in range(TURNS):
        rust.append(from_rust(program))
        python.append(from_python())
    rates = [statistics.median(turn[0] for turn in side) for side in (rust, python)]
    laps = [statistics.median(turn[1] for turn in side) for side in (rust, python)]
    print(f"{'':34}{'Rust':>10}{'Python':>10}{'share':>8}")
    print(f"{f'messages of {BYTES} bytes a second':34}{rates[0]:10.0f}{rates[1]:10.0f}{rates[1] / rates[0]:8.0%}")
    print(f"{'round trip, ms':34}{laps[0]:10.2f}{laps[1]:10.2f}{laps[1] / laps[0]:8.0%}")


if __name__ == "__main__":
    main(*sys.argv[1:])
