"""A device that announces itself: by multicast DNS with zeroconf, and once a second by SSDP in the
words of ssdpy.

announce.py ADDRESS
"""

import socket
import sys
import time

from ssdpy.protocol import create_notify_payload
from zeroconf import ServiceInfo, Zeroconf

address = sys.argv[1]
zeroconf = Zeroconf(interfaces=[address])
kind = "_shelly._tcp.local."
info = ServiceInfo(
    kind,
    f"shellypro3em-1.{kind}",
    addresses=[socket.inet_aton(address)],
    port=80,
    server="shellypro3em-1.local.",
)
zeroconf.register_service(info)
group = ("239.255.255.250", 1900)
notify = create_notify_payload("239.255.255.250:1900", "upnp:rootdevice", "uuid:plc-1")
upnp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
upnp.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(address))
print("ready", flush=True)
while True:
    upnp.sendto(notify, group)
    time.sleep(1)
