"""pychonet as a controller that only reads: OWN_ADDRESS NODE SECONDS.

Asks the first channel of the first board again as soon as it has its answer. Prints the number of
answers and the CPU seconds it took.
"""

import asyncio
import sys
import time

from pychonet import ECHONETAPIClient
from pychonet.lib.udpserver import UDPServer

OWN, NODE, SECONDS = sys.argv[1], sys.argv[2], int(sys.argv[3])
GET = 0x62


async def main():
    """Asks until the end."""
    server = UDPServer(local_ip=OWN)
    server.run("0.0.0.0", 3610, loop=asyncio.get_running_loop())
    client = ECHONETAPIClient(server=server)
    client._logger = lambda *said: None
    await client.discover(NODE)
    await client.getAllPropertyMaps(NODE, 0x02, 0x87, 1)
    codes = [{"EPC": code} for code in (0xD0, 0xB7, 0x80, 0x88)]
    end, used, answers = time.monotonic() + SECONDS, time.process_time(), 0
    while time.monotonic() < end:
        if await client.echonetMessage(NODE, 0x02, 0x87, 1, GET, codes):
            answers += 1
    print(answers, time.process_time() - used, flush=True)


asyncio.run(main())
