import {
  BAD_REPLY,
  createProviderError,
  failureOfNetwork,
  field,
  failureOfStatus,
  RESET,
  toStatusError,
  UNREACHABLE,
  type RequestEffect,
} from '@partyline/provider-contract/http-failure';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { ZodType } from 'zod';

/**
 * Nothing listens at the address: the process of the server does not run. Any other failure of a
 * connection, e.g. of the network, says nothing about the server.
 */
export class ConnectionRefusedError extends ProviderError {
  constructor() {
    super(UNREACHABLE.failure, UNREACHABLE.reason, UNREACHABLE.message);
  }
}

/** One HTTP request with a JSON body and a JSON reply. */
export interface JsonRequest<Reply> {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON text; absent for a GET. */
  readonly body?: string;
  readonly effect: RequestEffect;
  readonly timeoutMs: number;
  /** Schema of the reply; absent: the reply has none. */
  readonly reply?: ZodType<Reply>;
}

/**
 * Sends a request and parses the reply.
 * @throws ProviderError only. Its cause is dropped, because it contains the whole request.
 */
export async function requestJson<Reply>(request: JsonRequest<Reply>): Promise<Reply> {
  try {
    // A redirect is not followed, because it would send the signature to another host.
    const response = await fetch(request.url, {
      method: request.method,
      headers: {
        accept: 'application/json',
        ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
        ...request.headers,
      },
      ...(request.body === undefined ? {} : { body: request.body }),
      redirect: 'manual',
      signal: AbortSignal.timeout(Math.ceil(request.timeoutMs)),
    });
    const text = await response.text();
    if (!response.ok) {
      const status = toStatusError(response);
      throw createProviderError(failureOfStatus(response.status, request.effect), status?.retryAfterMs);
    }
    if (request.reply === undefined) return undefined as Reply;
    const parsed = request.reply.safeParse(parseJson(text));
    if (!parsed.success) throw createProviderError(BAD_REPLY);
    return parsed.data;
  } catch (error) {
    if (error instanceof ProviderError) throw error;
    if (field(field(error, 'cause'), 'code') === 'ECONNREFUSED') throw new ConnectionRefusedError();
    throw createProviderError(failureOfNetwork(error) ?? RESET);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
