import { ProviderError } from '@partyline/provider-contract/provider-error';
import { z } from 'zod';
import { callRpc, type KamailioRpc } from './kamailio-rpc.ts';

/** A tenant's SIP account, as kamailio needs it. */
export interface EdgeAccount {
  readonly id: string;
  /** Where it may place calls: a host with or without a port; null: nowhere. */
  readonly trunkHost: string | null;
  /** The IP addresses from which it is called; in the form of RFC 5952. */
  readonly addresses: readonly string[];
  /** Its numbers, E.164 with plus. */
  readonly numbers: readonly string[];
}

/** The table of kamailio.cfg; its comment there explains the entries. */
const TABLE = 'accounts';
const SIP_PORT = 5060;

const dump = z.object({
  result: z.array(
    z.object({ slot: z.array(z.object({ name: z.string(), value: z.union([z.string(), z.number()]) })) }),
  ),
});
const done = z.object({ result: z.unknown() });

/** Returns the entries of kamailio's table for the accounts. */
export function toEntries(accounts: readonly EdgeAccount[]): Map<string, string> {
  const entries = new Map<string, string>();
  for (const { id, trunkHost, addresses, numbers } of accounts) {
    for (const number of numbers) entries.set(`number:${number.replace('+', '')}`, `${id} ${addresses.join(',')}`);
    for (const address of addresses) entries.set(`source:${address}`, 'yes');
    if (trunkHost !== null)
      entries.set(`trunk:${id}`, trunkHost.includes(':') ? trunkHost : `${trunkHost}:${SIP_PORT}`);
  }
  return entries;
}

/**
 * Makes kamailio's table of SIP accounts equal to `accounts`. It changes only what differs, so that
 * no call is rejected meanwhile and several processes can do it at once.
 * @returns the number of changed entries
 * @throws ProviderError
 */
export async function writeEdgeAccounts(
  rpc: KamailioRpc,
  timeoutMs: number,
  accounts: readonly EdgeAccount[],
): Promise<number> {
  const wanted = toEntries(accounts);
  const { result } = await callRpc(rpc, timeoutMs, { method: 'htable.dump', params: [TABLE] }, dump);
  const present = new Map(result.flatMap(({ slot }) => slot.map(({ name, value }) => [name, String(value)] as const)));
  const changed = [...wanted].filter(([name, value]) => present.get(name) !== value);
  for (const [name, value] of changed)
    await callRpc(rpc, timeoutMs, { method: 'htable.sets', params: [TABLE, name, value], effect: 'write' }, done);
  const removed = [...present.keys()].filter((name) => !wanted.has(name));
  for (const name of removed)
    await callRpc(rpc, timeoutMs, { method: 'htable.delete', params: [TABLE, name], effect: 'write' }, done).catch(
      (error: unknown) => {
        // Another process has deleted it.
        if (!(error instanceof ProviderError) || error.failure !== 'not-found') throw error;
      },
    );
  return changed.length + removed.length;
}
