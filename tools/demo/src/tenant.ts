import type { AddedParticipant } from '@partyline/contracts/participants/participant';
import type { CreatedRoom, CreateRoom, EndedRoom, RoomDetails } from '@partyline/contracts/rooms/room';
import type { Problem } from '@partyline/contracts/problem';

/** A room that is open from the beginning, and so has a session and a token in the reply that made it. */
export interface OpenRoom extends CreatedRoom {
  readonly session: NonNullable<CreatedRoom['session']>;
  readonly client: NonNullable<CreatedRoom['client']>;
}

/** The tenant in the story: knows the API's address and a key, and nothing else of Partyline. */
export interface Tenant {
  createRoom(room: Partial<CreateRoom>): Promise<OpenRoom>;
  room(roomId: string): Promise<RoomDetails>;
  ring(roomId: string, phone: string, name: string): Promise<AddedParticipant>;
  endRoom(roomId: string): Promise<EndedRoom>;
  /** Until a room is as wanted; fails with what it was last, after `withinMs`. */
  until(what: string, roomId: string, wanted: (room: RoomDetails) => boolean, withinMs?: number): Promise<RoomDetails>;
}

const LOOK_EVERY_MS = 50;

export function tenant(apiUrl: string, apiKey: string): Tenant {
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
    throw new Error(`${method} ${path} answered ${response.status}: ${problem.detail} ${problem.fix ?? ''}`);
  }
  const room = (roomId: string): Promise<RoomDetails> => call('GET', `/rooms/${roomId}`);
  return {
    createRoom: (wanted) => call('POST', '/rooms', wanted),
    room,
    ring: (roomId, phone, name) => call('POST', `/rooms/${roomId}/participants`, { phone, name }),
    endRoom: (roomId) => call('POST', `/rooms/${roomId}/end`),
    async until(what, roomId, wanted, withinMs = 15_000) {
      const giveUpAt = Date.now() + withinMs;
      for (;;) {
        const now = await room(roomId);
        if (wanted(now)) return now;
        if (Date.now() > giveUpAt)
          throw new Error(
            `Waited ${withinMs / 1000} s and it did not come: ${what}. The room is ${JSON.stringify({ session: now.session, legs: now.legs })}`,
          );
        await new Promise((resume) => setTimeout(resume, LOOK_EVERY_MS));
      }
    },
  };
}
