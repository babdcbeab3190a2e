import { expect, test } from 'vitest';
import { step, toMermaid, type Machine } from './machine.ts';

const door: Machine<'open' | 'shut' | 'gone', 'push' | 'lock' | 'burn'> = {
  name: 'door',
  initial: 'open',
  terminal: ['gone'],
  table: {
    open: { push: { next: 'shut', why: 'it swings' }, burn: { next: 'gone', why: 'wood' } },
    shut: { lock: { next: 'shut', why: 'again' } },
    gone: {},
  },
};

test('a cell moves, or is not there and ignores', () => {
  expect(step(door, 'open', 'push')).toBe('shut');
  expect(step(door, 'shut', 'lock')).toBe('shut');
  expect(step(door, 'shut', 'push')).toBeNull();
  expect(step(door, 'gone', 'push')).toBeNull();
});

test('the diagram has every arrow with its sentence, and no loops', () => {
  expect(toMermaid(door).split('\n')).toEqual([
    'stateDiagram-v2',
    '  [*] --> open',
    '  open --> shut: push (it swings)',
    '  open --> gone: burn (wood)',
    '  gone --> [*]',
  ]);
});
