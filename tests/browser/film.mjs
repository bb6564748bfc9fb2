// A film of a signal lamp, as a camera would send it: a noisy wall, three lenses that reflect what
// light there is, and light that overexposes, spills over and makes the camera adapt itself.

export const WIDTH = 160, HEIGHT = 120, FPS = 15;
/** Where the lenses are, and what they look like dark and lit. */
export const LENSES = {
  red: { x: 0.5, y: 0.3, dark: [70, 18, 20], lit: [255, 70, 50] },
  yellow: { x: 0.5, y: 0.5, dark: [80, 66, 14], lit: [255, 215, 60] },
  green: { x: 0.5, y: 0.7, dark: [14, 60, 40], lit: [70, 255, 170] },
};
const LENS_R = 0.035;

/** Repeatable noise between -1 and 1. */
function noiseOf(seed) {
  let state = seed * 2_654_435_761 >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2_147_483_648 - 1;
  };
}

/**
 * One picture. `shows` says which lenses are lit; `light` is how bright the room is, `exposure` how the
 * camera has adapted, `shift` by how many pixels it was turned, `cover` whether something covers it,
 * `isPlain` whether the wall has nothing to know it by, `person` where somebody stands (left edge).
 */
export function picture(shows, { light = 1, exposure = 1, shift = 0, cover = false, isPlain = false, person, seed = 1 } = {}) {
  const data = new Uint8ClampedArray(WIDTH * HEIGHT * 4), noise = noiseOf(seed);
  for (let y = 0; y < HEIGHT; y += 1) {
    for (let x = 0; x < WIDTH; x += 1) {
      const at = (y * WIDTH + x) * 4, u = x + shift;
      // A wall with a window, a pipe and a machine: something to know the place by.
      const wall = isPlain ? 110 : 90 + 40 * Math.sin(u / 23) + (u > 110 && y < 50 ? 70 : 0) - (u > 20 && u < 30 ? 50 : 0) - (y > 95 ? 45 : 0);
      let rgb = [wall * light, wall * light * 0.97, wall * light * 0.92];
      for (const [name, lens] of Object.entries(LENSES)) {
        const away = Math.hypot(u - lens.x * WIDTH, y - lens.y * HEIGHT), r = LENS_R * WIDTH;
        const isLit = shows[name] === true;
        if (away <= r) rgb = lens.dark.map((part, i) => part * light + (isLit ? lens.lit[i] : 0));
        // What shines falls on what is near.
        if (isLit && away > r) rgb = rgb.map((part, i) => part + lens.lit[i] * 0.35 * Math.exp(-(away - r) / 5));
      }
      // Somebody in a blue overall, as wide as a third of the picture.
      if (person !== undefined && x >= person && x < person + 50) rgb = [22, 30, 52].map((part) => part * light);
      for (let i = 0; i < 3; i += 1) data[at + i] = cover ? 3 + 2 * noise() : rgb[i] * exposure + 6 * noise();
      data[at + 3] = 255;
    }
  }
  return { width: WIDTH, height: HEIGHT, data };
}

/** The pictures of `seconds`, as a file that Chromium takes for a camera. `scene(s)` says what each shows. */
export function film(seconds, scene) {
  const parts = [Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F${FPS}:1 Ip A1:1 C420\n`)];
  for (let frame = 0; frame < seconds * FPS; frame += 1) {
    const { shows, ...how } = scene(frame / FPS);
    parts.push(Buffer.from("FRAME\n"), planes(picture(shows, { ...how, seed: frame + 1 })));
  }
  return Buffer.concat(parts);
}

/** ITU-R BT.601: brightness of every pixel, colour of every fourth. */
function planes({ data }) {
  const bright = Buffer.alloc(WIDTH * HEIGHT), quarter = (WIDTH / 2) * (HEIGHT / 2);
  const blue = Buffer.alloc(quarter), red = Buffer.alloc(quarter);
  for (let y = 0; y < HEIGHT; y += 1) {
    for (let x = 0; x < WIDTH; x += 1) {
      const at = (y * WIDTH + x) * 4, [r, g, b] = [data[at], data[at + 1], data[at + 2]];
      bright[y * WIDTH + x] = 16 + (65.738 * r + 129.057 * g + 25.064 * b) / 256;
      if (x % 2 || y % 2) continue;
      const cell = (y / 2) * (WIDTH / 2) + x / 2;
      blue[cell] = 128 + (-37.945 * r - 74.494 * g + 112.439 * b) / 256;
      red[cell] = 128 + (112.439 * r - 94.154 * g - 18.285 * b) / 256;
    }
  }
  return Buffer.concat([bright, blue, red]);
}
