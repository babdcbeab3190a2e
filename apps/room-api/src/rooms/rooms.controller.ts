import {
  Body,
  Controller,
  Delete,
  Get,
  Headers,
  HttpCode,
  Inject,
  Param,
  Patch,
  Post,
  Query,
  Res,
} from '@nestjs/common';
import type { KeyCaller } from '@partyline/conference/keys/create-key';
import { createRoom, type RoomSettings } from '@partyline/conference/rooms/create-room';
import { deleteRoom } from '@partyline/conference/rooms/delete-room';
import { endRoom } from '@partyline/conference/rooms/end-room';
import { noSuchRoom } from '@partyline/conference/errors';
import { updateRoom } from '@partyline/conference/rooms/update-room';
import { MOST_OF_SESSION } from '@partyline/contracts/fields';
import type { LiveRoom } from '@partyline/contracts/legs/leg';
import {
  CreateRoom,
  ListRooms,
  UpdateRoom,
  type CreatedRoom,
  type EndedRoom,
  type Room,
  type RoomDetails,
  type RoomPage,
} from '@partyline/contracts/rooms/room';
import { formatPin } from '@partyline/domain/pin';
import { findNumber } from '@partyline/store/numbers/numbers';
import { listRooms, readRoom } from '@partyline/store/rooms/rooms';
import type { FastifyReply } from 'fastify';
import { Change, type NoteChange } from '../audit/note-change.ts';
import { OwnKey } from '../auth/caller.ts';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { pageOf } from '../input/page.ts';
import { body, instants, noSuchPage, query, roomId } from '../input/parse.ts';
import { etag, versionOf } from './etag.ts';
import { invitation, tapToCall } from './invitation.ts';
import { settingsChanged, toSettings } from './settings.ts';
import { showClient, showLeg, showRoom, showSession } from './show.ts';

@Controller('v1/rooms')
export class RoomsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(
    @Tenant() tenantId: string,
    @Body(body(CreateRoom)) { hostName, number, numberWanted = {}, ...wanted }: CreateRoom,
    @Change() note: NoteChange,
  ): Promise<CreatedRoom> {
    const { room, firstSession: first, pin, hostPin, language } = await createRoom(this.deps, tenantId, {
      ...(toSettings(wanted) as RoomSettings),
      hostName,
      numberWanted: { ...numberWanted, number },
    });
    note({ after: { roomId: room.id, ...settingsChanged(null, room).after } });
    return {
      room: showRoom(room),
      session: first && { id: first.sessionId, state: 'open', dueAt: first.dueAt.toISOString() },
      client: first && showClient(first.media),
      participantId: first && first.participantId,
      pin,
      pinSpaced: formatPin(pin),
      hostPin,
      hostPinSpaced: formatPin(hostPin),
      number: room.number,
      numbers: [{ number: room.number, language }],
      tapToCall: tapToCall(room.number, pin),
      invitation: invitation({ name: room.name, number: room.number, pin, language }),
    };
  }

  @Get()
  async list(
    @Tenant() tenantId: string,
    @Query(query(ListRooms)) { limit, after, createdAfter, createdBefore, ...wanted }: ListRooms,
  ): Promise<RoomPage> {
    const rows = await listRooms(this.deps.store, tenantId, {
      ...wanted,
      ...instants({ createdAfter, createdBefore }),
      limit: limit + 1,
      after,
    });
    if (rows === null) throw noSuchPage();
    const { shown, next } = pageOf(rows, limit, ({ id }) => id);
    return { rooms: shown.map(showRoom), next };
  }

  @Get(':roomId')
  async get(
    @Tenant() tenantId: string,
    @OwnKey() { scopes }: KeyCaller,
    @Param('roomId', roomId) id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RoomDetails> {
    const row = await readRoom(this.deps.store, tenantId, id, MOST_OF_SESSION + 1);
    if (row === null) throw noSuchRoom();
    void reply.header('etag', etag(row));
    const session = row.sessions[0];
    // Who knows a PIN can come in, and as a host: that is more than to look.
    const mayLetIn = scopes.includes('rooms:write') || scopes.includes('admin');
    const shown = (role: string): string | null => {
      const sealed = mayLetIn ? row.pins.find((each) => each.role === role && each.participant_id === null) : undefined;
      return sealed === undefined ? null : this.deps.pins.decrypt(sealed.sealed, sealed.id);
    };
    const [pin, hostPin] = [shown('participant'), shown('host')];
    const number = await findNumber(this.deps.store, tenantId, { number: row.number });
    return {
      room: showRoom(row),
      session: session === undefined ? null : showSession(session),
      legs: session?.legs.slice(0, MOST_OF_SESSION).map(showLeg) ?? [],
      complete: session === undefined || session.legs.length <= MOST_OF_SESSION,
      pin,
      pinSpaced: pin === null ? null : formatPin(pin),
      hostPin,
      hostPinSpaced: hostPin === null ? null : formatPin(hostPin),
      number: row.number,
      numbers: number === null ? [] : [{ number: number.e164, language: number.language }],
      tapToCall: pin === null ? null : tapToCall(row.number, pin),
    };
  }

  @Patch(':roomId')
  async update(
    @Tenant() tenantId: string,
    @Param('roomId', roomId) id: string,
    @Headers('if-match') match: string | undefined,
    @Body(body(UpdateRoom)) wanted: UpdateRoom,
    @Res({ passthrough: true }) reply: FastifyReply,
    @Change() note: NoteChange,
  ): Promise<Room> {
    const { before, room } = await updateRoom(this.deps, tenantId, id, toSettings(wanted), versionOf(match));
    note(settingsChanged(before, room));
    void reply.header('etag', etag(room));
    return showRoom(room);
  }

  @Delete(':roomId')
  @HttpCode(202)
  async remove(@Tenant() tenantId: string, @Param('roomId', roomId) id: string): Promise<EndedRoom> {
    const { state, decided, sessionId } = await deleteRoom(this.deps, tenantId, id);
    return { state, decided, sessionId };
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
