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
import { listAllNumbers, type OperatorNumberRow, type NewNumber } from '@partyline/store/numbers/numbers';
import { Change, type NoteChange } from '../audit/note-change.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { pageOf } from '../input/page.ts';
import { body, query } from '../input/parse.ts';
import { showOperatorNumber } from './show.ts';

/** A number in the path, with its plus or without. */
const inPath: PipeTransform<unknown, string> = {
  transform(value) {
    const number = typeof value === 'string' ? toE164(value.trim()) : null;
    if (number === null) throw noSuchNumber();
    return number;
  },
};

const settings = ({
  language,
  country,
  tollFree,
  tenantId,
  guarded,
  maxUnadmitted,
  providerAccountId,
}: UpdateNumber): Partial<NewNumber> => ({
  ...(guarded === undefined ? {} : { guarded }),
  ...(maxUnadmitted === undefined ? {} : { max_unadmitted: maxUnadmitted }),
  ...(language === undefined ? {} : { language }),
  ...(country === undefined ? {} : { country }),
  ...(tollFree === undefined ? {} : { toll_free: tollFree }),
  ...(tenantId === undefined ? {} : { dedicated_to: tenantId }),
  ...(providerAccountId === undefined ? {} : { account_id: providerAccountId }),
});

/** As the audit log has a number, which is masked there. */
const noted = (row: OperatorNumberRow): object => {
  const { number, slowUntil: _slowUntil, kind: _kind, ...said } = showOperatorNumber(row);
  return { number: maskNumber(number), ...said };
};
/** Whose it is, or was. */
const tenantsOf = (...rows: readonly OperatorNumberRow[]): string[] => rows.flatMap((row) => row.dedicated_to ?? []);

/** For who runs the platform; the key guard lets nobody else in. */
@Controller('v1/operator/numbers')
export class OperatorNumbersController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(
    @Body(body(CreateNumber))
    { number, language, country, tollFree, tenantId, guarded, maxUnadmitted, providerAccountId }: CreateNumber,
    @Change() note: NoteChange,
  ): Promise<OperatorNumber> {
    const row = await createNumber(this.deps, {
      e164: number,
      language,
      country,
      toll_free: tollFree,
      dedicated_to: tenantId,
      guarded,
      max_unadmitted: maxUnadmitted,
      account_id: providerAccountId,
    });
    note({ after: noted(row), tenants: tenantsOf(row) });
    return showOperatorNumber(row);
  }

  @Get()
  async list(@Query(query(ListAllNumbers)) { limit, after, tenantId }: ListAllNumbers): Promise<NumberPage> {
    const rows = await listAllNumbers(this.deps.store, { limit: limit + 1, after, tenantId });
    const { shown, next } = pageOf(rows, limit, ({ e164 }) => e164);
    return { numbers: shown.map(showOperatorNumber), next };
  }

  @Patch(':number')
  async update(
    @Param('number', inPath) number: string,
    @Body(body(UpdateNumber)) wanted: UpdateNumber,
    @Change() note: NoteChange,
  ): Promise<OperatorNumber> {
    const { before, after } = await updateNumber(this.deps, number, settings(wanted));
    note({ before: noted(before), after: noted(after), tenants: tenantsOf(before, after) });
    return showOperatorNumber(after);
  }

  @Delete(':number')
  async remove(@Param('number', inPath) number: string, @Change() note: NoteChange): Promise<DeletedNumber> {
    const before = await deleteNumber(this.deps, number);
    note({ before: noted(before), tenants: tenantsOf(before) });
    return { number };
  }
}
