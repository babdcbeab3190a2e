import { createBatcher } from '../database/batcher.ts';
import { withKeyedMutex } from '../database/keyed-mutex.ts';
import type { Store } from '../database/store.ts';
import { tokenKey, type WebhookToken } from './webhook-tokens.ts';

/* Platform-wide: a call comes in before anybody knows whose it is; the PIN’s or the leg’s row says so. */

/** Where a caller was seated. */
export interface AdmittedTo {
  readonly tenant_id: string;
  readonly session_id: string;
  readonly conversation: string;
  /** They are held until a host is in. */
  readonly waits: boolean;
}
/** Why a caller was not: as many are in as the room takes, it is before or after the room's time, or the money for it is used up. */
type NotAdmitted = 'full' | 'at-limit' | 'not-open' | 'over' | 'spent';

export type AnsweredCaller =
  | ({ readonly outcome: 'admitted'; readonly leg_id: string; readonly language: string } & AdmittedTo)
  | {
      readonly outcome: 'ask' | 'ask-slowly' | NotAdmitted | 'hang-up';
      readonly leg_id: string;
      readonly language: string;
    }
  // `busy` and `later`: not asked, by the guard before the PIN (docs/fraud.md), and nothing is kept of the call.
  | {
      readonly outcome: 'unknown-number' | 'busy' | 'later' | 'replayed';
      readonly leg_id: null;
      readonly language: string;
    };

interface IncomingCall {
  readonly legId: string;
  readonly callId: string;
  readonly number: string | null;
  readonly remote: string | null;
}

/**
 * A caller dialled a number: makes the leg's row, or finds it when the webhook comes again. One round trip, shared with the callers of
 * the same moment. There is no tenant yet: a shared number belongs to nobody until a PIN is keyed. On a number that a room has without a PIN the
 * caller is seated at once.
 */
export async function answerCaller(
  store: Store,
  token: WebhookToken,
  call: IncomingCall,
  fresh: NewIds,
): Promise<AnsweredCaller> {
  return batchersOf(store).answer({ token, call, fresh });
}

export type Admission =
  | ({ readonly outcome: 'admitted'; readonly language: string; readonly tries: number } & AdmittedTo)
  | {
      readonly outcome: 'wrong-pin' | 'refused' | NotAdmitted | 'hang-up' | 'unknown-call' | 'replayed';
      readonly language: string;
      readonly tries: number;
    };

interface PinEntry {
  readonly legId: string;
  readonly callId: string;
  /** Which prompt this answers, from 1: a repeated webhook gets the answer of the first. */
  readonly tryNo: number;
  /** Keyed HMAC of what was keyed; null when that cannot be a PIN. */
  readonly lookup: Buffer | null;
}

/** Ids to use if a session or participant has to be made. */
export interface NewIds {
  readonly sessionId: string;
  readonly conversation: string;
  readonly participantId: string;
}

/**
 * A caller keyed a PIN: finds its room on the number that was dialled and seats the caller in the room's session, or counts the try. One
 * round trip, shared with the callers of the same moment. The tenant comes from the PIN's row.
 */
export async function admitCaller(
  store: Store,
  token: WebhookToken,
  keyed: PinEntry,
  fresh: NewIds,
): Promise<Admission> {
  return batchersOf(store).admit({ token, keyed, fresh });
}

interface Batchers {
  readonly answer: (question: { token: WebhookToken; call: IncomingCall; fresh: NewIds }) => Promise<AnsweredCaller>;
  readonly admit: (question: { token: WebhookToken; keyed: PinEntry; fresh: NewIds }) => Promise<Admission>;
}

const batchersByStore = new WeakMap<Store, Batchers>();

function batchersOf(store: Store): Batchers {
  const found = batchersByStore.get(store) ?? createBatchers(store);
  batchersByStore.set(store, found);
  return found;
}

/**
 * The questions of a group, in $1, as rows. A group does not wait for a locked row: after a moment it is undone and each is asked alone,
 * so that callers of other rooms don't wait for one room. The limit is set before the rows can be read, and ends with the statement.
 */
