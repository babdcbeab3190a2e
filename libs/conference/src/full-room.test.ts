import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hangUpLeg } from './hang-up-leg.ts';
import { joinBrowser, openRoom, readLegs, readSession, until, upAtVendor, type Meeting } from './testing/meeting.ts';
import { startOver } from './testing/pass-time.ts';
import { setStage, type Stage, type World } from './testing/stage.ts';
import { writeConnectionData } from './connection-data.ts';

let stage: Stage;
let world: World;
beforeAll(async () => {
  stage = await setStage();
  world = stage.worlds.unified;
});
beforeEach(() => startOver(stage));
afterAll(() => stage.close());

/** A token that somebody was given while there was room. */
const tokenFor = ({ mediaSessionId }: Meeting, participant: string): string =>
  world.media.issueToken({ mediaSessionId, data: writeConnectionData({ participant }), expiresAt: new Date(Date.now() + 600_000) });
const enter = async (meeting: Meeting, token: string): Promise<void> => void (await stage.emulator.client.joinWebrtc({ sessionId: meeting.mediaSessionId, token }));
const states = async (meeting: Meeting): Promise<string[]> => (await readLegs(stage, meeting)).map((leg) => leg.state).toSorted();

describe('a browser whose token is older than the room is full', () => {
  it('is let in and hung up: of three that come at once to the last seat, one stays', async () => {
    const meeting = await openRoom(world, { max_participants: 2 });
    await joinBrowser(stage, meeting);
    await Promise.all(['part_a', 'part_b', 'part_c'].map((participant) => enter(meeting, tokenFor(meeting, participant))));
    await until(() => states(meeting), ['ending', 'ending', 'joined', 'joined']);
    const late = (await readLegs(stage, meeting)).filter((leg) => leg.state === 'ending');
    for (const leg of late) {
      expect(leg).toMatchObject({ kind: 'webrtc', owed_reason: 'room-full' });
      expect(stage.sent.filter(({ name, id }) => name === 'hang-up-leg' && id === leg.id)).toHaveLength(1);
      await hangUpLeg(world, meeting.tenantId, leg.id);
    }
    await until(() => states(meeting), ['ended', 'ended', 'joined', 'joined']);
    expect(await upAtVendor(stage, meeting)).toEqual(['webrtc', 'webrtc']);
    expect((await readSession(stage, meeting)).state).toBe('live');
  });

  it('may come back: a new connection of somebody who is in is not one more', async () => {
    const meeting = await openRoom(world, { max_participants: 1 });
    const token = tokenFor(meeting, 'part_a');
    await enter(meeting, token);
    await until(() => states(meeting), ['joined']);
    await enter(meeting, token);
    await until(() => states(meeting), ['joined', 'joined']);
    expect((await readLegs(stage, meeting)).map((leg) => leg.owed_at)).toEqual([null, null]);
  });
});
