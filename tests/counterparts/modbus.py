"""A foreign Modbus server for tests: pymodbus over TCP or on a serial port.

Three meters (units 1 to 3) that have exactly the input registers a small Eastron meter has, inputs
with the lamps of a machine, and a long table of holding registers; a three-phase meter of Eastron
(unit 4) and one of Schneider (unit 5), each with the registers its manual lists and no others. It is told by lines on its
standard input what to measure and how to misbehave, and says "ready" when it listens.
"""

import asyncio
import struct
import sys
import time

from pymodbus import FramerType
from pymodbus.server import ModbusSerialServer, ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

POWER = 12
NOBODY = 9
METER = {0: 230.5, 6: 4.25, POWER: 812.0, 30: 0.875, 72: 12.5, 342: 1234.5}
TABLE = 4000
# By the manuals: SDM630 counts parameters from 30001, iEM3000 registers from 1.
THREE_PHASES = {30007: 4.0, 30009: 4.5, 30011: 5.0, 30013: 900.0, 30015: 1000.0, 30017: 1100.0}
THREE_PHASES |= {30053: 3000.0, 30073: 71.5, 30343: 8123.25}
SCHNEIDER = {3000: 4.0, 3002: 4.5, 3004: 5.0, 3054: 0.9, 3056: 1.0, 3058: 1.1, 3060: 3.0, 45100: 123456.0}
# 25.0 as IEEE 754 in the four orders of its bytes.
ORDERS = [0x41C8, 0x0000, 0x0000, 0x41C8, 0xC841, 0x0000, 0x0000, 0xC841]


class Fault:
    """What the server does to its answers."""

    name = "none"
    kept = b""


def spoil(sending, data):
    """Called with every packet; what it returns is sent instead."""
    if sending and MODE == "rtu" and data[:1] == bytes([NOBODY]):
        # On a real line a device that is not there does not say so.
        return b""
    if not sending or Fault.name == "none":
        return data
    if Fault.name == "silence":
        return b""
    if Fault.name == "garbage":
        return bytes((7 * i + 0x5A) % 256 for i in range(23))
    if Fault.name == "cut":
        if MODE == "tcp":
            asyncio.get_running_loop().call_later(0.01, hang_up)
        return data[: len(data) // 2]
    if Fault.name == "unit":
        return other_unit(data)
    if Fault.name == "late":
        kept, Fault.kept = Fault.kept, data
        return kept
    if Fault.name == "slow":
        # One answer, the second from now, comes after its time; the next ones have to wait for it.
        Fault.kept += b"."
        if len(Fault.kept) == 2:
            time.sleep(1.3)
        return data
    if Fault.name == "drag":
        # Two clocks measure it: a little longer than the other side has to see.
        time.sleep(1.35)
        return data
    raise ValueError(Fault.name)


def other_unit(data):
    """The same answer, from the unit ninety-nine."""
    if MODE == "tcp":
        return data[:6] + bytes([99]) + data[7:]
    body = bytes([99]) + data[1:-2]
    total = 0xFFFF
    for byte in body:
        total ^= byte
        for _ in range(8):
            total = (total >> 1) ^ 0xA001 if total & 1 else total >> 1
    return body + struct.pack("<H", total)


def hang_up():
    """Closes every connection in the middle of an answer."""
    for connection in list(SERVER.active_connections.values()):
        connection.transport.abort()


def meter(unit):
    """One device."""
    inputs = [SimData(a, values=v + unit - 1, datatype=DataType.FLOAT32) for a, v in METER.items()]
    lamps = [SimData(100, values=[False, True, True], datatype=DataType.BITS)]
    table = [SimData(0, values=[i % 65536 for i in range(TABLE)], datatype=DataType.REGISTERS)]
    table.append(SimData(5000, values=float("nan"), datatype=DataType.FLOAT32))
    table.append(SimData(5100, values=ORDERS, datatype=DataType.REGISTERS))
    coils = [SimData(0, values=[True, False, True], datatype=DataType.BITS)]
    return SimDevice(id=unit, simdata=(coils, lamps, table, inputs))


def three_phases(unit, first, registers):
    """A device that has these floating-point registers alone, as input and as holding registers."""
    floats = [SimData(at - first, values=v, datatype=DataType.FLOAT32) for at, v in registers.items()]
    nothing = [SimData(0, values=[False], datatype=DataType.BITS)]
    return SimDevice(id=unit, simdata=(nothing, nothing, floats, floats))


async def obey():
    """Takes orders until the standard input ends."""
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, sys.stdin)
    while line := (await reader.readline()).decode().split():
        if line[0] == "fault":
            Fault.name, Fault.kept = line[1], b""
        if line[0] == "power":
            high, low = struct.unpack(">HH", struct.pack(">f", float(line[1])))
            await SERVER.async_setValues(1, 4, POWER, [high, low])
        if line[0] == "red":
            await SERVER.async_setValues(1, 2, 100, [line[1] == "on"])
        print("done", flush=True)


async def main():
    """Serves until told to end."""
    global SERVER
    devices = [meter(unit) for unit in (1, 2, 3)]
    devices += [three_phases(4, 30001, THREE_PHASES), three_phases(5, 1, SCHNEIDER)]
    if MODE == "tcp":
        SERVER = ModbusTcpServer(
            devices, address=(HOST, int(sys.argv[2])), trace_packet=spoil
        )
    else:
        SERVER = ModbusSerialServer(
            devices,
            framer=FramerType.RTU,
            port=sys.argv[2],
            baudrate=19200,
            ignore_missing_devices=True,
            trace_packet=spoil,
        )
    await SERVER.serve_forever(background=True)
    print("ready", flush=True)
    await obey()


MODE = sys.argv[1]
HOST = sys.argv[3] if len(sys.argv) > 3 else "127.0.0.1"
SERVER = None
asyncio.run(main())
