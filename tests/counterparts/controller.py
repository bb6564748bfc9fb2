"""A foreign ECHONET Lite controller for tests: the package pychonet. Usage: controller.py OWN_ADDRESS.

It says "ready" and obeys lines on its standard input: "read NODE" answers with the values of some
objects of that node as pychonet understands them, as JSON; "off NODE" orders the smart meter of a
node to be off, as anybody on a network can, and answers "done".
"""

import asyncio
import json
import sys

from pychonet import ECHONETAPIClient, EchonetInstance, Factory
from pychonet.lib.udpserver import UDPServer

SET_CONFIRMED = 0x61
OBJECTS = {
    (0x02, 0x88, 1): (0x80, 0xD3, 0xE0, 0xE1, 0xE7, 0xE8),
    (0x02, 0x87, 2): (0xC0, 0xC2, 0xC6, 0xC7, 0xC8),
    (0x00, 0x12, 1): (0xE0,),
    (0x01, 0x30, 1): (0x80, 0x84, 0x85, 0xBB),
}


async def read(client, node):
    """What pychonet says of the objects of a node."""
    await client.discover(node)
    said = {}
    for (group, code, number), properties in OBJECTS.items():
        await client.getAllPropertyMaps(node, group, code, number)
        thing = Factory(node, client, group, code, number)
        values = await EchonetInstance.update(thing, list(properties))
        for one in properties:
            value = values[one] if isinstance(values, dict) and one in values else values
            said[f"{group:02x}{code:02x}{number:02x}.{one:02x}"] = value
    return said


async def main():
    """Obeys until its standard input ends."""
    loop = asyncio.get_running_loop()
    server = UDPServer(local_ip=sys.argv[1])
    server.run("0.0.0.0", 3610, loop=loop)
    client = ECHONETAPIClient(server=server)
    client._logger = lambda *said: None
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        word, node = line.split()
        if word == "read":
            print(json.dumps(await read(client, node)), flush=True)
        else:
            # Nobody answers a foreign order; pychonet would wait for that.
            order = [{"EPC": 0x80, "PDC": 1, "EDT": 0x31}]
            asyncio.ensure_future(client.echonetMessage(node, 0x02, 0x88, 1, SET_CONFIRMED, order))
            await asyncio.sleep(0.2)
            print("done", flush=True)


asyncio.run(main())
