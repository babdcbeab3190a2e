import type { RoomSettings } from '@partyline/conference/rooms/create-room';
import type { UpdateRoom } from '@partyline/contracts/rooms/room';
import type { RoomRow } from '@partyline/store/sessions/session-lock';

const toDate = (at: string | null): Date | null => (at === null ? null : new Date(at));

/** The column of each setting, and the conversion of its value. */
const COLUMNS: {
  readonly [S in keyof UpdateRoom]-?: readonly [column: keyof RoomSettings, value?: (given: never) => unknown];
} = {
  name: ['name'],
  bridge: ['bridge'],
  maxParticipants: ['max_participants'],
  maxDurationSeconds: ['max_duration_s'],
  neverUsedSeconds: ['never_used_s'],
  browsersLeftSeconds: ['browsers_left_s'],
  phonesLeftSeconds: ['phones_left_s'],
  aloneSeconds: ['alone_s'],
  emptySeconds: ['empty_s'],
  hostLeftSeconds: ['host_left_s'],
  waitForHost: ['wait_for_host'],
  pinless: ['pinless'],
  startsAt: ['starts_at', toDate],
  endsAt: ['ends_at', toDate],
  expiresAt: ['expires_at', toDate],
  expireAfterDays: ['idle_days'],
  externalId: ['external_id'],
  metadata: ['metadata'],
};

/** Settings in a request as columns. Settings that are left out stay out. */
export function toSettings(wanted: UpdateRoom): Partial<RoomSettings> {
  const settings: Partial<Record<keyof RoomSettings, unknown>> = {};
  for (const [field, [column, value = (given: unknown) => given]] of Object.entries(COLUMNS) as [
    keyof UpdateRoom,
    [keyof RoomSettings, ((given: unknown) => unknown)?],
  ][]) {
    if (wanted[field] !== undefined) settings[column] = value(wanted[field]);
  }
  return settings as Partial<RoomSettings>;
}

/**
 * Free text of the tenant. The audit log stores only that it changed, since it can contain
 * anything.
 */
const FREE_TEXT_COLUMNS: ReadonlySet<string> = new Set(['name', 'external_id', 'metadata']);

/** The changed settings for the audit log. @param before null for a new room */
export function diffSettings(before: RoomRow | null, after: RoomRow): { before?: object; after: object } {
  const changed = Object.values(COLUMNS)
    .flatMap(([column]) => column)
    .filter((column) => JSON.stringify(before?.[column] ?? null) !== JSON.stringify(after[column]));
  const shown = (row: RoomRow): object =>
    Object.fromEntries(changed.map((column) => [column, FREE_TEXT_COLUMNS.has(column) ? '...' : row[column]]));
  return { ...(before !== null && { before: shown(before) }), after: shown(after) };
}
