import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { findEspeak, findFlite } from '@partyline/dev/packages/programs';
import { levelOf, rmsOf, tone } from '@partyline/testing/tones';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { speechLevel } from '../audio/loudness.ts';
import { writeWav } from '../audio/wav.ts';
import { runSpeechProgram } from './run-speech-program.ts';
import { createSpeaker, type Speaker, type SpeakerOptions } from './speak.ts';
import { chooseSpeechPrograms, type InstalledPrograms, type SpeechProgram } from './speech-programs.ts';

let folder: string;
let failures: unknown[];
let now: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'partyline-speak-'));
  failures = [];
  now = 0;
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const program = (id: string): SpeechProgram => ({ id, command: id, args: [], env: {}, exchange: 'pipes' });
const speech = writeWav({ pcm: tone(300, 1, 22_050, -30), sampleRate: 22_050 });

interface Run {
  program: string;
  text: string;
}

/** A speaker whose programs return a tone, and record that they ran. */
function fakeSpeaker(options: Partial<SpeakerOptions> = {}): Speaker & { runs: Run[] } {
  const runs: Run[] = [];
  const speaker = createSpeaker({
    programsFor: () => [program('first')],
    run: async ({ id }, text) => {
      runs.push({ program: id, text });
      return speech;
    },
    cacheFolder: folder,
    now: () => now,
    yieldToCalls: setImmediate,
    onFailure: (error) => failures.push(error),
    ...options,
  });
  return { ...speaker, runs };
}

const isBeep = (pcm: Int16Array, rate = 8_000): boolean => levelOf(pcm, 600, rate) > -30;

describe('with flite and eSpeak NG', () => {
  let installed: InstalledPrograms;
  beforeAll(async () => {
    const ignore = (): void => undefined;
    installed = { flite: await findFlite(ignore), espeak: await findEspeak(ignore) };
  }, 240_000);

  const realSpeaker = (ran: string[] = []): Speaker =>
    fakeSpeaker({
      programsFor: (language) => chooseSpeechPrograms(installed, language),
      run: (chosen, text) => {
        ran.push(chosen.id);
        return runSpeechProgram(chosen, text, {
          setTimer: (ms, callback) => {
            const timer = setTimeout(callback, ms);
            return () => clearTimeout(timer);
          },
          timeoutMs: 30_000,
        });
      },
    });

  it.each([
    ['en-US', 'The conference is full. Please try again later. Goodbye.', 'flite:slt'],
    ['de-DE', 'Die Konferenz ist voll. Bitte versuchen Sie es später erneut. Auf Wiederhören.', 'espeak:de:155'],
    ['fr-FR', 'La conférence est complète. Veuillez réessayer plus tard. Au revoir.', 'espeak:fr:155'],
    ['es-ES', 'La conferencia está completa. Por favor, inténtelo más tarde. Adiós.', 'espeak:es:155'],
  ])('speaks %s at -18 dBFS without clipping, for a plausible time', async (language, text, id) => {
    for (const rate of [8_000, 16_000]) {
      const ran: string[] = [];
      const pcm = await realSpeaker(ran).render(text, language, rate);
      const level = speechLevel(pcm, rate) ?? -Infinity;
      expect(level).toBeGreaterThan(-19);
      expect(level).toBeLessThan(-17);
      expect(Math.max(...pcm.map(Math.abs))).toBeLessThan(32_000);
      // People speak 10 to 20 characters a second.
      expect(pcm.length / rate).toBeGreaterThan(text.length / 25);
      expect(pcm.length / rate).toBeLessThan(text.length / 8);
      // The caller hears something at once.
      expect(rmsOf(pcm.subarray(0, rate * 0.15))).toBeGreaterThan(-50);
      expect(ran).toEqual([id]);
    }
    expect(failures).toEqual([]);
  });

  it('speaks an unknown language with an English voice', async () => {
    const ran: string[] = [];
    await realSpeaker(ran).render('Hello there', 'xx-YY', 8_000);
    expect(ran).toEqual(['espeak:xx-yy:155', 'espeak:en-gb:155']);
    expect(failures).toMatchObject([{ reason: 'failed' }]);
  });

  it.each(['en-US', 'de-DE'])('speaks markup, options and commands as they are in %s', async (language) => {
    const speaker = realSpeaker();
    const seconds = async (text: string): Promise<number> =>
      (await speaker.render(text, language, 8_000)).length / 8_000;
    const word = await seconds('hello');
    // Interpreted, these would take as long as the word alone, or make an error.
    for (const text of ['<speak> <break/> hello </speak>', '-v de hello', '$(touch x) hello'])
      expect(await seconds(text)).toBeGreaterThan(word + 0.05);
    // Phonemes would take a tenth of this.
    expect(await seconds('[[abcdefghijklmnop]] hello')).toBeGreaterThan(1.5 * word);
  });
});

