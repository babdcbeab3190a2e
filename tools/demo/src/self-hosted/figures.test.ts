import type { HandleCounts } from '@partyline/janus/admin/count-handles';
import { expect, it } from 'vitest';
import { countAdded } from './count-added.ts';
import { findSelfHostedDeviations, formatFigures } from './figures.ts';
import type { SelfHostedSummary } from './summary.ts';

const GOOD: SelfHostedSummary = {
  mode: 'janus',
  sipCallers: 3,
  browsers: 2,
  wrongPins: 1,
  firstSoundMs: { p50: 260, max: 300 },
  digitsToJoinedMs: 120,
  mouthToEarMs: 110,
  heardDb: { phoneToBrowser: -35, browserToPhone: -27.1, phoneToPhone: -26 },
  leakDb: -70,
  imageDb: -60,
  videoFramesDecoded: 60,
  legsUpAfterEnd: 0,
  dialogsAfterEnd: 0,
  handlesAfterEnd: 0,
  lingeringLegSeconds: 0,
  seconds: 45,
};

it('accepts figures that are at their bounds', () => {
  expect(findSelfHostedDeviations(GOOD)).toEqual([]);
  expect(formatFigures(GOOD).filter((line) => /FAILED|missed/.test(line))).toEqual([]);
});

it.each<[Partial<SelfHostedSummary>, string]>([
  [
    { heardDb: { ...GOOD.heardDb, phoneToPhone: -35.1 } },
    'heardDb.phoneToPhone): -35.1 dB, which must be at least -35 dB',
  ],
  [{ leakDb: -69.9 }, 'leakDb): -69.9 dB, which must be at most -70 dB'],
  [{ imageDb: -59 }, 'imageDb): -59 dB, which must be at most -60 dB'],
  [{ sipCallers: 2 }, 'sipCallers): 2, which must be exactly 3'],
  [{ legsUpAfterEnd: 1 }, 'legsUpAfterEnd): 1, which must be exactly 0'],
  [{ dialogsAfterEnd: 1 }, 'dialogsAfterEnd): 1, which must be exactly 0'],
  [{ handlesAfterEnd: 1 }, 'handlesAfterEnd): 1, which must be exactly 0'],
  [{ lingeringLegSeconds: 2 }, 'lingeringLegSeconds): 2 s, which must be exactly 0 s'],
])('rejects %o', (wrong, sentence) => {
  const summary = { ...GOOD, ...wrong };
  expect(findSelfHostedDeviations(summary)).toEqual([expect.stringContaining(sentence)]);
  expect(formatFigures(summary).filter((line) => line.endsWith('FAILED'))).toHaveLength(1);
});

it('shows targets that a busy machine misses, and does not judge them', () => {
  const slow = { ...GOOD, firstSoundMs: { p50: 900, max: 950 }, digitsToJoinedMs: 900, mouthToEarMs: 400, seconds: 90 };
  expect(findSelfHostedDeviations(slow)).toEqual([]);
  expect(formatFigures(slow).filter((line) => /target: at most \d+ m?s   \(missed\)$/.test(line))).toHaveLength(4);
});

it('counts the handles of each kind that were not there before', () => {
  const before: HandleCounts[] = [{ sip: 136, audiobridge: 1 }, { sip: 136 }];
  expect(countAdded(before, before)).toBe(0);
  // A call that is up has a line of its own kind; a line less does not make up for it.
  const now: HandleCounts[] = [
    { sip: 135, 'sip in use': 1, audiobridge: 3 },
    { sip: 136, videoroom: 1 },
  ];
  expect(countAdded(before, now)).toBe(4);
});
