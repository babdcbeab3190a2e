import type { AudioBridgeParticipant } from '@partyline/janus/audio-bridge/audio-bridge-event';
import { beforeEach, expect, it } from 'vitest';
import { Roster, type BrowserEntry, type RosterChange } from './roster.ts';

const room = 'conf';
const phone = (id: string, changes: Partial<AudioBridgeParticipant> = {}): AudioBridgeParticipant => ({
  id,
  display: undefined,
  isMuted: false,
  isSetUp: true,
  isTalking: undefined,
  ...changes,
});
const browser = (changes: Partial<BrowserEntry> = {}): BrowserEntry => ({
  id: 'browser',
  name: 'Anna',
  isMuted: false,
  isMutedByHost: false,
  sources: [],
  ...changes,
});
const feed = (name: string) => ({ participantId: 'browser', source: 'camera' as const, feed: name });

let roster: Roster;
let changes: RosterChange[];
let feedChanges: number;

beforeEach(() => {
  roster = new Roster((id) => id === 'browser');
  changes = [];
  feedChanges = 0;
  roster.listen({ onChange: (change) => void changes.push(change), onFeeds: () => (feedChanges += 1) });
});

it('knows telephones by the AudioBridge, and tells each change once', () => {
  const events: Parameters<Roster['apply']>[0][] = [
    { type: 'participant-joined', room, participant: phone('call') },
    { type: 'participant-changed', room, participant: phone('call', { isMuted: true }) },
    { type: 'participant-kicked', room, id: 'call' },
    { type: 'participant-left', room, id: 'call' },
  ];
  // Each browser's handle receives the event.
  for (const event of events) for (let handle = 0; handle < 3; handle += 1) roster.apply(event);
  expect(changes).toMatchObject([
    { event: 'participant', participant: { id: 'call', kind: 'phone', name: null, isMuted: false, sources: [] } },
    { event: 'participant', participant: { id: 'call', isMuted: true } },
    { event: 'participant-left', id: 'call' },
  ]);
});

it('takes the list of a join for the telephones', () => {
  roster.putBrowser(browser(), []);
  roster.syncPhones([phone('call-1'), phone('call-2', { display: 'Bob' })]);
  roster.syncPhones([phone('call-2', { display: 'Bob' }), phone('browser')]);
  expect(roster.list()).toMatchObject([
    { id: 'browser', kind: 'browser', name: 'Anna' },
    { id: 'call-2', kind: 'phone', name: 'Bob' },
  ]);
});

it('leaves browsers to their connections', () => {
  roster.apply({ type: 'participant-joined', room, participant: phone('browser') });
  expect(roster.list()).toEqual([]);
  roster.putBrowser(browser(), []);
  roster.apply({ type: 'participant-changed', room, participant: phone('browser', { isMuted: true }) });
  roster.apply({ type: 'participant-left', room, id: 'browser' });
  expect(roster.list()).toMatchObject([{ id: 'browser', isMuted: false }]);
});

it('shows who talks, unless it is muted', () => {
  roster.putBrowser(browser(), []);
  roster.apply({ type: 'talking', room, id: 'browser', isTalking: true });
  roster.apply({ type: 'talking', room, id: 'unknown', isTalking: true });
  expect(roster.list()).toMatchObject([{ isTalking: true }]);
  roster.putBrowser(browser({ isMuted: true }), []);
  expect(roster.list()).toMatchObject([{ isTalking: false, isMuted: true }]);
  roster.apply({ type: 'talking', room, id: 'browser', isTalking: true });
  expect(roster.list()).toMatchObject([{ isTalking: false }]);
});

it('tells when publications start, are replaced, and stop', () => {
  roster.putBrowser(browser(), [feed('1')]);
  roster.putBrowser(browser({ isMuted: true }), [feed('1')]);
  expect(feedChanges).toBe(1);
  roster.putBrowser(browser(), [feed('2')]);
  expect(feedChanges).toBe(2);
  expect(roster.feedsOfOthers('someone')).toEqual([feed('2')]);
  expect(roster.feedsOfOthers('browser')).toEqual([]);
  roster.remove('browser');
  expect(feedChanges).toBe(3);
  expect(roster.feedsOfOthers('someone')).toEqual([]);
});
