import type { SipHandle } from '@partyline/janus/sip/sip-handle';
import type { AnswerWebhook, CreateCallRequest } from '@partyline/provider-janus/wire';
import type { Call, CallFacts } from './call.ts';
import type { CallDeps } from './call-deps.ts';
import { PhoneCall } from './phone-call.ts';
import { CALL_HEADER } from './receive-call.ts';

export interface PlaceDeps extends CallDeps {
  openCall(facts: Omit<CallFacts, 'callId'>, eventUrl: string): Call;
  openOutbound(): Promise<SipHandle>;
  requestAnswerAt(account: string, url: string, body: AnswerWebhook): Promise<unknown>;
}

/**
 * Places a call. Returns at once; the outcome arrives as events. The ringing timer and the length
 * timer run here; kamailio has the length timer too, for the case that this process dies.
 */
export function placeCall(deps: PlaceDeps, request: CreateCallRequest): Call {
  const { account, to, from } = request;
  const call = deps.openCall({ account, direction: 'outbound', to, from }, request.eventUrl);
  void dial(deps, call, request).catch((error: unknown) => {
    deps.onError(error, call.facts.callId);
    call.end({ cause: 'failed' });
  });
  return call;
}

async function dial(deps: PlaceDeps, call: Call, request: CreateCallRequest): Promise<void> {
  const { callId, account } = call.facts;
  const handle = await deps.openOutbound();
  const phone = new PhoneCall(deps, call, handle);
  call.controls = { ...IDLE_CONTROLS, hangUp: async () => phone.hangUp({ cause: 'cancelled' }) };
  phone.signal.addEventListener('abort', () => void handle.detach().catch(() => undefined), { once: true });
  if (call.isOver) return phone.end({ cause: 'cancelled' });
  const answered = Promise.withResolvers<void>();
  handle.onEvent((event) => {
    if (event.type === 'ringing' || event.type === 'progress') call.advance('ringing');
    // Early media (183) has the answer; `accepted` then has none.
    if ((event.type === 'progress' || event.type === 'accepted') && event.jsep !== undefined)
      phone.peer.acceptAnswer(event.jsep).then(
        (isSupported) => (isSupported ? undefined : phone.hangUp({ cause: 'failed', sipCode: 488 })),
        () => phone.hangUp({ cause: 'failed' }),
      );
    if (event.type === 'accepted') answered.resolve();
  });
  const { trunk } = request;
  const transport = trunk.transport === 'udp' ? '' : `;transport=${trunk.transport}`;
  await handle.call({
    uri: `sip:${request.to}@${trunk.host}${transport}`,
    offer: await phone.peer.offer(),
    headers: {
      [CALL_HEADER]: callId,
      'X-Partyline-Account': account,
      'X-Partyline-From': request.from,
      'X-Partyline-Max': String(request.lengthTimerS + request.ringingTimerS),
      ...trunkCredentials(trunk),
    },
  });
  const ringing = new AbortController();
  void deps.pause(request.ringingTimerS * 1_000, AbortSignal.any([ringing.signal, phone.signal])).then(() => {
    if (!ringing.signal.aborted) phone.hangUp({ cause: 'unanswered' });
  });
  await Promise.race([answered.promise, aborted(phone.signal)]);
  ringing.abort();
  if (phone.signal.aborted || !call.advance('answered')) return;
  void deps.pause(request.lengthTimerS * 1_000, phone.signal).then(() => phone.hangUp({ cause: 'max-duration' }));
  phone.startAudio();
  const reply = await deps
    .requestAnswerAt(account, request.answerUrl, { callId, from: request.from, to: request.to, headers: {} })
    .catch(() => undefined);
  await phone.follow(reply);
}

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

/** Before the answer there is nobody to hear anything. */
const IDLE_CONTROLS = {
  mute: async () => undefined,
  sendDigits: () => undefined,
  say: async () => undefined,
};
