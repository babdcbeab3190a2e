import { deserialize, serialize } from 'node:v8';
import type { QueryConfig } from 'pg';
import type { Scope, TransactionJournal, Tx } from '../database/store.ts';

/** Keeps what must not be read in the database, bound to the row that it is of. */
interface Cipher {
  encrypt(text: string, boundTo: string): Buffer;
  decrypt(sealed: Uint8Array, boundTo: string): string;
}

/** Somebody else has done this step meanwhile: a request that was taken for dead and was not. Its transaction changed nothing. */
export class LeaseLostError extends Error {}

interface Step {
  readonly name: string;
  readonly result: unknown;
}

/**
 * The steps of one request that is to be done once, however often it is tried. What a transaction gives is committed with what it changes, together with what was
 * read and asked before it: whoever tries again is given the same and comes to the end of what was done, as if nothing had happened in between. Reads that led to
 * no change are made again. A request must do the same after the same results, so chance and ids are drawn from its key too; and what a transaction finds out must
 * leave it as its result.
 */
export class Journal implements TransactionJournal {
  readonly #keyId: string;
  readonly #seal: Cipher;
  readonly #known: ReadonlyMap<string, unknown>;
  #led: Step[] = [];
  #next = 0;
  #failed = '';
  #wrote: boolean;

  constructor(keyId: string, seal: Cipher, kept: readonly { readonly step: string; readonly result: Uint8Array }[]) {
    this.#keyId = keyId;
    this.#seal = seal;
    this.#known = new Map(
      kept.map(({ step, result }) => [
        step,
        deserialize(Buffer.from(seal.decrypt(result, `${keyId} ${step}`), 'base64')) as unknown,
      ]),
    );
    this.#wrote = kept.length > 0;
  }

  /** Whether it changed anything, now or when it was tried before. */
  get hasChanges(): boolean {
    return this.#wrote;
  }

  /** A step that changes nothing of ours. */
  async read<T>(work: () => Promise<T>): Promise<T> {
    return this.#once(async (name) => {
      const result = await work();
      this.#led.push({ name, result });
      return result;
    });
  }

  /** A transaction. `run` gives it to `keep`, which may happen more than once when it meets a deadlock. */
  async change<T>(
    scope: Scope,
    run: (keep: (tx: Tx, work: (tx: Tx) => Promise<T>) => Promise<T>) => Promise<T>,
  ): Promise<T> {
    return this.#once(async (name) => {
      let steps: Step[] = [];
      const result = await run(async (tx, work) => {
        steps = [];
        const watched = trackWrites(tx);
        const gave = await work(watched.tx);
        if (!watched.wrote()) return gave;
        steps = [...this.#led, { name, result: gave }];
        await this.#keep(tx, typeof scope === 'string' ? scope : null, steps);
        return gave;
      });
      this.#wrote ||= steps.length > 0;
      this.#led =
        steps.length > 0 ? this.#led.filter((step) => !steps.includes(step)) : [...this.#led, { name, result }];
      return result;
    });
  }

  async #once<T>(work: (name: string) => Promise<T>): Promise<T> {
    // What comes after a failure is another step than what comes after a success.
    const name = `${(this.#next += 1)}${this.#failed}`;
    if (this.#known.has(name)) return this.#known.get(name) as T;
    try {
      return await work(name);
    } catch (error) {
      this.#failed += `!${name.split('!')[0]}`;
      throw error;
    }
  }

  async #keep(tx: Tx, tenantId: string | null, steps: readonly Step[]): Promise<void> {
    const sealed = steps.map(({ name, result }) =>
      this.#seal.encrypt(serialize(result).toString('base64'), `${this.#keyId} ${name}`),
    );
    try {
      await tx.query({
        name: 'store-steps',
        text: 'INSERT INTO idempotency_step (key_id, step, tenant_id, result) SELECT $1, s.name, $2, s.result FROM unnest($3::text[], $4::bytea[]) AS s (name, result)',
        values: [this.#keyId, tenantId, steps.map(({ name }) => name), sealed],
      });
    } catch (error) {
      throw (error as { code?: string }).code === '23505' ? new LeaseLostError() : error;
    }
  }
}

/** The same connection, and whether anything but a SELECT did anything on it. */
function trackWrites(tx: Tx): { tx: Tx; wrote: () => boolean } {
  let wrote = false;
  const query = async (asked: string | QueryConfig, values?: unknown[]): Promise<unknown> => {
    const answer = await tx.query(asked, values);
    const text = typeof asked === 'string' ? asked : asked.text;
    // Of a WITH the count is that of its last part only.
    if (!/^\s*SELECT\b/i.test(text) && (answer.rowCount !== 0 || /^\s*WITH\b/i.test(text))) wrote = true;
    return answer;
  };
  return { tx: { query } as unknown as Tx, wrote: () => wrote };
}
