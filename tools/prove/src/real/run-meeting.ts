import { setTimeout as sleep } from 'node:timers/promises';
import type { CreatedRoom } from '@partyline/contracts/rooms/room';
import type { EmulatorClient } from '@partyline/vonage-emulator/control-client';
import { DEADLINE_MS, type MeetingPlan } from './plan.ts';
import type { RequestedClocks } from '../session-end.ts';
import type { TenantClient } from './tenant-client.ts';

/**
 * What is known about a meeting from outside: API replies, and ids and numbers that its
 * participants used.
 */
export interface MeetingRecord {
  readonly plan: MeetingPlan;
  readonly tenant: TenantClient;
  readonly created: CreatedRoom;
  /** Session ids by the provider's video session id, from API replies. */
  /** When the tenant first requested the room. */
  readonly requestedAt: number;
  /** As the tenant requested them. */
  readonly clocks: RequestedClocks;
  readonly sessionByMedia: Map<string, string>;
  readonly sessions: Set<string>;
  /** The provider's ids of the calls that its callers placed. */
  readonly callIds: Set<string>;
  /** Numbers that the tenant dials out to. No other meeting uses them. */
  readonly phones: Set<string>;
  /** When the tenant first requested the end of the room. */
  endRequestedAt?: number;
  /** When the API accepted that request. */
  endAcceptedAt?: number;
  /** The actions of its participants and its tenant, for a history. */
  readonly log: { readonly at: number; readonly action: string }[];
}

interface MeetingContext {
  readonly emulator: EmulatorClient;
  readonly number: string;
  readonly stop: AbortSignal;
  /** Called when the room exists, before its first participant joins. */
  readonly onCreated: (meeting: MeetingRecord) => void;
}

const MAX_CALL_ATTEMPTS = 3;
const PROMPT_TIMEOUT_MS = 12_000;
const POLL_INTERVAL_MS = 1_000;
/**
 * After this time the run ends the room. Without a webhook a session's clock starts only at the
 * next inventory, which may be later.
 */
const END_TIMEOUT_MS = 25_000;

/**
 * Creates a room, lets its participants join, stay and leave, and waits for the end of the session.
 * Uses only the API and the emulated provider. Failed calls are repeated a few times.
 * @param index the number of the meeting, from which its phone numbers derive
 */
