import { expect, test } from 'vitest';
import { step, toMermaid, type Machine } from './machine.ts';

const door: Machine<'open' | 'shut' | 'gone', 'push' | 'lock' | 'burn', 'creak'> = {
  name: 'door',
  initial: 'open',
  terminal: ['gone'],
  table: {
    open: { push: { next: 'shut', effects: ['creak'], why: 'it swings' }, burn: { next: 'gone', effects: [], why: 'wood' } },
    shut: { push: { reject: 'locked' }, lock: { next: 'shut', effects: ['creak'], why: 'again' } },
    gone: {},
  },
};

test('a cell moves with its effects, refuses with its reason, or is not there and ignores', () => {
  expect(step(door, 'open', 'push')).toEqual({ kind: 'moved', next: 'shut', effects: ['creak'] });
  expect(step(door, 'shut', 'push')).toEqual({ kind: 'rejected', reason: 'locked' });
  expect(step(door, 'gone', 'push')).toEqual({ kind: 'ignored' });
});

test('the diagram has every arrow with its sentence, and neither refusals nor loops', () => {
  expect(toMermaid(door).split('\n')).toEqual([
    'stateDiagram-v2', '  [*] --> open', '  open --> shut: push (it swings)', '  open --> gone: burn (wood)', '  gone --> [*]',
  ]);
});
