import { describe, expect, it } from 'vitest';
import { callSdk, fromCallback, type NodeCallback } from './call-sdk.ts';

const limit = { timeoutMs: 10_000, request: 'write' } as const;
const brief = { timeoutMs: 50, request: 'write' } as const;
const caught = (error: unknown): unknown => error;

describe('callSdk', () => {
  it('returns the value of the SDK', async () => expect(await callSdk(limit, async () => 'done')).toBe('done'));

  it('converts a synchronous exception to a ProviderError', async () => {
    const thrower = (): Promise<never> => {
      throw new Error('No token given');
    };
    expect(await callSdk(limit, thrower).catch(caught)).toMatchObject({
      failure: 'refused',
      verdict: { reason: 'upstream-arguments' },
    });
  });

  it('times out a call that never calls back', async () => {
    expect(await callSdk(brief, () => fromCallback(() => undefined)).catch(caught)).toMatchObject({
      failure: 'unknown',
      verdict: { reason: 'upstream-timeout' },
    });
  });

  it('aborts the request at the time limit', async () => {
    let given: AbortSignal | undefined;
    await callSdk(brief, (signal) => {
      given = signal;
      return new Promise(() => undefined);
    }).catch(caught);
    expect(given?.aborted).toBe(true);
  });

  it('ignores a failure after the time limit, without an unhandledRejection', async () => {
    let failLate: (error: Error) => void = () => undefined;
    const late = new Promise<never>((_resolve, reject) => {
      failLate = reject;
    });
    expect(await callSdk(brief, () => late).catch(caught)).toMatchObject({ failure: 'unknown' });
    const unhandled: unknown[] = [];
    const record = (error: unknown): void => void unhandled.push(error);
    process.on('unhandledRejection', record);
    failLate(new Error('late'));
    // Node raises it before the next macrotask.
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', record);
    expect(unhandled).toEqual([]);
  });
});

describe('fromCallback', () => {
  const calls: [string, (done: NodeCallback<string>) => void, unknown][] = [
    ['a value', (done) => done(null, 'a'), 'a'],
    ['no value', (done) => done(null), undefined],
    ['undefined in place of an error', (done) => done(undefined, 'a'), 'a'],
    ['a value, then an error', (done) => (done(null, 'a'), done(new Error('second'))), 'a'],
  ];

  it.each(calls)('resolves for %s', async (_what, start, value) => expect(await fromCallback(start)).toBe(value));

  it('rejects for an error followed by a value', async () => {
    const start = (done: NodeCallback<string>): void => {
      done(new Error('first'));
      done(null, 'second');
    };
    expect(await fromCallback(start).catch(caught)).toMatchObject({ message: 'first' });
  });
});