describe('the cache', () => {
  it('runs a program once for each text, language and rate', async () => {
    const speaker = fakeSpeaker({ programsFor: (language) => [program(language)] });
    const speak = async (text: string, language: string, rate: number): Promise<Int16Array> =>
      speaker.speak(text, language, rate);
    const first = await speak('a', 'en', 8_000);
    expect(await speak('a', 'en', 8_000)).toBe(first);
    for (const [text, language, rate] of [
      ['b', 'en', 8_000],
      ['a', 'de', 8_000],
      ['a', 'en', 16_000],
    ] as const)
      await speak(text, language, rate);
    expect(speaker.runs).toHaveLength(4);
  });

  it('is shared with another process', async () => {
    const first = await fakeSpeaker().speak('a', 'en', 8_000);
    const other = fakeSpeaker();
    expect(await other.speak('a', 'en', 8_000)).toEqual(first);
    expect(other.runs).toEqual([]);
  });

  it('runs one program for two callers who need the same text', async () => {
    const speaker = fakeSpeaker();
    const [first, second] = await Promise.all([speaker.speak('a', 'en', 8_000), speaker.speak('a', 'en', 8_000)]);
    expect(second).toBe(first);
    expect(speaker.runs).toHaveLength(1);
  });

  it('holds no beeps', async () => {
    const speaker = fakeSpeaker({ run: () => Promise.reject(new Error('no')) });
    expect(isBeep(await speaker.speak('a', 'en', 8_000))).toBe(true);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('speaks on when its folder cannot be written', async () => {
    writeFileSync(join(folder, 'file'), '');
    const speaker = fakeSpeaker({ cacheFolder: join(folder, 'file/x') });
    expect(isBeep(await speaker.speak('a', 'en', 8_000))).toBe(false);
    expect(failures).toMatchObject([{ code: 'ENOTDIR' }]);
  });
});

describe('the sound', () => {
  it('has the wanted rate and level', async () => {
    for (const rate of [8_000, 16_000, 48_000]) {
      const pcm = await fakeSpeaker().render('a', 'en', rate);
      expect(pcm.length / rate).toBeCloseTo(1, 1);
      expect(levelOf(pcm, 300, rate)).toBeCloseTo(-18, 0);
    }
  });

  it('begins and ends soon after and before the silence of the program', async () => {
    const padded = new Int16Array(24_000);
    padded.set(tone(300, 1, 8_000, -20), 8_000);
    const file = writeWav({ pcm: padded, sampleRate: 8_000 });
    const pcm = await fakeSpeaker({ run: async () => file }).render('a', 'en', 8_000);
    expect(pcm.findIndex((sample) => Math.abs(sample) > 500) / 8_000).toBeCloseTo(0.04, 2);
    expect(pcm.length / 8_000).toBeCloseTo(1.16, 2);
  });
});

describe('a failure', () => {
  it.each([
    ['an error of the program', () => Promise.reject(new Error('code 1')), undefined],
    ['output that is no WAV', async () => Buffer.from('what?'), 'no-audio'],
    ['silence', async () => writeWav({ pcm: new Int16Array(8_000), sampleRate: 8_000 }), 'no-audio'],
    ['an empty recording', async () => writeWav({ pcm: new Int16Array(0), sampleRate: 8_000 }), 'no-audio'],
  ])('becomes three beeps: %s', async (_what, run, reason) => {
    const speaker = fakeSpeaker({ run });
    const pcm = await speaker.speak('a secret text', 'en', 8_000);
    expect(isBeep(pcm)).toBe(true);
    expect(failures).toHaveLength(1);
    expect(reason === undefined || (failures[0] as { reason: string }).reason === reason).toBe(true);
    expect(String(failures[0])).not.toContain('secret');
    await expect(speaker.render('a secret text', 'en', 8_000)).rejects.toThrow();
  });

  it.each([
    ['an empty text', '', 'unspeakable'],
    ['only control characters', '\u0001\n\u0000', 'unspeakable'],
    ['a text of 2001 characters', 'a'.repeat(2_001), 'unspeakable'],
  ])('is %s', async (_what, text, reason) => {
    const speaker = fakeSpeaker();
    expect(isBeep(await speaker.speak(text, 'en', 8_000))).toBe(true);
    expect(failures).toMatchObject([{ name: 'SpeechError', reason }]);
    expect(speaker.runs).toEqual([]);
  });

  it('is that no program is installed', async () => {
    expect(isBeep(await fakeSpeaker({ programsFor: () => [] }).speak('a', 'en', 16_000), 16_000)).toBe(true);
    expect(failures).toMatchObject([{ reason: 'failed', message: 'No speech program is installed' }]);
  });
});

describe('several programs', () => {
  it('are tried in order; one that failed is not tried again for 30 s', async () => {
    const runs: string[] = [];
    let isBroken = true;
    const speaker = fakeSpeaker({
      programsFor: () => [program('first'), program('second')],
      run: async ({ id }) => {
        runs.push(id);
        if (id === 'first' && isBroken) throw new Error('broken');
        return speech;
      },
    });
    await speaker.speak('a', 'en', 8_000);
    await speaker.speak('b', 'en', 8_000);
    expect(runs).toEqual(['first', 'second', 'second']);
    expect(failures).toHaveLength(1);
    isBroken = false;
    now = 30_000;
    await speaker.speak('c', 'en', 8_000);
    expect(runs.slice(3)).toEqual(['first']);
  });

  it('are tried all the same when all have failed a moment ago', async () => {
    let isBroken = true;
    const speaker = fakeSpeaker({ run: async () => (isBroken ? Buffer.alloc(0) : speech) });
    expect(isBeep(await speaker.speak('a', 'en', 8_000))).toBe(true);
    isBroken = false;
    expect(isBeep(await speaker.speak('a', 'en', 8_000))).toBe(false);
  });
});

describe('the text', () => {
  it('reaches the program as it is, without control characters and the brackets of phonemes', async () => {
    const speaker = fakeSpeaker();
    await speaker.speak('  <b>Zoë</b>\u0001 & [[aI]]\n\tन\u200dम -v x ', 'en', 8_000);
    expect(speaker.runs.map(({ text }) => text)).toEqual(['<b>Zoë</b> & [aI] न\u200dम -v x']);
  });
});

describe('the queue', () => {
  it('runs two programs at once, and rejects texts beyond its limit', async () => {
    const { promise, resolve } = Promise.withResolvers<Buffer>();
    let running = 0;
    const speaker = fakeSpeaker({
      maxWaiting: 3,
      run: () => {
        running++;
        return promise;
      },
    });
    const texts = Array.from({ length: 6 }, (_, i) => speaker.speak(`text ${i}`, 'en', 8_000));
    await expect.poll(() => failures).toMatchObject([{ reason: 'busy' }]);
    expect(running).toBe(2);
    resolve(speech);
    expect((await Promise.all(texts)).filter((pcm) => isBeep(pcm))).toHaveLength(1);
    expect(running).toBe(5);
  });
});
