import { backoff } from '@partyline/domain/backoff';
import { WebhookError } from './send-webhook.ts';

interface PendingEvent {
  readonly account: string;
  readonly url: string;
  readonly body: unknown;
}

export interface EventSenderDeps {
  /** Sends one webhook (`sendWebhook`). */
  readonly send: (account: string, url: string, body: unknown) => Promise<unknown>;
  readonly sleep: (ms: number) => Promise<void>;
  /** Reports an event that was given up. Lists and look-ups replace it. */
  readonly onGivenUp: (status: number | undefined) => void;
}

const RETRY = { firstMs: 250, maxMs: 30_000 };
/** About an hour of retries. */
const MAX_ATTEMPTS = 125;

/** Sends the events of calls and browsers, in order within a key, with retries. */
export interface EventSender {
  /** @param key the call or connection, whose events are sent in order */
  send(key: string, event: PendingEvent): void;
  /** Resolves when every event was accepted or given up. */
  drained(): Promise<void>;
}

export function createEventSender({ send, sleep, onGivenUp }: EventSenderDeps): EventSender {
  const queues = new Map<string, Promise<void>>();
  async function deliver({ account, url, body }: PendingEvent): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await send(account, url, body);
        return;
      } catch (error) {
        const status = error instanceof WebhookError ? error.status : undefined;
        // A rejected event stays rejected. 401 can be a clock or a secret in rotation, and 429 passes.
        const isFinal = status !== undefined && status >= 400 && status < 500 && ![401, 408, 429].includes(status);
        if (isFinal || attempt === MAX_ATTEMPTS) return onGivenUp(status);
        await sleep(backoff(attempt, RETRY));
      }
    }
  }
  return {
    send(key, event) {
      const queue = (queues.get(key) ?? Promise.resolve()).then(() => deliver(event));
      queues.set(key, queue);
      void queue.finally(() => {
        if (queues.get(key) === queue) queues.delete(key);
      });
    },
    async drained() {
      while (queues.size > 0) await Promise.all(queues.values());
    },
  };
}