export async function runMeeting(
  { emulator, number, stop, onCreated }: MeetingContext,
  plan: MeetingPlan,
  index: number,
  tenant: TenantClient,
): Promise<void> {
  const clocks: RequestedClocks = {
    max_duration_s: plan.ending === 'deadline' ? DEADLINE_MS / 1000 : 300,
    never_used_s: 3_600,
    browsers_left_s: plan.ending === 'browsers-left' ? 2 : null,
    phones_left_s: null,
    alone_s: plan.ending === 'alone' ? 2 : null,
    empty_s: 1,
  };
  const requestedAt = Date.now();
  const created = await tenant.createRoom({
    name: plan.name,
    number,
    bridge: plan.bridge,
    maxDurationSeconds: clocks.max_duration_s,
    neverUsedSeconds: clocks.never_used_s,
    browsersLeftSeconds: clocks.browsers_left_s,
    phonesLeftSeconds: clocks.phones_left_s,
    aloneSeconds: clocks.alone_s,
    emptySeconds: clocks.empty_s,
  });
  const { client: firstClient, session: firstSession } = created;
  if (firstClient === null || firstSession === null)
    throw new Error('the API created an open room without a session or a token');
  const meeting: MeetingRecord = {
    plan,
    tenant,
    created,
    requestedAt,
    clocks,
    sessionByMedia: new Map([[firstClient.mediaSessionId, firstSession.id]]),
    sessions: new Set([firstSession.id]),
    callIds: new Set(),
    phones: new Set(),
    log: [],
  };
  onCreated(meeting);
  const record = (action: string): void => void meeting.log.push({ at: Date.now(), action });
  record(`${plan.name} is ${created.room.id}, session ${firstSession.id}, planned ending: ${plan.ending}`);

  const issueToken = async (participant: number) => {
    const token = await tenant.issueToken(created.room.id, `Browser ${participant + 1}`);
    meeting.sessions.add(token.sessionId);
    meeting.sessionByMedia.set(token.client.mediaSessionId, token.sessionId);
    return token;
  };
  const joinBrowser = async (participant: number): Promise<string | null> => {
    const client = participant === 0 ? firstClient : (await issueToken(participant)).client;
    return emulator.joinWebrtc({ sessionId: client.mediaSessionId, token: client.token }).then(
      ({ connectionId }) => {
        record(`browser ${participant + 1} joins as ${connectionId}`);
        return connectionId;
      },
      () => null,
    );
  };
  const dialIn = async (participant: number, keysPin: boolean): Promise<string | null> => {
    for (let attempt = 1; attempt <= MAX_CALL_ATTEMPTS; attempt++) {
      const from = `+4420${String(70_000_000 + index * 100 + participant * 10 + attempt)}`;
      const { id, callId } = await emulator.dial({ from, to: number });
      meeting.callIds.add(callId);
      record(`caller ${participant + 1} calls as ${callId}`);
      if (!keysPin) return id;
      try {
        await emulator.awaitPrompt(id, { timeoutMs: PROMPT_TIMEOUT_MS });
        await emulator.key(id, `${created.pin}#`);
        await emulator.awaitJoined(id, { timeoutMs: PROMPT_TIMEOUT_MS });
        return id;
      } catch {
        record(`caller ${participant + 1} is not admitted`);
        await emulator.hangUp(id).catch(() => undefined);
      }
    }
    return null;
  };
  const dialOut = async (participant: number): Promise<void> => {
    const phone = `+4930${String(2_000_000 + index * 10 + participant)}`;
    await emulator.setPhone(phone, { mode: 'answer', afterMs: 300 });
    meeting.phones.add(phone);
    record(`the tenant dials out to ${phone}`);
    meeting.sessions.add((await tenant.dialOut(created.room.id, phone)).sessionId);
  };

  const joinAll = async <T>(count: number, join: (participant: number) => Promise<T | null>): Promise<T[]> =>
    (await Promise.allSettled(Array.from({ length: count }, (_, participant) => join(participant)))).flatMap((each) =>
      each.status === 'fulfilled' && each.value !== null ? [each.value] : [],
    );
  const [browsers, callers] = await Promise.all([
    joinAll(plan.browsers, joinBrowser),
    joinAll(plan.callers, (participant) => dialIn(participant, true)),
    joinAll(plan.dialOuts, dialOut),
    plan.hasSilentCaller ? dialIn(9, false) : null,
  ]);
  await sleep(plan.stayMs / 2, undefined, { signal: stop });
  const hangUp = async (caller: string | undefined): Promise<void> => {
    if (caller === undefined) return;
    record(`${caller} hangs up`);
    await emulator.hangUp(caller).catch(() => undefined);
  };
  const leave = async (connectionId: string): Promise<void> => {
    record(`browser ${connectionId} leaves`);
    await emulator.leaveWebrtc(connectionId).catch(() => undefined);
  };
  if (plan.callerLeavesEarly) await hangUp(callers.pop());
  await sleep(plan.stayMs / 2, undefined, { signal: stop });

  switch (plan.ending) {
    case 'tenant':
      await endRoom(meeting);
      return;
    case 'deadline':
      break;
    case 'browsers-left':
      await Promise.all(browsers.map(leave));
      break;
    case 'empty':
      await Promise.all([...browsers.map(leave), ...callers.map(hangUp)]);
      break;
    case 'alone': {
      const leaving = [...browsers, ...callers].slice(1);
      await Promise.all(leaving.map((id) => (browsers.includes(id) ? leave(id) : hangUp(id))));
      break;
    }
    default:
      throw new Error(`unknown ending ${String(plan.ending satisfies never)}`);
  }
  const waitUntil = Math.max(
    Date.now() + END_TIMEOUT_MS,
    plan.ending === 'deadline' ? Date.parse(firstSession.dueAt) + END_TIMEOUT_MS : 0,
  );
  while (Date.now() < waitUntil && !stop.aborted) {
    const session = (await tenant.tryReadRoom(created.room.id))?.session ?? null;
    if (session !== null) meeting.sessions.add(session.id);
    if (session?.state === 'ended') return;
    await sleep(POLL_INTERVAL_MS, undefined, { signal: stop });
  }
}

/** Ends the room by the API and records when the API accepted it. */
export async function endRoom(meeting: MeetingRecord): Promise<void> {
  meeting.endRequestedAt ??= Date.now();
  meeting.log.push({ at: Date.now(), action: 'the tenant requests the end of the room' });
  const reply = await meeting.tenant.endRoom(meeting.created.room.id);
  meeting.endAcceptedAt = Date.now();
  if (reply.sessionId !== null) meeting.sessions.add(reply.sessionId);
  meeting.log.push({ at: meeting.endAcceptedAt, action: `the API accepts the end of the room: ${reply.state}` });
}
