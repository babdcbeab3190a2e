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
import { MAX_SESSION_ITEMS } from '@partyline/contracts/fields';
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
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { CallerKey } from '../auth/caller.ts';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { toPage } from '../input/page.ts';
import { body, toDates, noSuchPage, query, roomIdPipe } from '../input/parse.ts';
import { toEtag, readIfMatch } from './etag.ts';
import { writeInvitation, tapToCallLink } from './invitation.ts';
import { diffSettings, toSettings } from './settings.ts';
import { showClient, showLeg, showRoom, showSession } from './show.ts';

@Controller('v1/rooms')
export class RoomsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(
    @TenantId() tenantId: string,
    @Body(body(CreateRoom)) { hostName, number, numberWanted = {}, ...wanted }: CreateRoom,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<CreatedRoom> {
    const {
      room,
      firstSession: first,
      pin,
      hostPin,
      language,
    } = await createRoom(this.deps, tenantId, {
      ...(toSettings(wanted) as RoomSettings),
      hostName,
      numberWanted: { ...numberWanted, number },
    });
    recordChange({ after: { roomId: room.id, ...diffSettings(null, room).after } });
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
      tapToCall: tapToCallLink(room.number, pin),
      invitation: writeInvitation({ name: room.name, number: room.number, pin, language }),
    };
  }

  @Get()
  async list(
    @TenantId() tenantId: string,
    @Query(query(ListRooms)) { limit, after, createdAfter, createdBefore, ...wanted }: ListRooms,
  ): Promise<RoomPage> {
    const rows = await listRooms(this.deps.store, tenantId, {
      ...wanted,
      ...toDates({ createdAfter, createdBefore }),
      limit: limit + 1,
      after,
    });
    if (rows === null) throw noSuchPage();
    const { shown, next } = toPage(rows, limit, ({ id }) => id);
    return { rooms: shown.map(showRoom), next };
  }

  @Get(':roomId')
  async get(
    @TenantId() tenantId: string,
    @CallerKey() { scopes }: KeyCaller,
    @Param('roomId', roomIdPipe) id: string,
    @Res({ passthrough: true }) reply: FastifyReply,
  ): Promise<RoomDetails> {
    const row = await readRoom(this.deps.store, tenantId, id, MAX_SESSION_ITEMS + 1);
    if (row === null) throw noSuchRoom();
    void reply.header('etag', toEtag(row));
    const session = row.sessions[0];
    // A PIN lets its reader join as a host, so reading rooms is not enough.
    const canReadPins = scopes.includes('rooms:write') || scopes.includes('admin');
    const decryptPin = (role: string): string | null => {
      const ciphertext = canReadPins
        ? row.pins.find((each) => each.role === role && each.participant_id === null)
        : undefined;
      return ciphertext === undefined ? null : this.deps.pins.decrypt(ciphertext.ciphertext, ciphertext.id);
    };
    const [pin, hostPin] = [decryptPin('participant'), decryptPin('host')];
    const number = await findNumber(this.deps.store, tenantId, { number: row.number });
    return {
      room: showRoom(row),
      session: session === undefined ? null : showSession(session),
      legs: session?.legs.slice(0, MAX_SESSION_ITEMS).map(showLeg) ?? [],
      complete: session === undefined || session.legs.length <= MAX_SESSION_ITEMS,
      pin,
      pinSpaced: pin === null ? null : formatPin(pin),
      hostPin,
      hostPinSpaced: hostPin === null ? null : formatPin(hostPin),
      number: row.number,
      numbers: number === null ? [] : [{ number: number.e164, language: number.language }],
      tapToCall: pin === null ? null : tapToCallLink(row.number, pin),
    };
  }

  @Patch(':roomId')
  async update(
    @TenantId() tenantId: string,
    @Param('roomId', roomIdPipe) id: string,
    @Headers('if-match') match: string | undefined,
    @Body(body(UpdateRoom)) wanted: UpdateRoom,
    @Res({ passthrough: true }) reply: FastifyReply,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<Room> {
    const { before, room } = await updateRoom(this.deps, tenantId, id, toSettings(wanted), readIfMatch(match));
    if (room.version !== before.version) recordChange(diffSettings(before, room));
    void reply.header('etag', toEtag(room));
    return showRoom(room);
  }

  @Delete(':roomId')
  @HttpCode(202)
  async remove(@TenantId() tenantId: string, @Param('roomId', roomIdPipe) id: string): Promise<EndedRoom> {
    const { state, decided, sessionId } = await deleteRoom(this.deps, tenantId, id);
    return { state, decided, sessionId };
  }

  @Get(':roomId/live')
  async live(@TenantId() tenantId: string, @Param('roomId', roomIdPipe) id: string): Promise<LiveRoom> {
    return { legs: (await this.deps.provider.observeRoom({ tenantId, roomId: id })) as LiveRoom['legs'] };
  }

  @Post(':roomId/end')
  @HttpCode(202)
  async end(@TenantId() tenantId: string, @Param('roomId', roomIdPipe) id: string): Promise<EndedRoom> {
    const { state, decided, sessionId } = await endRoom(this.deps, tenantId, id);
    return { state, decided, sessionId };
  }
}
