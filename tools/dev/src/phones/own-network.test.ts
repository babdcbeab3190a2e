import { levelOf } from '@partyline/testing/tones';
import { afterAll, expect, it, vi } from 'vitest';
import { startBaresip, type BaresipOptions, type BaresipPhone } from './baresip.ts';
import { openOwnNetwork, whyNoOwnNetwork, type OwnNetwork } from './own-network.ts';

const networks: OwnNetwork[] = [];
const phones: BaresipPhone[] = [];
afterAll(async () => {
  await Promise.all(phones.map((phone) => phone.stop()));
  await Promise.all(networks.map((network) => network.stop()));
});

async function start(options: BaresipOptions): Promise<BaresipPhone> {
  const phone = await startBaresip(options);
  phones.push(phone);
  return phone;
}

function hears(phone: BaresipPhone, hz: number): boolean {
  const { samples, rate } = phone.heard({ fromMs: -300 });
  return samples.length > 0 && levelOf(samples, hz, rate) > -40;
}

it.skipIf(whyNoOwnNetwork() !== undefined)(
  'a phone in its own network is heard, until the network is cut',
  async () => {
    const network = await openOwnNetwork();
    networks.push(network);
    const anna = await start({ user: 'anna', microphone: { hz: 440 }, network });
    const ben = await start({ user: 'ben', microphone: { hz: 1000 }, answer: 'auto' });
    expect(anna.uri).toContain(network.address);
    await anna.dial(ben.uri);
    await anna.waitFor('established');
    const heard = (): boolean[] => [hears(anna, 1000), hears(ben, 440)];
    await expect.poll(heard).toEqual([true, true]);
    await network.cut();
    await expect.poll(heard).toEqual([false, false]);
    await network.mend();
    await expect.poll(heard).toEqual([true, true]);
  },
);

it('a user other than root has no network of its own, and is told why', () => {
  const getuid = vi.spyOn(process, 'getuid').mockReturnValue(1000);
  try {
    expect(whyNoOwnNetwork()).toBe('it needs root');
  } finally {
    getuid.mockRestore();
  }
});
