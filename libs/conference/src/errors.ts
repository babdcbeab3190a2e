import { VerdictError } from '@partyline/domain/verdict';

/** Refusals that more than one use-case gives; each says what to do about it. */
export const noSuchRoom = (): VerdictError =>
  new VerdictError('client', 'room-not-found', 'There is no such room.', {
    fix: 'Check the id; GET /v1/rooms lists your rooms.',
  });

export const noSuchParticipant = (): VerdictError =>
  new VerdictError('client', 'participant-not-found', 'There is no such participant.', {
    fix: 'Check the id; GET /v1/rooms/{id}/participants lists a room’s.',
  });

export const noSuchNumber = (): VerdictError =>
  new VerdictError('client', 'number-not-found', 'There is no such dial-in number.', {
    fix: 'Check it; GET /v1/operator/numbers lists them.',
  });

export const noSuchPin = (): VerdictError =>
  new VerdictError('client', 'pin-not-found', 'There is no such PIN in this room.', {
    fix: 'Check the id; GET /v1/rooms/{id}/pins lists those of people.',
  });

export const roomEnded = (): VerdictError =>
  new VerdictError('client', 'room-ended', 'This room has ended.', { fix: 'Create a new room with POST /v1/rooms.' });

/** An external id is good for one active room of its tenant. */
export const externalIdTaken = (): VerdictError =>
  new VerdictError('client', 'external-id-taken', 'Another active room has this externalId.', {
    field: '/externalId',
    fix: 'End that room, or choose another id; GET /v1/rooms?externalId=… finds it.',
  });

/** A number without PINs leads to one room. */
export const numberInUse = (): VerdictError =>
  new VerdictError(
    'client',
    'number-in-use',
    'This number leads to a room without a PIN, or would take it from rooms that have PINs on it.',
    { fix: 'Choose another number, or end the rooms on this one.' },
  );

/** Without PINs, a shared number would lead strangers into a room. */
export const notDedicated = (): VerdictError =>
  new VerdictError('client', 'number-not-dedicated', 'A room without PINs needs a number of your own.', {
    field: '/pinless',
    fix: 'Name one of your dedicated numbers; GET /v1/numbers lists them.',
  });

/** Nobody joins before a room's time, nor after it. */
export const roomNotOpen = (message: string): VerdictError =>
  new VerdictError('client', 'room-not-open', message, {
    fix: 'Join while it is open, or change startsAt and endsAt with PATCH /v1/rooms/{id}.',
  });

/** Everybody counts, browsers and phones, but not the bridge. */
export const roomFull = (): VerdictError =>
  new VerdictError('client', 'room-full', 'As many people are in this room as it takes.', {
    fix: 'Wait until somebody leaves, or create rooms with a larger maxParticipants.',
  });

/** Thrown inside the transaction, so that nothing of it stands. */
export const replayedWebhook = (): VerdictError =>
  new VerdictError('client', 'webhook-replayed', 'This signed webhook was used before.');

export const noSuchTenant = (): VerdictError =>
  new VerdictError('client', 'tenant-not-found', 'There is no such tenant.', {
    fix: 'Check the id; GET /v1/operator/tenants lists them.',
  });

export const noSuchAccount = (): VerdictError =>
  new VerdictError('client', 'provider-account-not-found', 'There is no such provider account.', {
    fix: 'Check the id; GET /v1/provider-accounts lists yours.',
  });

export const accountsNotConfigured = (): VerdictError =>
  new VerdictError('server', 'accounts-not-configured', 'This platform keeps no accounts of tenants’ own.', {
    fix: 'Its operator sets MASTER_KEYS: docs/accounts.md.',
  });

export const accountGone = (): VerdictError =>
  new VerdictError('client', 'provider-account-gone', 'There is no such provider account any more.', {
    fix: 'The number that led to it must be given another: docs/operators.md.',
  });

export const noSuchKey = (): VerdictError =>
  new VerdictError('client', 'key-not-found', 'There is no such key.', {
    fix: 'Check the id; GET /v1/keys lists yours.',
  });
