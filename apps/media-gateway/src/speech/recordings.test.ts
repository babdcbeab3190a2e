import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getPrompt } from '@partyline/domain/prompts';
import { levelOf, rmsOf, tone } from '@partyline/testing/tones';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeWav } from '../audio/wav.ts';
import { withRecordings } from './recordings.ts';

const RATE = 8_000;
const [AUSTRIAN_HZ, GERMAN_HZ, PROGRAM_HZ] = [440, 700, 1_000];
let folder: string;
let failures: unknown[];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'recordings-'));
  failures = [];
});
afterEach(() => rmSync(folder, { recursive: true }));

function record(language: string, name: string, file: Buffer): void {
  mkdirSync(join(folder, language), { recursive: true });
  writeFileSync(join(folder, language, `${name}.wav`), file);
}
const sound = (hz: number): Buffer => writeWav({ pcm: tone(hz, 1, 44_100, -30), sampleRate: 44_100 });

const open = () =>
  withRecordings(
    {
      speak: async () => tone(PROGRAM_HZ, 1, RATE, -18),
      render: async () => tone(PROGRAM_HZ, 1, RATE, -18),
    },
    folder,
    { yieldToCalls: async () => undefined, onFailure: (error) => void failures.push(error) },
  );
const pitchOf = (pcm: Int16Array): number | undefined =>
  [AUSTRIAN_HZ, GERMAN_HZ, PROGRAM_HZ].find((hz) => levelOf(pcm, hz, RATE) > -25);

describe('withRecordings', () => {
  it('speaks the recording of the language, or of the language without its region, or else by the speaker', async () => {
    record('de-AT', 'over', sound(AUSTRIAN_HZ));
    record('de', 'over', sound(GERMAN_HZ));
    const speaker = open();
    const over = getPrompt('de', 'over');
    expect(pitchOf(await speaker.speak(over, 'de-AT', RATE))).toBe(AUSTRIAN_HZ);
    expect(pitchOf(await speaker.speak(over, 'de-DE', RATE))).toBe(GERMAN_HZ);
    expect(pitchOf(await speaker.speak(getPrompt('de', 'full'), 'de-AT', RATE))).toBe(PROGRAM_HZ);
    expect(pitchOf(await speaker.speak('Another text.', 'de-AT', RATE))).toBe(PROGRAM_HZ);
    expect(pitchOf(await speaker.speak(getPrompt('fr', 'over'), 'fr', RATE))).toBe(PROGRAM_HZ);
    expect(failures).toEqual([]);
  });

  it('brings a recording to the level of speech, also when prompts are rendered', async () => {
    record('de', 'over', sound(GERMAN_HZ));
    expect(rmsOf(await open().render(getPrompt('de', 'over'), 'de', RATE))).toBeCloseTo(-18, 0);
  });

  it('reports a file that cannot be used once, and speaks by the speaker', async () => {
    record('de', 'over', Buffer.from('no sound'));
    const speaker = open();
    for (let times = 0; times < 2; times += 1)
      expect(pitchOf(await speaker.speak(getPrompt('de', 'over'), 'de', RATE))).toBe(PROGRAM_HZ);
    expect(failures).toHaveLength(1);
  });

  it('makes no path of a language that is no tag', async () => {
    record('de', 'over', sound(GERMAN_HZ));
    expect(pitchOf(await open().speak(getPrompt('de', 'over'), '../de', RATE))).toBe(PROGRAM_HZ);
  });
});
