import type { Stage } from '@partyline/room-api/testing/test-harness';

/** An event to begin after: the last of a room that is over. */
export async function eventBefore(stage: Stage): Promise<string> {
  const { body } = await stage.ask('POST', '/v1/rooms', { body: { name: 'Before' } });
  await stage.ask('POST', `/v1/rooms/${body.room.id}/end`);
  const events = (await stage.ask('GET', `/v1/sessions/${body.session.id}/events`)).body.events as { id: string }[];
  return events.at(-1)!.id;
}
