import { Module, type DynamicModule } from '@nestjs/common';
import { APP_GUARD, APP_INTERCEPTOR } from '@nestjs/core';
import { AuditController } from './audit/audit.controller.ts';
import { AuditInterceptor } from './audit/audit.interceptor.ts';
import { KeyGuard } from './auth/key.guard.ts';
import { DEPS, type ApiDeps } from './deps.ts';
import { EndpointsController } from './endpoints/endpoints.controller.ts';
import { EventsController } from './events/events.controller.ts';
import { HangUpsController } from './hang-ups/hang-ups.controller.ts';
import { KeysController } from './keys/keys.controller.ts';
import { PlatformController } from './tenants/platform.controller.ts';
import { TenantsController } from './tenants/tenants.controller.ts';
import { IdempotencyInterceptor } from './idempotency/idempotency.interceptor.ts';
import { perRequest } from './idempotency/per-request.ts';
import { AddressGate } from './limits/address-gate.ts';
import { LimitsController } from './limits/limits.controller.ts';
import { RateGuard } from './limits/rate.guard.ts';
import { NumbersController } from './numbers/numbers.controller.ts';
import { OperatorNumbersController } from './numbers/operator-numbers.controller.ts';
import { ParticipantsController } from './participants/participants.controller.ts';
import { PeopleController } from './participants/people.controller.ts';
import { PinsController } from './pins/pins.controller.ts';
import { ProviderAccountsController } from './provider-accounts/provider-accounts.controller.ts';
import { ReferenceController } from './reference/reference.controller.ts';
import { RoomsController } from './rooms/rooms.controller.ts';
import { SessionsController } from './sessions/sessions.controller.ts';
import { UsageController } from './billing/usage.controller.ts';

@Module({})
class RoomApiModule {}

/** The app's one module: its controllers, the guard that stands before every one of them, and what they are given. */
export const roomApiModule = (deps: ApiDeps): DynamicModule => ({
  module: RoomApiModule,
  controllers: [
    RoomsController,
    ParticipantsController,
    PeopleController,
    PinsController,
    NumbersController,
    OperatorNumbersController,
    ProviderAccountsController,
    SessionsController,
    EventsController,
    EndpointsController,
    HangUpsController,
    LimitsController,
    UsageController,
    KeysController,
    AuditController,
    TenantsController,
    PlatformController,
    ReferenceController,
  ],
  providers: [
    { provide: DEPS, useValue: perRequest(deps) },
    AddressGate,
    { provide: APP_GUARD, useClass: KeyGuard },
    { provide: APP_GUARD, useClass: RateGuard },
    // The outermost: what another answers in the handler's place was asked for all the same.
    { provide: APP_INTERCEPTOR, useClass: AuditInterceptor },
    { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
  ],
});
