import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { createBatcher } from './batcher.ts';

/** Answers in the test's own time: each group that went out, and the way to let it come back. */
function startBatcher() {
  const groups: { questions: readonly number[]; answer: () => void; fail: (error: Error) => void }[] = [];
  const alone: number[] = [];
  const ask = createBatcher<number, string>({
    runBatch: (questions) =>
      new Promise((resolve, reject) => {
        groups.push({ questions, answer: () => resolve(questions.map(String)), fail: reject });
      }),
    runOne: async (question) => {
      alone.push(question);
      if (question === 13) throw new Error('thirteen');
      return `${question} alone`;
    },
  });
  const askAll = (from: number, to: number): Promise<string>[] =>
    Array.from({ length: to - from + 1 }, (_, offset) => ask(from + offset));
  return { askAll, alone, groups, sent: () => groups.map(({ questions }) => questions) };
}

const outcome = (settled: readonly PromiseSettledResult<string>[]): string[] =>
  settled.map((one) => (one.status === 'fulfilled' ? one.value : (one.reason as Error).message));

describe('questions that are alike', () => {
  test('go out at once while few groups are under way, and then together, each with its own answer', async () => {
    const { askAll, groups, sent } = startBatcher();
    const answers = askAll(1, 5);
    expect(sent()).toEqual([[1], [2]]);
    groups.at(1)!.answer();
    expect(await answers.at(1)).toBe('2');
    await expect.poll(sent, { timeout: 20_000 }).toEqual([[1], [2], [3, 4, 5]]);
    groups.at(0)!.answer();
    groups.at(2)!.answer();
    expect(await Promise.all(answers)).toEqual(['1', '2', '3', '4', '5']);
  });

  test('a group is at most a hundred', async () => {
    const { askAll, groups, sent } = startBatcher();
    const answers = askAll(1, 152);
    groups.at(0)!.answer();
    groups.at(1)!.answer();
    await expect.poll(() => sent().map(({ length }) => length), { timeout: 20_000 }).toEqual([1, 1, 100, 50]);
    groups.at(2)!.answer();
    groups.at(3)!.answer();
    expect(await Promise.all(answers)).toHaveLength(152);
  });

  test('are each asked alone when Postgres refuses the group: one failure is one failure', async () => {
    const { askAll, groups, alone } = startBatcher();
    const answers = Promise.allSettled(askAll(10, 14));
    groups.at(0)!.answer();
    await expect.poll(() => groups.length, { timeout: 20_000 }).toBe(3);
    groups.at(1)!.answer();
    groups.at(2)!.fail(new pg.DatabaseError('canceling statement due to lock timeout', 0, 'error'));
    expect(outcome(await answers)).toEqual(['10', '11', '12 alone', 'thirteen', '14 alone']);
    expect(alone).toEqual([12, 13, 14]);
  });

  test('all fail when the connection broke, for nobody knows what became of them', async () => {
    const { askAll, groups, alone } = startBatcher();
    const answers = Promise.allSettled(askAll(1, 4));
    groups.at(0)!.answer();
    groups.at(1)!.answer();
    await expect.poll(() => groups.length, { timeout: 20_000 }).toBe(3);
    groups.at(2)!.fail(new Error('Connection terminated unexpectedly'));
    expect(outcome(await answers)).toEqual([
      '1',
      '2',
      'Connection terminated unexpectedly',
      'Connection terminated unexpectedly',
    ]);
    expect(alone).toEqual([]);
  });
});
