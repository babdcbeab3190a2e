import { startBaresip, type BaresipPhone } from '@partyline/dev/phones/baresip';
import { hearsSound } from '@partyline/dev/phones/hears-sound';
import { requestsOf } from '@partyline/dev/phones/sip-message';
import { startSipp } from '@partyline/dev/phones/sipp';
import { until } from '@partyline/dev/processes/until';
import type { Log } from '@partyline/dev/processes/processes';

/** A call of a phone. */
export interface Caller {
  readonly phone: BaresipPhone;
  /** From the INVITE to the first sound of the prompt, in milliseconds. */
  readonly firstSoundMs: number;
}

/** Phones are started in groups of so many, because each start takes processor time. */
const GROUP = 10;
const POLL_MS = 10;
const WITHIN_MS = 30_000;
const VOICE = { hz: 440, dbfs: -20 };

export async function startPhones(count: number, log: Log): Promise<BaresipPhone[]> {
  const phones: BaresipPhone[] = [];
  while (phones.length < count) {
    const group = Array.from({ length: Math.min(GROUP, count - phones.length) }, (_, index) =>
      startBaresip({ user: `+4420794${String(60_000 + phones.length + index)}`, microphone: VOICE, log }),
    );
    phones.push(...(await Promise.all(group)));
  }
  return phones;
}

/** Dials with all phones in one instant, and waits until each hears the prompt. */
export const dialTogether = (phones: readonly BaresipPhone[], uri: string): Promise<Caller[]> =>
  Promise.all(
    phones.map(async (phone) => {
      const callsBefore = requestsOf(phone.messages(), 'INVITE', 'sent').length;
      await phone.dial(uri);
      // Before, the phone has the sound of its earlier call.
      await phone.waitFor('established');
      const heardAt = await until('a caller hears the prompt', () => hearsSound(phone), WITHIN_MS, POLL_MS);
      const invite = requestsOf(phone.messages(), 'INVITE', 'sent')[callsBefore];
      if (invite === undefined) throw new Error('A phone has sent no INVITE.');
      return { phone, firstSoundMs: heardAt - invite.atMs };
    }),
  );

export async function hangUpAll(phones: readonly BaresipPhone[]): Promise<void> {
  await Promise.all(
    phones.map(async (phone) => {
      await phone.hangUp();
      await phone.waitFor('closed');
    }),
  );
}

const CHURN_STAY_MS = 300;
const CHURN_PER_SECOND = 20;
const CHURN_CALLS_UP = 30;

/** Places calls that hang up during the prompt. @returns how many were not answered */
export async function churnCalls(target: string, number: string, calls: number, log: Log): Promise<number> {
  const phone = await startSipp({
    target,
    calls,
    callsPerSecond: CHURN_PER_SECOND,
    maxCallsUp: CHURN_CALLS_UP,
    log,
    scenario: { kind: 'caller', to: number, from: '+442079459999', steps: [{ pauseMs: CHURN_STAY_MS }] },
  });
  const { successful, errors } = await phone.finished;
  if (successful === 0) throw new Error(`No call was answered. ${errors.slice(0, 500)}`);
  return calls - successful;
}
