import { createBatcher } from '../database/batcher.ts';
import { withKeyedMutex } from '../database/keyed-mutex.ts';
import type { Store } from '../database/store.ts';
import { tokenKey, type WebhookToken } from './webhook-tokens.ts';

/* Platform-wide: a call arrives before its tenant is known; the row of the PIN or the leg gives the
   tenant. */

/** The session that a caller was admitted to. */
export interface AdmittedTo {
  readonly tenant_id: string;
  readonly session_id: string;
  readonly conversation: string;
  /** Whether the caller waits for the host. */
  readonly waits: boolean;
  /** Whether the person is muted, by an earlier call. Default: false. */
  readonly muted?: boolean;
  /** The end of the session at the latest. */
  readonly deadline_at: Date;
}
/**
 * The room is full, the tenant is at its limit, it is before or after the room's time, or the
 * budget is spent.
 */
type NotAdmitted = 'full' | 'at-limit' | 'not-open' | 'over' | 'spent';

export type AnsweredCaller =
  | ({ readonly outcome: 'admitted'; readonly leg_id: string; readonly language: string } & AdmittedTo)
  | {
      readonly outcome: 'ask' | 'ask-slowly' | NotAdmitted | 'hang-up';
      readonly leg_id: string;
      readonly language: string;
    }
  // `busy`: rejected by the guard before the PIN prompt (docs/fraud.md), without a leg.
  // `account-busy`: rejected because the account has too many open or new calls, without a leg.
  // `suspended`: the number of a suspended tenant.
  | {
      readonly outcome: 'unknown-number' | 'suspended' | 'account-busy' | 'busy' | 'replayed';
      readonly leg_id: null;
      readonly language: string;
    };

interface IncomingCall {
  readonly legId: string;
  readonly callId: string;
  readonly number: string | null;
  readonly remote: string | null;
}

/** Ids for a session or a participant that the statement may create. */
export interface NewIds {
  readonly sessionId: string;
  readonly conversation: string;
  readonly participantId: string;
}

/**
 * Answers a call to a dial-in number: creates the leg, or finds it for a duplicate webhook. A leg
 * at the platform's account has no tenant until the caller keys a correct PIN; a caller of a
 * pinless room's number is admitted at once. Concurrent calls share one round trip.
 */
export async function answerCaller(
  store: Store,
  token: WebhookToken,
  call: IncomingCall,
  newIds: NewIds,
): Promise<AnsweredCaller> {
  return batchersOf(store).answer({ token, call, newIds });
}

export type Admission =
  | ({ readonly outcome: 'admitted'; readonly language: string; readonly prompts: number } & AdmittedTo)
  | {
      readonly outcome:
        'wrong-pin' | 'refused' | 'no-digits' | 'silent' | NotAdmitted | 'hang-up' | 'unknown-call' | 'replayed';
      readonly language: string;
      /** The prompts of the call that are answered. */
      readonly prompts: number;
    };

interface PinEntry {
  readonly legId: string;
  readonly callId: string;
  /** The number of the prompt, from 1. A duplicate webhook gets the answer of the first. */
  readonly tryNo: number;
  /** Keyed HMACs of the digits, one for each key; null for input that cannot be a PIN. */
  readonly lookups: readonly Buffer[] | null;
  /** The prompt ended without a digit. Default: false. */
  readonly isSilent?: boolean;
}

/**
 * Processes a keyed PIN: finds its room on the dialled number and admits the caller to the room's
 * session, or counts the attempt. The tenant comes from the PIN's row. One round trip, shared with
 * concurrent callers.
 */
export async function admitCaller(
  store: Store,
  token: WebhookToken,
  entry: PinEntry,
  newIds: NewIds,
): Promise<Admission> {
  return batchersOf(store).admit({ token, entry, newIds });
}

interface Batchers {
  readonly answer: (request: { token: WebhookToken; call: IncomingCall; newIds: NewIds }) => Promise<AnsweredCaller>;
  readonly admit: (request: { token: WebhookToken; entry: PinEntry; newIds: NewIds }) => Promise<Admission>;
}

const batchersByStore = new WeakMap<Store, Batchers>();

function batchersOf(store: Store): Batchers {
  const found = batchersByStore.get(store) ?? createBatchers(store);
  batchersByStore.set(store, found);
  return found;
}

/**
 * SQL that reads the batch ($1, JSON) as rows. It sets a short lock timeout first, until the end of
 * the statement: a batch that meets a locked row rolls back and its requests run alone, so that
 * callers of other rooms do not wait for one room.
 */
const requestRows = (columns: string): string =>
  `ROWS FROM (
     json_to_recordset(CASE WHEN set_config('lock_timeout', '100ms', true) <> '' THEN $1::json END) AS (${columns})
   ) WITH ORDINALITY`;

const ANSWER_COLUMNS = `jti text, expires timestamptz, leg text, call text, number text, remote text, session text,
  conversation text, participant text, account text`;
const ADMIT_COLUMNS = `jti text, expires timestamptz, leg text, call text, try int, lookups bytea[], session text,
  conversation text, participant text, account text, silent boolean`;

