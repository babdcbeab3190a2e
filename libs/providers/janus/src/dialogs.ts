import { createProviderError, BAD_REPLY } from '@partyline/provider-contract/http-failure';
import { z } from 'zod';
import { requestJson } from './request-json.ts';

/** JSON-RPC of kamailio. */
export interface KamailioRpc {
  readonly url: string;
  readonly secret: string;
}

/** A SIP dialog as kamailio knows it. */
export interface Dialog {
  /** The two parts of kamailio's handle of the dialog. */
  readonly handle: readonly [number, number];
  /** The id of the call at its gateway, from `X-Partyline-Call`; absent before the gateway answered. */
  readonly callId: string | undefined;
  readonly account: string | undefined;
  readonly direction: 'inbound' | 'outbound';
  /** Whether the call was answered. */
  readonly isAnswered: boolean;
}

/** `variables` is a list of objects with one key each. */
const listed = z.object({
  h_entry: z.number(),
  h_id: z.number(),
  state: z.coerce.number(),
  variables: z.array(z.record(z.string(), z.string())).default([]),
});
const reply = z.object({ result: z.array(listed) });
const uptime = z.object({ result: z.object({ uptime: z.coerce.number() }) });

/** The states of a dialog: 1 unconfirmed, 2 early, 3 confirmed without ACK, 4 confirmed, 5 deleted. */
const ANSWERED_FROM = 3;
const DELETED = 5;

/**
 * Calls kamailio's RPC.
 * @throws ProviderError
 */
function callRpc<Reply>(
  rpc: KamailioRpc,
  timeoutMs: number,
  method: string,
  params: readonly number[],
  schema: z.ZodType<Reply> | undefined,
): Promise<Reply> {
  return requestJson({
    method: 'POST',
    url: rpc.url,
    headers: { authorization: `Bearer ${rpc.secret}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    effect: schema === undefined ? 'write' : 'read',
    timeoutMs,
    ...(schema === undefined ? {} : { reply: schema }),
  });
}

/**
 * Lists the dialogs that are not over, all of them.
 * @throws ProviderError `busy` or `unknown` when kamailio does not answer
 */
export async function listDialogs(rpc: KamailioRpc, timeoutMs: number): Promise<readonly Dialog[]> {
  const { result } = await callRpc(rpc, timeoutMs, 'dlg.list', [], reply);
  return result
    .filter(({ state }) => state < DELETED)
    .map(({ h_entry, h_id, state, variables }) => {
      const named = Object.assign({}, ...variables) as Readonly<Record<string, string | undefined>>;
      return {
        handle: [h_entry, h_id],
        callId: named['call'],
        account: named['account'],
        direction: named['direction'] === 'outbound' ? 'outbound' : 'inbound',
        isAnswered: state >= ANSWERED_FROM,
      };
    });
}

/** Ends a dialog: kamailio sends a BYE to both sides. */
export async function endDialog(
  rpc: KamailioRpc,
  timeoutMs: number,
  { handle }: Pick<Dialog, 'handle'>,
): Promise<void> {
  await callRpc(rpc, timeoutMs, 'dlg.end_dlg', handle, undefined);
}

/** Returns for how many seconds kamailio has run. Dialogs that are older may be missing from its list. */
export async function readUptimeSeconds(rpc: KamailioRpc, timeoutMs: number): Promise<number> {
  const { result } = await callRpc(rpc, timeoutMs, 'core.uptime', [], uptime);
  if (!Number.isFinite(result.uptime)) throw createProviderError(BAD_REPLY);
  return result.uptime;
}
