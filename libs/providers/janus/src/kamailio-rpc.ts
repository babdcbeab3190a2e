import { CREDENTIALS, UNREACHABLE, type RequestEffect } from '@partyline/provider-contract/http-failure';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import type { ZodType } from 'zod';
import { requestJson, type JsonRequest } from './request-json.ts';

/** JSON-RPC of kamailio. */
export interface KamailioRpc {
  readonly url: string;
  readonly secret: string;
}

interface RpcCall {
  readonly method: string;
  readonly params?: readonly string[];
  readonly effect?: RequestEffect;
}

/** What an operator does about a failed request, by its reason. */
const FIXES: Readonly<Record<string, string>> = {
  [CREDENTIALS.reason]:
    'kamailio rejected the secret of its RPC. Set KAMAILIO_RPC_SECRET to the same value at kamailio and here.',
  [UNREACHABLE.reason]: 'kamailio cannot be reached. Start kamailio, and check KAMAILIO_RPC_URL.',
};

/**
 * Calls kamailio's RPC.
 * @throws ProviderError
 */
export const callRpc = <Reply>(
  rpc: KamailioRpc,
  timeoutMs: number,
  { method, params = [], effect = 'read' }: RpcCall,
  schema: ZodType<Reply>,
): Promise<Reply> =>
  requestKamailio(rpc, {
    url: rpc.url,
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    effect,
    timeoutMs,
    reply: schema,
  });

/**
 * Sends a request to the socket of kamailio's RPC, with its secret.
 * @throws ProviderError that names the fix if kamailio cannot be reached or rejects the secret: `busy`,
 *   because the request is accepted once the settings are right
 */
export async function requestKamailio<Reply>(
  { secret }: Pick<KamailioRpc, 'secret'>,
  request: Omit<JsonRequest<Reply>, 'method'>,
): Promise<Reply> {
  try {
    return await requestJson({
      ...request,
      method: 'POST',
      headers: { ...request.headers, authorization: `Bearer ${secret}` },
    });
  } catch (error) {
    if (!(error instanceof ProviderError)) throw error;
    const { reason } = error.verdict;
    const fix = FIXES[reason];
    throw fix === undefined ? error : new ProviderError('busy', reason, fix);
  }
}
