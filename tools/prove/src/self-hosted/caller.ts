import { setTimeout as sleep } from 'node:timers/promises';
import { startBaresip, type BaresipPhone } from '@partyline/dev/phones/baresip';
import { hearsSound } from '@partyline/dev/phones/hears-sound';
import type { OwnNetwork } from '@partyline/dev/phones/own-network';
import type { Phone } from '@partyline/dev/phones/phone';
import type { RtpOptions } from '@partyline/dev/phones/rtp-script';
import { callIdOf, callStates, headerOf, requestsOf, type SipMessage } from '@partyline/dev/phones/sip-message';
import { startSipp, type SippPhone } from '@partyline/dev/phones/sipp';
import { until } from '@partyline/dev/processes/until';

/** Where calls go. */
export interface Line {
  /** `host:port` of kamailio. */
  readonly sip: string;
  /** E.164. */
  readonly number: string;
  readonly log: (line: string) => void;
}

/** A telephone with a call that was answered. Its own log is the evidence of what happened to the call. */
export interface Caller {
  /** Its own number, E.164. */
  readonly number: string;
  readonly phone: Phone;
  /** Who placed the call: the phone or the tenant. All phones that the tenant calls are one program. */
  readonly direction: 'inbound' | 'outbound';
  /** The Call-ID of its call. */
  readonly sipCallId: string;
  /** The id of the gateway that has the call. */
  readonly gateway: string;
  /** Its ear; absent for a phone that records nothing. */
  readonly ear?: BaresipPhone;
}

const VOICE = { hz: 440, dbfs: -20 };
const ANSWER_TIMEOUT_MS = 15_000;
const PROMPT_TIMEOUT_MS = 10_000;
/** Longer than a run: a phone that is silent is hung up. */
const CALLEE_TALK_MS = 900_000;

/** @param network where the phone is; this machine by default */
export function startPhone(number: string, log: Line['log'], network?: OwnNetwork): Promise<BaresipPhone> {
  return startBaresip({ user: number, microphone: VOICE, log, ...(network && { network }) });
}

/** A call that another gateway has answered than the caller wants is placed again, so many times. */
const MAX_CALLS_FOR_GATEWAY = 20;
/** The earlier calls of a phone count as its callers until Partyline knows their ends. Above the limit, it is busy. */
const BUSY_RETRY_MS = 500;

class RefusedError extends Error {
  readonly status: number;

  constructor({ startLine, status = 0 }: SipMessage) {
    super(`A call was refused: ${startLine}`);
    this.status = status;
  }
}

const isBusy = (error: unknown): boolean => error instanceof RefusedError && error.status === 486;

/**
 * Calls, waits for the prompt, and keys the PIN. The phone is stopped when that fails.
 * @param options.gateway the gateway that must answer; kamailio chooses one by chance
 * @throws Error that names what did not happen
 */
export async function dialIn(
  line: Line,
  number: string,
  pin: string,
  { gateway, network }: { readonly gateway?: string; readonly network?: OwnNetwork } = {},
): Promise<Caller> {
  const phone = await startPhone(number, line.log, network);
  try {
    let caller: Caller | undefined;
    for (let calls = 1; ; calls += 1) {
      await phone.dial(`sip:${line.number}@${line.sip}`);
      caller = await awaitAnswer(number, phone, calls).catch((error: unknown) => {
        if (calls > 1 && isBusy(error)) return undefined;
        throw error;
      });
      if (caller !== undefined && (gateway === undefined || caller.gateway === gateway)) break;
      if (calls === MAX_CALLS_FOR_GATEWAY) throw new Error(`No call arrives at ${gateway}.`);
      if (caller === undefined) await sleep(BUSY_RETRY_MS);
      else await phone.hangUp();
      await phone.waitFor('closed');
    }
    await until('the caller hears the prompt', () => hearsSound(phone), PROMPT_TIMEOUT_MS);
    await phone.pressKeys(`${pin}#`);
    return { ...caller, ear: phone };
  } catch (error) {
    await phone.stop();
    throw error;
  }
}

