import { Controller, Get, Inject, Req } from '@nestjs/common';
import type { Limits } from '@partyline/contracts/limits/limits';
import { readLimits, type LimitUse } from '@partyline/store/limits/limits';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';

const showUse = ({ allowed, used }: LimitUse): Limits['liveRooms'] => ({ limit: allowed, used });

@Controller('v1/limits')
export class LimitsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get()
  async get(@TenantId() tenantId: string, @Req() { rate }: { rate: Limits['requestsPerMinute'] }): Promise<Limits> {
    const limits = await readLimits(this.deps.store, tenantId);
    return {
      liveRooms: showUse(limits['live-rooms']),
      liveLegs: showUse(limits['live-legs']),
      dialOutsPerMinute: showUse(limits['dial-outs']),
      requestsPerMinute: rate,
    };
  }
}
