import { rmsOf } from '@partyline/testing/tones';
import type { BaresipPhone } from './baresip.ts';

/** Speech is at -18 dBFS; a line without speech is far below this. */
const AUDIBLE_DBFS = -45;
const WINDOW_MS = 100;

/** Whether a phone hears anything now. */
export function hearsSound(phone: BaresipPhone): boolean {
  const { samples } = phone.heard({ fromMs: -WINDOW_MS });
  return samples.length > 0 && rmsOf(samples) > AUDIBLE_DBFS;
}
