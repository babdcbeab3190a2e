import type { LegRow } from '@partyline/store/legs/legs';

/** Whether nothing is known of a bridge dial: no reply, no event, no call. */
export const isUnanswered = (leg: Pick<LegRow, 'kind' | 'state' | 'media_connection_id' | 'voice_call_id'>): boolean =>
  leg.kind === 'bridge' && leg.state === 'dialling' && leg.media_connection_id === null && leg.voice_call_id === null;

interface ListedConnection {
  readonly connectionId: string;
  readonly data?: string;
}

/**
 * Finds the connection of a bridge leg in a list, when neither the reply to the dial nor an event
 * named it. Connection data with the leg's id identifies it. Without data, which Vonage's lists do
 * not have, it is the only unknown connection once the leg's call has arrived. Before that, or with
 * several unknown connections, one may be a browser whose callback was lost.
 * @param known the ids of the connections that legs of the session have
 */
export function findBridgeConnection<C extends ListedConnection>(
  leg: { readonly id: string; readonly voice_call_id: string | null },
  live: readonly C[],
  known: ReadonlySet<string | null>,
): C | undefined {
  const named = live.find(({ data }) => data?.includes(leg.id));
  if (named !== undefined) return named;
  const unknown = live.filter(({ connectionId, data }) => data === undefined && !known.has(connectionId));
  return leg.voice_call_id !== null && unknown.length === 1 ? unknown[0] : undefined;
}
