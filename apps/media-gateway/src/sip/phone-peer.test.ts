import { afterEach, expect, it, vi } from 'vitest';
import { PhonePeer } from './phone-peer.ts';

afterEach(() => void vi.useRealTimers());

/** Longer than a WebRTC connection lasts without an answer of the other side (30 s). */
const STALL_MS = 40_000;

function openPeer() {
  const events: string[] = [];
  const peer = new PhonePeer(
    {
      onConnected: () => void events.push('connected'),
      onFailed: () => void events.push('failed'),
      onPacket: () => undefined,
      onAudio: () => undefined,
      onTelephoneEvent: () => undefined,
    },
    () => 1,
  );
  return { peer, events };
}

it('a media connection fails when the process stood still for too long', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'], shouldAdvanceTime: true });
  const [caller, callee] = [openPeer(), openPeer()];
  const answer = await callee.peer.answer(await caller.peer.offer());
  await caller.peer.acceptAnswer(answer!);
  await vi.waitFor(() => expect([caller.events, callee.events]).toEqual([['connected'], ['connected']]), 20_000);
  // At once: the timers fire before a socket is read.
  vi.advanceTimersByTime(STALL_MS);
  await vi.waitFor(() => expect(caller.events).toEqual(['connected', 'failed']), 20_000);
  caller.peer.close();
  callee.peer.close();
});

it('a peer offers addresses of IPv4 only', async () => {
  const { peer } = openPeer();
  const { sdp } = await peer.offer();
  const addresses = [...sdp.matchAll(/^a=candidate:\S+ \d+ \S+ \d+ (\S+)/gm)].map(([, address]) => address);
  expect(addresses.length).toBeGreaterThan(0);
  expect(addresses.filter((address) => address?.includes(':'))).toEqual([]);
  peer.close();
});
