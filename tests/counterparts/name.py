"""A computer that looks for a name, or has it, by zeroconf.

name.py resolve ADDRESS NAME   asks the group and prints the address it is told, or nothing
name.py plain ADDRESS NAME     asks from a port of its own, as a plain resolver does
name.py claim ADDRESS NAME     has the name, says so whoever else has it, and goes on
name.py want ADDRESS NAME      asks whether the name is free, to take it; prints who has it
"""

import socket
import struct
import sys
import time

from zeroconf import AddressResolverIPv4, ServiceInfo, Zeroconf

way, address, name = sys.argv[1:]
if way == "plain":
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.rstrip(".").split(".")) + b"\0"
    question = struct.pack(">HHHHHH", 4711, 0, 1, 0, 0, 0) + labels + struct.pack(">HH", 1, 1)
    asks = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asks.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    asks.settimeout(5)
    asks.sendto(question, ("224.0.0.251", 5353))
    answer, _ = asks.recvfrom(1500)
    number, flags, questions, answers = struct.unpack(">HHHH", answer[:8])
    assert (number, questions, answers) == (4711, 1, 1) and flags & 0x8000, answer
    print(socket.inet_ntoa(answer[-4:]), flush=True)
    sys.exit()
if way == "want":
    asks = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    asks.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    asks.bind(("", 5353))
    group = socket.inet_aton("224.0.0.251")
    asks.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group + socket.inet_aton(address))
    asks.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
    asks.settimeout(3)
    labels = b"".join(bytes([len(p)]) + p.encode() for p in name.rstrip(".").split(".")) + b"\0"
    probe = struct.pack(">HHHHHH", 0, 0, 1, 0, 1, 0) + labels + struct.pack(">HH", 255, 1)
    probe += labels + struct.pack(">HHIH", 1, 1, 120, 4) + socket.inet_aton(address)
    asks.sendto(probe, ("224.0.0.251", 5353))
    while True:
        packet, where = asks.recvfrom(1500)
        if where[0] != address and packet[2] & 0x80:
            print(socket.inet_ntoa(packet[-4:]), flush=True)
            sys.exit()
zeroconf = Zeroconf(interfaces=[address])
if way == "resolve":
    resolver = AddressResolverIPv4(name)
    resolver.request(zeroconf, 5000)
    print(" ".join(resolver.parsed_addresses()), flush=True)
    zeroconf.close()
else:
    kind = "_printer._tcp.local."
    info = ServiceInfo(kind, f"other.{kind}", addresses=[socket.inet_aton(address)], port=9, server=name)
    zeroconf.register_service(info)
    print("ready", flush=True)
    while True:
        time.sleep(1)
