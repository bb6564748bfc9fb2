"""What the package hatasmota reads in Tasmota's telemetry: one message a line on the standard input,
one JSON list of [path, unit, value] a line on the standard output."""

import json
import sys

from hatasmota.discovery import TASMOTA_DISCOVERY_SCHEMA
from hatasmota.sensor import get_sensor_entities

DEVICE = TASMOTA_DISCOVERY_SCHEMA({
    "ip": "192.168.1.9", "dn": "Plug", "fn": ["Plug"], "hn": "plug", "mac": "0000000000AA",
    "md": "Plug", "ty": 0, "if": 0, "ofln": "Offline", "onln": "Online",
    "state": ["OFF", "ON", "TOGGLE", "HOLD"], "sw": "14.0.0", "t": "plug", "ft": "%prefix%/%topic%/",
    "tp": ["cmnd", "stat", "tele"], "rl": [1], "swc": [-1], "swn": [None], "btn": [0],
    "so": {"4": 0, "11": 0, "13": 0, "17": 0, "20": 0, "30": 0, "68": 0, "73": 0, "82": 0, "114": 0, "117": 0},
    "lk": 0, "lt_st": 0, "bat": 0, "dslp": 0, "sho": [], "ver": 1,
})


def at(message, path):
    """The value at a path."""
    for step in path:
        message = message[step]
    return message


for line in sys.stdin:
    sent = json.loads(line)
    entities = [config for config, _ in get_sensor_entities({"sn": sent}, DEVICE)]
    said = [[list(map(str, e.value_path)), str(e.unit), at(sent, e.value_path)] for e in entities]
    print(json.dumps(said), flush=True)
