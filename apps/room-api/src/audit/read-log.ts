import { Readable } from 'node:stream';
import { StreamableFile } from '@nestjs/common';
import type { AuditEntry, AuditPage, ListAuditOfAll } from '@partyline/contracts/audit/audit';
import { NDJSON } from '@partyline/contracts/audit/operations';
import { hasAuditEntry, listAuditEntries, type AuditFilter, type AuditEntryRow } from '@partyline/store/audit/audit';
import { EVERY_TENANT, type Scope, type Store } from '@partyline/store/database/store';
import { toPage } from '../input/page.ts';
import { noSuchPage } from '../input/parse.ts';
import { accepts } from '../input/accepts.ts';
import { showAuditEntry, showAuditEntryToTenant } from './show.ts';

/** Entries per database query of a stream. */
const CHUNK_SIZE = 500;

/**
 * A page of the log, or a stream of all matching entries, one per line.
 * @param tenantId null: the log of all tenants, for operators
 * @throws VerdictError `invalid-query` for an unknown page
 */
export async function readAuditLog(
  store: Store,
  tenantId: string | null,
  { limit, after, from, to, ...rest }: ListAuditOfAll,
  accept: string | undefined,
): Promise<AuditPage | StreamableFile> {
  const scope = tenantId ?? EVERY_TENANT;
  const show = tenantId === null ? showAuditEntry : (row: AuditEntryRow) => showAuditEntryToTenant(row, tenantId);
  if (after !== undefined && !(await hasAuditEntry(store, scope, after))) throw noSuchPage();
  const filter = {
    ...rest,
    from: from === undefined ? undefined : new Date(from),
    to: to === undefined ? undefined : new Date(to),
  };
  if (accepts(accept, NDJSON))
    return new StreamableFile(Readable.from(streamLines(store, scope, filter, after, show)), { type: NDJSON });
  const rows = await listAuditEntries(store, scope, filter, { limit: limit + 1, after });
  const { shown, next } = toPage(rows, limit, ({ id }) => id);
  return { entries: shown.map(show), next };
}

async function* streamLines(
  store: Store,
  scope: Scope,
  filter: AuditFilter,
  begin: string | undefined,
  show: (row: AuditEntryRow) => AuditEntry,
): AsyncGenerator<string> {
  for (let after = begin; ;) {
    const rows = await listAuditEntries(store, scope, filter, { limit: CHUNK_SIZE, after });
    if (rows.length > 0) yield rows.map((row) => `${JSON.stringify(show(row))}\n`).join('');
    if (rows.length < CHUNK_SIZE) return;
    after = rows.at(-1)?.id;
  }
}
