import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { levelOf, rmsOf, tone } from '@partyline/testing/tones';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeWav } from '../audio/wav.ts';
import { loadOperatorMusic } from './operator-music.ts';

const HZ = 440;
let cacheFolder: string;
let server: Server;
let url: string;
/** What the server answers; undefined: nothing. */
let answer: { readonly status?: number; readonly file?: Buffer } | undefined;
let failures: unknown[];

beforeEach(async () => {
  cacheFolder = await mkdtemp(join(tmpdir(), 'music-'));
  failures = [];
  server = createServer((_request, response) => {
    if (answer !== undefined) response.writeHead(answer.status ?? 200).end(answer.file);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/music.wav`;
});
afterEach(async () => {
  server.close();
  server.closeAllConnections();
  await rm(cacheFolder, { recursive: true });
});

const load = (timeoutMs = 20_000) =>
  loadOperatorMusic(url, {
    cacheFolder,
    timeoutMs,
    yieldToCalls: async () => undefined,
    onFailure: (error) => void failures.push(error),
  });

/** Two seconds of a tone, much louder than hold music is. */
const loudMusic = (): Buffer => writeWav({ pcm: tone(HZ, 2, 44_100, -6), sampleRate: 44_100 });

describe('loadOperatorMusic', () => {
  it.each([8_000, 16_000])('brings a WAV file to the level of hold music, at %i Hz', async (rate) => {
    answer = { file: loudMusic() };
    const pcm = (await load())?.get(rate) ?? new Int16Array(0);
    expect(pcm).toHaveLength(2 * rate);
    expect(rmsOf(pcm)).toBeCloseTo(-24, 0);
    expect(levelOf(pcm.subarray(0, rate), HZ, rate)).toBeGreaterThan(-26);
    expect(failures).toEqual([]);
  });

  it.each([
    ['an MP3', { file: Buffer.from('ID3\u0004 and so on') }, 'not a WAV file'],
    ['a damaged WAV file', { file: loudMusic().subarray(0, 20) }, 'WAV'],
    ['silence', { file: writeWav({ pcm: new Int16Array(16_000), sampleRate: 8_000 }) }, 'silent'],
    ['a file that is too large', { file: Buffer.alloc(30_000_001) }, 'more than'],
    ['an error', { status: 404 }, 'answered 404'],
  ])('gives no music for %s, and says why', async (_what, wrong, why) => {
    answer = wrong;
    expect(await load()).toBeUndefined();
    expect(failures.map(String)).toEqual([expect.stringContaining(why)]);
  });

  it('gives no music when the server does not answer in time', async () => {
    answer = undefined;
    expect(await load(50)).toBeUndefined();
    expect(failures).toHaveLength(1);
  });

  it('gives the music of an earlier start when the server does not answer any more', async () => {
    answer = { file: loudMusic() };
    const first = await load();
    answer = { status: 503 };
    expect(await load()).toEqual(first);
    expect(failures.map(String)).toEqual([expect.stringContaining('answered 503')]);
  });
});
