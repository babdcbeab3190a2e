import { hashSecret } from './api-keys.ts';
import { setEventsUrl } from './outbox.ts';
import type { Store } from './store.ts';

export interface Seed {
  readonly tenantId: string;
  readonly tenantName: string;
  /** The whole key, `pl_<env>_<id>_<secret>`; the secret is 32 random bytes in base64url. */
  readonly apiKey: string;
  /** Where its events are sent; left out: as it was, for a new tenant nowhere. */
  readonly eventsUrl?: string;
  readonly numbers: readonly { readonly e164: string; readonly language: string }[];
}

/** One tenant, one API key, and the shared numbers. Running it again changes nothing. */
export async function seed(store: Store, { tenantId, tenantName, apiKey, eventsUrl, numbers }: Seed): Promise<void> {
  const parts = /^pl_[a-z]+_([A-Za-z0-9]+)_([A-Za-z0-9_-]{43})$/.exec(apiKey);
  if (parts === null) throw new Error('The API key must look like pl_<env>_<id>_<secret>, the secret being 32 random bytes in base64url.');
  const [, keyId, secret] = parts as unknown as [string, string, string];
  await store.prisma.tenant.upsert({ where: { id: tenantId }, create: { id: tenantId, name: tenantName }, update: {} });
  await store.prisma.api_key.upsert({ where: { id: keyId }, create: { id: keyId, tenant_id: tenantId, label: 'seeded', secret_hash: new Uint8Array(hashSecret(secret)) }, update: {} });
  if (eventsUrl !== undefined) await setEventsUrl(store, tenantId, eventsUrl);
  for (const number of numbers) await store.prisma.dial_in_number.upsert({ where: { e164: number.e164 }, create: number, update: { language: number.language } });
}
