import type { MediaEvent } from '@partyline/provider-contract/provider-event';
import { connectionWebhook } from '../wire.ts';

/** Parses a webhook about a browser. An unknown event gives `unknown`. */
export function parseConnectionEvent(body: unknown): MediaEvent {
  const parsed = connectionWebhook.safeParse(body);
  if (!parsed.success) return { kind: 'unknown', name: 'unnamed' };
  const { kind, conference, connectionId, data, reason, at, since } = parsed.data;
  const facts = { mediaSessionId: conference, connectionId, data, at: new Date(at), since: new Date(since) };
  return kind === 'connected' ? { kind, ...facts } : { kind, ...facts, reason };
}
