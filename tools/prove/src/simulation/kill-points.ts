import { requestDialOut } from '@partyline/conference/legs/dial-out';
import { createRoom } from '@partyline/conference/rooms/create-room';
import { endRoom } from '@partyline/conference/rooms/end-room';
import { Oracle } from './oracle/oracle.ts';
import { ALL_SWEEPS } from './run.ts';
import { System, type ApiDeps } from './system.ts';
import { Workload } from './workload.ts';

/** A seam call of the scenario at which a process can be killed. */
interface KillPoint {
  /** Counted over all processes. */
  readonly number: number;
  readonly when: 'before' | 'after';
  readonly process: string;
  readonly label: string;
}

interface KillOutcome {
  readonly points: readonly KillPoint[];
  /** Empty if the scenario recovered. */
  readonly problems: readonly string[];
  readonly killed: KillPoint | null;
}

const TENANT = 'ten_a';
const PHONE = '+447900000001';
const CLOCKS = {
  max_duration_s: 3_600,
  never_used_s: 900,
  browsers_left_s: null,
  phones_left_s: null,
  alone_s: null,
  empty_s: 60,
  host_left_s: null,
};
const DOWNTIME_MS = 2_000;
const SCENARIO_MS = 60_000;
const LIVENESS_MS = 300_000;

/**
 * Runs a scenario without randomness: a tenant creates a room, a browser and a caller join, the
 * bridge leg is dialled, a telephone is dialled, and the tenant ends the room. Every statement is a
 * seam call of its own, so a crash can happen between any two awaits.
 * @param target kills the process that makes this seam call, and starts it again two seconds later
 */
export async function runKillScenario(
  seed: number,
  target: { number: number; when: 'before' | 'after' } | null,
): Promise<KillOutcome> {
  const system = new System({ seed, sweeps: ALL_SWEEPS, isFineGrained: true, keepHistory: true });
  system.faultProfile.isEnabled = false;
  const workload = new Workload(system);
  const oracle = new Oracle(system, workload);
  const { scheduler } = system;
  const startedAt = scheduler.now;
  const points: KillPoint[] = [];
  let killed: KillPoint | null = null;
  let killedAt: number | null = null;
  let number = 0;
  for (const process of system.processes.values()) {
    process.hook = ({ label, when }) => {
      // The reconciler and the lease of the inventory poll. Only the steps of the scenario are
      // counted.
      if (label.startsWith('db due-') || label === 'db acquire-lease') return;
      if (when === 'before') number += 1;
      const point: KillPoint = { number, when, process: process.name, label };
      points.push(point);
      if (target === null || killed !== null || target.number !== number || target.when !== when) return;
      killed = point;
      killedAt = scheduler.now;
      process.kill();
      scheduler.after(DOWNTIME_MS, () => process.start());
    };
  }
  const request = <T>(act: (deps: ApiDeps) => Promise<T>, onResult: (value: T) => void, attempts = 20): void => {
    system.request(act, (outcome) => {
      if (outcome.ok) onResult(outcome.value);
      else if (attempts > 1) scheduler.after(1_000, () => request(act, onResult, attempts - 1));
    });
  };
  request(
    (deps) =>
      createRoom(deps, TENANT, {
        name: 'Room',
        hostName: 'Host',
        bridge: 'auto',
        max_participants: 10,
        ...CLOCKS,
      }),
    ({ room, firstSession, pin }) => {
      const { media, sessionId } = firstSession!;
      system.video.join(media.mediaSessionId, media.token);
      system.voice.receiveCall({
        kind: 'inbound',
        from: '+447700900001',
        to: room.number,
        user: { keys: () => ({ digits: `${pin}#`, afterMs: 1_000 }) },
      });
      system.voice.userByNumber.set(PHONE, { answersAfterMs: 2_000 });
      request(
        (deps) => requestDialOut(deps, TENANT, room.id, { phone: PHONE }),
        () => undefined,
      );
      workload.meetings.push({
        tenantId: TENANT,
        roomId: room.id,
        sessionId,
        createdAt: startedAt,
        clocks: CLOCKS,
        prolongation: null,
        endRequestedAt: null,
        endAcceptedAt: null,
      });
      scheduler.after(20_000, () => {
        workload.meetings[0]!.endRequestedAt = scheduler.now;
        request(
          (deps) => endRoom(deps, TENANT, room.id),
          () => (workload.meetings[0]!.endAcceptedAt = scheduler.now),
        );
      });
    },
  );
  await scheduler.run(startedAt + SCENARIO_MS + LIVENESS_MS);
  const episodes = killedAt === null ? [] : [{ fault: 'kill', from: killedAt, to: killedAt + DOWNTIME_MS }];
  const { violations } = oracle.judge(episodes);
  const problems = violations.map(({ rule, message }) => `${rule}: ${message}`);
  if (system.ledger.live.size > 0) problems.push(`${system.ledger.live.size} handles are live at the end`);
  problems.push(...system.unexpectedErrors.map(String));
  return { points, problems, killed };
}
