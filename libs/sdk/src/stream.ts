import { EventSourceParserStream } from 'eventsource-parser/stream';
import { toError, PartylineError } from './error.ts';
import type { PartylineEvent } from './event.ts';
import { MAX_RETRY_AFTER_MS, backoffMs, retryAfterMs, type RetryPolicy } from './retry.ts';

export interface StreamOptions {
  /** The id of the last event that you have; `start`: begin with the oldest that is kept; left out: with what comes once the stream is open. */
  readonly after?: string;
  /** Only these; left out: all. */
  readonly types?: readonly PartylineEvent['type'][];
  /** Ends the stream. */
  readonly signal?: AbortSignal;
}

/** What a stream needs from the world. */
export interface StreamTransport extends Pick<RetryPolicy, 'fetch' | 'sleep' | 'random'> {
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** The server is heard from every 15 s; a stream that is silent for this long is dead, whatever the network says. */
const SILENCE_MS = 45_000;

/** Says when a connection has been silent for too long. */
function listenFor(signal: AbortSignal | undefined): {
  readonly signal: AbortSignal;
  readonly heard: () => void;
  readonly over: () => void;
} {
  const silent = new AbortController();
  const watch = setTimeout(() => silent.abort(), SILENCE_MS);
  return {
    signal: signal === undefined ? silent.signal : AbortSignal.any([signal, silent.signal]),
    heard: () => void watch.refresh(),
    over() {
      clearTimeout(watch);
      silent.abort();
    },
  };
}

/** What `client.events.stream` does. */
export async function* streamEvents(
  { fetch, baseUrl, headers, sleep, random }: StreamTransport,
  { after, types = [], signal }: StreamOptions,
): AsyncGenerator<PartylineEvent, void> {
  const url = `${baseUrl}/v1/events${types.length === 0 ? '' : `?types=${types.map(encodeURIComponent).join(',')}`}`;
  const isOver = (): boolean => signal?.aborted === true;
  let last = after;
  for (let failures = 0; !isOver(); failures++) {
    let asked = 0;
    const silence = listenFor(signal);
    try {
      const response = await fetch(url, {
        headers: { ...headers, accept: 'text/event-stream', ...(last !== undefined && { 'last-event-id': last }) },
        signal: silence.signal,
        redirect: 'error',
      });
      if (!response.ok || response.body === null) {
        const error = toError(response, await response.json().catch(() => undefined));
        if (response.status < 500 && response.status !== 429) throw error;
        asked = Math.min(retryAfterMs(response) ?? 0, MAX_RETRY_AFTER_MS);
      } else {
        for await (const { id, data } of messages(response.body, silence.heard, (place) => (last ??= place))) {
          failures = 0;
          last = id ?? last;
          yield JSON.parse(data) as PartylineEvent;
        }
      }
    } catch (error) {
      if (error instanceof PartylineError) throw error;
    } finally {
      silence.over();
    }
    if (!isOver()) await sleep(Math.max(backoffMs(failures, random), asked), signal);
  }
}

/**
 * The messages of a stream.
 * @param heard is told of every byte, those that keep it open included
 * @param begins is told each id as soon as it comes: the first says where the stream begins, before there is any event
 */
async function* messages(
  body: ReadableStream<Uint8Array>,
  heard: () => void,
  begins: (place: string) => void,
): AsyncGenerator<{ id?: string | undefined; data: string }> {
  const listening = new TransformStream<Uint8Array, Uint8Array>({
    transform(bytes, controller) {
      heard();
      controller.enqueue(bytes);
    },
  });
  const text = new TextDecoderStream() as unknown as TransformStream<Uint8Array, string>;
  for await (const message of body
    .pipeThrough(listening)
    .pipeThrough(text)
    .pipeThrough(new EventSourceParserStream({ onId: begins })))
    if (message.data !== '') yield message;
}
