import { JanusError } from '@partyline/janus/janus-error';
import type { SipEvent } from '@partyline/janus/sip/sip-event';
import type { SipHandle } from '@partyline/janus/sip/sip-handle';
import type { CoreEvent, Jsep } from '@partyline/janus/transport/core-event';
import type { AnswerWebhook, CreateCallRequest } from '@partyline/provider-janus/wire';
import { UNANSWERED_CONTROLS, type Call, type CallFacts } from './call.ts';
import type { CallDeps } from './call-deps.ts';
import { isOfCall, PhoneCall } from './phone-call.ts';
import { CALL_HEADER } from './receive-call.ts';

export interface PlaceDeps extends CallDeps {
  openCall(facts: Omit<CallFacts, 'callId'>, eventUrl: string): Call;
  openOutbound(): Promise<SipHandle>;
  requestAnswerAt(account: string, url: string, body: AnswerWebhook): Promise<unknown>;
}

/** An incoming call can take the new line before ours does. */
const MAX_LINES = 3;

/**
 * Places a call. Returns at once; the outcome arrives as events. The ringing timer and the length
 * timer run here; kamailio has the length timer too, for the case that this process dies.
 */
export function placeCall(deps: PlaceDeps, request: CreateCallRequest): Call {
  const { account, to, from } = request;
  const call = deps.openCall({ account, direction: 'outbound', to, from }, request.eventUrl);
  const phone = new PhoneCall(deps, call);
  call.controls = { ...UNANSWERED_CONTROLS, hangUp: async () => phone.hangUp({ cause: 'cancelled' }) };
  void dial(deps, phone, request).catch((error: unknown) => {
    deps.onError(error, call.facts.callId);
    phone.hangUp({ cause: 'failed' });
  });
  return call;
}

async function dial(deps: PlaceDeps, phone: PhoneCall, request: CreateCallRequest): Promise<void> {
  const { call } = phone;
  const { callId, account } = call.facts;
  const answered = Promise.withResolvers<void>();
  const offer = await phone.peer.offer();
  await takeLine(deps, phone, request, offer, (event) => {
    if (event.type === 'ringing' || event.type === 'progress') call.advance('ringing');
    // Early media (183) has the answer; `accepted` then has none.
    if ((event.type === 'progress' || event.type === 'accepted') && event.jsep !== undefined)
      phone.peer.acceptAnswer(event.jsep).then(
        (isSupported) => (isSupported ? undefined : phone.hangUp({ cause: 'failed', sipCode: 488 })),
        (error: unknown) => {
          deps.onError(error, callId);
          phone.hangUp({ cause: 'failed' });
        },
      );
    // At once: the phone may hang up in the next event.
    if (event.type === 'accepted' && call.advance('answered')) answered.resolve();
  });
  if (phone.signal.aborted) return;
  const ringing = new AbortController();
  void deps.pause(request.ringingTimerS * 1_000, AbortSignal.any([ringing.signal, phone.signal])).then(() => {
    if (!ringing.signal.aborted) phone.hangUp({ cause: 'unanswered' });
  });
  await Promise.race([answered.promise, aborted(phone.signal)]);
  ringing.abort();
  if (phone.signal.aborted) return;
  // Kamailio has this deadline since the INVITE.
  phone.endAfter(request.lengthTimerS);
  const [reply] = await Promise.all([
    deps
      .requestAnswerAt(account, request.answerUrl, { callId, from: request.from, to: request.to, headers: {} })
      .catch(() => undefined),
    phone.startAudio(),
  ]);
  await phone.follow(reply);
}

/** Attaches a line and sends the INVITE. Does nothing more once the call is over. */
async function takeLine(
  deps: PlaceDeps,
  phone: PhoneCall,
  { trunk, to, from, account, ringingTimerS, lengthTimerS }: CreateCallRequest,
  offer: Jsep,
  onEvent: (event: CoreEvent | SipEvent) => void,
): Promise<void> {
  const { callId } = phone.call.facts;
  for (let attempt = 1; !phone.signal.aborted; attempt += 1) {
    const handle = await deps.openOutbound();
    const detach = (): void => void handle.detach().catch(() => undefined);
    if (phone.signal.aborted) return detach();
    /** From now on, the line has the call until it is over. */
    const keep = (): void => {
      if (phone.signal.aborted) return detach();
      phone.signal.addEventListener('abort', detach, { once: true });
      phone.useLine(handle);
    };
    let isTaken = false;
    const stopEvents = handle.onEvent((event) => {
      if (event.type === 'incoming-call') isTaken = true;
      else if (isOfCall(event, callId)) onEvent(event);
    });
    const stopFollowing = phone.followLine(handle, callId);
    try {
      await handle.call({
        uri: `sip:${to}@${trunk.host}`,
        // One id for the call everywhere.
        callId,
        offer,
        ...(trunk.transport === 'tls' && { srtp: 'sdes_mandatory' }),
        headers: {
          [CALL_HEADER]: callId,
          'X-Partyline-Account': account,
          'X-Partyline-From': from,
          'X-Partyline-Transport': trunk.transport,
          'X-Partyline-Max': String(lengthTimerS + ringingTimerS),
          ...trunkCredentials(trunk),
        },
        autoAcceptReinvites: false,
      });
      return keep();
    } catch (error) {
      if (!isNotPlaced(error)) {
        keep();
        throw error;
      }
      stopEvents();
      stopFollowing();
      // The incoming call keeps a line that it has taken.
      if (!isTaken) detach();
      if (!isTaken || attempt === MAX_LINES) throw error;
    }
  }
}

/** Whether a call has certainly not been placed. After any other error, the phone may ring. */
const isNotPlaced = (error: unknown): boolean =>
  error instanceof JanusError && (error.kind === 'rejected' || error.kind === 'invalid');

/** For kamailio, which answers the challenge of the trunk. Janus has one set of credentials for a call: kamailio's. */
const trunkCredentials = ({ username, password }: CreateCallRequest['trunk']): Record<string, string> =>
  username === undefined || password === undefined
    ? {}
    : {
        'X-Partyline-Trunk-User': Buffer.from(username).toString('base64'),
        'X-Partyline-Trunk-Password': Buffer.from(password).toString('base64'),
      };

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
