import type { Store } from './store.ts';

/** A webhook's signature token: usable once, and for how long it would be taken at all. */
export interface UsedToken {
  readonly jti: string;
  readonly expiresAt: Date;
}

export interface AnsweredCaller {
  readonly outcome: 'ask' | 'unknown-number' | 'let-go' | 'replayed';
  readonly leg_id: string | null;
  readonly language: string;
}

/**
 * A caller dialled a number: makes the leg's row, or finds it when the webhook comes again. One round trip.
 * There is no tenant yet: a shared number belongs to nobody until a PIN is keyed.
 * @param keyingS seconds until a caller who was not admitted is let go
 */
export async function answerCaller(
  store: Store,
  token: UsedToken,
  call: { legId: string; callId: string; number: string | null; remote: string | null; keyingS: number },
): Promise<AnsweredCaller> {
  const { rows } = await store.pool.query<AnsweredCaller>({
    name: 'answer-caller',
    text: 'SELECT * FROM answer_caller($1, $2, $3, $4, $5, $6, $7)',
    values: [token.jti, token.expiresAt, call.legId, call.callId, call.number, call.remote, call.keyingS],
  });
  return rows[0]!;
}

export type Admission =
  | { readonly outcome: 'admitted'; readonly language: string; readonly tries: number; readonly tenant_id: string; readonly session_id: string; readonly conversation: string }
  | { readonly outcome: 'wrong-pin' | 'refused' | 'full' | 'let-go' | 'unknown-call' | 'replayed'; readonly language: string; readonly tries: number };

/**
 * A caller keyed a PIN: finds its room on the number that was dialled and seats the caller in the room's session, or counts the try. One
 * round trip. The tenant comes from the PIN's row.
 * @param tryNo which prompt this answers, from 1: a repeated webhook gets the answer of the first
 * @param lookup keyed HMAC of what was keyed; null when that cannot be a PIN
 * @param fresh ids to use if a session or participant has to be made
 */
export async function admitCaller(
  store: Store,
  token: UsedToken,
  keyed: { legId: string; callId: string; tryNo: number; maxTries: number; lookup: Buffer | null },
  fresh: { sessionId: string; conversation: string; participantId: string },
): Promise<Admission> {
  const { rows } = await store.pool.query<Admission>({
    name: 'admit-caller',
    text: 'SELECT * FROM admit_caller($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
    values: [token.jti, token.expiresAt, keyed.legId, keyed.callId, keyed.tryNo, keyed.maxTries, keyed.lookup, fresh.sessionId, fresh.conversation, fresh.participantId],
  });
  return rows[0]!;
}

export type AnsweredOwnLeg =
  | { readonly outcome: 'join'; readonly tenant_id: string; readonly session_id: string; readonly conversation: string; readonly leg_id: string; readonly kind: 'bridge' | 'outbound' }
  | { readonly outcome: 'let-go' | 'unknown-leg' | 'replayed'; readonly leg_id: string | null; readonly tenant_id: string | null; readonly session_id: string | null };

/** A call that we placed was picked up: the bridge, named by its one-time token's SHA-256, or a rung phone, named by its leg id. One round trip. */
export async function answerOwnLeg(store: Store, token: UsedToken, by: { tokenHash: Buffer } | { legId: string }, callId: string): Promise<AnsweredOwnLeg> {
  const { rows } = await store.pool.query<AnsweredOwnLeg>({
    name: 'answer-own-leg',
    text: 'SELECT * FROM answer_own_leg($1, $2, $3, $4, $5)',
    values: [token.jti, token.expiresAt, 'legId' in by ? by.legId : null, 'tokenHash' in by ? by.tokenHash : null, callId],
  });
  return rows[0]!;
}
