import { hash } from 'node:crypto';
import { ProviderError } from '@partyline/provider-contract/provider-error';
import { z } from 'zod';
import { callRpc, type KamailioRpc } from './kamailio-rpc.ts';

/** A tenant's trunk, as kamailio needs it. */
export interface EdgeTrunk {
  /** The provider account. */
  readonly id: string;
  /** Where it may place calls: a host with or without a port; null: nowhere. */
  readonly trunkHost: string | null;
  /** The IP addresses from which it is called; IPv6 in the form of RFC 5952. */
  readonly addresses: readonly string[];
  /** Its numbers, E.164 with plus. */
  readonly numbers: readonly string[];
}

/** The login of a tenant's SIP phone. */
export interface EdgePhone {
  /** Also the digest user. */
  readonly id: string;
  readonly tenantId: string;
  /** Changes with the password. */
  readonly version: number;
  /** Null: not known at the moment. Kamailio keeps what it has of the version. */
  readonly password: string | null;
}

/** A number that phones may dial. */
export interface EdgeNumber {
  /** E.164 with plus. */
  readonly number: string;
  /** Whose phones may dial it; null: those of every tenant. */
  readonly tenantId: string | null;
  /** The provider account of its calls; null: the platform's first. */
  readonly accountId: string | null;
}

/** What kamailio knows of tenants. */
export interface EdgeTenants {
  readonly trunks: readonly EdgeTrunk[];
  readonly phones: readonly EdgePhone[];
  readonly numbers: readonly EdgeNumber[];
}

/** The table of kamailio.cfg; its comment there explains the entries. */
const TABLE = 'accounts';
const SIP_PORT = 5060;
/** The realm of kamailio.cfg. */
const REALM = 'partyline';

const dump = z.object({
  result: z.array(
    z.object({ slot: z.array(z.object({ name: z.string(), value: z.union([z.string(), z.number()]) })) }),
  ),
});
const done = z.object({ result: z.unknown() });

const digitsOf = (number: string): string => number.replace('+', '');

/**
 * Returns the entries of kamailio's table.
 * @param present those that it has
 */
export function toEntries(
  { trunks, phones, numbers }: EdgeTenants,
  present: ReadonlyMap<string, string> = new Map(),
): Map<string, string> {
  const entries = new Map<string, string>();
  for (const { id, trunkHost, addresses, numbers: own } of trunks) {
    for (const number of own) entries.set(`number:${digitsOf(number)}`, `${id} ${addresses.join(',')}`);
    // An earlier kamailio.cfg counts requests by this value.
    for (const address of addresses) entries.set(`source:${address}`, address);
    if (trunkHost !== null)
      entries.set(`trunk:${id}`, trunkHost.includes(':') ? trunkHost : `${trunkHost}:${SIP_PORT}`);
  }
  for (const { id, tenantId, version, password } of phones) {
    const name = `phone:${id}`;
    const owner = `${tenantId} ${version}`;
    const before = present.get(name);
    if (password !== null) entries.set(name, `${hash('md5', `${id}:${REALM}:${password}`)} ${owner}`);
    else if (before?.endsWith(` ${owner}`) === true) entries.set(name, before);
  }
  const tenantsWithPhones = new Set(phones.map(({ tenantId }) => tenantId));
  for (const { number, tenantId, accountId } of numbers)
    if (tenantId === null ? phones.length > 0 : tenantsWithPhones.has(tenantId))
      entries.set(`dial:${tenantId ?? ''}:${digitsOf(number)}`, accountId ?? 'platform');
  return entries;
}

/** Reads the entries of the table: values by name. */
async function readTable(rpc: KamailioRpc, timeoutMs: number): Promise<ReadonlyMap<string, string>> {
  const { result } = await callRpc(rpc, timeoutMs, { method: 'htable.dump', params: [TABLE] }, dump);
  return new Map(result.flatMap(({ slot }) => slot.map(({ name, value }) => [name, String(value)] as const)));
}

/**
 * Makes kamailio's table of tenants equal to what `read` returns. It changes only what differs, so
 * that no call is rejected meanwhile. `read` is called when the table is known: what another process
 * has added before is in its result then, and is not removed. Nor is what another process has
 * changed since, such as the new password of a phone, which this one may not know.
 * @returns the number of changed entries
 * @throws ProviderError, and what `read` throws
 */
export async function writeEdgeTenants(
  rpc: KamailioRpc,
  timeoutMs: number,
  read: () => Promise<EdgeTenants>,
): Promise<number> {
  const present = await readTable(rpc, timeoutMs);
  const wanted = toEntries(await read(), present);
  const changed = [...wanted].filter(([name, value]) => present.get(name) !== value);
  for (const [name, value] of changed)
    await callRpc(rpc, timeoutMs, { method: 'htable.sets', params: [TABLE, name, value], effect: 'write' }, done);
  const unwanted = [...present].filter(([name]) => !wanted.has(name));
  if (unwanted.length === 0) return changed.length;
  const current = await readTable(rpc, timeoutMs);
  const removed = unwanted.filter(([name, value]) => current.get(name) === value);
  for (const [name] of removed)
    await callRpc(rpc, timeoutMs, { method: 'htable.delete', params: [TABLE, name], effect: 'write' }, done).catch(
      (error: unknown) => {
        // Another process has deleted it.
        if (!(error instanceof ProviderError) || error.failure !== 'not-found') throw error;
      },
    );
  return changed.length + removed.length;
}