/** The same with SIPp, whose RTP packets are lost and delayed. SIPp needs root to send sound. */
export async function dialInWithLoss(
  line: Line,
  number: string,
  pin: string,
  { rtp, talkMs }: { readonly rtp: RtpOptions; readonly talkMs: number },
): Promise<Caller> {
  const sound = [{ silenceMs: 3_000 }, { keys: `${pin}#` }, { ...VOICE, ms: talkMs }];
  const phone = await startSipp({
    target: line.sip,
    log: line.log,
    scenario: {
      kind: 'caller',
      to: line.number,
      from: number,
      steps: [{ play: sound, rtp, wait: false }],
      end: 'wait-for-bye',
    },
  });
  try {
    return await awaitAnswer(number, phone);
  } catch (error) {
    await phone.stop();
    throw error;
  }
}

/** @param calls how many calls the phone has placed */
async function awaitAnswer(number: string, phone: Phone, calls = 1): Promise<Caller> {
  const isOfInvite = (message: SipMessage): boolean => (headerOf(message, 'cseq') ?? '').endsWith('INVITE');
  let answer: SipMessage | undefined;
  await until(
    'a call is answered',
    () => {
      const invites = requestsOf(phone.messages(), 'INVITE', 'sent');
      const callId = [...new Set(invites.map(callIdOf))][calls - 1];
      const replies = phone.messages().filter((message) => isOfInvite(message) && callIdOf(message) === callId);
      const refused = replies.find(({ status = 0 }) => status >= 300);
      if (refused !== undefined) throw new RefusedError(refused);
      answer = replies.find(({ status }) => status === 200);
      return answer !== undefined;
    },
    ANSWER_TIMEOUT_MS,
  );
  if (answer === undefined) throw new Error('A call has no answer.');
  return { number, phone, direction: 'inbound', sipCallId: callIdOf(answer), gateway: readGateway(answer) };
}

/** The gateway that has sent a message: it registers as `gw-` and its id, which is the user of its Contact. */
function readGateway(message: SipMessage): string {
  const gateway = /sip:gw-([^@;>]+)@/.exec(headerOf(message, 'contact') ?? '')?.[1];
  if (gateway === undefined) throw new Error(`No gateway is named in ${message.startLine}.`);
  return gateway;
}

/** Starts the phones that the tenant calls, all numbers: each answers, and speaks. SIPp needs root to send sound. */
export const startCallees = (log: Line['log']): Promise<SippPhone> =>
  startSipp({
    log,
    scenario: {
      kind: 'callee',
      steps: [{ play: [{ ...VOICE, ms: CALLEE_TALK_MS }], wait: false }],
      end: 'wait-for-bye',
    },
  });

/** Waits until the call of the tenant to a number is answered. */
export async function awaitCallee(callees: SippPhone, number: string): Promise<Caller> {
  let invite: SipMessage | undefined;
  await until(
    'a called phone answers',
    () => {
      invite = requestsOf(callees.messages(), 'INVITE', 'received').find(({ startLine }) =>
        startLine.startsWith(`INVITE sip:${number}@`),
      );
      return invite !== undefined && callStates(callees.messages()).get(callIdOf(invite)) === 'up';
    },
    ANSWER_TIMEOUT_MS,
  );
  if (invite === undefined) throw new Error('A called phone got no INVITE.');
  return {
    number,
    phone: callees,
    direction: 'outbound',
    sipCallId: callIdOf(invite),
    gateway: readGateway(invite),
  };
}

/** Whether the phone's own log says that its call is up. */
export const isUp = ({ phone, sipCallId }: Caller): boolean => callStates(phone.messages()).get(sipCallId) === 'up';

/** When the phone's own log shows the end of its call, in milliseconds since 1970. */
export function endedAt({ phone, sipCallId }: Caller): number | null {
  const bye = requestsOf(phone.messages(), 'BYE').find((message) => callIdOf(message) === sipCallId);
  return bye?.atMs ?? null;
}
