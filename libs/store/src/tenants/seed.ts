import { describeNumber } from '@partyline/domain/describe-number';
import type { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { EVERY_TENANT, type Store } from '../database/store.ts';
import { hashSecret } from '../keys/authenticate.ts';

/* Platform-wide: an operator prepares the first tenant and the shared numbers. */

export interface Seed {
  readonly tenantId: string;
  readonly tenantName: string;
  /** The whole key, `pl_<env>_<id>_<secret>`; the secret is 32 random bytes in base64url. */
  readonly apiKey: string;
  /**
   * An optional field that is left out keeps its value. A new number gets the language `en-US`, what
   * its numbering plan says, and the platform's default.
   */
  readonly numbers: readonly {
    readonly e164: string;
    /** BCP 47. */
    readonly language?: string | undefined;
    /** ISO 3166-1 alpha-2. */
    readonly country?: string | undefined;
    readonly tollFree?: boolean | undefined;
    /** How many callers may be asked for a PIN at once. */
    readonly maxUnadmitted?: number | undefined;
    /** The platform's account of the number, if it is not the first. An existing number keeps its own. */
    readonly accountId?: typeof PLATFORM_SIP | undefined;
  }[];
  /** Countries that the tenant may call, ISO 3166-1 alpha-2, its home country first. */
  readonly countries?: readonly string[];
}

/**
 * Creates one tenant, one API key, and the shared numbers. Safe to repeat.
 * Throws for an existing number that is at another account than the given one.
 */
export async function seed(store: Store, { tenantId, tenantName, apiKey, numbers, countries }: Seed): Promise<void> {
  const parts = /^pl_[a-z]+_([A-Za-z0-9]+)_([A-Za-z0-9_-]{43})$/.exec(apiKey);
  if (parts === null)
    throw new Error(
      'The API key must look like pl_<env>_<id>_<secret>, where the secret is 32 random bytes in base64url.',
    );
  const [, keyId, secret] = parts as unknown as [string, string, string];
  const put = (text: string, values: unknown[]) =>
    store.query<{ account_id: string | null }>(EVERY_TENANT, { text, values });
  await put('INSERT INTO tenant (id, name) VALUES ($1, $2) ON CONFLICT DO NOTHING', [tenantId, tenantName]);
  await put(
    `INSERT INTO api_key (id, tenant_id, label, secret_hash)
     VALUES ($1, $2, 'seeded', $3)
     ON CONFLICT DO NOTHING`,
    [keyId, tenantId, hashSecret(secret)],
  );
  if (countries !== undefined)
    await put('UPDATE tenant SET home_country = $2, allowed_countries = $3 WHERE id = $1', [
      tenantId,
      countries[0],
      countries.slice(1),
    ]);
  for (const { e164, language, country, tollFree, maxUnadmitted, accountId } of numbers) {
    const inferred = describeNumber(e164);
    const { rows } = await put(
      `INSERT INTO dial_in_number AS d (e164, language, country, toll_free, max_unadmitted, account_id)
       VALUES ($1, COALESCE($2, 'en-US'), COALESCE($3, $6), COALESCE($4, $7::boolean), COALESCE($5, 10), $8)
       ON CONFLICT (e164) DO UPDATE
       SET language = COALESCE($2, d.language), country = COALESCE($3, d.country),
         toll_free = COALESCE($4::boolean, d.toll_free), max_unadmitted = COALESCE($5, d.max_unadmitted)
       RETURNING account_id`,
      [
        e164,
        language ?? null,
        country ?? null,
        tollFree ?? null,
        maxUnadmitted ?? null,
        inferred.country,
        inferred.toll_free,
        accountId ?? null,
      ],
    );
    if (accountId !== undefined && rows[0]!.account_id !== accountId)
      throw new Error(
        `${e164} exists at another provider account. Move it: ` +
          `partyline operator numbers change ${e164} --provider-account ${accountId}`,
      );
  }
}
