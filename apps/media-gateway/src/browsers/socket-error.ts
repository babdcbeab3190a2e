import type { SocketProblem } from '@partyline/contracts/gateway-socket/messages';
import { JanusError } from '@partyline/janus/janus-error';

/** A request of a browser that fails. The browser is told `reason` and the message. */
export class SocketError extends Error {
  readonly reason: string;

  /** @param reason in kebab case, for programs */
  constructor(reason: string, detail: string) {
    super(detail);
    this.name = 'SocketError';
    this.reason = reason;
  }
}

/** What a browser is told of an error. Nothing of Janus, nor of our own failures. */
export function describeProblem(error: unknown): SocketProblem {
  if (error instanceof SocketError) return { reason: error.reason, detail: error.message };
  if (error instanceof JanusError && error.kind === 'rejected')
    return { reason: 'media-rejected', detail: 'The media server rejected the request.' };
  return { reason: 'media-unavailable', detail: 'The media server is not available. Try again.' };
}
