import type { Verdict } from '@partyline/domain/verdict';
import type { Tx } from '../database/store.ts';

/** What a provider said of one handle of a leg. */
interface NewObservation {
  readonly legId: string;
  readonly handle: 'media' | 'voice';
  readonly phase: string;
  readonly source: 'callback' | 'look-up';
  readonly verdict?: Verdict;
  readonly at: Date | null;
}

/** Stores what a provider was seen to say; a leg is closed only in the same transaction as such a row (design §3.3). */
export async function storeObservation(tx: Tx, tenantId: string | null, seen: NewObservation): Promise<void> {
  await tx.query({
    name: 'store-observation',
    text: 'INSERT INTO observation (tenant_id, leg_id, handle, phase, source, outcome, reason, provider_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)',
    values: [
      tenantId,
      seen.legId,
      seen.handle,
      seen.phase,
      seen.source,
      seen.verdict?.outcome ?? null,
      seen.verdict?.reason ?? null,
      seen.at,
    ],
  });
}
