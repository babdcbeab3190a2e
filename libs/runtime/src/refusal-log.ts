import { networkOf } from './client-address.ts';
import type { Logger } from './logging.ts';

const WINDOW_MS = 60_000;
/** Lines per minute for one network (`networkOf`), so that one client does not hide the others. */
const MAX_NETWORK_LINES = 10;
/** Lines per minute of one process. */
const MAX_LINES = 120;

export interface Refusal {
  readonly reason: string;
  readonly detail: string;
  readonly route: string;
  readonly requestId: string;
  readonly tenantId: string | undefined;
  readonly keyId: string | undefined;
}

/** Writes one line for a rejected request of a client address, unless too many were written. */
export type RefusalLog = (address: string, refusal: Refusal) => void;

/**
 * Logs rejected keys, scopes and webhooks: what was rejected, from where and why, never the key or
 * the token. Limited per network and in total; the first line of a minute says how many lines the
 * minutes before it left out. Memory is bounded, because only written lines are remembered.
 * @param now milliseconds
 */
export function openRefusalLog(log: Pick<Logger, 'warn'>, now: () => number): RefusalLog {
  let windowEndsAt = 0;
  let written = 0;
  let leftOut = 0;
  const writtenByNetwork = new Map<string, number>();
  return (address, refusal) => {
    if (now() >= windowEndsAt) {
      windowEndsAt = now() + WINDOW_MS;
      written = 0;
      writtenByNetwork.clear();
    }
    const network = networkOf(address);
    const ofNetwork = writtenByNetwork.get(network) ?? 0;
    if (written >= MAX_LINES || ofNetwork >= MAX_NETWORK_LINES) {
      leftOut += 1;
      return;
    }
    const isFirst = written === 0;
    written += 1;
    writtenByNetwork.set(network, ofNetwork + 1);
    log.warn({ ...refusal, address, ...(isFirst && leftOut > 0 && { leftOut }) }, 'a request was rejected');
    if (isFirst) leftOut = 0;
  };
}
