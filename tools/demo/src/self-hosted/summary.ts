import { endedAt } from './callers.ts';
import type { SelfHostedResult } from './story.ts';

/** A leg that is up longer after the end of its session lingers. */
const MAX_LINGER_MS = 5_000;
const HEARD_DB = -35;
const LEAK_DB = -70;
const IMAGE_DB = -60;
const BROWSERS = 2;

/** The last line of the demo's output. */
interface SelfHostedSummary {
  readonly mode: 'janus';
  readonly sipCallers: number;
  readonly browsers: number;
  readonly wrongPins: number;
  readonly firstSoundMs: { readonly p50: number; readonly max: number };
  readonly digitsToJoinedMs: number;
  readonly mouthToEarMs: number;
  readonly heardDb: SelfHostedResult['heardDb'];
  readonly leakDb: number;
  readonly imageDb: number;
  readonly videoFramesDecoded: number;
  readonly legsUpAfterEnd: number;
  readonly dialogsAfterEnd: number;
  readonly lingeringLegSeconds: number;
}

const median = (values: readonly number[]): number =>
  values.toSorted((x, y) => x - y)[Math.floor(values.length / 2)] ?? 0;
const decibels = (level: number): number => Math.round(level * 10) / 10;

/** Counts from the clients' own logs and ears, and from kamailio. */
export const summariseSelfHosted = (result: SelfHostedResult): SelfHostedSummary => ({
  mode: 'janus',
  sipCallers: result.callers.length,
  browsers: result.participants.length,
  wrongPins: result.wrongPins,
  firstSoundMs: { p50: median(result.firstSoundMs), max: Math.max(...result.firstSoundMs) },
  digitsToJoinedMs: median(result.digitsToJoinedMs),
  mouthToEarMs: result.mouthToEarMs,
  heardDb: {
    phoneToBrowser: decibels(result.heardDb.phoneToBrowser),
    browserToPhone: decibels(result.heardDb.browserToPhone),
    phoneToPhone: decibels(result.heardDb.phoneToPhone),
  },
  leakDb: decibels(result.leakDb),
  imageDb: decibels(result.imageDb),
  videoFramesDecoded: result.videoFramesDecoded,
  legsUpAfterEnd: result.legsUpAfterEnd,
  dialogsAfterEnd: result.dialogsAfterEnd,
  lingeringLegSeconds: result.ends.reduce((sum, end) => sum + lingeringSeconds(end), 0),
});

function lingeringSeconds({ end, callers }: SelfHostedResult['ends'][number]): number {
  const bound = Date.parse(end.session?.endingAt ?? '') + MAX_LINGER_MS;
  const late = callers.reduce((sum, caller) => sum + Math.max(0, (endedAt(caller) ?? Date.now()) - bound), 0);
  return Math.round(late / 1_000);
}

/** Lists what is not as expected. */
export function findSelfHostedDeviations(summary: SelfHostedSummary): string[] {
  const faults: string[] = [];
  const expected = {
    sipCallers: 3,
    browsers: BROWSERS,
    wrongPins: 1,
    legsUpAfterEnd: 0,
    dialogsAfterEnd: 0,
    lingeringLegSeconds: 0,
  } as const;
  for (const name of Object.keys(expected) as (keyof typeof expected)[])
    if (summary[name] !== expected[name]) faults.push(`${name} is ${summary[name]} instead of ${expected[name]}`);
  for (const [way, level] of Object.entries(summary.heardDb))
    if (level < HEARD_DB) faults.push(`heardDb.${way} is ${level} instead of ${HEARD_DB} or more`);
  if (summary.imageDb > IMAGE_DB) faults.push(`imageDb is ${summary.imageDb} instead of ${IMAGE_DB} or less`);
  if (summary.leakDb > LEAK_DB) faults.push(`leakDb is ${summary.leakDb} instead of ${LEAK_DB} or less`);
  return faults;
}
