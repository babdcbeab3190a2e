import type { PostEvent } from '@partyline/conference/deliver-events';

/**
 * Sends events over HTTP. A redirect is an answer like any other, and not followed: an event goes where its tenant said, and nowhere
 * else. Of the reply only the status is read.
 */
export const postEvent =
  ({ timeoutMs }: { timeoutMs: number }): PostEvent =>
  async ({ url, headers, body }) => {
    const reply = await fetch(url, { method: 'POST', headers: { ...headers, 'user-agent': 'partyline' }, body, redirect: 'manual', signal: AbortSignal.timeout(timeoutMs) });
    // A body that never ends must not hold the connection, and one that breaks off says nothing of the event.
    await reply.body?.cancel().catch(() => undefined);
    return reply.status;
  };
