import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { requestDialOut } from '@partyline/conference/legs/dial-out';
import { issueToken } from '@partyline/conference/participants/issue-token';
import { noSuchRoom } from '@partyline/conference/errors';
import {
  AddParticipant,
  ListParticipants,
  type AddedParticipant,
  type Roster,
} from '@partyline/contracts/participants/participant';
import { TokenRequest, type Token } from '@partyline/contracts/participants/token';
import { maskNumber } from '@partyline/domain/phone';
import { listRoster } from '@partyline/store/participants/participants';
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { toPage } from '../input/page.ts';
import { body, noSuchPage, query, roomIdPipe } from '../input/parse.ts';
import { showClient } from '../rooms/show.ts';
import { showParticipant } from './show.ts';

@Controller('v1/rooms/:roomId')
export class RoomParticipantsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post('tokens')
  async issueToken(
    @TenantId() tenantId: string,
    @Param('roomId', roomIdPipe) id: string,
    @Body(body(TokenRequest)) wanted: TokenRequest,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<Token> {
    const { participantId, sessionId, ...media } = await issueToken(this.deps, tenantId, id, wanted);
    recordChange({ after: { participantId, sessionId, role: wanted.role } });
    return { participantId, sessionId, client: showClient(media) };
  }

  @Post('participants')
  @HttpCode(202)
  async add(
    @TenantId() tenantId: string,
    @Param('roomId', roomIdPipe) id: string,
    @Body(body(AddParticipant)) { phone, name, role }: AddParticipant,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<AddedParticipant> {
    const added = await requestDialOut(this.deps, tenantId, id, {
      phone,
      role,
      ...(name === undefined ? {} : { name }),
    });
    recordChange({ after: { ...added, number: maskNumber(phone), role } });
    return added;
  }

  @Get('participants')
  async roster(
    @TenantId() tenantId: string,
    @Param('roomId', roomIdPipe) id: string,
    @Query(query(ListParticipants)) { limit, after }: ListParticipants,
  ): Promise<Roster> {
    const rows = await listRoster(this.deps.store, tenantId, id, { limit: limit + 1, after });
    if (rows === 'no-room') throw noSuchRoom();
    if (rows === 'no-page') throw noSuchPage();
    const { shown, next } = toPage(rows, limit, ({ person }) => person.id);
    return { participants: shown.map(({ person, leg }) => showParticipant(person, leg)), next };
  }
}
