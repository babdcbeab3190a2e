import { EventSourceParserStream } from 'eventsource-parser/stream';
import { toError, PartylineError } from './error.ts';
import type { PartylineEvent } from './event.ts';
import { MAX_RETRY_AFTER_MS, backoffMs, retryAfterMs, type RetryPolicy } from './retry.ts';

export interface StreamOptions {
  /**
   * Id of the last event that you processed. `start`: the oldest retained event. Default: new
   * events only.
   */
  readonly after?: string;
  /** Default: all types. */
  readonly types?: readonly PartylineEvent['type'][];
  /** Default: all rooms of the tenant. */
  readonly roomId?: string;
  /** Ends the stream. */
  readonly signal?: AbortSignal;
}

export interface StreamTransport extends Pick<RetryPolicy, 'fetch' | 'sleep' | 'random'> {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The server sends something every 15 s, so a connection that is silent for this long is dead. */
const MAX_SILENCE_MS = 45_000;

/**
 * Aborts its signal after MAX_SILENCE_MS without `restart`, at `stop`, or with the signal of the
 * calling function.
 */
function startSilenceTimer(signal: AbortSignal | undefined): {
  readonly signal: AbortSignal;
  readonly restart: () => void;
  readonly stop: () => void;
} {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(), MAX_SILENCE_MS);
  return {
    signal: signal === undefined ? controller.signal : AbortSignal.any([signal, controller.signal]),
    restart: () => void timer.refresh(),
    stop() {
      clearTimeout(timer);
      controller.abort();
    },
  };
}

/**
 * Implements `client.events.stream`: reconnects after the last event until the signal is aborted.
 */
export async function* streamEvents(
  { fetch, baseUrl, headers, sleep, random }: StreamTransport,
  { after, types = [], roomId, signal }: StreamOptions,
): AsyncGenerator<PartylineEvent, void> {
  const url = new URL(`${baseUrl}/v1/events`);
  if (types.length > 0) url.searchParams.set('types', types.join(','));
  if (roomId !== undefined) url.searchParams.set('roomId', roomId);
  const isAborted = (): boolean => signal?.aborted === true;
  let lastEventId = after;
  for (let failures = 0; !isAborted(); failures++) {
    let requestedMs = 0;
    const silence = startSilenceTimer(signal);
    try {
      const response = await fetch(url.href, {
        headers: {
          ...headers,
          accept: 'text/event-stream',
          ...(lastEventId !== undefined && { 'last-event-id': lastEventId }),
        },
        signal: silence.signal,
        redirect: 'error',
      });
      if (!response.ok || response.body === null) {
        const error = toError(response, await response.json().catch(() => undefined));
        if (response.status < 500 && response.status !== 429) throw error;
        requestedMs = Math.min(retryAfterMs(response) ?? 0, MAX_RETRY_AFTER_MS);
      } else {
        for await (const { id, data } of readMessages(
          response.body,
          silence.restart,
          (position) => (lastEventId ??= position),
        )) {
          failures = 0;
          lastEventId = id ?? lastEventId;
          yield JSON.parse(data) as PartylineEvent;
        }
      }
    } catch (error) {
      if (error instanceof PartylineError) throw error;
    } finally {
      silence.stop();
    }
    if (!isAborted()) await sleep(Math.max(backoffMs(failures, random), requestedMs), signal);
  }
}

/**
 * Parses a stream into its messages.
 * @param onBytes called for every chunk, including keep-alive comments
 * @param onId called for every id; the first states the stream's position before any event
 */
async function* readMessages(
  body: ReadableStream<Uint8Array>,
  onBytes: () => void,
  onId: (id: string) => void,
): AsyncGenerator<{ id?: string | undefined; data: string }> {
  const observed = new TransformStream<Uint8Array, Uint8Array>({
    transform(bytes, controller) {
      onBytes();
      controller.enqueue(bytes);
    },
  });
  const text = new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>;
  for await (const message of body
    .pipeThrough(observed)
    .pipeThrough(text)
    .pipeThrough(new EventSourceParserStream({ onId })))
    if (message.data !== '') yield message;
}
