import type { SipHeaders } from '@partyline/janus/sip/sip-event';
import type { SipHandle } from '@partyline/janus/sip/sip-handle';
import { planReply, type AnswerWebhook, type CallStepMessage } from '@partyline/provider-janus/wire';
import { toE164 } from '@partyline/domain/phone';
import type { IncomingCall } from '../sip/sip-lines.ts';
import { UNANSWERED_CONTROLS, type Call, type CallEnd, type CallFacts } from './call.ts';
import type { CallDeps } from './call-deps.ts';
import { PhoneCall } from './phone-call.ts';
import { TECHNICAL_DIFFICULTIES } from './run-plan.ts';

export interface ReceiveDeps extends CallDeps {
  /** Registers a new call, which reports its phases. */
  openCall(facts: Omit<CallFacts, 'callId'>): Call;
  /** Sends the answer webhook and returns its reply. @throws when it gets no usable answer */
  requestAnswer(account: string, body: AnswerWebhook): Promise<unknown>;
  /** Whether new calls are rejected, because the gateway stops or is full. */
  isClosed(): boolean;
}

/** The header in which kamailio learns our id of the call. */
export const CALL_HEADER = 'X-Partyline-Call';

/**
 * Answers one incoming call: asks voice-webhooks what to do, and only then accepts it. A caller who
 * hangs up meanwhile costs nothing.
 */
export async function receiveCall(deps: ReceiveDeps, handle: SipHandle, invite: IncomingCall): Promise<void> {
  const settled = deps.pause(SETTLE_MS, NEVER);
  const account = readAccount(invite);
  if (account === undefined || deps.isClosed()) {
    await settled;
    // Kamailio tries the next gateway after a 503.
    return handle.decline({ code: account === undefined ? 403 : 503 });
  }
  const to = toE164(readHeader(invite, 'X-Partyline-Number') ?? userOf(invite.callee));
  const from = readCaller(invite);
  const call = deps.openCall({ account, direction: 'inbound', to, from });
  const { callId } = call.facts;
  const phone = new PhoneCall(deps, call);
  phone.followLine(handle, invite.callId);
  const decline = async (end: CallEnd, code: number, headers?: SipHeaders): Promise<void> => {
    call.requestEnd(end);
    await settled;
    await handle.decline({ code, ...(headers && { headers }) });
    phone.end(end);
  };
  // Without our header, kamailio offers the call to another gateway after a 4xx or 5xx.
  call.controls = { ...UNANSWERED_CONTROLS, hangUp: () => decline({ cause: 'hung-up' }, 603) };
  let isAccepted = false;
  try {
    const description = invite.jsep === undefined ? await phone.peer.offer() : await phone.peer.answer(invite.jsep);
    if (description === undefined) return await decline({ cause: 'failed', sipCode: 488 }, 488);
    if (phone.signal.aborted) return;
    call.advance('ringing');
    const reply = await deps
      .requestAnswer(account, { callId, from, to, headers: {} })
      .catch((): unknown => ({ steps: [TECHNICAL_DIFFICULTIES] }));
    await settled;
    if (phone.signal.aborted) return;
    const rejection = readRejection(reply);
    // With the header, kamailio offers the call to no other gateway.
    if (rejection !== undefined) return await decline(rejection, rejection.sipCode, { [CALL_HEADER]: callId });
    const answered = invite.jsep === undefined ? handle.waitFor(['accepted'], ANSWER_TIMEOUT_MS) : undefined;
    answered?.catch(() => undefined);
    phone.useLine(handle);
    call.controls = { ...UNANSWERED_CONTROLS, hangUp: async () => phone.hangUp({ cause: 'hung-up' }) };
    await handle.accept({ jsep: description, headers: { [CALL_HEADER]: callId }, autoAcceptReinvites: false });
    isAccepted = true;
    if (answered !== undefined) {
      const { jsep } = await answered;
      if (jsep === undefined || !(await phone.peer.acceptAnswer(jsep)))
        return phone.hangUp({ cause: 'failed', sipCode: 488 });
    }
    if (!call.advance('answered')) return;
    await phone.startAudio();
    await phone.follow(reply);
  } catch (error) {
    // The caller may have hung up meanwhile.
    if (phone.signal.aborted) return;
    deps.onError(error, callId);
    if (isAccepted) phone.hangUp({ cause: 'failed' });
    else await decline({ cause: 'failed', sipCode: 500 }, 500);
  }
}

/** Janus 1.1.2 reports a call just before it can answer it; an earlier answer is lost. */
const SETTLE_MS = 20;
const NEVER = new AbortController().signal;

/** A phone that offered nothing answers our offer within the transaction of its INVITE. */
const ANSWER_TIMEOUT_MS = 32_000;

type Rejection = Required<CallEnd>;
type RejectReason = Extract<CallStepMessage, { do: 'reject' }>['reason'];

/** RFC 3261, sections 21.4.5, 21.4.18 and 21.4.24. */
const REJECTIONS: Readonly<Record<RejectReason, Rejection>> = {
  'unknown-number': { cause: 'unroutable', sipCode: 404 },
  unavailable: { cause: 'unanswered', sipCode: 480 },
  busy: { cause: 'busy', sipCode: 486 },
};

/** Returns how a plan ends a call that is not answered; undefined for a plan that answers it. */
function readRejection(reply: unknown): Rejection | undefined {
  const { data: plan } = planReply.safeParse(reply);
  if (plan === undefined) return undefined;
  const [first] = plan.steps;
  if (first === undefined) return { cause: 'hung-up', sipCode: 603 };
  return first.do === 'reject' ? REJECTIONS[first.reason] : undefined;
}

function readHeader({ headers }: IncomingCall, name: string): string | undefined {
  const lower = name.toLowerCase();
  return Object.entries(headers).find(([key]) => key.toLowerCase() === lower)?.[1];
}

/** Kamailio names the account of the trunk, and strips the header from what trunks send. */
const readAccount = (invite: IncomingCall): string | undefined => {
  const account = readHeader(invite, 'X-Partyline-Account');
  return account === undefined || account === '' ? undefined : account;
};

/** The user part of a SIP URI, also in angle brackets: `sip:+12025550100@host` and `tel:+12025550100`. */
const userOf = (uri: string | undefined): string | undefined => /(?:sips?|tel):([^@;>]+)/i.exec(uri ?? '')?.[1];

/** The caller's number: asserted by the network, or else from the From header; null when it is withheld. */
function readCaller(invite: IncomingCall): string | null {
  const privacy = readHeader(invite, 'X-Privacy');
  if (privacy !== undefined && /\b(id|user|header)\b/i.test(privacy)) return null;
  const asserted = readHeader(invite, 'P-Asserted-Identity');
  return toE164(userOf(asserted)) ?? toE164(userOf(invite.caller));
}
