import type { AddedParticipant } from '@partyline/contracts/participants/participant';
import type { Token } from '@partyline/contracts/participants/token';
import type { CreatedRoom, CreateRoom, EndedRoom, RoomDetails } from '@partyline/contracts/rooms/room';
import type { Problem } from '@partyline/contracts/problem';

/** A room that is open from its creation, so the reply holds a session and a client token. */
export interface OpenRoom extends CreatedRoom {
  readonly session: NonNullable<CreatedRoom['session']>;
  readonly client: NonNullable<CreatedRoom['client']>;
}

/** The tenant in the demo, who uses only the REST API. */
export interface TenantClient {
  createRoom(room: Partial<CreateRoom>): Promise<OpenRoom>;
  room(roomId: string): Promise<RoomDetails>;
  dialOut(roomId: string, phone: string, name: string): Promise<AddedParticipant>;
  /** Returns the access of one more browser. */
  issueToken(roomId: string, name: string): Promise<Token>;
  endRoom(roomId: string): Promise<EndedRoom>;
  /** Polls a room until it is as wanted. Throws with its last state after `withinMs`. */
  waitUntil(
    what: string,
    roomId: string,
    isWanted: (room: RoomDetails) => boolean,
    withinMs?: number,
  ): Promise<RoomDetails>;
}

const POLL_INTERVAL_MS = 50;

export function createTenantClient(apiUrl: string, apiKey: string): TenantClient {
  async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
    const response = await fetch(`${apiUrl}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const reply: unknown = await response.json();
    if (response.ok) return reply as T;
    const problem = reply as Problem;
    throw new Error(`${method} ${path} failed with ${response.status}: ${problem.detail} ${problem.fix ?? ''}`);
  }
  const room = (roomId: string): Promise<RoomDetails> => call('GET', `/rooms/${roomId}`);
  return {
    createRoom: (body) => call('POST', '/rooms', body),
    room,
    dialOut: (roomId, phone, name) => call('POST', `/rooms/${roomId}/participants`, { phone, name }),
    issueToken: (roomId, name) => call('POST', `/rooms/${roomId}/tokens`, { name }),
    endRoom: (roomId) => call('POST', `/rooms/${roomId}/end`),
    async waitUntil(what, roomId, isWanted, withinMs = 15_000) {
      const deadline = Date.now() + withinMs;
      for (;;) {
        const now = await room(roomId);
        if (isWanted(now)) return now;
        if (Date.now() > deadline)
          throw new Error(
            `Timed out after ${withinMs / 1000} s waiting for: ${what}. ` +
              `The room is ${JSON.stringify({ session: now.session, legs: now.legs })}`,
          );
        await new Promise((resume) => setTimeout(resume, POLL_INTERVAL_MS));
      }
    },
  };
}
