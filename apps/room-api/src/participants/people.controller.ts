import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Patch, Post } from '@nestjs/common';
import { noSuchParticipant } from '@partyline/conference/errors';
import { removeParticipant } from '@partyline/conference/participants/remove-participant';
import {
  MuteParticipant,
  SendDigits,
  UpdateParticipant,
  type Participant,
  type RemovedParticipant,
  type TakenByProvider,
} from '@partyline/contracts/participants/participant';
import { readParticipant, renameParticipant } from '@partyline/store/participants/participants';
import { Change, type NoteChange } from '../audit/note-change.ts';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { body, idOr } from '../input/parse.ts';
import { showPerson } from './roster.ts';

const participantId = idOr(noSuchParticipant);

/** One person, by the id that the roster shows. */
@Controller('v1/participants/:participantId')
export class PeopleController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Get()
  async get(@Tenant() tenantId: string, @Param('participantId', participantId) id: string): Promise<Participant> {
    const found = await readParticipant(this.deps.store, tenantId, id);
    if (found === null) throw noSuchParticipant();
    return showPerson(found.person, found.leg);
  }

  @Patch()
  async rename(
    @Tenant() tenantId: string,
    @Param('participantId', participantId) id: string,
    @Body(body(UpdateParticipant)) { name }: UpdateParticipant,
  ): Promise<Participant> {
    if (!(await renameParticipant(this.deps.store, tenantId, id, name))) throw noSuchParticipant();
    return this.get(tenantId, id);
  }

  @Delete()
  @HttpCode(202)
  async remove(
    @Tenant() tenantId: string,
    @Param('participantId', participantId) id: string,
    @Change() note: NoteChange,
  ): Promise<RemovedParticipant> {
    const removed = await removeParticipant(this.deps, tenantId, id);
    note({ after: removed });
    return removed;
  }

  @Post('mute')
  @HttpCode(200)
  async mute(
    @Tenant() tenantId: string,
    @Param('participantId', participantId) id: string,
    @Body(body(MuteParticipant)) { muted }: MuteParticipant,
    @Change() note: NoteChange,
  ): Promise<TakenByProvider> {
    note({ after: { muted } });
    return this.deps.provider.mute({ tenantId, participantId: id, muted });
  }

  @Post('dtmf')
  @HttpCode(200)
  async digits(
    @Tenant() tenantId: string,
    @Param('participantId', participantId) id: string,
    @Body(body(SendDigits)) { digits }: SendDigits,
  ): Promise<TakenByProvider> {
    return this.deps.provider.sendDigits({ tenantId, participantId: id, digits });
  }
}
