import { Body, Controller, Get, Inject, Patch, Query } from '@nestjs/common';
import { UpdatePlatformLimits, type PlatformLimits } from '@partyline/contracts/limits/limits';
import { ListRates, UpdateRates, type Rate, type RatePage, type Rates } from '@partyline/contracts/billing/rate';
import {
  readPlatformLimits,
  updatePlatformLimits,
  type PlatformLimits as LimitsRow,
} from '@partyline/store/limits/platform-limits';
import { listRates, updateRates, type RateRow } from '@partyline/store/billing/rates';
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { toPage } from '../input/page.ts';
import { body, query } from '../input/parse.ts';

const showLimits = (row: LimitsRow): PlatformLimits => ({
  maxLiveRooms: row.max_live_rooms,
  maxLiveLegs: row.max_live_legs,
  maxDialOutsPerMinute: row.max_dial_outs_per_minute,
  maxRequestsPerMinute: row.max_requests_per_minute,
});
const limitColumns = ({
  maxLiveRooms,
  maxLiveLegs,
  maxDialOutsPerMinute,
  maxRequestsPerMinute,
}: UpdatePlatformLimits): Partial<LimitsRow> => {
  const wanted = {
    max_live_rooms: maxLiveRooms,
    max_live_legs: maxLiveLegs,
    max_dial_outs_per_minute: maxDialOutsPerMinute,
    max_requests_per_minute: maxRequestsPerMinute,
  };
  return Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
};

const showRate = ({ what, prefix, currency, micro_per_minute }: RateRow): Rate => ({
  what: what as Rate['what'],
  prefix,
  currency,
  microPerMinute: micro_per_minute,
});
/** The audit log stores long prefixes cut, because they can be phone numbers. */
const toAuditRate = (row: RateRow): Rate => ({
  ...showRate(row),
  prefix: row.prefix.length > 8 ? `${row.prefix.slice(0, 7)}...` : row.prefix,
});
const toCursor = ({ what, currency, prefix }: RateRow): string => `${what}.${currency}.${prefix.slice(1)}`;
const readCursor = (cursor: string) => {
  const [what = '', currency = '', digits = ''] = cursor.split('.');
  return { what, currency, prefix: digits === '' ? '' : `+${digits}` };
};

/** Limits and rates of the platform. */
@Controller('v1/operator')
export class PlatformController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get('limits')
  async limits(): Promise<PlatformLimits> {
    return showLimits(await readPlatformLimits(this.deps.store));
  }

  @Patch('limits')
  async updateLimits(
    @Body(body(UpdatePlatformLimits)) wanted: UpdatePlatformLimits,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<PlatformLimits> {
    const { limits, before, after } = await updatePlatformLimits(this.deps.store, limitColumns(wanted));
    recordChange({ before, after });
    return showLimits(limits);
  }

  @Get('rates')
  async rates(@Query(query(ListRates)) { limit, after, ...filter }: ListRates): Promise<RatePage> {
    const rows = await listRates(this.deps.store, {
      ...filter,
      limit: limit + 1,
      after: after === undefined ? undefined : readCursor(after),
    });
    const { shown, next } = toPage(rows, limit, toCursor);
    return { rates: shown.map(showRate), next };
  }

  @Patch('rates')
  async updateRates(
    @Body(body(UpdateRates)) { rates }: UpdateRates,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<Rates> {
    const { before, after } = await updateRates(
      this.deps.store,
      rates.map(({ microPerMinute, ...name }) => ({ ...name, micro_per_minute: microPerMinute })),
    );
    recordChange({ before: { rates: before.map(toAuditRate) }, after: { rates: after.map(toAuditRate) } });
    return { rates: after.map(showRate) };
  }
}
