import type { Mode } from '@partyline/dev/stack/service-environment';
import type { LedgerLeg, PersonView } from '@partyline/vonage-emulator/control-client';
import type { StoryResult } from './story.ts';

/**
 * The hang-up guarantee without faults: a leg that is up longer after its session's end lingers.
 */
const MAX_LINGER_MS = 5_000;

/** The last line of the demo's output. */
interface Summary {
  readonly rooms: number;
  readonly callersJoined: number;
  readonly wrongPins: number;
  readonly refusedCallers: number;
  readonly bridgeLegs: number;
  readonly legsUpAfterEnd: number;
  readonly lingeringLegSeconds: number;
  readonly hangUpConfirmMs: { readonly p50: number; readonly max: number };
  readonly chargedLegs: number;
  readonly mode: Mode;
}

const heard = (person: PersonView, what: RegExp): number =>
  person.timeline.filter(({ event, text }) => event === 'heard' && what.test(text ?? '')).length;
/** Matches the prompts `wrong-pin` and `too-many-tries` of domain/prompts.ts. */
const WRONG_PIN_PROMPT = /PIN is not valid/;
/** Matches `too-many-tries` only, which ends the call. */
const REJECTED_PROMPT = /PIN is not valid.*Goodbye/;

/** Counts from the provider's ledger. Only the hang-up times come from the API's hang-up ledger. */
export function summarise({ rooms, people, ledger, bridgeLegs }: StoryResult, mode: Mode): Summary {
  const delays = rooms
    .flatMap(({ end }) =>
      end.legs.flatMap(({ hangUp }) =>
        hangUp.requestedAt === null || hangUp.confirmedAt === null
          ? []
          : [Date.parse(hangUp.confirmedAt) - Date.parse(hangUp.requestedAt)],
      ),
    )
    .toSorted((x, y) => x - y);
  return {
    rooms: rooms.length,
    callersJoined: people.filter(({ person }) => person.timeline.some(({ event }) => event === 'joined')).length,
    wrongPins: people.reduce((sum, { person }) => sum + heard(person, WRONG_PIN_PROMPT), 0),
    refusedCallers: people.filter(({ person }) => heard(person, REJECTED_PROMPT) > 0).length,
    bridgeLegs,
    legsUpAfterEnd: ledger.up,
    lingeringLegSeconds: rooms.reduce((sum, room) => sum + lingeringSeconds(ledger.legs, room, ledger.now), 0),
    hangUpConfirmMs: { p50: delays[Math.floor(delays.length / 2)] ?? 0, max: delays.at(-1) ?? 0 },
    chargedLegs: ledger.legs.filter((leg) => leg.chargeMicros > 0).length,
    mode,
  };
}

function lingeringSeconds(
  legs: readonly LedgerLeg[],
  { created, end, conversation }: StoryResult['rooms'][number],
  now: number,
): number {
  const bound = Date.parse(end.session?.endingAt ?? '') + MAX_LINGER_MS;
  const late = legs
    .filter((leg) => leg.sessionId === created.client.mediaSessionId || leg.conversation === conversation)
    .reduce((sum, leg) => sum + Math.max(0, (leg.endedAt ?? now) - bound), 0);
  return Math.round(late / 1000);
}

/** Lists the counts that are not as expected. */
export function findDeviations(summary: Summary): string[] {
  const expected = {
    rooms: 2,
    callersJoined: 4,
    wrongPins: 4,
    refusedCallers: 1,
    bridgeLegs: 2,
    legsUpAfterEnd: 0,
    lingeringLegSeconds: 0,
  } as const;
  return (Object.keys(expected) as (keyof typeof expected)[]).flatMap((name) =>
    summary[name] === expected[name] ? [] : [`${name} is ${summary[name]} instead of ${expected[name]}`],
  );
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2).padStart(6)} s`;

/** Formats the provider's timeline of each person. */
export function formatTimelines({ people }: StoryResult): string[] {
  const start = Math.min(...people.flatMap(({ person }) => person.timeline.map(({ at }) => at)));
  return people.flatMap(({ name, person }) => [
    `  ${name}`,
    ...person.timeline
      .filter(({ event }) => event !== 'prompt')
      .map(({ at, event, text, reason }) => {
        const detail = event === 'keyed' ? ` ${(text ?? '').length} digits` : text ? ` "${text}"` : '';
        return `  ${seconds(at - start)}  ${event}${detail}${reason ? ` (${reason})` : ''}`;
      }),
  ]);
}

/** Formats the charges of the provider's ledger. */
export function formatBill({ ledger }: StoryResult): string[] {
  const row = (leg: LedgerLeg): string =>
    [
      `  ${leg.kind.padEnd(16)} ${String(leg.billedSeconds).padStart(4)} s`,
      `${(leg.chargeMicros / 1e6).toFixed(6)} ${leg.currency}`,
      leg.endedAt === undefined ? 'STILL UP' : `ended: ${leg.endReason ?? ''}`,
    ].join('  ');
  return [
    ...ledger.legs.map(row),
    `  total ${(ledger.totalMicros / 1e6).toFixed(6)} EUR for ${ledger.legs.length} legs, ${ledger.up} still up`,
  ];
}
