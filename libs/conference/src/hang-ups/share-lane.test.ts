import type { Store } from '@partyline/store/database/store';
import { expect, it } from 'vitest';
import { shareLane } from './share-lane.ts';

const store = {} as Store;
/** A hang-up that runs until it is ended. */
function startHangUp(tenantId: string | null): { result: Promise<unknown>; end: (error?: Error) => void } {
  let end: (error?: Error) => void = () => undefined;
  const ended = new Promise<'done'>((resolve, reject) => {
    end = (error) => (error === undefined ? resolve('done') : reject(error));
  });
  return { result: shareLane(store, tenantId, () => ended), end };
}

it('a tenant runs four hang-ups at once, and others run beside them', async () => {
  const running = Array.from({ length: 4 }, () => startHangUp('forger'));
  const [first, second, third, fourth] = running;
  const isRun = async (tenantId: string | null) => shareLane(store, tenantId, async () => 'done');
  expect(await isRun('forger')).toEqual({ retryAfterMs: 250 });
  expect(await isRun('other')).toBe('done');
  expect(await isRun(null)).toBe('done');

  first?.end();
  expect(await first?.result).toBe('done');
  expect(await isRun('forger')).toBe('done');
  second?.end(new Error('failed'));
  await expect(second?.result).rejects.toThrow('failed');
  expect(await Promise.all([isRun('forger'), isRun('forger')])).toEqual(['done', 'done']);

  third?.end();
  fourth?.end();
  expect(await Promise.all([third?.result, fourth?.result])).toEqual(['done', 'done']);
  const again = Array.from({ length: 4 }, () => startHangUp('forger'));
  for (const { end } of again) end();
  expect(await Promise.all(again.map(({ result }) => result))).toEqual(['done', 'done', 'done', 'done']);
});
