import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { createBatcher } from './batcher.ts';

/** A batcher whose batches are answered by the test. */
function startBatcher() {
  const batches: { requests: readonly number[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const ranAlone: number[] = [];
  const send = createBatcher<number, string>({
    runBatch: (requests) =>
      new Promise((resolve, reject) => {
        batches.push({ requests, answer: () => resolve(requests.map(String)), fail: reject });
      }),
    runOne: async (request) => {
      ranAlone.push(request);
      if (request === 13) throw new Error('thirteen');
      return `${request} alone`;
    },
  });
  const sendAll = (from: number, to: number): Promise<string>[] =>
    Array.from({ length: to - from + 1 }, (_, offset) => send(from + offset));
  return { sendAll, ranAlone, batches, sent: () => batches.map(({ requests }) => requests) };
}

const outcome = (settled: readonly PromiseSettledResult<string>[]): string[] =>
  settled.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message));

describe('createBatcher', () => {
  test('runs requests at once while few batches run, and the others as one batch', async () => {
    const { sendAll, batches, sent } = startBatcher();
    const answers = sendAll(1, 5);
    expect(sent()).toEqual([[1], [2]]);
    batches.at(1)!.answer();
    expect(await answers.at(1)).toBe('2');
    await expect.poll(sent, { timeout: 20_000 }).toEqual([[1], [2], [3, 4, 5]]);
    batches.at(0)!.answer();
    batches.at(2)!.answer();
    expect(await Promise.all(answers)).toEqual(['1', '2', '3', '4', '5']);
  });

  test('limits a batch to 100 requests', async () => {
    const { sendAll, batches, sent } = startBatcher();
    const answers = sendAll(1, 152);
    batches.at(0)!.answer();
    batches.at(1)!.answer();
    await expect.poll(() => sent().map(({ length }) => length), { timeout: 20_000 }).toEqual([1, 1, 100, 50]);
    batches.at(2)!.answer();
    batches.at(3)!.answer();
    expect(await Promise.all(answers)).toHaveLength(152);
  });

  test('runs each request alone when Postgres rejects the batch', async () => {
    const { sendAll, batches, ranAlone } = startBatcher();
    const answers = Promise.allSettled(sendAll(10, 14));
    batches.at(0)!.answer();
    await expect.poll(() => batches.length, { timeout: 20_000 }).toBe(3);
    batches.at(1)!.answer();
    batches.at(2)!.fail(new pg.DatabaseError('canceling statement due to lock timeout', 0, 'error'));
    expect(outcome(await answers)).toEqual(['10', '11', '12 alone', 'thirteen', '14 alone']);
    expect(ranAlone).toEqual([12, 13, 14]);
  });

  test('fails the whole batch when the connection broke, because its outcome is not known', async () => {
    const { sendAll, batches, ranAlone } = startBatcher();
    const answers = Promise.allSettled(sendAll(1, 4));
    batches.at(0)!.answer();
    batches.at(1)!.answer();
    await expect.poll(() => batches.length, { timeout: 20_000 }).toBe(3);
    batches.at(2)!.fail(new Error('Connection terminated unexpectedly'));
    expect(outcome(await answers)).toEqual([
      '1',
      '2',
      'Connection terminated unexpectedly',
      'Connection terminated unexpectedly',
    ]);
    expect(ranAlone).toEqual([]);
  });
});