const questions = (columns: string): string =>
  `ROWS FROM (json_to_recordset(CASE WHEN set_config('lock_timeout', '100ms', true) <> '' THEN $1::json END) AS (${columns})) WITH ORDINALITY`;

const createBatchers = (store: Store): Batchers => ({
  answer: createBatcher({
    async runBatch(group) {
      const { rows } = await store.pool.query<AnsweredCaller>({
        name: 'answer-callers',
        // By number, as below by look-up: a number may lead to a room, which is then locked.
        text: `SELECT a.* FROM (
                 SELECT * FROM ${questions('jti text, expires timestamptz, leg text, call text, number text, remote text, session text, conversation text, participant text, account text')}
                   AS row (jti, expires, leg, call, number, remote, session, conversation, participant, account, position) ORDER BY number, position OFFSET 0
               ) AS q, LATERAL answer_caller(q.jti, q.expires, q.leg, q.call, q.number, q.remote, q.session, q.conversation, q.participant, q.account) AS a ORDER BY q.position`,
        values: [
          JSON.stringify(
            group.map(({ token, call, fresh }) => ({
              jti: tokenKey(token),
              expires: token.expiresAt,
              leg: call.legId,
              call: call.callId,
              number: call.number,
              remote: call.remote,
              session: fresh.sessionId,
              conversation: fresh.conversation,
              participant: fresh.participantId,
              account: token.accountId,
            })),
          ),
        ],
      });
      return rows;
    },
    async runOne({ token, call, fresh }) {
      // One after another for a number, and below for a PIN: whoever waits for a room's session holds one connection for all who come to it.
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
            fresh.sessionId,
            fresh.conversation,
            fresh.participantId,
            token.accountId,
          ],
        }),
      );
      return rows[0]!;
    },
  }),
  admit: createBatcher({
    async runBatch(group) {
      const { rows } = await store.pool.query<Admission>({
        name: 'admit-callers',
        // By look-up, so that every group locks rooms in the same order; OFFSET 0 keeps the planner from undoing that.
        text: `SELECT a.* FROM (
                 SELECT * FROM ${questions('jti text, expires timestamptz, leg text, call text, try int, lookup bytea, session text, conversation text, participant text, account text')}
                   AS row (jti, expires, leg, call, try, lookup, session, conversation, participant, account, position) ORDER BY lookup OFFSET 0
               ) AS q, LATERAL admit_caller(q.jti, q.expires, q.leg, q.call, q.try, q.lookup, q.session, q.conversation, q.participant, q.account) AS a ORDER BY q.position`,
        values: [
          JSON.stringify(
            group.map(({ token, keyed, fresh }) => ({
              jti: tokenKey(token),
              expires: token.expiresAt,
              leg: keyed.legId,
              call: keyed.callId,
              try: keyed.tryNo,
              lookup: keyed.lookup === null ? null : `\\x${keyed.lookup.toString('hex')}`,
              session: fresh.sessionId,
              conversation: fresh.conversation,
              participant: fresh.participantId,
              account: token.accountId,
            })),
          ),
        ],
      });
      return rows;
    },
    async runOne({ token, keyed, fresh }) {
      const { rows } = await withKeyedMutex(
        store,
        `pin ${token.accountId} ${keyed.lookup?.toString('base64') ?? keyed.legId}`,
        () =>
          store.pool.query<Admission>({
            name: 'admit-caller',
            text: 'SELECT * FROM admit_caller($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)',
            values: [
              tokenKey(token),
              token.expiresAt,
              keyed.legId,
              keyed.callId,
              keyed.tryNo,
              keyed.lookup,
              fresh.sessionId,
              fresh.conversation,
              fresh.participantId,
              token.accountId,
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
    }
  | {
      readonly outcome: 'hang-up' | 'unknown-leg' | 'replayed';
      readonly leg_id: string | null;
      readonly tenant_id: string | null;
      readonly session_id: string | null;
    };

/** A call that we placed was picked up: the bridge, named by its one-time token's SHA-256, or a rung phone, named by its leg id. One round trip. */
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
