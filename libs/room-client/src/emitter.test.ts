import { expect, it, vi } from 'vitest';
import { Emitter } from './emitter.ts';

it('calls the listeners of an event until they are removed', () => {
  const emitter = new Emitter<{ count: number; other: undefined }>();
  const counts: number[] = [];
  const stop = emitter.on('count', (count) => {
    counts.push(count);
    if (count === 1) emitter.on('count', (later) => counts.push(later * 10));
  });
  emitter.emit('count', 1);
  emitter.emit('other', undefined);
  emitter.emit('count', 2);
  stop();
  emitter.emit('count', 3);
  expect(counts).toEqual([1, 2, 20, 30]);
});

it('reports the error of a listener, and calls the others', () => {
  const reportError = vi.fn<(error: unknown) => void>();
  vi.stubGlobal('reportError', reportError);
  const emitter = new Emitter<{ count: number }>();
  const failure = new Error('listener');
  const counts: number[] = [];
  emitter.on('count', () => {
    throw failure;
  });
  emitter.on('count', (count) => counts.push(count));
  emitter.emit('count', 1);
  expect(counts).toEqual([1]);
  expect(reportError).toHaveBeenCalledExactlyOnceWith(failure);
  vi.unstubAllGlobals();
});
