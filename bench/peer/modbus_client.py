"""pymodbus as a client that only reads: PORT DEVICES REGISTERS SECONDS.

Every connection asks again as soon as it has its answer. Prints the number of answers and the CPU
seconds it took.
"""

import asyncio
import sys
import time

from pymodbus.client import AsyncModbusTcpClient

PORT, DEVICES, REGISTERS, SECONDS = (int(arg) for arg in sys.argv[1:])


async def read(host, end):
    """Asks until the end; gives the number of answers."""
    client = AsyncModbusTcpClient(host, port=PORT)
    await client.connect()
    answers = 0
    while time.monotonic() < end:
        said = await client.read_holding_registers(0, count=REGISTERS, device_id=1)
        assert len(said.registers) == REGISTERS
        answers += 1
    client.close()
    return answers


async def main():
    """All connections at once."""
    end = time.monotonic() + SECONDS
    used = time.process_time()
    hosts = [f"127.0.0.{n + 1}" for n in range(DEVICES)]
    answers = sum(await asyncio.gather(*(read(host, end) for host in hosts)))
    print(answers, time.process_time() - used, flush=True)


asyncio.run(main())
