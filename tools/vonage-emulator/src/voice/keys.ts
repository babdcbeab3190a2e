/** Digits that the far end keys: to an input that listens, into a barge-in, to a subscription, or nowhere. */
import type { Leg, World } from '../world.ts';
import { common, queueHook } from './events.ts';

/** The far end keys digits, one after the other. */
export function keyDigits(world: World, leg: Leg, digits: string): void {
  for (const digit of digits) {
    if (leg.digitHook !== undefined) {
      queueHook(
        world,
        leg,
        'input',
        { ...common(world, leg), dtmf: { digits: digit, timed_out: false } },
        { target: leg.digitHook },
      );
    }
    if (leg.keys.listener !== undefined) leg.keys.listener(digit);
    else if (leg.keys.bargeIn || world.config.behaviour.digitsOutsideInput === 'buffer') {
      leg.keys.buffer += digit;
      leg.keys.wake?.();
    }
  }
  world.board.changed();
}
