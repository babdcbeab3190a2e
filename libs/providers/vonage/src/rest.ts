import { callSdk } from './call-sdk.ts';
import { badReplyError, StatusError, toStatusError, type RequestKind } from './errors.ts';

interface RestRequest {
  readonly method: 'GET' | 'DELETE';
  readonly url: string;
  /** The same authorisation as the account's SDK makes. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/**
 * The two vendor routes that are not asked through an SDK:
 * - `GET …/session/S/connection`: no Node SDK wraps it (contract section 1).
 * - `DELETE …/session/S/connection/C` of the legacy API: opentok's `forceDisconnect` reads `response.status` of a null response after a
 *   network error, inside its own promise. It then never calls back and raises an unhandledRejection, which ends the process (contract
 *   section 0.1). That cannot be caught from outside without a process-wide handler, which would hide other bugs; and this is the request that
 *   stops the charges. So it goes out from here, with the SDK's own token.
 */
export function requestJson(request: RestRequest): Promise<unknown> {
  const kind: RequestKind = request.method === 'GET' ? 'read' : 'write';
  return callSdk({ timeoutMs: request.timeoutMs, request: kind }, async (signal) => {
    // a redirect is not followed: it would carry the token elsewhere
    const response = await fetch(request.url, {
      method: request.method,
      headers: { accept: 'application/json', ...request.headers },
      redirect: 'manual',
      signal,
    });
    const text = await response.text();
    if (!response.ok) throw toStatusError(response) ?? new StatusError(response.status, undefined);
    if (request.method === 'DELETE') return undefined;
    try {
      return JSON.parse(text) as unknown;
    } catch {
      throw badReplyError();
    }
  });
}
