import { Controller, Get, Inject, Query } from '@nestjs/common';
import { ListNumbers, type Numbers } from '@partyline/contracts/numbers/number';
import { listNumbers } from '@partyline/store/numbers/numbers';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { query } from '../input/parse.ts';
import { showNumber } from './show.ts';

@Controller('v1/numbers')
export class NumbersController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get()
  async list(@TenantId() tenantId: string, @Query(query(ListNumbers)) wanted: ListNumbers): Promise<Numbers> {
    return { numbers: (await listNumbers(this.deps.store, tenantId, wanted)).map(showNumber) };
  }
}
