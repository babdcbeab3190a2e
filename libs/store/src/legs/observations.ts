import type { Verdict } from '@partyline/domain/verdict';
import type { Tx } from '../database/store.ts';

/** A statement of the provider about one handle of a leg. */
interface NewObservation {
  readonly legId: string;
  readonly handle: 'media' | 'voice';
  readonly phase: string;
  readonly source: 'callback' | 'look-up';
  readonly verdict?: Verdict;
  readonly at: Date | null;
}

/**
 * Stores an observation. A leg ends only in the transaction that stores a terminal one.
 */
export async function storeObservation(tx: Tx, tenantId: string | null, observation: NewObservation): Promise<void> {
  await tx.query({
    name: 'store-observation',
    text: `INSERT INTO observation (tenant_id, leg_id, handle, phase, source, outcome, reason, provider_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
    values: [
      tenantId,
      observation.legId,
      observation.handle,
      observation.phase,
      observation.source,
      observation.verdict?.outcome ?? null,
      observation.verdict?.reason ?? null,
      observation.at,
    ],
  });
}
