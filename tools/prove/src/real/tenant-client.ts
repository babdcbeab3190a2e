import { setTimeout as sleep } from 'node:timers/promises';
import type { AddedParticipant } from '@partyline/contracts/participants/participant';
import type { CreatedRoom, CreateRoom, EndedRoom, RoomDetails } from '@partyline/contracts/rooms/room';
import type { SessionEvents } from '@partyline/contracts/sessions/session';
import type { Token } from '@partyline/contracts/participants/token';

/** A tenant's own program: knows the API's address and a key, and asks again while the answer is not final. */
export interface Tenant {
  createRoom(room: Partial<CreateRoom>): Promise<CreatedRoom>;
  token(roomId: string, name: string): Promise<Token>;
  ring(roomId: string, phone: string): Promise<AddedParticipant>;
  /** One look: null when it could not be had just now. */
  look(roomId: string): Promise<RoomDetails | null>;
  room(roomId: string): Promise<RoomDetails>;
  /** `ended` also when it had been before: the answer to an earlier request may have been lost. */
  end(roomId: string): Promise<EndedRoom | 'ended before'>;
  events(sessionId: string): Promise<SessionEvents>;
}

/** The API said no, for good. */
class Refused extends Error {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.name = 'Refused';
    this.status = status;
  }
}

const ANSWER_WITHIN_MS = 8_000;
const AGAIN_MS = 500;

/** @param patienceMs how long it asks again: longer than any outage of the run */
export function openTenant(apiUrl: string, apiKey: string, patienceMs: number, stop: AbortSignal): Tenant {
  async function once<T>(method: string, path: string, body: unknown): Promise<T | 'again'> {
    const response = await fetch(`${apiUrl}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.any([stop, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
    });
    if (response.status >= 500 || response.status === 429) {
      await response.body?.cancel();
      return 'again';
    }
    const reply: unknown = await response.json();
    if (response.ok) return reply as T;
    throw new Refused(`${method} ${path} answered ${response.status} ${JSON.stringify(reply)}`, response.status);
  }
  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const giveUpAt = Date.now() + patienceMs;
    for (;;) {
      const reply = await once<T>(method, path, body).catch((error: unknown) => {
        if (error instanceof Refused || stop.aborted) throw error;
        return 'again' as const;
      });
      if (reply !== 'again') return reply;
      if (Date.now() > giveUpAt) throw new Error(`${method} ${path} had no final answer in ${patienceMs / 1000} s`);
      await sleep(AGAIN_MS, undefined, { signal: stop });
    }
  }
  return {
    createRoom: (wanted) => call('POST', '/rooms', wanted),
    token: (roomId, name) => call('POST', `/rooms/${roomId}/tokens`, { name }),
    ring: (roomId, phone) => call('POST', `/rooms/${roomId}/participants`, { phone }),
    look: (roomId) =>
      once<RoomDetails>('GET', `/rooms/${roomId}`, undefined).then(
        (reply) => (reply === 'again' ? null : reply),
        () => null,
      ),
    room: (roomId) => call('GET', `/rooms/${roomId}`),
    end: (roomId) =>
      call<EndedRoom>('POST', `/rooms/${roomId}/end`).catch((error: unknown) => {
        if (error instanceof Refused && error.status === 409) return 'ended before' as const;
        throw error;
      }),
    events: (sessionId) => call('GET', `/sessions/${sessionId}/events`),
  };
}
