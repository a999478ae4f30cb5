"""A long link on one computer: a network namespace whose packets are late.

What is sent to ``address(rtt, number)`` is answered as from a machine that is that far away, on real TCP of the
kernel's: each packet is held for half the round trip in either direction. For kernels without netem; needs root
and iproute2.
"""

import ctypes
import fcntl
import heapq
import os
import select
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

NAMESPACE: Final = "fedssh-bench"
# RFC 2544's network for measurements is 198.18.0.0/15; the third number of an address is its round trip in
# milliseconds, the last one and the lowest bit of the second one are the machine.
MACHINES: Final = 508
"""How many machines there can be at each distance."""

_NETWORK: Final = "198.18.0.0/15"
_HERE: Final = "198.18.255.1"
_IN_A_ROW: Final = 254
_DEVICE: Final = "fedssh-wan"
_ATTACH: Final = 0x400454CA  # TUNSETIFF, <linux/if_tun.h>
_RAW_IP: Final = 0x1001  # IFF_TUN | IFF_NO_PI
_NEW_NETWORK: Final = 0x40000000  # CLONE_NEWNET, <sched.h>
_LARGEST_PACKET: Final = 65_536
_THIRD_OF_SOURCE, _THIRD_OF_DESTINATION = 14, 18  # where the octets stand in an IPv4 header (RFC 791)


def address(rtt: int, number: int = 1) -> str:
    """Return the address of a machine ``rtt`` milliseconds away (0 to 254); ``number`` is 1 to ``MACHINES``."""
    row, place = divmod(number - 1, _IN_A_ROW)
    return f"198.{18 + row}.{rtt}.{place + 1}"


@contextmanager
def wan(rtts: Sequence[int], machines: int = 1) -> Iterator[None]:
    """Have so many machines at each distance, in ``NAMESPACE``, for as long as the context lasts."""
    _ip("netns", "add", NAMESPACE)
    try:
        with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True) as carrier:
            try:
                if not (carrier.stdout and carrier.stdout.readline()):
                    raise SystemExit("the link could not be made; /dev/net/tun must be there")
                _ip("address", "add", _HERE, "dev", _DEVICE)
                _ip("link", "set", _DEVICE, "up")
                _ip("route", "add", _NETWORK, "dev", _DEVICE, "src", _HERE)
                addresses = (address(rtt, number) for rtt in rtts for number in range(1, machines + 1))
                lines = "".join(f"address add {one} dev {_DEVICE}\n" for one in addresses)
                subprocess.run(["ip", "-n", NAMESPACE, "-batch", "-"], check=True, input=lines.encode())
                _ip("-n", NAMESPACE, "link", "set", "lo", "up")
                _ip("-n", NAMESPACE, "link", "set", _DEVICE, "up")
                _ip("-n", NAMESPACE, "route", "add", "default", "dev", _DEVICE)
                yield
            finally:
                carrier.kill()
    finally:
        _ip("netns", "delete", NAMESPACE)


def _ip(*argv: str) -> None:
    subprocess.run(["ip", *argv], check=True)


def _carry() -> None:
    """Hand packets over between the two ends, each when it is due; a process of its own, to be ended by a signal.

    It goes before all others: a packet on its way does not wait for the processors of the ends.
    """
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    here = _open_device()
    with Path(f"/run/netns/{NAMESPACE}").open() as namespace:
        if ctypes.CDLL(None, use_errno=True).setns(namespace.fileno(), _NEW_NETWORK):
            raise OSError(ctypes.get_errno(), f"the namespace {NAMESPACE} cannot be entered")
    ends = (here, _open_device())
    print("ready", flush=True)
    waiting: list[tuple[float, int, int, bytes]] = []
    number = 0
    while True:
        pause = max(waiting[0][0] - time.monotonic(), 0) if waiting else None
        for end in select.select(ends, [], [], pause)[0]:
            packet = os.read(end, _LARGEST_PACKET)
            third = _THIRD_OF_DESTINATION if end == here else _THIRD_OF_SOURCE
            if packet[0] >> 4 == 4 and len(packet) > third:  # noqa: PLR2004 - IPv4
                number += 1  # of packets that are due together, the earlier one goes first
                other = ends[1 - ends.index(end)]
                heapq.heappush(waiting, (time.monotonic() + packet[third] / 2000, number, other, packet))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, end, packet = heapq.heappop(waiting)
            os.write(end, packet)


def _open_device() -> int:
    device = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(device, _ATTACH, struct.pack("16sH22x", _DEVICE.encode(), _RAW_IP))
    return device


if __name__ == "__main__":
    _carry()
