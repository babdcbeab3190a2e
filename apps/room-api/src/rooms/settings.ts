import type { RoomSettings } from '@partyline/conference/rooms/create-room';
import type { UpdateRoom } from '@partyline/contracts/rooms/room';
import type { RoomRow } from '@partyline/store/sessions/session-lock';

const date = (at: string | null): Date | null => (at === null ? null : new Date(at));

/** A setting's column, and how its value becomes the column's. */
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
  startsAt: ['starts_at', date],
  endsAt: ['ends_at', date],
  expiresAt: ['expires_at', date],
  expireAfterDays: ['idle_days'],
  externalId: ['external_id'],
  metadata: ['metadata'],
};

/** What a tenant wants of a room, as its row has it; what was left out is left out. */
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

/** The tenant's own words: of these the audit log says that they changed, and not to what, since they may hold anything. */
const OWN_WORDS: ReadonlySet<string> = new Set(['name', 'external_id', 'metadata']);

/** What the audit log says of a change: the settings that differ, as they were and as they are. @param before null: the room is new */
export function settingsChanged(before: RoomRow | null, after: RoomRow): { before?: object; after: object } {
  const changed = Object.values(COLUMNS)
    .flatMap(([column]) => column)
    .filter((column) => JSON.stringify(before?.[column] ?? null) !== JSON.stringify(after[column]));
  const shown = (row: RoomRow): object =>
    Object.fromEntries(changed.map((column) => [column, OWN_WORDS.has(column) ? '…' : row[column]]));
  return { ...(before !== null && { before: shown(before) }), after: shown(after) };
}
