import type { KamailioServer } from '@partyline/dev/kamailio/kamailio';
import { listDialogs, type Dialog } from '@partyline/provider-janus/dialogs';

/** One row of the guarantee as it was played. */
export interface Row {
  /** What failed. */
  readonly name: string;
  readonly boundS: number;
  /** The latest end of a call, by the phones' logs and kamailio; null if one was still up. */
  readonly measuredS: number | null;
  readonly ok: boolean;
}

const RPC_TIMEOUT_MS = 5_000;

/** The dialogs of kamailio, without those whose phones it asks to end: a phone that was killed does not answer. */
export const readDialogs = async ({ rpcUrl, rpcSecret }: KamailioServer): Promise<readonly Dialog[]> =>
  (await listDialogs({ url: rpcUrl, secret: rpcSecret }, RPC_TIMEOUT_MS)).dialogs.filter(({ isEnding }) => !isEnding);

/** Whether kamailio knows so many gateways, to which it can send calls. */
export async function hasGateways({ rpcUrl, rpcSecret }: KamailioServer, count: number): Promise<boolean> {
  const reply = await fetch(rpcUrl, {
    method: 'POST',
    headers: { authorization: `Bearer ${rpcSecret}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'htable.stats' }),
    signal: AbortSignal.timeout(RPC_TIMEOUT_MS),
  });
  const { result } = (await reply.json()) as { result: readonly { readonly name: string; readonly all: number }[] };
  return result.some(({ name, all }) => name === 'gateways' && all === count);
}

/** Judges a measured time by its bound. */
export const judge = (name: string, boundS: number, measuredS: number | null): Row => ({
  name,
  boundS,
  measuredS: measuredS === null ? null : Math.round(measuredS * 100) / 100,
  ok: measuredS !== null && measuredS <= boundS,
});
