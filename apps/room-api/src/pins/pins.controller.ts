import { Body, Controller, Delete, Get, HttpCode, Inject, Param, Post } from '@nestjs/common';
import { addPin } from '@partyline/conference/pins/add-pin';
import { removePin } from '@partyline/conference/pins/remove-pin';
import { rotatePins } from '@partyline/conference/pins/rotate-pins';
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
import { ChangeRecorder, type RecordChange } from '../audit/record-change.ts';
import { TenantId } from '../auth/key.guard.ts';
import { DEPS, type ApiDeps } from '../deps.ts';
import { body, idPipe, roomIdPipe } from '../input/parse.ts';
import { tapToCallLink } from '../rooms/invitation.ts';

const pinId = idPipe(noSuchPin);

@Controller('v1/rooms/:roomId/pins')
export class PinsController {
  constructor(@Inject(DEPS) private readonly deps: ApiDeps) {}

  @Post()
  async create(
    @TenantId() tenantId: string,
    @Param('roomId', roomIdPipe) id: string,
    @Body(body(CreatePin)) wanted: CreatePin,
    @ChangeRecorder() recordChange: RecordChange,
  ): Promise<CreatedPin> {
    const { number, pin, ...made } = await addPin(this.deps, tenantId, id, wanted);
    recordChange({ after: { pinId: made.id, participantId: made.participantId, role: wanted.role } });
    return {
      id: made.id,
      participantId: made.participantId,
      ...wanted,
      pin,
      pinSpaced: formatPin(pin),
      number,
      tapToCall: tapToCallLink(number, pin),
    };
  }

  @Get()
  async list(@TenantId() tenantId: string, @Param('roomId', roomIdPipe) id: string): Promise<Pins> {
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
  async rotate(@TenantId() tenantId: string, @Param('roomId', roomIdPipe) id: string): Promise<RotatedPins> {
    const { pin, hostPin, room } = await rotatePins(this.deps, tenantId, id);
    return {
      pin,
      pinSpaced: formatPin(pin),
      hostPin,
      hostPinSpaced: formatPin(hostPin),
      tapToCall: tapToCallLink(room.number, pin),
    };
  }

  @Delete(':pinId')
  async remove(
    @TenantId() tenantId: string,
    @Param('roomId', roomIdPipe) room: string,
    @Param('pinId', pinId) id: string,
  ): Promise<DeletedPin> {
    await removePin(this.deps, tenantId, room, id);
    return { id };
  }
}
