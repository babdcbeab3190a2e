import type { RequestEffect } from '@partyline/provider-contract/http-failure';
import type { ZodType } from 'zod';
import { requestJson } from './request-json.ts';

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
  requestJson({
    method: 'POST',
    url: rpc.url,
    headers: { authorization: `Bearer ${rpc.secret}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    effect,
    timeoutMs,
    reply: schema,
  });
