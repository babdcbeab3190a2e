import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { addPin, removePin, rotatePins } from '@partyline/conference/pins/add-pin';
import { noSuchPin, noSuchRoom } from '@partyline/conference/errors';
import {
  CreatePin,
  type CreatedPin,
  type DeletedPin,
  type Pins,
  type RotatedPins,
} from '@partyline/contracts/pins/pin';
import { formatPin } from '@partyline/domain/pin';
import { listPersonalPins } from '@partyline/store/pins/pins';
import { Change, type NoteChange } from '../audit/note-change.ts';
import { Tenant } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { body, idOr, roomId } from '../input/parse.ts';
import { tapToCall } from '../rooms/invitation.ts';

const pinId = idOr(noSuchPin);

@Controller('v1/rooms/:roomId/pins')
export class PinsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(
    @Tenant() tenantId: string,
    @Param('roomId', roomId) id: string,
    @Body(body(CreatePin)) wanted: CreatePin,
    @Change() note: NoteChange,
  ): Promise<CreatedPin> {
    const { number, pin, ...made } = await addPin(this.deps, tenantId, id, wanted);
    note({ after: { pinId: made.id, participantId: made.participantId, role: wanted.role } });
    return {
      id: made.id,
      participantId: made.participantId,
      ...wanted,
      pin,
      pinSpaced: formatPin(pin),
      number,
      tapToCall: tapToCall(number, pin),
    };
  }

  @Get()
  async list(@Tenant() tenantId: string, @Param('roomId', roomId) id: string): Promise<Pins> {
    const pins = await listPersonalPins(this.deps.store, tenantId, id);
    if (pins === null) throw noSuchRoom();
    return {
      pins: pins.map((pin) => ({
        id: pin.id,
        participantId: pin.participant_id,
        name: pin.name,
        role: pin.role,
        createdAt: pin.created_at.toISOString(),
      })),
    };
  }

  @Post('rotate')
  @HttpCode(200)
  async rotate(@Tenant() tenantId: string, @Param('roomId', roomId) id: string): Promise<RotatedPins> {
    const { pin, hostPin, room } = await rotatePins(this.deps, tenantId, id);
    return {
      pin,
      pinSpaced: formatPin(pin),
      hostPin,
      hostPinSpaced: formatPin(hostPin),
      tapToCall: tapToCall(room.number, pin),
    };
  }

  @Delete(':pinId')
  async remove(
    @Tenant() tenantId: string,
    @Param('roomId', roomId) room: string,
    @Param('pinId', pinId) id: string,
  ): Promise<DeletedPin> {
    await removePin(this.deps, tenantId, room, id);
    return { id };
  }
}
