import { expect, it } from 'vitest';
import { rejected } from './janus-error.ts';

it('masks SIP addresses and long numbers in the reason', () => {
  const error = rejected('sip.call', 446, 'Invalid user address sip:+4930123456@example.com\n (4930123456)');
  expect(error).toMatchObject({ kind: 'rejected', code: 446, request: 'sip.call' });
  expect(error.message).toBe('Janus rejected sip.call (446): Invalid user address sip:… (…)');
});

it('shortens a long reason', () => {
  expect(rejected('create', 480, 'x'.repeat(1000)).message.length).toBeLessThan(220);
});
