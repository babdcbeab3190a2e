import type { SelfHostedSummary } from './summary.ts';

/** A tone this loud is heard. */
export const HEARD_DB = -35;
const LEAK_DB = -70;
const IMAGE_DB = -60;

/** A figure of the demo with what it must be. */
interface Figure {
  readonly what: string;
  /** Its field in the summary. */
  readonly field: string;
  readonly value: number;
  readonly unit: 'dB' | 'ms' | 's' | '';
  readonly bound: { readonly is: 'at least' | 'at most' | 'exactly'; readonly value: number };
  /** For a quiet machine that has all programs: it is shown, and not judged. */
  readonly isTarget?: true;
}

const COUNTS = {
  sipCallers: 3,
  browsers: 2,
  wrongPins: 1,
  legsUpAfterEnd: 0,
  dialogsAfterEnd: 0,
  handlesAfterEnd: 0,
  lingeringLegSeconds: 0,
} as const;

const listFigures = (summary: SelfHostedSummary): Figure[] => {
  const { heardDb } = summary;
  const heard = (what: string, way: keyof typeof heardDb): Figure => ({
    what,
    field: `heardDb.${way}`,
    value: heardDb[way],
    unit: 'dB',
    bound: { is: 'at least', value: HEARD_DB },
  });
  const count = (what: string, field: keyof SelfHostedSummary & keyof typeof COUNTS): Figure => ({
    what,
    field,
    value: summary[field],
    unit: field === 'lingeringLegSeconds' ? 's' : '',
    bound: { is: 'exactly', value: COUNTS[field] },
  });
  const atMost = (what: string, field: string, value: number, unit: Figure['unit'], most: number): Figure => ({
    what,
    field,
    value,
    unit,
    bound: { is: 'at most', value: most },
  });
  return [
    heard('tones heard, phone to browser', 'phoneToBrowser'),
    heard('tones heard, browser to phone', 'browserToPhone'),
    heard('tones heard, phone to phone', 'phoneToPhone'),
    atMost('tones of the other room', 'leakDb', summary.leakDb, 'dB', LEAK_DB),
    atMost('images of a phone in a browser', 'imageDb', summary.imageDb, 'dB', IMAGE_DB),
    count('callers', 'sipCallers'),
    count('browsers', 'browsers'),
    count('wrong PINs', 'wrongPins'),
    count('legs up after the end', 'legsUpAfterEnd'),
    count('dialogs of kamailio after the end', 'dialogsAfterEnd'),
    count('handles of Janus after the end', 'handlesAfterEnd'),
    count('legs up too long after the end', 'lingeringLegSeconds'),
    {
      ...atMost('INVITE to first sound (median)', 'firstSoundMs.p50', summary.firstSoundMs.p50, 'ms', 400),
      isTarget: true,
    },
    { ...atMost('last digit to joined', 'digitsToJoinedMs', summary.digitsToJoinedMs, 'ms', 200), isTarget: true },
    { ...atMost('mouth to ear', 'mouthToEarMs', summary.mouthToEarMs, 'ms', 150), isTarget: true },
    { ...atMost('whole demo, once installed', 'seconds', summary.seconds, 's', 60), isTarget: true },
  ];
};

function isMet({ value, bound }: Figure): boolean {
  switch (bound.is) {
    case 'at least':
      return value >= bound.value;
    case 'at most':
      return value <= bound.value;
    case 'exactly':
      return value === bound.value;
  }
}

const withUnit = (value: number, unit: Figure['unit']): string => `${value} ${unit}`.trim();

/** Formats each figure with its bound or target. */
export const formatFigures = (summary: SelfHostedSummary): string[] =>
  listFigures(summary).map((figure) => {
    const { what, value, unit, bound, isTarget } = figure;
    const wanted = `${isTarget ? 'target: ' : ''}${bound.is} ${withUnit(bound.value, unit)}`;
    const verdict = isMet(figure) ? '' : isTarget ? '   (missed)' : '   FAILED';
    return `   ${what.padEnd(36)} ${withUnit(value, unit).padStart(10)}   ${wanted}${verdict}`;
  });

/** Returns a sentence for each figure that is not as it must be. */
export const findSelfHostedDeviations = (summary: SelfHostedSummary): string[] =>
  listFigures(summary)
    .filter((figure) => !figure.isTarget && !isMet(figure))
    .map(({ what, field, value, unit, bound }) => {
      const [is, must] = [withUnit(value, unit), `${bound.is} ${withUnit(bound.value, unit)}`];
      return `The demo failed: ${what} (${field}): ${is}, which must be ${must}.`;
    });