const createBatchers = (store: Store): Batchers => ({
  answer: createBatcher({
    async runBatch(batch) {
      const { rows } = await store.pool.query<AnsweredCaller>({
        name: 'answer-callers',
        // By number: the number of a pinless room leads to the room's lock, and all batches must
        // take these locks in the same order. OFFSET 0 keeps the planner from dropping the order.
        text: `SELECT a.*
               FROM (
                 SELECT *
                 FROM ${requestRows(ANSWER_COLUMNS)}
                   AS row (
                     jti, expires, leg, call, number, remote, session, conversation, participant, account, position
                   )
                 ORDER BY number, position
                 OFFSET 0
               ) AS q,
               LATERAL answer_caller(
                 q.jti, q.expires, q.leg, q.call, q.number, q.remote, q.session, q.conversation, q.participant,
                 q.account
               ) AS a
               ORDER BY q.position`,
        values: [
          JSON.stringify(
            batch.map(({ token, call, newIds }) => ({
              jti: tokenKey(token),
              expires: token.expiresAt,
              leg: call.legId,
              call: call.callId,
              number: call.number,
              remote: call.remote,
              session: newIds.sessionId,
              conversation: newIds.conversation,
              participant: newIds.participantId,
              account: token.accountId,
            })),
          ),
        ],
      });
      return rows;
    },
    async runOne({ token, call, newIds }) {
      // The mutex, per number here and per PIN below, lets callers who wait for the same room's
      // lock use one connection instead of one each.
      const { rows } = await withKeyedMutex(store, `number ${call.number}`, () =>
        store.pool.query<AnsweredCaller>({
          name: 'answer-caller',
          text: 'SELECT * FROM answer_caller($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
          values: [
            tokenKey(token),
            token.expiresAt,
            call.legId,
            call.callId,
            call.number,
            call.remote,
            newIds.sessionId,
            newIds.conversation,
            newIds.participantId,
            token.accountId,
          ],
        }),
      );
      return rows[0]!;
    },
  }),
  admit: createBatcher({
    async runBatch(batch) {
      const { rows } = await store.pool.query<Admission>({
        name: 'admit-callers',
        // By PIN look-up, so that all batches lock rooms in the same order.
        text: `SELECT a.*
               FROM (
                 SELECT *
                 FROM ${requestRows(ADMIT_COLUMNS)}
                   AS row (
                     jti, expires, leg, call, try, lookups, session, conversation, participant, account, silent,
                     position
                   )
                 ORDER BY lookups
                 OFFSET 0
               ) AS q,
               LATERAL admit_caller(
                 q.jti, q.expires, q.leg, q.call, q.try, q.lookups, q.session, q.conversation, q.participant,
                 q.account, q.silent
               ) AS a
               ORDER BY q.position`,
        values: [
          JSON.stringify(
            batch.map(({ token, entry, newIds }) => ({
              jti: tokenKey(token),
              expires: token.expiresAt,
              leg: entry.legId,
              call: entry.callId,
              try: entry.tryNo,
              lookups: entry.lookups?.map((lookup) => `\\x${lookup.toString('hex')}`) ?? null,
              session: newIds.sessionId,
              conversation: newIds.conversation,
              participant: newIds.participantId,
              account: token.accountId,
              silent: entry.isSilent ?? false,
            })),
          ),
        ],
      });
      return rows;
    },
    async runOne({ token, entry, newIds }) {
      const key = `pin ${token.accountId} ${entry.lookups?.[0]?.toString('base64') ?? entry.legId}`;
      const { rows } = await withKeyedMutex(store, key, () =>
        store.pool.query<Admission>({
          name: 'admit-caller',
          text: 'SELECT * FROM admit_caller($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)',
          values: [
            tokenKey(token),
            token.expiresAt,
            entry.legId,
            entry.callId,
            entry.tryNo,
            entry.lookups,
            newIds.sessionId,
            newIds.conversation,
            newIds.participantId,
            token.accountId,
            entry.isSilent ?? false,
          ],
        }),
      );
      return rows[0]!;
    },
  }),
});

type AnsweredOwnLeg =
  | {
      readonly outcome: 'join';
      readonly tenant_id: string;
      readonly session_id: string;
      readonly conversation: string;
      readonly leg_id: string;
      readonly kind: 'bridge' | 'outbound';
      readonly waits: boolean;
      readonly deadline_at: Date;
    }
  | {
      readonly outcome: 'hang-up' | 'unknown-leg' | 'replayed';
      readonly leg_id: string | null;
      readonly tenant_id: string | null;
      readonly session_id: string | null;
    };

/**
 * Records that a call which we placed was answered: the bridge call, identified by the SHA-256 of
 * its one-time token, or an outbound call, identified by its leg id. One round trip.
 */
export async function answerOwnLeg(
  store: Store,
  token: WebhookToken,
  by: { tokenHash: Buffer } | { legId: string },
  callId: string,
): Promise<AnsweredOwnLeg> {
  const { rows } = await store.pool.query<AnsweredOwnLeg>({
    name: 'answer-own-leg',
    text: 'SELECT * FROM answer_own_leg($1, $2, $3, $4, $5, $6)',
    values: [
      tokenKey(token),
      token.expiresAt,
      'legId' in by ? by.legId : null,
      'tokenHash' in by ? by.tokenHash : null,
      callId,
      token.accountId,
    ],
  });
  return rows[0]!;
}
