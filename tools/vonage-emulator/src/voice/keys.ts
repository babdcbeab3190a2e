/** Routes keyed digits to an input, a barge-in buffer or a subscription, or drops them. */
import type { Leg, World } from '../world.ts';
import { buildCommonFields, queueHook } from './events.ts';

/** Processes digits that the far end keys, one at a time. */
export function keyDigits(world: World, leg: Leg, digits: string): void {
  for (const digit of digits) {
    if (leg.digitHook !== undefined) {
      queueHook(
        world,
        leg,
        'input',
        { ...buildCommonFields(world, leg), dtmf: { digits: digit, timed_out: false } },
        { target: leg.digitHook },
      );
    }
    if (leg.keys.listener !== undefined) leg.keys.listener(digit);
    else if (leg.keys.bargeIn || world.config.behaviour.digitsOutsideInput === 'buffer') {
      leg.keys.buffer += digit;
      leg.keys.onKey?.();
    }
  }
  world.changes.notify();
}
