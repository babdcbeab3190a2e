import { Readable } from 'node:stream';
import { Body, Controller, Get, Headers, Inject, Param, Put, Query, StreamableFile } from '@nestjs/common';
import { noSuchRoom } from '@partyline/conference/errors';
import { CSV } from '@partyline/contracts/billing/operations';
import {
  Cdr,
  GetSpend,
  GetUsage,
  LimitRoomSpend,
  ListCdrs,
  type CdrPage,
  type Spend,
  type Usage,
} from '@partyline/contracts/billing/usage';
import { VerdictError } from '@partyline/domain/verdict';
import { hasCdr, listCdrs } from '@partyline/store/billing/cdrs';
import { hasRoom } from '@partyline/store/rooms/rooms';
import { setRoomSpendLimit, readSpend } from '@partyline/store/limits/spend';
import type { Store } from '@partyline/store/database/store';
import { sumUsage } from '@partyline/store/billing/usage';
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { toPage } from '../input/page.ts';
import { body, noSuchPage, query, roomIdPipe } from '../input/parse.ts';
import { accepts } from '../input/accepts.ts';
import { toCsv } from './csv.ts';
import { showCdr, showSpend, showUsage } from './show.ts';

const MAX_USAGE_ROWS = 10_000;
const MAX_PERIOD_MS = 366 * 86_400_000;

@Controller('v1')
export class UsageController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get('usage')
  async usage(
    @TenantId() tenantId: string,
    @Query(query(GetUsage)) { group, ...wanted }: GetUsage,
    @Headers('accept') accept?: string,
  ): Promise<Usage | StreamableFile> {
    const now = this.deps.clock.now();
    const from =
      wanted.from === undefined ? new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth())) : new Date(wanted.from);
    const to = wanted.to === undefined ? now : new Date(wanted.to);
    if (from > to || to.getTime() - from.getTime() > MAX_PERIOD_MS)
      throw invalidQuery('/from', 'The period from `from` to `to` must be 0 to 366 days.', 'Request a shorter period.');
    const sums = await sumUsage(this.deps.store, tenantId, { groups: group, from, to, limit: MAX_USAGE_ROWS + 1 });
    if (sums.length > MAX_USAGE_ROWS)
      throw invalidQuery(
        '/group',
        `The result has more than ${MAX_USAGE_ROWS} rows.`,
        'Request a shorter period or fewer groups.',
      );
    const rows = sums.map((row) => showUsage(row, group));
    if (!accepts(accept, CSV)) return { from: from.toISOString(), to: to.toISOString(), rows };
    const columns = [
      ...group.map((each) => (each === 'room' ? 'roomId' : each)),
      'currency',
      'records',
      'seconds',
      'price',
      'priceMicro',
      'estimateMicro',
    ];
    return new StreamableFile(Buffer.from(toCsv(rows, columns)), {
      type: `${CSV}; charset=utf-8`,
    });
  }

  @Get('cdrs')
  async cdrs(
    @TenantId() tenantId: string,
    @Query(query(ListCdrs)) { limit, ...filter }: ListCdrs,
    @Headers('accept') accept?: string,
  ): Promise<CdrPage | StreamableFile> {
    if (filter.after !== undefined && !(await hasCdr(this.deps.store, tenantId, filter.after))) throw noSuchPage();
    if (accepts(accept, CSV))
      return new StreamableFile(Readable.from(streamCdrs(this.deps.store, tenantId, filter)), {
        type: `${CSV}; charset=utf-8`,
      });
    const rows = await listCdrs(this.deps.store, tenantId, { ...filter, limit: limit + 1 });
    const { shown, next } = toPage(rows, limit, ({ id }) => id);
    return { cdrs: shown.map(showCdr), next };
  }

  @Get('spend')
  async spend(@TenantId() tenantId: string, @Query(query(GetSpend)) wanted: GetSpend): Promise<Spend> {
    if (wanted.roomId !== undefined && !(await hasRoom(this.deps.store, tenantId, wanted.roomId))) throw noSuchRoom();
    return showSpend(await readSpend(this.deps.store, tenantId, wanted.roomId ?? null));
  }

  @Put('rooms/:roomId/spend-limit')
  async limit(
    @TenantId() tenantId: string,
    @Param('roomId', roomIdPipe) id: string,
    @Body(body(LimitRoomSpend)) { maxSpendMicro }: LimitRoomSpend,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<Spend> {
    if (
      !(await setRoomSpendLimit(this.deps.store, tenantId, id, maxSpendMicro === null ? null : BigInt(maxSpendMicro)))
    )
      throw noSuchRoom();
    recordChange({ after: { maxSpendMicro } });
    return showSpend(await readSpend(this.deps.store, tenantId, id));
  }
}

const CDR_COLUMNS = Object.keys(Cdr.shape);
const CSV_CHUNK_SIZE = 1_000;

/** All records of a filter as CSV, a chunk at a time. */
async function* streamCdrs(
  store: Store,
  tenantId: string,
  { after: begin, ...filter }: Omit<ListCdrs, 'limit'>,
): AsyncGenerator<string> {
  for (let after = begin; ;) {
    const rows = await listCdrs(store, tenantId, { ...filter, after, limit: CSV_CHUNK_SIZE });
    yield toCsv(rows.map(showCdr), CDR_COLUMNS, after === begin);
    if (rows.length < CSV_CHUNK_SIZE) return;
    after = rows.at(-1)?.id;
  }
}

const invalidQuery = (field: string, message: string, fix: string): VerdictError =>
  new VerdictError('client', 'invalid-query', message, { field, fix });
