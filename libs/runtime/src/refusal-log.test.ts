import { expect, it } from 'vitest';
import { openRefusalLog } from './refusal-log.ts';

const REFUSAL = {
  reason: 'unknown-key',
  detail: 'This API key is unknown or revoked.',
  route: 'GET /v1/rooms',
  requestId: 'req_1',
  tenantId: undefined,
  keyId: undefined,
};

function openTestLog() {
  const clock = { ms: 1_000 };
  const lines: Record<string, unknown>[] = [];
  const logger = { warn: (fields: Record<string, unknown>) => void lines.push(fields) };
  return { clock, lines, refuse: openRefusalLog(logger as never, () => clock.ms) };
}

it('writes one line for a refusal, with its reason and the address', () => {
  const { lines, refuse } = openTestLog();
  refuse('192.0.2.1', REFUSAL);
  expect(lines).toEqual([{ ...REFUSAL, address: '192.0.2.1' }]);
});

it('writes ten lines a minute for one address, and still those of others', () => {
  const { lines, refuse } = openTestLog();
  for (let n = 0; n < 1_000; n++) refuse('192.0.2.1', REFUSAL);
  refuse('192.0.2.2', REFUSAL);
  expect(lines.map(({ address }) => address)).toEqual([...Array(10).fill('192.0.2.1'), '192.0.2.2']);
});

it('counts the addresses of an IPv6 /64 as one client, and logs each', () => {
  const { lines, refuse } = openTestLog();
  for (let n = 1; n <= 1_000; n++) refuse(`2001:db8:0:1::${n}`, REFUSAL);
  refuse('2001:db8:0:2::1', REFUSAL);
  expect(lines.map(({ address }) => address)).toEqual([
    ...Array.from({ length: 10 }, (_, n) => `2001:db8:0:1::${n + 1}`),
    '2001:db8:0:2::1',
  ]);
});

it('writes 120 lines a minute in total, and then says how many it left out', () => {
  const { clock, lines, refuse } = openTestLog();
  for (let n = 0; n < 1_000; n++) refuse(`2001:db8:0:${n}::1`, REFUSAL);
  expect(lines).toHaveLength(120);
  clock.ms += 60_000;
  refuse('192.0.2.1', REFUSAL);
  refuse('192.0.2.1', REFUSAL);
  expect(lines.slice(120).map(({ leftOut }) => leftOut)).toEqual([880, undefined]);
});
