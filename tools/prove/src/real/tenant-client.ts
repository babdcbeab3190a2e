import { setTimeout as sleep } from 'node:timers/promises';
import type { AddedParticipant } from '@partyline/contracts/participants/participant';
import type { Token } from '@partyline/contracts/participants/token';
import type { CreatedRoom, CreateRoom, EndedRoom, RoomDetails } from '@partyline/contracts/rooms/room';
import type { SessionEvents, SessionPage } from '@partyline/contracts/sessions/session';

/**
 * A tenant's program. It has the API's address and a key, and repeats each request until the answer
 * is final.
 */
export interface TenantClient {
  createRoom(room: Partial<CreateRoom>): Promise<CreatedRoom>;
  issueToken(roomId: string, name: string): Promise<Token>;
  dialOut(roomId: string, phone: string): Promise<AddedParticipant>;
  /** One attempt. Null if the API did not answer. */
  tryReadRoom(roomId: string): Promise<RoomDetails | null>;
  readRoom(roomId: string): Promise<RoomDetails>;
  endRoom(roomId: string): Promise<EndedRoom>;
  listSessions(roomId: string): Promise<SessionPage>;
  listEvents(sessionId: string): Promise<SessionEvents>;
}

/** A final error answer of the API. */
class RequestRejectedError extends Error {}

const REQUEST_TIMEOUT_MS = 8_000;
const RETRY_INTERVAL_MS = 500;

/** @param retryForMs how long each request is repeated; longer than any outage of the run */
export function openTenantClient(apiUrl: string, apiKey: string, retryForMs: number, stop: AbortSignal): TenantClient {
  async function requestOnce<T>(method: string, path: string, body: unknown): Promise<T | 'retry'> {
    const response = await fetch(`${apiUrl}/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${apiKey}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.any([stop, AbortSignal.timeout(REQUEST_TIMEOUT_MS)]),
    });
    if (response.status >= 500 || response.status === 429) {
      await response.body?.cancel();
      return 'retry';
    }
    const reply: unknown = await response.json();
    if (response.ok) return reply as T;
    throw new RequestRejectedError(`${method} ${path} answered ${response.status} ${JSON.stringify(reply)}`);
  }
  async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const retryUntil = Date.now() + retryForMs;
    for (;;) {
      const reply = await requestOnce<T>(method, path, body).catch((error: unknown) => {
        if (error instanceof RequestRejectedError || stop.aborted) throw error;
        return 'retry' as const;
      });
      if (reply !== 'retry') return reply;
      if (Date.now() > retryUntil) throw new Error(`${method} ${path} had no final answer in ${retryForMs / 1000} s`);
      await sleep(RETRY_INTERVAL_MS, undefined, { signal: stop });
    }
  }
  return {
    createRoom: (room) => request('POST', '/rooms', room),
    issueToken: (roomId, name) => request('POST', `/rooms/${roomId}/tokens`, { name }),
    dialOut: (roomId, phone) => request('POST', `/rooms/${roomId}/participants`, { phone }),
    tryReadRoom: (roomId) =>
      requestOnce<RoomDetails>('GET', `/rooms/${roomId}`, undefined).then(
        (reply) => (reply === 'retry' ? null : reply),
        () => null,
      ),
    readRoom: (roomId) => request('GET', `/rooms/${roomId}`),
    endRoom: (roomId) => request('POST', `/rooms/${roomId}/end`),
    listSessions: (roomId) => request('GET', `/sessions?roomId=${roomId}`),
    listEvents: (sessionId) => request('GET', `/sessions/${sessionId}/events`),
  };
}
