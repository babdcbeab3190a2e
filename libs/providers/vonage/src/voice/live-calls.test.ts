import { describe, expect, it } from 'vitest';
import { listLiveCalls, type GetPage, type LiveStatus } from './live-calls.ts';

interface Call {
  uuid: string;
  status: LiveStatus | 'completed';
}

const calls = (status: LiveStatus, count: number): Call[] =>
  Array.from({ length: count }, (_, index) => ({ uuid: `${status}-${index}`, status }));

/** A vendor with so many calls; `between` happens after each page. */
function vendor(
  all: Call[],
  between: (status: LiveStatus) => unknown = () => undefined,
): { getPage: GetPage; asked: { status: string; recordIndex: number }[] } {
  const asked: { status: string; recordIndex: number }[] = [];
  const getPage: GetPage = async ({ status, pageSize, recordIndex }) => {
    asked.push({ status, recordIndex });
    const matching = all.filter((call) => call.status === status);
    const page = matching.slice(recordIndex, recordIndex + pageSize).map((call) => ({ ...call }));
    between(status);
    return { count: matching.length, page_size: pageSize, record_index: recordIndex, _embedded: { calls: page } };
  };
  return { getPage, asked };
}

const ids = async (getPage: GetPage): Promise<string[]> => (await listLiveCalls(getPage)).map((call) => call.callId);
const caught = (error: unknown): unknown => error;

describe('listLiveCalls', () => {
  it('asks for each live status once when there is nothing', async () => {
    const { getPage, asked } = vendor([]);
    expect(await ids(getPage)).toEqual([]);
    expect(asked.map(({ status }) => status)).toEqual(['started', 'ringing', 'answered']);
  });

  it('reads all pages', async () => {
    const { getPage, asked } = vendor([...calls('answered', 250), ...calls('ringing', 100)]);
    expect(await ids(getPage)).toHaveLength(350);
    expect(asked.filter(({ status }) => status === 'answered').map(({ recordIndex }) => recordIndex)).toEqual([
      0, 90, 180,
    ]);
  });

  it('misses no call that moves on while it reads', async () => {
    const all = calls('started', 3);
    const next = { started: 'ringing', ringing: 'answered', answered: 'answered', completed: 'completed' } as const;
    const { getPage } = vendor(all, () => {
      for (const call of all) call.status = next[call.status];
    });
    expect(await ids(getPage)).toHaveLength(3);
  });

  it('misses no call when earlier ones end between two pages', async () => {
    const all = calls('answered', 150);
    const { getPage } = vendor(all, (status) => status === 'answered' && all.splice(0, 8));
    expect(await ids(getPage)).toEqual(expect.arrayContaining(['answered-100', 'answered-107', 'answered-149']));
  });

  it('says busy when so many ended that one may have slipped through', async () => {
    const all = calls('answered', 150);
    const { getPage } = vendor(all, (status) => status === 'answered' && all.splice(0, 40));
    expect(await listLiveCalls(getPage).catch(caught)).toMatchObject({ failure: 'busy' });
  });

  const broken: [string, unknown][] = [
    ['a page of HTML', '<html>'],
    ['nothing', null],
    ['no count', { _embedded: { calls: [] } }],
    ['no calls', { count: 1 }],
    ['a call without an id', { count: 1, _embedded: { calls: [{ status: 'ringing' }] } }],
    ['fewer calls than it says', { count: 5, _embedded: { calls: [{ uuid: 'u', status: 'ringing' }] } }],
  ];

  it.each(broken)('takes %s for no list', async (_what, reply) =>
    expect(await listLiveCalls(async () => reply).catch(caught)).toMatchObject({ failure: 'unknown' }),
  );

  it('gives nothing when the second page fails', async () => {
    const { getPage } = vendor(calls('answered', 150));
    const failing: GetPage = (query) =>
      query.recordIndex > 0 ? Promise.reject(new Error('page two')) : getPage(query);
    expect(await listLiveCalls(failing).catch(caught)).toMatchObject({ message: 'page two' });
  });
});
