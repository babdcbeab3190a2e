import { setTimeout as sleep } from 'node:timers/promises';
import { callsUp } from '@partyline/dev/phones/sip-message';
import type { SelfHosted } from '@partyline/dev/stack/self-hosted';
import { connectJanusAdmin } from '@partyline/janus/admin/janus-admin';
import { createRandom } from '../simulation/runtime/random.ts';
import { startPhone, type Line } from './caller.ts';
import { judge, readDialogs, type Row } from './row.ts';
import { poll } from './until.ts';

const CALLERS = 30;
/** A caller is asked for the PIN after a second, and joins after six. */
const MAX_STAY_MS = 7_500;
const KEYS_AFTER_MS = 1_500;
/** So many phones start at the same time. */
const BATCH = 6;
const BOUND_S = 5;
const WATCH_LONGER_MS = 30_000;
const ADMIN_TIMEOUT_MS = 5_000;

/** The handles of a Janus by what they are for, e.g. `{"sip in use": 3, "audiobridge": 4}`. */
export type Handles = Readonly<Record<string, number>>;

/** Counts the handles of every Janus, by the Janus itself. */
export async function countHandles({ gateways }: SelfHosted): Promise<readonly Handles[]> {
  return Promise.all(
    gateways.map(async ({ janus }) => {
      const admin = await connectJanusAdmin({
        url: janus.adminUrl,
        adminSecret: janus.adminSecret,
        requestTimeoutMs: ADMIN_TIMEOUT_MS,
      });
      try {
        const counts: Record<string, number> = {};
        for (const { plugin = 'none', pluginState } of await admin.describeAllHandles()) {
          const inUse =
            pluginState['call_status'] === undefined || pluginState['call_status'] === 'idle' ? '' : ' in use';
          const name = plugin.replace('janus.plugin.', '') + inUse;
          counts[name] = (counts[name] ?? 0) + 1;
        }
        return counts;
      } finally {
        admin.close();
      }
    }),
  );
}

/**
 * Many callers hang up at random moments between their INVITE and the conference. Nothing of them
 * may stay: no call of a phone, no dialog of kamailio, no handle of a Janus.
 */
export async function playStorm(
  line: Line,
  { selfHosted, pin, seed }: { selfHosted: SelfHosted; pin: string; seed: number },
): Promise<Row> {
  const random = createRandom(seed, 'storm');
  const before = { handles: await countHandles(selfHosted), dialogs: await readDialogs(selfHosted.kamailio) };
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
        JSON.stringify(await countHandles(selfHosted)) === JSON.stringify(before.handles),
      BOUND_S * 1_000 + WATCH_LONGER_MS,
    );
    if (doneAt === null)
      line.log(
        `handles before: ${JSON.stringify(before.handles)}, after: ${JSON.stringify(await countHandles(selfHosted))}`,
      );
    const measuredS = doneAt === null ? null : (doneAt - hungUpAt) / 1_000;
    return judge(`${CALLERS} callers hang up early`, BOUND_S, measuredS);
  } finally {
    await Promise.all(phones.map((phone) => phone.stop()));
  }
}
