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
import { bindRequestContext } from './idempotency/request-context.ts';
import { UnknownBodyInterceptor } from './input/unknown-body.interceptor.ts';
import { AddressGate } from './limits/address-gate.ts';
import { LimitsController } from './limits/limits.controller.ts';
import { RateGuard } from './limits/rate.guard.ts';
import { NumbersController } from './numbers/numbers.controller.ts';
import { OperatorNumbersController } from './numbers/operator-numbers.controller.ts';
import { RoomParticipantsController } from './participants/room-participants.controller.ts';
import { ParticipantsController } from './participants/participants.controller.ts';
import { PinsController } from './pins/pins.controller.ts';
import { ProviderAccountsController } from './provider-accounts/provider-accounts.controller.ts';
import { ReferenceController } from './reference/reference.controller.ts';
import { RoomsController } from './rooms/rooms.controller.ts';
import { SipAccountsController } from './sip-accounts/sip-accounts.controller.ts';
import { SessionsController } from './sessions/sessions.controller.ts';
import { UsageController } from './billing/usage.controller.ts';

@Module({})
class RoomApiModule {}

/** The module of the app: controllers, guards, interceptors and dependencies. */
export const roomApiModule = (deps: ApiDeps): DynamicModule => ({
  module: RoomApiModule,
  controllers: [
    RoomsController,
    RoomParticipantsController,
    ParticipantsController,
    PinsController,
    NumbersController,
    OperatorNumbersController,
    ProviderAccountsController,
    SipAccountsController,
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
    { provide: DEPS, useValue: bindRequestContext(deps) },
    AddressGate,
    { provide: APP_GUARD, useClass: KeyGuard },
    { provide: APP_GUARD, useClass: RateGuard },
    // The audit interceptor is the outermost: it also records requests that another interceptor
    // answers.
    { provide: APP_INTERCEPTOR, useClass: AuditInterceptor },
    { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
    { provide: APP_INTERCEPTOR, useClass: UnknownBodyInterceptor },
  ],
});
