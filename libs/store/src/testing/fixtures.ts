import { claimPin } from '../pins/pins.ts';
import { insertLeg, type LegRow, type NewLeg } from '../legs/legs.ts';
import type { WebhookToken } from '../callers/webhook-tokens.ts';
import { insertRoom } from '../rooms/rooms.ts';
import { type RoomRow, type SessionRow } from '../sessions/session-lock.ts';
import { inTransaction, type Store } from '../database/store.ts';
import type { NewIds } from '../callers/voice-webhooks.ts';

/*
 * Rows for tests, created by the store's functions where these exist. Ids count up, for readable
 * failures.
 */

export const NUMBER = '+442079460000';
export const OTHER_NUMBER = '+442079460001';

let made = 0;
export const freshId = (prefix: string): string => `${prefix}_${(made += 1)}`;

/** A new webhook token. */
export const freshToken = (accountId: string | null = null): WebhookToken => ({
  accountId,
  jti: freshId('jti'),
  expiresAt: new Date('2099-01-01T00:00:00Z'),
});

/** Ids for the rows that an admission may create. */
export const freshIds = (): NewIds => ({
  sessionId: freshId('ses'),
  conversation: freshId('conv'),
  participantId: freshId('part'),
});

/** Stands for the keyed HMAC of a PIN. */
export const lookupOf = (pin: string): Buffer => Buffer.from(`lookup of ${pin}`);

export async function makeNumbers(store: Store): Promise<void> {
  await store.prisma.dial_in_number.createMany({
    data: [
      { e164: NUMBER, language: 'en-GB', guarded: false },
      { e164: OTHER_NUMBER, language: 'de-DE', guarded: false },
    ],
  });
}

/** Creates a tenant with its own provider account and a number of it. */
export async function makeAccount(store: Store): Promise<{ tenantId: string; accountId: string; number: string }> {
  const [tenantId, accountId] = [freshId('ten'), freshId('acct')];
  const number = `+49301${String(made).padStart(6, '0')}`;
  await store.prisma.tenant.create({ data: { id: tenantId, name: tenantId } });
  await store.prisma.provider_account.create({
    data: {
      id: accountId,
      tenant_id: tenantId,
      label: 'Own',
      voice_kind: 'vonage',
      media_kind: 'unified',
      application_id: accountId,
      voice_key_end: 'end',
      ciphertext: new Uint8Array(1),
      verified_at: new Date(),
    },
  });
  await store.prisma.dial_in_number.create({
    data: { e164: number, guarded: false, dedicated_to: tenantId, account_id: accountId },
  });
  return { tenantId, accountId, number };
}

export interface TestRoom {
  readonly tenantId: string;
  readonly roomId: string;
  readonly sessionId: string;
  readonly conversation: string;
  readonly pin: string;
}

/**
 * Creates a tenant with a room, its first session and a PIN. Of the room's timers only the max
 * duration is on.
 */
export async function makeRoom(store: Store, settings: Partial<RoomRow> = {}): Promise<TestRoom> {
  const tenantId = settings.tenant_id ?? freshId('ten');
  await store.prisma.tenant.upsert({ where: { id: tenantId }, create: { id: tenantId, name: tenantId }, update: {} });
  const ids = { room: freshId('room'), session: freshId('ses'), conversation: freshId('conv'), pin: freshId('pin') };
  const pin = `80416${made}`;
  const number = await store.prisma.dial_in_number.findUnique({ where: { e164: settings.number ?? NUMBER } });
  await inTransaction(store, tenantId, async (tx) => {
    const { room } = await insertRoom(tx, tenantId, {
      room: {
        name: 'Room',
        number: NUMBER,
        bridge: 'auto',
        max_participants: 10,
        max_duration_s: 3_600,
        never_used_s: null,
        browsers_left_s: null,
        phones_left_s: null,
        alone_s: null,
        empty_s: null,
        ...settings,
        id: ids.room,
      },
      session: {
        id: ids.session,
        conversation: ids.conversation,
        mediaSessionId: null,
        accountId: number?.account_id ?? null,
      },
      participant: { id: freshId('part'), name: 'Host' },
    });
    await claimPin(tx, tenantId, {
      id: ids.pin,
      roomId: room.id,
      number: room.number,
      lookups: [lookupOf(pin)],
      // Of its own, so that rooms can be made at the same time.
      heads: [lookupOf(pin)],
      ciphertext: Buffer.from('ciphertext'),
      digits: 9,
    });
  });
  return { tenantId, roomId: ids.room, sessionId: ids.session, conversation: ids.conversation, pin };
}

/** Creates a leg in a session, and sets the given columns. */
export async function makeLeg(
  store: Store,
  { tenantId, sessionId }: { tenantId: string; sessionId: string },
  leg: Partial<LegRow> & Pick<NewLeg, 'kind' | 'state'>,
): Promise<string> {
  const id = leg.id ?? freshId('leg');
  await inTransaction(store, tenantId, (tx) =>
    insertLeg(
      tx,
      tenantId,
      { id: sessionId, account_id: leg.account_id ?? null },
      { deadline_at: new Date('2099-01-01T00:00:00Z'), ...leg, id },
    ),
  );
  await setColumns(store, 'leg', id, { ...leg, id });
  return id;
}

/** Sets columns without any checks, to put a row into the initial state of a test. */
export async function setColumns(
  store: Store,
  table: 'leg' | 'session' | 'room' | 'pin',
  id: string,
  columns: Partial<LegRow> | Partial<SessionRow> | Record<string, unknown>,
): Promise<void> {
  const names = Object.keys(columns);
  await store.pool.query(
    `UPDATE ${table} SET ${names.map((name, i) => `${name} = $${i + 2}`).join(', ')} WHERE id = $1`,
    [id, ...Object.values(columns)],
  );
}

export const readLeg = async (store: Store, id: string): Promise<LegRow> =>
  (await store.prisma.leg.findUniqueOrThrow({ where: { id } })) as LegRow;
export const readSession = async (store: Store, id: string): Promise<SessionRow> =>
  (await store.prisma.session.findUniqueOrThrow({ where: { id } })) as SessionRow;

/** Creates an endpoint of a tenant. */
export async function makeEndpoint(
  store: Store,
  tenantId: string,
  columns: { url?: string; types?: string[]; secret?: Uint8Array<ArrayBuffer> } = {},
): Promise<string> {
  const { id } = await store.prisma.endpoint.create({
    data: {
      id: freshId('ep'),
      tenant_id: tenantId,
      url: 'https://receiver.example/events',
      secret: new Uint8Array(Buffer.from('ciphertext')),
      ...columns,
    },
  });
  return id;
}
