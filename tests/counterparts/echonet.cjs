// Foreign ECHONET Lite nodes for tests: the npm package echonet-lite as a smart meter, a
// thermometer, a hygrometer, an air conditioner, a switch and distribution boards. The package
// decides what an order does: its air conditioner obeys, its switch says yes and stays on. It is told by lines on its standard input what
// to measure and how to misbehave, and says "ready" when it listens. Usage: echonet.cjs ADDRESS CONTROLLER
const EL = require("echonet-lite");
const readline = require("node:readline");

const [ADDRESS, CONTROLLER] = process.argv.slice(2);
const BOARDS = 63;
const u16 = (n) => [(n >> 8) & 255, n & 255];
const u32 = (n) => [(n >>> 24) & 255, (n >>> 16) & 255, (n >>> 8) & 255, n & 255];
let power = 812;
let fault = "none";
let kept = null;
let ordered = false;

/** A property map of its own properties, in the form their number asks for. */
function withMap(properties) {
  const codes = [...Object.keys(properties), "9f"].map((code) => parseInt(code, 16));
  let map = [codes.length, ...codes];
  if (codes.length > 15) {
    const bits = new Array(16).fill(0);
    for (const code of codes) bits[code & 15] |= 1 << ((code >> 4) - 8);
    map = [codes.length, ...bits];
  }
  return { ...properties, "9f": map };
}

const common = { 80: [0x30], 82: [0, 0, 0x52, 1], 88: [0x42], "8a": [0, 0, 0x77] };
const meter = () => withMap({
  ...common, d3: u32(2), e0: u32(12345), e1: [0x02], e7: u32(power), e8: [...u16(123), ...u16(0x7ffe)],
});
function board(n) {
  const own = { ...common, c0: u32(1000 + n), c1: u32(0), c2: [0x01], c6: u32(5000 + n), c7: [...u16(100), ...u16(101)], c8: [...u16(1003), ...u16(1004)] };
  const list = [1, 32];
  for (let channel = 0; channel < 32; channel += 1) {
    own[(0xd0 + channel).toString(16)] = [...u32(10 * channel), ...u16(12), ...u16(0)];
    list.push(...u32(100 + channel));
  }
  return withMap({ ...own, b7: list });
}

const objects = {
  "028801": meter(), "001101": withMap({ ...common, e0: u16(0xfff6) }), "001201": withMap({ ...common, e0: [55] }),
  // Tens of kilowatt-hours.
  "028001": withMap({ ...common, e0: u32(777), e2: [0x0a] }),
  "013001": withMap({ ...common, 84: u16(410), 85: u32(12345), bb: [0xfb] }), "05fd01": withMap({ ...common, e0: [0x30] }),
};
for (let n = 1; n <= BOARDS; n += 1) objects["0287" + n.toString(16).padStart(2, "0")] = board(n);

/** The bytes that are really sent. */
function spoil(bytes) {
  if (fault === "silence") return null;
  // The answer to an order is lost; or everything after the order is.
  if (fault === "deaf" && bytes[10] === 0x71) return null;
  if (fault === "mute" && ordered) return null;
  if (fault === "garbage") return Buffer.from(Array.from({ length: 23 }, (_, i) => (7 * i + 0x5a) % 256));
  if (fault === "cut") return bytes.subarray(0, bytes.length >> 1);
  if (fault === "unit") {
    const other = Buffer.from(bytes);
    other[6] += 1;
    return other;
  }
  if (fault === "late") {
    const now = kept;
    kept = bytes;
    return now;
  }
  return bytes;
}

const send = EL.sendBase;
EL.sendBase = (to, bytes) => {
  const spoilt = spoil(Buffer.from(bytes));
  if (spoilt && fault === "drag") setTimeout(() => send(to, spoilt), 1300);
  return spoilt && fault !== "drag" ? send(to, spoilt) : [0, 0];
};

function take(from, frame) {
  // A node says nothing for an object that it does not have.
  if (!frame || !objects[frame.DEOJ]) return;
  // A small node has room for three properties: it says nothing to more, or answers the first two.
  const asked = parseInt(frame.OPC, 16);
  if (fault === "three" && asked > 3) return;
  if (fault === "two" && asked > 2) {
    const names = frame.DETAIL.match(/..../g).slice(0, 2).map((property) => property.slice(0, 2));
    const told = Object.fromEntries(names.map((name) => [name, ""]));
    Object.assign(frame, { OPC: "02", DETAIL: names.map((name) => name + "00").join(""), DETAILs: told });
  }
  if (frame.ESV === EL.GET) EL.replyGetDetail(from, frame, objects);
  if (frame.ESV !== EL.SETC) return;
  ordered = true;
  if (fault === "refuse") {
    const answer = Buffer.from(`1081${frame.TID}${frame.DEOJ}${frame.SEOJ}5101800131`, "hex");
    EL.sendArray(from, [...answer]);
  } else if (fault === "obey") {
    // A switch that is off a moment after it has said yes.
    setTimeout(() => { objects[frame.DEOJ]["80"] = [0x31]; }, 700);
    EL.sendArray(from, [...Buffer.from(`1081${frame.TID}${frame.DEOJ}${frame.SEOJ}71018000`, "hex")]);
  } else void EL.replySetDetail(from, frame, objects);
}

function obey(line) {
  const [word, value] = line.split(" ");
  if (word === "fault") [fault, kept, ordered] = [value, null, false];
  // Somebody switches the air conditioner on at its own button.
  if (word === "on") objects["013001"]["80"] = [0x30];
  // The meter has no such property any more.
  if (word === "lose") {
    delete objects["028801"][value];
    objects["028801"] = withMap(objects["028801"]);
  }
  if (word === "power") {
    power = Number(value);
    objects["028801"] = meter();
  }
  // Announces without being asked.
  if (word === "announce") EL.sendOPC1(EL.EL_Multi, [2, 0x88, 1], [0x0e, 0xf0, 1], EL.INF, 0xe7, u32(Number(value)));
  // Gives an order to the box, as anybody on the network could to any device.
  if (word === "order") EL.sendOPC1(CONTROLLER, [5, 0xff, 1], [2, 0x88, 1], EL.SETC, 0x80, [0x31]);
  process.stdout.write("done\n");
}

async function main() {
  const listed = Object.keys(objects).slice(0, 8);
  const socket = await EL.initialize(listed, take, 4, { v4: ADDRESS, ignoreMe: true, autoGetProperties: false });
  socket.on("listening", () => process.stdout.write("ready\n"));
  readline.createInterface({ input: process.stdin }).on("line", obey).on("close", () => process.exit(0));
}

void main();
