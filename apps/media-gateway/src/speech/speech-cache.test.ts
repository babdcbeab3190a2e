import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { tone } from '@partyline/testing/tones';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SpeechCache } from './speech-cache.ts';

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'partyline-speech-cache-'))));
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const pcm = tone(440, 0.1, 8_000, -18);
const recording = { pcm, sampleRate: 8_000 };

describe('SpeechCache', () => {
  it('finds in another process what one has kept', async () => {
    await new SpeechCache(join(folder, 'new/folder'), 1_000_000).set('a1', recording);
    expect(await new SpeechCache(join(folder, 'new/folder'), 1_000_000).get('a1', 8_000)).toEqual(pcm);
    expect(readdirSync(join(folder, 'new/folder'))).toEqual(['a1.wav']);
    expect(statSync(join(folder, 'new/folder')).mode & 0o077).toBe(0);
  });

  it('keeps whole files when many processes write the same text', async () => {
    const caches = Array.from({ length: 20 }, () => new SpeechCache(folder, 1_000_000));
    const [, ...read] = await Promise.all([
      ...caches.map((cache) => cache.set('a1', recording)),
      ...Array.from({ length: 20 }, () => new SpeechCache(folder, 0).get('a1', 8_000)),
    ]);
    expect(read.filter((found) => found !== undefined)).toEqual(read.flatMap((found) => (found ? [pcm] : [])));
    expect(readdirSync(folder)).toEqual(['a1.wav']);
  });

  it('treats damaged files, and files of another rate, as missing', async () => {
    const missing = (key: string): Promise<unknown> => new SpeechCache(folder, 1_000_000).get(key, 8_000);
    expect(await missing('none')).toBeUndefined();
    writeFileSync(join(folder, 'text.wav'), 'no sound');
    expect(await missing('text')).toBeUndefined();
    await new SpeechCache(folder, 1_000_000).set('cut', recording);
    truncateSync(join(folder, 'cut.wav'), 44);
    expect(await missing('cut')).toBeUndefined();
    await new SpeechCache(folder, 1_000_000).set('rate', { pcm, sampleRate: 16_000 });
    expect(await missing('rate')).toBeUndefined();
  });

  it('keeps the texts in memory that were used last, up to its limit', async () => {
    const cache = new SpeechCache(folder, 2 * pcm.byteLength);
    for (const key of ['a', 'b']) await cache.set(key, recording);
    await cache.get('a', 8_000);
    await cache.set('c', recording);
    rmSync(folder, { recursive: true });
    const found = await Promise.all(['a', 'b', 'c'].map((key) => cache.get(key, 8_000)));
    expect(found.map((sound) => sound !== undefined)).toEqual([true, false, true]);
  });

  it('keeps the sound in memory when the folder cannot be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    const cache = new SpeechCache(join(folder, 'file/x'), 1_000_000);
    await expect(cache.set('a', recording)).rejects.toThrow('ENOTDIR');
    expect(await cache.get('a', 8_000)).toEqual(pcm);
  });
});
