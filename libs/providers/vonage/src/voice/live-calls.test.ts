import { describe, expect, it } from 'vitest';
import { listLiveCalls, type GetPage, type LiveStatus } from './live-calls.ts';

interface Call {
  uuid: string;
  status: LiveStatus | 'completed';
}

const calls = (status: LiveStatus, count: number): Call[] =>
  Array.from({ length: count }, (_, index) => ({ uuid: `${status}-${index}`, status }));

/** A provider with the given calls. `afterPage` runs after each page. */
function createProvider(
  all: Call[],
  afterPage: (status: LiveStatus) => unknown = () => undefined,
): { getPage: GetPage; requests: { status: string; recordIndex: number }[] } {
  const requests: { status: string; recordIndex: number }[] = [];
  const getPage: GetPage = async ({ status, pageSize, recordIndex }) => {
    requests.push({ status, recordIndex });
    const matching = all.filter((call) => call.status === status);
    const page = matching.slice(recordIndex, recordIndex + pageSize).map((call) => ({ ...call }));
    afterPage(status);
    return { count: matching.length, page_size: pageSize, record_index: recordIndex, _embedded: { calls: page } };
  };
  return { getPage, requests };
}

const ids = async (getPage: GetPage): Promise<string[]> => (await listLiveCalls(getPage)).map((call) => call.callId);
const caught = (error: unknown): unknown => error;

describe('listLiveCalls', () => {
  it('requests each live status once when there are no calls', async () => {
    const { getPage, requests } = createProvider([]);
    expect(await ids(getPage)).toEqual([]);
    expect(requests.map(({ status }) => status)).toEqual(['started', 'ringing', 'answered']);
  });

  it('reads all pages', async () => {
    const { getPage, requests } = createProvider([...calls('answered', 250), ...calls('ringing', 100)]);
    expect(await ids(getPage)).toHaveLength(350);
    expect(requests.filter(({ status }) => status === 'answered').map(({ recordIndex }) => recordIndex)).toEqual([
      0, 90, 180,
    ]);
  });

  it('reads on while a page is full, whatever the count says', async () => {
    for (const [size, lie] of [
      [250, (page: number) => page],
      [250, () => 0],
      [250, (page: number) => String(page)],
      [100, (page: number) => page],
    ] as const) {
      const { getPage } = createProvider(calls('answered', size));
      const lying: GetPage = async (query) => {
        const reply = (await getPage(query)) as { _embedded: { calls: unknown[] } };
        return { ...reply, count: lie(reply._embedded.calls.length) };
      };
      expect(await ids(lying)).toHaveLength(size);
    }
  });

  it('reads on where the provider puts fewer calls on a page than were requested', async () => {
    const { getPage } = createProvider(calls('answered', 25));
    const small: GetPage = async (query) => {
      const reply = (await getPage({ ...query, pageSize: 10 })) as { _embedded: { calls: unknown[] } };
      return { ...reply, count: reply._embedded.calls.length };
    };
    expect(await ids(small)).toHaveLength(25);
  });

  it('includes calls that change their status during the listing', async () => {
    const all = calls('started', 3);
    const next = { started: 'ringing', ringing: 'answered', answered: 'answered', completed: 'completed' } as const;
    const { getPage } = createProvider(all, () => {
      for (const call of all) call.status = next[call.status];
    });
    expect(await ids(getPage)).toHaveLength(3);
  });

  it('includes all calls when earlier ones end between two pages', async () => {
    const all = calls('answered', 150);
    const { getPage } = createProvider(all, (status) => status === 'answered' && all.splice(0, 8));
    expect(await ids(getPage)).toEqual(expect.arrayContaining(['answered-100', 'answered-107', 'answered-149']));
  });

  it('fails as busy when so many calls ended that one may be missing', async () => {
    const all = calls('answered', 150);
    const { getPage } = createProvider(all, (status) => status === 'answered' && all.splice(0, 40));
    expect(await listLiveCalls(getPage).catch(caught)).toMatchObject({ failure: 'busy' });
  });

  const invalid: [string, unknown][] = [
    ['a page of HTML', '<html>'],
    ['null', null],
    ['no count', { _embedded: { calls: [] } }],
    ['no calls', { count: 1 }],
    ['a call without an id', { count: 1, _embedded: { calls: [{ status: 'ringing' }] } }],
    ['fewer calls than the count', { count: 5, _embedded: { calls: [{ uuid: 'u', status: 'ringing' }] } }],
  ];

  it.each(invalid)('fails as unknown for %s', async (_what, reply) =>
    expect(await listLiveCalls(async () => reply).catch(caught)).toMatchObject({ failure: 'unknown' }),
  );

  it('fails when the second page fails', async () => {
    const { getPage } = createProvider(calls('answered', 150));
    const failing: GetPage = (query) =>
      query.recordIndex > 0 ? Promise.reject(new Error('page two')) : getPage(query);
    expect(await listLiveCalls(failing).catch(caught)).toMatchObject({ message: 'page two' });
  });
});
