import { partId } from '@partyline/provider-janus/wire';
import { z } from 'zod';

/**
 * The messages between gateways. A gateway asks the others where a conference is, by a signed
 * request, and takes a place for its call there on a WebSocket with a signed upgrade. The place
 * lasts as long as the WebSocket.
 */

/** The reply to `GET /v1/conferences/{id}/home`. */
export const homeState = z.object({
  /** Whether the gateway has this conference. */
  isHere: z.boolean(),
  /** Whether it takes new conferences. */
  isReady: z.boolean(),
});
export type HomeState = z.output<typeof homeState>;

const rtpAddress = z.strictObject({ ip: z.union([z.ipv4(), z.ipv6()]), port: z.int().min(1).max(65_535) });
const id = z.int().min(0);

/** A request of the call's gateway on `/v1/conferences/{id}/members`. The first one is `enter`. */
export const memberRequest = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('enter'), id, callId: partId, starts: z.boolean() }),
  /** Reply: `rtp`. */
  z.strictObject({ do: z.literal('connect'), id, rtp: rtpAddress, isMuted: z.boolean() }),
  z.strictObject({ do: z.literal('mute'), id, isMuted: z.boolean() }),
  /** The gateway of the conference closes the WebSocket. */
  z.strictObject({ do: z.literal('leave'), id, ends: z.boolean() }),
]);
export type MemberRequest = z.output<typeof memberRequest>;

/** A message of the conference's gateway: the reply to a request, or what `PlaceEvents` tells. */
export const memberMessage = z.union([
  z.object({ re: id, rtp: rtpAddress.optional(), problem: z.string().optional() }),
  z.object({ event: z.enum(['started', 'ended', 'removed']) }),
]);
export type MemberMessage = z.output<typeof memberMessage>;

export const membersPath = (conference: string): string => `/v1/conferences/${conference}/members`;
export const homePath = (conference: string): string => `/v1/conferences/${conference}/home`;
