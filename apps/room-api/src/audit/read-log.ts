import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import type { AuditEntry, AuditPage, ListAuditOfAll } from '@partyline/contracts/audit/audit';
import { NDJSON } from '@partyline/contracts/audit/operations';
import { hasEntry, listEntries, type EntryFilter, type EntryRow } from '@partyline/store/audit/audit';
import { EVERY_TENANT, type Scope, type Store } from '@partyline/store/database/store';
import { pageOf } from '../input/page.ts';
import { noSuchPage } from '../input/parse.ts';
import { wants } from '../input/wants.ts';
import { showEntry, showToTenant } from './show.ts';

/** Entries that are read at once for a stream. */
const CHUNK = 500;

/**
 * A page of the log, or all that the filter lets through as a stream, an entry a line. Throws `invalid-query` for a page that there is not.
 * @param tenantId whose log; null: everybody's, for operators
 */
export async function readLog(
  store: Store,
  tenantId: string | null,
  { limit, after, from, to, ...rest }: ListAuditOfAll,
  accept: string | undefined,
): Promise<AuditPage | StreamableFile> {
  const scope = tenantId ?? EVERY_TENANT;
  const show = tenantId === null ? showEntry : (row: EntryRow) => showToTenant(row, tenantId);
  if (after !== undefined && !(await hasEntry(store, scope, after))) throw noSuchPage();
  const filter = {
    ...rest,
    from: from === undefined ? undefined : new Date(from),
    to: to === undefined ? undefined : new Date(to),
  };
  if (wants(accept, NDJSON))
    return new StreamableFile(Readable.from(lines(store, scope, filter, after, show)), { type: NDJSON });
  const rows = await listEntries(store, scope, filter, { limit: limit + 1, after });
  const { shown, next } = pageOf(rows, limit, ({ id }) => id);
  return { entries: shown.map(show), next };
}

async function* lines(
  store: Store,
  scope: Scope,
  filter: EntryFilter,
  begin: string | undefined,
  show: (row: EntryRow) => AuditEntry,
): AsyncGenerator<string> {
  for (let after = begin; ;) {
    const rows = await listEntries(store, scope, filter, { limit: CHUNK, after });
    if (rows.length > 0) yield rows.map((row) => `${JSON.stringify(show(row))}\n`).join('');
    if (rows.length < CHUNK) return;
    after = rows.at(-1)?.id;
  }
}
