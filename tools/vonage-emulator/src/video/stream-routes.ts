/** Stream routes: list, get, mute, layout classes (contract §1). */
import { z } from 'zod';
import { ok, videoError } from '../http/answer.ts';
import type { RestRequest, RestRoute } from '../http/rest.ts';
import { sendVideoEvent } from '../webhooks/video-hook.ts';
import type { VideoConnection, VideoSession, World } from '../world.ts';
import { findSession } from './lookup.ts';
import { listLiveConnections } from './sessions.ts';

const listPublishers = (session: VideoSession): VideoConnection[] =>
  listLiveConnections(session).filter((one) => one.stream !== undefined);

const buildStreamBody = ({ stream }: VideoConnection): object => ({
  id: stream?.id,
  videoType: 'camera',
  name: stream?.name ?? '',
  layoutClassList: stream?.layoutClassList ?? [],
});

function findPublisher(world: World, request: RestRequest): { session: VideoSession; connection: VideoConnection } {
  const session = findSession(world, request);
  const connection = listPublishers(session).find((one) => one.stream?.id === request.params.stream);
  if (connection === undefined) throw videoError(404, 'Stream not found');
  return { session, connection };
}

function setMuted(world: World, session: VideoSession, connection: VideoConnection, muted: boolean): void {
  if (connection.stream === undefined || connection.stream.muted === muted) return;
  connection.stream.muted = muted;
  const { sip } = connection;
  if (sip === undefined || !muted) return;
  if (sip.leg !== undefined) sip.leg.muted = muted;
  sendVideoEvent(world, session, 'sip-callback', 'muteForced', {
    call: { id: sip.id, connectionId: connection.id, createdAt: sip.createdAt },
  });
}

/** The SDKs use both names of the excluded list (contract §1, forceMuteAll). */
const muteAllBody = z.looseObject({
  active: z.boolean().default(true),
  excludedStreams: z.array(z.string()).default([]),
  excludedStreamIds: z.array(z.string()).default([]),
});
const layoutBody = z.object({ items: z.array(z.object({ id: z.string(), layoutClassList: z.array(z.string()) })) });

const buildProjectBody = (session: VideoSession): object => ({
  id: session.account,
  applicationId: session.account,
  status: 'ACTIVE',
  name: 'emulated',
  environment: 'standard',
  createdAt: session.createdAt,
});

export function createStreamRoutes(world: () => World): RestRoute[] {
  const under = '/v2/project/:key/session/:session';
  return [
    {
      method: 'GET',
      path: `${under}/stream`,
      kind: 'list-streams',
      handle: (request) => {
        const items = listPublishers(findSession(world(), request)).map(buildStreamBody);
        return ok({ count: items.length, items });
      },
    },
    {
      method: 'GET',
      path: `${under}/stream/:stream`,
      kind: 'get-stream',
      handle: (request) => ok(buildStreamBody(findPublisher(world(), request).connection)),
    },
    {
      method: 'PUT',
      path: `${under}/stream`,
      kind: 'layout',
      handle: (request) => {
        const all = listPublishers(findSession(world(), request));
        for (const item of layoutBody.parse(request.body ?? {}).items) {
          const stream = all.find((one) => one.stream?.id === item.id)?.stream;
          if (stream === undefined) throw videoError(404, 'Stream not found');
          stream.layoutClassList = item.layoutClassList;
        }
        return ok({ count: all.length, items: all.map(buildStreamBody) });
      },
    },
    {
      method: 'POST',
      path: `${under}/stream/:stream/mute`,
      kind: 'mute-stream',
      handle: (request) => {
        const { session, connection } = findPublisher(world(), request);
        setMuted(world(), session, connection, true);
        return ok(buildProjectBody(session));
      },
    },
    {
      method: 'POST',
      path: `${under}/mute`,
      kind: 'mute-all',
      handle: (request) => {
        const session = findSession(world(), request);
        const body = muteAllBody.parse(request.body ?? {});
        const excluded = new Set([...body.excludedStreams, ...body.excludedStreamIds]);
        if (body.active)
          for (const one of listPublishers(session))
            if (!excluded.has(one.stream?.id ?? '')) setMuted(world(), session, one, true);
        return ok(buildProjectBody(session));
      },
    },
  ];
}
