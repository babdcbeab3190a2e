import { Body, Controller, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { requestDialOut } from '@partyline/conference/dial-out';
import { issueToken } from '@partyline/conference/issue-token';
import { noSuchRoom } from '@partyline/conference/refusals';
import { AddParticipant, type AddedParticipant, type Roster } from '@partyline/contracts/participant';
import { TokenRequest, type Token } from '@partyline/contracts/token';
import { listParticipants, readRoom } from '@partyline/store/rooms';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { body, roomId } from '../input/parse.ts';
import { showClient } from '../rooms/show.ts';
import { seatedIn, showRoster } from './roster.ts';

@Controller('v1/rooms/:roomId')
export class ParticipantsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post('tokens')
  async token(@Tenant() tenantId: string, @Param('roomId', roomId) id: string, @Body(body(TokenRequest)) wanted: TokenRequest): Promise<Token> {
    const { participantId, sessionId, ...media } = await issueToken(this.deps, tenantId, id, wanted);
    return { participantId, sessionId, client: showClient(media) };
  }

  @Post('participants')
  @HttpCode(202)
  async add(@Tenant() tenantId: string, @Param('roomId', roomId) id: string, @Body(body(AddParticipant)) { phone, name, role }: AddParticipant): Promise<AddedParticipant> {
    return requestDialOut(this.deps, tenantId, id, { phone, role, ...(name === undefined ? {} : { name }) });
  }

  @Get('participants')
  async roster(@Tenant() tenantId: string, @Param('roomId', roomId) id: string): Promise<Roster> {
    const room = await readRoom(this.deps.store, tenantId, id);
    if (room === null) throw noSuchRoom();
    const session = room.sessions[0];
    if (session === undefined) return { participants: [] };
    return { participants: showRoster(await listParticipants(this.deps.store, tenantId, id, session.created_at, seatedIn(session.legs)), session.legs) };
  }
}
