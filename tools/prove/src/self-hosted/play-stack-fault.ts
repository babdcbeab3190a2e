import { setTimeout as sleep } from 'node:timers/promises';
import { isUp, type Caller } from './caller.ts';
import { measureEnds, type Meeting } from './meeting.ts';
import { judge, type Row } from './row.ts';
import type { FaultContext, Moment, StackFault } from './stack-faults.ts';
import { poll } from '@partyline/dev/processes/until';

/** How much longer than its bound a call is watched, so that a run says how late it was. */
const WATCH_LONGER_MS = 30_000;
const END_TIMEOUT_MS = 60_000;

export interface PlayedFault {
  readonly rows: readonly Row[];
  /** Callers of the other room whose calls the fault takes down. */
  readonly touched: readonly Caller[];
  /** When Partyline could confirm the hang-ups, in milliseconds since 1970: the end of the room or of the fault. */
  readonly confirmableAt: number;
}

/**
 * Ends one room under a fault while another one goes on, and measures when the calls end that must
 * end, by the logs of the phones.
 */
export async function playStackFault(
  fault: StackFault,
  context: FaultContext,
  { ending, other }: { readonly ending: Meeting; readonly other: Meeting },
): Promise<PlayedFault> {
  const callers = ending.live;
  const isTouched = (caller: Caller): boolean =>
    fault.others?.at === 'every-gateway' || (fault.others?.at === 'target' && caller.gateway === context.target.id);
  const touched = other.live.filter(isTouched);

  const ended = fault.endsFirst ? await ending.end() : undefined;
  await fault.inject(context);
  const faultAt = Date.now();
  const ends = withDeadline(ended ?? ending.end(), END_TIMEOUT_MS);
  ends.catch(() => undefined);
  let [recoveryAt, recoveredAt] = [0, 0];
  const recover = async (): Promise<void> => {
    recoveryAt = Date.now();
    await fault.recover(context);
    recoveredAt = Date.now();
  };
  const watchMs = Math.max(fault.boundS, fault.others?.boundS ?? 0) * 1_000 + WATCH_LONGER_MS;
  const awaitCalls = (): Promise<unknown> => poll(() => ![...callers, ...touched].some(isUp), watchMs);
  if (fault.lastsMs === null) {
    await awaitCalls();
    await recover();
  } else {
    await sleep(fault.lastsMs);
    await recover();
    await awaitCalls();
  }

  const endAt = await ends;
  // A call that is not touched by a fault ends as if there was none: its bound counts from the end.
  const moment = (since: Moment): number => ({ end: endAt, fault: faultAt, recovery: recoveryAt })[since];
  const since = (caller: Caller): number =>
    fault.since === 'fault' && !isTouched(caller) ? Math.max(endAt, faultAt) : moment(fault.since);
  const rows = [judge(fault.name, fault.boundS, measureEnds(callers, since))];
  if (fault.others !== null && touched.length > 0) {
    const { boundS, since: from } = fault.others;
    rows.push(
      judge(
        `${fault.name}: other rooms' calls`,
        boundS,
        measureEnds(touched, () => moment(from)),
      ),
    );
  }
  return {
    rows,
    touched,
    confirmableAt: Math.max(endAt, recoveredAt),
  };
}

async function withDeadline<Value>(value: Value | Promise<Value>, ms: number): Promise<Value> {
  const timer = new AbortController();
  try {
    return await Promise.race([
      value,
      sleep(ms, undefined, { signal: timer.signal }).then(() => {
        throw new Error(`The room could not be ended within ${ms / 1_000} s.`);
      }),
    ]);
  } finally {
    timer.abort();
  }
}
