/** Machine detection of outbound calls, simple and advanced (contract §3: `human`, `machine`). */
import { z } from 'zod';
import type { PhoneBehaviour } from '../views.ts';
import type { Leg, World } from '../world.ts';
import { buildCommonFields, sendStatus } from './events.ts';
import { endLeg, startLegTimer } from './legs.ts';
import { beepTimeout, machineOptions } from './ncco-schema.ts';

export const advancedMachineDetection = z.looseObject({ ...machineOptions, beep_timeout: beepTimeout });

export interface MachineDetection {
  behavior: 'continue' | 'hangup';
  /** Set when the platform also listens for the beep of an answering machine. */
  beepTimeoutMs?: number;
}

/** Reads the machine detection of a call. The advanced form replaces the simple one. */
export function readMachineDetection(call: {
  machine_detection?: 'continue' | 'hangup' | undefined;
  advanced_machine_detection?: z.output<typeof advancedMachineDetection> | undefined;
}): MachineDetection | undefined {
  const { advanced_machine_detection: advanced, machine_detection: behavior } = call;
  if (advanced !== undefined)
    return {
      behavior: advanced.behavior,
      ...(advanced.mode === 'detect_beep' && { beepTimeoutMs: advanced.beep_timeout * 1000 }),
    };
  return behavior === undefined ? undefined : { behavior };
}

/**
 * Sends the events of an answered call: `human` or `machine`, and for an awaited beep a second
 * `machine` with `sub_state`. Returns false when the call was hung up.
 */
export function detectMachine(
  world: World,
  leg: Leg,
  detection: MachineDetection,
  { mode, beepAfterMs }: PhoneBehaviour,
): boolean {
  const send = (status: 'human' | 'machine', extra: object = {}): void => {
    const { uuid, ...rest } = buildCommonFields(world, leg);
    sendStatus(world, leg, status, { ...rest, uuid: undefined, call_uuid: uuid, ...extra });
  };
  if (mode !== 'machine') {
    send('human');
    return true;
  }
  send('machine');
  const { behavior, beepTimeoutMs } = detection;
  if (behavior === 'hangup') {
    endLeg(world, leg, { reason: 'machine', by: 'platform' });
    return false;
  }
  if (beepTimeoutMs !== undefined) {
    const beeps = beepAfterMs !== undefined && beepAfterMs <= beepTimeoutMs;
    startLegTimer(world, leg, beeps ? beepAfterMs : beepTimeoutMs, () =>
      send('machine', { sub_state: beeps ? 'beep_start' : 'beep_timeout' }),
    );
  }
  return true;
}
