import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRoutedSession, startTestHarness, toPromise, type Harness } from '../testing/test-harness.ts';

let harness: Harness;
beforeAll(async () => {
  harness = await startTestHarness({ clock: 'virtual' });
});
beforeEach(() => harness.reset());
afterAll(() => harness.close());

interface Archive {
  id: string;
  status: string;
}
const start = (sessionId: string, options: object = {}): Promise<Archive> =>
  toPromise((done) => harness.opentok.startArchive(sessionId, options, done));

describe('archives by the SDKs', () => {
  it('are listed newest first, in pages', async () => {
    const ids: string[] = [];
    for (const name of ['a', 'b', 'c']) {
      const archive = await start(await createRoutedSession(harness), { name });
      ids.unshift(archive.id);
      await harness.client.advanceClock(1_000);
    }
    const list = (options: object): Promise<Archive[]> =>
      toPromise((done) => harness.opentok.listArchives(options, done));
    expect((await list({})).map(({ id }) => id)).toEqual(ids);
    expect((await list({ offset: 1, count: 1 })).map(({ id }) => id)).toEqual([ids[1]]);
  });

  it('have the options that they were started with', async () => {
    const options = {
      name: 'n',
      hasAudio: true,
      hasVideo: false,
      outputMode: 'individual',
      multiArchiveTag: 'audio',
    };
    const sessionId = await createRoutedSession(harness);
    expect(await start(sessionId, options)).toMatchObject(options);
    // One archive per tag.
    await expect(start(sessionId, options)).rejects.toThrow();
    expect(await start(sessionId, { ...options, multiArchiveTag: 'video' })).toMatchObject({ status: 'started' });
  });

  it('count their seconds, by @vonage/server-sdk', async () => {
    const { video } = harness.vonage;
    const { sessionId } = await video.createSession();
    const { id } = await video.startArchive(sessionId, { resolution: '1280x720' } as never);
    await harness.client.advanceClock(7_000);
    expect(await video.stopArchive(id)).toMatchObject({ status: 'stopped', duration: 7, resolution: '1280x720' });
    await video.updateArchiveLayout(id, { type: 'pip' } as never);
    const found = await video.searchArchives({ sessionId });
    expect(found.items.map((one) => one.id)).toEqual([id]);
  });

  it('take and drop streams with streamMode manual only', async () => {
    const { opentok } = harness;
    const manual = await start(await createRoutedSession(harness), { streamMode: 'manual' });
    const auto = await start(await createRoutedSession(harness));
    const add = (id: string): Promise<unknown> =>
      toPromise((done) => opentok.addArchiveStream(id, 'stream-1', { hasVideo: false }, done));
    const read = (id: string): Promise<{ streams?: unknown }> => toPromise((done) => opentok.getArchive(id, done));
    await add(manual.id);
    expect((await read(manual.id)).streams).toEqual([{ streamId: 'stream-1', hasAudio: true, hasVideo: false }]);
    await toPromise((done) => opentok.removeArchiveStream(manual.id, 'stream-1', done));
    expect((await read(manual.id)).streams).toEqual([]);
    await expect(add(auto.id)).rejects.toThrow(/Unsupported Stream Mode/);
  });
});
