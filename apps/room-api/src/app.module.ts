import { Module, type DynamicModule } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { KeyGuard } from './auth/key.guard.ts';
import { DEPS, type ApiDeps } from './deps.ts';
import { HangUpsController } from './hang-ups/hang-ups.controller.ts';
import { ParticipantsController } from './participants/participants.controller.ts';
import { ReferenceController } from './reference/reference.controller.ts';
import { RoomsController } from './rooms/rooms.controller.ts';
import { SessionsController } from './sessions/sessions.controller.ts';

@Module({})
class RoomApiModule {}

/** The app's one module: its controllers, the guard that stands before every one of them, and what they are given. */
export const roomApiModule = (deps: ApiDeps): DynamicModule => ({
  module: RoomApiModule,
  controllers: [RoomsController, ParticipantsController, SessionsController, HangUpsController, ReferenceController],
  providers: [
    { provide: DEPS, useValue: deps },
    { provide: APP_GUARD, useClass: KeyGuard },
  ],
});
