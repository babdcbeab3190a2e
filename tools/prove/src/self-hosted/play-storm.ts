import { setTimeout as sleep } from 'node:timers/promises';
import { callsUp } from '@partyline/dev/phones/sip-message';
import type { SelfHosted } from '@partyline/dev/stack/self-hosted';
import { countHandles, type HandleCounts } from '@partyline/janus/admin/count-handles';
import { createRandom } from '../simulation/runtime/random.ts';
import { startPhone, type Line } from './caller.ts';
import { judge, readDialogs, type Row } from './row.ts';
import { poll } from '@partyline/dev/processes/until';

const CALLERS = 30;
/** A caller is asked for the PIN after a second, and joins after six. */
const MAX_STAY_MS = 7_500;
const KEYS_AFTER_MS = 1_500;
/** So many phones start at the same time. */
const BATCH = 6;
const BOUND_S = 5;
const WATCH_LONGER_MS = 30_000;

/** Counts the handles of every Janus. */
export const countAllHandles = ({ gateways }: SelfHosted): Promise<readonly HandleCounts[]> =>
  Promise.all(gateways.map(({ janus }) => countHandles(janus)));

/**
 * Many callers hang up at random moments between their INVITE and the conference. Nothing of them
 * may stay: no call of a phone, no dialog of kamailio, no handle of a Janus.
 */
export async function playStorm(
  line: Line,
  { selfHosted, pin, seed }: { selfHosted: SelfHosted; pin: string; seed: number },
): Promise<Row> {
  const random = createRandom(seed, 'storm');
  const before = { handles: await countAllHandles(selfHosted), dialogs: await readDialogs(selfHosted.kamailio) };
  const phones: Awaited<ReturnType<typeof startPhone>>[] = [];
  try {
    for (let started = 0; started < CALLERS; started += BATCH)
      phones.push(
        ...(await Promise.all(
          Array.from({ length: BATCH }, (_, index) => startPhone(`+4420794601${10 + started + index}`, line.log)),
        )),
      );
    await Promise.all(
      phones.map(async (phone) => {
        const stayMs = random.between(0, MAX_STAY_MS);
        await phone.dial(`sip:${line.number}@${line.sip}`);
        if (stayMs > KEYS_AFTER_MS) {
          await sleep(KEYS_AFTER_MS);
          await phone.pressKeys(`${pin}#`);
        }
        await sleep(stayMs > KEYS_AFTER_MS ? stayMs - KEYS_AFTER_MS : stayMs);
        await phone.hangUp();
      }),
    );
    const hungUpAt = Date.now();
    const doneAt = await poll(
      async () =>
        phones.every((phone) => callsUp(phone.messages()) === 0) &&
        (await readDialogs(selfHosted.kamailio)).length === before.dialogs.length &&
        JSON.stringify(await countAllHandles(selfHosted)) === JSON.stringify(before.handles),
      BOUND_S * 1_000 + WATCH_LONGER_MS,
    );
    if (doneAt === null)
      line.log(
        `handles before: ${JSON.stringify(before.handles)}, after: ${JSON.stringify(await countAllHandles(selfHosted))}`,
      );
    const measuredS = doneAt === null ? null : (doneAt - hungUpAt) / 1_000;
    return judge(`${CALLERS} callers hang up early`, BOUND_S, measuredS);
  } finally {
    await Promise.all(phones.map((phone) => phone.stop()));
  }
}
