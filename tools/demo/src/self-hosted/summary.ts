import { endedAt } from './callers.ts';
import type { SelfHostedResult } from './story.ts';

/** A leg that is up longer after the end of its session lingers. */
const MAX_LINGER_MS = 5_000;

/** The last line of the demo's output. */
export interface SelfHostedSummary {
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
  readonly handlesAfterEnd: number;
  readonly lingeringLegSeconds: number;
  /** From the start of the demo to the end of the meetings, with a build and downloads. */
  readonly seconds: number;
}

const median = (values: readonly number[]): number =>
  values.toSorted((x, y) => x - y)[Math.floor(values.length / 2)] ?? 0;
const decibels = (level: number): number => Math.round(level * 10) / 10;

/**
 * Counts from the clients' own logs and ears, from kamailio and from Janus.
 * @param seconds how long the demo took
 */
export const summariseSelfHosted = (result: SelfHostedResult, seconds: number): SelfHostedSummary => ({
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
  handlesAfterEnd: result.handlesAfterEnd,
  lingeringLegSeconds: result.ends.reduce((sum, end) => sum + lingeringSeconds(end), 0),
  seconds: Math.round(seconds),
});

function lingeringSeconds({ end, callers }: SelfHostedResult['ends'][number]): number {
  const bound = Date.parse(end.session?.endingAt ?? '') + MAX_LINGER_MS;
  const late = callers.reduce((sum, caller) => sum + Math.max(0, (endedAt(caller) ?? Date.now()) - bound), 0);
  return Math.round(late / 1_000);
}
