import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post } from '@nestjs/common';
import { noSuchParticipant } from '@partyline/conference/errors';
import { removeParticipant } from '@partyline/conference/participants/remove-participant';
import { renameParticipant } from '@partyline/conference/participants/rename-participant';
import {
  MuteParticipant,
  SendDigits,
  UpdateParticipant,
  type Participant,
  type RemovedParticipant,
  type AcceptedByProvider,
} from '@partyline/contracts/participants/participant';
import { readParticipant } from '@partyline/store/participants/participants';
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { body, idPipe } from '../input/parse.ts';
import { showParticipant } from './show.ts';

const participantId = idPipe(noSuchParticipant);

/** One participant, by its id. */
@Controller('v1/participants/:participantId')
export class ParticipantsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get()
  async get(@TenantId() tenantId: string, @Param('participantId', participantId) id: string): Promise<Participant> {
    const found = await readParticipant(this.deps.store, tenantId, id);
    if (found === null) throw noSuchParticipant();
    return showParticipant(found.person, found.leg);
  }

  @Patch()
  async rename(
    @TenantId() tenantId: string,
    @Param('participantId', participantId) id: string,
    @Body(body(UpdateParticipant)) { name }: UpdateParticipant,
  ): Promise<Participant> {
    await renameParticipant(this.deps, tenantId, id, name);
    return this.get(tenantId, id);
  }

  @Delete()
  @HttpCode(202)
  async remove(
    @TenantId() tenantId: string,
    @Param('participantId', participantId) id: string,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<RemovedParticipant> {
    const removed = await removeParticipant(this.deps, tenantId, id);
    recordChange({ after: removed });
    return removed;
  }

  @Post('mute')
  @HttpCode(200)
  async mute(
    @TenantId() tenantId: string,
    @Param('participantId', participantId) id: string,
    @Body(body(MuteParticipant)) { muted }: MuteParticipant,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<AcceptedByProvider> {
    recordChange({ after: { muted } });
    return this.deps.provider.mute({ tenantId, participantId: id, muted });
  }

  @Post('dtmf')
  @HttpCode(200)
  async digits(
    @TenantId() tenantId: string,
    @Param('participantId', participantId) id: string,
    @Body(body(SendDigits)) { digits }: SendDigits,
  ): Promise<AcceptedByProvider> {
    return this.deps.provider.sendDigits({ tenantId, participantId: id, digits });
  }
}
