import { expect, test } from 'vitest';
import { nextState, toMermaid, type Machine } from './machine.ts';

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

test('nextState returns the state of the cell, and null where there is none', () => {
  expect(nextState(door, 'open', 'push')).toBe('shut');
  expect(nextState(door, 'shut', 'lock')).toBe('shut');
  expect(nextState(door, 'shut', 'push')).toBeNull();
  expect(nextState(door, 'gone', 'push')).toBeNull();
});

test('toMermaid draws every transition with its label, without self-transitions', () => {
  expect(toMermaid(door).split('\n')).toEqual([
    'stateDiagram-v2',
    '  [*] --> open',
    '  open --> shut: push (it swings)',
    '  open --> gone: burn (wood)',
    '  gone --> [*]',
  ]);
});
