import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

const AHEAD_SECONDS = 60;
const REPEAT_MS = 20_000;

/**
 * Keeps baresip's module `sndfile` from dumping what the phone sends, so that it dumps only what the
 * phone hears. baresip 1.0.0 removes the decoding filters when a re-INVITE changes the direction, and
 * sets them up again only if there are no encoding filters: after one hold it would dump nothing.
 * The module has no option for it. Its encoding filter fails if it cannot create its file, so a
 * folder of that name is created for each second to come.
 * @param folder the folder of the dumps of a baresip in the time zone UTC
 * @returns a function that ends it
 */
export function preventEncoderDumps(folder: string, now: () => number = Date.now): () => void {
  let until = Math.floor(now() / 1000) - 1;
  const block = (): void => {
    for (const last = Math.floor(now() / 1000) + AHEAD_SECONDS; until <= last; until += 1) {
      const time = new Date(until * 1000).toISOString().slice(0, 19).replaceAll(/[T:]/g, '-');
      mkdirSync(join(folder, `dump-${time}-enc.wav`), { recursive: true });
    }
  };
  block();
  const timer = setInterval(block, REPEAT_MS);
  timer.unref();
  return () => clearInterval(timer);
}
