import { callSdk } from './call-sdk.ts';
import { badReplyError, StatusError, toStatusError } from '@partyline/provider-contract/http-failure';
import { type RequestKind } from './errors.ts';

interface RestRequest {
  readonly method: 'GET' | 'DELETE';
  readonly url: string;
  /** The same authorization headers as the SDK of the account creates. */
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
}

/**
 * Sends a request to one of the two routes that are not called through an SDK:
 * - `GET .../session/S/connection`: no Node SDK has it (contract section 1).
 * - `DELETE .../session/S/connection/C` of the legacy API: after a network error, opentok's
 *   `forceDisconnect` reads `response.status` of null inside its own promise. It never calls back
 *   and raises an unhandledRejection, which ends the process (contract section 0.1). Only a
 *   process-wide handler could catch that, and it would hide other bugs. This request stops the
 *   charges, so it is sent from here, with the SDK's token.
 */
export function requestJson(request: RestRequest): Promise<unknown> {
  const kind: RequestKind = request.method === 'GET' ? 'read' : 'write';
  return callSdk({ timeoutMs: request.timeoutMs, request: kind }, async (signal) => {
    // A redirect is not followed, because it would send the token to another host.
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
