import { createRoom } from '@partyline/conference/rooms/create-room';
import { requestDialOut } from '@partyline/conference/legs/dial-out';
import { endRoom } from '@partyline/conference/rooms/end-room';
import { Oracle } from './oracle/oracle.ts';
import { ALL_SWEEPS } from './run.ts';
import { System, type ApiDeps } from './system.ts';
import { Workload } from './workload.ts';

/** One seam call of the story, where a process can die. */
interface KillPoint {
  readonly number: number;
  readonly when: 'before' | 'after';
  readonly process: string;
  readonly label: string;
}

interface KillOutcome {
  readonly points: readonly KillPoint[];
  /** What was wrong in the end; empty when the story recovered. */
  readonly problems: readonly string[];
  readonly killed: KillPoint | null;
}

const DOWNTIME_MS = 2_000;
const SCENARIO_MS = 60_000;

/**
 * One small story, without any chance in it: a room is made, a browser and a caller come, the bridge is dialled, a phone is rung, and the
 * tenant ends it all. Every statement is a seam call of its own, so a crash can hit between any two awaits.
 * @param at kill the process that makes this seam call (counted over all processes), and start it again two seconds later
 */
export async function runKillScenario(
  seed: number,
  at: { number: number; when: 'before' | 'after' } | null,
): Promise<KillOutcome> {
  const system = new System({ seed, sweeps: ALL_SWEEPS, isFineGrained: true, keepHistory: true });
  system.faultProfile.isEnabled = false;
  const world = new Workload(system);
  const oracle = new Oracle(system, world);
  const { scheduler } = system;
  const points: KillPoint[] = [];
  let killed: KillPoint | null = null;
  let number = 0;
  for (const process of system.processes.values()) {
    process.hook = ({ label, when }) => {
      // The sweeps look all the time; the story's own steps are what is numbered.
      if (label.startsWith('db owed-') || label === 'db take-turn') return;
      if (when === 'before') number += 1;
      const point: KillPoint = { number, when, process: process.name, label };
      points.push(point);
      if (at === null || killed !== null || at.number !== number || at.when !== when) return;
      killed = point;
      process.kill();
      scheduler.after(DOWNTIME_MS, () => process.start());
    };
  }
  const began = scheduler.now;
  const kills: { from: number; to: number }[] = [];
  const ask = <T>(act: (deps: ApiDeps) => Promise<T>, done: (value: T) => void, tries = 20): void => {
    system.request(act, (outcome) => {
      if (outcome.ok) done(outcome.value);
      else if (tries > 1) scheduler.after(1_000, () => ask(act, done, tries - 1));
    });
  };
  ask(
    (deps) =>
      createRoom(deps, 'ten_a', {
        name: 'Room',
        hostName: 'Host',
        bridge: 'auto',
        max_participants: 10,
        max_duration_s: 3_600,
        never_used_s: 900,
        browsers_left_s: null,
        phones_left_s: null,
        alone_s: null,
        empty_s: 60,
        host_left_s: null,
      }),
    ({ room, firstSession: first, pin }) => {
      const { media, sessionId } = first!;
      system.video.join(media.mediaSessionId, media.token);
      system.voice.receiveCall({
        kind: 'inbound',
        from: '+447700900001',
        to: room.number,
        person: { keys: () => ({ digits: `${pin}#`, afterMs: 1_000 }) },
      });
      system.voice.userByNumber.set('+447900000001', { answersAfterMs: 2_000 });
      ask(
        (deps) => requestDialOut(deps, 'ten_a', room.id, { phone: '+447900000001' }),
        () => undefined,
      );
      world.meetings.push({
        tenantId: 'ten_a',
        roomId: room.id,
        sessionId,
        createdAt: began,
        maxDurationS: 3_600,
        ending: 'tenant',
        endAcceptedAt: null,
        people: 3,
      });
      scheduler.after(20_000, () => {
        ask(
          (deps) => endRoom(deps, 'ten_a', room.id),
          () => (world.meetings[0]!.endAcceptedAt = scheduler.now),
        );
      });
    },
  );
  let dead = 0;
  await scheduler.run(began + SCENARIO_MS, () => {
    if (killed !== null && dead === 0) dead = scheduler.now;
    return false;
  });
  if (dead > 0) kills.push({ from: dead, to: dead + DOWNTIME_MS });
  await scheduler.run(scheduler.now + 300_000);
  const judgement = oracle.judge(kills.map((kill) => ({ fault: 'kill', ...kill })));
  const wrong = judgement.violations.map(({ rule, message: says }) => `${rule}: ${says}`);
  if (system.ledger.live.size > 0) wrong.push(`${system.ledger.live.size} sides of legs are up`);
  wrong.push(...system.unexpectedErrors.map(String));
  return { points, problems: wrong, killed };
}
