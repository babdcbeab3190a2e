import { VerdictError } from '@partyline/domain/verdict';

/** Refusals that more than one use-case gives; each says what to do about it. */
export const noSuchRoom = (): VerdictError => new VerdictError('client', 'room-not-found', 'There is no such room.', { fix: 'Check the id; GET /v1/rooms lists your rooms.' });

export const roomEnded = (): VerdictError => new VerdictError('client', 'room-ended', 'This room has ended.', { fix: 'Create a new room with POST /v1/rooms.' });

/** Everybody counts, browsers and phones, but not the bridge. */
export const roomFull = (): VerdictError => new VerdictError('client', 'room-full', 'As many people are in this room as it takes.', { fix: 'Wait until somebody leaves, or create rooms with a larger maxParticipants.' });

/** Thrown inside the transaction, so that nothing of it stands. */
export const replayedWebhook = (): VerdictError => new VerdictError('client', 'webhook-replayed', 'This signed webhook was used before.');
