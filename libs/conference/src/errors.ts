import { VerdictError } from '@partyline/domain/verdict';

/* Errors that several use-cases throw. Each names the next step. */

export const noSuchRoom = (): VerdictError =>
  new VerdictError('client', 'room-not-found', 'The room does not exist.', {
    fix: 'Check the id; GET /v1/rooms lists your rooms.',
  });

export const noSuchParticipant = (): VerdictError =>
  new VerdictError('client', 'participant-not-found', 'The participant does not exist.', {
    fix: 'Check the id; GET /v1/rooms/{id}/participants lists the participants of a room.',
  });

export const noSuchNumber = (): VerdictError =>
  new VerdictError('client', 'number-not-found', 'The dial-in number does not exist.', {
    fix: 'Check the number; GET /v1/operator/numbers lists the numbers.',
  });

export const noSuchPin = (): VerdictError =>
  new VerdictError('client', 'pin-not-found', 'The PIN does not exist in this room.', {
    fix: 'Check the id; GET /v1/rooms/{id}/pins lists the personal PINs of a room.',
  });

export const roomEnded = (): VerdictError =>
  new VerdictError('client', 'room-ended', 'The room has ended.', { fix: 'Create a new room with POST /v1/rooms.' });

/** An external id is unique among the active rooms of a tenant. */
export const externalIdTaken = (): VerdictError =>
  new VerdictError('client', 'external-id-taken', 'Another active room has this externalId.', {
    field: '/externalId',
    fix: 'End that room, or choose another externalId; GET /v1/rooms?externalId=... finds it.',
  });

/** A number that leads to a room without a PIN can have no other room. */
export const numberInUse = (): VerdictError =>
  new VerdictError(
    'client',
    'number-in-use',
    'The number already leads to a room without a PIN, or has rooms with PINs and cannot lead to one without.',
    { fix: 'Choose another number, or end the rooms on this number.' },
  );

/** On a shared number, a room without PINs would admit callers of other tenants. */
export const notDedicated = (): VerdictError =>
  new VerdictError('client', 'number-not-dedicated', 'A room without PINs needs a dedicated number.', {
    field: '/pinless',
    fix: 'Use one of your dedicated numbers; GET /v1/numbers lists them.',
  });

/** The room accepts participants only between its start and its end. */
export const roomNotOpen = (message: string): VerdictError =>
  new VerdictError('client', 'room-not-open', message, {
    fix: 'Join while the room is open, or change startsAt and endsAt with PATCH /v1/rooms/{id}.',
  });

/** Browsers and phones count, the bridge leg does not. */
export const roomFull = (): VerdictError =>
  new VerdictError('client', 'room-full', 'The room is full.', {
    fix: 'Wait until a participant leaves, or create rooms with a larger maxParticipants.',
  });

/** Thrown inside the transaction, so that all of it is rolled back. */
export const replayedWebhook = (): VerdictError =>
  new VerdictError('client', 'webhook-replayed', 'The signature of this webhook was used before.');

export const noSuchTenant = (): VerdictError =>
  new VerdictError('client', 'tenant-not-found', 'The tenant does not exist.', {
    fix: 'Check the id; GET /v1/operator/tenants lists the tenants.',
  });

export const noSuchAccount = (): VerdictError =>
  new VerdictError('client', 'provider-account-not-found', 'The provider account does not exist.', {
    fix: 'Check the id; GET /v1/provider-accounts lists your accounts.',
  });

export const noSuchSipAccount = (): VerdictError =>
  new VerdictError('client', 'sip-account-not-found', 'The SIP account does not exist.', {
    fix: 'Check the id; GET /v1/sip-accounts lists your SIP accounts.',
  });

export const accountsNotConfigured = (): VerdictError =>
  new VerdictError(
    'server',
    'accounts-not-configured',
    'This platform does not support provider accounts of tenants.',
    { fix: 'Ask the operator to set MASTER_KEYS: docs/accounts.md.' },
  );

export const accountGone = (): VerdictError =>
  new VerdictError('client', 'provider-account-gone', 'The provider account was deleted.', {
    fix: 'Assign another provider account to the number: docs/operators.md.',
  });

export const noSuchKey = (): VerdictError =>
  new VerdictError('client', 'key-not-found', 'The API key does not exist.', {
    fix: 'Check the id; GET /v1/keys lists your keys.',
  });
