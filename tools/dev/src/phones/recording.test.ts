import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Recording } from './recording.ts';
import { encodeWav } from './wav.ts';

const RATE = 8000;
let folder: string;
let path: string;
let nowMs = 0;
let recording: Recording;

/** Appends sound that arrives in `ms`, in pieces of 20 ms. */
function hear(value: number, ms: number): void {
  for (let passed = 0; passed < ms; passed += 20) {
    nowMs += 20;
    appendFileSync(path, Buffer.from(new Int16Array(RATE / 50).fill(value).buffer));
    recording.cut();
  }
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'partyline-recording-'));
  path = join(folder, 'heard.wav');
  nowMs = 1_000_000;
  // A program that still writes has not stated the length yet.
  writeFileSync(path, encodeWav({ samples: new Int16Array(), rate: RATE }));
  recording = new Recording(() => nowMs);
  recording.follow(path);
});

afterEach(() => {
  recording.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('Recording', () => {
  it('returns all that was heard', () => {
    hear(5, 400);

    expect(recording.cut()).toEqual({ rate: RATE, samples: new Int16Array(3200).fill(5) });
  });

  it('cuts a window relative to now', () => {
    hear(1, 400);
    hear(2, 200);
    hear(3, 200);

    const { samples } = recording.cut({ fromMs: -400, toMs: -200 });
    expect(samples).toEqual(new Int16Array(1600).fill(2));
  });

  it('continues with the next file', () => {
    hear(1, 200);
    const first = path;
    path = join(folder, 'more.wav');
    writeFileSync(path, readFileSync(first).subarray(0, 44));
    nowMs += 200;
    recording.follow(path);
    hear(2, 200);

    const { samples } = recording.cut();
    expect(samples).toEqual(
      Int16Array.of(...new Int16Array(1600).fill(1), ...new Int16Array(1600), ...new Int16Array(1600).fill(2)),
    );
    expect(recording.path).toBe(path);
  });

  it('is silent where no packets arrived', () => {
    hear(1, 200);
    nowMs += 1000;
    hear(2, 200);
    nowMs += 100;

    const { samples } = recording.cut({ fromMs: -1500 });
    expect(samples).toHaveLength(12_000);
    expect([...new Set(samples.subarray(0, 1600))]).toEqual([1]);
    expect([...new Set(samples.subarray(1600, 9600))]).toEqual([0]);
    expect([...new Set(samples.subarray(9600, 11_200))]).toEqual([2]);
    expect([...new Set(samples.subarray(11_200))]).toEqual([0]);
  });
});
