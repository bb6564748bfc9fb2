"""paho-mqtt against the broker: all qualities, a last will, a session kept while away.
usage: paho_client.py PORT DEVICE_TOKEN READER_TOKEN"""

import queue
import socket
import sys
import time

import paho.mqtt.client as mqtt

PORT, TOKEN, READER = int(sys.argv[1]), sys.argv[2], sys.argv[3]


def client(name, user, token, clean=True):
    made = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id=name, clean_session=clean,
                       protocol=mqtt.MQTTv311)
    made.username_pw_set(user, token)
    made.heard = queue.Queue()
    made.sessions = []
    made.on_message = lambda c, _, m: c.heard.put((m.topic, m.payload.decode(), m.qos, m.retain))
    made.on_connect = lambda c, u, flags, reason, p: c.sessions.append((flags.session_present, reason))
    return made


def start(made):
    made.connect("127.0.0.1", PORT, keepalive=20)
    made.loop_start()
    deadline = time.time() + 10
    while not made.sessions:
        assert time.time() < deadline, "no CONNACK"
        time.sleep(0.01)
    return made.sessions[-1][0]


reader = client("reader", "panel", READER, clean=False)
assert start(reader) is False
_, mid = reader.subscribe([("mimamori/+/power_w", 2), ("mimamori/m1/online", 1)])
time.sleep(0.5)

device = client("device", "m1", TOKEN)
device.will_set("mimamori/m1/online", "false", qos=1)
start(device)
for qos in (0, 1, 2):
    device.publish("mimamori/m1/power_w", str(100 + qos), qos=qos).wait_for_publish(10)
got = sorted(reader.heard.get(timeout=10)[1:3] for _ in range(3))
assert got == [("100", 0), ("101", 1), ("102", 2)], got

# While the reader is away, what it subscribed to with quality is kept for it.
reader.loop_stop()
reader.disconnect()
time.sleep(0.3)
device.publish("mimamori/m1/power_w", "200", qos=1).wait_for_publish(10)
device.publish("mimamori/m1/power_w", "201", qos=2).wait_for_publish(10)
reader.sessions.clear()
assert start(reader) is True, "the session was kept"
got = [reader.heard.get(timeout=10)[1] for _ in range(2)]
assert got == ["200", "201"], got

# A cut without goodbye speaks the last will; a goodbye does not.
device.loop_stop()
device.socket().shutdown(socket.SHUT_RDWR)
device.socket().close()
got = reader.heard.get(timeout=10)
assert got[:2] == ("mimamori/m1/online", "false"), got

other = client("other", "m1", TOKEN)
other.will_set("mimamori/m1/online", "false", qos=1)
start(other)
other.disconnect()
try:
    raise AssertionError(f"a will after goodbye: {reader.heard.get(timeout=1)}")
except queue.Empty:
    pass

# The same client identifier again takes over: the first connection is closed.
first = client("twin", "m1", TOKEN)
closed = []
first.on_disconnect = lambda *_: closed.append(1)
start(first)
second = client("twin", "m1", TOKEN)
start(second)
deadline = time.time() + 10
while not closed:
    assert time.time() < deadline, "the first connection stays"
    time.sleep(0.05)
print("ok")
