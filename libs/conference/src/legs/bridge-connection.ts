import type { ListedConnection } from '@partyline/provider-contract/media-provider';
import type { LegRow } from '@partyline/store/legs/legs';

/** Whether nothing is known of a bridge dial: no reply, no event, no call. */
export const isUnanswered = (leg: Pick<LegRow, 'kind' | 'state' | 'media_connection_id' | 'voice_call_id'>): boolean =>
  leg.kind === 'bridge' && leg.state === 'dialling' && leg.media_connection_id === null && leg.voice_call_id === null;

/**
 * The call of a bridge leg is answered less than a second after its connection is created. This
 * allows for a slow answer webhook and for the difference between the clocks.
 */
const MAX_ANSWER_DELAY_MS = 5_000;

/**
 * Finds the connection of a bridge leg in a list, when neither the reply to the dial nor an event
 * named it. Connection data with the leg's id identifies it. Without data, which Vonage's lists do
 * not have, it is the only unknown connection once the leg's call has arrived, or of several the
 * one that was created closest to the answer. Before the call arrives, an unknown connection may
 * as well be a browser whose callback was lost.
 * @param known the ids of the connections that legs of the session have
 */
export function findBridgeConnection(
  leg: { readonly id: string; readonly voice_call_id: string | null; readonly answered_at: Date | null },
  live: readonly ListedConnection[],
  known: ReadonlySet<string | null>,
): ListedConnection | undefined {
  const named = live.find(({ data }) => data?.includes(leg.id));
  if (named !== undefined) return named;
  if (leg.voice_call_id === null) return undefined;
  const unknown = live.filter(({ connectionId, data }) => data === undefined && !known.has(connectionId));
  if (unknown.length === 1) return unknown[0];
  const delayOf = ({ createdAt }: ListedConnection): number =>
    createdAt === null || leg.answered_at === null
      ? Infinity
      : Math.abs(leg.answered_at.getTime() - createdAt.getTime());
  const [closest] = unknown.toSorted((a, b) => delayOf(a) - delayOf(b));
  return closest !== undefined && delayOf(closest) <= MAX_ANSWER_DELAY_MS ? closest : undefined;
}
