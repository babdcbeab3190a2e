import { Body, Controller, Delete, Get, Inject, Param, Patch, Post, Query, type PipeTransform } from '@nestjs/common';
import { createNumber } from '@partyline/conference/numbers/create-number';
import { deleteNumber } from '@partyline/conference/numbers/delete-number';
import { updateNumber } from '@partyline/conference/numbers/update-number';
import { noSuchNumber } from '@partyline/conference/errors';
import {
  CreateNumber,
  ListAllNumbers,
  UpdateNumber,
  type DeletedNumber,
  type NumberPage,
  type OperatorNumber,
} from '@partyline/contracts/numbers/number';
import { maskNumber, toE164 } from '@partyline/domain/phone';
import { PLATFORM_SIP } from '@partyline/domain/platform-account';
import { listAllNumbers, type OperatorNumberRow, type NewNumber } from '@partyline/store/numbers/numbers';
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { toPage } from '../input/page.ts';
import { body, query } from '../input/parse.ts';
import { requireSipServers } from '../sip-accounts/require-sip-servers.ts';
import { showOperatorNumber } from './show.ts';

/** Reads a number in the path, with or without its plus. */
const numberPipe: PipeTransform<unknown, string> = {
  transform(value) {
    const number = typeof value === 'string' ? toE164(value.trim()) : null;
    if (number === null) throw noSuchNumber();
    return number;
  },
};

const toColumns = ({
  language,
  country,
  tollFree,
  tenantId,
  guarded,
  maxUnadmitted,
  maxPerCallerId,
  providerAccountId,
}: UpdateNumber): Partial<NewNumber> => ({
  ...(guarded === undefined ? {} : { guarded }),
  ...(maxUnadmitted === undefined ? {} : { max_unadmitted: maxUnadmitted }),
  ...(maxPerCallerId === undefined ? {} : { max_per_caller_id: maxPerCallerId }),
  ...(language === undefined ? {} : { language }),
  ...(country === undefined ? {} : { country }),
  ...(tollFree === undefined ? {} : { toll_free: tollFree }),
  ...(tenantId === undefined ? {} : { dedicated_to: tenantId }),
  ...(providerAccountId === undefined ? {} : { account_id: providerAccountId }),
});

/** The audit log stores the number masked. */
const toAuditFields = (row: OperatorNumberRow): object => {
  const { number, slowUntil: _slowUntil, kind: _kind, ...fields } = showOperatorNumber(row);
  return { number: maskNumber(number), ...fields };
};
/** The tenants that have or had the number. */
const tenantsOf = (...rows: readonly OperatorNumberRow[]): string[] => rows.flatMap((row) => row.dedicated_to ?? []);

@Controller('v1/operator/numbers')
export class OperatorNumbersController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(
    @Body(body(CreateNumber))
    {
      number,
      language,
      country,
      tollFree,
      tenantId,
      guarded,
      maxUnadmitted,
      maxPerCallerId,
      providerAccountId,
    }: CreateNumber,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<OperatorNumber> {
    this.#checkAccount(providerAccountId);
    const row = await createNumber(this.deps, {
      e164: number,
      language,
      country,
      toll_free: tollFree,
      dedicated_to: tenantId,
      guarded,
      max_unadmitted: maxUnadmitted,
      max_per_caller_id: maxPerCallerId,
      account_id: providerAccountId,
    });
    recordChange({ after: toAuditFields(row), tenants: tenantsOf(row) });
    return showOperatorNumber(row);
  }

  @Get()
  async list(@Query(query(ListAllNumbers)) { limit, after, tenantId }: ListAllNumbers): Promise<NumberPage> {
    const rows = await listAllNumbers(this.deps.store, { limit: limit + 1, after, tenantId });
    const { shown, next } = toPage(rows, limit, ({ e164 }) => e164);
    return { numbers: shown.map(showOperatorNumber), next };
  }

  @Patch(':number')
  async update(
    @Param('number', numberPipe) number: string,
    @Body(body(UpdateNumber)) wanted: UpdateNumber,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<OperatorNumber> {
    this.#checkAccount(wanted.providerAccountId);
    const { before, after } = await updateNumber(this.deps, number, toColumns(wanted));
    recordChange({ before: toAuditFields(before), after: toAuditFields(after), tenants: tenantsOf(before, after) });
    return showOperatorNumber(after);
  }

  @Delete(':number')
  async remove(
    @Param('number', numberPipe) number: string,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<DeletedNumber> {
    const before = await deleteNumber(this.deps, number);
    recordChange({ before: toAuditFields(before), tenants: tenantsOf(before) });
    return { number };
  }

  /** Throws `sip-not-configured` (503) for the platform's SIP account of a platform without SIP servers. */
  #checkAccount(accountId: string | null | undefined): void {
    if (accountId === PLATFORM_SIP) requireSipServers(this.deps);
  }
}
