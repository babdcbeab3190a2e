import { Body, Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { createRoom } from '@partyline/conference/create-room';
import { endRoom } from '@partyline/conference/end-session';
import { noSuchRoom } from '@partyline/conference/refusals';
import type { LiveRoom } from '@partyline/contracts/leg';
import { CreateRoom, ListRooms, type CreatedRoom, type EndedRoom, type RoomDetails, type RoomPage } from '@partyline/contracts/room';
import { spacedPin } from '@partyline/domain/pin';
import { findNumber, listRooms, readRoom } from '@partyline/store/rooms';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { body, noSuchPage, query, roomId } from '../input/parse.ts';
import { invitation, tapToCall } from './invitation.ts';
import { showClient, showLeg, showRoom, showSession } from './show.ts';

@Controller('v1/rooms')
export class RoomsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(@Tenant() tenantId: string, @Body(body(CreateRoom)) wanted: CreateRoom): Promise<CreatedRoom> {
    const { room, sessionId, dueAt, participantId, pin, language, media } = await createRoom(this.deps, tenantId, {
      name: wanted.name,
      hostName: wanted.hostName,
      ...(wanted.number === undefined ? {} : { number: wanted.number }),
      bridge: wanted.bridge,
      max_participants: wanted.maxParticipants,
      max_duration_s: wanted.maxDurationSeconds,
      never_used_s: wanted.neverUsedSeconds,
      browsers_left_s: wanted.browsersLeftSeconds,
      phones_left_s: wanted.phonesLeftSeconds,
      alone_s: wanted.aloneSeconds,
      empty_s: wanted.emptySeconds,
    });
    return {
      room: showRoom(room),
      session: { id: sessionId, state: 'open', dueAt: dueAt.toISOString() },
      client: showClient(media),
      participantId,
      pin,
      pinSpaced: spacedPin(pin),
      number: room.number,
      numbers: [{ number: room.number, language }],
      tapToCall: tapToCall(room.number, pin),
      invitation: invitation({ name: room.name, number: room.number, pin, language }),
    };
  }

  @Get()
  async list(@Tenant() tenantId: string, @Query(query(ListRooms)) { limit, after }: ListRooms): Promise<RoomPage> {
    if (after !== undefined && (await readRoom(this.deps.store, tenantId, after)) === null) throw noSuchPage();
    // One more than is shown tells whether there is a next page.
    const rows = await listRooms(this.deps.store, tenantId, { limit: limit + 1, ...(after === undefined ? {} : { after }) });
    const shown = rows.slice(0, limit);
    return { rooms: shown.map(showRoom), next: rows.length > limit ? (shown.at(-1)?.id ?? null) : null };
  }

  @Get(':roomId')
  async get(@Tenant() tenantId: string, @Param('roomId', roomId) id: string): Promise<RoomDetails> {
    const row = await readRoom(this.deps.store, tenantId, id);
    if (row === null) throw noSuchRoom();
    const session = row.sessions[0];
    const sealed = row.pins[0];
    const pin = sealed === undefined ? null : this.deps.pins.open(sealed.sealed, sealed.id);
    const number = await findNumber(this.deps.store, row.number);
    return {
      room: showRoom(row),
      session: session === undefined ? null : showSession(session),
      legs: session?.legs.map(showLeg) ?? [],
      pin,
      pinSpaced: pin === null ? null : spacedPin(pin),
      number: row.number,
      numbers: number === null ? [] : [{ number: number.e164, language: number.language }],
      tapToCall: pin === null ? null : tapToCall(row.number, pin),
    };
  }

  @Get(':roomId/live')
  async live(@Tenant() tenantId: string, @Param('roomId', roomId) id: string): Promise<LiveRoom> {
    return { legs: (await this.deps.provider.observeRoom({ tenantId, roomId: id })) as LiveRoom['legs'] };
  }

  @Post(':roomId/end')
  @HttpCode(202)
  async end(@Tenant() tenantId: string, @Param('roomId', roomId) id: string): Promise<EndedRoom> {
    const { state, decided, sessionId } = await endRoom(this.deps, tenantId, id);
    return { state, decided, sessionId };
  }
}
