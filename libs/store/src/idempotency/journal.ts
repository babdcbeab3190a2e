import { deserialize, serialize } from 'node:v8';
import type { QueryConfig } from 'pg';
import type { Scope, TransactionJournal, Tx } from '../database/store.ts';

/** Encrypts the stored results, bound to their row. */
interface Cipher {
  encrypt(text: string, boundTo: string): Buffer;
  decrypt(encrypted: Uint8Array, boundTo: string): string;
}

/** Another process has claimed the request and done this step. The transaction changed nothing. */
export class LeaseLostError extends Error {}

interface Step {
  readonly name: string;
  readonly result: unknown;
}

/**
 * The steps of one request with an idempotency key. The result of a transaction is committed with
 * its changes, together with the results of the reads before it. A repeated request gets the stored
 * results and continues after the last of them; reads that led to no change run again.
 *
 * A request must behave the same after the same results: randomness and ids derive from its key,
 * and whatever a transaction finds out must leave it as its result.
 */
export class Journal implements TransactionJournal {
  readonly #keyId: string;
  readonly #cipher: Cipher;
  /** The stored results of earlier executions. */
  readonly #stored: ReadonlyMap<string, unknown>;
  /** Results that the next transaction with changes stores. */
  #unstored: Step[] = [];
  #next = 0;
  /** The failed steps so far, as a suffix of all later step names. */
  #failed = '';
  #hasChanges: boolean;

  constructor(
    keyId: string,
    cipher: Cipher,
    stored: readonly { readonly step: string; readonly result: Uint8Array }[],
  ) {
    this.#keyId = keyId;
    this.#cipher = cipher;
    this.#stored = new Map(
      stored.map(({ step, result }) => [
        step,
        deserialize(Buffer.from(cipher.decrypt(result, `${keyId} ${step}`), 'base64')) as unknown,
      ]),
    );
    this.#hasChanges = stored.length > 0;
  }

  /** Whether this execution or an earlier one changed rows. */
  get hasChanges(): boolean {
    return this.#hasChanges;
  }

  async read<T>(work: () => Promise<T>): Promise<T> {
    return this.#once(async (name) => {
      const result = await work();
      this.#unstored.push({ name, result });
      return result;
    });
  }

  async change<T>(
    scope: Scope,
    run: (keep: (tx: Tx, work: (tx: Tx) => Promise<T>) => Promise<T>) => Promise<T>,
  ): Promise<T> {
    return this.#once(async (name) => {
      let steps: Step[] = [];
      const result = await run(async (tx, work) => {
        steps = [];
        const tracked = trackWrites(tx);
        const value = await work(tracked.tx);
        if (!tracked.wrote()) return value;
        steps = [...this.#unstored, { name, result: value }];
        await this.#storeSteps(tx, typeof scope === 'string' ? scope : null, steps);
        return value;
      });
      this.#hasChanges ||= steps.length > 0;
      this.#unstored =
        steps.length > 0
          ? this.#unstored.filter((step) => !steps.includes(step))
          : [...this.#unstored, { name, result }];
      return result;
    });
  }

  async #once<T>(work: (name: string) => Promise<T>): Promise<T> {
    // A step after a failure has another name than the same step after a success.
    const name = `${(this.#next += 1)}${this.#failed}`;
    if (this.#stored.has(name)) return this.#stored.get(name) as T;
    try {
      return await work(name);
    } catch (error) {
      this.#failed += `!${name.split('!')[0]}`;
      throw error;
    }
  }

  async #storeSteps(tx: Tx, tenantId: string | null, steps: readonly Step[]): Promise<void> {
    const encrypted = steps.map(({ name, result }) =>
      this.#cipher.encrypt(serialize(result).toString('base64'), `${this.#keyId} ${name}`),
    );
    try {
      await tx.query({
        name: 'store-steps',
        text: `INSERT INTO idempotency_step (key_id, step, tenant_id, result)
               SELECT $1, s.name, $2, s.result
               FROM unnest($3::text[], $4::bytea[]) AS s (name, result)`,
        values: [this.#keyId, tenantId, steps.map(({ name }) => name), encrypted],
      });
    } catch (error) {
      throw (error as { code?: string }).code === '23505' ? new LeaseLostError() : error;
    }
  }
}

/** Wraps a connection to record whether any statement but a SELECT affected rows. */
function trackWrites(tx: Tx): { tx: Tx; wrote: () => boolean } {
  let wrote = false;
  const query = async (statement: string | QueryConfig, values?: unknown[]): Promise<unknown> => {
    const result = await tx.query(statement, values);
    const text = typeof statement === 'string' ? statement : statement.text;
    // The row count of a WITH statement is that of its last part only.
    if (!/^\s*SELECT\b/i.test(text) && (result.rowCount !== 0 || /^\s*WITH\b/i.test(text))) wrote = true;
    return result;
  };
  return { tx: { query } as unknown as Tx, wrote: () => wrote };
}
