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
import { Change, type NoteChange } from '../audit/note-change.ts';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { pageOf } from '../input/page.ts';
import { body, noSuchPage, query, roomId } from '../input/parse.ts';
import { showClient } from '../rooms/show.ts';
import { showPerson } from './roster.ts';

@Controller('v1/rooms/:roomId')
export class ParticipantsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post('tokens')
  async token(
    @Tenant() tenantId: string,
    @Param('roomId', roomId) id: string,
    @Body(body(TokenRequest)) wanted: TokenRequest,
    @Change() note: NoteChange,
  ): Promise<Token> {
    const { participantId, sessionId, ...media } = await issueToken(this.deps, tenantId, id, wanted);
    note({ after: { participantId, sessionId, role: wanted.role } });
    return { participantId, sessionId, client: showClient(media) };
  }

  @Post('participants')
  @HttpCode(202)
  async add(
    @Tenant() tenantId: string,
    @Param('roomId', roomId) id: string,
    @Body(body(AddParticipant)) { phone, name, role }: AddParticipant,
    @Change() note: NoteChange,
  ): Promise<AddedParticipant> {
    const added = await requestDialOut(this.deps, tenantId, id, {
      phone,
      role,
      ...(name === undefined ? {} : { name }),
    });
    note({ after: { ...added, number: maskNumber(phone), role } });
    return added;
  }

  @Get('participants')
  async roster(
    @Tenant() tenantId: string,
    @Param('roomId', roomId) id: string,
    @Query(query(ListParticipants)) { limit, after }: ListParticipants,
  ): Promise<Roster> {
    const rows = await listRoster(this.deps.store, tenantId, id, { limit: limit + 1, after });
    if (rows === 'no-room') throw noSuchRoom();
    if (rows === 'no-page') throw noSuchPage();
    const { shown, next } = pageOf(rows, limit, ({ person }) => person.id);
    return { participants: shown.map(({ person, leg }) => showPerson(person, leg)), next };
  }
}
