/** A colour, each part from 0 to 255. */
export type Rgb = readonly [red: number, green: number, blue: number];

const WIDTH = 320;
const HEIGHT = 240;
const FRAMES_PER_SECOND = 30;
const CLOCK_SIZE = 32;

/**
 * Returns a Y4M video of one second for the fake camera of Chromium: one colour, with a square that
 * moves along the top.
 */
export function encodeCamera(colour: Rgb): Buffer {
  const [y, u, v] = toYuv(colour);
  const [white] = toYuv([255, 255, 255]);
  const frames: Buffer[] = [Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F${FRAMES_PER_SECOND}:1 Ip A1:1 C420jpeg\n`)];
  for (let frame = 0; frame < FRAMES_PER_SECOND; frame += 1) {
    const luma = Buffer.alloc(WIDTH * HEIGHT, y);
    const left = Math.round(((WIDTH - CLOCK_SIZE) * frame) / FRAMES_PER_SECOND);
    for (let row = 0; row < CLOCK_SIZE; row += 1) luma.fill(white, row * WIDTH + left, row * WIDTH + left + CLOCK_SIZE);
    const chroma = (WIDTH / 2) * (HEIGHT / 2);
    frames.push(Buffer.from('FRAME\n'), luma, Buffer.alloc(chroma, u), Buffer.alloc(chroma, v));
  }
  return Buffer.concat(frames);
}

/** ITU-R BT.601 with limited range. */
function toYuv([red, green, blue]: Rgb): [y: number, u: number, v: number] {
  return [
    Math.round(16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255),
    Math.round(128 + (-37.797 * red - 74.203 * green + 112 * blue) / 255),
    Math.round(128 + (112 * red - 93.786 * green - 18.214 * blue) / 255),
  ];
}
