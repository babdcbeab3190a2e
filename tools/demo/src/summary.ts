import type { Mode } from '@partyline/dev/stack/service-environment';
import type { LedgerLeg, PersonView } from '@partyline/vonage-emulator/control-client';
import type { Told } from './story.ts';

/** A leg that is up this long after its session's end was decided lingers (5 s is the promise's bound when nothing fails). */
const BOUND_MS = 5_000;

/** The demo's last line. */
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
const WRONG = /PIN is not known/;

/** Counts from what the vendor saw, but for when each hang-up was owed and confirmed, which the API's ledger says. */
export function summarise({ rooms, people, ledger, bridgeLegs }: Told, mode: Mode): Summary {
  const delays = rooms
    .flatMap(({ end }) =>
      end.legs.flatMap(({ hangUp }) =>
        hangUp.owedAt === null || hangUp.confirmedAt === null
          ? []
          : [Date.parse(hangUp.confirmedAt) - Date.parse(hangUp.owedAt)],
      ),
    )
    .toSorted((x, y) => x - y);
  return {
    rooms: rooms.length,
    callersJoined: people.filter(({ person }) => person.timeline.some(({ event }) => event === 'joined')).length,
    wrongPins: people.reduce((sum, { person }) => sum + heard(person, WRONG), 0),
    refusedCallers: people.filter(({ person }) => heard(person, /not known either/) > 0).length,
    bridgeLegs,
    legsUpAfterEnd: ledger.up,
    lingeringLegSeconds: rooms.reduce((sum, room) => sum + lingering(ledger.legs, room, ledger.now), 0),
    hangUpConfirmMs: { p50: delays[Math.floor(delays.length / 2)] ?? 0, max: delays.at(-1) ?? 0 },
    chargedLegs: ledger.legs.filter((leg) => leg.chargeMicros > 0).length,
    mode,
  };
}

function lingering(
  legs: readonly LedgerLeg[],
  { created, end, conversation }: Told['rooms'][number],
  now: number,
): number {
  const bound = Date.parse(end.session?.endingAt ?? '') + BOUND_MS;
  const late = legs
    .filter((leg) => leg.sessionId === created.client.mediaSessionId || leg.conversation === conversation)
    .reduce((sum, leg) => sum + Math.max(0, (leg.endedAt ?? now) - bound), 0);
  return Math.round(late / 1000);
}

/** What is not as the story has it; empty when it held. */
export function whatWentWrong(summary: Summary): string[] {
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
    summary[name] === expected[name] ? [] : [`${name} is ${summary[name]}, and should be ${expected[name]}`],
  );
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(2).padStart(6)} s`;

/** A timeline per person, as the vendor saw them. */
export function timelines({ people }: Told): string[] {
  const start = Math.min(...people.flatMap(({ person }) => person.timeline.map(({ at }) => at)));
  return people.flatMap(({ name, person }) => [
    `  ${name}`,
    ...person.timeline
      .filter(({ event }) => event !== 'prompt')
      .map(
        ({ at, event, text, reason }) =>
          `  ${seconds(at - start)}  ${event}${event === 'keyed' ? ` ${(text ?? '').length} digits` : text ? ` “${text}”` : ''}${reason ? ` (${reason})` : ''}`,
      ),
  ]);
}

/** The vendor's own bill. */
export function bill({ ledger }: Told): string[] {
  const row = (leg: LedgerLeg): string =>
    `  ${leg.kind.padEnd(16)} ${String(leg.billedSeconds).padStart(4)} s  ${(leg.chargeMicros / 1e6).toFixed(6)} ${leg.currency}  ${leg.endedAt === undefined ? 'STILL UP' : `ended: ${leg.endReason ?? ''}`}`;
  return [
    ...ledger.legs.map(row),
    `  in all ${(ledger.totalMicros / 1e6).toFixed(6)} EUR for ${ledger.legs.length} legs, ${ledger.up} of them still up`,
  ];
}
