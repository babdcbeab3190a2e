import { startBaresip, type BaresipPhone } from '@partyline/dev/phones/baresip';
import { hearsSound } from '@partyline/dev/phones/hears-sound';
import type { Phone } from '@partyline/dev/phones/phone';
import { callsUp, requestsOf } from '@partyline/dev/phones/sip-message';
import { canSendSound, startSipp } from '@partyline/dev/phones/sipp';
import { levelOf } from '@partyline/testing/tones';
import type { Log } from '@partyline/dev/processes/processes';
import { until } from '@partyline/dev/processes/until';

/** A telephone with a person who speaks in one tone. */
export interface Caller {
  readonly name: string;
  readonly hz: number;
  readonly phone: Phone;
  /** Its ear; null for a phone that records nothing. */
  readonly ear: BaresipPhone | null;
}

/** Where the calls go. */
export interface Line {
  /** `host:port` of kamailio. */
  readonly sip: string;
  /** E.164. */
  readonly number: string;
  readonly log: Log;
}

const TONE_DBFS = -20;
const SILENCE_DBFS = -120;
/** A measured moment is waited for like this. */
export const [WITHIN_MS, EVERY_MS] = [20_000, 10];
/** baresip needs this long for each key. */
const KEY_MS = 240;

/** The level of a tone in what a phone heard lately, in dBFS. */
export function heardTone(ear: BaresipPhone, hz: number, windowMs = 500): number {
  const { samples, rate } = ear.heard({ fromMs: -windowMs });
  // The first moments of a call are too short to tell a tone.
  const isTooShort = samples.length < (rate * windowMs) / 2_000;
  return isTooShort ? SILENCE_DBFS : levelOf(samples, hz, rate);
}

/** A person with a phone that can be directed: dials, listens, keys, speaks. */
export async function dialIn(
  { sip, number, log }: Line,
  { name, user, hz }: { name: string; user: string; hz: number },
): Promise<Caller & { readonly ear: BaresipPhone; readonly firstSoundMs: number }> {
  const ear = await startBaresip({ user, microphone: { hz, dbfs: TONE_DBFS }, log });
  const dialledAt = Date.now();
  await ear.dial(`sip:${number}@${sip}`);
  const heardAt = await until(`${name} hears the prompt`, () => hearsSound(ear), WITHIN_MS, EVERY_MS);
  const [invite] = requestsOf(ear.messages(), 'INVITE', 'sent');
  return { name, hz, phone: ear, ear, firstSoundMs: heardAt - (invite?.atMs ?? dialledAt) };
}

/** Keys a PIN during a prompt. Returns when the last key was sent, in milliseconds since 1970. */
export async function keyPin(caller: { readonly ear: BaresipPhone }, pin: string): Promise<number> {
  const startedAt = Date.now();
  await caller.ear.pressKeys(`${pin}#`);
  return startedAt + (pin.length + 1) * KEY_MS;
}

/**
 * A caller on SIPp who keys the PIN and then speaks, without listening. Where SIPp may not send
 * sound (not root), baresip does the same.
 */
export async function dialInBlindly(
  line: Line,
  { name, user, hz }: { name: string; user: string; hz: number },
  pin: string,
): Promise<Caller> {
  if (!canSendSound) {
    const caller = await dialIn(line, { name, user, hz });
    await keyPin(caller, pin);
    return caller;
  }
  const phone = await startSipp({
    target: line.sip,
    calls: 1,
    log: line.log,
    scenario: {
      kind: 'caller',
      to: line.number,
      from: user,
      steps: [
        {
          play: [{ silenceMs: 2_000 }, { keys: `${pin}#` }, { silenceMs: 1_000 }, { hz, ms: 120_000, dbfs: TONE_DBFS }],
          wait: false,
        },
      ],
      end: 'wait-for-bye',
    },
  });
  return { name, hz, phone, ear: null };
}

/** Whether the phone's own log says that its call is over. */
export const isOver = ({ phone }: Caller): boolean => callsUp(phone.messages()) === 0;

/** When the phone's own log shows the end of its call, in milliseconds since 1970. */
export function endedAt({ phone }: Caller): number | null {
  const byes = (['sent', 'received'] as const).flatMap((direction) => requestsOf(phone.messages(), 'BYE', direction));
  return byes.length === 0 ? null : Math.min(...byes.map(({ atMs }) => atMs));
}
