import { expect, it } from 'vitest';
import { configSchema } from '../config.ts';
import { createWorld } from '../emulator.ts';
import { createPerson } from '../people/persons.ts';
import { yieldToEventLoop } from '../time/clock.ts';
import { createLeg } from './legs.ts';
import { startNcco } from './ncco-run.ts';
import type { Ncco } from './ncco-schema.ts';

it('ends only the call whose NCCO action fails', async () => {
  const world = createWorld(configSchema.parse({ clock: 'virtual' }));
  const { party } = createPerson(world, 'phone', '447700900001', '447700900002');
  const addresses = { from: '447700900001', to: '447700900002', applicationId: 'app', party };
  const [broken, other] = [1, 2].map(() =>
    createLeg(world, { ...addresses, kind: 'voice-outbound', direction: 'outbound', endpointType: 'phone' }),
  );
  startNcco(world, other!, [{ action: 'conversation', name: 'r' }] as Ncco);
  // The schema refuses such an action. An error of a known action takes the same way.
  startNcco(world, broken!, [{ action: 'dance' }] as unknown as Ncco);
  await yieldToEventLoop();
  expect([broken?.endReason, other?.endReason]).toEqual(['emulator-error', undefined]);
});
